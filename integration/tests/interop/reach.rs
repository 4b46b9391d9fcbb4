//! Sessions of every kind: routes come, move and go through each.

use std::net::IpAddr;

use integration::lab::gateway::Daemon;
use integration::lab::route::PodRoutes;
use integration::lab::session::Session;
use integration::lab::topology::{HOSTS, Place, Subnet, Vlan};
use integration::lab::{Lab, Peering, routes};

use crate::bench::{Bench, Setup, home, replaced};
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

pub(crate) fn v4_over_v6(daemon: Daemon) -> Found {
    let mut setup = Setup::new(daemon, Peering::EbgpOverV6);
    setup.session.extended_next_hop = true;
    let bench = Bench::start_as(setup.lab(), |lab, configuration| {
        without_v4_addresses(lab);
        replaced(&configuration, "poll: 200ms } }", "poll: 200ms }, ipv4_via_ipv6: true }")
    });
    let session = bench.await_session();
    if bench.status()["negotiated"]["extended_next_hop"] != true {
        // What it cannot be told of is not announced, and all the rest is.
        let v6: PodRoutes = bench.table(&home()).into_iter().filter(|(prefix, _)| prefix.contains(':')).collect();
        bench.await_table(&v6);
        return Found::Unsupported("its OPEN lacks the capability for IPv4 routes with an IPv6 next hop");
    }
    let pairs = HOSTS.map(|place| (place.subnet, IpAddr::from(place.vlan.v6(place.station))));
    let all = pairs.into_iter().flat_map(|(subnet, via)| [(subnet.v4(), via), (subnet.v6(), via)]);
    bench.await_table(&routes(all));
    // The hosts get IPv4 addresses as well.
    bench.own(&home());
    bench.await_home();
    assert_eq!(bench.gateway().session(), Some(session), "the session stayed");
    Found::Works
}

/// Takes their IPv4 addresses from the hosts.
fn without_v4_addresses(lab: &Lab) {
    let path = lab.folder().join("hosts.yaml");
    let text = std::fs::read_to_string(&path).expect("the hosts file is there");
    let text =
        HOSTS.iter().fold(text, |text, place| replaced(&text, &format!("{}, ", place.vlan.v4(place.station)), ""));
    std::fs::write(&path, text).expect("a file can be written into the lab's folder");
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

pub(crate) fn dials_our_range(daemon: Daemon) -> Found {
    let mut setup = Setup::new(daemon, Peering::Ebgp);
    setup.session = Session { listens: true, listen_range: Some("10.170.0.0/24"), ..setup.session };
    let mut lab = setup.lab();
    lab.gateways_mut()[0].kill();
    let (name, address) = (lab.gateways()[0].name().to_owned(), lab.gateways()[0].address());
    let mut bench = Bench::start_in(lab);
    bench.gateway_mut().start();
    bench.await_home();
    assert_eq!(bench.fingerpost.gateway(&format!("{name}/{address}"))["direction"], "incoming");
    // It is a host itself, and has another one beside it.
    let host = |name, station, subnet| Place { name, vlan: Vlan::Control170, station, subnet };
    let [itself, near] = [host("node-itself", 1, Subnet(5)), host("node-near", 77, Subnet(6))];
    assert_eq!(IpAddr::from(itself.vlan.v4(itself.station)), address);
    let mut others = home();
    others.push((near, vec![near.subnet]));
    bench.own(&[others.clone(), vec![(itself, vec![itself.subnet])]].concat());
    bench.await_table(&bench.table(&others));
    bench.own(&home());
    bench.await_home();
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
