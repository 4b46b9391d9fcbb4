//! Rows 2, 5, 6: every timer runs as long as it should, and not longer.

use super::*;
use std::collections::BTreeMap;

/// How long until what is done next.
fn next_after(rig: &mut Rig) -> (Duration, String) {
    let pause = rig.until_next().expect("nothing is due ever");
    let does = rig.next();
    (pause, does)
}

#[test]
fn c2_keepalives_are_spread_over_a_quarter_of_their_interval() {
    let mut pauses = Vec::new();
    for seed in 0..40 {
        let mut rig = Rig::seeded(config(), false, seed);
        rig.start();
        rig.connected(1);
        rig.receives(1, &GatewayOpen::from(HIGHER).bytes());
        rig.receives(1, &keepalive());
        for _ in 0..10 {
            let (pause, does) = next_after(&mut rig);
            assert_eq!(does, "keepalive>1");
            pauses.push(pause);
            rig.receives(1, &keepalive());
            rig.input(Input::Progress(ConnectionId(1)));
        }
    }
    assert!(pauses.iter().all(|pause| (7500..=10_000).contains(&pause.as_millis())), "{pauses:?}");
    let (shortest, longest) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
    assert!(shortest.as_millis() < 7600 && longest.as_millis() > 9900, "{shortest:?} to {longest:?}");
}

/// RFC 4271 §8.2.2: whatever is sent restarts KeepaliveTimer; half a message is none.
#[test]
fn c2_what_is_sent_puts_the_next_keepalive_off() {
    let mut rig = Rig::established(config(), &GatewayOpen::from(HIGHER));
    for (input, put_off) in [(Input::Written(ConnectionId(1), 3), true), (Input::Progress(ConnectionId(1)), false)] {
        let before = rig.neighbour.next_deadline().unwrap();
        rig.now = rig.now + seconds(5);
        rig.input(input);
        rig.receives(1, &keepalive());
        let after = rig.neighbour.next_deadline().unwrap();
        assert_eq!(after >= rig.now + Duration::from_millis(7500), put_off);
        assert_eq!(after == before, !put_off);
    }
    assert_eq!(rig.status().sent.update, 3);
}

/// RFC 4271 §4.2, §6.5.
#[test]
fn c2_silence_for_the_hold_time_ends_the_session_with_4_0() {
    let mut rig = Rig::established(config(), &GatewayOpen::from(HIGHER));
    let heard = rig.now;
    loop {
        let does = rig.next();
        if does != "keepalive>1" {
            assert_eq!(does, "4/0>1, close 1, down 1 hold_timer_expired");
            break;
        }
    }
    assert_eq!(rig.now, heard + seconds(30));
    assert_eq!(rig.last_notification(), (4, 0, vec![]));
    assert!(rig.until_next().unwrap() >= Duration::from_millis(3750));
}

/// After a long pause of the process everything is due at once: nothing is sent on what has ended.
#[test]
fn c2_what_ends_a_session_comes_before_its_keepalive() {
    for (pause, does) in
        [(31, "4/0>1, close 1, down 1 hold_timer_expired"), (481, "4/0>1, close 1, down 1 hold_timer_expired")]
    {
        let mut rig = Rig::established(config(), &GatewayOpen::from(HIGHER));
        rig.now = rig.now + seconds(pause);
        assert_eq!(rig.due(), does);
    }
}

#[test]
fn c2_every_kind_of_message_keeps_a_session_alive() {
    for message in [
        keepalive(),
        wrap(UPDATE, &[0, 0, 0, 0]),
        wrap(ROUTE_REFRESH, &[0, 1, 0, 1]),
        wrap(ROUTE_REFRESH, &[0, 9, 0, 9]),
        wrap(ROUTE_REFRESH, &[0, 1, 77, 1]),
    ] {
        let mut rig = Rig::established(config(), &GatewayOpen::from(HIGHER));
        rig.now = rig.now + seconds(29);
        rig.receives(1, &message);
        rig.now = rig.now + seconds(29);
        assert_eq!(rig.due(), "keepalive>1", "{message:?}");
        rig.now = rig.now + seconds(1);
        assert!(rig.due().contains("hold_timer_expired"));
    }
}

/// Half a message is none: a gateway that sends octets for ever is not alive by that.
#[test]
fn c16_half_a_message_keeps_no_session_alive() {
    let mut rig = Rig::established(config(), &GatewayOpen::from(HIGHER));
    for octet in wrap(UPDATE, &[0; 40]).iter().take(29) {
        rig.receives(1, &[*octet]);
        rig.now = rig.now + seconds(1);
        assert!(!rig.due().contains("down"));
    }
    rig.now = rig.now + seconds(1);
    assert!(rig.due().contains("down 1 hold_timer_expired"));
}

