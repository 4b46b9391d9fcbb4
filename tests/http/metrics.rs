//! `/metrics`.

use super::peer::Peer;
use super::until::until;
use super::world::{HOSTS, World};
use bytes::Bytes;
use fingerpost_core::bgp::wire::{Capability, Notification};
use std::collections::BTreeMap;

/// A scrape taken apart: samples, and of each family `TYPE | labels | HELP`.
#[derive(Debug, Default)]
struct Scrape {
    samples: BTreeMap<String, f64>,
    families: BTreeMap<String, (String, String, String)>,
}

impl Scrape {
    async fn of(world: &World) -> Scrape {
        let answer = world.get("/metrics").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        Scrape::parse(&answer.body)
    }

    fn parse(text: &str) -> Scrape {
        let mut scrape = Scrape::default();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                scrape.families.entry(name.to_owned()).or_default().2 = help.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                scrape.families.entry(name.to_owned()).or_default().0 = kind.to_owned();
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let before = scrape.samples.insert(series.to_owned(), value.parse().unwrap());
                assert_eq!(before, None, "{series} stands twice");
                let (name, labels) = series.split_once('{').unwrap_or((series, ""));
                let names: Vec<&str> =
                    labels.split("\",").filter_map(|pair| pair.split_once("=\"")).map(|(name, _)| name).collect();
                scrape.families.get_mut(name).unwrap().1 = names.join(", ");
            }
        }
        scrape
    }

    #[track_caller]
    fn get(&self, series: &str) -> f64 {
        *self.samples.get(series).unwrap_or_else(|| panic!("no {series} in {:#?}", self.samples))
    }

    /// All series that name the gateway.
    fn of_gateway(&self, name: &str) -> usize {
        self.samples.keys().filter(|series| series.contains(&format!("gateway=\"{name}\""))).count()
    }
}

fn ipv4() -> Vec<Capability> {
    vec![Capability::MultiProtocol { afi: 1, safi: 1 }, Capability::FourOctetAs(64500)]
}

