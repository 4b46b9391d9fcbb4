//! Gateways as the engine sees them: which session stands, what it was told, how much more it can take.
//!
//! ```text
//!  a view has changed: all that it is for ─┐
//!  written, up, refresh: that gateway ─────┴─► changes ── in a dump ──► slices ◄── End-of-RIB may go out: all in a dump
//! ```
//!
//! There may be a thousand, and each has something to say after every change: what concerns one looks at that one only.

mod handing_out;
mod line;
mod outlet;
mod pace;
mod tally;

use super::views::{Passed, ViewId, Views};
use super::{Effect, GatewaySettings};
use crate::bgp::wire::Encoding;
use crate::model::{Family, GatewayId, PerFamily, Time};
use crate::replicas::Sessions;
use crate::table::Table;
use crate::view::{Feed, Seq, Stamp, View};
pub(super) use handing_out::Saying;
use hashbrown::HashMap;
use line::Line;
pub(super) use outlet::Outlet;
pub use outlet::REPORT;
use std::collections::BTreeSet;
use std::net::IpAddr;
use tally::Tally;

/// Counts a gateway's sessions, so that what belongs to an older one can be told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionNumber(pub u64);

/// What a new session has agreed on, as far as the engine cares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionUp {
    /// Counts up.
    pub number: SessionNumber,
    /// For each family agreed on (RFC 4760): how its UPDATEs are written.
    pub families: PerFamily<Option<Encoding>>,
    /// Both sides know BoRR and EoRR (RFC 7313).
    pub enhanced_refresh: bool,
    /// The gateway's address: never a next hop for itself.
    pub address: IpAddr,
}

/// A chunk of a session was not written, or not whole: by then its stamp could not be said any more. Nor is what was handed out after
/// it, whatever its stamp: a marker among that would make the gateway drop what it was not told (promise P4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Its stamp.
    pub stamp: Stamp,
    /// How many octets of the session's chunks had been written or refused before it.
    pub after: u64,
}

/// A gateway that came from a range (a dynamic neighbour): it is told what the range's entry says, except for routes via
/// an address of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// Its number.
    pub id: GatewayId,
    /// The number of the range's entry.
    pub range: GatewayId,
    /// Its name: the entry's and its address.
    pub name: String,
    /// Where it connected from: as a host, it is a next hop itself.
    pub address: IpAddr,
}

/// Whether an End-of-RIB would be true (P4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Verified {
    /// Every source was read completely.
    pub(super) complete: bool,
    /// A record cannot be read, or states subnets without an address to reach them at, and never did better in this process;
    /// or the guard holds what one states, and the family was never verified. An earlier process may have announced it, and
    /// End-of-RIB would make the gateways drop it.
    pub(super) hides_claims: PerFamily<bool>,
}

impl Verified {
    /// For a gateway that this process has never told everything.
    pub(super) fn of(&self, family: Family) -> bool {
        self.complete && !self.hides_claims[family]
    }
}

#[derive(Default)]
pub(super) struct Outlets {
    outlets: Vec<Outlet>,
    /// Where in it each is.
    places: HashMap<GatewayId, usize>,
    /// Who may have changes to be told.
    changes: Line,
    /// Who may have a slice of a dump to be told.
    slices: Line,
    /// Who is told the rest of another stamp later, and when.
    later: BTreeSet<(Time, GatewayId)>,
    /// Whose cap may have begun or ceased to hold routes back.
    caps: Line,
    tally: Tally,
    /// Up to here the views' changes were noticed.
    heads: Vec<(ViewId, Seq)>,
    /// They have moved since it was looked for feeds that trail.
    moved: bool,
    verified: Option<Verified>,
    /// Sessions that ended with gateways that had joined and are not there any more.
    left: u64,
    /// End-of-RIBs that went out since it was asked.
    ended: Vec<(GatewayId, Family)>,
    looks: u64,
}

