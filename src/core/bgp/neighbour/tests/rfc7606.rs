//! Row 26: the table of RFC 7606 through a session, on iBGP and on eBGP: the route, the session and the NOTIFICATION.

use super::*;
use crate::bgp::wire::Update;
use crate::bgp::wire::tests::rfc7606::{Case, cases};

fn session(internal: bool) -> Rig {
    let asn = if internal { OUR_AS } else { THEIR_AS };
    let families = PerFamily { ipv4: true, ipv6: true };
    let mut open = GatewayOpen { asn, ..GatewayOpen::from(HIGHER) };
    open.capabilities.push((1, vec![0, 2, 0, 1]));
    Rig::established(NeighbourConfig { peer_asn: Asn::new(asn).unwrap(), families, ..config() }, &open)
}

/// What the session does, in words, and what it hands on.
fn give(rig: &mut Rig, octets: &[u8]) -> (String, Option<Box<Update>>) {
    let mut effects = Vec::new();
    rig.neighbour.handle(rig.now, Input::Received(ConnectionId(1), octets), &mut effects);
    let update = effects.iter().find_map(|effect| match effect {
        Effect::Update(_, update) => Some(update.clone()),
        _ => None,
    });
    (rig.does(effects), update)
}

/// UPDATEs treated as withdrawals and attributes left out, as counted.
fn update_errors(rig: &Rig) -> [u64; 2] {
    let errors = rig.neighbour.status().update_errors;
    [errors.treat_as_withdraw, errors.attribute_discard]
}

/// What RFC 4271 §6.3 has as Data: nothing, the type of the attribute that is missing, or the attribute itself.
fn data_is_right(case: &Case, subcode: u8, data: &[u8]) -> bool {
    match subcode {
        1 | 10 | 11 => data.is_empty(),
        3 => data.len() == 1,
        _ => data.len() >= 3 && case.body.windows(data.len()).any(|part| part == data),
    }
}

fn fault(case: &Case, internal: bool) -> Option<String> {
    let expected = case.expected[usize::from(!internal)];
    let mut rig = session(internal);
    let before = rig.sent.len();
    let (does, update) = give(&mut rig, &wrap(UPDATE, &case.body));
    let (kind, code) = expected.split_once(' ').unwrap_or((expected, ""));
    if kind == "reset" {
        let (major, subcode, data) = rig.last_notification();
        let right = does == format!("{code}>1, close 1, down 1 notification_sent")
            && format!("{major}/{subcode}") == code
            && data_is_right(case, subcode, &data)
            && rig.state() == State::Active
            && update.is_none();
        return (!right).then(|| format!("{does}, Data {data:?}, not {expected}"));
    }
    let Some(update) = update else { return Some(format!("{does}, not {expected}")) };
    let (reachable, withdrawn) = match kind {
        "withdraw" => (&Vec::new(), &case.routes),
        _ => (&case.routes, &Vec::new()),
    };
    let (said, errors) = (if kind == "ok" { "update 1" } else { "update error 1, update 1" }, update_errors(&rig));
    let right = does == said
        // RFC 7606 §8
        && errors == [u64::from(kind == "withdraw"), update.discarded.len() as u64]
        && (&update.reachable, &update.withdrawn) == (reachable, withdrawn)
        && (kind == "withdraw" || update.discarded.is_empty() == (kind == "ok"))
        // The session stays, without a word about it, and goes on.
        && rig.state() == State::Established
        && rig.sent.len() == before
        && give(&mut rig, &keepalive()).0.is_empty()
        && give(&mut rig, &wrap(UPDATE, &[0, 0, 0, 0])).0 == "update 1";
    (!right).then(|| format!("{does}, {update:?}, not {expected}"))
}

#[test]
fn c26_route_session_and_notification_of_every_row_on_ibgp_and_ebgp() {
    let cases = cases();
    assert!(cases.len() >= 88, "only {} rows", cases.len());
    let mut faults = Vec::new();
    for case in &cases {
        for internal in [true, false] {
            if let Some(what) = fault(case, internal) {
                faults.push(format!("{} (internal {internal}): {what}", case.title));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// RFC 7606 §8: an error that does not end the session is said with the attribute and the reason, and counted.
#[test]
fn c26_what_is_withdrawn_or_left_out_is_said_and_counted() {
    let said = |rig: &mut Rig, title: &str| {
        let case = cases().into_iter().find(|case| case.title == title).unwrap();
        let mut effects = Vec::new();
        rig.neighbour.handle(rig.now, Input::Received(ConnectionId(1), &wrap(UPDATE, &case.body)), &mut effects);
        effects.into_iter().find_map(|effect| match effect {
            Effect::UpdateError(_, error) => Some((error.attribute.to_string(), error.withdrawn)),
            _ => None,
        })
    };
    let mut rig = session(false);
    let discard = said(&mut rig, "ATOMIC_AGGREGATE of 1").unwrap();
    assert_eq!(discard, ("ATOMIC_AGGREGATE has the wrong length 1".into(), None));
    assert_eq!(update_errors(&rig), [0, 1]);
    let withdraw = said(&mut rig, "without ORIGIN").unwrap();
    assert_eq!(withdraw, ("ORIGIN is missing".into(), Some(1)));
    assert_eq!(update_errors(&rig), [1, 1]);
    let both = said(&mut rig, "discard and withdraw").unwrap();
    assert_eq!(both.1, Some(1), "{both:?}");
    assert_eq!(update_errors(&rig), [2, 2]);
}

/// How the octets come makes no difference to any row.
#[test]
fn c26_octet_by_octet_every_row_does_the_same() {
    for case in cases() {
        let message = wrap(UPDATE, &case.body);
        let (whole, _) = give(&mut session(false), &message);
        let mut rig = session(false);
        let pieces: Vec<_> = message.iter().map(|octet| give(&mut rig, &[*octet]).0).collect();
        assert_eq!(pieces.last(), Some(&whole), "{}", case.title);
        assert!(pieces.iter().rev().skip(1).all(String::is_empty), "{}: before its end", case.title);
    }
}
