//! Bad input: it is named in the log, nothing is lost by it, and everything else goes on.

#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::time::Duration;

use integration::lab::etcd::Etcd;
use integration::lab::fingerpost::{Fingerpost, HTTP, Source, configuration};
use integration::lab::gateway::Daemon;
use integration::lab::skip::{self, Need};
use integration::lab::stage::Stage;
use integration::lab::{Lab, Peering, http, ping, record, routes, wait};

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];
const BOUND: Duration = Duration::from_secs(20);

#[test]
fn c40_an_unreadable_record_keeps_its_routes_and_the_rest_flows() {
    if skip::unless(&NEEDS) {
        return;
    }
    let stage = Stage::native(Daemon::Bird);
    let monitor = stage.lab.gateways()[0].watch_routes();
    let [broken, other] = ["node-a1", "node-b1"].map(|name| stage.lab.host(name));
    stage.etcd.put(&record::native_key(broken), "{ \"addresses\": [\"10.168.0.");
    stage.etcd.put("/fingerpost/hosts/node-never-seen", "not JSON");
    let gained = integration::lab::topology::Subnet(150);
    stage.record(other, &[other.subnet(), gained]);
    let mut expected = stage.lab.home_routes();
    expected.extend(routes(other.routes_of(gained)));
    stage.await_routes(&expected);
    for target in [broken.subnet().pod_v4(), broken.subnet().pod_v6()] {
        ping::burst(other.pod(), target, 5, 56).assert_lossless(5);
    }
    let changes = monitor.stop();
    assert_eq!(changes.len(), 2, "only the gained subnet's routes: {changes:#?}");
    let log = stage.fingerpost.log();
    assert!(log.contains(&record::native_key(broken)), "the log names the unreadable record:\n{log}");

    // Repaired, it is followed again.
    stage.record(broken, &[]);
    for (prefix, _) in broken.routes_of(broken.subnet()) {
        expected.remove(&prefix);
    }
    stage.await_routes(&expected);
}

#[test]
fn a_port_in_use_is_named_while_routes_flow() {
    if skip::unless(&NEEDS) {
        return;
    }
    let lab = Lab::builder(Peering::Ebgp).gateway(Daemon::Bird).build();
    let etcd = Etcd::start(lab.control());
    for host in lab.hosts() {
        etcd.put(&record::native_key(host), &record::native_value(host, &[host.subnet()]));
    }
    let holder = lab.control().enter(|| TcpListener::bind(HTTP)).expect("the port is free at first");
    let fingerpost = Fingerpost::spawn(&lab, &configuration(&lab, &Source::Native));
    lab.gateways()[0].await_routes(&lab.home_routes());
    let log = fingerpost.log();
    assert!(log.contains(&HTTP.to_string()) && log.contains("http.listen"), "which address, of which key: {log}");
    drop(holder);
    wait::until("pages once the port is free", BOUND, || http::get(lab.control(), HTTP, "/livez"));
}
