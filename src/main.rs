//! Fingerpost.

use fingerpost::cli::{self, Hands};
use fingerpost::daemon;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(Hands { run: daemon::run, demo: |_| anyhow::bail!("demo is not yet built") })
}
