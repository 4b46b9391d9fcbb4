//! What is measured with each of the gateways, several labs at a time, and the page that it becomes.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use crate::lab::gateway::Daemon;

/// The gateways that forward by themselves.
pub const DAEMONS: [Daemon; 2] = [Daemon::Bird, Daemon::Frr];

/// A case with what was found with each of its gateways: nothing where the lab failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured<C, T> {
    /// The case.
    pub case: C,
    /// With which gateway what was found.
    pub found: Vec<(Daemon, Option<T>)>,
}

/// Measures all of them with the gateways that `daemons` says, so many labs at a time; `show` is the line for who waits.
pub fn all<C: Copy + Send + Sync, T: Send>(
    cases: &[C],
    labs: usize,
    daemons: impl Fn(&C) -> Vec<Daemon> + Sync,
    measure: impl Fn(&C, Daemon) -> T + Sync,
    show: impl Fn(&C, Daemon, Option<&T>) -> String + Sync,
) -> Vec<Measured<C, T>> {
    let columns = |case: &C| 0..daemons(case).len();
    let jobs = cases.iter().enumerate().flat_map(|(place, case)| columns(case).map(move |column| (place, column)));
    let queue = Mutex::new(jobs.collect::<VecDeque<(usize, usize)>>());
    let rows = cases.iter().map(|case| {
        let found = daemons(case).into_iter().map(|daemon| (daemon, None)).collect();
        Measured { case: *case, found }
    });
    let rows = rows.collect::<Vec<_>>();
    let rows = Mutex::new(rows);
    std::thread::scope(|scope| {
        for _ in 0..labs {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((place, column)) = next else { return };
                    let case = &cases[place];
                    let daemon = daemons(case)[column];
                    // What went wrong was printed by the panic.
                    let found = catch_unwind(AssertUnwindSafe(|| measure(case, daemon))).ok();
                    eprintln!("{}", show(case, daemon, found.as_ref()));
                    rows.lock().unwrap_or_else(PoisonError::into_inner)[place].found[column].1 = found;
                }
            });
        }
    });
    rows.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The program of this name: `NAME FILE [WORD OF A CASE]...` writes the page that `make` makes of the cases with these words and of what the page was, and
/// fails where `make` found something that nobody expects.
pub fn write(name: &str, make: impl FnOnce(&[String], &str) -> (String, Vec<String>)) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((path, filter)) = words.split_first() else {
        eprintln!("usage: {name} FILE [WORD OF A CASE]...; FILE may be - for standard output");
        return ExitCode::FAILURE;
    };
    // What it was, for who measures only a part anew.
    let before = std::fs::read_to_string(path).unwrap_or_default();
    let (page, faults) = make(filter, &before);
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
