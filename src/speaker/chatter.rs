//! How much one gateway may say in the log: one that flaps must not fill it.

use std::time::Duration;
use tokio::time::Instant;

/// Lines of one gateway within a [`SPAN`].
const LINES: u32 = 20;
const SPAN: Duration = Duration::from_secs(60);

/// Counts a gateway's lines.
#[derive(Debug)]
pub(super) struct Chatter {
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
    pub(super) fn new() -> Self {
        Chatter { since: Instant::now(), said: 0, kept: 0 }
    }

    /// What becomes of one more line.
    pub(super) fn line(&mut self) -> Line {
        if self.since.elapsed() >= SPAN {
            let left_out = self.kept;
            *self = Chatter { said: 1, ..Chatter::new() };
            return Line::Said { left_out };
        }
        self.said += 1;
        match self.said.cmp(&LINES) {
            std::cmp::Ordering::Less => Line::Said { left_out: 0 },
            std::cmp::Ordering::Equal => Line::Last,
            std::cmp::Ordering::Greater => {
                self.said = LINES;
                self.kept += 1;
                Line::LeftOut
            }
        }
    }
}

/// A line that may come with every message: said once in a [`SPAN`], so that it leaves the gateway's others their room.
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
    use super::{Chatter, LINES, Line, Repeated, SPAN};

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
}
