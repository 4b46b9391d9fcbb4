//! Row 19 and the words of NOTIFICATION.

use super::super::{Capability, CeaseSubcode, MessageKind, Notification, NotificationTooShort, Unexpected};
use super::{hex, wrap};
use bytes::Bytes;

fn notification(body: &str) -> Notification {
    Notification::decode(&hex(body)).unwrap()
}

#[test]
fn encoded_as_in_rfc_4271() {
    assert_eq!(Notification::HOLD_TIMER_EXPIRED.encode(), wrap(3, &hex("0400")));
    assert_eq!(Notification::unsupported_version().encode(), wrap(3, &hex("0201 0004")));
    assert_eq!(Notification::bad_message_length(4097).encode(), wrap(3, &hex("0102 1001")));
    assert_eq!(Notification::bad_message_type(9).encode(), wrap(3, &hex("0103 09")));
    assert_eq!(Notification::cease(CeaseSubcode::ConnectionCollision).encode(), wrap(3, &hex("0607")));
    let required = Capability::MultiProtocol { afi: 2, safi: 1 };
    assert_eq!(Notification::unsupported_capability(&required).encode(), wrap(3, &hex("0207 0104 0002 0001")));
}

#[test]
fn c03_an_unexpected_message_is_5_with_the_state_and_the_type() {
    for (state, body) in
        [(Unexpected::OpenSent, "0501 02"), (Unexpected::OpenConfirm, "0502 02"), (Unexpected::Established, "0503 02")]
    {
        assert_eq!(Notification::unexpected_message(state, MessageKind::Update).encode(), wrap(3, &hex(body)));
    }
}

#[test]
fn shown_with_the_names_of_the_rfcs() {
    for (body, text) in [
        ("0101", "1/1 Message Header Error, Connection Not Synchronized"),
        ("0201 0004", "2/1 OPEN Message Error, Unsupported Version Number"),
        ("0200", "2/0 OPEN Message Error"),
        ("020b", "2/11 OPEN Message Error, Role Mismatch"),
        ("030b", "3/11 UPDATE Message Error, Malformed AS_PATH"),
        ("0400", "4/0 Hold Timer Expired"),
        ("0503", "5/3 Finite State Machine Error, Receive Unexpected Message in Established State"),
        ("0607", "6/7 Cease, Connection Collision Resolution"),
        ("0701", "7/1 ROUTE-REFRESH Message Error, Invalid Message Length"),
        ("0800", "8/0 Send Hold Timer Expired"),
    ] {
        assert_eq!(notification(body).to_string(), text);
    }
}

#[test]
fn every_cease_has_a_name() {
    for subcode in 1..=10 {
        assert!(notification(&format!("06{subcode:02x}")).subcode_name().is_some());
    }
    assert_eq!(CeaseSubcode::BfdDown.code(), 10);
}

#[test]
fn c19_unknown_codes_are_shown_by_number_b7() {
    assert_eq!(notification("0663").to_string(), "6/99 Cease, Unknown Subcode");
    assert_eq!(notification("2a07 00").to_string(), "42/7 Unknown Error, Unknown Subcode");
    assert_eq!(notification("0000").to_string(), "0/0 Unknown Error");
}

#[test]
fn c19_shutdown_text_is_read_and_escaped_b7() {
    let hello = notification("0602 05 68656c6c6f");
    assert_eq!(hello.shutdown_text(), Some(Ok("hello")));
    assert_eq!(hello.to_string(), "6/2 Cease, Administrative Shutdown: \"hello\"");
    // Line feed, quote, ESC [ and U+202E (right-to-left override).
    let nasty = notification("0604 08 0a 22 1b 5b 41 e280ae");
    assert_eq!(nasty.to_string(), "6/4 Cease, Administrative Reset: \"\\n\\\"\\u{1b}[A\\u{202e}\"");
}

#[test]
fn c19_shutdown_text_longer_than_the_data_or_no_utf8_is_shown_as_octets_b7() {
    for (body, shown) in [
        ("0602 06 68656c6c6f", "0668656c6c6f"),
        ("0602 ff", "ff"),
        ("0604 02 ff fe", "02fffe"),
        ("0602 01 c3", "01c3"), // half a character
    ] {
        let notification = notification(body);
        assert!(matches!(notification.shutdown_text(), Some(Err(_))), "{body}");
        assert!(notification.to_string().ends_with(&format!("invalid shutdown communication {shown}")), "{body}");
    }
    let long = Notification::new(6, 2, vec![0xFF; 4000]);
    assert!(long.to_string().len() < 200, "a log line stays short");
}

#[test]
fn only_shutdown_and_reset_have_a_text() {
    assert_eq!(notification("0602").shutdown_text(), None);
    assert_eq!(notification("0602 00").shutdown_text(), None);
    assert_eq!(notification("0603 05 68656c6c6f").shutdown_text(), None);
}

#[test]
fn shutdown_text_is_cut_between_characters_for_receivers_of_128_octets() {
    assert_eq!(Notification::administrative_shutdown("bye").encode(), wrap(3, &hex("0602 03 627965")));
    assert_eq!(Notification::administrative_reset("").encode(), wrap(3, &hex("0604")));
    let long = Notification::administrative_reset(&"é".repeat(100)); // two octets each
    assert_eq!(long.shutdown_text(), Some(Ok("é".repeat(64).as_str())));
    let odd = Notification::administrative_shutdown(&format!("x{}", "é".repeat(100)));
    assert_eq!(odd.data[0], 127);
    assert!(matches!(odd.shutdown_text(), Some(Ok(_))));
}

#[test]
fn hard_reset_wraps_the_real_reason() {
    let reset = Notification::hard_reset(&Notification::administrative_shutdown("bye"));
    assert_eq!(reset.encode(), wrap(3, &hex("0609 0602 03 627965")));
    assert_eq!(reset.hard_reset_reason(), Some(Notification::administrative_shutdown("bye")));
    assert_eq!(reset.to_string(), "6/9 Cease, Hard Reset (6/2 Cease, Administrative Shutdown: \"bye\")");
    assert_eq!(notification("0609 06").hard_reset_reason(), None);
    assert_eq!(notification("0602 0607").hard_reset_reason(), None);
}

#[test]
fn c19_hard_resets_inside_each_other_do_not_grow_the_stack_b7() {
    let nested = Notification::new(6, 9, hex("0609").repeat(30_000));
    assert_eq!(nested.to_string(), "6/9 Cease, Hard Reset (6/9 Cease, Hard Reset)");
}

#[test]
fn c08_never_longer_than_4096_octets() {
    let long = Notification::new(3, 5, vec![1; 60_000]).encode();
    assert_eq!((long.len(), &long[16..19]), (4096, &hex("1000 03")[..]));
}

#[test]
fn c19_too_short_is_an_error_of_its_own() {
    assert_eq!(Notification::decode(&[]), Err(NotificationTooShort(0)));
    assert_eq!(Notification::decode(&[6]), Err(NotificationTooShort(1)));
    assert_eq!(notification("0602").data, Bytes::new());
}
