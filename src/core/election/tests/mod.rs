//! One replica on a desk with a store, and many in a world of mishaps.

mod desk;
mod left;
mod properties;
mod terms;
mod world;

use super::{Effect, Expect, Held, Input, LeaderRecord, LeaseId, PresenceRecord, Reply, Request, StoredTerm, Trouble};
use crate::model::{Instance, Leadership, Replica, Term, Time};
use crate::testing::coordination::{CUT_OFF, ENDPOINT};
use desk::{Desk, leader_of, seconds};
use std::time::Duration;
use world::{MARGIN, TTL};

fn term(number: u32) -> Term {
    Term::new(number).unwrap()
}

#[test]
fn the_first_one_leads_in_term_one_and_the_second_stands_by() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    assert_eq!(desk.role().leads(desk.now), Some(term(1)));
    assert_eq!(desk.disk, [Term::NONE, term(1)]);
    let mut second = Desk::with_store(2, Term::NONE, desk.store.clone(), desk.now);
    second.run(seconds(1));
    let leader = desk.me.clone();
    assert_eq!(second.role(), Leadership::Standby { leader, term: term(1) });
}

#[test]
fn p7_the_deadline_counts_from_the_sending_of_the_renewal_that_was_answered_last() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    desk.run_until_asked(|request| matches!(request, Request::KeepAlive(_)));
    let sent = desk.now;
    // The answer is slow, and what comes after it gets none.
    desk.now = desk.now + TTL / 5;
    desk.serve_one();
    desk.serve_one();
    let Leadership::Leading { until, .. } = desk.role() else { panic!("{:?}", desk.role()) };
    assert_eq!(until, sent + TTL - MARGIN);
    desk.cut = true;
    let last = desk.last_role_before(until);
    assert!(last.leads(desk.now).is_some() && desk.now < until, "{last:?} at {:?}", desk.now);
    desk.run(seconds(3));
    assert_eq!(desk.role(), Leadership::Lapsed { term: term(1) });
    assert!(
        desk.roles.contains(&Leadership::Lapsed { term: term(1) }),
        "it is said at the deadline, without any answer"
    );
}

#[test]
fn p7_the_first_deadline_counts_from_the_grant_of_the_lease() {
    let mut desk = Desk::new(1, Term::NONE);
    let granted = desk.now;
    desk.run_until_asked(|request| matches!(request, Request::Acquire { .. }));
    desk.now = desk.now + seconds(1);
    desk.serve_one();
    assert_eq!(desk.role(), Leadership::Leading { term: term(1), until: granted + TTL - MARGIN });
}

#[test]
fn c43_a_leader_without_its_store_lapses_and_stays_so_p2() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    desk.cut = true;
    desk.run(seconds(600));
    assert_eq!(desk.role(), Leadership::Lapsed { term: term(1) });
    assert!(matches!(desk.trouble(), Some(Trouble::Store(fault)) if fault.message.contains("has not answered")));
    // What it held has ended long ago, and it comes back by a new leadership.
    desk.cut = false;
    desk.run(seconds(5));
    assert_eq!(desk.role().leads(desk.now), Some(term(2)));
    assert_eq!(desk.trouble(), None);
}

#[test]
fn a_lapsed_leader_whose_key_never_changed_leads_on_in_its_term() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    desk.cut = true;
    let Leadership::Leading { until, .. } = desk.role() else { panic!() };
    desk.run_to(until);
    assert_eq!(desk.role(), Leadership::Lapsed { term: term(1) });
    // The lease runs for the margin yet.
    desk.cut = false;
    desk.run(MARGIN);
    assert_eq!(desk.role().leads(desk.now), Some(term(1)));
}

#[test]
fn c44_a_renewal_of_a_lease_whose_key_is_gone_is_not_enough() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    // Members that revoke by mistake (etcd#15247) confirm renewals all the same.
    desk.confirm_all = true;
    let lease = desk.store.leases()[0];
    desk.store.end(lease);
    desk.run_until_asked(|request| matches!(request, Request::KeepAlive(_)));
    desk.serve_one();
    desk.serve_one();
    assert_eq!(desk.role(), Leadership::Lapsed { term: term(1) }, "the key is not there");
    desk.confirm_all = false;
    desk.run(seconds(8));
    assert_eq!(desk.role().leads(desk.now), Some(term(2)));
}

