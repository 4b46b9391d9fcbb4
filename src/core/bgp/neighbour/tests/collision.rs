//! Row 4: two connections with one gateway (RFC 4271 §6.8, RFC 6286 §2.3, RFC 4724 §4.2).

use super::pair::Pair;
use super::*;
use crate::model::Rng;

/// What came of both sides beginning at about the same time.
struct Outcome {
    /// The later of both sides' sessions, counted from when both had begun.
    took: Duration,
    sessions: [u64; 2],
    /// The one with the higher identifier dialled.
    by_higher: bool,
    collided: bool,
}

/// Both sides begin within `delay`, and every message takes up to `delay`.
fn simultaneous_open(seed: u64, delay: Duration, with_restart: bool) -> Outcome {
    let mut rng = Rng::new(!seed);
    let ids = loop {
        let ids = [0, 1].map(|_| (rng.next_u64() % 4 + 1) as u32 * 0x3f00_0001);
        // Within one AS identifiers must differ; between two the AS numbers decide where they do not.
        if ids[0] != ids[1] || seed.is_multiple_of(2) {
            break ids;
        }
    };
    let asns = if seed.is_multiple_of(2) { [OUR_AS, THEIR_AS] } else { [OUR_AS; 2] };
    let mut configs = [Pair::side(ids[0], asns[0], asns[1]), Pair::side(ids[1], asns[1], asns[0])];
    if !with_restart {
        configs = configs.map(|config| NeighbourConfig { graceful_restart: None, ..config });
    }
    let mut pair = Pair::new(configs, delay, seed);
    let began = pair.now + delay;
    pair.run_until(began + seconds(120));
    let story = |pair: &Pair| format!("seed {seed}, restart {with_restart}:\n{}", pair.story());
    let Some((_, dialled_by)) = pair.session() else { panic!("no session, {}", story(&pair)) };
    assert_eq!(pair.connections(), [1, 1], "connections are left over, {}", story(&pair));
    let log = |pair: &Pair| pair.sides.iter().flat_map(|side| side.log.clone()).collect::<Vec<_>>();
    let last_up = log(&pair).into_iter().filter(|(_, words)| words.starts_with("up")).map(|(at, _)| at).max();
    Outcome {
        took: last_up.unwrap().since(began),
        sessions: [pair.sides[0].ups, pair.sides[1].ups],
        by_higher: dialled_by == usize::from((ids[1], asns[1]) > (ids[0], asns[0])),
        collided: log(&pair).iter().any(|(_, words)| words.starts_with("6/7")),
    }
}

#[test]
fn c4_simultaneous_open_ends_in_one_session_on_both_sides() {
    for (with_restart, delay) in [(false, 50), (true, 50), (false, 800), (true, 800)] {
        let delay = Duration::from_millis(delay);
        let outcomes: Vec<Outcome> = (0..1000).map(|seed| simultaneous_open(seed, delay, with_restart)).collect();
        // The test sees what it is about …
        let collided = outcomes.iter().filter(|outcome| outcome.collided).count();
        assert!(collided > 300, "only {collided} of 1000 collided");
        // … the higher identifier's connection stays, unless the other one stood when it was made …
        let by_higher = outcomes.iter().filter(|outcome| outcome.collided && outcome.by_higher).count();
        assert!(by_higher * 10 > collided * 7, "{by_higher} of {collided}");
        // … never do both connections end, so that both sides begin again after ConnectRetryTime …
        let longest = outcomes.iter().map(|outcome| outcome.took).max().unwrap();
        assert!(longest < delay * 20, "it took {longest:?}");
        // … and a session that came up on one side only, because the other side chose the other connection, is rare.
        let twice = outcomes.iter().filter(|outcome| outcome.sessions != [1, 1]).count();
        assert!(twice < 100, "{twice} of 1000 changed the connection after it was established");
    }
}

fn graceful() -> GatewayOpen {
    GatewayOpen::from(LOWER).graceful(false)
}

/// Our connection 1 and the gateway's 2, both with our OPEN sent.
fn both_open_sent() -> Rig {
    let mut rig = Rig::open_sent(config());
    assert_eq!(rig.accepted(2), "open>2");
    rig
}

