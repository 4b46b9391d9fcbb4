//! Gateways as the engine sees them: which session stands, what it was told, how much more it can take.

use super::views::{Passed, ViewId, Views};
use super::{Effect, GatewaySettings};
use crate::bgp::wire::Encoding;
use crate::model::{Family, GatewayId, PerFamily};
use crate::table::Table;
use crate::view::{CHUNK_BYTES, Chunk, Exclusion, Feed, Stamp, View};
use hashbrown::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

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

/// A gateway that came from a range (a dynamic neighbour): it is told what the range's entry says, except for routes via
/// its own address.
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
    /// A record cannot be read, or states subnets without an address to reach them at, and never did better in this process:
    /// an earlier one may have announced them, and End-of-RIB would make the gateways drop them.
    pub(super) hides_claims: PerFamily<bool>,
}

/// Below this many octets in flight, a gateway is given more: two chunks are under way at the most.
const CREDIT: usize = CHUNK_BYTES;

struct Session {
    up: SessionUp,
    feeds: PerFamily<Option<Feed>>,
    in_flight: usize,
    sent: PerFamily<u64>,
    /// Whether it was said that the cap holds routes back.
    capped: PerFamily<bool>,
}

struct Outlet {
    settings: GatewaySettings,
    /// The views of its policy.
    views: PerFamily<Option<ViewId>>,
    session: Option<Session>,
    /// Families whose End-of-RIB an earlier session of this process brought: what the gateway keeps since is ours.
    completed: PerFamily<bool>,
    /// The range that it came from, and its address.
    joined: Option<(GatewayId, IpAddr)>,
}

impl Outlet {
    fn view<'a>(&self, family: Family, views: &'a mut Views) -> Option<&'a mut View> {
        views.get_mut(self.views[family]?)
    }

    fn exclusion(&self, address: IpAddr) -> Exclusion {
        let mut exclusion = self.settings.exclusion.clone();
        exclusion.own.push(address);
        exclusion
    }
}

