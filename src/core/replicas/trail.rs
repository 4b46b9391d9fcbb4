//! Which tables this replica has had at which revisions of its sources, so that another's words can be compared with what was so
//! here at the same revisions: two replicas are never asked at the same moment.

use super::TableDigest;
use crate::model::PerFamily;
use std::collections::VecDeque;

/// So many tables back.
const LENGTH: usize = 2048;

/// While the sources went from revision to revision and nothing changed.
#[derive(Debug)]
struct Stretch {
    from: Vec<u64>,
    to: Vec<u64>,
    tables: PerFamily<TableDigest>,
    /// The last that was counted of what leads there.
    count: u64,
}

/// See the module.
#[derive(Default, Debug)]
pub(super) struct Trail(VecDeque<Stretch>);

/// Whether the other's table was this one's too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// It was, at these revisions.
    Same,
    /// It was another one.
    Other,
    /// Nothing is known from these revisions: not yet, not any more, or several were taken in at once.
    Nothing,
}

impl Trail {
    /// The table is this one now, at these revisions of the sources; always of the same sources, in the same order. `count`: what is
    /// counted up beside it.
    pub(super) fn note(
        &mut self,
        revisions: impl Iterator<Item = u64> + Clone,
        tables: PerFamily<TableDigest>,
        count: u64,
    ) {
        if let Some(last) = self.0.back_mut() {
            if last.tables == tables {
                last.count = count;
            }
            if last.to.iter().copied().eq(revisions.clone()) && last.tables == tables {
                return;
            }
            if last.to.iter().copied().zip(revisions.clone()).any(|(before, now)| now < before) {
                // A store was replaced: its revisions mean something else now.
                self.0.clear();
            } else if last.tables == tables {
                last.to.clear();
                last.to.extend(revisions);
                return;
            }
        }
        if self.0.len() == LENGTH {
            self.0.pop_front();
        }
        let from: Vec<u64> = revisions.collect();
        self.0.push_back(Stretch { to: from.clone(), from, tables, count });
    }

    /// Nothing is known any more.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What was so at these revisions. Who has now what this one has now says the same, at whatever revisions: the later of two has read
    /// the source at another one, and nothing may have changed since.
    pub(super) fn find(&self, revisions: &[u64], tables: PerFamily<TableDigest>) -> Found {
        match self.count_at(revisions, tables) {
            Some(_) => Found::Same,
            None if self.0.iter().any(|stretch| stretch.has(revisions)) => Found::Other,
            None => Found::Nothing,
        }
    }

    /// If the table was the same, what had been counted by the end of that.
    pub(super) fn count_at(&self, revisions: &[u64], tables: PerFamily<TableDigest>) -> Option<u64> {
        let now = self.0.back().filter(|now| now.tables == tables);
        let before = || self.0.iter().rev().find(|stretch| stretch.has(revisions) && stretch.tables == tables);
        Some(now.or_else(before)?.count)
    }
}

impl Stretch {
    fn has(&self, revisions: &[u64]) -> bool {
        let bounds = self.from.iter().zip(&self.to).zip(revisions);
        self.from.len() == revisions.len() && bounds.into_iter().all(|((from, to), at)| (from..=to).contains(&at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replicas::Digest;

    fn table(n: u64) -> PerFamily<TableDigest> {
        PerFamily { ipv4: TableDigest { routes: n, digest: Digest(n) }, ipv6: TableDigest::default() }
    }

    fn trail(of: &[([u64; 2], u64)]) -> Trail {
        let mut trail = Trail::default();
        of.iter().for_each(|(revisions, n)| trail.note(revisions.iter().copied(), table(*n), 0));
        trail
    }

    #[test]
    fn a_table_is_compared_with_what_was_at_its_revisions() {
        // The first source says what changes nothing at 11 and 12; 14 and 15 were taken in at once.
        let trail = trail(&[([10, 5], 1), ([11, 5], 1), ([12, 5], 1), ([13, 5], 2), ([15, 5], 3), ([15, 6], 4)]);
        let find = |revisions: [u64; 2], n| trail.find(&revisions, table(n));
        assert_eq!(find([11, 5], 1), Found::Same);
        assert_eq!(find([11, 5], 2), Found::Other);
        assert_eq!(find([13, 5], 2), Found::Same);
        assert_eq!(find([14, 5], 9), Found::Nothing, "taken in at once");
        assert_eq!(find([9, 5], 9), Found::Nothing, "not any more");
        assert_eq!(find([16, 6], 9), Found::Nothing, "not yet");
        assert_eq!(find([16, 6], 4), Found::Same, "what is so now");
        assert_eq!(trail.find(&[15], table(3)), Found::Nothing, "other sources");
    }

    #[test]
    fn what_changes_without_a_new_revision_is_known_before_and_after() {
        // The guard let something pass.
        let trail = trail(&[([10, 5], 1), ([10, 5], 2)]);
        assert_eq!(trail.find(&[10, 5], table(1)), Found::Same);
        assert_eq!(trail.find(&[10, 5], table(2)), Found::Same);
        assert_eq!(trail.find(&[10, 5], table(3)), Found::Other);
    }

    #[test]
    fn a_store_whose_revisions_went_back_is_compared_anew_and_the_trail_is_bounded() {
        let mut trail = trail(&[([10, 5], 1), ([3, 5], 2)]);
        assert_eq!(trail.find(&[10, 5], table(9)), Found::Nothing);
        (4..10_000_u64).for_each(|n| trail.note([n, 5].into_iter(), table(n), 0));
        assert_eq!(trail.0.len(), LENGTH);
        assert_eq!(trail.find(&[9_999, 5], table(9_999)), Found::Same);
    }
}
