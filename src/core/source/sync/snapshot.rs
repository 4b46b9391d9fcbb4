//! What an earlier process knew, kept over a restart.
//!
//! It is put in at once before a first complete list is let out, so that the list's difference is what the guard judges; or,
//! while the store does not answer, after a while, and then it is announced as it is. It never makes a source complete: no
//! End-of-RIB goes out on it (P4).

use super::super::schema::{Addresses, Statement};
use super::super::{ClaimChange, ClusterId, Fault, FaultKind, Rev};
use super::note::{Note, Outcome};
use super::seen::Seen;
use super::table::Table;
use super::{Follow, Phase, Sync, Why};
use crate::model::{HostName, Labels, Prefix, Time};
use bytes::Bytes;
use std::net::IpAddr;
use std::time::Duration;

/// The records of a source as an earlier process knew them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Snapshot {
    /// Whose they were.
    pub cluster: ClusterId,
    /// Up to which revision.
    pub at: Rev,
    /// In any order; those that could never be read are not among them.
    pub records: Vec<KnownRecord>,
    /// Changes were held because the store had been replaced: what the next process finds otherwise is to be held, too.
    pub suspect: bool,
    /// Up to which revision everything had passed; 0: not known.
    pub passed: Rev,
}

/// A record as it was known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownRecord {
    /// Its key without what all keys of the source begin with.
    pub name: Bytes,
    /// When it was last written.
    pub modified: Rev,
    /// When it was created.
    pub created: Rev,
    /// The owner.
    pub host: HostName,
    /// Its labels.
    pub labels: Labels,
    /// Where it is reached.
    pub addresses: Addresses,
    /// What it owns.
    pub subnets: Vec<Prefix>,
    /// Subnets whose address is gone from the record, and the next hop that they had: a dangling reference withdraws nothing.
    pub dangling: Vec<(Prefix, IpAddr)>,
    /// What it states beside these, while somebody else goes on being announced: that change was held.
    pub held: Vec<Prefix>,
}

/// A snapshot that was not needed yet.
pub(super) struct Pending {
    snapshot: Snapshot,
    /// When it is announced even without the store.
    due: Time,
}

impl Sync {
    /// Takes in what an earlier process knew; to be called before [`Sync::start`]. Announced after `patience` if there is no
    /// list by then.
    pub fn remember(&mut self, now: Time, snapshot: Snapshot, patience: Duration) {
        self.pending = Some(Pending { snapshot, due: now + patience });
    }

    /// Up to `limit` records from place `from` on, and the place at which to go on, if there is more.
    pub fn known_records(&self, from: usize, limit: usize) -> (Vec<KnownRecord>, Option<usize>) {
        let end = self.table.end().min(from.saturating_add(limit));
        let slots = (from..end).filter_map(|index| self.table.nth(index));
        let records = slots.filter_map(|slot| self.table.known(slot)).collect();
        (records, (end < self.table.end()).then_some(end))
    }

    /// Who is believed, and up to which revision; none before a complete list was.
    pub fn believed(&self) -> Option<(ClusterId, Rev)> {
        self.goes_by().filter(|_| self.complete)
    }

    /// Whose list or snapshot was taken in last, and up to which revision: also one that was empty at first, and is believed only
    /// later.
    pub fn goes_by(&self) -> Option<(ClusterId, Rev)> {
        Some((self.cluster?, self.highest))
    }

    pub(super) fn snapshot_due(&self) -> Option<Time> {
        self.pending.as_ref().map(|pending| pending.due)
    }

    /// Whether there is something that an earlier process knew and that was not needed yet.
    pub fn has_snapshot(&self) -> bool {
        self.pending.is_some()
    }

    /// What was known goes out: the store has not answered for so long, or another source is about to be let out. Only
    /// additions, and the mark that ends them.
    pub fn serve_snapshot(&mut self, now: Time, out: &mut Outcome) {
        let Some(Pending { snapshot, .. }) = self.pending.take() else { return };
        let Snapshot { cluster, at, records, suspect, passed: _ } = snapshot;
        self.suspects = suspect;
        out.suspect |= suspect;
        out.notes.push(Note::Remembered { at, records: records.len() });
        self.put_back(records, out);
        self.cluster = Some(cluster);
        let silent = || Fault { kind: FaultKind::Unreachable, message: "it has not answered since the start".into() };
        let why = match &self.seen {
            Seen::Never(Why::Failed(fault)) => fault.clone(),
            _ => silent(),
        };
        self.seen = Seen::Lost { last: (), at, since: now, why };
    }

    /// A first list is complete, and what was known before it is put in first: the list changes that.
    pub(super) fn compare_with_snapshot(&mut self, cluster: ClusterId, out: &mut Outcome) {
        out.suspect |= std::mem::take(&mut self.suspects);
        let Some(Pending { snapshot, .. }) = self.pending.take() else { return };
        out.suspect |= snapshot.suspect;
        // Of another store too: a wrong endpoint is no proof, and what a person has replaced a person can approve.
        if snapshot.cluster != cluster {
            out.suspect = true;
            out.notes.push(Note::SnapshotOfAnother { known: snapshot.cluster, found: cluster });
        }
        self.put_back(snapshot.records, out);
    }

    /// First what was announced, and after the mark what was held then, for the guard to judge once more: another source's list
    /// may take away what is announced, and that source's claim is what keeps the route.
    fn put_back(&mut self, mut records: Vec<KnownRecord>, out: &mut Outcome) {
        if self.config.follow == Follow::Relists {
            // Each process counts a file's contents from 1 on: what an earlier one counted is older than anything.
            records.iter_mut().for_each(|record| (record.modified, record.created) = (Rev::default(), Rev::default()));
        }
        let held: Vec<KnownRecord> = records.iter().filter(|record| !record.held.is_empty()).cloned().collect();
        records.into_iter().for_each(|record| self.table.put_back(record, out));
        out.changes.push(ClaimChange::Restored);
        for mut record in held {
            record.subnets.append(&mut record.held);
            self.table.put_back(record, out);
        }
    }

    /// Whether a list that is complete now is the first.
    pub(super) fn is_first_list(&self) -> bool {
        matches!(self.phase, Phase::Listing(_)) && !self.complete
    }
}

impl Table {
    fn put_back(&mut self, record: KnownRecord, out: &mut Outcome) {
        let KnownRecord { name, modified, created, host, labels, addresses, subnets, dangling, held: _ } = record;
        let said = Statement { host, labels, addresses, subnets, unknown: None };
        let fact = self.fact(&name, modified, created, Ok(said));
        let slot = self.put(fact, out);
        self.keep(slot, dangling, out);
    }
}
