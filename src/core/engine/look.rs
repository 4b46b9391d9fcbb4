//! Looking at the engine from outside: plain rows, in pages, changing nothing.

use super::{Engine, OverrideRow};
use crate::model::{Family, GatewayId, HostName, PerFamily, Prefix, SourceId, Time};
use crate::source::sync::{Counts, Seen};
use crate::table::{ChangeKind, HeldChange, HoldReason, Owner, SlotClaim, SlotId, Standing};
use std::fmt;
use std::net::IpAddr;

/// A source and how sure we are of it.
#[derive(Clone, Debug)]
pub struct SourceRow {
    /// Its number.
    pub id: SourceId,
    /// Its name in the configuration.
    pub name: String,
    /// What an empty list of it lacks, in words that name the store.
    pub lacking: String,
    /// How much is known, and since when not.
    pub seen: Seen<Counts>,
    /// Whether a complete list was believed once in this process.
    pub complete: bool,
    /// How many routes come from it.
    pub routes: usize,
    /// How many changes of each kind the guard keeps back.
    pub held: [(ChangeKind, usize); 3],
}

/// What is wrong with a source's records.
#[derive(Clone, Debug, Default)]
pub struct RecordFaults {
    /// Records that cannot be decoded.
    pub quarantined: Vec<QuarantinedRow>,
    /// Stated prefixes without a next hop.
    pub unresolved: Vec<UnresolvedRow>,
}

/// A record that cannot be decoded.
#[derive(Clone, Debug)]
pub struct QuarantinedRow {
    /// Its key, as text.
    pub key: String,
    /// What is wrong.
    pub why: String,
    /// Whether what it said before stays.
    pub kept: bool,
}

/// A stated prefix without a next hop.
#[derive(Clone, Debug)]
pub struct UnresolvedRow {
    /// The key of the record that states it, as text.
    pub key: String,
    /// The prefix.
    pub prefix: Prefix,
    /// Why it has none.
    pub why: &'static str,
}

/// A gateway as the engine sees it.
#[derive(Clone, Debug)]
pub struct GatewayRow {
    /// Its number.
    pub id: GatewayId,
    /// Its name in the configuration.
    pub name: String,
    /// The range that it came from.
    pub range: Option<GatewayId>,
    /// Its policy's name.
    pub policy: String,
    /// Whether its routes carry GRACEFUL_SHUTDOWN (RFC 8326).
    pub drain: bool,
    /// How many routes its policy exports.
    pub exported: PerFamily<usize>,
    /// Whether it was handed everything, End-of-RIB included; None without a session in that family.
    pub caught_up: PerFamily<Option<bool>>,
    /// Changes not handed out yet.
    pub lag: PerFamily<Option<u64>>,
    /// The most routes that it is told.
    pub max_prefix: PerFamily<Option<usize>>,
    /// Routes that it is not told because of that.
    pub withheld: PerFamily<usize>,
    /// Messages handed to its session: UPDATEs, and the markers of refreshes.
    pub updates_sent: PerFamily<u64>,
}

/// A prefix that somebody claims.
#[derive(Clone, Debug)]
pub struct RouteRow {
    /// The prefix.
    pub prefix: Prefix,
    /// Every claim, in the order of [`Standing::rank`], one that waits behind the route; the one that is announced has
    /// [`Standing::Route`] and does not wait.
    pub claims: Vec<ClaimRow>,
    /// What the guard keeps back.
    pub hold: Option<HoldRow>,
    /// What has changed and is not decided.
    pub waiting: Option<Waiting>,
    /// Who is announced as its owner, host and next hop. Nobody may claim it any more, if its withdrawal is held.
    pub announced: Option<(String, IpAddr)>,
    /// Whether the source of what is announced cannot be read now.
    pub stale: bool,
    /// Without a route of its own it is announced like the one that covers it.
    pub overridden: Option<OverrideRow>,
}

/// A change that is not decided, because nothing changes now: the guard has not judged it either.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// What would happen to the route.
    pub kind: ChangeKind,
    /// Until when.
    pub until: Until,
}

/// Until when nothing changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// Until a person ends the freeze.
    Unfreeze,
    /// Until it is known who leads.
    Leader,
}

impl Until {
    /// For programs.
    pub fn name(self) -> &'static str {
        match self {
            Until::Unfreeze => "unfreeze",
            Until::Leader => "leader",
        }
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Until::Unfreeze => "for fingerpost unfreeze; then the guard judges it",
            Until::Leader => "until it is known who leads; then the guard judges it",
        })
    }
}

