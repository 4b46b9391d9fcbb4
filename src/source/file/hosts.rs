//! What the file says.

use crate::yaml;
use bytes::Bytes;
use fingerpost_core::model::Labels;
use fingerpost_core::source::{Fault, FaultKind};
use serde::{Deserialize, Serialize};
use serde_yaml::budget::BudgetBreach;
use serde_yaml::options::AliasLimits;
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

/// How many values a file may have, what aliases stand for included. Half a million hosts have five or six million.
const VALUES: usize = 10_000_000;
/// How many octets all texts may have together, what aliases stand for included: as many as the largest file.
const OCTETS: usize = 64 << 20;
/// How deep lists and maps may nest; a host is four deep.
const DEPTH: usize = 16;

/// The hosts, or why there are none.
pub(super) fn parse(path: &Path, contents: &[u8]) -> Result<Hosts, Fault> {
    parse_within(path, contents, VALUES)
}

fn parse_within(path: &Path, contents: &[u8], values: usize) -> Result<Hosts, Fault> {
    let fault = |why: String| malformed(path, &why);
    let text = std::str::from_utf8(contents).map_err(|error| fault(error.to_string()))?;
    let mut alias_limits = AliasLimits::default();
    alias_limits.max_total_replayed_events = 2 * values;
    let mut budget = yaml::budget(values, DEPTH);
    budget.max_total_scalar_bytes = OCTETS;
    let options = serde_yaml::options! {
        strict_booleans: true,
        with_snippet: false,
        budget: Some(budget),
        alias_limits: alias_limits,
    };
    let contents: Contents = serde_yaml::from_str_with_options(text, options).map_err(|error| fault(plain(&error)))?;
    contents.hosts.ok_or_else(|| fault("hosts says nothing: write `hosts: {}` if there shall be no hosts".into()))
}

/// What follows the fault where it is followed.
pub(super) const STAYS: &str = ": what it said before stays";

/// The contents make no sense.
pub(super) fn malformed(path: &Path, why: &str) -> Fault {
    Fault { kind: FaultKind::Malformed, message: format!("{}: {why}{STAYS}; correct the file", path.display()) }
}

/// What lets a short file stand for a long one.
const REPEATS: &str = "its aliases repeat too much: write it without aliases";

/// Which limit is passed, and what to do.
fn too_much(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => {
            format!("has more than {VALUES} values: let several sources read a file each")
        }
        BudgetBreach::Depth { .. } => {
            format!("is nested more than {DEPTH} deep: look at indentation and brackets")
        }
        BudgetBreach::ScalarBytes { .. } => {
            format!(
                "has texts of more than {} MiB, with what its aliases stand for: write it without aliases",
                OCTETS >> 20
            )
        }
        _ => REPEATS.into(),
    }
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
        Error::Unexpected { expected: "mapping start", .. } => {
            "keys and values are wanted here: write `hosts: { node-a1: { addresses: [10.168.0.11], subnets: [10.244.1.0/24] } }`, with \
             the hosts by name, or `hosts: {}` if there shall be none"
                .into()
        }
        Error::Unexpected { expected: "sequence start", .. } => {
            "a list is wanted here: write it in brackets, as in `subnets: [10.244.1.0/24]`".into()
        }
        Error::Budget { breach, .. } => too_much(breach),
        Error::AliasError { error, .. } => match error.without_snippet() {
            Error::Budget { breach, .. } => too_much(breach),
            _ => "has aliases that do not fit there: write it without aliases".into(),
        },
        Error::AliasReplayLimitExceeded { .. } | Error::AliasReplayStackDepthExceeded { .. } => REPEATS.into(),
        Error::UnsupportedTag { .. } | Error::TaggedScalarCannotDeserializeIntoString { .. } => {
            "has a tag (!…): remove it".into()
        }
        Error::BinaryNotUtf8 { .. } => "has binary data: write text".into(),
        _ => text.to_owned(),
    };
    format!("{place}{said}")
}

#[cfg(test)]
mod tests {
    use super::{parse, parse_within};
    use std::fmt::Write;
    use std::path::Path;

    fn said(contents: &str) -> String {
        parse(Path::new("hosts.yaml"), contents.as_bytes()).unwrap_err().message
    }

    #[test]
    fn a_file_of_many_hosts_and_of_a_host_with_many_subnets_is_read() {
        let mut text = String::from("hosts:\n  big:\n    addresses: [10.168.0.1]\n    subnets:\n");
        for n in 0..200_000_u32 {
            writeln!(text, "      - 10.{}.{}.{}/32", n >> 16, n >> 8 & 255, n & 255).unwrap();
        }
        for n in 0..20_000 {
            writeln!(text, "  node-{n}: {{ addresses: [10.168.0.2], subnets: [], labels: *rack }}").unwrap();
        }
        let text = text.replacen("labels: *rack", "labels: &rack { rack: a7 }", 1);
        let hosts = parse(Path::new("hosts.yaml"), text.as_bytes()).unwrap();
        assert_eq!((hosts.len(), hosts["big"].subnets.len()), (20_001, 200_000));
        assert!(hosts.values().skip(1).all(|host| host.labels.0["rack"] == "a7"));
    }

    #[test]
    fn too_many_values_are_said_with_the_limit_and_not_taken_for_depth_or_aliases() {
        let of =
            |values| parse_within(Path::new("hosts.yaml"), b"hosts: { a: { addresses: [b], subnets: [] } }", values);
        assert!(of(10).is_ok());
        let why = of(9).unwrap_err().message;
        assert!(why.contains("has more than 10000000 values: let several sources read a file each"), "{why}");
    }

    #[test]
    fn what_is_no_map_or_no_list_is_said_with_how_to_write_it() {
        for hosts in
            ["hosts: []", "hosts: none", "hosts:\n  - name: a\n    addresses: []\n", "hosts: { a: [10.168.0.1] }", "[]"]
        {
            let said = said(hosts);
            assert!(said.contains("keys and values are wanted here: write `hosts: { node-a1: {"), "{hosts}: {said}");
            assert!(said.contains("hosts.yaml: line ") && said.contains("or `hosts: {}`"), "{hosts}: {said}");
        }
        let said = said("hosts: { a: { addresses: 10.168.0.1, subnets: [] } }");
        assert!(said.contains("line 1, column 26: a list is wanted here: write it in brackets"), "{said}");
    }

    #[test]
    fn a_short_file_that_stands_for_a_long_one_is_refused() {
        let long = "x".repeat(64 << 10);
        let text = format!(
            "hosts:\n  a: {{ addresses: [&a {long}], subnets: [] }}\n  b: {{ addresses: [{}], subnets: [] }}\n",
            "*a, ".repeat(2000)
        );
        assert!(
            said(&text).contains("has texts of more than 64 MiB, with what its aliases stand for"),
            "{}",
            said(&text)
        );
    }
}
