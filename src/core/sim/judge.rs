//! The promises, held against what the gateways hear.
//!
//! A gateway's last rest is when everything had come to it, and its table was compared with what it is to be (P5). What it
//! hears since then must have its ground in what happened since then.

use super::truth::Truth;
use crate::model::{Prefix, Time};
use crate::testing::{Heard, Said};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// The guard's default limits, in this judge's own words.
const REFILL: Duration = Duration::from_secs(3600);
const PROVEN_AFTER: Duration = Duration::from_secs(600);
/// How long what was on its way when a person froze everything may take.
const ON_ITS_WAY: Duration = Duration::from_secs(5);

pub(super) struct Judge {
    guarded: bool,
    /// Each with a limit of its own.
    sources: usize,
    pub(super) gateways: Vec<Seen>,
    /// When a person, a reload or a lost event last gave a reason for what happens to a prefix.
    excused: BTreeMap<Prefix, Time>,
    all_excused: Option<Time>,
    /// Until here a process that remembered nothing took the stores as they were.
    pub(super) unguarded: Time,
    pub(super) frozen: Option<Time>,
    /// What was announced by whom and known to be so last, by the gateways' tables at rest.
    announced: BTreeMap<(Prefix, IpAddr), Time>,
    /// The most prefixes that were stated at once.
    most: usize,
}

/// What the judge keeps of a gateway.
#[derive(Clone, Default)]
pub(super) struct Seen {
    pub(super) rest: Time,
    /// What it held at its last rest.
    pub(super) held: BTreeMap<Prefix, IpAddr>,
    /// Which of these had no announced owner then and have had none since: it held them like what covers them.
    overridden: BTreeSet<Prefix>,
    /// When it was told last of a prefix.
    told: BTreeMap<Prefix, Time>,
    /// Withdrawals that no time had proven.
    quick: VecDeque<Time>,
    /// Withdrawals that only time had proven, in the last second.
    proven: VecDeque<Time>,
    /// It was reached without delay since then; none while it is not.
    pub(super) healthy_since: Option<Time>,
}

/// What a gateway heard, and what it held before and holds now.
pub(super) struct Hearing<'a> {
    pub(super) now: Time,
    pub(super) gateway: usize,
    pub(super) before: &'a BTreeMap<Prefix, Said>,
    pub(super) after: &'a BTreeMap<Prefix, Said>,
    pub(super) heard: &'a [Heard],
    /// Since when what the process knows may be.
    pub(super) knows_since: Time,
    /// When the process began.
    pub(super) started: Time,
    /// Of which stores it knows nothing: they delay no other's changes.
    pub(super) unread: Vec<usize>,
    /// Whether the process has read every source completely.
    pub(super) has_read_all: bool,
    /// In a freeze: the next hops that the process has decided on. It decides nothing in it, and what writers refused before may be told.
    pub(super) decided: BTreeMap<Prefix, IpAddr>,
}

impl Judge {
    pub(super) fn new(gateways: usize, sources: usize, guarded: bool) -> Self {
        Judge {
            guarded,
            sources,
            gateways: vec![Seen::default(); gateways],
            excused: BTreeMap::new(),
            all_excused: None,
            unguarded: Time::ZERO,
            frozen: None,
            announced: BTreeMap::new(),
            most: 0,
        }
    }

    pub(super) fn excuse(&mut self, now: Time, prefixes: impl IntoIterator<Item = Prefix>) {
        self.excused.extend(prefixes.into_iter().map(|prefix| (prefix, now)));
    }

    pub(super) fn excuse_all(&mut self, now: Time) {
        self.all_excused = Some(now);
    }

    fn is_excused(&self, prefix: Prefix, since: Time) -> bool {
        self.all_excused.is_some_and(|at| at >= since) || self.excused.get(&prefix).is_some_and(|at| *at >= since)
    }

    /// What was spent of the limits was not written down: the next process has whole ones.
    pub(super) fn forget_spent(&mut self) {
        self.gateways.iter_mut().for_each(|seen| seen.quick.clear());
    }

    /// Whether somebody, or a process without memory, gave a reason for what happens to the prefix since the last rest.
    pub(super) fn has_reason(&self, prefix: Prefix) -> bool {
        let rest = self.gateways.iter().map(|seen| seen.rest).max().unwrap_or_default();
        self.unguarded > rest || self.is_excused(prefix, rest)
    }

    pub(super) fn follow(&mut self, truth: &Truth) {
        self.most = self.most.max(truth.count());
    }

    pub(super) fn hear(&mut self, truth: &Truth, hearing: &Hearing<'_>) {
        let &Hearing { gateway, before, after, heard, .. } = hearing;
        for heard in heard {
            match heard {
                Heard::Announced(prefix, said) => {
                    self.announced(truth, hearing, *prefix, said);
                    self.gateways[gateway].told.insert(*prefix, hearing.now);
                }
                Heard::EndOfRib(family) => {
                    assert!(
                        hearing.has_read_all,
                        "P4: gateway {gateway} is told that {family} is all, and not all was read"
                    );
                }
                Heard::Withdrawn(_) | Heard::BeginOfRefresh(_) | Heard::EndOfRefresh(_) => {}
            }
        }
        let lost: Vec<Prefix> = before.keys().filter(|prefix| !after.contains_key(prefix)).copied().collect();
        for prefix in &lost {
            self.withdrawn(truth, hearing, *prefix);
        }
        self.check_frozen(hearing, &lost);
    }

