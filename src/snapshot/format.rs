//! The file: a line of JSON that says what it is, one line for each record, and a line with the checksum of all before it.

use fingerpost_core::model::{HostName, Labels, Prefix};
use fingerpost_core::source::schema::Addresses;
use fingerpost_core::source::sync::{KnownRecord, Snapshot};
use fingerpost_core::source::{ClusterId, Rev};
use fingerpost_core::table::{ChangeKind, Spent};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

/// Written and read. A file of a later version is refused: it may say what this one cannot know.
const VERSION: u32 = 1;

/// Whose snapshot it is.
pub(super) struct Header {
    pub(super) source: String,
    pub(super) keys: Vec<u8>,
    pub(super) cluster: ClusterId,
    pub(super) at: Rev,
    pub(super) spent: Spent,
    /// When that was spent.
    pub(super) spent_at: SystemTime,
}

/// What a file says.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Contents {
    pub(super) snapshot: Snapshot,
    /// What was spent of the source's limits, and when; none in a file from before that was kept.
    pub(super) spent: Option<(Spent, SystemTime)>,
}

/// Why a file is not used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("it is cut off or was changed: its checksum is {found}, and {expected} was written")]
    Checksum { found: String, expected: String },
    #[error("it ends before its checksum")]
    Short,
    #[error("it is of version {0}, and this Fingerpost reads {VERSION}")]
    Version(u32),
    #[error("it is of the keys {0:?}, and the source reads {1:?}")]
    OtherKeys(String, String),
    #[error("line {0} cannot be read: {1}")]
    Line(usize, String),
}

#[derive(Serialize, Deserialize)]
struct HeaderLine {
    fingerpost_snapshot: u32,
    source: String,
    keys: String,
    cluster: String,
    revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spent: Option<SpentLine>,
}

/// Shares of the limits, and when that was, in milliseconds since 1970.
#[derive(Serialize, Deserialize)]
struct SpentLine {
    withdrawal: f64,
    #[serde(rename = "move")]
    moved: f64,
    addition: f64,
    at: u64,
}

/// `name` where it is text, else `octets`.
#[derive(Serialize, Deserialize)]
struct RecordLine {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    octets: Vec<u8>,
    modified: u64,
    created: u64,
    host: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ipv4: Option<Ipv4Addr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ipv6: Option<Ipv6Addr>,
    subnets: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dangling: Vec<(String, IpAddr)>,
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

pub(super) fn write(to: impl Write, header: &Header, records: &[KnownRecord]) -> io::Result<()> {
    let mut to = Summed { to, sum: crc32fast::Hasher::new() };
    let first = HeaderLine {
        fingerpost_snapshot: VERSION,
        source: header.source.clone(),
        keys: text(&header.keys),
        cluster: format!("{:x}", header.cluster.0),
        revision: header.at.0,
        spent: Some(SpentLine::new(&header.spent, header.spent_at)),
    };
    line(&mut to, &first)?;
    for record in records {
        line(&mut to, &RecordLine::from(record))?;
    }
    let crc32 = shown(to.sum.clone());
    line(&mut to, &ChecksumLine { crc32 })
}

fn line(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, value)?;
    to.write_all(b"\n")
}

/// What the file of a source with these keys says.
pub(super) fn read(contents: &[u8], keys: &[u8]) -> Result<Contents, Refused> {
    let body = contents.strip_suffix(b"\n").ok_or(Refused::Short)?;
    let cut = body.iter().rposition(|octet| *octet == b'\n').ok_or(Refused::Short)? + 1;
    let (summed, last) = body.split_at(cut);
    let ChecksumLine { crc32: expected } = serde_json::from_slice(last).map_err(|_| Refused::Short)?;
    let mut lines = summed.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()).enumerate();
    let (_, first) = lines.next().ok_or(Refused::Short)?;
    // Before the checksum: a later version may have another one.
    let version: Version = parsed(0, first)?;
    if version.fingerpost_snapshot != VERSION {
        return Err(Refused::Version(version.fingerpost_snapshot));
    }
    let mut sum = crc32fast::Hasher::new();
    sum.update(summed);
    let found = shown(sum);
    if found != expected {
        return Err(Refused::Checksum { found, expected });
    }
    let header: HeaderLine = parsed(0, first)?;
    if header.keys != text(keys) {
        return Err(Refused::OtherKeys(header.keys, text(keys)));
    }
    let cluster = u64::from_str_radix(&header.cluster, 16).map_err(|error| Refused::Line(1, error.to_string()))?;
    let records = lines.map(|(n, line)| parsed::<RecordLine>(n, line)?.record(n)).collect::<Result<_, _>>()?;
    let snapshot = Snapshot { cluster: ClusterId(cluster), at: Rev(header.revision), records };
    Ok(Contents { snapshot, spent: header.spent.as_ref().map(SpentLine::spent) })
}

#[derive(Deserialize)]
struct Version {
    fingerpost_snapshot: u32,
}

fn parsed<'a, T: Deserialize<'a>>(n: usize, line: &'a [u8]) -> Result<T, Refused> {
    serde_json::from_slice(line).map_err(|error| Refused::Line(n + 1, error.to_string()))
}

fn shown(sum: crc32fast::Hasher) -> String {
    format!("{:08x}", sum.finalize())
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

impl SpentLine {
    fn new(spent: &Spent, at: SystemTime) -> Self {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        SpentLine {
            withdrawal: spent.share(ChangeKind::Withdrawal),
            moved: spent.share(ChangeKind::Move),
            addition: spent.share(ChangeKind::Addition),
            at: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn spent(&self) -> (Spent, SystemTime) {
        let share = |kind| match kind {
            ChangeKind::Withdrawal => self.withdrawal,
            ChangeKind::Move => self.moved,
            ChangeKind::Addition => self.addition,
        };
        let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(self.at));
        // A moment that no clock can show is no earlier than now.
        (Spent::new(share), at.unwrap_or_else(SystemTime::now))
    }
}

impl From<&KnownRecord> for RecordLine {
    fn from(record: &KnownRecord) -> Self {
        let name = String::from_utf8(record.name.to_vec()).ok();
        RecordLine {
            octets: if name.is_some() { Vec::new() } else { record.name.to_vec() },
            name,
            modified: record.modified.0,
            created: record.created.0,
            host: record.host.to_string(),
            labels: record.labels.0.clone(),
            ipv4: record.addresses.ipv4,
            ipv6: record.addresses.ipv6,
            subnets: record.subnets.iter().map(ToString::to_string).collect(),
            dangling: record.dangling.iter().map(|(prefix, hop)| (prefix.to_string(), *hop)).collect(),
        }
    }
}

impl RecordLine {
    fn record(self, n: usize) -> Result<KnownRecord, Refused> {
        let prefix = |text: &str| text.parse::<Prefix>().map_err(|error| Refused::Line(n + 1, error.to_string()));
        Ok(KnownRecord {
            name: self.name.map(String::into_bytes).unwrap_or(self.octets).into(),
            modified: Rev(self.modified),
            created: Rev(self.created),
            host: HostName::new(&self.host).map_err(|error| Refused::Line(n + 1, error.to_string()))?,
            labels: Labels(self.labels),
            addresses: Addresses { ipv4: self.ipv4, ipv6: self.ipv6 },
            subnets: self.subnets.iter().map(|text| prefix(text)).collect::<Result<_, _>>()?,
            dangling: self.dangling.iter().map(|(text, hop)| Ok((prefix(text)?, *hop))).collect::<Result<_, _>>()?,
        })
    }
}
