//! A panic costs what its task was for: one connection, one gateway, one range, one listener; and that comes back by itself.

use super::peer::{Peer, Session, dial, range, yaml};
use super::traps::{Place, Traps};
use super::until::until;
use super::world::{HOSTS, World, is_up, subnet, within};
use fingerpost_core::bgp::wire::keepalive;
use fingerpost_core::model::HoldTime;
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;

async fn start(traps: &Traps, gateways: &str) -> World {
    World::on(Arc::new(traps.clone()), HOSTS, gateways, &[]).await
}

/// Another gateway, with a session that must outlive everything.
struct Bystander {
    peer: Peer,
    session: Session,
}

impl Bystander {
    async fn establish(mut peer: Peer) -> Self {
        let mut session = peer.accept(None).await.establish().await;
        assert_eq!(session.table().await.len(), 2);
        Bystander { peer, session }
    }

    /// It is told what changes, on its one session.
    async fn expect_undisturbed(mut self, world: &mut World) {
        let more = HOSTS.replace("[10.244.1.0/24]", "[10.244.1.0/24, 10.244.9.0/24]");
        std::fs::write(world.file("hosts.yaml"), more).unwrap();
        assert_eq!(self.session.announced().await, ["10.244.9.0/24".parse().unwrap()]);
        let gateway = world.until_gateway("bystander", "the session", is_up).await;
        assert_eq!(gateway["established_count"], 1);
        assert!(self.peer.is_alone().await, "connected a second time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c61_a_panic_in_one_gateway_s_task_leaves_the_others_alone_and_it_is_started_again() {
    let own = subnet();
    let (broken, fine) = (within(own, 2), within(own, 3));
    let (mut peer, bystander) = (Peer::listen(broken), Peer::listen(fine));
    let traps = Traps::default();
    traps.set(broken, Place::Dial);
    let gateways = [yaml("broken", broken, ""), yaml("bystander", fine, "")].join(", ");
    let mut world = start(&traps, &gateways).await;
    let bystander = Bystander::establish(bystander).await;
    world.until_gateway("broken", "the end of its task", |gateway| gateway["state"] == "Unknown").await;
    assert!(!traps.is_set(broken, Place::Dial));
    let (_, _session) = tokio::join!(world.until_gateway("broken", "its session", is_up), async {
        peer.accept(None).await.establish().await
    });
    bystander.expect_undisturbed(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c61_a_panic_of_a_reader_or_writer_costs_that_connection_only() {
    let own = subnet();
    let (broken, fine) = (within(own, 2), within(own, 3));
    let (mut peer, bystander) = (Peer::listen(broken), Peer::listen(fine));
    let traps = Traps::default();
    let gateways = [yaml("broken", broken, ""), yaml("bystander", fine, "")].join(", ");
    let mut world = start(&traps, &gateways).await;
    let bystander = Bystander::establish(bystander).await;
    let mut session = peer.accept(None).await.establish().await;
    for (sessions, place) in [(1, Place::Read), (2, Place::Write)] {
        assert_eq!(session.table().await.len(), 2);
        world.until_gateway("broken", "its session", is_up).await;
        traps.set(broken, place);
        // Its reader has something to read; or its writer, which also answers what is out of turn, something to write.
        match place {
            Place::Read => session.send(keepalive()).await,
            _ => session.send(vec![0xff; 19].into()).await,
        }
        while session.next().await.is_some() {}
        assert!(!traps.is_set(broken, place));
        let ended = |gateway: &Value| gateway["established_count"] == sessions && gateway["state"] != "Established";
        let gateway = world.until_gateway("broken", "the end of its session", ended).await;
        if place == Place::Read {
            // The writer's panic comes after the session has ended for what was out of turn.
            let text = gateway["last_end"]["text"].as_str().unwrap();
            assert!(text.contains("the task that reads from it has failed"), "{text}");
        }
        session = peer.accept(None).await.establish().await;
    }
    bystander.expect_undisturbed(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c61_a_panic_in_a_range_s_task_costs_its_hosts_their_sessions_and_they_come_back() {
    let own = subnet();
    let fine = within(own, 130);
    let bystander = Peer::listen(fine);
    let traps = Traps::default();
    let hosts = range(own, 25, "listen_limit: 1");
    let mut world = start(&traps, &[hosts, yaml("bystander", fine, "")].join(", ")).await;
    let bystander = Bystander::establish(bystander).await;
    let (first, second) = (within(own, 2), within(own, 3));
    let mut session = dial(world.listens, first, None).await.unwrap().establish().await;
    assert_eq!(session.table().await.len(), 2);
    world.until_gateway(&format!("hosts/{first}"), "its session", is_up).await;

    // There is no room for this one: the range drops its connection, and panics.
    traps.set(second, Place::Drop);
    assert_eq!(dial(world.listens, second, None).await.unwrap().next().await, None);
    assert!(!traps.is_set(second, Place::Drop));
    while session.next().await.is_some() {}
    // There is room again: nobody of before is left.
    let _session = come_back(&mut world, second).await;
    let names = world.text("/api/v1/gateways").await;
    assert!(!names.contains(&format!("hosts/{first}")), "{names}");
    assert!(world.text("/metrics").await.contains("fingerpost_range_sessions{gateway=\"hosts\"} 1"));
    bystander.expect_undisturbed(&mut world).await;
}

/// A host that tries until it has a session.
async fn come_back(world: &mut World, host: IpAddr) -> Session {
    let greeted = until("an OPEN for the host", async || {
        world.service.look_after().await;
        let mut session = dial(world.listens, host, None).await.map_err(|error| error.to_string())?;
        if session.is_greeted().await { Ok(session) } else { Err("closed before an OPEN".to_owned()) }
    });
    greeted.await.answer(HoldTime::new(30).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn c61_a_listener_that_has_failed_is_opened_again() {
    let own = subnet();
    let (stranger, host, fine) = (within(own, 2), within(own, 3), within(own, 130));
    let bystander = Peer::listen(fine);
    let traps = Traps::default();
    let mut world = start(&traps, &[range(own, 25, ""), yaml("bystander", fine, "")].join(", ")).await;
    let bystander = Bystander::establish(bystander).await;
    traps.set(stranger, Place::Fit);
    assert_eq!(dial(world.listens, stranger, None).await.unwrap().next().await, None);
    assert!(!traps.is_set(stranger, Place::Fit));
    let _session = come_back(&mut world, host).await;
    bystander.expect_undisturbed(&mut world).await;
}
