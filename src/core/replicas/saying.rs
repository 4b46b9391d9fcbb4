//! When a replica writes down what it says of itself: each record is a revision more for a store whose history nobody may compact.

use super::{Reading, ReplicaReport, ReportedRole};
use crate::model::{Term, Time};
use bytes::Bytes;
use std::time::Duration;

/// So many records may be written one a look after the other, and from then on one each so often. What it is in the election is said
/// at once.
const BURST: u32 = 10;
const PACE: Duration = Duration::from_secs(5);

/// How far this replica has come with saying what it is.
#[derive(Debug)]
pub struct Saying {
    /// What stands there of it.
    said: Option<Bytes>,
    /// And of its part.
    part: Option<Part>,
    /// Since when it has not got it said.
    unsaid: Option<Time>,
    pace: Pace,
}

impl Saying {
    /// Nothing was said yet.
    pub fn new(now: Time) -> Self {
        Saying { said: None, part: None, unsaid: None, pace: Pace::full(now) }
    }

    /// Whether this is to be written now; then it counts.
    pub fn is_due(&mut self, now: Time, own: &ReplicaReport) -> bool {
        // One that ends waits for it, and so does what only another may withdraw.
        let is_urgent = self.part != Some(Part::of(own));
        self.said.as_ref() != Some(&own.encode()) && (is_urgent || self.pace.take(now))
    }

    /// The store has answered: it was written, or it was not, for this process does not take part.
    pub fn written(&mut self, now: Time, own: &ReplicaReport, is_said: bool) {
        self.said = is_said.then(|| own.encode());
        self.part = is_said.then(|| Part::of(own));
        self.unsaid = if is_said { None } else { Some(self.unsaid.unwrap_or(now)) };
    }

    /// That stands there now. Somebody may have written it over, or the store was put back to a backup: it is said again.
    pub fn read(&mut self, reading: &Reading) {
        self.said.take_if(|said| reading.own.as_ref().map(ReplicaReport::encode).as_ref() != Some(said));
    }

    /// Since when it may not say anything.
    pub fn unsaid(&self) -> Option<Time> {
        self.unsaid
    }
}

/// What it is in the election, whether all its gateways know, and whether it stays: nobody else is to count on it and leave as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Part {
    role: ReportedRole,
    term: Term,
    restamping: bool,
    leaving: bool,
}

impl Part {
    fn of(own: &ReplicaReport) -> Self {
        Part { role: own.role, term: own.term, restamping: own.restamping, leaving: own.leaving }
    }
}

/// How many records may be written now.
#[derive(Debug)]
struct Pace {
    left: u32,
    since: Time,
}

impl Pace {
    fn full(now: Time) -> Self {
        Pace { left: BURST, since: now }
    }

    /// Whether one may be written now; then it counts.
    fn take(&mut self, now: Time) -> bool {
        while self.left < BURST && now.since(self.since) >= PACE {
            self.left += 1;
            self.since = self.since + PACE;
        }
        if self.left == BURST {
            self.since = now;
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::since_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_store_that_changes_all_the_time_is_not_filled_with_status_records() {
        let mut pace = Pace::full(at(0));
        let written: Vec<u64> = (1000..1060).filter(|second| pace.take(at(*second))).collect();
        assert_eq!(&written[..10], &(1000..1010).collect::<Vec<_>>()[..], "one a second at first");
        assert_eq!(written.len(), 10 + 11, "then one every five: {written:?}");
        let rested: Vec<u64> = (2000..2010).filter(|second| pace.take(at(*second))).collect();
        assert_eq!(rested.len(), 10);
    }

    #[test]
    fn what_is_new_is_written_and_what_stands_there_is_not_unless_another_has_written_it_over() {
        let (mut saying, mut own) = (Saying::new(at(0)), report("10.0.3.1"));
        assert!(saying.is_due(at(1), &own));
        saying.written(at(1), &own, true);
        saying.read(&Reading { own: Some(own.clone()), ..Reading::default() });
        assert!(!saying.is_due(at(2), &own));
        saying.read(&Reading::default());
        assert!(saying.is_due(at(3), &own), "it was put back to before it was written");
        saying.written(at(3), &own, true);
        own.held += 1;
        assert!(saying.is_due(at(4), &own));
    }

    #[test]
    fn what_it_is_in_the_election_waits_for_no_pace() {
        let (mut saying, mut own) = (Saying::new(at(0)), report("10.0.3.1"));
        let mut say = |own: &ReplicaReport| {
            let is_due = saying.is_due(at(1), own);
            if is_due {
                saying.written(at(1), own, true);
            }
            is_due
        };
        while say(&own) {
            own.held += 1;
        }
        assert_eq!(own.held, 1 + 1 + u64::from(BURST), "the first was urgent");
        own.restamping = !own.restamping;
        assert!(say(&own));
        own.leaving = !own.leaving;
        assert!(say(&own));
    }

    #[test]
    fn it_is_known_since_when_a_process_that_does_not_take_part_has_said_nothing() {
        let (mut saying, own) = (Saying::new(at(0)), report("10.0.3.1"));
        assert_eq!(saying.unsaid(), None);
        for second in [1, 2] {
            assert!(saying.is_due(at(second), &own));
            saying.written(at(second), &own, false);
        }
        assert_eq!(saying.unsaid(), Some(at(1)));
        saying.written(at(3), &own, true);
        assert_eq!(saying.unsaid(), None);
    }
}
