//! Communities as operators write them: `64512:1`, `64512:1:2`, and IANA's names.

use super::check::{Check, Field};
use super::scalar::quoted;
use super::suggest::nearest;
use super::tree::Value;
use std::fmt;

/// A community (RFC 1997), as it stands on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Community(pub u32);

/// A large community (RFC 8092): global administrator and two parts of local data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LargeCommunity(pub u32, pub u32, pub u32);

/// An extended community (RFC 4360), as it stands on the wire: type, sub-type and six octets of value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ExtendedCommunity(pub [u8; 8]);

/// IANA's "BGP Well-known Communities".
const WELL_KNOWN: [(&str, u32); 15] = [
    ("graceful-shutdown", 0xFFFF_0000),          // RFC 8326
    ("accept-own", 0xFFFF_0001),                 // RFC 7611
    ("route-filter-translated-v4", 0xFFFF_0002), // draft-l3vpn-legacy-rtc
    ("route-filter-v4", 0xFFFF_0003),            // draft-l3vpn-legacy-rtc
    ("route-filter-translated-v6", 0xFFFF_0004), // draft-l3vpn-legacy-rtc
    ("route-filter-v6", 0xFFFF_0005),            // draft-l3vpn-legacy-rtc
    ("llgr-stale", 0xFFFF_0006),                 // RFC 9494
    ("no-llgr", 0xFFFF_0007),                    // RFC 9494
    ("accept-own-nexthop", 0xFFFF_0008),         // draft-agrewal-idr-accept-own-nexthop
    ("standby-pe", 0xFFFF_0009),                 // RFC 9026
    ("blackhole", 0xFFFF_029A),                  // RFC 7999
    ("no-export", 0xFFFF_FF01),                  // RFC 1997
    ("no-advertise", 0xFFFF_FF02),               // RFC 1997
    ("no-export-subconfed", 0xFFFF_FF03),        // RFC 1997
    ("no-peer", 0xFFFF_FF04),                    // RFC 3765
];

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0 >> 16, self.0 & 0xFFFF)
    }
}

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.0, self.1, self.2)
    }
}

/// As `extended` reads it.
impl fmt::Display for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [encoding, sub_type, a, b, c, d, e, g] = self.0;
        let name = SUB_TYPES.iter().find(|(_, known)| *known == sub_type).map(|(name, _)| *name);
        match (encoding, name) {
            (0, Some(name)) => {
                write!(f, "{name}:{}:{}", u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, g]))
            }
            (1, Some(name)) => {
                write!(f, "{name}:{}:{}", std::net::Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([e, g]))
            }
            (2, Some(name)) => {
                let (asn, local) = (u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, g]));
                // An AS that two octets could say is marked.
                let mark = if u16::try_from(asn).is_ok() { "L" } else { "" };
                write!(f, "{name}:{asn}{mark}:{local}")
            }
            _ => write!(f, "0x{:016x}", u64::from_be_bytes(self.0)),
        }
    }
}

pub(super) fn standard(field: &Field<'_>, check: &mut Check) -> Option<Community> {
    let text = text(field, "\"64512:1\"", check)?;
    if let Some((_, value)) = WELL_KNOWN.iter().find(|(name, _)| *name == text) {
        return Some(Community(*value));
    }
    let parts = text.split_once(':').map(|(high, low)| (number::<u16>(high), number::<u16>(low)));
    if let Some((Some(high), Some(low))) = parts {
        return Some(Community(u32::from(high) << 16 | u32::from(low)));
    }
    let hint = match nearest(text, WELL_KNOWN.iter().map(|(name, _)| *name)) {
        Some(near) => format!("did you mean {near}?"),
        None if text.matches(':').count() == 2 => "three numbers are a large community: use large_communities".into(),
        None => "write two numbers from 0 to 65535, such as \"64512:1\", or a name such as no-export".into(),
    };
    check.fault(&field.path, format!("{} is not a community", quoted(text)), hint);
    None
}

