//! From routes to UPDATEs, as few and as full as the neighbour's limit allows.
//!
//! This is the hot path: a million routes go through here when a gateway appears. Each call writes the octets that all
//! its messages share once into a [`Template`] and copies them; a prefix is a copy of a fixed number of octets of which
//! the unused ones are given back. Nothing is allocated except where `out` and `ends` grow.
//!
//! ```text
//!  IPv4      header │ withdrawn 0 │ length │ attributes       │ prefixes …
//!  MP_REACH  header │ withdrawn 0 │ length │ MP_REACH … next hop, prefixes … │ other attributes
//!  withdrawn header │ length │ prefixes … │ 0         or      header │ 0 │ length │ MP_UNREACH, prefixes …
//! ```

use super::encoding::{EMPTY_UPDATE_LEN, Encoding, Form, RouteAttributes};
use super::message::{HEADER_LEN, LENGTH_AT, MessageKind, begin, put_u16_at};
use crate::model::{Family, Prefix};
use ipnet::IpNet;
use std::net::IpAddr;

/// An IPv6 prefix of 128 bits with its length: the longest there is.
const LONGEST_PREFIX: usize = 17;
/// Flags (optional, extended length), type, length, AFI and SAFI of an MP attribute.
const MP_HEAD: usize = 7;
/// The next hop of MP_REACH_NLRI with its length, and the reserved octet (RFC 4760 §3).
const MP_NEXT_HOP: usize = 1 + 16 + 1;

/// Where the lengths of the withdrawn routes, of the attributes and of the MP attribute stand.
const WITHDRAWN_LENGTH_AT: usize = HEADER_LEN;
const ATTRIBUTES_LENGTH_AT: usize = HEADER_LEN + 2;
const MP_LENGTH_AT: usize = EMPTY_UPDATE_LEN + 2;

/// Writes UPDATEs of one family for all neighbours of one [`Encoding`]. Keeps only its buffers between calls.
#[derive(Clone, Debug)]
pub struct Packer {
    encoding: Encoding,
    family: Family,
    template: Template,
}

/// What every message of one call has before and after its prefixes.
#[derive(Clone, Debug, Default)]
struct Template {
    head: Vec<u8>,
    tail: Vec<u8>,
}

/// Which length fields count the prefixes.
#[derive(Clone, Copy)]
enum Lengths {
    /// None but the message's own.
    Classic,
    /// The withdrawn routes' own.
    Withdrawn,
    /// The MP attribute's and the attributes'.
    MultiProtocol,
}

impl Packer {
    /// For routes of this family; prefixes of the other one are skipped.
    pub fn new(encoding: Encoding, family: Family) -> Self {
        Packer { encoding, family, template: Template::default() }
    }

    /// The encoding it was made for.
    pub fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    /// The family it was made for.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Whether a route with these attributes can be said to this neighbour at all: the next hop's family must be one
    /// that was agreed (RFC 4760 §3, RFC 8950), and the attributes must leave room for a prefix.
    pub fn can_announce(&self, attributes: &RouteAttributes) -> bool {
        let most = EMPTY_UPDATE_LEN + MP_HEAD + MP_NEXT_HOP + attributes.encoded_max(&self.encoding) + LONGEST_PREFIX;
        attributes.form(&self.encoding, self.family).is_some() && most <= self.encoding.max_len()
    }

    /// Appends complete UPDATEs to `out`, and the end offset of each of them to `ends`. No prefixes: nothing.
    ///
    /// Where [`Packer::can_announce`] says no, the prefixes are withdrawn instead, so that the neighbour does not keep
    /// an older path (RFC 8654 §4 asks for the same when a message gets too long).
    pub fn announce(
        &mut self,
        attributes: &RouteAttributes,
        prefixes: impl IntoIterator<Item = Prefix>,
        out: &mut Vec<u8>,
        ends: &mut Vec<u32>,
    ) {
        let form = attributes.form(&self.encoding, self.family).filter(|_| self.can_announce(attributes));
        let Template { head, tail } = &mut self.template;
        head.clear();
        tail.clear();
        begin(MessageKind::Update, head);
        head.extend_from_slice(&[0, 0, 0, 0]);
        match form {
            Some(Form::Classic) => {
                attributes.encode(&self.encoding, head);
                let length = head.len() - EMPTY_UPDATE_LEN;
                put_u16_at(head, ATTRIBUTES_LENGTH_AT, length);
                self.fill(Lengths::Classic, prefixes, out, ends);
            }
            Some(Form::MultiProtocol) => {
                // RFC 7606 §5.1: MP_REACH_NLRI comes first.
                mp_head(head, 14, self.family);
                head.push(16);
                if let IpAddr::V6(next_hop) = attributes.next_hop {
                    head.extend_from_slice(&next_hop.octets());
                }
                head.push(0);
                attributes.encode(&self.encoding, tail);
                self.fill(Lengths::MultiProtocol, prefixes, out, ends);
            }
            None => self.withdraw(prefixes, out, ends),
        }
    }

