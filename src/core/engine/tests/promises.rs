//! The promises one by one.

use super::super::{Command, Holds, Input, TellState};
use super::lab::Lab;
use super::settings::{addresses, prefix};
use crate::model::{Family, GatewayId, Prefix, Time};
use crate::source::FaultKind;
use crate::table::{ChangeKind, GuardConfig, Limit};
use crate::testing::Heard;
use crate::testing::store::Host;
use crate::view::Stamp;
use std::time::Duration;

fn host(number: u8, subnets: &[u8]) -> Host {
    Host { addresses: addresses(number), subnets: subnets.iter().map(|n| prefix(*n)).collect() }
}

/// Two sources with a host each, three gateways that hold their routes.
fn at_rest() -> Lab {
    let mut lab = Lab::new();
    lab.put(0, 1, host(1, &[0, 1, 2]));
    lab.put(1, 2, host(2, &[3, 4]));
    lab.settle();
    lab.check_at_rest();
    assert_eq!(lab.peers[2].gateway.routes().len(), 5);
    lab.peers.iter_mut().for_each(|peer| peer.heard.clear());
    lab
}

/// What gateway `n` hears until there is nothing more to write.
fn heard(lab: &mut Lab, n: usize) -> Vec<Heard> {
    lab.peers[n].heard.clear();
    while lab.work() || lab.write(n) {}
    std::mem::take(&mut lab.peers[n].heard)
}

#[test]
fn p2_a_source_that_fails_in_any_way_withdraws_nothing() {
    for kind in [FaultKind::Unreachable, FaultKind::Denied, FaultKind::Malformed, FaultKind::Stuck] {
        let mut lab = at_rest();
        for _ in 0..20 {
            assert!(lab.fail(0, kind));
            lab.wait(Duration::from_secs(30)); // the other source falls silent too
        }
        assert_eq!(heard(&mut lab, 2), []);
        lab.up(2); // a gateway that comes now is told what was known
        while lab.work() || lab.write(2) {}
        assert_eq!(lab.peers[2].gateway.routes(), lab.expected(2));
        assert!(lab.peers[2].gateway.is_synchronised(Family::Ipv4), "both sources were read completely, once");
    }
}

#[test]
fn p2_p4_an_empty_first_list_is_not_believed_and_holds_end_of_rib_back() {
    let mut lab = Lab::new();
    lab.put(0, 1, host(1, &[0, 1]));
    lab.settle();
    lab.check_at_rest();
    assert_eq!(lab.peers[1].gateway.routes().len(), 2, "the routes of the other source do not wait");
    assert!(!lab.peers[1].gateway.is_synchronised(Family::Ipv4));
    lab.put(1, 2, host(2, &[2]));
    lab.settle();
    lab.check_at_rest();
    assert!(!lab.peers[1].gateway.is_synchronised(Family::Ipv4), "one record may be the first of many");
    lab.wait_served(Duration::from_secs(61));
    lab.settle();
    lab.check_at_rest();
    assert!(lab.peers[1].gateway.is_synchronised(Family::Ipv4));
    assert!(lab.peers[1].gateway.is_synchronised(Family::Ipv6), "though that family has no new route");
}

#[test]
fn p2_a_list_after_compaction_withdraws_what_it_lacks_and_nothing_else() {
    let mut lab = at_rest();
    lab.fail(0, FaultKind::Unreachable);
    lab.put(0, 3, host(3, &[5]));
    lab.put(0, 1, host(1, &[0, 2]));
    lab.stores[0].compact();
    lab.settle();
    lab.check_at_rest();
    let gone = Heard::Withdrawn(prefix(1));
    let all = &lab.peers[2].heard;
    assert!(all.contains(&gone) && all.len() == 2, "one withdrawn, one announced: {all:?}");
}

/// An earlier process may have announced it, and the gateway may have kept it.
#[test]
fn p2_what_is_not_decided_yet_is_not_withdrawn_from_a_gateway_that_is_drained_or_gets_another_policy() {
    let drain = |lab: &mut Lab| assert_eq!(lab.command(&Command::Drain("gateway-2".into())), 1);
    for change in [drain, |lab: &mut Lab| lab.reconfigure(1)] {
        let mut lab = Lab::new();
        lab.command(&Command::Freeze);
        lab.put(0, 1, host(1, &[0, 1]));
        lab.settle();
        change(&mut lab);
        assert_eq!(heard(&mut lab, 2), []);
        lab.command(&Command::Unfreeze);
        lab.settle();
        assert_eq!(lab.peers[2].gateway.routes().len(), 2);
    }
}

