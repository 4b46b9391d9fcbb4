//! Rows 8, 13, 14: what our OPEN offers beyond families, and what becomes of it where the gateway offers it too, or not.

use super::negotiate::{our_capability, our_open};
use super::*;
use crate::bgp::wire::Encoding;
use crate::model::Family;

/// An UPDATE of exactly so many octets that withdraws nothing and announces nothing: an unknown, optional attribute fills it.
fn update_of(length: usize) -> Vec<u8> {
    let value = length - 19 - 4 - 4;
    let mut attribute = vec![0xd0, 99];
    attribute.extend(u16::try_from(value).unwrap().to_be_bytes());
    attribute.resize(4 + value, 0);
    let attributes = u16::try_from(attribute.len()).unwrap().to_be_bytes();
    wrap(UPDATE, &[&[0, 0][..], &attributes, &attribute].concat())
}

/// The gateway's OPEN with one capability more.
fn with(code: u8, value: &[u8]) -> GatewayOpen {
    let mut open = GatewayOpen::from(HIGHER);
    open.capabilities.push((code, value.to_vec()));
    open
}

fn ipv4_encoding(rig: &Rig) -> Encoding {
    rig.status().agreed.unwrap().families[Family::Ipv4].unwrap()
}

/// RFC 8654 §4: up to 65,535 octets, from a gateway with which that was agreed; of any other, 4,097 are a malformed header.
#[test]
fn c8_long_messages_are_taken_only_where_both_sides_advertised_them() {
    let offering = NeighbourConfig { extended_messages: true, ..config() };
    assert_eq!(our_capability(&our_open(&Rig::open_sent(offering.clone())), 6), Some(vec![]));
    assert_eq!(our_capability(&our_open(&Rig::open_sent(config())), 6), None);

    let mut rig = Rig::established(offering.clone(), &with(6, &[]));
    for length in [4096, 4097, 65535] {
        assert_eq!(rig.receives(1, &update_of(length)), "update 1", "{length}");
    }
    for (ours, theirs) in
        [(offering, GatewayOpen::from(HIGHER)), (config(), with(6, &[])), (config(), GatewayOpen::from(HIGHER))]
    {
        let mut rig = Rig::established(ours, &theirs);
        assert_eq!(rig.receives(1, &update_of(4096)), "update 1");
        rig.receives(1, &update_of(4097));
        assert_eq!(rig.last_notification(), (1, 2, vec![0x10, 1]));
    }
}

/// RFC 8654 §4: an OPEN, which comes before any agreement, and a KEEPALIVE never get longer.
#[test]
fn c8_open_and_keepalive_are_never_extended() {
    let offering = NeighbourConfig { extended_messages: true, ..config() };
    let header = |length: u16, kind: u8| [&[0xff; 16][..], &length.to_be_bytes(), &[kind]].concat();
    let mut rig = Rig::open_sent(offering.clone());
    rig.receives(1, &header(4097, OPEN));
    assert_eq!(rig.last_notification(), (1, 2, vec![0x10, 1]));
    for (length, kind) in [(4097, OPEN), (20, KEEPALIVE), (4097, KEEPALIVE)] {
        let mut rig = Rig::established(offering.clone(), &with(6, &[]));
        rig.receives(1, &header(length, kind));
        assert_eq!(rig.last_notification(), (1, 2, length.to_be_bytes().to_vec()));
    }
    let rig = Rig::established(offering, &with(6, &[]));
    assert!(rig.sent.iter().all(|(_, message)| message.len() <= 4096));
}

/// What we send needs no more than 4,096 octets, and a gateway that takes more takes that too.
#[test]
fn c8_what_we_send_stays_within_4096_octets_whatever_was_agreed() {
    let rig = Rig::established(NeighbourConfig { extended_messages: true, ..config() }, &with(6, &[]));
    assert!(rig.status().agreed.unwrap().extended_messages);
    assert_eq!(ipv4_encoding(&rig).max_len, 4096);
}

