//! How fast a gateway is told everything again for the sake of another stamp alone: after a takeover it has to compare its paths for
//! all of a table anew, and has other things to do. What has changed is not held up by it, nor is anybody who asks for everything.

use crate::model::Time;
use std::time::Duration;

/// So many octets a second, and as many at once after a second without: some four thousand routes where each has attributes of its own.
const OCTETS: u64 = 256 << 10;
const AT_ONCE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Pace {
    /// By when all that was handed out may be followed by as much at once again.
    rested: Time,
}

impl Pace {
    /// So many octets were handed out.
    pub(super) fn say(&mut self, now: Time, octets: usize) {
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        self.rested = self.rested.max(now) + Duration::from_micros(octets.saturating_mul(1_000_000) / OCTETS);
    }

    /// When there may be more.
    pub(super) fn due(self) -> Time {
        self.rested - AT_ONCE
    }
}
