//! Rows 1 to 6, 10, 11 and 16 to 19 of the test catalogue, as far as they concern one session.
//!
//! Scripted gateways speak in octets written by hand from the RFCs ([`Rig`]); where two state machines are to meet,
//! they are joined in memory on a clock of their own ([`pair::Pair`]).

mod collision;
mod established;
mod grid;
mod malformed;
mod negotiate;
mod options;
mod pair;
mod properties;
mod restart;
mod rfc7606;
mod timers;

use super::{
    ConnectionId, Effect, End, GracefulRestartConfig, Input, Neighbour, NeighbourConfig, State, Status, Stop, Timers,
};
use crate::model::{Asn, HoldTime, PerFamily, RouterId, Time};
use std::time::Duration;

/// Our identifier; gateways are `LOWER` or `HIGHER`.
const OURS: u32 = 0x0a00_030a;
const LOWER: u32 = 0x0a00_0301;
const HIGHER: u32 = 0x0a00_03fe;
const OUR_AS: u32 = 64512;
const THEIR_AS: u32 = 64500;

const OPEN: u8 = 1;
const UPDATE: u8 = 2;
const NOTIFICATION: u8 = 3;
const KEEPALIVE: u8 = 4;
const ROUTE_REFRESH: u8 = 5;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// eBGP, IPv4, hold time 30 s, KEEPALIVE every 10 s, ConnectRetry 5 s, graceful restart 120 s.
fn config() -> NeighbourConfig {
    NeighbourConfig {
        local_asn: Asn::new(OUR_AS).unwrap(),
        router_id: RouterId::new(OURS).unwrap(),
        peer_asn: Asn::new(THEIR_AS).unwrap(),
        families: PerFamily { ipv4: true, ipv6: false },
        passive: false,
        timers: Timers::default(),
        graceful_restart: Some(GracefulRestartConfig {
            restart_time: 120,
            notification: true,
            long_lived_stale_time: None,
        }),
        enhanced_refresh: false,
        extended_messages: false,
        extended_next_hop: false,
    }
}

fn hold_time(seconds: u16) -> HoldTime {
    HoldTime::new(seconds).unwrap()
}

/// A message with a header made here: marker, length, type.
fn wrap(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(19 + body.len()).unwrap().to_be_bytes();
    [&[0xff; 16][..], &length, &[kind], body].concat()
}

/// A gateway's OPEN, written by hand.
#[derive(Clone, Debug)]
struct GatewayOpen {
    version: u8,
    asn: u32,
    hold: u16,
    id: u32,
    /// Code and value of each capability; four-octet AS and those below come on top.
    capabilities: Vec<(u8, Vec<u8>)>,
}

impl GatewayOpen {
    /// What a gateway of `id` that knows IPv4 says. No graceful restart.
    fn from(id: u32) -> Self {
        GatewayOpen { version: 4, asn: THEIR_AS, hold: 90, id, capabilities: vec![(1, vec![0, 1, 0, 1])] }
    }

    /// Graceful restart with time 120 s and IPv4; the N bit (RFC 8538) where `notification`.
    fn graceful(mut self, notification: bool) -> Self {
        self.capabilities.push((64, vec![if notification { 0x40 } else { 0 }, 120, 0, 1, 1, 0]));
        self
    }

    fn hold(self, hold: u16) -> Self {
        GatewayOpen { hold, ..self }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut capabilities = vec![65, 4];
        capabilities.extend(self.asn.to_be_bytes());
        for (code, value) in &self.capabilities {
            capabilities.extend([*code, u8::try_from(value.len()).unwrap()]);
            capabilities.extend(value);
        }
        let length = u8::try_from(capabilities.len()).unwrap();
        let mut body = vec![self.version];
        body.extend(u16::try_from(self.asn).unwrap_or(23456).to_be_bytes());
        body.extend(self.hold.to_be_bytes());
        body.extend(self.id.to_be_bytes());
        body.extend([length + 2, 2, length]);
        body.extend(capabilities);
        wrap(OPEN, &body)
    }
}

fn keepalive() -> Vec<u8> {
    wrap(KEEPALIVE, &[])
}

fn notification(code: u8, subcode: u8) -> Vec<u8> {
    wrap(NOTIFICATION, &[code, subcode])
}

