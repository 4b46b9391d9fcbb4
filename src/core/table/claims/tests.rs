use super::*;
use crate::model::{HostName, Labels, Time};
use crate::table::{Allowed, WhyLost};
use crate::testing::absent;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

fn prefix(n: u8) -> Prefix {
    format!("10.244.{n}.0/24").parse().unwrap()
}

fn key(source: u16, record: u32, n: u8) -> ClaimKey {
    ClaimKey { source: SourceId(source), record: RecordId(record), prefix: prefix(n) }
}

fn claim(host: u8, created: u64, readable: bool) -> Claim {
    Claim {
        host: HostName::new(&format!("host-{host}")).unwrap(),
        next_hop: format!("10.168.0.{host}").parse().unwrap(),
        other_address: None,
        labels: Arc::new(Labels::default()),
        created,
        readable,
    }
}

fn table() -> Table {
    let fence = Fence {
        prefixes: vec![Allowed { within: "10.244.0.0/16".parse().unwrap(), lengths: 16..=32 }],
        next_hops: vec!["10.168.0.0/25".parse().unwrap()],
        ..Fence::default()
    };
    Table::new(fence, Priorities(vec![(SourceId(2), 10)]), GuardConfig::default())
}

/// Host of the route for prefix `n`.
fn route(table: &Table, n: u8) -> Option<String> {
    let slot = table.slots(Family::Ipv4).find(prefix(n))?;
    let winner = table.winner(Family::Ipv4, slot)?;
    Some(table.owner(winner.owner).host.to_string())
}

fn settled(table: &mut Table) -> usize {
    let mut settled = Settled::default();
    table.settle(Time::ZERO, &mut settled);
    settled.changed[Family::Ipv4].len()
}

#[test]
fn c55_older_record_wins_then_host_name_and_the_loser_is_shadowed() {
    let mut table = table();
    table.upsert(key(1, 1, 1), &claim(9, 5, true));
    table.upsert(key(1, 2, 1), &claim(8, 7, true));
    assert_eq!(settled(&mut table), 1);
    assert_eq!(route(&table, 1).as_deref(), Some("host-9"), "older");
    table.upsert(key(1, 2, 1), &claim(8, 5, true));
    settled(&mut table);
    assert_eq!(route(&table, 1).as_deref(), Some("host-8"), "same age: the lower name");
    let slot = table.slots(Family::Ipv4).find(prefix(1)).unwrap();
    let standings: Vec<_> = table.claims(Family::Ipv4, slot).map(|(held, s)| (held.record.0, s)).collect();
    assert_eq!(standings, [(1, Standing::Shadowed), (2, Standing::Route)]);
}

#[test]
fn c55_readable_beats_source_priority_beats_age() {
    let mut table = table();
    table.upsert(key(1, 1, 1), &claim(1, 1, true));
    table.upsert(key(2, 1, 1), &claim(2, 9, true));
    settled(&mut table);
    assert_eq!(route(&table, 1).as_deref(), Some("host-2"), "source 2 is preferred");
    table.upsert(key(2, 1, 1), &claim(2, 9, false));
    settled(&mut table);
    assert_eq!(route(&table, 1).as_deref(), Some("host-1"), "an unreadable record loses to any readable one");
}

#[test]
fn a_fenced_claim_shadows_nobody_p1() {
    let mut table = table();
    table.upsert(key(1, 1, 1), &claim(2, 5, true));
    table.upsert(key(1, 2, 1), &claim(200, 1, true)); // older, but its next hop is out of range
    settled(&mut table);
    assert_eq!(route(&table, 1).as_deref(), Some("host-2"));
}

#[test]
fn a_narrower_fence_takes_routes_back_and_a_wider_one_returns_them_p1() {
    let mut table = table();
    table.upsert(key(1, 1, 1), &claim(2, 5, true));
    settled(&mut table);
    let wide = table.fence.clone();
    table.reconfigure(Fence::default(), Priorities::default(), GuardConfig::default());
    assert_eq!(settled(&mut table), 1);
    assert_eq!(route(&table, 1), None);
    table.reconfigure(wide, Priorities::default(), GuardConfig::default());
    assert_eq!(settled(&mut table), 1);
    assert_eq!(route(&table, 1).as_deref(), Some("host-2"));
}

#[test]
fn what_changes_in_a_long_freeze_is_remembered_once_for_each_prefix() {
    let mut table = table();
    for change in 0..10_000 {
        table.upsert(key(0, 1, (change % 3) as u8), &claim((change % 7) as u8, change, true));
    }
    let family = &table.families[Family::Ipv4];
    assert!(family.dirty.len() <= 2 * family.claims.len(), "{}", family.dirty.len());
    assert_eq!((table.count_undecided(), settled(&mut table)), (3, 3));
}

