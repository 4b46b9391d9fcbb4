//! All claims by prefix, and the winner of each.
//!
//! Claims come and go one by one; [`Table::settle`] then decides the touched prefixes once each and says which routes
//! changed. What changed is all that the views ever look at.

use super::{Fence, Held, Losers, Owner, OwnerId, Owners, Priorities, Refusal, SlotId, Slots, WhyLost, arbitrate};
use crate::model::{Claim, ClaimKey, Family, PerFamily, Prefix, RecordId, SourceId};
use crate::source::sync::Absent;
use std::net::IpAddr;

/// The claim that owns a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Winner {
    /// The host and its next hop.
    pub owner: OwnerId,
    /// Whose record states it.
    pub source: SourceId,
    /// The record.
    pub record: RecordId,
}

/// What became of a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It is the route.
    Route,
    /// Another claim for the same prefix won.
    Shadowed,
    /// Outside the fence.
    Fenced(Refusal),
}

/// What a slot holds: nearly always one claim, so the first needs no allocation.
#[derive(Default, Debug)]
struct Claims {
    first: Option<Held>,
    more: Vec<Held>,
}

impl Claims {
    fn iter(&self) -> impl Iterator<Item = &Held> {
        self.first.iter().chain(&self.more)
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        self.first.iter_mut().chain(&mut self.more)
    }

    /// The claim of this record, replaced; the old one is returned.
    fn put(&mut self, held: Held) -> Option<Held> {
        let same = |old: &Held| old.source == held.source && old.record == held.record;
        if let Some(old) = self.iter_mut().find(|old| same(old)) {
            return Some(std::mem::replace(old, held));
        }
        match self.first {
            None => self.first = Some(held),
            Some(_) => self.more.push(held),
        }
        None
    }

    fn take(&mut self, wanted: impl Fn(&Held) -> bool) -> Option<Held> {
        if self.first.as_ref().is_some_and(&wanted) {
            return std::mem::replace(&mut self.first, self.more.pop());
        }
        let place = self.more.iter().position(wanted)?;
        Some(self.more.swap_remove(place))
    }

    /// False for nearly all, that the log costs nothing: one claim, which is admitted and was never told.
    fn may_have_losers(&self) -> bool {
        !self.more.is_empty() || self.first.as_ref().is_some_and(|held| held.fenced || held.told)
    }

    fn winner(&self, priorities: &Priorities, owners: &Owners) -> Option<Winner> {
        let one;
        let many;
        let claims = match (self.first, self.more.is_empty()) {
            (None, _) => return None,
            (Some(first), true) => {
                one = [first];
                &one[..]
            }
            (Some(_), false) => {
                many = self.iter().copied().collect::<Vec<_>>();
                &many[..]
            }
        };
        let host = |id: OwnerId| &owners.get(id).host;
        let place = arbitrate(claims, priorities, host)?;
        claims.get(place).map(|held| Winner { owner: held.owner, source: held.source, record: held.record })
    }
}

#[derive(Default, Debug)]
struct FamilyTable {
    slots: Slots,
    claims: Vec<Claims>,
    winners: Vec<Option<Winner>>,
    /// How many winners there are.
    routes: usize,
    dirty: Vec<SlotId>,
    /// Slots without any claim that views and feeds may still refer to.
    dead: Vec<SlotId>,
}

impl FamilyTable {
    fn slot(&mut self, prefix: Prefix) -> SlotId {
        let slot = self.slots.find_or_make(prefix);
        if slot.index() >= self.claims.len() {
            self.claims.push(Claims::default());
            self.winners.push(None);
        }
        slot
    }
}

/// Claims, fence, arbiter: the routes.
#[derive(Default, Debug)]
pub struct Table {
    families: PerFamily<FamilyTable>,
    owners: Owners,
    fence: Fence,
    priorities: Priorities,
    losers: Losers,
}

impl Table {
    /// A table without claims.
    pub fn new(fence: Fence, priorities: Priorities) -> Self {
        Table { fence, priorities, ..Table::default() }
    }

    /// Takes a claim in, or what has become of it. The route changes at the next [`Table::settle`].
    pub fn upsert(&mut self, key: ClaimKey, claim: &Claim) {
        let fenced = self.fence.admits(key.prefix, claim.next_hop).is_err();
        let owner = self.owners.acquire(claim);
        let ClaimKey { source, record, prefix } = key;
        let held =
            Held { source, record, owner, created: claim.created, readable: claim.readable, fenced, told: false };
        let family = &mut self.families[prefix.family()];
        let slot = family.slot(prefix);
        if let Some(old) = family.claims[slot.index()].put(held) {
            self.owners.release(old.owner);
        }
        family.dirty.push(slot);
    }

    /// Lets a claim go, with the proof that its record is gone or states it no longer: the only way a claim dies (promise P2).
    pub fn remove(&mut self, key: ClaimKey, _proof: Absent) {
        let family = &mut self.families[key.prefix.family()];
        let Some(slot) = family.slots.find(key.prefix) else { return };
        let claims = &mut family.claims[slot.index()];
        let Some(old) = claims.take(|held| held.source == key.source && held.record == key.record) else { return };
        self.owners.release(old.owner);
        family.dirty.push(slot);
    }

