//! Few bits for much, the same in every process of one version: what is hardly ever the same for what is not the same. Nobody is kept
//! from making two that are: by them alone nothing is decided, and by a table's only among replicas that may order each other anything
//! (see `vouching`).

use crate::model::{HostName, Prefix};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::ops::{AddAssign, SubAssign};

/// 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub u64);

/// FNV-1a's (draft-eastlake-fnv).
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

impl Digest {
    /// Of a text.
    pub fn of(text: &str) -> Self {
        Digest(mix(octets(OFFSET, text.as_bytes())))
    }

    /// Of a host and its next hop.
    pub(crate) fn of_hop(host: &HostName, next_hop: IpAddr) -> Self {
        // No name has this octet.
        let named = octets(octets(OFFSET, host.as_str().as_bytes()), &[0xff]);
        Digest(mix(match next_hop {
            IpAddr::V4(address) => octets(named, &address.octets()),
            IpAddr::V6(address) => octets(named, &address.octets()),
        }))
    }
}

fn octets(start: u64, octets: &[u8]) -> u64 {
    octets.iter().fold(start, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(PRIME))
}

/// Every bit depends on every bit: sums of what came out of it are not alike where what went in is. (The end of SplitMix64.)
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// As text: readers of JSON that know only floating point would lose digits.
impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = std::num::ParseIntError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        u64::from_str_radix(&text, 16).map(Digest)
    }
}

/// A table, told from others by its routes: whatever their order, the same routes have the same digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct TableDigest {
    /// How many routes there are.
    pub routes: u64,
    /// Of prefix, host and next hop of each.
    pub digest: Digest,
}

impl TableDigest {
    /// One route more, by the owner whose digest this is.
    pub(crate) fn add(&mut self, prefix: Prefix, owner: Digest) {
        self.routes += 1;
        self.digest.0 = self.digest.0.wrapping_add(route(prefix, owner));
    }

    /// What a table has more and less of once the prefix is another's.
    pub(crate) fn of_change(prefix: Prefix, before: Option<Digest>, after: Option<Digest>) -> Self {
        let of = |owner: Option<Digest>| {
            let mut table = TableDigest::default();
            owner.into_iter().for_each(|owner| table.add(prefix, owner));
            table
        };
        let mut difference = of(after);
        difference -= of(before);
        difference
    }

    /// One less.
    pub(crate) fn remove(&mut self, prefix: Prefix, owner: Digest) {
        self.routes = self.routes.saturating_sub(1);
        self.digest.0 = self.digest.0.wrapping_sub(route(prefix, owner));
    }
}

/// Sums and differences of tables: with one more of what one has not, a difference has fewer than no routes.
impl AddAssign for TableDigest {
    fn add_assign(&mut self, other: TableDigest) {
        self.routes = self.routes.wrapping_add(other.routes);
        self.digest.0 = self.digest.0.wrapping_add(other.digest.0);
    }
}

impl SubAssign for TableDigest {
    fn sub_assign(&mut self, other: TableDigest) {
        self.routes = self.routes.wrapping_sub(other.routes);
        self.digest.0 = self.digest.0.wrapping_sub(other.digest.0);
    }
}

fn route(prefix: Prefix, Digest(owner): Digest) -> u64 {
    let (high, low) = match prefix.net().addr() {
        IpAddr::V4(address) => (0, u64::from(address.to_bits())),
        IpAddr::V6(address) => ((address.to_bits() >> 64) as u64, address.to_bits() as u64),
    };
    mix(mix(mix(owner ^ low).wrapping_add(high)).wrapping_add(u64::from(prefix.length())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn owner(n: u8) -> Digest {
        Digest::of_hop(&HostName::new(&format!("host-{n}")).unwrap(), IpAddr::from([10, 168, 0, n]))
    }

    fn prefix(n: u8) -> Prefix {
        format!("10.244.{n}.0/24").parse().unwrap()
    }

    fn of(routes: &[(u8, u8)]) -> TableDigest {
        let mut table = TableDigest::default();
        routes.iter().for_each(|&(net, host)| table.add(prefix(net), owner(host)));
        table
    }

    proptest! {
        #[test]
        fn a_tables_digest_is_that_of_its_routes_in_any_order(
            routes in prop::collection::btree_map(any::<u8>(), any::<u8>(), 1..20),
            gone in prop::collection::vec((any::<u8>(), any::<u8>()), 0..20),
        ) {
            let routes: Vec<(u8, u8)> = routes.into_iter().collect();
            let mut table = TableDigest::default();
            gone.iter().for_each(|&(net, host)| table.add(prefix(net), owner(host)));
            routes.iter().rev().for_each(|&(net, host)| table.add(prefix(net), owner(host)));
            gone.iter().rev().for_each(|&(net, host)| table.remove(prefix(net), owner(host)));
            prop_assert_eq!(table, of(&routes));
            // Another owner of one of them, and one less.
            let mut other = routes.clone();
            other[0].1 = other[0].1.wrapping_add(1);
            prop_assert_ne!(of(&other), of(&routes));
            prop_assert_ne!(of(&routes[1..]), of(&routes));
        }
    }

    #[test]
    fn two_that_swap_their_subnets_make_another_table() {
        assert_ne!(of(&[(1, 1), (2, 2)]), of(&[(1, 2), (2, 1)]));
        let long: Prefix = "fd00::/64".parse().unwrap();
        let longer: Prefix = "fd00::/72".parse().unwrap();
        let other: Prefix = "fd00:0:0:1::/64".parse().unwrap();
        let [long, longer, other] = [long, longer, other].map(|prefix| route(prefix, owner(1)));
        assert!(long != longer && longer != other && long != other);
    }
}
