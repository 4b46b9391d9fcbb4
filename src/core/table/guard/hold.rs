//! A change that is kept back.

use super::Proposal;
use super::config::Proofs;
use crate::model::{Prefix, SourceId, Time};
use crate::replicas::TableDigest;
use crate::table::recalled::Approved;
use std::net::IpAddr;
use std::ops::{Index, IndexMut};

/// What would happen to a route.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ChangeKind {
    /// It goes.
    Withdrawal,
    /// It gets another next hop.
    Move,
    /// It comes.
    Addition,
}

impl ChangeKind {
    /// All of them.
    pub const ALL: [ChangeKind; 3] = [ChangeKind::Withdrawal, ChangeKind::Move, ChangeKind::Addition];

    /// For labels and people.
    pub fn name(self) -> &'static str {
        match self {
            ChangeKind::Withdrawal => "withdrawal",
            ChangeKind::Move => "move",
            ChangeKind::Addition => "addition",
        }
    }
}

/// Why a change is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HoldReason {
    /// More at once than the source's limit has left.
    #[error("{changes} at once, and the source's limit of {of} an hour has {allowed} left")]
    TooMany {
        /// How many came together.
        changes: usize,
        /// How many were allowed then.
        allowed: usize,
        /// The whole limit.
        of: usize,
    },
    /// All of a source's routes, or more than half of more than ten: only a person may let that pass.
    #[error(
        "{changes} of the source's {routes} routes are withdrawn or moved: a person must approve while it is most of them"
    )]
    MostOfSource {
        /// How many routes are withdrawn or moved, earlier holds included.
        changes: usize,
        /// How many it had.
        routes: usize,
    },
    /// An earlier process or another replica held it, and a person denied it there.
    #[error("a person has denied it, before a restart or at another replica")]
    Denied,
    /// The store is not the one that was known.
    #[error(
        "the store was replaced, or restored from a backup, and says otherwise than the one before: a person must approve"
    )]
    Replaced,
    /// The prefix changes all the time: it is held until it has been quiet for a while.
    #[error("it changes again and again: held until it has been quiet for a while")]
    Flapping,
}

/// What was decided about a hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::table) enum Decision {
    /// A person approved it: it passes when its slot is settled next.
    Approved,
    /// Time, quiet or a limit that is no more lets it pass, likewise.
    Proven,
    /// Its reason is no more: it is judged anew when its slot is settled next.
    Void,
    /// It stays, proven or not, until the store says something else.
    Denied,
}

impl Decision {
    /// Whether it is a person's.
    pub(super) fn is_persons(self) -> bool {
        match self {
            Decision::Approved | Decision::Denied => true,
            Decision::Proven | Decision::Void => false,
        }
    }
}

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hold {
    pub(super) prefix: Prefix,
    /// What would happen.
    pub kind: ChangeKind,
    /// Whose limit it is.
    pub source: SourceId,
    /// Since when.
    pub since: Time,
    /// Why.
    pub reason: HoldReason,
    /// The next hop that the route would get, if any.
    pub(super) to: Option<IpAddr>,
    /// How many complete lists there were before it.
    pub(super) listed: u64,
    pub(super) decision: Option<Decision>,
    /// It has another reason since it was told.
    pub(super) is_untold: bool,
    /// The claims say something else now, which is not settled.
    pub(super) is_unsaid: bool,
    /// They did so since the last complete list: what the lists before it confirmed counts no more.
    pub(super) is_broken: bool,
    /// Of all holds that there have been.
    pub(super) number: u64,
    /// It was found in the first list of its source after an absence.
    pub(super) is_of_absence: bool,
    /// What the table would have more and less of, were it to pass.
    pub(super) difference: TableDigest,
}

impl Hold {
    /// Whether a person said that it stays.
    pub fn is_denied(&self) -> bool {
        self.decision == Some(Decision::Denied)
    }

    /// Whether it keeps an announcement back that may still be made.
    pub(super) fn is_waiting_addition(&self) -> bool {
        self.kind == ChangeKind::Addition && !self.is_denied()
    }

    /// Whether a person has approved it, and it was not settled since.
    pub(in crate::table) fn is_approved(&self) -> bool {
        self.decision == Some(Decision::Approved)
    }