#[test]
fn p4_one_unread_source_holds_every_end_of_rib_back() {
    let mut lab = Lab::new();
    lab.put(0, 1, host(1, &[0]));
    lab.put(1, 2, host(2, &[2]));
    lab.up(0);
    for _ in 0..10 {
        lab.serve(0, 100);
        lab.wait(Duration::from_millis(1));
    }
    let markers = |all: &[Heard]| all.iter().filter(|one| matches!(one, Heard::EndOfRib(_))).count();
    let all = heard(&mut lab, 0);
    assert!(!lab.engine.is_verified(Family::Ipv4) && markers(&all) == 0 && all.len() == 1, "{all:?}");
    lab.settle();
    assert_eq!(markers(&lab.peers[0].heard), 2);
}

/// What one source adds is held, while a record of the other could never be read.
fn an_addition_is_held() -> Lab {
    let mut lab = Lab::new();
    let mut guard = GuardConfig::default();
    guard.set_limit(ChangeKind::Addition, Some(Limit { percent: 0, at_least: 0 }));
    lab.guard(guard);
    lab.put(0, 1, host(1, &[0]));
    lab.garble(1, 2);
    lab.settle();
    lab.put(0, 3, host(3, &[2]));
    lab.settle();
    assert_eq!(lab.engine.hold_rows(None, 9).len(), 1);
    lab
}

/// An earlier process may have announced it to a gateway that keeps its routes until the first End-of-RIB of this one.
#[test]
fn p4_end_of_rib_waits_for_held_additions_until_the_family_was_verified_once() {
    for decision in [Command::Approve(Holds::All), Command::Deny(Holds::All)] {
        let mut lab = an_addition_is_held();
        lab.put(1, 2, host(2, &[4]));
        lab.settle();
        assert!(!lab.peers[2].gateway.is_synchronised(Family::Ipv4));
        assert!(lab.peers[2].gateway.is_synchronised(Family::Ipv6), "of which nothing is held");
        lab.peers[2].heard.clear();
        assert_eq!(lab.command(&decision), 1);
        lab.settle();
        match &lab.peers[2].heard[..] {
            [Heard::Announced(added, _), Heard::EndOfRib(Family::Ipv4)] if *added == prefix(2) => {
                assert!(matches!(decision, Command::Approve(_)));
            }
            [Heard::EndOfRib(Family::Ipv4)] => assert!(matches!(decision, Command::Deny(_))),
            heard => panic!("{heard:?}"),
        }
        lab.put(0, 3, host(3, &[1, 2]));
        lab.settle();
        let held = lab.engine.hold_rows(None, 9);
        assert!(
            held.iter().any(|row| row.prefix == prefix(1)) && lab.engine.is_verified(Family::Ipv6),
            "new since then"
        );
    }
}

/// What changes in a freeze is not decided before it ends.
#[test]
fn p4_frozen_before_a_family_was_verified_no_end_of_rib_goes_out() {
    let mut lab = Lab::new();
    lab.put(0, 1, host(1, &[0]));
    for _ in 0..10 {
        lab.serve(0, 100);
        lab.wait(Duration::from_millis(1));
    }
    lab.garble(0, 2); // which hides what it never said, and the other source was not read yet
    lab.put(1, 5, host(5, &[4]));
    lab.settle();
    assert_eq!(lab.command(&Command::Freeze), 1);
    lab.put(1, 3, host(3, &[2]));
    lab.put(0, 2, host(2, &[]));
    lab.settle();
    assert!(!lab.engine.is_verified(Family::Ipv4) && !lab.peers[2].gateway.is_synchronised(Family::Ipv4));
    assert_eq!(lab.command(&Command::Unfreeze), 1);
    lab.settle();
    lab.check_at_rest();
    assert!(lab.peers[2].gateway.is_synchronised(Family::Ipv4));
    assert_eq!(lab.command(&Command::Freeze), 1);
    assert!(lab.engine.is_verified(Family::Ipv4), "once verified it stays so");
}

#[test]
fn i3_a_record_that_says_the_same_again_sends_nothing() {
    let mut lab = at_rest();
    lab.put(0, 1, host(1, &[0, 1, 2]));
    lab.settle();
    lab.check_at_rest();
    assert!(lab.peers.iter().all(|peer| peer.heard.is_empty()));
}

