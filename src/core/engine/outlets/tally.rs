//! How far the feeds of each view have come, counted as they go: nobody has to be asked.

use super::super::views::{Passed, ViewId, Views};
use crate::model::{Family, PerFamily};
use crate::view::{Feed, Seq};
use std::collections::BTreeMap;

/// Where a feed was when it was counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Counted {
    view: ViewId,
    tail: Seq,
    dumping: bool,
    withdraws_absent: bool,
}

impl Counted {
    pub(super) fn of(view: ViewId, feed: &Feed) -> Self {
        // Another stamp alone is told of nothing that anybody waits for.
        let dumping = feed.is_dumping() && !feed.is_restamping();
        let withdraws_absent = feed.withdraws_absent();
        Counted { view, tail: feed.tail(), dumping, withdraws_absent }
    }
}

/// See the module.
#[derive(Default, Debug)]
pub(super) struct Tally {
    views: BTreeMap<ViewId, Feeds>,
    /// Dumps that still have to withdraw routes by slot.
    withdrawing: PerFamily<usize>,
}

/// The feeds of one view.
#[derive(Default, Debug)]
struct Feeds {
    /// How many have come so far.
    tails: BTreeMap<Seq, usize>,
    dumping: usize,
}

impl Tally {
    /// One feed is there now that was there before; None: it was not yet, or is no more.
    pub(super) fn count(&mut self, family: Family, before: Option<Counted>, now: Option<Counted>) {
        if before == now {
            return;
        }
        if let Some(before) = before
            && let Some(feeds) = self.views.get_mut(&before.view)
        {
            if let Some(count) = feeds.tails.get_mut(&before.tail) {
                *count -= 1;
                if *count == 0 {
                    feeds.tails.remove(&before.tail);
                }
            }
            feeds.dumping -= usize::from(before.dumping);
            self.withdrawing[family] -= usize::from(before.withdraws_absent);
            if feeds.tails.is_empty() {
                self.views.remove(&before.view);
            }
        }
        if let Some(now) = now {
            let feeds = self.views.entry(now.view).or_default();
            *feeds.tails.entry(now.tail).or_default() += 1;
            feeds.dumping += usize::from(now.dumping);
            self.withdrawing[family] += usize::from(now.withdraws_absent);
        }
    }

    /// For every view of the family: the smallest tail of its feeds (its head where there are none).
    pub(super) fn passed(&self, family: Family, views: &Views) -> Vec<(ViewId, Passed)> {
        let of = |(id, head)| {
            let feeds = self.views.get(&id);
            let tail = feeds.and_then(|feeds| feeds.tails.keys().next().copied());
            (id, Passed { tail: tail.unwrap_or(head), dumping: feeds.is_some_and(|feeds| feeds.dumping > 0) })
        };
        views.of_family(family).map(|(id, view)| of((id, view.head()))).collect()
    }

    /// Whether some dump still has to withdraw routes by slot.
    pub(super) fn is_withdrawing(&self, family: Family) -> bool {
        self.withdrawing[family] > 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, Tally, ViewId};
    use crate::model::Family;
    use crate::view::Seq;
    use proptest::prelude::*;

    fn counted() -> impl Strategy<Value = Option<Counted>> {
        let some = (0..3_usize, 1..5_u64, any::<bool>(), any::<bool>());
        proptest::option::of(some.prop_map(|(view, tail, dumping, withdraws_absent)| Counted {
            view: ViewId(view),
            tail: Seq(tail),
            dumping,
            withdraws_absent,
        }))
    }

    proptest! {
        #[test]
        fn what_is_counted_as_it_goes_is_what_is_there_p6(moves in proptest::collection::vec((0..4_usize, counted()), 0..40)) {
            let (mut tally, mut there) = (Tally::default(), [None; 4]);
            for (feed, now) in moves {
                tally.count(Family::Ipv4, std::mem::replace(&mut there[feed], now), now);
                let live = || there.iter().flatten();
                for view in (0..3).map(ViewId) {
                    let feeds = tally.views.get(&view);
                    let of_view = || live().filter(|feed| feed.view == view);
                    let least = feeds.and_then(|feeds| feeds.tails.keys().next().copied());
                    prop_assert_eq!(least, of_view().map(|feed| feed.tail).min());
                    let dumping = feeds.map_or(0, |feeds| feeds.dumping);
                    prop_assert_eq!(dumping, of_view().filter(|feed| feed.dumping).count());
                }
                prop_assert_eq!(tally.is_withdrawing(Family::Ipv4), live().any(|feed| feed.withdraws_absent));
                prop_assert!(!tally.is_withdrawing(Family::Ipv6));
            }
        }
    }
}
