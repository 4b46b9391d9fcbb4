//! Dynamic neighbours: who connects from a range is a gateway of its own, within bounds, and nobody else is heard.

use super::peer::{Peer, dial, key, range, yaml};
use super::until::until;
use super::world::{World, is_up, subnet, within};
use fingerpost_core::bgp::wire::MessageKind;

#[tokio::test(flavor = "multi_thread")]
async fn who_connects_from_the_range_is_told_the_routes_and_is_seen_by_its_address() {
    let own = subnet();
    let mut world = World::start(&range(own, 24, ""), &[]).await;
    let (first, second) = (within(own, 2), within(own, 3));
    let mut one = dial(world.listens, first, None).await.unwrap().establish().await;
    let mut two = dial(world.listens, second, None).await.unwrap().establish().await;
    let expected: Vec<_> = ["10.244.1.0/24", "10.244.2.0/24"].map(|prefix| prefix.parse().unwrap()).into();
    assert_eq!(one.table().await, expected);
    assert_eq!(two.table().await, expected);
    let gateway = world.until_gateway(&format!("hosts/{first}"), "the first host", is_up).await;
    assert_eq!((&gateway["direction"], &gateway["address"]), (&"incoming".into(), &first.to_string().into()));
    world.until_gateway(&format!("hosts/{second}"), "the second host", is_up).await;
    let metrics = world.text("/metrics").await;
    assert!(metrics.contains("fingerpost_range_sessions{gateway=\"hosts\"} 2"), "{metrics}");
    assert!(!metrics.contains(&first.to_string()), "a series of one host's own: {metrics}");
    // A policy that is reloaded reaches them, and their sessions stay.
    world.reconfigure(&range(own, 24, "listen_limit: 100")).await;
    assert!(is_up(&world.until_gateway(&format!("hosts/{first}"), "the session", |_| true).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_its_limit_nobody_is_taken_in_and_who_leaves_early_makes_room() {
    let own = subnet();
    let mut world = World::start(&range(own, 24, "listen_limit: 1"), &[]).await;
    // Who says nothing keeps nobody out.
    let _silent = dial(world.listens, within(own, 9), None).await.unwrap();
    let session = dial(world.listens, within(own, 2), None).await.unwrap().establish().await;
    world.until_gateway(&format!("hosts/{}", within(own, 2)), "the host", is_up).await;
    let mut late = dial(world.listens, within(own, 3), None).await.unwrap();
    assert_eq!(late.next().await, None, "something was sent to one too many");
    let metrics = world.text("/metrics").await;
    assert!(metrics.contains("fingerpost_range_refused_connections_total{gateway=\"hosts\"} 1"), "{metrics}");
    drop(session);
}

#[tokio::test(flavor = "multi_thread")]
async fn c64_a_range_with_a_password_takes_only_what_is_signed() {
    let own = subnet();
    let mut world = World::start(&range(own, 24, "password_file: key"), &[("key", "right")]).await;
    let (listens, host) = (world.listens, within(own, 2));
    let unsigned = tokio::spawn(async move { dial(listens, host, None).await.is_ok() });
    let _session = dial(listens, within(own, 3), Some(key("right"))).await.unwrap().establish().await;
    world.until_gateway(&format!("hosts/{}", within(own, 3)), "the host with the password", is_up).await;
    assert!(!unsigned.is_finished(), "an unsigned connection was taken");
    unsigned.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn c62_a_thousand_connections_from_strangers_and_duplicates_leave_gateways_alone() {
    let own = subnet();
    let (gateway, stranger) = (within(own, 2), within(own, 3));
    let mut peer = Peer::listen(gateway);
    let mut world = World::start(&yaml("core", gateway, ""), &[]).await;
    let mut session = peer.accept(None).await.establish().await;
    session.table().await;
    for n in 0..1000 {
        let from = if n % 2 == 0 { stranger } else { gateway };
        let mut connection = dial(world.listens, from, None).await.unwrap();
        if from == stranger {
            assert_eq!(connection.next().await, None, "a stranger was sent something");
        } else {
            // Told that there is a session already (RFC 4271 §6.8), without an OPEN.
            let frame = connection.next().await;
            assert!(frame.is_none_or(|frame| frame.kind == MessageKind::Notification), "a duplicate was sent an OPEN");
        }
    }
    let core = world.until_gateway("core", "the session", |_| true).await;
    assert!(is_up(&core) && core["established_count"] == 1, "{core}");
    // It is told what changes as ever.
    let hosts = "hosts: { node-c1: { addresses: [10.168.0.31], subnets: [10.244.3.0/24] } }\n";
    std::fs::write(world.file("hosts.yaml"), hosts).unwrap();
    world.service.nudge_sources();
    session.expect(MessageKind::Update).await;
    until("strangers' connections to be closed", async || {
        let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
        if open < 500 { Ok(()) } else { Err(open) }
    })
    .await;
}