#[test]
fn nothing_changes_where_the_same_claim_comes_again_i3() {
    let mut table = table();
    table.upsert(key(1, 1, 1), &claim(2, 5, true));
    assert_eq!(settled(&mut table), 1);
    table.upsert(key(1, 1, 1), &claim(2, 5, true));
    assert_eq!(settled(&mut table), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Upsert { source: u16, record: u32, n: u8, host: u8, created: u64, readable: bool },
    Remove { source: u16, record: u32, n: u8 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let upsert = (1..3u16, 0..4u32, 0..3u8, 100..150u8, 0..3u64, any::<bool>()).prop_map(
        |(source, record, n, host, created, readable)| Step::Upsert { source, record, n, host, created, readable },
    );
    let remove = (1..3u16, 0..4u32, 0..3u8).prop_map(|(source, record, n)| Step::Remove { source, record, n });
    proptest::collection::vec(prop_oneof![2 => upsert, 1 => remove], 0..60)
}

proptest! {
    /// Case 55 and invariant I5: any history ends in what a table made from the surviving claims alone, in another
    /// order, says.
    #[test]
    fn c55_any_order_of_arrivals_gives_the_same_winners_i5(steps in steps(), shuffle in any::<u64>()) {
        let (mut incremental, absent) = (table(), absent());
        let mut model: BTreeMap<(u16, u32, u8), Claim> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Upsert { source, record, n, host, created, readable } => {
                    let claim = claim(host, created, readable);
                    incremental.upsert(key(source, record, n), &claim);
                    model.insert((source, record, n), claim);
                }
                Step::Remove { source, record, n } => {
                    incremental.remove(key(source, record, n), absent);
                    model.remove(&(source, record, n));
                }
            }
            settled(&mut incremental);
        }
        let mut rest: Vec<_> = model.into_iter().collect();
        let mut rng = crate::model::Rng::new(shuffle);
        for i in (1..rest.len()).rev() {
            rest.swap(i, (rng.next_u64() % (i as u64 + 1)) as usize);
        }
        let mut fresh = table();
        for ((source, record, n), claim) in &rest {
            fresh.upsert(key(*source, *record, *n), claim);
        }
        settled(&mut fresh);
        for n in 0..3 {
            prop_assert_eq!(route(&incremental, n), route(&fresh, n));
        }
        let routes = (0..3).filter(|&n| route(&fresh, n).is_some()).count();
        prop_assert_eq!(incremental.count_routes(Family::Ipv4), routes);
    }
}

/// Owners' numbers are used again, but not before the changes that name them were looked at.
#[test]
fn a_claim_that_goes_and_returns_with_another_owner_at_once_is_a_change_i5() {
    let mut table = table();
    table.upsert(key(1, 1, 1), &claim(2, 5, true));
    settled(&mut table);
    table.remove(key(1, 1, 1), absent());
    table.upsert(key(1, 1, 1), &claim(3, 5, true));
    assert_eq!(settled(&mut table), 1);
    assert_eq!(route(&table, 1).as_deref(), Some("host-3"));
}

fn losers(table: &mut Table) -> (Vec<(u32, WhyLost)>, usize) {
    settled(table);
    let Losers { first, more } = table.take_losers();
    (first.into_iter().map(|loser| (loser.claim.record.0, loser.why)).collect(), more)
}

#[test]
fn a_claim_that_is_not_announced_is_told_once_with_its_reason() {
    let mut table = table();
    table.upsert(key(1, 1, 1), &claim(1, 5, true));
    assert_eq!(losers(&mut table), (vec![], 0));
    table.upsert(key(1, 2, 1), &claim(2, 6, true));
    table.upsert(key(1, 3, 2), &claim(200, 1, true));
    let by = |host: u8| WhyLost::Shadowed { by: HostName::new(&format!("host-{host}")).unwrap(), source: SourceId(1) };
    let fenced = WhyLost::Fenced(crate::table::Refusal::NextHop("10.168.0.200".parse().unwrap()));
    assert_eq!(losers(&mut table), (vec![(2, by(1)), (3, fenced.clone())], 0));
    // The winner is written again: that is no news of the others.
    table.upsert(key(1, 1, 1), &claim(1, 4, true));
    assert_eq!(losers(&mut table), (vec![], 0));
    // It wins, and loses again.
    table.remove(key(1, 1, 1), absent());
    assert_eq!(losers(&mut table), (vec![], 0));
    table.upsert(key(1, 1, 1), &claim(1, 4, true));
    assert_eq!(losers(&mut table), (vec![(2, by(1))], 0));
    table.upsert(key(1, 3, 2), &claim(200, 2, true));
    assert_eq!(losers(&mut table), (vec![(3, fenced)], 0));
}

#[test]
fn of_many_claims_that_are_not_announced_a_few_are_told_and_the_rest_counted() {
    let mut table = table();
    for n in 0..100 {
        table.upsert(key(1, u32::from(n), n), &claim(200, 1, true));
    }
    let (first, more) = losers(&mut table);
    assert_eq!((first.len(), more), (5, 95));
    assert!(!table.has_losers());
    // Another fence: only what stands otherwise now.
    let fence = Fence { next_hops: vec!["10.168.0.0/24".parse().unwrap()], ..table.fence.clone() };
    let narrow = table.fence.clone();
    table.reconfigure(fence, Priorities::default(), GuardConfig::default());
    assert_eq!(losers(&mut table), (vec![], 0));
    table.reconfigure(narrow, Priorities::default(), GuardConfig::default());
    let (first, more) = losers(&mut table);
    assert_eq!((first.len(), more), (5, 95));
}
