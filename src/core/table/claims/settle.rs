//! Deciding what changed: desired against current, past the guard.

use super::{FamilyTable, HeldChange, Table, Winner};
use crate::model::{Family, HostName, PerFamily, SourceId, Time};
use crate::replicas::TableDigest;
use crate::table::forced::Target;
use crate::table::guard::{ChangeKind, Decision, Hold, Proposal, Spent, Verdict};
use crate::table::touched::{Because, TOLD, Touched};
use crate::table::{SlotClaim, SlotId, WhyLost};
use std::net::IpAddr;

/// What a settling has changed. A buffer to use again.
#[derive(Default, Debug)]
pub struct Settled {
    /// The slots whose route is another than before, grouped by owner (so that routes which share attributes leave together).
    pub changed: PerFamily<Vec<SlotId>>,
    /// Slots without a claim that had none before either, but did in between.
    pub passing: PerFamily<Vec<SlotId>>,
    /// What is held from now on.
    pub held: Vec<(Family, SlotId)>,
    /// Why the first of that would change.
    pub held_because: Vec<Because>,
    /// The first of what changed, with the reasons: [`TOLD`] at the most.
    pub told: Vec<Change>,
    /// The first of what is held no longer, likewise.
    pub ended: Vec<Ended>,
    /// How many holds ended besides.
    pub more_ended: usize,
}

/// A route that is another than before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Its family.
    pub family: Family,
    /// Its slot.
    pub slot: SlotId,
    /// The claim that was announced.
    pub before: Option<Winner>,
    /// Its owner, who may not be there any more.
    pub from: Option<Hop>,
    /// The claim that is.
    pub after: Option<Winner>,
    /// Its owner.
    pub to: Option<Hop>,
    /// Why.
    pub because: Because,
}

/// A hold that is no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// The family of its prefix.
    pub family: Family,
    /// Its slot.
    pub slot: SlotId,
    /// What it was.
    pub hold: Hold,
    /// Whether the change was made; otherwise nobody wants it any more.
    pub passed: bool,
    /// Why.
    pub because: Because,
}

/// A host and its address as a next hop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hop {
    /// The host.
    pub host: HostName,
    /// Its address.
    pub next_hop: IpAddr,
}

impl Settled {
    /// Empties it and keeps the memory.
    pub fn clear(&mut self) {
        self.changed.iter_mut().for_each(|(_, slots)| slots.clear());
        self.passing.iter_mut().for_each(|(_, slots)| slots.clear());
        self.held.clear();
        self.held_because.clear();
        self.told.clear();
        self.ended.clear();
        self.more_ended = 0;
    }

    fn end(&mut self, ended: Ended) {
        if self.ended.len() < TOLD {
            self.ended.push(ended);
        } else {
            self.more_ended += 1;
        }
    }
}

/// Which changes a settling is about: what would become of a route, and of which source, if anything.
type Wanted = fn(&Table, Option<(ChangeKind, SourceId)>) -> bool;

impl Table {
    /// Decides every touched prefix, and lets the guard judge what would change.
    pub fn settle(&mut self, now: Time, settled: &mut Settled) {
        self.settle_those(now, |_, _| true, settled);
    }

    /// Decides only what a source loses or gains that is not guarded yet; the rest waits for the next [`Table::settle`].
    pub fn settle_unarmed(&mut self, now: Time, settled: &mut Settled) {
        let is_of_unarmed = |table: &Table, change: Option<(ChangeKind, SourceId)>| {
            change.is_some_and(|(_, source)| !table.is_armed(source))
        };
        self.settle_those(now, is_of_unarmed, settled);
    }