impl Outlets {
    /// Takes the gateways as they are configured now. Sessions stay; where policy or exclusion changed, the difference
    /// goes out.
    pub(super) fn reconfigure(&mut self, gateways: Vec<GatewaySettings>, views: &mut Views, table: &Table) {
        let by_id: HashMap<GatewayId, &GatewaySettings> =
            gateways.iter().map(|settings| (settings.id, settings)).collect();
        let still_joined = |outlet: &Outlet| {
            let (range, address) = outlet.joined?;
            Some(of_joined(by_id.get(&range)?, outlet.settings.id, outlet.settings.name.clone(), address))
        };
        let joined: Vec<GatewaySettings> = self.outlets.iter().filter_map(still_joined).collect();
        drop(by_id);
        let old = std::mem::take(&mut self.outlets);
        let mut before: HashMap<GatewayId, Outlet> =
            old.into_iter().map(|outlet| (outlet.settings.id, outlet)).collect();
        for settings in gateways.into_iter().chain(joined) {
            let ids = PerFamily::from_fn(|family| views.find(&settings.policy, settings.drain, family));
            let Some(mut outlet) = before.remove(&settings.id) else {
                self.outlets.push(Outlet::new(settings, ids, None));
                continue;
            };
            if outlet.settings.exclusion.own != settings.exclusion.own {
                outlet.completed = PerFamily::default(); // another machine
            }
            let recapped = outlet.settings.max_prefix != settings.max_prefix;
            let moved = outlet.views != ids || outlet.settings.exclusion != settings.exclusion;
            outlet.settings = settings;
            // What the gateway may hold is found by the view that it was told by.
            if recapped {
                outlet.change_caps(views);
            }
            let before = std::mem::replace(&mut outlet.views, ids);
            if moved {
                outlet.follow_settings(before, views, table);
            }
            self.outlets.push(outlet);
        }
        let used = self.outlets.iter().flat_map(|outlet| outlet.views.iter().filter_map(|(_, id)| *id));
        views.retire(&used.collect());
        self.places = self.outlets.iter().zip(0..).map(|(outlet, place)| (outlet.settings.id, place)).collect();
        self.tally = Tally::default();
        self.outlets.iter_mut().for_each(Outlet::forget_count);
        self.all_happen(|_| ());
    }

    /// A range that is no longer configured takes nobody in.
    pub(super) fn join(&mut self, joined: Joined) {
        let Joined { id, range, name, address } = joined;
        let Some(of_range) = self.places.get(&range).and_then(|&place| self.outlets.get(place)) else { return };
        let settings = of_joined(&of_range.settings, id, name, address);
        let outlet = Outlet::new(settings, of_range.views, Some((range, address)));
        self.places.insert(id, self.outlets.len());
        self.outlets.push(outlet);
    }

    pub(super) fn leave(&mut self, gateway: GatewayId) {
        self.happen(gateway, Outlet::end);
        let Some(place) = self.places.remove(&gateway) else { return };
        self.left += self.outlets.swap_remove(place).ended;
        if let Some(moved) = self.outlets.get(place) {
            self.places.insert(moved.settings.id, place);
        }
    }

    /// Something happens to one gateway; after that it may have something to be told.
    fn happen(&mut self, gateway: GatewayId, what: impl FnOnce(&mut Outlet)) {
        let Some(outlet) = self.places.get(&gateway).and_then(|&place| self.outlets.get_mut(place)) else { return };
        self.looks += 1;
        what(outlet);
        outlet.recount(&mut self.tally);
        self.changes.push(gateway);
    }

    /// … to all of them.
    fn all_happen(&mut self, mut what: impl FnMut(&mut Outlet)) {
        for outlet in &mut self.outlets {
            self.looks += 1;
            what(outlet);
            outlet.recount(&mut self.tally);
            self.changes.push(outlet.settings.id);
        }
    }

    pub(super) fn session_up(&mut self, gateway: GatewayId, up: SessionUp, views: &mut Views, table: &Table) {
        self.happen(gateway, |outlet| outlet.up(up, views, table));
    }

    /// Hosts have changed. All are looked at, but hardly ever is there anything to say.
    pub(super) fn follow_hosts(&mut self, views: &mut Views, table: &Table) {
        self.all_happen(|outlet| outlet.follow_hosts(views, table));
    }

    pub(super) fn session_down(&mut self, gateway: GatewayId, number: SessionNumber) {
        self.happen(gateway, |outlet| outlet.down(number));
    }

    pub(super) fn refresh(&mut self, gateway: GatewayId, number: SessionNumber, family: Family, views: &mut Views) {
        self.happen(gateway, |outlet| outlet.refresh(Some(number), family, views));
    }

