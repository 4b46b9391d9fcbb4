//! Rows 1, 2, 17, 18: which OPENs are refused, with what, and what the others lead to.

use super::*;
use crate::bgp::wire::SessionType;
use crate::model::Family;

fn id(id: u32) -> RouterId {
    RouterId::new(id).unwrap()
}

fn asn(asn: u32) -> Asn {
    Asn::new(asn).unwrap()
}

/// What our OPEN says, without its header.
pub(super) fn our_open(rig: &Rig) -> Vec<u8> {
    let (_, message) = rig.sent.iter().find(|(_, message)| message[18] == OPEN).unwrap();
    message[19..].to_vec()
}

/// The value of one of our capabilities. All stand in one parameter.
pub(super) fn our_capability(open: &[u8], wanted: u8) -> Option<Vec<u8>> {
    assert_eq!(usize::from(open[9]), open.len() - 10);
    assert_eq!(open[10], 2);
    let mut rest = &open[12..];
    while let [code, length, tail @ ..] = rest {
        let (value, after) = tail.split_at(usize::from(*length));
        if *code == wanted {
            return Some(value.to_vec());
        }
        rest = after;
    }
    None
}

#[test]
fn c1_a_bad_open_is_refused_with_its_code_and_data() {
    let good = GatewayOpen::from(HIGHER);
    let raw = |fixed: &[u8], parameters: &[u8]| wrap(OPEN, &[fixed, parameters].concat());
    let fixed = [4, 0xfb, 0xf4, 0, 90, 10, 0, 3, 254]; // version 4, AS 64500, 90 s
    let open = |version, asn: u16, hold: u16, id: u32| {
        let [a, b] = asn.to_be_bytes();
        let [c, d] = hold.to_be_bytes();
        raw(&[&[version, a, b, c, d][..], &id.to_be_bytes()].concat(), &[0])
    };
    // RFC 4271 §6.2: of these only 2/1 has Data, the largest version below; RFC 5492 §5: 2/7 the capabilities required.
    let cases = [
        ("version 3", open(3, 64500, 90, HIGHER), (2, 1, vec![0, 4])),
        ("version 5", open(5, 64500, 90, HIGHER), (2, 1, vec![0, 4])),
        ("another AS", open(4, 64501, 90, HIGHER), (2, 2, vec![])),
        ("AS 0", open(4, 0, 90, HIGHER), (2, 2, vec![])),
        ("another AS in four octets", GatewayOpen { asn: 4_200_000_000, ..good.clone() }.bytes(), (2, 2, vec![])),
        ("AS 0 in four octets", GatewayOpen { asn: 0, ..good.clone() }.bytes(), (2, 2, vec![])),
        ("identifier 0", open(4, 64500, 90, 0), (2, 3, vec![])),
        ("hold time 1 s", open(4, 64500, 1, HIGHER), (2, 6, vec![])),
        ("hold time 2 s", open(4, 64500, 2, HIGHER), (2, 6, vec![])),
        ("an unknown parameter", raw(&fixed, &[2, 1, 0]), (2, 4, vec![])),
        ("B1", raw(&fixed, &[255, 255, 2, 1, 1]), (2, 0, vec![])),
        ("B2", raw(&fixed, &[255]), (2, 0, vec![])),
        ("B3", raw(&fixed, &[255, 255, 0, 4, 2, 0, 2, 2]), (2, 0, vec![])),
        (
            "a multi-protocol capability of 3 octets",
            GatewayOpen { capabilities: vec![(1, vec![0, 1, 0])], ..good.clone() }.bytes(),
            (2, 0, vec![]),
        ),
        (
            "no family in common",
            GatewayOpen { capabilities: vec![(1, vec![0, 2, 0, 1]), (1, vec![0, 1, 0, 128])], ..good }.bytes(),
            (2, 7, vec![1, 4, 0, 1, 0, 1]),
        ),
    ];
    for (what, octets, expected) in cases {
        let mut rig = Rig::open_sent(config());
        let does = rig.receives(1, &octets);
        let (code, subcode, _) = expected;
        assert_eq!(does, format!("{code}/{subcode}>1, close 1, failed notification_sent"), "{what}");
        assert_eq!(rig.last_notification(), expected, "{what}");
        assert_eq!(rig.state(), State::Active, "{what}");
        assert_eq!(rig.status().last_sent.unwrap().1.code, code, "{what}");
    }
}

