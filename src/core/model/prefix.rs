//! Subnets without host bits.

use super::Family;
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An IPv4 or IPv6 prefix whose host bits are all zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Prefix(IpNet);

/// A prefix with host bits set, and what was probably meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{given} has host bits set: write {meant}")]
pub struct HostBits {
    given: IpNet,
    meant: IpNet,
}

/// Text that is no prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrefix {
    /// Not `ADDRESS/LENGTH`.
    #[error("{0:?} is not a prefix: write ADDRESS/LENGTH, such as 10.244.1.0/24")]
    Syntax(String),
    /// Host bits set.
    #[error(transparent)]
    HostBits(#[from] HostBits),
}

impl Prefix {
    /// The network, unless it has host bits set.
    pub fn new(net: IpNet) -> Result<Self, HostBits> {
        let meant = net.trunc();
        if meant == net { Ok(Prefix(net)) } else { Err(HostBits { given: net, meant }) }
    }

    /// The network of which `net` is an address: host bits are dropped.
    pub fn truncated(net: IpNet) -> Self {
        Prefix(net.trunc())
    }

    /// A block of this program's own tables, which are written without host bits.
    pub(crate) const fn block(net: IpNet) -> Self {
        Prefix(net)
    }

    /// As a network.
    pub fn net(self) -> IpNet {
        self.0
    }

    /// The address family.
    pub fn family(self) -> Family {
        Family::of(self.0.addr())
    }

    /// The length in bits: 0 to 32 or 128.
    pub fn length(self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether it is a default route (length 0).
    pub fn is_default(self) -> bool {
        self.length() == 0
    }

    /// Whether the address lies in it.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.0, address) {
            (IpNet::V4(net), IpAddr::V4(address)) => {
                u32::from(address) & u32::from(net.netmask()) == u32::from(net.addr())
            }
            (IpNet::V6(net), IpAddr::V6(address)) => {
                u128::from(address) & u128::from(net.netmask()) == u128::from(net.addr())
            }
            _ => false,
        }
    }

    /// Whether all of `other` lies in it.
    pub fn covers(self, other: Prefix) -> bool {
        self.length() <= other.length() && self.contains(other.0.addr())
    }

    /// Whether they have an address in common.
    pub fn overlaps(self, other: Prefix) -> bool {
        self.covers(other) || other.covers(self)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Prefix {
    type Err = InvalidPrefix;
    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        let net: IpNet = text.parse().map_err(|_| InvalidPrefix::Syntax(text.into()))?;
        Ok(Prefix::new(net)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipnet::{Ipv4Net, Ipv6Net};
    use proptest::prelude::*;

    /// Few enough values that prefixes often touch, in both families.
    fn prefix() -> impl Strategy<Value = Prefix> {
        let net = (any::<bool>(), 0..4_u32, any::<u32>(), 0..=128_u8).prop_map(|(v4, high, low, length)| {
            let bits = (high << 30) | ((low % 4) << 8);
            if v4 {
                IpNet::V4(Ipv4Net::new(bits.into(), length % 33).unwrap())
            } else {
                IpNet::V6(Ipv6Net::new(((u128::from(bits) << 96) | u128::from(low % 3)).into(), length).unwrap())
            }
        });
        net.prop_map(Prefix::truncated)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn covers_and_contains_are_those_of_ipnet(one in prefix(), other in prefix()) {
            prop_assert_eq!(one.covers(other), one.net().contains(&other.net()));
            prop_assert_eq!(one.contains(other.net().addr()), one.net().contains(&other.net().addr()));
            let last = other.net().broadcast();
            prop_assert_eq!(one.contains(last), one.net().contains(&last));
        }
    }
}
