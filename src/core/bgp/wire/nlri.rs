//! Lists of prefixes in an UPDATE (RFC 4271 §4.3, RFC 4760 §5): length in bits, then the octets that hold them.

use super::reader::Reader;
use crate::model::{Family, Prefix};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The list cannot be read to its end: a length beyond the family's, or octets missing (RFC 7606 §5.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SyntaxError;

/// Appends all prefixes. Bits behind a prefix's length mean nothing and are dropped (RFC 4271 §4.3).
pub(super) fn decode(family: Family, octets: &[u8], out: &mut Vec<Prefix>) -> Result<(), SyntaxError> {
    let mut reader = Reader::new(octets);
    while !reader.is_empty() {
        out.push(one(family, &mut reader).ok_or(SyntaxError)?);
    }
    Ok(())
}

fn one(family: Family, reader: &mut Reader<'_>) -> Option<Prefix> {
    let length = reader.u8()?;
    let octets = reader.take(length.div_ceil(8).into())?;
    let net = match family {
        Family::Ipv4 => IpNet::V4(Ipv4Net::new(padded::<4>(octets)?.into(), length).ok()?),
        Family::Ipv6 => IpNet::V6(Ipv6Net::new(padded::<16>(octets)?.into(), length).ok()?),
    };
    Some(Prefix::truncated(net))
}

/// The octets with zeros behind them, unless there are too many.
fn padded<const N: usize>(octets: &[u8]) -> Option<[u8; N]> {
    let mut address = [0; N];
    address.get_mut(..octets.len())?.copy_from_slice(octets);
    Some(address)
}
