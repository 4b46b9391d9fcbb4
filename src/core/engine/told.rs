//! What the log is told of holds: a store that is emptied record by record must not fill it.

use super::Effect;
use crate::model::{SourceId, Time};
use crate::table::{ChangeKind, HoldReason, Settled, Table};
use std::time::Duration;

/// Between two lines.
const PAUSE: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Default, Debug)]
pub(super) struct Told {
    /// What was held since the last line: for each source and kind the last reason.
    untold: Vec<(SourceId, ChangeKind, HoldReason)>,
    /// When it may be told.
    due: Time,
}

impl Told {
    /// Takes in what is held from now on.
    pub(super) fn note(&mut self, settled: &Settled, table: &Table) {
        let held = settled.held.iter().filter_map(|&(family, slot)| table.held_change(family, slot));
        for hold in held.map(|held| held.hold) {
            match self.untold.iter_mut().find(|(source, kind, _)| (*source, *kind) == (hold.source, hold.kind)) {
                Some((_, _, reason)) => *reason = hold.reason,
                None => self.untold.push((hold.source, hold.kind, hold.reason)),
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        (!self.untold.is_empty()).then_some(self.due)
    }

    /// Says how much is held by now, if anything is to be told and it is time.
    pub(super) fn tell(&mut self, now: Time, table: &Table, effects: &mut Vec<Effect>) {
        if self.untold.is_empty() || now < self.due {
            return;
        }
        self.due = now + PAUSE;
        for (source, kind, reason) in self.untold.drain(..) {
            let count = table.count_held(source, kind);
            if count > 0 {
                effects.push(Effect::Held(source, kind, count, reason));
            }
        }
    }
}
