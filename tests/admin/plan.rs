//! `fingerpost plan`: what would be told, and what not and why, with nothing running.

use super::commands::{Done, done};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Three gateways: one that is told less and less, one that is a host itself, and one with a family of its own and a range.
const CONFIG: &str = "router: { asn: 64512, id: 10.0.3.10, listen: [\"127.0.0.1:1179\"] }
sources:
  lab: { file: { path: hosts.yaml, poll: 100ms } }
fence:
  prefixes: [ { within: 10.244.0.0/16, lengths: 20-28 }, { within: \"fd00:10:244::/48\", lengths: 56-64 } ]
  next_hops: [ 10.168.0.0/16, \"fd00:10:168::/48\" ]
gateways:
  core-a: { address: 10.168.0.1, asn: 64500, policy: default, attached: [10.168.0.0/24], max_prefix: 1 }
  core-b: { address: 10.168.0.11, asn: 64500, policy: default, families: [ipv4, ipv6], drain: true }
  racks: { listen_range: 10.168.0.0/24, asn: 64512 }
policies:
  default:
    - { match: { hosts: [node-x] }, then: reject }
    - { match: {}, set: { med: 50, communities: [\"64512:1\"], large_communities: [\"64512:0:7\"] }, then: accept }
state_dir: /nowhere/fingerpost
";
const HOSTS: &str = "hosts:
  node-a1: { addresses: [10.168.0.11, \"fd00:10:168::11\"], subnets: [10.244.1.0/24, \"fd00:10:244:1::/64\"] }
  node-a2: { addresses: [10.168.0.12], subnets: [10.244.2.0/24, 10.244.1.0/24, \"fd00:10:244:2::/64\"] }
  node-b1: { addresses: [10.168.9.13], subnets: [10.244.4.0/24, 10.99.0.0/24] }
  node-x: { addresses: [10.168.0.14], subnets: [10.244.6.0/24] }
  node-y: { addresses: [10.168.0.15], subnets: [10.244.7.1/24] }
";

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

async fn plan(directory: &Path, options: &str) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
    command.args(["plan", "--config", "config.yaml"]).args(options.split_whitespace()).current_dir(directory);
    done(command.into_plain()).await
}

/// Without what the caller's environment says.
trait Plain {
    fn into_plain(self) -> Command;
}

impl Plain for Command {
    fn into_plain(mut self) -> Command {
        self.env_remove("FINGERPOST_CONFIG").env_remove("FINGERPOST_ADMIN");
        self
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_each_gateway_would_be_told_and_every_reason_why_not_p8() {
    let directory = directory(&[("config.yaml", CONFIG), ("hosts.yaml", HOSTS)]);
    let done = plan(directory.path(), "").await;
    assert_eq!(
        done.out,
        "\
GATEWAY  PREFIX              STATE        NEXT-HOP         HOST     SOURCE  DETAIL
core-a   10.244.1.0/24       told         10.168.0.11      node-a1  lab     med 50, communities 64512:1 64512:0:7
core-a   10.244.2.0/24       capped       10.168.0.12      node-a2  lab     max_prefix is reached
core-a   10.244.4.0/24       excluded     10.168.9.13      node-b1  lab     the next hop is in none of the gateway's attached subnets
core-a   10.244.6.0/24       rejected     10.168.0.14      node-x   lab     its policy lets no such route through
core-b   10.244.1.0/24       excluded     10.168.0.11      node-a1  lab     the next hop is the gateway itself
core-b   10.244.2.0/24       told         10.168.0.12      node-a2  lab     med 50, communities 64512:1 65535:0 64512:0:7
core-b   10.244.4.0/24       told         10.168.9.13      node-b1  lab     med 50, communities 64512:1 65535:0 64512:0:7
core-b   10.244.6.0/24       rejected     10.168.0.14      node-x   lab     its policy lets no such route through
core-b   fd00:10:244:1::/64  excluded     fd00:10:168::11  node-a1  lab     the next hop is the gateway itself
racks    10.244.1.0/24       told         10.168.0.11      node-a1  lab     -
racks    10.244.2.0/24       told         10.168.0.12      node-a2  lab     -
racks    10.244.4.0/24       told         10.168.9.13      node-b1  lab     -
racks    10.244.6.0/24       told         10.168.0.14      node-x   lab     -
-        10.99.0.0/24        fenced       10.168.9.13      node-b1  lab     the prefix lies in none of fence.prefixes
-        10.244.1.0/24       shadowed     10.168.0.12      node-a2  lab     host node-a1 has it
-        fd00:10:244:2::/64  unresolved   -                -        lab     record node-a2: its host has no IPv6 address to be the next hop
-        -                   quarantined  -                -        lab     record node-y: 10.244.7.1/24 has host bits set: write 10.244.7.0/24

source lab: 5 records, 5 routes, revision 1
gateway core-a: 1 told, 3 not; none of 1 in ipv6, which is not in its families
gateway core-b: 2 told, 3 not
gateway racks: 4 told, 0 not; none of 1 in ipv6, which is not in its families; a host of 10.168.0.0/24 that connects is not told the routes via itself
no gateway is told 4 of what the records state: rows without GATEWAY
"
    );
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert!(!Path::new("/nowhere").exists(), "a plan writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_next_hop_that_a_session_cannot_say_is_excluded_unless_the_file_offers_it() {
    let hosts = "hosts:\n  node-z: { addresses: [\"fd00:10:168::16\"], subnets: [10.244.8.0/24] }\n";
    let config = CONFIG.replace("poll: 100ms } }", "poll: 100ms }, ipv4_via_ipv6: true }");
    let offered = config.replace("families: [ipv4, ipv6]", "families: [ipv4, ipv6], extended_next_hop: true");
    for (config, row) in [
        (
            &config,
            "core-b  10.244.8.0/24  excluded  fd00:10:168::16  node-z  lab  the session cannot carry it: see extended_next_hop, or shorten the attributes\n",
        ),
        (
            &offered,
            "core-b  10.244.8.0/24  told  fd00:10:168::16  node-z  lab  med 50, communities 64512:1 65535:0 64512:0:7\n",
        ),
    ] {
        let directory = directory(&[("config.yaml", config), ("hosts.yaml", hosts)]);
        assert_eq!(plan(directory.path(), "-g core-b --no-headers").await.out, row);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_one_gateway_is_wide_or_for_programs() {
    let directory = directory(&[("config.yaml", CONFIG), ("hosts.yaml", HOSTS)]);
    let wide = plan(directory.path(), "--gateway core-a -o wide --no-headers").await.out;
    let first = "core-a  10.244.1.0/24       told         10.168.0.11  node-a1  lab  node-a1  1  med 50, ";
    assert!(wide.starts_with(first), "{wide}");
    assert!(wide.ends_with("lab  node-y   -  10.244.7.1/24 has host bits set: write 10.244.7.0/24\n"), "{wide}");
    let json: Value = serde_json::from_str(&plan(directory.path(), "--gateway core-a -o json").await.out).unwrap();
    assert_eq!((&json["complete"], &json["sources"][0]["state"]), (&true.into(), &"current".into()));
    assert_eq!(json["routes"][0]["attributes"]["communities"], serde_json::json!(["64512:1"]));
    let states = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states(&json["routes"]), ["told", "capped", "excluded", "rejected"]);
    assert_eq!(states(&json["not_announced"]), ["fenced", "shadowed", "unresolved", "quarantined"]);
    assert_eq!(json["gateways"][0]["ipv4"], serde_json::json!({ "told": 1, "not_told": 3 }));
    assert!(json["gateways"][0]["ipv6"].is_null());
    let yaml = plan(directory.path(), "--gateway core-a -o yaml").await.out;
    assert_eq!(serde_yaml::from_str::<Value>(&yaml).unwrap(), json);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_has_as_many_pages_as_there_are_routes_for() {
    use std::fmt::Write;
    let mut hosts = String::from("hosts:\n");
    for n in 0..2500 {
        let (high, low) = (n / 16, n % 16 * 16);
        writeln!(hosts, "  n{n}: {{ addresses: [10.168.{high}.1], subnets: [10.244.{high}.{low}/28] }}").unwrap();
    }
    let directory = directory(&[("config.yaml", CONFIG), ("hosts.yaml", &hosts)]);
    let json: Value = serde_json::from_str(&plan(directory.path(), "--gateway racks -o json").await.out).unwrap();
    let routes = json["routes"].as_array().unwrap();
    let prefixes: Vec<std::net::Ipv4Addr> =
        routes.iter().map(|row| row["prefix"].as_str().unwrap().split_once('/').unwrap().0.parse().unwrap()).collect();
    assert_eq!(prefixes.len(), 2500);
    assert!(prefixes.is_sorted(), "in the order of the prefixes");
    let table = plan(directory.path(), "--gateway racks").await.out;
    assert_eq!(table.lines().filter(|line| line.starts_with("racks")).count(), 2500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_without_one_of_its_sources_is_incomplete_and_says_so() {
    let lab = "  lab: { file: { path: hosts.yaml, poll: 100ms } }\n";
    let two = format!("{lab}  more: {{ file: {{ path: more.yaml, poll: 100ms }} }}\n");
    let directory = directory(&[("config.yaml", &CONFIG.replace(lab, &two)), ("hosts.yaml", HOSTS)]);
    let done = plan(directory.path(), "--gateway racks").await;
    assert_eq!(done.code, Some(1));
    assert!(
        done.err.starts_with("fingerpost: source more was not read: unreachable: more.yaml: No such file"),
        "{done:?}"
    );
    assert!(done.out.contains("racks    10.244.1.0/24"), "the others are shown: {done:?}");
    assert!(done.out.contains("\nINCOMPLETE: source more was not read: unreachable: "), "{done:?}");
    let json: Value = serde_json::from_str(&plan(directory.path(), "-o json").await.out).unwrap();
    assert_eq!((&json["complete"], &json["sources"][1]["state"]), (&false.into(), &"never".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_list_that_is_empty_is_not_believed_by_a_plan_either_p2() {
    let directory = directory(&[("config.yaml", CONFIG), ("hosts.yaml", "hosts: {}\n")]);
    let done = plan(directory.path(), "").await;
    assert!(done.err.starts_with("fingerpost: source lab was not read: empty: the first list was empty"), "{done:?}");
    assert_eq!(done.code, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_told_as_check_tells_it() {
    let wrong = CONFIG.replace("asn: 64500, policy: default, att", "asn: 0, policy: other, att");
    let directory = directory(&[("config.yaml", &wrong), ("hosts.yaml", HOSTS)]);
    let mut check = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
    check.args(["check", "--config", "config.yaml"]).current_dir(directory.path());
    let check = done(check.into_plain()).await;
    let plan = plan(directory.path(), "-o json").await;
    assert!(check.out.ends_with("2 faults\n"), "{check:?}");
    assert_eq!((plan.code, plan.out.as_str(), &plan.err), (Some(1), "", &check.out));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_of_a_plan_has_its_exit_code() {
    let directory = directory(&[("config.yaml", CONFIG), ("hosts.yaml", HOSTS)]);
    for (options, code, said) in [
        ("--gateway core-z", 3, "config.yaml has no gateway \"core-z\": it has core-a, core-b, racks"),
        ("--timeout 30", 2, "write a whole number and ms, s, m or h"),
        ("--diff", 2, "config.yaml has no admin.listen"),
        ("--diff --admin nobody.sock", 4, "cannot reach fingerpost on nobody.sock: "),
    ] {
        let done = plan(directory.path(), options).await;
        assert_eq!((done.code, done.out.as_str()), (Some(code), ""), "{options}: {done:?}");
        assert!(done.err.contains(said), "{options}: {done:?}");
    }
}

#[cfg(feature = "etcd")]
mod etcd {
    use super::{CONFIG, directory, plan};
    use crate::server::{Cluster, Etcd};

    /// The file is no source any more.
    fn config(endpoint: &str) -> String {
        let store = format!("etcd: {{ endpoints: [\"{endpoint}\"] }}, schema: {{ native: {{ prefix: /plan }} }}");
        CONFIG.replace("file: { path: hosts.yaml, poll: 100ms }", &store)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_plan_reads_an_etcd_once_and_names_the_records() {
        if !Etcd::V3_4.is_available("a_plan_reads_an_etcd_once_and_names_the_records") {
            return;
        }
        let cluster = Cluster::one(Etcd::V3_4).await;
        let value = r#"{ "addresses": ["10.168.0.12"], "subnets": ["10.244.1.0/24"] }"#;
        cluster.client().await.put("/plan/hosts/node-a2", value, None).await.unwrap();
        let directory = directory(&[("config.yaml", &config(&cluster.endpoints()[0]))]);
        let done = plan(directory.path(), "--gateway core-b -o wide --no-headers").await;
        assert_eq!(
            done.out,
            "core-b  10.244.1.0/24  told  10.168.0.12  node-a2  lab  /plan/hosts/node-a2  2  med 50, communities 64512:1 65535:0 64512:0:7\n"
        );
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_plan_waits_for_an_etcd_no_longer_than_it_is_told() {
        let port = crate::server::free_port();
        let directory = directory(&[("config.yaml", &config(&format!("http://127.0.0.1:{port}")))]);
        let done = plan(directory.path(), "--timeout 500ms").await;
        assert!(done.err.starts_with("fingerpost: source lab was not read: "), "{done:?}");
        assert_eq!(done.code, Some(1));
    }
}