/// RFC 4271 §6.8: whichever OPEN comes second decides, and not by its order.
#[test]
fn c4_the_higher_identifiers_connection_stays_and_the_other_gets_6_7() {
    for (id, first, winner) in [(HIGHER, 1, 2), (HIGHER, 2, 2), (LOWER, 1, 1), (LOWER, 2, 1)] {
        let (second, loser) = (3 - first, 3 - winner);
        let open = GatewayOpen::from(id).bytes();
        let mut rig = both_open_sent();
        assert_eq!(rig.receives(first, &open), format!("keepalive>{first}"));
        let does = rig.receives(second, &open);
        let lost = format!("6/7>{loser}, close {loser}, failed collision");
        if second == winner {
            assert_eq!(does, format!("{lost}, keepalive>{winner}"));
        } else {
            assert_eq!(does, lost);
        }
        assert_eq!(rig.receives(winner, &keepalive()), format!("up {winner}"));
        assert_eq!(rig.neighbour.connections.len(), 1);
        assert_eq!(rig.status().last_end, None, "a lost collision is nothing that people look for");
    }
}

/// RFC 6286 §2.3: between two ASes identifiers may be equal; then the higher AS number counts.
#[test]
fn c4_equal_identifiers_are_decided_by_the_as_number() {
    let open = GatewayOpen::from(OURS).bytes();
    let mut rig = both_open_sent(); // AS 64512 against 64500
    rig.receives(1, &open);
    assert_eq!(rig.receives(2, &open), "6/7>2, close 2, failed collision");
}

#[test]
fn c4_an_established_session_is_not_dumped_for_a_newcomer() {
    let mut rig = Rig::established(config(), &GatewayOpen::from(HIGHER));
    for id in 2..100 {
        assert_eq!(rig.accepted(id), format!("6/7>{id}, close {id}"));
        assert_eq!(rig.receives(id, &GatewayOpen::from(HIGHER).bytes()), "");
    }
    assert_eq!(rig.state(), State::Established);
}

/// Connections that crossed: ours stood first, the gateway's OPEN on the other one comes now.
fn crossed(id: u32) -> (Rig, String) {
    let open = GatewayOpen::from(id).graceful(true).bytes();
    let mut rig = both_open_sent();
    rig.receives(1, &open);
    assert_eq!(rig.receives(1, &keepalive()), "up 1");
    let does = rig.receives(2, &open);
    assert_eq!(rig.state(), State::Established);
    (rig, does)
}

#[test]
fn c4_a_crossing_connection_that_would_lose_is_closed() {
    let (_, does) = crossed(LOWER);
    assert_eq!(does, "6/7>2, close 2, failed collision");
}

/// The gateway may have chosen the crossing connection before it saw the session stand: it is for it to say.
#[test]
fn c4_a_crossing_connection_that_would_win_waits_for_the_gateways_choice() {
    // It chooses the session: 6/7 comes for the other one.
    let (mut rig, does) = crossed(HIGHER);
    assert_eq!(does, "");
    assert_eq!(rig.receives(2, &notification(6, 7)), "close 2, failed notification_received");
    assert_eq!(rig.state(), State::Established);

    // It chooses the newcomer: 6/7 comes for the session, and KEEPALIVE for the newcomer, in either order.
    let (mut rig, _) = crossed(HIGHER);
    assert_eq!(rig.receives(1, &notification(6, 7)), "close 1, down 1 notification_received, keepalive>2");
    assert_eq!(rig.receives(2, &keepalive()), "up 2");
    let (mut rig, _) = crossed(HIGHER);
    assert_eq!(rig.receives(2, &keepalive()), "", "a session is not dumped by us");
    assert_eq!(rig.receives(1, &notification(6, 7)), "close 1, down 1 notification_received, keepalive>2, up 2");
    assert_eq!(rig.neighbour.connections.len(), 1);

    // It does not choose: the session stays.
    let (mut rig, _) = crossed(HIGHER);
    let (began, mut done) = (rig.now, Vec::new());
    while rig.neighbour.connections.len() == 2 {
        done.push(rig.next());
        rig.receives(1, &keepalive());
        rig.receives(2, &keepalive());
    }
    assert_eq!(rig.now, began + seconds(30));
    assert_eq!(done.pop().unwrap(), "6/7>2, close 2, failed collision");
    assert!(done.iter().all(|does| does == "keepalive>1"));
    assert_eq!(rig.state(), State::Established);

    // It says what nobody says who waits for our KEEPALIVE.
    let (mut rig, _) = crossed(HIGHER);
    rig.receives(2, &wrap(UPDATE, &[0, 0, 0, 0]));
    assert_eq!(rig.last_notification(), (5, 2, vec![UPDATE]));
    assert_eq!(rig.state(), State::Established);
}

