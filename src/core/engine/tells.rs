//! What one gateway is told of many prefixes: a page of its table, whether or not it was handed out yet.
//!
//! Unlike [`Engine::told_rows`], which asks of one prefix how far each gateway has come, nothing here looks into a dump: a page
//! costs what its rows cost.

use super::Engine;
use super::outlets::Outlet;
use crate::bgp::wire::RouteAttributes;
use crate::model::{Family, Prefix};
use crate::table::SlotId;
use crate::view::{Bar, Exclusion};

/// What a gateway is told of a prefix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TellRow {
    /// The prefix.
    pub prefix: Prefix,
    /// Whether it is told.
    pub tells: Tells,
    /// Whether it has a session that carries the prefix's family. Without one it is told nothing now, and `tells` says what it
    /// will be told of when it has one, as far as that is known: not what its cap leaves out.
    pub session: bool,
    /// What its policy makes of the route, if it lets it through.
    pub attributes: Option<RouteAttributes>,
}

/// Whether a gateway is told a prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tells {
    /// It was, or will be as soon as its session takes more.
    Route,
    /// There is a route, and the gateway's policy does not let it through.
    Rejected,
    /// Its policy would, but it must not be told, or cannot be.
    Barred(Bar),
    /// There is no route.
    Absent,
}

impl Engine {
    /// What the gateway of this name is told of these prefixes; None if there is no such gateway.
    pub fn tell_rows(&self, gateway: &str, prefixes: impl Iterator<Item = Prefix>) -> Option<Vec<TellRow>> {
        let outlet = self.outlets.named(gateway)?;
        let exclusion = outlet.exclusion_without_session(&self.table);
        Some(prefixes.map(|prefix| self.tell_row(outlet, &exclusion, prefix)).collect())
    }

    fn tell_row(&self, outlet: &Outlet, exclusion: &Exclusion, prefix: Prefix) -> TellRow {
        let family = prefix.family();
        let feed = outlet.feed(family);
        let session = feed.is_some();
        let absent = TellRow { prefix, tells: Tells::Absent, session, attributes: None };
        let slots = self.table.slots(family);
        let is_route = |slot: &SlotId| self.table.winner(family, *slot).is_some() || self.is_overridden(prefix);
        let Some(slot) = slots.find(prefix).filter(is_route) else {
            return absent;
        };
        let rejected = TellRow { tells: Tells::Rejected, ..absent };
        let Some(view) = outlet.exported(family, &self.views) else { return rejected };
        let Some(attributes) = view.get(slot).map(|id| view.attributes(id).clone()) else { return rejected };
        let bar = match feed {
            Some(feed) => feed.bar(view, slots, slot),
            None => exclusion.bar(attributes.next_hop),
        };
        let tells = bar.map_or(Tells::Route, Tells::Barred);
        TellRow { tells, attributes: Some(attributes), ..rejected }
    }

    /// Every prefix of the family that somebody claims or that is announced, in order.
    pub fn prefixes(&self, family: Family) -> Vec<Prefix> {
        let slots = self.table.slots(family);
        let places = 0..u32::try_from(slots.capacity()).unwrap_or(u32::MAX);
        let taken = places.map(SlotId).filter(|&slot| !self.table.is_vacant(family, slot));
        let mut prefixes: Vec<Prefix> = taken.map(|slot| slots.prefix(slot)).collect();
        prefixes.sort_unstable();
        prefixes
    }
}
