//! What the log is told of single records: a list may bring a hundred thousand with one and the same defect.
//!
//! For each source and kind of note the first few are told as they come, the others are counted, and how many they were is told
//! a while later.

use super::Effect;
use super::lots::Lots;
use crate::model::{SourceId, Time};
use crate::source::sync::{Note, OfRecord};
use std::time::Duration;

/// From the first that is told to the number of the others.
const PAUSE: Duration = Duration::from_secs(10);
/// How many are told as they come.
const FIRST: usize = 5;

/// See the module.
#[derive(Debug)]
pub(super) struct Noted(Lots<(SourceId, OfRecord)>);

impl Default for Noted {
    fn default() -> Self {
        Noted(Lots::new(FIRST, PAUSE))
    }
}

impl Noted {
    /// Whether the note is told now; else it is counted.
    pub(super) fn admits(&mut self, now: Time, source: SourceId, note: &Note) -> bool {
        note.of_record().is_none_or(|kind| self.0.admit(now, (source, kind)))
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.0.next_deadline()
    }

    /// Says how many were left out, where it is time, and begins anew there.
    pub(super) fn tell(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let ended = self.0.end(now);
        effects.extend(ended.map(|((source, kind), left_out)| Effect::MoreNotes(source, kind, left_out)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RecordId;

    fn unknown(n: u32) -> Note {
        Note::UnknownField { record: RecordId(n), key: format!("/hosts/{n}").into(), field: "\"subnet\"".into() }
    }

    #[test]
    fn a_hundred_thousand_misspelt_records_are_a_few_lines_and_a_number() {
        let (mut noted, mut effects, now) = (Noted::default(), Vec::new(), Time::ZERO);
        let told = (0..100_000).filter(|&n| noted.admits(now, SourceId(0), &unknown(n))).count();
        assert_eq!(told, FIRST);
        // Another source, another kind and what is no record's have their own room.
        assert!(noted.admits(now, SourceId(1), &unknown(0)));
        let out_of_order = Note::OutOfOrder { event: crate::source::Rev(1), after: crate::source::Rev(2) };
        assert!(noted.admits(now, SourceId(0), &out_of_order));
        let compacted = Note::Compacted { from: crate::source::Rev(1) };
        assert!((0..100).all(|_| noted.admits(now, SourceId(0), &compacted)));
        assert_eq!(noted.next_deadline(), Some(now + PAUSE));
        noted.tell(now + PAUSE / 2, &mut effects);
        assert!(effects.is_empty());
        noted.tell(now + PAUSE, &mut effects);
        let [Effect::MoreNotes(SourceId(0), OfRecord::UnknownField, 99_995)] = effects[..] else {
            panic!("{effects:?}")
        };
        assert_eq!(noted.next_deadline(), None);
    }

    #[test]
    fn a_record_that_changes_for_ever_is_a_few_lines_a_pause() {
        let (mut noted, mut effects, mut now) = (Noted::default(), Vec::new(), Time::ZERO);
        let (mut told, mut counted) = (0, 0);
        for _ in 0..1_000 {
            now = now + Duration::from_millis(100);
            noted.tell(now, &mut effects);
            told += usize::from(noted.admits(now, SourceId(0), &unknown(7)));
        }
        for effect in &effects {
            let Effect::MoreNotes(_, _, count) = effect else { panic!("{effect:?}") };
            counted += count;
        }
        let lots = 1_000 / 100;
        assert_eq!((told, effects.len()), (lots * FIRST, lots - 1), "the last lot has not ended");
        assert_eq!(counted, (lots - 1) * (100 - FIRST));
    }
}
