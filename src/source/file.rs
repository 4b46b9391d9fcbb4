//! A YAML file as a source, for labs and for hosts that no store knows.
//!
//! ```yaml
//! hosts:
//!   node-a1: { addresses: [10.168.0.11], subnets: [10.244.1.0/24], labels: { zone: vlan-a } }
//! ```
//!
//! It is polled by its contents, since a ConfigMap's mount swaps symbolic links under an unchanged name. Contents are believed
//! once two polls found the same: a YAML file cut short is a YAML file, and would be a complete list that lacks hosts. A file that
//! is missing, empty or cannot be parsed is a fault and never a list (P2); `hosts: {}` is an empty list.

use super::Reports;
use crate::limits;
use fingerpost_core::model::Labels;
use fingerpost_core::source::{Attempt, ClusterId, Fault, FaultKind, Order, Record, Report, Rev, Task};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Between two polls that must find the same.
const SETTLE: Duration = Duration::from_millis(200);

/// Records on a page.
const PAGE: usize = 10_000;

/// A larger file is refused.
const LARGEST: u64 = 64 << 20;

/// Which file, and how often to look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileConfig {
    /// The file.
    pub path: PathBuf,
    /// How often it is read.
    pub poll: Duration,
}

/// Follows the file: a complete list for each believed content, and a fault as long as there is none. `nudge` makes it look
/// at once (SIGHUP). The task ends when no more orders can come.
pub fn spawn(
    config: FileConfig,
    nudge: Arc<Notify>,
    orders: mpsc::UnboundedReceiver<Order>,
    reports: Reports,
) -> JoinHandle<()> {
    let follower = Follower {
        config,
        reports,
        hasher: RandomState::new(),
        attempt: None,
        found: None,
        reported: None,
        believed: None,
        at: Rev::default(),
    };
    tokio::spawn(follower.run(nudge, orders))
}

/// What a poll found: the contents' digest, or why there are none.
type Found = Result<(u64, usize), String>;

struct Follower {
    config: FileConfig,
    reports: Reports,
    hasher: RandomState,
    attempt: Option<Attempt>,
    /// By the poll before.
    found: Option<Found>,
    /// Under this attempt.
    reported: Option<Found>,
    /// The contents that `at` counts.
    believed: Option<Found>,
    at: Rev,
}

impl Follower {
    async fn run(mut self, nudge: Arc<Notify>, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut due = Instant::now();
        // However often it is asked, two looks are this far apart: two at the same half-written file prove nothing.
        let settle = SETTLE.min(self.config.poll);
        let mut earliest = due;
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    None => return,
                    Some(Order { attempt, task: Task::List, .. }) => {
                        self.attempt = Some(attempt);
                        self.reported = None;
                        due = Instant::now().max(earliest);
                    }
                    // A file has nothing to watch or to fetch.
                    Some(_) => {}
                },
                () = nudge.notified() => due = Instant::now().max(earliest),
                () = sleep_until(due), if self.attempt.is_some() => {
                    let Ok(settled) = self.poll().await else { return };
                    earliest = Instant::now() + settle;
                    due = if settled { Instant::now() + self.config.poll } else { earliest };
                }
            }
        }
    }

    /// Looks once; whether the file is as it was at the last look. An error says that nobody listens.
    async fn poll(&mut self) -> Result<bool, Gone> {
        let contents = self.read().await;
        let found =
            contents.as_ref().map(|contents| (self.hasher.hash_one(contents), contents.len())).map_err(Clone::clone);
        let settled = self.found.as_ref() == Some(&found);
        self.found = Some(found.clone());
        if settled && self.reported.as_ref() != Some(&found) {
            let parsed = match contents {
                Ok(contents) => self.parse(contents).await,
                Err(why) => Err(Fault { kind: FaultKind::Unreachable, message: why }),
            };
            match parsed {
                Ok(hosts) => {
                    if self.believed.as_ref() != Some(&found) {
                        self.at.0 += 1;
                        self.believed = Some(found.clone());
                    }
                    self.list(hosts).await?;
                }
                Err(fault) => self.report(Report::Failed(fault)).await?,
            }
            self.reported = Some(found);
        }
        Ok(settled)
    }

    async fn read(&self) -> Result<Vec<u8>, String> {
        let path = &self.config.path;
        let stays = "what it said before stays; write `hosts: {}` if there shall be no hosts";
        let fault = |why: String| format!("{}: {why}: {stays}", path.display());
        match tokio::fs::metadata(path).await {
            Ok(about) if !about.is_file() => Err(fault("is not a regular file".into())),
            Ok(about) if about.len() > LARGEST => Err(fault("is larger than 64 MiB".into())),
            Ok(_) => tokio::fs::read(path).await.map_err(|error| fault(limits::explained(&error))),
            Err(error) => Err(fault(limits::explained(&error))),
        }
    }

    async fn parse(&self, contents: Vec<u8>) -> Result<Vec<(String, Vec<u8>)>, Fault> {
        let path = self.config.path.clone();
        let parsed = tokio::task::spawn_blocking(move || parse(&path, &contents)).await;
        parsed.unwrap_or_else(|error| {
            let message = format!("{}: could not be parsed: {error}", self.config.path.display());
            Err(Fault { kind: FaultKind::Malformed, message })
        })
    }

    async fn list(&self, hosts: Vec<(String, Vec<u8>)>) -> Result<(), Gone> {
        let mut hosts = hosts.into_iter().peekable();
        loop {
            let records = hosts.by_ref().take(PAGE).map(|(name, value)| Record {
                key: name.into(),
                value: value.into(),
                modified: self.at,
                // A file does not tell which host is older, and two replicas that read it must agree.
                created: Rev::default(),
            });
            let records = records.collect();
            let more = hosts.peek().is_some();
            self.report(Report::Page { at: self.at, cluster: ClusterId::default(), records, more }).await?;
            if !more {
                return Ok(());
            }
        }
    }

    async fn report(&self, report: Report) -> Result<(), Gone> {
        self.reports.send((self.attempt.unwrap_or_default(), report)).await.map_err(|_| Gone)
    }
}

struct Gone;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hosts {
    hosts: BTreeMap<String, Host>,
}

/// A host in it, and as the record that the schema reads.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Host {
    addresses: Vec<String>,
    subnets: Vec<String>,
    #[serde(default)]
    labels: Labels,
}

/// The hosts' records, by name; `path` is only named in faults.
pub fn parse(path: &Path, contents: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Fault> {
    let fault = |why: String| Fault {
        kind: FaultKind::Malformed,
        message: format!("{}: {why}: what it said before stays; correct the file", path.display()),
    };
    let text = std::str::from_utf8(contents).map_err(|error| fault(error.to_string()))?;
    let options = serde_yaml::options! { strict_booleans: true, with_snippet: false };
    let Hosts { hosts } = serde_yaml::from_str_with_options(text, options).map_err(|error| fault(error.to_string()))?;
    hosts
        .into_iter()
        .map(|(name, host)| match serde_json::to_vec(&host) {
            Ok(value) => Ok((name, value)),
            Err(error) => Err(fault(error.to_string())),
        })
        .collect()
}
