//! Measures what pods and gateways notice when a leader ends, and writes docs/failover.md:
//!
//! ```text
//! cargo run -p integration --bin failover -- docs/failover.md    # make failover, as root
//! cargo run -p integration --bin failover -- - SIGSTOP             # only some cases, onto standard output
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
        let wanted = |case: &&failover::Case| {
            let text = format!("{} {:?}", case.title, case.speaker);
            filter.iter().all(|word| text.contains(word))
        };
        let all = failover::CASES.iter().chain(failover::RIVALS);
        let cases: Vec<failover::Case> = all.filter(wanted).copied().collect();
        failover::render(&failover::run(&cases))
    })
}
