//! From the checked configuration to what engine, speaker and transports need.

use crate::config::{self, Config};
use crate::speaker::{GatewayConfig, Target};
use fingerpost_core::bgp::neighbour::{GracefulRestartConfig, NeighbourConfig, SEND_HOLD_AT_LEAST, Timers};
use fingerpost_core::engine::{GatewaySettings, Others, Settings, SourceSettings};
use fingerpost_core::model::{GatewayId, HoldTime, PerFamily, SourceId};
use fingerpost_core::policy::{Match, Policy, Rule, Set};
use fingerpost_core::source::schema::Schema;
use fingerpost_core::source::sync::{Follow, SyncConfig, Timing};
use fingerpost_core::table::{Allowed, Fence, Spent};
use fingerpost_core::view::Exclusion;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The policy of an eBGP gateway that has none: nothing is sent (RFC 8212). No configured name has parentheses.
const NOTHING: &str = "(none)";
/// The policy of an iBGP gateway that has none.
const EVERYTHING: &str = "(all)";

/// Hands out gateway numbers; a name keeps its number while the process lives.
#[derive(Default)]
pub(super) struct GatewayNumbers(HashMap<String, GatewayId>);

impl GatewayNumbers {
    fn of(&mut self, name: &str) -> GatewayId {
        let next = GatewayId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        *self.0.entry(name.to_owned()).or_insert(next)
    }
}

/// Sources are numbered in the order of their names; they are fixed while the process lives.
pub(super) fn source_ids(config: &Config) -> BTreeMap<&str, SourceId> {
    config.sources.keys().zip(0..).map(|(name, n)| (name.as_str(), SourceId(n))).collect()
}

/// For the engine.
pub(super) fn engine(config: &Config, numbers: &mut GatewayNumbers, seed: u64) -> Settings {
    let ids = source_ids(config);
    let source = |(name, source): (&String, &config::Source)| {
        let id = ids.get(name.as_str()).copied()?;
        let sync = sync(id, source, seed ^ u64::from(id.0));
        let lacking = lacking(source, &sync.schema);
        Some(SourceSettings {
            id,
            name: name.clone(),
            lacking,
            priority: source.priority.into(),
            sync,
            snapshot: None,
            spent: Spent::default(),
            snapshot_after: config.startup.snapshot_after,
        })
    };
    let mut policies: BTreeMap<String, Policy> =
        config.policies.iter().map(|(name, rules)| (name.clone(), policy(rules, &ids))).collect();
    policies.insert(NOTHING.into(), Policy::default());
    policies.insert(EVERYTHING.into(), Policy::accept_all());
    let gateways = config.gateways.iter().map(|(name, gateway)| {
        let external = gateway.is_external(config.router.asn);
        let without = if external { NOTHING } else { EVERYTHING };
        GatewaySettings {
            id: numbers.of(name),
            name: name.clone(),
            policy: gateway.policy.clone().unwrap_or_else(|| without.into()),
            drain: gateway.drain,
            max_prefix: PerFamily::from_fn(|family| {
                gateway.max_prefix[family].and_then(|limit| usize::try_from(limit).ok())
            }),
            exclusion: Exclusion { own: gateway.address().into_iter().collect(), attached: gateway.attached.clone() },
        }
    });
    Settings {
        gateways: gateways.collect(),
        sources: config.sources.iter().filter_map(source).collect(),
        fence: fence(config),
        guard: config.guard.clone(),
        policies,
        others: others(config),
    }
}

/// The other replicas, and for how long a gateway may keep what one that is gone has told it: until it notices (the hold time), and
/// then what the OPENs have asked for (RFC 4724, RFC 9494). A person's configuration of the gateway may say less.
fn others(config: &Config) -> Others {
    let notices = |gateway: &config::Gateway| gateway.timers.hold.duration().unwrap_or_default();
    let kept = |gateway: &config::Gateway| {
        let restart = gateway
            .open
            .graceful_restart
            .map_or(0, |restart| u64::from(restart.restart_time) + u64::from(restart.long_lived.unwrap_or_default()));
        notices(gateway) + Duration::from_secs(restart)
    };
    let stale = config.gateways.values().map(kept).max().unwrap_or_default();
    let hold = config.gateways.values().map(notices).max().unwrap_or_default();
    let ttl = config.election.as_ref().map_or(Duration::ZERO, |election| election.ttl);
    let count = usize::from(config.router.replicas.saturating_sub(1));
    Others { count, stale, notice: hold + ttl + SAID }
}

