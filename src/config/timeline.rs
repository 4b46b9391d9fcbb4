//! `timeline`: how much is kept of what happened.

use super::check::{Check, Field};
use super::keys;
use fingerpost_core::engine::TimelineLimits;
use std::path::PathBuf;

/// What happened, for `fingerpost events` and `explain`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timeline {
    /// How many events are kept in memory; 0: none.
    pub events: u32,
    /// Where they are written, a line each; None: nowhere. Whether that can be done is asked by who will do it.
    pub file: Option<PathBuf>,
}

impl Default for Timeline {
    fn default() -> Self {
        Timeline { events: 10_000, file: None }
    }
}

impl Timeline {
    /// In the core's words.
    pub fn limits(&self) -> TimelineLimits {
        TimelineLimits::of_events(usize::try_from(self.events).unwrap_or(usize::MAX))
    }
}

pub(super) fn read(field: &Field<'_>, check: &mut Check) -> Option<Timeline> {
    let table = field.table(&keys::TIMELINE, check)?;
    let default = Timeline::default().events;
    let events = table.or("events", default, check, |field, check| field.integer(0..=1_000_000, check));
    let file = table.maybe("file", check, Field::file)?;
    if let (Some(0), Some(_)) = (events, &file) {
        let message = "nothing is written to it while timeline.events is 0";
        check.fault("timeline.file", message, "keep at least one event, better the default");
        return None;
    }
    Some(Timeline { events: events?, file })
}