/// RFC 8950 §4: the capability names AFI and SAFI of the routes and the AFI of the next hop; it counts only for these.
#[test]
fn c14_an_ipv6_next_hop_of_ipv4_routes_needs_both_sides_and_the_right_tuple() {
    let offering = NeighbourConfig { extended_next_hop: true, ..config() };
    let tuple = [0, 1, 0, 1, 0, 2];
    assert_eq!(our_capability(&our_open(&Rig::open_sent(offering.clone())), 5), Some(tuple.to_vec()));
    assert_eq!(our_capability(&our_open(&Rig::open_sent(config())), 5), None);
    let only_ipv6 = NeighbourConfig { families: PerFamily { ipv4: false, ipv6: true }, ..offering.clone() };
    assert_eq!(our_capability(&our_open(&Rig::open_sent(only_ipv6)), 5), None, "it concerns IPv4");

    for (ours, theirs, agreed) in [
        (offering.clone(), with(5, &tuple), true),
        (offering.clone(), with(5, &[0, 1, 0, 128, 0, 2, 0, 1, 0, 1, 0, 2]), true), // of several
        (offering.clone(), with(5, &[0, 1, 0, 128, 0, 2]), false),                  // of VPN routes
        (offering.clone(), with(5, &[0, 2, 0, 1, 0, 1]), false),                    // the other way round
        (offering.clone(), with(5, &[]), false),
        (offering, GatewayOpen::from(HIGHER), false),
        (config(), with(5, &tuple), false),
    ] {
        let rig = Rig::established(ours, &theirs);
        assert_eq!(ipv4_encoding(&rig).ipv4_via_ipv6, agreed, "{theirs:?}");
    }
}

/// IPv6 routes have IPv6 next hops in any case: their encoding stays that of gateways without the capability, so that they
/// share bytes.
#[test]
fn c14_the_capability_leaves_ipv6_routes_alone() {
    let ours = NeighbourConfig { extended_next_hop: true, families: PerFamily { ipv4: true, ipv6: true }, ..config() };
    let mut open = with(5, &[0, 1, 0, 1, 0, 2]);
    open.capabilities.push((1, vec![0, 2, 0, 1]));
    let agreed = Rig::established(ours, &open).status().agreed.unwrap();
    assert!(agreed.families[Family::Ipv4].unwrap().ipv4_via_ipv6);
    assert!(!agreed.families[Family::Ipv6].unwrap().ipv4_via_ipv6);
}

/// RFC 9494 §4.1 with RFC 4724 §3: a restart time of 0 and a stale time: the routes are stale at once, and kept.
#[test]
fn c13_the_open_of_several_replicas_has_restart_time_0_and_a_stale_time() {
    let restart = GracefulRestartConfig { restart_time: 0, notification: true, long_lived_stale_time: Some(600) };
    let ours = NeighbourConfig { graceful_restart: Some(restart), ..config() };
    let open = our_open(&Rig::open_sent(ours));
    assert_eq!(our_capability(&open, 64), Some(vec![0x40, 0, 0, 1, 1, 0x80]));
    assert_eq!(our_capability(&open, 71), Some(vec![0, 1, 1, 0x80, 0, 0x02, 0x58]));
}

/// RFC 9494 §4.1: the long-lived capability means nothing without the other one, so neither is offered without.
#[test]
fn c13_long_lived_is_never_offered_alone() {
    let open = our_open(&Rig::open_sent(NeighbourConfig { graceful_restart: None, ..config() }));
    assert_eq!([our_capability(&open, 64), our_capability(&open, 71)], [None, None]);
}

/// RFC 8538 §2: N is ours to set or not, and what a Cease does depends on both sides' N.
#[test]
fn c11_without_our_n_bit_a_plain_cease_makes_the_gateway_drop_the_routes() {
    let restart = GracefulRestartConfig { restart_time: 120, notification: false, long_lived_stale_time: None };
    let ours = NeighbourConfig { graceful_restart: Some(restart), ..config() };
    let mut rig = Rig::established(ours, &GatewayOpen::from(HIGHER).graceful(true));
    assert_eq!(our_capability(&our_open(&rig), 64), Some(vec![0, 120, 0, 1, 1, 0x80]));
    assert!(!rig.status().agreed.unwrap().notification_keeps_routes);
    rig.input(Input::Stop(Stop::Deconfigured));
    assert_eq!(rig.last_notification(), (6, 3, vec![]));
}
