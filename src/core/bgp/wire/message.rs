//! What all messages share (RFC 4271 §4.1): sixteen octets of ones, the whole length in two, the type in one.

use bytes::Bytes;

/// Octets of the header of every message (RFC 4271 §4.1).
pub const HEADER_LEN: usize = 19;
/// The longest message, header included (RFC 4271 §4.1).
pub const MAX_LEN: usize = 4096;
/// The longest message once both sides announced extended messages (RFC 8654 §4); never an OPEN or a KEEPALIVE.
pub const MAX_EXTENDED_LEN: usize = 65535;

pub(super) const MARKER: [u8; 16] = [0xFF; 16];
/// Where the header holds the length of the message.
pub(super) const LENGTH_AT: usize = 16;

/// The type of a message (RFC 4271 §4.1, RFC 2918 §3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MessageKind {
    /// Type 1.
    Open,
    /// Type 2.
    Update,
    /// Type 3.
    Notification,
    /// Type 4.
    Keepalive,
    /// Type 5 (RFC 2918).
    RouteRefresh,
}

impl MessageKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [MessageKind; 5] = [
        MessageKind::Open,
        MessageKind::Update,
        MessageKind::Notification,
        MessageKind::Keepalive,
        MessageKind::RouteRefresh,
    ];

    /// The number in the header.
    pub fn code(self) -> u8 {
        match self {
            MessageKind::Open => 1,
            MessageKind::Update => 2,
            MessageKind::Notification => 3,
            MessageKind::Keepalive => 4,
            MessageKind::RouteRefresh => 5,
        }
    }

    /// The type with this number, if it is one that RFC 4271 or RFC 2918 defines.
    pub fn from_code(code: u8) -> Option<Self> {
        MessageKind::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// For metric labels and JSON.
    pub fn name(self) -> &'static str {
        match self {
            MessageKind::Open => "open",
            MessageKind::Update => "update",
            MessageKind::Notification => "notification",
            MessageKind::Keepalive => "keepalive",
            MessageKind::RouteRefresh => "route-refresh",
        }
    }

    /// The lengths a message of this type can have, header included (RFC 4271 §6.1, RFC 8654 §4).
    ///
    /// `max` is what the session allows. A ROUTE-REFRESH is only bounded from above: whether it is too short is for
    /// its own decoder, which answers 7/1 (RFC 7313 §5).
    pub(super) fn lengths(self, max: usize) -> std::ops::RangeInclusive<usize> {
        match self {
            MessageKind::Open => 29..=MAX_LEN.min(max),
            MessageKind::Update => 23..=max,
            MessageKind::Notification => 21..=max,
            MessageKind::Keepalive => HEADER_LEN..=HEADER_LEN,
            MessageKind::RouteRefresh => HEADER_LEN..=max,
        }
    }
}

/// A header with its length still to be written by the caller ([`LENGTH_AT`]).
pub(super) fn begin(kind: MessageKind, out: &mut Vec<u8>) {
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&[0, 0, kind.code()]);
}

/// Overwrites two octets; a place outside the buffer is left alone (no caller has one).
pub(super) fn put_u16_at(out: &mut [u8], at: usize, value: usize) {
    if let Some(place) = out.get_mut(at..at.saturating_add(2)) {
        place.copy_from_slice(&u16::try_from(value).unwrap_or(u16::MAX).to_be_bytes());
    }
}

/// A complete message around a body that is short enough.
pub(super) fn message(kind: MessageKind, body: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(HEADER_LEN + body.len());
    begin(kind, &mut out);
    out.extend_from_slice(body);
    let length = out.len();
    put_u16_at(&mut out, LENGTH_AT, length);
    out.into()
}

/// A complete KEEPALIVE (RFC 4271 §4.4). No allocation.
pub fn keepalive() -> Bytes {
    Bytes::from_static(&[255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 19, 4])
}
