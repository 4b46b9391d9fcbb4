//! What pods say to each other all the while.

use std::time::Duration;

use super::gap::Gaps;
use super::plan::Plan;
use super::{Found, MOVED};
use crate::lab::Lab;
use crate::lab::monitor::time_of_day;
use crate::lab::stream::Stream;

/// Between two requests of a stream.
const INTERVAL: Duration = Duration::from_millis(1);
/// Answers that show that traffic flows: a second's.
const FLOWS: usize = 1000;
/// The pod of the first talks with that of the second, whose way never changes; and the second with the subnet that moves.
const TALK: [&str; 2] = ["node-a1", "node-b2"];

/// All streams, by family.
pub(super) struct Traffic {
    steady: [Stream; 2],
    /// To the subnet that moves, which answers at its old and its new host.
    moving: [Stream; 2],
}

impl Traffic {
    /// Begins it, and sees it flow.
    #[track_caller]
    pub(super) fn start(lab: &Lab, plan: &Plan<'_>) -> Self {
        let [one, other] = TALK.map(|name| lab.host(name));
        let steady = [other.subnet().pod_v4(), other.subnet().pod_v6()]
            .map(|target| Stream::start(one.pod(), other.pod(), target, INTERVAL));
        let places = plan.moves.map(|host| host.pod());
        let moving =
            [MOVED.pod_v4(), MOVED.pod_v6()].map(|target| Stream::start_among(other.pod(), &places, target, INTERVAL));
        let traffic = Self { steady, moving };
        traffic.await_more();
        traffic
    }

    #[track_caller]
    pub(super) fn await_more(&self) {
        self.steady.iter().chain(&self.moving).for_each(|stream| stream.await_more(FLOWS));
    }

    /// Ends all streams and counts.
    pub(super) fn judge(&mut self, rewritten: [Vec<String>; 2], gaps: &Gaps) -> [Found; 2] {
        let mut rewritten = rewritten.into_iter();
        std::array::from_fn(|family| {
            let moving = &mut self.moving[family];
            let reports = [self.steady[family].stop(), moving.stop()];
            // IPv4 entries are never absent, or something is wrong.
            let absent = if family == 0 {
                Vec::new()
            } else {
                let streams = [&self.steady[family], &*moving].into_iter().zip(&reports);
                let moments = streams.flat_map(|(stream, report)| report.unanswered.iter().map(|n| stream.sent_at(*n)));
                moments.flatten().filter_map(|moment| gaps.around(time_of_day(moment))).collect()
            };
            let first_at_new = moving.delivered(1).first().copied();
            let late = |number: &u32| first_at_new.is_some_and(|first| *number > first);
            Found {
                sent: reports.iter().map(|report| report.sent).sum(),
                lost: reports.iter().map(|report| report.lost).sum(),
                astray: moving.delivered(0).iter().filter(|number| late(number)).count(),
                rewritten: rewritten.next().unwrap_or_default(),
                absent,
            }
        })
    }
}
