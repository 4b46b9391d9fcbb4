//! AS_PATH and AS4_PATH as received (RFC 4271 §4.3, RFC 6793).

use super::fault::Fault;
use super::reader::Reader;
use crate::model::Asn;

const AS_SEQUENCE: u8 = 2;

/// How many octets an AS number has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Two,
    Four,
}

/// All AS_SEQUENCEs as one list, the nearest AS first.
///
/// An error is an unknown segment type, an empty segment, one that runs over the end, octets left over (RFC 7606
/// §7.2), AS 0 (RFC 7607 §2), a set (RFC 9774 §3), or a segment of a confederation: we are in none (RFC 5065 §5).
pub(super) fn decode(value: &[u8], width: Width) -> Result<Vec<Asn>, Fault> {
    let mut reader = Reader::new(value);
    let mut path = Vec::new();
    while !reader.is_empty() {
        let (Some(kind), Some(count)) = (reader.u8(), reader.u8()) else {
            return Err(Fault::AsPath("an octet is left over"));
        };
        match kind {
            AS_SEQUENCE => {}
            1 | 4 => return Err(Fault::AsSet),
            3 => return Err(Fault::AsPath("a confederation's segment")),
            _ => return Err(Fault::AsPath("an unknown segment type")),
        }
        if count == 0 {
            return Err(Fault::AsPath("an empty segment"));
        }
        for _ in 0..count {
            let number = match width {
                Width::Two => reader.u16().map(u32::from),
                Width::Four => reader.u32(),
            };
            let number = number.ok_or(Fault::AsPath("a segment runs over the end"))?;
            path.push(Asn::new(number).map_err(|_| Fault::AsPath("AS 0"))?);
        }
    }
    Ok(path)
}

/// The path of a two-octet speaker with its AS4_PATH (RFC 6793 §4.2.3): as many of the nearest numbers as AS4_PATH
/// lacks, then AS4_PATH. A longer AS4_PATH is ignored.
pub(super) fn merge(path: Vec<Asn>, as4_path: &[Asn]) -> Vec<Asn> {
    match path.len().checked_sub(as4_path.len()) {
        Some(nearest) => path.iter().take(nearest).chain(as4_path).copied().collect(),
        None => path,
    }
}
