//! Sessions of every kind: routes come, move and go through each.

use integration::lab::Peering;
use integration::lab::gateway::Daemon;
use integration::lab::session::Session;

use crate::bench::{Bench, Setup, home};
use crate::cell::Found;

pub(crate) fn ibgp(daemon: Daemon) -> Found {
    come_move_and_go(&Setup::new(daemon, Peering::Ibgp).start())
}

pub(crate) fn ebgp(daemon: Daemon) -> Found {
    come_move_and_go(&Setup::new(daemon, Peering::Ebgp).start())
}

pub(crate) fn multihop(daemon: Daemon) -> Found {
    come_move_and_go(&Setup::new(daemon, Peering::EbgpMultihop).start())
}

pub(crate) fn v6_session(daemon: Daemon) -> Found {
    come_move_and_go(&Setup::new(daemon, Peering::EbgpOverV6).start())
}

pub(crate) fn v6_over_v4(daemon: Daemon) -> Found {
    let mut setup = Setup::new(daemon, Peering::Ebgp);
    setup.session = Session { ipv4: false, ..setup.session };
    let bench = setup.start();
    assert_eq!(bench.status()["negotiated"]["families"], serde_json::json!(["ipv6"]));
    come_move_and_go(&bench)
}

pub(crate) fn dials_us(daemon: Daemon) -> Found {
    let mut setup = Setup::new(daemon, Peering::Ebgp);
    setup.session = Session { listens: true, keys: "passive: true".to_owned(), ..setup.session };
    let mut lab = setup.lab();
    // Fingerpost is there first: after a refused connection OpenBGPD waits two minutes.
    lab.gateways_mut()[0].kill();
    let mut bench = Bench::start_in(lab);
    bench.gateway_mut().start();
    bench.await_home();
    assert_eq!(bench.status()["direction"], "incoming");
    come_move_and_go(&bench)
}

pub(crate) fn dials_range(daemon: Daemon) -> Found {
    let mut setup = Setup::new(daemon, Peering::Ebgp);
    setup.session.range = Some("10.170.0.0/24");
    let bench = setup.start();
    assert_eq!(bench.status()["direction"], "outgoing");
    come_move_and_go(&bench)
}

/// A subnet moves to another host, a host goes, all comes back; the session is the same one at the end.
fn come_move_and_go(bench: &Bench) -> Found {
    let session = bench.gateway().session();
    assert!(session.is_some(), "it has routes, so it has a session");
    let mut moved = home();
    let subnet = moved[0].1.remove(0);
    moved[2].1.push(subnet);
    bench.own(&moved);
    bench.await_owners(&moved);
    let mut gone = moved;
    gone.pop();
    bench.own(&gone);
    bench.await_owners(&gone);
    bench.own(&home());
    bench.await_home();
    assert_eq!(bench.gateway().session(), session, "the session stayed");
    Found::Works
}
