//! What a route looks like on the wire, and to whom: the attributes we send, and how a neighbour wants them.

use super::message::{HEADER_LEN, MAX_EXTENDED_LEN};
use crate::model::{Asn, Family};
use std::net::IpAddr;

/// Whether the neighbour is in our AS.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SessionType {
    /// iBGP: LOCAL_PREF is sent, AS_PATH is empty.
    Internal,
    /// eBGP: AS_PATH starts with our AS, no LOCAL_PREF (RFC 4271 §5.1.2, §5.1.5).
    External,
}

/// How a neighbour wants its UPDATEs: all that differs between encodings. Neighbours with equal values share bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Encoding {
    /// iBGP or eBGP.
    pub session: SessionType,
    /// What goes into AS_PATH on eBGP.
    pub local_asn: Asn,
    /// AS numbers in AS_PATH have four octets (RFC 6793), else two and, where needed, AS4_PATH.
    pub four_octet_as: bool,
    /// IPv4 routes may have an IPv6 next hop (RFC 8950).
    pub ipv4_via_ipv6: bool,
    /// The longest message: [`super::MAX_LEN`] or, once agreed, [`super::MAX_EXTENDED_LEN`].
    pub max_len: usize,
}

impl Encoding {
    /// The longest message, never more than a Length field can say.
    pub(super) fn max_len(&self) -> usize {
        self.max_len.min(MAX_EXTENDED_LEN)
    }
}

/// What is sent with a route, apart from the encoding. ORIGIN is always IGP.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RouteAttributes {
    /// The host.
    pub next_hop: IpAddr,
    /// MULTI_EXIT_DISC, to iBGP and eBGP alike.
    pub med: Option<u32>,
    /// LOCAL_PREF, only to iBGP; `None` is 100.
    pub local_pref: Option<u32>,
    /// COMMUNITIES (RFC 1997).
    pub communities: Box<[u32]>,
    /// EXTENDED COMMUNITIES (RFC 4360).
    pub extended_communities: Box<[[u8; 8]]>,
    /// LARGE_COMMUNITY (RFC 8092).
    pub large_communities: Box<[[u32; 3]]>,
    /// How many times our AS is repeated in AS_PATH, on eBGP.
    pub prepend: u8,
}

const OPTIONAL: u8 = 0x80;
const TRANSITIVE: u8 = 0x40;
const EXTENDED_LENGTH: u8 = 0x10;

const ORIGIN_IGP: [u8; 4] = [TRANSITIVE, 1, 1, 0];
const AS_SEQUENCE: u8 = 2;
const DEFAULT_LOCAL_PREF: u32 = 100;

impl RouteAttributes {
    /// A next hop and nothing else.
    pub fn via(next_hop: IpAddr) -> Self {
        RouteAttributes {
            next_hop,
            med: None,
            local_pref: None,
            communities: Box::default(),
            extended_communities: Box::default(),
            large_communities: Box::default(),
            prepend: 0,
        }
    }

    /// How a route of this family is said to this neighbour, or `None` if the next hop cannot be.
    pub(super) fn form(&self, encoding: &Encoding, family: Family) -> Option<Form> {
        match (family, self.next_hop) {
            (Family::Ipv4, IpAddr::V4(_)) => Some(Form::Classic),
            (Family::Ipv4, IpAddr::V6(_)) if encoding.ipv4_via_ipv6 => Some(Form::MultiProtocol),
            (Family::Ipv6, IpAddr::V6(_)) => Some(Form::MultiProtocol),
            _ => None,
        }
    }

