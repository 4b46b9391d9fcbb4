//! What the file says.

use bytes::Bytes;
use fingerpost_core::model::Labels;
use fingerpost_core::source::{Fault, FaultKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Hosts by name.
pub(super) type Hosts = BTreeMap<String, Host>;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    hosts: Option<Hosts>,
}

/// A host in it, and as the record that the schema reads.
#[derive(PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Host {
    addresses: Vec<String>,
    subnets: Vec<String>,
    #[serde(default)]
    labels: Labels,
}

impl Host {
    /// As a record of the native schema.
    pub(super) fn record(&self) -> Bytes {
        // Texts and lists of them: there is nothing that JSON could not hold.
        serde_json::to_vec(self).map(Bytes::from).unwrap_or_default()
    }

    /// Whether it says all that the other says, and maybe more.
    fn keeps(&self, other: &Host) -> bool {
        let labels = |(name, value)| self.labels.0.get(name) == Some(value);
        other.addresses.iter().all(|address| self.addresses.contains(address))
            && other.subnets.iter().all(|subnet| self.subnets.contains(subnet))
            && other.labels.0.iter().all(labels)
    }
}

/// Whether the hosts have all that was known, and maybe more: nothing is withdrawn or moved by them.
pub(super) fn only_add(hosts: &Hosts, known: &Hosts) -> bool {
    known.iter().all(|(name, known)| hosts.get(name).is_some_and(|host| host == known || host.keeps(known)))
}

/// The hosts, or why there are none.
pub(super) fn parse(path: &Path, contents: &[u8]) -> Result<Hosts, Fault> {
    let fault = |why: String| malformed(path, &why);
    let text = std::str::from_utf8(contents).map_err(|error| fault(error.to_string()))?;
    let options = serde_yaml::options! { strict_booleans: true, with_snippet: false };
    let contents: Contents = serde_yaml::from_str_with_options(text, options).map_err(|error| fault(plain(&error)))?;
    contents.hosts.ok_or_else(|| fault("hosts says nothing: write `hosts: {}` if there shall be no hosts".into()))
}

/// What follows the fault where it is followed.
pub(super) const STAYS: &str = ": what it said before stays";

/// The contents make no sense.
pub(super) fn malformed(path: &Path, why: &str) -> Fault {
    Fault { kind: FaultKind::Malformed, message: format!("{}: {why}{STAYS}; correct the file", path.display()) }
}

/// The error in one line; what the library says to its programmers is said to users instead.
fn plain(error: &serde_yaml::Error) -> String {
    use serde_yaml::Error;
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default();
    let (place, text) = match error.location() {
        None => (String::new(), text),
        Some(at) => {
            let place = format!("line {}, column {}", at.line(), at.column());
            let text = text.strip_suffix(&format!(" at {place}")).unwrap_or(text);
            (format!("{place}: "), text)
        }
    };
    let said = match error.without_snippet() {
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("{key} is there twice: keep one of them"),
        Error::DuplicateMappingKey { .. } => "a key is there twice: keep one of them".into(),
        Error::MultipleDocuments { .. } => "has more than one document: remove --- and what follows it".into(),
        Error::NullIntoString { .. } => "has nothing where a text is wanted: write one, or put it in quotes".into(),
        Error::Budget { .. } | Error::AliasError { .. } => {
            "is nested too deeply or repeats too much: write it without aliases".into()
        }
        Error::UnsupportedTag { .. } | Error::TaggedScalarCannotDeserializeIntoString { .. } => {
            "has a tag (!…): remove it".into()
        }
        Error::BinaryNotUtf8 { .. } => "has binary data: write text".into(),
        _ => text.to_owned(),
    };
    format!("{place}{said}")
}
