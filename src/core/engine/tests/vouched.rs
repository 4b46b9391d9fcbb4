//! What one replica finds all at once after an absence, and another has seen come bit by bit (P3, P10).

use super::super::{Command, Effect, Holds, Input, Introduction, Role, Settings, Wanted};
use super::guarded::{CLUSTER, World, settings};
use crate::model::{Instance, Replica};
use crate::replicas::{KnownReplica, ReplicaNote, ReplicaReport};
use crate::source::sync::{Follow, Snapshot, SyncConfig, Timing};
use crate::source::{Event, Record, Report, Rev};
use std::time::Duration;

const HOSTS: u8 = 40;
const HOUR: Duration = Duration::from_secs(3600);

/// A process of this replica, which has not read the store yet.
fn replica(number: u8, snapshot: Option<Snapshot>) -> World {
    let mut sources = World::sources();
    // Nothing is asked for in between: what it hears is all here.
    let never = 1000 * HOUR;
    let timing = Timing { ask_progress: never, stuck: never, reconcile: never, ..Timing::default() };
    sources[0].sync = SyncConfig { follow: Follow::Watch, timing, ..sources[0].sync.clone() };
    let mut world = World::with(snapshot, Settings { sources, ..settings() });
    let replica = Replica { identity: format!("10.0.3.{number}").into(), instance: Instance(number.into()) };
    let introduction = Introduction { replica, version: "1".into(), config: [].into() };
    world.engine.handle(world.now, Input::Introduced(introduction), &mut world.effects);
    world.take_role(Role::Standby { term: 3, ordinal: number.into() });
    world
}