    /// Takes another fence and other priorities; every claim is judged anew.
    pub fn reconfigure(&mut self, fence: Fence, priorities: Priorities) {
        if self.fence == fence && self.priorities == priorities {
            return;
        }
        self.fence = fence;
        self.priorities = priorities;
        for (_, family) in self.families.iter_mut() {
            for (n, claims) in family.claims.iter_mut().enumerate() {
                let slot = SlotId(n as u32);
                for held in claims.iter_mut() {
                    let next_hop = self.owners.get(held.owner).next_hop;
                    let fenced = self.fence.admits(family.slots.prefix(slot), next_hop).is_err();
                    held.told &= held.fenced == fenced;
                    held.fenced = fenced;
                }
                if claims.first.is_some() {
                    family.dirty.push(slot);
                }
            }
        }
    }

    /// Decides every touched prefix; `changed` gets the slots whose route is another than before, grouped by owner (so
    /// that routes which share attributes leave together).
    pub fn settle(&mut self, family: Family, changed: &mut Vec<SlotId>) {
        changed.clear();
        let FamilyTable { slots, claims, winners, routes, dirty, dead } = &mut self.families[family];
        // Many records may claim one prefix: it is decided once.
        dirty.sort_unstable();
        dirty.dedup();
        for slot in dirty.drain(..) {
            let of_slot = &mut claims[slot.index()];
            let winner = of_slot.winner(&self.priorities, &self.owners);
            let before = std::mem::replace(&mut winners[slot.index()], winner);
            if winner != before {
                *routes = *routes + usize::from(winner.is_some()) - usize::from(before.is_some());
                changed.push(slot);
            }
            if of_slot.may_have_losers() {
                let (prefix, owners) = (slots.prefix(slot), &self.owners);
                let why = |held: &Held| match (self.fence.admits(prefix, owners.get(held.owner).next_hop), winner) {
                    (Err(refusal), _) => Some(WhyLost::Fenced(refusal)),
                    (Ok(()), Some(winner)) => {
                        Some(WhyLost::Shadowed { by: owners.get(winner.owner).host.clone(), source: winner.source })
                    }
                    (Ok(()), None) => None,
                };
                self.losers.note(prefix, of_slot.iter_mut(), winner, why);
            }
            if of_slot.first.is_none() {
                dead.push(slot);
            }
        }
        let owner = |slot: &SlotId| winners[slot.index()].map(|winner| winner.owner);
        changed.sort_by_key(|slot| (owner(slot), *slot));
        changed.dedup();
        debug_assert!(changed.iter().all(|slot| slot.index() < slots.capacity()));
        if self.families.iter().all(|(_, family)| family.dirty.is_empty()) {
            self.owners.sweep();
        }
    }

    /// Claims that lost since this was asked last.
    pub fn take_losers(&mut self) -> Losers {
        std::mem::take(&mut self.losers)
    }

    /// Whether there are claims that lost and were not taken.
    pub fn has_losers(&self) -> bool {
        !self.losers.is_empty()
    }

    /// How many slots wait to be freed.
    pub fn count_dead(&self, family: Family) -> usize {
        self.families[family].dead.len()
    }

    /// Slots that nobody claims, taken; give back with [`Table::keep_dead`] those that somebody still refers to.
    pub fn take_dead(&mut self, family: Family) -> Vec<SlotId> {
        std::mem::take(&mut self.families[family].dead)
    }

    /// See [`Table::take_dead`].
    pub fn keep_dead(&mut self, family: Family, slots: Vec<SlotId>) {
        self.families[family].dead = slots;
    }

    /// Whether nobody claims the slot's prefix.
    pub fn is_unclaimed(&self, family: Family, slot: SlotId) -> bool {
        self.families[family].claims.get(slot.index()).is_none_or(|claims| claims.first.is_none())
    }

    /// Gives the slot's number back, unless the prefix is claimed again.
    pub fn free(&mut self, family: Family, slot: SlotId) {
        let family = &mut self.families[family];
        if family.claims[slot.index()].first.is_none() {
            family.slots.free(slot);
        }
    }

    /// The prefixes of a family.
    pub fn slots(&self, family: Family) -> &Slots {
        &self.families[family].slots
    }

    /// The slot's route.
    pub fn winner(&self, family: Family, slot: SlotId) -> Option<Winner> {
        self.families[family].winners.get(slot.index()).copied().flatten()
    }

    /// An owner named by a [`Winner`] or [`Held`].
    pub fn owner(&self, id: OwnerId) -> &Owner {
        self.owners.get(id)
    }

    /// The other addresses of the hosts that have this one.
    pub fn other_addresses(&self, address: IpAddr) -> impl Iterator<Item = IpAddr> {
        self.owners.other_addresses(address)
    }

    /// Another number than before: [`Table::other_addresses`] may have another answer.
    pub fn host_changes(&self) -> u64 {
        self.owners.changes()
    }

    /// How many routes a family has.
    pub fn count_routes(&self, family: Family) -> usize {
        self.families[family].routes
    }

    /// All claims for the slot, with what became of each.
    pub fn claims(&self, family: Family, slot: SlotId) -> impl Iterator<Item = (Held, Standing)> {
        let table = &self.families[family];
        let prefix = table.slots.prefix(slot);
        let winner = self.winner(family, slot);
        table.claims[slot.index()].iter().map(move |held| {
            let refusal = self.fence.admits(prefix, self.owners.get(held.owner).next_hop).err();
            let won = winner.is_some_and(|winner| (winner.source, winner.record) == (held.source, held.record));
            let standing = match refusal {
                Some(refusal) => Standing::Fenced(refusal),
                None if won => Standing::Route,
                None => Standing::Shadowed,
            };
            (*held, standing)
        })
    }
}

#[cfg(test)]
mod tests;
