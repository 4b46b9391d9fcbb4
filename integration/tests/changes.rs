//! What changes in the source changes in the gateway's kernel, and nothing else does: a host gains and loses subnets, a
//! host goes. (A subnet moves: `moves.rs`.)

#![cfg(target_os = "linux")]

use std::time::Duration;

use integration::lab::gateway::Daemon;
use integration::lab::host::Host;
use integration::lab::ping;
use integration::lab::record;
use integration::lab::skip::{self, Need};
use integration::lab::stage::Stage;
use integration::lab::stream::Stream;
use integration::lab::topology::Subnet;

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];
const INTERVAL: Duration = Duration::from_millis(10);
/// Answers that show that traffic flows: a second's.
const FLOWS: usize = 100;

/// The changes that do not mention any of `subnets`.
fn of_others(changes: &[String], subnets: &[Subnet]) -> Vec<String> {
    let own: Vec<String> = subnets.iter().flat_map(|subnet| [subnet.v4(), subnet.v6()]).collect();
    changes.iter().filter(|change| !own.iter().any(|prefix| change.contains(prefix.as_str()))).cloned().collect()
}

/// A host loses its link, and half a minute of lost pings proves nothing about who owns what: the route stays until the record
/// is deleted.
fn dead_host_keeps_its_routes_until_its_record_is_deleted(daemon: Daemon) {
    if skip::unless(&NEEDS) {
        return;
    }
    let stage = Stage::native(daemon);
    let [from, dead, alive] = ["node-a1", "node-a2", "node-b2"].map(|name| stage.lab.host(name));
    let monitor = stage.lab.gateways()[0].watch_routes();
    let streams = |to: &Host| {
        let target = [to.subnet().pod_v4(), to.subnet().pod_v6()];
        target.map(|target| Stream::start(from.pod(), to.pod(), target, INTERVAL))
    };
    let [mut to_dead, mut to_alive] = [dead, alive].map(streams);
    to_dead.iter().chain(&to_alive).for_each(|stream| stream.await_more(FLOWS));

    dead.unplug();
    let answered = to_dead.each_ref().map(|stream| stream.await_silence());
    let unplugged = to_dead.each_ref().map(Stream::next);
    to_alive.iter().for_each(|stream| stream.await_more(2 * FLOWS));
    assert_eq!(stage.lab.gateways()[0].routes(), stage.lab.home_routes(), "a dead host owns what it owned");
    assert_eq!(to_dead.each_ref().map(Stream::answers), answered, "nobody else answers for its pods");

    stage.etcd.delete(&record::native_key(dead));
    let mut expected = stage.lab.home_routes();
    for (prefix, _) in dead.routes_of(dead.subnet()) {
        expected.remove(&prefix);
    }
    stage.await_routes(&expected);
    to_alive.iter().for_each(|stream| stream.await_more(FLOWS));
    let changes = monitor.stop();
    assert_eq!(changes.len(), 2, "one entry of each family was removed, by the deletion: {changes:#?}");
    assert!(changes.iter().all(|change| change.starts_with("Deleted")), "{changes:#?}");
    assert_eq!(of_others(&changes, &[dead.subnet()]), Vec::<String>::new());
    for (stream, unplugged) in to_dead.iter_mut().zip(unplugged) {
        let report = stream.stop();
        assert!(report.unanswered.last() > Some(&unplugged), "it was dead to the end: {report:?}");
    }
    for stream in &mut to_alive {
        let report = stream.stop();
        assert_eq!(report.lost, 0, "drops are confined to the dead host's pods: {report:?}");
    }

    // And it comes back as it was.
    dead.plug_in();
    stage.record(dead, &[dead.subnet()]);
    stage.await_home_routes();
    for target in [dead.subnet().pod_v4(), dead.subnet().pod_v6()] {
        ping::burst(from.pod(), target, 5, ping::full_size(target)).assert_lossless(5);
    }
}

#[test]
fn l11_bird_keeps_a_dead_hosts_routes_until_its_record_is_deleted() {
    dead_host_keeps_its_routes_until_its_record_is_deleted(Daemon::Bird);
}

#[test]
fn l11_frr_keeps_a_dead_hosts_routes_until_its_record_is_deleted() {
    dead_host_keeps_its_routes_until_its_record_is_deleted(Daemon::Frr);
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
