//! `/api/v1/gateways`.

use super::peer::{Peer, open};
use super::world::{HOSTS, World};
use bytes::Bytes;
use fingerpost_core::bgp::wire::{Capability, GracefulRestart, MessageKind, Notification, RestartFamily};
use fingerpost_core::model::Asn;
use serde_json::{Value, json};

/// What a gateway that knows much says.
fn capabilities() -> Vec<Capability> {
    let families = vec![RestartFamily { afi: 1, safi: 1, forwarding: true }];
    vec![
        Capability::MultiProtocol { afi: 1, safi: 1 },
        Capability::RouteRefresh,
        Capability::FourOctetAs(64500),
        Capability::GracefulRestart(GracefulRestart {
            restarting: false,
            notification: true,
            restart_time: 90,
            families,
        }),
        Capability::Unknown { code: 75, value: Bytes::from_static(b"\x08frr/10.2") },
    ]
}

/// The gateway once its session has the state; if it is up, once two routes with different next hops and the End-of-RIB are
/// written.
async fn settled(world: &World, name: &str, state: &str) -> Value {
    let target = format!("/api/v1/gateways/{name}");
    let settled = |gateway: &Value| {
        let written = gateway["messages"]["sent"]["update"].as_u64() >= Some(3);
        let told = written && gateway["routes"]["ipv4"]["caught_up"] == true;
        gateway["state"] == state && (told || state != "Established")
    };
    world.until_answer(&target, |answer| answer.status == 200 && settled(&answer.json())).await.json()
}

