//! Two neighbours joined in memory, on a clock of their own: what one sends the other receives, later.

use super::*;
use crate::bgp::neighbour::Direction;
use crate::model::Rng;
use std::collections::BTreeMap;

/// Octets or an end, under way to one side of a link.
#[derive(Debug)]
enum Parcel {
    /// Our connection stands.
    Connected,
    /// The other one's stands.
    Accepted,
    Octets(Vec<u8>),
    Closed,
}

/// A TCP connection, by the number that both sides call it.
#[derive(Debug)]
struct Link {
    dialled_by: usize,
    /// Of how many of its attempts to connect this is.
    attempt: u64,
    /// Whether each side still has it, and when what was sent to it last arrives: TCP keeps the order.
    open: [bool; 2],
    last_arrival: [Time; 2],
}

pub(super) struct Side {
    pub(super) neighbour: Neighbour,
    attempts: u64,
    /// The attempt to connect that counts.
    dialling: Option<u64>,
    /// Effects in words, with their moment.
    pub(super) log: Vec<(Time, String)>,
    /// The connection whose session stands.
    pub(super) up: Option<ConnectionId>,
    pub(super) ups: u64,
}

/// See the module.
pub(super) struct Pair {
    pub(super) now: Time,
    rng: Rng,
    delay: Duration,
    pub(super) sides: [Side; 2],
    links: BTreeMap<u64, Link>,
    /// By arrival and then by number; with the side and link.
    under_way: BTreeMap<(Time, u64), (usize, u64, Parcel)>,
    starts: BTreeMap<(Time, usize), ()>,
    count: u64,
}

impl Pair {
    /// Both sides start within `delay`, and every message takes up to `delay`, all by chance.
    pub(super) fn new(configs: [NeighbourConfig; 2], delay: Duration, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let sides = configs.map(|config| Side {
            neighbour: Neighbour::new(config, false, rng.next_u64()),
            attempts: 0,
            dialling: None,
            log: Vec::new(),
            up: None,
            ups: 0,
        });
        let now = Time::since_start(seconds(1));
        let mut pair = Pair {
            now,
            rng,
            delay,
            sides,
            links: BTreeMap::new(),
            under_way: BTreeMap::new(),
            starts: BTreeMap::new(),
            count: 0,
        };
        for side in 0..2 {
            let at = now + pair.some_delay();
            pair.starts.insert((at, side), ());
        }
        pair
    }

    fn some_delay(&mut self) -> Duration {
        let nanos = u64::try_from(self.delay.as_nanos()).unwrap();
        Duration::from_nanos(1 + self.rng.next_u64() % nanos)
    }

    /// A side of this pair as its identifier has it, with the other as its gateway.
    pub(super) fn side(id: u32, asn: u32, peer_asn: u32) -> NeighbourConfig {
        NeighbourConfig {
            router_id: RouterId::new(id).unwrap(),
            local_asn: Asn::new(asn).unwrap(),
            peer_asn: Asn::new(peer_asn).unwrap(),
            ..config()
        }
    }

    /// Sends a parcel; it arrives after those before it.
    fn post(&mut self, to: usize, link: u64, parcel: Parcel) {
        let arrival = self.now + self.some_delay();
        let Some(state) = self.links.get_mut(&link) else { return };
        let arrival = arrival.max(state.last_arrival[to]);
        state.last_arrival[to] = arrival;
        self.count += 1;
        self.under_way.insert((arrival, self.count), (to, link, parcel));
    }

    /// Lets everything happen that happens until then.
    pub(super) fn run_until(&mut self, end: Time) {
        loop {
            let arrival = self.under_way.keys().next().map(|(at, _)| *at);
            let start = self.starts.keys().next().map(|(at, _)| *at);
            let deadlines = [0, 1].map(|side| self.sides[side].neighbour.next_deadline());
            let Some(next) = [arrival, start, deadlines[0], deadlines[1]].into_iter().flatten().min() else { break };
            if next > end {
                break;
            }
            assert!(next >= self.now, "time runs backwards");
            self.now = next;
            if start == Some(next) {
                let ((_, side), ()) = self.starts.pop_first().unwrap();
                self.input(side, Input::Start);
            } else if arrival == Some(next) {
                let (_, (side, link, parcel)) = self.under_way.pop_first().unwrap();
                self.arrive(side, link, parcel);
            } else {
                let side = usize::from(deadlines[0] != Some(next));
                let mut effects = Vec::new();
                self.sides[side].neighbour.on_deadline(next, &mut effects);
                let after = self.sides[side].neighbour.next_deadline();
                assert!(after.is_none_or(|after| after > next), "no progress");
                self.carry_out(side, effects);
            }
        }
        self.now = end;
    }

    fn arrive(&mut self, side: usize, link: u64, parcel: Parcel) {
        let id = ConnectionId(link);
        let Some(state) = self.links.get_mut(&link) else { return };
        match parcel {
            Parcel::Accepted => {
                if self.sides[side].neighbour.state() == State::Idle {
                    // Nobody listens.
                    return self.post(1 - side, link, Parcel::Closed);
                }
                state.open[side] = true;
                self.post(1 - side, link, Parcel::Connected);
                self.input(side, Input::Accepted(id));
            }
            Parcel::Connected => {
                if self.sides[side].dialling == Some(state.attempt) {
                    self.sides[side].dialling = None;
                    state.open[side] = true;
                    self.input(side, Input::Connected(id));
                } else {
                    self.post(1 - side, link, Parcel::Closed);
                }
            }
            Parcel::Octets(octets) if state.open[side] => {
                self.input(1 - side, Input::Progress(id));
                self.input(side, Input::Received(id, &octets));
            }
            Parcel::Closed if state.open[side] => {
                state.open[side] = false;
                self.input(side, Input::Closed(id, "closed".into()));
            }
            Parcel::Closed if state.dialled_by == side && self.sides[side].dialling == Some(state.attempt) => {
                self.sides[side].dialling = None;
                self.input(side, Input::ConnectFailed("refused".into()));
            }
            Parcel::Octets(_) | Parcel::Closed => {}
        }
    }

