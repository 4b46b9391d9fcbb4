//! All claims by prefix, and the winner of each.
//!
//! Claims come and go one by one; [`Table::settle`] then decides the touched prefixes once each and says which routes
//! changed. What changed is all that the views ever look at.

use super::awaited::Awaited;
use super::forced::Forced;
use super::guard::{ChangeKind, Guard, GuardConfig, Hold, Spent};
use super::recalled::Recalled;
use super::slot_claims::Claims;
use super::touched::{Because, Touched};
use super::{Fence, Losers, Owner, OwnerId, Owners, Priorities, Refusal, SlotClaim, SlotId, Slots};
use crate::model::{Claim, ClaimKey, Family, HostName, PerFamily, Prefix, RecordId, SourceId, Time};
use crate::replicas::TableDigest;
use crate::source::sync::Absent;
use std::collections::BTreeSet;
use std::net::IpAddr;

mod settle;
pub use settle::{Change, Ended, Hop, Parked, Settled};

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
    /// It would be the route; the guard keeps that back.
    Held(Hold),
    /// Outside the fence.
    Fenced(Refusal),
    /// A person has withdrawn its prefix or its host.
    Forced,
}

impl Standing {
    /// For people, who read the nearest to being announced first: 0 is the route.
    pub fn rank(&self) -> u8 {
        match self {
            Standing::Route => 0,
            Standing::Held(_) => 1,
            Standing::Shadowed => 2,
            Standing::Forced => 3,
            Standing::Fenced(_) => 4,
        }
    }
}

/// A change that the guard keeps back.
#[derive(Clone, Copy, Debug)]
pub struct HeldChange<'a> {
    /// Whose route it is.
    pub prefix: Prefix,
    /// Its slot.
    pub slot: SlotId,
    /// Since when and why.
    pub hold: &'a Hold,
    /// Who is announced as its owner.
    pub from: Option<&'a Owner>,
    /// Who would be.
    pub to: Option<&'a Owner>,
}

#[derive(Default, Debug)]
struct FamilyTable {
    slots: Slots,
    claims: Vec<Claims>,
    /// What is announced. Nobody may claim it any more, if the guard holds its withdrawal.
    winners: Vec<Option<Winner>>,
    /// How many winners there are, and which.
    digest: TableDigest,
    dirty: Vec<SlotId>,
    /// Slots without any claim that views and feeds may still refer to.
    dead: Vec<SlotId>,
}

impl FamilyTable {
    /// It is to be decided. In a long freeze the same slot may be touched without end, and is remembered once.
    fn touch(&mut self, slot: SlotId) {
        self.make_room();
        self.dirty.push(slot);
    }

    fn make_room(&mut self) {
        if self.dirty.len() >= self.claims.len() * 2 {
            self.dirty.sort_unstable();
            self.dirty.dedup();
        }
    }

    fn slot(&mut self, prefix: Prefix) -> SlotId {
        let slot = self.slots.find_or_make(prefix);
        if slot.index() >= self.claims.len() {
            self.claims.push(Claims::default());
            self.winners.push(None);
        }
        slot
    }
}

/// Claims, fence, arbiter, guard: the routes.
#[derive(Default, Debug)]
pub struct Table {
    families: PerFamily<FamilyTable>,
    owners: Owners,
    fence: Fence,
    priorities: Priorities,
    losers: Losers,
    pub(super) guard: Guard,
    forced: Forced,
    pub(super) recalled: Recalled,
    pub(super) awaited: Awaited,
    /// How often what is withdrawn by order has changed.
    pub(super) orders: u64,
    touched: Touched,
    /// How many routes each source has, by its number.
    routes_of: Vec<usize>,
}

impl Table {
    /// A table without claims.
    pub fn new(fence: Fence, priorities: Priorities, guard: GuardConfig) -> Self {
        Table { fence, priorities, guard: Guard::new(guard), ..Table::default() }
    }

    /// Takes a claim in, or what has become of it. The route changes at the next [`Table::settle`].
    pub fn upsert(&mut self, key: ClaimKey, claim: &Claim) {
        let barred =
            self.fence.admits(key.prefix, claim.next_hop).is_err() || self.forced.bars(key.prefix, &claim.host);
        let owner = self.owners.acquire(claim);
        let ClaimKey { source, record, prefix } = key;
        let claim =
            SlotClaim { source, record, owner, created: claim.created, readable: claim.readable, barred, told: false };
        let family = &mut self.families[prefix.family()];
        let slot = family.slot(prefix);
        if let Some(old) = family.claims[slot.index()].put(claim) {
            self.owners.release(old.owner);
        }
        family.touch(slot);
        self.touched.stated(prefix.family(), slot, source, record);
        self.tell_guard(source, prefix.family(), slot);
    }

    /// Lets a claim go, with the proof that its record is gone or states it no longer: the only way a claim dies (promise P2).
    pub fn remove(&mut self, key: ClaimKey, proof: Absent) {
        let family = &mut self.families[key.prefix.family()];
        let Some(slot) = family.slots.find(key.prefix) else { return };
        let claims = &mut family.claims[slot.index()];
        let Some(old) = claims.take(|held| held.source == key.source && held.record == key.record) else { return };
        self.owners.release(old.owner);
        family.touch(slot);
        self.touched.gone(key.prefix.family(), slot, (key.source, key.record), *proof.proof());
        self.tell_guard(key.source, key.prefix.family(), slot);
    }

