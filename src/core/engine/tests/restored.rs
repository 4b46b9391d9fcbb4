//! Several sources after a restart: what an earlier process knew of one comes back before another is let out.

use super::super::{Command, Effect, Engine, EventKind, EventRow, Holds, Input, Settings, Wanted};
use super::settings::{fence, settings};
use crate::model::{Family, HostName, Labels, Prefix, SourceId, Time};
use crate::source::schema::Addresses;
use crate::source::sync::{KnownRecord, Snapshot};
use crate::source::{Attempt, ClusterId, Record, Report, Rev};
use crate::table::{ChangeKind, GuardConfig, HoldReason};
use std::time::Duration;

const CLUSTER: ClusterId = ClusterId(7);

fn prefix() -> Prefix {
    "10.244.0.0/24".parse().unwrap()
}

/// What was known: one record.
fn known(host: &str, subnets: &[Prefix]) -> Snapshot {
    let addresses = Addresses { ipv4: Some("10.168.0.1".parse().unwrap()), ipv6: None };
    let record = KnownRecord {
        name: host.to_owned().into(),
        modified: Rev(5),
        created: Rev(5),
        host: HostName::new(host).unwrap(),
        labels: Labels::default(),
        addresses,
        subnets: subnets.to_vec(),
        dangling: Vec::new(),
        held: Vec::new(),
    };
    Snapshot { cluster: CLUSTER, at: Rev(9), records: vec![record], suspect: false, passed: Rev::default() }
}

struct World {
    engine: Engine,
    effects: Vec<Effect>,
    attempts: [Attempt; 2],
}

impl World {
    /// Restarted with what these sources said, the second of them with the higher priority.
    fn new(snapshots: [Option<Snapshot>; 2]) -> Self {
        Self::guarded(snapshots, GuardConfig::default())
    }

    fn guarded(snapshots: [Option<Snapshot>; 2], guard: GuardConfig) -> Self {
        let mut settings = Settings { guard, fence: fence(), ..settings(0) };
        for (source, snapshot) in settings.sources.iter_mut().zip(snapshots) {
            source.snapshot = snapshot;
        }
        let mut effects = Vec::new();
        let engine = Engine::new(Time::ZERO, settings, &mut effects);
        let mut attempts = [Attempt(0); 2];
        for effect in effects.drain(..) {
            if let Effect::Order(source, order) = effect {
                attempts[usize::from(source.0)] = order.attempt;
            }
        }
        World { engine, effects, attempts }
    }

    fn list(&mut self, source: u16, records: Vec<Record>) {
        let page = Report::Page { at: Rev(20), cluster: CLUSTER, records, more: false };
        let attempt = self.attempts[usize::from(source)];
        let now = Time::since_start(Duration::from_secs(1));
        self.engine.handle(now, Input::Report(SourceId(source), attempt, page), &mut self.effects);
    }

    /// Whose the prefix is.
    fn owner(&self) -> Option<String> {
        let row = self.engine.route(prefix())?;
        row.announced.map(|(host, _)| host)
    }
}

fn record(host: &str, subnets: &[&str]) -> Record {
    let value = serde_json::json!({ "addresses": ["10.168.0.1"], "subnets": subnets }).to_string().into();
    Record { key: format!("/fp/hosts/{host}").into(), value, modified: Rev(10), created: Rev(5) }
}

#[test]
fn what_one_source_gives_up_and_another_was_known_to_state_is_not_withdrawn_p2() {
    let mut world = World::new([Some(known("low", &[prefix()])), Some(known("high", &[prefix()]))]);
    world.list(0, vec![record("low", &["10.244.2.0/24"])]);
    assert_eq!(world.owner().as_deref(), Some("high"), "its store has not answered yet");
    assert!(!world.engine.is_verified(Family::Ipv4));
    world.list(1, vec![record("high", &["10.244.0.0/24"])]);
    assert_eq!(world.owner().as_deref(), Some("high"));
    assert!(world.engine.is_verified(Family::Ipv4) && world.engine.hold_rows(None, 9).is_empty());
}

