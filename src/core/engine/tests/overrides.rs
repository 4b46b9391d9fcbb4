//! What is withdrawn while another replica may still hold it (P5): several replicas, one store and one gateway, which forwards by the
//! longest prefix first and then by the best path, and keeps the paths of who is gone.

mod left;
mod net;

use super::super::{Behind, EventKind, Role, TellState, Tells, Wanted};
use crate::model::Prefix;
use crate::source::ClusterId;
use net::{Net, STALE, host, prefix, via};
use proptest::prelude::*;
use std::time::Duration;

const BLOCK: &str = "10.244.0.0/24";
const BORROWED: &str = "10.244.0.5/32";

/// Two replicas, the first of which leads; one host has the block, and another has borrowed an address of it.
fn borrowed() -> Net {
    borrowed_in(Net::new(2))
}

fn borrowed_in(mut net: Net) -> Net {
    net.put(1, &[BLOCK]);
    net.put(2, &[BORROWED]);
    net.lead(0);
    net.settle();
    assert_eq!(net.forwards("10.244.0.5"), Some(via(2)));
    net
}

#[test]
fn l10_p5_what_is_given_back_while_a_standby_is_gone_leads_to_the_blocks_owner_at_once() {
    let mut net = borrowed();
    net.kill(1);
    net.put(2, &[]);
    net.serve(0);
    net.deliver(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(1)), "the dead one's path is still there");
    assert_eq!(net.paths(BORROWED), 2);
    net.wait(STALE);
    net.settle();
    assert_eq!((net.paths(BORROWED), net.forwards("10.244.0.5")), (0, Some(via(1))));
}

#[test]
fn p5_a_replica_that_lags_misleads_nobody_and_ends_it_once_its_gateways_were_told() {
    let mut net = borrowed();
    net.put(2, &[]);
    net.serve(0);
    net.deliver(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(1)));
    net.serve(1);
    net.report();
    net.deliver(0);
    assert_eq!(net.paths(BORROWED), 2, "it has decided, and its gateway does not know yet");
    net.deliver(1);
    net.report();
    net.deliver(0);
    assert_eq!(net.paths(BORROWED), 0);
}

#[test]
fn p5_what_was_handed_to_a_session_is_not_told_before_that_would_have_been_noticed_to_be_dead() {
    const NOTICE: Duration = Duration::from_secs(100);
    let mut net = borrowed_in(Net::that_notices(2, NOTICE));
    net.put(2, &[]);
    net.serve(1);
    net.say_to_nobody(1);
    net.report();
    net.serve(0);
    net.deliver(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(1)), "the gateway goes by what the other said before");
    let waits = |net: &Net| net.engine(0).override_row(prefix(BORROWED)).map(|row| row.waits);
    let until = net.now + NOTICE;
    assert_eq!(waits(&net), Some(vec![Behind::Handed { until }]));
    assert!(net.engine(0).next_deadline().is_some_and(|at| at <= until));
    net.wait(Duration::from_secs(90));
    net.down(1);
    net.report();
    net.wait(Duration::from_secs(20));
    net.deliver(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(1)));
    assert!(matches!(waits(&net).as_deref(), Some([Behind::CutOff { .. }])), "{:?}", waits(&net));
    net.wait(STALE);
    net.settle();
    net.wait(NOTICE);
    net.deliver(0);
    assert_eq!((net.paths(BORROWED), net.forwards("10.244.0.5")), (0, Some(via(1))));
}

#[test]
fn p5_what_all_have_heard_ends_once_a_dead_session_would_have_been_noticed() {
    const NOTICE: Duration = Duration::from_secs(100);
    let mut net = borrowed_in(Net::that_notices(2, NOTICE));
    net.put(2, &[]);
    net.settle();
    assert_eq!(net.paths(BORROWED), 1, "the leader's");
    net.wait(NOTICE - Duration::from_secs(5));
    net.deliver(0);
    assert_eq!(net.paths(BORROWED), 1);
    net.wait(Duration::from_secs(5));
    net.deliver(0);
    assert_eq!(net.paths(BORROWED), 0);
}

#[test]
fn p5_who_leads_next_goes_on_where_its_predecessor_may_not_have_withdrawn() {
    let mut net = borrowed();
    net.put(2, &[]);
    net.serve(1);
    net.deliver(1);
    net.kill(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(2)), "the dead leader's is the only path");
    net.lead(1);
    net.deliver(1);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(1)));
    net.wait(STALE);
    net.settle();
    assert_eq!(net.paths(BORROWED), 0);
}