/// A scrape of a service in which something of everything has happened: a session that ended, and one that stands.
async fn eventful() -> (Scrape, World, Peer, super::peer::Session) {
    let peer = Peer::listen().await;
    let world = World::ready(HOSTS, &peer.yaml("core-a")).await;
    let mut first = peer.establish(ipv4()).await;
    first.send(Notification::administrative_shutdown("").encode()).await;
    let second = peer.establish(ipv4()).await;
    let scrape = until("the second session to be told everything", async || {
        let scrape = Scrape::of(&world).await;
        let caught_up = scrape.samples.get(r#"fingerpost_gateway_caught_up{gateway="core-a",family="ipv4"}"#);
        let twice = scrape.get(r#"fingerpost_session_established_transitions_total{gateway="core-a"}"#) == 2.0;
        if twice && caught_up == Some(&1.0) { Ok(scrape) } else { Err(scrape) }
    })
    .await;
    (scrape, world, peer, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_says_how_things_are() {
    let (scrape, _world, _peer, _session) = eventful().await;
    for (series, value) in [
        (r#"fingerpost_config_last_reload_successful"#, 1.0),
        (r#"fingerpost_source_up{source="lab"}"#, 1.0),
        (r#"fingerpost_source_complete{source="lab"}"#, 1.0),
        (r#"fingerpost_source_fault{source="lab",kind="unreachable"}"#, 0.0),
        (r#"fingerpost_source_lost_seconds{source="lab"}"#, 0.0),
        (r#"fingerpost_source_records{source="lab"}"#, 2.0),
        (r#"fingerpost_source_quarantined_records{source="lab"}"#, 0.0),
        (r#"fingerpost_source_unresolved_prefixes{source="lab"}"#, 0.0),
        (r#"fingerpost_source_hiding_records{source="lab",family="ipv6"}"#, 0.0),
        (r#"fingerpost_routes{family="ipv4"}"#, 2.0),
        (r#"fingerpost_routes{family="ipv6"}"#, 0.0),
        (r#"fingerpost_gateway_exported_routes{gateway="core-a",family="ipv4"}"#, 2.0),
        (r#"fingerpost_gateway_lag_changes{gateway="core-a",family="ipv4"}"#, 0.0),
        (r#"fingerpost_session_up{gateway="core-a"}"#, 1.0),
        (r#"fingerpost_session_state{gateway="core-a",state="Established"}"#, 1.0),
        (r#"fingerpost_session_state{gateway="core-a",state="Idle"}"#, 0.0),
        (r#"fingerpost_session_down_seconds{gateway="core-a"}"#, 0.0),
        (r#"fingerpost_messages_received_total{gateway="core-a",kind="open"}"#, 2.0),
        (r#"fingerpost_messages_received_total{gateway="core-a",kind="notification"}"#, 1.0),
        (r#"fingerpost_messages_sent_total{gateway="core-a",kind="open"}"#, 2.0),
    ] {
        assert_eq!(scrape.get(series), value, "{series}");
    }
    let ended = r#"fingerpost_session_last_end_timestamp_seconds{gateway="core-a",reason="notification_received"}"#;
    assert!(scrape.get(ended) > 1.7e9);
    assert!(scrape.get(r#"fingerpost_session_up_seconds{gateway="core-a"}"#) > 0.0);
    let version = env!("CARGO_PKG_VERSION");
    assert!(scrape.samples.keys().any(|series| {
        series.starts_with("fingerpost_build_info{") && series.contains(&format!("version=\"{version}\""))
    }));
    // No session in that family: nothing to say.
    assert_eq!(scrape.samples.get(r#"fingerpost_gateway_lag_changes{gateway="core-a",family="ipv6"}"#), None);
}

/// RFC 7606 §8: what a gateway sends wrong can be seen although the session goes on.
#[tokio::test(flavor = "multi_thread")]
async fn c26_errors_in_updates_are_counted_by_gateway_and_kind() {
    let peer = Peer::listen().await;
    let world = World::ready(HOSTS, &peer.yaml("core-a")).await;
    let mut session = peer.establish(ipv4()).await;
    // One without any attribute; one with all that must be there, and ATOMIC_AGGREGATE of one octet.
    let nlri = [24, 192, 0, 2];
    let good = [0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfb, 0xf4, 0x40, 3, 4, 10, 0, 0, 1];
    session.send(update(&[], &nlri)).await;
    session.send(update(&[&good[..], &[0x40, 6, 1, 0]].concat(), &nlri)).await;
    session.send(update(&[&good[..], &[0x40, 6, 1, 0]].concat(), &nlri)).await;
    let scrape = until("three UPDATEs to be counted", async || {
        let scrape = Scrape::of(&world).await;
        let received = scrape.get(r#"fingerpost_messages_received_total{gateway="core-a",kind="update"}"#);
        if received == 3.0 { Ok(scrape) } else { Err(scrape) }
    })
    .await;
    let errors =
        |kind: &str| scrape.get(&format!(r#"fingerpost_update_errors_total{{gateway="core-a",kind="{kind}"}}"#));
    assert_eq!(errors("treat_as_withdraw"), 1.0);
    assert_eq!(errors("attribute_discard"), 2.0);
    assert_eq!(scrape.get(r#"fingerpost_session_up{gateway="core-a"}"#), 1.0);
}

/// An UPDATE with these attributes and prefixes.
fn update(attributes: &[u8], nlri: &[u8]) -> Bytes {
    let length = |octets: usize| u16::try_from(octets).unwrap().to_be_bytes();
    let header = [&[0xff; 16][..], &length(23 + attributes.len() + nlri.len()), &[2]].concat();
    [&header[..], &[0, 0], &length(attributes.len()), attributes, nlri].concat().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_a_scrape_agree() {
    let (scrape, ..) = eventful().await;
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md")).unwrap();
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| ["| `fingerpost_", "| `process_"].iter().any(|start| line.starts_with(start)))
        .collect();
    let told: BTreeMap<&str, &str> =
        rows.iter().map(|row| (row.trim_start_matches("| `").split('`').next().unwrap(), *row)).collect();
    assert_eq!(told.len(), rows.len(), "a metric stands twice");
    // Without a range there are no series of ranges, nor of listeners without one: `tests/speaker` looks at those.
    // Of other replicas `tests/election` does.
    let elsewhere = |name: &str| {
        ["fingerpost_range_", "fingerpost_replica_"].iter().any(|start| name.starts_with(start))
            || name == "fingerpost_listener_up"
    };
    let named: Vec<&str> = told.keys().copied().filter(|name| !elsewhere(name)).collect();
    let served: Vec<&str> = scrape.families.keys().map(String::as_str).collect();
    assert_eq!(named, served);
    for (name, (kind, labels, help)) in &scrape.families {
        let labels: Vec<String> = labels.split(", ").filter(|l| !l.is_empty()).map(|l| format!("`{l}`")).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        assert_eq!(told[name.as_str()], format!("| `{name}` | {kind} | {labels} | {help} |"));
    }
    for series in scrape.samples.keys() {
        for (label, value) in series.split(['{', ',', '}']).filter_map(|pair| pair.split_once('=')) {
            let fixed = ["kind", "state", "family", "reason"].contains(&label);
            assert!(
                !fixed || page.contains(&format!("`{}`", value.trim_matches('"'))),
                "{series}: {label} is not explained"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_follow_the_custom() {
    let (scrape, ..) = eventful().await;
    for (name, (kind, _, help)) in &scrape.families {
        assert!(name.starts_with("fingerpost_") || name.starts_with("process_"), "{name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name}: {kind}");
        assert!(["gauge", "counter"].contains(&kind.as_str()), "{name}: {kind}");
        assert!(help.ends_with('.'), "{name}: {help}");
        for reserved in ["_count", "_sum", "_bucket"] {
            assert!(!name.ends_with(reserved), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_series_of_a_removed_gateway_vanish() {
    let (one, other) = (Peer::listen().await, Peer::listen().await);
    let mut world = World::ready(HOSTS, &format!("{}, {}", one.yaml("core-a"), other.yaml("core-b"))).await;
    let before = Scrape::of(&world).await;
    assert!(before.of_gateway("core-b") > 10);
    assert_eq!(before.of_gateway("core-a"), before.of_gateway("core-b"));
    world.reconfigure(&one.yaml("core-a")).await;
    let after = Scrape::of(&world).await;
    assert_eq!(after.of_gateway("core-b"), 0);
    assert!(after.of_gateway("core-a") > 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_source_and_a_session_that_does_not_come_up_are_seen() {
    let nobody = Peer::listen().await;
    let world = World::ready(HOSTS, &nobody.yaml("core-a")).await;
    drop(nobody);
    world.write_hosts(None);
    let scrape = until("the source to be lost, and a refused connection", async || {
        let scrape = Scrape::of(&world).await;
        let refused = scrape.samples.keys().any(|series| series.contains(r#"reason="connect_failed""#));
        let lost = scrape.get(r#"fingerpost_source_up{source="lab"}"#) == 0.0;
        if refused && lost { Ok(scrape) } else { Err(scrape) }
    })
    .await;
    assert_eq!(scrape.get(r#"fingerpost_source_fault{source="lab",kind="unreachable"}"#), 1.0);
    assert_eq!(scrape.get(r#"fingerpost_source_complete{source="lab"}"#), 1.0);
    assert_eq!(scrape.get(r#"fingerpost_source_records{source="lab"}"#), 2.0, "what was known stays");
    assert_eq!(scrape.get(r#"fingerpost_routes{family="ipv4"}"#), 2.0);
    assert_eq!(scrape.get(r#"fingerpost_session_up{gateway="core-a"}"#), 0.0);
    assert_eq!(scrape.get(r#"fingerpost_session_up_seconds{gateway="core-a"}"#), 0.0);
    assert!(scrape.get(r#"fingerpost_session_down_seconds{gateway="core-a"}"#) > 0.0);
    until("the time lost to grow", async || {
        let lost = Scrape::of(&world).await.get(r#"fingerpost_source_lost_seconds{source="lab"}"#);
        if lost > 0.0 { Ok(()) } else { Err(lost) }
    })
    .await;
}
