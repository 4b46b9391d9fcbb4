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
    pair.run_until(began + seconds(600));
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
