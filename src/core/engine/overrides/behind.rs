//! Who may still have a gateway hold what was withdrawn here.

use super::Overrides;
use super::ledger::Batch;
use crate::engine::{Engine, Role, Source};
use crate::model::Time;
use crate::replicas::{KnownReplica, ReplicaReport, ReportedRole, SourceReport};
use crate::source::ClusterId;
use std::fmt;
use std::sync::Arc;

/// Why another replica may still have a gateway hold what was withdrawn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Behind {
    /// It has not said that its gateways were told.
    Untold {
        /// Who.
        replica: Arc<str>,
    },
    /// It changes nothing now.
    Frozen {
        /// Who.
        replica: Arc<str>,
    },
    /// It has no session with a gateway, which keeps what it was told.
    CutOff {
        /// Who.
        replica: Arc<str>,
        /// The gateway's name.
        gateway: Arc<str>,
        /// At the latest until then.
        until: Time,
    },
    /// It has lost sessions with gateways that had joined from ranges, and those keep what they were told.
    Parted {
        /// Who.
        replica: Arc<str>,
        /// At the latest until then.
        until: Time,
    },
    /// It is gone, and gateways keep what they were told.
    Gone {
        /// Who.
        replica: Arc<str>,
        /// At the latest until then.
        until: Time,
    },
    /// All have handed it to their sessions: one of those may turn out to have been dead.
    Handed {
        /// It would be known by then.
        until: Time,
    },
    /// So many have not been heard of since this process began: they may have gone just before.
    Unheard {
        /// How many.
        replicas: usize,
        /// Gateways keep what they were told until then at the latest.
        until: Time,
    },
}

impl Behind {
    /// When that is over whatever happens.
    pub fn until(&self) -> Option<Time> {
        match *self {
            Behind::Untold { .. } | Behind::Frozen { .. } => None,
            Behind::CutOff { until, .. }
            | Behind::Parted { until, .. }
            | Behind::Gone { until, .. }
            | Behind::Handed { until }
            | Behind::Unheard { until, .. } => Some(until),
        }
    }

    /// For programs.
    pub fn name(&self) -> &'static str {
        match self {
            Behind::Untold { .. } => "untold",
            Behind::Frozen { .. } => "frozen",
            Behind::CutOff { .. } => "cut_off",
            Behind::Parted { .. } => "parted",
            Behind::Gone { .. } => "gone",
            Behind::Handed { .. } => "handed",
            Behind::Unheard { .. } => "unheard",
        }
    }
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Behind::Untold { replica } => write!(f, "replica {replica} has not said that its gateways were told"),
            Behind::Frozen { replica } => write!(f, "replica {replica} changes nothing now"),
            Behind::CutOff { replica, gateway, .. } => {
                write!(f, "replica {replica} has no session with {gateway}, which keeps what it was told")
            }
            Behind::Parted { replica, .. } => {
                write!(
                    f,
                    "replica {replica} has lost gateways that had joined from ranges, which keep what it told them"
                )
            }
            Behind::Gone { replica, .. } => write!(f, "replica {replica} is gone, and gateways keep what it told them"),
            Behind::Handed { .. } => {
                write!(f, "all replicas have handed it to their sessions, one of which may turn out to have been dead")
            }
            Behind::Unheard { replicas, .. } => {
                write!(f, "{replicas} of the other replicas have not been heard of since this one was started")
            }
        }
    }
}

/// Another replica at this moment.
pub(super) enum OtherNow {
    /// Whatever was withdrawn, a gateway may hold its path.
    Holds(Behind),
    /// No gateway holds any path of it.
    Past,
    /// It has told its gateways so much.
    Said {
        identity: Arc<str>,
        /// Nothing of what was withdrawn is announced any more.
        told: Told,
        /// It is at the most like what covers it.
        handed: Told,
        /// It leads.
        leads: bool,
    },
}

