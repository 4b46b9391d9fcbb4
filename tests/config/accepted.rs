//! What a right configuration becomes.

use fingerpost::config::{self, Action, Config, Schema, Store};
use std::path::Path;

const WHOLE: &str = r#"
router: { asn: 64512, id: 10.0.3.10, listen: ["0.0.0.0:1179"], replicas: 1 }
sources:
  prod:
    etcd: { endpoints: ["http://10.0.3.2:2379", "http://[fd00::2]:2379/"] }
    schema: { flannel: { prefix: /coreos.com/network/ } }
  lab: { file: { path: hosts.yaml, poll: 500ms }, priority: 7, allow_empty: true }
fence:
  prefixes: [ { within: 10.244.0.0/16, lengths: 20-28 }, { within: "fd00:10::/32", lengths: 64 } ]
  next_hops: [ 10.168.0.0/16, "fd00:1::/32" ]
gateways:
  core-a: { address: 10.168.0.1, asn: 64500, policy: default }
  core-b: { address: 10.169.0.1, port: 1790, asn: 64500, policy: default, multihop: true, families: [ipv4, ipv6], passive: true,
            source_address: 10.0.3.10, timers: { keepalive: 3s, hold: 9s }, attached: [10.168.4.0/24], graceful_restart: { restart_time: 5m } }
  inside: { address: "fd00:2::1", asn: 64512, graceful_restart: false }
policies: { default: [ { match: {}, set: { communities: ["64512:1", no-export], med: 5 }, then: accept } ] }
state_dir: state
http: { listen: "127.0.0.1:9179" }
log: { format: json, level: debug }
"#;

fn parse(text: &str) -> Config {
    config::parse(text, Path::new("/etc/fingerpost/config.yaml")).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn every_built_key_arrives() {
    let config = parse(WHOLE);
    assert_eq!(config.router.asn.get(), 64512);
    let Store::Etcd(etcd) = &config.sources["prod"].store else { panic!("not etcd") };
    assert_eq!(etcd.endpoints, ["http://10.0.3.2:2379", "http://[fd00::2]:2379"]);
    assert_eq!(etcd.schema, Schema::Flannel { prefix: "/coreos.com/network".into() });
    assert_eq!(config.policies["default"].rules[0].then, Action::Accept);
    assert_eq!(config.gateways["core-b"].graceful_restart.unwrap().restart_time, 300);
    assert_eq!(config.state_dir.as_deref(), Some(Path::new("/etc/fingerpost/state")));
}
