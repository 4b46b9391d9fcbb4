//! What a replica says of itself, and how it is stored.

use super::{Digest, TableDigest};
use crate::model::{PerFamily, Replica, Term};
use crate::source::ClusterId;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The form of the records; another one is not read. What is only added does not change it.
const FORM: u32 = 1;

/// The most octets of a version and of the name of a part of the configuration, and the most of such parts: people read them in a
/// table.
const LONGEST: usize = 64;

/// What a replica says of itself. All of it is of one moment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReplicaReport {
    /// Who says it.
    #[serde(flatten)]
    pub replica: Replica,
    /// What it takes itself for.
    pub role: ReportedRole,
    /// The leadership that it knows of, its own or another's; [`Term::NONE`] if it knows of none.
    pub term: Term,
    /// Its number as a standby. No two are to have the same.
    pub ordinal: u32,
    /// The program's version.
    pub version: String,
    /// Parts of its configuration in which all replicas are to agree, by name.
    pub config: BTreeMap<String, Digest>,
    /// Its sources, by name.
    pub sources: BTreeMap<String, SourceReport>,
    /// What it announces, policies permitting.
    pub tables: PerFamily<TableDigest>,
    /// Its sessions.
    pub sessions: Sessions,
    /// The routers by which it reaches configured gateways that are not on a link of its own, by the gateways' names; none, where
    /// they do not fit into a record.
    #[serde(default)]
    pub routers: BTreeMap<String, IpAddr>,
    /// Changes that its guard keeps back.
    pub held: u64,
    /// Withdrawals by order.
    pub forced: u64,
    /// Whether nothing changes there, by order or because it is not known who leads.
    pub frozen: bool,
    /// Whether something keeps it from leading.
    #[serde(default)]
    pub trouble: bool,
    /// Whether gateways are still to be told something again with the preference of its role.
    #[serde(default)]
    pub restamping: bool,
    /// Whether it was ordered to leave, and will end soon.
    #[serde(default)]
    pub leaving: bool,
    /// Whether it was taken out of service, and no gateway keeps anything of it: the last that it says.
    #[serde(default)]
    pub retired: bool,
}

/// What a replica takes itself for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportedRole {
    /// It leads.
    Leader,
    /// Another leads.
    Standby,
    /// It does not know who leads.
    Unsure,
}

/// A source, as a replica sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SourceReport {
    /// Up to which revision it has taken in what the source says, in the store's own counting; 0: nothing yet. Of a file it
    /// counts what that process has read, and cannot be compared with another's.
    pub revision: u64,
    /// Up to which revision every gateway with a session was handed what came of it, after everything else and End-of-RIB.
    /// Frozen, nothing comes of anything.
    pub told: u64,
    /// The same, where of what was withdrawn a gateway may have what covers it; 0: of a version that does not say.
    #[serde(default)]
    pub handed: u64,
    /// Whether it was read completely and believed once.
    pub complete: bool,
    /// Whether it is known up to now.
    pub current: bool,
    /// Which store that is (etcd's cluster ID); 0: none yet, a file, or of a version that does not say.
    #[serde(default)]
    pub store: ClusterId,
    /// Behind which revision of that store this process has judged each change when it came, without a gap; 0: behind none, or of a
    /// version that does not say.
    #[serde(default)]
    pub since: u64,
}

/// Sessions with gateways.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Sessions {
    /// How many are established, with configured gateways and with those that joined from ranges.
    pub established: u64,
    /// The configured gateways among them, by name and in order; fewer than there are, where they do not fit into a record.
    pub gateways: Vec<String>,
    /// How many with gateways that had joined from ranges have ended: those are not named, and keep what they were told.
    #[serde(default)]
    pub left: u64,
    /// How many with configured gateways have ended: one that came and went between two records is in none of them.
    #[serde(default)]
    pub ended: u64,
}

/// Why a record cannot be read. Nothing of it is repeated: it is not ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// It is larger than any that is written.
    #[error("it has {0} octets, more than {max} at the most", max = ReplicaReport::LARGEST)]
    TooLarge(usize),
    /// Its form has another number, or none.
    #[error("it is none of this version's form")]
    Form,
    /// Its key ends in what no replica can be called.
    #[error("its key ends in what no replica can be called")]
    Name,
    /// It stands under another identity's key.
    #[error("it is of another replica than the one whose key it stands in")]
    OfAnother,
    /// It has a text that is longer, or more parts, than a replica of any version writes.
    #[error("its {0} is longer than any is")]
    TooLong(&'static str),
    /// Something in it is missing, or is no such thing.
    #[error("it is not what a replica says of itself (column {0})")]
    Syntax(usize),
}

