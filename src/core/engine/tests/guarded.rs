//! The guard and the snapshot, from a source's list to the routes: P3 over restarts, with the store up or down.

use super::super::{
    Command, Effect, Engine, Holds, Input, Others, Place, Remembers, Role, Settings, SourceSettings, Waits,
};
use crate::model::{Family, HostName, Prefix, SourceId, Time};
use crate::source::schema::Schema;
use crate::source::sync::{Follow, KnownRecord, Snapshot, SyncConfig, Timing};
use crate::source::{Attempt, ClusterId, Fault, FaultKind, Record, Report, Rev};
use crate::table::{Allowed, ChangeKind, Fence, GuardConfig, Spent, Standing, Target};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const SOURCE: SourceId = SourceId(0);
pub(super) const CLUSTER: ClusterId = ClusterId(5);
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// An engine with one source that answers with complete lists.
pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) now: Time,
    attempt: Attempt,
    pub(super) revision: u64,
    pub(super) cluster: ClusterId,
    pub(super) effects: Vec<Effect>,
    /// What was said of settings, and not asked for yet.
    said: Vec<Option<Waits>>,
}

pub(super) fn prefix(n: u8) -> Prefix {
    format!("10.244.{n}.0/24").parse().unwrap()
}

/// Guarded, without sources and gateways.
pub(super) fn settings() -> Settings {
    Settings {
        sources: Vec::new(),
        fence: Fence {
            prefixes: vec![Allowed { within: "10.244.0.0/16".parse().unwrap(), lengths: 24..=24 }],
            next_hops: vec!["10.168.0.0/16".parse().unwrap()],
            ..Fence::default()
        },
        guard: GuardConfig::default(),
        policies: BTreeMap::new(),
        gateways: Vec::new(),
        others: Others::default(),
    }
}

impl World {
    pub(super) fn new(snapshot: Option<Snapshot>) -> Self {
        World::start(snapshot, Spent::default())
    }

    fn start(snapshot: Option<Snapshot>, spent: Spent) -> Self {
        let mut sources = World::sources();
        sources[0].spent = spent;
        World::with(snapshot, Settings { sources, ..settings() })
    }

    /// The one that answers.
    pub(super) fn sources() -> Vec<SourceSettings> {
        let sync = SyncConfig {
            source: SOURCE,
            schema: Schema::Hosts,
            follow: Follow::Relists,
            ipv4_via_ipv6: false,
            allow_empty: true,
            seed: 1,
            timing: Timing::default(),
        };
        vec![SourceSettings {
            id: SOURCE,
            name: "prod".into(),
            lacking: String::new(),
            priority: 0,
            sync,
            snapshot: None,
            spent: Spent::default(),
            snapshot_after: PATIENCE,
        }]
    }

    /// With these settings.
    pub(super) fn with(snapshot: Option<Snapshot>, mut settings: Settings) -> Self {
        settings.sources[0].snapshot = snapshot;
        let mut effects = Vec::new();
        let engine = Engine::new(Time::ZERO, settings, &mut effects);
        let mut world = World {
            engine,
            now: Time::ZERO,
            attempt: Attempt(0),
            revision: 100,
            cluster: CLUSTER,
            effects,
            said: Vec::new(),
        };
        world.hear();
        world
    }

