//! What changes in the source changes in the gateway's kernel, and nothing else does: a subnet moves to another host, a
//! host gains and loses subnets, a host goes.

#![cfg(target_os = "linux")]

use integration::lab::gateway::Daemon;
use integration::lab::ping;
use integration::lab::record;
use integration::lab::skip::{self, Need};
use integration::lab::stage::Stage;
use integration::lab::topology::Subnet;

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];

/// The changes that do not mention any of `subnets`.
fn of_others(changes: &[String], subnets: &[Subnet]) -> Vec<String> {
    let own: Vec<String> = subnets.iter().flat_map(|subnet| [subnet.v4(), subnet.v6()]).collect();
    changes.iter().filter(|change| !own.iter().any(|prefix| change.contains(prefix.as_str()))).cloned().collect()
}

fn moved_subnet_is_reached_at_its_new_host(daemon: Daemon) {
    if skip::unless(&NEEDS) {
        return;
    }
    let stage = Stage::native(daemon);
    let [from, to, other] = ["node-a1", "node-b1", "node-b2"].map(|name| stage.lab.host(name));
    let subnet = from.subnet();
    let monitor = stage.lab.gateways()[0].watch_routes();

    from.disown(subnet);
    to.own(subnet);
    // The new owner first: for a moment two hosts claim the subnet, and it never has none.
    stage.record(to, &[to.subnet(), subnet]);
    stage.record(from, &[]);
    let mut expected = stage.lab.home_routes();
    for (prefix, via) in to.routes_of(subnet) {
        expected.insert(prefix, [via].into());
    }
    stage.await_routes(&expected);

    for target in [subnet.pod_v4(), subnet.pod_v6()] {
        ping::burst(other.pod(), target, 10, ping::full_size(target)).assert_lossless(10);
    }
    let changes = monitor.stop();
    assert_eq!(of_others(&changes, &[subnet]), Vec::<String>::new(), "a move touches nothing but the moved subnet");
    let gone = changes.iter().find(|change| change.starts_with("Deleted") && change.contains(&subnet.v4()));
    assert!(gone.is_none() || daemon == Daemon::Frr, "the IPv4 entry is replaced, never absent: {changes:#?}");
}

#[test]
fn l9_bird_reaches_a_moved_subnet_at_its_new_host() {
    moved_subnet_is_reached_at_its_new_host(Daemon::Bird);
}

#[test]
fn l9_frr_reaches_a_moved_subnet_at_its_new_host() {
    moved_subnet_is_reached_at_its_new_host(Daemon::Frr);
}

fn deleted_host_is_withdrawn_and_no_other(daemon: Daemon) {
    if skip::unless(&NEEDS) {
        return;
    }
    let stage = Stage::native(daemon);
    let gone = stage.lab.host("node-a2");
    let monitor = stage.lab.gateways()[0].watch_routes();
    stage.etcd.delete(&record::native_key(gone));
    let mut expected = stage.lab.home_routes();
    for (prefix, _) in gone.routes_of(gone.subnet()) {
        expected.remove(&prefix);
    }
    stage.await_routes(&expected);
    let changes = monitor.stop();
    assert_eq!(changes.len(), 2, "one entry of each family was removed: {changes:#?}");
    assert!(changes.iter().all(|change| change.starts_with("Deleted")), "{changes:#?}");
    assert_eq!(of_others(&changes, &[gone.subnet()]), Vec::<String>::new());

    // And it comes back as it was.
    stage.record(gone, &[gone.subnet()]);
    stage.await_home_routes();
}

#[test]
fn l11_bird_loses_a_deleted_host_and_no_other() {
    deleted_host_is_withdrawn_and_no_other(Daemon::Bird);
}

#[test]
fn l11_frr_loses_a_deleted_host_and_no_other() {
    deleted_host_is_withdrawn_and_no_other(Daemon::Frr);
}

fn host_gains_and_loses_a_subnet(daemon: Daemon) {
    if skip::unless(&NEEDS) {
        return;
    }
    let stage = Stage::native(daemon);
    let [host, other] = ["node-b2", "node-a1"].map(|name| stage.lab.host(name));
    let gained = Subnet(77);
    host.own(gained);
    stage.record(host, &[host.subnet(), gained]);
    let mut expected = stage.lab.home_routes();
    for (prefix, via) in host.routes_of(gained) {
        expected.insert(prefix, [via].into());
    }
    stage.await_routes(&expected);
    for target in [gained.pod_v4(), gained.pod_v6()] {
        ping::burst(other.pod(), target, 5, ping::full_size(target)).assert_lossless(5);
    }
    stage.record(host, &[host.subnet()]);
    stage.await_home_routes();
}

#[test]
fn bird_follows_a_host_that_gains_and_loses_a_subnet() {
    host_gains_and_loses_a_subnet(Daemon::Bird);
}

#[test]
fn frr_follows_a_host_that_gains_and_loses_a_subnet() {
    host_gains_and_loses_a_subnet(Daemon::Frr);
}
