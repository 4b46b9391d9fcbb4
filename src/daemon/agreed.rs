//! In what all replicas of one election are to be configured alike, as digests that they tell each other.
//!
//! Addresses, secrets, timers and where things listen are a replica's own; so is how it reaches a store.

use crate::config::{Config, Source, Store};
use fingerpost_core::replicas::Digest;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// By part. Only processes of one version count alike.
pub(super) fn digests(config: &Config) -> BTreeMap<String, Digest> {
    let source = |(name, source): (&String, &Source)| {
        let store = match &source.store {
            Store::Etcd(etcd) => format!("{:?}", etcd.schema),
            Store::File(_) => "file".to_owned(),
        };
        (name.clone(), store, source.priority, source.allow_empty, source.ipv4_via_ipv6)
    };
    let gateways = config.gateways.iter().map(|(name, gateway)| {
        let keeps = &gateway.open.graceful_restart;
        // Drained by the leader alone, a gateway goes by a standby: GRACEFUL_SHUTDOWN counts before MED.
        let drain = gateway.drain;
        (name, gateway.asn, &gateway.policy, &gateway.families, gateway.max_prefix, &gateway.attached, keeps, drain)
    });
    let election = config.election.as_ref().map(|election| (&election.key, election.ttl));
    let parts = [
        ("election", of(&election)),
        ("fence", of(&config.fence)),
        ("gateways", of(&gateways.collect::<Vec<_>>())),
        ("guard", of(&config.guard)),
        ("policies", of(&config.policies)),
        ("router", of(&(config.router.asn, config.router.replicas))),
        ("sources", of(&config.sources.iter().map(source).collect::<Vec<_>>())),
    ];
    parts.into_iter().map(|(part, digest)| (part.to_owned(), digest)).collect()
}

fn of(part: &impl Debug) -> Digest {
    Digest::of(&format!("{part:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use std::path::Path;

    const TEXT: &str = "router: { asn: 64512, id: 10.0.3.10, replicas: 2 }
sources: { prod: { etcd: { endpoints: ['http://10.0.3.2:2379'] }, schema: { native: { prefix: /fp } } } }
fence: { prefixes: [ { within: 10.244.0.0/16, lengths: 24-32 } ], next_hops: [ 10.168.0.0/16 ] }
gateways: { core: { address: 10.168.0.1, asn: 64500, policy: all, timers: { hold: 30s } } }
policies: { all: [ { match: {}, then: accept } ] }
election: { etcd: { source: prod } }
state_dir: state
";

    fn differ(from: &str, to: &str) -> Vec<String> {
        assert!(TEXT.contains(from), "{from}");
        let read = |text: &str| digests(&config::parse(text, Path::new("/etc/fp.yaml")).unwrap());
        let (before, after) = (read(TEXT), read(&TEXT.replace(from, to)));
        before.into_iter().filter(|(part, digest)| after[part] != *digest).map(|(part, _)| part).collect()
    }

    #[test]
    fn what_is_to_be_alike_is_told_by_part_and_what_is_a_replicas_own_is_not() {
        let same: Vec<String> = Vec::new();
        for (from, to) in [("10.0.3.10", "10.0.3.11"), ("10.0.3.2", "10.0.3.3"), ("30s", "60s"), ("state\n", "var\n")] {
            assert_eq!(differ(from, to), same, "{to}");
        }
        assert_eq!(differ("24-32", "24"), ["fence"]);
        assert_eq!(differ("replicas: 2", "replicas: 3"), ["router"]);
        assert_eq!(differ("policy: all", "graceful_restart: { restart_time: 9s }, policy: all"), ["gateways"]);
        assert_eq!(differ("policy: all", "drain: true, policy: all"), ["gateways"]);
        assert_eq!(differ("then: accept", "set: { communities: ['64512:1'] }, then: accept"), ["policies"]);
        assert_eq!(differ("asn: 64500", "asn: 64501"), ["gateways"]);
        assert_eq!(differ("prefix: /fp", "prefix: /other"), ["sources"]);
        assert_eq!(differ("source: prod", "source: prod, ttl: 20s"), ["election"]);
        assert_eq!(differ("state_dir", "guard: { withdrawals: off }\nstate_dir"), ["guard"]);
    }
}