    /// Takes the newest order.
    fn hear(&mut self) {
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Order(_, order) => self.attempt = order.attempt,
                Effect::Taken(taken) => self.said.push(taken.waits),
                _ => {}
            }
        }
    }

    /// What was said since this was asked last about how far settings are in force.
    pub(super) fn said(&mut self) -> Vec<Option<Waits>> {
        self.hear();
        std::mem::take(&mut self.said)
    }

    pub(super) fn report(&mut self, report: Report) {
        self.engine.handle(self.now, Input::Report(SOURCE, self.attempt, report), &mut self.effects);
        self.hear();
        self.wait(Duration::ZERO);
    }

    /// The source has these hosts, each with the subnet of its number.
    pub(super) fn list(&mut self, hosts: impl IntoIterator<Item = u8>) {
        self.list_at(hosts, 0);
    }

    /// The same, with other addresses.
    pub(super) fn list_at(&mut self, hosts: impl IntoIterator<Item = u8>, net: u8) {
        self.revision += 1;
        let at = Rev(self.revision);
        let record = |n: u8| Record {
            key: format!("host-{n:03}").into(),
            value: format!(r#"{{"addresses": ["10.168.{net}.{n}"], "subnets": ["10.244.{n}.0/24"]}}"#).into(),
            modified: at,
            created: Rev(1),
        };
        let records = hosts.into_iter().map(record).collect();
        self.report(Report::Page { at, cluster: self.cluster, records, more: false });
    }

    pub(super) fn fail(&mut self) {
        self.report(Report::Failed(Fault { kind: FaultKind::Unreachable, message: "nobody answers".into() }));
    }

    pub(super) fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
        while self.engine.next_deadline().is_some_and(|due| due <= self.now) {
            self.engine.on_deadline(self.now, &mut self.effects);
            self.hear();
        }
    }

    pub(super) fn command(&mut self, command: &Command) -> usize {
        self.engine.command(self.now, command, &mut self.effects)
    }

    pub(super) fn take_role(&mut self, role: Role) {
        self.engine.take_role(self.now, role, &mut self.effects);
    }

    pub(super) fn routes(&self) -> usize {
        self.engine.count_routes()[Family::Ipv4]
    }

    pub(super) fn held(&self) -> usize {
        self.engine.hold_rows(None, 1000).len()
    }

    /// The next hop of a host's subnet.
    pub(super) fn next_hop(&self, n: u8) -> Option<String> {
        let slot = self.engine.table.slots(Family::Ipv4).find(prefix(n))?;
        let winner = self.engine.table.winner(Family::Ipv4, slot)?;
        Some(self.engine.table.owner(winner.owner).next_hop.to_string())
    }

    /// What a process that ends now leaves behind, if it may.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        let remembers = self.engine.remembers(SOURCE)?;
        let records = self.pages(usize::MAX).concat();
        let Remembers { cluster, at, suspect, passed, .. } = remembers;
        Some(Snapshot { cluster, at, records, suspect, passed })
    }

    /// The records of a snapshot, as so many looks each took them.
    fn pages(&self, limit: usize) -> Vec<Vec<KnownRecord>> {
        let (mut pages, mut place) = (Vec::new(), Some(Place::START));
        while let Some(from) = place {
            let (page, next) = self.engine.known_records(SOURCE, from, limit);
            pages.push(page);
            place = next;
        }
        pages
    }

    /// The process after this one, which ended so long before it.
    fn restart(&self, downtime: Duration) -> World {
        let Remembers { spent, spent_at, .. } = self.engine.remembers(SOURCE).expect("it was read completely");
        let ago = self.now.since(spent_at) + downtime;
        World::start(self.snapshot(), spent.after(ago, GuardConfig::default().refill))
    }
}

#[test]
fn l15_an_emptied_source_keeps_its_nineteen_hosts_until_a_person_approves_p3() {
    let mut world = World::new(None);
    world.list(0..19);
    world.list([]);
    assert_eq!((world.routes(), world.held()), (19, 19));
    for _ in 0..50 {
        world.wait(Duration::from_secs(3600));
        world.list([]);
    }
    assert_eq!(world.routes(), 19);
    let row = world.engine.hold_rows(None, 1).remove(0);
    assert!(row.needs_person && row.kind == ChangeKind::Withdrawal && row.to.is_none(), "{row:?}");
    assert_eq!(world.command(&Command::Approve(Holds::All)), 19);
    assert_eq!((world.routes(), world.held()), (0, 0));
}

#[test]
fn c51_a_restart_is_no_way_around_the_guard_p3() {
    let mut before = World::new(None);
    before.list(0..19);
    before.list([3]);
    assert_eq!(before.held(), 18);
    let mut after = World::new(before.snapshot());
    after.list([3]);
    assert_eq!((after.routes(), after.held()), (19, 18), "what is held is not forgotten by a newer snapshot");
    let mut down = World::new(before.snapshot());
    down.wait(PATIENCE);
    assert_eq!((down.routes(), down.next_hop(4).as_deref()), (19, Some("10.168.0.4")));
}

#[test]
fn c51_restarts_do_not_refill_the_limits_of_a_source_that_is_emptied_slowly_p3() {
    let mut world = World::new(None);
    let mut hosts: Vec<u8> = (0..100).collect();
    world.list(hosts.clone());
    for _ in 0..20 {
        world = world.restart(Duration::from_secs(1));
        hosts.truncate(hosts.len() * 9 / 10);
        world.list(hosts.clone());
        world.wait(Duration::from_secs(5));
    }
    assert_eq!((hosts.len(), world.routes(), world.held()), (8, 81, 73));
    let mut world = world.restart(Duration::from_secs(3600));
    world.list(0..65);
    assert_eq!((world.routes(), world.held()), (65, 0), "an hour later a fifth may go again");
}

