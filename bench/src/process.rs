//! The real `fingerpost` as a process of its own.

use crate::etcd;
use crate::receiver::{GATEWAY_ASN, OWN_ASN};
use crate::records::Routes;
use anyhow::{Context, bail};
use fingerpost_core::model::Prefix;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Whom it tells the routes.
pub(crate) enum Gateways<'a> {
    /// It connects to each of them.
    Dialled(&'a [SocketAddr]),
    /// They connect from there (dynamic neighbours).
    Hosts { listen: SocketAddr, within: Prefix, most: usize },
}

/// Whether it holds changes back: most measurements change much of a source at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Of moves, what would be too much for an hour passes; a prefix that flaps is held.
    On,
    Off,
}

/// Killed when dropped.
pub(crate) struct Fingerpost {
    /// Just before it was started.
    pub(crate) started: Instant,
    process: Child,
    log: PathBuf,
}

impl Fingerpost {
    /// Starts it with these gateways. The folder takes its configuration and its log.
    pub(crate) fn start(
        binary: &Path,
        folder: &Path,
        endpoint: &str,
        routes: &Routes,
        gateways: &Gateways<'_>,
        guard: Guard,
    ) -> anyhow::Result<Self> {
        let (config, log) = (folder.join("config.yaml"), folder.join("fingerpost.log"));
        std::fs::write(&config, configuration(endpoint, routes, gateways, guard)?)?;
        let to_log = std::fs::File::create(&log)?;
        let started = Instant::now();
        let process = Command::new(binary)
            .args(["run", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(to_log.try_clone()?)
            .stderr(to_log)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        Ok(Fingerpost { started, process, log })
    }

    /// What it wrote to its log, to explain why something did not happen.
    pub(crate) fn log(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }

    /// Time on a processor, all threads together.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let mut sum = Duration::ZERO;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            // A thread may have ended meanwhile.
            sum += cpu_of(task?.path()).unwrap_or_default();
        }
        Ok(sum)
    }

    /// The most memory it ever had resident, in octets.
    pub(crate) fn peak_memory(&self) -> anyhow::Result<u64> {
        self.status("VmHWM:")
    }

    /// The memory it has resident now, in octets.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        self.status("VmRSS:")
    }

    fn status(&self, name: &str) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
        let Some(kibibytes) = line.trim().strip_suffix(" kB") else { bail!("{name} is not in kB: {line}") };
        Ok(kibibytes.parse::<u64>()? * 1024)
    }
}

impl Drop for Fingerpost {
    fn drop(&mut self) {
        etcd::stop(&mut self.process);
    }
}

/// Time on a processor of who asks, up to now: what /proc says of a thread that runs is as old as the last tick.
pub(crate) fn cpu_of_this_thread() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Time on a processor of the task with this folder in /proc.
fn cpu_of(task: impl AsRef<Path>) -> anyhow::Result<Duration> {
    let line = std::fs::read_to_string(task.as_ref().join("schedstat"))?;
    let first = line.split(' ').next().unwrap_or_default();
    Ok(Duration::from_nanos(first.parse().context("schedstat")?))
}

fn configuration(endpoint: &str, routes: &Routes, gateways: &Gateways<'_>, guard: Guard) -> anyhow::Result<String> {
    let guard = match guard {
        Guard::On => "guard: { moves: 100% }\n",
        Guard::Off => "guard: { withdrawals: off, moves: off, additions: off }\n",
    };
    let listen = match gateways {
        Gateways::Dialled(_) => String::new(),
        Gateways::Hosts { listen, .. } => format!(", listen: [\"{listen}\"]"),
    };
    let mut text = format!(
        "router: {{ asn: {OWN_ASN}, id: 10.255.255.1{listen} }}\n\
         sources: {{ bench: {{ etcd: {{ endpoints: [\"{endpoint}\"] }}, schema: {} }} }}\n\
         fence: {{ prefixes: [ {{ within: 10.0.0.0/8, lengths: {} }} ], next_hops: [ 172.16.0.0/12 ] }}\n\
         {guard}\
         policies: {{ all: [ {{ match: {{}}, then: accept }} ] }}\n\
         gateways:\n",
        routes.schema_yaml(),
        routes.length,
    );
    match gateways {
        Gateways::Dialled(gateways) => {
            for (n, gateway) in gateways.iter().enumerate() {
                let (address, port) = (gateway.ip(), gateway.port());
                writeln!(
                    text,
                    "  g{n}: {{ address: {address}, port: {port}, asn: {GATEWAY_ASN}, policy: all, \
                     timers: {{ connect_retry: 100ms }} }}"
                )?;
            }
        }
        Gateways::Hosts { within, most, .. } => {
            writeln!(
                text,
                "  hosts: {{ listen_range: {within}, listen_limit: {most}, asn: {GATEWAY_ASN}, policy: all }}"
            )?;
        }
    }
    Ok(text)
}
