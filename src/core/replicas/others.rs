//! The other replicas, as they are read: who is there, who is gone since when, and whose words make no sense.

use super::{KnownReplica, Malformed, ReplicaReport};
use crate::model::{Instance, Replica, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Replicas that are known at the most: whoever else stands there is left out.
const MOST: usize = 64;
/// After so long nobody counts on it any more that a replica comes back, and no gateway keeps its paths.
const FORGET: Duration = Duration::from_secs(7 * 24 * 3600);
/// After so long everybody who is there has read that a replica was taken out of service, and its record can go.
const READ: Duration = Duration::from_secs(60);

/// What stands under an identity, read at one revision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Posted {
    /// The identity, by the key.
    pub identity: Arc<str>,
    /// What it says of itself, if there is anything.
    pub said: Option<Said>,
    /// Which process of that identity takes part, if one does.
    pub present: Option<Instance>,
}

/// A record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// What it says.
    pub report: Result<ReplicaReport, Malformed>,
    /// When it was written, in the store's counting: it tells records apart.
    pub revision: i64,
}

/// What came of a reading.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Reading {
    /// What the store has of this replica itself.
    pub own: Option<ReplicaReport>,
    /// Records that make no sense, once each: whose, and why.
    pub refused: Vec<(Arc<str>, Malformed)>,
    /// Who is never waited for any more, and when its record was written: it can go.
    pub forgotten: Vec<(Arc<str>, i64)>,
    /// There are more replicas than are looked at.
    pub too_many: bool,
    /// Who takes part, and nothing that it says was ever read: it may have told gateways anything.
    pub silent: Vec<Arc<str>>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Others {
    me: Replica,
    known: BTreeMap<Arc<str>, KnownReplica>,
    /// Who was taken out of service, and when that was first read.
    retired: BTreeMap<Arc<str>, Time>,
    /// Records that were refused, as they were then.
    refused: BTreeMap<Arc<str>, i64>,
}

impl Others {
    /// Nobody is known to this one yet.
    pub fn of(me: Replica) -> Self {
        Others { me, known: BTreeMap::new(), retired: BTreeMap::new(), refused: BTreeMap::new() }
    }

    /// Who is known.
    pub fn known(&self) -> impl Iterator<Item = &KnownReplica> {
        self.known.values()
    }

    /// This stands there now: all of it.
    pub fn take(&mut self, now: Time, posted: Vec<Posted>) -> Reading {
        let mut reading = Reading::default();
        let stands = |identity: &Arc<str>| posted.iter().any(|posted| posted.identity == *identity);
        self.refused.retain(|identity, _| stands(identity));
        self.retired.retain(|identity, _| stands(identity));
        // A store that was wiped or put back to a backup takes records away, and so may a person: gateways know nothing of that.
        let vanished = self.known.iter_mut().filter(|(identity, _)| !stands(identity));
        vanished.for_each(|(_, known)| _ = known.gone.get_or_insert(now));
        let is_forgotten = |known: &KnownReplica| known.gone.is_some_and(|gone| now.since(gone) >= FORGET);
        self.known.retain(|identity, known| stands(identity) || !is_forgotten(known));
        for Posted { identity, said, present } in posted {
            let revision = said.as_ref().map(|said| said.revision);
            let report = said.and_then(|said| self.read(&identity, said, &mut reading));
            if identity == self.me.identity {
                reading.own = report;
                continue;
            }
            // A store that was put back to a backup may say so of one that is back in service.
            let is_retired = present.is_none() && report.as_ref().is_some_and(|report| report.retired);
            if let Some(revision) = revision.filter(|_| is_retired) {
                self.known.remove(&identity);
                let since = *self.retired.entry(Arc::clone(&identity)).or_insert(now);
                if now.since(since) >= READ {
                    reading.forgotten.push((identity, revision));
                }
                continue;
            }
            self.retired.remove(&identity);
            let before = self.known.get(&identity);
            let is_new = before.is_none();
            let Some(report) = report.or_else(|| Some(before?.report.clone())) else {
                reading.silent.extend(present.map(|_| identity));
                continue;
            };
            if is_new && self.known.len() >= MOST && !(present.is_some() && self.make_room()) {
                reading.too_many = true;
                continue;
            }
            let before = self.known.get(&identity);
            // A process that has begun and said nothing yet is not the one that said this.
            let is_present = present == Some(report.replica.instance);
            let gone = (!is_present).then(|| before.and_then(|before| before.gone).unwrap_or(now));
            if gone.is_some_and(|gone| now.since(gone) >= FORGET) {
                self.known.remove(&identity);
                reading.forgotten.extend(revision.map(|revision| (identity, revision)));
                continue;
            }
            self.known.insert(identity, KnownReplica { report, gone });
        }
        reading
    }