#[test]
fn p5_a_moved_subnet_is_one_announcement_and_never_withdrawn() {
    let mut lab = at_rest();
    lab.put(0, 3, host(3, &[0]));
    lab.put(0, 1, host(1, &[1, 2]));
    lab.settle();
    lab.check_at_rest();
    let all = &lab.peers[2].heard;
    assert!(matches!(all[..], [Heard::Announced(moved, _)] if moved == prefix(0)), "{all:?}");
}

#[test]
fn p5_a_record_that_changes_hands_in_one_answer_of_the_watch_is_followed() {
    let mut lab = at_rest();
    lab.put(0, 1, host(1, &[]));
    lab.put(0, 1, host(3, &[0, 1, 2])); // another address, between two settlings
    lab.settle();
    lab.check_at_rest();
}

#[test]
fn a_configuration_that_changes_nothing_sends_nothing() {
    let mut lab = at_rest();
    lab.reconfigure(0);
    lab.settle();
    assert!(lab.peers.iter().all(|peer| peer.heard.is_empty()));
}

#[test]
fn another_policy_sends_the_gateway_what_it_makes_of_the_routes() {
    for variant in [1, 2, 3, 0] {
        let mut lab = at_rest();
        lab.reconfigure(variant);
        lab.settle();
        lab.check_at_rest();
    }
}

#[test]
fn p7_a_new_stamp_reaches_every_gateway() {
    let mut lab = at_rest();
    for stamp in [Stamp::Standby { ordinal: 1 }, Stamp::Leader { term: 9 }, Stamp::Leader { term: 10 }] {
        lab.set_stamp(stamp);
        lab.settle();
        lab.check_at_rest();
    }
}

#[test]
fn i6_what_is_gone_gives_its_slot_back_once_every_gateway_knows() {
    let mut lab = at_rest();
    lab.delete(0, 1);
    for _ in 0..10 {
        lab.serve(0, 100);
    }
    while lab.work() {}
    assert_eq!(lab.engine.table.slots(Family::Ipv4).len(), 1, "all chunks are handed out");
    lab.settle();
    lab.check_at_rest();
    assert_eq!(lab.engine.table.slots(Family::Ipv6).len(), 1);
}

#[test]
fn p6_i8_a_gateway_that_takes_nothing_is_given_up_and_delays_no_other() {
    let mut lab = at_rest();
    let many: Vec<_> = (8..208).map(|n| format!("10.244.{n}.0/24").parse().unwrap()).collect();
    for round in 0..450u32 {
        let addresses = addresses(1 + (round % 3) as u8);
        lab.put(0, 1, Host { addresses, subnets: many.clone() });
        lab.serve(0, 100);
        while lab.work() || lab.write(2) {}
    }
    assert_eq!(lab.closed_as_slow, 1, "gateway 0 knows no brackets; gateway 1 starts over");
    assert_eq!(lab.peers[2].heard.len(), 450 * many.len() + 3, "gateway 2 hears everything, and that 0, 1, 2 are gone");
    assert_eq!(lab.peers[2].gateway.routes(), lab.expected(2));
    lab.settle();
    lab.check_at_rest();
}

/// What a gateway holds until its bracket ends takes room under its cap; then nothing but that end says that there is room.
#[test]
fn p5_routes_that_wait_for_room_are_told_when_the_end_of_a_bracket_makes_it() {
    let mut lab = at_rest();
    let hundred = |first: u8| (first..first + 100).map(|n| format!("10.244.{n}.0/24").parse().unwrap()).collect();
    lab.settings.gateways[1].max_prefix.ipv4 = Some(101);
    lab.engine.reconfigure(Time::ZERO, lab.settings.clone(), &mut Vec::new());
    for round in 0..1000u32 {
        let subnets = hundred(if round < 400 { 8 } else { 108 });
        lab.put(0, 1, Host { addresses: addresses(1 + (round % 3) as u8), subnets });
        lab.serve(0, 100);
        while lab.work() || (round == 0 && lab.write(1)) || lab.write(2) {}
    }
    assert_eq!(lab.peers[1].gateway.routes().len(), 102, "the first hundred, two others");
    lab.settle();
    assert_eq!(lab.peers[1].gateway.routes(), lab.expected(1));
    lab.check_at_rest();
}

