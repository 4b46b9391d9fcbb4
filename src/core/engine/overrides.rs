//! More-specifics that are withdrawn while another replica may still hold them at a gateway (promise P5).
//!
//! A newer leader's path beats any other to the same prefix. To a longer prefix it does not: a gateway goes by the longest first,
//! whoever announced it. So where a route is withdrawn and a shorter one covers it, the leader announces it like the covering one
//! until nobody else can hold the old one any more.
//!
//! ```text
//!  withdrawn ──► ledger ──── it leads, and a route covers it ────► the view says of it what it says of the covering route
//!                   └── every other replica has told its gateways, or is gone for longer than they keep its routes; and no session
//!                       turned out to be dead for as long as that may take to be noticed ──► forgotten
//! ```
//!
//! Standbys keep the ledger, too: who leads next has to know what its predecessor may not have withdrawn. Where the leader lacks a gateway,
//! which it cannot tell anything, they announce of it what that gateway may still have of the leader or of another standby, and go on with that
//! while nothing is known of who leads. Without other replicas, or with none behind, there is nothing in it.

mod behind;
mod cut_off;
mod ledger;
mod rows;

pub use behind::Behind;
use behind::{Announces, OtherNow};
pub use rows::OverrideRow;

use super::reporting::is_compared;
use super::timeline::Happened;
use super::{Engine, Role, Source};
use crate::model::{Family, PerFamily, Prefix, Time};
use crate::table::{Hop, Settled, SlotId, TOLD, Winner};
use ipnet::IpNet;
use ledger::{Batch, Entry, Ledger, Was};
use std::sync::Arc;
use std::time::Duration;

/// What replicas there are to be besides this one, and for how long gateways may keep what one that is gone has told them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Others {
    /// How many; those that are known count, too, where they are more.
    pub count: usize,
    /// The longest of all gateways: until they notice that a session is gone, and as long as they keep its routes then (RFC 4724,
    /// RFC 9494).
    pub stale: Duration,
    /// After so long at the latest the others know, and this replica from them, that a session was dead when something was handed to it:
    /// the longest hold time, and as long as it takes to be told of.
    pub notice: Duration,
}

/// See the module.
#[derive(Default, Debug)]
pub(super) struct Overrides {
    others: Others,
    /// Before, others may have told gateways something that this process has never heard of.
    started: Time,
    /// When it was last looked who is behind.
    looked: Time,
    ledger: Ledger,
    /// What of it is announced, when all of it was looked at last.
    announces: Announces,
    /// Since when this replica is a standby and nothing is known of the leader.
    unled: Option<Time>,
    /// Which of its stores each source followed when that was looked at last.
    histories: Vec<u64>,
    /// Who takes part, and nothing that it says was ever read; None before it was first looked.
    silent: Option<Vec<Arc<str>>>,
    /// Gateways with which other replicas have no session.
    cut_off: cut_off::CutOff,
}

/// A route that covers another, and what is to be said of it.
struct Cover {
    slot: SlotId,
    prefix: Prefix,
    hop: Hop,
}

/// What is about to be withdrawn, and by which policies gateways were told.
#[derive(Default)]
pub(super) struct Withdrawn(PerFamily<Vec<(Prefix, Was)>>);

impl Engine {
    /// What other replicas there are from now on.
    pub(super) fn expect_others(&mut self, now: Time, others: Others) {
        if self.overrides.others.count == 0 {
            self.overrides.started = now;
        }
        self.overrides.others = others;
        if self.count_others() == 0 {
            self.end_all_overrides(now);
        }
    }

    /// How many other replicas there are, as far as anybody can tell: `router.replicas` may not be raised yet when one more is started.
    fn count_others(&self) -> usize {
        let silent = self.overrides.silent.as_ref().map_or(0, Vec::len);
        self.overrides.others.count.max(self.replicas().len() + silent)
    }

    /// Of withdrawn prefixes that are announced like what covers them: how many there are. And of how many more than can be
    /// remembered nobody knows whether another replica holds them.
    pub fn count_overrides(&self) -> (PerFamily<usize>, u64) {
        (self.overrides.ledger.count_announced(), self.overrides.ledger.left_out())
    }

