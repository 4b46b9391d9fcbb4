//! `fingerpost check`: one line for each part of the configuration, √ or ×, and below it every fault with its hint.

use crate::config::{self, Config, Fault, Faults, FileStore, Schema, Source, Store, Timeline, keys};
use crate::snapshot::renamed;
use crate::source;
use crate::timeline;
use crate::words;
use fingerpost_core::table::ChangeKind;
use std::io::{self, Write};
use std::path::Path;

/// Checks the file and prints the findings; true if there are no faults.
pub fn check(file: &Path, out: &mut dyn Write, colours: bool) -> io::Result<bool> {
    let paint = Paint { colours };
    writeln!(out, "{}", file.display())?;
    let (faults, config) = match config::load(file) {
        Ok(config) => {
            (hosts_files(&config).into_iter().chain(timeline::refused(&config.timeline)).collect(), Some(config))
        }
        Err(Faults { faults, .. }) => (faults, None),
    };
    let mut warnings = config.as_ref().map(|config| config.warnings.clone()).unwrap_or_default();
    if let Some(said) = config.as_ref().and_then(renamed::ownerless) {
        warnings.push(Fault::elsewhere("state_dir", &said, renamed::OWNERLESS_HINT));
    }
    // What is wrong with the file as a whole (it cannot be read, or is no YAML) leaves nothing else to say.
    if let Some(whole) = faults.iter().find(|fault| fault.path.is_empty()) {
        writeln!(out, "{} file", paint.bad())?;
        explain(out, file, whole)?;
    } else {
        writeln!(out, "{} file: YAML, all parts read", paint.good())?;
        for part in parts(&faults, &warnings) {
            let mine = |list: &'_ [Fault]| list.iter().filter(|fault| head(fault) == part).cloned().collect::<Vec<_>>();
            let (faults, warnings) = (mine(&faults), mine(&warnings));
            let mark = match (faults.is_empty(), warnings.is_empty()) {
                (false, _) => paint.bad(),
                (true, false) => paint.doubtful(),
                (true, true) => paint.good(),
            };
            match config.as_ref().and_then(|config| summary(config, part)) {
                Some(summary) => writeln!(out, "{mark} {part}: {summary}")?,
                None => writeln!(out, "{mark} {part}")?,
            }
            for fault in faults.iter().chain(&warnings) {
                explain(out, file, fault)?;
            }
        }
    }
    let warned = match warnings.len() {
        0 => String::new(),
        n => format!(", {}", count(n, "warning")),
    };
    writeln!(out, "{}{warned}", count(faults.len(), "fault"))?;
    Ok(faults.is_empty())
}

/// What is wrong in the files of file sources. They are only read here: `run` starts without them, and waits.
fn hosts_files(config: &Config) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (name, source) in &config.sources {
        // One that is not there is warned of already.
        if let Store::File(FileStore { path, .. }) = &source.store
            && path.is_file()
        {
            let found = source::file::check(path).into_iter();
            faults.extend(
                found.map(|why| Fault::elsewhere(&format!("sources.{name}.file.path"), &why, "correct the file")),
            );
        }
    }
    faults
}

/// The top-level keys in the order of the documentation, then those nobody knows.
fn parts<'a>(faults: &'a [Fault], warnings: &'a [Fault]) -> Vec<&'a str> {
    let mut parts = keys::ROOT.built.to_vec();
    for fault in faults.iter().chain(warnings) {
        if !parts.contains(&head(fault)) {
            parts.push(head(fault));
        }
    }
    parts
}

fn head(fault: &Fault) -> &str {
    fault.path.split(['.', '[']).next().unwrap_or_default()
}

fn explain(out: &mut dyn Write, file: &Path, fault: &Fault) -> io::Result<()> {
    let bare = Fault { hint: None, ..fault.clone() };
    writeln!(out, "    {}", bare.located(file))?;
    match &fault.hint {
        Some(hint) => writeln!(out, "      hint: {hint}"),
        None => Ok(()),
    }
}

fn count(n: usize, what: &str) -> String {
    match n {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{n} {what}s"),
    }
}

