//! How far back a replica has seen each change of a source by itself: what one of them has let pass one by one, another that was away
//! finds all at once.

use super::super::{ClusterId, Rev};

/// Between which revisions every change was judged when it came, or was known from before. Kept over restarts.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Continuity {
    /// The store whose revisions these are.
    pub store: ClusterId,
    /// Since this one: what was there by then was taken as it was. 0: not known.
    pub since: Rev,
    /// Up to this one at least everything that the source had said had been let pass. 0: not known.
    pub clear: Rev,
}

impl Continuity {
    /// What the store had said by this revision was judged, and something of it is held or not. Of a store that took another's place nothing from
    /// before counts.
    #[must_use]
    pub fn followed(self, store: ClusterId, at: Rev, is_held: bool, took_anothers_place: bool) -> Self {
        let went_on = self.store == store && self.clear <= at && self.since <= at && !took_anothers_place;
        let before = if went_on { self } else { Continuity { store, since: at, clear: Rev::default() } };
        Continuity { clear: if is_held { before.clear } else { at }, ..before }
    }

    /// Whether a replica that has seen everything `since` has seen one by one what this one holds.
    pub fn is_covered(&self, store: ClusterId, since: Rev) -> bool {
        self.store == store && since != Rev::default() && since <= self.clear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: ClusterId = ClusterId(7);

    fn followed(steps: &[(u64, bool)]) -> Continuity {
        let mut continuity = Continuity::default();
        for (at, is_held) in steps {
            continuity = continuity.followed(STORE, Rev(*at), *is_held, false);
        }
        continuity
    }

    #[test]
    fn p3_what_is_held_is_covered_by_who_was_there_before_it_came() {
        let holds = followed(&[(10, false), (20, false), (21, true), (30, true)]);
        assert_eq!(holds, Continuity { store: STORE, since: Rev(10), clear: Rev(20) });
        assert!(holds.is_covered(STORE, Rev(20)) && holds.is_covered(STORE, Rev(1)));
        assert!(!holds.is_covered(STORE, Rev(21)), "it may have begun with the wave");
        assert!(!holds.is_covered(STORE, Rev(0)), "an earlier version does not say");
        assert!(!holds.is_covered(ClusterId(8), Rev(1)));
        let passed = followed(&[(10, false), (21, true), (30, false)]);
        assert_eq!(passed.clear, Rev(30));
    }

    #[test]
    fn p3_of_another_store_or_one_that_was_put_back_nothing_from_before_counts() {
        for (store, at, took_anothers_place) in [(ClusterId(8), 30, false), (STORE, 5, false), (STORE, 30, true)] {
            let continuity = followed(&[(10, false), (20, false)]);
            let continuity = continuity.followed(store, Rev(at), true, took_anothers_place);
            assert_eq!(continuity, Continuity { store, since: Rev(at), clear: Rev(0) });
            assert!(!continuity.is_covered(store, Rev(1)));
        }
    }
}
