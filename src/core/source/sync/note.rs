//! What a [`Sync`](super::Sync) gives back, and what it has to say for the log.

use super::super::{ClaimChange, ClusterId, Fault, Order, Rev};
use crate::model::{Family, Prefix, RecordId};
use bytes::Bytes;

/// What to do next. A buffer to use again: whoever passes it in takes out what he finds and empties it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// For the transport, in order.
    pub orders: Vec<Order>,
    /// For the table, in order.
    pub changes: Vec<ClaimChange>,
    /// For the log and the timeline.
    pub notes: Vec<Note>,
    /// The keys of the first records that were taken out: what the timeline can tell apart.
    pub gone: Vec<(RecordId, Bytes)>,
    /// Whether everything known has just been compared with the whole store, and the changes for the table hold what differed.
    pub compared: bool,
    /// Whether another store than the one that was known has begun to be compared with it: what differs is to be held.
    pub suspect: bool,
    /// Whether the store that was known before that one is back: what is held because of the other is to be judged anew.
    pub is_back: bool,
}

impl Outcome {
    /// Empties it and keeps the memory.
    pub fn clear(&mut self) {
        self.orders.clear();
        self.changes.clear();
        self.notes.clear();
        self.gone.clear();
        self.compared = false;
        self.suspect = false;
        self.is_back = false;
    }
}

/// Something worth telling a person.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Note {
    /// Known completely, for the first time or again.
    #[error("current at revision {}: {records} records", at.0)]
    Current {
        /// Up to which revision.
        at: Rev,
        /// How many records it has.
        records: usize,
    },
    /// Not known any more; what was known stays.
    #[error("lost, its routes stay: {0}")]
    Lost(Fault),
    /// An attempt failed, in another way than the one before if there was one.
    #[error("cannot be read: {0}")]
    Failing(Fault),
    /// The first list was empty and is not believed.
    #[error(
        "the first list (revision {}) was empty, which is not believed: check the prefix, or set allow_empty. Once there are \
         records, it waits until no new one has come for a minute; End-of-RIB waits with it",
        at.0
    )]
    NotBelieved {
        /// The list's revision.
        at: Rev,
    },
    /// The revisions wanted are compacted away: everything is listed anew and compared.
    #[error("revision {} has been compacted away: reading everything anew", from.0)]
    Compacted {
        /// The revision asked for.
        from: Rev,
    },
    /// The store does not answer, and what an earlier process knew is announced.
    #[error(
        "it has not answered yet: the {records} records that were known at revision {} are announced as they were; \
         End-of-RIB waits for the store", at.0
    )]
    Remembered {
        /// Up to which revision they were known.
        at: Rev,
        /// How many.
        records: usize,
    },
    /// The snapshot is of another cluster than the one that answers.
    #[error("the snapshot is of cluster {:x} and the store is cluster {:x}: what differs goes through the guard", known.0, found.0)]
    SnapshotOfAnother {
        /// Of which the snapshot is.
        known: ClusterId,
        /// Which answers.
        found: ClusterId,
    },
    /// The store has been another one for long, and is compared with the one that was known.
    #[error(
        "the store (cluster {:x}, revision {}) is not the one that was known and stays so: it is followed from now on, and what \
         differs is held until a person approves it", cluster.0, at.0
    )]
    TakenForAnother {
        /// Who answers.
        cluster: ClusterId,
        /// The list's revision.
        at: Rev,
    },
    /// The store before the one that is followed answers again.
    #[error(
        "the store that was known before (cluster {:x}, revision {}) is back: it is followed again, and what was held because of \
         the other is judged anew", cluster.0, at.0
    )]
    Back {
        /// Who answers.
        cluster: ClusterId,
        /// The list's revision.
        at: Rev,
    },
    /// A record cannot be decoded; earlier claims of it stay.
    #[error("record {} cannot be read ({}): {why}", key.escape_ascii(), if *kept { "what it said before stays" } else { "it is passed over" })]
    Quarantined {
        /// Which.
        record: RecordId,
        /// Its key.
        key: Bytes,
        /// What is wrong.
        why: String,
        /// Whether earlier claims of it stay.
        kept: bool,
    },
    /// A quarantined record can be decoded again, or is gone.
    #[error("record {} is no longer quarantined", key.escape_ascii())]
    Released {
        /// Which.
        record: RecordId,
        /// Its key.
        key: Bytes,
    },
    /// A record has a field that means nothing; the rest of it counts.
    #[error("record {} has the field {field}, which means nothing and is passed over: is it misspelt?", key.escape_ascii())]
    UnknownField {
        /// Which.
        record: RecordId,
        /// Its key.
        key: Bytes,
        /// The field's name, quoted.
        field: Box<str>,
    },
    /// A prefix has no next hop.
    #[error("{prefix} of record {} is not announced: {why}", key.escape_ascii())]
    Unresolved {
        /// Whose prefix.
        record: RecordId,
        /// Its key.
        key: Bytes,
        /// Which.
        prefix: Prefix,
        /// Why.
        why: &'static str,
    },
    /// Some records may own routes that are not known.
    #[error(
        "End-of-RIB of {family} is withheld from gateways that were not told everything yet: {records} records cannot be read \
         or give no address, and one of them may own what an earlier process announced; mend or delete them"
    )]
    Hides {
        /// Of which family the routes are.
        family: Family,
        /// How many records.
        records: usize,
    },
    /// There is no such record any more.
    #[error("no record holds End-of-RIB of {family} back any more")]
    HidesNoMore {
        /// Of which family the routes were.
        family: Family,
    },
    /// The store told something older than it had told before (etcd#15271): not believed, a reconcile is due.
    #[error("an event of revision {} came after one of revision {}: comparing with the store", event.0, after.0)]
    OutOfOrder {
        /// The event's revision.
        event: Rev,
        /// What was known already.
        after: Rev,
    },
    /// A reconcile found that the watch had not told everything.
    #[error(
        "the watch had not told everything: at revision {} {missing} records were gone and {differing} new or changed", at.0
    )]
    Reconciled {
        /// The revision compared with.
        at: Rev,
        /// Records that were known and are gone.
        missing: usize,
        /// Records that were read anew.
        differing: usize,
    },
    /// A reconcile failed; it is tried again, and the watch goes on.
    #[error("the comparison with the store failed and will be tried again: {0}")]
    ReconcileFailed(Fault),
}

