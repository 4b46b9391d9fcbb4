//! Measures the figures of the design (docs/benchmarks.md), each side by side with the bare minimum, in one run.
//!
//! ```text
//!  real etcd ─► real fingerpost (a process) ─► real TCP ─► receivers   ┐ one
//!  real etcd ─► bare reader or watch                                   │ pair of
//!               bare writer of the same bytes ─► TCP ─► receivers      ┘ a run
//! ```

mod bare;
mod etcd;
mod namespace;
mod page;
mod process;
mod receiver;
mod records;
mod report;
mod rows;

use anyhow::{Context, bail};
use clap::Parser;
use report::{Machine, Report};
use rows::Setting;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Measures the figures of the design side by side with the bare minimum.
#[derive(Parser)]
#[command(name = "bench")]
struct Options {
    /// Which rows: 1 change, 2 cold start, 3 a million routes, 4 a hundred gateways, 5 a thousand hosts,
    /// 6 a storm on one key
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3, 4, 5, 6], value_parser = clap::value_parser!(u8).range(1..=6))]
    rows: Vec<u8>,
    /// Pairs of runs for each figure
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Small sizes and few runs: proves that the harness works, and nothing about speed
    #[arg(long)]
    quick: bool,
    /// Where the figures go as JSON
    #[arg(long, value_name = "FILE", default_value = "target/bench/results.json")]
    json: PathBuf,
    /// A Markdown page to put the figures into, between its marks
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// The binary that is measured; unless given, the one beside this program
    #[arg(long, value_name = "FILE")]
    fingerpost: Option<PathBuf>,
    /// It runs in a network namespace of its own already
    #[arg(long, hide = true)]
    inside: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let optimised = !cfg!(debug_assertions);
    if !optimised && !options.quick {
        bail!("this is a debug build, whose times mean nothing: use `make bench`, or --quick to try the harness");
    }
    if options.rows.contains(&5) && !options.inside {
        return Err(namespace::enter());
    }
    let machine = Machine::here();
    let setting = Setting {
        fingerpost: options.fingerpost.map_or_else(beside, Ok)?,
        runs: if options.quick { options.runs.min(2) } else { options.runs },
        quick: options.quick,
        patience: Duration::from_secs(60),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut figures = Vec::new();
    for row in &options.rows {
        let measured = match row {
            1 => rows::change::measure(&setting, &runtime),
            2 => rows::cold::measure(&setting, &runtime),
            3 => rows::million::measure(&setting, &runtime),
            4 => rows::many::measure(&setting, &runtime),
            5 => rows::peers::measure(&setting, &runtime),
            _ => rows::storm::measure(&setting, &runtime),
        };
        figures.extend(measured.with_context(|| format!("row {row}"))?);
    }
    let report = Report { machine, quick: options.quick, optimised, figures };
    report.write(&options.json)?;
    print!("{}", report.table());
    if let Some(page) = &options.page {
        page::write(&report, page)?;
    }
    eprintln!("written to {}", options.json.display());
    Ok(())
}

fn beside() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let binary = own.parent().unwrap_or(Path::new(".")).join("fingerpost");
    if !binary.exists() {
        bail!("{} does not exist: build it, or name another with --fingerpost", binary.display());
    }
    Ok(binary)
}
