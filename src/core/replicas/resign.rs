//! When a leader has no gateways and another replica has, it leaves the lead to that one: the leader's stamp is of use only where
//! somebody hears it. And when it has not read its sources, or has lost one, and another has all: what it announces is what it knew before.

use super::{KnownReplica, ReplicaReport, ReportedRole};
use crate::model::Time;
use std::time::Duration;

/// For so long it has to be so: sessions take their time after a start.
const FOR: Duration = Duration::from_secs(10);
/// And for so long where a source was lost: most come back by themselves, and those whose store is down are lost to all.
const LOST_FOR: Duration = Duration::from_secs(20);
/// Between two resignations of one process: gateways that come and go must not carry the lead to and fro.
const AGAIN: Duration = Duration::from_secs(120);

/// Why a leader leaves the lead to another replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resigns {
    /// It has no session with any gateway, and the other one has.
    Unheard,
    /// It has not read all that its sources say, and the other one has.
    Unread,
    /// It has lost a source, and the other one has not: it does not hear what changes there.
    Lost,
}

impl Resigns {
    fn after(self) -> Duration {
        match self {
            Resigns::Unheard | Resigns::Unread => FOR,
            Resigns::Lost => LOST_FOR,
        }
    }
}

/// See the module.
#[derive(Default, Debug)]
pub struct Resigning {
    /// Why it would, and since when.
    why: Option<(Resigns, Time)>,
    last: Option<Time>,
}

impl Resigning {
    /// Why it resigns now, if it does. `own`: what it says of itself.
    pub fn step<'a>(
        &mut self,
        now: Time,
        own: &ReplicaReport,
        others: impl IntoIterator<Item = &'a KnownReplica>,
    ) -> Option<Resigns> {
        let does_better = |other: &KnownReplica| {
            // Who leads must not change what gateways go by while nothing is to change.
            let may_change = !own.frozen && !other.report.frozen;
            let has_the_same = other.report.sources.keys().eq(own.sources.keys());
            match own.sessions.established {
                _ if !could_lead(other) => None,
                0 => Some(Resigns::Unheard),
                _ if !may_change || !has_the_same => None,
                _ if !own.has_read() => Some(Resigns::Unread),
                _ => (!has_all_now(own) && has_all_now(&other.report)).then_some(Resigns::Lost),
            }
        };
        let better: Vec<(Resigns, &KnownReplica)> =
            others.into_iter().filter_map(|other| Some((does_better(other)?, other))).collect();
        let why = better.first().map(|(why, _)| *why).filter(|_| own.role == ReportedRole::Leader);
        self.why = self.why.filter(|(before, _)| why == Some(*before)).or(why.map(|why| (why, now)));
        let (why, since) = self.why?;
        let is_rested = self.last.is_none_or(|last| now.since(last) >= AGAIN);
        // Where the election's store fails now and then one that could lead has trouble now and then: not at this moment, or it is not followed.
        let would_now = better.iter().any(|(_, other)| !other.report.trouble);
        if now.since(since) < why.after() || !is_rested || !would_now {
            return None;
        }
        (self.why, self.last) = (None, Some(now));
        Some(why)
    }
}

/// Whether who leads, as far as these know, has read its sources; none if nobody does.
pub fn leader_has_read<'a>(own: &'a ReplicaReport, others: impl IntoIterator<Item = &'a KnownReplica>) -> Option<bool> {
    let there = others.into_iter().filter(|other| other.gone.is_none()).map(|other| &other.report).chain([own]);
    let leader = there.filter(|report| report.role == ReportedRole::Leader).max_by_key(|report| report.term)?;
    Some(leader.has_read())
}

/// Whether it is there and stays, knows its routes, and has somebody to tell.
fn could_lead(KnownReplica { report, gone }: &KnownReplica) -> bool {
    gone.is_none()
        && report.role == ReportedRole::Standby
        && report.sessions.established > 0
        && !report.leaving
        && report.has_read()
}

