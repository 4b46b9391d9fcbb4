//! Measures what pods and gateways notice when a leader ends, and writes docs/failover.md:
//!
//! ```text
//! cargo run -p integration --bin failover -- docs/failover.md    # make failover, as root
//! cargo run -p integration --bin failover -- - SIGSTOP frr         # only some cases and gateways, onto standard output
//! ```

use std::process::ExitCode;

fn main() -> ExitCode {
    run()
}

#[cfg(not(target_os = "linux"))]
fn run() -> ExitCode {
    eprintln!("network namespaces need Linux");
    ExitCode::FAILURE
}

#[cfg(target_os = "linux")]
fn run() -> ExitCode {
    use integration::{failover, measured};

    measured::write("failover", |filter| {
        let named = |word: &str| failover::GATEWAYS.into_iter().find(|gateway| gateway.word() == word);
        let gateways: Vec<_> = filter.iter().filter_map(|word| named(word)).collect();
        let gateways = if gateways.is_empty() { failover::GATEWAYS.to_vec() } else { gateways };
        let wanted = |case: &&failover::Case| {
            let text = format!("{} {} {:?}", case.title, case.replicas, case.speaker);
            filter.iter().filter(|word| named(word).is_none()).all(|word| text.contains(word))
        };
        let all = failover::CASES.iter().chain(failover::RIVALS);
        let cases: Vec<failover::Case> = all.filter(wanted).copied().collect();
        let all = filter.is_empty() || filter.iter().any(|word| word == "gone");
        let gone = if all { failover::gone(&gateways) } else { Default::default() };
        failover::render(&failover::run(&cases, &gateways), gone)
    })
}
