//! Prefixes that lose their owner again and again.

use super::config::FlapLimits;
use crate::model::{Family, Time};
use crate::table::SlotId;
use hashbrown::HashMap;
use std::collections::BTreeSet;
use std::time::Duration;

/// So many prefixes are watched at once; with more of them changing within the window it is a wave, which the limits hold.
const WATCHED: usize = 64 * 1024;
/// Between two looks for those of them that are past the window: a wave must not cost one for each of its prefixes.
const SWEEP: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
struct Recent {
    changes: usize,
    since: Time,
}

/// See the module.
#[derive(Default, Debug)]
pub(super) struct Flaps {
    /// Changes of prefixes that do not flap (yet).
    recent: HashMap<(Family, SlotId), Recent>,
    /// When those past the window were looked for last.
    swept: Time,
    /// Those that flap, and until when each must be quiet.
    flapping: HashMap<(Family, SlotId), Time>,
    /// The same by time: whoever asks for the next deadline, at every turn of the engine, must not look at all of them.
    due: BTreeSet<(Time, Family, SlotId)>,
}

impl Flaps {
    /// One more change of the prefix. Whether that is one too many.
    pub(super) fn is_flapping(&mut self, now: Time, slot: (Family, SlotId), limits: &FlapLimits) -> bool {
        if self.touch(now, slot, limits) {
            return true;
        }
        if self.recent.len() >= WATCHED && now >= self.swept + SWEEP {
            self.swept = now;
            self.recent.retain(|_, recent| now.since(recent.since) <= limits.within);
        }
        if self.recent.len() >= WATCHED && !self.recent.contains_key(&slot) {
            return false;
        }
        let recent = self.recent.entry(slot).or_insert(Recent { changes: 0, since: now });
        if now.since(recent.since) > limits.within {
            *recent = Recent { changes: 0, since: now };
        }
        recent.changes += 1;
        if recent.changes < limits.changes {
            return false;
        }
        self.recent.remove(&slot);
        let until = now + limits.quiet;
        self.flapping.insert(slot, until);
        self.due.insert((until, slot.0, slot.1));
        true
    }

    /// If the prefix flaps: it has just changed again, whether or not to what is announced.
    pub(super) fn touch(&mut self, now: Time, slot: (Family, SlotId), limits: &FlapLimits) -> bool {
        let Some(until) = self.flapping.get_mut(&slot) else { return false };
        self.due.remove(&(*until, slot.0, slot.1));
        *until = now + limits.quiet;
        self.due.insert((*until, slot.0, slot.1));
        true
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.due.first().map(|(until, ..)| *until)
    }

    /// Those that were quiet for long enough, forgotten.
    pub(super) fn calm(&mut self, now: Time) -> Vec<(Family, SlotId)> {
        let mut calm = Vec::new();
        while let Some(&(until, family, slot)) = self.due.first().filter(|(until, ..)| *until <= now) {
            self.due.remove(&(until, family, slot));
            self.flapping.remove(&(family, slot));
            calm.push((family, slot));
        }
        calm
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::guard::GuardConfig;

    #[test]
    fn a_wave_is_not_watched_whole_and_what_was_watched_flaps_all_the_same() {
        let limits = GuardConfig::default().flap;
        let (mut flaps, slot) = (Flaps::default(), |n: usize| (Family::Ipv4, SlotId(n as u32)));
        let mut now = Time::ZERO + limits.within;
        for n in 0..10 * WATCHED {
            assert!(!flaps.is_flapping(now, slot(n), &limits));
        }
        assert_eq!(flaps.recent.len(), WATCHED);
        let flapped = (1..limits.changes).map(|_| flaps.is_flapping(now, slot(0), &limits)).last();
        assert_eq!(flapped, Some(true));
        now = now + limits.within + SWEEP;
        flaps.is_flapping(now, slot(WATCHED), &limits);
        flaps.is_flapping(now, slot(WATCHED + 1), &limits);
        assert_eq!(flaps.recent.len(), 2, "the rest is past the window");
    }
    #[test]
    fn c58_the_next_deadline_is_that_of_the_prefix_that_was_quiet_first() {
        let limits = GuardConfig::default().flap;
        let (mut flaps, slot) = (Flaps::default(), |n: u32| (Family::Ipv4, SlotId(n)));
        let mut now = Time::ZERO + limits.within;
        let second = Duration::from_secs(1);
        for n in 0..3 {
            let flapped = (0..limits.changes).map(|_| flaps.is_flapping(now, slot(n), &limits)).last();
            assert_eq!(flapped, Some(true));
            now = now + second;
        }
        // The first changes again and so becomes the last.
        assert!(flaps.touch(now, slot(0), &limits));
        let quiet = |n: u32| Time::ZERO + limits.within + limits.quiet + second * n;
        assert_eq!(flaps.next_deadline(), Some(quiet(1)));
        assert_eq!(flaps.calm(quiet(1)), [slot(1)]);
        assert_eq!(flaps.calm(quiet(2)), [slot(2)]);
        assert_eq!(flaps.next_deadline(), Some(quiet(3)));
        assert_eq!(flaps.calm(quiet(3)), [slot(0)]);
        assert_eq!(flaps.next_deadline(), None);
        assert!(!flaps.touch(now, slot(0), &limits), "it is forgotten");
    }
}
