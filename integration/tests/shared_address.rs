//! L2, with one replica and with two, and L3: two gateways share by VRRP the addresses that hosts use as their default, and each peers with
//! Fingerpost from its own. Who is the master changes no route; a gateway that restarts is no master before its routes are there.

#![cfg(target_os = "linux")]

use std::time::Duration;

use integration::lab::gateway::Daemon;
use integration::lab::skip::{self, Need};
use integration::lab::stage::{Stage, Team};
use integration::lab::stream::Stream;
use integration::lab::vrrp::{self, Fit, Vrrp};
use integration::lab::{Lab, Peering, ping, wait};

const NEEDS: [Need; 6] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd, Need::Keepalived];
const INTERVAL: Duration = Duration::from_millis(5);
const BOUND: Duration = Duration::from_secs(60);
/// Answers that show that traffic flows: a second's.
const FLOWS: usize = 200;
/// The gateways' priorities.
const PRIORITIES: [u8; 2] = [150, 100];

/// Two gateways with all routes, the first of which is the master, and hosts that use the shared addresses.
fn shared(daemons: [Daemon; 2], fit: Fit) -> (Stage, [Vrrp; 2]) {
    let lab = daemons.into_iter().fold(Lab::builder(Peering::Ebgp), |builder, daemon| builder.gateway(daemon)).build();
    let stage = Stage::native_in(lab);
    let vrrp = share(&stage.lab, fit);
    (stage, vrrp)
}

/// The same with two replicas, with both of which both gateways peer.
fn shared_by_two() -> (Team, [Vrrp; 2]) {
    let gateways = [Daemon::Bird, Daemon::Frr].into_iter();
    let lab = gateways.fold(Lab::builder(Peering::Ebgp), |builder, daemon| {
        let mut session = Peering::Ebgp.session();
        session.keys = format!("platform: {daemon}");
        builder.gateway_with(daemon, session)
    });
    let team = Team::native_in(lab.replicas(2).build());
    let vrrp = share(&team.lab, Fit::Always);
    (team, vrrp)
}

fn share(lab: &Lab, fit: Fit) -> [Vrrp; 2] {
    let [first, second] = lab.gateways() else { panic!("two gateways were asked for") };
    assert_eq!(first.routes(), second.routes(), "both have the same table");
    let [one, other] = PRIORITIES;
    let vrrp = [Vrrp::start(first, one, fit), Vrrp::start(second, other, fit)];
    vrrp::await_master(first);
    lab.hosts().iter().for_each(|host| host.route_by(vrrp::STATION));
    vrrp
}

/// From the first VLAN to the second, in both families.
fn traffic(lab: &Lab) -> [Stream; 2] {
    let [from, to] = ["node-a1", "node-b2"].map(|name| lab.host(name));
    let streams = [to.subnet().pod_v4(), to.subnet().pod_v6()];
    let streams = streams.map(|target| Stream::start(from.pod(), to.pod(), target, INTERVAL));
    await_more(&streams);
    streams
}

fn await_more(streams: &[Stream; 2]) {
    streams.iter().for_each(|stream| stream.await_more(FLOWS));
}

/// The smaller of both streams' next numbers: everything from there on is sent later.
fn next(streams: &[Stream; 2]) -> u32 {
    streams.iter().map(Stream::next).min().unwrap_or_default()
}

fn a_change_of_the_master_changes_no_route(daemons: [Daemon; 2]) {
    if skip::unless(&NEEDS) {
        return;
    }
    let (stage, [first, _second]) = shared(daemons, Fit::Always);
    a_change_of_the_master_costs_only_its_own_time(&stage.lab, first);

    // There by the master, back by the other one.
    for name in ["node-b1", "node-b2"] {
        stage.lab.host(name).route_by(1);
    }
    let [from, to] = ["node-a1", "node-b2"].map(|name| stage.lab.host(name));
    for target in [to.subnet().pod_v4(), to.subnet().pod_v6()] {
        ping::burst(from.pod(), target, 10, ping::full_size(target)).assert_lossless(10);
    }
}

/// The first gateway gives the shared addresses up: no route is touched, no session ends, and only what was sent meanwhile is lost.
fn a_change_of_the_master_costs_only_its_own_time(lab: &Lab, first: Vrrp) {
    let gateways = lab.gateways();
    let sessions: Vec<_> = gateways.iter().map(|gateway| gateway.await_session()).collect();
    let monitors: Vec<_> = gateways.iter().map(|gateway| gateway.watch_routes()).collect();
    let mut streams = traffic(lab);

    let before = next(&streams);
    first.stop();
    vrrp::await_master(&gateways[1]);
    await_more(&streams);
    let after = streams.each_ref().map(Stream::next);
    await_more(&streams);
    for (stream, after) in streams.iter_mut().zip(after) {
        let report = stream.stop();
        eprintln!("{} of {} lost by the change of the master", report.lost, report.sent);
        let outside = report.unanswered.iter().find(|number| !(before..after).contains(number));
        assert_eq!(outside, None, "it costs no more than its own time, {before} to {after}: {report:?}");
    }
    let now: Vec<_> = gateways.iter().map(|gateway| gateway.await_session()).collect();
    assert_eq!(sessions, now, "both have the sessions that they had");
    for monitor in monitors {
        assert_eq!(monitor.stop(), Vec::<String>::new(), "no route was touched");
    }
}