    pub(super) fn input(&mut self, side: usize, input: Input<'_>) {
        let mut effects = Vec::new();
        self.sides[side].neighbour.handle(self.now, input, &mut effects);
        self.carry_out(side, effects);
    }

    fn carry_out(&mut self, side: usize, effects: Vec<Effect>) {
        for effect in effects {
            self.sides[side].log.push((self.now, words(&effect)));
            match effect {
                Effect::Dial => {
                    assert_eq!(self.sides[side].dialling, None, "it dials twice");
                    self.sides[side].attempts += 1;
                    self.sides[side].dialling = Some(self.sides[side].attempts);
                    self.count += 1;
                    let attempt = self.sides[side].attempts;
                    // A SYN that got lost comes again after a second: long after the other side's connection stands.
                    let late = if self.rng.next_u64().is_multiple_of(4) { self.delay * 12 } else { Duration::ZERO };
                    let jitter = self.rng.next_u64() % 1000;
                    let late = late.mul_f64(jitter as f64 / 1000.0);
                    let link = Link { dialled_by: side, attempt, open: [false; 2], last_arrival: [self.now + late; 2] };
                    let id = self.count;
                    self.links.insert(id, link);
                    self.post(1 - side, id, Parcel::Accepted);
                }
                Effect::AbortDial => self.sides[side].dialling = None,
                Effect::Send(id, message) => {
                    self.assert_open(side, id);
                    // TCP cuts where it likes.
                    let cut = (self.rng.next_u64() % message.len() as u64) as usize;
                    for octets in [&message[..cut], &message[cut..]] {
                        self.post(1 - side, id.0, Parcel::Octets(octets.to_vec()));
                    }
                }
                Effect::Close(id) => {
                    self.assert_open(side, id);
                    self.links.get_mut(&id.0).unwrap().open[side] = false;
                    self.post(1 - side, id.0, Parcel::Closed);
                }
                Effect::Up(id, _) => {
                    self.assert_open(side, id);
                    assert_eq!(self.sides[side].up.replace(id), None, "two sessions at once");
                    self.sides[side].ups += 1;
                }
                Effect::Down(id, _) => assert_eq!(self.sides[side].up.take(), Some(id), "no such session"),
                Effect::Failed(_) | Effect::Refresh(..) | Effect::UpdateError(..) | Effect::Update(..) => {}
            }
        }
    }

    fn assert_open(&self, side: usize, id: ConnectionId) {
        // What the other end has closed may still be written to until that is noticed.
        assert!(self.links.contains_key(&id.0) && side < 2, "{id:?} does not exist");
    }

    /// The one session that stands on both sides, and who dialled it.
    pub(super) fn session(&self) -> Option<(ConnectionId, usize)> {
        let [a, b] = [0, 1].map(|side| self.sides[side].up);
        let id = a.filter(|_| a == b)?;
        Some((id, self.links[&id.0].dialled_by))
    }

    /// How many connections each side still has.
    pub(super) fn connections(&self) -> [usize; 2] {
        [0, 1].map(|side| self.sides[side].neighbour.connections.len())
    }

    /// Everything that happened, to be shown when something went wrong.
    pub(super) fn story(&self) -> String {
        let mut lines: Vec<(Time, String)> = Vec::new();
        for (side, name) in [(0, "a"), (1, "b")] {
            lines.extend(self.sides[side].log.iter().map(|(at, words)| (*at, format!("{name}: {words}"))));
        }
        lines.sort();
        lines.iter().map(|(at, line)| format!("{:>12?} {line}\n", at.as_duration())).collect()
    }
}

#[test]
fn two_neighbours_come_up_and_stay_up() {
    let passive = NeighbourConfig { passive: true, ..Pair::side(LOWER, THEIR_AS, OUR_AS) };
    let configs = [Pair::side(HIGHER, OUR_AS, THEIR_AS), passive];
    let mut pair = Pair::new(configs, Duration::from_millis(20), 1);
    pair.run_until(Time::since_start(seconds(3600)));
    let (_, dialled_by) = pair.session().unwrap_or_else(|| panic!("{}", pair.story()));
    assert_eq!(dialled_by, 0, "who is passive never dials");
    assert_eq!([pair.sides[0].ups, pair.sides[1].ups], [1, 1], "{}", pair.story());
    assert_eq!(pair.sides[0].neighbour.status().direction, Some(Direction::Outgoing));
    assert_eq!(pair.sides[1].neighbour.status().direction, Some(Direction::Incoming));
    // KEEPALIVEs every 7.5 to 10 s, and nothing else.
    for side in &pair.sides {
        let status = side.neighbour.status();
        assert!((3600 / 10..=3600 / 7).contains(&status.sent.keepalive), "{:?}", status.sent);
        assert_eq!(status.sent.notification, 0);
        assert_eq!(status.last_end, None);
    }
}
