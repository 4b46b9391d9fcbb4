//! A configuration that changes under standing sessions: which gateways keep the routes meanwhile.

use super::peer::{Peer, Session};
use super::world::{HOSTS, World};
use fingerpost_core::bgp::wire::Capability;

async fn session(peer: &Peer) -> Session {
    let capabilities = vec![Capability::MultiProtocol { afi: 1, safi: 1 }, Capability::FourOctetAs(64500)];
    peer.establish(capabilities).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_under_another_name_keeps_its_routes() {
    let peer = Peer::listen().await;
    let mut world = World::ready(HOSTS, &peer.yaml("core-a")).await;
    let before = session(&peer).await;
    let renamed = peer.yaml("core-one");
    let (closed, ()) = tokio::join!(before.closed(), world.reconfigure(&renamed));
    assert!(closed.is_none(), "a NOTIFICATION makes it drop them: {closed:?}");
    let _after = session(&peer).await;
    world.until_answer("/api/v1/gateways/core-one", |answer| answer.body.contains("\"caught_up\":true")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_whose_name_another_machine_takes_drops_its_routes() {
    let (peer, other) = (Peer::listen().await, Peer::listen().await);
    let mut world = World::ready(HOSTS, &peer.yaml("core-a")).await;
    let before = session(&peer).await;
    let moved = other.yaml("core-a");
    let (closed, ()) = tokio::join!(before.closed(), world.reconfigure(&moved));
    // 6/3, Peer De-configured.
    let notification = closed.expect("nobody would ever tell it of a change again");
    assert_eq!(notification.body.get(..2), Some(&[6, 3][..]));
    let _after = session(&other).await;
    world.until_answer("/api/v1/gateways/core-a", |answer| answer.body.contains("\"caught_up\":true")).await;
}
