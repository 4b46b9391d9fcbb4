//! What outlives a process of the buckets: else whoever restarts it could empty a source, a limit's worth each time.

use super::hold::{ChangeKind, PerKind};
use std::time::Duration;

/// What a source has used of its limits: of each a share, from 0 (nothing) to 1 (all of it).
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Spent(PerKind<f64>);

impl Spent {
    /// Shares outside 0 to 1 count as the nearest of these.
    pub fn new(share: impl Fn(ChangeKind) -> f64) -> Self {
        let bounded = |share: f64| if share > 0.0 { share.min(1.0) } else { 0.0 };
        Spent(PerKind::from_fn(|kind| bounded(share(kind))))
    }

    /// Of this kind.
    pub fn share(&self, kind: ChangeKind) -> f64 {
        self.0[kind]
    }

    /// The same after so much time, if a whole limit comes back within `refill`.
    pub fn after(&self, elapsed: Duration, refill: Duration) -> Self {
        Spent::new(|kind| self.share(kind) - refilled(elapsed, refill))
    }
}

/// The share of a limit that comes back in so much time.
pub(super) fn refilled(elapsed: Duration, refill: Duration) -> f64 {
    if refill.is_zero() { 1.0 } else { elapsed.as_secs_f64() / refill.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;
    use crate::table::guard::Bucket;
    use proptest::prelude::*;

    const BUDGET: usize = 50;
    const REFILL: Duration = Duration::from_secs(3600);

    proptest! {
        /// Whatever is spent and however often the process is restarted: never more is to be had than without restarts, and
        /// never less.
        #[test]
        fn p3_restarts_neither_fill_nor_empty_a_bucket(steps in proptest::collection::vec((0..BUDGET, 0..2000u64), 1..30)) {
            let (mut steady, mut restarted) = (Bucket::default(), Bucket::default());
            let (mut now, mut local) = (Time::ZERO, Time::ZERO);
            for (wanted, seconds) in steps {
                let (allowed, of_restarted) =
                    (steady.available(now, BUDGET, REFILL), restarted.available(local, BUDGET, REFILL));
                prop_assert!(allowed.abs_diff(of_restarted) <= 1, "{allowed} and {of_restarted}");
                let taken = wanted.min(allowed).min(of_restarted);
                steady.spend(taken, BUDGET);
                restarted.spend(taken, BUDGET);
                let (alive, down) = (Duration::from_secs(seconds / 3), Duration::from_secs(seconds - seconds / 3));
                now = now + alive + down;
                let left = Spent::new(|_| restarted.spent(local + alive, REFILL)).after(down, REFILL);
                local = Time::since_start(Duration::from_secs(7));
                restarted = Bucket::restored(local, left.share(ChangeKind::Move));
            }
        }
    }

    #[test]
    fn what_no_process_has_written_is_a_share_all_the_same() {
        let of = |share: f64| Spent::new(|_| share).share(ChangeKind::Addition);
        assert_eq!([-1.0, 0.25, 7.0, f64::INFINITY, f64::NAN].map(of), [0.0, 0.25, 1.0, 1.0, 0.0]);
        assert_eq!(Spent::new(|_| 1.0).after(Duration::MAX, REFILL), Spent::default());
        assert_eq!(Spent::new(|_| 1.0).after(Duration::ZERO, Duration::ZERO), Spent::default());
    }
}