    /// A source has said something of the slot, and it may be long before that is settled.
    fn tell_guard(&mut self, source: SourceId, family: Family, slot: SlotId) {
        let table = &self.families[family];
        if table.winners[slot.index()].is_some_and(|winner| winner.source != source) {
            self.guard.meddles(source, family, slot);
        }
        if self.guard.hold(family, slot).is_some() {
            let desired = table.claims[slot.index()].winner(&self.priorities, &self.owners);
            let to = desired.map(|winner| self.owners.get(winner.owner).next_hop);
            self.guard.follow_claims(family, slot, to);
        }
    }

    /// What may be announced.
    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Takes another fence, other priorities and limits; every claim is judged anew.
    pub fn reconfigure(&mut self, fence: Fence, priorities: Priorities, guard: GuardConfig) {
        let routes_of = &self.routes_of;
        let routes = |source: SourceId| routes_of.get(usize::from(source.0)).copied().unwrap_or_default();
        let freed = self.guard.reconfigure(guard, routes);
        self.touch(freed, Because::Unlimited);
        if self.fence == fence && self.priorities == priorities {
            return;
        }
        self.fence = fence;
        self.priorities = priorities;
        self.judge_again(Because::Rules, |_, _| true);
    }

    /// Decides anew whether the claims for these prefixes by these owners may be announced; whose slots that were.
    fn judge_again(&mut self, why: Because, wanted: impl Fn(Prefix, &Owner) -> bool) -> Vec<(Family, SlotId)> {
        let mut judged = Vec::new();
        for (name, family) in self.families.iter_mut() {
            family.make_room();
            for (n, claims) in family.claims.iter_mut().enumerate() {
                let slot = SlotId(n as u32);
                let prefix = family.slots.prefix(slot);
                let mut touched = false;
                for claim in claims.iter_mut() {
                    let owner = self.owners.get(claim.owner);
                    if wanted(prefix, owner) {
                        let admitted = self.fence.admits(prefix, owner.next_hop).is_ok();
                        let barred = !admitted || self.forced.bars(prefix, &owner.host);
                        claim.told &= claim.barred == barred;
                        claim.barred = barred;
                        touched = true;
                    }
                }
                if touched {
                    self.touched.by(name, slot, why);
                    family.dirty.push(slot);
                    judged.push((name, slot));
                }
            }
        }
        judged
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

    /// Whether nobody claims the slot's prefix and it is not announced either.
    pub fn is_vacant(&self, family: Family, slot: SlotId) -> bool {
        let family = &self.families[family];
        family.claims.get(slot.index()).is_none_or(Claims::is_empty)
            && family.winners.get(slot.index()).is_none_or(Option::is_none)
    }

    /// The slot, made if need be, of a prefix that is announced though nobody is its owner: as long as nobody claims it, it waits to be
    /// freed.
    pub fn place(&mut self, prefix: Prefix) -> SlotId {
        let family = &mut self.families[prefix.family()];
        let slot = family.slots.find(prefix).unwrap_or_else(|| {
            let slot = family.slot(prefix);
            family.dead.push(slot);
            slot
        });
        family.slots.announce(slot);
        slot
    }

    /// Gives the slot's number back, unless the prefix is claimed again.
    pub fn free(&mut self, family: Family, slot: SlotId) {
        if self.is_vacant(family, slot) {
            self.families[family].slots.free(slot);
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

    /// An owner named by a [`Winner`] or [`SlotClaim`].
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
        usize::try_from(self.families[family].digest.routes).unwrap_or(usize::MAX)
    }

    /// Of all routes of a family.
    pub fn digest(&self, family: Family) -> TableDigest {
        self.families[family].digest
    }

    /// Of all that there would be, were everything to pass that the guard keeps back.
    pub fn wanted_digests(&self) -> PerFamily<TableDigest> {
        let mut digests = PerFamily::from_fn(|family| self.digest(family));
        let difference = self.guard.difference();
        digests.iter_mut().for_each(|(family, digest)| *digest += difference[family]);
        digests
    }

    /// The number of the newest of all changes that the guard has ever kept back.
    pub fn newest_hold(&self) -> u64 {
        self.guard.newest_hold()
    }

    /// All claims for the slot, with what became of each.
    pub fn claims(&self, family: Family, slot: SlotId) -> impl Iterator<Item = (SlotClaim, Standing)> {
        let table = &self.families[family];
        let prefix = table.slots.prefix(slot);
        let announced = self.winner(family, slot);
        let desired = table.claims[slot.index()].winner(&self.priorities, &self.owners);
        let hold = self.guard.hold(family, slot);
        table.claims[slot.index()].iter().map(move |claim| {
            let owner = self.owners.get(claim.owner);
            let is = |winner: Winner| (winner.source, winner.record) == (claim.source, claim.record);
            let standing = match (self.fence.admits(prefix, owner.next_hop), hold) {
                (Err(refusal), _) => Standing::Fenced(refusal),
                _ if self.forced.bars(prefix, &owner.host) => Standing::Forced,
                // With another next hop than it has by now, if that is held.
                _ if announced.is_some_and(|winner| is(winner) && (hold.is_none() || winner.owner == claim.owner)) => {
                    Standing::Route
                }
                (_, Some(hold)) if desired.is_some_and(is) => Standing::Held(*hold),
                _ => Standing::Shadowed,
            };
            (*claim, standing)
        })
    }

    /// Whether this host claims the slot's prefix or is announced as its owner.
    pub fn concerns(&self, family: Family, slot: SlotId, host: &HostName) -> bool {
        let is = |owner: OwnerId| self.owners.get(owner).host == *host;
        let claims = self.families[family].claims.get(slot.index());
        claims.is_some_and(|claims| claims.iter().any(|claim| is(claim.owner)))
            || self.winner(family, slot).is_some_and(|winner| is(winner.owner))
    }

    /// All that the guard keeps back, in no order.
    pub fn holds(&self) -> impl Iterator<Item = HeldChange<'_>> {
        self.guard.holds().map(|(family, slot, hold)| self.held_as(family, slot, hold))
    }

    /// The same of prefixes behind `after`, in the order of their prefixes.
    pub fn holds_behind(&self, after: Option<Prefix>) -> impl Iterator<Item = HeldChange<'_>> {
        self.guard.holds_behind(after).map(|(family, slot, hold)| self.held_as(family, slot, hold))
    }