#[derive(Default)]
pub(super) struct Outlets {
    outlets: Vec<Outlet>,
    /// Where in it each is: there may be a thousand, and each has something to say for every change.
    places: HashMap<GatewayId, usize>,
    /// Whose turn it is for a slice of a dump.
    turn: usize,
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
                let completed = PerFamily::default();
                self.outlets.push(Outlet { settings, views: ids, session: None, completed, joined: None });
                continue;
            };
            if outlet.settings.exclusion.own != settings.exclusion.own {
                outlet.completed = PerFamily::default(); // another machine
            }
            let recapped = outlet.settings.max_prefix != settings.max_prefix;
            let moved = outlet.views != ids || outlet.settings.exclusion != settings.exclusion;
            outlet.settings = settings;
            outlet.views = ids;
            if moved {
                outlet.follow_settings(views, table);
            }
            if recapped {
                outlet.change_caps(views);
            }
            self.outlets.push(outlet);
        }
        self.places = self.outlets.iter().zip(0..).map(|(outlet, place)| (outlet.settings.id, place)).collect();
    }

    /// A range that is no longer configured takes nobody in.
    pub(super) fn join(&mut self, joined: Joined) {
        let Joined { id, range, name, address } = joined;
        let Some(of_range) = self.places.get(&range).and_then(|&place| self.outlets.get(place)) else { return };
        let settings = of_joined(&of_range.settings, id, name, address);
        let (views, completed, joined) = (of_range.views, PerFamily::default(), Some((range, address)));
        self.places.insert(id, self.outlets.len());
        self.outlets.push(Outlet { settings, views, session: None, completed, joined });
    }

    pub(super) fn leave(&mut self, gateway: GatewayId) {
        let Some(place) = self.places.remove(&gateway) else { return };
        self.outlets.swap_remove(place);
        if let Some(moved) = self.outlets.get(place) {
            self.places.insert(moved.settings.id, place);
        }
    }

    fn outlet(&mut self, gateway: GatewayId) -> Option<&mut Outlet> {
        self.outlets.get_mut(*self.places.get(&gateway)?)
    }

    pub(super) fn session_up(&mut self, gateway: GatewayId, up: SessionUp, views: &mut Views, table: &Table) {
        let Some(outlet) = self.outlet(gateway) else { return };
        let feeds = PerFamily::from_fn(|family| {
            let encoding = up.families[family]?;
            let view = outlet.view(family, views)?;
            let mut feed = Feed::new(view, encoding, outlet.exclusion(up.address), up.enhanced_refresh);
            if let Some(limit) = outlet.settings.max_prefix[family] {
                feed.cap(view, table.slots(family), limit);
            }
            Some(feed)
        });
        outlet.session =
            Some(Session { up, feeds, in_flight: 0, sent: PerFamily::default(), capped: PerFamily::default() });
    }

    pub(super) fn session_down(&mut self, gateway: GatewayId, number: SessionNumber) {
        if let Some(outlet) = self.outlet(gateway)
            && let Some(session) = outlet.session.take_if(|session| session.up.number == number)
        {
            for (family, feed) in session.feeds.iter() {
                outlet.completed[family] |= feed.as_ref().is_some_and(Feed::is_complete);
            }
        }
    }

    pub(super) fn refresh(&mut self, gateway: GatewayId, number: SessionNumber, family: Family, views: &mut Views) {
        let Some(outlet) = self.outlet(gateway) else { return };
        let id = outlet.views[family];
        if let Some(session) = outlet.session.as_mut().filter(|session| session.up.number == number)
            && let (Some(feed), Some(view)) = (&mut session.feeds[family], id.and_then(|id| views.get_mut(id)))
        {
            feed.refresh(view);
        }
    }

    pub(super) fn refresh_all(&mut self, views: &mut Views) {
        for outlet in &mut self.outlets {
            let Some(session) = &mut outlet.session else { continue };
            for (family, feed) in session.feeds.iter_mut() {
                if let (Some(feed), Some(view)) = (feed, outlet.views[family].and_then(|id| views.get_mut(id))) {
                    feed.refresh(view);
                }
            }
        }
    }

    pub(super) fn written(&mut self, gateway: GatewayId, number: SessionNumber, octets: usize) {
        if let Some(outlet) = self.outlet(gateway)
            && let Some(session) = outlet.session.as_mut().filter(|session| session.up.number == number)
        {
            session.in_flight = session.in_flight.saturating_sub(octets);
        }
    }

    /// One chunk of changes to every gateway that wants one and has credit. True if any was handed out.
    pub(super) fn hand_out_changes(
        &mut self,
        views: &mut Views,
        table: &Table,
        stamp: Stamp,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let before = effects.len();
        for outlet in &mut self.outlets {
            outlet.hand_out(views, effects, |feed, view, family| {
                if feed.lag(view) == 0 && !feed.can_fill() {
                    return None;
                }
                feed.pull_tail(view, table.slots(family), stamp)
            });
        }
        effects.len() > before
    }

    /// One slice of one gateway's dump; the gateways take turns. True if any was handed out.
    pub(super) fn hand_out_slice(
        &mut self,
        views: &mut Views,
        table: &Table,
        stamp: Stamp,
        verified: Verified,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let before = effects.len();
        let count = self.outlets.len();
        for step in 0..count {
            let place = (self.turn + step) % count;
            let Some(outlet) = self.outlets.get_mut(place) else { break };
            let completed = outlet.completed;
            outlet.hand_out(views, effects, |feed, view, family| {
                if !feed.is_dumping() {
                    return None;
                }
                let verified = verified.complete && (!verified.hides_claims[family] || completed[family]);
                feed.pull_dump(view, table.slots(family), stamp, verified)
            });
            if effects.len() > before {
                self.turn = place + 1;
                return true;
            }
        }
        false
    }

    /// A gateway that trails too far keeps everybody's log alive: it is brought up to date by a bracketed dump or, where
    /// it does not know those, given up (I8). The limit is above anything that one complete list can cause.
    pub(super) fn check_lag(&mut self, views: &mut Views, table: &Table, effects: &mut Vec<Effect>) {
        for outlet in &mut self.outlets {
            let Some(session) = &mut outlet.session else { continue };
            let mut too_slow = false;
            for (family, feed) in session.feeds.iter_mut() {
                let (Some(feed), Some(id)) = (feed, outlet.views[family]) else { continue };
                let Some(view) = views.get_mut(id) else { continue };
                too_slow |= feed.lag(view) > view.longest_lag() && !feed.resynchronise(view, table.slots(family));
            }
            if too_slow {
                effects.push(Effect::CloseSlow(outlet.settings.id, session.up.number));
                outlet.session = None;
            }
        }
    }

    /// Says where a cap begins or ceases to hold routes back.
    pub(super) fn check_caps(&mut self, effects: &mut Vec<Effect>) {
        for outlet in &mut self.outlets {
            let Some(session) = &mut outlet.session else { continue };
            for (family, feed) in session.feeds.iter() {
                let withheld = feed.as_ref().map_or(0, Feed::withheld);
                if std::mem::replace(&mut session.capped[family], withheld > 0) != (withheld > 0) {
                    effects.push(Effect::Capped(outlet.settings.name.clone(), family, withheld));
                }
            }
        }
    }

    /// For every view of the family: the smallest tail of its feeds (its head where there are none).
    pub(super) fn passed(&self, family: Family, views: &Views) -> Vec<(ViewId, Passed)> {
        let heads = views.of_family(family);
        let mut passed: Vec<_> = heads.map(|(id, view)| (id, Passed { tail: view.head(), dumping: false })).collect();
        for outlet in &self.outlets {
            let Some(feed) = outlet.session.as_ref().and_then(|session| session.feeds[family].as_ref()) else {
                continue;
            };
            if let Some((_, of_view)) = passed.iter_mut().find(|(id, _)| outlet.views[family] == Some(*id)) {
                of_view.tail = of_view.tail.min(feed.tail());
                of_view.dumping |= feed.is_dumping();
            }
        }
        passed
    }

    /// Whether some dump still has to withdraw routes by slot.
    pub(super) fn block_freeing(&self, family: Family) -> bool {
        let feeds = self.outlets.iter().filter_map(|outlet| outlet.session.as_ref()?.feeds[family].as_ref());
        feeds.into_iter().any(Feed::withdraws_absent)
    }

    /// Each gateway with its session's number, octets in flight and messages handed out.
    pub(super) fn rows(&self, views: &Views) -> impl Iterator<Item = super::GatewayRow> {
        self.outlets.iter().map(|outlet| {
            let lag = PerFamily::from_fn(|family| {
                let feed = outlet.session.as_ref()?.feeds[family].as_ref()?;
                Some(feed.lag(views.get(outlet.views[family]?)?))
            });
            super::GatewayRow {
                id: outlet.settings.id,
                name: outlet.settings.name.clone(),
                range: outlet.joined.map(|(range, _)| range),
                policy: outlet.settings.policy.clone(),
                drain: outlet.settings.drain,
                exported: views.sizes(&outlet.settings.policy, outlet.settings.drain),
                caught_up: PerFamily::from_fn(|family| {
                    let feed = outlet.session.as_ref()?.feeds[family].as_ref()?;
                    Some(feed.is_caught_up(views.get(outlet.views[family]?)?))
                }),
                lag,
                max_prefix: outlet.settings.max_prefix,
                withheld: PerFamily::from_fn(|family| {
                    let feed = outlet.session.as_ref().and_then(|session| session.feeds[family].as_ref());
                    feed.map_or(0, Feed::withheld)
                }),
                updates_sent: outlet.session.as_ref().map_or_else(PerFamily::default, |session| session.sent),
            }
        })
    }
}

