//! Messages counted without being understood further than need be.

use anyhow::{bail, ensure};
use fingerpost_core::bgp::wire::{HEADER_LEN, MAX_LEN};

/// What was counted so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Totals {
    /// IPv4 prefixes announced; one that is announced twice counts twice.
    pub(crate) announced: u64,
    /// Withdrawn routes' octets: none while a first table is told.
    pub(crate) withdrawn_octets: u64,
    /// UPDATEs, End-of-RIB included.
    pub(crate) messages: u64,
    /// Their octets.
    pub(crate) octets: u64,
    /// Ends of RIB.
    pub(crate) ends: u64,
}

/// A message as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Message {
    Open,
    Keepalive,
    Update,
    EndOfRib,
}

/// The first message, counted, and its length; none while it is not complete.
#[inline]
pub(super) fn next(octets: &[u8], totals: &mut Totals) -> anyhow::Result<Option<(Message, usize)>> {
    let Some(&[high, low, kind]) = octets.get(16..HEADER_LEN) else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    ensure!((HEADER_LEN..=MAX_LEN).contains(&length), "a message of {length} octets");
    let Some(message) = octets.get(..length) else { return Ok(None) };
    let kind = match kind {
        1 => Message::Open,
        2 => update(message, totals)?,
        4 => Message::Keepalive,
        3 => bail!("a NOTIFICATION: {:?}", message.get(HEADER_LEN..).unwrap_or_default()),
        _ => bail!("a message of type {kind}"),
    };
    Ok(Some((kind, length)))
}

#[inline]
fn update(message: &[u8], totals: &mut Totals) -> anyhow::Result<Message> {
    let field = |at: usize| match message.get(at..at + 2) {
        Some(&[high, low]) => Ok(usize::from(u16::from_be_bytes([high, low]))),
        _ => bail!("an UPDATE is cut off"),
    };
    let withdrawn = field(HEADER_LEN)?;
    let attributes = field(HEADER_LEN + 2 + withdrawn)?;
    let Some(mut prefixes) = message.get(HEADER_LEN + 4 + withdrawn + attributes..) else {
        bail!("an UPDATE is cut off")
    };
    totals.messages += 1;
    totals.octets += message.len() as u64;
    totals.withdrawn_octets += withdrawn as u64;
    while let [bits, rest @ ..] = prefixes {
        totals.announced += 1;
        prefixes = rest.get(usize::from(bits.div_ceil(8))..).unwrap_or_default();
    }
    if withdrawn == 0 && attributes == 0 {
        totals.ends += 1;
        return Ok(Message::EndOfRib);
    }
    Ok(Message::Update)
}
