//! Whatever comes, whenever: no panic, no busy loop, no growth, and effects only where there is something to act on.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// What is done to a neighbour. Connections are chosen among those that ever were, by number.
#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Due,
    Start,
    Stop(Stop),
    Connect(bool),
    Accept,
    Close(usize),
    Written(usize),
    Progress(usize),
    TooSlow,
    Message(usize, u8, Vec<u8>),
    Octets(usize, Vec<u8>),
    Open(usize, u32, u16, bool, bool),
    Keepalive(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let on = 0..4usize;
    prop_oneof![
        4 => (0..20_000u64).prop_map(Step::Wait),
        1 => (0..3_600_000u64).prop_map(Step::Wait),
        6 => Just(Step::Due),
        2 => Just(Step::Start),
        1 => prop_oneof![Just(Stop::Handover), Just(Stop::Deconfigured)].prop_map(Step::Stop),
        6 => prop::bool::weighted(0.8).prop_map(Step::Connect),
        4 => Just(Step::Accept),
        2 => on.clone().prop_map(Step::Close),
        1 => on.clone().prop_map(Step::Written),
        1 => on.clone().prop_map(Step::Progress),
        1 => Just(Step::TooSlow),
        2 => (on.clone(), 1..=5u8, vec(any::<u8>(), 0..60)).prop_map(|(on, kind, body)| Step::Message(on, kind, body)),
        1 => (on.clone(), vec(any::<u8>(), 0..5000)).prop_map(|(on, octets)| Step::Octets(on, octets)),
        8 => (on.clone(), prop_oneof![Just(LOWER), Just(OURS), Just(HIGHER)], prop_oneof![Just(0), 3..100u16], any::<bool>(), prop::bool::weighted(0.9))
            .prop_map(|(on, id, hold, graceful, right)| Step::Open(on, id, hold, graceful, right)),
        8 => on.prop_map(Step::Keepalive),
    ]
}

/// What the shell would know, and what it may expect.
#[derive(Default)]
struct World {
    /// Those that were given and not closed.
    open: BTreeSet<u64>,
    given: u64,
    dialling: bool,
    up: Option<u64>,
}

impl World {
    fn give(&mut self) -> ConnectionId {
        self.given += 1;
        self.open.insert(self.given);
        ConnectionId(self.given)
    }

    /// One of the newest connections, which may be closed already.
    fn choose(&self, back: usize) -> ConnectionId {
        ConnectionId(self.given.saturating_sub(back as u64))
    }

    fn check(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Dial => assert!(!std::mem::replace(&mut self.dialling, true), "it dials twice"),
                Effect::AbortDial => assert!(std::mem::take(&mut self.dialling), "no attempt to abort"),
                Effect::Send(id, message) => {
                    assert!(self.open.contains(&id.0), "sent on a closed connection");
                    let length = usize::from(u16::from_be_bytes([message[16], message[17]]));
                    assert_eq!(length, message.len(), "one whole message");
                }
                Effect::Close(id) => assert!(self.open.remove(&id.0), "closed twice"),
                Effect::Up(id, _) => {
                    assert!(self.open.contains(&id.0), "a session without connection");
                    assert_eq!(self.up.replace(id.0), None, "two sessions");
                }
                Effect::Down(id, _) => {
                    assert_eq!(self.up.take(), Some(id.0), "not the session that stands");
                    assert!(!self.open.contains(&id.0), "down before it is closed");
                }
                Effect::Refresh(id, _) | Effect::UpdateError(id, _) | Effect::Update(id, _) => {
                    assert_eq!(self.up, Some(id.0), "no session");
                }
                Effect::Failed(_) => {}
            }
        }
    }
}

fn octets(neighbour: &mut Neighbour, now: Time, id: ConnectionId, octets: &[u8]) -> Vec<Effect> {
    let mut effects = Vec::new();
    neighbour.handle(now, Input::Received(id, octets), &mut effects);
    effects
}

