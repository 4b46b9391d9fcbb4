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
        self.0.contains(&address)
    }

    /// Whether all of `other` lies in it.
    pub fn covers(self, other: Prefix) -> bool {
        self.0.contains(&other.0)
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
