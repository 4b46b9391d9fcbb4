//! `fingerpost plan`: reads the sources once and prints what each gateway would be told, and what not and why; with `--diff`, what
//! would change at the gateways of a running process.
//!
//! ```text
//!  configuration ─► Reading: the sources, an engine, model sessions ─► own ─┬─ show ─► sheet: table, JSON, YAML
//!                   a running process's admin API ─► running ───────────────┴─ diff ─┘
//! ```
//!
//! Rows are made a page at a time and printed at once: there may be millions. Nothing is written anywhere, and no gateway is touched.

mod diff;
mod own;
mod running;
mod sheet;
mod show;

use super::admin::{Connect, Failure, Format};
use super::{ConfigFile, check, colours};
use crate::config::{self, Config};
use clap::Args;
use fingerpost_core::table::GuardConfig;
use own::Own;
use sheet::Sheet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

/// What to plan, and with what to compare it.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct PlanOptions {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// Only this gateway; may be given several times
    #[arg(short, long = "gateway", value_name = "NAME")]
    pub gateways: Vec<String>,
    /// Only what differs from what the running process tells: exit code 5 if anything does
    #[arg(long)]
    pub diff: bool,
    /// For --diff: the running process's admin socket [default: that of the configuration]
    #[arg(long, value_name = "SOCKET", env = "FINGERPOST_ADMIN")]
    pub admin: Option<PathBuf>,
    /// How long to wait for the sources, such as 500ms, 30s or 5m
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = patience)]
    pub timeout: Duration,
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub output: Format,
    /// Leave the heads of tables out, and what follows them
    #[arg(long)]
    pub no_headers: bool,
}

fn patience(text: &str) -> Result<Duration, String> {
    config::parse_duration(text).ok_or_else(|| "write a whole number and ms, s, m or h, such as 500ms or 30s".into())
}

/// How it ended.
pub(super) enum Outcome {
    /// Everything was read; with `--diff`, and nothing differs.
    Done,
    /// `--diff`: something does.
    Different,
    /// The configuration has faults, which were said.
    Faulty,
    /// Not every source was read: which, and why.
    Incomplete(Vec<String>),
}

/// Does it.
pub(super) fn run(options: &PlanOptions, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let file = &options.file.config;
    let Ok(config) = config::load(file) else {
        check(file, &mut io::stderr().lock(), colours())?;
        return Ok(Outcome::Faulty);
    };
    if let Some(name) = options.gateways.iter().find(|name| !config.gateways.contains_key(*name)) {
        let names: Vec<&str> = config.gateways.keys().map(String::as_str).collect();
        return Err(Failure::NothingMatched(format!(
            "{} has no gateway {name:?}: it has {}",
            file.display(),
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        )));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(planned(options, config, out))
}

async fn planned(options: &PlanOptions, config: Config, out: &mut dyn Write) -> Result<Outcome, Failure> {
    // Who names no socket and no running process is told so before anything is read.
    let client = match options.diff {
        false => None,
        true => Some(super::admin::connect(&connect(options)).await?),
    };
    let guarded = config.guard != GuardConfig::off();
    let own = Own::read(config, options.timeout).await?;
    let wanted = |name: &&String| options.gateways.is_empty() || options.gateways.contains(name);
    let names: Vec<String> = own.config.gateways.keys().filter(wanted).cloned().collect();
    let mut sheet = Sheet::new(out, options.output, options.no_headers);
    let unread = own.unread();
    let different = match client {
        None => {
            show::show(&own, &names, &mut sheet).await?;
            false
        }
        Some(client) => diff::diff(&own, &names, options.gateways.is_empty(), client, guarded, &mut sheet).await?,
    };
    sheet.end()?;
    Ok(match (unread.is_empty(), different) {
        (false, _) => Outcome::Incomplete(unread),
        (true, true) => Outcome::Different,
        (true, false) => Outcome::Done,
    })
}

/// Whom to ask for `--diff`.
fn connect(options: &PlanOptions) -> Connect {
    let config = Some(options.file.config.clone());
    Connect { admin: options.admin.clone(), config, output: options.output, no_headers: options.no_headers }
}