/// A host at its first address, or at another one.
fn record(n: u8, at: u64, has_moved: bool) -> Record {
    let net = u8::from(has_moved);
    Record {
        key: format!("host-{n:03}").into(),
        value: format!(r#"{{"addresses": ["10.168.{net}.{n}"], "subnets": ["10.244.{n}.0/24"]}}"#).into(),
        modified: Rev(at),
        created: Rev(1),
    }
}

/// It reads all: by this revision the first `moved` hosts have moved, one after the other from revision 101 on.
fn reads(world: &mut World, at: u64, moved: u8) {
    let record = |n: u8| if n < moved { record(n, 101 + u64::from(n), true) } else { record(n, 50, false) };
    lists(world, at, (0..HOSTS).map(record).collect());
}

/// It reads these.
fn lists(world: &mut World, at: u64, records: Vec<Record>) {
    world.report(Report::Page { at: Rev(at), cluster: CLUSTER, records, more: false });
    world.report(Report::Watching { cluster: CLUSTER });
}

/// It sees these hosts move at once.
fn sees(world: &mut World, moved: std::ops::Range<u8>) {
    world.report(Report::Events(moved.map(|n| Event::Put(record(n, 101 + u64::from(n), true))).collect()));
}

fn report(world: &World) -> ReplicaReport {
    world.engine.report().unwrap()
}

/// What came of hearing what the other has said last: notes, without who comes and goes.
fn hears(world: &mut World, report: ReplicaReport) -> Vec<ReplicaNote> {
    world.effects.clear();
    let known = vec![KnownReplica { report, gone: None }];
    world.engine.handle(world.now, Input::Replicas { known, silent: Vec::new() }, &mut world.effects);
    let notes = world.effects.drain(..).filter_map(|effect| match effect {
        Effect::Replica(_, note @ (ReplicaNote::Vouches(_) | ReplicaNote::Diverges)) => Some(note),
        _ => None,
    });
    notes.collect()
}

/// One that has seen so many hosts move, four an hour, and one that was away since before and has read that now.
fn there_and_away(moved: u8) -> (World, World) {
    let (mut there, mut before) = (replica(1, None), replica(2, None));
    reads(&mut there, 90, 0);
    reads(&mut before, 100, 0);
    for n in 0..moved {
        sees(&mut there, n..n + 1);
        there.wait(HOUR / 4);
    }
    assert_eq!(there.held(), 0);
    let mut away = replica(2, before.snapshot());
    reads(&mut away, 100 + u64::from(moved), moved);
    (there, away)
}

#[test]
fn p10_what_came_bit_by_bit_while_a_replica_was_away_passes_there_too_and_counts() {
    // More than half of all: without the other a person would have to approve it.
    let (there, mut away) = there_and_away(24);
    assert_eq!((away.held(), away.next_hop(3).as_deref()), (24, Some("10.168.0.3")));
    assert_eq!(hears(&mut away, report(&there)), [ReplicaNote::Vouches(24)]);
    assert_eq!((away.held(), away.next_hop(3).as_deref()), (0, Some("10.168.1.3")));
    assert_eq!(report(&there).tables, report(&away).tables);
    let said = format!("{:?}", away.engine.newest_events(None, 100, &Wanted::default()).events);
    assert!(said.contains("another replica has seen it change bit by bit, and let it pass"), "{said}");
    // The limit of this hour is used up.
    sees(&mut away, 24..26);
    assert_eq!(away.held(), 2);
}

#[test]
fn p10_it_passes_also_when_one_of_the_two_is_a_few_changes_further_and_what_came_later_does_not() {
    let (mut there, mut away) = there_and_away(24);
    let said = report(&there);
    sees(&mut there, 24..25);
    assert_eq!(hears(&mut away, report(&there)), [], "this one has not come so far");
    sees(&mut away, 24..25);
    assert_eq!(away.held(), 25, "still most of all");
    assert_eq!(hears(&mut away, said), [ReplicaNote::Vouches(24)]);
    assert_eq!((away.held(), away.next_hop(24).as_deref()), (1, Some("10.168.0.24")));
    assert_eq!(hears(&mut away, report(&there)), [], "it came when both were there, and each judges that by itself");
}

#[test]
fn p3_a_wave_that_both_hold_is_let_pass_by_nobody_that_begins_with_it() {
    let (mut first, mut second) = (replica(1, None), replica(2, None));
    for world in [&mut first, &mut second] {
        reads(world, 90, 0);
        sees(world, 0..20);
        assert_eq!(world.held(), 20);
    }
    let [one, other] = [report(&first), report(&second)];
    assert_eq!((hears(&mut first, other), hears(&mut second, one)), (vec![], vec![]));
    // The disk of one is lost: it announces what it finds.
    let mut anew = replica(1, None);
    reads(&mut anew, 120, 20);
    assert_eq!((anew.held(), anew.next_hop(3).as_deref()), (0, Some("10.168.1.3")));
    assert_eq!(hears(&mut second, report(&anew)), []);
    // Nor after a restart of the one that holds it, whose snapshot is of a later revision.
    let mut second = replica(2, second.snapshot());
    reads(&mut second, 120, 20);
    assert_eq!(hears(&mut second, report(&anew)), []);
    assert_eq!((second.held(), second.next_hop(3).as_deref()), (20, Some("10.168.0.3")));
}

#[test]
fn p3_who_was_away_both_when_it_came_and_when_it_went_lets_nothing_of_that_pass() {
    // All is put back at once while only this one is there, which holds that.
    let (mut there, mut before) = (replica(1, None), replica(2, None));
    reads(&mut there, 90, 0);
    reads(&mut before, 100, 0);
    for n in 0..24 {
        sees(&mut there, n..n + 1);
        there.wait(HOUR / 4);
    }
    there.report(Report::Events((0..24).map(|n| Event::Put(record(n, 160, false))).collect()));
    assert_eq!(there.held(), 24);
    // The other finds everything as it was, and holds nothing.
    let mut away = replica(2, before.snapshot());
    let put_back = || (0..HOSTS).map(|n| record(n, if n < 24 { 160 } else { 50 }, false)).collect();
    lists(&mut away, 170, put_back());
    assert_eq!(away.held(), 0);
    assert_eq!(hears(&mut there, report(&away)), []);
    // Nor once this one was started again.
    let mut there = replica(1, there.snapshot());
    lists(&mut there, 171, put_back());
    assert_eq!(there.held(), 24);
    assert_eq!(hears(&mut there, report(&away)), []);
}

#[test]
fn p3_behind_a_gap_or_under_other_limits_nobody_vouches() {
    type Gap = fn(&mut World);
    let gaps: [(&str, Gap); 3] = [
        ("its store did not answer", World::fail),
        ("nothing was decided", |world| {
            world.command(&Command::Freeze);
            sees(world, 23..24);
            world.command(&Command::Unfreeze);
        }),
        ("other limits", |world| {
            let settings = Settings { sources: World::sources(), ..settings() };
            world.engine.reconfigure(world.now, settings, &mut world.effects);
        }),
    ];
    for (what, gap) in gaps {
        let (mut there, mut away) = there_and_away(24);
        gap(&mut there);
        assert_eq!(hears(&mut away, report(&there)), [], "{what}");
        assert_eq!(away.held(), 24);
    }
}

#[test]
fn p3_of_a_store_that_was_put_back_meanwhile_nobody_vouches() {
    let (there, _) = there_and_away(24);
    let mut before = replica(2, None);
    reads(&mut before, 100, 0);
    let mut away = replica(2, before.snapshot());
    // A record is older than it was known.
    let mut records: Vec<Record> = (0..HOSTS).map(|n| record(n, 101 + u64::from(n), n < 24)).collect();
    records[39] = record(39, 40, false);
    records.iter_mut().skip(24).take(15).for_each(|record| record.modified = Rev(50));
    lists(&mut away, 124, records);
    assert_eq!(away.held(), 24);
    assert_eq!(hears(&mut away, report(&there)), []);
}

#[test]
fn p3_what_a_person_has_denied_or_frozen_nobody_else_lets_pass() {
    let (there, mut away) = there_and_away(24);
    assert_eq!(away.command(&Command::Deny(Holds::Prefix("10.244.3.0/24".parse().unwrap()))), 1);
    assert_eq!(hears(&mut away, report(&there)), []);
    assert_eq!(away.held(), 24);
    let (there, mut away) = there_and_away(24);
    away.command(&Command::Freeze);
    assert_eq!(hears(&mut away, report(&there)), []);
    assert_eq!(away.held(), 24);
    away.command(&Command::Unfreeze);
    assert_eq!(hears(&mut away, report(&there)), [ReplicaNote::Vouches(24)]);
}