#[test]
fn c51_what_a_reload_spends_is_to_be_written_p3() {
    let mut world = World::new(None);
    world.list(0..100);
    let before = world.engine.remembers(SOURCE).unwrap();
    let allowed = |within: &str| Allowed { within: within.parse().unwrap(), lengths: 24..=24 };
    let prefixes = vec![allowed("10.244.0.0/18"), allowed("10.244.64.0/20")];
    let narrower = Settings { fence: Fence { prefixes, ..settings().fence }, ..settings() };
    world.engine.reconfigure(world.now, narrower, &mut world.effects);
    assert_eq!((world.routes(), world.held()), (80, 0));
    let after = world.engine.remembers(SOURCE).unwrap();
    assert_ne!(after.changes, before.changes);
    let shares = [before, after].map(|remembers| remembers.spent.share(ChangeKind::Withdrawal));
    assert_eq!(shares, [0.0, 1.0]);
}

#[test]
fn c50_a_snapshot_follows_what_is_announced_while_something_else_is_held_p3() {
    let mut before = World::new(None);
    before.list(0..19);
    before.list(0..60);
    assert_eq!(before.command(&Command::Deny(Holds::All)), 41);
    before.list_at(0..60, 7);
    let changes = before.engine.remembers(SOURCE).unwrap().changes;
    assert_eq!(before.command(&Command::Approve(Holds::Source(SOURCE, Some(ChangeKind::Move)))), 19);
    assert_ne!(before.engine.remembers(SOURCE).unwrap().changes, changes, "what a person approved is to be written");
    let mut after = World::new(before.snapshot());
    after.wait(PATIENCE);
    assert_eq!((after.routes(), after.next_hop(4).as_deref()), (19, Some("10.168.7.4")), "with the store down");
    let mut after = World::new(before.snapshot());
    after.list_at(0..60, 7);
    assert_eq!((after.next_hop(4).as_deref(), after.held()), (Some("10.168.7.4"), 0), "and up");
}

/// Every look holds up the routes: one that is to write down a large wave must not take it all at once.
#[test]
fn c50_no_look_at_what_is_held_takes_more_than_its_page_p3() {
    let mut held = World::new(None);
    held.list(0..200);
    held.list_at(0..100, 7);
    assert_eq!(held.held(), 200, "moves and withdrawals");
    let mut frozen = World::new(None);
    frozen.list(0..200);
    frozen.command(&Command::Freeze);
    frozen.list_at(0..100, 7);
    for world in [held, frozen] {
        let names = |pages: Vec<Vec<KnownRecord>>| {
            let mut names: Vec<_> = pages.concat().into_iter().map(|record| record.name).collect();
            names.sort();
            names
        };
        let pages = world.pages(30);
        assert!(pages.iter().all(|page| page.len() <= 30) && pages.len() >= 10, "{}", pages.len());
        let all = names(pages);
        assert_eq!(all.len(), 100 + 200, "the records, and one for each route that stays");
        assert_eq!(all, names(world.pages(usize::MAX)));
        let mut after = World::new(world.snapshot());
        after.wait(PATIENCE);
        assert_eq!((after.routes(), after.next_hop(4).as_deref()), (200, Some("10.168.0.4")));
    }
}

#[test]
fn c51_moves_that_are_held_are_held_again_after_a_restart_p3() {
    let mut before = World::new(None);
    before.list(0..19);
    before.list_at(0..19, 1);
    assert_eq!(before.held(), 19);
    let row = before.engine.route(prefix(4)).unwrap();
    let [claim] = &row.claims[..] else { panic!("{row:?}") };
    assert!(matches!(claim.standing, Standing::Held(_)), "P8: it is announced with another next hop: {row:?}");
    let mut after = World::new(before.snapshot());
    after.list_at(0..19, 1);
    assert_eq!((after.held(), after.next_hop(4).as_deref()), (19, Some("10.168.0.4")));
    after.list(0..19);
    assert_eq!((after.held(), after.next_hop(4).as_deref()), (0, Some("10.168.0.4")));
}

#[test]
fn c50_a_restart_with_the_store_down_announces_what_was_known_and_is_never_verified_p4() {
    let mut before = World::new(None);
    before.list(0..19);
    let mut after = World::new(before.snapshot());
    after.fail();
    after.wait(PATIENCE - Duration::from_secs(1));
    assert_eq!(after.routes(), 0);
    after.wait(Duration::from_secs(2));
    assert_eq!(after.routes(), 19);
    assert!(!after.engine.is_verified(Family::Ipv4));
    after.list(0..18);
    assert_eq!((after.routes(), after.held()), (18, 0), "one of nineteen may go");
    assert!(after.engine.is_verified(Family::Ipv4));
}

#[test]
fn what_came_after_the_last_snapshot_is_announced_at_once_p2() {
    let mut before = World::new(None);
    before.list(0..19);
    let mut after = World::new(before.snapshot());
    after.list(0..60);
    assert_eq!((after.routes(), after.held()), (60, 0), "it may have been announced already");
    after.list(0..100);
    assert_eq!((after.routes(), after.held()), (60, 40));
}

