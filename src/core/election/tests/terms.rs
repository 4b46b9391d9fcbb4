//! Terms: on disk and in the store, and when one of the two fails.

use super::desk::{Desk, leader_of, seconds};
use super::term;
use super::world::TTL;
use crate::election::{Input, Request, StoredTerm, Trouble};
use crate::model::{Leadership, Term, Time};
#[test]
fn terms_are_one_more_than_the_highest_of_store_and_disk() {
    for (on_disk, stored, leads) in [(0, None, 1), (7, None, 8), (7, Some("3"), 8), (7, Some("12"), 13)] {
        let mut desk = Desk::new(1, term(on_disk));
        desk.store.term = stored.map(Into::into);
        desk.run(seconds(2));
        assert_eq!(desk.role().leads(desk.now), Some(term(leads)));
        assert_eq!(desk.store.term, Some(StoredTerm::encode(term(leads))));
        assert_eq!(desk.disk.last(), Some(&term(leads)));
    }
}

#[test]
fn a_term_is_on_disk_before_anybody_leads_in_it() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.disk_waits = true;
    desk.run(seconds(20));
    assert!(matches!(desk.role(), Leadership::Unsure { .. }), "{:?}", desk.role());
    assert_eq!(desk.store.leader, None, "who cannot write does not keep others from leading");
    desk.feed(Input::TermStored(Ok(Term::NONE)));
    desk.run_until_asked(|request| matches!(request, Request::Acquire { .. }));
    desk.serve_one();
    assert!(desk.store.leader.is_some() && desk.role().leads(desk.now).is_none(), "{:?}", desk.role());
    desk.feed(Input::TermStored(Ok(term(1))));
    assert_eq!(desk.role().leads(desk.now), Some(term(1)));
}

#[test]
fn a_disk_that_says_nothing_does_not_keep_others_from_leading() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.disk_waits = true;
    desk.run(TTL);
    assert!(matches!(desk.trouble(), Some(Trouble::Disk(_))), "{:?}", desk.trouble());
    desk.feed(Input::TermStored(Ok(Term::NONE)));
    desk.run_until_asked(|request| matches!(request, Request::Acquire { .. }));
    desk.serve_one();
    assert_eq!((desk.store.leader.is_some(), desk.trouble()), (true, None));
    desk.run(TTL);
    assert_eq!(desk.store.leader, None, "given back");
    assert!(matches!(desk.trouble(), Some(Trouble::Disk(_))), "{:?}", desk.trouble());
    assert!(desk.roles.iter().all(|role| role.leads(Time::ZERO).is_none()), "{:?}", desk.roles);
    // It speaks at last.
    desk.disk_waits = false;
    desk.feed(Input::TermStored(Ok(term(1))));
    desk.run(TTL);
    assert_eq!((desk.role().leads(desk.now), desk.trouble()), (Some(term(2)), None));
}

#[test]
fn a_directory_that_cannot_be_written_keeps_it_from_leading_and_from_nothing_else() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.disk_fault = Some("cannot write".into());
    desk.run(seconds(30));
    assert_eq!((desk.store.leader.clone(), desk.trouble()), (None, Some(Trouble::Disk("cannot write".into()))));
    let other = leader_of(2, term(4), desk.store.grant(desk.now));
    desk.store.leader = Some((other.encode(), Some(other.lease)));
    desk.run(seconds(3));
    assert_eq!(desk.role(), Leadership::Standby { leader: other.replica, term: term(4) });
    desk.disk_fault = None;
    // The other's lease ends.
    desk.run(seconds(70));
    assert_eq!((desk.role().leads(desk.now), desk.trouble()), (Some(term(5)), None));
}

#[test]
fn a_disk_that_fails_between_acquiring_and_leading_gives_the_leadership_back() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run_until_asked(|request| matches!(request, Request::Acquire { .. }));
    desk.disk_fault = Some("no space left".into());
    desk.run(seconds(2));
    assert_eq!(desk.store.leader, None);
    assert!(desk.roles.iter().all(|role| matches!(role, Leadership::Unsure { .. })), "{:?}", desk.roles);
}

#[test]
fn a_standby_writes_the_terms_it_hears_of_and_raises_a_store_that_has_lost_them() {
    let mut desk = Desk::new(1, Term::NONE);
    let other = leader_of(2, term(7), desk.store.grant(desk.now));
    desk.store.leader = Some((other.encode(), Some(other.lease)));
    desk.store.term = Some("7".into());
    desk.run(seconds(2));
    assert_eq!(desk.disk.last(), Some(&term(7)));
    // A backup of long ago.
    let other = leader_of(2, term(3), desk.store.grant(desk.now));
    desk.store.leader = Some((other.encode(), Some(other.lease)));
    desk.store.term = Some("3".into());
    desk.run(seconds(3));
    assert_eq!(desk.store.term, Some("7".into()), "its leader sees it, and leads anew");
}

#[test]
fn a_leader_that_sees_a_newer_term_leads_in_one_that_is_newer_yet() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    desk.store.term = Some("9".into());
    desk.run(seconds(3));
    assert_eq!(desk.role().leads(desk.now), Some(term(10)));
    desk.store.term = None;
    desk.run(seconds(3));
    assert_eq!((desk.role().leads(desk.now), desk.store.term.clone()), (Some(term(10)), Some("10".into())));
}

#[test]
fn a_leader_that_cannot_have_a_newer_term_leads_on() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    desk.store.term = Some("9".into());
    desk.run_until_asked(|request| matches!(request, Request::Acquire { .. }));
    // Somebody else has raised it once more.
    desk.store.term = Some("12".into());
    desk.serve_one();
    assert_eq!(desk.role().leads(desk.now), Some(term(1)), "the leader key is still its own");
    desk.run(seconds(3));
    assert_eq!(desk.role().leads(desk.now), Some(term(13)));
}

#[test]
fn a_term_given_twice_by_a_wiped_store_is_left_for_a_newer_one() {
    let mut desk = Desk::new(1, Term::NONE);
    desk.run(seconds(1));
    desk.store.wipe();
    let other = leader_of(2, term(1), desk.store.grant(desk.now));
    desk.store.leader = Some((other.encode(), Some(other.lease)));
    desk.store.term = Some("1".into());
    desk.run(seconds(4));
    assert_eq!(desk.store.term, Some("2".into()));
    assert!(matches!(desk.role(), Leadership::Standby { .. }));
}

#[test]
fn the_last_term_is_not_wrapped_around() {
    let mut desk = Desk::new(1, Term::MAX);
    desk.run(seconds(20));
    assert_eq!((desk.store.leader.clone(), desk.trouble()), (None, Some(Trouble::NoTermLeft)));
}