fn take(step: Step, neighbour: &mut Neighbour, now: &mut Time, world: &mut World) -> Vec<Effect> {
    let mut effects = Vec::new();
    let input = match step {
        Step::Wait(milliseconds) => {
            *now = *now + Duration::from_millis(milliseconds);
            return effects;
        }
        Step::Due => {
            if let Some(at) = neighbour.next_deadline() {
                *now = at.max(*now);
            }
            neighbour.on_deadline(*now, &mut effects);
            let next = neighbour.next_deadline();
            assert!(next.is_none_or(|next| next > *now), "{next:?} is still due at {now:?}");
            return effects;
        }
        Step::Start => Input::Start,
        Step::Stop(stop) => Input::Stop(stop),
        Step::Connect(true) if world.dialling => {
            world.dialling = false;
            Input::Connected(world.give())
        }
        Step::Connect(false) if world.dialling => {
            world.dialling = false;
            Input::ConnectFailed("refused".into())
        }
        Step::Connect(_) => return effects,
        Step::Accept => Input::Accepted(world.give()),
        Step::Close(on) => Input::Closed(world.choose(on), "reset".into()),
        Step::Written(on) => Input::Written(world.choose(on), 3),
        Step::Progress(on) => Input::Progress(world.choose(on)),
        Step::TooSlow => Input::TooSlow,
        Step::Message(on, kind, body) => return octets(neighbour, *now, world.choose(on), &wrap(kind, &body)),
        Step::Octets(on, bytes) => return octets(neighbour, *now, world.choose(on), &bytes),
        Step::Keepalive(on) => return octets(neighbour, *now, world.choose(on), &keepalive()),
        Step::Open(on, id, hold, graceful, right) => {
            let mut open = GatewayOpen::from(id).hold(hold);
            open.asn = if right { THEIR_AS } else { 64999 };
            let open = if graceful { open.graceful(true) } else { open };
            return octets(neighbour, *now, world.choose(on), &open.bytes());
        }
    };
    neighbour.handle(*now, input, &mut effects);
    effects
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_inputs_at_any_times(
        steps in vec(step(), 1..120),
        passive in prop::bool::weighted(0.2),
        graceful in any::<bool>(),
        begin in 0..u64::MAX / 4,
        seed in any::<u64>(),
    ) {
        let mut config = NeighbourConfig { passive, ..config() };
        if !graceful {
            config.graceful_restart = None;
        }
        let mut now = Time::since_start(Duration::from_nanos(begin));
        let mut neighbour = Neighbour::new(config, false, seed);
        let mut world = World::default();
        for step in [Step::Start].into_iter().chain(steps) {
            let before = world.up;
            let told = format!("{step:?}");
            let effects = take(step, &mut neighbour, &mut now, &mut world);
            world.check(&effects);

            // What is outside and what is inside are the same.
            let inside: BTreeSet<u64> = neighbour.connections.iter().map(|connection| connection.id.0).collect();
            prop_assert_eq!(&inside, &world.open);
            prop_assert_eq!(world.up.is_some(), neighbour.state() == State::Established);
            prop_assert_eq!(world.up.is_some(), neighbour.status().agreed.is_some());
            prop_assert!(world.up.is_none() || !world.dialling, "it dials though a session stands");
            // One of ours, one of the gateway's, and the session that the gateway's may replace.
            prop_assert!(inside.len() <= 3, "{} connections", inside.len());
            let waiting = neighbour.connections.iter().map(|connection| connection.framer.buffered());
            prop_assert!(waiting.sum::<usize>() < 3 * 4096);
            // A collision never costs the session, unless the gateway has restarted.
            let collided = effects.iter().any(|effect| matches!(effect, Effect::Down(_, End::Collision)));
            prop_assert!(!collided, "{told} dumped session {before:?}");
            // Something will happen by itself as long as there is no session.
            if !passive && neighbour.running && world.up.is_none() {
                prop_assert!(neighbour.next_deadline().is_some(), "it waits for ever after {told}");
            }
            if !neighbour.running {
                prop_assert!(inside.is_empty() && neighbour.next_deadline().is_none(), "it is stopped");
            }
        }
    }

    /// Cut anywhere, a stream does the same.
    #[test]
    fn where_octets_are_cut_makes_no_difference(
        kinds in vec((1..=5u8, vec(any::<u8>(), 0..40)), 0..6),
        cuts in vec(1..200usize, 0..20),
    ) {
        let mut stream = [GatewayOpen::from(HIGHER).bytes(), keepalive()].concat();
        kinds.iter().for_each(|(kind, body)| stream.extend(wrap(*kind, body)));
        let mut whole = Rig::open_sent(config());
        let expected = whole.receives(1, &stream);
        let mut rig = Rig::open_sent(config());
        let (mut rest, mut done) = (&stream[..], Vec::new());
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            done.push(rig.receives(1, piece));
            rest = after;
        }
        done.push(rig.receives(1, rest));
        done.retain(|does| !does.is_empty());
        prop_assert_eq!(done.join(", "), expected);
    }
}
