//! What other rules would make of the routes that a gateway is told, as a reload has to know before it takes them.
//!
//! The table may be large and the gateways many, and all of this is done before the engine takes its next input. So it is walked once
//! for each pair of policies, and a walk keeps next hops: what a gateway excludes depends on nothing else.

use crate::model::Family;
use crate::policy::Policy;
use crate::table::{ChangeKind, GuardConfig, SlotId, Table};
use crate::view::Exclusion;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What becomes of a policy's or a gateway's routes under other rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Difference {
    pub(super) withdrawn: usize,
    pub(super) moved: usize,
    /// Of so many.
    pub(super) of: usize,
}

impl Difference {
    pub(super) fn is_above(&self, guard: &GuardConfig) -> bool {
        let above = |count: usize, kind| guard.limit(kind).is_some_and(|limit| count > limit.of(self.of));
        let guarded = guard.limit(ChangeKind::Withdrawal).is_some() && guard.limit(ChangeKind::Move).is_some();
        let taken = self.withdrawn + self.moved;
        above(self.withdrawn, ChangeKind::Withdrawal)
            || above(self.moved, ChangeKind::Move)
            || (guarded && taken > 0 && taken == self.of)
    }
}

/// How many routes have which next hop under one policy, and which under another, if any.
#[derive(Debug, Default)]
pub(super) struct Walk(HashMap<(IpAddr, Option<IpAddr>), usize>);

impl Walk {
    /// Goes through all routes.
    pub(super) fn through(table: &Table, before: &Policy, after: Option<&Policy>) -> Self {
        let mut walk = Walk::default();
        for family in Family::ALL {
            for n in 0..table.slots(family).capacity() {
                let slot = SlotId(u32::try_from(n).unwrap_or(u32::MAX));
                let Some(winner) = table.winner(family, slot) else { continue };
                let (prefix, owner) = (table.slots(family).prefix(slot), table.owner(winner.owner));
                let next_hop = |policy: &Policy| Some(policy.export(prefix, owner, winner.source)?.next_hop);
                let Some(from) = next_hop(before) else { continue };
                *walk.0.entry((from, after.and_then(next_hop))).or_default() += 1;
            }
        }
        walk
    }

    /// For a gateway from which that was and is kept.
    pub(super) fn between(&self, before: &Exclusion, after: &Exclusion) -> Difference {
        let mut difference = Difference::default();
        for (&(from, to), count) in self.0.iter().filter(|((from, _), _)| !before.excludes(*from)) {
            difference.of += count;
            match to.filter(|to| !after.excludes(*to)) {
                None => difference.withdrawn += count,
                Some(to) if to != from => difference.moved += count,
                Some(_) => {}
            }
        }
        difference
    }
}

/// The walks of one reload.
#[derive(Debug, Default)]
pub(super) struct Walks {
    /// By the names of the policies before and after.
    done: BTreeMap<(String, Option<String>), Walk>,
    count: u64,
}

impl Walks {
    /// What another policy of the same name would make of the routes.
    pub(super) fn of_policy(&mut self, table: &Table, before: &Policy, after: &Policy) -> Difference {
        self.count += 1;
        Walk::through(table, before, Some(after)).between(&Exclusion::NOTHING, &Exclusion::NOTHING)
    }

    /// From the policy of this name to that of the other, if there is one: a walk is done once. A name has to stand for the same
    /// policy throughout, on either side.
    pub(super) fn of_choice(
        &mut self,
        table: &Table,
        (old, before): (&str, &Policy),
        after: Option<(&str, &Policy)>,
    ) -> &Walk {
        let names = (old.to_owned(), after.map(|(name, _)| name.to_owned()));
        self.done.entry(names).or_insert_with(|| {
            self.count += 1;
            Walk::through(table, before, after.map(|(_, policy)| policy))
        })
    }

    /// How often the table was gone through.
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}