/// An earlier process may have announced them, and End-of-RIB goes out as soon as the record can be read.
#[test]
fn what_a_record_owned_that_never_could_be_read_is_not_held_p2_p4() {
    let mut world = World::new(None);
    let record = |name: &str, subnets: std::ops::Range<u8>| {
        let subnets: Vec<String> = subnets.map(|n| format!("10.244.{n}.0/24")).collect();
        let value = serde_json::json!({ "addresses": ["10.168.0.1"], "subnets": subnets }).to_string();
        Record { key: name.to_owned().into(), value: value.into(), modified: Rev(1), created: Rev(1) }
    };
    let garbage = Record { value: "garbage".into(), ..record("b", 0..0) };
    let list = |world: &mut World, records| {
        world.revision += 1;
        world.report(Report::Page { at: Rev(world.revision), cluster: CLUSTER, records, more: false });
    };
    list(&mut world, vec![record("a", 0..10), garbage]);
    assert!(world.routes() == 10 && !world.engine.is_verified(Family::Ipv4));
    list(&mut world, vec![record("a", 0..10), record("b", 10..30)]);
    assert_eq!((world.routes(), world.held()), (30, 0));
    assert!(world.engine.is_verified(Family::Ipv4));
    list(&mut world, vec![record("a", 0..10), record("b", 10..50)]);
    assert_eq!((world.routes(), world.held()), (30, 20), "from then on it is a wave like any other");
}

/// A wave that fits the limits, but of a store that was replaced: neither the restart nor the limits let it pass.
#[test]
fn c36_what_another_store_takes_away_is_held_over_restarts_and_while_nobody_looked_p3() {
    let another = |world: &mut World, hosts: std::ops::Range<u8>| {
        world.revision += 1;
        let at = Rev(world.revision);
        let record = |n: u8| Record {
            key: format!("host-{n:03}").into(),
            value: format!(r#"{{"addresses": ["10.168.0.{n}"], "subnets": ["10.244.{n}.0/24"]}}"#).into(),
            modified: at,
            created: Rev(1),
        };
        let records = hosts.map(record).collect();
        world.report(Report::Page { at, cluster: ClusterId(66), records, more: false });
    };
    let mut before = World::new(None);
    before.list(0..40);
    // It was replaced while no process ran.
    let mut first = World::new(before.snapshot());
    another(&mut first, 0..38);
    assert_eq!((first.routes(), first.held()), (40, 2));
    // The next one finds the very store that the one before had followed.
    let mut second = World::new(first.snapshot());
    another(&mut second, 0..38);
    assert_eq!((second.routes(), second.held()), (40, 2));
    second.command(&Command::Approve(Holds::All));
    let mut third = World::new(second.snapshot());
    another(&mut third, 0..36);
    assert_eq!((third.routes(), third.held()), (36, 0), "once it was approved it is the store that is known");
}

#[test]
fn c52_a_person_can_approve_and_withdraw_while_the_store_is_down() {
    let mut world = World::new(None);
    world.list(0..19);
    world.list([3]);
    world.fail();
    let host = |n: u8| HostName::new(&format!("host-{n:03}")).unwrap();
    assert_eq!(world.command(&Command::Approve(Holds::Host(host(4)))), 1);
    assert_eq!(world.command(&Command::Approve(Holds::Prefix(prefix(5)))), 1);
    assert_eq!(world.command(&Command::Approve(Holds::Source(SOURCE, Some(ChangeKind::Move)))), 0);
    assert_eq!(world.routes(), 17);
    assert_eq!(world.command(&Command::Withdraw(Target::Host(host(3)))), 1);
    assert_eq!(world.routes(), 16);
    world.list([3]);
    assert_eq!(world.engine.route(prefix(3)).unwrap().claims[0].standing, Standing::Forced);
    assert_eq!(world.command(&Command::Restore(Target::Host(host(3)))), 1);
    assert_eq!(world.routes(), 17);
}

#[test]
fn a_freeze_holds_everything_and_what_came_meanwhile_is_judged_when_it_ends_p3() {
    let mut world = World::new(None);
    world.list(0..19);
    assert_eq!(world.command(&Command::Freeze), 1);
    assert_eq!(world.command(&Command::Freeze), 0);
    world.list_at(0..19, 1);
    world.list([3]);
    assert_eq!((world.routes(), world.held()), (19, 0));
    assert!(world.engine.frozen().is_some());
    assert_eq!(world.command(&Command::Unfreeze), 1);
    assert_eq!((world.routes(), world.held()), (19, 18), "one is as it was again");
}
