//! What a right configuration becomes.

use crate::{BASE, parse, with};
use fingerpost::config::{
    self, Action, Community, Config, ExtendedCommunity, FencePrefix, FileStore, GracefulRestart, LargeCommunity, Log,
    LogFormat, LogLevel, OpenOptions, Platform, PrefixRange, Schema, Source, Store, Timeline, Timers,
};
use fingerpost_core::model::{Asn, Family, HoldTime, HostName};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

const WHOLE: &str = r#"
router: { asn: 64512, id: 10.0.3.10, listen: ["0.0.0.0:1179", "[::]:1179"], restart_time: 90s, replicas: 1, drain_time: 2m }
sources:
  prod:
    etcd: { endpoints: ["http://10.0.3.2:2379", "http://[fd00::2]:2379/"] }
    schema: { flannel: { prefix: /coreos.com/network/ } }
  lab: { file: { path: hosts.yaml, poll: 500ms }, priority: 7, allow_empty: true, ipv4_via_ipv6: true }
fence:
  prefixes: [ { within: 10.244.0.0/16, lengths: 20-28 }, { within: "fd00:10::/32", lengths: 64 } ]
  next_hops: [ 10.168.0.0/16, "fd00:1::/32" ]
gateways:
  core-a: { address: 10.168.0.1, asn: 64500, policy: default }
  core-b:
    address: 10.169.0.1
    port: 1790
    asn: 64500
    platform: generic
    policy: default
    multihop: 3
    interface: eth1
    ttl_security: true
    families: [ipv6, ipv4]
    passive: true
    source_address: 10.0.3.10
    timers: { keepalive: 2s, hold: 9s, connect_retry: 500ms }
    attached: [10.168.4.0/24]
    graceful_restart: { restart_time: 0s, notification: false, long_lived: 4h }
    enhanced_refresh: true
    extended_messages: true
    extended_next_hop: true
    drain: true
  inside: { address: "fd00:2::1", asn: 64512, multihop: false, graceful_restart: false }
policies:
  default:
    - match:
        prefixes: [ { within: 10.244.0.0/16, lengths: 24-26 }, { within: "fd00:10::/32" } ]
        hosts: [n1, n2]
        labels: { topology.kubernetes.io/zone: a, empty: "" }
        sources: [lab]
      set:
        med: 5
        local_pref: 200
        communities: ["64512:1", no-export, graceful-shutdown]
        extended_communities: ["rt:64512:1"]
        large_communities: ["4200000000:1:2"]
        next_hop: 10.168.0.9
        prepend: 2
      then: accept
    - { match: { family: ipv6 }, then: reject }
state_dir: state
http: { listen: "127.0.0.1:9179" }
log: { format: json, level: debug }
timeline: { events: 500, file: /tmp/events.jsonl }
"#;

