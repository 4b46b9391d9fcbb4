//! Fingerpost.

use fingerpost::cli::{self, Hands};
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(Hands {
        run: |_| anyhow::bail!("run is not yet built"),
        demo: |_| anyhow::bail!("demo is not yet built"),
    })
}
