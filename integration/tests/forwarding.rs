//! L1: one gateway in two VLANs, the session in a third. The gateway's kernel has `subnet via host` for every subnet,
//! pods reach each other within and between VLANs in full-size packets, and nothing on the wire is encapsulated.

#![cfg(target_os = "linux")]

use integration::lab::capture::Capture;
use integration::lab::gateway::Daemon;
use integration::lab::skip::{self, Need};
use integration::lab::stage::Stage;
use integration::lab::{Lab, Peering, ping};

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];

/// From every pod to every other one, both families, full-size packets that may not be fragmented.
fn assert_every_pod_reaches_every_other(lab: &Lab) {
    for from in lab.hosts() {
        for to in lab.hosts().iter().filter(|to| to.name() != from.name()) {
            for target in [to.subnet().pod_v4(), to.subnet().pod_v6()] {
                ping::burst(from.pod(), target, 5, ping::full_size(target)).assert_lossless(5);
            }
        }
    }
}

fn forwards(daemon: Daemon, peering: Peering) {
    if skip::unless(&NEEDS) {
        return;
    }
    let stage = Stage::native_in(Lab::builder(peering).gateway(daemon).build());
    let capture = Capture::start(stage.lab.switch());
    assert_every_pod_reaches_every_other(&stage.lab);
    capture.stop().assert_no_encapsulation();
}

#[test]
fn l1_bird_forwards_without_encapsulation_over_ibgp() {
    forwards(Daemon::Bird, Peering::Ibgp);
}

#[test]
fn l1_bird_forwards_without_encapsulation_over_ebgp() {
    forwards(Daemon::Bird, Peering::Ebgp);
}

#[test]
fn l1_bird_forwards_without_encapsulation_over_ebgp_multihop() {
    forwards(Daemon::Bird, Peering::EbgpMultihop);
}

#[test]
fn l1_bird_forwards_without_encapsulation_over_an_ipv6_session() {
    forwards(Daemon::Bird, Peering::EbgpOverV6);
}

#[test]
fn l1_frr_forwards_without_encapsulation_over_ibgp() {
    forwards(Daemon::Frr, Peering::Ibgp);
}

#[test]
fn l1_frr_forwards_without_encapsulation_over_ebgp() {
    forwards(Daemon::Frr, Peering::Ebgp);
}

#[test]
fn l1_frr_forwards_without_encapsulation_over_ebgp_multihop() {
    forwards(Daemon::Frr, Peering::EbgpMultihop);
}

#[test]
fn l1_frr_forwards_without_encapsulation_over_an_ipv6_session() {
    forwards(Daemon::Frr, Peering::EbgpOverV6);
}

#[test]
fn l1_bird_and_frr_learn_the_same_from_one_process() {
    if skip::unless(&NEEDS) {
        return;
    }
    let lab = Lab::builder(Peering::Ebgp).gateway(Daemon::Bird).gateway(Daemon::Frr).build();
    let stage = Stage::native_in(lab);
    let [bird, frr] = stage.lab.gateways() else { panic!("two gateways were asked for") };
    assert_eq!(bird.routes(), frr.routes());
    assert_every_pod_reaches_every_other(&stage.lab);
}

#[test]
fn two_labs_side_by_side_do_not_see_each_other() {
    if skip::unless(&NEEDS) {
        return;
    }
    // The same addresses, keys and ports, and in the second one a2 has taken the subnet of a1.
    let first = Stage::native(Daemon::Bird);
    let second = Stage::native(Daemon::Bird);
    let [a1, a2] = ["node-a1", "node-a2"].map(|name| second.lab.host(name));
    second.record(a1, &[]);
    second.record(a2, &[a1.subnet(), a2.subnet()]);
    let mut moved = second.lab.home_routes();
    for (prefix, via) in a2.routes_of(a1.subnet()) {
        moved.insert(prefix, [via].into());
    }
    second.await_routes(&moved);
    first.await_home_routes();
}
