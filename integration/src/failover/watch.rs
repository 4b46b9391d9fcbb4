//! What a gateway's daemon prefers and what its kernel has, looked at all the while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::lab::gateway::Gateway;
use crate::lab::rib::Choices;
use crate::lab::route::PodRoutes;

const PERIOD: Duration = Duration::from_millis(50);
/// A leader's stamp is a MED below this, a standby's one above: 1,000,000 less the term, 2,000,000 and more (on iBGP 1,000,001 and more,
/// see [`Choice::med`](crate::lab::rib::Choice)).
pub(super) const STANDBYS: u32 = 1_000_001;

/// What was seen at one moment, and other than before.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// When it had been read.
    pub(super) at: Instant,
    /// What the daemon prefers.
    pub(super) choices: Choices,
    /// What the kernel has.
    pub(super) kernel: PodRoutes,
}

/// Looks at `gateway` while `act` runs.
pub(super) fn throughout<T>(gateway: &Gateway, act: impl FnOnce() -> T) -> (T, Vec<Sample>) {
    /// Also when `act` panics.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut samples: Vec<Sample> = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let (choices, kernel) = (gateway.choices(), gateway.routes());
                let is_news = samples.last().is_none_or(|last| last.choices != choices || last.kernel != kernel);
                if is_news {
                    samples.push(Sample { at: Instant::now(), choices, kernel });
                }
                std::thread::sleep(PERIOD);
            }
            samples
        });
        let done = {
            let _over = Over(&over);
            act()
        };
        (done, looking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// How often a prefix's preferred path was an older leader's after it had been a newer one's. What nobody owns any more is left out:
/// the newer one has withdrawn it.
pub(super) fn steps_back(samples: &[Sample], owned: &PodRoutes) -> usize {
    let mut newest = std::collections::BTreeMap::new();
    let mut steps = 0;
    let choices = samples.iter().flat_map(|sample| &sample.choices).filter(|(prefix, _)| owned.contains_key(*prefix));
    for (prefix, choice) in choices {
        let Some(med) = choice.med.filter(|med| *med < STANDBYS) else { continue };
        let best = newest.entry(prefix).or_insert(med);
        steps += usize::from(med > *best);
        *best = med.min(*best);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::rib::Choice;

    fn samples(meds: &[u32]) -> Vec<Sample> {
        let sample = |med: &u32| Sample {
            at: Instant::now(),
            choices: [("10.244.1.0/24".to_owned(), Choice { med: Some(*med), ..Choice::default() })].into(),
            kernel: PodRoutes::new(),
        };
        meds.iter().map(sample).collect()
    }

    #[test]
    fn an_older_leaders_path_after_a_newer_one_is_a_step_back() {
        let owned = [("10.244.1.0/24".to_owned(), [].into())].into();
        assert_eq!(steps_back(&samples(&[999_999, 2_000_001, 999_998, 2_000_000, 999_998]), &owned), 0);
        let back = samples(&[999_999, 999_998, 999_999, 999_998, 999_999]);
        assert_eq!(steps_back(&back, &owned), 2);
        assert_eq!(steps_back(&back, &PodRoutes::new()), 0);
    }
}
