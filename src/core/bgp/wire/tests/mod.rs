//! Byte vectors here are written by hand from the RFCs, never taken from the encoder. Names carry the row of the test
//! catalogue (`c18`) and of its list of malformed inputs (`b6`).

mod framer;
mod notification;
mod open;
mod packer;
mod properties;
mod refresh;
pub(in crate::bgp) mod rfc7606;
mod update;

use super::{Frame, Framer, Notification};
use crate::model::Prefix;

/// Octets from hexadecimal; white space does not matter.
pub(in crate::bgp) fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    assert_eq!(digits.len() % 2, 0, "half an octet in {text:?}");
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

const MARKER: &str = "ffffffffffffffffffffffffffffffff";

/// A message with a header made here: marker, length, type.
fn wrap(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(19 + body.len()).unwrap().to_be_bytes();
    [&hex(MARKER)[..], &length, &[kind], body].concat()
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

pub(in crate::bgp) fn prefixes(text: &str) -> Vec<Prefix> {
    text.split_whitespace().map(prefix).collect()
}

/// Code and subcode as the RFCs write them.
fn code(notification: &Notification) -> String {
    format!("{}/{}", notification.code, notification.subcode)
}

/// All frames of a stream that has no fault.
fn frames(bytes: &[u8], max_len: usize) -> Vec<Frame> {
    let mut framer = Framer::new();
    framer.set_max_len(max_len);
    framer.push(bytes);
    let frames = std::iter::from_fn(|| framer.next().unwrap()).collect();
    assert_eq!(framer.buffered(), 0, "half a message at the end");
    frames
}
