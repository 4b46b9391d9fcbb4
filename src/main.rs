//! Fingerpost.

use fingerpost::cli::{self, Hands};
use fingerpost::{daemon, demo, limits};
use std::process::ExitCode;

fn main() -> ExitCode {
    limits::raise();
    cli::main(Hands { run: daemon::run, demo: demo::run })
}