    /// Appends complete UPDATEs that withdraw these prefixes, and their end offsets. No prefixes: nothing.
    ///
    /// IPv4 goes into the field of RFC 4271 also where it was announced with an IPv6 next hop: it is the same route.
    pub fn withdraw(&mut self, prefixes: impl IntoIterator<Item = Prefix>, out: &mut Vec<u8>, ends: &mut Vec<u32>) {
        let Template { head, tail } = &mut self.template;
        head.clear();
        tail.clear();
        begin(MessageKind::Update, head);
        match self.family {
            Family::Ipv4 => {
                head.extend_from_slice(&[0, 0]);
                tail.extend_from_slice(&[0, 0]);
                self.fill(Lengths::Withdrawn, prefixes, out, ends);
            }
            Family::Ipv6 => {
                head.extend_from_slice(&[0, 0, 0, 0]);
                mp_head(head, 15, self.family);
                self.fill(Lengths::MultiProtocol, prefixes, out, ends);
            }
        }
    }

    /// Appends the family's End-of-RIB (RFC 4724 §2): an empty UPDATE, or one with an empty MP_UNREACH_NLRI.
    pub fn end_of_rib(&self, out: &mut Vec<u8>, ends: &mut Vec<u32>) {
        let start = out.len();
        begin(MessageKind::Update, out);
        match self.family {
            Family::Ipv4 => out.extend_from_slice(&[0, 0, 0, 0]),
            Family::Ipv6 => out.extend_from_slice(&[0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1]),
        }
        end_message(start, out, ends);
    }

    /// Messages of the template around the prefixes, each filled to the limit.
    fn fill(
        &self,
        lengths: Lengths,
        prefixes: impl IntoIterator<Item = Prefix>,
        out: &mut Vec<u8>,
        ends: &mut Vec<u32>,
    ) {
        let Template { head, tail } = &self.template;
        let family = self.family;
        let mut prefixes = prefixes.into_iter().filter(|prefix| prefix.family() == family);
        let mut waiting = prefixes.next();
        while let Some(first) = waiting {
            let start = out.len();
            // At least one prefix is written, so the loop ends whatever the limit is.
            let limit = (start + self.encoding.max_len()).saturating_sub(tail.len());
            out.extend_from_slice(head);
            let first_at = out.len();
            put_prefix(first, out);
            waiting = loop {
                let Some(prefix) = prefixes.next() else { break None };
                let before = out.len();
                put_prefix(prefix, out);
                if out.len() > limit {
                    out.truncate(before);
                    break Some(prefix);
                }
            };
            let count = out.len() - first_at;
            out.extend_from_slice(tail);
            if let Some(message) = out.get_mut(start..) {
                match lengths {
                    Lengths::Classic => {}
                    Lengths::Withdrawn => put_u16_at(message, WITHDRAWN_LENGTH_AT, count),
                    Lengths::MultiProtocol => {
                        let value = head.len() + count - (MP_LENGTH_AT + 2);
                        put_u16_at(message, MP_LENGTH_AT, value);
                        let attributes = message.len() - EMPTY_UPDATE_LEN;
                        put_u16_at(message, ATTRIBUTES_LENGTH_AT, attributes);
                    }
                }
            }
            end_message(start, out, ends);
        }
    }
}

/// Flags, type, a length to be written, AFI and SAFI. The length has two octets whatever it is, as it is known last.
fn mp_head(head: &mut Vec<u8>, kind: u8, family: Family) {
    let [high, low] = family.afi().to_be_bytes();
    head.extend_from_slice(&[0x90, kind, 0, 0, high, low, family.safi()]);
}

fn end_message(start: usize, out: &mut [u8], ends: &mut Vec<u32>) {
    let end = out.len();
    if let Some(message) = out.get_mut(start..) {
        put_u16_at(message, LENGTH_AT, end - start);
    }
    ends.push(u32::try_from(end).unwrap_or(u32::MAX));
}

/// Length in bits, then only the octets that hold them (RFC 4271 §4.3).
#[inline]
fn put_prefix(prefix: Prefix, out: &mut Vec<u8>) {
    let length = prefix.length();
    let octets = usize::from(length.div_ceil(8));
    let before = out.len();
    // A copy of fixed size and a cut are several times faster than a copy of variable size.
    match prefix.net() {
        IpNet::V4(net) => {
            let [a, b, c, d] = net.addr().octets();
            out.extend_from_slice(&[length, a, b, c, d]);
        }
        IpNet::V6(net) => {
            out.push(length);
            out.extend_from_slice(&net.addr().octets());
        }
    }
    out.truncate(before + 1 + octets);
}
