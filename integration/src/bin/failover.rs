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
    use integration::failover;

    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((path, filter)) = words.split_first() else {
        eprintln!("usage: failover FILE [WORD OF A CASE]...; FILE may be - for standard output");
        return ExitCode::FAILURE;
    };
    let wanted = |case: &&failover::Case| {
        let text = format!("{} {:?}", case.title, case.speaker);
        filter.iter().all(|word| text.contains(word))
    };
    let all = failover::CASES.iter().chain(failover::RIVALS);
    let cases: Vec<failover::Case> = all.filter(wanted).copied().collect();
    let (page, faults) = failover::render(&failover::run(&cases));
    if path == "-" {
        println!("{page}");
    } else if let Err(error) = std::fs::write(path, page) {
        eprintln!("{path} cannot be written: {error}");
        return ExitCode::FAILURE;
    }
    for fault in &faults {
        eprintln!("not expected: {fault}");
    }
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
