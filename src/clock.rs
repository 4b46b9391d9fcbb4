//! The shell's side of [`Time`]: the core never asks what time it is.

use fingerpost_core::model::Time;
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant, SystemTime};

/// A monotonic clock and the wall clock at its start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    wall: SystemTime,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Clock { start: Instant::now(), wall: SystemTime::now() }
    }

    /// Now.
    pub fn now(&self) -> Time {
        Time::since_start(self.start.elapsed())
    }

    /// How long until `at`; zero if it is past.
    pub fn until(&self, at: Time) -> Duration {
        at.since(self.now())
    }

    /// The moment as the tokio runtime counts, to sleep until.
    pub fn instant(&self, at: Time) -> tokio::time::Instant {
        (self.start + at.as_duration()).into()
    }

    /// The moment so long before that one on the wall, in seconds since 1970.
    pub fn unix_seconds_before(&self, at: Time, before: Duration) -> u64 {
        let wall = (self.wall + at.as_duration()).checked_sub(before);
        wall.and_then(|wall| wall.duration_since(SystemTime::UNIX_EPOCH).ok()).map_or(0, |span| span.as_secs())
    }

    /// The moment on the wall, as the time since 1970.
    pub fn unix(&self, at: Time) -> Duration {
        (self.wall + at.as_duration()).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    /// The moment that is so long after 1970 on the wall; the start, if it was before.
    pub fn at_unix(&self, unix: Duration) -> Time {
        let start = self.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Time::since_start(unix.saturating_sub(start))
    }

    /// The moment on the wall, in seconds since 1970, for people and metrics; a clock that was set meanwhile is not followed.
    pub fn unix_seconds(&self, at: Time) -> u64 {
        self.unix(at).as_secs()
    }
}

/// A moment on the wall in milliseconds since 1970, the start of which stands for what was before.
pub fn unix_millis(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Now, by the wall clock, in milliseconds since 1970.
pub fn wall() -> u64 {
    unix_millis(SystemTime::now())
}

/// Now, by CLOCK_BOOTTIME, which nobody sets and which goes on while the machine sleeps: since its start.
pub fn since_boot() -> Time {
    let now = clock_gettime(ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
    Time::since_start(Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default()))
}

/// Completes at that moment; never, if there is none.
pub async fn reached(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
