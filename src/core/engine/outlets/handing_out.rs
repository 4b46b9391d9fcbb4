//! Who is handed what next: changes first, then slices of dumps in turn.

use super::super::Effect;
use super::super::views::{ViewId, Views};
use super::{Outlets, Verified};
use crate::model::Time;
use crate::table::Table;
use crate::view::Stamp;

/// How gateways are told what they are told now.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Saying {
    pub(in super::super) now: Time,
    pub(in super::super) stamp: Stamp,
    /// It is not known who leads: nobody is told anything anew.
    pub(in super::super) unsure: bool,
}

impl Outlets {
    /// One chunk of changes to every gateway that wants one and has credit. True if any was handed out.
    pub(in super::super) fn hand_out_changes(
        &mut self,
        views: &mut Views,
        table: &Table,
        Saying { now, stamp, .. }: Saying,
        effects: &mut Vec<Effect>,
    ) -> bool {
        self.notice_changes(views);
        let before = effects.len();
        for _ in 0..self.changes.len() {
            let Some(gateway) = self.changes.pop() else { break };
            let Some(outlet) = self.places.get(&gateway).and_then(|&place| self.outlets.get_mut(place)) else {
                continue;
            };
            self.looks += 1;
            let handed_out = outlet.hand_out(now, views, effects, |feed, view, family| {
                if feed.lag(view) == 0 && !feed.can_fill() {
                    return None;
                }
                feed.pull_tail(view, table.slots(family), stamp)
            });
            outlet.recount(&mut self.tally);
            // Who has no credit is looked at again when something was written; who has been told everything, at the next
            // change.
            if handed_out {
                self.changes.push(gateway);
            }
            if outlet.is_dumping() {
                self.slices.push(gateway);
            }
            if outlet.is_capped() {
                self.caps.push(gateway);
            }
        }
        effects.len() > before
    }

    /// Puts in line whoever shares a view that has changed.
    fn notice_changes(&mut self, views: &Views) {
        if views.heads().eq(self.heads.iter().copied()) {
            return;
        }
        let before = std::mem::replace(&mut self.heads, views.heads().collect());
        let moved: Vec<ViewId> = self.heads.iter().filter(|head| !before.contains(head)).map(|(id, _)| *id).collect();
        for outlet in self.outlets.iter().filter(|outlet| outlet.session.is_some()) {
            self.looks += 1;
            if outlet.views.iter().any(|(_, id)| id.is_some_and(|id| moved.contains(&id))) {
                self.changes.push(outlet.settings.id);
            }
        }
        self.moved = true;
    }

    /// One slice of one gateway's dump; the gateways take turns. True if any was handed out.
    pub(in super::super) fn hand_out_slice(
        &mut self,
        views: &mut Views,
        table: &Table,
        saying: Saying,
        verified: Verified,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Saying { now, stamp, unsure } = saying;
        if self.verified.replace(verified) != Some(verified) {
            self.looks += self.outlets.len() as u64;
            let dumping = self.outlets.iter().filter(|outlet| outlet.is_dumping());
            dumping.for_each(|outlet| self.slices.push(outlet.settings.id));
        }
        while let Some(gateway) = self.slices.pop() {
            let Some(outlet) = self.places.get(&gateway).and_then(|&place| self.outlets.get_mut(place)) else {
                continue;
            };
            self.looks += 1;
            let (completed, ended) = (outlet.completed, &mut self.ended);
            let (is_due, mut unhurried) = (outlet.pace.due() <= now, 0);
            let handed_out = outlet.hand_out(now, views, effects, |feed, view, family| {
                let (is_restamping, is_unhurried) = (feed.is_restamping(), feed.is_unhurried());
                if !feed.is_dumping() || (unsure && is_restamping) || (is_unhurried && !is_due) {
                    return None;
                }
                let before = feed.is_complete();
                let verified = verified.of(family) || (verified.complete && completed[family]);
                let chunk = feed.pull_dump(view, table.slots(family), stamp, verified);
                if feed.is_complete() && !before {
                    ended.push((gateway, family));
                }
                unhurried += chunk.as_ref().filter(|_| is_unhurried).map_or(0, |chunk| chunk.bytes.len());
                chunk
            });
            if unhurried > 0 {
                outlet.pace.say(now, unhurried);
            }
            if !is_due && !unsure && outlet.is_unhurried() {
                self.later.insert((outlet.pace.due(), gateway));
            }
            outlet.recount(&mut self.tally);
            if outlet.is_capped() {
                self.caps.push(gateway);
                // The end of a bracket may have made room for routes that wait.
                self.changes.push(gateway);
            }
            if handed_out {
                self.slices.push(gateway);
                return true;
            }
        }
        false
    }
}