    /// What of it goes, while the views still have it.
    pub(super) fn about_to_withdraw(&mut self, settled: &Settled) -> Withdrawn {
        let mut withdrawn = Withdrawn::default();
        if self.count_others() == 0 || self.standing_role() == Role::Alone {
            return withdrawn;
        }
        for family in Family::ALL {
            let changed = settled.changed[family].iter().map(|slot| (*slot, false));
            // Another replica may have decided when it was there.
            let passing = settled.passing[family].iter().map(|slot| (*slot, true));
            let Overrides { ledger, .. } = &mut self.overrides;
            let room = ledger.room(family);
            for (slot, by_others) in changed.chain(passing) {
                if self.table.winner(family, slot).is_some() {
                    continue;
                }
                let was = if by_others {
                    Was { by_others: ledger.policies(self.views.policies_in_use(family)), ..Was::default() }
                } else {
                    Was { policies: ledger.policies(self.views.policies_of(family, slot)), ..Was::default() }
                };
                if was == Was::default() {
                    continue;
                }
                if withdrawn.0[family].len() == room {
                    ledger.leave_out();
                    continue;
                }
                withdrawn.0[family].push((self.table.slots(family).prefix(slot), was));
            }
        }
        withdrawn
    }

    /// The views have taken in what was settled. What was withdrawn may still be told by others; what came back is nobody's
    /// leftover; and what covers may be another route now.
    pub(super) fn override_withdrawn(&mut self, now: Time, settled: &Settled, withdrawn: Withdrawn) {
        for (family, slots) in settled.changed.iter() {
            if self.overrides.ledger.is_empty() {
                break;
            }
            for &slot in slots.iter().filter(|&&slot| self.table.winner(family, slot).is_some()) {
                self.overrides.ledger.remove(family, self.table.slots(family).prefix(slot));
            }
        }
        self.note_withdrawn(now, withdrawn);
        if self.overrides.ledger.is_empty() {
            return;
        }
        for (family, slots) in settled.changed.iter() {
            let mut concerned = Vec::new();
            for &slot in slots.iter().chain(&settled.passing[family]) {
                let prefix = self.table.slots(family).prefix(slot);
                concerned.extend(self.overrides.ledger.within(prefix));
            }
            concerned.sort_unstable();
            concerned.dedup();
            self.announce_overrides(now, family, &concerned);
        }
    }

    fn note_withdrawn(&mut self, now: Time, withdrawn: Withdrawn) {
        if withdrawn.0.iter().all(|(_, prefixes)| prefixes.is_empty()) {
            return;
        }
        let at: Vec<Option<u64>> = self.sources.iter().map(position).collect();
        self.overrides.looked = now;
        let replicas = self.others_now(now);
        let notice = self.notice(&replicas);
        for (family, prefixes) in withdrawn.0.iter() {
            for ordered in [false, true] {
                let mut batch = Batch { at: at.clone(), ordered, since: now, told: None, past: None, left: true };
                batch.told = behind::nobody_is(&replicas, &batch).then_some(now);
                batch.left = is_left(now, notice, &replicas, &mut batch);
                if batch.told.is_some() && notice.is_zero() {
                    continue;
                }
                // What somebody still claims is withdrawn by order, or by other rules: no revision tells whether that is so elsewhere.
                let is_ordered = |prefix: &Prefix| {
                    let slot = self.table.slots(family).find(*prefix);
                    slot.is_some_and(|slot| !self.table.is_vacant(family, slot))
                };
                let of_batch = prefixes.iter().filter(|(prefix, _)| is_ordered(prefix) == ordered).cloned();
                let of_batch: Vec<(Prefix, Was)> = of_batch.collect();
                self.overrides.ledger.insert(family, batch, of_batch);
            }
        }
    }