#[test]
fn c44_a_renewal_across_an_election_of_the_store_counts_only_once_it_is_repeated() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    let Leadership::Leading { until, .. } = desk.role() else { panic!() };
    desk.run_until_asked(|request| matches!(request, Request::KeepAlive(_)));
    desk.store.elect(desk.now);
    desk.serve_one();
    desk.serve_one();
    assert_eq!(desk.role(), Leadership::Leading { term: term(1), until });
    desk.run(seconds(1));
    assert!(matches!(desk.role(), Leadership::Leading { until: later, .. } if later > until));
}

#[test]
fn c44_a_renewal_that_another_member_has_confirmed_counts_only_once_it_is_repeated() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    let Leadership::Leading { until, .. } = desk.role() else { panic!() };
    desk.run_until_asked(|request| matches!(request, Request::KeepAlive(_)));
    let (attempt, _) = desk.asked.take().unwrap();
    desk.feed(Input::Answer(attempt, Ok(Reply::KeptAlive(CUT_OFF))));
    desk.serve_one();
    assert_eq!(desk.role(), Leadership::Leading { term: term(1), until });
    desk.run(seconds(1));
    assert!(matches!(desk.role(), Leadership::Leading { until: later, .. } if later > until));
}

#[test]
fn c44_a_store_that_always_answers_by_another_member_is_told_as_such() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.elects = true;
    desk.run(seconds(20));
    assert_eq!(desk.trouble(), Some(Trouble::ManyMembers));
    assert!(desk.trouble().unwrap().to_string().contains("not a proxy"));
    assert_eq!(desk.role().leads(desk.now), None);
}

#[test]
fn c37_an_acquisition_without_an_answer_is_read_back_before_anything_else() {
    for carried_out in [true, false] {
        let mut desk = Desk::new(1, Term::NONE);
        desk.run_until_asked(|request| matches!(request, Request::Acquire { .. }));
        let (attempt, request) = desk.asked.take().unwrap();
        if carried_out {
            desk.store.serve(desk.now, "10.0.3.1", request);
        }
        desk.run_until_asked(|_| true);
        assert!(matches!(desk.asked, Some((_, Request::Look))), "{:?}", desk.asked);
        // Late, it says nothing.
        desk.feed(Input::Answer(attempt, Ok(Reply::Done)));
        assert!(matches!(desk.role(), Leadership::Unsure { .. }));
        desk.run(seconds(5));
        assert_eq!(desk.role().leads(desk.now), Some(term(1)), "it was the same leadership all along");
    }
}

#[test]
fn c37_an_acquisition_that_was_given_up_and_came_late_is_given_back() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run_until_asked(|request| matches!(request, Request::Acquire { .. }));
    let (_, late) = desk.asked.take().unwrap();
    desk.feed(Input::Yield);
    desk.run(seconds(1));
    desk.store.serve(desk.now, "10.0.3.1", late);
    assert!(desk.store.leader.is_some());
    desk.run(seconds(3));
    assert_eq!(desk.store.leader, None, "another may have it");
    assert!(desk.roles.iter().all(|role| role.leads(Time::ZERO).is_none()));
}

#[test]
fn what_no_election_has_written_is_never_overwritten() {
    let held = |value: &'static str| Some((value.into(), Some(LeaseId(99))));
    for value in ["", "{}", "someone", r#"{"fingerpost_leader":2,"identity":"a","instance":"1","term":1,"lease":1}"#] {
        let mut desk = Desk::new(1, Term::NONE);
        desk.store.leader = held(value);
        desk.run(seconds(60));
        assert_eq!(
            (desk.store.leader.clone(), desk.trouble()),
            (held(value), Some(Trouble::ForeignLeader { key: "/election".into() }))
        );
        assert!(matches!(desk.role(), Leadership::Unsure { .. }));
    }
    for value in ["seven", "-1", "1000000", "07", "7\n"] {
        let mut desk = Desk::new(1, Term::NONE);
        desk.store.term = Some(value.into());
        desk.run(seconds(60));
        assert_eq!(
            (desk.store.term.clone(), desk.trouble()),
            (Some(value.into()), Some(Trouble::ForeignTerm { key: "/election/term".into() }))
        );
        assert_eq!(desk.store.leader, None);
    }
}

