//! How much may change at once (promise P3).
//!
//! ```text
//!                        ┌─ pass: the route changes
//!  desired ≠ current ──► judge
//!                        └─ hold: the current route stays until a person approves, the state is proven, or it is as before
//! ```
//!
//! [`Table::settle`](super::Table::settle) is the one place where what the claims say (desired) and what is announced (current)
//! are compared, and it asks here. Changes are counted for the source that loses or gains the route, each kind in a bucket of
//! its own. A wave that is more than the bucket holds is held whole: half of a mistake is no better than all of it.
//!
//! A source is guarded once it has been read completely: before that there is nothing that it could lose.

mod bucket;
mod config;
mod flap;
mod hold;
mod replaced;
mod spent;
#[cfg(test)]
mod tests;
mod vouched;

use crate::model::{Family, PerFamily, Prefix, SourceId, Time};
use crate::replicas::TableDigest;
use crate::table::{SlotId, Winner};
use bucket::Bucket;
pub use config::{FlapLimits, GuardConfig, Limit, Proofs};
use flap::Flaps;
use hashbrown::HashMap;
pub(super) use hold::Decision;
use hold::PerKind;
pub use hold::{ChangeKind, Hold, HoldReason};
pub use spent::Spent;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Bound;

/// A slot whose route is to be another than it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proposal {
    pub(super) prefix: Prefix,
    pub(super) family: Family,
    pub(super) slot: SlotId,
    pub(super) kind: ChangeKind,
    /// Who loses the route, or gains one that nobody had.
    pub(super) source: SourceId,
    /// The next hop that the route would get, if any.
    pub(super) to: Option<IpAddr>,
    /// What would be announced.
    pub(super) desired: Option<Winner>,
}

/// What came of a [`Proposal`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Pass,
    /// From now on.
    Hold,
    /// As before.
    StillHeld,
}

/// What is known of one source.
#[derive(Default, Debug)]
struct Guarded {
    /// Whether what it loses is judged.
    armed: bool,
    spent: PerKind<Bucket>,
    /// How often that has changed by more than time.
    spendings: u64,
    /// How many changes are held.
    held: PerKind<usize>,
    /// Complete lists since it is guarded.
    lists: u64,
    /// Whether it was read completely in this process. Before that only a snapshot is known, and what is added to that may have
    /// been announced already: held, it would be lost with the next End-of-RIB.
    complete: bool,
    /// Whether its store was replaced and is being compared with the one before: every change is held.
    suspect: bool,
    /// How many changes are held because of that, now or since.
    replaced: usize,
    /// Whether any of that has passed, since that was asked last.
    accepted: bool,
}

/// See the module.
#[derive(Default, Debug)]
pub(super) struct Guard {
    config: GuardConfig,
    sources: HashMap<SourceId, Guarded>,
    holds: PerFamily<HashMap<SlotId, Hold>>,
    /// The slots of all holds: whoever looks at them page by page must not look at the others each time.
    in_order: BTreeMap<Prefix, SlotId>,
    flaps: Flaps,
    /// How often a person's decision about a hold came or went.
    decisions: u64,
    /// Held additions that nobody has denied.
    waiting: PerFamily<usize>,
    /// Sources whose first list after an absence is being judged.
    returning: Vec<SourceId>,
    /// How many holds there have been.
    newest_hold: u64,
    /// What the table would have more and less of, were all that is held to pass.
    difference: PerFamily<TableDigest>,
    /// Of which routes of other sources a store that is another one than before has said something since it is suspected.
    meddled: PerFamily<HashMap<SlotId, SourceId>>,
}

impl Guard {
    pub(super) fn new(config: GuardConfig) -> Self {
        Guard { config, ..Guard::default() }
    }