fn whole() -> Config {
    config::parse(WHOLE, Path::new("/etc/fingerpost/config.yaml")).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn router_service_and_log_arrive() {
    let config = whole();
    assert_eq!((config.router.asn.get(), config.router.id.to_string().as_str()), (64512, "10.0.3.10"));
    assert_eq!(config.router.listen, ["0.0.0.0:1179".parse().unwrap(), "[::]:1179".parse().unwrap()]);
    assert_eq!((config.router.restart_time, config.router.drain_time), (90, Duration::from_secs(120)));
    assert_eq!(config.state_dir.as_deref(), Some(Path::new("/etc/fingerpost/state")));
    assert_eq!(config.http.unwrap().listen, "127.0.0.1:9179".parse().unwrap());
    assert_eq!(config.log, Log { format: LogFormat::Json, level: LogLevel::Debug });
    assert_eq!(config.timeline, Timeline { events: 500, file: Some("/tmp/events.jsonl".into()) });
}

#[test]
fn sources_arrive() {
    let config = whole();
    let Store::Etcd(etcd) = &config.sources["prod"].store else { panic!("not etcd") };
    assert_eq!(etcd.endpoints, ["http://10.0.3.2:2379", "http://[fd00::2]:2379"]);
    assert_eq!(etcd.schema, Schema::Flannel { prefix: "/coreos.com/network".into() });
    assert_eq!((&etcd.tls, &etcd.login), (&None, &None));
    let file = FileStore { path: "/etc/fingerpost/hosts.yaml".into(), poll: Duration::from_millis(500) };
    let lab = Source { store: Store::File(file), priority: 7, allow_empty: true, ipv4_via_ipv6: true };
    assert_eq!(config.sources["lab"], lab);
    assert!(!config.sources["prod"].ipv4_via_ipv6);
}

#[test]
fn the_fence_arrives() {
    let config = whole();
    let prefix = |within: &str, lengths| FencePrefix { within: within.parse().unwrap(), lengths };
    assert_eq!(config.fence.prefixes, [prefix("10.244.0.0/16", 20..=28), prefix("fd00:10::/32", 64..=64)]);
    assert_eq!(config.fence.next_hops, ["10.168.0.0/16".parse().unwrap(), "fd00:1::/32".parse().unwrap()]);
}

#[test]
fn gateways_arrive() {
    let config = whole();
    let b = &config.gateways["core-b"];
    assert_eq!((b.address(), b.port), (Some("10.169.0.1".parse().unwrap()), 1790));
    assert_eq!(
        (b.asn, b.platform, b.policy.as_deref()),
        (Asn::new(64500).unwrap(), Platform::Generic, Some("default"))
    );
    assert_eq!((b.multihop, b.passive, b.source_address), (Some(3), true, Some("10.0.3.10".parse().unwrap())));
    assert_eq!((b.interface.as_deref(), b.ttl_security), (Some("eth1"), Some(3)));
    assert_eq!(b.families, BTreeSet::from(Family::ALL));
    let hold = HoldTime::new(9).unwrap();
    assert_eq!(b.timers, Timers { keepalive: 2, hold, connect_retry: Duration::from_millis(500) });
    assert_eq!(b.attached, ["10.168.4.0/24".parse().unwrap()]);
    let restart = GracefulRestart { restart_time: 0, notification: false, long_lived: Some(14_400) };
    let offered = OpenOptions {
        graceful_restart: Some(restart),
        enhanced_refresh: true,
        extended_messages: true,
        extended_next_hop: true,
    };
    assert_eq!((b.open, b.drain), (offered, true));
    assert!(b.is_external(config.router.asn));
    assert!(!config.gateways["inside"].is_external(config.router.asn));
    assert_eq!(config.gateways["inside"].open.graceful_restart, None);
}

#[test]
fn policies_arrive() {
    let config = whole();
    let [first, second] = &config.policies["default"].rules[..] else { panic!("not two rules") };
    let range = |within: &str, lengths| PrefixRange { within: within.parse().unwrap(), lengths };
    assert_eq!(first.matcher.prefixes, [range("10.244.0.0/16", 24..=26), range("fd00:10::/32", 32..=128)]);
    assert_eq!(first.matcher.hosts, ["n1", "n2"].map(|name| HostName::new(name).unwrap()).into());
    let labels = [("topology.kubernetes.io/zone", "a"), ("empty", "")];
    assert_eq!(first.matcher.labels, BTreeMap::from(labels.map(|(name, value)| (name.to_owned(), value.to_owned()))));
    assert_eq!(first.matcher.sources, BTreeSet::from(["lab".to_owned()]));
    assert_eq!((first.set.med, first.set.local_pref, first.set.prepend), (Some(5), Some(200), 2));
    assert_eq!(first.set.communities, [0xFC00_0001, 0xFFFF_0000, 0xFFFF_FF01].map(Community).into());
    assert_eq!(first.set.next_hop, Some("10.168.0.9".parse().unwrap()));
    assert_eq!(first.set.extended_communities, [ExtendedCommunity([0, 2, 0xFC, 0, 0, 0, 0, 1])].into());
    assert_eq!(first.set.large_communities, [LargeCommunity(4_200_000_000, 1, 2)].into());
    assert_eq!((first.then, second.then), (Action::Accept, Action::Reject));
    assert_eq!(second.matcher.family, Some(Family::Ipv6));
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = parse(&BASE.join("\n")).unwrap();
    assert_eq!(config.warnings, []);
    assert_eq!((config.router.restart_time, config.sources["prod"].priority), (120, 100));
    let Store::Etcd(etcd) = &config.sources["prod"].store else { panic!("not etcd") };
    assert_eq!(etcd.schema, Schema::Native { prefix: "/fingerpost".into() });
    let a = &config.gateways["a"];
    assert_eq!((a.port, a.multihop, a.passive, a.source_address), (179, None, false, None));
    assert_eq!(a.families, [Family::Ipv4].into());
    let hold = HoldTime::new(30).unwrap();
    assert_eq!(a.timers, Timers { keepalive: 10, hold, connect_retry: Duration::from_secs(5) });
    let restart = GracefulRestart { restart_time: 120, notification: true, long_lived: None };
    let conservative = OpenOptions {
        graceful_restart: Some(restart),
        enhanced_refresh: false,
        extended_messages: false,
        extended_next_hop: false,
    };
    assert_eq!((a.platform, a.open, a.drain), (Platform::Generic, conservative, false));
    assert_eq!(config.router.drain_time, Duration::from_secs(30));
    assert_eq!((&config.state_dir, &config.http, config.log), (&None, &None, Log::default()));
}

#[test]
fn a_key_overrides_the_platform_and_the_platform_the_router() {
    let gateway = |keys: &str| {
        let text = format!("  a: {{ address: 10.168.0.1, asn: 64500, policy: all, {keys} }}");
        parse(&with(8, &text)).unwrap_or_else(|faults| panic!("{faults}")).gateways["a"].open
    };
    let bird = gateway("platform: bird");
    assert_eq!(bird, Platform::Bird.preset(1, 120));
    assert!(bird.enhanced_refresh);
    assert_eq!(gateway("platform: bird, graceful_restart: true"), bird);
    assert_eq!(gateway("platform: bird, enhanced_refresh: false"), OpenOptions { enhanced_refresh: false, ..bird });
    let restart =
        |restart_time, notification, long_lived| Some(GracefulRestart { restart_time, notification, long_lived });
    for (keys, expected) in [
        ("graceful_restart: {}", restart(120, true, None)),
        ("graceful_restart: { restart_time: 5m }", restart(300, true, None)),
        ("graceful_restart: { notification: false }", restart(120, false, None)),
        ("graceful_restart: { long_lived: 1s }", restart(120, true, Some(1))),
        ("graceful_restart: { long_lived: 16777215s, restart_time: 0s }", restart(0, true, Some(16_777_215))),
        ("graceful_restart: { long_lived: false }", restart(120, true, None)),
        ("graceful_restart: false", None),
    ] {
        assert_eq!(gateway(keys).graceful_restart, expected, "{keys}");
    }
    let router = r#"router: { asn: 64512, id: 10.0.3.10, restart_time: 90s }"#;
    assert_eq!(parse(&with(1, router)).unwrap().gateways["a"].open.graceful_restart, restart(90, true, None));
}

#[test]
fn keepalive_follows_the_hold_time() {
    for (hold, keepalive) in [("3s", 1), ("9s", 3), ("65535s", 21_845), ("0s", 0)] {
        let text = format!("  a: {{ address: 10.168.0.1, asn: 64500, policy: all, timers: {{ hold: {hold} }} }}");
        assert_eq!(parse(&with(8, &text)).unwrap().gateways["a"].timers.keepalive, keepalive, "{hold}");
    }
}

#[test]
fn gateways_may_share_an_address_and_text_through_anchors() {
    let text = r#"  a: &a { address: 10.168.0.1, asn: 64500, policy: all }
  b: { <<: *a, port: 1790 }"#;
    let config = parse(&with(8, text)).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.gateways["b"], config::Gateway { port: 1790, ..config.gateways["a"].clone() });
}

