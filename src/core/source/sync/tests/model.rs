//! `Sync` against a model store: writes, compactions, faults, and a watch that repeats, reorders, loses and overtakes.
//!
//! Checked at every step: no claim is removed that the store stated at the revision of the proof (P2), nothing is claimed that
//! the store never stated, nothing is told twice. Checked at rest: the claims are those of the store.

use super::store::{Good, Store, Telling, Transport, Value, host};
use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// A transaction.
    Write(BTreeMap<u8, Option<Value>>),
    Compact {
        behind: u8,
    },
    Main {
        size: u8,
        telling: Telling,
    },
    Beside {
        size: u8,
    },
    FailMain(FaultKind),
    FailBeside,
    Overtake {
        behind: u8,
    },
    /// An old report comes late.
    Late(u8),
    Wait {
        millis: u32,
    },
}

fn value() -> impl Strategy<Value = Value> {
    let address = proptest::option::weighted(0.8, 0..2u8);
    let good = (address.clone(), address, proptest::collection::btree_set(0..5u8, 0..4))
        .prop_map(|(ipv4, ipv6, subnets)| Good { ipv4, ipv6, subnets: subnets.into_iter().collect() });
    proptest::option::weighted(0.9, good)
}

fn step(faithful: bool) -> impl Strategy<Value = Step> {
    let telling = if faithful {
        Just(Telling::Faithfully).boxed()
    } else {
        prop_oneof![
            4 => Just(Telling::Faithfully),
            1 => (1..6u8).prop_map(Telling::Again),
            1 => Just(Telling::Backwards),
            1 => Just(Telling::WithoutOne),
        ]
        .boxed()
    };
    let kind = prop_oneof![Just(FaultKind::Unreachable), Just(FaultKind::Denied)];
    let write = proptest::option::weighted(0.7, value());
    let writes = proptest::collection::btree_map(0..6u8, write, 1..4);
    prop_oneof![
        8 => writes.prop_map(Step::Write),
        1 => (0..6u8).prop_map(|behind| Step::Compact { behind }),
        8 => (1..4u8, telling).prop_map(|(size, telling)| Step::Main { size, telling }),
        4 => (1..4u8).prop_map(|size| Step::Beside { size }),
        1 => kind.prop_map(Step::FailMain),
        1 => Just(Step::FailBeside),
        1 => (0..20u8).prop_map(|behind| Step::Overtake { behind }),
        1 => any::<u8>().prop_map(Step::Late),
        2 => prop_oneof![0..2_000u32, 200_000..400_000u32].prop_map(|millis| Step::Wait { millis }),
    ]
}

struct World {
    client: Client,
    store: Store,
    transport: Transport,
    /// Which record is whose.
    keys: BTreeMap<RecordId, Bytes>,
}

impl World {
    fn new(allow_empty: bool) -> Self {
        let client = Client::new(SyncConfig { allow_empty, ..config() });
        let mut world = World { client, store: Store::new(), transport: Transport::default(), keys: BTreeMap::new() };
        world.pass_orders();
        world
    }

    fn step(&mut self, step: Step) {
        let report = match step {
            Step::Write(writes) => {
                self.store.write(&writes);
                None
            }
            Step::Compact { behind } => {
                let revision = self.store.revision().saturating_sub(behind.into());
                self.store.compact(revision);
                None
            }
            Step::Main { size, telling } => self.transport.serve_main(&self.store, size.into(), telling),
            Step::Beside { size } => self.transport.serve_beside(&self.store, size.into()),
            Step::FailMain(kind) => self.transport.fail_main(kind),
            Step::FailBeside => self.transport.fail_beside(FaultKind::Denied),
            Step::Overtake { behind } => self.transport.overtake(&self.store, behind),
            Step::Late(which) => {
                let late = self.transport.told.get(usize::from(which)).cloned();
                late.filter(|(attempt, _)| !self.transport.is_alive(*attempt))
            }
            Step::Wait { millis } => {
                self.wait(Duration::from_millis(millis.into()));
                None
            }
        };
        if let Some((attempt, report)) = report {
            self.report(attempt, report);
        }
    }

    fn report(&mut self, attempt: Attempt, report: Report) {
        self.transport.told.push((attempt, report.clone()));
        let client = &mut self.client;
        client.sync.handle(client.now, attempt, report, &mut client.out);
        self.check();
        self.pass_orders();
    }

    fn wait(&mut self, span: Duration) {
        let end = self.client.now + span;
        while self.client.sync.next_deadline().is_some_and(|due| due <= end) {
            self.deadline();
        }
        self.client.now = end;
    }

    fn deadline(&mut self) {
        let client = &mut self.client;
        let due = client.sync.next_deadline().expect("it never waits for nothing");
        client.now = due.max(client.now);
        client.sync.on_deadline(client.now, &mut client.out);
        assert_ne!(client.sync.next_deadline(), Some(due), "nothing was done: it would spin");
        self.check();
        self.pass_orders();
    }

    fn pass_orders(&mut self) {
        for order in self.client.orders.drain(..) {
            self.transport.order(order);
        }
    }