    /// What the guard keeps back for the slot.
    pub fn held_change(&self, family: Family, slot: SlotId) -> Option<HeldChange<'_>> {
        self.guard.hold(family, slot).map(|hold| self.held_as(family, slot, hold))
    }

    fn held_as<'a>(&'a self, family: Family, slot: SlotId, hold: &'a Hold) -> HeldChange<'a> {
        let table = &self.families[family];
        let owner = |winner: Winner| self.owners.get(winner.owner);
        let desired = table.claims[slot.index()].winner(&self.priorities, &self.owners);
        let (from, to) = (self.winner(family, slot).map(owner), desired.map(owner));
        HeldChange { prefix: table.slots.prefix(slot), slot, hold, from, to }
    }

    /// How many changes of a source the guard keeps back.
    pub fn count_held(&self, source: SourceId, kind: ChangeKind) -> usize {
        self.guard.count(source, kind)
    }

    /// Whether only a person may let pass what the guard keeps back of the source.
    pub fn needs_person(&self, source: SourceId) -> bool {
        self.guard.needs_person(source, self.count_routes_of(source))
    }

    /// What is spent of the source's limits, and at which moment.
    pub fn spent(&self, source: SourceId) -> (Spent, Time) {
        self.guard.spent(source)
    }

    /// Another number than before: [`Table::spent`] is not only later.
    pub fn spendings(&self, source: SourceId) -> u64 {
        self.guard.spendings(source)
    }

    /// Whether the source was read completely in this process, and what it said was decided.
    pub fn is_read(&self, source: SourceId) -> bool {
        self.guard.is_read(source)
    }

    /// Whether the guard keeps announcements of the family back, and nobody has denied them.
    pub fn has_waiting_additions(&self, family: Family) -> bool {
        self.guard.has_waiting_additions(family)
    }

    /// Whose route the slot's is to become, and in which way, where a gateway would notice that and the guard does not keep it back: it
    /// was not decided yet.
    pub fn undecided(&self, family: Family, slot: SlotId) -> Option<(ChangeKind, Option<Winner>)> {
        if self.guard.hold(family, slot).is_some() {
            return None;
        }
        let claims = self.families[family].claims.get(slot.index())?;
        let desired = claims.winner(&self.priorities, &self.owners);
        let (kind, _) = self.kind(family, slot, self.winner(family, slot), desired)?;
        Some((kind, desired))
    }

    /// How many routes that is so of. Many, if nothing was decided for long: not for every message.
    pub fn count_undecided(&self) -> usize {
        let of_family = |(family, table): (Family, &FamilyTable)| {
            let touched: BTreeSet<SlotId> = table.dirty.iter().copied().collect();
            touched.into_iter().filter(|slot| self.undecided(family, *slot).is_some()).count()
        };
        self.families.iter().map(of_family).sum()
    }

    /// Whether what is announced is not what the claims say.
    pub fn is_undecided(&self, family: Family, slot: SlotId) -> bool {
        let claims = self.families[family].claims.get(slot.index());
        claims.and_then(|claims| claims.winner(&self.priorities, &self.owners)) != self.winner(family, slot)
    }

    /// How many routes come from the source.
    pub fn count_routes_of(&self, source: SourceId) -> usize {
        self.routes_of.get(usize::from(source.0)).copied().unwrap_or_default()
    }

    /// What a person has withdrawn.
    pub fn forced(&self) -> &Forced {
        &self.forced
    }
}

#[cfg(test)]
mod tests;
