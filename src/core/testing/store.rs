//! A store with a history, as etcd is one, and the transport that reads it.

use crate::model::{Family, Prefix};
use crate::source::{Attempt, ClusterId, Event, Fault, FaultKind, Order, Record, Report, Rev, Revisions, Task};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

/// What a record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Host {
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) subnets: Vec<Prefix>,
}

impl Host {
    /// The subnets that have a next hop.
    pub(crate) fn claims(&self) -> impl Iterator<Item = (Prefix, IpAddr)> {
        self.subnets.iter().filter_map(|prefix| {
            let of_family = |address: &&IpAddr| Family::of(**address) == prefix.family();
            Some((*prefix, *self.addresses.iter().find(of_family)?))
        })
    }

    fn value(&self) -> Bytes {
        let list = |items: Vec<String>| {
            format!("[{}]", items.iter().map(|item| format!("{item:?}")).collect::<Vec<_>>().join(","))
        };
        let addresses = list(self.addresses.iter().map(IpAddr::to_string).collect());
        let subnets = list(self.subnets.iter().map(Prefix::to_string).collect());
        format!(r#"{{"addresses":{addresses},"subnets":{subnets}}}"#).into()
    }
}

/// What a record holds; none is garbage.
type Value = Option<Host>;

/// What was done to a record; none is its deletion.
type Write = Option<Value>;

/// Hosts by number, each with the revisions of its creation and last change, and all that ever happened.
#[derive(Default, Clone)]
pub(crate) struct Store {
    pub(crate) hosts: BTreeMap<u8, (Value, Rev, Rev)>,
    pub(crate) writes: Vec<(Rev, u8, Write)>,
    events: Vec<(Rev, Event)>,
    pub(crate) rev: Rev,
    /// Who answers.
    pub(crate) cluster: ClusterId,
    compacted: Rev,
}

/// The name of a host, which is in its key too.
pub(crate) fn name(host: u8) -> String {
    format!("host-{host}")
}

fn bytes(value: &Value) -> Bytes {
    value.as_ref().map_or("garbage".into(), Host::value)
}

fn key(host: u8) -> Bytes {
    format!("/fp/hosts/{}", name(host)).into()
}

impl Store {
    pub(crate) fn put(&mut self, host: u8, what: Value) {
        self.rev.0 += 1;
        let created = self.hosts.get(&host).map_or(self.rev, |(_, created, _)| *created);
        let record = Record { key: key(host), value: bytes(&what), modified: self.rev, created };
        self.writes.push((self.rev, host, Some(what.clone())));
        self.hosts.insert(host, (what, created, self.rev));
        self.events.push((self.rev, Event::Put(record)));
    }

    pub(crate) fn delete(&mut self, host: u8) {
        if self.hosts.remove(&host).is_some() {
            self.rev.0 += 1;
            self.writes.push((self.rev, host, None));
            self.events.push((self.rev, Event::Delete { key: key(host), modified: self.rev }));
        }
    }

    /// Forgets what happened up to now.
    pub(crate) fn compact(&mut self) {
        self.compacted = self.rev;
    }

    /// Up to where.
    pub(crate) fn compacted(&self) -> Rev {
        self.compacted
    }

    fn since(&self, first: Rev) -> impl Iterator<Item = &(Rev, Event)> {
        self.events.iter().filter(move |(rev, _)| *rev >= first)
    }

    /// The key's revisions as they were then.
    fn recall(&self, key: &Bytes, at: Rev) -> Option<Revisions> {
        let then = self.events.iter().take_while(|(rev, _)| *rev <= at);
        let last = then.filter_map(|(_, event)| match event {
            Event::Put(record) if record.key == *key => Some(Some(record.revisions())),
            Event::Delete { key: deleted, .. } if deleted == key => Some(None),
            _ => None,
        });
        last.last().flatten()
    }

    fn records(&self) -> VecDeque<Record> {
        let record = |(host, (what, created, modified)): (&u8, &(Value, Rev, Rev))| Record {
            key: key(*host),
            value: bytes(what),
            modified: *modified,
            created: *created,
        };
        let mut records: Vec<_> = self.hosts.iter().map(record).collect();
        records.sort_by(|a, b| a.key.cmp(&b.key));
        records.into()
    }
}

enum Doing {
    Nothing,
    /// The rest of a list, pinned to a revision.
    Listing(Option<(Rev, VecDeque<Record>)>),
    /// This key, as it is or was at a revision.
    Recalling(Bytes, Option<Rev>),
    /// From this revision on.
    Watching {
        next: Rev,
        stands: bool,
    },
}

/// One transport, which does what it is told, a report at a time.
pub(crate) struct Transport {
    attempt: Attempt,
    doing: Doing,
    beside: VecDeque<(Attempt, Task)>,
    /// A complete list was handed over, and what its revision was the first time.
    pub(crate) listed: Option<Rev>,
}

impl Transport {
    pub(crate) fn new() -> Self {
        Transport { attempt: Attempt(0), doing: Doing::Nothing, beside: VecDeque::new(), listed: None }
    }

