//! flannel's leases in etcd, written as flanneld writes them: dual-stack keys, a lease of a day that is renewed by a new
//! one, reservations without a lease, leases that run out.

#![cfg(target_os = "linux")]

use std::time::Duration;

use integration::lab::gateway::Daemon;
use integration::lab::skip::{self, Need};
use integration::lab::stage::Stage;
use integration::lab::topology::Subnet;
use integration::lab::{ping, record, routes, wait};
use serde_json::json;

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];
/// etcd ends a lease when it notices that its time is over, which may take seconds more.
const SHORT: Duration = Duration::from_secs(3);

fn leases_become_routes(daemon: Daemon) {
    if skip::unless(&NEEDS) {
        return;
    }
    let stage = Stage::flannel(daemon);
    let [from, to] = ["node-a1", "node-b1"].map(|name| stage.lab.host(name));
    for target in [to.subnet().pod_v4(), to.subnet().pod_v6()] {
        ping::burst(from.pod(), target, 10, ping::full_size(target)).assert_lossless(10);
    }

    // A reservation has no lease; a key with an IPv4 part alone has no IPv6 route.
    let reserved = Subnet(63);
    stage.etcd.put(&record::flannel_key(reserved), &record::flannel_value(to));
    let single = json!({ "PublicIP": from.v4(), "PublicIPv6": null, "BackendType": "host-gw" }).to_string();
    stage.etcd.put("/coreos.com/network/subnets/10.244.91.0-24", &single);
    let mut expected = stage.lab.home_routes();
    expected.extend(routes(to.routes_of(reserved)));
    expected.extend(routes([("10.244.91.0/24".to_owned(), from.v4())]));
    stage.await_routes(&expected);
}

#[test]
fn l1_bird_learns_the_leases_of_flannel() {
    leases_become_routes(Daemon::Bird);
}

#[test]
fn l1_frr_learns_the_leases_of_flannel() {
    leases_become_routes(Daemon::Frr);
}

fn renewed_lease_changes_nothing_and_expired_lease_withdraws(daemon: Daemon) {
    if skip::unless(&NEEDS) {
        return;
    }
    let stage = Stage::flannel(daemon);
    let gateway = &stage.lab.gateways()[0];
    let host = stage.lab.host("node-a2");
    let key = record::flannel_key(host.subnet());
    let value = record::flannel_value(host);

    // flanneld renews by granting a new lease and writing the same value under it; the old one then ends alone.
    let monitor = gateway.watch_routes();
    let old = stage.etcd.grant(SHORT);
    stage.etcd.put_with_lease(&key, &value, &old);
    let renewed = stage.etcd.grant(Duration::from_hours(24));
    stage.etcd.put_with_lease(&key, &value, &renewed);
    wait::until_true("the old lease to end", Duration::from_secs(20), || !stage.etcd.is_alive(&old));
    // A change behind it has arrived, so whatever the renewal did has arrived, too.
    let marker = Subnet(200);
    stage.etcd.put(&record::flannel_key(marker), &record::flannel_value(host));
    let mut expected = stage.lab.home_routes();
    expected.extend(routes(host.routes_of(marker)));
    stage.await_routes(&expected);
    let changes = monitor.stop();
    assert_eq!(changes.len(), 2, "only the marker's two routes: {changes:#?}");
    assert!(changes.iter().all(|change| change.contains("200")), "{changes:#?}");

    // Not renewed: both halves of the key go, and the event that says so has no value.
    let last = stage.etcd.grant(SHORT);
    stage.etcd.put_with_lease(&key, &value, &last);
    for (prefix, _) in host.routes_of(host.subnet()) {
        expected.remove(&prefix);
    }
    stage.await_routes(&expected);
    assert!(!stage.etcd.has(&key), "the routes went before the record");
}

#[test]
fn bird_keeps_a_renewed_lease_and_loses_an_expired_one() {
    renewed_lease_changes_nothing_and_expired_lease_withdraws(Daemon::Bird);
}

#[test]
fn frr_keeps_a_renewed_lease_and_loses_an_expired_one() {
    renewed_lease_changes_nothing_and_expired_lease_withdraws(Daemon::Frr);
}