/// What somebody from the range may be told.
fn of_joined(range: &GatewaySettings, id: GatewayId, name: String, address: IpAddr) -> GatewaySettings {
    let mut settings = GatewaySettings { id, name, ..range.clone() };
    settings.exclusion.own = vec![address];
    settings
}

impl Outlet {
    /// Gives the gateway what `pull` finds in its feeds, if it has credit.
    fn hand_out(
        &mut self,
        views: &mut Views,
        effects: &mut Vec<Effect>,
        mut pull: impl FnMut(&mut Feed, &mut View, Family) -> Option<Arc<Chunk>>,
    ) {
        let Some(session) = &mut self.session else { return };
        for (family, feed) in session.feeds.iter_mut() {
            let Some(feed) = feed.as_mut().filter(|_| session.in_flight < CREDIT) else { continue };
            let Some(view) = self.views[family].and_then(|id| views.get_mut(id)) else { continue };
            if let Some(chunk) = pull(feed, view, family) {
                session.in_flight += chunk.bytes.len();
                session.sent[family] += chunk.ends.len() as u64;
                effects.push(Effect::Send(self.settings.id, session.up.number, chunk));
            }
        }
    }

    /// Another most of routes: standing sessions keep what they were told.
    fn change_caps(&mut self, views: &Views) {
        let Some(session) = &mut self.session else { return };
        for (family, feed) in session.feeds.iter_mut() {
            if let (Some(feed), Some(view)) = (feed, self.views[family].and_then(|id| views.get(id))) {
                feed.change_cap(view, self.settings.max_prefix[family]);
            }
        }
    }

    /// Another policy or exclusion: the feeds of a standing session move.
    fn follow_settings(&mut self, views: &mut Views, table: &Table) {
        let Some(address) = self.session.as_ref().map(|session| session.up.address) else { return };
        let exclusion = self.exclusion(address);
        let Some(session) = &mut self.session else { return };
        for (family, feed) in session.feeds.iter_mut() {
            if let (Some(feed), Some(view)) = (feed, self.views[family].and_then(|id| views.get_mut(id))) {
                feed.move_to(view, table.slots(family), exclusion.clone());
            }
        }
    }
}
