//! A search of the routes, in looks so short that the engine goes on between them.
//!
//! The table may change under a reader: a prefix that is claimed all the while is found exactly once.

use fingerpost_core::engine::{Engine, RouteRow};
use fingerpost_core::model::{Family, HostName, Prefix};
use ipnet::IpNet;
use std::net::IpAddr;

/// Prefixes that one look returns at the most.
const SLICE: usize = 100;
/// Looks for one page at the most; a search that finds little among millions of prefixes goes on with the next page.
pub(crate) const LOOKS: usize = 64;

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Search {
    /// Everything, or one family.
    All(Option<Family>),
    /// This prefix, what covers it, and what lies within it.
    Around(Prefix),
    /// What contains this address, as a prefix of full length.
    Holding(Prefix),
    /// What this host claims or is announced as the owner of.
    Of(HostName),
}

/// Where the next look begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cursor {
    /// At the prefix of this length that covers the one asked for.
    Covering(u8),
    /// At this place of a family's table.
    Place(Family, u32),
}

/// How a prefix found lies to the one asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Relation {
    /// It is that one.
    Exact,
    /// It covers it.
    Covering,
    /// It lies within it.
    Within,
}

/// Text that is neither a prefix nor an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Unclear {
    /// It is something else.
    Syntax,
    /// A prefix with host bits set.
    HostBits(IpNet),
}

impl Search {
    /// What a prefix or an address asks for.
    pub(crate) fn around(text: &str) -> Result<Search, Unclear> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Search::Holding(Prefix::truncated(address.into())));
        }
        let net: IpNet = text.parse().map_err(|_| Unclear::Syntax)?;
        Prefix::new(net).map(Search::Around).map_err(|_| Unclear::HostBits(net))
    }

    /// How this prefix lies to the one asked for, if one is.
    pub(crate) fn relation(&self, prefix: Prefix) -> Option<Relation> {
        let (Search::Around(asked) | Search::Holding(asked)) = *self else { return None };
        Some(match prefix {
            prefix if prefix == asked => Relation::Exact,
            prefix if prefix.covers(asked) => Relation::Covering,
            _ => Relation::Within,
        })
    }

    /// Where the first look begins.
    pub(crate) fn start(&self) -> Cursor {
        match self {
            Search::All(family) => Cursor::Place(family.unwrap_or(Family::Ipv4), 0),
            Search::Of(_) => Cursor::Place(Family::Ipv4, 0),
            Search::Around(prefix) | Search::Holding(prefix) => Cursor::Covering(prefix.length()),
        }
    }

    /// Where a page begins that was left off here; None if this search never comes by.
    pub(crate) fn resume(&self, text: &str) -> Option<Cursor> {
        Cursor::read(text).filter(|cursor| self.visits(*cursor))
    }

    /// Where to go on once the part of the cursor has no more.
    fn after(&self, cursor: Cursor) -> Option<Cursor> {
        match (self, cursor) {
            (Search::All(None) | Search::Of(_), Cursor::Place(Family::Ipv4, _)) => Some(Cursor::Place(Family::Ipv6, 0)),
            (Search::Around(prefix), Cursor::Covering(_)) => Some(Cursor::Place(prefix.family(), 0)),
            _ => None,
        }
    }

    /// Whether this search ever comes by the cursor.
    fn visits(&self, cursor: Cursor) -> bool {
        match (self, cursor) {
            (Search::Of(_), cursor) => matches!(cursor, Cursor::Place(..)),
            (Search::All(wanted), Cursor::Place(family, _)) => wanted.is_none_or(|wanted| wanted == family),
            (Search::All(_), Cursor::Covering(_)) | (Search::Holding(_), Cursor::Place(..)) => false,
            (Search::Around(prefix), Cursor::Place(family, _)) => prefix.family() == family,
            (Search::Around(prefix) | Search::Holding(prefix), Cursor::Covering(length)) => length <= prefix.length(),
        }
    }

    /// One short look, and where the next one begins.
    pub(crate) fn look(&self, engine: &Engine, cursor: Cursor, wanted: usize) -> (Vec<RouteRow>, Option<Cursor>) {
        let (rows, next) = match (self, cursor) {
            (Search::Around(prefix) | Search::Holding(prefix), Cursor::Covering(length)) => {
                covering(engine, *prefix, length, wanted)
            }
            (_, Cursor::Covering(_)) => (Vec::new(), None),
            (Search::Of(host), Cursor::Place(family, place)) => {
                let (rows, next) = engine.host_rows(family, place, wanted.min(SLICE), host);
                (rows, next.map(|place| Cursor::Place(family, place)))
            }
            (search, Cursor::Place(family, place)) => {
                let inside = |prefix: Prefix| match search {
                    Search::All(_) => true,
                    Search::Around(whole) => prefix != *whole && whole.covers(prefix),
                    Search::Holding(_) | Search::Of(_) => false,
                };
                let (rows, next) = engine.route_rows(family, place, wanted.min(SLICE), inside);
                (rows, next.map(|place| Cursor::Place(family, place)))
            }
        };
        (rows, next.or_else(|| self.after(cursor)))
    }
}

/// The prefix itself and those that cover it, from this length down, the longest first: one question for each length.
fn covering(engine: &Engine, prefix: Prefix, length: u8, wanted: usize) -> (Vec<RouteRow>, Option<Cursor>) {
    let mut rows = Vec::new();
    for length in (0..=length).rev() {
        if rows.len() == wanted {
            return (rows, Some(Cursor::Covering(length)));
        }
        let net = IpNet::new(prefix.net().addr(), length).ok();
        rows.extend(net.and_then(|net| engine.route(Prefix::truncated(net))));
    }
    (rows, None)
}

/// As `next` and `page` write it: `c18`, `4.2af`, `6.0`.
impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cursor::Covering(length) => write!(f, "c{length}"),
            Cursor::Place(Family::Ipv4, place) => write!(f, "4.{place:x}"),
            Cursor::Place(Family::Ipv6, place) => write!(f, "6.{place:x}"),
        }
    }
}

impl Cursor {
    fn read(text: &str) -> Option<Cursor> {
        if let Some(length) = text.strip_prefix('c') {
            return length.parse().ok().map(Cursor::Covering);
        }
        let (family, place) = text.split_once('.')?;
        let family = match family {
            "4" => Family::Ipv4,
            "6" => Family::Ipv6,
            _ => return None,
        };
        u32::from_str_radix(place, 16).ok().map(|place| Cursor::Place(family, place))
    }
}