    /// Appends all attributes but MP_REACH_NLRI, in the order of their types (RFC 4271 §5).
    pub(super) fn encode(&self, encoding: &Encoding, out: &mut Vec<u8>) {
        out.extend_from_slice(&ORIGIN_IGP);
        let copies = match encoding.session {
            SessionType::Internal => 0,
            SessionType::External => 1 + usize::from(self.prepend),
        };
        let asn = encoding.local_asn;
        if encoding.four_octet_as {
            as_path(out, TRANSITIVE, 2, &asn.get().to_be_bytes(), copies);
        } else {
            as_path(out, TRANSITIVE, 2, &asn.two_octets().to_be_bytes(), copies);
        }
        if let IpAddr::V4(next_hop) = self.next_hop {
            let [a, b, c, d] = next_hop.octets();
            out.extend_from_slice(&[TRANSITIVE, 3, 4, a, b, c, d]);
        }
        if let Some(med) = self.med {
            number(out, OPTIONAL, 4, med);
        }
        if encoding.session == SessionType::Internal {
            number(out, TRANSITIVE, 5, self.local_pref.unwrap_or(DEFAULT_LOCAL_PREF));
        }
        if !self.communities.is_empty() {
            header(out, OPTIONAL | TRANSITIVE, 8, self.communities.len() * 4);
            self.communities.iter().for_each(|community| out.extend_from_slice(&community.to_be_bytes()));
        }
        if !self.extended_communities.is_empty() {
            header(out, OPTIONAL | TRANSITIVE, 16, self.extended_communities.len() * 8);
            out.extend_from_slice(self.extended_communities.as_flattened());
        }
        // RFC 6793 §4.2.2: the numbers that two octets could not say, for those behind the neighbour who can read them.
        if !encoding.four_octet_as && copies > 0 && u16::try_from(asn.get()).is_err() {
            as_path(out, OPTIONAL | TRANSITIVE, 17, &asn.get().to_be_bytes(), copies);
        }
        if !self.large_communities.is_empty() {
            header(out, OPTIONAL | TRANSITIVE, 32, self.large_communities.len() * 12);
            let parts = self.large_communities.as_flattened();
            parts.iter().for_each(|part| out.extend_from_slice(&part.to_be_bytes()));
        }
    }

    /// Octets that [`RouteAttributes::encode`] appends at most; whether they fit is decided before they are written.
    pub(super) fn encoded_max(&self, encoding: &Encoding) -> usize {
        let copies = if encoding.session == SessionType::External { 1 + usize::from(self.prepend) } else { 0 };
        let as_paths = 2 * (4 + 2 * 2 + copies * 4);
        let communities =
            self.communities.len() * 4 + self.extended_communities.len() * 8 + self.large_communities.len() * 12;
        ORIGIN_IGP.len() + as_paths + 7 + 7 + 7 + communities + 3 * 4
    }
}

/// Where the prefixes of a family stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// In the fields of RFC 4271 §4.3.
    Classic,
    /// In MP_REACH_NLRI (RFC 4760 §3).
    MultiProtocol,
}

/// The octets of an UPDATE without attributes and prefixes: header and two length fields.
pub(super) const EMPTY_UPDATE_LEN: usize = HEADER_LEN + 4;

/// Flags, type and length of an attribute.
fn header(out: &mut Vec<u8>, flags: u8, kind: u8, length: usize) {
    match u8::try_from(length) {
        Ok(length) => out.extend_from_slice(&[flags, kind, length]),
        Err(_) => {
            let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
            out.extend_from_slice(&[flags | EXTENDED_LENGTH, kind, high, low]);
        }
    }
}

fn number(out: &mut Vec<u8>, flags: u8, kind: u8, value: u32) {
    let [a, b, c, d] = value.to_be_bytes();
    out.extend_from_slice(&[flags, kind, 4, a, b, c, d]);
}

/// AS_PATH or AS4_PATH: `copies` times our AS in AS_SEQUENCEs, a new one after each 255 (RFC 4271 §4.3, §5.1.2).
fn as_path(out: &mut Vec<u8>, flags: u8, kind: u8, asn: &[u8], copies: usize) {
    header(out, flags, kind, copies.div_ceil(255) * 2 + copies * asn.len());
    let mut left = copies;
    while left > 0 {
        let count = u8::try_from(left).unwrap_or(u8::MAX);
        out.extend_from_slice(&[AS_SEQUENCE, count]);
        (0..count).for_each(|_| out.extend_from_slice(asn));
        left -= usize::from(count);
    }
}