/// A change that the guard keeps back.
#[derive(Clone, Debug)]
pub struct HoldRow {
    /// Whose route it is.
    pub prefix: Prefix,
    /// What would happen to it.
    pub kind: ChangeKind,
    /// The name of the source whose limit it is.
    pub source: String,
    /// Since when.
    pub since: Time,
    /// Why.
    pub reason: HoldReason,
    /// Whether a person said that it stays.
    pub denied: bool,
    /// Whether only a person may let it pass.
    pub needs_person: bool,
    /// Who is announced, host and next hop.
    pub from: Option<(String, IpAddr)>,
    /// Who would be.
    pub to: Option<(String, IpAddr)>,
}

/// One claim and what became of it.
#[derive(Clone, Debug)]
pub struct ClaimRow {
    /// The host.
    pub host: String,
    /// The host's address.
    pub next_hop: IpAddr,
    /// The source's name.
    pub source: String,
    /// The record's key, as text.
    pub key: String,
    /// When the record was last written, in its store's own counting.
    pub revision: u64,
    /// False if the record can no longer be decoded.
    pub readable: bool,
    /// What became of it.
    pub standing: Standing,
    /// It has won, and until then that is not decided: `standing` is that of before.
    pub waits: Option<Until>,
}

impl Engine {
    /// All sources.
    pub fn source_rows(&self) -> Vec<SourceRow> {
        let row = |source: &super::Source| SourceRow {
            id: source.settings.id,
            name: source.settings.name.clone(),
            lacking: source.settings.lacking.clone(),
            seen: source.sync.seen(),
            complete: source.sync.is_complete(),
            routes: self.table.count_routes_of(source.settings.id),
            held: ChangeKind::ALL.map(|kind| (kind, self.table.count_held(source.settings.id, kind))),
        };
        self.sources.iter().map(row).collect()
    }

    /// Up to `limit` of each sort of fault in a source's records; [`Counts`] has the numbers of all.
    pub fn record_faults(&self, id: SourceId, limit: usize) -> RecordFaults {
        let Some(source) = self.source(id) else { return RecordFaults::default() };
        let quarantined = source.sync.quarantined().take(limit).map(|record| QuarantinedRow {
            key: text(&record.key),
            why: record.why.to_owned(),
            kept: record.kept,
        });
        let unresolved = source.sync.unresolved().take(limit).map(|prefix| UnresolvedRow {
            key: text(&prefix.key),
            prefix: prefix.prefix,
            why: prefix.why,
        });
        RecordFaults { quarantined: quarantined.collect(), unresolved: unresolved.collect() }
    }

    /// All gateways.
    pub fn gateway_rows(&self) -> Vec<GatewayRow> {
        self.outlets.rows(&self.views).collect()
    }

    /// How many routes there are.
    pub fn count_routes(&self) -> PerFamily<usize> {
        PerFamily::from_fn(|family| self.table.count_routes(family))
    }

    /// Up to `limit` claimed prefixes of a family from place `from` on that satisfy `wanted`, and the place at which to go
    /// on, if there is more. At most 50,000 prefixes are looked at, so that the engine is not held up.
    pub fn route_rows(
        &self,
        family: Family,
        from: u32,
        limit: usize,
        wanted: impl Fn(Prefix) -> bool,
    ) -> (Vec<RouteRow>, Option<u32>) {
        self.rows_where(family, from, limit, |_, prefix| wanted(prefix))
    }

    /// The same, of the prefixes that a host claims or is announced as the owner of.
    pub fn host_rows(&self, family: Family, from: u32, limit: usize, host: &HostName) -> (Vec<RouteRow>, Option<u32>) {
        self.rows_where(family, from, limit, |slot, _| self.table.concerns(family, slot, host))
    }

    fn rows_where(
        &self,
        family: Family,
        from: u32,
        limit: usize,
        wanted: impl Fn(SlotId, Prefix) -> bool,
    ) -> (Vec<RouteRow>, Option<u32>) {
        let slots = self.table.slots(family);
        let end = u32::try_from(slots.capacity()).unwrap_or(u32::MAX);
        let mut rows = Vec::new();
        for place in from..end.min(from.saturating_add(50_000)) {
            if rows.len() == limit {
                return (rows, Some(place));
            }
            let (slot, prefix) = (SlotId(place), slots.prefix(SlotId(place)));
            if wanted(slot, prefix) && self.is_known(family, slot) {
                rows.push(self.route_row(family, slot));
            }
        }
        let next = from.saturating_add(50_000);
        (rows, (next < end).then_some(next))
    }

