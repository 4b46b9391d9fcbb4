//! What passes and what is held (P3), by way of a table.

mod flapping;
mod replaced;

use super::*;
use crate::model::{Claim, ClaimKey, HostName, Labels, Prefix, RecordId};
use crate::table::{Allowed, Fence, HeldChange, Priorities, Settled, Table, Target};
use crate::testing::absent;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const SOURCE: SourceId = SourceId(0);
const HOUR: Duration = Duration::from_secs(3600);

/// Record `n` states prefix `n`. Of `hosts` the model remembers who is announced.
struct World {
    table: Table,
    now: Time,
    settled: Settled,
}

fn prefix(n: u32) -> Prefix {
    match n % 2 {
        0 => format!("10.{}.{}.0/24", n / 256, n % 256).parse().unwrap(),
        _ => format!("2001:db8:{n:x}::/48").parse().unwrap(),
    }
}

fn key(n: u32) -> ClaimKey {
    ClaimKey { source: SOURCE, record: RecordId(n), prefix: prefix(n) }
}

fn claim(n: u32, host: u8) -> Claim {
    let next_hop = if n.is_multiple_of(2) { format!("172.16.0.{host}") } else { format!("fd00::{host}") };
    Claim {
        host: HostName::new(&format!("host-{host}")).unwrap(),
        next_hop: next_hop.parse().unwrap(),
        other_address: None,
        labels: Arc::new(Labels::default()),
        created: 1,
        readable: true,
    }
}

fn fence() -> Fence {
    let allowed = |within: &str, lengths| Allowed { within: within.parse().unwrap(), lengths };
    Fence {
        prefixes: vec![allowed("10.0.0.0/8", 24..=24), allowed("2001:db8::/32", 48..=48)],
        next_hops: ["172.16.0.0/16", "fd00::/8"].map(|range| range.parse().unwrap()).into(),
        ..Fence::default()
    }
}

impl World {
    /// A guarded source with so many routes, all of host 1.
    fn new(routes: u32) -> Self {
        let table = Table::new(fence(), Priorities::default(), GuardConfig::default());
        let mut world = World { table, now: Time::ZERO, settled: Settled::default() };
        world.put(0..routes, 1);
        assert_eq!(world.settle(), routes as usize, "a first list is not guarded");
        world.table.arm(SOURCE, true);
        world
    }

    fn put(&mut self, numbers: impl IntoIterator<Item = u32>, host: u8) {
        numbers.into_iter().for_each(|n| self.table.upsert(key(n), &claim(n, host)));
    }

    fn delete(&mut self, numbers: impl IntoIterator<Item = u32>) {
        numbers.into_iter().for_each(|n| self.table.remove(key(n), absent()));
    }

    /// How many routes changed.
    fn settle(&mut self) -> usize {
        self.table.settle(self.now, &mut self.settled);
        self.settled.changed.iter().map(|(_, changed)| changed.len()).sum()
    }

    fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    /// A complete list that says what was said already.
    fn confirm(&mut self) -> usize {
        self.table.confirm(self.now, SOURCE);
        self.settle()
    }

    /// Who is announced as the owner of prefix `n`.
    fn owner(&self, n: u32) -> Option<String> {
        let family = prefix(n).family();
        let slot = self.table.slots(family).find(prefix(n))?;
        let winner = self.table.winner(family, slot)?;
        Some(self.table.owner(winner.owner).host.to_string())
    }

    fn held(&self, kind: ChangeKind) -> usize {
        let of_kind = self.table.holds().filter(|held| held.hold.kind == kind).count();
        assert_eq!(of_kind, self.table.count_held(SOURCE, kind));
        of_kind
    }

    fn routes(&self) -> usize {
        Family::ALL.map(|family| self.table.count_routes(family)).into_iter().sum()
    }
}

#[test]
fn c51_a_fifth_of_a_source_may_go_and_one_more_is_held_until_the_limit_is_refilled_p3() {
    let mut world = World::new(100);
    world.delete(0..20);
    assert_eq!(world.settle(), 20);
    world.delete([20]);
    assert_eq!((world.settle(), world.held(ChangeKind::Withdrawal)), (0, 1));
    assert_eq!(world.owner(20).as_deref(), Some("host-1"), "the route stays");
    world.wait(HOUR / 8); // of a limit of 16, two come back
    world.delete([21, 22]);
    assert_eq!((world.settle(), world.routes()), (2, 78));
    world.delete([23]);
    assert_eq!(world.settle(), 0);
}

