//! `election`: which of several replicas leads.

use super::check::{Check, Field};
use super::community::Community;
use super::gateway::Gateway;
use super::keys;
use super::policy::{self, Action, Policy};
use super::source::{Etcd, Schema, Source, Store};
use fingerpost_core::election::Settings;
use fingerpost_core::model::{Asn, Replica};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// An election among the replicas.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Election {
    /// The source in whose etcd it is held, over a connection of its own.
    pub source: String,
    /// The key under which the leader stands; others of the election begin with it.
    pub key: String,
    /// What this replica is called; None: by `router.id`.
    pub identity: Option<String>,
    /// After how long without a sign of life a leader may be followed by another.
    pub ttl: Duration,
}

const DEFAULT_KEY: &str = "/fingerpost/leader";
const DEFAULT_TTL: Duration = Duration::from_secs(10);
/// etcd counts leases in whole seconds, and a renewal has to fit into it several times.
const SHORTEST: Duration = Duration::from_secs(3);
const LONGEST: Duration = Duration::from_secs(60);
/// An endpoint that has to answer sooner may be given up while it is well: connecting by TLS and logging in takes some round trips and
/// a hash of the password, and etcd writes to its disk.
const HURRIED: Duration = Duration::from_millis(250);

impl Election {
    /// How much earlier a leader stops by itself: more than two clocks drift apart within a lease, and than a write takes that has
    /// begun.
    pub fn margin(&self) -> Duration {
        self.ttl / 5
    }

    /// The store.
    pub fn etcd<'a>(&self, sources: &'a BTreeMap<String, Source>) -> Option<&'a Etcd> {
        match &sources.get(&self.source)?.store {
            Store::Etcd(etcd) => Some(etcd),
            Store::File(_) => None,
        }
    }
}

/// What an election is read beside.
pub(super) struct Around<'a> {
    pub(super) sources: Option<&'a BTreeMap<String, Source>>,
    pub(super) source_names: Option<&'a BTreeSet<String>>,
    pub(super) has_state_dir: bool,
}

pub(super) fn read(field: &Field<'_>, around: &Around<'_>, check: &mut Check) -> Option<Election> {
    let table = field.table(&keys::ELECTION, check)?;
    if !around.has_state_dir {
        let hint = "give state_dir: the terms of the election are remembered there";
        check.key_fault(&table.path, "needs a state_dir", hint);
    }
    let Some(etcd) = table.get("etcd") else {
        if table.get("kubernetes").is_none() {
            check.key_fault(
                &table.path("etcd"),
                "missing",
                "name the source in whose etcd it is held: etcd: {source: …}",
            );
        }
        return None;
    };
    let etcd = etcd.table(&keys::ELECTION_ETCD, check)?;
    let hint = "name the source in whose etcd the election is held";
    let source = etcd.need("source", hint, check, |field, check| self::source(field, around, check));
    let key = etcd.or("key", DEFAULT_KEY.to_owned(), check, |field, check| self::key(field, around, check));
    let identity = etcd.maybe("identity", check, self::identity);
    let ttl = etcd.or("ttl", DEFAULT_TTL, check, |field, check| {
        let ttl = field.duration(SHORTEST..=LONGEST, check)?;
        if ttl.subsec_nanos() != 0 {
            check.fault(&field.path, "is no number of whole seconds, as etcd's leases are", "write one such as 10s");
            return None;
        }
        Some(ttl)
    });
    let election = Election { source: source?, key: key?, identity: identity?, ttl: ttl? };
    warn_of_hurry(&etcd.path("ttl"), &election, around, check);
    Some(election)
}

/// A renewal has to get through within the lease also where all endpoints but the last are silent.
fn warn_of_hurry(path: &str, election: &Election, around: &Around<'_>, check: &mut Check) {
    let Some(etcd) = around.sources.and_then(|sources| election.etcd(sources)) else { return };
    let endpoints = etcd.endpoints.len();
    let share = |ttl| Settings::patience_with_each(ttl, endpoints);
    if share(election.ttl) >= HURRIED {
        return;
    }
    let message = format!(
        "leaves each of the {endpoints} endpoints {} ms to answer before the next one is asked: the lead may be lost while the store \
         is well",
        share(election.ttl).as_millis(),
    );
    let enough = (SHORTEST.as_secs()..=LONGEST.as_secs()).find(|ttl| share(Duration::from_secs(*ttl)) >= HURRIED);
    let hint = match enough {
        Some(ttl) => format!("write {ttl}s or more, or name fewer endpoints"),
        None => "name fewer endpoints: one for each member is enough".to_owned(),
    };
    check.warn(path, message, hint);
}

