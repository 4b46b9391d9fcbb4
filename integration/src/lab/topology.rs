//! The address plan: which VLANs there are, which hosts are in them, which subnets the hosts own.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The AS of the gateways.
pub const GATEWAY_ASN: u32 = 64512;
/// The AS of Fingerpost when it peers over eBGP.
pub const SPEAKER_ASN: u32 = 64513;
/// All pod subnets are in here.
pub const PODS_V4: &str = "10.244.0.0/16";
/// All IPv6 pod subnets are in here.
pub const PODS_V6: &str = "fd00:10:244::/48";

/// A VLAN: `10.<number>.0.0/24` and `fd00:10:<number>::/64`. Station 11 is `.11` and `::11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vlan {
    /// Hosts a1, a2 and every gateway.
    Hosts168,
    /// Hosts b1, b2 and every gateway.
    Hosts169,
    /// Fingerpost and etcd, or the router before them, and every gateway.
    Control170,
    /// Fingerpost and etcd behind the router, for multihop; or replicas and the members of their etcd.
    Behind171,
}

impl Vlan {
    /// The number in its addresses.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Hosts168 => 168,
            Self::Hosts169 => 169,
            Self::Control170 => 170,
            Self::Behind171 => 171,
        }
    }

    /// The IPv4 address of a station.
    #[must_use]
    pub const fn v4(self, station: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, self.number(), 0, station)
    }

    /// The IPv6 address of a station: its decimal digits, read as hexadecimal ones.
    #[must_use]
    pub fn v6(self, station: u8) -> Ipv6Addr {
        format!("fd00:10:{}::{station}", self.number()).parse().expect("decimal digits are hexadecimal ones")
    }

    /// The name of its bridge, and of the links into it.
    #[must_use]
    pub fn bridge(self) -> String {
        format!("vlan{}", self.number())
    }
}

impl fmt::Display for Vlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vlan-{}", self.number())
    }
}

/// A host's place in the plan.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its name in the source: `node-a1`.
    pub name: &'static str,
    /// Its VLAN.
    pub vlan: Vlan,
    /// Its station in that VLAN.
    pub station: u8,
    /// The number of the subnets that it owns at first.
    pub subnet: Subnet,
}

impl Place {
    /// Its station where speakers and etcd are, in a lab whose hosts speak BGP themselves.
    #[must_use]
    pub const fn control_station(&self) -> u8 {
        40 + self.subnet.0
    }
}

/// The hosts: two in each VLAN.
pub const HOSTS: [Place; 4] = [
    Place { name: "node-a1", vlan: Vlan::Hosts168, station: 11, subnet: Subnet(1) },
    Place { name: "node-a2", vlan: Vlan::Hosts168, station: 12, subnet: Subnet(2) },
    Place { name: "node-b1", vlan: Vlan::Hosts169, station: 11, subnet: Subnet(3) },
    Place { name: "node-b2", vlan: Vlan::Hosts169, station: 12, subnet: Subnet(4) },
];

/// A pair of pod subnets: `10.244.N.0/24` and `fd00:10:244:N::/64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subnet(pub u8);

impl Subnet {
    /// The IPv4 subnet.
    #[must_use]
    pub fn v4(self) -> String {
        format!("10.244.{}.0/24", self.0)
    }

    /// The IPv6 subnet.
    #[must_use]
    pub fn v6(self) -> String {
        format!("fd00:10:244:{}::/64", self.0)
    }

    /// The pod's IPv4 address; `.1` is the host's end.
    #[must_use]
    pub fn pod_v4(self) -> IpAddr {
        Ipv4Addr::new(10, 244, self.0, 2).into()
    }

    /// The pod's IPv6 address; `::1` is the host's end.
    #[must_use]
    pub fn pod_v6(self) -> IpAddr {
        IpAddr::V6(format!("fd00:10:244:{}::2", self.0).parse().expect("decimal digits are hexadecimal ones"))
    }
}