    /// Who has been gone for longest makes room for one that is there.
    fn make_room(&mut self) -> bool {
        let gone = self.known.iter().filter_map(|(identity, known)| Some((known.gone?, Arc::clone(identity))));
        gone.min().is_some_and(|(_, identity)| self.known.remove(&identity).is_some())
    }

    fn read(&mut self, identity: &Arc<str>, said: Said, reading: &mut Reading) -> Option<ReplicaReport> {
        let of_another = |report: &ReplicaReport| report.replica.identity != *identity;
        let refused = match said.report {
            _ if !Replica::is_identity(identity) => Malformed::Name,
            Ok(report) if of_another(&report) => Malformed::OfAnother,
            Ok(report) => {
                self.refused.remove(identity);
                return Some(report);
            }
            Err(malformed) => malformed,
        };
        if self.refused.insert(Arc::clone(identity), said.revision).is_none() {
            reading.refused.push((Arc::clone(identity), refused));
        }
        None
    }

    /// This replica's number as a standby, where it would like to have `wanted`: the next one that no replica has whose identity
    /// comes before its own. Each moves on for those before it only, so that all come to rest.
    pub fn ordinal(&self, wanted: u32, numbers: u32) -> u32 {
        let is_taken = |ordinal: u32| {
            let before = self.known.values().filter(|known| known.report.replica.identity < self.me.identity);
            before.into_iter().any(|known| known.report.ordinal == ordinal)
        };
        let others = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        let candidates = (0..=others).map(|step| wanted.wrapping_add(step) % numbers.max(1));
        candidates.into_iter().find(|ordinal| !is_taken(*ordinal)).unwrap_or(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    fn me() -> Replica {
        report("10.0.3.2").replica
    }

    fn at(seconds: u64) -> Time {
        Time::since_start(Duration::from_secs(seconds))
    }

    fn posted(identity: &str, revision: i64) -> Posted {
        let report = report(identity);
        let present = Some(report.replica.instance);
        Posted { identity: identity.into(), said: Some(Said { report: Ok(report), revision }), present }
    }

    fn gone(others: &Others) -> Vec<(String, Option<Time>)> {
        others.known().map(|known| (known.report.replica.identity.to_string(), known.gone)).collect()
    }

    #[test]
    fn a_replica_that_restarts_is_known_as_gone_until_its_next_process_says_something() {
        let mut others = Others::of(me());
        let own = posted("10.0.3.2", 4);
        let reading = others.take(at(1), vec![own.clone(), posted("10.0.3.1", 5)]);
        assert_eq!(reading.own, Some(report("10.0.3.2")));
        assert_eq!(gone(&others), [("10.0.3.1".to_owned(), None)]);
        let left = Posted { present: None, ..posted("10.0.3.1", 5) };
        others.take(at(2), vec![own.clone(), left.clone()]);
        others.take(at(9), vec![own.clone(), left]);
        assert_eq!(gone(&others), [("10.0.3.1".to_owned(), Some(at(2)))]);
        let began = Posted { present: Some(Instance(7)), ..posted("10.0.3.1", 5) };
        others.take(at(10), vec![began]);
        assert_eq!(gone(&others), [("10.0.3.1".to_owned(), Some(at(2)))], "its table may be another one");
        let mut says = report("10.0.3.1");
        says.replica.instance = Instance(7);
        let said = Some(Said { report: Ok(says), revision: 9 });
        others.take(at(11), vec![Posted { said, present: Some(Instance(7)), ..posted("10.0.3.1", 9) }]);
        assert_eq!(gone(&others), [("10.0.3.1".to_owned(), None)]);
    }

    #[test]
    fn p5_who_was_taken_out_of_service_is_waited_for_no_more_and_its_record_goes_when_all_have_read_it() {
        let mut others = Others::of(me());
        others.take(at(1), vec![posted("10.0.3.1", 5)]);
        let mut says = report("10.0.3.1");
        says.retired = true;
        let said = Some(Said { report: Ok(says), revision: 6 });
        let retired = Posted { said, present: None, ..posted("10.0.3.1", 6) };
        assert_eq!(others.take(at(2), vec![retired.clone()]).forgotten, []);
        assert_eq!(gone(&others), []);
        assert_eq!(others.take(at(61), vec![retired.clone()]).forgotten, []);
        assert_eq!(others.take(at(62), vec![retired]).forgotten, [("10.0.3.1".into(), 6)]);
        others.take(at(63), vec![]);
        assert_eq!(gone(&others), []);
        others.take(at(64), vec![posted("10.0.3.1", 9)]);
        assert_eq!(gone(&others), [("10.0.3.1".to_owned(), None)], "it is back in service");
        // The store was put back to a backup of the time before that.
        let present = Some(report("10.0.3.1").replica.instance);
        let mut says = report("10.0.3.1");
        (says.retired, says.replica.instance) = (true, Instance(7));
        let said = Some(Said { report: Ok(says), revision: 6 });
        others.take(at(65), vec![Posted { said, present, ..posted("10.0.3.1", 6) }]);
        assert_eq!(gone(&others), [("10.0.3.1".to_owned(), Some(at(65)))], "gateways may hold its paths");
    }

    #[test]
    fn p5_whose_record_goes_without_a_word_is_known_as_gone() {
        let mut others = Others::of(me());
        others.take(at(1), vec![posted("10.0.3.1", 5), posted("10.0.3.3", 6)]);
        // The store was put back to before both.
        others.take(at(2), vec![]);
        let both = [("10.0.3.1".to_owned(), Some(at(2))), ("10.0.3.3".to_owned(), Some(at(2)))];
        assert_eq!(gone(&others), both);
        others.take(at(4), vec![posted("10.0.3.3", 2)]);
        let one = ("10.0.3.1".to_owned(), Some(at(2)));
        assert_eq!(gone(&others), [one.clone(), ("10.0.3.3".to_owned(), None)], "one of them lives");
        let week = FORGET.as_secs();
        others.take(at(week + 1), vec![posted("10.0.3.3", 2)]);
        assert_eq!(gone(&others)[0], one);
        others.take(at(week + 2), vec![posted("10.0.3.3", 2)]);
        assert_eq!(gone(&others), [("10.0.3.3".to_owned(), None)]);
    }

    #[test]
    fn who_has_been_gone_for_a_week_is_forgotten() {
        let mut others = Others::of(me());
        let left = Posted { present: None, ..posted("10.0.3.1", 5) };
        assert_eq!(others.take(at(1), vec![left.clone()]).forgotten, []);
        let week = FORGET.as_secs();
        assert_eq!(others.take(at(week), vec![left.clone()]).forgotten, []);
        assert_eq!(others.take(at(week + 1), vec![left]).forgotten, [("10.0.3.1".into(), 5)]);
        assert_eq!(gone(&others), []);
    }

    #[test]
    fn a_record_that_makes_no_sense_is_told_once_and_what_was_known_stays() {
        let mut others = Others::of(me());
        others.take(at(1), vec![posted("10.0.3.1", 5)]);
        let broken = |revision| {
            let said = Some(Said { report: Err(Malformed::Form), revision });
            Posted { said, ..posted("10.0.3.1", revision) }
        };
        assert_eq!(others.take(at(2), vec![broken(6)]).refused, [("10.0.3.1".into(), Malformed::Form)]);
        assert_eq!(others.take(at(3), vec![broken(7)]).refused, [], "as broken as before");
        assert_eq!(gone(&others), [("10.0.3.1".to_owned(), None)]);
        assert_eq!(others.take(at(4), vec![posted("10.0.3.1", 8)]).refused, []);
        assert_eq!(others.take(at(5), vec![broken(9)]).refused.len(), 1, "it had been right again");
        let control = Posted { identity: "10.0.3.4\u{1b}".into(), ..posted("10.0.3.4\u{1b}", 3) };
        assert_eq!(others.take(at(6), vec![control]).refused, [("10.0.3.4\u{1b}".into(), Malformed::Name)]);
        // One under another's name.
        let other = Posted { identity: "10.0.3.3".into(), ..posted("10.0.3.1", 10) };
        assert_eq!(others.take(at(6), vec![other]).refused, [("10.0.3.3".into(), Malformed::OfAnother)]);
    }

    #[test]
    fn many_records_do_not_fill_the_memory() {
        let mut others = Others::of(me());
        let all = (0..200).map(|n| posted(&format!("replica-{n}"), n)).collect();
        assert!(others.take(at(1), all).too_many);
        assert_eq!(others.known().count(), MOST);
    }

    #[test]
    fn one_that_is_there_is_known_whoever_has_gone_before() {
        let mut others = Others::of(me());
        let gone = |n: i64| Posted { present: None, ..posted(&format!("pod-{n:03}"), n) };
        let mut all: Vec<Posted> = (0..100).map(gone).collect();
        assert!(others.take(at(1), all.clone()).too_many);
        all.push(posted("replica", 200));
        others.take(at(2), all.clone());
        assert!(others.known().any(|known| known.gone.is_none()), "it is waited for");
        others.take(at(3), all);
        assert_eq!(others.known().filter(|known| known.gone.is_none()).count(), 1);
    }

    #[test]
    fn p5_who_takes_part_and_says_nothing_that_can_be_read_is_named() {
        let mut others = Others::of(me());
        let broken = Some(Said { report: Err(Malformed::Form), revision: 5 });
        let silent = Posted { said: broken, ..posted("10.0.3.1", 5) };
        assert_eq!(others.take(at(1), vec![silent.clone()]).silent, ["10.0.3.1".into()]);
        assert_eq!(others.take(at(2), vec![Posted { said: None, ..silent.clone() }]).silent, ["10.0.3.1".into()]);
        assert_eq!(others.take(at(3), vec![Posted { present: None, ..silent.clone() }]).silent, []);
        assert_eq!(others.take(at(4), vec![posted("10.0.3.1", 6)]).silent, []);
        assert_eq!(others.take(at(5), vec![silent]).silent, [], "what it said last counts");
    }

    #[test]
    fn p7_of_two_standbys_that_would_have_one_number_the_later_takes_another() {
        let with = |identity: &str, ordinal: u32| {
            let mut report = report(identity);
            report.ordinal = ordinal;
            let present = Some(report.replica.instance);
            Posted { identity: identity.into(), said: Some(Said { report: Ok(report), revision: 1 }), present }
        };
        let mut others = Others::of(me());
        others.take(at(1), vec![with("10.0.3.1", 12), with("10.0.3.3", 13)]);
        assert_eq!(others.ordinal(12, 900_000), 13, "who comes later makes way for it");
        assert_eq!(others.ordinal(13, 900_000), 13);
        assert_eq!(others.ordinal(11, 900_000), 11);
        others.take(at(2), vec![with("10.0.3.1", 0), with("10.0.3.3", 13)]);
        assert_eq!(others.ordinal(899_999, 900_000), 899_999);
        others.take(at(3), vec![with("10.0.3.1", 899_999)]);
        assert_eq!(others.ordinal(899_999, 900_000), 0);
    }
}