#[test]
fn c1_a_bad_open_is_said_with_its_value_and_the_remedy() {
    let open = |version, asn: u16, hold: u16, id: u32, parameters: &[u8]| {
        let ([a, b], [c, d]) = (asn.to_be_bytes(), hold.to_be_bytes());
        wrap(OPEN, &[&[version, a, b, c, d][..], &id.to_be_bytes(), parameters].concat())
    };
    let cases = [
        (open(3, 64500, 90, HIGHER, &[0]), "speaks BGP version 3", "version 4"),
        (open(4, 0, 90, HIGHER, &[0]), "is AS 0", "give the gateway its AS"),
        (open(4, 64500, 90, 0, &[0]), "identifier is 0.0.0.0", "set its router ID"),
        (open(4, 64500, 1, HIGHER, &[0]), "a hold time of 1 s", "0 or at least 3 s"),
        (open(4, 64500, 90, HIGHER, &[2, 1, 0]), "an optional parameter", "turn off"),
        (open(4, 64500, 90, HIGHER, &[255]), "malformed", "update its software"),
    ];
    for (octets, value, remedy) in cases {
        let mut rig = Rig::open_sent(config());
        rig.receives(1, &octets);
        let why = rig.last_end();
        assert!(why.contains(value) && why.contains(remedy), "{why}");
    }
}

#[test]
fn c1_the_wrong_as_is_said_with_both_numbers() {
    let mut rig = Rig::open_sent(config());
    rig.receives(1, &GatewayOpen { asn: 64999, ..GatewayOpen::from(HIGHER) }.bytes());
    let why = rig.last_end();
    assert!(
        why.contains("64999") && why.contains("64500") && why.contains("2/2 OPEN Message Error, Bad Peer AS"),
        "{why}"
    );
}

#[test]
fn c1_no_family_in_common_is_said_with_both_sides() {
    let mut rig = Rig::open_sent(config());
    let only_ipv6 = GatewayOpen { capabilities: vec![(1, vec![0, 2, 0, 1])], ..GatewayOpen::from(HIGHER) };
    rig.receives(1, &only_ipv6.bytes());
    let why = rig.last_end();
    assert!(why.contains("we offer ipv4") && why.contains("the gateway ipv6") && why.contains("2/7"), "{why}");
}

/// RFC 6286 §2.2: an error within one AS, allowed between two.
#[test]
fn c1_our_own_identifier_is_refused_on_ibgp_only() {
    let internal = NeighbourConfig { peer_asn: asn(OUR_AS), ..config() };
    let mut rig = Rig::open_sent(internal);
    rig.receives(1, &GatewayOpen { asn: OUR_AS, ..GatewayOpen::from(OURS) }.bytes());
    assert_eq!(rig.last_notification(), (2, 3, vec![]));
    assert!(rig.last_end().contains("10.0.3.10"), "{}", rig.last_end());
    Rig::established(config(), &GatewayOpen::from(OURS));
}

/// RFC 4760 §8: who has no multi-protocol capability, or no capabilities at all, speaks IPv4.
#[test]
fn c18_a_gateway_without_capabilities_gets_ipv4_and_two_octet_as_numbers() {
    let both = NeighbourConfig { families: PerFamily { ipv4: true, ipv6: true }, ..config() };
    let mut rig = Rig::open_sent(both);
    assert_eq!(rig.receives(1, &wrap(OPEN, &[4, 0xfb, 0xf4, 0, 90, 10, 0, 3, 254, 0])), "keepalive>1");
    rig.receives(1, &keepalive());
    let agreed = rig.status().agreed.unwrap();
    assert!(!agreed.families[Family::Ipv4].unwrap().four_octet_as);
    assert_eq!(agreed.families[Family::Ipv6], None);
    assert!(!agreed.peer_keeps_routes() && !agreed.enhanced_refresh);
}

#[test]
fn c18_unknown_capabilities_are_ignored_however_many() {
    let mut open = GatewayOpen::from(HIGHER);
    open.capabilities.extend((0..60).map(|code| (128 + code, vec![code])));
    Rig::established(config(), &open);
}