#[track_caller]
fn assert_moment(value: &Value) {
    let text = value.as_str().unwrap_or_default();
    let like = |(n, c): (usize, char)| match n {
        4 | 7 => c == '-',
        10 => c == 'T',
        13 | 16 => c == ':',
        19 => c == 'Z',
        _ => c.is_ascii_digit(),
    };
    assert!(text.len() == 20 && text.chars().enumerate().all(like), "{value} is not like 2026-03-14T15:09:26Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_shows_what_was_agreed_on_and_how_far_it_is() {
    let peer = Peer::listen().await;
    let world = World::ready(HOSTS, &peer.yaml("core-a")).await;
    let _session = peer.establish(capabilities()).await;
    let gateway = settled(&world, "core-a", "Established").await;
    assert_moment(&gateway["since"]);
    let restart = json!({ "restart_time_seconds": 90, "restarting": false, "notification": true,
        "families": [{ "afi": 1, "safi": 1, "family": "ipv4", "forwarding": true }] });
    let mut restart_capability = restart.clone();
    restart_capability["code"] = 64.into();
    restart_capability["name"] = "graceful-restart".into();
    let expected = json!({
        "name": "core-a",
        "address": peer.address.ip().to_string(),
        "port": peer.address.port(),
        "state": "Established",
        "since": gateway["since"],
        "direction": "outgoing",
        "policy": "default",
        "drain": false,
        "established_count": 1,
        "negotiated": {
            "peer_asn": 64500,
            "peer_router_id": "10.0.0.1",
            "session": "external",
            "hold_time_seconds": 30,
            "keepalive_seconds": 10.0,
            "families": ["ipv4"],
            "enhanced_refresh": false,
            "extended_messages": false,
            "extended_next_hop": false,
            "graceful_restart": restart,
            "peer_capabilities": [
                { "code": 1, "name": "multi-protocol", "afi": 1, "safi": 1, "family": "ipv4" },
                { "code": 2, "name": "route-refresh" },
                { "code": 65, "name": "four-octet-as", "asn": 64500 },
                restart_capability,
                { "code": 75, "name": "software-version", "value": "086672722f31302e32", "text": "frr/10.2" },
            ],
        },
        "messages": {
            "received": { "open": 1, "update": 0, "notification": 0, "keepalive": 1, "route_refresh": 0 },
            "sent": gateway["messages"]["sent"],
        },
        "last_notification": { "received": null, "sent": null },
        "last_end": null, "hint": null,
        "routes": {
            "ipv4": { "exported": 2, "lag": 0, "caught_up": true, "max_prefix": null, "capped": 0 },
            "ipv6": { "exported": 0, "lag": null, "caught_up": null, "max_prefix": null, "capped": 0 },
        },
    });
    assert_eq!(gateway, expected);
    let all = world.get("/api/v1/gateways").await.json();
    assert_eq!(all["next"], Value::Null);
    assert_eq!(all["gateways"].as_array().unwrap().len(), 1);
    assert_eq!(all["gateways"][0]["negotiated"], expected["negotiated"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_words_of_a_gateway_are_kept_after_the_session() {
    let peer = Peer::listen().await;
    let world = World::ready(HOSTS, &peer.yaml("core-a")).await;
    let mut session = peer.establish(capabilities()).await;
    session.send(Notification::administrative_shutdown("until 22:00\u{1b}[2J").encode()).await;
    // It dials again at once; this time it is left waiting.
    let _waiting = peer.accept().await;
    let gateway = settled(&world, "core-a", "OpenSent").await;
    let said = &gateway["last_notification"]["received"];
    assert_moment(&said["at"]);
    let text = r#"6/2 Cease, Administrative Shutdown: "until 22:00\u{1b}[2J""#;
    let expected = json!({ "at": said["at"], "code": 6, "subcode": 2, "name": "Cease",
        "subcode_name": "Administrative Shutdown", "text": text, "shutdown_communication": "until 22:00\\u{1b}[2J" });
    assert_eq!(*said, expected);
    assert_moment(&gateway["last_end"]["at"]);
    assert_eq!(gateway["last_end"]["reason"], "notification_received");
    assert_eq!(gateway["last_end"]["text"], format!("the gateway sent NOTIFICATION {text}"));
    for gone in ["negotiated", "direction"] {
        assert_eq!(gateway[gone], Value::Null);
    }
    assert_eq!(
        gateway["routes"]["ipv4"],
        json!({ "exported": 2, "lag": null, "caught_up": null, "max_prefix": null, "capped": 0 })
    );
    assert_eq!(gateway["established_count"], 1);
    assert_eq!(gateway["messages"]["received"]["notification"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_the_wrong_as_shows_what_it_was_told() {
    let peer = Peer::listen().await;
    let world = World::ready(HOSTS, &peer.yaml("core-a")).await;
    let mut session = peer.accept().await;
    let mut wrong = open(Vec::new());
    wrong.asn = Asn::new(64999).unwrap();
    session.send(wrong.encode()).await;
    session.expect(MessageKind::Notification).await;
    let refused = |gateway: &Value| gateway["last_notification"]["sent"]["code"] == 2;
    let answer = world.until_answer("/api/v1/gateways/core-a", |answer| refused(&answer.json())).await.json();
    assert_eq!(answer["last_notification"]["sent"]["text"], "2/2 OPEN Message Error, Bad Peer AS");
    assert_eq!(answer["last_end"]["reason"], "notification_sent");
    let text = answer["last_end"]["text"].as_str().unwrap();
    assert!(text.contains("AS 64999") && text.contains("AS 64500"), "{text}");
    assert_eq!(answer["established_count"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_come_in_pages_by_name() {
    let peers = [Peer::listen().await, Peer::listen().await, Peer::listen().await];
    let gateways: Vec<String> =
        peers.iter().zip(["core-c", "core-a", "core-b"]).map(|(p, name)| p.yaml(name)).collect();
    let world = World::ready(HOSTS, &gateways.join(", ")).await;
    let mut target = "/api/v1/gateways?limit=2".to_owned();
    let mut pages = Vec::new();
    loop {
        let page = world.get(&target).await.json();
        let names: Vec<String> =
            page["gateways"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap().to_owned()).collect();
        pages.push(names);
        let Some(next) = page["next"].as_str() else { break };
        target = format!("/api/v1/gateways?limit=2&page={next}");
    }
    assert_eq!(pages, [vec!["core-a", "core-b"], vec!["core-c"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_gateway_is_gone() {
    let (one, other) = (Peer::listen().await, Peer::listen().await);
    let mut world = World::ready(HOSTS, &format!("{}, {}", one.yaml("core-a"), other.yaml("core-b"))).await;
    assert_eq!(world.get("/api/v1/gateways/core-b").await.status, 200);
    world.reconfigure(&one.yaml("core-a")).await;
    let answer = world.get("/api/v1/gateways/core-b").await;
    assert_eq!(answer.status, 404);
    let hint = "GET /api/v1/gateways lists them";
    assert_eq!(answer.json(), json!({ "error": "no gateway is named \"core-b\"", "hint": hint }));
}
