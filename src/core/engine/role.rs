//! What this replica is among those of one election, and what that changes: the stamp of what it says, and whether anything
//! changes at all (promise P7).

use super::orders::Frozen;
use super::timeline::Happened;
use super::views::ViewId;
use super::{Effect, Engine, Refusal, SessionNumber};
use crate::model::{GatewayId, Leadership, Time};
use crate::view::{Seq, Stamp};
use std::fmt;
use std::time::Duration;

/// What this replica is, as far as it knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Role {
    /// There is no election: it decides alone, and its messages carry no stamp.
    #[default]
    Alone,
    /// It leads.
    Leader {
        /// The number of its leadership.
        term: u32,
    },
    /// Another leads. It announces the same, so that its paths are there when the leader's go, and every gateway prefers the
    /// leader's.
    Standby {
        /// The number of the other's leadership.
        term: u32,
        /// Its own number: no two replicas have the same.
        ordinal: u32,
    },
    /// It cannot tell who leads: nothing changes at any gateway before it can. New sessions are served as by a standby.
    Unsure {
        /// Its own number: no two replicas have the same.
        ordinal: u32,
    },
}

impl Role {
    /// What a replica with this number of its own is by what its election knows.
    pub fn of(leadership: &Leadership, ordinal: u32) -> Self {
        match leadership {
            Leadership::Leading { term, .. } => Role::Leader { term: term.get() },
            Leadership::Standby { term, .. } => Role::Standby { term: term.get(), ordinal },
            Leadership::Unsure { .. } | Leadership::Lapsed { .. } => Role::Unsure { ordinal },
        }
    }

    /// What its messages carry, once it has read its sources.
    pub fn stamp(self) -> Stamp {
        match self {
            Role::Alone => Stamp::Unstamped,
            Role::Leader { term } => Stamp::Leader { term },
            Role::Standby { ordinal, .. } | Role::Unsure { ordinal } => Stamp::Standby { ordinal },
        }
    }

    /// A standby's number is below this.
    pub const ORDINALS: u32 = Stamp::ORDINALS;

    /// Its names for programs, [`Role::name`] of every role.
    pub const NAMES: [&str; 4] = ["alone", "leader", "standby", "unsure"];

    /// For programs.
    pub fn name(self) -> &'static str {
        match self {
            Role::Alone => "alone",
            Role::Leader { .. } => "leader",
            Role::Standby { .. } => "standby",
            Role::Unsure { .. } => "unsure",
        }
    }

    /// The leadership that it knows of: its own, or another's.
    pub fn term(self) -> Option<u32> {
        match self {
            Role::Leader { term } | Role::Standby { term, .. } => Some(term),
            Role::Alone | Role::Unsure { .. } => None,
        }
    }

    fn is_unsure(self) -> bool {
        matches!(self, Role::Unsure { .. })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Alone => f.write_str("alone: there is no election"),
            Role::Leader { term } => write!(f, "leader of term {term}"),
            Role::Standby { term, .. } => write!(f, "standby in term {term}"),
            Role::Unsure { .. } => f.write_str("unsure who leads"),
        }
    }
}

/// The role, and what is to be known of it.
#[derive(Debug, Default)]
pub(super) struct Standing {
    role: Role,
    /// Since when.
    since: Time,
    /// Its own number, once it is known.
    ordinal: u32,
    /// Whether what every source says was taken in once while it was known who leads. Before, what it announces may be an old snapshot.
    has_read: bool,
    /// Where every view stood when the leadership of this term began, or was lost: whoever takes over says first what has changed
    /// since.
    heads: (u32, Vec<(ViewId, Seq)>),
    /// Since when it has been unsure.
    unsure: Option<Frozen>,
}

impl Standing {
    /// Its own number as a standby; 0 before it is known.
    pub(super) fn ordinal(&self) -> u32 {
        self.ordinal
    }

    /// Whether what every source says was taken in once while it was known who leads.
    pub(super) fn has_read(&self) -> bool {
        self.has_read
    }