fn source(field: &Field<'_>, around: &Around<'_>, check: &mut Check) -> Option<String> {
    let name = field.text(check)?;
    policy::named("source", name, around.source_names, &field.path, check)?;
    let is_file = |source: &Source| matches!(source.store, Store::File(_));
    if around.sources.and_then(|sources| sources.get(name)).is_some_and(is_file) {
        check.fault(&field.path, format!("{name} is a file, which holds no election"), "name a source in etcd");
        return None;
    }
    Some(name.to_owned())
}

fn key(field: &Field<'_>, around: &Around<'_>, check: &mut Check) -> Option<String> {
    let key = field.text(check)?;
    let hint = "write one such as /fingerpost/leader";
    if key.is_empty() || key.ends_with('/') {
        check.fault(&field.path, "is no key: others of the election begin with it and a slash", hint);
        return None;
    }
    for (name, source) in around.sources.into_iter().flatten() {
        let Store::Etcd(etcd) = &source.store else { continue };
        let records = match &etcd.schema {
            Schema::Native { prefix } => format!("{prefix}/hosts/"),
            Schema::Flannel { prefix } => format!("{prefix}/subnets/"),
        };
        if format!("{key}/").starts_with(&records) {
            check.fault(&field.path, format!("is among the records of {name}, {records}…"), hint);
            return None;
        }
    }
    Some(key.to_owned())
}

fn identity(field: &Field<'_>, check: &mut Check) -> Option<String> {
    let identity = field.text(check)?;
    if !Replica::is_identity(identity) {
        let hint =
            "write 1 to 253 letters, digits, dots, colons, hyphens and underscores, or leave it out for router.id";
        check.fault(&field.path, "is no identity", hint);
        return None;
    }
    Some(identity.to_owned())
}

/// Communities that a gateway prefers a route less for, before it looks at MED: GRACEFUL_SHUTDOWN (RFC 8326) and LLGR_STALE (RFC 9494).
const PREFERRED_LESS: [Community; 2] = [Community(0xFFFF_0000), Community(0xFFFF_0006)];

/// What tells gateways whose path is the leader's is not a policy's to set, nor what counts more.
pub(super) fn keep_stamps(
    asn: Option<Asn>,
    gateways: &BTreeMap<String, Gateway>,
    policies: Option<&BTreeMap<String, Policy>>,
    check: &mut Check,
) {
    for (name, policy) in policies.into_iter().flatten() {
        let users = gateways.values().filter(|gateway| gateway.policy.as_ref() == Some(name));
        let (mut external, mut internal) = (false, false);
        for gateway in users {
            external |= Some(gateway.asn) != asn;
            internal |= Some(gateway.asn) == asn;
        }
        let mut accepting = policy.rules.iter().filter(|rule| rule.then == Action::Accept);
        let prepend = accepting.next().map_or(0, |rule| rule.set.prepend);
        for (n, rule) in policy.rules.iter().enumerate().filter(|(_, rule)| rule.then == Action::Accept) {
            let path = |key: &str| format!("policies.{name}[{n}].set.{key}");
            if external && rule.set.prepend != prepend {
                let message = format!(
                    "{} here and {prepend} in a rule before it: a gateway compares the length of AS_PATH before the MED that tells \
                     which replica leads, so with an election all routes have the same",
                    rule.set.prepend
                );
                check.fault(&path("prepend"), message, "write the same in all rules that accept, or use communities");
            }
            if rule.set.communities.iter().any(|community| PREFERRED_LESS.contains(community)) {
                let message = "a gateway prefers any other path to one with graceful-shutdown or llgr-stale, whichever replica leads: \
                               with an election neither can be set";
                check.fault(&path("communities"), message, "remove it, or drain the gateway: gateways.NAME.drain");
            }
            if external && rule.set.med.is_some() {
                let message = "MED tells an eBGP gateway which replica leads: with an election it cannot be set";
                check.fault(&path("med"), message, "remove it, or use communities");
            }
            if internal && rule.set.local_pref.is_some() {
                let message = "LOCAL_PREF tells an iBGP gateway which replica leads: with an election it cannot be set";
                check.fault(&path("local_pref"), message, "remove it, or use communities");
            }
        }
    }
}