    fn settle_those(&mut self, now: Time, wanted: Wanted, settled: &mut Settled) {
        settled.clear();
        let mut proposals = Vec::new();
        for family in Family::ALL {
            self.compare(now, family, wanted, &mut proposals, settled);
        }
        let routes_of = &self.routes_of;
        let routes = |source: SourceId| routes_of.get(usize::from(source.0)).copied().unwrap_or_default();
        // Nearly always nothing is.
        let held = |Proposal { family, slot, .. }: &Proposal| self.guard.hold(*family, *slot).copied();
        let anything = self.guard.holds().next().is_some();
        let mut before =
            proposals.iter().map(held).take(if anything { usize::MAX } else { 0 }).collect::<Vec<_>>().into_iter();
        let (recalled, awaited, families, owners) = (&self.recalled, &self.awaited, &self.families, &self.owners);
        let awaited = |proposal: &Proposal| {
            let winner = || families[proposal.family].winners[proposal.slot.index()];
            awaited.decision(proposal, || winner().map(|winner| owners.get(winner.owner).next_hop))
        };
        let ordered: Vec<_> = proposals.iter().map(awaited).collect();
        let verdicts = self.guard.judge(now, &proposals, &ordered, routes, |proposal| recalled.decision(proposal));
        for ((proposal, verdict), ordered) in proposals.into_iter().zip(verdicts).zip(ordered) {
            let Proposal { prefix, family, slot, desired, .. } = proposal;
            let before = before.next().flatten();
            let is_recalled = || before.is_none() && self.recalled.decision(&proposal).is_some();
            if verdict == Verdict::Pass && (ordered.is_some() || is_recalled()) {
                self.touched.by(family, slot, Because::Approved);
            }
            match verdict {
                Verdict::Pass => {
                    if let Some(hold) = before {
                        let because = self.touched.because(family, slot, desired);
                        settled.end(Ended { family, slot, hold, passed: true, because });
                    }
                    self.change(family, slot, desired, settled);
                }
                Verdict::Hold => {
                    if settled.held.len() < TOLD {
                        settled.held_because.push(self.touched.because(family, slot, desired));
                    }
                    settled.held.push((family, slot));
                }
                Verdict::StillHeld => {}
            }
            if verdict != Verdict::Pass {
                let digest = |winner: Winner| self.owners.digest(winner.owner);
                let before = self.families[family].winners[slot.index()].map(digest);
                let difference = TableDigest::of_change(prefix, before, desired.map(digest));
                self.guard.note_difference(family, slot, difference);
            }
        }
        for (family, changed) in settled.changed.iter_mut() {
            let winners = &self.families[family].winners;
            let owner = |slot: &SlotId| winners[slot.index()].map(|winner| winner.owner);
            changed.sort_by_key(|slot| (owner(slot), *slot));
        }
        self.owners.sweep();
        // What was left for another time keeps its reasons.
        if self.families.iter().all(|(_, family)| family.dirty.is_empty()) {
            self.touched.clear();
        }
    }

    /// Finds what would change, and changes what need not be judged.
    fn compare(
        &mut self,
        now: Time,
        family: Family,
        wanted: Wanted,
        proposals: &mut Vec<Proposal>,
        settled: &mut Settled,
    ) {
        let mut dirty = std::mem::take(&mut self.families[family].dirty);
        // Many records may claim one prefix: it is decided once.
        dirty.sort_unstable();
        dirty.dedup();
        dirty.retain(|&slot| {
            let table = &self.families[family];
            let desired = table.claims[slot.index()].winner(&self.priorities, &self.owners);
            let current = table.winners[slot.index()];
            let change = self.kind(family, slot, current, desired);
            if !wanted(self, change) {
                return true;
            }
            if table.claims[slot.index()].may_have_losers() {
                self.note_losers(family, slot, desired);
            }
            let forced = self.forced.take(family, slot);
            match change.filter(|(_, source)| !forced && self.guard.is_armed(*source)) {
                None => {
                    if current.is_none() && self.is_vacant(family, slot) {
                        settled.passing[family].push(slot);
                    }
                    if let Some(hold) = self.guard.rest(now, family, slot) {
                        let because = self.touched.because(family, slot, desired);
                        settled.end(Ended { family, slot, hold, passed: change.is_some(), because });
                    }
                    self.change(family, slot, desired, settled);
                }
                Some((kind, source)) => {
                    let to = desired.map(|winner| self.owners.get(winner.owner).next_hop);
                    let prefix = self.families[family].slots.prefix(slot);
                    proposals.push(Proposal { prefix, family, slot, kind, source, to, desired });
                }
            }
            false
        });
        self.families[family].dirty = dirty;
    }

    /// For the log: the slot's claims that do not win, and why.
    fn note_losers(&mut self, family: Family, slot: SlotId, desired: Option<Winner>) {
        let Table { families, fence, forced, owners, losers, .. } = self;
        let FamilyTable { slots, claims, .. } = &mut families[family];
        let prefix = slots.prefix(slot);
        let why = |claim: &SlotClaim| {
            let owner = owners.get(claim.owner);
            if let Err(refusal) = fence.admits(prefix, owner.next_hop) {
                return Some(WhyLost::Fenced(refusal));
            }
            if forced.bars(prefix, &owner.host) {
                return Some(WhyLost::Forced);
            }
            let by = desired?;
            Some(WhyLost::Shadowed { by: owners.get(by.owner).host.clone(), source: by.source })
        };
        losers.note(prefix, claims[slot.index()].iter_mut(), desired, why);
    }