fn has_all_now(report: &ReplicaReport) -> bool {
    report.sources.values().all(|source| source.current)
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::since_start(Duration::from_secs(seconds))
    }

    fn leader(sessions: u64) -> ReplicaReport {
        let mut own = report("10.0.3.1");
        (own.role, own.sessions.established) = (ReportedRole::Leader, sessions);
        own
    }

    #[test]
    fn a_leader_without_gateways_resigns_after_a_while_and_not_again_soon() {
        let (own, others) = (leader(0), [KnownReplica { report: report("10.0.3.2"), gone: None }]);
        let mut resigning = Resigning::default();
        let resigned: Vec<u64> =
            (0..300).filter(|second| resigning.step(at(*second), &own, &others).is_some()).collect();
        assert_eq!(resigned, [10, 130, 250]);
    }

    #[test]
    fn it_stays_while_it_has_a_gateway_or_nobody_could_do_better() {
        let able = || KnownReplica { report: report("10.0.3.2"), gone: None };
        let resigns = |own: &ReplicaReport, other: KnownReplica| {
            let mut resigning = Resigning::default();
            (0..60).any(|second| resigning.step(at(second), own, [&other]).is_some())
        };
        assert!(resigns(&leader(0), able()));
        assert!(!resigns(&leader(1), able()));
        assert!(!resigns(&report("10.0.3.1"), able()), "a standby has nothing to resign from");
        type Change = fn(&mut KnownReplica);
        let unable: [Change; 6] = [
            |other| other.gone = Some(Time::ZERO),
            |other| other.report.role = ReportedRole::Unsure,
            |other| other.report.sessions.established = 0,
            |other| other.report.trouble = true,
            |other| other.report.leaving = true,
            |other| other.report.sources.values_mut().for_each(|source| source.complete = false),
        ];
        for change in unable {
            let mut other = able();
            change(&mut other);
            assert!(!resigns(&leader(0), other.clone()), "{other:?}");
        }
    }

    #[test]
    fn p7_a_leader_that_has_not_read_its_sources_leaves_the_lead_to_one_that_has() {
        let mut own = leader(2);
        own.sources.values_mut().for_each(|source| source.complete = false);
        let resigns = |own: &ReplicaReport, other: ReplicaReport| {
            let (mut resigning, other) = (Resigning::default(), KnownReplica { report: other, gone: None });
            (0..60).find_map(|second| resigning.step(at(second), own, [&other]))
        };
        let able = report("10.0.3.2");
        assert_eq!(resigns(&own, able.clone()), Some(Resigns::Unread));
        assert_eq!(resigns(&leader(2), able.clone()), None);
        let mut unable = [able.clone(), able.clone(), able.clone(), able.clone()];
        unable[3].sources = [("lab".to_owned(), able.sources["prod"])].into();
        unable[0].sources.values_mut().for_each(|source| source.complete = false);
        unable[1].frozen = true;
        unable[2].sessions.established = 0;
        unable.into_iter().for_each(|other| assert_eq!(resigns(&own, other.clone()), None, "{other:?}"));
        own.frozen = true;
        assert_eq!(resigns(&own, able), None, "nothing is to change");
    }

    #[test]
    fn p7_a_replica_that_has_trouble_now_and_then_can_be_left_the_lead_when_it_has_none() {
        let mut own = leader(2);
        own.sources.values_mut().for_each(|source| source.complete = false);
        let mut resigning = Resigning::default();
        let resigned = (0..60).find(|second| {
            let mut report = report("10.0.3.2");
            report.trouble = second % 7 < 6;
            resigning.step(at(*second), &own, &[KnownReplica { report, gone: None }]).is_some()
        });
        assert_eq!(resigned, Some(13));
    }

    #[test]
    fn whether_who_leads_has_read_its_sources_is_known_of_oneself_and_of_others() {
        let unread = |mut report: ReplicaReport| {
            report.sources.values_mut().for_each(|source| source.complete = false);
            report
        };
        let other = |report| KnownReplica { report, gone: None };
        let standby = report("10.0.3.2");
        assert_eq!(leader_has_read(&leader(2), [&other(unread(standby.clone()))]), Some(true));
        assert_eq!(leader_has_read(&unread(leader(2)), [&other(standby.clone())]), Some(false));
        assert_eq!(leader_has_read(&standby, [&other(unread(leader(2)))]), Some(false));
        assert_eq!(leader_has_read(&standby, [&KnownReplica { report: leader(2), gone: Some(Time::ZERO) }]), None);
        let mut newer = unread(leader(2));
        newer.term = newer.term.next().unwrap();
        assert_eq!(leader_has_read(&newer, [&other(leader(2))]), Some(false), "the other does not know yet");
    }

    #[test]
    fn p5_a_leader_that_has_lost_a_source_leaves_the_lead_to_one_that_has_not() {
        let lose = |report: &mut ReplicaReport| report.sources.values_mut().for_each(|source| source.current = false);
        let resigns = |own: &ReplicaReport, other: &ReplicaReport| {
            let (mut resigning, other) = (Resigning::default(), KnownReplica { report: other.clone(), gone: None });
            (0..60).find_map(|second| Some((second, resigning.step(at(second), own, [&other])?)))
        };
        let (mut own, mut other) = (leader(2), report("10.0.3.2"));
        lose(&mut own);
        assert_eq!(resigns(&own, &other), Some((20, Resigns::Lost)));
        let mut unheard = own.clone();
        unheard.sessions.established = 0;
        assert_eq!(resigns(&unheard, &other), Some((10, Resigns::Unheard)));
        own.frozen = true;
        assert_eq!(resigns(&own, &other), None, "nothing is to change");
        own.frozen = false;
        lose(&mut other);
        assert_eq!(resigns(&own, &other), None, "the store is down, or both are cut from it");
    }

    #[test]
    fn a_session_in_between_begins_the_wait_anew() {
        let (others, mut resigning) = ([KnownReplica { report: report("10.0.3.2"), gone: None }], Resigning::default());
        for second in 0..100 {
            let sessions = u64::from(second % 9 == 0);
            assert_eq!(resigning.step(at(second), &leader(sessions), &others), None, "{second}");
        }
    }
}