    /// By order, not at the gateway's request. How many families its session has.
    pub(super) fn refresh_one(&mut self, gateway: GatewayId, views: &mut Views) -> usize {
        let mut families = 0;
        self.happen(gateway, |outlet| {
            for family in Family::ALL {
                families += usize::from(outlet.feed(family).is_some());
                outlet.refresh(None, family, views);
            }
        });
        families
    }

    /// Everything again with this stamp to whoever was told it with another, and first what has changed since each view stood there.
    /// And everything as it is to whoever was not told something that it was handed.
    pub(super) fn restamp(
        &mut self,
        views: &mut Views,
        table: &Table,
        since: &[(ViewId, Seq)],
        stamp: Stamp,
        effects: &mut Vec<Effect>,
    ) {
        self.all_happen(|outlet| {
            let ended = outlet.restamp(views, table, since, stamp);
            effects.extend(ended.map(|number| Effect::CloseSlow(outlet.settings.id, number)));
        });
    }

    /// When somebody may be told more of another stamp.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.later.first().map(|(at, _)| *at)
    }

    /// Puts those in line whose time has come.
    pub(super) fn on_deadline(&mut self, now: Time) {
        while let Some(&(at, gateway)) = self.later.first()
            && at <= now
        {
            self.later.pop_first();
            self.slices.push(gateway);
        }
    }

    /// What was handed to the gateway did not reach it; see [`Outlet::refused`].
    pub(super) fn refused(
        &mut self,
        gateway: GatewayId,
        (number, refusal): (SessionNumber, Refusal),
        later: bool,
        views: &mut Views,
        table: &Table,
        effects: &mut Vec<Effect>,
    ) {
        let mut ended = None;
        self.happen(gateway, |outlet| ended = outlet.refused(number, refusal, later, views, table));
        if let Some(number) = ended {
            effects.push(Effect::CloseSlow(gateway, number));
        } else if self.has_session(gateway, number) {
            effects.push(Effect::Resume(gateway, number));
        }
    }

    pub(super) fn written(&mut self, now: Time, gateway: GatewayId, number: SessionNumber, octets: usize) {
        self.happen(gateway, |outlet| outlet.written(now, number, octets));
    }

    /// Grows by one whenever a gateway is looked at, whatever for: what the engine's work costs where there are many.
    pub(super) fn looks(&self) -> u64 {
        self.looks
    }

    /// A gateway that trails too far keeps everybody's log alive: it is brought up to date by a bracketed dump or, where
    /// it does not know those, given up (I8). The limit is above anything that one complete list can cause. Nobody falls
    /// behind without a change.
    pub(super) fn check_lag(&mut self, views: &mut Views, table: &Table, effects: &mut Vec<Effect>) {
        if !std::mem::take(&mut self.moved) {
            return;
        }
        for outlet in self.outlets.iter_mut().filter(|outlet| outlet.session.is_some()) {
            self.looks += 1;
            let gateway = outlet.settings.id;
            if let Some(number) = outlet.check_lag(views, table) {
                effects.push(Effect::CloseSlow(gateway, number));
            }
            outlet.recount(&mut self.tally);
            if outlet.is_dumping() {
                self.slices.push(gateway);
            }
            if outlet.is_capped() {
                self.caps.push(gateway);
            }
        }
    }

    /// Says where a cap begins or ceases to hold routes back.
    pub(super) fn check_caps(&mut self, effects: &mut Vec<Effect>) {
        while let Some(gateway) = self.caps.pop() {
            if let Some(outlet) = self.places.get(&gateway).and_then(|&place| self.outlets.get_mut(place)) {
                self.looks += 1;
                outlet.check_caps(effects);
            }
        }
    }

    /// For every view of the family: the smallest tail of its feeds (its head where there are none).
    pub(super) fn passed(&self, family: Family, views: &Views) -> Vec<(ViewId, Passed)> {
        debug_assert!(self.outlets.iter().all(Outlet::is_counted), "a feed has moved and was not counted anew");
        self.tally.passed(family, views)
    }

    /// The sessions that stand.
    pub(super) fn sessions(&self) -> Sessions {
        let standing = self.outlets.iter().filter(|outlet| outlet.session.is_some());
        let configured = standing.clone().filter(|outlet| outlet.joined.is_none());
        let mut gateways: Vec<String> = configured.map(|outlet| outlet.settings.name.clone()).collect();
        gateways.sort_unstable();
        let ended = |joined: bool| {
            let such = self.outlets.iter().filter(move |outlet| outlet.joined.is_some() == joined);
            such.map(|outlet| outlet.ended).sum::<u64>()
        };
        let established = u64::try_from(standing.count()).unwrap_or(u64::MAX);
        Sessions { established, gateways, left: self.left + ended(true), ended: ended(false) }
    }

    /// Whether a gateway is still to be told something again with another stamp. One that takes nothing does not count: nobody knows
    /// for how long.
    pub(super) fn await_stamp(&self, now: Time) -> bool {
        self.outlets.iter().any(|outlet| outlet.awaits_stamp() && !outlet.takes_nothing(now))
    }

    /// Says which such gateways do not count, once for each time.
    pub(super) fn tell_what_takes_nothing(&mut self, now: Time, effects: &mut Vec<Effect>) {
        for outlet in self.outlets.iter_mut().filter(|outlet| outlet.awaits_stamp() && outlet.takes_nothing(now)) {
            if outlet.note_taking_nothing() {
                effects.push(Effect::TakesNothing(outlet.settings.name.clone()));
            }
        }
    }

    /// Whether some dump still has to withdraw routes by slot.
    pub(super) fn block_freeing(&self, family: Family) -> bool {
        self.tally.is_withdrawing(family)
    }

    /// Whose End-of-RIB of which family went out since this was asked last.
    pub(super) fn take_ended(&mut self) -> Vec<(GatewayId, Family)> {
        std::mem::take(&mut self.ended)
    }

    pub(super) fn get(&self, gateway: GatewayId) -> Option<&Outlet> {
        self.places.get(&gateway).and_then(|&place| self.outlets.get(place))
    }

    /// Whether this is the session that stands.
    pub(super) fn has_session(&self, gateway: GatewayId, number: SessionNumber) -> bool {
        self.get(gateway).and_then(|outlet| outlet.session.as_ref()).is_some_and(|session| session.up.number == number)
    }

    /// The names of the gateways that are configured, and of the ranges.
    pub(super) fn configured(&self) -> impl Iterator<Item = &str> {
        let configured = self.outlets.iter().filter(|outlet| outlet.joined.is_none());
        configured.map(|outlet| &*outlet.settings.name)
    }

    /// Up to `limit` gateways by name, those behind `after`.
    pub(super) fn by_name(&self, after: Option<&str>, limit: usize) -> Vec<&Outlet> {
        let mut some: Vec<&Outlet> =
            self.outlets.iter().filter(|outlet| after.is_none_or(|after| *outlet.settings.name > *after)).collect();
        some.sort_unstable_by_key(|outlet| &outlet.settings.name);
        some.truncate(limit);
        some
    }

    /// The gateway of this name.
    pub(super) fn named(&self, name: &str) -> Option<&Outlet> {
        self.outlets.iter().find(|outlet| outlet.settings.name == name)
    }

    /// Each gateway with its views, and with what its session was handed if one stands.
    pub(super) fn rows(&self, views: &Views) -> impl Iterator<Item = super::GatewayRow> {
        self.outlets.iter().map(|outlet| super::GatewayRow {
            id: outlet.settings.id,
            name: outlet.settings.name.clone(),
            range: outlet.joined.map(|(range, _)| range),
            policy: outlet.settings.policy.clone(),
            drain: outlet.settings.drain,
            exported: PerFamily::from_fn(|family| outlet.exported(family, views).map_or(0, View::len)),
            caught_up: PerFamily::from_fn(|family| {
                Some(outlet.feed(family)?.is_caught_up(outlet.exported(family, views)?))
            }),
            lag: PerFamily::from_fn(|family| Some(outlet.feed(family)?.lag(outlet.exported(family, views)?))),
            max_prefix: outlet.settings.max_prefix,
            withheld: PerFamily::from_fn(|family| outlet.feed(family).map_or(0, Feed::withheld)),
            updates_sent: outlet.session.as_ref().map_or_else(PerFamily::default, |session| session.sent),
        })
    }
}

/// What somebody from the range may be told.
fn of_joined(range: &GatewaySettings, id: GatewayId, name: String, address: IpAddr) -> GatewaySettings {
    let mut settings = GatewaySettings { id, name, ..range.clone() };
    settings.exclusion.own = vec![address];
    settings
}