/// So long a replica may take, once it has noticed something, until the others have read of it: it writes one record in five seconds
/// at least and reads once a second; for how long the store may not answer it before it counts as gone, its lease says.
const SAID: Duration = Duration::from_secs(10);

/// What an earlier process had in force, as far as it can be compared: its fence, policies and gateways.
pub(super) fn before(now: &Config, before: Config, numbers: &mut GatewayNumbers, seed: u64) -> Settings {
    let Config { fence, policies, gateways, .. } = before;
    engine(&Config { fence, policies, gateways, ..now.clone() }, numbers, seed)
}

/// With the names that these sources have now.
pub(super) fn rename_sources(mut config: Config, renamed: &[(String, String)]) -> Config {
    let rules = config.policies.values_mut().flat_map(|policy| &mut policy.rules);
    for sources in rules.map(|rule| &mut rule.matcher.sources) {
        for (old, new) in renamed {
            if sources.remove(old) {
                sources.insert(new.clone());
            }
        }
    }
    config
}

/// Of a source that is not configured any more, in a policy of before: it matches nothing.
const GONE: SourceId = SourceId(u16::MAX);

/// For the speaker.
pub(super) fn speaker(config: &Config, numbers: &mut GatewayNumbers) -> Vec<GatewayConfig> {
    let gateways = config.gateways.iter();
    gateways
        .map(|(name, gateway)| GatewayConfig {
            id: numbers.of(name),
            name: name.clone(),
            target: target(config, gateway),
            range: match gateway.remote {
                config::Remote::Address(_) => None,
                config::Remote::Range { within, limit } => Some((within, limit as usize)),
            },
            password_file: gateway.password_file.clone(),
            neighbour: neighbour(config, gateway),
        })
        .collect()
}

/// What a session over more than one hop starts with (RFC 4271 says nothing; 64 is what hosts use).
const FAR: u8 = 64;

fn target(config: &Config, gateway: &config::Gateway) -> Target {
    let ttl = match gateway.multihop {
        _ if gateway.ttl_security.is_some() => u8::MAX, // RFC 5082 §3
        Some(hops) => hops,
        None if gateway.is_external(config.router.asn) => 1,
        None => FAR,
    };
    let address = match gateway.remote {
        config::Remote::Address(address) => address,
        config::Remote::Range { within, .. } => within.net().addr(),
    };
    Target {
        address: SocketAddr::new(address, gateway.port),
        source: gateway.source_address,
        interface: gateway.interface.clone(),
        ttl,
        least_ttl: gateway.ttl_security.map(|hops| u8::MAX - hops + 1),
        user_timeout: user_timeout(gateway.timers.hold),
    }
}

/// When the kernel gives up on octets that are not acknowledged: a hold time after the send hold timer (RFC 9687) would, which
/// says why. The kernel counts a closed window too, so less would end the session with a gateway that is only slow.
/// Without a hold time the kernel's own limit stands.
fn user_timeout(hold: HoldTime) -> Option<Duration> {
    let hold = hold.duration()?;
    Some(SEND_HOLD_AT_LEAST.max(hold * 2) + hold)
}

fn neighbour(config: &Config, gateway: &config::Gateway) -> NeighbourConfig {
    NeighbourConfig {
        local_asn: config.router.asn,
        router_id: config.router.id,
        peer_asn: gateway.asn,
        families: PerFamily::from_fn(|family| gateway.families.contains(&family)),
        passive: gateway.passive,
        timers: Timers {
            hold: gateway.timers.hold,
            keepalive: Duration::from_secs(gateway.timers.keepalive.into()),
            connect_retry: gateway.timers.connect_retry,
        },
        graceful_restart: gateway.open.graceful_restart.map(|restart| GracefulRestartConfig {
            restart_time: restart.restart_time,
            notification: restart.notification,
            long_lived_stale_time: restart.long_lived,
        }),
        enhanced_refresh: gateway.open.enhanced_refresh,
        extended_messages: gateway.open.extended_messages,
        extended_next_hop: gateway.open.extended_next_hop,
    }
}

/// What is not there where the source has no records; nothing of what may stand before an `@`.
fn lacking(source: &config::Source, schema: &Schema) -> String {
    match &source.store {
        config::Store::Etcd(etcd) => {
            let start = schema.range().start;
            let shown = |endpoint: &String| match endpoint.rsplit_once('@') {
                Some((_, host)) => host.to_owned(),
                None => endpoint.clone(),
            };
            let endpoints: Vec<String> = etcd.endpoints.iter().map(shown).collect();
            format!("no key begins with {} in etcd {}", start.escape_ascii(), endpoints.join(", "))
        }
        config::Store::File(file) => format!("no host is in {}", file.path.display()),
    }
}

