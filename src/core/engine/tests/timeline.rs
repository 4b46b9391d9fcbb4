//! The timeline: each change with its reason, and to whom it was written (P8).

use super::super::{By, Command, Engine, EventKind, EventRow, Holds, Settings, TimelineLimits, Wanted, Written};
use super::guarded::{self, World, prefix};
use super::lab::Lab;
use super::settings::{addresses, prefix as lab_prefix};
use crate::model::{Family, HostName, Prefix, Time};
use crate::source::{ClusterId, Record, Report, Rev};
use crate::table::{Allowed, Fence, GuardConfig, Hop, TOLD, Target};
use crate::testing::store::Host;
use std::collections::BTreeMap;
use std::time::Duration;

/// Every event that is kept.
fn all(engine: &Engine) -> Vec<EventRow> {
    engine.events(0, usize::MAX, &Wanted::default()).events
}

/// The table to which the kept events lead from an empty one. Each must begin where the one before ended.
pub(super) fn replayed(engine: &Engine) -> BTreeMap<Prefix, Hop> {
    let mut table = BTreeMap::new();
    for event in all(engine) {
        assert!(!event.text.contains("changes of routes"), "some changes are not told apart: {event:?}");
        let Some(prefix) = event.prefix else { continue };
        match event.kind {
            EventKind::Announced | EventKind::Moved | EventKind::Changed | EventKind::Withdrawn => {
                let before = match event.to.clone() {
                    Some(hop) => table.insert(prefix, hop),
                    None => table.remove(&prefix),
                };
                assert_eq!(before, event.from, "{event:?}");
            }
            _ => {}
        }
    }
    table
}

/// What is announced.
pub(super) fn routes(engine: &Engine) -> BTreeMap<Prefix, Hop> {
    let mut routes = BTreeMap::new();
    for family in Family::ALL {
        for row in engine.route_rows(family, 0, usize::MAX, |_| true).0 {
            let hop = |(host, next_hop): (String, _)| Hop { host: HostName::new(&host).unwrap(), next_hop };
            routes.extend(row.announced.map(|announced| (row.prefix, hop(announced))));
        }
    }
    routes
}

/// The newest event of a prefix: kind, reason, and its record's key with the revision.
fn last(world: &World, n: u8) -> (EventKind, String, Option<String>, Option<u64>) {
    let wanted = Wanted {
        prefix: Some(prefix(n)),
        kinds: vec![
            EventKind::Announced,
            EventKind::Moved,
            EventKind::Withdrawn,
            EventKind::Held,
            EventKind::HoldEnded,
        ],
        ..Wanted::default()
    };
    let row = world.engine.newest_events(None, 1, &wanted).events.pop().unwrap();
    (row.kind, row.text, row.key, row.revision)
}

#[test]
fn each_change_says_which_record_and_why_p8() {
    let mut world = World::new(None);
    world.list(0..30);
    let key = |n: u8| Some(format!("host-{n:03}"));
    assert_eq!(last(&world, 7), (EventKind::Announced, "a record says so".into(), key(7), Some(101)));
    world.list((0..7).chain(8..30));
    assert_eq!(last(&world, 7), (EventKind::Withdrawn, "a complete list lacks its record".into(), key(7), Some(102)));
    world.command(&Command::Withdraw(Target::Prefix(prefix(8))));
    let forced = (EventKind::Withdrawn, "a person has withdrawn it by order".into(), key(8), Some(102));
    assert_eq!(last(&world, 8), forced);
    world.command(&Command::Restore(Target::Prefix(prefix(8))));
    assert_eq!(last(&world, 8).1, "a person took the withdrawal by order back");
    world.engine.reconfigure(Time::ZERO, Settings { fence: Fence::default(), ..guarded::settings() }, &mut Vec::new());
    let (kind, text, ..) = last(&world, 9);
    assert_eq!(kind, EventKind::Held, "the fence goes through the guard: {text}");
}

#[test]
fn a_hold_is_told_with_its_reason_when_it_begins_and_when_a_person_ends_it_p8() {
    let mut world = World::new(None);
    world.list(0..19);
    world.list([]);
    let (kind, text, key, revision) = last(&world, 3);
    assert_eq!((kind, key.as_deref(), revision), (EventKind::Held, Some("host-003"), Some(102)));
    assert!(text.starts_with("a withdrawal: 19 of the source's 19 routes are withdrawn"), "{text}");
    let by = By { uid: Some(1000), pid: Some(7), replica: None };
    let count =
        world.engine.command_by(Time::ZERO, &Command::Approve(Holds::Prefix(prefix(3))), by.clone(), &mut Vec::new());
    assert_eq!(count, 1);
    let told: Vec<_> = all(&world.engine).into_iter().rev().take(3).map(|row| (row.kind, row.text, row.by)).collect();
    assert_eq!(
        told,
        [
            (EventKind::Withdrawn, "a person approved it".into(), Some(by.clone())),
            (EventKind::HoldEnded, "the withdrawal passes: a person approved it".into(), None),
            (EventKind::Order, "approve prefix 10.244.3.0/24".into(), Some(by)),
        ]
    );
    // The others come back before anybody has decided.
    world.list(0..19);
    let (kind, text, ..) = last(&world, 4);
    assert_eq!((kind, &*text), (EventKind::HoldEnded, "no withdrawal is wanted any more: a record says so"));
    assert_eq!(last(&world, 3).0, EventKind::Announced);
    assert_eq!(replayed(&world.engine), routes(&world.engine));
}