/// What a part says, in a few words.
fn summary(config: &Config, part: &str) -> Option<String> {
    match part {
        "router" => {
            let listen = some(config.router.listen.iter().map(ToString::to_string), "no listener");
            Some(format!("AS {}, identifier {}, {listen}", config.router.asn, config.router.id))
        }
        "sources" => Some(some(config.sources.iter().map(source), "none")),
        "fence" => {
            let ranges = config.fence.prefixes.iter();
            let ranges = ranges.map(|range| match range.lengths.clone().into_inner() {
                (low, high) if low == high => format!("{} /{low}", range.within),
                (low, high) => format!("{} /{low} to /{high}", range.within),
            });
            let next_hops = config.fence.next_hops.iter().map(ToString::to_string);
            Some(format!("{}, next hops in {}", some(ranges, "nothing"), some(next_hops, "nothing")))
        }
        "gateways" => {
            let gateways = config.gateways.iter();
            Some(some(
                gateways.map(|(name, gateway)| match gateway.remote {
                    config::Remote::Address(address) => format!("{name} ({address} AS {})", gateway.asn),
                    config::Remote::Range { within, .. } => format!("{name} (from {within} AS {})", gateway.asn),
                }),
                "none",
            ))
        }
        "policies" => {
            let policies = config.policies.iter();
            let policies = policies.map(|(name, policy)| format!("{name} ({})", count(policy.rules.len(), "rule")));
            // The default is stated, as nobody should have to look it up.
            Some(match config.policies.len() {
                0 => "none".into(),
                _ => format!("{}; what no rule matches is rejected", some(policies, "none")),
            })
        }
        "guard" => {
            let limit = |kind: ChangeKind| {
                let limit = config.guard.limit(kind);
                let limit = limit.map_or("off".into(), |limit| format!("{} % of a source", limit.percent));
                format!("{}s {limit}", kind.name())
            };
            Some(ChangeKind::ALL.map(limit).join(", "))
        }
        "startup" => Some(format!("snapshot after {} s", config.startup.snapshot_after.as_secs_f64())),
        "election" => Some(config.election.as_ref().map_or("none: this process decides alone".into(), |election| {
            format!("in {} at {}, a lease of {} s", election.source, election.key, election.ttl.as_secs())
        })),
        "state_dir" => Some(config.state_dir.as_ref().map_or("none".into(), |path| path.display().to_string())),
        "http" => Some(config.http.as_ref().map_or("off".into(), |http| http.listen.to_string())),
        "admin" => Some(config.admin.as_ref().map_or("off".into(), |admin| admin.socket.display().to_string())),
        "log" => Some(config.log.level.name().into()),
        "timeline" => Some(events(&config.timeline)),
        _ => None,
    }
}

fn events(timeline: &Timeline) -> String {
    let file = timeline.file.as_ref().map(|file| format!(", written to {}", file.display()));
    match timeline.events {
        0 => "off".into(),
        events => format!("the last {events} events{}", file.unwrap_or_default()),
    }
}

fn source((name, source): (&String, &Source)) -> String {
    match &source.store {
        Store::File(file) => format!("{name} (file {})", file.path.display()),
        Store::Etcd(etcd) => {
            let schema = match etcd.schema {
                Schema::Native { .. } => "native",
                Schema::Flannel { .. } => "flannel",
            };
            format!("{name} ({schema} in etcd, {})", count(etcd.endpoints.len(), "endpoint"))
        }
    }
}

/// The first few, and how many more.
fn some(list: impl Iterator<Item = String>, none: &str) -> String {
    const FEW: usize = 4;
    let all: Vec<String> = list.collect();
    if all.is_empty() { none.into() } else { words::few(&all, FEW) }
}

struct Paint {
    colours: bool,
}

impl Paint {
    fn good(&self) -> String {
        self.mark("32", "√")
    }

    fn doubtful(&self) -> String {
        self.mark("33", "‼")
    }

    fn bad(&self) -> String {
        self.mark("31", "×")
    }

    fn mark(&self, colour: &str, mark: &str) -> String {
        if self.colours { format!("\x1b[{colour}m{mark}\x1b[0m") } else { mark.into() }
    }
}