#[test]
fn p5_what_a_dead_leader_announced_like_its_cover_follows_the_cover() {
    let mut net = Net::new(3);
    net.put(1, &[BLOCK]);
    net.put(2, &[BORROWED]);
    net.lead(0);
    net.settle();
    // Of three the last lags, so that the leader must not withdraw.
    net.put(2, &[]);
    for replica in [0, 1] {
        net.serve(replica);
        net.deliver(replica);
    }
    net.report();
    net.kill(0);
    net.serve(2);
    net.deliver(2);
    net.lead(1);
    net.put(1, &[]);
    net.put(3, &[BLOCK]);
    for replica in [1, 2] {
        net.serve(replica);
        net.deliver(replica);
    }
    net.report();
    net.deliver(1);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(3)), "and not to the block's owner of before");
}

#[test]
fn p5_what_covers_it_is_followed_wherever_it_goes() {
    let mut net = borrowed();
    net.kill(1);
    net.put(2, &[]);
    net.serve(0);
    net.deliver(0);
    net.put(3, &["10.244.0.0/28"]);
    net.serve(0);
    net.deliver(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(3)), "a longer one has come");
    net.put(3, &[]);
    net.serve(0);
    net.deliver(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(1)), "and is gone");
    net.put(1, &[]);
    net.serve(0);
    net.deliver(0);
    assert_eq!(net.engine(0).override_row(prefix(BORROWED)), None, "nobody owns it any more");
    net.put(3, &[BLOCK]);
    net.serve(0);
    net.deliver(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(3)), "a new owner is not misled either");
    net.put(2, &[BORROWED]);
    net.serve(0);
    net.deliver(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(2)), "it is borrowed again");
    assert_eq!(net.engine(0).override_row(prefix(BORROWED)), None);
}

#[test]
fn p5_p8_it_is_told_what_is_waited_for_and_until_when() {
    let mut net = borrowed();
    net.put(2, &[]);
    net.serve(0);
    net.deliver(0);
    let row = net.engine(0).override_row(prefix(BORROWED)).unwrap();
    assert_eq!((row.by, row.hop.host.as_str(), row.hop.next_hop), (prefix(BLOCK), &*host(1), via(1)));
    assert_eq!(row.waits, [Behind::Untold { replica: "replica-1".into() }]);
    assert_eq!(net.engine(0).route(prefix(BORROWED)).unwrap().overridden, Some(row));
    let told = net.engine(0).told_rows(prefix(BORROWED), None, 10).remove(0);
    assert_eq!((told.told, told.attributes.unwrap().next_hop), (TellState::Told, via(1)));
    let tells = net.engine(0).tell_rows("gateway", [prefix(BORROWED)].into_iter()).unwrap().remove(0);
    assert_eq!((tells.tells, tells.attributes.unwrap().next_hop), (Tells::Route, via(1)));
    net.kill(1);
    let waits = |net: &Net| net.engine(0).override_row(prefix(BORROWED)).unwrap().waits;
    let until = net.now + STALE;
    assert_eq!(waits(&net), [Behind::Gone { replica: "replica-1".into(), until }]);
    assert!(net.engine(0).next_deadline().is_some_and(|at| at <= until));
    assert_eq!(net.engine(0).override_rows(None, 10).len(), 1);
    assert_eq!(net.engine(0).override_rows(Some(prefix(BORROWED)), 10), []);
    net.wait(STALE);
    net.deliver(0);
    let kinds = vec![EventKind::Overridden, EventKind::OverrideEnded];
    let page = net.engine(0).events(0, 10, &Wanted { kinds, ..Wanted::default() });
    let events: Vec<(EventKind, Option<Prefix>)> = page.events.iter().map(|row| (row.kind, row.prefix)).collect();
    let of = Some(prefix(BORROWED));
    assert_eq!(events, [(EventKind::Overridden, of), (EventKind::OverrideEnded, of)]);
}

#[test]
fn p5_a_gateway_that_a_reload_gives_another_policy_goes_on_to_be_told() {
    let mut net = borrowed();
    net.kill(1);
    net.put(2, &[]);
    net.serve(0);
    net.reload(0, "another");
    net.deliver(0);
    assert_eq!((net.forwards("10.244.0.5"), net.paths(BORROWED)), (Some(via(1)), 2), "the dead one's path is there");
    // And where it is withdrawn only then.
    let mut net = borrowed();
    net.kill(1);
    net.reload(0, "another");
    net.put(2, &[]);
    net.serve(0);
    net.deliver(0);
    assert_eq!((net.forwards("10.244.0.5"), net.paths(BORROWED)), (Some(via(1)), 2));
    net.wait(STALE);
    net.settle();
    assert_eq!(net.paths(BORROWED), 0);
}

