//! What a record means: key and value → who owns which subnets.
//!
//! A schema is a pure function of one record. It gives a [`Statement`] (a host, its addresses, the subnets it owns) or says
//! why the record cannot be read; what follows from that (keep, claim, quarantine) is the business of
//! [`sync`](super::sync). Records as others write them, and what they mean: `tests/fixtures/sources/`.

use super::KeyRange;
use crate::model::{Family, HostName, Labels, Prefix};
use bytes::Bytes;
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

mod flannel;
mod native;

/// How a source writes its records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Schema {
    /// Fingerpost's own: key `<prefix>/hosts/<host>`, value `{"addresses": […], "subnets": […], "labels": {…}}`.
    Native {
        /// Without the final slash.
        prefix: String,
    },
    /// flannel's leases in etcd: key `<prefix>/subnets/<lease>`.
    Flannel {
        /// flannel's `--etcd-prefix`, without the final slash.
        prefix: String,
    },
    /// A file's hosts: the key is the host's name, the value is that of [`Schema::Native`].
    Hosts,
}

/// What a record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decoded {
    /// Nothing that concerns us (flannel's `config`).
    Ignored,
    /// Who owns what.
    Statement(Statement),
}

/// One host, its addresses and the subnets it owns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// The owner.
    pub host: HostName,
    /// Its labels.
    pub labels: Labels,
    /// Where it is reached.
    pub addresses: Addresses,
    /// What it owns, in order, each once.
    pub subnets: Vec<Prefix>,
    /// A field that means nothing to the schema, quoted: misspelt perhaps.
    pub unknown: Option<Box<str>>,
}

impl Statement {
    /// The subnets that have a next hop: the owner's address of the same family.
    pub fn claims(&self) -> impl Iterator<Item = (Prefix, IpAddr)> {
        self.subnets.iter().filter_map(|subnet| Some((*subnet, self.addresses.of(subnet.family())?)))
    }

    /// The subnets whose owner has no address of their family: RFC 4271 wants a next hop, so they cannot be announced.
    pub fn unresolved(&self) -> impl Iterator<Item = (Prefix, &'static str)> {
        self.subnets
            .iter()
            .filter(|subnet| self.addresses.of(subnet.family()).is_none())
            .map(|subnet| (*subnet, no_address(subnet.family())))
    }
}

/// Why a subnet of this family has no next hop.
pub(super) fn no_address(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "its host has no IPv4 address to be the next hop",
        Family::Ipv6 => "its host has no IPv6 address to be the next hop",
    }
}

/// A host's addresses: at most one for each family.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Addresses {
    /// The next hop of IPv4 subnets.
    pub ipv4: Option<Ipv4Addr>,
    /// The next hop of IPv6 subnets.
    pub ipv6: Option<Ipv6Addr>,
}

impl Addresses {
    /// The next hop of subnets of this family. `ipv4_via_ipv6`: an IPv4 subnet whose host has no IPv4 address takes the IPv6
    /// one (RFC 8950); never the other way round.
    pub fn next_hop(&self, family: Family, ipv4_via_ipv6: bool) -> Option<IpAddr> {
        let borrowed = || self.of(Family::Ipv6).filter(|_| ipv4_via_ipv6 && family == Family::Ipv4);
        self.of(family).or_else(borrowed)
    }

    /// The address of this family.
    pub fn of(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::Ipv4 => self.ipv4.map(IpAddr::V4),
            Family::Ipv6 => self.ipv6.map(IpAddr::V6),
        }
    }
}

/// A record that cannot be read: what is wrong, and what to write instead. Its earlier claims stay (P2).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

impl Unreadable {
    fn new(why: impl Into<String>) -> Self {
        Unreadable(why.into())
    }
}

impl Schema {
    /// The keys that hold its records.
    pub fn range(&self) -> KeyRange {
        match self {
            Schema::Native { prefix } => KeyRange::of_prefix(format!("{}/hosts/", trimmed(prefix)).as_bytes()),
            Schema::Flannel { prefix } => KeyRange::of_prefix(format!("{}/subnets/", trimmed(prefix)).as_bytes()),
            // Host names are UTF-8, in which no octet is 0xff.
            Schema::Hosts => KeyRange { start: Bytes::new(), end: Bytes::from_static(&[0xff]) },
        }
    }

    /// What the record says. A key outside [`range`](Self::range) is ignored.
    pub fn decode(&self, key: &[u8], value: &[u8]) -> Result<Decoded, Unreadable> {
        let range = self.range();
        if !range.contains(key) {
            return Ok(Decoded::Ignored);
        }
        self.decode_name(key.strip_prefix(&range.start[..]).unwrap_or(key), value).map(Decoded::Statement)
    }

    /// As [`decode`](Self::decode), where `name` is the key without the range's start.
    pub(super) fn decode_name(&self, name: &[u8], value: &[u8]) -> Result<Statement, Unreadable> {
        match self {
            Schema::Native { .. } | Schema::Hosts => native::decode(name, value),
            Schema::Flannel { .. } => flannel::decode(name, value),
        }
    }

    /// Whether a subnet of this family whose host has no address of the family is a record's fault, so that the address may
    /// have been there before. flannel's alloc backend never writes a PublicIPv6, dual-stack or not: there it is no fault.
    pub(super) fn expects_address(&self, family: Family) -> bool {
        match self {
            Schema::Native { .. } | Schema::Hosts => true,
            Schema::Flannel { .. } => family == Family::Ipv4,
        }
    }
}

fn trimmed(prefix: &str) -> &str {
    prefix.trim_end_matches('/')
}

/// Text of a JSON string, borrowed where it holds no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The value of a record, which is a JSON object. Serde also reads an array, as the fields in their order: `[[], []]` would
/// state that a host owns nothing, and withdraw what it has (P2).
fn from_object<'a, T: serde::Deserialize<'a>>(value: &'a [u8]) -> Result<T, String> {
    match value.trim_ascii_start().first() {
        Some(b'[') => Err("an array, not an object".into()),
        _ => serde_json::from_slice(value).map_err(|error| short(&error)),
    }
}

/// What is wrong with JSON. The parser's words may hold a whole value, which can be more than a megabyte.
fn short(error: &serde_json::Error) -> String {
    const SHOWN: usize = 160;
    let text = error.to_string();
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((end, _)) => format!("{}… at line {} column {}", &text[..end], error.line(), error.column()),
    }
}

/// A bad value as messages show it: quoted, and not without end.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

/// Adds an address unless that family has one already.
fn add_address(to: &mut Addresses, address: IpAddr) -> Result<(), Unreadable> {
    if address.is_unspecified() {
        return Err(Unreadable::new(format!("{address} is no host's address: leave it out")));
    }
    let first = match address {
        IpAddr::V4(address) => to.ipv4.replace(address).map(IpAddr::V4),
        IpAddr::V6(address) => to.ipv6.replace(address).map(IpAddr::V6),
    };
    match first {
        None => Ok(()),
        Some(first) => Err(Unreadable::new(format!(
            "two addresses of one family, {first} and {address}: write only the one that shall be the next hop"
        ))),
    }
}

#[cfg(test)]
mod tests;
