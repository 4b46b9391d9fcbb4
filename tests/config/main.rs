//! The configuration as users write it: what is read, what is refused, and in which words.
//!
//! A case replaces one line of a right configuration and lists every fault (or warning) with line, column, path, message
//! and hint.

// The configurations here name an etcd, which a build without it refuses.
#![cfg(feature = "etcd")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accepted;
mod election;
mod fence;
mod files;
mod gateways;
mod guard;
mod mutated;
mod page;
mod policies;
mod router;
mod service;
mod shape;
mod sources;
mod warnings;

use fingerpost::config::{self, Config, Fault, Faults};
use std::path::Path;

/// A right configuration, without warnings.
const BASE: [&str; 10] = [
    r#"router: { asn: 64512, id: 10.0.3.10, listen: ["0.0.0.0:1179"] }"#,
    r#"sources:"#,
    r#"  prod: { etcd: { endpoints: ["http://127.0.0.1:2379"] }, schema: { native: {} } }"#,
    r#"fence:"#,
    r#"  prefixes: [ { within: 10.244.0.0/16, lengths: 20-28 } ]"#,
    r#"  next_hops: [ 10.168.0.0/16 ]"#,
    r#"gateways:"#,
    r#"  a: { address: 10.168.0.1, asn: 64500, policy: all }"#,
    r#"policies:"#,
    r#"  all: [ { match: {}, then: accept } ]"#,
];

/// The base with one line (from 1) replaced.
fn with(line: usize, text: &str) -> String {
    let mut lines = BASE.to_vec();
    lines[line - 1] = text;
    lines.join("\n")
}

fn parse(text: &str) -> Result<Config, Faults> {
    config::parse(text, Path::new("config.yaml"))
}

/// `LINE:COLUMN: path: message: hint`.
fn lines(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(|fault| format!("{}:{}: {fault}", fault.line, fault.column)).collect()
}

#[track_caller]
fn refuses(what: &str, line: usize, text: &str, expected: &[&str]) {
    match parse(&with(line, text)) {
        Ok(_) => panic!("{what}: not refused"),
        Err(faults) => assert_eq!(lines(&faults.faults), expected, "{what}"),
    }
}

#[track_caller]
fn warns(what: &str, line: usize, text: &str, expected: &[&str]) {
    match parse(&with(line, text)) {
        Ok(config) => assert_eq!(lines(&config.warnings), expected, "{what}"),
        Err(faults) => panic!("{what}: refused: {faults}"),
    }
}
