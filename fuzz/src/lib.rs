//! What is fuzzed: every function that reads octets or text from outside, each with what must be true of its answer.
//!
//! A target is a function from octets that panics when a claim is broken. `targets/` makes libFuzzer programs of them, which
//! `fuzz/run.sh` builds and runs; [`seeds`] are the inputs they start from, and `tests/seeds.rs` runs these on every change
//! without libFuzzer. An input that once broke a claim becomes a seed.
//!
//! Every target also bounds the memory it takes (`bounded`): a small multiple of its input.

mod hosts;
mod messages;
mod neighbour;
mod reader;
pub mod seeds;
mod settings;
mod update;

/// A target: panics when something is not as it must be.
pub type Target = fn(&[u8]);

/// All targets by name; each has a program of its name in `targets/`, and seeds.
pub const TARGETS: [(&str, Target); 13] = [
    ("framer", messages::framer),
    ("open", messages::open),
    ("capabilities", messages::capabilities),
    ("update_ibgp", update::internal),
    ("update_ebgp", update::external),
    ("notification", messages::notification),
    ("refresh", messages::refresh),
    ("config", settings::config),
    ("schema_native", hosts::native),
    ("schema_flannel", hosts::flannel),
    ("hosts_file", hosts::file),
    ("session", neighbour::session),
    ("neighbour", neighbour::any),
];

/// Runs a target by name.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("no target {name}")).1(input);
}

/// Runs `read` and panics if it holds more than `times` octets for each of the input, and a fixed amount, at any moment.
fn bounded<T>(input: &[u8], times: u64, fixed: u64, read: impl FnOnce() -> T) -> T {
    let mut answer = None;
    let used = allocation_counter::measure(|| answer = Some(read()));
    let most = fixed + times * input.len() as u64;
    assert!(used.bytes_max <= most, "{} octets of memory for {} of input, not {most}", used.bytes_max, input.len());
    answer.unwrap_or_else(|| unreachable!("the closure has run"))
}
