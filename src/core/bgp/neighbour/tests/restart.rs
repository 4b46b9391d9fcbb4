//! Rows 10, 11: what a gateway is told about restarts, and how a session ends when we mean it to.

use super::*;

/// Flags, time and families of the graceful restart capability in our last OPEN (RFC 4724 §3).
fn last_restart_capability(rig: &Rig) -> Vec<u8> {
    let (_, open) = rig.sent.iter().rev().find(|(_, message)| message[18] == OPEN).unwrap();
    let at = open.windows(2).position(|pair| pair[0] == 64 && pair[1] % 4 == 2).expect("no such capability");
    open[at + 2..at + 2 + usize::from(open[at + 1])].to_vec()
}

const R_AND_N: u8 = 0xc0;
const N: u8 = 0x40;

fn up_and_down(rig: &mut Rig, id: u64) {
    rig.connected(id);
    rig.receives(id, &GatewayOpen::from(HIGHER).graceful(true).bytes());
    assert_eq!(rig.receives(id, &keepalive()), format!("up {id}"));
    rig.closed(id);
    assert_eq!(rig.next(), "dial");
}

/// RFC 4724 §4.1.
#[test]
fn c10_the_restart_state_bit_stands_in_every_open_until_the_first_session() {
    let mut rig = Rig::seeded(config(), true, 3);
    rig.start();
    rig.connected(1);
    assert_eq!(last_restart_capability(&rig)[..2], [R_AND_N, 120]);
    // No session came of it: the next one is still the first.
    rig.receives(1, &GatewayOpen::from(HIGHER).bytes());
    rig.closed(1);
    assert_eq!(rig.next(), "dial");
    rig.connected(2);
    assert_eq!(last_restart_capability(&rig)[0], R_AND_N);
    rig.closed(2);
    assert_eq!(rig.next(), "dial");
    up_and_down(&mut rig, 3);
    assert_eq!(last_restart_capability(&rig)[0], R_AND_N);
    rig.connected(4);
    assert_eq!(last_restart_capability(&rig)[0], N, "the second session is no restart of ours");
}

#[test]
fn c10_a_first_start_is_no_restart() {
    let mut rig = Rig::new(config());
    rig.start();
    rig.connected(1);
    assert_eq!(last_restart_capability(&rig)[0], N);
}

/// F: the hosts forward, not we; so for every family, whatever becomes of this process. N: RFC 8538.
#[test]
fn c10_forwarding_is_preserved_for_every_family_and_notifications_are_graceful() {
    let families = PerFamily { ipv4: true, ipv6: true };
    let restart = |long_lived_stale_time| {
        Some(GracefulRestartConfig { restart_time: 0x0123, notification: true, long_lived_stale_time })
    };
    let rig = Rig::open_sent(NeighbourConfig { families, graceful_restart: restart(None), ..config() });
    assert_eq!(last_restart_capability(&rig), [0x41, 0x23, 0, 1, 1, 0x80, 0, 2, 1, 0x80]);
    let (_, open) = rig.sent.last().unwrap();
    assert!(!open.windows(2).any(|pair| pair == [71, 14]), "long-lived graceful restart is not configured");

    let rig = Rig::open_sent(NeighbourConfig { families, graceful_restart: restart(Some(0x0001_0203)), ..config() });
    let (_, open) = rig.sent.last().unwrap();
    let long_lived = [71, 14, 0, 1, 1, 0x80, 1, 2, 3, 0, 2, 1, 0x80, 1, 2, 3];
    assert!(open.windows(long_lived.len()).any(|window| window == long_lived), "{open:02x?}");
}

#[test]
fn c11_handing_over_closes_without_a_word() {
    for open in
        [GatewayOpen::from(HIGHER), GatewayOpen::from(HIGHER).graceful(false), GatewayOpen::from(HIGHER).graceful(true)]
    {
        let mut rig = Rig::established(config(), &open);
        let sent = rig.sent.len();
        assert_eq!(rig.input(Input::Stop(Stop::Handover)), "close 1, down 1 stopped");
        assert_eq!(rig.sent.len(), sent, "nothing is sent");
        assert_eq!((rig.state(), rig.until_next()), (State::Idle, None));
        assert_eq!(rig.status().last_sent, None);
    }
}

