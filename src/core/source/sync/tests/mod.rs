//! The machine under test with a plain table behind it.

use super::*;
use crate::model::{Claim, SourceId};
use crate::source::ClaimChange;
use crate::source::schema::Schema;
use std::collections::BTreeMap;

mod fetched;
mod files;
mod flannel;
mod history;
mod listing;
mod model;
mod records;
mod snapshot;
mod store;
mod trust;
mod watching;

/// A `Sync` and what came of it.
struct Client {
    sync: Sync,
    now: Time,
    out: Outcome,
    /// By record and prefix, as the changes made it.
    claims: BTreeMap<(RecordId, Prefix), Claim>,
    /// Not taken yet.
    orders: Vec<Order>,
    notes: Vec<Note>,
    /// All that was removed, with its proof.
    removed: Vec<(Prefix, Proof)>,
    /// How many changes there were.
    changes: usize,
    /// Whether what an earlier process knew was put in.
    restored: bool,
    /// Whether another store than the one that was known has been compared with it.
    suspect: bool,
    /// Whether the one before that is back.
    is_back: bool,
    /// How often everything was compared with the whole store.
    compared: usize,
    /// Whether the store is still the one that was known: a record that it is asked to recall is there.
    recalls: bool,
    /// Whether the last recall that was answered was to be asked of another endpoint.
    elsewhere: bool,
}

const CLUSTER: ClusterId = ClusterId(7);

fn config() -> SyncConfig {
    SyncConfig {
        source: SourceId(0),
        schema: Schema::Native { prefix: "/fp".into() },
        follow: Follow::Watch,
        ipv4_via_ipv6: false,
        allow_empty: false,
        seed: 1,
        timing: Timing::default(),
    }
}

impl Client {
    fn new(config: SyncConfig) -> Self {
        let mut client = Client {
            sync: Sync::new(config),
            now: Time::since_start(Duration::from_secs(1000)),
            out: Outcome::default(),
            claims: BTreeMap::new(),
            orders: Vec::new(),
            notes: Vec::new(),
            removed: Vec::new(),
            changes: 0,
            restored: false,
            suspect: false,
            is_back: false,
            compared: 0,
            recalls: true,
            elsewhere: false,
        };
        client.sync.start(client.now, &mut client.out);
        client.apply();
        client
    }

    /// Listed these at revision 10, and its watch has said something.
    fn watching(records: Vec<Record>) -> Self {
        let mut client = Client::new(SyncConfig { allow_empty: true, ..config() });
        client.list(10, records);
        client.open();
        client
    }

    fn report(&mut self, attempt: Attempt, report: Report) {
        self.sync.handle(self.now, attempt, report, &mut self.out);
        self.apply();
    }

    /// The only order not taken yet.
    fn order(&mut self) -> Order {
        assert_eq!(self.orders.len(), 1, "{:?}", self.orders);
        self.orders.remove(0)
    }

    /// Answers the order to list with one page.
    fn list(&mut self, at: u64, records: Vec<Record>) {
        let Order { attempt, task: Task::List, .. } = self.order() else { panic!("not a list") };
        self.page(attempt, at, records, false);
        self.drain();
    }

    fn page(&mut self, attempt: Attempt, at: u64, records: Vec<Record>, more: bool) {
        self.report(attempt, Report::Page { at: Rev(at), cluster: CLUSTER, records, more });
    }

    /// Lets out what is still to be let out.
    fn drain(&mut self) {
        while self.sync.next_deadline() == Some(Time::ZERO) {
            self.sync.on_deadline(self.now, &mut self.out);
            self.apply();
        }
    }

    /// Answers the order to watch: it stands and works. Gives its attempt.
    fn open(&mut self) -> Attempt {
        let Order { attempt, task: Task::Watch { from }, .. } = self.order() else { panic!("not a watch") };
        self.report(attempt, Report::Watching { cluster: CLUSTER });
        self.report(attempt, Report::Progress { at: from });
        attempt
    }

    /// The attempt of the watch in hand.
    fn watch(&self) -> Attempt {
        match &self.sync.phase {
            Phase::Watching(watch) => watch.attempt,
            _ => panic!("no watch"),
        }
    }

    fn events(&mut self, events: Vec<Event>) {
        self.report(self.watch(), Report::Events(events));
    }

    fn fail(&mut self, kind: FaultKind) {
        let attempt = self.sync.phase.attempt().expect("something is in hand");
        self.report(attempt, Report::Failed(Fault { kind, message: format!("{kind:?}") }));
    }