    /// Other limits, from now on. What is held stays held, unless its kind has no limit any more, or one under which all of it
    /// fits: such slots are to be settled again.
    pub(super) fn reconfigure(
        &mut self,
        config: GuardConfig,
        routes: impl Fn(SourceId) -> usize,
    ) -> Vec<(Family, SlotId)> {
        let before = std::mem::replace(&mut self.config, config);
        // What a raised limit has room for is judged anew, and is charged to it.
        let fits = |hold: &Hold| {
            let limit = |config: &GuardConfig| Some(config.limit(hold.kind)?.of(routes(hold.source)));
            let (Some(before), Some(now)) = (limit(&before), limit(&self.config)) else { return false };
            let Some(guarded) = self.sources.get(&hold.source) else { return false };
            matches!(hold.reason, HoldReason::TooMany { .. })
                && hold.decision.is_none()
                && now > before
                && guarded.held[hold.kind] <= now
                && !guarded.needs_person(routes(hold.source))
        };
        let of_limit = |hold: &Hold| !matches!(hold.reason, HoldReason::Replaced | HoldReason::Denied);
        let unlimited = |hold: &Hold| self.config.limit(hold.kind).is_none() && of_limit(hold);
        let place = |(family, slot, _): (Family, SlotId, &Hold)| (family, slot);
        let mut freed: Vec<_> = self.holds().filter(|(_, _, hold)| unlimited(hold)).map(place).collect();
        let again: Vec<_> = self.holds().filter(|(_, _, hold)| fits(hold)).map(place).collect();
        self.decide(Decision::Proven, &freed);
        for &(family, slot) in &again {
            self.clear(family, slot);
        }
        freed.extend(again);
        freed
    }

    /// What the source loses from now on is a change; what it gains, too, once it was read `complete`ly.
    pub(super) fn arm(&mut self, source: SourceId, complete: bool) {
        let guarded = self.sources.entry(source).or_default();
        guarded.armed = true;
        guarded.complete |= complete;
    }

    /// What an earlier process had spent of the source's limits, as of now.
    pub(super) fn restore(&mut self, now: Time, source: SourceId, spent: Spent) {
        let buckets = PerKind::from_fn(|kind| Bucket::restored(now, spent.share(kind)));
        self.sources.entry(source).or_default().spent = buckets;
    }

    /// What is spent of the source's limits, and at which moment.
    pub(super) fn spent(&self, source: SourceId) -> (Spent, Time) {
        let Some(Guarded { spent, .. }) = self.sources.get(&source) else { return Default::default() };
        let at = ChangeKind::ALL.into_iter().map(|kind| spent[kind].at()).max().unwrap_or_default();
        (Spent::new(|kind| spent[kind].spent(at, self.config.refill)), at)
    }

    /// Another number than before: [`Guard::spent`] is not only later.
    pub(super) fn spendings(&self, source: SourceId) -> u64 {
        self.sources.get(&source).map_or(0, |guarded| guarded.spendings)
    }

    pub(super) fn is_armed(&self, source: SourceId) -> bool {
        self.sources.get(&source).is_some_and(|guarded| guarded.armed)
    }

    /// The source has been compared with its store completely once more. Slots that are proven now are to be settled again.
    pub(super) fn confirm(&mut self, now: Time, source: SourceId, routes: usize) -> Vec<(Family, SlotId)> {
        let Some(guarded) = self.sources.get_mut(&source) else { return Vec::new() };
        guarded.lists += 1;
        if guarded.held.total() == 0 || guarded.needs_person(routes) {
            return Vec::new();
        }
        let (lists, proofs) = (guarded.lists, self.config.proofs);
        let all = self.holds.iter_mut().flat_map(|(_, holds)| holds.values_mut());
        all.filter(|hold| hold.source == source).for_each(|hold| hold.confirm(now, lists));
        let of_source = self.holds().filter(|(_, _, hold)| hold.source == source);
        let proven: Vec<_> = of_source
            .filter(|(_, _, hold)| hold.is_proven(now, lists, proofs))
            .map(|(family, slot, _)| (family, slot))
            .collect();
        self.decide(Decision::Proven, &proven);
        proven
    }

    /// The claims for a slot of which something is held lead to this next hop now. In a freeze that is settled much later.
    pub(in crate::table) fn follow_claims(&mut self, family: Family, slot: SlotId, to: Option<IpAddr>) {
        if let Some(hold) = self.holds[family].get_mut(&slot) {
            hold.follow_claims(to, self.config.limit(hold.kind).is_some());
        }
    }