    pub(crate) fn order(&mut self, order: Order) {
        match order.task {
            Task::List => (self.attempt, self.doing) = (order.attempt, Doing::Listing(None)),
            Task::Recall { key, at } => (self.attempt, self.doing) = (order.attempt, Doing::Recalling(key, at)),
            Task::Watch { from } => {
                (self.attempt, self.doing) = (order.attempt, Doing::Watching { next: from, stands: false })
            }
            task => return self.beside.push_back((order.attempt, task)),
        }
        self.beside.clear();
    }

    /// It fails at what it is doing, if it does anything.
    pub(crate) fn fail(&mut self, kind: FaultKind) -> Option<(Attempt, Report)> {
        if matches!(self.doing, Doing::Nothing) {
            return None;
        }
        self.doing = Doing::Nothing;
        self.beside.clear();
        Some((self.attempt, Report::Failed(Fault { kind, message: "as the test wants".into() })))
    }

    /// Its watch, once that stands.
    pub(crate) fn watches(&self) -> Option<Attempt> {
        matches!(self.doing, Doing::Watching { stands: true, .. }).then_some(self.attempt)
    }

    /// Whether it waits for the store.
    pub(crate) fn is_idle(&self, store: &Store) -> bool {
        let watching =
            matches!(self.doing, Doing::Watching { next, stands: true } if store.since(next).next().is_none());
        self.beside.is_empty() && watching
    }

    /// The next thing it has to say, of at most `most` records or events.
    pub(crate) fn serve(&mut self, store: &Store, most: usize) -> Option<(Attempt, Report)> {
        let cluster = store.cluster;
        if let Some((attempt, task)) = self.beside.pop_front() {
            let at = store.rev;
            let report = match task {
                Task::Progress => match self.doing {
                    Doing::Watching { next, .. } => Report::Progress { at: Rev(next.0.saturating_sub(1)) },
                    _ => return None,
                },
                Task::ListKeys => {
                    let keys = store.records().into_iter().map(|record| (record.key.clone(), record.revisions()));
                    Report::KeysPage { at, cluster, keys: keys.collect(), more: false }
                }
                Task::Fetch(keys) => {
                    let records = store.records().into_iter().filter(|record| keys.contains(&record.key));
                    Report::Fetched { at, cluster, records: records.collect() }
                }
                Task::List | Task::Watch { .. } | Task::Recall { .. } => unreachable!("not beside another"),
            };
            return Some((attempt, report));
        }
        let report = match &mut self.doing {
            Doing::Nothing => return None,
            Doing::Listing(rest) => {
                let (at, rest) = rest.get_or_insert_with(|| (store.rev, store.records()));
                let (at, page) = (*at, rest.drain(..most.min(rest.len())).collect());
                let more = !rest.is_empty();
                if !more {
                    self.doing = Doing::Nothing;
                    self.listed.get_or_insert(at);
                }
                Report::Page { at, cluster, records: page, more }
            }
            Doing::Recalling(key, at) => {
                let recalled =
                    Report::Recalled { at: store.rev, cluster, found: store.recall(key, at.unwrap_or(store.rev)) };
                let compacted = at.is_some_and(|at| at < store.compacted);
                self.doing = Doing::Nothing;
                if compacted { Report::Compacted } else { recalled }
            }
            Doing::Watching { next, .. } if *next < store.compacted => {
                self.doing = Doing::Nothing;
                Report::Compacted
            }
            Doing::Watching { stands, .. } if !*stands => {
                *stands = true;
                Report::Watching { cluster }
            }
            Doing::Watching { next, .. } => {
                let due: Vec<_> = store.since(*next).take(most).cloned().collect();
                *next = Rev(due.last()?.0.0 + 1);
                Report::Events(due.into_iter().map(|(_, event)| event).collect())
            }
        };
        Some((self.attempt, report))
    }
}