/// What a note is about that single records or events are the reason of: there may be as many as those.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OfRecord {
    /// [`Note::Quarantined`].
    Quarantined,
    /// [`Note::Released`].
    Released,
    /// [`Note::UnknownField`].
    UnknownField,
    /// [`Note::Unresolved`].
    Unresolved,
    /// [`Note::OutOfOrder`].
    OutOfOrder,
}

impl Note {
    /// Whether there may be as many of these as there are records, or events.
    pub fn of_record(&self) -> Option<OfRecord> {
        match self {
            Note::Quarantined { .. } => Some(OfRecord::Quarantined),
            Note::Released { .. } => Some(OfRecord::Released),
            Note::UnknownField { .. } => Some(OfRecord::UnknownField),
            Note::Unresolved { .. } => Some(OfRecord::Unresolved),
            Note::OutOfOrder { .. } => Some(OfRecord::OutOfOrder),
            Note::Current { .. }
            | Note::Lost(_)
            | Note::Failing(_)
            | Note::NotBelieved { .. }
            | Note::Compacted { .. }
            | Note::Remembered { .. }
            | Note::SnapshotOfAnother { .. }
            | Note::TakenForAnother { .. }
            | Note::Back { .. }
            | Note::Hides { .. }
            | Note::HidesNoMore { .. }
            | Note::Reconciled { .. }
            | Note::ReconcileFailed(_) => None,
        }
    }
}
