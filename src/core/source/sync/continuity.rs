//! What this replica has judged of a source as it came, and what it found all at once because it had been away.
//!
//! ```text
//!   an earlier process          away                this process
//!  ───────────────── passed ┆┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┆ since ───────────────►  each change is judged when it comes
//!                  = away_from                                gap: since begins anew behind it
//! ```

use super::super::{ClusterId, Rev};

/// In the revisions of one store; 0: not known.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Continuity {
    store: ClusterId,
    /// An earlier process had let everything pass up to there, and what came then this one has found all at once.
    away_from: Rev,
    /// This process has judged each change behind it when it came.
    since: Rev,
    /// Up to there everything has passed.
    passed: Rev,
}

impl Continuity {
    /// An earlier process had let everything of this store pass up to there.
    pub(crate) fn resumed(store: ClusterId, passed: Rev) -> Self {
        Continuity { store, away_from: passed, since: Rev::default(), passed }
    }

    /// Something may come that is not judged by itself: the source is not known up to now, nothing is decided, or other rules are in force.
    pub(crate) fn interrupt(&mut self) {
        self.since = Rev::default();
    }

    /// What the store had said by `at` is judged, and something of it is held or not; `newest`: the highest revision that it has shown. Of a
    /// store that is not the one that was known, or was put back, nothing from before counts.
    pub(crate) fn judged(&mut self, store: ClusterId, (at, newest): (Rev, Rev), is_held: bool, is_another: bool) {
        if self.store != store || at < self.passed || is_another {
            *self = Continuity { store, ..Continuity::default() };
        }
        if self.since == Rev::default() {
            // A watch that goes on may still bring what came before that.
            self.since = at.max(newest);
        }
        if !is_held {
            self.passed = at;
        }
    }

    /// Since when this process has judged each change as it came.
    pub fn since(self) -> Rev {
        self.since
    }

    /// Up to where everything has passed: what a later process begins with.
    pub fn passed(self) -> Rev {
        self.passed
    }

    /// Whether another replica that has judged each change behind `since` as it came, and is at this revision, has judged all that this
    /// one found all at once.
    pub(crate) fn is_covered(self, store: ClusterId, since: Rev, revision: Rev) -> bool {
        // What came at the very revision may have come in parts.
        self.store == store && since != Rev::default() && since < self.away_from && self.away_from <= revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: ClusterId = ClusterId(7);

    fn judged(mut continuity: Continuity, steps: &[(u64, bool)]) -> Continuity {
        for (at, is_held) in steps {
            continuity.judged(STORE, (Rev(*at), Rev(*at)), *is_held, false);
        }
        continuity
    }

    #[test]
    fn p3_what_was_found_after_an_absence_is_covered_by_who_was_there_before_it_and_is_there_now() {
        let away = judged(Continuity::resumed(STORE, Rev(20)), &[(30, true)]);
        assert_eq!((away.since(), away.passed()), (Rev(30), Rev(20)));
        let is_covered = |since, revision| away.is_covered(STORE, Rev(since), Rev(revision));
        assert!(is_covered(19, 20) && is_covered(1, 40));
        assert!(!is_covered(20, 40), "it may have begun in the middle of it");
        assert!(!is_covered(0, 40), "an earlier version does not say");
        assert!(!is_covered(19, 19), "it has not come so far");
        assert!(!away.is_covered(ClusterId(8), Rev(1), Rev(40)));
        let new = judged(Continuity::default(), &[(30, true)]);
        assert!(!new.is_covered(STORE, Rev(1), Rev(40)), "it was not away");
        let later = judged(away, &[(40, false), (41, true)]);
        assert_eq!((later.since(), later.passed()), (Rev(30), Rev(40)));
    }

    #[test]
    fn p3_behind_a_gap_it_begins_anew_with_what_the_store_had_by_then() {
        let mut continuity = judged(Continuity::default(), &[(10, false), (20, false)]);
        assert_eq!((continuity.since(), continuity.passed()), (Rev(10), Rev(20)));
        continuity.interrupt();
        assert_eq!(continuity.since(), Rev(0));
        // It was asked whether it is the same store before the watch brings 21 to 30.
        continuity.judged(STORE, (Rev(20), Rev(30)), false, false);
        assert_eq!((continuity.since(), continuity.passed()), (Rev(30), Rev(20)));
    }

    #[test]
    fn p3_of_another_store_or_one_that_was_put_back_nothing_from_before_counts() {
        for (store, at, is_another) in [(ClusterId(8), 30, false), (STORE, 5, false), (STORE, 30, true)] {
            let mut continuity = judged(Continuity::resumed(STORE, Rev(20)), &[(25, false)]);
            continuity.judged(store, (Rev(at), Rev(at)), true, is_another);
            assert_eq!((continuity.since(), continuity.passed()), (Rev(at), Rev(0)));
            assert!(!continuity.is_covered(store, Rev(1), Rev(40)));
        }
    }
}
