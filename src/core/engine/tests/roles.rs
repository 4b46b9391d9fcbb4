//! What a replica's role changes (P7).

use super::super::{Command, Role};
use super::guarded::{self, World};
use super::lab::Lab;
use super::settings::{addresses, prefix};
use crate::model::{Family, Prefix};
use crate::table::Target;
use crate::testing::Heard;
use crate::testing::store::Host;
use crate::view::Stamp;
use std::collections::BTreeSet;
use std::time::Duration;

const ORDINAL: u32 = 7;
const UNSURE: Role = Role::Unsure { ordinal: ORDINAL };
const STANDBY: Role = Role::Standby { term: 6, ordinal: ORDINAL };

fn host(number: u8, subnets: &[u8]) -> Host {
    Host { addresses: addresses(number), subnets: subnets.iter().map(|n| prefix(*n)).collect() }
}

/// Two sources with a host each, and three gateways that hold their routes with this role's stamp.
fn at_rest(role: Role) -> Lab {
    let mut lab = Lab::new();
    lab.take_role(UNSURE); // as a process starts
    lab.take_role(role);
    lab.put(0, 1, host(1, &[0, 1, 2]));
    lab.put(1, 2, host(2, &[3, 4]));
    lab.settle();
    lab.check_at_rest();
    assert_eq!(lab.peers[2].gateway.routes().len(), 5);
    lab
}

/// What gateway `n` hears until there is nothing more to write.
fn heard(lab: &mut Lab, n: usize) -> Vec<Heard> {
    lab.peers[n].heard.clear();
    while lab.work() || lab.write(n) {}
    std::mem::take(&mut lab.peers[n].heard)
}

/// The stores change: a route goes, one moves, one comes.
fn change(lab: &mut Lab) {
    lab.put(0, 1, host(1, &[0, 1]));
    lab.put(1, 2, host(2, &[4, 5]));
    lab.put(1, 3, host(3, &[3]));
    for source in [0, 1] {
        while lab.serve(source, 100) {}
    }
}

/// A standby that starts, with a session with gateway 2, and has read the first of its sources.
fn reading() -> Lab {
    let mut lab = Lab::new();
    lab.take_role(UNSURE);
    lab.put(0, 1, host(1, &[0, 1, 2]));
    lab.put(1, 2, host(2, &[3, 4]));
    lab.up(2);
    while lab.serve(0, 100) {}
    lab.take_role(STANDBY);
    lab
}

fn announced(heard: &[Heard]) -> Vec<Prefix> {
    let prefix = |heard: &Heard| match heard {
        Heard::Announced(prefix, _) => Some(*prefix),
        _ => None,
    };
    heard.iter().filter_map(prefix).collect()
}

#[test]
fn p7_who_has_lost_its_lease_says_nothing_and_serves_new_sessions_as_a_standby() {
    let mut lab = at_rest(Role::Leader { term: 5 });
    lab.take_role(UNSURE);
    change(&mut lab);
    lab.wait_served(Duration::from_secs(600));
    assert_eq!(heard(&mut lab, 2), [], "nothing is withdrawn, announced or stamped anew");
    let before = lab.peers[2].gateway.routes();
    lab.up(2);
    while lab.work() || lab.write(2) {}
    let after = lab.peers[2].gateway.routes();
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "the frozen table");
    assert!(after.iter().all(|(prefix, said)| *said != before[prefix]), "with the standby's stamp");
    lab.take_role(STANDBY);
    lab.settle();
    lab.check_at_rest();
}