    /// P1; and that it is no lie: the owner stated it, or was its announced owner, since the process may know. What another prefix
    /// covers may be announced like that one.
    fn announced(&mut self, truth: &Truth, hearing: &Hearing<'_>, prefix: Prefix, said: &Said) {
        let next_hop = said.next_hop();
        let admitted = super::settings::is_admitted(prefix, next_hop);
        assert!(admitted, "P1: gateway {} is told {prefix} via {next_hop}", hearing.gateway);
        let seen = &self.gateways[hearing.gateway];
        let since = seen.rest.min(hearing.knows_since);
        let is_so = |prefix: Prefix| {
            let known = self.announced.get(&(prefix, next_hop)).is_some_and(|at| *at >= since);
            known || seen.held.get(&prefix) == Some(&next_hop) || truth.was_stated(prefix, next_hop, since)
        };
        assert!(
            is_so(prefix) || super::settings::cover(prefix).is_some_and(is_so),
            "P5: gateway {} is told {prefix} via {next_hop}, which nobody has stated since {since:?}",
            hearing.gateway
        );
    }

    /// P2 and P3.
    fn withdrawn(&mut self, truth: &Truth, hearing: &Hearing<'_>, prefix: Prefix) {
        let &Hearing { now, gateway, .. } = hearing;
        let (most, seen) = (self.most, &self.gateways[gateway]);
        // The end of an override takes no route away.
        if self.is_excused(prefix, seen.rest) || seen.overridden.contains(&prefix) {
            return;
        }
        // A process that has never read a record cannot know what it said; the marker must then not take it away either.
        let is_told = hearing.heard.contains(&Heard::Withdrawn(prefix));
        let afresh = is_told && hearing.started >= seen.rest;
        assert!(
            truth.was_absent(prefix, seen.rest, afresh, if is_told { &hearing.unread } else { &[] }),
            "P2: gateway {gateway} loses {prefix}, which was stated all the time"
        );
        // Who says that this is all has read everything since it began: what an earlier process told is told again if it is stated.
        // What a record said that it cannot read it may not know.
        let is_all = !is_told && hearing.heard.contains(&Heard::EndOfRib(prefix.family()));
        let told = seen.told.get(&prefix).filter(|told| is_all && **told >= seen.rest && **told <= hearing.started);
        assert!(
            told.is_none_or(|told| truth.was_absent(prefix, *told, true, &[])),
            "P4: gateway {gateway} is told that it is all, and loses {prefix}, which was stated since it was told of it"
        );
        let is_prompt = seen.healthy_since.is_some_and(|since| since <= seen.rest);
        // What another prefix covers may go long after that was decided: the account of decisions counts it.
        let is_covered = super::settings::cover(prefix).is_some();
        if !self.guarded || !is_prompt || is_covered || self.unguarded > seen.rest {
            return;
        }
        let seen = &mut self.gateways[gateway];
        // What a full bucket holds, and what flows in within the window.
        let bound = self.sources * 2 * (most / 5).max(5);
        if truth.is_long_absent(prefix, now, PROVEN_AFTER) {
            seen.proven.push_back(now);
            seen.proven.retain(|at| now.since(*at) < Duration::from_secs(1));
            assert!(
                seen.proven.len() <= bound.max(most / 2),
                "P3: {} of {most} at once are withdrawn from gateway {gateway}, and nobody was asked",
                seen.proven.len()
            );
            return;
        }
        seen.quick.push_back(now);
        seen.quick.retain(|at| now.since(*at) < REFILL);
        assert!(
            seen.quick.len() <= bound,
            "P3: {} of {most} are withdrawn from gateway {gateway} within an hour, and nobody was asked",
            seen.quick.len()
        );
    }

    /// P3: a freeze is one.
    fn check_frozen(&self, hearing: &Hearing<'_>, lost: &[Prefix]) {
        let Some(frozen) = self.frozen else { return };
        let seen = &self.gateways[hearing.gateway];
        let is_prompt = seen.healthy_since.is_some_and(|since| since < frozen);
        if !is_prompt || hearing.now.since(frozen) < ON_ITS_WAY {
            return;
        }
        let lost: Vec<&Prefix> = lost.iter().filter(|prefix| hearing.decided.contains_key(*prefix)).collect();
        assert!(lost.is_empty(), "P3: frozen, and gateway {} loses {lost:?}", hearing.gateway);
        for (prefix, said) in hearing.after {
            let next_hop = Some(said.next_hop());
            let known = [hearing.before.get(prefix).map(Said::next_hop), hearing.decided.get(prefix).copied()];
            assert!(known.contains(&next_hop), "P3: frozen, and gateway {} is told of {prefix}", hearing.gateway);
        }
    }

    /// The process has decided on an owner.
    pub(super) fn owned(&mut self, prefix: Prefix) {
        self.gateways.iter_mut().for_each(|seen| _ = seen.overridden.remove(&prefix));
    }

    /// The gateway was compared, and holds this; of `overridden` nothing but what covers it.
    pub(super) fn rested(
        &mut self,
        now: Time,
        gateway: usize,
        held: BTreeMap<Prefix, IpAddr>,
        overridden: BTreeSet<Prefix>,
    ) {
        self.announced.extend(held.iter().map(|(prefix, next_hop)| ((*prefix, *next_hop), now)));
        let seen = &mut self.gateways[gateway];
        (seen.rest, seen.held, seen.overridden) = (now, held, overridden);
        seen.healthy_since.get_or_insert(now);
    }
}