/// `rt:64512:1`, `ro:10.0.0.1:1`, or the eight octets as `0x…`.
pub(super) fn extended(field: &Field<'_>, check: &mut Check) -> Option<ExtendedCommunity> {
    let text = text(field, "\"rt:64512:1\"", check)?;
    if let Some(octets) = text.strip_prefix("0x").filter(|digits| digits.len() == 16).and_then(octets) {
        return Some(ExtendedCommunity(octets));
    }
    let mut parts = text.splitn(3, ':');
    let parts = (parts.next(), parts.next(), parts.next());
    if let (Some(kind), Some(administrator), Some(local)) = parts
        && let Some(sub_type) = SUB_TYPES.iter().find(|(name, _)| *name == kind).map(|(_, sub_type)| *sub_type)
        && let Some((encoding, value)) = value(administrator, local)
    {
        let [a, b, c, d, e, f] = value;
        return Some(ExtendedCommunity([encoding, sub_type, a, b, c, d, e, f]));
    }
    let message = format!("{} is not an extended community", quoted(text));
    let hint = "write rt:AS:NUMBER or ro:AS:NUMBER (the number to 4294967295 with an AS to 65535, else to 65535), the same with \
                an IPv4 address, or 0x and 16 hexadecimal digits";
    check.fault(&field.path, message, hint);
    None
}

/// Route target and route origin (RFC 4360 §4, §5).
const SUB_TYPES: [(&str, u8); 3] = [("rt", 2), ("ro", 3), ("soo", 3)];

/// The high octet of the type, and the value: an AS of two octets (RFC 4360 §3.1), an IPv4 address (§3.2), or an AS of four
/// octets (RFC 5668 §2; `L` behind the number asks for it where two would do).
fn value(administrator: &str, local: &str) -> Option<(u8, [u8; 6])> {
    if let Some(asn) = number::<u16>(administrator) {
        let ([a, b], [c, d, e, f]) = (asn.to_be_bytes(), number::<u32>(local)?.to_be_bytes());
        return Some((0, [a, b, c, d, e, f]));
    }
    let [e, f] = number::<u16>(local)?.to_be_bytes();
    if let Ok(address) = administrator.parse::<std::net::Ipv4Addr>() {
        let [a, b, c, d] = address.octets();
        return Some((1, [a, b, c, d, e, f]));
    }
    let [a, b, c, d] = number::<u32>(administrator.strip_suffix('L').unwrap_or(administrator))?.to_be_bytes();
    Some((2, [a, b, c, d, e, f]))
}

fn octets(digits: &str) -> Option<[u8; 8]> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u64::from_str_radix(digits, 16).ok()).flatten().map(u64::to_be_bytes)
}

pub(super) fn large(field: &Field<'_>, check: &mut Check) -> Option<LargeCommunity> {
    let text = text(field, "\"64512:1:2\"", check)?;
    let parts: Vec<Option<u32>> = text.split(':').map(number).collect();
    if let [Some(global), Some(one), Some(two)] = parts[..] {
        return Some(LargeCommunity(global, one, two));
    }
    let message = format!("{} is not a large community", quoted(text));
    check.fault(&field.path, message, "write three numbers from 0 to 4294967295, such as \"64512:1:2\"");
    None
}

fn text<'a>(field: &Field<'a>, example: &str, check: &mut Check) -> Option<&'a str> {
    if let Value::Int(_) | Value::Float = field.node.value {
        // 64512:1 without quotes is a number in base 60 to some YAML readers.
        field.expected("a community", &format!("write {example}, in quotes"), check);
        return None;
    }
    field.text(check)
}

/// Digits only: no sign.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::ExtendedCommunity;

    /// Types and sub-types of RFC 4360 and RFC 5668, and one that has no name here.
    #[test]
    fn an_extended_community_shows_as_it_may_be_written() {
        for (octets, text) in [
            ([0, 2, 0xFC, 0, 0, 0, 0, 1], "rt:64512:1"),
            ([0, 3, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF], "ro:1:4294967295"),
            ([1, 2, 10, 0, 0, 1, 0, 7], "rt:10.0.0.1:7"),
            ([2, 2, 0, 1, 0, 0, 0, 7], "rt:65536:7"),
            ([2, 3, 0, 0, 0xFC, 0, 0, 7], "ro:64512L:7"),
            ([0x40, 4, 0, 0, 0, 0, 0, 9], "0x4004000000000009"),
        ] {
            assert_eq!(ExtendedCommunity(octets).to_string(), text);
        }
    }
}
