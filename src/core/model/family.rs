//! Address families as BGP negotiates them (RFC 4760): unicast only.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// An address family (AFI with SAFI 1, unicast).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// AFI 1, SAFI 1.
    Ipv4,
    /// AFI 2, SAFI 1.
    Ipv6,
}

impl Family {
    /// Both, in the order in which they are announced.
    pub const ALL: [Family; 2] = [Family::Ipv4, Family::Ipv6];

    /// The address family identifier (IANA "Address Family Numbers").
    pub fn afi(self) -> u16 {
        match self {
            Family::Ipv4 => 1,
            Family::Ipv6 => 2,
        }
    }

    /// The subsequent address family identifier: 1, unicast.
    pub fn safi(self) -> u8 {
        1
    }

    /// The family of these identifiers, if it is one we speak.
    pub fn from_afi_safi(afi: u16, safi: u8) -> Option<Family> {
        Family::ALL.into_iter().find(|family| family.afi() == afi && family.safi() == safi)
    }

    /// The family of an address.
    pub fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::Ipv4,
            IpAddr::V6(_) => Family::Ipv6,
        }
    }

    /// The family of this name.
    pub fn named(name: &str) -> Option<Family> {
        Family::ALL.into_iter().find(|family| family.name() == name)
    }

    /// As the configuration and metric labels write it.
    pub fn name(self) -> &'static str {
        match self {
            Family::Ipv4 => "ipv4",
            Family::Ipv6 => "ipv6",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One value for each family.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PerFamily<T> {
    /// For [`Family::Ipv4`].
    pub ipv4: T,
    /// For [`Family::Ipv6`].
    pub ipv6: T,
}

impl<T> PerFamily<T> {
    /// Makes both from one function.
    pub fn from_fn(mut make: impl FnMut(Family) -> T) -> Self {
        PerFamily { ipv4: make(Family::Ipv4), ipv6: make(Family::Ipv6) }
    }

    /// Both with their family.
    pub fn iter(&self) -> impl Iterator<Item = (Family, &T)> {
        [(Family::Ipv4, &self.ipv4), (Family::Ipv6, &self.ipv6)].into_iter()
    }

    /// Both with their family, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Family, &mut T)> {
        [(Family::Ipv4, &mut self.ipv4), (Family::Ipv6, &mut self.ipv6)].into_iter()
    }
}

impl<T> std::ops::Index<Family> for PerFamily<T> {
    type Output = T;
    fn index(&self, family: Family) -> &T {
        match family {
            Family::Ipv4 => &self.ipv4,
            Family::Ipv6 => &self.ipv6,
        }
    }
}

impl<T> std::ops::IndexMut<Family> for PerFamily<T> {
    fn index_mut(&mut self, family: Family) -> &mut T {
        match family {
            Family::Ipv4 => &mut self.ipv4,
            Family::Ipv6 => &mut self.ipv6,
        }
    }
}
