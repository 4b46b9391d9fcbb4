//! Who cannot lead leaves the leader key to others.

use super::desk::{Desk, is_of_lease, leader_of, seconds};
use super::world::TTL;
use crate::election::{Input, PresenceRecord, Request, StoredTerm, Trouble};
use crate::model::{Instance, Leadership, Replica, Term};
use crate::source::FaultKind;

fn term(number: u32) -> Term {
    Term::new(number).unwrap()
}

/// Renewals that are confirmed keep the lease, and with it the leader key, though they prove nothing.
#[test]
fn c44_a_leader_that_cannot_prove_its_renewals_leaves_the_key_to_others() {
    let elects: fn(&mut Desk) = |desk| desk.elects = true;
    let looks_are_lost: fn(&mut Desk) = |desk| desk.looks_are_lost = true;
    for fault in [elects, looks_are_lost] {
        let mut desk = Desk::new(1, Term::NONE);
        desk.run(seconds(1));
        assert_eq!(desk.role().leads(desk.now), Some(term(1)));
        fault(&mut desk);
        desk.run(TTL * 3);
        assert_eq!(desk.role(), Leadership::Lapsed { term: term(1) });
        let mut other = Desk::with_store(2, Term::NONE, desk.store.clone(), desk.now);
        other.run(seconds(1));
        assert_eq!(other.role().leads(other.now), Some(term(2)), "{:?}", desk.trouble());
        // And wants it no more before it can prove one.
        desk.store.leader = None;
        desk.run(TTL * 2);
        assert_eq!(desk.store.leader, None);
        (desk.elects, desk.looks_are_lost) = (false, false);
        desk.run(TTL);
        assert!(desk.role().leads(desk.now).is_some(), "{:?}", desk.trouble());
    }
}

#[test]
fn c63_behind_a_proxy_the_store_is_asked_no_oftener() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.elects = true;
    desk.run(seconds(60));
    let requests = |desk: &mut Desk, span| {
        let before = desk.served;
        desk.run(span);
        desk.served - before
    };
    assert_eq!(desk.store.leader, None);
    let many = requests(&mut desk, seconds(60));
    assert!(many <= 90, "{many} in a minute: two a round and lease, and a lease now and then");
}

/// As it may be where the disk says nothing while the leader key is asked for, and for ever after.
#[test]
fn a_process_whose_disk_hangs_leaves_what_it_has_taken_to_others() {
    for answered in [true, false] {
        let mut desk = Desk::new(1, Term::NONE);
        desk.store.term = Some(StoredTerm::encode(term(5)));
        desk.run_until_asked(|request| matches!(request, Request::Look));
        desk.disk_waits = true;
        desk.run_until_asked(|request| matches!(request, Request::Acquire { .. }));
        let (attempt, request) = desk.asked.take().unwrap();
        let done = desk.store.serve(desk.now, "10.0.3.1", request);
        if answered {
            desk.feed(Input::Answer(attempt, Ok(done)));
        }
        assert!(desk.store.leader.is_some());
        desk.run(TTL * 2);
        assert_eq!((desk.store.leader.clone(), desk.role().leads(desk.now)), (None, None));
        assert!(matches!(desk.trouble(), Some(Trouble::Disk(_))), "{:?}", desk.trouble());
    }
}

/// Another process has this one's place, and a newer term is heard of: none can be had.
#[test]
fn c63_a_newer_term_that_cannot_be_had_is_not_asked_for_again_and_again() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    let twin = Replica { identity: desk.me.identity.clone(), instance: Instance(77) };
    let lease = desk.store.grant(desk.now);
    let presence = PresenceRecord { replica: twin, ttl: TTL };
    desk.store.presences.insert(desk.me.identity.clone(), (presence.encode(), Some(lease)));
    desk.store.term = Some(StoredTerm::encode(term(9)));
    let before = desk.served;
    desk.run(TTL);
    let many = desk.served - before;
    assert!(many <= 25, "{many} requests in a lease's time");
    assert_eq!((desk.store.leader.clone(), desk.role().leads(desk.now)), (None, None));
}

#[test]
fn c45_a_slow_store_is_told_and_asked_again_at_once() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    let mut troubles = Vec::new();
    for _ in 0..40 {
        if desk.asked.is_some() {
            // Just in time for one question.
            desk.now = desk.now + TTL * 6 / 25;
            desk.feed(Input::Clock);
            desk.serve_one();
        } else {
            desk.run_until_asked(|_| true);
        }
        troubles.extend(desk.trouble());
    }
    assert!(
        troubles.contains(&Trouble::Slow) && troubles.iter().all(|trouble| *trouble == Trouble::Slow),
        "{troubles:?}"
    );
    assert!(desk.store.leader.is_some(), "it is proven, and nobody else would fare better");
}

/// It answers at once: that the leadership has lapsed meanwhile is not its slowness.
#[test]
fn a_store_that_stood_still_for_a_while_is_not_told_as_slow() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    (desk.cut, desk.stands_still) = (true, true);
    desk.run(TTL * 11 / 10);
    assert_eq!(desk.role(), Leadership::Lapsed { term: term(1) });
    assert!(matches!(desk.troubles[..], [Trouble::Store(_)]), "{:?}", desk.troubles);
    (desk.cut, desk.stands_still) = (false, false);
    desk.store.resume(desk.now);
    desk.run(TTL);
    assert_eq!(desk.role().leads(desk.now), Some(term(1)), "by the lease that it has had");
    assert_eq!((desk.troubles.len(), desk.trouble()), (1, None), "{:?}", desk.troubles);
}

/// Leases need no permission, and who may read the keys may not yet change them.
#[test]
fn a_store_that_refuses_a_part_is_one_trouble_and_not_asked_without_end() {
    let refusals: [fn(&Request) -> bool; 2] =
        [|request| !is_of_lease(request), |request| !is_of_lease(request) && *request != Request::Look];
    for refuses in refusals {
        let mut desk = Desk::new(1, Term::NONE);
        desk.refuses = refuses;
        desk.run(TTL * 6);
        let told = &desk.troubles;
        assert!(matches!(&told[..], [Trouble::Store(fault)] if fault.kind == FaultKind::Denied), "{told:?}");
        assert!(desk.served < 150, "{} requests in six lease times", desk.served);
        desk.refuses = |_| false;
        desk.run(TTL);
        assert_eq!((desk.troubles.len(), desk.trouble()), (1, None), "{:?}", desk.troubles);
        assert!(desk.role().leads(desk.now).is_some());
    }
}

#[test]
fn a_standby_whose_presence_key_is_gone_knows_who_leads_all_the_same() {
    let mut desk = Desk::new(1, Term::NONE);
    let lease = desk.store.grant(desk.now);
    let other = leader_of(2, term(3), lease);
    desk.store.leader = Some((other.encode(), Some(lease)));
    desk.run(seconds(1));
    assert!(matches!(desk.role(), Leadership::Standby { .. }));
    let before = desk.roles.len();
    desk.store.presences.clear();
    desk.run(seconds(5));
    assert!(desk.store.presences.contains_key(&desk.me.identity));
    assert_eq!(desk.roles.len(), before, "{:?}", desk.roles);
}
