//! Draining a gateway, and ending for good: with GRACEFUL_SHUTDOWN first, and then so that the gateways drop the routes.

#![cfg(target_os = "linux")]

use std::time::Duration;

use integration::lab::etcd::Etcd;
use integration::lab::fingerpost::{Fingerpost, Source, configuration};
use integration::lab::gateway::Daemon;
use integration::lab::skip::{self, Need};
use integration::lab::{Lab, Peering, record, wait};

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];
const BOUND: Duration = Duration::from_secs(20);
/// As BIRD shows 65535:0.
const GRACEFUL_SHUTDOWN: &str = "(65535,0)";
/// As BIRD shows a route that any other is better than.
const LAST_CHOICE: &str = "BGP.local_pref: 0\n";

/// Only the drained gateway hears of it, over the session that stands; at the end both drop the routes, although graceful
/// restart was agreed on.
#[test]
fn c12_a_drain_goes_out_on_the_standing_session_and_a_decommissioning_flushes() {
    if skip::unless(&NEEDS) {
        return;
    }
    let lab = Lab::builder(Peering::Ebgp).gateway(Daemon::Bird).gateway(Daemon::Frr).build();
    let etcd = Etcd::start(lab.control());
    for host in lab.hosts() {
        etcd.put(&record::native_key(host), &record::native_value(host, &[host.subnet()]));
    }
    let [bird, frr] = lab.gateways() else { panic!("two gateways were asked for") };
    let plain = configuration(&lab, &Source::Native);
    let drained = plain.replacen("policy: default,", "policy: default, drain: true,", 1);
    let mut fingerpost = Fingerpost::start_with(&lab, &plain);
    for gateway in [bird, frr] {
        gateway.await_routes(&lab.home_routes());
    }
    let sessions = [bird.await_session(), frr.await_session()];
    let (monitor, updates) = (frr.watch_routes(), frr.updates());
    assert!(![GRACEFUL_SHUTDOWN, LAST_CHOICE].iter().any(|text| bird.diagnosis().contains(text)));

    fingerpost.reload(&drained);
    wait::until_true("the community at the drained gateway", BOUND, || bird.diagnosis().contains(GRACEFUL_SHUTDOWN));
    assert!(bird.diagnosis().contains(LAST_CHOICE), "the gateway's filter honours it");
    fingerpost.reload(&plain);
    wait::until_true("the end of the drain", BOUND, || !bird.diagnosis().contains(GRACEFUL_SHUTDOWN));
    assert!(!bird.diagnosis().contains(LAST_CHOICE), "the gateway prefers them as before");
    // FRR counts its sessions; the moment it gives with that is rounded, now up and now down.
    let counted = |session: &str| session.split(' ').next().map(str::to_owned);
    assert_eq!(bird.await_session(), sessions[0], "the session is the same one");
    assert_eq!(counted(&frr.await_session()), counted(&sessions[1]), "the session is the same one");
    assert_eq!(monitor.stop(), Vec::<String>::new(), "the other gateway changed nothing");
    assert_eq!(frr.updates(), updates, "the other gateway heard nothing");
    assert_eq!(bird.routes(), lab.home_routes());

    fingerpost.begin_decommission();
    wait::until_true("the community before the end", BOUND, || bird.diagnosis().contains(GRACEFUL_SHUTDOWN));
    assert_eq!(bird.routes(), lab.home_routes(), "they are still there");
    // One UPDATE for each host's next hop in each family, and nobody has asked for everything again.
    let due = updates.map(|updates| updates + 8);
    wait::until("the community at the other gateway", BOUND, || match frr.updates() {
        updates if updates == due => Ok(()),
        other => Err(other),
    });
    let refreshes =
        ["gw1", "gw2"].map(|name| fingerpost.gateway(name)["messages"]["received"]["route_refresh"].clone());
    assert_eq!(refreshes, [0, 0]);
    assert!(fingerpost.await_end().success());
    for gateway in [bird, frr] {
        gateway.await_routes(&Default::default());
    }
}
