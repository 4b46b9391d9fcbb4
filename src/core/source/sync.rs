//! What is known of a source: list completely, watch, resume, relist, reconcile.
//!
//! ```text
//!             ┌──────────────── compacted ────────────────┐
//!             ▼        complete            all out        │
//!  start ─► Listing ─────────► Releasing ─────────► Watching ⟲ events, progress, reconcile
//!             ▲ │ fault        (slices)      ▲        │ fault, silence
//!             │ ▼                            │        ▼
//!             └─Waiting (backoff)       Recalling ◄─ Waiting (backoff)
//! ```
//!
//! Recalling asks whether the store is still the one that was known (`history`); found to be another, nothing it says is
//! believed until a known record is found in it again, or it has stayed the other one for a while: then its list is compared
//! with what is known, and every difference is suspect ([`Outcome::suspect`]), for the guard to hold. As long as nobody has let any
//! of that pass, the store before is taken back as soon as it answers, by its last record ([`Outcome::is_back`]).
//!
//! A file's transport tells complete lists instead of events ([`Follow::Relists`]): its lists all come under one attempt.
//!
//! After three watches in a row that never said anything comes a list, whether or not it was a fault that ended them: behind a
//! proxy that swallows streams lists may still get through, and deletions are not missed for ever.
//!
//! Three rules carry promise P2:
//! - Nothing is removed without an [`Absent`], and only this module makes one: from a deletion seen in its place, from a
//!   complete list, or from a record that was read and no longer states the prefix. A fault, whatever its kind, removes nothing.
//! - `position` is the revision up to which the table holds what the store holds. Only lists, events and reconciles move it.
//!   Progress proves that the watch lives and nothing else: on etcd before 3.4.25 and 3.5.8 a requested progress overtakes
//!   events that are still to come, for as long as the watcher catches up (etcd#15220), so a resume behind it would lose them.
//! - A watch begins *at* the position, not behind it. The events seen twice are told by their revisions; in return a revision
//!   cut in two is not lost, and the watch is not one on a future revision, which newer etcds leave without progress
//!   until somebody writes (etcd#20242).

use super::{Attempt, ClusterId, Event, Fault, FaultKind, KeyRange, Order, Record, Report, Rev, Revisions, Task};
use crate::model::{Family, PerFamily, Prefix, RecordId, Rng, Time};
use bytes::Bytes;
use std::time::Duration;

mod config;
mod continuity;
mod entry;
mod follow;
mod history;
mod list;
mod note;
mod packed;
mod read;
mod reconcile;
mod seen;
mod slots;
mod snapshot;
mod table;

pub use config::{Follow, SyncConfig, Timing};
pub use continuity::Continuity;
use history::{Left, Recall};
use list::{Listing, Release, SLICE};
pub use note::{Note, OfRecord, Outcome};
use reconcile::Reconcile;
pub use seen::{Absent, Counts, Proof, Seen, Why};
pub use snapshot::{KnownRecord, Snapshot};
use table::Table;

/// How soon a new watch is asked for its progress: at once is too soon, etcd drops the question until the watch has caught up.
const FIRST_ASK: Duration = Duration::from_millis(200);

/// So many watches in a row may say nothing at all; then a list, which has another way through proxies and needs no stream,
/// tells what was missed meanwhile.
const WATCHES: u32 = 3;

/// The state machine of one source.
pub struct Sync {
    config: SyncConfig,
    range: KeyRange,
    rng: Rng,
    table: Table,
    seen: Seen<()>,
    /// Whether a complete list was believed and let out.
    complete: bool,
    phase: Phase,
    /// Up to here the table holds what the store holds; none when only a list can tell.
    position: Option<Rev>,
    /// The highest revision ever believed.
    highest: Rev,
    /// Who was believed.
    cluster: Option<ClusterId>,
    /// What an earlier process knew, until it is needed.
    pending: Option<snapshot::Pending>,
    /// What an earlier process knew is announced, and was of a store that had been replaced.
    suspects: bool,
    /// Since when another store is found, and the known one not again.
    replaced: Option<Time>,
    /// The store before the one that is followed, while it would be taken back.
    left: Option<Left>,
    /// Counts the stores that were followed.
    history: u64,
    attempts: u64,
    failures: u32,
    /// Whether it was told that records hide claims.
    told_hiding: PerFamily<bool>,
    /// While an empty first list is not believed.
    doubt: Option<Doubt>,
    /// Watches in a row that ended before they had said anything.
    in_vain: u32,
    reconcile: Option<Reconcile>,
    reconcile_due: Time,
    reconciled: Option<Time>,
    /// Why the last one failed, if it did.
    reconcile_fault: Option<Fault>,
}