#[test]
fn a_leader_key_without_a_lease_is_told_since_it_would_never_end() {
    let mut desk = Desk::new(1, Term::NONE);
    let other = leader_of(2, term(1), LeaseId(5));
    desk.store.leader = Some((other.encode(), None));
    desk.run(seconds(60));
    assert_eq!(desk.trouble(), Some(Trouble::LeaderWithoutLease { key: "/election".into() }));
    assert!(matches!(desk.role(), Leadership::Unsure { .. }), "nobody is known to live");
}

#[test]
fn a_second_process_of_one_identity_never_leads_and_says_why() {
    let mut desk = Desk::new(1, Term::NONE);
    let twin = Replica { identity: desk.me.identity.clone(), instance: Instance(77) };
    let lease = desk.store.grant(desk.now);
    let presence = PresenceRecord { replica: twin.clone(), ttl: TTL };
    desk.store.presences.insert(twin.identity.clone(), (presence.encode(), Some(lease)));
    for _ in 0..60 {
        desk.run(seconds(1));
        desk.store.serve(desk.now, "", Request::KeepAlive(lease));
    }
    let identity = twin.identity.to_string();
    assert_eq!(desk.trouble(), Some(Trouble::SameIdentity { identity }));
    assert_eq!(desk.store.leader, None);
    // Not even where it could stand by: its paths would be equal to the other's.
    let other = leader_of(2, term(1), lease);
    desk.store.leader = Some((other.encode(), Some(lease)));
    desk.run(seconds(3));
    assert!(matches!(desk.role(), Leadership::Unsure { .. }), "{:?}", desk.role());
}

#[test]
fn a_store_that_grants_longer_leases_does_not_take_a_restart_for_a_second_process() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.store.shortest = TTL * 3;
    desk.run(seconds(1));
    let mut again = Desk::with_store(1, term(1), desk.store.clone(), desk.now);
    again.me.instance = Instance(1001);
    again.restart();
    again.run(TTL * 3 + seconds(3));
    assert!(again.trouble().is_none());
    assert_eq!(again.role().leads(again.now), Some(term(2)));
}

#[test]
fn a_restart_within_its_own_lease_waits_for_the_lease_to_end() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    let mut again = Desk::with_store(1, term(1), desk.store.clone(), desk.now);
    again.me.instance = Instance(1001);
    again.restart();
    again.run(TTL - seconds(2));
    assert!(again.roles.iter().all(|role| matches!(role, Leadership::Unsure { .. })), "{:?}", again.roles);
    assert!(again.trouble().is_none(), "which is no trouble");
    again.run(seconds(4));
    assert_eq!(again.role().leads(again.now), Some(term(2)));
}

#[test]
fn who_yields_stops_before_another_can_begin_and_wants_nothing_for_a_while() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    let mut effects = Vec::new();
    desk.election.handle(desk.now, Input::Yield, &mut effects);
    let role = effects.iter().position(|effect| matches!(effect, Effect::Leadership(Leadership::Lapsed { .. })));
    let asks = effects.iter().position(|effect| matches!(effect, Effect::Ask(_, Request::Release(_))));
    assert!(role.is_some() && role < asks, "{effects:?}");
    desk.take(effects);
    desk.run(TTL - seconds(1));
    assert_eq!((desk.store.leader.clone(), desk.role()), (None, Leadership::Lapsed { term: term(1) }));
    desk.run(seconds(4));
    assert_eq!(desk.role().leads(desk.now), Some(term(2)), "nobody else wanted it");
}

/// One that has just started, has not read its sources, and stands by: another one leads.
fn unread_beside_a_leader() -> (Desk, LeaseId) {
    let mut desk = Desk::new(1, Term::NONE);
    desk.restart_unread(seconds(30));
    let other = leader_of(2, term(4), desk.store.grant(desk.now));
    desk.store.leader = Some((other.encode(), Some(other.lease)));
    desk.run(seconds(1));
    assert!(matches!(desk.role(), Leadership::Standby { .. }), "it knows who leads all the while: {:?}", desk.role());
    (desk, other.lease)
}

