//! The framer, and all messages but UPDATE.

use crate::bounded;
use crate::reader::Reader;
use fingerpost_core::bgp::wire::{
    Capability, Frame, Framer, MAX_EXTENDED_LEN, MAX_LEN, MessageKind, Notification, Open, RefreshSubtype, RouteRefresh,
};

/// All frames, and the fault at the end if there is one, where the stream comes in pieces of `piece` octets.
fn frames(stream: &[u8], piece: usize, max: usize) -> (Vec<Frame>, Option<Notification>, usize) {
    let mut framer = Framer::new();
    framer.set_max_len(max);
    let mut frames = Vec::new();
    for octets in stream.chunks(piece.max(1)) {
        framer.push(octets);
        loop {
            match framer.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(fault) => {
                    assert_eq!(framer.buffered(), 0, "nothing is kept after a fault");
                    return (frames, Some(fault), 0);
                }
            }
        }
        assert!(framer.buffered() < max, "a whole message waits");
    }
    (frames, None, framer.buffered())
}

/// The first octet is the size of the pieces and, by its highest bit, the longest message; the rest is the stream.
pub(crate) fn framer(input: &[u8]) {
    let Some((&how, stream)) = input.split_first() else { return };
    let max = if how & 0x80 == 0 { MAX_LEN } else { MAX_EXTENDED_LEN };
    let (whole, fault, left) = bounded(stream, 8, 4096, || frames(stream, stream.len(), max));

    let mut at = 0;
    for frame in &whole {
        let message = &stream[at..at + frame.wire_len()];
        assert_eq!(message[..16], [0xFF; 16]);
        assert_eq!(usize::from(u16::from_be_bytes([message[16], message[17]])), message.len());
        assert_eq!((message[18], &message[19..]), (frame.kind.code(), &frame.body[..]));
        assert!(frame.kind != MessageKind::Open || message.len() <= MAX_LEN, "RFC 8654 §4");
        assert!(frame.kind != MessageKind::Keepalive || message.len() == 19);
        at += message.len();
    }
    match &fault {
        None => assert_eq!(at + left, stream.len(), "an octet is lost"),
        Some(fault) => assert!(matches!((fault.code, fault.subcode), (1, 1..=3)), "{fault}"),
    }
    for piece in [1, usize::from(how & 0x7F)] {
        assert_eq!(frames(stream, piece, max), (whole.clone(), fault.clone(), left), "in pieces of {piece}");
    }
}

/// What follows the header of an OPEN.
pub(crate) fn open(body: &[u8]) {
    match bounded(body, 96, 4096, || Open::decode(body)) {
        Ok(open) => {
            let encoded = open.encode();
            assert!(encoded.len() <= MAX_LEN, "RFC 8654 §4");
            // A longer one never comes out of the framer; of its capabilities we would leave out the last.
            if body.len() + 19 + 7 <= MAX_LEN {
                assert_eq!(Open::decode(&encoded[19..]), Ok(open.clone()));
            }
            // Its length fields must account for every octet.
            assert!(Open::decode(&body[..body.len() - 1]).is_err(), "the last octet does not matter");
            assert!(Open::decode(&[body, &[0]].concat()).is_err(), "an octet behind the end");
            let families = open.families().count();
            assert!(families <= 2);
            open.capabilities.iter().for_each(|capability| assert!(!capability.name().is_empty()));
            assert!(open.long_lived().is_none() || open.graceful_restart().is_some(), "RFC 9494 §4.1");
        }
        Err(fault) => {
            assert!(matches!((fault.code, fault.subcode), (2, 0..=4 | 6)), "{fault}");
            assert!(fault.encode().len() <= MAX_LEN);
        }
    }
}

/// The value of one capabilities parameter, in a correct OPEN.
pub(crate) fn capabilities(value: &[u8]) {
    let Ok(length) = u16::try_from(value.len()) else { return };
    let [high, low] = length.to_be_bytes();
    let [all_high, all_low] = length.saturating_add(3).to_be_bytes();
    let head = [4, 0xFC, 0, 0, 90, 10, 0, 3, 10, 255, 255, all_high, all_low, 2, high, low];
    let body = [&head, value].concat();
    let whole = whole(value);
    match Open::decode(&body) {
        Ok(open) => {
            assert_eq!(Some(open.capabilities.len()), whole, "not every capability is there once");
            for (found, capability) in codes(value).zip(&open.capabilities) {
                assert_eq!(found, capability.code());
                let known = !matches!(capability, Capability::Unknown { .. });
                assert_eq!(known, matches!(found, 1 | 2 | 5 | 6 | 64 | 65 | 70 | 71), "{capability:?}");
            }
        }
        // AS 0 in the four-octet capability is 2/2 (RFC 7607); all else that can be wrong is 2/0.
        Err(fault) => assert!(matches!((fault.code, fault.subcode), (2, 0 | 2)), "{fault}"),
    }
    open(&body);
}

fn codes(value: &[u8]) -> impl Iterator<Item = u8> {
    let mut reader = Reader(value);
    std::iter::from_fn(move || {
        let code = reader.u8()?;
        let length = reader.u8()?;
        reader.take(length.into())?;
        Some(code)
    })
}

/// How many capabilities stand in the value, if their lengths fill it.
fn whole(value: &[u8]) -> Option<usize> {
    let mut reader = Reader(value);
    let mut count = 0;
    while !reader.is_empty() {
        reader.u8()?;
        let length = reader.u8()?;
        reader.take(length.into())?;
        count += 1;
    }
    Some(count)
}

/// What follows the header of a NOTIFICATION.
pub(crate) fn notification(body: &[u8]) {
    let Ok(notification) = bounded(body, 4, 4096, || Notification::decode(body)) else {
        assert!(body.len() < 2, "any code, subcode and Data are read (RFC 4271 §6.4)");
        return;
    };
    let shown = bounded(body, 16, 4096, || notification.to_string());
    assert!(!shown.chars().any(|c| c.is_control()), "{shown:?} could write into a terminal");
    if let Some(Ok(text)) = notification.shutdown_text() {
        assert!((1..=255).contains(&text.len()), "RFC 9003 §2");
    }
    if let Some(reason) = notification.hard_reset_reason() {
        assert_eq!(Notification::hard_reset(&reason), notification);
    }
    let encoded = notification.encode();
    assert!(encoded.len() <= MAX_LEN);
    if body.len() + 19 <= MAX_LEN {
        assert_eq!(encoded[19..], *body);
    }
}

/// What follows the header of a ROUTE-REFRESH.
pub(crate) fn refresh(body: &[u8]) {
    match bounded(body, 4, 4096, || RouteRefresh::decode(body)) {
        Ok(refresh) => {
            assert_eq!(refresh.encode()[19..], body[..4]);
            let bracket = matches!(refresh.subtype, RefreshSubtype::Begin | RefreshSubtype::End);
            assert!(!bracket || body.len() == 4, "RFC 7313 §5");
        }
        Err(fault) if fault.code == 1 => {
            assert_eq!((fault.subcode, body.len() < 4), (2, true), "{fault}");
        }
        Err(fault) => {
            assert_eq!((fault.code, fault.subcode), (7, 1));
            assert!(matches!(body.get(2), Some(1 | 2)) && body.len() != 4, "{fault}");
            assert!(fault.encode().len() <= MAX_LEN);
        }
    }
}
