//! A `Sync` with the real transport and a plain table: the engine's part in small.

use crate::server::PATIENCE;
use fingerpost::source::etcd::{self, EtcdConfig};
use fingerpost_core::model::{ClaimKey, SourceId, Time};
use fingerpost_core::source::schema::Schema;
use fingerpost_core::source::sync::{Follow, Note, Outcome, Proof, Seen, Snapshot, Sync, SyncConfig, Timing};
use fingerpost_core::source::{Attempt, ClaimChange, Fault, FaultKind, Order, Report, Rev};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::timeout;

pub(crate) struct Follower {
    pub(crate) sync: Sync,
    claims: HashMap<ClaimKey, String>,
    /// All notes so far.
    pub(crate) notes: Vec<Note>,
    /// All proofs so far.
    pub(crate) proofs: Vec<Proof>,
    /// What was withdrawn so far.
    pub(crate) removed: Vec<String>,
    /// The table when all was in it that an earlier process knew.
    pub(crate) remembered: Option<BTreeMap<String, String>>,
    /// Passes over what the watch tells, as if it had been lost.
    pub(crate) deaf_to_events: bool,
    /// Another store than the one that was known has been compared with it.
    pub(crate) suspect: bool,
    orders: mpsc::UnboundedSender<Order>,
    reports: mpsc::Receiver<(Attempt, Report)>,
    started: Instant,
    out: Outcome,
}

impl Follower {
    pub(crate) async fn start(config: EtcdConfig) -> Self {
        Self::start_with(config, Timing::default()).await
    }

    pub(crate) async fn start_with(config: EtcdConfig, timing: Timing) -> Self {
        Self::start_seeded(config, timing, 1).await
    }

    /// Each seed waits otherwise.
    pub(crate) async fn start_seeded(config: EtcdConfig, timing: Timing, seed: u64) -> Self {
        Self::start_from(config, timing, seed, None).await
    }

    /// Another process, that has what the one before knew.
    pub(crate) async fn restart(config: EtcdConfig, before: &Follower) -> Self {
        let (cluster, at) = before.sync.believed().unwrap();
        let records = before.sync.known_records(0, usize::MAX).0;
        let snapshot = Snapshot { cluster, at, records, suspect: false, passed: Rev::default() };
        Self::start_from(config, Timing::default(), 1, Some(snapshot)).await
    }

    async fn start_from(config: EtcdConfig, timing: Timing, seed: u64, snapshot: Option<Snapshot>) -> Self {
        let schema = Schema::Native { prefix: "/fp".into() };
        let sync = Sync::new(SyncConfig {
            source: SourceId(0),
            schema,
            follow: Follow::Watch,
            ipv4_via_ipv6: false,
            allow_empty: true,
            seed,
            timing,
        });
        let (orders, orders_of_transport) = mpsc::unbounded_channel();
        let (reports_of_transport, reports) = mpsc::channel(1);
        etcd::spawn(config, sync.range().clone(), orders_of_transport, reports_of_transport);
        let mut follower = Follower {
            sync,
            claims: HashMap::new(),
            notes: Vec::new(),
            proofs: Vec::new(),
            removed: Vec::new(),
            remembered: None,
            deaf_to_events: false,
            suspect: false,
            orders,
            reports,
            started: Instant::now(),
            out: Outcome::default(),
        };
        let now = follower.now();
        if let Some(snapshot) = snapshot {
            follower.sync.remember(now, snapshot, PATIENCE);
        }
        follower.sync.start(now, &mut follower.out);
        follower.apply().await;
        follower
    }

    /// Goes on until the condition holds.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let all = async {
            while !holds(self) {
                self.step().await;
            }
        };
        if timeout(PATIENCE, all).await.is_err() {
            panic!("not seen in time: {what}; {:?}; {:?}; {:?}", self.sync.seen(), self.notes, self.table());
        }
    }

    /// Waits until a report waits, and lets it wait.
    pub(crate) async fn reported(&mut self) {
        while self.reports.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Goes on for a while.
    pub(crate) async fn go_on(&mut self, span: Duration) {
        let _ = timeout(span, async {
            loop {
                self.step().await;
            }
        })
        .await;
    }

    /// Goes on until the table is this: subnet → next hop.
    pub(crate) async fn until_table(&mut self, expected: &[(&str, &str)]) {
        let expected = Self::expected(expected);
        self.until(&format!("{expected:?}"), |follower| follower.table() == expected).await;
    }

    pub(crate) fn expected(table: &[(&str, &str)]) -> BTreeMap<String, String> {
        table.iter().map(|(subnet, next_hop)| ((*subnet).to_owned(), (*next_hop).to_owned())).collect()
    }

    pub(crate) fn table(&self) -> BTreeMap<String, String> {
        self.claims.iter().map(|(key, next_hop)| (key.prefix.to_string(), next_hop.clone())).collect()
    }

    /// One report or one deadline. Nothing is lost when it is not waited for to the end.
    async fn step(&mut self) {
        let due = self.sync.next_deadline().map(|due| due.since(self.now()));
        let report = match due {
            Some(due) => timeout(due, self.reports.recv()).await.ok(),
            None => Some(self.reports.recv().await),
        };
        let now = self.now();
        match report {
            None => self.sync.on_deadline(now, &mut self.out),
            Some(report) => {
                let (attempt, report) = report.expect("the transport has ended");
                if !(self.deaf_to_events && matches!(report, Report::Events(_))) {
                    self.sync.handle(now, attempt, report, &mut self.out);
                }
            }
        }
        self.apply().await;
    }

    async fn apply(&mut self) {
        for change in std::mem::take(&mut self.out.changes) {
            match change {
                ClaimChange::Upsert(key, claim) => {
                    self.claims.insert(key, claim.next_hop.to_string());
                }
                ClaimChange::Restored => self.remembered = Some(self.table()),
                ClaimChange::Remove(key, absent) => {
                    self.claims.remove(&key);
                    self.removed.push(key.prefix.to_string());
                    self.proofs.push(*absent.proof());
                }
            }
        }
        self.suspect |= std::mem::take(&mut self.out.suspect);
        self.notes.append(&mut self.out.notes);
        for order in self.out.orders.drain(..) {
            self.orders.send(order).unwrap();
        }
    }

    fn now(&self) -> Time {
        Time::since_start(self.started.elapsed())
    }
}

/// Compares all the time, and is soon back.
pub(crate) fn brisk() -> Timing {
    Timing {
        reconcile: Duration::from_millis(300),
        reconcile_pause: Duration::from_millis(300),
        backoff_max: Duration::from_millis(500),
        ..Timing::default()
    }
}

/// Whether all is known.
pub(crate) fn current(follower: &Follower) -> bool {
    follower.sync.seen().is_current()
}

/// Whether the source is lost for a reason of this sort that says this.
pub(crate) fn lost_as(kind: FaultKind, says: &str) -> impl Fn(&Follower) -> bool {
    move |follower| {
        matches!(follower.sync.seen(), Seen::Lost { why: Fault { kind: why, message }, .. }
            if why == kind && message.contains(says))
    }
}

/// Whether any attempt so far has failed for a reason of this sort that says this.
pub(crate) fn failed_as(kind: FaultKind, says: &str) -> impl Fn(&Follower) -> bool {
    move |follower| {
        follower.notes.iter().any(|note| {
            matches!(note, Note::Failing(fault) | Note::Lost(fault)
                if fault.kind == kind && fault.message.contains(says))
        })
    }
}
