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

/// IANA's "BGP Well-known Communities", those that make sense on a route of ours.
const WELL_KNOWN: [(&str, u32); 7] = [
    ("graceful-shutdown", 0xFFFF_0000),   // RFC 8326
    ("accept-own", 0xFFFF_0001),          // RFC 7611
    ("blackhole", 0xFFFF_029A),           // RFC 7999
    ("no-export", 0xFFFF_FF01),           // RFC 1997
    ("no-advertise", 0xFFFF_FF02),        // RFC 1997
    ("no-export-subconfed", 0xFFFF_FF03), // RFC 1997
    ("no-peer", 0xFFFF_FF04),             // RFC 3765
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