#[test]
fn c47_p7_what_was_handed_out_and_came_too_late_is_told_by_a_dump_or_a_new_session_once_it_is_known_who_leads() {
    let mut lab = at_rest(Role::Leader { term: 7 });
    change(&mut lab);
    while lab.work() {}
    (0..3).for_each(|n| lab.lapse(n));
    assert_eq!(lab.engine.role().0, UNSURE, "the writers notice the deadline first");
    assert_eq!([0, 1, 2].map(|n| heard(&mut lab, n)), [const { Vec::new() }; 3], "frozen");
    assert_eq!(lab.closed_as_slow, 0);
    lab.take_role(STANDBY);
    assert_eq!(lab.closed_as_slow, 1, "gateway 0 knows no brackets");
    for n in [1, 2] {
        let heard = heard(&mut lab, n);
        assert!(heard.contains(&Heard::BeginOfRefresh(Family::Ipv4)), "gateway {n}: {heard:?}");
        assert_eq!(lab.peers[n].gateway.routes(), lab.expected(n), "with the standby's stamp");
    }
    lab.take_role(Role::Leader { term: 8 });
    lab.settle();
    lab.check_at_rest();
}

/// At the end of its bracket the gateway would drop what was not said.
#[test]
fn p7_a_refresh_of_which_a_part_came_too_late_begins_again_at_once() {
    let mut lab = at_rest(Role::Leader { term: 7 });
    lab.refresh(2, Family::Ipv4);
    while lab.work() {}
    lab.lapse(2);
    assert_eq!((lab.engine.role().0, lab.closed_as_slow), (UNSURE, 0));
    let said = heard(&mut lab, 2);
    assert!(said.contains(&Heard::BeginOfRefresh(Family::Ipv4)), "{said:?}");
    assert!(!lab.peers[2].gateway.is_refreshing(Family::Ipv4), "{said:?}");
    assert_eq!(lab.peers[2].gateway.routes(), lab.expected(2), "the frozen table, with the standby's stamp");
    lab.take_role(Role::Leader { term: 8 });
    lab.settle();
    lab.check_at_rest();
}

#[test]
fn p7_who_leads_on_is_not_frozen_by_what_it_hears_late_of_a_moment_without_a_deadline() {
    let mut lab = at_rest(Role::Leader { term: 7 });
    change(&mut lab);
    while lab.work() {}
    let refused = lab.refuse(2).unwrap();
    lab.take_role(UNSURE);
    lab.take_role(Role::Leader { term: 7 });
    lab.handle(refused);
    assert_eq!(lab.engine.role().0, Role::Leader { term: 7 });
    assert!(heard(&mut lab, 2).contains(&Heard::BeginOfRefresh(Family::Ipv4)), "but the gateway is told all");
    lab.settle();
    lab.check_at_rest();
}

#[test]
fn p7_who_was_unsure_announces_all_with_the_new_stamp() {
    for role in [STANDBY, Role::Leader { term: 6 }, Role::Leader { term: 5 }] {
        let mut lab = at_rest(Role::Leader { term: 5 });
        lab.take_role(UNSURE);
        change(&mut lab);
        assert_eq!(heard(&mut lab, 2), []);
        lab.take_role(role);
        lab.settle();
        lab.check_at_rest();
    }
}

/// Or gateways might go by an old snapshot, while another standby has read what the sources say (world 497).
#[test]
fn p7_what_a_standby_says_before_it_has_read_its_sources_is_worse_than_any_other_standbys() {
    let mut lab = reading();
    let early = announced(&heard(&mut lab, 2));
    assert_eq!((early.len(), lab.stamp), (3, Stamp::Unread { ordinal: ORDINAL }));
    while lab.serve(1, 100) {}
    let again: BTreeSet<Prefix> = announced(&heard(&mut lab, 2)).into_iter().collect();
    assert_eq!(again.len(), 5, "all again");
    assert_eq!(lab.stamp, STANDBY.stamp());
    lab.take_role(UNSURE);
    lab.up(1);
    while lab.work() || lab.write(1) {}
    assert_eq!(lab.stamp, STANDBY.stamp(), "and it stays so");
    lab.take_role(STANDBY);
    lab.settle();
    lab.check_at_rest();
}

