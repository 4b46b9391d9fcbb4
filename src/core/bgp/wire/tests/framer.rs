//! Row 16: faults of the header (RFC 4271 §6.1), and delivery in pieces.

use super::super::{Framer, MAX_EXTENDED_LEN, MessageKind, Notification, keepalive};
use super::{MARKER, code, hex, wrap};

fn fault(bytes: &[u8]) -> Option<Notification> {
    let mut framer = Framer::new();
    framer.push(bytes);
    framer.next().err()
}

#[test]
fn keepalive_is_a_header_of_type_4() {
    assert_eq!(keepalive(), hex(&format!("{MARKER} 0013 04")));
}

#[test]
fn c16_marker_not_all_ones_is_1_1() {
    for at in 0..16 {
        let mut message = keepalive().to_vec();
        message[at] = 0xFE;
        let fault = fault(&message).unwrap();
        assert_eq!((code(&fault).as_str(), fault.data.len()), ("1/1", 0));
    }
}

#[test]
fn c16_length_no_message_can_have_is_1_2_with_the_length_field() {
    for (length, kind) in [
        ("0000", "04"),
        ("0012", "04"), // less than a header
        ("1001", "02"),
        ("ffff", "02"), // more than 4096
        ("001c", "01"), // OPEN of 28
        ("1001", "01"),
        ("0016", "02"), // UPDATE of 22
        ("0014", "03"), // NOTIFICATION of 20
        ("0014", "04"), // KEEPALIVE of 20
        ("1001", "05"),
        ("1001", "09"), // the length is looked at before the type
    ] {
        let fault = fault(&hex(&format!("{MARKER} {length} {kind}"))).expect(length);
        assert_eq!(code(&fault), "1/2", "{length} {kind}");
        assert_eq!(fault.data, hex(length), "{length} {kind}");
    }
}

#[test]
fn c16_unknown_type_is_1_3_with_the_type() {
    for kind in [0, 6, 255] {
        let fault = fault(&wrap(kind, &[])).unwrap();
        assert_eq!((code(&fault).as_str(), &fault.data[..]), ("1/3", &[kind][..]));
    }
}

#[test]
fn c16_the_shortest_and_longest_of_each_type_pass() {
    for (kind, body) in [(1, 10), (1, 4077), (2, 4), (2, 4077), (3, 2), (3, 4077), (4, 0), (5, 4), (5, 4077)] {
        let mut framer = Framer::new();
        framer.push(&wrap(kind, &vec![0; body]));
        let frame = framer.next().unwrap().unwrap();
        assert_eq!((frame.kind.code(), frame.body.len(), frame.wire_len()), (kind, body, body + 19));
    }
}

#[test]
fn c16_octet_by_octet_delivery_works() {
    let stream = [wrap(1, &[7; 10]), keepalive().to_vec(), wrap(2, &[0; 4]), wrap(2, &[1; 4077])].concat();
    let mut framer = Framer::new();
    let mut kinds = Vec::new();
    for octet in stream {
        framer.push(&[octet]);
        assert!(framer.buffered() <= 4096);
        while let Some(frame) = framer.next().unwrap() {
            kinds.push((frame.kind, frame.body.len()));
        }
    }
    assert_eq!(
        kinds,
        [(MessageKind::Open, 10), (MessageKind::Keepalive, 0), (MessageKind::Update, 4), (MessageKind::Update, 4077)]
    );
}

#[test]
fn c16_a_bad_header_is_refused_before_its_body_comes() {
    let mut framer = Framer::new();
    framer.push(&hex(MARKER));
    framer.push(&hex("ff ff"));
    assert_eq!(framer.next(), Ok(None));
    framer.push(&hex("02"));
    assert_eq!(code(&framer.next().unwrap_err()), "1/2");
}

#[test]
fn c16_after_a_fault_nothing_is_kept_and_the_fault_stays() {
    let mut framer = Framer::new();
    framer.push(&wrap(9, &[]));
    let fault = framer.next().unwrap_err();
    framer.push(&vec![0xFF; 1 << 20]);
    framer.push(&keepalive());
    assert_eq!((framer.buffered(), framer.next()), (0, Err(fault)));
}

#[test]
fn c08_extended_messages_only_after_both_agreed_and_never_for_open_and_keepalive() {
    let mut framer = Framer::new();
    framer.set_max_len(MAX_EXTENDED_LEN);
    for kind in [2, 3, 5] {
        framer.push(&wrap(kind, &vec![0; 65535 - 19]));
        assert_eq!(framer.next().unwrap().unwrap().wire_len(), 65535);
    }
    framer.push(&wrap(1, &vec![0; 4096 - 19]));
    assert_eq!(framer.next().unwrap().unwrap().kind, MessageKind::Open);
    framer.push(&wrap(1, &vec![0; 4097 - 19]));
    let fault = framer.next().unwrap_err();
    assert_eq!((code(&fault).as_str(), &fault.data[..]), ("1/2", &hex("1001")[..]));
}