    /// Checks all changes against the store's history, and applies them.
    fn check(&mut self) {
        for change in &self.client.out.changes {
            let (ClaimChange::Upsert(changed, _) | ClaimChange::Remove(changed, _)) = change else {
                panic!("nothing was known before");
            };
            if let Some(info) = self.client.sync.record(changed.record) {
                self.keys.insert(changed.record, info.key);
            }
            // A record that came and went in one report: it was one of them.
            let keys =
                self.keys.get(&changed.record).map_or_else(|| (0..6).map(host).collect(), |key| vec![key.clone()]);
            let justified = keys.iter().any(|key| match change {
                ClaimChange::Upsert(changed, claim) => self.store.ever_stated(key, changed.prefix, claim.next_hop),
                ClaimChange::Remove(changed, absent) => self.is_proof(key, changed.prefix, *absent.proof()),
                ClaimChange::Restored => false,
            });
            assert!(justified, "{keys:?}: {change:?}");
        }
        self.client.apply();
        for family in Family::ALL {
            let sync = &self.client.sync;
            let mut never_read = sync.quarantined().filter(|record| !record.kept);
            let claimed = |record, prefix| self.client.claims.contains_key(&(record, prefix));
            let mut unresolved = sync.unresolved().filter(|found| found.prefix.family() == family);
            let hides = never_read.next().is_some() || unresolved.any(|found| !claimed(found.record, found.prefix));
            assert_eq!(sync.hides_claims(family), hides, "the count of {family} is wrong");
        }
    }

    /// Whether the store did not state the prefix at the proof's revision, in the way the proof says.
    fn is_proof(&self, key: &Bytes, prefix: Prefix, proof: Proof) -> bool {
        match proof {
            Proof::Deleted(at) => self.store.deleted_at(key, at),
            Proof::MissingFrom { at } => !self.store.at(at).contains_key(key),
            Proof::NoLongerStated(at) => self.store.at(at).get(key).is_some_and(|stored| {
                stored.record.modified == at && stored.value.as_ref().is_some_and(|good| !good.states(prefix))
            }),
        }
    }

    /// No more faults: everything is answered, and time goes on past a reconcile.
    fn settle(&mut self) {
        let end = self.client.now + seconds(700);
        while self.client.now < end {
            let report = self
                .transport
                .serve_main(&self.store, 3, Telling::Faithfully)
                .or_else(|| self.transport.serve_beside(&self.store, 3));
            match report {
                Some((attempt, report)) => self.report(attempt, report),
                None => self.deadline(),
            }
        }
    }

    /// Also at rest: where history is compacted away and every known record is gone or was made anew, nobody can tell that from
    /// another store, and all claims stay.
    fn is_rightly_refused(&self) -> bool {
        let Seen::Lost { why: Fault { kind: FaultKind::Replaced, .. }, .. } = self.client.sync.seen() else {
            return false;
        };
        let (table, start) = (&self.client.sync.table, self.client.sync.range.start.len());
        for (key, stored) in self.store.now() {
            let known = table.find(&key[start..]).and_then(|slot| table.created(slot));
            assert_ne!(known, Some(stored.record.created), "{key:?} is a known record");
        }
        true
    }

    fn assert_equals_the_store(&self) {
        if self.is_rightly_refused() {
            return;
        }
        let mut expected = BTreeMap::new();
        let mut may_stay = Vec::new();
        for (key, stored) in self.store.now() {
            match self.client.sync.config.schema.decode(key, &stored.record.value) {
                Ok(crate::source::schema::Decoded::Statement(statement)) => {
                    let claims = statement.claims();
                    expected.extend(claims.map(|(prefix, next_hop)| ((key.clone(), prefix), next_hop)));
                    may_stay.extend(statement.unresolved().map(|(prefix, _)| (key.clone(), Some(prefix))));
                }
                _ => may_stay.push((key.clone(), None)),
            }
        }
        let mut found = BTreeMap::new();
        for ((id, prefix), claim) in &self.client.claims {
            let key = self.keys[id].clone();
            if claim.readable {
                found.insert((key, *prefix), claim.next_hop);
            } else {
                let stays = |(other, subnet): &(Bytes, Option<Prefix>)| {
                    *other == key && subnet.is_none_or(|subnet| subnet == *prefix)
                };
                assert!(may_stay.iter().any(stays), "{key:?} {prefix} stays without a reason");
            }
        }
        assert_eq!(found, expected);
        let counts = self.client.sync.table.counts();
        assert_eq!(counts.records, self.store.now().len());
        for (key, stored) in self.store.now() {
            let name = &key[self.client.sync.range.start.len()..];
            let slot = self.client.sync.table.find(name).expect("every record is known");
            assert_eq!(self.client.sync.table.modified(slot), Some(stored.record.modified));
            assert_eq!(self.client.sync.table.created(slot), Some(stored.record.created));
        }
        if self.client.sync.is_complete() {
            assert!(self.client.sync.seen().is_current());
        } else {
            assert!(matches!(self.client.sync.seen(), Seen::Never(Why::Empty { .. })) && self.store.now().is_empty());
        }
    }
}

fn run(allow_empty: bool, steps: Vec<Step>) {
    let mut world = World::new(allow_empty);
    for step in steps {
        world.step(step);
    }
    world.settle();
    world.assert_equals_the_store();
}

proptest! {
    #[test]
    fn c29_c32_c33_c40_at_rest_the_claims_are_the_stores_and_none_dies_without_proof_p2(
        allow_empty: bool,
        steps in proptest::collection::vec(step(false), 0..80),
    ) {
        run(allow_empty, steps);
    }

    /// A faithful watch needs no reconcile: what it has told is what the store holds.
    #[test]
    fn c29_a_faithful_watch_is_the_store_without_any_reconcile(
        steps in proptest::collection::vec(step(true), 0..80),
    ) {
        let mut world = World::new(true);
        for step in steps {
            if !matches!(step, Step::Wait { .. } | Step::Beside { .. }) {
                world.step(step);
            }
        }
        let end = world.client.now + seconds(100);
        while world.client.now < end {
            match world.transport.serve_main(&world.store, 3, Telling::Faithfully) {
                Some((attempt, report)) => world.report(attempt, report),
                None => world.deadline(),
            }
        }
        assert!(!world.client.notes.iter().any(|note| matches!(note, Note::OutOfOrder { .. })));
        world.assert_equals_the_store();
    }
}
