//! A YAML file as a source, for labs and for hosts that no store knows.
//!
//! ```yaml
//! hosts:
//!   node-a1: { addresses: [10.168.0.11], subnets: [10.244.1.0/24], labels: { zone: vlan-a } }
//! ```
//!
//! It is polled by its contents, since a ConfigMap's mount swaps symbolic links under an unchanged name. Contents are believed
//! once two looks found the same: a YAML file cut short is a YAML file, and would be a complete list that lacks hosts. So what
//! lacks or changes anything known needs a second look a whole poll after the first, at a file that was not written meanwhile;
//! what only adds is believed sooner. A file that is missing, empty or cannot be parsed is a fault and never a list (P2); `hosts: {}` is an empty list.

use super::Reports;
use crate::limits;
use bytes::Bytes;
use fingerpost_core::source::schema::Schema;
use fingerpost_core::source::{Attempt, ClusterId, Fault, FaultKind, Order, Record, Report, Rev, Task};
use hosts::Hosts;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

mod hosts;

/// Between two looks that must find the same.
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
        written: None,
        since: Instant::now(),
        known: Hosts::new(),
        reported: None,
        believed: None,
        at: Rev::default(),
    };
    tokio::spawn(follower.run(nudge, orders))
}

/// The hosts' records in a file's contents, by name; `path` is only named in faults.
pub fn parse(path: &Path, contents: &[u8]) -> Result<Vec<(String, Bytes)>, Fault> {
    let hosts = hosts::parse(path, contents)?;
    Ok(hosts.into_iter().map(|(name, host)| (name, host.record())).collect())
}

/// What is wrong with the file, as far as that shows without following it: one fault of the whole, or one for each host.
pub fn check(path: &Path) -> Vec<String> {
    let named = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    match std::fs::metadata(path) {
        Ok(about) if about.len() > LARGEST => return vec![named(&"is larger than 64 MiB")],
        Ok(_) => {}
        Err(error) => return vec![named(&error)],
    }
    let contents = match std::fs::read(path) {
        Ok(contents) => contents,
        Err(error) => return vec![named(&error)],
    };
    match hosts::parse(path, &contents) {
        Err(fault) => vec![fault.message.split(hosts::STAYS).next().unwrap_or_default().to_owned()],
        Ok(hosts) => {
            let decode = |(name, host): (&String, &hosts::Host)| {
                let decoded = Schema::Hosts.decode(name.as_bytes(), &host.record());
                decoded.err().map(|why| named(&format!("host {name}: {why}")))
            };
            hosts.iter().filter_map(decode).collect()
        }
    }
}

/// What a poll found: the contents' digest, or why there are none.
type Found = Result<(u64, usize), String>;

/// Which file it is (device and inode), and when it was written last.
type Written = (u64, u64, Option<SystemTime>);

/// When to look again.
enum Again {
    /// After a poll: all is reported.
    Rested,
    /// Soon: it is not as it was at the last look.
    Changed,
    /// Not before then: it is as it was, and takes away what is known.
    At(Instant),
}

struct Follower {
    config: FileConfig,
    reports: Reports,
    hasher: RandomState,
    attempt: Option<Attempt>,
    /// By the poll before.
    found: Option<Found>,
    /// Which file that was and when it was written.
    written: Option<Written>,
    /// Since when it was found so.
    since: Instant,
    /// As they were reported last.
    known: Hosts,
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
                    let Ok(again) = self.poll().await else { return };
                    earliest = Instant::now() + settle;
                    due = match again {
                        Again::Rested => Instant::now() + self.config.poll,
                        Again::Changed => earliest,
                        Again::At(then) => then.max(earliest),
                    };
                }
            }
        }
    }

    /// Looks once, and says when to look again. An error says that nobody listens.
    async fn poll(&mut self) -> Result<Again, Gone> {
        let (contents, written) = match self.read().await {
            Ok((contents, written)) => (Ok(contents), Some(written)),
            Err(why) => (Err(why), None),
        };
        let found =
            contents.as_ref().map(|contents| (self.hasher.hash_one(contents), contents.len())).map_err(Clone::clone);
        let settled = self.found.as_ref() == Some(&found);
        if !settled || self.written != written {
            self.since = Instant::now();
        }
        (self.found, self.written) = (Some(found.clone()), written);
        if settled && self.reported.as_ref() != Some(&found) {
            let parsed = match contents {
                Ok(contents) => self.parse(contents).await,
                Err(why) => Err(Fault { kind: FaultKind::Unreachable, message: why }),
            };
            match parsed {
                Ok(hosts) => {
                    let proven = self.since + self.config.poll;
                    if Instant::now() < proven && !hosts::only_add(&hosts, &self.known) {
                        return Ok(Again::At(proven));
                    }
                    if self.believed.as_ref() != Some(&found) {
                        self.at.0 += 1;
                        self.believed = Some(found.clone());
                    }
                    self.list(&hosts).await?;
                    self.known = hosts;
                }
                Err(fault) => self.report(Report::Failed(fault)).await?,
            }
            self.reported = Some(found);
        }
        Ok(if settled { Again::Rested } else { Again::Changed })
    }

    async fn read(&self) -> Result<(Vec<u8>, Written), String> {
        let path = &self.config.path;
        let stays = "what it said before stays; write `hosts: {}` if there shall be no hosts";
        let fault = |why: String| format!("{}: {why}: {stays}", path.display());
        match tokio::fs::metadata(path).await {
            Ok(about) if !about.is_file() => Err(fault("is not a regular file".into())),
            Ok(about) if about.len() > LARGEST => Err(fault("is larger than 64 MiB".into())),
            Ok(about) => match tokio::fs::read(path).await {
                Ok(contents) => Ok((contents, (about.dev(), about.ino(), about.modified().ok()))),
                Err(error) => Err(fault(limits::explained(&error))),
            },
            Err(error) => Err(fault(limits::explained(&error))),
        }
    }

    async fn parse(&self, contents: Vec<u8>) -> Result<Hosts, Fault> {
        let path = self.config.path.clone();
        let parsed = tokio::task::spawn_blocking(move || hosts::parse(&path, &contents)).await;
        parsed
            .unwrap_or_else(|error| Err(hosts::malformed(&self.config.path, &format!("could not be parsed: {error}"))))
    }

    async fn list(&self, hosts: &Hosts) -> Result<(), Gone> {
        let mut hosts = hosts.iter().peekable();
        loop {
            let records = hosts.by_ref().take(PAGE).map(|(name, host)| Record {
                key: name.clone().into(),
                value: host.record(),
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
