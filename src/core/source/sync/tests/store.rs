//! A model of etcd and of a transport: every revision is remembered, so that every proof can be checked.

use super::*;
use crate::source::schema::Decoded;
use std::collections::VecDeque;

/// What a record holds; none is garbage.
pub(super) type Value = Option<Good>;

/// A readable value, by numbers into small pools.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Good {
    pub(super) ipv4: Option<u8>,
    pub(super) ipv6: Option<u8>,
    pub(super) subnets: Vec<u8>,
}

impl Good {
    pub(super) fn states(&self, prefix: Prefix) -> bool {
        self.subnets.iter().any(|subnet| subnet_of(*subnet) == prefix)
    }
}

/// Two of five subnets are IPv6.
fn subnet_of(number: u8) -> Prefix {
    prefix(&if number.is_multiple_of(2) { format!("10.244.{number}.0/24") } else { format!("fd00:244:{number}::/64") })
}

fn bytes(value: &Value) -> Bytes {
    let Some(good) = value else { return "garbage".into() };
    let ipv4 = good.ipv4.map(|number| format!("10.168.0.{}", number + 1));
    let ipv6 = good.ipv6.map(|number| format!("fd00::{}", number + 1));
    let addresses: Vec<_> = ipv4.into_iter().chain(ipv6).collect();
    let subnets: Vec<_> = good.subnets.iter().map(|subnet| subnet_of(*subnet).to_string()).collect();
    serde_json::json!({ "addresses": addresses, "subnets": subnets }).to_string().into()
}

/// A host's key.
pub(super) fn host(number: u8) -> Bytes {
    key(&format!("h{number}"))
}

#[derive(Clone)]
pub(super) struct Stored {
    pub(super) value: Value,
    pub(super) record: Record,
}

/// Every state there has been; the last is now. Revision 1 is the empty store.
pub(super) struct Store {
    states: Vec<BTreeMap<Bytes, Stored>>,
    /// Of each revision: keys that were written or deleted.
    touched: Vec<Vec<Bytes>>,
    compacted: u64,
}

impl Store {
    pub(super) fn new() -> Self {
        Store { states: vec![BTreeMap::new(); 2], touched: vec![vec![]; 2], compacted: 0 }
    }

    pub(super) fn revision(&self) -> u64 {
        self.states.len() as u64 - 1
    }

    pub(super) fn at(&self, revision: Rev) -> &BTreeMap<Bytes, Stored> {
        &self.states[usize::try_from(revision.0).expect("small")]
    }

    pub(super) fn now(&self) -> &BTreeMap<Bytes, Stored> {
        self.at(Rev(self.revision()))
    }

    /// Whether the key was deleted at this very revision.
    pub(super) fn deleted_at(&self, key: &Bytes, revision: Rev) -> bool {
        self.at(Rev(revision.0 - 1)).contains_key(key) && !self.at(revision).contains_key(key)
    }

    /// Whether the key has ever held a readable value that gives this prefix this next hop.
    pub(super) fn ever_stated(&self, key: &Bytes, prefix: Prefix, next_hop: std::net::IpAddr) -> bool {
        let schema = config().schema;
        self.states.iter().filter_map(|state| state.get(key)).any(|stored| {
            let Ok(Decoded::Statement(statement)) = schema.decode(key, &stored.record.value) else { return false };
            statement.claims().any(|claim| claim == (prefix, next_hop))
        })
    }

    /// One transaction: puts and deletions of different keys, at one revision.
    pub(super) fn write(&mut self, writes: &BTreeMap<u8, Option<Value>>) {
        let mut state = self.now().clone();
        let revision = Rev(self.revision() + 1);
        let mut touched = Vec::new();
        for (host, write) in writes {
            let key = self::host(*host);
            match write {
                Some(value) => {
                    let created = state.get(&key).map_or(revision, |stored| stored.record.created);
                    let record = Record { key: key.clone(), value: bytes(value), modified: revision, created };
                    state.insert(key.clone(), Stored { value: value.clone(), record });
                }
                None if state.remove(&key).is_none() => continue,
                None => {}
            }
            touched.push(key);
        }
        // Other keys are written, too: a revision without anything for us.
        self.states.push(state);
        self.touched.push(touched);
    }

