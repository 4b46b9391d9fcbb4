//! Only the difference goes out when a reload (SIGHUP) changes a policy, over the session that stands: counted by Fingerpost
//! and by the gateway.

#![cfg(target_os = "linux")]

use std::time::Duration;

use integration::lab::fingerpost::{Source, configuration};
use integration::lab::gateway::Daemon;
use integration::lab::skip::{self, Need};
use integration::lab::stage::Stage;
use integration::lab::topology::Subnet;
use integration::lab::{routes, wait};

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];
const BOUND: Duration = Duration::from_secs(20);
/// For how long nothing more may come.
const QUIET: Duration = Duration::from_millis(1500);
/// Pairs of subnets that a host gains beside its own.
const MORE: u8 = 24;

/// What was sent and what came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    /// UPDATEs that Fingerpost has sent.
    sent: u64,
    /// UPDATEs that the gateway has received; BIRD does not count them.
    received: Option<u64>,
    /// Changes of routes that the gateway has taken in.
    routes: u64,
}

fn counts(stage: &Stage) -> Counts {
    let gateway = &stage.lab.gateways()[0];
    let sent = stage.fingerpost.gateway(gateway.name())["messages"]["sent"]["update"].as_u64().expect("a number");
    Counts { sent, received: gateway.updates(), routes: gateway.route_changes().expect("it counts them") }
}

/// Two policies, and the gateway has the second, which begins with these rules and is else the same.
fn other_name(plain: &str, rules: &str) -> String {
    let two =
        format!("default: [ {{ match: {{}}, then: accept }} ], other: [ {rules}{{ match: {{}}, then: accept }} ]");
    let with_two = plain.replace("default: [ { match: {}, then: accept } ]", &two);
    with_two.replace("policy: default,", "policy: other,")
}

fn only_the_difference_goes_out(daemon: Daemon) {
    if skip::unless(&NEEDS) {
        return;
    }
    let mut stage = Stage::native(daemon);
    let mut expected = stage.lab.home_routes();
    for (n, host) in (0..).zip(stage.lab.hosts()) {
        let subnets: Vec<Subnet> = (0..MORE).map(|more| Subnet(20 + n * MORE + more)).chain([host.subnet()]).collect();
        stage.record(host, &subnets);
        expected.extend(routes(subnets.iter().flat_map(|subnet| host.routes_of(*subnet))));
    }
    stage.await_routes(&expected);
    let plain = configuration(&stage.lab, &Source::Native);
    let with = |rules: &[&str]| plain.replace("default: [ ", &format!("default: [ {}", rules.concat()));
    // The eleventh and the twelfth of node-a1's.
    let med = "{ match: { prefixes: [ { within: 10.244.30.0/24, lengths: 24 } ] }, set: { med: 7 }, then: accept }, ";
    let reject = "{ match: { prefixes: [ { within: 10.244.31.0/24, lengths: 24 } ] }, then: reject }, ";
    let communities = "{ match: { hosts: [ node-b1 ] }, set: { communities: [ \"64513:7\" ] }, then: accept }, ";
    let all_of_a_host = 2 * (u64::from(MORE) + 1);
    let session = stage.lab.gateways()[0].await_session();
    let monitor = stage.lab.gateways()[0].watch_routes();
    // UPDATEs and routes: a next hop's in one family share one.
    for (what, configuration, updates, changes) in [
        ("MED of one prefix", with(&[med]), 1, 1),
        ("communities of one host", with(&[med, communities]), 2, all_of_a_host),
        ("nothing", with(&[med, communities]) + "# a comment\n", 0, 0),
        ("a rule that says the same", with(&[med, med, communities]), 0, 0),
        ("one prefix rejected", with(&[reject, med, communities]), 1, 1),
        ("all of it undone", plain.clone(), 3, all_of_a_host + 2),
        ("another policy, of another name", other_name(&plain, med), 1, 1),
        ("the first policy again", plain.clone(), 1, 1),
        ("a limit that is far away", plain.replace("policy: default,", "policy: default, max_prefix: 5000,"), 0, 0),
        ("drain", plain.replace("policy: default,", "policy: default, drain: true,"), 8, 4 * all_of_a_host),
    ] {
        let before = counts(&stage);
        let due = Counts {
            sent: before.sent + updates,
            received: before.received.map(|received| received + updates),
            routes: before.routes + changes,
        };
        stage.fingerpost.reload(&configuration);
        wait::until(what, BOUND, || {
            let seen = counts(&stage);
            if seen == due { Ok(()) } else { Err((before, due, seen)) }
        });
        wait::throughout(what, QUIET, || {
            let seen = counts(&stage);
            if seen == due { Ok(()) } else { Err((due, seen)) }
        });
        assert_eq!(stage.lab.gateways()[0].session().as_ref(), Some(&session), "{what}: the session is the same one");
    }
    assert_eq!(stage.lab.gateways()[0].routes(), expected);
    // Where the next hop is the same, the kernel has nothing to do: what was rejected went, and came back.
    let changes = monitor.stop();
    let of_ipv4: Vec<_> =
        changes.iter().filter(|change| change.trim_start_matches("Deleted ").starts_with("10.")).collect();
    assert!(of_ipv4.len() == 2 && of_ipv4.iter().all(|change| change.contains("10.244.31.0/24")), "{of_ipv4:#?}");
}

#[test]
fn bird_hears_the_changed_routes_alone_when_a_reload_changes_a_policy() {
    only_the_difference_goes_out(Daemon::Bird);
}

#[test]
fn frr_hears_the_changed_routes_alone_when_a_reload_changes_a_policy() {
    only_the_difference_goes_out(Daemon::Frr);
}
