//! Replaces replicas of an older version by the present one and back, one by one under traffic, and writes docs/mixed-versions.md:
//!
//! ```text
//! FINGERPOST_OLD_BIN=… cargo run -p integration --bin mixed -- docs/mixed-versions.md    # make mixed, as root
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
    use integration::{failover, measured};

    measured::write("mixed", |words, _| failover::mixed(&failover::gateways(words)))
}
