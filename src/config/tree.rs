//! The first step: YAML as an untyped tree in which every key and value knows where it stands.
//!
//! serde's derived structs stop at the first wrong field. Here only what is no YAML at all stops the reading; everything
//! else, unknown and repeated keys included, reaches the second step, which reports all of it at once.

use super::fault::Fault;
use crate::yaml;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::budget::BudgetBreach;
use serde_yaml::options::{AliasLimits, DuplicateKeyPolicy};
use serde_yaml::{NonFiniteFloatPolicy, Spanned};
use std::fmt;

/// How deep lists and maps may nest.
const DEPTH: usize = 16;
/// How many values and ends of values aliases may stand for, besides one for each octet of the text.
const REPLAYED: usize = 1000;
/// How many values a file may have.
const VALUES: usize = 1_000_000;

/// A place in the file: line and column, both from 1. Ordered as one reads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Pos {
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Pos {
    pub(super) const START: Pos = Pos { line: 1, column: 1 };

    fn of(location: serde_yaml::Location) -> Pos {
        let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).max(1);
        Pos { line: narrow(location.line()), column: narrow(location.column()) }
    }
}

/// A value and where it stands (an alias: where its anchor is defined, since that is the text to change).
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Pos,
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float,
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value. Repeated keys are kept: the second step refuses them.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Pos,
    pub(super) node: Node,
}

impl Value {
    pub(super) fn integer(&self) -> Option<i128> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// What it is, for "expected …, found …".
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Int(_) => "a number",
            Value::Float => "a decimal fraction",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// Reads the whole text, or says where it stops being YAML.
pub(super) fn read(text: &str) -> Result<Node, Fault> {
    read_within(text, VALUES)
}

fn read_within(text: &str, values: usize) -> Result<Node, Fault> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Node { at: Pos::START, value: Value::Map(Vec::new()) });
    }
    let mut alias_limits = AliasLimits::default();
    // What aliases stand for costs no more than the text itself may, so that no short file is long to read.
    alias_limits.max_total_replayed_events = REPLAYED + text.len();
    alias_limits.max_replay_stack_depth = 4;
    let options = serde_yaml::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        // A snippet would repeat lines of the file in the log.
        with_snippet: false,
        // Reading is recursive, and a configuration is at most eight deep.
        budget: Some(yaml::budget(values, DEPTH)),
        alias_limits: alias_limits,
    };
    match serde_yaml::from_str_with_options::<Node>(text, options) {
        Ok(Node { value: Value::Null, .. }) => Ok(Node { at: Pos::START, value: Value::Map(Vec::new()) }),
        Ok(node) => Ok(node),
        Err(error) => Err(plain(&error)),
    }
}

/// The error in one line; what the library says to its programmers is said to users instead.
fn plain(error: &serde_yaml::Error) -> Fault {
    let at = error.location().map_or(Pos::START, Pos::of);
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default();
    let text = text.strip_suffix(&format!(" at line {}, column {}", at.line, at.column)).unwrap_or(text);
    let (message, hint) = words(error.without_snippet(), text);
    Fault::new("", at, &format!("not valid YAML: {message}"), hint)
}

fn words<'a>(error: &serde_yaml::Error, text: &'a str) -> (&'a str, Option<&'static str>) {
    use serde_yaml::Error;
    const TOO_DEEP: (&str, Option<&str>) =
        ("is nested more than 16 deep", Some("a configuration is at most 8 deep: look at indentation and brackets"));
    match error {
        _ if text.starts_with("tabs ") => (text, Some("indent with spaces")),
        Error::MultipleDocuments { .. } => ("has more than one document", Some("remove --- and what follows it")),
        Error::NullIntoString { .. } => ("has a key that is null", Some("put the key in quotes, or remove it")),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => TOO_DEEP,
        Error::Budget { breach: BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. }, .. } => {
            ("has more than 1000000 values", Some("name the right file, or remove what is not needed"))
        }
        // Whatever is wrong inside an alias: values are taken as they come, so only limits remain.
        Error::AliasError { error, .. } => match words(error.without_snippet(), text) {
            found @ (_, Some(_)) => found,
            _ => ("its aliases repeat too much", Some("write it without aliases")),
        },
        Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } | Error::AliasReplayStackDepthExceeded { .. } => {
            ("its aliases repeat too much", Some("write it without aliases"))
        }
        Error::Unexpected { .. } => (text, Some("keys are words, and brackets close what they open")),
        Error::UnsupportedTag { .. } => (text, Some("remove the tag")),
        // The parser's own errors have no names.
        Error::ExternalMessage { .. } if text == "recursion limit exceeded" => TOO_DEEP,
        Error::ExternalMessage { .. } if text.starts_with("unexpected character") => {
            (text, Some("remove that character, and save the file as plain text"))
        }
        _ => (text, None),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Node { at: Pos::of(spanned.defined), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a map")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(Value::Int(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Float)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = seq.next_element()? {
            list.push(node);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            entries.push(Entry { key: key.value, at: Pos::of(key.defined), node: map.next_value()? });
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::read_within;

    #[test]
    fn too_many_values_are_said_and_not_taken_for_depth() {
        assert!(read_within("a: [1, 2, 3]", 6).is_ok());
        let fault = read_within("a: [1, 2, 3, 4]", 6).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "not valid YAML: has more than 1000000 values: name the right file, or remove what is not needed"
        );
    }
}
