//! Gateways with which another replica has no session: they keep what it told them.

use crate::model::{Instance, Time};
use crate::replicas::{KnownReplica, Sessions};
use std::collections::BTreeMap;
use std::sync::Arc;

/// By the other replicas' identities.
#[derive(Default, Debug)]
pub(super) struct CutOff(BTreeMap<Arc<str>, Lost>);

/// What one of them has no session with.
#[derive(Debug)]
struct Lost {
    instance: Instance,
    /// Configured gateways, by name, and since when.
    lacking: BTreeMap<Arc<str>, Time>,
    /// As it said last how many of its gateways had joined from ranges, and how many of those had left.
    joined: u64,
    left: u64,
    /// How many sessions with configured gateways had ended.
    ended: u64,
    /// When the last of them left, if one did.
    parted: Option<Time>,
}

impl CutOff {
    /// What the others have said, of these gateways, which are all that are configured: whether this replica has a session with one
    /// itself says nothing of what the gateway keeps of another.
    pub(super) fn follow(&mut self, now: Time, replicas: &[KnownReplica], gateways: &[Arc<str>]) {
        let mut before = std::mem::take(&mut self.0);
        for replica in replicas {
            let identity = &replica.report.replica.identity;
            let known = before.remove(identity);
            // Of one that is gone everything counts; what it had lost long before is past when it comes back, too.
            let lost = if replica.gone.is_none() { Some(Lost::of(now, replica, known, gateways)) } else { known };
            self.0.extend(lost.map(|lost| (Arc::clone(identity), lost)));
        }
    }

    /// The configured gateway that it lost last.
    pub(super) fn last(&self, replica: &str) -> Option<(&Arc<str>, Time)> {
        let lacking = &self.0.get(replica)?.lacking;
        lacking.iter().max_by_key(|(_, since)| **since).map(|(gateway, since)| (gateway, *since))
    }

    /// When it last lost one that had joined from a range: nobody knows whether that one has come back to it.
    pub(super) fn parted(&self, replica: &str) -> Option<Time> {
        self.0.get(replica)?.parted
    }
}

impl Lost {
    fn of(now: Time, KnownReplica { report, .. }: &KnownReplica, before: Option<Lost>, gateways: &[Arc<str>]) -> Self {
        let Sessions { gateways: has, left, ended, .. } = &report.sessions;
        let (instance, left, ended, joined) = (report.replica.instance, *left, *ended, report.sessions.joined());
        // They are in order; of one that says otherwise more is waited for.
        let lacks = gateways.iter().filter(|gateway| has.binary_search_by(|name| (**name).cmp(gateway)).is_err());
        let known = |gateway: &Arc<str>| before.as_ref().and_then(|before| before.lacking.get(gateway)).copied();
        let mut lacking: BTreeMap<Arc<str>, Time> =
            lacks.map(|gateway| (Arc::clone(gateway), known(gateway).unwrap_or(now))).collect();
        let of_this = before.as_ref().filter(|before| before.instance == instance);
        let lost = lacking.keys().filter(|gateway| of_this.is_some() && known(gateway).is_none()).count();
        let more = ended.saturating_sub(of_this.map_or(0, |before| before.ended));
        if more > u64::try_from(lost).unwrap_or(u64::MAX) {
            // One has come and gone meanwhile. If it is one of these, it was told everything once more.
            lacking.values_mut().for_each(|since| *since = now);
        }
        let parts = match &before {
            // It may have lost some just before.
            None => left > 0,
            Some(before) if before.instance != instance => before.joined > 0 || left > 0,
            // One of an earlier version does not count those that left.
            Some(before) => left != before.left || joined < before.joined,
        };
        let parted = if parts { Some(now) } else { before.and_then(|before| before.parted) };
        Lost { instance, lacking, joined, left, ended, parted }
    }
}

#[cfg(test)]
mod tests {
    use super::CutOff;
    use crate::model::{Instance, Time};
    use crate::replicas::{KnownReplica, report};
    use std::sync::Arc;
    use std::time::Duration;