    /// What others have said, or that time has passed: what nobody can hold any more is forgotten.
    pub(super) fn review_overrides(&mut self, now: Time) {
        if self.overrides.ledger.is_empty() || self.holds_still().is_some() {
            return;
        }
        self.overrides.looked = now;
        let replicas = self.others_now(now);
        let notice = self.notice(&replicas);
        let over = self.overrides.ledger.take_batches(|batch| {
            let is_told = behind::nobody_is(&replicas, batch);
            batch.told = batch.told.or(Some(now)).filter(|_| is_told);
            batch.told.is_some_and(|told| now.since(told) >= notice)
        });
        self.end_overrides(now, over);
        if self.announces_overrides(now) == Announces::Left {
            let turned = self.overrides.ledger.turn(|batch| is_left(now, notice, &replicas, batch));
            turned.iter().for_each(|(family, prefixes)| self.announce_overrides(now, family, prefixes));
        }
    }

    /// Another role, an end of a freeze, or other policies: all are looked at.
    pub(super) fn renew_overrides(&mut self, now: Time) {
        if self.holds_still().is_some() {
            return;
        }
        let announces = self.announces_overrides(now);
        let before = std::mem::replace(&mut self.overrides.announces, announces);
        if self.overrides.ledger.is_empty() {
            return;
        }
        if announces == Announces::Left && before != announces {
            // Nobody has followed that meanwhile.
            self.overrides.ledger.leave_all();
        }
        self.review_overrides(now);
        for family in Family::ALL {
            let all: Vec<Prefix> = self.overrides.ledger.all(family).collect();
            self.announce_overrides(now, family, &all);
        }
    }

    /// A source whose store was replaced, or put back to a backup, counts from another revision on: in what it was withdrawn at before
    /// it can never be caught up with, or was it long ago.
    pub(super) fn follow_histories(&mut self) {
        let Overrides { histories, ledger, .. } = &mut self.overrides;
        histories.resize(self.sources.len(), 0);
        for ((place, source), known) in self.sources.iter().enumerate().zip(histories) {
            if *known == source.sync.history() {
                continue;
            }
            self.reporting.nothing_is_told();
            ledger.renumber(place, position(source));
            // Its list may be on its way still.
            if !source.sync.is_releasing() {
                *known = source.sync.history();
            }
        }
    }

    /// When somebody may have been gone for long enough.
    pub(super) fn overrides_deadline(&self) -> Option<Time> {
        if self.overrides.ledger.is_empty() || self.holds_still().is_some() {
            return None;
        }
        let others = self.others_now(self.overrides.looked);
        let Overrides { ledger, looked, .. } = &self.overrides;
        let first_past = match self.announces_overrides(*looked) {
            Announces::Left => ledger.first_past(),
            Announces::Nothing | Announces::All => None,
        };
        let noticed = ledger.first_told().into_iter().chain(first_past).min();
        let noticed = noticed.map(|at| at + self.notice(&others));
        others.into_iter().filter_map(|replica| replica.until()).chain(noticed).min()
    }

    /// How long it is waited for the others to notice that a session was dead. Of those that are gone that time is past.
    fn notice(&self, others: &[OtherNow]) -> Duration {
        let is_there = |other: &OtherNow| !matches!(other, OtherNow::Past);
        if others.iter().any(is_there) { self.overrides.others.notice } else { Duration::ZERO }
    }

    /// Of a source, the revision that this replica must not say to have told: what was withdrawn at it is still announced.
    pub(super) fn overridden_at(&self, source: usize) -> Option<u64> {
        self.overrides.ledger.announced_at(source)
    }

    /// The views were derived anew, which withdraws what is no route. A gateway that has another policy now may have been told by the one
    /// of before, and what others told it then may still be there.
    pub(super) fn renew_overrides_of_views(&mut self, now: Time) {
        for family in Family::ALL {
            let Overrides { ledger, .. } = &mut self.overrides;
            let in_use = ledger.policies(self.views.policies_in_use(family));
            ledger.renew(family, &in_use);
            let all: Vec<Prefix> = ledger.all(family).collect();
            self.announce_overrides(now, family, &all);
        }
    }

    fn end_all_overrides(&mut self, now: Time) {
        let all = self.overrides.ledger.take_batches(|_| true);
        self.end_overrides(now, all);
    }