/// The gateway restarts while a connection that crossed its session still waits.
#[test]
fn c4_of_two_connections_that_wait_the_newer_stays() {
    let mut rig = both_open_sent();
    rig.receives(2, &graceful().bytes());
    assert_eq!(rig.receives(2, &keepalive()), "up 2");
    assert_eq!(rig.receives(1, &graceful().bytes()), "");
    assert_eq!(rig.accepted(3), "open>3");
    assert_eq!(rig.receives(3, &graceful().bytes()), "6/7>1, close 1, failed collision, keepalive>3");
    assert_eq!(rig.receives(3, &keepalive()), "close 2, down 2 peer_restarted, up 3");
    assert_eq!(rig.neighbour.connections.len(), 1);
}

#[test]
fn c4_stopping_ends_a_session_and_the_connection_that_waits() {
    let (mut rig, _) = crossed(HIGHER);
    rig.receives(2, &keepalive());
    assert_eq!(rig.input(Input::Stop(Stop::Handover)), "close 1, down 1 stopped, close 2, failed stopped");
    assert_eq!(rig.until_next(), None);
}

/// RFC 4724 §4.2.
#[test]
fn c4_a_gateway_that_keeps_routes_and_opens_anew_has_restarted() {
    let mut rig = Rig::established(config(), &graceful());
    // Half-dead, the old session still stands, whatever the newcomer has said so far …
    assert_eq!(rig.accepted(2), "open>2");
    assert_eq!(rig.receives(2, &graceful().bytes()), "keepalive>2");
    assert_eq!(rig.state(), State::Established);
    // … until it shows that it has agreed to our OPEN, which only one that knows of no session does.
    assert_eq!(rig.receives(2, &keepalive()), "close 1, down 1 peer_restarted, up 2");
    assert_eq!(rig.receives(1, &keepalive()), "");
    let status = rig.status();
    assert_eq!((status.state, status.established, status.sent.notification), (State::Established, 2, 0));
    assert_eq!(status.direction, Some(crate::bgp::neighbour::Direction::Incoming));
    // Again, and now from the other direction's session.
    rig.accepted(3);
    rig.receives(3, &graceful().bytes());
    assert_eq!(rig.receives(3, &keepalive()), "close 2, down 2 peer_restarted, up 3");
}

/// What it said before counts (RFC 4724 §4.2), not what it says now.
#[test]
fn c4_a_gateway_may_come_back_without_graceful_restart() {
    let mut rig = Rig::established(config(), &graceful());
    rig.accepted(2);
    assert_eq!(rig.receives(2, &GatewayOpen::from(LOWER).bytes()), "keepalive>2");
    assert_eq!(rig.receives(2, &keepalive()), "close 1, down 1 peer_restarted, up 2");
}

/// A connection that outlived the session it came after says nothing about the next one.
#[test]
fn c4_a_newcomer_is_no_sign_of_a_restart_once_its_session_has_ended() {
    let mut rig = Rig::established(config(), &graceful());
    rig.accepted(2);
    rig.closed(1);
    assert_eq!(rig.next(), "dial");
    rig.connected(3);
    rig.receives(3, &graceful().bytes());
    assert_eq!(rig.receives(3, &keepalive()), "up 3");
    assert_eq!(rig.receives(2, &graceful().bytes()), "6/7>2, close 2, failed collision");
    assert_eq!(rig.state(), State::Established);
}

#[test]
fn c4_newcomers_that_do_not_become_sessions_leave_the_session_alone() {
    let mut rig = Rig::established(config(), &graceful());
    // Each takes the place of the one before, so that no more than one of them is ever there.
    for id in 2..50 {
        let does = rig.accepted(id);
        assert!(does.ends_with(&format!("open>{id}")), "{does}");
        if id % 2 == 0 {
            rig.receives(id, &graceful().bytes());
        }
        assert!(rig.neighbour.connections.len() <= 2);
    }
    rig.receives(49, &GatewayOpen { asn: 64999, ..graceful() }.bytes());
    assert_eq!((rig.state(), rig.neighbour.connections.len()), (State::Established, 1));
    // The old session ends by itself: who waits goes on.
    rig.accepted(50);
    rig.receives(50, &graceful().bytes());
    assert_eq!(rig.closed(1), "close 1, down 1 closed");
    assert_eq!(rig.receives(50, &keepalive()), "up 50");
}
