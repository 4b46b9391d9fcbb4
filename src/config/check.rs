//! The second step's tools: what collects the faults, and how values are taken out of the tree.
//!
//! A reading function returns `None` after it has reported why, and reading goes on with the next key. A fault names
//! only a path; where that stands is looked up in an index of the tree.

use super::fault::Fault;
use super::keys::Keys;
use super::suggest::nearest;
use super::tree::{Entry, Node, Pos, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Collects faults and warnings.
pub(super) struct Check {
    /// Key and value of every path.
    index: BTreeMap<String, (Pos, Pos)>,
    base: PathBuf,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Fault>,
}

impl Check {
    pub(super) fn new(root: &Node, base: &Path) -> Self {
        let mut index = BTreeMap::new();
        enter(&mut index, String::new(), Pos::START, root);
        Check { index, base: base.into(), faults: Vec::new(), warnings: Vec::new() }
    }

    /// Reports a fault of the value at `path`.
    pub(super) fn fault(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        let at = self.position(path).1;
        self.faults.push(Fault::new(path, at, &message.into(), Some(&hint.into())));
    }

    /// Reports a fault of the value at `path` whose message says what to write (`…: write …`), as the core's errors do.
    pub(super) fn refused(&mut self, path: &str, error: impl std::fmt::Display) {
        let text = error.to_string();
        match text.split_once(": write ") {
            Some((message, hint)) => self.fault(path, message, format!("write {hint}")),
            None => {
                let at = self.position(path).1;
                self.faults.push(Fault::new(path, at, &text, None));
            }
        }
    }

    /// Reports a fault of the key at `path`, or of its absence.
    pub(super) fn key_fault(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        let at = self.position(path).0;
        self.faults.push(Fault::new(path, at, &message.into(), Some(&hint.into())));
    }

    /// Remarks on the value at `path`: probably not meant, but used.
    pub(super) fn warn(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        let at = self.position(path).1;
        self.warnings.push(Fault::new(path, at, &message.into(), Some(&hint.into())));
    }

    /// What relative file names are relative to.
    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// The line of the key at `path`.
    pub(super) fn line(&self, path: &str) -> u32 {
        self.position(path).0.line
    }

    /// Where the key and the value stand; for what is not in the file, where its table's key stands.
    fn position(&self, path: &str) -> (Pos, Pos) {
        let mut path = path;
        loop {
            if let Some(found) = self.index.get(path) {
                return *found;
            }
            let Some(cut) = path.rfind(['.', '[']) else { return (Pos::START, Pos::START) };
            path = &path[..cut];
            if let Some((key, _)) = self.index.get(path) {
                return (*key, *key);
            }
        }
    }
}

fn enter(index: &mut BTreeMap<String, (Pos, Pos)>, path: String, key: Pos, node: &Node) {
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                enter(index, below(&path, &entry.key), entry.at, &entry.node);
            }
        }
        Value::List(items) => {
            for (n, item) in items.iter().enumerate() {
                enter(index, format!("{path}[{n}]"), item.at, item);
            }
        }
        _ => {}
    }
    index.entry(path).or_insert((key, node.at));
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A value and the path that leads to it.
#[derive(Clone)]
pub(super) struct Field<'a> {
    pub(super) path: String,
    pub(super) node: &'a Node,
}

/// A table whose keys are known; unknown, unbuilt and repeated ones have been reported.
pub(super) struct Table<'a> {
    pub(super) path: String,
    entries: &'a [Entry],
}

impl<'a> Field<'a> {
    pub(super) fn root(node: &'a Node) -> Self {
        Field { path: String::new(), node }
    }

    /// Reports that this is not what was expected.
    pub(super) fn expected(&self, what: &str, hint: &str, check: &mut Check) {
        match &self.node.value {
            Value::Null => check.fault(&self.path, "has no value", "give it one, or remove the key"),
            other => check.fault(&self.path, format!("is {} where {what} belongs", other.kind()), hint),
        }
    }

    pub(super) fn is_empty_map(&self) -> bool {
        matches!(&self.node.value, Value::Map(entries) if entries.is_empty())
    }

