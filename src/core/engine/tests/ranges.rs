//! Gateways that join from a range (dynamic neighbours).

use super::super::{Effect, Input, Joined, SessionNumber, SessionUp};
use super::lab::Lab;
use super::settings::{addresses, encoding, prefix, settings};
use crate::bgp::wire::Encoding;
use crate::model::{Family, GatewayId, PerFamily, Prefix, Time};
use crate::testing::Gateway;
use crate::testing::store::Host;
use crate::view::Chunk;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const RANGE: GatewayId = GatewayId(0);

pub(super) fn joined(n: u32) -> GatewayId {
    GatewayId(n | 1 << 31)
}

pub(super) fn session(n: u32) -> SessionNumber {
    SessionNumber(u64::from(n) + 1000)
}

/// Three hosts with a subnet each.
fn hosts() -> Lab {
    let mut lab = Lab::new();
    for n in 0..3 {
        lab.put(0, n, Host { addresses: addresses(n), subnets: vec![prefix(2 * n)] });
    }
    lab.settle();
    lab
}

pub(super) fn join(lab: &mut Lab, n: u32, address: IpAddr) {
    join_with(lab, n, address, PerFamily { ipv4: Some(encoding(0)), ipv6: None });
}

fn join_with(lab: &mut Lab, n: u32, address: IpAddr, families: PerFamily<Option<Encoding>>) {
    let mut effects = Vec::new();
    let of_range = Joined { id: joined(n), range: RANGE, name: format!("hosts/{address}"), address };
    let up = SessionUp { number: session(n), families, enhanced_refresh: false, address };
    lab.engine.handle(Time::ZERO, Input::Joined(of_range), &mut effects);
    lab.engine.handle(Time::ZERO, Input::SessionUp(joined(n), up), &mut effects);
    assert!(effects.is_empty());
}

/// What is handed out to each of them until nothing is left.
fn handed_out(lab: &mut Lab) -> BTreeMap<GatewayId, Vec<Arc<Chunk>>> {
    let mut effects = Vec::new();
    while lab.engine.work(&mut effects) {}
    let mut chunks: BTreeMap<GatewayId, Vec<Arc<Chunk>>> = BTreeMap::new();
    for effect in effects {
        if let Effect::Send(gateway, _, chunk) = effect {
            chunks.entry(gateway).or_default().push(chunk);
        }
    }
    chunks
}

fn table(chunks: &[Arc<Chunk>]) -> Vec<Prefix> {
    let mut gateway = Gateway::new(PerFamily { ipv4: true, ipv6: false }, &encoding(0));
    chunks.iter().for_each(|chunk| _ = gateway.hear(chunk));
    gateway.routes().into_keys().collect()
}

#[test]
fn a_host_that_peers_in_is_told_all_routes_but_those_via_itself() {
    let mut lab = hosts();
    let strangers = ["10.168.9.8", "10.168.9.9"].map(|text| text.parse().unwrap());
    for (n, address) in (0..).zip([addresses(0)[0], addresses(1)[0], strangers[0], strangers[1]]) {
        join(&mut lab, n, address);
    }
    let chunks = handed_out(&mut lab);
    assert_eq!(table(&chunks[&joined(0)]), [prefix(2), prefix(4)]);
    assert_eq!(table(&chunks[&joined(1)]), [prefix(0), prefix(4)]);
    assert_eq!(table(&chunks[&joined(2)]), [prefix(0), prefix(2), prefix(4)]);
    // Who is no next hop shares the octets.
    assert_eq!(chunks[&joined(2)][0].bytes.as_ptr(), chunks[&joined(3)][0].bytes.as_ptr());
    assert_ne!(chunks[&joined(0)][0].bytes.as_ptr(), chunks[&joined(3)][0].bytes.as_ptr());
}

/// Both families, over one session that comes from an IPv4 address.
fn join_with_both(lab: &mut Lab, n: u32, address: IpAddr) {
    join_with(lab, n, address, PerFamily::from_fn(|_| Some(encoding(0))));
}

/// A route back to a host by its other address would be as wrong as one by the address that it peers from.
#[test]
fn a_host_that_peers_in_over_one_family_is_not_told_its_own_routes_of_the_other() {
    let of_both = |n: u8| vec![prefix(2 * n), prefix(2 * n + 1)];
    let mut lab = Lab::new();
    for n in 0..2 {
        lab.put(0, n, Host { addresses: addresses(n), subnets: of_both(n) });
    }
    lab.settle();
    let mut peers = [1, 3].map(|n| {
        join_with_both(&mut lab, n, addresses(n as u8)[0]);
        Gateway::new(PerFamily { ipv4: true, ipv6: true }, &encoding(0))
    });
    // What both have now, and how many messages that took.
    let mut hear = |lab: &mut Lab| {
        lab.wait_served(Duration::from_secs(1));
        let mut chunks = handed_out(lab);
        [(0, 1), (1, 3)].map(|(place, n)| {
            let peer: &mut Gateway = &mut peers[place];
            let chunks = chunks.remove(&joined(n)).unwrap_or_default();
            chunks.iter().for_each(|chunk| _ = peer.hear(chunk));
            let messages: usize = chunks.iter().map(|chunk| chunk.ends.len()).sum();
            (peer.routes().into_keys().collect::<Vec<_>>(), messages)
        })
    };
    let sorted = |mut prefixes: Vec<Prefix>| {
        prefixes.sort_unstable();
        prefixes
    };
    let (others, all) = (of_both(0), sorted([of_both(0), of_both(1)].concat()));
    let [first, second] = hear(&mut lab);
    assert_eq!((first.0, second.0), (others.clone(), all.clone()));
    // Another IPv6 address of that host: it still has to be told nothing but that what it may have known is gone.
    let renumbered = vec![addresses(1)[0], "fd00:168::99".parse().unwrap()];
    lab.put(0, 1, Host { addresses: renumbered, subnets: of_both(1) });
    let [first, second] = hear(&mut lab);
    assert_eq!((first, second), ((others.clone(), 1), (all.clone(), 1)));
    // A host whose record comes after it has peered in, and which owns nothing of the family that it peers over.
    lab.put(0, 3, Host { addresses: addresses(3), subnets: vec![prefix(5)] });
    let [first, second] = hear(&mut lab);
    let with = |prefixes: &[Prefix]| sorted([prefixes, &[prefix(5)]].concat());
    assert_eq!((first, second), ((with(&others), 1), (all.clone(), 1)));
    // It is somebody else's at last.
    lab.put(0, 3, Host { addresses: addresses(3), subnets: vec![] });
    lab.put(0, 2, Host { addresses: addresses(2), subnets: vec![prefix(5)] });
    let [first, second] = hear(&mut lab);
    assert_eq!((first.0, second.0), (with(&others), with(&all)));
}