/// Another source's list has it announced, and still it is of this one, whose store has not answered.
#[test]
fn what_another_source_s_list_brings_back_stands_in_the_timeline_with_its_reason_p8() {
    let mut world = World::new([None, Some(known("high", &[prefix()]))]);
    world.list(0, vec![record("low", &["10.244.2.0/24"])]);
    let events = world.engine.events(0, 100, &Wanted::default()).events;
    let of = |prefix: Option<Prefix>| {
        let wanted = |event: &&EventRow| event.prefix == prefix && event.source.as_deref() == Some("source-1");
        events.iter().filter(wanted).map(|event| (event.kind, event.text.as_str())).collect::<Vec<_>>()
    };
    let why = "an earlier process knew it, and the source has not answered yet";
    assert_eq!(of(Some(prefix())), [(EventKind::Announced, why)]);
    let said = of(None);
    assert!(
        matches!(said[..], [(EventKind::Source, said)] if said.starts_with("it has not answered yet: the 1 records")),
        "{said:?}"
    );
    let at = |kind| events.iter().position(|event| event.kind == kind && event.source.as_deref() == Some("source-1"));
    assert!(at(EventKind::Source) < at(EventKind::Announced), "the reason comes first: {events:?}");
}

/// A move away from a source was held: whom it would go to is known to the next process, too.
#[test]
fn a_held_move_s_claim_comes_back_behind_what_is_announced_p2_p3() {
    let to = KnownRecord { held: vec![prefix()], ..known("low", &[]).records.remove(0) };
    let from = KnownRecord {
        dangling: vec![(prefix(), "10.168.0.1".parse().unwrap())],
        addresses: Addresses::default(),
        ..known("high", &[]).records.remove(0)
    };
    let snapshot = |record| Some(Snapshot { records: vec![record], ..known("any", &[]) });
    // No limit keeps the route.
    let mut world = World::guarded([snapshot(to), snapshot(from)], GuardConfig::off());
    world.list(1, vec![record("other", &["10.244.4.0/24"])]);
    assert_eq!(
        world.owner().as_deref(),
        Some("low"),
        "the other source has not said that it does not state it any more"
    );
    world.list(0, vec![record("low", &["10.244.0.0/24"])]);
    assert_eq!(world.owner().as_deref(), Some("low"));
}

/// Two sources may state one prefix, and the one that comes first is another store than before.
#[test]
fn c36_what_a_replaced_store_takes_over_from_another_source_is_held_p3() {
    let elsewhere = "10.244.4.0/24".parse().unwrap();
    let of_another = Snapshot { cluster: ClusterId(9), ..known("high", &[elsewhere]) };
    let mut world = World::new([Some(known("low", &[prefix()])), Some(of_another)]);
    world.list(1, vec![record("high", &["10.244.0.0/24", "10.244.4.0/24"])]);
    assert_eq!(world.owner().as_deref(), Some("low"));
    let [held] = &world.engine.hold_rows(None, 9)[..] else { panic!("one change is held") };
    assert_eq!((held.kind, held.reason, &*held.source), (ChangeKind::Move, HoldReason::Replaced, "source-1"));
    assert!(world.engine.remembers(SourceId(1)).is_some_and(|remembers| remembers.suspect), "for the next process too");
    let now = Time::since_start(Duration::from_secs(2));
    assert_eq!(world.engine.command(now, &Command::Approve(Holds::All), &mut world.effects), 1);
    assert_eq!(world.owner().as_deref(), Some("high"));
}

#[test]
fn a_source_without_a_memory_does_not_take_what_another_was_known_to_state() {
    let mut world = World::new([None, Some(known("high", &[prefix()]))]);
    world.list(0, vec![record("low", &["10.244.0.0/24"])]);
    assert_eq!(world.owner().as_deref(), Some("high"));
    world.list(1, vec![record("high", &["10.244.4.0/24"])]);
    assert_eq!(world.owner().as_deref(), Some("high"), "all that it had goes elsewhere: a person is asked");
}