#[test]
fn p5_a_replica_that_nobody_has_heard_of_may_have_died_just_before() {
    let mut net = Net::new(2);
    net.put(1, &[BLOCK]);
    net.put(2, &[BORROWED]);
    net.settle();
    net.kill(0);
    net.kill(1);
    net.forget();
    net.restart(0);
    net.take_role(0, Role::Leader { term: 9 });
    net.settle();
    net.put(2, &[]);
    net.serve(0);
    net.deliver(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(1)));
    let row = net.engine(0).override_row(prefix(BORROWED)).unwrap();
    assert!(matches!(row.waits[..], [Behind::Unheard { replicas: 1, .. }]), "{row:?}");
}

#[test]
fn p5_a_gateway_that_another_replica_has_lost_may_keep_its_paths() {
    let mut net = borrowed();
    net.down(1);
    net.put(2, &[]);
    for replica in [0, 1] {
        net.serve(replica);
        net.deliver(replica);
    }
    net.report();
    net.deliver(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(1)));
    let row = net.engine(0).override_row(prefix(BORROWED)).unwrap();
    assert!(matches!(row.waits[..], [Behind::CutOff { .. }]), "{row:?}");
    net.up(1);
    net.deliver(1);
    net.report();
    net.deliver(0);
    assert_eq!((net.paths(BORROWED), net.forwards("10.244.0.5")), (0, Some(via(1))));
}

/// The leader's own session says nothing of what the gateway keeps of another replica.
#[test]
fn p5_a_gateway_that_both_have_lost_keeps_the_paths_of_the_one_that_is_not_back_yet() {
    let mut net = borrowed();
    net.down(1);
    net.put(2, &[]);
    for replica in [0, 1] {
        net.serve(replica);
        net.deliver(replica);
    }
    net.report();
    net.down(0);
    net.report();
    net.up(0);
    net.deliver(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(1)));
    net.wait(STALE);
    net.report();
    net.deliver(0);
    assert_eq!(net.paths(BORROWED), 0);
}

#[test]
fn p5_what_is_withdrawn_while_a_gateway_has_lost_all_is_announced_like_its_cover_by_who_comes_back_first() {
    let mut net = borrowed();
    net.down(1);
    net.down(0);
    net.put(2, &[]);
    net.serve(0);
    net.serve(1);
    net.deliver(0);
    net.deliver(1);
    net.report();
    net.up(0);
    net.deliver(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(1)));
    net.up(1);
    net.deliver(1);
    // The other one first hears that the leader has its gateway again, and then the leader that the other has told it.
    net.settle();
    assert_eq!((net.paths(BORROWED), net.forwards("10.244.0.5")), (0, Some(via(1))));
}

#[test]
fn p5_where_nobody_is_behind_and_where_there_is_no_other_nothing_is_announced_for_it() {
    let mut alone = Net::new(1);
    alone.put(1, &[BLOCK]);
    alone.put(2, &[BORROWED]);
    alone.lead(0);
    alone.settle();
    alone.put(2, &[]);
    alone.serve(0);
    alone.deliver(0);
    assert_eq!(alone.paths(BORROWED), 0);
    // The standby was faster.
    let mut net = borrowed();
    net.put(2, &[]);
    net.serve(1);
    net.deliver(1);
    net.report();
    net.serve(0);
    net.deliver(0);
    assert_eq!(net.paths(BORROWED), 0);
    assert_eq!(net.engine(0).count_overrides().0.ipv4, 0);
}

#[test]
fn p3_p7_who_does_not_know_who_leads_neither_ends_nor_begins_it() {
    let mut net = borrowed();
    net.kill(1);
    net.put(2, &[]);
    net.serve(0);
    net.deliver(0);
    net.take_role(0, Role::Unsure { ordinal: 0 });
    net.wait(STALE);
    net.deliver(0);
    assert_eq!(net.paths(BORROWED), 1, "its own");
    net.take_role(0, Role::Leader { term: 9 });
    net.deliver(0);
    assert_eq!(net.paths(BORROWED), 0);
}

/// Two replicas that have read the store often, as [`borrowed`].
fn borrowed_late() -> Net {
    let mut net = borrowed();
    (0..20).for_each(|_| net.put(4, &["10.244.1.0/24"]));
    net.settle();
    net
}

