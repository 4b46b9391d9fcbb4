//! Not knowing never withdraws (P2), and a restart loses no packet: etcd goes and comes back, Fingerpost goes and comes
//! back, while pods talk at a hundred packets a second in both families.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::time::Duration;

use integration::lab::gateway::Daemon;
use integration::lab::ping::Ping;
use integration::lab::skip::{self, Need};
use integration::lab::stage::Stage;
use integration::lab::topology::Subnet;
use integration::lab::{record, routes, wait};

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];
const INTERVAL: Duration = Duration::from_millis(10);
/// Answers that are awaited while something is away: more than two seconds.
const AWAY: usize = 200;

/// How long anything may take.
const BOUND: Duration = Duration::from_secs(60);

/// Traffic between the two VLANs in both families.
fn traffic(stage: &Stage) -> [Ping; 2] {
    let [from, to] = ["node-a1", "node-b2"].map(|name| stage.lab.host(name));
    [to.subnet().pod_v4(), to.subnet().pod_v6()].map(|target| Ping::start(from.pod(), target, INTERVAL))
}

fn await_more(traffic: &[Ping; 2], count: usize) {
    let goals = traffic.each_ref().map(|ping| ping.answers() + count);
    for (ping, goal) in traffic.iter().zip(goals) {
        ping.await_answers(goal);
    }
}

fn assert_lossless(traffic: [Ping; 2]) {
    for ping in traffic {
        ping.stop().assert_lossless(AWAY as u64);
    }
}

fn etcd_outage_withdraws_nothing_and_is_caught_up(daemon: Daemon) {
    if skip::unless(&NEEDS) {
        return;
    }
    let mut stage = Stage::native(daemon);
    let monitor = stage.lab.gateways()[0].watch_routes();
    let traffic = traffic(&stage);
    stage.etcd.kill();
    await_more(&traffic, AWAY);
    stage.etcd.resume();
    // What is written after the outage arrives: the watch was taken up again.
    let host = stage.lab.host("node-b2");
    let gained = Subnet(99);
    stage.record(host, &[host.subnet(), gained]);
    let mut expected = stage.lab.home_routes();
    expected.extend(routes(host.routes_of(gained)));
    stage.await_routes(&expected);
    assert_lossless(traffic);
    let changes = monitor.stop();
    assert_eq!(changes.len(), 2, "only the subnet that was gained after the outage: {changes:#?}");
    assert!(changes.iter().all(|change| !change.starts_with("Deleted")), "{changes:#?}");
}

#[test]
fn p2_bird_keeps_every_route_while_etcd_is_killed_and_restarted() {
    etcd_outage_withdraws_nothing_and_is_caught_up(Daemon::Bird);
}

#[test]
fn p2_frr_keeps_every_route_while_etcd_is_killed_and_restarted() {
    etcd_outage_withdraws_nothing_and_is_caught_up(Daemon::Frr);
}

/// Asserts that of the IPv4 entries in the gateway's kernel only `gone` was ever absent. (IPv6 entries are rewritten by
/// FRR and BIRD when a path comes back; for them the loss counts.)
fn assert_only_removed_v4(changes: &[String], gone: Subnet) {
    let removed: Vec<_> = changes.iter().filter(|change| change.starts_with("Deleted 10.")).collect();
    assert!(removed.iter().all(|change| change.contains(&gone.v4())), "another entry was removed, too: {changes:#?}");
    assert!(!removed.is_empty(), "the removal of {gone:?} was not seen: {changes:#?}");
}

/// How Fingerpost ends.
#[derive(Clone, Copy)]
enum End {
    /// SIGKILL.
    Crash,
    /// SIGTERM, as an upgrade does it.
    Upgrade,
}

fn restart_loses_no_packet(daemon: Daemon, end: End) {
    if skip::unless(&NEEDS) {
        return;
    }
    let mut stage = Stage::native(daemon);
    let monitor = stage.lab.gateways()[0].watch_routes();
    let traffic = traffic(&stage);
    match end {
        End::Crash => stage.fingerpost.kill(),
        End::Upgrade => assert!(stage.fingerpost.terminate().success(), "SIGTERM is a request, not a fault"),
    }
    await_more(&traffic, AWAY);
    // Deleted while nobody watched: gone only once the restarted Fingerpost has said everything it knows.
    let deleted = stage.lab.host("node-a2");
    stage.etcd.delete(&record::native_key(deleted));
    assert_eq!(stage.lab.gateways()[0].routes(), stage.lab.home_routes(), "the gateway keeps what it knew");
    stage.fingerpost.resume();
    stage.lab.gateways()[0].await_session();
    let mut expected = stage.lab.home_routes();
    for (prefix, _) in deleted.routes_of(deleted.subnet()) {
        expected.remove(&prefix);
    }
    stage.await_routes(&expected);
    await_more(&traffic, AWAY);
    assert_lossless(traffic);
    // The session is a full one: changes go through it.
    stage.record(deleted, &[deleted.subnet()]);
    stage.await_home_routes();
    assert_only_removed_v4(&monitor.stop(), deleted.subnet());
}

