//! How many events about single records there may be: a list may bring a hundred thousand with one defect, and a record may
//! change all the time. They must not push everything else out.

use super::event::More;
use crate::engine::lots::Lots;
use crate::model::{SourceId, Time};
use std::time::Duration;

/// Of each source so many are told …
const FIRST: usize = 100;
/// … in such a time; then how many others there were.
const PAUSE: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct Records(Lots<SourceId>);

impl Default for Records {
    fn default() -> Self {
        Records(Lots::new(FIRST, PAUSE))
    }
}

impl Records {
    /// Whether one more of the source is told; else it is counted.
    pub(super) fn admit(&mut self, now: Time, source: SourceId) -> bool {
        self.0.admit(now, source)
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.0.next_deadline()
    }

    /// Begins anew where it is time, and says how many were left out.
    pub(super) fn end(&mut self, now: Time) -> Option<More> {
        let left_out: usize = self.0.end(now).map(|(_, left_out)| left_out).sum();
        (left_out > 0).then(|| More { records: left_out, ..More::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST, PAUSE, Records};
    use crate::model::{SourceId, Time};

    #[test]
    fn a_hundred_thousand_records_are_a_hundred_events_and_a_number() {
        let (mut records, now) = (Records::default(), Time::ZERO);
        let told = (0..100_000).filter(|_| records.admit(now, SourceId(0))).count();
        assert_eq!(told, FIRST);
        assert!(records.admit(now, SourceId(1)), "another source has its own room");
        assert_eq!(records.next_deadline(), Some(now + PAUSE));
        assert!(records.end(now + PAUSE / 2).is_none());
        assert_eq!(records.end(now + PAUSE).map(|more| more.records), Some(100_000 - FIRST));
        assert!(records.next_deadline().is_none() && records.admit(now + PAUSE, SourceId(0)));
    }
}
