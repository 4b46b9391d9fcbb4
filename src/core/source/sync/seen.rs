//! "Nothing known" and "known to be nothing" are different types (promise P2).

use super::super::{Fault, Rev};
use crate::model::{PerFamily, Time};

/// What is known of a source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen<T> {
    /// Nothing was ever known, and why.
    Never(Why),
    /// It was known; what was known then still counts.
    Lost {
        /// What was known last.
        last: T,
        /// Up to which revision.
        at: Rev,
        /// Since when it is lost.
        since: Time,
        /// Why it cannot be read now.
        why: Fault,
    },
    /// It is known.
    Current {
        /// What is known.
        value: T,
        /// Up to which revision.
        at: Rev,
    },
}

impl<T> Seen<T> {
    /// The same with another value.
    pub fn map<U>(&self, value: impl FnOnce(&T) -> U) -> Seen<U> {
        match self {
            Seen::Never(why) => Seen::Never(why.clone()),
            Seen::Lost { last, at, since, why } => {
                Seen::Lost { last: value(last), at: *at, since: *since, why: why.clone() }
            }
            Seen::Current { value: current, at } => Seen::Current { value: value(current), at: *at },
        }
    }

    /// Whether it is known now.
    pub fn is_current(&self) -> bool {
        matches!(self, Seen::Current { .. })
    }
}

/// Why nothing was ever known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Why {
    /// The first list is not complete yet.
    Listing,
    /// It was tried and failed.
    Failed(Fault),
    /// The first list was empty, and that is not believed unless `allow_empty` is set: an empty answer at the first start is
    /// more often a wrong prefix, or a store that was made anew, than a cluster without hosts. Records that come are
    /// announced; it is believed once no new one has come for a while.
    Empty {
        /// The list's revision.
        at: Rev,
    },
}

/// How much a source holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Records, readable or not.
    pub records: usize,
    /// Records that cannot be decoded.
    pub quarantined: usize,
    /// Prefixes without a next hop.
    pub unresolved: usize,
    /// Records that may own routes of a family that are not known, and hold its End-of-RIB back.
    pub hiding: PerFamily<usize>,
}

/// That a record, or its statement of a prefix, is known to be absent. Only [`Sync`](super::Sync) can make one, and without
/// one no claim is removed (promise P2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Absent(Proof);

impl Absent {
    pub(super) fn by(proof: Proof) -> Self {
        Absent(proof)
    }

    /// How it is known.
    pub fn proof(&self) -> &Proof {
        &self.0
    }
}

/// See [`Absent`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// The record was deleted at this revision.
    Deleted(Rev),
    /// A complete list at one revision lacks the record.
    MissingFrom {
        /// The list's revision.
        at: Rev,
    },
    /// The record was written anew at this revision, can be read, and does not state the prefix.
    NoLongerStated(Rev),
}