/// And when the replica then ends that both prefer, both have the same table throughout, and lose no IPv4 entry.
#[test]
fn l2_a_change_of_the_master_with_two_replicas_changes_no_route_nor_does_the_end_of_one() {
    if skip::unless(&NEEDS) {
        return;
    }
    let (mut team, [first, _second]) = shared_by_two();
    a_change_of_the_master_costs_only_its_own_time(&team.lab, first);

    let home = team.lab.home_routes();
    let leader =
        team.lab.gateways()[0].choices().values().next().and_then(|choice| choice.from).expect("somebody leads");
    let [one, other] = team.lab.gateways() else { panic!("two gateways were asked for") };
    let monitors = [one.watch_routes(), other.watch_routes()];
    let mut streams = traffic(&team.lab);
    team.replicas[leader].kill();
    wait::until("both gateways to prefer the other one", BOUND, || {
        let choices = [one.choices(), other.choices()];
        let all = choices
            .iter()
            .flat_map(|choices| choices.values())
            .all(|choice| choice.from.is_some_and(|it| it != leader));
        if all { Ok(()) } else { Err(choices) }
    });
    await_more(&streams);
    assert_eq!((one.routes(), other.routes()), (home.clone(), home), "both have the same table");
    let ipv4 = streams[0].stop();
    assert_eq!(ipv4.lost, 0, "{ipv4:?}");
    for monitor in monitors {
        let ipv4: Vec<String> = monitor.stop().into_iter().filter(|change| !change.contains("fd00:")).collect();
        assert_eq!(ipv4, Vec::<String>::new(), "no entry was touched");
    }
}

#[test]
fn l2_a_change_of_the_master_from_bird_to_frr_changes_no_route() {
    a_change_of_the_master_changes_no_route([Daemon::Bird, Daemon::Frr]);
}

#[test]
fn l2_a_change_of_the_master_from_frr_to_bird_changes_no_route() {
    a_change_of_the_master_changes_no_route([Daemon::Frr, Daemon::Bird]);
}

/// The first gateway's machine is restarted: VRRP comes up at once, and BGP only when the test says so.
fn no_master_before_its_routes_are_there(daemons: [Daemon; 2]) {
    if skip::unless(&NEEDS) {
        return;
    }
    let fit = Fit::WithRoutes(4);
    let (mut stage, [first, _second]) = shared(daemons, fit);
    let home = stage.lab.home_routes();
    let mut streams = traffic(&stage.lab);

    let before = next(&streams);
    first.stop();
    stage.lab.gateways_mut()[0].kill();
    stage.lab.gateways()[0].forget_routes();
    vrrp::await_master(&stage.lab.gateways()[1]);
    await_more(&streams);
    let taken_over = streams.each_ref().map(Stream::next);

    let _first = Vrrp::start(&stage.lab.gateways()[0], PRIORITIES[0], fit);
    wait::throughout("the other gateway is the master", Duration::from_secs(3), || {
        if vrrp::is_master(&stage.lab.gateways()[0]) { Err("not so") } else { Ok(()) }
    });
    await_more(&streams);
    let comes = next(&streams);
    stage.lab.gateways_mut()[0].start();
    let gateway = &stage.lab.gateways()[0];
    wait::until_true("the first gateway to be the master again", BOUND, || {
        // In this order: what it has once it is the master it had before, or it was too early.
        let (master, routes) = (vrrp::is_master(gateway), gateway.routes());
        assert!(!master || routes == home, "the master lacks routes: {routes:#?}");
        master
    });
    await_more(&streams);
    let back = streams.each_ref().map(Stream::next);
    await_more(&streams);
    for (place, stream) in streams.iter_mut().enumerate() {
        let report = stream.stop();
        let (of_first, of_second) = (before..taken_over[place], comes..back[place]);
        eprintln!("{daemons:?}: {} of {} lost by both changes of the master", report.lost, report.sent);
        let outside = report.unanswered.iter().find(|number| !of_first.contains(number) && !of_second.contains(number));
        assert_eq!(outside, None, "outside of {of_first:?} and {of_second:?}: {report:?}");
    }
}

#[test]
fn l3_bird_that_restarts_is_no_master_before_its_routes_are_there() {
    no_master_before_its_routes_are_there([Daemon::Bird, Daemon::Frr]);
}

#[test]
fn l3_frr_that_restarts_is_no_master_before_its_routes_are_there() {
    no_master_before_its_routes_are_there([Daemon::Frr, Daemon::Bird]);
}

/// Why it has to wait: without that it takes the packets of pods and has no way for them, for as long as BGP takes.
#[test]
fn l3_a_master_without_its_routes_is_a_black_hole() {
    if skip::unless(&NEEDS) {
        return;
    }
    let (mut stage, [first, _second]) = shared([Daemon::Bird, Daemon::Frr], Fit::Always);
    let mut streams = traffic(&stage.lab);
    first.stop();
    stage.lab.gateways_mut()[0].kill();
    stage.lab.gateways()[0].forget_routes();
    vrrp::await_master(&stage.lab.gateways()[1]);
    await_more(&streams);
    let _first = Vrrp::start(&stage.lab.gateways()[0], PRIORITIES[0], Fit::Always);
    vrrp::await_master(&stage.lab.gateways()[0]);
    for stream in &streams {
        stream.await_silence();
    }
    stage.lab.gateways_mut()[0].start();
    stage.await_home_routes();
    await_more(&streams);
    for stream in &mut streams {
        let report = stream.stop();
        eprintln!("{} of {} lost in the black hole", report.lost, report.sent);
        assert!(report.lost >= 100, "{report:?}");
    }
}