#[test]
fn what_is_proven_by_time_and_what_an_earlier_process_knew_say_so_p8() {
    let mut world = World::new(None);
    world.list(0..30);
    world.list(0..20);
    assert_eq!(last(&world, 25).0, EventKind::Held);
    for _ in 0..50 {
        world.wait(Duration::from_secs(3600));
        world.list(0..20);
    }
    assert_eq!(last(&world, 25).1, "complete lists have said the same for long enough");
    let mut after = World::new(world.snapshot());
    after.fail();
    after.wait(Duration::from_secs(60));
    let (kind, text, key, _) = last(&after, 5);
    assert_eq!((kind, key.as_deref()), (EventKind::Announced, Some("host-005")));
    assert_eq!(text, "an earlier process knew it, and the source has not answered yet");
}

#[test]
fn what_happens_while_frozen_is_told_when_it_happens_and_the_order_before_p8() {
    let mut world = World::new(None);
    world.list(0..30);
    world.command(&Command::Freeze);
    world.list((0..7).chain(8..30));
    let before = world.engine.newest_event();
    world.command(&Command::Unfreeze);
    let told: Vec<_> = world
        .engine
        .events(before, 10, &Wanted::default())
        .events
        .into_iter()
        .map(|row| (row.kind, row.text))
        .collect();
    assert_eq!(
        told,
        [(EventKind::Order, "unfreeze".into()), (EventKind::Withdrawn, "a complete list lacks its record".into()),]
    );
}

