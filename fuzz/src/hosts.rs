//! Records of every schema, and the file of hosts.

use crate::bounded;
use fingerpost::source::file;
use fingerpost_core::source::schema::{Decoded, Schema, Statement};
use std::collections::BTreeSet;
use std::path::Path;

/// Key, line feed, value; the key is below the schema's prefix.
fn record(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|octet| *octet == b'\n').unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}

/// A record of our own.
pub(crate) fn native(input: &[u8]) {
    let (name, value) = record(input);
    let schema = Schema::Native { prefix: "/fingerpost/".into() };
    if let Some(statement) = decode(&schema, &[b"/fingerpost/hosts/", name].concat(), value) {
        assert_eq!(statement.host.as_str().as_bytes(), name);
        let addresses = &statement.addresses;
        let written = serde_json::json!({
            "addresses": addresses.ipv4.map(|ip| ip.to_string()).into_iter()
                .chain(addresses.ipv6.map(|ip| ip.to_string())).collect::<Vec<_>>(),
            "subnets": statement.subnets.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "labels": statement.labels,
        });
        let again = schema.decode(&[b"/fingerpost/hosts/", name].concat(), written.to_string().as_bytes());
        // A field that means nothing is told, and is not written again.
        let statement = Statement { unknown: None, ..statement };
        assert_eq!(again, Ok(Decoded::Statement(statement)), "written again, it says the same");
    }
    assert_eq!(schema.decode(&[b"/elsewhere/", name].concat(), value), Ok(Decoded::Ignored));
}

/// A lease of flannel's.
pub(crate) fn flannel(input: &[u8]) {
    let (name, value) = record(input);
    let schema = Schema::Flannel { prefix: "/coreos.com/network".into() };
    if let Some(statement) = decode(&schema, &[b"/coreos.com/network/subnets/", name].concat(), value) {
        assert!(statement.subnets.len() <= 2, "one subnet a family: {statement:?}");
        assert!(statement.subnets.windows(2).all(|pair| pair[0].family() != pair[1].family()));
    }
    assert_eq!(schema.decode(b"/coreos.com/network/config", value), Ok(Decoded::Ignored));
}

/// A file of hosts, whose records are then read as any others.
pub(crate) fn file(input: &[u8]) {
    match bounded(input, 4096, 1 << 20, || file::parse(Path::new("hosts.yaml"), input)) {
        Ok(hosts) => {
            let names: BTreeSet<_> = hosts.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), hosts.len(), "a host stands twice");
            for (name, value) in &hosts {
                decode(&Schema::Hosts, name.as_bytes(), value);
            }
        }
        Err(fault) => {
            assert!(fault.message.starts_with("hosts.yaml: "), "{fault:?}");
            assert!(fault.message.contains(": what it said before stays"), "{fault:?}");
        }
    }
}

fn decode(schema: &Schema, key: &[u8], value: &[u8]) -> Option<Statement> {
    let input = [key, value].concat();
    let answer = bounded(&input, 96, 1 << 14, || schema.decode(key, value));
    assert_eq!(schema.decode(key, value), answer, "the same record, the same answer");
    match answer {
        Ok(Decoded::Statement(statement)) => {
            assert!(statement.subnets.is_sorted_by(|a, b| a < b), "in order, each once: {statement:?}");
            let claims: Vec<_> = statement.claims().collect();
            for (subnet, next_hop) in &claims {
                assert_eq!(subnet.family(), fingerpost_core::model::Family::of(*next_hop));
                assert!(!next_hop.is_unspecified());
                assert_eq!(subnet.net(), subnet.net().trunc(), "no host bits");
            }
            assert_eq!(claims.len() + statement.unresolved().count(), statement.subnets.len());
            Some(statement)
        }
        Ok(Decoded::Ignored) => panic!("a key of the schema's is ignored"),
        Err(why) => {
            // A host name of 253 characters, each escaped, is the longest thing that is shown.
            assert!((1..3000).contains(&why.0.len()), "{why}");
            assert!(!why.0.chars().any(char::is_control), "{why:?} could write into a terminal");
            None
        }
    }
}