    pub(super) fn compact(&mut self, revision: u64) {
        self.compacted = self.compacted.max(revision.min(self.revision()));
    }

    fn events_of(&self, revision: u64) -> impl Iterator<Item = Event> {
        let state = self.at(Rev(revision));
        self.touched[usize::try_from(revision).expect("small")].iter().map(move |key| match state.get(key) {
            Some(stored) => Event::Put(stored.record.clone()),
            None => Event::Delete { key: key.clone(), modified: Rev(revision) },
        })
    }
}

/// How a watch tells its events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Telling {
    Faithfully,
    /// Goes back by so many revisions first.
    Again(u8),
    /// The events of one answer in the wrong order.
    Backwards,
    /// Without the first event of the answer.
    WithoutOne,
}

/// A list, a watch, or what runs beside it.
enum Job {
    List { at: Option<u64>, after: Option<Bytes> },
    Watch { stands: bool, next: u64, asked: bool },
    Keys { at: Option<u64>, after: Option<Bytes> },
    Fetch(Vec<Bytes>),
    Recall { key: Bytes, at: Option<Rev> },
}

/// Carries out orders as the etcd transport does, one answer at a time.
#[derive(Default)]
pub(super) struct Transport {
    main: Option<(Attempt, Job)>,
    beside: VecDeque<(Attempt, Job)>,
    /// What was reported, to be told again too late.
    pub(super) told: Vec<(Attempt, Report)>,
}

impl Transport {
    pub(super) fn order(&mut self, order: Order) {
        let attempt = order.attempt;
        match order.task {
            Task::List => self.begin(attempt, Job::List { at: None, after: None }),
            Task::Recall { key, at } => self.begin(attempt, Job::Recall { key, at }),
            Task::Watch { from } => self.begin(attempt, Job::Watch { stands: false, next: from.0, asked: false }),
            Task::Progress => {
                if let Some((current, Job::Watch { asked, .. })) = &mut self.main {
                    *asked |= *current == attempt;
                }
            }
            Task::ListKeys => self.beside.push_back((attempt, Job::Keys { at: None, after: None })),
            Task::Fetch(keys) => self.beside.push_back((attempt, Job::Fetch(keys))),
        }
    }

    fn begin(&mut self, attempt: Attempt, job: Job) {
        self.main = Some((attempt, job));
        self.beside.clear();
    }

    /// Whether a report of this attempt may still count.
    pub(super) fn is_alive(&self, attempt: Attempt) -> bool {
        let main = self.main.as_ref().is_some_and(|(current, _)| *current == attempt);
        main || self.beside.iter().any(|(current, _)| *current == attempt)
    }

    /// The list or watch in hand fails.
    pub(super) fn fail_main(&mut self, kind: FaultKind) -> Option<(Attempt, Report)> {
        let (attempt, _) = self.main.take()?;
        self.beside.clear();
        Some((attempt, Report::Failed(Fault { kind, message: "a fault".into() })))
    }

    /// What runs beside it fails.
    pub(super) fn fail_beside(&mut self, kind: FaultKind) -> Option<(Attempt, Report)> {
        let (attempt, _) = self.beside.pop_front()?;
        Some((attempt, Report::Failed(Fault { kind, message: "a fault".into() })))
    }

    /// The watch claims progress that it has not made (etcd#15220).
    pub(super) fn overtake(&mut self, store: &Store, behind: u8) -> Option<(Attempt, Report)> {
        match &self.main {
            Some((attempt, Job::Watch { stands: true, .. })) => {
                let at = Rev(store.revision().saturating_sub(behind.into()));
                Some((*attempt, Report::Progress { at }))
            }
            _ => None,
        }
    }

