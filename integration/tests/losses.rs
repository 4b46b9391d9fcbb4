//! Single cases of the loss measurements (docs/losses.md) that are quick and in which no packet may be lost.

#![cfg(target_os = "linux")]

use integration::lab::gateway::Daemon;
use integration::lab::skip::{self, Need};
use integration::losses::{Case, Fault, measure};

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];
/// Restart time 0, then long-lived: what a gateway is offered where there are several replicas.
const LONG_LIVED: &str = "timers: { hold: 3s, keepalive: 1s }, \
                          graceful_restart: { restart_time: 0s, notification: true, long_lived: 10m }";

/// More than a second's requests in either family, all answered.
fn loses_nothing(daemon: Daemon, keys: &'static str, fault: Fault) {
    if skip::unless(&NEEDS) {
        return;
    }
    let case = Case { title: "a test", session: "", keys, fault, why: ["", ""] };
    for loss in measure(&case, daemon) {
        assert!(loss.report.lost == 0 && loss.back && loss.report.sent > 200, "{fault:?}: {loss:?}");
    }
}

#[test]
fn c13_bird_keeps_long_lived_routes_forwarding_while_fingerpost_is_gone() {
    loses_nothing(Daemon::Bird, LONG_LIVED, Fault::Kill(1));
}

#[test]
fn c13_frr_keeps_long_lived_routes_forwarding_while_fingerpost_is_gone() {
    loses_nothing(Daemon::Frr, LONG_LIVED, Fault::Kill(1));
}

/// Fingerpost hangs: the gateway's own hold timer ends the session.
#[test]
fn c13_bird_keeps_long_lived_routes_forwarding_past_the_hold_time() {
    loses_nothing(Daemon::Bird, LONG_LIVED, Fault::Pause(5));
}

#[test]
fn c13_frr_keeps_long_lived_routes_forwarding_past_the_hold_time() {
    loses_nothing(Daemon::Frr, LONG_LIVED, Fault::Pause(5));
}

#[test]
fn c12_bird_loses_no_packet_in_a_drain_and_after_it() {
    loses_nothing(Daemon::Bird, "graceful_restart: false", Fault::Drain(1));
}

#[test]
fn c12_frr_loses_no_packet_in_a_drain_and_after_it() {
    loses_nothing(Daemon::Frr, "graceful_restart: false", Fault::Drain(1));
}
