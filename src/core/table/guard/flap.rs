//! Prefixes that lose their owner again and again.

use super::config::FlapLimits;
use crate::model::{Family, Time};
use crate::table::SlotId;
use hashbrown::HashMap;

/// So many prefixes are watched at once; with more of them changing within the window it is a wave, which the limits hold.
const WATCHED: usize = 64 * 1024;

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
    /// Those that flap, and until when each must be quiet.
    flapping: HashMap<(Family, SlotId), Time>,
}

impl Flaps {
    /// One more change of the prefix. Whether that is one too many.
    pub(super) fn is_flapping(&mut self, now: Time, slot: (Family, SlotId), limits: &FlapLimits) -> bool {
        if self.touch(now, slot, limits) {
            return true;
        }
        if self.recent.len() >= WATCHED {
            self.recent.retain(|_, recent| now.since(recent.since) <= limits.within);
        }
        if self.recent.len() >= WATCHED {
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
        self.flapping.insert(slot, now + limits.quiet);
        true
    }

    /// If the prefix flaps: it has just changed again, whether or not to what is announced.
    pub(super) fn touch(&mut self, now: Time, slot: (Family, SlotId), limits: &FlapLimits) -> bool {
        match self.flapping.get_mut(&slot) {
            Some(until) => {
                *until = now + limits.quiet;
                true
            }
            None => false,
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.flapping.values().min().copied()
    }

    /// Those that were quiet for long enough, forgotten.
    pub(super) fn calm(&mut self, now: Time) -> Vec<(Family, SlotId)> {
        self.flapping.extract_if(|_, until| *until <= now).map(|(slot, _)| slot).collect()
    }
}