#[derive(Serialize, Deserialize)]
struct Line<T> {
    fingerpost_status: u32,
    #[serde(flatten)]
    report: T,
}

#[derive(Deserialize)]
struct Form {
    fingerpost_status: u32,
}

impl Sessions {
    /// How many are with gateways that joined from ranges: those have no names.
    pub fn joined(&self) -> u64 {
        self.established.saturating_sub(u64::try_from(self.gateways.len()).unwrap_or(u64::MAX))
    }
}

impl ReplicaReport {
    /// Whether it has read all its sources, and believed them once.
    pub fn has_read(&self) -> bool {
        self.sources.values().all(|source| source.complete)
    }

    /// The most octets of a record.
    pub const LARGEST: usize = 64 << 10;

    /// As it is stored: what does not fit of the gateways' names is left out.
    pub fn encode(&self) -> Bytes {
        let mut report = self.clone();
        loop {
            // Maps with text keys, numbers and text: nothing in it can fail.
            let line = serde_json::to_vec(&Line { fingerpost_status: FORM, report: &report }).unwrap_or_default();
            if line.len() <= Self::LARGEST || report.sessions.gateways.is_empty() && report.routers.is_empty() {
                return line.into();
            }
            if report.routers.is_empty() {
                report.sessions.gateways.truncate(report.sessions.gateways.len() / 2);
            }
            report.routers.clear();
        }
    }

