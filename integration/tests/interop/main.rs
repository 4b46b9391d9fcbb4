//! The interop matrix: every routing daemon × everything that a session with it can be or do, each cell one scenario with
//! the real daemon, and docs/interop.md made of the outcomes.
//!
//! ```text
//! cargo test -p integration --test interop                    # the whole matrix, compared with docs/interop.md
//! cargo test -p integration --test interop -- bird frr::md5   # some cells
//! FINGERPOST_BLESS=1 cargo test -p integration --test interop # writes docs/interop.md (make interop)
//! ```
//!
//! Each cell runs in a process of its own, whose output is shown only when it fails. `RUST_TEST_THREADS` of them run at a
//! time (4 unless given: a cell mostly waits). The outcomes are also written to `target/tmp/interop.json`.

#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod bulk;
#[cfg(target_os = "linux")]
mod cell;
#[cfg(target_os = "linux")]
mod ends;
#[cfg(target_os = "linux")]
mod life;
#[cfg(target_os = "linux")]
mod reach;
#[cfg(target_os = "linux")]
mod runner;
#[cfg(target_os = "linux")]
mod secure;
#[cfg(target_os = "linux")]
mod table;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    runner::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    println!("network namespaces need Linux");
    ExitCode::SUCCESS
}