    /// Since when nothing changes for the want of a leader.
    pub(super) fn unsure(&self) -> Option<Frozen> {
        self.unsure
    }
}

impl Engine {
    /// What it is, and since when.
    pub fn role(&self) -> (Role, Time) {
        (self.standing.role, self.standing.since)
    }

    /// What its messages carry now.
    pub(super) fn stamp(&self) -> Stamp {
        match self.standing.role.stamp() {
            Stamp::Standby { ordinal } if !self.standing.has_read => Stamp::Unread { ordinal },
            stamp => stamp,
        }
    }

    /// From the moment on at which it has read its sources it announces everything with its role's own stamp.
    pub(super) fn note_reading(&mut self, effects: &mut Vec<Effect>) {
        // While nothing changes it says what the snapshot said, whatever it has read.
        if self.standing.has_read || self.holds_still().is_some() {
            return;
        }
        // What is let out in slices takes the place of the snapshot, if there was one.
        let mut syncs = self.sources.iter().map(|source| &source.sync);
        if syncs.all(|sync| sync.is_complete() || sync.is_releasing()) {
            self.standing.has_read = true;
            self.restamp(effects);
        }
    }

    fn restamp(&mut self, effects: &mut Vec<Effect>) {
        let stamp = self.stamp();
        self.outlets.restamp(&mut self.views, &self.table, &self.standing.heads.1, stamp, effects);
    }

    /// Takes another role. A leader and a standby announce everything anew with their stamp wherever it was said with another one, a
    /// leader first what has changed since its predecessor's term began. Who is unsure says nothing to anybody who knows its routes
    /// already; and where that was all that was said since, a standby has nothing to say either.
    pub fn take_role(&mut self, now: Time, role: Role, effects: &mut Vec<Effect>) {
        self.latest = now;
        let before = std::mem::replace(&mut self.standing.role, role);
        if before == role {
            return;
        }
        self.standing.since = now;
        if let Role::Standby { ordinal, .. } | Role::Unsure { ordinal } = role {
            self.standing.ordinal = ordinal;
        }
        self.timeline.push(now, Happened::Role(role));
        let term = match (before, role) {
            (Role::Leader { term }, _) | (_, Role::Standby { term, .. }) => Some(term),
            _ => None,
        };
        if let Some(term) = term.filter(|term| *term != self.standing.heads.0) {
            self.standing.heads = (term, self.views.heads().collect());
        }
        if role.is_unsure() {
            // What it finds when it starts was announced by another process, as far as anybody can tell.
            let start = (before == Role::Alone).then_some(Duration::ZERO);
            self.standing.unsure.get_or_insert(Frozen { since: now, before: start });
            return;
        }
        let was_unsure = self.standing.unsure.take().is_some();
        // Among what has changed since, and so before the rest.
        self.renew_overrides(now);
        self.restamp(effects);
        if was_unsure {
            self.go_on(now, effects);
        }
        self.settle(now, effects);
        self.note_reading(effects);
    }

    /// This stamp may not be said now: the writers see the deadline pass before the election says so.
    pub fn lapse(&mut self, now: Time, stamp: Stamp, effects: &mut Vec<Effect>) {
        if self.stamp() == stamp {
            self.take_role(now, Role::Unsure { ordinal: self.standing.ordinal }, effects);
        }
    }

    /// A gateway was not told what it was handed. It is told everything again, in brackets, as it is now; where it knows no
    /// brackets, or has not been told everything once, its session is closed, as one that is too slow. Who does not know who leads
    /// puts that off until it does.
    pub(super) fn refused(
        &mut self,
        gateway: GatewayId,
        session: SessionNumber,
        refusal: Refusal,
        effects: &mut Vec<Effect>,
    ) {
        let later = self.standing.role.is_unsure();
        self.reporting.nothing_is_told();
        self.outlets.refused(gateway, (session, refusal), later, &mut self.views, &self.table, effects);
    }

    /// Whether nothing changes now, by order or for the want of a leader.
    pub(super) fn holds_still(&self) -> Option<Frozen> {
        self.frozen.or(self.standing.unsure())
    }
}