    /// What another replica has stored, or anybody else.
    ///
    /// # Errors
    /// If no replica of this version would write that.
    pub fn decode(value: &[u8]) -> Result<Self, Malformed> {
        if value.len() > Self::LARGEST {
            return Err(Malformed::TooLarge(value.len()));
        }
        let form: Form = serde_json::from_slice(value).map_err(|_| Malformed::Form)?;
        if form.fingerpost_status != FORM {
            return Err(Malformed::Form);
        }
        let line: Line<ReplicaReport> =
            serde_json::from_slice(value).map_err(|error| Malformed::Syntax(error.column()))?;
        let ReplicaReport { version, config, .. } = &line.report;
        if version.len() > LONGEST {
            return Err(Malformed::TooLong("version"));
        }
        if config.len() > LONGEST || config.keys().any(|part| part.len() > LONGEST) {
            return Err(Malformed::TooLong("list of parts of a configuration"));
        }
        Ok(line.report)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::Instance;
    use proptest::prelude::*;

    pub(crate) fn report(identity: &str) -> ReplicaReport {
        let source = SourceReport {
            revision: u64::MAX,
            told: 7,
            handed: 9,
            complete: true,
            current: true,
            store: ClusterId(u64::MAX),
            since: 3,
        };
        ReplicaReport {
            replica: Replica { identity: identity.into(), instance: Instance(u128::MAX) },
            role: ReportedRole::Standby,
            term: Term::new(7).unwrap(),
            ordinal: 12,
            version: "0.1.0".into(),
            config: [("fence".to_owned(), Digest(u64::MAX))].into(),
            sources: [("prod".to_owned(), source)].into(),
            tables: PerFamily { ipv4: TableDigest { routes: 3, digest: Digest(1) }, ipv6: TableDigest::default() },
            sessions: Sessions { established: 2, gateways: vec!["core-a".into(), "core-b".into()], left: 4, ended: 5 },
            routers: [("core-b".into(), IpAddr::from([10, 168, 0, 1]))].into(),
            held: 1,
            forced: 2,
            frozen: false,
            trouble: false,
            restamping: false,
            leaving: false,
            retired: false,
        }
    }

    #[test]
    fn what_a_replica_says_is_read_as_it_was_said() {
        let said = report("10.0.3.1");
        assert_eq!(ReplicaReport::decode(&said.encode()), Ok(said));
    }

    #[test]
    fn what_a_newer_version_adds_is_no_obstacle_and_what_is_no_report_is_none() {
        let said = report("10.0.3.1");
        let text = String::from_utf8(said.encode().to_vec()).unwrap();
        let more = text.replacen('{', r#"{"mood":"good","#, 1);
        assert_eq!(ReplicaReport::decode(more.as_bytes()), Ok(said));
        for no_form in ["", "{}", "[]", "3", "\u{0}", r#"{"fingerpost_status":2}"#, r#"{"fingerpost_status":"1"}"#] {
            assert_eq!(ReplicaReport::decode(no_form.as_bytes()), Err(Malformed::Form), "{no_form}");
        }
        for (from, to) in [(r#""standby""#, r#""king""#), (r#""term":7"#, r#""term":1000000"#), ("ffff\"", "fffg\"")] {
            assert!(text.contains(from));
            let wrong = text.replacen(from, to, 1);
            assert!(matches!(ReplicaReport::decode(wrong.as_bytes()), Err(Malformed::Syntax(_))), "{wrong}");
        }
        for (from, to, what) in [
            (r#""0.1.0""#, format!(r#""{}""#, "0".repeat(65)), "version"),
            (r#""fence""#, format!(r#""{}""#, "f".repeat(65)), "list of parts of a configuration"),
        ] {
            assert!(text.contains(from));
            let long = text.replacen(from, &to, 1);
            assert_eq!(ReplicaReport::decode(long.as_bytes()), Err(Malformed::TooLong(what)));
        }
        let large = vec![b' '; ReplicaReport::LARGEST + 1];
        assert_eq!(ReplicaReport::decode(&large), Err(Malformed::TooLarge(large.len())));
    }

    #[test]
    fn what_an_earlier_version_says_is_read() {
        let mut said = report("10.0.3.1");
        (said.retired, said.leaving, said.sessions.left, said.sessions.ended) = (false, false, 0, 0);
        said.routers.clear();
        said.sources.values_mut().for_each(|source| (source.store, source.since) = (ClusterId(0), 0));
        let mut text: serde_json::Value = serde_json::from_slice(&said.encode()).unwrap();
        for added in ["retired", "leaving", "routers"] {
            assert!(text.as_object_mut().unwrap().remove(added).is_some());
        }
        for added in ["store", "since"] {
            assert!(text["sources"]["prod"].as_object_mut().unwrap().remove(added).is_some());
        }
        for added in ["left", "ended"] {
            assert!(text["sessions"].as_object_mut().unwrap().remove(added).is_some());
        }
        assert_eq!(ReplicaReport::decode(text.to_string().as_bytes()), Ok(said));
    }

    #[test]
    fn a_record_stays_small_with_any_number_of_gateways() {
        let mut said = report("10.0.3.1");
        said.sessions.gateways = (0..10_000).map(|n| format!("gateway-number-{n}")).collect();
        said.sessions.established = 10_000;
        said.routers = said.sessions.gateways.iter().map(|name| (name.clone(), [10, 168, 0, 1].into())).collect();
        let read = ReplicaReport::decode(&said.encode()).unwrap();
        assert_eq!(read.sessions.established, 10_000);
        assert!(read.routers.is_empty());
        assert!(!read.sessions.gateways.is_empty() && said.sessions.gateways.starts_with(&read.sessions.gateways));
    }

    #[test]
    fn of_what_does_not_fit_routers_go_before_gateways() {
        let mut said = report("10.0.3.1");
        said.sessions.gateways = (0..1000).map(|n| format!("gateway-number-{n}")).collect();
        said.routers = said.sessions.gateways.iter().map(|name| (name.clone(), [10, 168, 0, 1].into())).collect();
        said.routers.extend((0..500).map(|n| (format!("gateway-of-another-name-{n}"), [10, 168, 0, 1].into())));
        let read = ReplicaReport::decode(&said.encode()).unwrap();
        assert_eq!((read.sessions.gateways.len(), read.routers.len()), (1000, 0));
    }

    proptest! {
        #[test]
        fn no_octets_are_too_much_for_it(mut octets in prop::collection::vec(any::<u8>(), 0..64), at in 0..600usize) {
            let _ = ReplicaReport::decode(&octets);
            let mut written = report("a").encode().to_vec();
            let at = at.min(written.len());
            written.splice(at..at, octets.drain(..));
            let _ = ReplicaReport::decode(&written);
        }
    }
}
