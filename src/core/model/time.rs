//! The core's only notion of time: told from outside, never asked for.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on a monotonic clock: nanoseconds since a start that only the shell (or a simulation) knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(u64);

impl Time {
    /// The clock's start.
    pub const ZERO: Time = Time(0);

    /// The moment this long after the clock's start.
    pub fn since_start(span: Duration) -> Time {
        Time(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
    }

    /// How long after the clock's start.
    pub fn as_duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// From `earlier` to this moment; zero if `earlier` is later.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, span: Duration) -> Time {
        Time(self.0.saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}