/// An effect in a few words, so that expectations can be read.
fn words(effect: &Effect) -> String {
    match effect {
        Effect::Dial => "dial".into(),
        Effect::AbortDial => "abort".into(),
        Effect::Send(id, message) => {
            let what = match message[18] {
                OPEN => "open".into(),
                NOTIFICATION => format!("{}/{}", message[19], message[20]),
                KEEPALIVE => "keepalive".into(),
                kind => format!("type {kind}"),
            };
            format!("{what}>{}", id.0)
        }
        Effect::Close(id) => format!("close {}", id.0),
        Effect::Up(id, _) => format!("up {}", id.0),
        Effect::Down(id, end) => format!("down {} {}", id.0, end.reason()),
        Effect::Failed(end) => format!("failed {}", end.reason()),
        Effect::Refresh(id, family) => format!("refresh {} {family}", id.0),
        Effect::UpdateError(id, _) => format!("update error {}", id.0),
        Effect::Update(id, _) => format!("update {}", id.0),
    }
}

/// One neighbour and a clock that only moves when told to.
struct Rig {
    neighbour: Neighbour,
    now: Time,
    /// All that was ever sent, with its connection.
    sent: Vec<(ConnectionId, Vec<u8>)>,
    ends: Vec<End>,
}

impl Rig {
    fn new(config: NeighbourConfig) -> Self {
        Rig::seeded(config, false, 7)
    }

    fn seeded(config: NeighbourConfig, restarting: bool, seed: u64) -> Self {
        let now = Time::since_start(seconds(1000));
        Rig { neighbour: Neighbour::new(config, restarting, seed), now, sent: Vec::new(), ends: Vec::new() }
    }

    /// Effects in words, in order, separated by commas.
    fn does(&mut self, effects: Vec<Effect>) -> String {
        for effect in &effects {
            match effect {
                Effect::Send(id, message) => self.sent.push((*id, message.to_vec())),
                Effect::Down(_, end) | Effect::Failed(end) => self.ends.push(end.clone()),
                _ => {}
            }
        }
        effects.iter().map(words).collect::<Vec<_>>().join(", ")
    }

    fn input(&mut self, input: Input<'_>) -> String {
        let mut effects = Vec::new();
        self.neighbour.handle(self.now, input, &mut effects);
        self.does(effects)
    }

    fn start(&mut self) -> String {
        self.input(Input::Start)
    }

    fn connected(&mut self, id: u64) -> String {
        self.input(Input::Connected(ConnectionId(id)))
    }

    fn accepted(&mut self, id: u64) -> String {
        self.input(Input::Accepted(ConnectionId(id)))
    }

    fn receives(&mut self, id: u64, octets: &[u8]) -> String {
        self.input(Input::Received(ConnectionId(id), octets))
    }

    fn closed(&mut self, id: u64) -> String {
        self.input(Input::Closed(ConnectionId(id), "reset".into()))
    }

    /// Moves the clock to the next deadline and does what is due.
    fn next(&mut self) -> String {
        let at = self.neighbour.next_deadline().expect("nothing is due ever");
        assert!(at >= self.now, "a deadline was missed");
        self.now = at;
        self.due()
    }

    fn due(&mut self) -> String {
        let mut effects = Vec::new();
        self.neighbour.on_deadline(self.now, &mut effects);
        let next = self.neighbour.next_deadline();
        assert!(next.is_none_or(|next| next > self.now), "no progress: {next:?} is still due");
        self.does(effects)
    }

    /// How long until something is due.
    fn until_next(&self) -> Option<Duration> {
        self.neighbour.next_deadline().map(|at| at.since(self.now))
    }

    fn state(&self) -> State {
        self.neighbour.state()
    }

    fn status(&self) -> Status {
        self.neighbour.status()
    }

    /// The last NOTIFICATION sent: code, subcode, Data.
    fn last_notification(&self) -> (u8, u8, Vec<u8>) {
        let (_, message) =
            self.sent.iter().rev().find(|(_, message)| message[18] == NOTIFICATION).expect("none was sent");
        (message[19], message[20], message[21..].to_vec())
    }

    /// The last end, in words for people.
    fn last_end(&self) -> String {
        self.ends.last().expect("nothing ended").to_string()
    }

    /// Our own connection, 1, with our OPEN sent.
    fn open_sent(config: NeighbourConfig) -> Self {
        let mut rig = Rig::new(config);
        rig.start();
        rig.connected(1);
        assert_eq!(rig.state(), State::OpenSent);
        rig
    }

    /// … and the gateway's OPEN received.
    fn open_confirm(config: NeighbourConfig, open: &GatewayOpen) -> Self {
        let mut rig = Rig::open_sent(config);
        rig.receives(1, &open.bytes());
        assert_eq!(rig.state(), State::OpenConfirm, "{:?}", rig.ends);
        rig
    }

    /// … and the session up.
    fn established(config: NeighbourConfig, open: &GatewayOpen) -> Self {
        let mut rig = Rig::open_confirm(config, open);
        assert_eq!(rig.receives(1, &keepalive()), "up 1");
        assert_eq!(rig.state(), State::Established);
        rig
    }
}