    /// What an approval of it is of.
    pub(in crate::table) fn as_approved(&self) -> Approved {
        Approved { source: self.source, kind: self.kind, prefix: self.prefix, to: self.to }
    }

    /// Whether it is held because the store was replaced.
    pub(super) fn is_of_replaced(&self) -> bool {
        self.reason == HoldReason::Replaced
    }

    /// The store that says so is another one from now on, after so many complete `lists`. What a person has decided stays.
    pub(super) fn doubt(&mut self, now: Time, lists: u64) {
        (self.reason, self.since, self.listed, self.is_untold) = (HoldReason::Replaced, now, lists, true);
        self.decision.take_if(|decision| !decision.is_persons());
    }

    /// What the claims say now. That something proves it counts only as long as they go on saying so; that there is no limit any more, or
    /// quiet, is no such proof.
    pub(super) fn follow_claims(&mut self, to: Option<IpAddr>, is_limited: bool) {
        self.is_unsaid = self.to != to;
        if self.is_unsaid && is_limited && self.reason != HoldReason::Flapping {
            self.is_broken = true;
            self.decision.take_if(|decision| *decision == Decision::Proven);
        }
    }

    /// A complete list more. What was unsaid meanwhile is to be proven from now on.
    pub(super) fn confirm(&mut self, now: Time, lists: u64) {
        if self.is_broken {
            (self.since, self.listed, self.is_broken) = (now, lists, self.is_unsaid);
        }
    }

    /// Whether a person has decided about it.
    pub(super) fn is_decided(&self) -> bool {
        self.decision.is_some_and(Decision::is_persons)
    }

    /// Whether nothing speaks for it any more.
    pub(super) fn is_void(&self) -> bool {
        self.decision == Some(Decision::Void)
    }

    /// Whether it passes when its slot is settled next, if that is still what is wanted.
    pub(super) fn passes(&self) -> bool {
        matches!(self.decision, Some(Decision::Approved | Decision::Proven))
    }

    /// The next hop that the route would get, if any.
    pub(in crate::table) fn to(&self) -> Option<IpAddr> {
        self.to
    }

    /// Whether this is what is proposed.
    pub(super) fn is_of(&self, proposal: &Proposal) -> bool {
        (self.kind, self.source, self.to) == (proposal.kind, proposal.source, proposal.to)
    }

    /// Whether the state that it leads to was confirmed often and long enough; `lists` is how many there were by now. A store that took
    /// another's place proves nothing by staying there.
    pub(super) fn is_proven(&self, now: Time, lists: u64, proofs: Proofs) -> bool {
        self.decision.is_none()
            && !self.is_of_replaced()
            && now.since(self.since) >= proofs.after
            && lists - self.listed >= proofs.lists
    }
}

/// Something for each kind of change.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct PerKind<T>([T; 3]);

impl<T> PerKind<T> {
    pub(super) fn from_fn(mut make: impl FnMut(ChangeKind) -> T) -> Self {
        PerKind(ChangeKind::ALL.map(&mut make))
    }
}

impl PerKind<usize> {
    pub(super) fn total(&self) -> usize {
        self.0.iter().sum()
    }

    /// Routes that their present owner loses.
    pub(super) fn taken(&self) -> usize {
        self[ChangeKind::Withdrawal] + self[ChangeKind::Move]
    }
}

impl<T> Index<ChangeKind> for PerKind<T> {
    type Output = T;
    fn index(&self, kind: ChangeKind) -> &T {
        let [withdrawal, moved, addition] = &self.0;
        match kind {
            ChangeKind::Withdrawal => withdrawal,
            ChangeKind::Move => moved,
            ChangeKind::Addition => addition,
        }
    }
}

impl<T> IndexMut<ChangeKind> for PerKind<T> {
    fn index_mut(&mut self, kind: ChangeKind) -> &mut T {
        let [withdrawal, moved, addition] = &mut self.0;
        match kind {
            ChangeKind::Withdrawal => withdrawal,
            ChangeKind::Move => moved,
            ChangeKind::Addition => addition,
        }
    }
}
