//! What an election asks the store, what happens to it, and what its shell shall do.

use super::Trouble;
use super::keys::{Expect, LeaderRecord, MemberId, PresenceRecord, View};
use crate::model::{Leadership, Term};
use crate::source::{Attempt, Fault};
use std::time::Duration;

/// A lease of the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LeaseId(pub i64);

/// What the store is asked. The four transactions either do all that they say or nothing; one that does nothing is answered
/// with a [`Reply::View`]. Each may be sent again, to any member of the store: it does nothing the second time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// A lease of this length. → [`Reply::Granted`]
    Grant {
        /// How long it shall be kept without renewal.
        ttl: Duration,
    },
    /// Renew the lease. → [`Reply::KeptAlive`] or [`Reply::NoLease`]
    KeepAlive(LeaseId),
    /// Read the three keys, by a quorum. → [`Reply::View`]
    Look,
    /// If the presence key is absent: put the record there, under the lease.
    Register {
        /// What to put.
        record: PresenceRecord,
        /// Under which lease.
        lease: LeaseId,
    },
    /// If leader and term key are as expected and the presence key holds `presence`: put the record into the leader key under
    /// its lease, and its term into the term key without one.
    Acquire {
        /// What to put.
        record: LeaderRecord,
        /// What the leader key is to be.
        leader: Expect,
        /// What the term key is to be.
        term: Expect,
        /// What the presence key is to hold.
        presence: PresenceRecord,
    },
    /// If the leader key holds this: delete it.
    Release(LeaderRecord),
    /// If the term key is as expected: put this term there.
    Raise {
        /// The term.
        term: Term,
        /// What the term key is to be.
        expect: Expect,
    },
    /// End the lease, and with it all keys under it. → [`Reply::Done`] or [`Reply::NoLease`]
    Revoke(LeaseId),
}

/// What the store says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The lease, and how long the store keeps it.
    Granted {
        /// The lease.
        lease: LeaseId,
        /// How long.
        ttl: Duration,
    },
    /// It was renewed, as this member says.
    KeptAlive(MemberId),
    /// There is no such lease: it has ended.
    NoLease,
    /// What is there; after a transaction also: it did nothing.
    View(View),
    /// It has been done.
    Done,
}

/// What happens to an election.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// Time has passed: the first one starts it, and later ones come at [`super::Election::next_deadline`].
    Clock,
    /// The store's answer to the request of this number, or why there is none (it may have been carried out nevertheless).
    Answer(Attempt, Result<Reply, Fault>),
    /// Something has changed at the leader key: a watch says so. Only a hint, to look sooner.
    Changed,
    /// The term that is on disk now, durably: the one of [`Effect::StoreTerm`], or a higher one that was there already. Or why
    /// that cannot be known or written.
    TermStored(Result<Term, String>),
    /// Its sources have been read. Before, it leaves the lead to others, for they may know more; but not for ever, if nobody can read.
    Read,
    /// Whether who leads, this one or another, has read its sources. If not, others need not know more than this one, and no more is left
    /// to them than the time to be quicker.
    LeaderHasRead(bool),
    /// It is about to leave, and leads on if it leads, but leaves it to others to begin to; not for ever, if there are none.
    Departs,
    /// Let another lead, if there is one that wants to: give the leadership back, and want none for a lease's time.
    Yield,
    /// Take part no more.
    Leave,
}

/// What the shell shall do, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Ask the store; an earlier question that is not yet answered is given up, and a late answer to it is ignored.
    Ask(Attempt, Request),
    /// Let the term on disk be this, unless it is a higher one already, durably; and answer with [`Input::TermStored`]. The first
    /// one comes at the start: nobody leads who could not read and write it.
    StoreTerm(Term),
    /// What is known of the leadership from now on.
    Leadership(Leadership),
    /// What is wrong from now on, if anything.
    Trouble(Option<Trouble>),
    /// It has left: nothing more will come.
    Left,
}