#[test]
fn hops_of_gtsm_follow_multihop_or_say_how_far() {
    let cases = [
        (64500, "ttl_security: true", Some(1)),
        (64500, "ttl_security: false", None),
        (64500, "ttl_security: 3", Some(3)),
        (64500, "multihop: 3, ttl_security: true", Some(3)),
        (64500, "multihop: true, ttl_security: 3", Some(3)),
        (64500, "multihop: false, ttl_security: 1", Some(1)),
        (64512, "multihop: false, ttl_security: 254", Some(254)),
    ];
    for (asn, keys, hops) in cases {
        let text = format!("  a: {{ address: 10.168.0.1, asn: {asn}, policy: all, {keys} }}");
        let config = parse(&with(8, &text)).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(config.gateways["a"].ttl_security, hops, "{keys}");
    }
}

#[test]
fn a_range_is_passive_and_of_its_own_family() {
    let text = "  a: { listen_range: 10.168.0.0/24, asn: 64512, policy: all }";
    let a = parse(&with(8, text)).unwrap_or_else(|faults| panic!("{faults}")).gateways["a"].clone();
    assert_eq!(a.remote, config::Remote::Range { within: "10.168.0.0/24".parse().unwrap(), limit: 100 });
    assert_eq!((a.address(), a.passive, a.families), (None, true, [Family::Ipv4].into()));
}

