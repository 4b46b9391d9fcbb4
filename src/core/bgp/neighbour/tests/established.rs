//! Rows 3, 16, 20: messages with and without a place, faults in them, and what is counted.

use super::*;
use crate::bgp::neighbour::{Counters, Direction};

/// RFC 6608 §3: the subcode says in which state, the Data which message.
#[test]
fn c3_a_message_out_of_turn_ends_the_connection() {
    let open = GatewayOpen::from(HIGHER);
    let update = wrap(UPDATE, &[0, 0, 0, 0]);
    let refresh = wrap(ROUTE_REFRESH, &[0, 1, 0, 1]);
    for (subcode, kind, octets) in [
        (1, KEEPALIVE, keepalive()),
        (1, UPDATE, update.clone()),
        (1, ROUTE_REFRESH, refresh.clone()),
        (2, OPEN, open.bytes()),
        (2, UPDATE, update),
        (2, ROUTE_REFRESH, refresh),
        (3, OPEN, open.bytes()),
    ] {
        let mut rig = match subcode {
            1 => Rig::open_sent(config()),
            2 => Rig::open_confirm(config(), &open),
            _ => Rig::established(config(), &open),
        };
        rig.receives(1, &octets);
        assert_eq!(rig.last_notification(), (5, subcode, vec![kind]));
        assert_eq!(rig.state(), State::Active);
    }
}

/// RFC 4271 §6.1, in every state that has a connection; what comes after is not looked at.
#[test]
fn c16_a_malformed_header_is_answered_with_its_code_and_data() {
    let open = GatewayOpen::from(HIGHER);
    let with = |length: u16, kind: u8| [&[0xff; 16][..], &length.to_be_bytes(), &[kind]].concat();
    let mut marker = keepalive();
    marker[15] = 0xfe;
    for (octets, expected) in [
        (marker, (1, 1, vec![])),
        (with(18, KEEPALIVE), (1, 2, vec![0, 18])),
        (with(20, KEEPALIVE), (1, 2, vec![0, 20])),
        (with(28, OPEN), (1, 2, vec![0, 28])),
        (with(22, UPDATE), (1, 2, vec![0, 22])),
        (with(20, NOTIFICATION), (1, 2, vec![0, 20])),
        (with(4097, UPDATE), (1, 2, vec![0x10, 1])),
        (with(19, 0), (1, 3, vec![0])),
        (with(19, 6), (1, 3, vec![6])),
    ] {
        for mut rig in [Rig::open_sent(config()), Rig::open_confirm(config(), &open), Rig::established(config(), &open)]
        {
            let followed = [octets.clone(), keepalive(), keepalive()].concat();
            let does = rig.receives(1, &followed);
            assert!(does.starts_with(&format!("{}/{}>1, close 1", expected.0, expected.1)), "{does}");
            assert_eq!(rig.last_notification(), expected);
            assert_eq!(rig.receives(1, &keepalive()), "", "the connection is gone");
        }
    }
}

#[test]
fn c16_octet_by_octet_and_all_at_once_come_to_the_same() {
    let stream = [
        GatewayOpen::from(HIGHER).bytes(),
        keepalive(),
        wrap(UPDATE, &[0, 0, 0, 0]),
        wrap(ROUTE_REFRESH, &[0, 1, 0, 1]),
        keepalive(),
        notification(6, 2),
        keepalive(),
    ]
    .concat();
    let expected = "keepalive>1, up 1, update 1, refresh 1 ipv4, close 1, down 1 notification_received";
    let mut rig = Rig::open_sent(config());
    assert_eq!(rig.receives(1, &stream), expected);
    let mut rig = Rig::open_sent(config());
    let does: Vec<String> =
        stream.iter().map(|octet| rig.receives(1, &[*octet])).filter(|does| !does.is_empty()).collect();
    assert_eq!(does.join(", "), expected);
}

