//! How often a replica begins to lead: with every leadership all gateways are told everything anew, so one that cannot keep it must
//! not take it again at once, for ever.

use crate::model::{Rng, Time};
use std::collections::VecDeque;
use std::time::Duration;

/// So far back beginnings count.
const LATELY: Duration = Duration::from_secs(600);
/// From one beginning to the next, in lease times: twice as many with each, up to so many.
const MOST: u32 = 6;
/// More beginnings need not be known.
const KNOWN: usize = 4;

/// See the module.
#[derive(Default, Debug)]
pub(super) struct Pace {
    begun: VecDeque<Time>,
    next: Time,
}

impl Pace {
    /// A leadership begins. The one after the first may begin at any time: a restart of the store, or a hand-over, is no flapping.
    pub(super) fn begun(&mut self, now: Time, ttl: Duration, rng: &mut Rng) {
        self.begun.retain(|at| now.since(*at) < LATELY);
        let before = u32::try_from(self.begun.len()).unwrap_or(u32::MAX);
        if self.begun.len() == KNOWN {
            self.begun.pop_front();
        }
        self.begun.push_back(now);
        let leases = match before {
            0 => 0,
            before => (1 << before.min(8)).min(MOST),
        };
        self.next = now + rng.jitter(ttl * leases);
    }

    /// Whether the next one has to wait.
    pub(super) fn must_wait(&self, now: Time) -> bool {
        now < self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Rng;
    use proptest::prelude::*;

    const TTL: Duration = Duration::from_secs(10);

    proptest! {
        /// However soon each is lost and wanted again.
        #[test]
        fn l13_a_replica_begins_to_lead_at_most_sixteen_times_in_any_ten_minutes(
            seed: u64,
            wants in prop::collection::vec(0..20_000_u64, 400),
        ) {
            let (mut pace, mut rng, mut now, mut begun) = (Pace::default(), Rng::new(seed), Time::ZERO, Vec::new());
            for want in wants {
                now = now + Duration::from_millis(want);
                if !pace.must_wait(now) {
                    pace.begun(now, TTL, &mut rng);
                    begun.push(now);
                }
            }
            for (n, at) in begun.iter().enumerate() {
                let within = begun.iter().skip(n).take_while(|later| later.since(*at) < LATELY).count();
                prop_assert!(within <= 16, "{within}");
            }
            prop_assert!(begun.len() > 10, "and it does not give up");
        }
    }

    #[test]
    fn the_second_leadership_may_follow_at_once_and_what_was_long_ago_does_not_count() {
        let (mut pace, mut rng, now) = (Pace::default(), Rng::new(1), Time::ZERO);
        pace.begun(now, TTL, &mut rng);
        assert!(!pace.must_wait(now));
        pace.begun(now, TTL, &mut rng);
        assert!(pace.must_wait(now + TTL) && !pace.must_wait(now + TTL * 2));
        (0..9).for_each(|_| pace.begun(now, TTL, &mut rng));
        assert!(pace.must_wait(now + TTL * 4) && !pace.must_wait(now + TTL * MOST));
        assert_eq!(pace.begun.len(), KNOWN);
        let later = now + LATELY;
        pace.begun(later, TTL, &mut rng);
        assert!(!pace.must_wait(later));
    }
}
