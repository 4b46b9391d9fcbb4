//! What one gateway must not be told, and why it is not.

use crate::model::Prefix;
use std::net::IpAddr;

/// Which next hops one gateway must not be told; its other routes stay shared with everybody.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Exclusion {
    /// The gateway's own addresses (RFC 4271 §5.1.3: never its own address as NEXT_HOP), and where it is a host all of that.
    pub own: Vec<IpAddr>,
    /// The only subnets whose addresses it can resolve, if that is configured, for the families that are named.
    pub attached: Vec<Prefix>,
}

impl Exclusion {
    /// Everything may be told.
    pub const NOTHING: Exclusion = Exclusion { own: Vec::new(), attached: Vec::new() };

    /// Whether it excludes nothing at all.
    pub fn is_nothing(&self) -> bool {
        self.own.is_empty() && self.attached.is_empty()
    }

    /// Whether routes with this next hop are kept from the gateway.
    pub fn excludes(&self, next_hop: IpAddr) -> bool {
        let same_family = |subnet: &&Prefix| subnet.net().addr().is_ipv4() == next_hop.is_ipv4();
        let mut attached = self.attached.iter().filter(same_family).peekable();
        self.own.contains(&next_hop) || (attached.peek().is_some() && !attached.any(|subnet| subnet.contains(next_hop)))
    }

    /// Why routes with this next hop are kept from the gateway, if they are.
    pub fn bar(&self, next_hop: IpAddr) -> Option<Bar> {
        let why = if self.own.contains(&next_hop) { Bar::Own } else { Bar::NotAttached };
        self.excludes(next_hop).then_some(why)
    }
}

/// Why a gateway is not told a route that its policy lets through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bar {
    /// The next hop is an address of its own.
    Own,
    /// The next hop is in none of its attached subnets.
    NotAttached,
    /// Its session cannot carry the route: a next hop of another family (RFC 8950), or attributes beyond the longest message.
    Encoding,
    /// Its cap is reached.
    Cap,
}

impl std::fmt::Display for Bar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Bar::Own => "the next hop is the gateway itself",
            Bar::NotAttached => "the next hop is in none of the gateway's attached subnets",
            Bar::Encoding => "the session cannot carry it: see extended_next_hop, or shorten the attributes",
            Bar::Cap => "max_prefix is reached",
        })
    }
}