#[test]
fn c51_a_wave_is_held_whole_p3() {
    let mut world = World::new(100);
    world.delete(0..21);
    assert_eq!((world.settle(), world.held(ChangeKind::Withdrawal)), (0, 21));
    assert_eq!(world.settled.held.len(), 21, "said once");
    world.delete([30]);
    assert_eq!(world.settle(), 1, "the others are not held with it");
    world.put(0..21, 1);
    assert_eq!(
        (world.settle(), world.held(ChangeKind::Withdrawal)),
        (0, 0),
        "it is as it was: nothing is held, nothing sent"
    );
}

#[test]
fn c51_five_may_always_go_but_never_the_last_p3() {
    let mut world = World::new(6);
    for n in 0..5 {
        world.delete([n]);
        assert_eq!(world.settle(), 1);
    }
    world.wait(2 * HOUR);
    world.delete([5]);
    assert_eq!((world.settle(), world.routes()), (0, 1));
    assert!(world.table.needs_person(SOURCE));
}

#[test]
fn c51_an_emptied_source_waits_for_a_person_however_often_it_is_proven_p3() {
    let mut world = World::new(19);
    world.delete(0..19);
    assert_eq!((world.settle(), world.routes()), (0, 19));
    for _ in 0..100 {
        world.wait(HOUR);
        assert_eq!(world.confirm(), 0);
    }
    assert_eq!(world.table.approve(|_| true), 19);
    assert_eq!((world.settle(), world.routes(), world.held(ChangeKind::Withdrawal)), (19, 0, 0));
}

#[test]
fn c51_a_third_of_a_source_goes_once_it_is_proven_p3() {
    let mut world = World::new(30);
    world.delete(0..10);
    assert_eq!(world.settle(), 0);
    world.wait(HOUR);
    assert_eq!(world.settle(), 0, "time alone proves nothing");
    assert_eq!(world.confirm(), 0, "one list neither");
    assert_eq!((world.confirm(), world.routes()), (10, 20));
}

#[test]
fn c51_what_is_denied_is_not_proven_p3() {
    let mut world = World::new(30);
    world.delete(0..10);
    world.settle();
    assert_eq!(world.table.deny(|held| held.prefix == prefix(0)), 1);
    world.wait(HOUR);
    (0..3).for_each(|_| {
        world.confirm();
    });
    assert_eq!((world.routes(), world.owner(0).as_deref()), (21, Some("host-1")));
    assert!(world.table.holds().all(|held| held.hold.is_denied()));
    assert_eq!(world.table.approve(|_| true), 1, "a person may think again");
    assert_eq!((world.settle(), world.owner(0)), (1, None));
}

#[test]
fn c51_moves_and_additions_have_limits_of_their_own_p3() {
    let mut world = World::new(40);
    world.put(0..8, 2);
    world.delete(8..16);
    world.put(40..48, 3);
    assert_eq!(world.settle(), 24);
    world.put([0], 3);
    world.put([50], 3);
    assert_eq!((world.settle(), world.held(ChangeKind::Move), world.held(ChangeKind::Addition)), (0, 1, 1));
    assert_eq!((world.owner(0).as_deref(), world.owner(50)), (Some("host-2"), None));
}

#[test]
fn c51_most_of_a_source_that_moves_waits_for_a_person_p3() {
    let mut world = World::new(40);
    world.put(0..21, 2);
    assert_eq!(world.settle(), 0);
    assert!(world.table.needs_person(SOURCE));
    let moved = |held: &HeldChange<'_>| {
        let (from, to) = (held.from.unwrap(), held.to.unwrap());
        from.host.as_str() == "host-1" && to.host.as_str() == "host-2"
    };
    assert_eq!(world.table.approve(moved), 21);
    assert_eq!((world.settle(), world.owner(20).as_deref()), (21, Some("host-2")));
}

#[test]
fn a_held_ghost_loses_to_any_live_claim_p3() {
    let mut world = World::new(30);
    world.delete(0..10);
    assert_eq!(world.settle(), 0);
    world.table.upsert(ClaimKey { record: RecordId(99), ..key(0) }, &claim(0, 2));
    assert_eq!((world.settle(), world.owner(0).as_deref()), (1, Some("host-2")), "a move of its own, within the limit");
    assert_eq!(world.held(ChangeKind::Withdrawal), 9);
}

#[test]
fn an_approval_is_for_the_change_that_was_seen_p3() {
    let mut world = World::new(30);
    world.delete(0..10);
    world.settle();
    world.table.approve(|_| true);
    world.put(0..10, 2); // before it is settled the same prefixes move instead
    assert_eq!((world.settle(), world.held(ChangeKind::Move)), (0, 10));
}