/// A host that peers in over IPv4 as number 3, beside host 0 with a subnet; what it holds after each of these writes.
fn told_after_each(writes: impl IntoIterator<Item = (u8, Host)>) -> Vec<Vec<Prefix>> {
    let mut lab = Lab::new();
    lab.put(0, 0, Host { addresses: addresses(0), subnets: vec![prefix(0)] });
    lab.settle();
    join_with_both(&mut lab, 3, addresses(3)[0]);
    let mut peer = Gateway::new(PerFamily { ipv4: true, ipv6: true }, &encoding(0));
    let after = |(n, host)| {
        lab.put(0, n, host);
        lab.wait_served(Duration::from_secs(1));
        let chunks = handed_out(&mut lab).remove(&joined(3)).unwrap_or_default();
        chunks.iter().for_each(|chunk| _ = peer.hear(chunk));
        peer.routes().into_keys().collect()
    };
    writes.into_iter().map(after).collect()
}

/// Routes that were told already go when it turns out that they lead to the host itself, and come back when they do not.
#[test]
fn what_a_host_was_told_before_its_addresses_were_known_is_withdrawn_from_it() {
    let only_ipv6 = || Host { addresses: vec![addresses(3)[1]], subnets: vec![prefix(5)] };
    let both = Host { addresses: addresses(3), subnets: vec![prefix(5)] };
    let told = told_after_each([(3, only_ipv6()), (3, both), (3, only_ipv6())]);
    assert_eq!(told, [vec![prefix(0), prefix(5)], vec![prefix(0)], vec![prefix(0), prefix(5)]]);
}

/// A record may state any address, also one that the fence refuses as a next hop; another host's routes are not its to take away.
#[test]
fn a_record_with_another_host_s_address_takes_that_host_s_routes_from_nobody_p2() {
    let (peers, anothers) = (addresses(3)[0], addresses(2)[1]);
    let fenced = prefix(6);
    let another = Host { addresses: vec![anothers], subnets: vec![prefix(5)] };
    let liar = |subnet| Host { addresses: vec![peers, anothers], subnets: vec![subnet] };
    let none = Host { addresses: vec![], subnets: vec![] };
    let told =
        told_after_each([(2, another), (1, liar(prefix(4))), (1, liar(fenced)), (2, none), (1, liar(prefix(1)))]);
    let both = vec![prefix(0), prefix(5)];
    // Once nobody else has it, it is the peer's own.
    assert_eq!(told, [both.clone(), both.clone(), both, vec![prefix(0)], vec![prefix(0)]]);
}

#[test]
fn who_has_left_is_told_nothing_and_the_others_go_on() {
    let mut lab = hosts();
    for n in 0..3 {
        join(&mut lab, n, IpAddr::from([10, 168, 9, n as u8]));
    }
    handed_out(&mut lab);
    lab.engine.handle(Time::ZERO, Input::Left(joined(0)), &mut Vec::new());
    // A reload keeps those that are there; then the range goes, and they with it.
    lab.engine.reconfigure(Time::ZERO, settings(0), &mut Vec::new());
    let ids = |lab: &Lab| lab.engine.gateway_rows().iter().map(|row| row.id).collect::<Vec<_>>();
    assert!(ids(&lab).contains(&joined(1)) && ids(&lab).contains(&joined(2)) && !ids(&lab).contains(&joined(0)));
    for n in [1, 2] {
        lab.engine.handle(Time::ZERO, Input::Refresh(joined(n), session(n), Family::Ipv4), &mut Vec::new());
    }
    let chunks = handed_out(&mut lab);
    assert_eq!(chunks.keys().copied().collect::<Vec<_>>(), [joined(1), joined(2)]);
    let mut without = settings(0);
    without.gateways.retain(|gateway| gateway.id != RANGE);
    lab.engine.reconfigure(Time::ZERO, without, &mut Vec::new());
    assert!(!ids(&lab).contains(&joined(1)));
    lab.engine.handle(Time::ZERO, Input::Left(joined(1)), &mut Vec::new());
}
