//! Measures how many packets between two pods are lost when something happens, and writes docs/losses.md:
//!
//! ```text
//! cargo run -p integration --bin losses -- docs/losses.md    # make losses, as root
//! cargo run -p integration --bin losses -- - SIGSTOP         # only some cases, onto standard output
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
    use integration::{losses, measured};

    measured::write("losses", |filter, _| {
        let wanted =
            |case: &&losses::Case| filter.iter().all(|word| case.title.contains(word) || case.session.contains(word));
        let cases: Vec<losses::Case> = losses::CASES.iter().filter(wanted).copied().collect();
        losses::render(&losses::run(&cases))
    })
}