/// A source whose one record states so many subnets.
fn listed(subnets: usize) -> Engine {
    let fence = Fence {
        prefixes: vec![Allowed { within: "10.0.0.0/8".parse().unwrap(), lengths: 28..=28 }],
        next_hops: vec!["192.168.0.0/16".parse().unwrap()],
        ..Fence::default()
    };
    let (sources, guard) = (World::sources(), GuardConfig::off());
    let mut world = World::with(None, Settings { sources, fence, guard, ..guarded::settings() });
    let subnets: Vec<String> =
        (0..subnets).map(|n| format!("\"10.{}.{}.{}/28\"", n >> 12, n >> 4 & 255, (n & 15) << 4)).collect();
    let value = format!(r#"{{"addresses": ["192.168.0.1"], "subnets": [{}]}}"#, subnets.join(","));
    let record = Record { key: "host".into(), value: value.into(), modified: Rev(1), created: Rev(1) };
    world.report(Report::Page { at: Rev(1), cluster: ClusterId(1), records: vec![record], more: false });
    world.engine
}

#[test]
fn of_a_list_of_many_routes_the_first_are_told_apart_and_the_others_counted_p8() {
    let engine = listed(3000);
    assert_eq!(engine.count_routes().ipv4, 3000);
    let events = all(&engine);
    let announced = events.iter().filter(|row| row.kind == EventKind::Announced);
    assert!(announced.clone().all(|row| row.key.as_deref() == Some("host")));
    assert_eq!(announced.count(), TOLD);
    let more = events.last().unwrap();
    assert_eq!((more.kind, more.count), (EventKind::More, Some(2000)));
    assert_eq!(more.text, "2000 more changes of routes of the same moment are not told one by one");
    // Who asks for one prefix or host must not take what is told for all there was.
    let of = |prefix: &str| Wanted { prefix: Some(prefix.parse().unwrap()), ..Wanted::default() };
    let kinds = |wanted| engine.events(0, 10, &wanted).events.iter().map(|row| row.kind).collect::<Vec<_>>();
    assert_eq!(kinds(of("10.0.0.0/28")), [EventKind::Announced, EventKind::More]);
    assert_eq!(kinds(of("10.0.187.0/28")), [EventKind::More]);
}

#[test]
fn a_timeline_that_is_off_keeps_nothing_and_costs_nothing_p8() {
    let mut world = World::new(None);
    world.engine.limit_timeline(TimelineLimits::of_events(0));
    world.list(0..19);
    assert_eq!((world.engine.timeline_size(), all(&world.engine)), ((0, 0), vec![]));
}

/// Where a gateway stands to the newest change of a prefix.
fn written(lab: &Lab, n: u8, gateway: usize) -> Written {
    let wanted = Wanted {
        prefix: Some(lab_prefix(n)),
        kinds: vec![EventKind::Announced, EventKind::Withdrawn],
        ..Wanted::default()
    };
    let mut page = lab.engine.newest_events(None, 1, &wanted);
    lab.engine.tell_written(&mut page, 100);
    let rows = &page.events[0].written;
    rows.iter().find(|row| row.gateway == format!("gateway-{gateway}")).unwrap().written
}

#[test]
fn an_event_is_written_once_the_gateways_session_has_taken_it_p8() {
    let mut lab = Lab::new();
    for source in 0..2 {
        lab.put(source, 1, Host { addresses: addresses(1), subnets: vec![lab_prefix(source as u8 * 2)] });
    }
    lab.settle();
    assert_eq!(
        [0, 1, 2].map(|gateway| written(&lab, 0, gateway)),
        [Written::Written, Written::Written, Written::Written]
    );
    lab.delete(0, 1);
    while lab.serve(0, 100) {}
    assert_eq!(written(&lab, 0, 0), Written::Pending);
    while lab.work() {}
    assert_eq!(written(&lab, 0, 0), Written::Written);
    lab.down(0);
    assert_eq!(written(&lab, 0, 0), Written::Down);
    lab.up(0);
    assert_eq!(written(&lab, 0, 0), Written::Pending, "its dump is still to come");
    while lab.work() {}
    assert_eq!(written(&lab, 0, 0), Written::ByDump);
    // Host 0's address is gateway 0's own.
    lab.put(0, 0, Host { addresses: addresses(0), subnets: vec![lab_prefix(4)] });
    lab.settle();
    assert_eq!([0, 1].map(|gateway| written(&lab, 4, gateway)), [Written::Excluded, Written::Written]);
}

#[test]
fn sessions_and_sources_stand_in_the_timeline_p8() {
    let mut lab = Lab::new();
    for source in 0..2 {
        lab.put(source, 1, Host { addresses: addresses(1), subnets: vec![lab_prefix(source as u8 * 2)] });
    }
    lab.settle();
    lab.down(1);
    let of = |kind| {
        let wanted = Wanted { kinds: vec![kind], ..Wanted::default() };
        let rows = lab.engine.events(0, 100, &wanted).events;
        rows.into_iter().map(|row| (row.gateway.or(row.source).unwrap(), row.text)).collect::<Vec<_>>()
    };
    let sessions = of(EventKind::Session);
    let of_one: Vec<&str> = sessions.iter().filter(|(name, _)| name == "gateway-1").map(|(_, text)| &**text).collect();
    let told = |family: &str| format!("told everything: End-of-RIB of {family} was sent");
    assert_eq!(of_one, ["established", &told("ipv4"), &told("ipv6"), "over"]);
    let sources = of(EventKind::Source);
    assert!(sources.contains(&("source-0".into(), "current at revision 1: 1 records".into())), "{sources:?}");
}

#[test]
fn what_an_earlier_process_was_ordered_stands_at_the_beginning_p8() {
    let mut before = World::new(None);
    before.list(0..30);
    before.command(&Command::Withdraw(Target::Prefix(prefix(3))));
    before.command(&Command::Freeze);
    let orders = before.engine.orders(Time::ZERO);
    let mut after = World::new(None);
    after.engine.resume(Time::ZERO, orders);
    let wanted = Wanted { kinds: vec![EventKind::Order], ..Wanted::default() };
    let told: Vec<_> =
        after.engine.events(0, 10, &wanted).events.into_iter().map(|row| (row.text, row.by, row.count)).collect();
    let said = |order: &str| (format!("{order} (ordered before this process began)"), None, None);
    assert_eq!(told, [said("freeze"), said("withdraw prefix 10.244.3.0/24")]);
}

#[test]
fn the_newest_are_told_back_to_the_oldest_in_pieces_that_neither_overlap_nor_leave_one_out() {
    let mut world = World::new(None);
    world.list(0..30);
    let all = all(&world.engine);
    let (mut before, mut pieces) = (None, Vec::new());
    loop {
        let page = world.engine.newest_events(before, 7, &Wanted::default());
        assert_eq!(page.last, all.last().unwrap().number);
        assert!(page.events.len() == 7 || !page.more);
        before = Some(page.first);
        pieces.push(page.events);
        if !page.more {
            break;
        }
    }
    assert!(pieces.len() > 4);
    assert_eq!(pieces.into_iter().rev().flatten().collect::<Vec<_>>(), all);
}