    /// What becoming `desired` means for a gateway, and for which source; none if packets go the same way.
    pub(super) fn kind(
        &self,
        family: Family,
        slot: SlotId,
        current: Option<Winner>,
        desired: Option<Winner>,
    ) -> Option<(ChangeKind, SourceId)> {
        match (current, desired) {
            (None, None) => None,
            (None, Some(desired)) => Some((ChangeKind::Addition, desired.source)),
            (Some(current), None) => {
                Some((ChangeKind::Withdrawal, self.guard.meddler(family, slot).unwrap_or(current.source)))
            }
            (Some(current), Some(desired)) => {
                let (from, to) = (self.owners.get(current.owner), self.owners.get(desired.owner));
                let same = current.owner == desired.owner || (&from.host, from.next_hop) == (&to.host, to.next_hop);
                // Who loses it has no part in what a replaced store says, or says no longer.
                let source = match desired.source {
                    source if self.guard.is_anothers(source, family, slot) => source,
                    source if source == current.source => source,
                    _ => self.guard.meddler(family, slot).unwrap_or(current.source),
                };
                (!same).then_some((ChangeKind::Move, source))
            }
        }
    }

    /// Whose snapshot the route is kept in while it is not what the claims say: the source's that states it, or, of what another's
    /// replaced store takes away, that one's. There the next process finds it lacking, too.
    pub fn keeper(&self, family: Family, slot: SlotId) -> Option<SourceId> {
        let winner = self.winner(family, slot)?;
        let desired = self.families[family].claims[slot.index()].winner(&self.priorities, &self.owners);
        let is_of = |source: &SourceId| desired.is_some_and(|desired| desired.source == *source);
        let meddler = self.guard.meddler(family, slot).filter(|meddler| !is_of(meddler));
        Some(meddler.unwrap_or(winner.source))
    }

    fn change(&mut self, family: Family, slot: SlotId, desired: Option<Winner>, settled: &mut Settled) {
        let FamilyTable { slots, claims, winners, digest, dead, .. } = &mut self.families[family];
        let before = std::mem::replace(&mut winners[slot.index()], desired);
        if desired.is_some() {
            slots.announce(slot);
        }
        if desired.is_none() && claims[slot.index()].is_empty() {
            dead.push(slot);
        }
        if before == desired {
            return;
        }
        let prefix = slots.prefix(slot);
        before.into_iter().for_each(|winner| digest.remove(prefix, self.owners.digest(winner.owner)));
        desired.into_iter().for_each(|winner| digest.add(prefix, self.owners.digest(winner.owner)));
        if settled.told.len() < TOLD {
            let hop = |winner: Winner| {
                let owner = self.owners.get(winner.owner);
                Hop { host: owner.host.clone(), next_hop: owner.next_hop }
            };
            let because = self.touched.because(family, slot, desired);
            let (from, to) = (before.map(hop), desired.map(hop));
            settled.told.push(Change { family, slot, before, from, after: desired, to, because });
        }
        desired.into_iter().for_each(|winner| self.owners.retain(winner.owner));
        before.into_iter().for_each(|winner| self.owners.release(winner.owner));
        settled.changed[family].push(slot);
        before.into_iter().for_each(|winner| *self.count_mut(winner.source) -= 1);
        desired.into_iter().for_each(|winner| *self.count_mut(winner.source) += 1);
    }

    fn count_mut(&mut self, source: SourceId) -> &mut usize {
        let place = usize::from(source.0);
        if place >= self.routes_of.len() {
            self.routes_of.resize(place + 1, 0);
        }
        &mut self.routes_of[place]
    }
}

/// Slots that are to be decided another time.
#[derive(Debug)]
pub struct Parked {
    dirty: PerFamily<Vec<SlotId>>,
    touched: Touched,
}

impl Table {
    /// Sets aside what was touched; give it back with [`Table::unpark`].
    pub fn park(&mut self) -> Parked {
        let dirty = PerFamily::from_fn(|family| std::mem::take(&mut self.families[family].dirty));
        Parked { dirty, touched: std::mem::take(&mut self.touched) }
    }

    /// See [`Table::park`].
    pub fn unpark(&mut self, Parked { dirty, touched }: Parked) {
        for (family, slots) in dirty.iter() {
            self.families[family].dirty.extend(slots);
        }
        self.touched.give_back(touched);
    }
}

/// What a person, or a proof, lets pass. Everything takes effect when it is settled next.
impl Table {
    /// Whether the source is guarded.
    pub fn is_armed(&self, source: SourceId) -> bool {
        self.guard.is_armed(source)
    }

    /// What the source has now is known: from now on what it loses is guarded, and what it gains, too, once it was read
    /// `complete`ly in this process.
    pub fn arm(&mut self, source: SourceId, complete: bool) {
        self.guard.arm(source, complete);
        if complete {
            self.forget_recalled(source);
        }
    }

    /// What an earlier process had spent of the source's limits, as of now; to be called before the source is armed.
    pub fn restore_spent(&mut self, now: Time, source: SourceId, spent: Spent) {
        self.guard.restore(now, source, spent);
    }

