//! Where gateways connect: whether they can, and who comes that is none.

use super::peer::{dial, yaml};
use super::until::until;
use super::world::{HOSTS, World, subnet, within};
use fingerpost::config::Secret;
use fingerpost::speaker::{Accept, Later, Net, Stream, Target, Tcp};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// The system's network, in which every address is taken.
struct Taken;

impl Net for Taken {
    fn dial(&self, target: Target, key: Option<Secret>) -> Later<'_, io::Result<Box<dyn Stream>>> {
        Tcp.dial(target, key)
    }

    fn listen(&self, _: SocketAddr) -> io::Result<Box<dyn Accept>> {
        Err(io::ErrorKind::AddrInUse.into())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_gateway_is_counted() {
    let own = subnet();
    let world = World::start(&yaml("core", within(own, 2), ""), &[]).await;
    for _ in 0..2 {
        let mut stranger = dial(world.listens, within(own, 3), None).await.unwrap();
        assert_eq!(stranger.next().await, None, "a stranger was sent something");
    }
    let metrics = world.text("/metrics").await;
    assert!(metrics.contains("\nfingerpost_unknown_peer_connections_total 2\n"), "{metrics}");
}

/// Another program has the port: who is dialled does not need it, who is waited for does.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_cannot_be_had_is_seen_and_unready_where_gateways_wait_there() {
    let own = subnet();
    let address = within(own, 2);
    let mut world = World::start(&yaml("core", address, ""), &[]).await;
    let up = format!("fingerpost_listener_up{{address=\"{}\"}}", world.listens);
    until("the listener to be seen", async || {
        let metrics = world.text("/metrics").await;
        if metrics.contains(&format!("{up} 1\n")) { Ok(()) } else { Err(metrics) }
    })
    .await;
    let told = include_str!("../../docs/metrics.md");
    let help = "1 while gateways can connect to this address of router.listen, 0 while it cannot be listened on.";
    assert!(told.contains(&format!("| `fingerpost_listener_up` | gauge | `address` | {help} |")));

    let mut taken = World::on(Arc::new(Taken), HOSTS, &yaml("core", address, ""), &[]).await;
    let line = format!("[+]listener/{} ok: no gateway needs it, but cannot listen on ", taken.listens);
    let seen = until("the failure to be seen", async || {
        let seen = taken.text("/readyz?verbose").await;
        if seen.contains(&line) { Ok(seen) } else { Err(seen) }
    })
    .await;
    assert!(seen.contains("does another Fingerpost run?") && seen.ends_with("readyz check passed\n"), "{seen}");
    assert!(taken.text("/metrics").await.contains(&format!("address=\"{}\"}} 0\n", taken.listens)));
    taken.reconfigure(&yaml("core", address, "passive: true")).await;
    let seen = taken.text("/readyz?verbose").await;
    assert!(seen.contains(&format!("[-]listener/{} failed: ", taken.listens)), "{seen}");
    world.reconfigure(&yaml("core", address, "passive: true")).await;
    assert!(world.text("/readyz?verbose").await.contains(&format!("[+]listener/{} ok\n", world.listens)));
}
