//! Holds at scale: a hundred thousand of them, listed page by page, hold the engine up no longer than a page takes.

use fingerpost_core::engine::{Effect, Engine, Input, Others, Settings, SourceSettings};
use fingerpost_core::model::{Prefix, SourceId, Time};
use fingerpost_core::source::schema::Schema;
use fingerpost_core::source::sync::{Follow, SyncConfig, Timing};
use fingerpost_core::source::{Attempt, ClusterId, Record, Report, Rev};
use fingerpost_core::table::{Allowed, Fence, GuardConfig, Spent};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

const SOURCE: SourceId = SourceId(0);
/// A host's subnets.
const EACH: u32 = 100;
const PAGE: usize = 100;

/// An engine with one source.
struct World {
    engine: Engine,
    now: Time,
    attempt: Attempt,
    revision: u64,
}

impl World {
    fn new() -> World {
        let timing = Timing::default();
        let (ipv4_via_ipv6, allow_empty, seed) = (false, true, 1);
        let (schema, follow) = (Schema::Hosts, Follow::Relists);
        let sync = SyncConfig { source: SOURCE, schema, follow, ipv4_via_ipv6, allow_empty, seed, timing };
        let source = SourceSettings {
            id: SOURCE,
            name: "prod".into(),
            lacking: String::new(),
            priority: 0,
            sync,
            snapshot: None,
            spent: Spent::default(),
            snapshot_after: Duration::from_secs(30),
        };
        let settings = Settings {
            sources: vec![source],
            fence: Fence {
                prefixes: vec![Allowed { within: "10.0.0.0/8".parse().unwrap(), lengths: 28..=28 }],
                next_hops: vec!["172.16.0.0/12".parse().unwrap()],
                ..Fence::default()
            },
            guard: GuardConfig::default(),
            policies: BTreeMap::new(),
            gateways: Vec::new(),
            others: Others::default(),
        };
        let mut effects = Vec::new();
        let engine = Engine::new(Time::ZERO, settings, &mut effects);
        let mut world = World { engine, now: Time::ZERO, attempt: Attempt(0), revision: 1 };
        world.hear(effects);
        world
    }

    fn hear(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Order(_, order) = effect {
                self.attempt = order.attempt;
            }
        }
    }

    /// A complete list of so many hosts.
    fn list(&mut self, hosts: u32) {
        self.revision += 1;
        let at = Rev(self.revision);
        let record = |n: u32| {
            let mut subnets = String::new();
            for subnet in n * EACH..(n + 1) * EACH {
                let [a, b, c, d] = (subnet << 4).to_be_bytes();
                write!(subnets, "{}\"{}.{b}.{c}.{d}/28\"", if subnets.is_empty() { "" } else { "," }, 10 + a).unwrap();
            }
            let [.., high, low] = n.to_be_bytes();
            let value = format!("{{\"addresses\": [\"172.16.{high}.{low}\"], \"subnets\": [{subnets}]}}");
            Record { key: format!("host-{n:05}").into(), value: value.into(), modified: at, created: Rev(1) }
        };
        let records = (0..hosts).map(record).collect();
        let mut effects = Vec::new();
        let report = Report::Page { at, cluster: ClusterId(5), records, more: false };
        self.engine.handle(self.now, Input::Report(SOURCE, self.attempt, report), &mut effects);
        // A large list is taken in slice by slice.
        while self.engine.next_deadline().is_some_and(|due| due <= self.now) {
            self.engine.on_deadline(self.now, &mut effects);
        }
        self.hear(effects);
    }

    /// Everything of so many hosts is held.
    fn emptied(hosts: u32) -> World {
        let mut world = World::new();
        world.list(hosts);
        assert_eq!(world.engine.count_routes().ipv4, (hosts * EACH) as usize);
        world.list(0);
        world
    }

    /// Lists all holds: how many, and how long the engine was held up at a time (the least of all pages: other work on the
    /// machine makes single ones longer).
    fn list_holds(&self) -> (usize, Duration) {
        let (mut count, mut least, mut after) = (0, Duration::MAX, None::<Prefix>);
        loop {
            let begun = Instant::now();
            let rows = self.engine.hold_rows(after, PAGE);
            let took = begun.elapsed();
            assert!(rows.is_sorted_by_key(|row| row.prefix) && rows.iter().all(|row| Some(row.prefix) > after));
            let Some(last) = rows.last() else { return (count, least) };
            (count, least, after) = (count + rows.len(), least.min(took), Some(last.prefix));
        }
    }
}

#[test]
fn a_page_of_a_hundred_thousand_holds_takes_the_engine_no_longer_than_a_page_of_a_thousand() {
    let (few, many) = (World::emptied(10), World::emptied(1_000));
    let (few, many) = (few.list_holds(), many.list_holds());
    assert_eq!((few.0, many.0), (1_000, 100_000));
    // A page that looked at all holds would take a hundred times as long.
    assert!(many.1 < few.1 * 10, "{many:?} against {few:?}");
}