/// What a gateway was told by the old policy and holds still takes room under the new cap, and is told as the new policy has it.
#[test]
fn c57_p5_a_cap_that_comes_with_another_policy_counts_what_the_old_one_told() {
    let mut lab = Lab::new();
    let host = |subnets: &[u8]| host(0, subnets);
    lab.put(0, 0, host(&[]));
    lab.serve(1, 1);
    lab.put(1, 3, host(&[0]));
    lab.settle();
    // Gone, and come again from elsewhere after the reload, which another route has reached before it.
    lab.put(1, 3, host(&[]));
    lab.put(0, 0, host(&[0]));
    lab.put(1, 0, host(&[2]));
    lab.serve(1, 1);
    lab.reconfigure(3);
    lab.serve(1, 1);
    lab.settle();
    lab.mend();
    lab.settle();
    lab.check_at_rest();
}

#[test]
fn c57_that_a_cap_begins_or_ceases_to_hold_routes_back_is_said() {
    let mut lab = at_rest();
    let more = |more: Option<Prefix>| {
        let subnets = host(1, &[0, 1, 2]).subnets.into_iter().chain(more).collect();
        Host { subnets, ..host(1, &[]) }
    };
    let one_more = "10.244.9.0/24".parse().ok();
    // The last one raises the cap, and no route is another.
    for (limit, record, withheld) in [(3, one_more, 1), (3, None, 0), (3, one_more, 1), (4, one_more, 0)] {
        lab.settings.gateways[1].max_prefix.ipv4 = Some(limit);
        lab.engine.reconfigure(Time::ZERO, lab.settings.clone(), &mut Vec::new());
        lab.put(0, 1, more(record));
        lab.settle();
        let row = lab.engine.gateway_rows().into_iter().find(|row| row.id == GatewayId(1));
        assert_eq!(row.unwrap().withheld.ipv4, withheld);
        lab.check_at_rest();
    }
}

#[test]
fn what_belongs_to_a_session_that_is_over_is_ignored() {
    let mut lab = at_rest();
    lab.up(1);
    let mut effects = Vec::new();
    let over = super::super::SessionNumber(1);
    let now = crate::model::Time::since_start(Duration::from_secs(3600));
    for input in [
        Input::Refresh(GatewayId(1), over, Family::Ipv4),
        Input::Written(GatewayId(1), over, usize::MAX),
        Input::SessionDown(GatewayId(1), over),
        Input::SessionDown(GatewayId(99), over),
    ] {
        lab.engine.handle(now, input, &mut effects);
    }
    assert!(effects.is_empty());
    lab.settle();
    lab.check_at_rest();
}

#[test]
fn claims_that_are_not_announced_are_told_but_not_all_the_time() {
    let mut lab = Lab::new();
    let refused = |lab: &mut Lab, n: u8| lab.put(0, 4, host(4, &[n % 2 * 2]));
    refused(&mut lab, 0);
    lab.settle();
    assert_eq!(lab.not_announced.len(), 1);
    assert_eq!(lab.not_announced[0].1, ["/fp/hosts/host-4"]);
    for n in 1..60 {
        refused(&mut lab, n);
        lab.settle();
        lab.wait_served(Duration::from_secs(1));
    }
    lab.wait_served(Duration::from_secs(11));
    let told = &lab.not_announced;
    assert!((6..=8).contains(&told.len()), "{told:?}");
    assert!(told.windows(2).all(|pair| pair[1].0.since(pair[0].0) >= Duration::from_secs(10)), "{told:?}");
    assert!(!told[told.len() - 1].1.is_empty(), "the last one is told, too");
}

#[test]
fn a_change_is_pending_until_the_session_has_taken_it_p8() {
    let mut lab = Lab::new();
    for (source, n) in [(0, 0), (1, 1)] {
        lab.put(source, n, Host { addresses: addresses(n), subnets: vec![prefix(2 * n)] });
    }
    let told = |lab: &Lab, n: u8| {
        let rows = lab.engine.told_rows(prefix(n), Some("gateway-0"), 1);
        assert_eq!(rows[0].gateway, "gateway-1");
        rows[0].told
    };
    assert_eq!((told(&lab, 0), told(&lab, 4)), (TellState::Down, TellState::Down));
    lab.settle();
    assert_eq!((told(&lab, 0), told(&lab, 4)), (TellState::Told, TellState::Absent));
    lab.put(1, 1, Host { addresses: addresses(1), subnets: vec![prefix(4)] });
    while lab.serve(1, 100) {}
    assert_eq!((told(&lab, 2), told(&lab, 4)), (TellState::Pending, TellState::Pending));
    lab.settle();
    assert_eq!((told(&lab, 2), told(&lab, 4)), (TellState::Absent, TellState::Told));
    lab.down(1);
    assert_eq!(told(&lab, 4), TellState::Down);
}