#[test]
fn c2_a_hold_time_of_zero_disables_hold_keepalive_and_send_hold() {
    let mut rig = Rig::established(config(), &GatewayOpen::from(HIGHER).hold(0));
    assert_eq!(rig.until_next(), None);
    rig.receives(1, &keepalive());
    rig.input(Input::Written(ConnectionId(1), 1));
    rig.input(Input::Progress(ConnectionId(1)));
    assert_eq!(rig.until_next(), None);
}

/// Without a hold time nothing else would ever end a connection that stops here, and it would keep us from dialling.
#[test]
fn c2_a_hold_time_of_zero_does_not_let_openconfirm_wait_for_ever() {
    let mut rig = Rig::open_confirm(config(), &GatewayOpen::from(HIGHER).hold(0));
    let (pause, does) = next_after(&mut rig);
    assert_eq!(does, "4/0>1, close 1, failed hold_timer_expired");
    assert!(pause <= seconds(240));
}

/// RFC 4271 §8.2.2 suggests four minutes; then the negotiated time counts.
#[test]
fn c2_an_open_may_take_four_minutes_and_its_keepalive_the_hold_time() {
    let mut rig = Rig::open_sent(config());
    let (pause, does) = next_after(&mut rig);
    assert_eq!((pause, does.as_str()), (seconds(240), "4/0>1, close 1, failed hold_timer_expired"));

    let mut rig = Rig::open_confirm(config(), &GatewayOpen::from(HIGHER).hold(9));
    let began = rig.now;
    while rig.state() == State::OpenConfirm {
        rig.next();
    }
    assert_eq!(rig.now, began + seconds(9));
}

#[test]
fn c5_a_dead_gateway_is_tried_again_at_jittered_bounded_intervals() {
    let mut pauses = Vec::new();
    for seed in 0..20 {
        let mut rig = Rig::seeded(config(), false, seed);
        assert_eq!(rig.start(), "dial");
        for _ in 0..50 {
            assert_eq!(rig.input(Input::ConnectFailed("Connection refused".into())), "failed connect_failed");
            assert_eq!(rig.state(), State::Active);
            let (pause, does) = next_after(&mut rig);
            assert_eq!(does, "dial");
            pauses.push(pause);
        }
    }
    assert!(pauses.iter().all(|pause| (3750..=5000).contains(&pause.as_millis())));
    let (shortest, longest) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
    assert!(shortest.as_millis() < 3800 && longest.as_millis() > 4950, "{shortest:?} to {longest:?}");
}

/// How many of a hundred gateways are dialled in each tenth of a second after all of them went at the same moment, whether
/// they refuse us or their sessions end. Their seeds are made as the speaker makes them.
fn dials_after_all_went(seed: u64, had_sessions: bool) -> BTreeMap<u128, usize> {
    let mut windows = BTreeMap::new();
    for id in 0..100u64 {
        let mut rig = Rig::seeded(config(), false, seed ^ (id << 32));
        rig.start();
        if had_sessions {
            rig.connected(1);
            rig.receives(1, &GatewayOpen::from(HIGHER).bytes());
            assert_eq!(rig.receives(1, &keepalive()), "up 1");
            rig.closed(1);
        } else {
            rig.input(Input::ConnectFailed("Connection refused".into()));
        }
        let (pause, does) = next_after(&mut rig);
        assert_eq!(does, "dial");
        *windows.entry(pause.as_millis() / 100).or_default() += 1;
    }
    windows
}

#[test]
fn c63_a_hundred_gateways_that_went_together_are_dialled_all_over_the_jitter() {
    for seed in [0, 1, 0x1234_5678_9abc_def0, u64::MAX] {
        for had_sessions in [false, true] {
            let windows = dials_after_all_went(seed, had_sessions);
            // 3.75 s to 5 s: twelve windows and a half, so eight dials in each if they were spread perfectly evenly.
            assert!(windows.keys().all(|window| (37..50).contains(window)), "{windows:?}");
            assert!(
                windows.len() >= 12 && windows.values().all(|&dials| dials <= 24),
                "a thundering herd: {windows:?}"
            );
            assert_eq!(windows.values().sum::<usize>(), 100, "each of them, once");
        }
    }
}

#[test]
fn c5_a_connect_retry_time_of_zero_is_no_busy_loop() {
    let timers = Timers { connect_retry: Duration::ZERO, ..Timers::default() };
    let mut rig = Rig::new(NeighbourConfig { timers, ..config() });
    rig.start();
    rig.input(Input::ConnectFailed("Connection refused".into()));
    assert!(rig.until_next().unwrap() >= Duration::from_millis(75));
}

