//! A gateway's session: octets and moments in any order into a `Neighbour`, on several connections at once.
//!
//! An input is a script. Each step is one octet that says what happens, and on which connection, and its arguments. The shell's
//! side of the bargain is kept ([`Shell`]): it only reports on what it was told to do.

use crate::bounded;
use crate::reader::Reader;
use fingerpost_core::bgp::neighbour::{
    ConnectionId, Effect, GracefulRestartConfig, Input, Neighbour, NeighbourConfig, State, Stop, Timers,
};
use fingerpost_core::bgp::wire::MAX_LEN;
use fingerpost_core::model::{Asn, HoldTime, PerFamily, RouterId, Time};
use std::collections::BTreeSet;
use std::time::Duration;

const OUR_ID: u32 = 0x0A00_030A;

/// Any script, from the start.
pub(crate) fn any(input: &[u8]) {
    let mut reader = Reader(input);
    let Some(how) = reader.u8() else { return };
    bounded(input, 512, 1 << 20, || {
        let mut shell = Shell::new(how);
        shell.input(Input::Start);
        shell.play(reader);
    });
}

/// A script that begins with a session. The first octet is the configuration and the gateway's OPEN.
pub(crate) fn session(input: &[u8]) {
    let mut reader = Reader(input);
    let Some(how) = reader.u8() else { return };
    bounded(input, 512, 1 << 20, || {
        let mut shell = Shell::new(how & !1); // not passive
        shell.input(Input::Start);
        shell.connect(true);
        shell.octets(1, &message(1, &open(how)));
        shell.octets(1, &message(4, &[]));
        assert_eq!(shell.neighbour.state(), State::Established);
        shell.play(reader);
    });
}

/// By the bits of the octet: passive, without graceful restart, iBGP, without IPv6, without what is newer (enhanced refresh,
/// extended messages, IPv4 via IPv6), after a restart.
fn config(how: u8) -> NeighbourConfig {
    let asn = |number| Asn::new(number).unwrap_or_else(|error| panic!("{error}"));
    let restart = GracefulRestartConfig { restart_time: 120, notification: true, long_lived_stale_time: Some(600) };
    NeighbourConfig {
        local_asn: asn(64512),
        router_id: RouterId::new(OUR_ID).unwrap_or_else(|error| panic!("{error}")),
        peer_asn: asn(if how & 4 == 0 { 64500 } else { 64512 }),
        families: PerFamily { ipv4: true, ipv6: how & 8 == 0 },
        passive: how & 1 != 0,
        timers: Timers { hold: HoldTime::new(30).unwrap_or(HoldTime::NEVER), ..Timers::default() },
        graceful_restart: (how & 2 == 0).then_some(restart),
        enhanced_refresh: how & 16 == 0,
        extended_messages: how & 16 == 0,
        extended_next_hop: how & 16 == 0,
    }
}

/// A gateway's OPEN that agrees with [`config`]. By the bits: a hold time of 0, a lower identifier than ours, graceful restart.
fn open(how: u8) -> Vec<u8> {
    let asn: u16 = if how & 4 == 0 { 64500 } else { 64512 };
    let hold = if how & 64 == 0 { 90 } else { 0 };
    let id = if how & 128 == 0 { OUR_ID + 1 } else { OUR_ID - 1 };
    let mut capabilities =
        vec![1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 2, 0, 70, 0, 6, 0, 5, 6, 0, 1, 0, 1, 0, 2, 65, 4, 0, 0];
    capabilities.extend(asn.to_be_bytes());
    if how & 32 == 0 {
        capabilities.extend([64, 6, 0x40, 120, 0, 1, 1, 0]);
    }
    let length = capabilities.len() as u8;
    let mut body = vec![4];
    body.extend(asn.to_be_bytes());
    body.extend([0, hold]);
    body.extend(id.to_be_bytes());
    body.extend([length + 2, 2, length]);
    body.extend(capabilities);
    body
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(19 + body.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[0xFF; 16][..], &length, &[kind], body].concat()
}

/// What the shell knows, and may expect.
struct Shell {
    neighbour: Neighbour,
    now: Time,
    /// Connections that were given and not closed.
    open: BTreeSet<u64>,
    given: u64,
    dialling: bool,
    up: Option<u64>,
    passive: bool,
    running: bool,
}

impl Shell {
    fn new(how: u8) -> Self {
        Shell {
            neighbour: Neighbour::new(config(how), how & 32 != 0, u64::from(how)),
            now: Time::since_start(Duration::from_secs(1000)),
            open: BTreeSet::new(),
            given: 0,
            dialling: false,
            up: None,
            passive: how & 1 != 0,
            running: false,
        }
    }

    fn play(&mut self, mut script: Reader<'_>) {
        while let Some(step) = script.u8() {
            self.step(step, &mut script);
        }
    }

