//! A thousand gateways: what concerns one costs no look at the others (P6). Looks are counted, never time.

use super::super::{Effect, Input};
use super::lab::Lab;
use super::ranges::{join, joined, session};
use super::settings::{addresses, prefix};
use crate::model::{Family, GatewayId, Time};
use crate::testing::store::Host;
use crate::view::Chunk;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How many have joined.
const PEERS: u32 = 1000;

/// Chunks on their way to them.
type OnTheirWay = VecDeque<(GatewayId, Arc<Chunk>)>;

fn a_thousand() -> Lab {
    let mut lab = Lab::new();
    // Both sources are read completely, so that End-of-RIB is true.
    for (source, n) in [(0, 0), (1, 1)] {
        lab.put(source, n, Host { addresses: addresses(n), subnets: vec![prefix(2 * n)] });
    }
    lab.settle();
    for n in 0..PEERS {
        join(&mut lab, n, IpAddr::from([10, 169, (n >> 8) as u8, n as u8]));
    }
    lab
}

fn work(lab: &mut Lab, on_their_way: &mut OnTheirWay) {
    let mut effects = Vec::new();
    while lab.engine.work(&mut effects) {}
    on_their_way.extend(effects.into_iter().filter_map(|effect| match effect {
        Effect::Send(gateway, _, chunk) if gateway.0 >= joined(0).0 => Some((gateway, chunk)),
        _ => None,
    }));
}

/// One of them has taken it all in; how many looks that costs, with whatever follows from it.
fn written(lab: &mut Lab, gateway: GatewayId, octets: usize, on_their_way: &mut OnTheirWay) -> u64 {
    let before = lab.engine.looks();
    let number = session(gateway.0 - joined(0).0);
    lab.engine.handle(Time::ZERO, Input::Written(gateway, number, octets), &mut Vec::new());
    work(lab, on_their_way);
    lab.engine.looks() - before
}

/// The most looks that one written chunk costs, until nothing is on its way any more.
fn most_looks(lab: &mut Lab, on_their_way: &mut OnTheirWay) -> u64 {
    let mut most = 0;
    while let Some((gateway, chunk)) = on_their_way.pop_front() {
        most = most.max(written(lab, gateway, chunk.bytes.len(), on_their_way));
    }
    most
}

fn are_caught_up(lab: &Lab) -> bool {
    let rows = lab.engine.gateway_rows();
    let joined = rows.iter().filter(|row| row.range.is_some());
    joined.clone().count() == PEERS as usize && joined.into_iter().all(|row| row.caught_up[Family::Ipv4] == Some(true))
}

#[test]
fn what_one_gateway_has_written_costs_no_look_at_the_others_p6() {
    let mut lab = a_thousand();
    let mut on_their_way = OnTheirWay::new();
    work(&mut lab, &mut on_their_way);
    let most = most_looks(&mut lab, &mut on_their_way);
    assert!(most <= 8, "a chunk of a first table that was written: {most} looks");
    assert!(are_caught_up(&lab));

    lab.put(0, 0, Host { addresses: addresses(0), subnets: vec![prefix(4)] });
    lab.wait_served(Duration::from_secs(1));
    let before = lab.engine.looks();
    work(&mut lab, &mut on_their_way);
    assert_eq!(on_their_way.len(), PEERS as usize, "one chunk each");
    let looks = lab.engine.looks() - before;
    assert!(looks <= 6 * u64::from(PEERS), "one change to a thousand gateways: {looks} looks");
    let most = most_looks(&mut lab, &mut on_their_way);
    assert!(most <= 8, "a change that was written: {most} looks");
    assert!(are_caught_up(&lab));
}

#[test]
fn a_gateway_that_begins_anew_costs_no_look_at_those_that_read_nothing_p6() {
    let mut lab = a_thousand();
    let mut stuck = OnTheirWay::new();
    work(&mut lab, &mut stuck);
    for _ in 0..3 {
        let before = lab.engine.looks();
        lab.engine.handle(Time::ZERO, Input::Refresh(joined(7), session(7), Family::Ipv4), &mut Vec::new());
        let mut told = OnTheirWay::new();
        work(&mut lab, &mut told);
        assert!(told.iter().all(|(gateway, _)| *gateway == joined(7)) && !told.is_empty());
        most_looks(&mut lab, &mut told);
        let looks = lab.engine.looks() - before;
        assert!(looks <= 50, "everything again for one: {looks} looks");
    }
}