/// A reload compares parts: text that says the same is the same.
#[test]
fn equal_text_makes_equal_parts_wherever_its_lines_are() {
    let before = parse(&BASE.join("\n")).unwrap();
    let after = parse(&BASE.join("\n\n# moved\n")).unwrap();
    assert_ne!(before.text, after.text);
    assert_eq!(before, config::Config { text: before.text.clone(), ..after });
}

/// RFC 8950: IPv6 addresses alone do for IPv4 subnets where that is asked for.
#[test]
fn ipv6_next_hops_do_for_ipv4_prefixes_where_a_source_says_so() {
    let source = "schema: { native: {} }, ipv4_via_ipv6: true }";
    let text = BASE.join("\n").replace("schema: { native: {} } }", source).replace("10.168.0.0/16", "\"fd00:1::/32\"");
    let text = text.replace("policy: all }", "policy: all, extended_next_hop: true }");
    let config = parse(&text).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.warnings, []);
}

/// What looks like something that is refused or warned of, and is right.
#[test]
fn nothing_is_said_where_nothing_is_wrong() {
    for (line, text) in [
        (1, r#"router: { asn: 64512, id: 10.0.3.10, listen: ["127.0.0.1:0", "127.0.0.1:0"] }"#),
        (5, "  prefixes: [ { within: 168.0.0.0/6, lengths: 24 } ]"),
        (8, "  a: { address: 10.168.0.1, asn: 64500, policy: all, timers: { hold: 0s, keepalive: 0s } }"),
        (8, "  a: { address: 10.168.0.1, asn: 64500, policy: all, attached: [10.169.0.0/24, 10.168.7.0/24] }"),
        (10, "  all: [ { match: {}, set: { prepend: 16 }, then: accept } ]"),
        (10, "  all: [ { match: { family: ipv4 }, then: reject }, { match: {}, then: accept } ]"),
    ] {
        let config = parse(&with(line, text)).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(config.warnings, [], "{text}");
    }
    let internal = with(10, "  all: [ { match: {}, set: { local_pref: 5 }, then: accept } ]").replace("64500", "64512");
    assert_eq!(parse(&internal).unwrap().warnings, []);
}
