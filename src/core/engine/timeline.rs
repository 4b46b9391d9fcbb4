//! What happened: the last so many changes with their reasons, and to which gateways each was written (promise P8).
//!
//! ```text
//!  Settled, Note, Command, session ──► Event ──► ring, bounded in events and octets ──► EventRow, for a page of an answer
//!                                                                                       + Written, by the feeds' positions
//! ```
//!
//! Nothing is kept for a gateway: an event remembers where it stands in the views' logs, and whoever asks to whom it was
//! written gets that compared with where the feeds are by then. Of one decision [`TOLD`](crate::table::TOLD) changes are told apart
//! and the others are counted, so that a first list of a million routes costs no more than a thousand.

mod event;
mod note;
mod records;
mod rows;
#[cfg(test)]
mod tests;
mod written;

pub use event::{By, EventKind};
pub use rows::{EventRow, EventsPage, Wanted};
pub use written::{Written, WrittenRow};

use crate::model::Time;
use event::Event;
pub(super) use event::{Happened, SessionChange};
pub(super) use note::Pending;
use std::collections::VecDeque;

/// How much is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimelineLimits {
    /// The most events; 0 keeps none.
    pub events: usize,
    /// The most octets, reckoned a little high: what events share counts for each.
    pub octets: usize,
}

impl TimelineLimits {
    /// So many events, and for each as many octets as nearly all take.
    pub fn of_events(events: usize) -> Self {
        TimelineLimits { events, octets: events.saturating_mul(512).max(64 << 10) }
    }
}

impl Default for TimelineLimits {
    fn default() -> Self {
        TimelineLimits::of_events(10_000)
    }
}

/// The ring.
#[derive(Default)]
pub(super) struct Timeline {
    limits: TimelineLimits,
    events: VecDeque<Event>,
    octets: usize,
    /// How many there ever were: the number of the newest.
    newest: u64,
}

impl Timeline {
    /// Whether anything is kept.
    pub(super) fn is_on(&self) -> bool {
        self.limits.events > 0
    }

    pub(super) fn limit(&mut self, limits: TimelineLimits) {
        self.limits = limits;
        self.make_room(0, 0);
        self.events.shrink_to_fit();
    }

    /// Takes an event in; the oldest make room.
    pub(super) fn push(&mut self, at: Time, what: Happened) {
        if !self.is_on() {
            return;
        }
        self.newest += 1;
        let event = Event { number: self.newest, at, what };
        let octets = event.octets();
        self.make_room(1, octets);
        // One that is larger than all the room there is would be the only one.
        if octets <= self.limits.octets {
            self.octets += octets;
            self.events.push_back(event);
        }
    }

    fn make_room(&mut self, events: usize, octets: usize) {
        while self.events.len() + events > self.limits.events || self.octets + octets > self.limits.octets {
            let Some(oldest) = self.events.pop_front() else { return };
            self.octets -= oldest.octets();
        }
    }

    /// The number of the newest event; 0: there was none.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// How many events there are, and how many octets they take.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.events.len(), self.octets)
    }

    /// How many of the events behind this one are gone.
    fn lost_after(&self, number: u64) -> u64 {
        let oldest = self.events.front().map_or(self.newest + 1, |event| event.number);
        oldest.saturating_sub(number.min(self.newest) + 1)
    }

    /// Behind which event to begin for those behind `after` and from a moment on, and how many of them are gone.
    fn from(&self, after: u64, moment: Option<Time>) -> (u64, u64) {
        let Some(moment) = moment else { return (after, self.lost_after(after)) };
        let from = self.events.partition_point(|event| event.at < moment);
        match from.checked_sub(1).and_then(|before| self.events.get(before)) {
            Some(before) => (after.max(before.number), 0),
            // Those that are gone may have been later, too.
            None => (after, self.lost_after(after)),
        }
    }

    /// The events behind this one, the oldest first.
    fn after(&self, number: u64) -> impl DoubleEndedIterator<Item = &Event> {
        let from = self.events.partition_point(|event| event.number <= number);
        self.events.range(from..)
    }

    /// The events behind the one of a number and in front of the other, the oldest first.
    fn between(&self, after: u64, before: u64) -> impl DoubleEndedIterator<Item = &Event> {
        let from = self.events.partition_point(|event| event.number <= after);
        let to = self.events.partition_point(|event| event.number < before);
        self.events.range(from.min(to)..to)
    }

    /// Who gave the order of this number, if it is kept.
    fn by(&self, number: u64) -> Option<By> {
        let place = self.events.binary_search_by_key(&number, |event| event.number).ok()?;
        match &self.events.get(place)?.what {
            Happened::Ordered(ordered) => Some(ordered.by.clone()),
            _ => None,
        }
    }

    /// What an order concerned is known once it is carried out, and it stands before what it caused.
    pub(super) fn count(&mut self, number: u64, count: usize) {
        let place = self.events.binary_search_by_key(&number, |event| event.number);
        if let Some(event) = place.ok().and_then(|place| self.events.get_mut(place))
            && let Happened::Ordered(ordered) = &mut event.what
        {
            ordered.count = count;
        }
    }
}