#[test]
fn c11_a_gateway_that_reads_too_slowly_is_closed_without_a_word_and_tried_again() {
    let mut rig = Rig::established(config(), &GatewayOpen::from(HIGHER).graceful(true));
    assert_eq!(rig.input(Input::TooSlow), "close 1, down 1 too_slow");
    assert_eq!(rig.next(), "dial");
}

/// RFC 8538 §3: where both set N a plain Cease keeps the routes, so it takes a Hard Reset to make the gateway drop them.
#[test]
fn c11_a_gateway_that_is_no_longer_configured_drops_the_routes() {
    let plain = (6, 3, vec![]);
    let hard = (6, 9, vec![6, 3]);
    let without = NeighbourConfig { graceful_restart: None, ..config() };
    let from = || GatewayOpen::from(HIGHER);
    for (ours, theirs, expected) in [
        (config(), from(), &plain),
        (config(), from().graceful(false), &plain),
        (config(), from().graceful(true), &hard),
        (without, from().graceful(true), &plain), // it never saw an N of ours
    ] {
        let mut rig = Rig::established(ours, &theirs);
        rig.input(Input::Stop(Stop::Deconfigured));
        assert_eq!(&rig.last_notification(), expected);
        assert_eq!((rig.state(), rig.until_next()), (State::Idle, None));
    }
}

/// RFC 9003 §2: the text with its length before it; RFC 8538 §3: inside a Hard Reset where both set N.
#[test]
fn c12_decommissioning_says_administrative_shutdown_with_a_text() {
    let text = b"this Fingerpost is being decommissioned";
    let data = [&[u8::try_from(text.len()).unwrap()][..], text].concat();
    let wrapped = [&[6, 2][..], &data].concat();
    let from = || GatewayOpen::from(HIGHER);
    for (theirs, expected) in [
        (from(), (6, 2, data.clone())),
        (from().graceful(false), (6, 2, data.clone())),
        (from().graceful(true), (6, 9, wrapped)),
    ] {
        let mut rig = Rig::established(config(), &theirs);
        rig.input(Input::Stop(Stop::Decommissioned));
        assert_eq!(rig.last_notification(), expected);
        assert_eq!((rig.state(), rig.until_next()), (State::Idle, None));
    }
}

#[test]
fn c11_stopping_ends_every_connection_and_every_attempt() {
    let mut rig = Rig::new(config());
    rig.start();
    rig.accepted(10);
    rig.receives(10, &GatewayOpen::from(HIGHER).bytes());
    rig.connected(1);
    assert_eq!(
        rig.input(Input::Stop(Stop::Deconfigured)),
        "6/3>10, close 10, failed stopped, 6/3>1, close 1, failed stopped"
    );
    assert_eq!((rig.state(), rig.until_next()), (State::Idle, None));
    // What was under way comes to nothing, and a second stop does nothing.
    assert_eq!(rig.connected(2), "close 2");
    assert_eq!(rig.accepted(11), "6/5>11, close 11");
    assert_eq!(rig.receives(10, &keepalive()), "");
    assert_eq!(rig.input(Input::ConnectFailed("late".into())), "");
    assert_eq!(rig.input(Input::Stop(Stop::Deconfigured)), "");
    // It can begin again.
    assert_eq!(rig.start(), "dial");
    assert_eq!(rig.connected(3), "open>3");
}

/// TESTS: a NOTIFICATION of the gateway's, with or without text, is kept to be shown, and never answered.
#[test]
fn c19_notifications_are_shown_escaped_and_never_answered() {
    let text = "maintenance\x1b[31m\nline two";
    let body = [&[6, 2, u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat();
    for (body, shown) in [
        (body, "6/2 Cease, Administrative Shutdown: \"maintenance\\u{1b}[31m\\nline two\""),
        (vec![6, 2, 200, b'x'], "invalid shutdown communication c878"),
        (vec![99, 42], "99/42 Unknown Error"),
        (vec![6, 9, 6, 3], "6/9 Cease, Hard Reset (6/3 Cease, Peer De-configured)"),
    ] {
        let mut rig = Rig::established(config(), &GatewayOpen::from(HIGHER));
        let sent = rig.sent.len();
        assert_eq!(rig.receives(1, &wrap(NOTIFICATION, &body)), "close 1, down 1 notification_received");
        assert_eq!(rig.sent.len(), sent);
        assert!(rig.last_end().contains(shown), "{}", rig.last_end());
        assert!(!rig.last_end().contains(['\n', '\x1b']));
        assert_eq!(rig.status().last_received.unwrap().1.data, body[2..]);
    }
}