    /// What was decided about these holds; those that are approved pass when they are settled next.
    pub(super) fn decide(&mut self, decision: Decision, slots: &[(Family, SlotId)]) {
        for &(family, slot) in slots {
            let open = |hold: &&mut Hold| decision != Decision::Proven || hold.decision != Some(Decision::Approved);
            if let Some(hold) = self.holds[family].get_mut(&slot).filter(open) {
                let waited = usize::from(hold.is_waiting_addition());
                let before = hold.decision.replace(decision);
                self.waiting[family] = self.waiting[family] + usize::from(hold.is_waiting_addition()) - waited;
                let is_persons = |decision: Option<Decision>| decision.is_some_and(Decision::is_persons);
                let differs = before != Some(decision) && (is_persons(before) || decision.is_persons());
                self.decisions += u64::from(differs);
            }
        }
    }

    pub(super) fn hold(&self, family: Family, slot: SlotId) -> Option<&Hold> {
        self.holds[family].get(&slot)
    }

    pub(super) fn holds(&self) -> impl Iterator<Item = (Family, SlotId, &Hold)> {
        self.holds.iter().flat_map(|(family, holds)| holds.iter().map(move |(&slot, hold)| (family, slot, hold)))
    }

    /// Those of prefixes behind `after`, in the order of their prefixes.
    pub(super) fn holds_behind(&self, after: Option<Prefix>) -> impl Iterator<Item = (Family, SlotId, &Hold)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.in_order.range((from, Bound::Unbounded)).filter_map(|(prefix, &slot)| {
            let family = prefix.family();
            Some((family, slot, self.hold(family, slot)?))
        })
    }

    pub(super) fn count(&self, source: SourceId, kind: ChangeKind) -> usize {
        self.sources.get(&source).map_or(0, |guarded| guarded.held[kind])
    }

    /// Whether additions are held and nobody has denied them.
    pub(super) fn has_waiting_additions(&self, family: Family) -> bool {
        self.waiting[family] > 0
    }

    /// See [`Guard::decisions`](Guard).
    pub(super) fn decisions(&self) -> u64 {
        self.decisions
    }

    /// Whether the source was read completely in this process, and what it said was judged.
    pub(super) fn is_read(&self, source: SourceId) -> bool {
        self.sources.get(&source).is_some_and(|guarded| guarded.complete)
    }

    /// Whether nothing but a person may let the source's held changes pass. `routes`: how many it has now.
    pub(super) fn needs_person(&self, source: SourceId, routes: usize) -> bool {
        self.sources.get(&source).is_some_and(|guarded| guarded.needs_person(routes))
    }

    /// The slot's route is as it is desired: nothing is held. What was.
    pub(super) fn rest(&mut self, now: Time, family: Family, slot: SlotId) -> Option<Hold> {
        self.flaps.touch(now, (family, slot), &self.config.flap);
        self.clear(family, slot)
    }

    fn clear(&mut self, family: Family, slot: SlotId) -> Option<Hold> {
        let hold = self.holds[family].remove(&slot)?;
        self.in_order.remove(&hold.prefix);
        self.decisions += u64::from(hold.decision.is_some_and(Decision::is_persons));
        self.waiting[family] -= usize::from(hold.is_waiting_addition());
        self.difference[family] -= hold.difference;
        if let Some(guarded) = self.sources.get_mut(&hold.source) {
            guarded.held[hold.kind] -= 1;
            guarded.replaced -= usize::from(hold.is_of_replaced());
        }
        Some(hold)
    }

    /// When a prefix that flapped may have been quiet for long enough.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.flaps.next_deadline()
    }

    /// Slots that have been quiet for long enough: to be settled again.
    pub(super) fn on_deadline(&mut self, now: Time) -> Vec<(Family, SlotId)> {
        let calm = self.flaps.calm(now);
        for (family, slot) in &calm {
            if let Some(hold) = self.holds[*family].get_mut(slot)
                && hold.reason == HoldReason::Flapping
                && hold.decision.is_none()
            {
                hold.decision = Some(Decision::Proven);
            }
        }
        calm
    }

    /// One verdict for each proposal, in their order. `routes`: how many a source has, held ones included. `recalled`: what a person
    /// has decided about it before a restart; `ordered`: about each, at another replica.
    pub(super) fn judge(
        &mut self,
        now: Time,
        proposals: &[Proposal],
        ordered: &[Option<Decision>],
        routes: impl Fn(SourceId) -> usize,
        recalled: impl Fn(&Proposal) -> Option<Decision>,
    ) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(proposals.len());
        let mut new: HashMap<SourceId, PerKind<usize>> = HashMap::new();
        for (proposal, ordered) in proposals.iter().zip(ordered) {
            let held = self.hold(proposal.family, proposal.slot).copied();
            if let (Some(hold), Some(decision)) = (held, ordered) {
                self.follow(now, &hold, proposal);
                self.decide(*decision, &[(proposal.family, proposal.slot)]);
            }
            let decision = ordered.or_else(|| recalled(proposal)).filter(|_| held.is_none());
            let verdict = match decision {
                Some(Decision::Denied) => self.deny(now, proposal),
                // It was one of a wave, and what is left of that is no smaller for it.
                Some(Decision::Approved | Decision::Proven) => {
                    new.entry(proposal.source).or_default()[proposal.kind] += 1;
                    if let Some(guarded) = self.sources.get_mut(&proposal.source).filter(|_| ordered.is_some()) {
                        guarded.accepted |= guarded.suspect;
                    }
                    Some(Verdict::Pass)
                }
                Some(Decision::Void) | None => self.known(now, proposal, &routes),
            };
            if verdict.is_none() {
                new.entry(proposal.source).or_default()[proposal.kind] += 1;
            }
            verdicts.push(verdict);
        }
        let reasons: HashMap<_, _> =
            new.iter().map(|(&source, counts)| (source, self.weigh(now, source, counts, routes(source)))).collect();
        let decide = |(proposal, verdict): (&Proposal, Option<Verdict>)| {
            verdict.unwrap_or_else(|| match reasons.get(&proposal.source).and_then(|of| of[proposal.kind]) {
                None => {
                    self.clear(proposal.family, proposal.slot);
                    Verdict::Pass
                }
                Some(reason) => {
                    self.put(now, proposal, reason);
                    Verdict::Hold
                }
            })
        };
        proposals.iter().zip(verdicts).map(decide).collect()
    }

    /// Held by an earlier process or another replica, and a person has denied it there: whatever the limits have left now.
    fn deny(&mut self, now: Time, proposal: &Proposal) -> Option<Verdict> {
        self.put(now, proposal, HoldReason::Denied);
        self.decide(Decision::Denied, &[(proposal.family, proposal.slot)]);
        self.hold(proposal.family, proposal.slot).map(|_| Verdict::Hold)
    }

    /// What need not be weighed: it is held already, it was approved, or it flaps.
    fn known(&mut self, now: Time, proposal: &Proposal, routes: impl Fn(SourceId) -> usize) -> Option<Verdict> {
        let &Proposal { family, slot, kind, source, .. } = proposal;
        let held = self.holds[family].get(&slot).copied();
        match held {
            // What was approved is this change, not whatever the store says meanwhile.
            Some(hold) if hold.passes() && hold.is_of(proposal) => {
                self.clear(family, slot);
                if let Some(guarded) = self.sources.get_mut(&source) {
                    guarded.accepted |= hold.is_of_replaced();
                }
                Some(Verdict::Pass)
            }
            Some(hold) if hold.is_void() => {
                self.clear(family, slot);
                None
            }
            // Another source's replaced store says that now: neither time nor quiet lets it pass.
            Some(hold) if hold.source != source && !hold.is_of_replaced() && self.is_suspect_now(source) => {
                self.clear(family, slot);
                None
            }
            Some(hold)
                if hold.reason == HoldReason::Flapping && self.flaps.touch(now, (family, slot), &self.config.flap) =>
            {
                self.follow(now, &hold, proposal);
                Some(Verdict::StillHeld)
            }
            // It is quiet, and what is wanted now is not what was held: a change like any other.
            Some(hold) if hold.reason == HoldReason::Flapping && !hold.is_of(proposal) => {
                self.clear(family, slot);
                None
            }
            // Whatever the other store makes of it meanwhile: nothing but a person, or what was announced, ends that.
            Some(hold) if hold.kind == kind || (hold.is_of_replaced() && hold.source == source) => {
                self.follow(now, &hold, proposal);
                let held = self.holds[family].get_mut(&slot);
                held.into_iter().for_each(|held| held.is_untold = false);
                Some(if hold.is_untold { Verdict::Hold } else { Verdict::StillHeld })
            }
            _ if kind != ChangeKind::Addition
                && self.config.limit(kind).is_some()
                && !self.is_suspect_now(source)
                && self.flaps.is_flapping(now, (family, slot), &self.config.flap) =>
            {
                if let (Some(guarded), Some(limit)) = (self.sources.get_mut(&source), self.config.limit(kind)) {
                    // The others of this source shall not wait for what this one has spent.
                    let spent = self.config.flap.changes.saturating_sub(1);
                    guarded.spent[kind].give_back(spent, limit.of(routes(source)));
                    guarded.spendings += 1;
                }
                self.put(now, proposal, HoldReason::Flapping);
                Some(Verdict::Hold)
            }
            _ => None,
        }
    }

    /// A slot that is held already: what was confirmed or decided about another change says nothing about this one.
    fn follow(&mut self, now: Time, hold: &Hold, proposal: &Proposal) {
        if !hold.is_of(proposal) {
            self.put(now, proposal, hold.reason);
        }
    }

    /// Whether so many new changes of a source may pass: for each kind the reason why not.
    fn weigh(
        &mut self,
        now: Time,
        source: SourceId,
        new: &PerKind<usize>,
        routes: usize,
    ) -> PerKind<Option<HoldReason>> {
        let config = &self.config;
        let Some(guarded) = self.sources.get_mut(&source) else { return PerKind::default() };
        if guarded.suspect {
            // After a restart what is added may have been announced, and End-of-RIB would take it away.
            let is_held = |kind| new[kind] > 0 && (kind != ChangeKind::Addition || guarded.complete);
            return PerKind::from_fn(|kind| is_held(kind).then_some(HoldReason::Replaced));
        }
        let taken = guarded.held.taken() + new.taken();
        PerKind::from_fn(|kind| {
            let (count, limit) = (new[kind], config.limit(kind)?);
            if count == 0 || (kind == ChangeKind::Addition && !guarded.complete) {
                return None;
            }
            if kind != ChangeKind::Addition && is_most(taken, routes) {
                return Some(HoldReason::MostOfSource { changes: taken, routes });
            }
            let budget = limit.of(routes);
            let allowed = guarded.spent[kind].available(now, budget, config.refill);
            if count > allowed {
                return Some(HoldReason::TooMany { changes: count, allowed, of: budget });
            }
            guarded.spent[kind].spend(count, budget);
            guarded.spendings += 1;
            None
        })
    }

    fn put(&mut self, now: Time, proposal: &Proposal, reason: HoldReason) {
        let &Proposal { prefix, family, slot, kind, source, to, .. } = proposal;
        self.clear(family, slot);
        let Some(guarded) = self.sources.get_mut(&source) else { return };
        guarded.held[kind] += 1;
        guarded.replaced += usize::from(reason == HoldReason::Replaced);
        self.newest_hold += 1;
        let hold = Hold {
            prefix,
            kind,
            source,
            since: now,
            reason,
            to,
            listed: guarded.lists,
            decision: None,
            is_untold: false,
            is_unsaid: false,
            is_broken: false,
            number: self.newest_hold,
            is_of_absence: self.returning.contains(&source),
            difference: TableDigest::default(),
        };
        self.waiting[family] += usize::from(hold.is_waiting_addition());
        self.holds[family].insert(slot, hold);
        self.in_order.insert(prefix, slot);
    }
}

impl Guarded {
    fn needs_person(&self, routes: usize) -> bool {
        is_most(self.held.taken(), routes)
    }
}

/// All of a source, or more than half of one with more than ten routes.
fn is_most(taken: usize, routes: usize) -> bool {
    taken > 0 && (taken >= routes || (routes > 10 && taken * 2 > routes))
}
