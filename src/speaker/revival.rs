//! When a gateway whose task has failed is started again: soon at first, then less and less often.

use std::time::Duration;
use tokio::time::Instant;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// Who has lived for so long is as good as new.
const FINE: Duration = Duration::from_secs(600);

/// How often a task has failed in a row, and when it is started again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Revival {
    failures: u32,
    started: Instant,
    again: Option<Instant>,
}

/// What is to be done about a task that has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    /// It was not known yet: it will be started in so long.
    In(Duration),
    /// Nothing yet.
    Later,
    /// Now.
    Now,
}

impl Revival {
    /// Of a task that starts.
    pub(super) fn new(now: Instant) -> Self {
        Revival { failures: 0, started: now, again: None }
    }

    /// Its task has ended by itself.
    pub(super) fn ended(&mut self, now: Instant) -> Due {
        match self.again {
            None => {
                self.failures = if now - self.started > FINE { 1 } else { self.failures.saturating_add(1) };
                let pause = (FIRST * 2_u32.pow((self.failures - 1).min(10))).min(LONGEST);
                self.again = Some(now + pause);
                Due::In(pause)
            }
            Some(again) if now < again => Due::Later,
            Some(_) => {
                (self.started, self.again) = (now, None);
                Due::Now
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Due, FINE, Revival};
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn c61_who_fails_again_and_again_is_started_less_and_less_often() {
        let mut now = Instant::now();
        let mut revival = Revival::new(now);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(revival.ended(now), Due::In(Duration::from_secs(seconds)));
            assert_eq!(revival.ended(now), Due::Later);
            now += Duration::from_secs(seconds);
            assert_eq!(revival.ended(now), Due::Now);
        }
        now += FINE + Duration::from_secs(1);
        assert_eq!(revival.ended(now), Due::In(Duration::from_secs(1)), "it had lived for long");
    }
}