/// Or of two that start, a gateway would go by the older snapshot, once it drops what it kept (world 25 of those with orders).
#[test]
fn p7_end_of_rib_comes_after_everything_was_said_with_the_stamp_of_now() {
    for role in [STANDBY, Role::Leader { term: 6 }] {
        let mut lab = reading();
        assert_eq!(announced(&heard(&mut lab, 2)).len(), 3);
        lab.take_role(role);
        while lab.serve(1, 100) {}
        let heard = heard(&mut lab, 2);
        let end = heard.iter().position(|heard| *heard == Heard::EndOfRib(Family::Ipv4)).unwrap();
        let before: BTreeSet<Prefix> = announced(&heard[..end]).into_iter().collect();
        assert_eq!(before.len(), 5, "{role}: all again");
        assert_eq!(announced(&heard[end..]), [], "{role}: and not once more");
        lab.settle();
        lab.check_at_rest();
    }
}

/// Frozen, it goes on with an old snapshot: another standby may have taken in more before.
#[test]
fn p7_who_starts_in_a_freeze_says_its_snapshot_worse_than_any_other_standby_until_that_is_lifted() {
    let mut lab = Lab::new();
    lab.take_role(UNSURE);
    lab.command(&Command::Freeze);
    lab.put(0, 1, host(1, &[0, 1, 2]));
    lab.put(1, 2, host(2, &[3, 4]));
    lab.up(2);
    while lab.serve(0, 100) || lab.serve(1, 100) {}
    assert!(!lab.engine.has_read_all(), "so it leaves the lead to others for a while (world 4907)");
    lab.take_role(STANDBY);
    heard(&mut lab, 2);
    assert_eq!(lab.stamp, Stamp::Unread { ordinal: ORDINAL });
    lab.command(&Command::Unfreeze);
    heard(&mut lab, 2);
    assert_eq!(lab.stamp, STANDBY.stamp());
    assert!(lab.engine.has_read_all());
    lab.command(&Command::Freeze);
    heard(&mut lab, 2);
    assert_eq!(lab.stamp, STANDBY.stamp(), "what it has decided is no snapshot");
    lab.command(&Command::Unfreeze);
    lab.settle();
    lab.check_at_rest();
}

/// A spell of not knowing is no reason to have every gateway compare all its paths anew.
#[test]
fn p7_p10_who_goes_on_with_the_stamp_that_was_said_last_says_nothing() {
    for role in [STANDBY, Role::Leader { term: 5 }] {
        let mut lab = at_rest(role);
        lab.take_role(UNSURE);
        assert_eq!([0, 1, 2].map(|n| heard(&mut lab, n)), [const { Vec::new() }; 3]);
        lab.take_role(role);
        assert_eq!([0, 1, 2].map(|n| heard(&mut lab, n)), [const { Vec::new() }; 3], "{role}");
        lab.settle();
        lab.check_at_rest();
    }
}

#[test]
fn p7_who_led_says_all_once_with_the_standbys_stamp_where_it_has_not_said_it_so() {
    let mut lab = at_rest(Role::Leader { term: 5 });
    lab.take_role(UNSURE);
    lab.up(1);
    heard(&mut lab, 1);
    lab.take_role(STANDBY);
    assert_eq!(heard(&mut lab, 1), [], "a session that came up meanwhile");
    let mut again = announced(&heard(&mut lab, 2));
    again.sort_unstable();
    let all: Vec<Prefix> = lab.peers[2].gateway.routes().into_keys().collect();
    assert_eq!(again, all);
    lab.settle();
    lab.check_at_rest();
    lab.take_role(Role::Standby { term: 7, ordinal: ORDINAL });
    lab.take_role(Role::Leader { term: 8 });
    lab.take_role(STANDBY);
    assert_eq!([0, 1, 2].map(|n| heard(&mut lab, n)), [const { Vec::new() }; 3], "nothing was said as a leader");
}

#[test]
fn p7_a_standby_changes_what_it_announces_at_once() {
    let mut lab = at_rest(STANDBY);
    change(&mut lab);
    assert_eq!(announced(&heard(&mut lab, 2)).len(), 2);
    lab.settle();
    lab.check_at_rest();
}

