//! Runs cells side by side, each in a process of its own, and speaks as Rust's test harness does.

use std::collections::VecDeque;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use integration::lab::cleanup;
use integration::lab::gateway::Daemon;
use integration::lab::skip::{self, Need};
use integration::lab::wait;
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use serde_json::{Value, json};

use crate::cell::{Cell, Found, Outcome};
use crate::table;

/// Asks for one cell in this process.
const CELL: &str = "--cell";
/// What a cell prints before the reason why its daemon does not support it.
const UNSUPPORTED: &str = "unsupported: ";
/// No cell takes that long, whatever else the machine does.
const BOUND: Duration = Duration::from_secs(420);
const JSON: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/interop.json");

pub(crate) fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = arguments.as_slice()
        && flag == CELL
    {
        return run_here(name);
    }
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let daemons = present_daemons();
    let wanted = |cell: &Cell| filters.is_empty() || filters.iter().any(|filter| cell.to_string().contains(*filter));
    let cells: Vec<Cell> = Cell::all().filter(|cell| daemons.contains(&cell.daemon) && wanted(cell)).collect();
    let cells = spread(cells);
    let whole = filters.is_empty() && daemons.len() == Daemon::ALL.len();
    run(cells, Daemon::ALL.len() - daemons.len(), whole)
}

/// Cells that keep the machine busy, each with its share of those that mostly wait after it.
fn spread(cells: Vec<Cell>) -> VecDeque<Cell> {
    let (busy, waiting): (Vec<Cell>, Vec<Cell>) = cells.into_iter().partition(|cell| cell.feature.is_busy);
    let share = waiting.len().div_ceil(busy.len().max(1)).max(1);
    let mut waiting = waiting.chunks(share);
    let mut order: VecDeque<Cell> = busy
        .into_iter()
        .flat_map(|cell| std::iter::once(cell).chain(waiting.next().into_iter().flatten().copied()))
        .collect();
    order.extend(waiting.flatten());
    order
}

/// The daemons that are on this machine. Each that is missing is a skip.
fn present_daemons() -> Vec<Daemon> {
    let is_present = |daemon: &Daemon| {
        let needs = [Need::Root, Need::Tools, Need::daemon(*daemon)];
        let name = format!("interop::{daemon}");
        let asked = std::thread::Builder::new().name(name).spawn(move || skip::unless(&needs));
        !asked.expect("a thread can be started").join().unwrap_or_else(|_| std::process::exit(101))
    };
    Daemon::ALL.into_iter().filter(is_present).collect()
}

/// One cell, in this process. It goes when the one that asked for it goes, and takes its lab along.
fn run_here(name: &str) -> ExitCode {
    set_parent_process_death_signal(Some(Signal::TERM)).expect("a process may choose how it dies");
    let cell = Cell::all().find(|cell| cell.to_string() == name).expect("the cell is one of the matrix");
    if let Found::Unsupported(reason) = (cell.feature.check)(cell.daemon) {
        println!("{UNSUPPORTED}{reason}");
    }
    ExitCode::SUCCESS
}

fn run(cells: VecDeque<Cell>, skipped: usize, whole: bool) -> ExitCode {
    let begin = Instant::now();
    let threads = std::env::var("RUST_TEST_THREADS").ok().and_then(|number| number.parse().ok()).unwrap_or(4usize);
    println!("\nrunning {} tests", cells.len());
    let (queue, done) = (Mutex::new(cells), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(cell) = next else { break };
                    let begin = Instant::now();
                    let (outcome, output) = run_apart(cell);
                    report(cell, &outcome, &output, begin.elapsed());
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((cell, outcome, begin.elapsed()));
                }
            });
        }
    });
    cleanup::janitor();
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut failed = done.iter().filter(|(_, outcome, _)| *outcome == Outcome::Failed).count();
    // For whoever counts, a test that skips itself has passed.
    let mut passed = done.len() - failed + skipped;
    write_json(&done);
    if whole {
        let outcome = |daemon: Daemon, word: &str| {
            let mut found = done.iter().filter(|(cell, ..)| cell.daemon == daemon && cell.feature.word == word);
            found.next().map_or(Outcome::Failed, |(_, outcome, _)| outcome.clone())
        };
        match table::settle(&table::render(outcome)) {
            Ok(()) => passed += 1,
            Err(difference) => {
                failed += 1;
                println!("{difference}");
            }
        }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; finished in {seconds:.2}s\n"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

/// A cell in a process of its own, with what it wrote.
fn run_apart(cell: Cell) -> (Outcome, String) {
    let own = std::env::current_exe().expect("a test knows where it is");
    // A file, not a pipe: daemons of a cell that is killed would keep a pipe open.
    let log = std::env::temp_dir().join(format!(
        "interop-{}-{}.log",
        std::process::id(),
        cell.to_string().replace("::", "-")
    ));
    let output = std::fs::File::create(&log).expect("a log file can be made");
    drop(std::fs::remove_file(&log));
    let errors = output.try_clone().expect("a file can be duplicated");
    let path = format!("/proc/self/fd/{}", output.as_raw_fd());
    let reader = || String::from_utf8_lossy(&std::fs::read(Path::new(&path)).unwrap_or_default()).into_owned();
    let mut command = Command::new(own);
    command.args([CELL, &cell.to_string()]).stdin(Stdio::null()).stderr(errors);
    command.stdout(output.try_clone().expect("a file can be duplicated"));
    let mut child = command.spawn().expect("a test can be started");
    let begin = Instant::now();
    let status = wait::until("the end of a cell", BOUND + Duration::from_secs(20), || {
        if begin.elapsed() > BOUND {
            kill_process(Pid::from_child(&child), Signal::TERM).ok();
        }
        child.try_wait().expect("a child can be waited for").ok_or("still running")
    });
    let text = reader();
    let unsupported = text.lines().find_map(|line| line.strip_prefix(UNSUPPORTED));
    let outcome = match (status.success(), unsupported) {
        (false, _) => Outcome::Failed,
        (true, None) => Outcome::Passed,
        (true, Some(reason)) => Outcome::Unsupported(reason.to_owned()),
    };
    (outcome, text)
}

fn report(cell: Cell, outcome: &Outcome, output: &str, time: Duration) {
    let seconds = time.as_secs_f64();
    let text = match outcome {
        Outcome::Passed => format!("test {cell} ... ok ({seconds:.1} s)\n"),
        Outcome::Unsupported(reason) => format!("test {cell} ... ok ({seconds:.1} s; not supported: {reason})\n"),
        Outcome::Failed => {
            format!("test {cell} ... FAILED ({seconds:.1} s)\n---- {cell} ----\n{output}\n---- {cell} ----\n")
        }
    };
    // One write, so that cells do not mix.
    drop(std::io::stdout().lock().write_all(text.as_bytes()));
}

fn write_json(done: &[(Cell, Outcome, Duration)]) {
    let cells = done.iter().map(|(cell, outcome, time)| {
        let mut value = outcome.json();
        value["daemon"] = cell.daemon.word().into();
        value["feature"] = cell.feature.word.into();
        value["seconds"] = time.as_secs_f64().into();
        value
    });
    let cells: Vec<Value> = cells.collect();
    let text = format!("{:#}\n", json!({ "cells": cells }));
    std::fs::write(JSON, text).unwrap_or_else(|error| panic!("{JSON} cannot be written: {error}"));
}
