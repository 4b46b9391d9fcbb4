//! Fingerpost.

use fingerpost::cli::{self, Hands};
use fingerpost::{daemon, demo};
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(Hands { run: daemon::run, demo: demo::run })
}