    /// One prefix, if anybody claims it or it is announced.
    pub fn route(&self, prefix: Prefix) -> Option<RouteRow> {
        let slot = self.table.slots(prefix.family()).find(prefix)?;
        self.is_known(prefix.family(), slot).then(|| self.route_row(prefix.family(), slot))
    }

    /// Whether somebody claims the slot's prefix, or it is announced.
    fn is_known(&self, family: Family, slot: SlotId) -> bool {
        !self.table.is_vacant(family, slot) || self.is_overridden(self.table.slots(family).prefix(slot))
    }

    /// Up to `limit` held changes of prefixes behind `after`, in the order of their prefixes.
    pub fn hold_rows(&self, after: Option<Prefix>, limit: usize) -> Vec<HoldRow> {
        self.table.holds_behind(after).take(limit).map(|held| self.hold_row(&held)).collect()
    }

    fn hold_row(&self, held: &HeldChange<'_>) -> HoldRow {
        let hop = |owner: &Owner| (owner.host.to_string(), owner.next_hop);
        let source = self.source(held.hold.source);
        HoldRow {
            prefix: held.prefix,
            kind: held.hold.kind,
            source: source.map(|source| source.settings.name.clone()).unwrap_or_default(),
            since: held.hold.since,
            reason: held.hold.reason,
            denied: held.hold.is_denied(),
            needs_person: match held.hold.reason {
                HoldReason::Replaced => true,
                HoldReason::Flapping => false,
                HoldReason::TooMany { .. } | HoldReason::MostOfSource { .. } | HoldReason::Denied => {
                    held.hold.kind != ChangeKind::Addition && self.table.needs_person(held.hold.source)
                }
            },
            from: held.from.map(hop),
            to: held.to.map(hop),
        }
    }

    /// Until when nothing changes, if so.
    fn keeps_still(&self) -> Option<Until> {
        match self.frozen() {
            Some(_) => Some(Until::Unfreeze),
            None => self.holds_still().map(|_| Until::Leader),
        }
    }

    /// How many routes would change, the guard permitting, if anything did now.
    pub fn count_waiting(&self) -> usize {
        if self.keeps_still().is_some() { self.table.count_undecided() } else { 0 }
    }

    fn route_row(&self, family: Family, slot: SlotId) -> RouteRow {
        let undecided = self.keeps_still().and_then(|until| Some((self.table.undecided(family, slot)?, until)));
        let waiting = undecided.map(|((kind, _), until)| Waiting { kind, until });
        let waits = |claim: &SlotClaim| {
            let ((_, desired), until) = undecided?;
            desired.filter(|winner| (winner.source, winner.record) == (claim.source, claim.record)).map(|_| until)
        };
        let claims = self.table.claims(family, slot).map(|(claim, standing)| {
            let owner = self.table.owner(claim.owner);
            let source = self.source(claim.source);
            let record = source.and_then(|source| source.sync.record(claim.record));
            ClaimRow {
                host: owner.host.to_string(),
                next_hop: owner.next_hop,
                source: source.map(|source| source.settings.name.clone()).unwrap_or_default(),
                key: record.as_ref().map(|record| text(&record.key)).unwrap_or_default(),
                revision: record.map_or(0, |record| record.modified.0),
                readable: claim.readable,
                standing,
                waits: waits(&claim),
            }
        });
        let mut claims: Vec<ClaimRow> = claims.collect();
        claims.sort_by_key(|claim| if claim.waits.is_some() { 1 } else { claim.standing.rank() });
        let hold = self.table.held_change(family, slot).map(|held| self.hold_row(&held));
        let winner = self.table.winner(family, slot);
        let announced = winner.map(|winner| {
            let owner = self.table.owner(winner.owner);
            (owner.host.to_string(), owner.next_hop)
        });
        let source = winner.and_then(|winner| self.source(winner.source));
        let stale = source.is_some_and(|source| !source.sync.is_current());
        let prefix = self.table.slots(family).prefix(slot);
        RouteRow { prefix, claims, hold, waiting, announced, stale, overridden: self.override_row(prefix) }
    }
}

/// Keys are octets; those that are no text show as U+FFFD.
pub(super) fn text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}