    fn at(seconds: u64) -> Time {
        Time::since_start(Duration::from_secs(seconds))
    }

    /// With sessions with these configured ones, and with so many others.
    fn with(gateways: &[&str], joined: u64, left: u64) -> KnownReplica {
        let mut report = report("b");
        report.sessions.gateways = gateways.iter().map(|name| (*name).to_owned()).collect();
        report.sessions.established = joined + u64::try_from(gateways.len()).unwrap();
        report.sessions.left = left;
        KnownReplica { report, gone: None }
    }

    #[test]
    fn p5_what_a_replica_lacked_long_before_it_went_is_past_when_it_comes_back() {
        let all: [Arc<str>; 2] = ["core-a".into(), "core-b".into()];
        let mut cut_off = CutOff::default();
        cut_off.follow(at(1), &[with(&["core-a"], 0, 0)], &all);
        cut_off.follow(at(700), &[KnownReplica { gone: Some(at(700)), ..with(&["core-a"], 0, 0) }], &all);
        cut_off.follow(at(702), &[with(&["core-a"], 0, 0)], &all);
        assert_eq!(cut_off.last("b"), Some((&all[1], at(1))));
        cut_off.follow(at(703), &[with(&[], 0, 0)], &all);
        assert_eq!(cut_off.last("b"), Some((&all[0], at(703))));
        cut_off.follow(at(704), &[with(&["core-a", "core-b"], 0, 0)], &all);
        assert_eq!(cut_off.last("b"), None);
    }

    #[test]
    fn p5_a_session_that_came_and_went_between_two_records_counts() {
        let all: [Arc<str>; 2] = ["core-a".into(), "core-b".into()];
        let mut cut_off = CutOff::default();
        let mut step = |seconds, gateways: &[&str], ended| {
            let mut replica = with(gateways, 0, 0);
            replica.report.sessions.ended = ended;
            cut_off.follow(at(seconds), &[replica], &all);
            cut_off.last("b").map(|(gateway, since)| (gateway.to_string(), since))
        };
        assert_eq!(step(1, &["core-a"], 0), Some(("core-b".into(), at(1))));
        assert_eq!(step(700, &["core-a"], 1), Some(("core-b".into(), at(700))), "it was told all once more");
        assert_eq!(step(701, &["core-a"], 1), Some(("core-b".into(), at(700))));
        assert_eq!(step(702, &[], 2), Some(("core-a".into(), at(702))), "that was this one's");
        assert_eq!(step(703, &["core-a"], 2), Some(("core-b".into(), at(700))));
        assert_eq!(step(704, &["core-a", "core-b"], 9), None, "who has a session is told what is so");
    }

    #[test]
    fn p5_a_gateway_from_a_range_that_a_replica_has_lost_may_keep_its_paths_though_another_has_joined() {
        let mut cut_off = CutOff::default();
        let mut step = |seconds, replica| {
            cut_off.follow(at(seconds), &[replica], &[]);
            cut_off.parted("b")
        };
        assert_eq!(step(1, with(&[], 3, 0)), None);
        assert_eq!(step(2, with(&[], 4, 0)), None, "one more");
        assert_eq!(step(3, with(&[], 4, 1)), Some(at(3)), "one has left, and another has come");
        assert_eq!(step(4, with(&[], 4, 1)), Some(at(3)));
        assert_eq!(step(5, with(&[], 3, 1)), Some(at(5)), "as one of an earlier version says it");
        let mut another = with(&[], 0, 0);
        another.report.replica.instance = Instance(7);
        assert_eq!(step(6, another.clone()), Some(at(6)), "its process before had some");
        assert_eq!(step(7, another), Some(at(6)));
    }

    #[test]
    fn p5_one_that_is_new_to_this_process_may_have_lost_gateways_from_ranges_just_before() {
        let mut cut_off = CutOff::default();
        cut_off.follow(at(1), &[with(&[], 0, 1)], &[]);
        assert_eq!(cut_off.parted("b"), Some(at(1)));
    }
}