#[test]
fn p5_p3_what_was_withdrawn_before_the_store_was_put_back_to_a_backup_is_not_announced_for_ever() {
    let mut net = borrowed_late();
    net.put(2, &[]);
    net.serve(0);
    net.deliver(0);
    assert_eq!(net.engine(0).count_overrides().0.ipv4, 1, "the other has not said that it knows");
    net.serve(1);
    net.deliver(1);
    net.put_back();
    net.lose_store(0);
    net.lose_store(1);
    net.wait_served(&[0, 1], 90);
    net.deliver(1);
    net.report();
    net.deliver(0);
    assert_eq!((net.paths(BORROWED), net.forwards("10.244.0.5")), (0, Some(via(1))));
}

#[test]
fn p5_who_still_goes_by_the_store_before_is_not_taken_for_one_that_knows() {
    let mut net = borrowed_late();
    net.put_back();
    net.lose_store(0);
    net.lose_store(1);
    net.wait_served(&[0], 90);
    net.report();
    net.put(2, &[]);
    net.serve(0);
    net.deliver(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(1)), "its revisions are greater, and of another store");
    let row = net.engine(0).override_row(prefix(BORROWED)).unwrap();
    assert_eq!(row.waits, [Behind::Untold { replica: "replica-1".into() }]);
    net.wait_served(&[0, 1], 90);
    net.settle();
    assert_eq!(net.forwards("10.244.0.5"), Some(via(1)), "its guard holds what differs there, so that it has it still");
}

/// Another cluster behind the same address, and a replica that has not lost its own: of their revisions nothing follows.
#[test]
fn p5_the_revisions_of_two_stores_are_not_compared() {
    let mut net = borrowed_late();
    net.put_back();
    net.move_store(ClusterId(99));
    net.lose_store(0);
    net.wait_served(&[0], 90);
    net.report();
    net.put(2, &[]);
    net.serve(0);
    net.deliver(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(1)));
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, Vec<u8>),
    Serve(usize),
    Deliver(usize),
    Report,
    Kill(usize),
    Restart(usize),
    Lead(usize),
    Unsure(usize),
    Down(usize),
    Up(usize),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let replica = 0..3usize;
    let subnets = proptest::collection::btree_set(0..net::SUBNETS.len() as u8, 0..3);
    let step = prop_oneof![
        10 => (1..5u8, subnets).prop_map(|(host, subnets)| Step::Put(host, subnets.into_iter().collect())),
        10 => replica.clone().prop_map(Step::Serve),
        14 => replica.clone().prop_map(Step::Deliver),
        8 => Just(Step::Report),
        2 => replica.clone().prop_map(Step::Kill),
        3 => replica.clone().prop_map(Step::Restart),
        4 => replica.clone().prop_map(Step::Lead),
        1 => replica.clone().prop_map(Step::Unsure),
        4 => replica.clone().prop_map(Step::Down),
        6 => replica.prop_map(Step::Up),
        3 => (0..400u64).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    /// Wherever a leader has told the gateway all, what the gateway forwards for an owner goes to that owner.
    #[test]
    fn p5_no_leftover_of_another_replica_draws_away_what_has_an_owner(steps in steps()) {
        let mut net = Net::new(3);
        net.lead(0);
        for step in steps {
            match step {
                Step::Put(host, subnets) => {
                    let subnets: Vec<&str> = subnets.iter().map(|n| net::SUBNETS[usize::from(*n)]).collect();
                    net.put(host, &subnets);
                }
                Step::Serve(replica) => net.serve(replica),
                Step::Deliver(replica) => net.deliver(replica),
                Step::Report => net.report(),
                Step::Kill(replica) => net.kill(replica),
                Step::Restart(replica) => net.restart(replica),
                Step::Lead(replica) => net.lead(replica),
                Step::Unsure(replica) => net.be_unsure(replica),
                Step::Down(replica) => net.down(replica),
                Step::Up(replica) => net.up(replica),
                Step::Wait(seconds) => net.wait(Duration::from_secs(seconds)),
            }
            net.judge();
        }
        (0..3).for_each(|replica| net.restart(replica));
        net.wait(STALE + Duration::from_secs(1));
        (0..3).for_each(|replica| net.serve(replica));
        // Whoever can; and the others follow.
        [0, 2, 1].into_iter().for_each(|replica| net.lead(replica));
        prop_assume!(net.leader().is_some());
        // One replica waits for another, which waits for the third.
        (0..2).for_each(|_| net.settle());
        net.judge();
        for replica in 0..3 {
            prop_assert_eq!(net.engine(replica).count_overrides().0.ipv4, 0, "at rest nothing is left of it: {}", replica);
        }
    }
}