    fn step(&mut self, step: u8, script: &mut Reader<'_>) {
        // One of the four newest connections, which may be closed already.
        let on = self.given.saturating_sub(u64::from(step >> 6));
        let id = ConnectionId(on);
        let argument = |script: &mut Reader<'_>| script.u8().unwrap_or_default();
        match step & 0x0F {
            0 => self.wait(Duration::from_millis(u64::from(argument(script)) * 100)),
            1 => self.wait(Duration::from_secs(u64::from(argument(script)) * 10)),
            2 => self.due(),
            3 => self.connect(argument(script) & 1 == 0),
            4 => {
                let id = self.give();
                self.input(Input::Accepted(id));
            }
            5 => self.input(Input::Closed(id, "reset".into())),
            6 => self.input(Input::Written(id, 3)),
            7 => self.input(Input::Progress(id)),
            8 => self.input(Input::Start),
            9 => match argument(script) & 3 {
                0 => self.input(Input::Stop(Stop::Handover)),
                1 => self.input(Input::Stop(Stop::Deconfigured)),
                2 => self.input(Input::Stop(Stop::Decommissioned)),
                _ => self.input(Input::TooSlow),
            },
            10 => self.octets(on, &message(4, &[])),
            11 => {
                let how = argument(script);
                self.octets(on, &message(1, &open(how)));
            }
            // A message of any kind, with a header that is right.
            12 | 13 => {
                let (kind, length) = (argument(script), argument(script));
                let body = script.take(length.into()).unwrap_or_default();
                self.octets(on, &message(kind, body));
            }
            // Octets as they are, whole or one by one.
            14 => {
                let length = argument(script);
                let octets = script.take(length.into()).unwrap_or_default();
                self.octets(on, octets);
            }
            _ => {
                let length = argument(script);
                for octet in script.take(length.into()).unwrap_or_default() {
                    self.octets(on, &[*octet]);
                }
            }
        }
    }

    fn give(&mut self) -> ConnectionId {
        self.given += 1;
        self.open.insert(self.given);
        ConnectionId(self.given)
    }

    fn connect(&mut self, well: bool) {
        if std::mem::take(&mut self.dialling) {
            if well {
                let id = self.give();
                self.input(Input::Connected(id));
            } else {
                self.input(Input::ConnectFailed("refused".into()));
            }
        }
    }

    fn octets(&mut self, on: u64, octets: &[u8]) {
        self.input(Input::Received(ConnectionId(on), octets));
    }

    fn wait(&mut self, span: Duration) {
        // Before its deadline it wants nothing.
        let mut effects = Vec::new();
        if self.neighbour.next_deadline().is_none_or(|at| at > self.now) {
            self.neighbour.on_deadline(self.now, &mut effects);
            assert!(effects.is_empty(), "it acts before its deadline: {effects:?}");
        }
        self.now = self.now + span;
    }

    fn due(&mut self) {
        if let Some(at) = self.neighbour.next_deadline() {
            self.now = at.max(self.now);
        }
        let mut effects = Vec::new();
        self.neighbour.on_deadline(self.now, &mut effects);
        let next = self.neighbour.next_deadline();
        assert!(next.is_none_or(|next| next > self.now), "it is still due, for ever");
        self.check(&effects);
    }

    fn input(&mut self, input: Input<'_>) {
        match input {
            Input::Start => self.running = true,
            Input::Stop(_) => self.running = false,
            _ => {}
        }
        let mut effects = Vec::new();
        self.neighbour.handle(self.now, input, &mut effects);
        self.check(&effects);
    }

    fn check(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Dial => assert!(!std::mem::replace(&mut self.dialling, true), "it dials twice"),
                Effect::AbortDial => assert!(std::mem::take(&mut self.dialling), "there is no attempt to abort"),
                Effect::Send(id, message) => {
                    assert!(self.open.contains(&id.0), "sent on a connection that is closed");
                    assert_eq!(message[..16], [0xFF; 16]);
                    assert_eq!(usize::from(u16::from_be_bytes([message[16], message[17]])), message.len());
                    assert!(message.len() <= MAX_LEN);
                }
                Effect::Close(id) => assert!(self.open.remove(&id.0), "closed twice"),
                Effect::Up(id, _) => {
                    assert!(self.open.contains(&id.0), "a session without a connection");
                    assert_eq!(self.up.replace(id.0), None, "two sessions at once");
                }
                Effect::Down(id, _) => {
                    assert_eq!(self.up.take(), Some(id.0), "it is not the session that stands");
                    assert!(!self.open.contains(&id.0), "down before it is closed");
                }
                Effect::Refresh(id, _) | Effect::UpdateError(id, _) | Effect::Update(id, _) => {
                    assert_eq!(self.up, Some(id.0), "without a session");
                }
                Effect::Failed(end) => assert!(!end.to_string().is_empty()),
            }
        }
        let state = self.neighbour.state();
        assert_eq!(self.up.is_some(), state == State::Established);
        assert_eq!(state == State::Idle, !self.running);
        assert_eq!(self.neighbour.status().agreed.is_some(), self.up.is_some());
        assert!(self.up.is_none() || !self.dialling, "it dials though a session stands");
        // One of ours, one of the gateway's, and the session that the gateway's may replace.
        assert!(self.open.len() <= 3, "{} connections", self.open.len());
        if !self.running {
            assert!(self.open.is_empty() && self.neighbour.next_deadline().is_none(), "it is stopped");
        } else if !self.passive && self.up.is_none() {
            assert!(self.neighbour.next_deadline().is_some(), "it waits for ever");
        }
    }
}
