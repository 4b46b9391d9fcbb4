//! A snapshot's lines: one that says whose it is, and one for each record.

use super::sealed::{self, Lines, Refused, parsed};
use crate::clock::unix_millis;
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
    pub(super) suspect: bool,
    pub(super) passed: Rev,
}

/// What a file says.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Contents {
    pub(super) snapshot: Snapshot,
    /// What was spent of the source's limits, and when; none in a file from before that was kept.
    pub(super) spent: Option<(Spent, SystemTime)>,
    /// What its keys began with, if they begin with something else now. Names of records are without that.
    pub(super) keys: Option<String>,
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
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    suspect: bool,
    /// 0 in a file from before that was kept.
    #[serde(default)]
    passed: u64,
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    held: Vec<String>,
}

pub(super) fn write(to: impl Write, header: &Header, records: &[KnownRecord]) -> io::Result<()> {
    let first = HeaderLine {
        fingerpost_snapshot: VERSION,
        source: header.source.clone(),
        keys: text(&header.keys),
        cluster: format!("{:x}", header.cluster.0),
        revision: header.at.0,
        spent: Some(SpentLine::new(&header.spent, header.spent_at)),
        suspect: header.suspect,
        passed: header.passed.0,
    };
    sealed::write(to, &first, records.iter().map(RecordLine::from))
}

/// What the file of a source with these keys says.
pub(super) fn read(contents: &[u8], keys: &[u8]) -> Result<Contents, Refused> {
    let Lines { first, others } = sealed::read::<Version>(contents, VERSION)?;
    let header: HeaderLine = parsed(0, first)?;
    let cluster = u64::from_str_radix(&header.cluster, 16).map_err(|error| Refused::Line(1, error.to_string()))?;
    let records = others.map(|(n, line)| parsed::<RecordLine>(n, line)?.record(n)).collect::<Result<_, _>>()?;
    let (cluster, at) = (ClusterId(cluster), Rev(header.revision));
    let snapshot = Snapshot { cluster, at, records, suspect: header.suspect, passed: Rev(header.passed) };
    let spent = header.spent.as_ref().map(SpentLine::spent);
    Ok(Contents { snapshot, spent, keys: (header.keys != text(keys)).then_some(header.keys) })
}

#[derive(Deserialize)]
struct Version {
    fingerpost_snapshot: u32,
}

impl From<Version> for u32 {
    fn from(version: Version) -> u32 {
        version.fingerpost_snapshot
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

impl SpentLine {
    fn new(spent: &Spent, at: SystemTime) -> Self {
        SpentLine {
            withdrawal: spent.share(ChangeKind::Withdrawal),
            moved: spent.share(ChangeKind::Move),
            addition: spent.share(ChangeKind::Addition),
            at: unix_millis(at),
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
            held: record.held.iter().map(ToString::to_string).collect(),
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
            held: self.held.iter().map(|text| prefix(text)).collect::<Result<_, _>>()?,
        })
    }
}