#[test]
fn p7_a_new_leader_announces_first_what_has_changed_in_its_predecessors_term() {
    let mut lab = at_rest(Role::Standby { term: 5, ordinal: ORDINAL });
    lab.take_role(STANDBY);
    assert_eq!(heard(&mut lab, 2), [], "who leads does not matter to a standby");
    change(&mut lab);
    lab.settle();
    // Not known for a moment: what changed before that still comes first.
    lab.take_role(UNSURE);
    lab.take_role(Role::Leader { term: 7 });
    for n in [0, 1, 2] {
        let mut announced = announced(&heard(&mut lab, n));
        announced.retain(|prefix| !prefix.net().addr().is_ipv4());
        let (first, rest) = announced.split_at(2);
        assert!([3, 5].iter().all(|n| first.contains(&prefix(*n))), "gateway {n}: {announced:?}");
        assert_eq!(rest, [prefix(1)], "gateway {n}");
    }
    lab.settle();
    lab.check_at_rest();
}

#[test]
fn p7_a_person_is_obeyed_while_nobody_knows_who_leads_and_nothing_else_changes_with_it() {
    let mut world = World::new(None);
    world.list(0..20);
    world.take_role(UNSURE);
    world.list(0..19);
    assert_eq!(world.routes(), 20);
    assert_eq!(world.command(&Command::Withdraw(Target::Prefix(guarded::prefix(3)))), 1);
    assert_eq!((world.routes(), world.next_hop(3)), (19, None));
    assert_eq!(world.command(&Command::Freeze), 1);
    world.command(&Command::Restore(Target::Prefix(guarded::prefix(3))));
    assert_eq!(world.routes(), 19, "a freeze by order binds him, too");
    world.take_role(STANDBY);
    assert_eq!(world.routes(), 19);
    world.command(&Command::Unfreeze);
    assert_eq!((world.routes(), world.next_hop(3).is_some(), world.next_hop(19)), (19, true, None));
}

/// What was not decided for the want of a leader passes the guard once there is one.
#[test]
fn p3_p7_what_changed_while_nobody_knew_who_leads_is_guarded() {
    let mut world = World::new(None);
    world.list(0..20);
    world.take_role(UNSURE);
    world.list(0..5);
    assert_eq!((world.routes(), world.held()), (20, 0));
    world.take_role(Role::Leader { term: 1 });
    assert_eq!((world.routes(), world.held()), (20, 15));
}

#[test]
fn p7_p4_who_starts_unsure_serves_what_it_reads_as_a_standby() {
    let mut lab = at_rest(UNSURE);
    change(&mut lab);
    assert_eq!(heard(&mut lab, 2), []);
    assert!(!lab.peers[2].gateway.is_synchronised(Family::Ipv4), "what differs is not decided yet");
    lab.take_role(Role::Leader { term: 1 });
    lab.settle();
    lab.check_at_rest();
    assert!(lab.peers[2].gateway.is_synchronised(Family::Ipv4));
}

/// The gateway would wait for an End-of-RIB that it never hears, and a bracket must not begin before it (RFC 7313 §4).
#[test]
fn p7_p4_whose_first_end_of_rib_came_too_late_to_be_said_has_a_new_session() {
    let mut lab = at_rest(Role::Leader { term: 7 });
    lab.up(2);
    while lab.work() {}
    lab.lapse(2);
    assert_eq!(lab.closed_as_slow, 1);
    lab.take_role(STANDBY);
    lab.up(2);
    lab.settle();
    lab.check_at_rest();
}

/// The engine goes on, as a standby, before it hears that what it had handed out as the leader was not said.
#[test]
fn p4_p7_no_end_of_rib_is_written_behind_what_came_too_late_whatever_its_stamp() {
    for refused_before in [false, true] {
        let mut lab = at_rest(Role::Leader { term: 7 });
        lab.up(2);
        lab.work();
        let before = refused_before.then(|| lab.refuse(2)).flatten();
        lab.take_role(UNSURE);
        while lab.work() {}
        let refused = before.or_else(|| lab.refuse(2)).unwrap();
        assert_eq!(heard(&mut lab, 2), []);
        lab.handle(refused);
        assert_eq!(lab.closed_as_slow, 1, "no bracket comes before the End-of-RIB");
        lab.take_role(STANDBY);
        lab.up(2);
        lab.settle();
        lab.check_at_rest();
    }
}