enum Phase {
    Idle,
    Listing(Listing),
    Releasing(Release),
    /// Before a watch is resumed.
    Recalling(Recall),
    Watching(Watch),
    /// [`Follow::Relists`], between two lists.
    Following(Attempt),
    /// Until the next attempt.
    Waiting {
        until: Time,
        elsewhere: bool,
    },
}

struct Watch {
    attempt: Attempt,
    /// When it last said anything, or was ordered.
    heard: Time,
    /// When it is to be asked for progress.
    ask: Option<Time>,
    /// Since when it is known to work: it has said something after it stood.
    works: Option<Time>,
}

/// The first list was empty, so that whoever writes records now may be in the middle of writing them all: the first of them
/// does not tell that the others are gone.
#[derive(Default)]
struct Doubt {
    /// How many records have come.
    records: usize,
    /// Until when no new one must come.
    until: Option<Time>,
}

/// What is known of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordInfo {
    /// Its key.
    pub key: Bytes,
    /// When it was last written.
    pub modified: Rev,
    /// When it was created.
    pub created: Rev,
    /// Whether it can be decoded.
    pub readable: bool,
}

/// A record that cannot be decoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quarantined<'a> {
    /// Which.
    pub record: RecordId,
    /// Its key.
    pub key: Bytes,
    /// What is wrong.
    pub why: &'a str,
    /// Whether earlier claims of it stay.
    pub kept: bool,
}

/// A stated prefix without a next hop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unresolved {
    /// Whose.
    pub record: RecordId,
    /// Its key.
    pub key: Bytes,
    /// Which.
    pub prefix: Prefix,
    /// Why.
    pub why: &'static str,
}

impl Sync {
    /// Nothing known, nothing asked.
    pub fn new(config: SyncConfig) -> Self {
        let range = config.schema.range();
        Sync {
            table: Table::new(&config, range.start.clone()),
            rng: Rng::new(config.seed),
            range,
            config,
            seen: Seen::Never(Why::Listing),
            complete: false,
            phase: Phase::Idle,
            position: None,
            highest: Rev::default(),
            cluster: None,
            pending: None,
            suspects: false,
            replaced: None,
            left: None,
            history: 0,
            attempts: 0,
            failures: 0,
            told_hiding: PerFamily::default(),
            doubt: None,
            in_vain: 0,
            reconcile: None,
            reconcile_due: Time::ZERO,
            reconciled: None,
            reconcile_fault: None,
        }
    }

    /// The keys it wants, for the transport.
    pub fn range(&self) -> &KeyRange {
        &self.range
    }

    /// Orders the first list.
    pub fn start(&mut self, now: Time, out: &mut Outcome) {
        if matches!(self.phase, Phase::Idle) {
            self.resume(now, false, out);
        }
    }

    /// How much is known and since when not.
    pub fn seen(&self) -> Seen<Counts> {
        self.seen.map(|()| self.table.counts())
    }

    /// Up to which revision it is known, or was; 0: nothing is.
    pub fn revision(&self) -> Rev {
        match self.seen {
            Seen::Never(_) => Rev::default(),
            Seen::Lost { at, .. } | Seen::Current { at, .. } => at,
        }
    }

    /// Counts the stores that were followed one after the other: with another number revisions mean something else.
    pub fn history(&self) -> u64 {
        self.history
    }

    /// Whether its first list had a record as it was before what an earlier process knew of it: the store was put back.
    pub fn has_found_older(&self) -> bool {
        self.table.has_older
    }

    /// Whether it is known now.
    pub fn is_current(&self) -> bool {
        self.seen.is_current()
    }

    /// Whether a complete list was believed once in this process and has been let out: before that no End-of-RIB is sent.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether a complete list is on its way out in slices: what the table says now is a mixture of before and after.
    pub fn is_releasing(&self) -> bool {
        matches!(self.phase, Phase::Releasing(_))
    }

    /// Whether another store than the one that was known is followed, and that one would be taken back.
    pub fn follows_another(&self) -> bool {
        self.has_left() && self.replaced.is_none()
    }

    fn has_left(&self) -> bool {
        self.left.as_ref().is_some_and(|left| left.is_left)
    }