#[test]
fn labels_and_records_may_change_without_limit() {
    let mut world = World::new(30);
    for n in 0..30 {
        let labels = Arc::new(Labels(BTreeMap::from([("zone".into(), "a".into())])));
        world.table.upsert(key(n), &Claim { labels, created: 7, ..claim(n, 1) });
    }
    assert_eq!(world.settle(), 30, "packets go the same way");
}

#[test]
fn c52_a_forced_withdrawal_needs_neither_a_source_nor_a_limit_and_can_be_taken_back() {
    let mut world = World::new(30);
    let host = Target::Host(HostName::new("host-1").unwrap());
    assert_eq!(world.table.withdraw(host.clone()), 30);
    assert_eq!((world.settle(), world.routes()), (30, 0));
    world.put(0..30, 1);
    assert_eq!(world.settle(), 0, "whatever the source says");
    assert!(world.table.restore(&host) && !world.table.restore(&host));
    assert_eq!((world.settle(), world.routes()), (30, 30), "the same person's order");
}

#[test]
fn c52_a_ghost_can_be_forced_away() {
    let mut world = World::new(30);
    world.delete(0..20);
    world.settle();
    assert_eq!(world.table.withdraw(Target::Prefix(prefix(3))), 1);
    assert_eq!((world.settle(), world.owner(3), world.held(ChangeKind::Withdrawal)), (1, None, 19));
}

#[test]
fn a_narrower_fence_goes_through_the_guard_too_p3() {
    let mut world = World::new(30);
    world.table.reconfigure(Fence::default(), Priorities::default(), GuardConfig::default());
    assert_eq!((world.settle(), world.routes()), (0, 30));
    world.table.approve(|_| true);
    assert_eq!((world.settle(), world.routes()), (30, 0));
}

#[test]
fn a_limit_that_is_turned_off_lets_pass_what_it_held() {
    let mut world = World::new(30);
    world.delete(0..30);
    world.settle();
    let mut guard = GuardConfig::default();
    guard.set_limit(ChangeKind::Withdrawal, None);
    world.table.reconfigure(fence(), Priorities::default(), guard);
    assert_eq!((world.settle(), world.routes()), (30, 0));
}