    fn map(&self, check: &mut Check) -> Option<&'a [Entry]> {
        match &self.node.value {
            Value::Map(entries) => Some(entries),
            Value::Null => {
                check.fault(&self.path, "has no value", "write its keys indented below it, or {} for none");
                None
            }
            _ => {
                self.expected("a map of keys", "write its keys indented below it, or {} for none", check);
                None
            }
        }
    }

    /// The value as a table with these keys.
    pub(super) fn table(&self, keys: &Keys, check: &mut Check) -> Option<Table<'a>> {
        let entries = self.map(check)?;
        repeated(&self.path, entries, check);
        for entry in entries {
            let path = below(&self.path, &entry.key);
            let key = entry.key.as_str();
            if keys.not_yet.contains(&key) {
                let (message, hint) = refusal(key);
                check.key_fault(&path, message, hint);
            } else if !keys.built.contains(&key) {
                check.key_fault(&path, "unknown key", advice(key, keys));
            }
        }
        Some(Table { path: self.path.clone(), entries })
    }

    /// The value as a map from names of the user's to values.
    pub(super) fn named(&self, check: &mut Check) -> Option<Vec<(String, Field<'a>)>> {
        if let Value::List(_) = &self.node.value {
            check.fault(&self.path, "is a list where names belong", "write NAME: {…} for each, without the dash");
            return None;
        }
        let entries = self.map(check)?;
        repeated(&self.path, entries, check);
        let mut named = Vec::new();
        for entry in entries {
            named.push((entry.key.clone(), Field { path: below(&self.path, &entry.key), node: &entry.node }));
        }
        Some(named)
    }

    /// The items of a list.
    pub(super) fn items(&self, what: &str, check: &mut Check) -> Option<Vec<Field<'a>>> {
        let Value::List(items) = &self.node.value else {
            self.expected("a list", &format!("write [{what}, …]"), check);
            return None;
        };
        let item = |(n, node)| Field { path: format!("{}[{n}]", self.path), node };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// The items of a list, each read; none unless all are right.
    pub(super) fn list<T>(
        &self,
        what: &str,
        check: &mut Check,
        mut read: impl FnMut(&Field<'a>, &mut Check) -> Option<T>,
    ) -> Option<Vec<T>> {
        let read: Vec<Option<T>> = self.items(what, check)?.iter().map(|item| read(item, check)).collect();
        read.into_iter().collect()
    }
}

impl<'a> Table<'a> {
    pub(super) fn path(&self, key: &str) -> String {
        below(&self.path, key)
    }

    /// The value of the key, if it is there (the first, if it is repeated).
    pub(super) fn get(&self, key: &str) -> Option<Field<'a>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(Field { path: self.path(key), node: &entry.node })
    }

    /// The value of a required key.
    pub(super) fn need<T>(
        &self,
        key: &str,
        hint: &str,
        check: &mut Check,
        read: impl FnOnce(&Field<'a>, &mut Check) -> Option<T>,
    ) -> Option<T> {
        match self.get(key) {
            Some(field) => read(&field, check),
            None => {
                check.key_fault(&self.path(key), "missing", hint);
                None
            }
        }
    }

    /// The value of an optional key, or the default.
    pub(super) fn or<T>(
        &self,
        key: &str,
        default: T,
        check: &mut Check,
        read: impl FnOnce(&Field<'a>, &mut Check) -> Option<T>,
    ) -> Option<T> {
        match self.get(key) {
            Some(field) => read(&field, check),
            None => Some(default),
        }
    }

    /// The value of an optional key, or none: `Some(None)` where it is absent, `None` where it is wrong.
    pub(super) fn maybe<T>(
        &self,
        key: &str,
        check: &mut Check,
        read: impl FnOnce(&Field<'a>, &mut Check) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.get(key) {
            Some(field) => read(&field, check).map(Some),
            None => Some(None),
        }
    }
}

fn repeated(path: &str, entries: &[Entry], check: &mut Check) {
    let mut first: BTreeMap<&str, Pos> = BTreeMap::new();
    for entry in entries {
        if let Some(at) = first.get(entry.key.as_str()) {
            let message = format!("stands twice, first in line {}", at.line);
            let hint = Some("remove one of the two");
            check.faults.push(Fault::new(&below(path, &entry.key), entry.at, &message, hint));
        } else {
            first.insert(&entry.key, entry.at);
        }
    }
}

/// Why a key that is known is not read, and what to do.
fn refusal(key: &str) -> (&'static str, &'static str) {
    match key {
        "tcp_ao" => ("TCP-AO (RFC 5925), which few kernels are built with, is not yet supported", "remove it"),
        _ => ("is not yet supported", "remove it"),
    }
}

fn advice(key: &str, keys: &Keys) -> String {
    match key {
        "password" if keys.built.contains(&"password_file") => "secrets are read from files: use password_file".into(),
        "neighbors" | "neighbours" | "peers" if keys.built.contains(&"gateways") => "did you mean gateways?".into(),
        _ => match nearest(key, keys.built.iter().chain(keys.not_yet).copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known here: {}", keys.built.join(", ")),
        },
    }
}