    fn end_overrides(&mut self, now: Time, over: Vec<(Prefix, Entry)>) {
        let mut ended = 0;
        for (prefix, entry) in over {
            let Some(slot) = self.table.slots(prefix.family()).find(prefix).filter(|_| entry.over.is_some()) else {
                continue;
            };
            if self.table.winner(prefix.family(), slot).is_none() {
                self.views.set_like(prefix.family(), slot, |policy| entry.was.has(policy), &[], |_, _, _| false);
                ended += 1;
                if ended <= TOLD {
                    self.timeline.push(now, Happened::OverrideEnded(prefix));
                }
            }
        }
    }

    /// Lets the views say of these what they say of the routes that cover them, or nothing.
    fn announce_overrides(&mut self, now: Time, family: Family, prefixes: &[Prefix]) {
        // What stays as it is goes on to be true.
        let (stays, announces) = (self.holds_still().is_some(), self.announces_overrides(now));
        let mut told = 0;
        for &prefix in prefixes {
            let Some(entry) = self.overrides.ledger.get(family, prefix) else { continue };
            let (before, was) = (entry.over.clone(), entry.was.clone());
            let is_announced = match announces {
                _ if stays => before.is_some(),
                Announces::All => true,
                Announces::Left => self.overrides.ledger.batch(entry).is_some_and(|batch| batch.left),
                Announces::Nothing => false,
            };
            let covers = if is_announced { self.covers(prefix) } else { Vec::new() };
            if covers.is_empty() && before.is_none() {
                continue;
            }
            let slot = self.table.place(prefix);
            if self.table.winner(family, slot).is_some() {
                continue;
            }
            let slots: Vec<SlotId> = covers.iter().map(|cover| cover.slot).collect();
            let Engine { views, table, .. } = self;
            let by = views.set_like(
                family,
                slot,
                |policy| was.has(policy),
                &slots,
                |name, policy, like| {
                    let winner = table.winner(family, like);
                    let would =
                        |winner: Winner| policy.export(prefix, table.owner(winner.owner), winner.source).is_some();
                    was.is_told_by(name) || winner.is_some_and(would)
                },
            );
            let over = by.and_then(|by| covers.into_iter().find(|cover| cover.slot == by));
            let over = over.map(|cover| (cover.prefix, cover.hop));
            if over == before {
                continue;
            }
            told += 1;
            if told <= TOLD {
                let what = match &over {
                    Some((by, hop)) => Happened::Overridden { prefix, by: *by, hop: hop.clone() },
                    None => Happened::OverrideEnded(prefix),
                };
                self.timeline.push(now, what);
            }
            self.overrides.ledger.set_over(family, prefix, over);
        }
    }

    /// The routes that cover the prefix, the longest first, as far as the prefix may be announced with their next hop (P1).
    fn covers(&self, prefix: Prefix) -> Vec<Cover> {
        let (family, net) = (prefix.family(), prefix.net());
        let slots = self.table.slots(family);
        let at = |length: u8| {
            let shorter = Prefix::truncated(IpNet::new(net.addr(), length).ok()?);
            let slot = slots.find(shorter)?;
            let owner = self.table.owner(self.table.winner(family, slot)?.owner);
            self.table.fence().admits(prefix, owner.next_hop).ok()?;
            let hop = Hop { host: owner.host.clone(), next_hop: owner.next_hop };
            Some(Cover { slot, prefix: shorter, hop })
        };
        (1..prefix.length()).rev().filter_map(at).collect()
    }

    fn standing_role(&self) -> Role {
        self.role().0
    }
}

/// Whether a gateway that the leader can tell nothing may have what was withdrawn then, or what of it is not noticed yet.
fn is_left(now: Time, notice: Duration, others: &[OtherNow], batch: &mut Batch) -> bool {
    let is_past = behind::nobody_has_left(others, batch);
    batch.past = batch.past.or(Some(now)).filter(|_| is_past);
    batch.past.is_none_or(|past| now.since(past) < notice)
}

/// Up to where what a source says was taken in, if that can be compared with what other replicas say.
fn position(source: &Source) -> Option<u64> {
    let is_known = is_compared(source) && !source.sync.is_releasing();
    source.sync.believed().filter(|_| is_known).map(|(_, revision)| revision.0)
}
