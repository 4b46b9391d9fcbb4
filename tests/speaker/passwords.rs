//! TCP MD5 keys from files: what is wrong with one concerns its gateway alone, is said, and is mended without a restart.

use super::peer::{Peer, dial, key, range, yaml};
use super::world::{World, is_up, subnet, within};
use fingerpost_core::bgp::wire::MessageKind;
use serde_json::Value;

fn text<'a>(gateway: &'a Value, field: &str) -> &'a str {
    gateway[field].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn c64_a_missing_password_keeps_that_gateway_down_and_no_other() {
    let own = subnet();
    let (signed, plain) = (within(own, 2), within(own, 3));
    let (mut signed_peer, mut plain_peer) = (Peer::listen(signed), Peer::listen(plain));
    let gateways = [yaml("signed", signed, "password_file: key"), yaml("plain", plain, "")].join(", ");
    let mut world = World::start(&gateways, &[]).await;
    let _session = plain_peer.accept(None).await.establish().await;
    world.until_gateway("plain", "the other gateway", is_up).await;
    let missing = |gateway: &Value| gateway["last_end"]["reason"] == "no_password";
    let gateway = world.until_gateway("signed", "the reason", missing).await;
    let why = gateway["last_end"]["text"].as_str().unwrap();
    assert!(why.starts_with("no password, so no connection: cannot use /"), "{why}");
    assert!(why.ends_with("key: No such file or directory (os error 2)"), "{why}");
    let metric = r#"fingerpost_session_last_end_timestamp_seconds{gateway="signed",reason="no_password"}"#;
    assert!(world.text("/metrics").await.contains(metric));

    // An empty file is no empty password.
    std::fs::write(world.file("key"), "\n").unwrap();
    let empty =
        |gateway: &Value| gateway["last_end"]["text"].as_str().is_some_and(|text| text.contains("does not hold"));
    world.until_gateway("signed", "the other reason", empty).await;
    assert!(signed_peer.is_alone().await, "connected without a password");

    let secret = key("hunter2");
    signed_peer.sign(&secret);
    std::fs::write(world.file("key"), "hunter2\n").unwrap();
    let (_, session) = tokio::join!(world.until_gateway("signed", "the gateway with its password", is_up), async {
        signed_peer.accept(Some(&secret)).await.establish().await
    });

    // The session outlives its file.
    std::fs::remove_file(world.file("key")).unwrap();
    for _ in 0..3 {
        world.service.look_after().await;
    }
    assert!(is_up(&world.until_gateway("signed", "the session", |_| true).await));
    drop(session);
    world.until_gateway("signed", "the reason anew", missing).await;
    assert!(signed_peer.is_alone().await, "connected without a password");
    for page in ["/api/v1/gateways", "/metrics"] {
        assert!(!world.text(page).await.contains("hunter2"), "P9: {page} shows a secret");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c64_a_wrong_password_reads_as_time_out_possibly_md5_and_the_right_one_is_taken_without_a_restart() {
    let address = within(subnet(), 2);
    let mut peer = Peer::listen(address);
    let secret = key("right");
    peer.sign(&secret);
    let mut world = World::start(&yaml("core", address, "password_file: key"), &[("key", "wrong")]).await;
    let timed_out = |gateway: &Value| gateway["last_end"]["reason"] == "timed_out";
    let gateway = world.until_gateway("core", "the time-out", timed_out).await;
    assert_eq!(gateway["last_end"]["text"], "cannot connect: no answer (time-out)");
    assert!(text(&gateway, "hint").starts_with("possibly MD5: the gateway may have another key, or none"), "{gateway}");
    std::fs::write(world.file("key"), "right").unwrap();
    let (gateway, _session) = tokio::join!(world.until_gateway("core", "the session", is_up), async {
        peer.accept(Some(&secret)).await.establish().await
    });
    assert_eq!(gateway["hint"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn c64_a_gateway_that_connects_with_a_wrong_or_no_password_gets_no_session() {
    let address = within(subnet(), 2);
    let gateways = yaml("core", address, "password_file: key, passive: true");
    let mut world = World::start(&gateways, &[("key", "right")]).await;
    for (secret, counted) in [(Some(key("wrong")), "TCPMD5Failure +"), (None, "TCPMD5NotFound +")] {
        let listens = world.listens;
        let dialling = tokio::spawn(async move { dial(listens, address, secret).await.is_ok() });
        let counts = |gateway: &Value| text(gateway, "hint").contains(counted);
        let gateway = world.until_gateway("core", counted, counts).await;
        assert!(text(&gateway, "hint").starts_with("possibly MD5: "), "{gateway}");
        assert_eq!(gateway["state"], "Active");
        assert!(!dialling.is_finished(), "the kernel took the connection");
        dialling.abort();
    }
    assert!(world.text("/metrics").await.contains(r#"fingerpost_tcp_md5_dropped_segments_total{kind="failure"}"#));
    let _session = dial(world.listens, address, Some(key("right"))).await.unwrap().establish().await;
    world.until_gateway("core", "the session", is_up).await;

    // Another key: the session stays, the next connection needs the new one.
    std::fs::write(world.file("key"), "other").unwrap();
    for _ in 0..3 {
        world.service.look_after().await;
    }
    assert!(is_up(&world.until_gateway("core", "the session", |_| true).await));
    let mut second = dial(world.listens, address, Some(key("other"))).await.unwrap();
    // Which is then told that there is a session already (RFC 4271 §6.8).
    second.expect(MessageKind::Notification).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c64_a_passive_gateway_without_a_usable_password_says_so_and_takes_no_connection() {
    let address = within(subnet(), 2);
    // A directory cannot be read by anybody.
    let gateways = yaml("core", address, "password_file: ., passive: true");
    let mut world = World::start(&gateways, &[("key", "right")]).await;
    let gateway = world.until_gateway("core", "the reason", |gateway| !gateway["last_end"].is_null()).await;
    assert_eq!(gateway["last_end"]["reason"], "no_password");
    assert!(text(&gateway["last_end"], "text").contains("no password, so no connection: cannot use "), "{gateway}");
    assert_eq!(gateway["hint"], Value::Null, "nothing is signed, so nothing is dropped for that");
    assert_eq!(
        dial(world.listens, address, None).await.unwrap().next().await,
        None,
        "an unsigned connection was taken"
    );
    world.reconfigure(&yaml("core", address, "password_file: key, passive: true")).await;
    let _session = dial(world.listens, address, Some(key("right"))).await.unwrap().establish().await;
    world.until_gateway("core", "the session", is_up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c64_a_range_says_what_is_wrong_with_its_password_or_with_a_host_s() {
    let own = subnet();
    let host = within(own, 2);
    let mut world = World::start(&range(own, 24, "password_file: key"), &[]).await;
    let ranges = world.until_ranges("the reason", |range| !range["hint"].is_null()).await;
    let hint = text(&ranges[0], "hint");
    assert!(hint.starts_with("no password, so every connection is closed: cannot use /"), "{hint}");
    assert_eq!(dial(world.listens, host, None).await.unwrap().next().await, None, "an unsigned connection was taken");

    std::fs::write(world.file("key"), "right").unwrap();
    world.until_ranges("the password", |range| !text(range, "hint").starts_with("no password")).await;
    for (secret, counted) in [(Some(key("wrong")), "TCPMD5Failure +"), (None, "TCPMD5NotFound +")] {
        let listens = world.listens;
        let dialling = tokio::spawn(async move { dial(listens, host, secret).await.is_ok() });
        let ranges = world.until_ranges(counted, |range| text(range, "hint").contains(counted)).await;
        assert!(text(&ranges[0], "hint").starts_with("possibly MD5: "), "{ranges}");
        assert!(!dialling.is_finished(), "the kernel took the connection");
        dialling.abort();
    }
    let _session = dial(world.listens, host, Some(key("right"))).await.unwrap().establish().await;
    let ranges = world.until_ranges("the session", |range| range["established"] == 1).await;
    assert_eq!((&ranges[0]["gateways"], &ranges[0]["refused_connections"]), (&1.into(), &0.into()));
    assert!(!ranges.to_string().contains("right"), "P9: a secret is shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_whose_key_is_removed_from_the_configuration_connects_unsigned() {
    let address = within(subnet(), 2);
    let mut world = World::start(&yaml("core", address, "password_file: key, passive: true"), &[("key", "k")]).await;
    world.reconfigure(&yaml("core", address, "passive: true")).await;
    let _session = dial(world.listens, address, None).await.unwrap().establish().await;
    world.until_gateway("core", "the session", is_up).await;
}
