//! What a person has decided about changes at another replica, where this one may not have come to them yet.

use super::{SlotId, Table};
use crate::model::{Family, Prefix, SourceId};
use crate::table::guard::{ChangeKind, Decision, Proposal};
use crate::table::touched::Because;
use hashbrown::HashMap;
use std::net::IpAddr;

/// A change, as a person saw it held: nothing else was seen, so nothing else is decided.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SeenChange {
    /// What would happen.
    pub kind: ChangeKind,
    /// To which prefix.
    pub prefix: Prefix,
    /// The next hop that it has.
    pub from: Option<IpAddr>,
    /// The next hop that it would get.
    pub to: Option<IpAddr>,
}

/// Changes of sources that pass (true) or stay held when they come.
#[derive(Default, Debug)]
pub(super) struct Awaited(HashMap<(SourceId, SeenChange), bool>);

impl Awaited {
    /// What was decided about such a change, which would take the prefix `from` there.
    pub(super) fn decision(&self, proposal: &Proposal, from: impl FnOnce() -> Option<IpAddr>) -> Option<Decision> {
        if self.0.is_empty() {
            return None;
        }
        let &Proposal { kind, prefix, to, source, .. } = proposal;
        let approved = self.0.get(&(source, SeenChange { kind, prefix, from: from(), to }))?;
        Some(if *approved { Decision::Approved } else { Decision::Denied })
    }
}

impl Table {
    /// What is held, by source.
    pub fn held(&self, wanted: impl Fn(&super::HeldChange<'_>) -> bool) -> Vec<(SourceId, SeenChange)> {
        let change = |held: super::HeldChange<'_>| {
            let (kind, from) = (held.hold.kind, held.from.map(|owner| owner.next_hop));
            (held.hold.source, SeenChange { kind, prefix: held.prefix, from, to: held.hold.to() })
        };
        self.holds().filter(|held| wanted(held)).map(change).collect()
    }

    /// Decides about these changes of the source as far as they are held; how many.
    pub fn decide(&mut self, source: SourceId, approved: bool, changes: impl Iterator<Item = SeenChange>) -> usize {
        let slots: Vec<(Family, SlotId)> = changes.filter_map(|change| self.slot_held(source, change)).collect();
        let decision = if approved { Decision::Approved } else { Decision::Denied };
        self.guard.decide(decision, &slots);
        if approved { self.touch(slots, Because::Approved) } else { slots.len() }
    }

    fn slot_held(&self, source: SourceId, change: SeenChange) -> Option<(Family, SlotId)> {
        let family = change.prefix.family();
        let slot = self.slots(family).find(change.prefix)?;
        let held = self.held_change(family, slot)?;
        let from = held.from.map(|owner| owner.next_hop);
        let is_it = held.hold.source == source
            && (held.hold.kind, from, held.hold.to()) == (change.kind, change.from, change.to);
        is_it.then_some((family, slot))
    }

    /// What was decided about changes that may still come, from now on: this, and nothing else.
    pub fn await_changes(&mut self, decided: impl Iterator<Item = ((SourceId, SeenChange), bool)>) {
        self.awaited = Awaited(decided.collect());
    }

    /// Changes that would pass when they come.
    pub fn awaited_approvals(&self) -> impl Iterator<Item = (SourceId, SeenChange)> {
        self.awaited.0.iter().filter(|(_, approved)| **approved).map(|(change, _)| *change)
    }
}
