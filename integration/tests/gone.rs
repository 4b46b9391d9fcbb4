//! L5 and L12: nobody tells a gateway anything any more, and others have its routes from it or peer through it. How long routes
//! stay is in docs/failover.md; here is which of them stay at all.

#![cfg(target_os = "linux")]

use std::time::Duration;

use integration::failover::gone::{HOLD, KEPT, Mode, both_killed, reached_by_a_gateway_that_dies};
use integration::lab::gateway::Daemon;
use integration::lab::skip::{self, Need};

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];

/// A route that is stale for long must not be told to whom knows nothing of that (RFC 9494, section 4.3): the core loses at once
/// what the gateway keeps.
#[test]
fn l5_a_core_without_long_lived_restart_loses_what_bird_keeps_of_dead_replicas() {
    if skip::unless(&NEEDS) {
        return;
    }
    let kept = both_killed(Mode::LongLived, Daemon::Bird);
    assert!(kept.gateway >= Duration::from_secs(KEPT) && kept.core < Duration::from_secs(KEPT), "{kept:?}");
}

/// FRR 8.4.4 tells it all the same.
#[test]
fn l5_a_core_without_long_lived_restart_keeps_what_frr_keeps_of_dead_replicas() {
    if skip::unless(&NEEDS) {
        return;
    }
    let kept = both_killed(Mode::LongLived, Daemon::Frr);
    assert!(kept.gateway >= Duration::from_secs(KEPT) && kept.core >= Duration::from_secs(KEPT), "{kept:?}");
}

/// A plain restart time is nothing that the core has to know of.
#[test]
fn l5_a_core_keeps_what_bird_keeps_of_dead_replicas_by_a_plain_restart_time() {
    if skip::unless(&NEEDS) {
        return;
    }
    let kept = both_killed(Mode::Plain, Daemon::Bird);
    assert!(kept.gateway >= Duration::from_secs(KEPT) && kept.core >= Duration::from_secs(KEPT), "{kept:?}");
}

/// It hears nothing for the hold time, and keeps what it has for the long-lived stale time.
#[test]
fn l12_frr_that_is_reached_by_a_gateway_that_dies_keeps_its_routes_for_the_stale_time() {
    if skip::unless(&NEEDS) {
        return;
    }
    let kept = reached_by_a_gateway_that_dies(Daemon::Frr);
    // The hold time runs from the last message, which was a KEEPALIVE of some moment before.
    let least = Duration::from_secs(KEPT + HOLD - 3);
    assert!(kept >= least, "{kept:?}");
}