/// Nothing leads for so long, and then this one does.
fn leaves_the_lead_to_others_for(desk: &mut Desk, span: Duration, what: &str) {
    desk.run(span - seconds(1) / 2);
    assert_eq!((desk.store.leader.clone(), desk.role().leads(desk.now)), (None, None), "{what}");
    desk.run(TTL / 2);
    assert!(desk.role().leads(desk.now).is_some(), "{what}: nobody can read, and it is better than nobody");
}

#[test]
fn who_has_not_read_its_sources_leaves_the_lead_to_others_for_a_while_p7() {
    let (mut desk, other) = unread_beside_a_leader();
    desk.store.end(other);
    desk.run(seconds(8));
    assert_eq!(desk.store.leader, None);
    desk.feed(Input::Read);
    desk.run(seconds(1));
    assert!(desk.role().leads(desk.now).is_some());
    for wait in [1, 3000] {
        let (mut desk, other) = unread_beside_a_leader();
        for _ in 0..wait {
            desk.run(seconds(1));
            desk.store.serve(desk.now, "10.0.3.2", Request::KeepAlive(other));
        }
        desk.store.end(other);
        leaves_the_lead_to_others_for(&mut desk, seconds(30), "however long ago it started");
    }
}

#[test]
fn who_has_not_read_its_sources_leaves_the_others_as_much_time_where_none_of_them_could_lead_before() {
    for has_read in [true, false] {
        let (mut desk, other) = unread_beside_a_leader();
        desk.feed(Input::LeaderHasRead(has_read));
        desk.store.end(other);
        desk.run(seconds(3));
        desk.cut = true;
        desk.run(seconds(50));
        desk.cut = false;
        assert_eq!(desk.role().leads(desk.now), None, "{has_read}");
        let turn = if has_read { seconds(30) } else { TTL };
        leaves_the_lead_to_others_for(&mut desk, turn, "after an outage");
    }
}

#[test]
fn who_knows_no_less_than_who_led_last_leaves_the_others_only_the_time_to_be_quicker() {
    let (mut desk, other) = unread_beside_a_leader();
    desk.feed(Input::LeaderHasRead(false));
    desk.store.end(other);
    leaves_the_lead_to_others_for(&mut desk, TTL * 2 / 5, "that one had not read its sources either");
    // It has led itself, and has not read them yet.
    let leases = desk.store.leases();
    leases.into_iter().for_each(|lease| desk.store.end(lease));
    desk.run(TTL);
    assert!(desk.role().leads(desk.now).is_some());
}

#[test]
fn who_is_about_to_leave_leads_on_and_leaves_it_to_others_to_begin() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    desk.feed(Input::Departs);
    desk.run(seconds(60));
    assert!(desk.role().leads(desk.now).is_some(), "it leads on");
    let (mut desk, other) = unread_beside_a_leader();
    [Input::Read, Input::Departs].into_iter().for_each(|input| desk.feed(input));
    desk.store.end(other);
    leaves_the_lead_to_others_for(&mut desk, TTL * 2 / 5, "there is nobody else");
}

#[test]
fn l13_who_loses_the_leadership_again_and_again_waits_before_it_leads_once_more_and_says_why() {
    let mut desk = Desk::new(1, Term::NONE);
    let (mut begun, mut seen) = (Vec::new(), Term::NONE);
    let start = desk.now;
    while desk.now.since(start) < seconds(600) {
        desk.run(seconds(1));
        if let Some(term) = desk.role().leads(desk.now).filter(|term| *term != seen) {
            seen = term;
            begun.push(desk.now);
            let leases = desk.store.leases();
            leases.into_iter().for_each(|lease| desk.store.end(lease));
        }
    }
    assert!(begun.len() > 8 && begun.len() <= 16, "{begun:?}");
    assert!(begun[1].since(begun[0]) < seconds(10), "the second comes at once: {begun:?}");
    desk.run(seconds(20));
    assert_eq!((desk.role().leads(desk.now), desk.trouble()), (None, Some(Trouble::TooOften)));
    desk.run(seconds(60));
    assert!(desk.role().leads(desk.now).is_some());
    assert_eq!(desk.trouble(), None);
}

