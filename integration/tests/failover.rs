//! P7 and P10 with real gateways: the leader of two replicas ends in some way while pods talk and a subnet moves, another comes and
//! another goes. The cases that docs/failover.md has more of.

#![cfg(target_os = "linux")]

use integration::failover::{Case, Change, Fault, HOLD, NO_WHY, Outcome, Speaker, measure};
use integration::lab::Peering;
use integration::lab::gateway::Daemon;
use integration::lab::skip::{self, Need};

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];

/// Another one leads, and has something to say.
fn another_leads_and_nobody_notices(daemon: Daemon, fault: Fault) {
    if skip::unless(&NEEDS) {
        return;
    }
    let outcome = quiet(daemon, fault);
    assert!(outcome.led_anew.is_some(), "another one leads: {outcome:#?}");
}

/// At the end the gateway holds exactly what etcd says, by the newest leader's paths: without that there is nothing to measure.
fn quiet(daemon: Daemon, fault: Fault) -> Outcome {
    quiet_with(daemon, Peering::Ebgp, fault, Change::Subnets)
}

fn quiet_with(daemon: Daemon, peering: Peering, fault: Fault, change: Change) -> Outcome {
    let case = Case {
        peering,
        title: "a test",
        speaker: Speaker::Fingerpost,
        replicas: 2,
        hold: HOLD,
        frr: "",
        fault,
        change,
        why: NO_WHY,
    };
    let outcome = measure(&case, daemon);
    assert!(outcome.families.iter().all(|found| found.sent > 3000), "pods talked: {outcome:#?}");
    assert!(outcome.is_quiet(), "{daemon}, {fault:?}: {outcome:#?}");
    assert!(outcome.is_in_time(fault), "the lease was over, and another one led: {outcome:#?}");
    assert!(outcome.told.is_some(), "the gateway was told what changed: {outcome:#?}");
    outcome
}

#[test]
fn c41_p10_bird_is_told_by_the_next_leader_after_sigkill_and_pods_notice_nothing() {
    another_leads_and_nobody_notices(Daemon::Bird, Fault::Kill);
}

#[test]
fn c41_p10_frr_is_told_by_the_next_leader_after_sigkill_and_pods_notice_nothing() {
    another_leads_and_nobody_notices(Daemon::Frr, Fault::Kill);
}

/// There it is LOCAL_PREF that says who leads.
#[test]
fn c41_p10_bird_of_the_same_as_is_told_by_the_next_leader_after_sigkill_and_pods_notice_nothing() {
    if skip::unless(&NEEDS) {
        return;
    }
    let outcome = quiet_with(Daemon::Bird, Peering::Ibgp, Fault::Kill, Change::Subnets);
    assert!(outcome.led_anew.is_some(), "another one leads: {outcome:#?}");
}

#[test]
fn c49_p10_bird_is_told_by_the_next_leader_after_sigterm_and_pods_notice_nothing() {
    another_leads_and_nobody_notices(Daemon::Bird, Fault::Terminate);
}

#[test]
fn c49_p10_frr_is_told_by_the_next_leader_after_sigterm_and_pods_notice_nothing() {
    another_leads_and_nobody_notices(Daemon::Frr, Fault::Terminate);
}

/// The subnet moves while the leader is stopped; when it goes on it still believes what it believed. Everything that it sends from
/// then on is captured: no UPDATE of it has a leader's stamp.
#[test]
fn c42_l9_p7_a_leader_stopped_past_its_lease_says_nothing_to_bird_when_it_goes_on() {
    another_leads_and_nobody_notices(Daemon::Bird, Fault::Pause);
}

#[test]
fn c42_l9_p7_a_leader_stopped_past_its_lease_says_nothing_to_frr_when_it_goes_on() {
    another_leads_and_nobody_notices(Daemon::Frr, Fault::Pause);
}

/// Neither its lease nor a session hangs on what time it thinks it is.
#[test]
fn c48_p7_a_leader_whose_clock_is_an_hour_wrong_leads_on_at_bird() {
    if skip::unless(&NEEDS) {
        return;
    }
    let outcome = quiet(Daemon::Bird, Fault::Clock);
    assert_eq!(outcome.led_anew, None, "the leader goes on: {outcome:#?}");
    assert_eq!(outcome.other_path, None, "its paths are preferred all the while: {outcome:#?}");
}

#[test]
fn c43_p7_a_leader_cut_from_etcd_is_beaten_at_bird_by_the_next_one() {
    another_leads_and_nobody_notices(Daemon::Bird, Fault::CutFromStore);
}

#[test]
fn c43_p7_a_leader_cut_from_etcd_is_beaten_at_frr_by_the_next_one() {
    another_leads_and_nobody_notices(Daemon::Frr, Fault::CutFromStore);
}

/// The standby's old path is there all the while, and beaten.
#[test]
fn l9_p7_a_subnet_moves_at_bird_while_the_standby_is_cut_from_etcd() {
    if skip::unless(&NEEDS) {
        return;
    }
    let outcome = quiet(Daemon::Bird, Fault::StandbyCutFromStore);
    assert_eq!(outcome.led_anew, None, "the leader goes on: {outcome:#?}");
}

/// A host gives an address back that it had borrowed from another one's subnet, where it is used at once, while the standby is gone: it
/// is back only once the gateway's kernel sends packets for that address to the subnet's owner.
fn a_borrowed_address_is_the_owners_again(daemon: Daemon) {
    if skip::unless(&NEEDS) {
        return;
    }
    let outcome = quiet_with(daemon, Peering::Ebgp, Fault::StandbyKill, Change::Borrowed);
    assert_eq!(outcome.led_anew, None, "the leader goes on: {outcome:#?}");
}

#[test]
fn l10_p5_an_address_given_back_while_a_standby_is_dead_is_the_owners_again_at_bird() {
    a_borrowed_address_is_the_owners_again(Daemon::Bird);
}

#[test]
fn l10_p5_an_address_given_back_while_a_standby_is_dead_is_the_owners_again_at_frr() {
    a_borrowed_address_is_the_owners_again(Daemon::Frr);
}
