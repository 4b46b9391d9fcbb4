//! A record's subnets in as few octets as they need: there are a million of them.

use crate::model::Prefix;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Marks an IPv6 length.
const IPV6: u8 = 0x40;

/// Prefixes in order, each as its length (IPv6: plus 64) and the octets that are not all host bits: an IPv4 /24 takes four
/// octets instead of eighteen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Packed(Box<[u8]>);

impl Packed {
    pub(super) fn new(prefixes: impl IntoIterator<Item = Prefix>) -> Self {
        let mut octets = Vec::new();
        for prefix in prefixes {
            let used = usize::from(prefix.length()).div_ceil(8);
            match prefix.net().addr() {
                IpAddr::V4(address) => {
                    octets.push(prefix.length());
                    octets.extend(address.octets().iter().take(used));
                }
                IpAddr::V6(address) => {
                    octets.push(IPV6 + prefix.length());
                    octets.extend(address.octets().iter().take(used));
                }
            }
        }
        Packed(octets.into_boxed_slice())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Prefix> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let (tag, after) = rest.split_first()?;
            let (address, length, used): (IpAddr, u8, usize) = if *tag < IPV6 {
                let (used, octets) = head::<4>(after, *tag);
                (Ipv4Addr::from(octets).into(), *tag, used)
            } else {
                let (used, octets) = head::<16>(after, *tag - IPV6);
                (Ipv6Addr::from(octets).into(), *tag - IPV6, used)
            };
            rest = after.get(used..).unwrap_or_default();
            Some(Prefix::truncated(IpNet::new(address, length).ok()?))
        })
    }
}

/// The octets of a prefix of this length, filled up with zeros, and how many there were.
fn head<const N: usize>(from: &[u8], length: u8) -> (usize, [u8; N]) {
    let used = usize::from(length).div_ceil(8).min(N);
    let mut octets = [0; N];
    for (to, from) in octets.iter_mut().zip(from.iter().take(used)) {
        *to = *from;
    }
    (used, octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prefix() -> impl Strategy<Value = Prefix> {
        prop_oneof![
            (any::<u32>(), 0..=32u8).prop_map(|(bits, length)| (IpAddr::V4(bits.into()), length)),
            (any::<u128>(), 0..=128u8).prop_map(|(bits, length)| (IpAddr::V6(bits.into()), length)),
        ]
        .prop_map(|(address, length)| Prefix::truncated(IpNet::new(address, length).unwrap()))
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(prefixes in proptest::collection::vec(prefix(), 0..20)) {
            prop_assert_eq!(Packed::new(prefixes.iter().copied()).iter().collect::<Vec<_>>(), prefixes);
        }
    }

    #[test]
    fn an_ipv4_subnet_takes_four_octets() {
        assert_eq!(Packed::new(["10.244.1.0/24".parse().unwrap()]).0.len(), 4);
    }
}