#[test]
fn who_leaves_takes_all_its_keys_along() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    desk.feed(Input::Leave);
    assert_eq!(desk.role(), Leadership::Lapsed { term: term(1) });
    desk.run(seconds(1));
    assert!(desk.left && desk.store.leader.is_none() && desk.store.presences.is_empty());
    assert_eq!(desk.election.next_deadline(), None);
    // Nor does a store that is gone keep it.
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    desk.cut = true;
    desk.feed(Input::Leave);
    desk.run(TTL);
    assert!(desk.left);
}

#[test]
fn a_standby_knows_who_leads_for_a_leases_time_and_no_longer() {
    let mut desk = Desk::new(1, Term::NONE);
    let other = leader_of(2, term(4), desk.store.grant(desk.now));
    desk.store.leader = Some((other.encode(), Some(other.lease)));
    desk.run(seconds(1));
    assert!(!desk.role().is_frozen());
    desk.cut = true;
    desk.run(TTL - seconds(3));
    assert!(!desk.role().is_frozen());
    desk.run(seconds(3));
    assert_eq!(desk.role(), Leadership::Unsure { newest: term(4) });
}

#[test]
fn every_answer_to_every_question_is_taken_without_a_panic_and_leads_nobody_astray() {
    let view = || super::View {
        seal: super::Seal { cluster: 1, member: ENDPOINT, term: 0 },
        leader: Held::Absent,
        term: StoredTerm::Absent,
        presence: Held::Absent,
    };
    let replies = || {
        let granted = Reply::Granted { lease: LeaseId(3), ttl: TTL };
        [granted, Reply::KeptAlive(ENDPOINT), Reply::NoLease, Reply::View(view()), Reply::Done]
    };
    let mut out_of_turn = 0;
    for (depth, n) in (0..9).flat_map(|depth| (0..5).map(move |n| (depth, n))) {
        let mut desk = Desk::new(1, Term::NONE);
        for _ in 0..depth {
            desk.run_until_asked(|_| true);
            desk.serve_one();
        }
        desk.run_until_asked(|_| true);
        let (attempt, _) = desk.asked.take().unwrap();
        desk.feed(Input::Answer(attempt, Ok(replies()[n].clone())));
        out_of_turn += u32::from(matches!(desk.trouble(), Some(Trouble::Store(_))));
        desk.run(TTL * 2);
        assert!(
            desk.role().leads(desk.now).is_some(),
            "after {depth} answers and {:?}: {:?}",
            replies()[n],
            desk.role()
        );
        assert_eq!(desk.trouble(), None);
    }
    assert!(out_of_turn > 9, "{out_of_turn}");
}

#[test]
fn records_are_read_as_they_are_written_and_by_no_other_form() {
    let leader = leader_of(3, term(8), LeaseId(-5));
    assert_eq!(LeaderRecord::decode(&leader.encode()), Some(leader.clone()));
    let presence = PresenceRecord { replica: leader.replica.clone(), ttl: TTL };
    assert_eq!(PresenceRecord::decode(&presence.encode()), Some(presence.clone()));
    assert_eq!((LeaderRecord::decode(&presence.encode()), PresenceRecord::decode(&leader.encode())), (None, None));
    let text = String::from_utf8(leader.encode().to_vec()).unwrap();
    let with = |old: &str, new: &str| LeaderRecord::decode(text.replace(old, new).as_bytes());
    assert_eq!(with("\"term\":8", "\"term\":1000000"), None);
    assert_eq!(with("\"term\":8", "\"more\":0,\"term\":8"), Some(leader), "a later version may say more");
    assert_eq!(StoredTerm::read(Some(b"8")), StoredTerm::Is(term(8)));
    assert_eq!(StoredTerm::Is(term(8)).expected(), Some(Expect::Value("8".into())));
    assert_eq!(StoredTerm::Foreign.expected(), None);
}
