//! Whatever we may be asked to say.

use fingerpost_core::bgp::wire::{Encoding, MAX_EXTENDED_LEN, MAX_LEN, RouteAttributes, SessionType};
use fingerpost_core::model::{Asn, Family, Prefix};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::collection::{btree_set, hash_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Ipv4), Just(Family::Ipv6)]
}

pub(super) fn encoding() -> impl Strategy<Value = Encoding> {
    let asn = prop_oneof![1..=65535u32, 65536..=u32::MAX - 1];
    let max_len = prop_oneof![Just(200), Just(MAX_LEN), Just(MAX_EXTENDED_LEN)];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (asn, flags, max_len).prop_map(|(asn, (internal, four_octet_as, ipv4_via_ipv6), max_len)| Encoding {
        session: if internal { SessionType::Internal } else { SessionType::External },
        local_asn: Asn::new(asn).unwrap(),
        four_octet_as,
        ipv4_via_ipv6,
        max_len,
    })
}

fn host() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (1..=126u8, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| Ipv4Addr::new(a, b, c, d).into()),
        any::<u128>().prop_map(|bits| Ipv6Addr::from(0x2000 << 112 | bits >> 3).into()),
    ]
}

pub(super) fn attributes() -> impl Strategy<Value = RouteAttributes> {
    let short_or_long = prop_oneof![4 => 0..4usize, 1 => 0..90usize];
    let communities = short_or_long.clone().prop_flat_map(|count| vec(any::<u32>(), count));
    let extended = short_or_long.clone().prop_flat_map(|count| vec(extended_community(), count));
    // RFC 8092 §5: receivers drop duplicates.
    let large = short_or_long.prop_flat_map(|count| hash_set(any::<[u32; 3]>(), count));
    let prepend = prop_oneof![3 => Just(0), 1 => 1..5u8, 1 => any::<u8>()];
    (host(), of(any::<u32>()), of(any::<u32>()), communities, extended, large, prepend).prop_map(
        |(next_hop, med, local_pref, communities, extended, large, prepend)| RouteAttributes {
            next_hop,
            med,
            local_pref,
            communities: communities.into(),
            extended_communities: extended.into(),
            large_communities: large.into_iter().collect(),
            prepend,
        },
    )
}

/// Route targets and origins of the three formats, and types that nobody knows. NetGauze 0.13 does not give back all
/// others as they were (of type 2, subtype 9 comes back as 2).
fn extended_community() -> impl Strategy<Value = [u8; 8]> {
    (prop_oneof![0..=2u8, 0x90..=255u8], 2..=3u8, any::<[u8; 6]>())
        .prop_map(|(kind, subtype, [a, b, c, d, e, f])| [kind, subtype, a, b, c, d, e, f])
}

/// Unicast prefixes of every length, each once.
pub(super) fn prefixes(family: Family, count: usize) -> BoxedStrategy<BTreeSet<Prefix>> {
    match family {
        Family::Ipv4 => {
            let net = (1..=223u8, any::<[u8; 3]>(), 4..=32u8).prop_map(|(a, [b, c, d], length)| {
                Prefix::truncated(IpNet::V4(Ipv4Net::new(Ipv4Addr::new(a, b, c, d), length).unwrap()))
            });
            btree_set(net, 0..count).boxed()
        }
        Family::Ipv6 => {
            let net = (any::<u128>(), 3..=128u8).prop_map(|(bits, length)| {
                let address = Ipv6Addr::from(0x2000 << 112 | bits >> 3);
                Prefix::truncated(IpNet::V6(Ipv6Net::new(address, length).unwrap()))
            });
            btree_set(net, 0..count).boxed()
        }
    }
}
