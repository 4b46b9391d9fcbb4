//! Measures what pods and gateways notice when a leader ends, and writes docs/failover.md; and the same with what people do instead,
//! for docs/alternatives.md:
//!
//! ```text
//! cargo run -p integration --bin failover -- docs/failover.md                             # make failover, as root
//! cargo run -p integration --bin failover -- docs/alternatives.md alternatives            # the other half of it
//! cargo run -p integration --bin failover -- docs/alternatives.md alternatives Mesh frr   # only some rows, the others stay
//! cargo run -p integration --bin failover -- - SIGSTOP frr                                # only some, onto standard output
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
    use integration::failover::{self, Case};
    use integration::measured;

    measured::write("failover", |words, before| {
        let gateways = failover::gateways(words);
        let is_gateway = |word: &str| failover::GATEWAYS.into_iter().any(|gateway| gateway.word() == word);
        let of = |cases: &[Case], words: &[String]| {
            let wanted = |case: &&Case| {
                let text = format!("{} {} {:?}", case.title, case.replicas, case.speaker);
                words.iter().filter(|word| !is_gateway(word)).all(|word| text.contains(word))
            };
            let cases: Vec<Case> = cases.iter().filter(wanted).copied().collect();
            failover::run(&cases, &gateways)
        };
        match words {
            [first, words @ ..] if first == "alternatives" => {
                let cases: Vec<Case> = failover::rivals().iter().map(|row| row.case).collect();
                failover::alternatives(&of(&cases, words), before)
            }
            _ => {
                let gone = if words.is_empty() { failover::gone(&gateways) } else { Default::default() };
                let cases = [&failover::CASES[..], &failover::OURS].concat();
                failover::render(&of(&cases, words), gone)
            }
        }
    })
}
