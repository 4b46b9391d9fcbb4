//! The states, each with what it alone has.

use super::keys::{Expect, LeaderRecord, MemberId, Seal};
use super::messages::LeaseId;
use crate::model::{Instance, Replica, Term, Time};
use crate::source::Attempt;
use std::time::Duration;

/// How far this process is with the store.
#[expect(clippy::large_enum_variant, reason = "a process has one of it")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// It has no lease, and will ask for one.
    Outside { again: Time },
    /// It asks for a lease.
    Granting(Asked),
    /// It has a lease.
    Member(Member),
    /// It gives its lease back, and with it all its keys.
    Leaving { lease: LeaseId, step: Leaving, until: Time },
    /// It takes part no more.
    Gone,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Leaving {
    Asking(Asked),
    Resting { next: Time },
}

/// A question that is not yet answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Asked {
    pub(super) attempt: Attempt,
    /// Nothing of it was sent before.
    pub(super) at: Time,
    /// When its answer is given up.
    pub(super) until: Time,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Member {
    pub(super) lease: LeaseId,
    /// The store keeps the lease so long after a renewal.
    pub(super) granted: Duration,
    /// As far as it is counted on: not longer than we asked for.
    pub(super) ttl: Duration,
    /// When the last renewal was sent that counts.
    pub(super) renewed: Time,
    /// Of the last view.
    pub(super) seal: Option<Seal>,
    pub(super) doing: Doing,
    pub(super) seat: Seat,
}

impl Member {
    /// So long it may lead by its lease, which could end by then at the earliest but for the margin.
    pub(super) fn leads_until(&self, margin: Duration) -> Time {
        self.renewed + self.ttl.saturating_sub(margin)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Doing {
    Resting { next: Time },
    Asking(Asked, Question),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Question {
    KeepAlive,
    /// With the renewal that it is to prove, if any.
    Look {
        kept: Option<Kept>,
    },
    Register,
    Acquire(LeaderRecord, Expect, Expect),
    Release(LeaderRecord),
    Raise(Term, Expect),
}

/// A renewal that the store has confirmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kept {
    /// It was not sent before.
    pub(super) at: Time,
    /// Who confirmed it.
    pub(super) by: MemberId,
}

/// What this process has of the leadership.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Seat {
    /// Nothing.
    Watching,
    /// The leader key may be ours (or is, if `sure`), but we do not lead by it: the transaction's outcome is not known, or the
    /// term is not yet on disk.
    Claimed { record: LeaderRecord, sure: bool },
    /// The leader key was ours when last seen, and its term is on disk. We lead up to that moment.
    Holding { record: LeaderRecord, until: Time },
}

/// Another process that leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub(super) leader: Replica,
    pub(super) term: Term,
    /// Until then we go by it.
    pub(super) until: Time,
}

/// Nobody has led whenever it was looked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Vacancy {
    pub(super) since: Time,
    /// So long others have the time to be quicker, if they can lead at all.
    pub(super) turn: Duration,
}

/// Another process with our identity, and when it was seen first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Predecessor {
    pub(super) instance: Instance,
    pub(super) since: Time,
}

/// The highest term on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Disk {
    pub(super) term: Term,
    /// It has been written by this process, and the last attempt did not fail.
    pub(super) works: bool,
    /// Since when a term is being written.
    pub(super) busy: Option<Time>,
    /// Not before.
    pub(super) again: Time,
}