/// How much gateways were told.
pub(super) struct Told {
    /// Of each source, in this engine's order.
    at: Vec<Option<u64>>,
    /// Something is kept back by a guard.
    holds: bool,
    /// It is what this replica announces.
    same: bool,
}

/// What of the ledger is announced.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(super) enum Announces {
    #[default]
    Nothing,
    /// What a gateway may still hold that the leader can tell nothing.
    Left,
    All,
}

/// Whether the other's revisions of that source are those of the store that this replica follows. One that has lost it may be about to
/// find another one there, or this one.
fn counts_as(source: &Source, said: &SourceReport) -> bool {
    let store = source.sync.believed().map(|(store, _)| store);
    let is_same = said.store == ClusterId::default() || store == Some(said.store);
    said.complete && said.current && is_same
}

/// Whether no gateway holds any more what was withdrawn, of any of them.
pub(super) fn nobody_is(others: &[OtherNow], batch: &Batch) -> bool {
    others.iter().all(|other| other.behind(batch).is_none())
}

/// Whether of none of them a gateway that the leader can tell nothing holds what was withdrawn itself, and not what covers it.
pub(super) fn nobody_has_left(others: &[OtherNow], batch: &Batch) -> bool {
    others.iter().all(|other| match other {
        OtherNow::Holds(_) => false,
        OtherNow::Past => true,
        // What it says itself is the best path wherever it has a session.
        OtherNow::Said { handed, leads, .. } => *leads || handed.is_past(batch),
    })
}

impl Told {
    fn is_past(&self, batch: &Batch) -> bool {
        let Told { at, holds, same } = self;
        let mut sources = batch.at.iter().zip(at);
        // What was the same before may have been another in between.
        let has_told = sources.all(|(at, told)| at.is_none_or(|at| told.is_some_and(|told| told >= at)));
        let counts = batch.at.iter().all(Option::is_some);
        has_told && (*same || (!batch.ordered && !holds && counts))
    }
}

impl OtherNow {
    /// Why a gateway may hold what was withdrawn; none if no gateway does.
    pub(super) fn behind(&self, batch: &Batch) -> Option<Behind> {
        match self {
            OtherNow::Holds(behind) => Some(behind.clone()),
            OtherNow::Past => None,
            OtherNow::Said { identity, told, .. } => {
                (!told.is_past(batch)).then(|| Behind::Untold { replica: Arc::clone(identity) })
            }
        }
    }

    pub(super) fn until(&self) -> Option<Time> {
        match self {
            OtherNow::Holds(behind) => behind.until(),
            OtherNow::Past | OtherNow::Said { .. } => None,
        }
    }
}

impl Engine {
    /// The others at this moment: those that are known, and as many as there must be besides.
    pub(super) fn others_now(&self, now: Time) -> Vec<OtherNow> {
        let (known, silent) = (self.replicas(), &self.overrides.silent);
        let mut others: Vec<OtherNow> = known.iter().map(|replica| self.other_now(now, replica)).collect();
        let untold = |replica: &Arc<str>| OtherNow::Holds(Behind::Untold { replica: Arc::clone(replica) });
        others.extend(silent.iter().flatten().map(untold));
        let unheard = self.overrides.others.count.saturating_sub(others.len());
        // Before the first reading nobody can be heard of.
        let began = if silent.is_some() { self.overrides.started } else { now };
        let until = began + self.overrides.others.stale;
        if unheard > 0 && now < until {
            others.push(OtherNow::Holds(Behind::Unheard { replicas: unheard, until }));
        }
        others
    }

