//! The fence (promise P1): what must never be announced, whatever a store says.
//!
//! Static on purpose: no record can widen it. A next hop inside the pod prefixes is refused, so no admitted prefix can
//! contain any host's address, its own owner's least of all.

use crate::model::{Family, Prefix};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

/// Where routes may lie and how long their prefixes may be.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Allowed {
    /// The supernet.
    pub within: Prefix,
    /// Lengths in bits.
    pub lengths: RangeInclusive<u8>,
}

/// What may be announced; empty lists admit nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fence {
    /// Prefixes that may be announced.
    pub prefixes: Vec<Allowed>,
    /// Ranges in which next hops must lie.
    pub next_hops: Vec<Prefix>,
    /// Addresses that no announced prefix may contain: gateways, routers, the store, ourselves.
    pub protected: Vec<IpAddr>,
    /// Subnets that no announced prefix may touch: those the gateways are attached to.
    pub infrastructure: Vec<Prefix>,
}

/// Why a claim is not announced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// 0.0.0.0/0 or ::/0.
    #[error("a default route is never announced")]
    DefaultRoute,
    /// Special-purpose space (RFC 6890).
    #[error("{0} is special-purpose address space (RFC 6890)")]
    Martian(Prefix),
    /// In no `fence.prefixes` entry.
    #[error("the prefix lies in none of fence.prefixes")]
    Outside,
    /// In an entry, but too short or too long.
    #[error("the prefix length {0} is not allowed by fence.prefixes")]
    Length(u8),
    /// In no `fence.next_hops` range.
    #[error("the next hop {0} lies in none of fence.next_hops")]
    NextHop(IpAddr),
    /// The next hop is itself a pod address.
    #[error("the next hop {0} lies inside fence.prefixes")]
    NextHopInside(IpAddr),
    /// The next hop is no host's address.
    #[error("the next hop {0} is not a usable unicast address")]
    NextHopUnusable(IpAddr),
    /// An IPv6 prefix by an IPv4 next hop.
    #[error("the next hop {0} is no IPv6 address")]
    NextHopFamily(IpAddr),
    /// It would draw a router's, gateway's or store's own traffic to a host.
    #[error("the prefix contains {0}, an address of a gateway, of the store or of Fingerpost itself")]
    Protected(IpAddr),
    /// It would draw the traffic of hosts.
    #[error("the prefix overlaps {0}, a subnet of hosts or gateways")]
    Infrastructure(Prefix),
}

impl Fence {
    /// Whether this may be announced.
    pub fn admits(&self, prefix: Prefix, next_hop: IpAddr) -> Result<(), Refusal> {
        if prefix.is_default() {
            return Err(Refusal::DefaultRoute);
        }
        if let Some(martian) = martian(prefix) {
            return Err(Refusal::Martian(martian));
        }
        let mut length_refused = false;
        let allowed = self.prefixes.iter().any(|allowed| {
            let inside = allowed.within.covers(prefix);
            let fits = allowed.lengths.contains(&prefix.length());
            length_refused |= inside && !fits;
            inside && fits
        });
        if !allowed {
            return Err(if length_refused { Refusal::Length(prefix.length()) } else { Refusal::Outside });
        }
        if let Some(&address) = self.protected.iter().find(|&&address| prefix.contains(address)) {
            return Err(Refusal::Protected(address));
        }
        if let Some(&subnet) = self.infrastructure.iter().find(|&&subnet| prefix.overlaps(subnet)) {
            return Err(Refusal::Infrastructure(subnet));
        }
        self.admits_next_hop(prefix, next_hop)
    }

    fn admits_next_hop(&self, prefix: Prefix, next_hop: IpAddr) -> Result<(), Refusal> {
        // The other way round is possible (RFC 8950), and reaches only gateways with which it was agreed.
        if next_hop.is_ipv4() && prefix.family() == Family::Ipv6 {
            return Err(Refusal::NextHopFamily(next_hop));
        }
        if !usable(next_hop) {
            return Err(Refusal::NextHopUnusable(next_hop));
        }
        if !self.next_hops.iter().any(|range| range.contains(next_hop)) {
            return Err(Refusal::NextHop(next_hop));
        }
        if self.prefixes.iter().any(|allowed| allowed.within.contains(next_hop)) {
            return Err(Refusal::NextHopInside(next_hop));
        }
        Ok(())
    }
}

/// A host's address can be no special one; IPv6 link-local ones mean nothing off their link.
fn usable(next_hop: IpAddr) -> bool {
    let special = next_hop.is_unspecified() || next_hop.is_loopback() || next_hop.is_multicast();
    match next_hop {
        IpAddr::V4(v4) => !special && !v4.is_broadcast() && !v4.is_link_local(),
        IpAddr::V6(v6) => !special && !v6.is_unicast_link_local() && v6.to_ipv4_mapped().is_none(),
    }
}

/// Special-purpose blocks (RFC 6890); documentation and private space are not meant.
const MARTIANS: [Prefix; 9] = [
    v4(Ipv4Addr::new(0, 0, 0, 0), 8),
    v4(Ipv4Addr::new(127, 0, 0, 0), 8),
    v4(Ipv4Addr::new(169, 254, 0, 0), 16),
    v4(Ipv4Addr::new(224, 0, 0, 0), 4),
    v4(Ipv4Addr::new(240, 0, 0, 0), 4),
    v6(Ipv6Addr::UNSPECIFIED, 96), // ::/96 holds ::, ::1 and the IPv4-compatible addresses
    v6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96), // IPv4-mapped
    v6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    v6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];