/// RFC 7606: the session stays as long as every prefix can be found.
#[test]
fn c20_only_an_update_that_hides_prefixes_ends_the_session() {
    let origin_of_two_octets = [0, 0, 0, 4, 0x40, 1, 1, 9, 24, 10, 1, 2];
    for (body, stays) in [
        (&[0, 0, 0, 0][..], true),               // End-of-RIB
        (&origin_of_two_octets[..], true),       // treat-as-withdraw
        (&[0, 0, 0, 0, 24, 10, 1, 2][..], true), // B11
        (&[0, 9, 0, 0][..], false),              // B9
        (&[0, 0, 0, 9, 1][..], false),           // B9
        (&[0, 1, 33, 0, 0][..], false),          // a prefix of 33 bits
    ] {
        let mut rig = Rig::established(config(), &GatewayOpen::from(HIGHER));
        let does = rig.receives(1, &wrap(UPDATE, body));
        assert_eq!(does.ends_with("update 1"), stays, "{body:?}: {does}");
        assert_eq!(rig.state() == State::Established, stays, "{body:?}");
    }
}

/// RFC 2918 §4, RFC 7313 §5.
#[test]
fn c9_a_refresh_is_for_a_family_that_was_agreed_on() {
    for (body, does) in [
        (&[0, 1, 0, 1][..], "refresh 1 ipv4"),
        (&[0, 2, 0, 1][..], ""),                     // not agreed on
        (&[0, 1, 0, 128][..], ""),                   // unknown
        (&[0, 1, 1, 1][..], ""),                     // BoRR
        (&[0, 1, 2, 1][..], ""),                     // EoRR
        (&[0, 1, 77, 1][..], ""),                    // an unknown subtype
        (&[0, 1, 0, 1, 1, 2][..], "refresh 1 ipv4"), // with outbound route filters
        (&[0, 1, 1, 1, 0][..], "7/1>1, close 1, down 1 notification_sent"),
        (&[0, 1, 2][..], "7/1>1, close 1, down 1 notification_sent"),
        (&[0, 1, 0][..], "1/2>1, close 1, down 1 notification_sent"),
    ] {
        let mut rig = Rig::established(config(), &GatewayOpen::from(HIGHER));
        assert_eq!(rig.receives(1, &wrap(ROUTE_REFRESH, body)), does, "{body:?}");
    }
}

#[test]
fn status_counts_messages_and_keeps_moments() {
    let mut rig = Rig::established(config(), &GatewayOpen::from(HIGHER));
    let up = rig.now;
    rig.input(Input::Written(ConnectionId(1), 5));
    rig.now = rig.now + seconds(3);
    rig.receives(1, &[wrap(UPDATE, &[0, 0, 0, 0]), wrap(ROUTE_REFRESH, &[0, 1, 0, 1])].concat());
    let status = rig.status();
    assert_eq!((status.state, status.since, status.established), (State::Established, up, 1));
    assert_eq!(status.received, Counters { open: 1, update: 1, keepalive: 1, route_refresh: 1, notification: 0 });
    assert_eq!(status.sent, Counters { open: 1, update: 5, keepalive: 1, route_refresh: 0, notification: 0 });
    assert_eq!(status.direction, Some(Direction::Outgoing));
    assert!(status.agreed.is_some() && status.last_end.is_none());

    rig.receives(1, &notification(6, 4));
    let status = rig.status();
    assert_eq!((status.state, status.since, status.established), (State::Active, rig.now, 1));
    assert_eq!((status.agreed, status.direction), (None, None));
    assert_eq!(status.received.notification, 1);
    let (at, end) = status.last_end.unwrap();
    assert_eq!((at, end.reason()), (rig.now, "notification_received"));

    // What is refused without OPEN counts as well.
    let mut rig = Rig::established(config(), &GatewayOpen::from(HIGHER));
    rig.accepted(2);
    let (_, last) = rig.status().last_sent.expect("6/7 was sent");
    assert_eq!((last.code, last.subcode, rig.status().sent.notification), (6, 7, 1));
}