/// Event 9 in Connect: an attempt that takes longer than ConnectRetryTime is given up for another.
#[test]
fn c5_an_attempt_without_answer_is_given_up_and_made_again() {
    let mut rig = Rig::new(config());
    rig.start();
    for _ in 0..10 {
        let (pause, does) = next_after(&mut rig);
        assert_eq!(does, "abort, failed timed_out, dial");
        assert!((3750..=5000).contains(&pause.as_millis()));
    }
    assert_eq!(rig.connected(1), "open>1", "and in the end it is there");
}

/// A gateway that connects and fails, again and again, is dialled as if it did not.
#[test]
fn c5_failing_connections_of_the_gateway_do_not_put_ours_off() {
    let mut rig = Rig::new(config());
    rig.start();
    rig.input(Input::ConnectFailed("Connection refused".into()));
    let until = rig.neighbour.next_deadline().unwrap();
    for id in 10.. {
        rig.now = rig.now + seconds(1);
        if rig.now > until {
            break;
        }
        assert_eq!(rig.accepted(id), "open>".to_owned() + &id.to_string());
        rig.closed(id);
    }
    assert_eq!(rig.neighbour.next_deadline(), Some(until));
    assert_eq!(rig.due(), "dial");
}

/// A connection of the gateway's that stays silent may do so for four minutes, but we do not wait for it.
#[test]
fn c5_a_silent_connection_of_the_gateway_does_not_keep_us_from_dialling() {
    let mut rig = Rig::new(config());
    rig.start();
    rig.input(Input::ConnectFailed("Connection refused".into()));
    rig.accepted(10);
    assert_eq!(rig.next(), "dial");
    // One that has shown that it works does.
    let mut rig = Rig::new(config());
    rig.start();
    rig.input(Input::ConnectFailed("Connection refused".into()));
    rig.accepted(10);
    rig.receives(10, &GatewayOpen::from(HIGHER).bytes());
    assert_eq!(rig.next(), "");
    assert_eq!(rig.receives(10, &keepalive()), "up 10");
    assert_eq!(rig.neighbour.connect_retry, None);
}

#[test]
fn c5_a_passive_neighbour_never_dials() {
    let mut rig = Rig::new(NeighbourConfig { passive: true, ..config() });
    assert_eq!(rig.start(), "");
    assert_eq!((rig.state(), rig.until_next()), (State::Active, None));
    rig.accepted(1);
    rig.receives(1, &GatewayOpen::from(HIGHER).bytes());
    assert_eq!(rig.receives(1, &keepalive()), "up 1");
    assert_eq!(rig.closed(1), "close 1, down 1 closed");
    assert_eq!((rig.state(), rig.until_next()), (State::Active, None));
}

/// RFC 9687 §4: the larger of eight minutes and twice the hold time since something was last taken.
#[test]
fn c6_a_gateway_that_keeps_alive_but_never_reads_is_dropped() {
    for (hold, expected) in [(30, 480), (240, 480), (300, 600), (3600, 7200)] {
        let timers = Timers { hold: hold_time(hold), keepalive: seconds(1), ..Timers::default() };
        let open = GatewayOpen::from(HIGHER).hold(hold);
        let mut rig = Rig::established(NeighbourConfig { timers, ..config() }, &open);
        // At first it reads.
        rig.now = rig.now + Duration::from_millis(500);
        rig.input(Input::Progress(ConnectionId(1)));
        let took = rig.now;
        let does = loop {
            let does = rig.next();
            if does != "keepalive>1" {
                break does;
            }
            rig.receives(1, &keepalive());
        };
        // A NOTIFICATION would not arrive; FIN and RST let the gateway keep the routes.
        assert_eq!(does, "close 1, down 1 send_hold_timer_expired", "hold time {hold}");
        assert_eq!(rig.now, took + seconds(expected), "hold time {hold}");
        assert_eq!(rig.state(), State::Active);
    }
}

/// What keeps a connection from being made is said, and it is tried again; where there is a connection, nothing is wrong.
#[test]
fn c64_without_its_password_nothing_is_dialled_and_it_is_tried_again() {
    let missing = || Input::NoPassword("key: No such file".into());
    let mut rig = Rig::new(config());
    assert_eq!(rig.start(), "dial");
    assert_eq!(rig.input(missing()), "failed no_password");
    assert_eq!((rig.state(), rig.next().as_str()), (State::Active, "dial"));
    let mut rig = Rig::established(config(), &GatewayOpen::from(HIGHER));
    assert_eq!((rig.input(missing()).as_str(), rig.state()), ("", State::Established));
}