    /// Goes to the next deadline.
    fn until_deadline(&mut self) {
        let due = self.sync.next_deadline().expect("a deadline");
        self.now = self.now.max(due);
        self.sync.on_deadline(self.now, &mut self.out);
        assert_ne!(
            self.sync.next_deadline().filter(|due| *due != Time::ZERO),
            Some(due),
            "nothing was done: it would spin"
        );
        self.apply();
        self.answer_recall();
    }

    fn answer_recall(&mut self) {
        while self.recalls && matches!(&self.orders[..], [Order { task: Task::Recall { .. }, .. }]) {
            let Order { attempt, elsewhere, .. } = self.order();
            self.elsewhere = elsewhere;
            let found = self.sync.table.newest().map(|(_, revisions)| revisions);
            self.report(attempt, Report::Recalled { at: self.sync.highest, cluster: CLUSTER, found });
        }
    }

    /// Goes on for a while and does what falls due.
    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while self.sync.next_deadline().is_some_and(|due| due <= end) {
            self.until_deadline();
        }
        self.now = end;
    }

    /// As [`wait`](Self::wait), while the watch answers when it is asked.
    fn wait_alive(&mut self, span: Duration) {
        let end = self.now + span;
        while self.sync.next_deadline().is_some_and(|due| due <= end) {
            self.until_deadline();
            self.answer_progress();
        }
        self.now = end;
    }

    /// Goes on, the watch answering, until a list of keys is ordered. Gives its attempt.
    fn until_reconcile(&mut self) -> Attempt {
        while !self.orders.iter().any(|order| order.task == Task::ListKeys) {
            self.until_deadline();
            self.answer_progress();
        }
        self.order().attempt
    }

    fn answer_progress(&mut self) {
        let asked = self.orders.iter().any(|order| order.task == Task::Progress);
        self.orders.retain(|order| order.task != Task::Progress);
        if asked {
            self.report(self.watch(), Report::Progress { at: self.sync.position.unwrap_or_default() });
        }
    }

    fn apply(&mut self) {
        self.compared += usize::from(std::mem::take(&mut self.out.compared));
        self.suspect |= std::mem::take(&mut self.out.suspect);
        self.is_back |= std::mem::take(&mut self.out.is_back);
        self.orders.append(&mut self.out.orders);
        self.notes.append(&mut self.out.notes);
        for change in self.out.changes.drain(..) {
            self.changes += usize::from(!matches!(change, ClaimChange::Restored));
            match change {
                ClaimChange::Upsert(key, claim) => {
                    let before = self.claims.insert((key.record, key.prefix), claim.clone());
                    assert_ne!(before, Some(claim), "{key:?} was upserted and had not changed");
                }
                ClaimChange::Remove(key, absent) => {
                    let before = self.claims.remove(&(key.record, key.prefix));
                    assert!(before.is_some(), "{key:?} was removed and was not there");
                    self.removed.push((key.prefix, *absent.proof()));
                }
                ClaimChange::Restored => self.restored = true,
            }
        }
    }

    /// Prefix → next hop, with `?` where the claim is one of a record that cannot be read any more.
    fn table(&self) -> BTreeMap<String, String> {
        let row = |((_, prefix), claim): (&(RecordId, Prefix), &Claim)| {
            (prefix.to_string(), format!("{}{}", claim.next_hop, if claim.readable { "" } else { "?" }))
        };
        self.claims.iter().map(row).collect()
    }

    fn assert_table(&self, expected: &[(&str, &str)]) {
        let expected = expected.iter().map(|(prefix, next_hop)| ((*prefix).to_owned(), (*next_hop).to_owned()));
        assert_eq!(self.table(), expected.collect());
    }
}

fn key(host: &str) -> Bytes {
    format!("/fp/hosts/{host}").into()
}

/// A record of a host with one address and these subnets, created at the same revision.
fn record(modified: u64, host: &str, address: &str, subnets: &[&str]) -> Record {
    let value = serde_json::json!({ "addresses": [address], "subnets": subnets });
    Record { key: key(host), value: value.to_string().into(), modified: Rev(modified), created: Rev(modified) }
}

/// As a list of keys has it: a record that is as [`record`] made it.
fn listed(host: &str, modified: u64) -> (Bytes, Revisions) {
    (key(host), Revisions { modified: Rev(modified), created: Rev(modified) })
}

fn garbage(modified: u64, host: &str) -> Record {
    Record { value: "garbage".into(), ..record(modified, host, "10.168.0.11", &[]) }
}

fn put(modified: u64, host: &str, address: &str, subnets: &[&str]) -> Event {
    Event::Put(record(modified, host, address, subnets))
}

fn delete(modified: u64, host: &str) -> Event {
    Event::Delete { key: key(host), modified: Rev(modified) }
}

fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
