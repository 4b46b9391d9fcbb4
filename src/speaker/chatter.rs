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

#[cfg(test)]
mod tests {
    use super::{Chatter, LINES, Line, SPAN};

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