    /// The one that is followed is the one that is known: another is another, be it the one before.
    pub fn forget_left(&mut self) {
        self.left = None;
    }

    /// Whether some record may own routes of the family that are not known: it cannot be read, or its host has no address,
    /// and there is no earlier claim of it.
    pub fn hides_claims(&self, family: Family) -> bool {
        self.table.count_hiding()[family] > 0
    }

    /// A record, while it exists.
    pub fn record(&self, id: RecordId) -> Option<RecordInfo> {
        let slot = self.table.find_id(id)?;
        Some(RecordInfo {
            key: self.table.key(slot),
            modified: self.table.modified(slot)?,
            created: self.table.created(slot)?,
            readable: self.table.is_readable(slot),
        })
    }

    /// Records that cannot be decoded.
    pub fn quarantined(&self) -> impl Iterator<Item = Quarantined<'_>> {
        self.table.quarantined().filter_map(|(slot, why, kept)| {
            Some(Quarantined { record: self.table.id(slot)?, key: self.table.key(slot), why, kept })
        })
    }

    /// Prefixes that are stated but have no next hop.
    pub fn unresolved(&self) -> impl Iterator<Item = Unresolved> {
        self.table.unresolved().filter_map(|(slot, prefix)| {
            let why = super::schema::no_address(prefix.family());
            Some(Unresolved { record: self.table.id(slot)?, key: self.table.key(slot), prefix, why })
        })
    }

    /// When [`on_deadline`](Self::on_deadline) wants to be called; a moment that is past means at once.
    pub fn next_deadline(&self) -> Option<Time> {
        [self.phase_deadline(), self.snapshot_due()].into_iter().flatten().min()
    }

    fn phase_deadline(&self) -> Option<Time> {
        let timing = &self.config.timing;
        match &self.phase {
            Phase::Idle => None,
            Phase::Following(_) => Some(self.reconcile_due),
            Phase::Listing(_) if self.config.follow == Follow::Relists => None,
            Phase::Listing(listing) => Some(listing.heard + timing.page),
            Phase::Recalling(recall) => Some(recall.heard + timing.page),
            Phase::Releasing(_) => Some(Time::ZERO),
            Phase::Waiting { until, .. } => Some(*until),
            Phase::Watching(watch) => {
                let reconcile = match &self.reconcile {
                    Some(reconcile) => Some(reconcile.heard + timing.page),
                    None => watch.works.is_some().then_some(self.reconcile_due),
                };
                [Some(watch.heard + timing.stuck), watch.ask, reconcile].into_iter().flatten().min()
            }
        }
    }

    /// Does what is due.
    pub fn on_deadline(&mut self, now: Time, out: &mut Outcome) {
        if self.snapshot_due().is_some_and(|due| due <= now) {
            self.serve_snapshot(now, out);
        }
        if self.phase_deadline().is_none_or(|due| due > now) {
            return;
        }
        let timing = self.config.timing;
        match &mut self.phase {
            Phase::Idle => {}
            // An unchanged file is told again: that is a proof of what it lacks.
            Phase::Following(_) => self.resume(now, false, out),
            Phase::Releasing(_) => self.release(now, SLICE, out),
            Phase::Waiting { elsewhere, .. } => {
                let elsewhere = *elsewhere;
                self.retry(now, elsewhere, out);
            }
            Phase::Recalling(_) => self.fail(now, silent("the store", timing.page), out),
            Phase::Listing(_) => self.fail(now, silent("the list", timing.page), out),
            Phase::Watching(watch) if watch.heard + timing.stuck <= now => {
                let mut fault = silent("the watch", timing.stuck);
                fault.message.push_str(PROXY);
                self.fail(now, fault, out);
            }
            Phase::Watching(watch) => {
                if watch.ask.is_some_and(|due| due <= now) {
                    watch.ask = Some(now + timing.ask_progress);
                    out.orders.push(Order { attempt: watch.attempt, task: Task::Progress, elsewhere: false });
                }
                let works = watch.works.is_some();
                match &self.reconcile {
                    Some(reconcile) if reconcile.heard + timing.page <= now => {
                        self.reconcile_failed(now, silent("the list of keys", timing.page), out);
                    }
                    None if works && self.reconcile_due <= now => self.order_reconcile(now, out),
                    _ => {}
                }
            }
        }
    }

    /// Takes in a report. What answers an older order is dropped.
    pub fn handle(&mut self, now: Time, attempt: Attempt, report: Report, out: &mut Outcome) {
        if matches!(&self.phase, Phase::Releasing(release) if release.attempt == attempt) {
            // A file's next list; a watch is not ordered before all is out.
            self.release(now, usize::MAX, out);
        }
        let of_reconcile = self.reconcile.as_ref().is_some_and(|reconcile| reconcile.attempt == attempt);
        match (&mut self.phase, report) {
            (Phase::Watching(_), Report::KeysPage { at, cluster, keys, more }) if of_reconcile => {
                self.keys_page(now, at, cluster, &keys, more, out);
            }
            (Phase::Watching(_), Report::Fetched { at, cluster, records }) if of_reconcile => {
                self.fetched(now, at, cluster, records, out)
            }
            (Phase::Watching(_), Report::Failed(fault)) if of_reconcile => self.reconcile_failed(now, fault, out),
            (Phase::Watching(_), Report::Compacted) if of_reconcile => {
                let message = "the revision of the list of keys was compacted away while it was read".into();
                self.reconcile_failed(now, Fault { kind: FaultKind::Compacted, message }, out);
            }
            (Phase::Following(current), Report::Page { .. }) if *current != attempt => {}
            (Phase::Following(_), report @ Report::Page { .. }) => {
                self.phase = Phase::Listing(Listing::new(attempt, now));
                self.handle(now, attempt, report, out);
            }
            (Phase::Listing(listing), Report::Page { at, cluster, records, more }) if listing.attempt == attempt => {
                self.page(now, at, cluster, records, more, out);
            }
            (Phase::Listing(listing), Report::Compacted) if listing.attempt == attempt => {
                let message = "the revision of the list was compacted away while it was read: it begins anew".into();
                self.fail(now, Fault { kind: FaultKind::Compacted, message }, out);
            }
            (Phase::Recalling(recall), Report::Recalled { at, cluster, found }) if recall.attempt == attempt => {
                self.recalled(now, at, cluster, found, out);
            }
            (Phase::Recalling(recall), Report::Compacted) if recall.attempt == attempt => {
                let verdict = recall.compacted();
                self.judge(now, verdict, out);
            }
            (Phase::Watching(watch), Report::Watching { cluster }) if watch.attempt == attempt => {
                if self.cluster.is_some_and(|known| known != cluster) {
                    return self.replaced(now, cluster, out);
                }
                watch.heard = now;
                watch.ask = Some(now + FIRST_ASK);
            }
            (Phase::Watching(watch), Report::Events(events)) if watch.attempt == attempt => {
                watch.hear(now, self.config.timing.ask_progress);
                self.events(now, events, out);
                self.doubt(now);
                self.now_known(out);
            }
            (Phase::Watching(watch), Report::Progress { at }) if watch.attempt == attempt => {
                watch.hear(now, self.config.timing.ask_progress);
                if self.position.is_some_and(|position| at < position) {
                    // A member that lags, or a store that was put back: only a quorum read can tell.
                    self.reconcile_soon(now);
                } else {
                    self.now_known(out);
                }
            }
            (Phase::Watching(watch), Report::Compacted) if watch.attempt == attempt => self.compacted(now, out),
            (phase, Report::Failed(fault)) if phase.attempt() == Some(attempt) => self.fail(now, fault, out),
            _ => {}
        }
    }
}

impl Phase {
    fn attempt(&self) -> Option<Attempt> {
        match self {
            Phase::Idle | Phase::Waiting { .. } => None,
            Phase::Listing(listing) => Some(listing.attempt),
            Phase::Releasing(release) => Some(release.attempt),
            Phase::Recalling(recall) => Some(recall.attempt),
            Phase::Watching(watch) => Some(watch.attempt),
            Phase::Following(attempt) => Some(*attempt),
        }
    }
}

impl Watch {
    fn hear(&mut self, now: Time, ask_again: Duration) {
        self.heard = now;
        self.ask = Some(now + ask_again);
        self.works.get_or_insert(now);
    }
}

/// A watch through one lives, and cannot be told from one that hangs: it drops requests for progress, and what etcd says of its own
/// accord comes every ten minutes.
const PROXY: &str =
    "; does an etcd grpc-proxy stand between? It answers no progress requests: name the members instead";

fn silent(what: &str, span: Duration) -> Fault {
    Fault {
        kind: FaultKind::Stuck,
        message: format!("{what} has been silent for {} s: trying another endpoint", span.as_secs()),
    }
}

#[cfg(test)]
mod tests;