/// RFC 6793 §4: an AS number that needs four octets stands as AS_TRANS in the old field.
#[test]
fn c1_four_octet_as_numbers_are_spoken_and_understood() {
    let config = NeighbourConfig { local_asn: asn(4_200_000_001), peer_asn: asn(4_200_000_000), ..config() };
    let rig = Rig::established(config, &GatewayOpen { asn: 4_200_000_000, ..GatewayOpen::from(LOWER) });
    let open = our_open(&rig);
    assert_eq!(open[1..3], 23456u16.to_be_bytes());
    assert_eq!(our_capability(&open, 65), Some(4_200_000_001u32.to_be_bytes().to_vec()));
    let agreed = rig.status().agreed.unwrap();
    assert_eq!((agreed.peer_asn(), agreed.peer_id()), (asn(4_200_000_000), id(LOWER)));
}

#[test]
fn our_open_says_what_is_configured() {
    let families = PerFamily { ipv4: true, ipv6: true };
    let rig = Rig::open_sent(NeighbourConfig { families, enhanced_refresh: true, ..config() });
    let open = our_open(&rig);
    assert_eq!(open[..9], [4, 0xfc, 0, 0, 30, 10, 0, 3, 10]);
    assert_eq!(our_capability(&open, 1), Some(vec![0, 1, 0, 1]));
    assert_eq!(our_capability(&open[..], 2), Some(vec![]));
    assert_eq!(our_capability(&open, 65), Some(vec![0, 0, 0xfc, 0]));
    assert_eq!(our_capability(&open, 70), Some(vec![]));
    assert_eq!(our_capability(&open, 6), None, "extended messages are not offered");
    let rig = Rig::open_sent(NeighbourConfig { graceful_restart: None, ..config() });
    let open = our_open(&rig);
    assert_eq!([our_capability(&open, 64), our_capability(&open, 70), our_capability(&open, 71)], [None, None, None]);
}

#[test]
fn families_and_encoding_are_what_both_sides_offered() {
    let families = PerFamily { ipv4: true, ipv6: true };
    let mut open = GatewayOpen::from(HIGHER);
    open.capabilities = vec![(1, vec![0, 2, 0, 1]), (1, vec![0, 1, 0, 4]), (70, vec![])];
    let external = NeighbourConfig { families, enhanced_refresh: true, ..config() };
    let agreed = Rig::established(external, &open).status().agreed.unwrap();
    assert_eq!(agreed.families[Family::Ipv4], None, "labelled unicast is another family");
    let encoding = agreed.families[Family::Ipv6].unwrap();
    assert_eq!((encoding.session, encoding.local_asn), (SessionType::External, asn(OUR_AS)));
    assert!(encoding.four_octet_as && agreed.enhanced_refresh);
    assert_eq!(encoding.max_len, 4096, "extended messages are received by agreement only");

    let internal = NeighbourConfig { peer_asn: asn(OUR_AS), enhanced_refresh: false, families, ..config() };
    let agreed = Rig::established(internal, &GatewayOpen { asn: OUR_AS, ..open }).status().agreed.unwrap();
    assert_eq!(agreed.session, SessionType::Internal);
    assert!(!agreed.enhanced_refresh, "we did not offer it");
}

/// RFC 4271 §4.2: the smaller one; RFC 4271 §4.4: KEEPALIVEs no further apart than a third of it.
#[test]
fn c2_the_smaller_hold_time_counts() {
    for (ours, theirs, wanted_keepalive, hold, interval) in [
        (30, 90, 10, 30, Some(10)),
        (90, 30, 30, 30, Some(10)),
        (30, 30, 5, 30, Some(5)),
        (90, 3, 30, 3, Some(1)),
        (3, 65535, 1, 3, Some(1)),
        (0, 90, 0, 0, None),
        (30, 0, 10, 0, None),
        (0, 0, 0, 0, None),
        (30, 90, 0, 30, Some(1)), // never more than one a second (RFC 4271 §4.4)
    ] {
        let timers = Timers { hold: hold_time(ours), keepalive: seconds(wanted_keepalive), ..Timers::default() };
        let rig = Rig::established(NeighbourConfig { timers, ..config() }, &GatewayOpen::from(HIGHER).hold(theirs));
        let agreed = rig.status().agreed.unwrap();
        let expected = (hold_time(hold), interval.map(seconds));
        assert_eq!((agreed.hold_time, agreed.keepalive), expected, "{ours} and {theirs}");
        assert_eq!(our_open(&rig)[3..5], ours.to_be_bytes());
    }
}
