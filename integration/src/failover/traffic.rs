//! What pods say to each other all the while.

use std::time::Duration;

use super::gap::{Gaps, Lost};
use super::plan::Plan;
use super::{Found, MOVED};
use crate::lab::Lab;
use crate::lab::monitor::time_of_day;
use crate::lab::stream::{Report, Stream};
use crate::lab::topology::Subnet;

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
    /// Of the pods of [`TALK`].
    subnets: [Subnet; 2],
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
        let traffic = Self { steady, moving, subnets: [one.subnet(), other.subnet()] };
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
        let [one, other] = self.subnets;
        std::array::from_fn(|family| {
            let moving = &mut self.moving[family];
            let reports = [self.steady[family].stop(), moving.stop()];
            let [mut absent, mut unexplained] = judged(&self.steady[family], &reports[0], gaps, [one, other], family);
            let [more_absent, more_unexplained] = judged(moving, &reports[1], gaps, [other, MOVED], family);
            absent.extend(more_absent);
            unexplained.extend(more_unexplained);
            let first_at_new = moving.delivered(1).first().copied();
            let late = |number: &u32| first_at_new.is_some_and(|first| *number > first);
            Found {
                sent: reports.iter().map(|report| report.sent).sum(),
                lost: reports.iter().map(|report| report.lost).sum(),
                astray: moving.delivered(0).iter().filter(|number| late(number)).count(),
                rewritten: rewritten.next().unwrap_or_default(),
                absent,
                unexplained,
            }
        })
    }
}

/// What is said of a stream's lost packets: of those whose own entry was being replaced, and of the others. Lost is the answer, where
/// the request has come to its destination.
fn judged(stream: &Stream, report: &Report, gaps: &Gaps, [from, to]: [Subnet; 2], family: usize) -> [Vec<String>; 2] {
    let [mut explained, mut unexplained] = [Vec::new(), Vec::new()];
    for number in &report.unanswered {
        let (what, subnet, moment) = match stream.sent_back_at(*number) {
            Some(moment) => ("answer", from, moment),
            None => ("request", to, stream.sent_at(*number).expect("what is lost was sent")),
        };
        let to = if family == 0 { subnet.v4() } else { subnet.v6() };
        let lost = Lost { what, to, sent: [moment.begin, moment.end].map(time_of_day) };
        match gaps.explain(&lost) {
            Some(text) => explained.push(text),
            None => unexplained.push(gaps.nearest(&lost)),
        }
    }
    [explained, unexplained]
}