#[test]
fn a_limit_that_is_raised_lets_pass_what_fits_under_it_and_nothing_that_needs_a_person_p3() {
    let raised = |percent| {
        let mut guard = GuardConfig::default();
        guard.set_limit(ChangeKind::Withdrawal, Some(Limit { percent, at_least: 5 }));
        guard
    };
    let mut world = World::new(30);
    world.delete(0..10);
    world.settle();
    for (percent, gone) in [(30, 0), (20, 0), (100, 10)] {
        world.table.reconfigure(fence(), Priorities::default(), raised(percent));
        assert_eq!(world.settle(), gone, "{percent} %");
    }
    let mut emptied = World::new(30);
    emptied.delete(0..30);
    emptied.settle();
    emptied.table.reconfigure(fence(), Priorities::default(), raised(100));
    assert_eq!((emptied.settle(), emptied.routes()), (0, 30));
    let mut denied = World::new(30);
    denied.delete(0..10);
    denied.settle();
    denied.table.deny(|_| true);
    denied.table.reconfigure(fence(), Priorities::default(), raised(100));
    assert_eq!(denied.settle(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Put(u32, u8),
    Delete(u32),
    Wait(u16),
    Confirm,
    Approve(u32),
    Deny(u32),
    Settle,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..40u32, 1..4u8).prop_map(|(n, host)| Step::Put(n, host)),
        6 => (0..40u32).prop_map(Step::Delete),
        2 => any::<u16>().prop_map(Step::Wait),
        1 => Just(Step::Confirm),
        1 => (0..40u32).prop_map(Step::Approve),
        1 => (0..40u32).prop_map(Step::Deny),
        4 => Just(Step::Settle),
    ];
    proptest::collection::vec(step, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// After any history: what is held stays as it was, everything else is as the claims say, and the counts agree.
    #[test]
    fn p3_a_route_is_desired_or_held_and_a_settling_never_takes_more_than_its_limit(steps in steps()) {
        let mut world = World::new(20);
        let mut claims: BTreeMap<u32, u8> = (0..20).map(|n| (n, 1)).collect();
        for step in steps {
            let before: BTreeMap<u32, Option<String>> = (0..40).map(|n| (n, world.owner(n))).collect();
            let mut allowed = world.routes() / 2 + 1;
            match step {
                Step::Put(n, host) => { world.put([n], host); claims.insert(n, host); }
                Step::Delete(n) => { world.delete([n]); claims.remove(&n); }
                Step::Wait(seconds) => world.wait(Duration::from_secs(seconds.into())),
                Step::Confirm => { world.confirm(); }
                Step::Approve(n) => {
                    allowed += world.table.approve(|held| held.prefix == prefix(n));
                    world.settle();
                }
                Step::Deny(n) => { world.table.deny(|held| held.prefix == prefix(n)); }
                Step::Settle => { world.settle(); }
            }
            let gone = before.iter().filter(|(n, owner)| owner.is_some() && world.owner(**n) != **owner).count();
            prop_assert!(gone <= allowed.max(5), "{gone} of {}", before.len());
            prop_assert_eq!(world.routes(), (0..40).filter(|&n| world.owner(n).is_some()).count());
            prop_assert_eq!(world.table.count_routes_of(SOURCE), world.routes());
            ChangeKind::ALL.into_iter().for_each(|kind| { world.held(kind); });
        }
        world.settle();
        let mut held: Vec<Prefix> = world.table.holds().map(|held| held.prefix).collect();
        held.sort_unstable();
        let in_pages: Vec<Prefix> = pages(&world.table, 3).concat();
        prop_assert_eq!(&in_pages, &held);
        for n in 0..40 {
            let desired = claims.get(&n).map(|host| format!("host-{host}"));
            prop_assert!(world.owner(n) == desired || held.contains(&prefix(n)), "prefix {n}");
            prop_assert!(world.owner(n) != desired || !held.contains(&prefix(n)), "prefix {n} is held for nothing");
        }
        world.table.approve(|_| true);
        world.settle();
        for n in 0..40 {
            prop_assert_eq!(world.owner(n), claims.get(&n).map(|host| format!("host-{host}")));
        }
    }
}

/// All holds, so many at a time, each page behind the last prefix of the one before.
fn pages(table: &Table, size: usize) -> Vec<Vec<Prefix>> {
    let mut pages: Vec<Vec<Prefix>> = Vec::new();
    loop {
        let after = pages.last().and_then(|page| page.last()).copied();
        let page: Vec<Prefix> = table.holds_behind(after).take(size).map(|held| held.prefix).collect();
        if page.is_empty() {
            return pages;
        }
        pages.push(page);
    }
}

#[test]
fn c51_proof_is_of_the_move_that_was_confirmed_not_of_a_later_one_p3() {
    let mut world = World::new(100);
    world.put(0..30, 2);
    assert_eq!((world.settle(), world.held(ChangeKind::Move)), (0, 30));
    world.wait(Duration::from_secs(300));
    assert_eq!(world.confirm(), 0);
    world.wait(Duration::from_secs(299));
    world.put(0..30, 3);
    assert_eq!(world.settle(), 0);
    world.wait(Duration::from_secs(2));
    assert_eq!(world.confirm(), 0, "no list before this one has said so");
    assert_eq!(world.owner(0).as_deref(), Some("host-1"));
    world.wait(Duration::from_secs(600));
    assert_eq!(world.confirm(), 30);
}

#[test]
fn c51_a_denial_is_of_the_move_that_was_seen_p3() {
    let mut world = World::new(100);
    world.put(0..30, 2);
    world.settle();
    assert_eq!(world.table.deny(|_| true), 30);
    world.put(0..30, 3);
    world.settle();
    assert!(world.table.holds().all(|held| !held.hold.is_denied()), "the store says something else");
    assert_eq!(world.held(ChangeKind::Move), 30);
}

/// In a freeze lists go on confirming what is held, and nothing is settled.
#[test]
fn c51_what_the_store_took_back_in_a_freeze_is_not_proven_by_what_it_said_before_p3() {
    let mut world = World::new(100);
    world.delete(0..30);
    assert_eq!((world.settle(), world.held(ChangeKind::Withdrawal)), (0, 30));
    for _ in 0..2 {
        world.wait(Duration::from_secs(301));
        world.table.confirm(world.now, SOURCE);
    }
    world.put([0, 1], 1);
    world.delete([0]);
    assert_eq!((world.settle(), world.held(ChangeKind::Withdrawal)), (28, 1), "28 are proven, and one is as it was");
    for _ in 0..2 {
        assert_eq!((world.confirm(), world.owner(0).as_deref()), (0, Some("host-1")));
        world.wait(Duration::from_secs(301));
    }
    assert_eq!(world.confirm(), 1, "from the first list on that said so again");
}
