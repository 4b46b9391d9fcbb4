//! A record's name and what it states in as few octets as they need: there may be a million of them.

use super::super::schema::Addresses;
use crate::model::Prefix;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// In the octet before the addresses: which there are.
const HAS_IPV4: u8 = 1;
const HAS_IPV6: u8 = 2;

/// Added to the length of an IPv6 prefix.
const IPV6: u8 = 0x40;

/// Name, addresses and subnets one after the other. A subnet is its length and the octets that are not all host bits: an IPv4
/// /24 takes four octets instead of eighteen, and a flannel lease all in all 22 instead of three allocations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Body {
    octets: Box<[u8]>,
    /// The name's length.
    name: u32,
}

impl Body {
    pub(super) fn new(name: &[u8], addresses: Addresses, subnets: impl IntoIterator<Item = Prefix>) -> Self {
        let mut octets = Vec::with_capacity(name.len() + 64);
        octets.extend(name);
        let has = |there: bool, which: u8| if there { which } else { 0 };
        octets.push(has(addresses.ipv4.is_some(), HAS_IPV4) | has(addresses.ipv6.is_some(), HAS_IPV6));
        octets.extend(addresses.ipv4.iter().flat_map(Ipv4Addr::octets));
        octets.extend(addresses.ipv6.iter().flat_map(Ipv6Addr::octets));
        for subnet in subnets {
            let used = usize::from(subnet.length()).div_ceil(8);
            match subnet.net().addr() {
                IpAddr::V4(address) => {
                    octets.push(subnet.length());
                    octets.extend(address.octets().iter().take(used));
                }
                IpAddr::V6(address) => {
                    octets.push(IPV6 + subnet.length());
                    octets.extend(address.octets().iter().take(used));
                }
            }
        }
        Body { octets: octets.into_boxed_slice(), name: u32::try_from(name.len()).unwrap_or(u32::MAX) }
    }

    /// Of a record that was never readable.
    pub(super) fn of_name(name: &[u8]) -> Self {
        Body::new(name, Addresses::default(), [])
    }

    pub(super) fn name(&self) -> &[u8] {
        self.octets.get(..self.name as usize).unwrap_or(&self.octets)
    }

    pub(super) fn addresses(&self) -> Addresses {
        self.said().0
    }

    pub(super) fn subnets(&self) -> impl Iterator<Item = Prefix> {
        let mut rest = self.said().1;
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

    /// The addresses, and the octets of the subnets.
    fn said(&self) -> (Addresses, &[u8]) {
        let Some((has, mut rest)) = self.octets.get(self.name as usize..).and_then(<[u8]>::split_first) else {
            return (Addresses::default(), &[]);
        };
        let mut addresses = Addresses::default();
        if has & HAS_IPV4 != 0
            && let Some((octets, after)) = rest.split_first_chunk::<4>()
        {
            addresses.ipv4 = Some(Ipv4Addr::from(*octets));
            rest = after;
        }
        if has & HAS_IPV6 != 0
            && let Some((octets, after)) = rest.split_first_chunk::<16>()
        {
            addresses.ipv6 = Some(Ipv6Addr::from(*octets));
            rest = after;
        }
        (addresses, rest)
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
        fn what_goes_in_comes_out(
            name in proptest::collection::vec(any::<u8>(), 0..20),
            ipv4: Option<u32>,
            ipv6: Option<u128>,
            subnets in proptest::collection::vec(prefix(), 0..20),
        ) {
            let addresses = Addresses { ipv4: ipv4.map(Ipv4Addr::from), ipv6: ipv6.map(Ipv6Addr::from) };
            let body = Body::new(&name, addresses, subnets.iter().copied());
            prop_assert_eq!(body.name(), name);
            prop_assert_eq!(body.addresses(), addresses);
            prop_assert_eq!(body.subnets().collect::<Vec<_>>(), subnets);
        }
    }

    #[test]
    fn a_flannel_lease_takes_22_octets() {
        let addresses = Addresses { ipv4: Some(Ipv4Addr::new(10, 168, 0, 11)), ipv6: None };
        let body = Body::new(b"10.244.1.0-24", addresses, ["10.244.1.0/24".parse().unwrap()]);
        assert_eq!(body.octets.len(), 22);
    }
}
