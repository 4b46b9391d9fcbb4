//! What each gateway was told of a prefix (promise P8).

use super::look::text;
use super::outlets::Outlet;
use super::{Engine, Source};
use crate::bgp::wire::RouteAttributes;
use crate::model::{Family, Prefix, SourceId};
use crate::source::sync::Unresolved;
use crate::table::SlotId;
use crate::view::Knows;

/// What a gateway was told of a prefix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToldRow {
    /// The gateway's name in the configuration.
    pub gateway: String,
    /// What it was told.
    pub told: TellState,
    /// What its policy makes of the route, if it lets it through.
    pub attributes: Option<RouteAttributes>,
}

/// Whether a gateway knows what is so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TellState {
    /// The route was handed to its session.
    Told,
    /// It will be, or its withdrawal, as soon as the session takes more.
    Pending,
    /// There is no session in this family.
    Down,
    /// There is a route, and the gateway's policy does not let it through.
    Rejected,
    /// The gateway must not be told this next hop, or could not understand it.
    Excluded,
    /// Its cap is reached.
    Capped,
    /// There is no route; what it knew of one was withdrawn.
    Absent,
}

/// A stated prefix without a next hop, and which source says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnresolvedOf {
    /// The source's name.
    pub source: String,
    /// The record's key, as text.
    pub key: String,
    /// The prefix.
    pub prefix: Prefix,
    /// Why it has none.
    pub why: &'static str,
}

impl Engine {
    /// What up to `limit` gateways behind `after`, by name, were told of the prefix.
    pub fn told_rows(&self, prefix: Prefix, after: Option<&str>, limit: usize) -> Vec<ToldRow> {
        let family = prefix.family();
        let slot = self.table.slots(family).find(prefix);
        self.outlets.by_name(after, limit).into_iter().map(|outlet| self.told_row(outlet, family, slot)).collect()
    }

    fn told_row(&self, outlet: &Outlet, family: Family, slot: Option<SlotId>) -> ToldRow {
        let view = outlet.exported(family, &self.views);
        let attributes = slot.zip(view).and_then(|(slot, view)| Some(view.attributes(view.get(slot)?).clone()));
        let is_route = slot.is_some_and(|slot| self.table.winner(family, slot).is_some());
        let told = match (outlet.feed(family), slot.zip(view)) {
            (None, _) => TellState::Down,
            (Some(_), None) => TellState::Absent,
            (Some(feed), Some((slot, view))) => match feed.knows(view, self.table.slots(family), slot) {
                Knows::Excluded => TellState::Excluded,
                Knows::Capped => TellState::Capped,
                Knows::NotYet => TellState::Pending,
                Knows::Everything if attributes.is_some() => TellState::Told,
                Knows::Everything if is_route => TellState::Rejected,
                Knows::Everything => TellState::Absent,
            },
        };
        ToldRow { gateway: outlet.settings.name.clone(), told, attributes }
    }

    /// Up to `limit` stated prefixes without a next hop that satisfy `wanted`.
    pub fn unresolved_rows(&self, limit: usize, wanted: impl Fn(Prefix) -> bool) -> Vec<UnresolvedOf> {
        let of_source = |source: &Source| {
            let name = source.settings.name.clone();
            let rows = source.sync.unresolved().filter(|row| wanted(row.prefix)).take(limit);
            let row = |row: Unresolved| UnresolvedOf {
                source: name.clone(),
                key: text(&row.key),
                prefix: row.prefix,
                why: row.why,
            };
            rows.map(row).collect::<Vec<_>>()
        };
        let mut rows: Vec<UnresolvedOf> = self.sources.iter().flat_map(of_source).collect();
        rows.truncate(limit);
        rows
    }

    /// The number of the source of this name.
    pub fn source_named(&self, name: &str) -> Option<SourceId> {
        self.sources.iter().find(|source| source.settings.name == name).map(|source| source.settings.id)
    }
}