const fn v4(address: Ipv4Addr, length: u8) -> Prefix {
    Prefix::block(IpNet::V4(Ipv4Net::new_assert(address, length)))
}

const fn v6(address: Ipv6Addr, length: u8) -> Prefix {
    Prefix::block(IpNet::V6(Ipv6Net::new_assert(address, length)))
}

/// The special-purpose block that the prefix touches, if any.
fn martian(prefix: Prefix) -> Option<Prefix> {
    MARTIANS.into_iter().find(|block| block.overlaps(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fence() -> Fence {
        Fence {
            prefixes: vec![
                Allowed { within: p("10.244.0.0/16"), lengths: 20..=28 },
                Allowed { within: p("fd00:10:244::/48"), lengths: 56..=64 },
                // Careless, but the martians in it must be refused all the same.
                Allowed { within: p("126.0.0.0/7"), lengths: 7..=32 },
            ],
            next_hops: vec![p("10.168.0.0/16"), p("fd00:10:168::/48"), p("fe80::/10"), p("224.0.0.0/4")],
            protected: vec![a("10.244.9.1")],
            infrastructure: vec![p("10.244.128.0/20")],
        }
    }
    fn p(text: &str) -> Prefix {
        Prefix::truncated(text.parse().unwrap())
    }
    fn a(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn admits_what_is_configured_p1() {
        assert_eq!(fence().admits(p("10.244.1.0/24"), a("10.168.0.11")), Ok(()));
        assert_eq!(fence().admits(p("fd00:10:244:1::/64"), a("fd00:10:168::11")), Ok(()));
    }

    #[test]
    fn c53_never_announces_defaults_martians_strangers_and_wrong_lengths_p1() {
        let hop = a("10.168.0.11");
        let refusals = [
            ("0.0.0.0/0", Refusal::DefaultRoute),
            ("::/0", Refusal::DefaultRoute),
            ("127.1.0.0/16", Refusal::Martian(p("127.0.0.0/8"))),
            ("169.254.1.0/24", Refusal::Martian(p("169.254.0.0/16"))),
            ("0.1.0.0/16", Refusal::Martian(p("0.0.0.0/8"))),
            ("224.1.0.0/16", Refusal::Martian(p("224.0.0.0/4"))),
            ("64.0.0.0/2", Refusal::Martian(p("127.0.0.0/8"))),
            ("240.0.0.0/24", Refusal::Martian(p("240.0.0.0/4"))),
            ("::1/128", Refusal::Martian(p("::/96"))),
            ("::ffff:10.244.1.0/120", Refusal::Martian(p("::ffff:0.0.0.0/96"))),
            ("fe80::/64", Refusal::Martian(p("fe80::/10"))),
            ("ff02::/64", Refusal::Martian(p("ff00::/8"))),
            ("10.245.1.0/24", Refusal::Outside),
            ("fd00:10:245::/64", Refusal::Outside),
            ("10.244.0.0/16", Refusal::Length(16)),
            ("10.244.1.1/32", Refusal::Length(32)),
        ];
        for (prefix, refusal) in refusals {
            assert_eq!(fence().admits(p(prefix), hop), Err(refusal), "{prefix}");
        }
    }

    #[test]
    fn c54_never_announces_an_infrastructure_address_even_inside_the_list_p1() {
        let hop = a("10.168.0.11");
        assert_eq!(fence().admits(p("10.244.9.0/24"), hop), Err(Refusal::Protected(a("10.244.9.1"))));
        let subnet = p("10.244.128.0/20");
        assert_eq!(fence().admits(p("10.244.129.0/24"), hop), Err(Refusal::Infrastructure(subnet)));
    }

    #[test]
    fn c56_refuses_a_next_hop_that_is_not_allowed_p1() {
        let prefix = p("10.244.1.0/24");
        let mut wide = fence();
        wide.next_hops.push(p("10.0.0.0/8"));
        assert_eq!(wide.admits(prefix, a("10.244.1.1")), Err(Refusal::NextHopInside(a("10.244.1.1"))));
        for (hop, refusal) in [
            ("10.170.0.1", Refusal::NextHop(a("10.170.0.1"))),
            ("224.0.0.1", Refusal::NextHopUnusable(a("224.0.0.1"))),
            ("0.0.0.0", Refusal::NextHopUnusable(a("0.0.0.0"))),
            ("fd00:10:169::11", Refusal::NextHop(a("fd00:10:169::11"))),
            ("::ffff:10.168.0.11", Refusal::NextHopUnusable(a("::ffff:10.168.0.11"))),
        ] {
            assert_eq!(fence().admits(prefix, a(hop)), Err(refusal), "{hop}");
        }
        let v6 = p("fd00:10:244:1::/64");
        assert_eq!(fence().admits(prefix, a("fd00:10:168::11")), Ok(()), "RFC 8950");
        assert_eq!(fence().admits(v6, a("10.168.0.11")), Err(Refusal::NextHopFamily(a("10.168.0.11"))));
        assert_eq!(fence().admits(v6, a("fe80::1")), Err(Refusal::NextHopUnusable(a("fe80::1"))));
    }
}