    /// Another store than the one that was known is compared with it: until [`Table::trust_all`] every change of the source is
    /// held, whatever the limits, and what is held already is held for that reason.
    pub fn suspect(&mut self, now: Time, source: SourceId) {
        for (family, slot) in self.guard.suspect(now, source) {
            self.families[family].touch(slot);
        }
    }

    /// The store that was known before that is back: what is held because of the other is judged anew.
    pub fn trust(&mut self, source: SourceId) {
        for (family, slot) in self.guard.trust(source) {
            self.families[family].touch(slot);
        }
    }

    /// Whether something that was held because the source's store was replaced has passed since this was asked last.
    pub fn take_accepted(&mut self, source: SourceId) -> bool {
        self.guard.take_accepted(source)
    }

    /// Whether something of the source is held because its store was replaced.
    pub fn is_suspect(&self, source: SourceId) -> bool {
        self.guard.is_suspect(source)
    }

    /// What was to be held of sources under suspicion has been settled.
    pub fn trust_all(&mut self) {
        self.guard.trust_all();
    }

    /// The source was compared with its store completely; holds that are proven by that pass.
    pub fn confirm(&mut self, now: Time, source: SourceId) {
        let proven = self.guard.confirm(now, source, self.count_routes_of(source));
        self.touch(proven, Because::Proven);
    }

    /// From now on what is held of these sources came while the replica was away.
    pub fn note_returning(&mut self, returning: Vec<SourceId>) {
        self.guard.note_returning(returning);
    }

    /// Another replica has let pass what is held, up to the hold of this number: it passes here, unless something of it is held for more
    /// than that it came all at once after an absence. How many changes.
    pub fn vouch(&mut self, now: Time, upto: u64) -> usize {
        let routes_of = &self.routes_of;
        let routes = |source: SourceId| routes_of.get(usize::from(source.0)).copied().unwrap_or_default();
        let vouched = self.guard.vouch(now, upto, routes);
        self.touch(vouched, Because::Vouched)
    }

    /// Lets pass what is held and wanted; how many.
    pub fn approve(&mut self, wanted: impl Fn(&HeldChange<'_>) -> bool) -> usize {
        let slots = self.held_slots(wanted);
        self.guard.decide(Decision::Approved, &slots);
        self.touch(slots, Because::Approved)
    }

    /// Keeps what is held and wanted, proven or not, until the store says something else; how many.
    pub fn deny(&mut self, wanted: impl Fn(&HeldChange<'_>) -> bool) -> usize {
        let slots = self.held_slots(wanted);
        self.guard.decide(Decision::Denied, &slots);
        slots.len()
    }

    fn held_slots(&self, wanted: impl Fn(&HeldChange<'_>) -> bool) -> Vec<(Family, SlotId)> {
        self.holds().filter(|held| wanted(held)).map(|held| (held.prefix.family(), held.slot)).collect()
    }

    /// Withdraws a prefix or whatever a host owns, whatever the sources say, until [`Table::restore`]; how many routes.
    pub fn withdraw(&mut self, target: Target) -> usize {
        let mut taken = 0;
        for family in Family::ALL {
            for n in 0..self.families[family].winners.len() {
                let (slot, table) = (SlotId(n as u32), &self.families[family]);
                let Some(winner) = table.winners[n] else { continue };
                if target.covers(table.slots.prefix(slot), &self.owners.get(winner.owner).host) {
                    self.forced.pass(family, slot);
                    self.families[family].touch(slot);
                    self.touched.by(family, slot, Because::Forced);
                    taken += 1;
                }
            }
        }
        self.orders += 1;
        self.forced.insert(target.clone());
        self.judge_again(Because::Forced, |prefix, owner| target.covers(prefix, &owner.host));
        taken
    }

    /// Takes a [`Table::withdraw`] back, past the guard like that. False if there was none like it.
    pub fn restore(&mut self, target: &Target) -> bool {
        if !self.forced.remove(target) {
            return false;
        }
        self.orders += 1;
        let judged = self.judge_again(Because::Restored, |prefix, owner| target.covers(prefix, &owner.host));
        judged.into_iter().for_each(|(family, slot)| self.forced.pass(family, slot));
        true
    }

    /// When something may be due.
    pub fn next_deadline(&self) -> Option<Time> {
        self.guard.next_deadline()
    }

    /// Looks at what is due: prefixes that have stopped flapping.
    pub fn on_deadline(&mut self, now: Time) {
        let calm = self.guard.on_deadline(now);
        self.touch(calm, Because::Calm);
    }

    pub(in crate::table) fn touch(&mut self, slots: Vec<(Family, SlotId)>, why: Because) -> usize {
        let count = slots.len();
        for (family, slot) in slots {
            self.touched.by(family, slot, why);
            self.families[family].touch(slot);
        }
        count
    }
}
