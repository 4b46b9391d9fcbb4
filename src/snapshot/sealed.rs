//! Lines of JSON: one that says what it is and of which version, any number of others, and one with the checksum of all before it.

use serde::{Deserialize, Serialize};
use std::io::{self, Write};

/// Why a file is not used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it is cut off or was changed: its checksum is {found}, and {expected} was written")]
    Checksum { found: String, expected: String },
    #[error("it ends before its checksum")]
    Short,
    #[error("it is of version {found}, and this Fingerpost reads {known}")]
    Version { found: u32, known: u32 },
    #[error("line {0} cannot be read: {1}")]
    Line(usize, String),
}

#[derive(Serialize, Deserialize)]
struct ChecksumLine {
    crc32: String,
}

/// Passes on, and sums up.
struct Summed<W> {
    to: W,
    sum: crc32fast::Hasher,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.to.write(octets)?;
        self.sum.update(octets.get(..written).unwrap_or(octets));
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

pub(crate) fn write(
    to: impl Write,
    first: &impl Serialize,
    others: impl Iterator<Item = impl Serialize>,
) -> io::Result<()> {
    let mut to = Summed { to, sum: crc32fast::Hasher::new() };
    line(&mut to, first)?;
    for other in others {
        line(&mut to, &other)?;
    }
    let crc32 = shown(to.sum.clone());
    line(&mut to, &ChecksumLine { crc32 })
}

fn line(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, value)?;
    to.write_all(b"\n")
}

/// The lines between which nothing is missing.
pub(crate) struct Lines<'a> {
    pub(crate) first: &'a [u8],
    /// With their numbers.
    pub(crate) others: Box<dyn Iterator<Item = (usize, &'a [u8])> + 'a>,
}

/// `V`: what says its version, which is to be this one.
pub(crate) fn read<'a, V: Deserialize<'a> + Into<u32>>(contents: &'a [u8], known: u32) -> Result<Lines<'a>, Refused> {
    let body = contents.strip_suffix(b"\n").ok_or(Refused::Short)?;
    let cut = body.iter().rposition(|octet| *octet == b'\n').ok_or(Refused::Short)? + 1;
    let (summed, last) = body.split_at(cut);
    let ChecksumLine { crc32: expected } = serde_json::from_slice(last).map_err(|_| Refused::Short)?;
    let mut lines = summed.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()).enumerate();
    let (_, first) = lines.next().ok_or(Refused::Short)?;
    // Before the checksum: a later version may have another one.
    let found: u32 = parsed::<V>(0, first)?.into();
    if found != known {
        return Err(Refused::Version { found, known });
    }
    let mut sum = crc32fast::Hasher::new();
    sum.update(summed);
    let found = shown(sum);
    if found != expected {
        return Err(Refused::Checksum { found, expected });
    }
    Ok(Lines { first, others: Box::new(lines) })
}

pub(crate) fn parsed<'a, T: Deserialize<'a>>(n: usize, line: &'a [u8]) -> Result<T, Refused> {
    serde_json::from_slice(line).map_err(|error| Refused::Line(n + 1, error.to_string()))
}

fn shown(sum: crc32fast::Hasher) -> String {
    format!("{:08x}", sum.finalize())
}