    fn other_now(&self, now: Time, replica: &KnownReplica) -> OtherNow {
        let stale = self.overrides.others.stale;
        let report = &replica.report;
        let identity = Arc::clone(&report.replica.identity);
        if let Some(gone) = replica.gone {
            let until = gone + stale;
            return if now < until {
                OtherNow::Holds(Behind::Gone { replica: identity, until })
            } else {
                OtherNow::Past
            };
        }
        if report.frozen {
            return OtherNow::Holds(Behind::Frozen { replica: identity });
        }
        if let Some(behind) = self.keeps_left(now, &identity) {
            return OtherNow::Holds(behind);
        }
        let is_same = report.tables == self.tables();
        let told = |told: fn(&SourceReport) -> u64| {
            let of = |source: &Source| report.sources.get(&source.settings.name);
            let at = self.sources.iter().map(|source| of(source).filter(|of| counts_as(source, of)).map(told));
            let mut sources = self.sources.iter().map(of);
            let is_told = sources.all(|of| of.is_some_and(|of| of.complete && told(of) == of.revision));
            Told { at: at.collect(), holds: report.held > 0, same: is_told && is_same }
        };
        // Of an earlier version only the one is known.
        let (told, handed) = (told(|of| of.told), told(|of| of.told.max(of.handed)));
        OtherNow::Said { identity, told, handed, leads: self.leads(replica) }
    }

    /// Whether gateways that have left it keep what that replica told them.
    fn keeps_left(&self, now: Time, replica: &Arc<str>) -> Option<Behind> {
        let Overrides { cut_off, others, .. } = &self.overrides;
        let until = |since: Time| Some(since + others.stale).filter(|until| now < *until);
        let cut_off_from =
            cut_off.last(replica).and_then(|(gateway, since)| Some((Arc::clone(gateway), until(since)?)));
        let replica = Arc::clone(replica);
        match cut_off_from {
            Some((gateway, until)) => Some(Behind::CutOff { replica, gateway, until }),
            None => cut_off.parted(&replica).and_then(until).map(|until| Behind::Parted { replica, until }),
        }
    }

    /// What was withdrawn and is announced like what covers it: who leads announces all, since its paths are the best ones. What gateways
    /// that have no session with that one may go by, which it can tell nothing, the others do: what it said itself before, or another.
    pub(super) fn announces_overrides(&self, now: Time) -> Announces {
        match self.standing_role() {
            Role::Leader { .. } => return Announces::All,
            Role::Alone | Role::Unsure { .. } => return Announces::Nothing,
            Role::Standby { .. } => {}
        }
        let Some(leader) = self.known_leader() else {
            // It has just begun to lead, or is gone: what is announced is needed as before. But not for ever: the others wait for that.
            let is_over = self.overrides.unled.is_some_and(|since| now >= since + self.overrides.others.stale);
            return if is_over { Announces::Nothing } else { self.overrides.announces.min(Announces::Left) };
        };
        let leader = &leader.report.replica.identity;
        let lacks = self.overrides.cut_off.last(leader).is_some() || self.keeps_left(now, leader).is_some();
        if lacks { Announces::Left } else { Announces::Nothing }
    }

    /// The leader whose standby this replica is, if that one's record is known.
    fn known_leader(&self) -> Option<&KnownReplica> {
        self.replicas().iter().find(|other| self.leads(other))
    }

    /// Whether it is the leader whose standby this replica is.
    fn leads(&self, other: &KnownReplica) -> bool {
        let Role::Standby { term, .. } = self.standing_role() else { return false };
        let ReplicaReport { role, term: in_term, .. } = other.report;
        other.gone.is_none() && role == ReportedRole::Leader && in_term.get() == term
    }

    /// What the others say of themselves.
    pub(in crate::engine) fn follow_others(&mut self, now: Time, silent: Vec<Arc<str>>) {
        self.overrides.silent = Some(silent);
        let gateways: Vec<Arc<str>> = self.outlets.configured().map(Arc::from).collect();
        self.overrides.cut_off.follow(now, &self.reporting.others, &gateways);
        let is_unled = matches!(self.standing_role(), Role::Standby { .. }) && self.known_leader().is_none();
        self.overrides.unled = self.overrides.unled.or(Some(now)).filter(|_| is_unled);
        match self.overrides.announces == self.announces_overrides(now) {
            true => self.review_overrides(now),
            false => self.renew_overrides(now),
        }
    }
}
