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
    use integration::losses;

    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((path, filter)) = words.split_first() else {
        eprintln!("usage: losses FILE [WORD OF A CASE]...; FILE may be - for standard output");
        return ExitCode::FAILURE;
    };
    let wanted =
        |case: &&losses::Case| filter.iter().all(|word| case.title.contains(word) || case.session.contains(word));
    let cases: Vec<losses::Case> = losses::CASES.iter().filter(wanted).copied().collect();
    let (page, faults) = losses::render(&losses::run(&cases));
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