fn sync(id: SourceId, source: &config::Source, seed: u64) -> SyncConfig {
    let (schema, follow) = match &source.store {
        config::Store::Etcd(etcd) => (schema(&etcd.schema), Follow::Watch),
        config::Store::File(_) => (Schema::Hosts, Follow::Relists),
    };
    let (allow_empty, ipv4_via_ipv6, timing) = (source.allow_empty, source.ipv4_via_ipv6, Timing::default());
    SyncConfig { source: id, schema, follow, ipv4_via_ipv6, allow_empty, seed, timing }
}

pub(super) fn schema(schema: &config::Schema) -> Schema {
    match schema {
        config::Schema::Native { prefix } => Schema::Native { prefix: prefix.clone() },
        config::Schema::Flannel { prefix } => Schema::Flannel { prefix: prefix.clone() },
    }
}

/// The configured ranges and, of what else the configuration names, all addresses whose traffic no pod subnet may draw.
fn fence(config: &Config) -> Fence {
    let allowed = |entry: &config::FencePrefix| Allowed { within: entry.within, lengths: entry.lengths.clone() };
    let gateways = config.gateways.values();
    let mut protected: Vec<IpAddr> = gateways.clone().filter_map(config::Gateway::address).collect();
    protected.extend(gateways.clone().filter_map(|gateway| gateway.source_address));
    protected.push(Ipv4Addr::from(config.router.id.get()).into());
    protected.extend(config.router.listen.iter().map(SocketAddr::ip).filter(|address| !address.is_unspecified()));
    for source in config.sources.values() {
        if let config::Store::Etcd(etcd) = &source.store {
            protected.extend(etcd.addresses().map(|(_, address)| address));
        }
    }
    Fence {
        prefixes: config.fence.prefixes.iter().map(allowed).collect(),
        next_hops: config.fence.next_hops.clone(),
        protected,
        infrastructure: gateways.flat_map(|gateway| gateway.attached.clone()).collect(),
    }
}

fn policy(policy: &config::Policy, ids: &BTreeMap<&str, SourceId>) -> Policy {
    let rule = |rule: &config::PolicyRule| {
        let config::Match { prefixes, family, hosts, labels, sources } = &rule.matcher;
        let allowed = |range: &config::PrefixRange| Allowed { within: range.within, lengths: range.lengths.clone() };
        let set = &rule.set;
        Rule {
            matcher: Match {
                prefixes: prefixes.iter().map(allowed).collect(),
                family: *family,
                hosts: hosts.iter().map(|host| host.as_str().to_owned()).collect(),
                labels: labels.clone().into_iter().collect(),
                sources: sources.iter().map(|name| ids.get(name.as_str()).copied().unwrap_or(GONE)).collect(),
            },
            set: Set {
                next_hop: set.next_hop,
                med: set.med,
                local_pref: set.local_pref,
                communities: set.communities.iter().map(|community| community.0).collect(),
                extended_communities: set.extended_communities.iter().map(|community| community.0).collect(),
                large_communities: set.large_communities.iter().map(|c| [c.0, c.1, c.2]).collect(),
                prepend: set.prepend,
            },
            accept: rule.then == config::Action::Accept,
        }
    };
    Policy { rules: policy.rules.iter().map(rule).collect() }
}

#[cfg(test)]
mod tests {
    use super::{lacking, schema};
    use crate::config::{Etcd, Schema, Source, Store};

    #[test]
    fn an_empty_list_is_told_with_its_keys_and_its_store_and_no_secret() {
        let endpoints = vec!["http://10.0.3.2:2379".into(), "user:hunter2@10.0.3.3:2379".into()];
        let written = Schema::Native { prefix: "/fingerpst".into() };
        let read = schema(&written);
        let store = Store::Etcd(Etcd { endpoints, tls: None, login: None, schema: written });
        let source = Source { store, priority: 100, allow_empty: false, ipv4_via_ipv6: false };
        assert_eq!(
            lacking(&source, &read),
            "no key begins with /fingerpst/hosts/ in etcd http://10.0.3.2:2379, 10.0.3.3:2379"
        );
    }
}
