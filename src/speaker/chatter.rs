//! How much one gateway, and all that come from one range together, may say in the log: who flaps must not fill it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Lines of one gateway within a [`SPAN`].
const LINES: u32 = 20;
/// Lines of all gateways of a range within a [`SPAN`]: each of thousands of addresses may come anew, as a gateway that has not
/// said anything yet.
const LINES_OF_RANGE: u32 = 100;
const SPAN: Duration = Duration::from_secs(60);

/// Counts the lines of a gateway or a range.
#[derive(Debug)]
pub(super) struct Chatter {
    lines: u32,
    since: Instant,
    said: u32,
    kept: u32,
}

/// What may become of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// It is logged, and so many were left out before it.
    Said {
        /// Since the last line.
        left_out: u32,
    },
    /// It is the last one for a while.
    Last,
    /// It is left out.
    LeftOut,
}

impl Chatter {
    /// Of one gateway.
    pub(super) fn new() -> Self {
        Chatter::of(LINES)
    }

    fn of(lines: u32) -> Self {
        Chatter { lines, since: Instant::now(), said: 0, kept: 0 }
    }

    /// What becomes of one more line.
    pub(super) fn line(&mut self) -> Line {
        if self.since.elapsed() >= SPAN {
            let left_out = self.kept;
            *self = Chatter { said: 1, ..Chatter::of(self.lines) };
            return Line::Said { left_out };
        }
        self.said += 1;
        match self.said.cmp(&self.lines) {
            std::cmp::Ordering::Less => Line::Said { left_out: 0 },
            std::cmp::Ordering::Equal => Line::Last,
            std::cmp::Ordering::Greater => {
                self.said = self.lines;
                self.kept += 1;
                Line::LeftOut
            }
        }
    }
}

/// What the gateways of one range say together.
#[derive(Clone, Debug)]
pub(super) struct Crowd(Arc<Mutex<Chatter>>);

impl Crowd {
    pub(super) fn new() -> Self {
        Crowd(Arc::new(Mutex::new(Chatter::of(LINES_OF_RANGE))))
    }

    /// What becomes of one more line of any of them.
    pub(super) fn line(&self) -> Line {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).line()
    }
}

/// A line that may come with every message: said once in a [`SPAN`], so that it leaves others their room.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    said: Option<Instant>,
    left_out: u64,
}

impl Repeated {
    /// Whether it is said now; then, how often it was not since it was said last.
    pub(super) fn say(&mut self) -> Option<u64> {
        if self.said.is_some_and(|said| said.elapsed() < SPAN) {
            self.left_out += 1;
            return None;
        }
        self.said = Some(Instant::now());
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::{Chatter, Crowd, LINES, LINES_OF_RANGE, Line, Repeated, SPAN};

    #[tokio::test(start_paused = true)]
    async fn what_repeats_itself_is_said_once_in_a_while_with_how_often_it_was_not() {
        let mut repeated = Repeated::default();
        assert_eq!(repeated.say(), Some(0));
        for _ in 0..1_000 {
            assert_eq!(repeated.say(), None);
        }
        tokio::time::advance(SPAN).await;
        assert_eq!(repeated.say(), Some(1_000));
        assert_eq!(repeated.say(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_flaps_says_so_often_and_then_how_often_it_did_not() {
        let mut chatter = Chatter::new();
        for _ in 1..LINES {
            assert_eq!(chatter.line(), Line::Said { left_out: 0 });
        }
        assert_eq!(chatter.line(), Line::Last);
        for _ in 0..1_000 {
            assert_eq!(chatter.line(), Line::LeftOut);
        }
        tokio::time::advance(SPAN).await;
        assert_eq!(chatter.line(), Line::Said { left_out: 1_000 });
        assert_eq!(chatter.line(), Line::Said { left_out: 0 });
    }
    #[tokio::test(start_paused = true)]
    async fn gateways_of_a_range_share_its_lines() {
        let crowd = Crowd::new();
        let said = (0..65_536).filter(|_| matches!(crowd.clone().line(), Line::Said { .. })).count();
        assert_eq!(said, LINES_OF_RANGE as usize - 1);
        tokio::time::advance(SPAN).await;
        assert_eq!(crowd.line(), Line::Said { left_out: 65_536 - LINES_OF_RANGE });
    }
}