#[test]
fn c10_bird_loses_no_packet_when_fingerpost_is_killed_and_restarted() {
    restart_loses_no_packet(Daemon::Bird, End::Crash);
}

#[test]
fn c10_frr_loses_no_packet_when_fingerpost_is_killed_and_restarted() {
    restart_loses_no_packet(Daemon::Frr, End::Crash);
}

#[test]
fn c11_bird_loses_no_packet_when_fingerpost_is_upgraded() {
    restart_loses_no_packet(Daemon::Bird, End::Upgrade);
}

#[test]
fn c11_frr_loses_no_packet_when_fingerpost_is_upgraded() {
    restart_loses_no_packet(Daemon::Frr, End::Upgrade);
}

fn restart_without_etcd_withdraws_nothing(daemon: Daemon) {
    if skip::unless(&NEEDS) {
        return;
    }
    let mut stage = Stage::native(daemon);
    let monitor = stage.lab.gateways()[0].watch_routes();
    let traffic = traffic(&stage);
    stage.fingerpost.kill();
    stage.etcd.kill();
    stage.fingerpost.resume();
    // The session comes up and stops the gateway's restart timer; an End-of-RIB now would flush everything.
    stage.lab.gateways()[0].await_session();
    await_more(&traffic, AWAY);
    assert_eq!(stage.lab.gateways()[0].routes(), stage.lab.home_routes(), "nothing is known, so nothing is withdrawn");
    stage.etcd.resume();
    let deleted = stage.lab.host("node-a2");
    stage.etcd.delete(&record::native_key(deleted));
    let mut expected = stage.lab.home_routes();
    for (prefix, _) in deleted.routes_of(deleted.subnet()) {
        expected.remove(&prefix);
    }
    stage.await_routes(&expected);
    assert_lossless(traffic);
    assert_only_removed_v4(&monitor.stop(), deleted.subnet());
}

#[test]
fn p4_bird_keeps_every_route_when_fingerpost_restarts_while_etcd_is_away() {
    restart_without_etcd_withdraws_nothing(Daemon::Bird);
}

#[test]
fn p4_frr_keeps_every_route_when_fingerpost_restarts_while_etcd_is_away() {
    restart_without_etcd_withdraws_nothing(Daemon::Frr);
}

/// The gateway's daemon is away for several attempts, each of which ends at once (its machine answers that nobody listens).
fn a_dead_gateway_is_back_with_the_next_attempt(daemon: Daemon) {
    if skip::unless(&NEEDS) {
        return;
    }
    let mut stage = Stage::native(daemon);
    let name = stage.lab.gateways()[0].name().to_owned();
    stage.lab.gateways_mut()[0].kill();
    // Each attempt is known by when it ended.
    let failed = |stage: &Stage, attempts: &mut BTreeSet<String>| {
        let end = stage.fingerpost.gateway(&name)["last_end"].clone();
        if end["reason"] == "connect_failed" {
            attempts.extend(end["at"].as_str().map(str::to_owned));
        }
        attempts.len()
    };
    let mut attempts = BTreeSet::new();
    wait::until("three attempts that failed", BOUND, || match failed(&stage, &mut attempts) {
        3.. => Ok(()),
        less => Err(less),
    });
    stage.lab.gateways_mut()[0].start();
    failed(&stage, &mut attempts);
    let mut late = BTreeSet::new();
    wait::until_true("the session", BOUND, || {
        failed(&stage, &mut late);
        stage.fingerpost.gateway(&name)["state"] == "Established"
    });
    // At most one was under way when the daemon began to listen.
    assert!(
        late.difference(&attempts).count() <= 1,
        "attempts failed though it listens: {late:?}, before: {attempts:?}"
    );
    let gateway = stage.fingerpost.gateway(&name);
    assert_eq!((&gateway["direction"], &gateway["established_count"]), (&"outgoing".into(), &2.into()));
    stage.await_home_routes();
}

#[test]
fn c5_bird_that_was_dead_for_several_attempts_is_back_with_the_next() {
    a_dead_gateway_is_back_with_the_next_attempt(Daemon::Bird);
}

#[test]
fn c5_frr_that_was_dead_for_several_attempts_is_back_with_the_next() {
    a_dead_gateway_is_back_with_the_next_attempt(Daemon::Frr);
}