    /// The next answer of the list or watch, with up to `size` records or revisions.
    pub(super) fn serve_main(&mut self, store: &Store, size: usize, telling: Telling) -> Option<(Attempt, Report)> {
        let (attempt, job) = self.main.as_mut()?;
        let attempt = *attempt;
        let report = match job {
            Job::List { at, after } => match page(store, at, after, size) {
                None => Report::Compacted,
                Some((at, records, more)) => Report::Page { at, cluster: CLUSTER, records, more },
            },
            Job::Recall { at: Some(at), .. } if at.0 < store.compacted => Report::Compacted,
            Job::Recall { key, at } => {
                let now = Rev(store.revision());
                let state = store.at(at.unwrap_or(now).min(now));
                let found = state.get(key).map(|stored| stored.record.revisions());
                Report::Recalled { at: now, cluster: CLUSTER, found }
            }
            Job::Watch { stands: stands @ false, .. } => {
                *stands = true;
                Report::Watching { cluster: CLUSTER }
            }
            Job::Watch { next, .. } if *next < store.compacted => Report::Compacted,
            Job::Watch { next, asked, .. } => {
                if let Telling::Again(back) = telling {
                    *next = next.saturating_sub(back.into()).max(store.compacted).max(1);
                }
                let upto = (*next + size as u64 - 1).min(store.revision());
                let mut events: Vec<_> = (*next..=upto).flat_map(|revision| store.events_of(revision)).collect();
                *next = (*next).max(upto + 1);
                match telling {
                    Telling::Backwards => events.reverse(),
                    Telling::WithoutOne if !events.is_empty() => drop(events.remove(0)),
                    _ => {}
                }
                if events.is_empty() && !std::mem::take(asked) {
                    return None;
                }
                if events.is_empty() { Report::Progress { at: Rev(store.revision()) } } else { Report::Events(events) }
            }
            Job::Keys { .. } | Job::Fetch(_) => unreachable!("they run beside"),
        };
        if matches!(report, Report::Compacted | Report::Recalled { .. } | Report::Page { more: false, .. }) {
            self.main = None;
        }
        Some((attempt, report))
    }

    /// The next answer of what runs beside the watch.
    pub(super) fn serve_beside(&mut self, store: &Store, size: usize) -> Option<(Attempt, Report)> {
        let (attempt, job) = self.beside.front_mut()?;
        let attempt = *attempt;
        let report = match job {
            Job::Keys { at, after } => match page(store, at, after, size) {
                None => Report::Compacted,
                Some((at, records, more)) => {
                    let keys = records.into_iter().map(|record| (record.key.clone(), record.revisions())).collect();
                    Report::KeysPage { at, cluster: CLUSTER, keys, more }
                }
            },
            Job::Fetch(keys) => {
                let found = keys.iter().filter_map(|key| store.now().get(key));
                let records = found.map(|stored| stored.record.clone()).collect();
                Report::Fetched { at: Rev(store.revision()), cluster: CLUSTER, records }
            }
            Job::List { .. } | Job::Watch { .. } | Job::Recall { .. } => unreachable!("they are the main job"),
        };
        if !matches!(report, Report::KeysPage { more: true, .. }) {
            self.beside.pop_front();
        }
        Some((attempt, report))
    }
}

/// The next page of a list pinned to its first page's revision; none once that is compacted away.
fn page(
    store: &Store,
    at: &mut Option<u64>,
    after: &mut Option<Bytes>,
    size: usize,
) -> Option<(Rev, Vec<Record>, bool)> {
    let pinned = *at.get_or_insert(store.revision());
    if pinned < store.compacted {
        return None;
    }
    let state = store.at(Rev(pinned));
    let mut rest = state.values().filter(|stored| after.as_ref().is_none_or(|after| stored.record.key > *after));
    let records: Vec<_> = rest.by_ref().take(size).map(|stored| stored.record.clone()).collect();
    let more = rest.next().is_some();
    *after = records.last().map(|record| record.key.clone());
    Some((Rev(pinned), records, more))
}
