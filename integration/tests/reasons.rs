//! What is wrong is said where an operator looks: a gateway that refuses the session, a source that refuses the
//! password or is not there. Everything else goes on.

#![cfg(target_os = "linux")]

use std::time::Duration;

use integration::lab::etcd::Etcd;
use integration::lab::fingerpost::{Fingerpost, Source, configuration_of};
use integration::lab::gateway::Daemon;
use integration::lab::skip::{self, Need};
use integration::lab::stage::Stage;
use integration::lab::{Lab, Peering, record, routes, wait};

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];
const BOUND: Duration = Duration::from_secs(20);
/// An AS that Fingerpost does not have.
const OTHER_ASN: u32 = 64999;

fn wrong_as_is_named_while_the_other_gateway_works(working: Daemon, wrong: Daemon) {
    if skip::unless(&NEEDS) {
        return;
    }
    let lab = Lab::builder(Peering::Ebgp).gateway(working).gateway_expecting(wrong, OTHER_ASN).build();
    let etcd = Etcd::start(lab.control());
    for host in lab.hosts() {
        etcd.put(&record::native_key(host), &record::native_value(host, &[host.subnet()]));
    }
    let fingerpost = Fingerpost::start(&lab, &Source::Native);
    let [good, bad] = lab.gateways() else { panic!("two gateways were asked for") };
    good.await_routes(&lab.home_routes());

    // The gateway answers our OPEN with 2/2, Bad Peer AS; the operator reads that, with the code.
    wait::until("the reason to be shown", BOUND, || {
        let shown = fingerpost.gateway(bad.name());
        let text = shown.to_string().to_lowercase();
        if text.contains("bad peer as") { Ok(()) } else { Err(shown) }
    });
    assert_ne!(fingerpost.gateway(bad.name())["state"], "Established");
    assert!(bad.routes().is_empty());

    // The good one has not suffered and still follows.
    let gone = lab.host("node-b1");
    etcd.delete(&record::native_key(gone));
    let mut expected = lab.home_routes();
    for (prefix, _) in gone.routes_of(gone.subnet()) {
        expected.remove(&prefix);
    }
    good.await_routes(&expected);
}

#[test]
fn c1_bird_with_a_wrong_as_is_named_while_frr_works() {
    wrong_as_is_named_while_the_other_gateway_works(Daemon::Frr, Daemon::Bird);
}

#[test]
fn c1_frr_with_a_wrong_as_is_named_while_bird_works() {
    wrong_as_is_named_while_the_other_gateway_works(Daemon::Bird, Daemon::Frr);
}

#[test]
fn p2_an_etcd_that_comes_later_is_waited_for() {
    if skip::unless(&NEEDS) {
        return;
    }
    let lab = Lab::builder(Peering::Ebgp).gateway(Daemon::Bird).build();
    let mut etcd = Etcd::start(lab.control());
    for host in lab.hosts() {
        etcd.put(&record::native_key(host), &record::native_value(host, &[host.subnet()]));
    }
    etcd.kill();
    let fingerpost = Fingerpost::start(&lab, &Source::Native);
    // The gateway is served its session, but no routes and no End-of-RIB.
    lab.gateways()[0].await_session();
    let ready = fingerpost.get("/readyz?verbose").expect("Fingerpost answers");
    assert_ne!(ready.status, 200, "nothing is known, so it is not ready: {ready:?}");
    assert!(ready.body.contains("lab"), "the source that is waited for is named: {ready:?}");
    assert!(lab.gateways()[0].routes().is_empty());

    etcd.resume();
    lab.gateways()[0].await_routes(&lab.home_routes());
    wait::until("readiness", BOUND, || {
        let ready = fingerpost.get("/readyz?verbose");
        if ready.as_ref().is_ok_and(|answer| answer.status == 200) { Ok(()) } else { Err(ready) }
    });
}

#[test]
fn c35_a_wrong_password_is_named_while_another_source_flows() {
    if skip::unless(&NEEDS) {
        return;
    }
    let lab = Lab::builder(Peering::Ebgp).gateway(Daemon::Bird).build();
    let etcd = Etcd::start(lab.control());
    let [a1, b1] = ["node-a1", "node-b1"].map(|name| lab.host(name));
    etcd.put(&record::native_key(a1), &record::native_value(a1, &[a1.subnet()]));
    etcd.require_password("right-one");
    let [password, hosts] = ["password", "hosts.yaml"].map(|name| lab.folder().join(name));
    std::fs::write(&password, "wrong-one-2718\n").expect("a file can be written into the lab's folder");
    std::fs::write(&hosts, record::hosts_file(&[(b1, &[b1.subnet()])])).expect("so can another");
    let sources = [("guarded", &Source::NativeAs("root", password)), ("file", &Source::File(hosts))];
    let fingerpost = Fingerpost::start_with(&lab, &configuration_of(&lab, &sources, lab.gateways()));

    lab.gateways()[0].await_routes(&routes(b1.routes_of(b1.subnet())));
    wait::until("the reason to be shown", BOUND, || {
        let ready = fingerpost.get("/readyz?verbose").map_err(|error| error.to_string())?;
        let text = ready.body.to_lowercase();
        if text.contains("guarded") && (text.contains("password") || text.contains("authentication")) {
            Ok(())
        } else {
            Err(ready.body)
        }
    });
    assert!(!fingerpost.log().contains("wrong-one-2718"), "a password is in the log");
}

#[test]
fn p8_a_route_is_explained_by_its_record() {
    if skip::unless(&NEEDS) {
        return;
    }
    let stage = Stage::native(Daemon::Bird);
    let host = stage.lab.host("node-b1");
    for (prefix, via) in host.routes_of(host.subnet()) {
        let answer = stage.fingerpost.get(&format!("/api/v1/routes?prefix={prefix}")).expect("Fingerpost answers");
        let text = answer.json().to_string();
        for word in [prefix, via.to_string(), host.name().to_owned(), record::native_key(host)] {
            assert!(text.contains(&format!("\"{word}\"")), "{word} is part of the explanation: {text}");
        }
        assert!(!text.contains("node-a1"), "no other host has to do with it: {text}");
    }
}
