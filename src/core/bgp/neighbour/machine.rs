//! The state machine: every input in every state, total and without panics.
//!
//! Event numbers in the comments are those of RFC 4271 §8.1.

use super::connection::{Connection, Phase};
use super::deadlines::{Deadlines, Timer};
use super::{Agreed, ConnectionId, Counters, Direction, End, NeighbourConfig, State, Status, UpdateErrors};
use crate::bgp::wire::{AttributeError, CeaseSubcode, Framer, MessageKind, Notification, Update, keepalive};
use crate::model::{Family, Rng, Time};
use bytes::Bytes;
use std::time::Duration;

/// RFC 4271 §8.2.2: a large hold time until the OPENs agree; 4 minutes are suggested.
const OPEN_HOLD: Duration = Duration::from_secs(240);
/// Whatever is configured, attempts to connect are no busy loop.
const CONNECT_RETRY_AT_LEAST: Duration = Duration::from_millis(100);
/// RFC 9687 §4: the send hold time is the larger of 8 minutes and twice the hold time.
pub const SEND_HOLD_AT_LEAST: Duration = Duration::from_secs(480);

/// The shutdown communication of a decommissioning (RFC 9003 §2).
const GOODBYE: &str = "this Fingerpost is being decommissioned";

/// What happens to a neighbour.
#[derive(Debug)]
pub enum Input<'a> {
    /// Begin (event 1, or 4 where it is passive).
    Start,
    /// End it (event 2).
    Stop(Stop),
    /// Our connection stands (event 17).
    Connected(ConnectionId),
    /// It could not be made (event 18); what the system said.
    ConnectFailed(String),
    /// It may not be made, nor taken, for want of the secret that it needs (event 18); why.
    NoPassword(String),
    /// The gateway connected (event 17).
    Accepted(ConnectionId),
    /// Octets came in.
    Received(ConnectionId, &'a [u8]),
    /// UPDATEs or refresh markers (so many messages) went into the socket.
    Written(ConnectionId, u64),
    /// Some octets went into the socket, be it of a KEEPALIVE: the gateway still takes them. Without this, SendHoldTimer
    /// (RFC 9687) ends even an idle session.
    Progress(ConnectionId),
    /// The connection broke, or the gateway closed it (event 18); what the system said.
    Closed(ConnectionId, String),
    /// The engine cannot keep it up to date: close without NOTIFICATION, begin anew.
    TooSlow,
}

/// Why we stop a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stop {
    /// Another process, or this one started anew, goes on: TCP is closed without NOTIFICATION, so that the gateway keeps the
    /// routes (RFC 4724). A Cease would make some flush them at once.
    Handover,
    /// The gateway is no longer configured: Cease 6/3 (inside a Hard Reset where RFC 8538 was agreed on), so that it
    /// drops the routes.
    Deconfigured,
    /// This process goes for good: Cease 6/2 with a text (RFC 9003), inside a Hard Reset as above.
    Decommissioned,
}

/// What the shell shall do.
#[derive(Debug)]
pub enum Effect {
    /// Connect to the gateway; the answer is `Connected` or `ConnectFailed`.
    Dial,
    /// Stop trying.
    AbortDial,
    /// Write this message, between two others; [`Input::Progress`] says that it went.
    Send(ConnectionId, Bytes),
    /// Close the connection once what was sent before is written, or cannot be.
    Close(ConnectionId),
    /// The session stands.
    Up(ConnectionId, Box<Agreed>),
    /// The session is over.
    Down(ConnectionId, End),
    /// A connection ended before it became a session.
    Failed(End),
    /// The gateway wants everything of this family again.
    Refresh(ConnectionId, Family),
    /// Something is wrong in an UPDATE that does not end the session: log it (RFC 7606 §8).
    UpdateError(ConnectionId, UpdateError),
    /// The gateway announced something. Nothing of it is kept; tests and the demonstration's gateway look at it.
    Update(ConnectionId, Box<Update>),
}

/// What is wrong in an UPDATE, as far as one line can say it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpdateError {
    /// What asked for its prefixes to be withdrawn, or else the first attribute that was left out.
    pub attribute: AttributeError,
    /// How many prefixes count as withdrawn for it; `None` where only attributes were left out.
    pub withdrawn: Option<usize>,
}

/// See the [module](super).
#[derive(Debug)]
pub struct Neighbour {
    pub(super) config: NeighbourConfig,
    rng: Rng,
    pub(super) running: bool,
    dialling: bool,
    /// RFC 4271's ConnectRetryTimer: when to dial (again).
    pub(super) connect_retry: Option<Time>,
    pub(super) connections: Vec<Connection>,
    /// The first session tells the gateway that we have restarted (RFC 4724 §4.1: R on that one only).
    restarting: bool,
    pub(super) status: Status,
}

impl Neighbour {
    /// A neighbour that is not started. `restarting`: an earlier process had sessions that its gateways may keep alive.
    pub fn new(config: NeighbourConfig, restarting: bool, seed: u64) -> Self {
        let status = Status {
            state: State::Idle,
            since: Time::ZERO,
            agreed: None,
            direction: None,
            established: 0,
            received: Counters::default(),
            sent: Counters::default(),
            update_errors: UpdateErrors::default(),
            last_received: None,
            last_sent: None,
            last_end: None,
        };
        Neighbour {
            config,
            rng: Rng::new(seed),
            running: false,
            dialling: false,
            connect_retry: None,
            connections: Vec::new(),
            restarting,
            status,
        }
    }

    /// The configuration.
    pub fn config(&self) -> &NeighbourConfig {
        &self.config
    }

    /// What can be seen from outside.
    pub fn status(&self) -> Status {
        Status { state: self.state(), ..self.status.clone() }
    }

    /// The state of the connection that is furthest.
    pub fn state(&self) -> State {
        let of_connection = |connection: &Connection| match connection.phase {
            Phase::OpenSent => State::OpenSent,
            Phase::OpenConfirm(_) | Phase::Contested { .. } => State::OpenConfirm,
            Phase::Established(_) => State::Established,
        };
        let without = match (self.running, self.dialling) {
            (false, _) => State::Idle,
            (true, true) => State::Connect,
            (true, false) => State::Active,
        };
        self.connections.iter().map(of_connection).max().unwrap_or(without)
    }

    /// When [`Neighbour::on_deadline`] wants to be called.
    pub fn next_deadline(&self) -> Option<Time> {
        let of_connections = self.connections.iter().filter_map(|connection| connection.deadlines.next());
        of_connections.chain(self.connect_retry).min()
    }

    /// Takes one input in.
    pub fn handle(&mut self, now: Time, input: Input<'_>, effects: &mut Vec<Effect>) {
        match input {
            Input::Start => self.start(now, effects),
            Input::Stop(stop) => self.stop(now, stop, effects),
            Input::Connected(id) => {
                if std::mem::take(&mut self.dialling) {
                    self.connect_retry = None;
                    self.open(now, id, Direction::Outgoing, effects);
                } else {
                    // Of an attempt that was given up.
                    effects.push(Effect::Close(id));
                }
            }
            // ConnectRetryTimer has run since the attempt began.
            Input::ConnectFailed(why) => {
                if std::mem::take(&mut self.dialling) {
                    self.failed(now, End::ConnectFailed(why), effects);
                }
            }
            Input::NoPassword(why) => {
                self.dialling = false;
                if self.running && self.connections.is_empty() {
                    self.failed(now, End::NoPassword(why), effects);
                }
            }
            Input::Accepted(id) => self.accept(now, id, effects),
            Input::Received(id, octets) => self.receive(now, id, octets, effects),
            Input::Written(id, messages) => {
                self.status.sent.count(MessageKind::Update, messages);
                self.sent_something(now, id, true);
            }
            Input::Progress(id) => self.sent_something(now, id, false),
            Input::Closed(id, why) => self.end(now, id, None, End::Closed(why), effects),
            Input::TooSlow => {
                if let Some(id) = self.established() {
                    self.end(now, id, None, End::TooSlow, effects);
                }
            }
        }
    }

    /// Does what is due: events 9 to 11, and RFC 9687.
    pub fn on_deadline(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.connect_retry.is_some_and(|at| at <= now) {
            self.connect_retry = None;
            self.dial(now, effects);
        }
        let due = |connection: &Connection| Some((connection.id, connection.deadlines.due(now)?));
        while let Some((id, timer)) = self.connections.iter().find_map(due) {
            match timer {
                Timer::Hold if self.is_contested(id) => self.lose(now, id, effects),
                // Event 10.
                Timer::Hold => {
                    let notification = Some(Notification::HOLD_TIMER_EXPIRED);
                    self.end(now, id, notification, End::HoldTimerExpired, effects);
                }
                // It takes nothing, so a NOTIFICATION would not arrive either (RFC 9687 §4).
                Timer::SendHold => self.end(now, id, None, End::SendHoldTimerExpired, effects),
                Timer::Keepalive => self.send(now, id, MessageKind::Keepalive, keepalive(), effects),
            }
        }
    }

    fn start(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if !self.running {
            self.running = true;
            self.status.since = now;
            self.dial(now, effects);
        }
    }

    fn stop(&mut self, now: Time, stop: Stop, effects: &mut Vec<Effect>) {
        self.running = false;
        self.connect_retry = None;
        if std::mem::take(&mut self.dialling) {
            effects.push(Effect::AbortDial);
        }
        let ids: Vec<ConnectionId> = self.connections.iter().map(|connection| connection.id).collect();
        for id in ids {
            let notification = self.farewell(stop, id);
            self.end(now, id, notification, End::Stopped(stop), effects);
        }
    }

    /// RFC 8538 §3: where the gateway would keep the routes after a plain Cease, because both sides set N, it takes a Hard
    /// Reset to make it drop them.
    fn farewell(&mut self, stop: Stop, id: ConnectionId) -> Option<Notification> {
        let cease = match stop {
            Stop::Handover => return None,
            Stop::Deconfigured => Notification::cease(CeaseSubcode::PeerDeconfigured),
            Stop::Decommissioned => Notification::administrative_shutdown(GOODBYE),
        };
        let agreed = self.connection(id).and_then(|connection| connection.agreed());
        if agreed.is_some_and(|agreed| agreed.notification_keeps_routes) {
            Some(Notification::hard_reset(&cease))
        } else {
            Some(cease)
        }
    }

    fn dial(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if !self.wants_to_dial() {
            return;
        }
        if std::mem::take(&mut self.dialling) {
            // It takes longer than ConnectRetryTime: begin again (event 9).
            effects.push(Effect::AbortDial);
            self.failed(now, End::TimedOut, effects);
        }
        // A connection of the gateway's that has come past its OPEN is about to be the session: ours would only collide with
        // it. One that has not may stay silent for minutes.
        if self.connections.iter().all(|connection| matches!(connection.phase, Phase::OpenSent)) {
            self.dialling = true;
            effects.push(Effect::Dial);
        }
        self.retry_later(now);
    }

    /// Neither a session nor a connection of our own, and we may make one.
    fn wants_to_dial(&self) -> bool {
        let enough =
            |connection: &Connection| connection.is_established() || connection.direction == Direction::Outgoing;
        self.running && !self.config.passive && !self.connections.iter().any(enough)
    }

    /// Sets ConnectRetryTimer where it does not run but should: what fails meanwhile does not put the next attempt off.
    fn retry_later(&mut self, now: Time) {
        if self.connect_retry.is_none() && self.wants_to_dial() {
            let pause = self.config.timers.connect_retry.max(CONNECT_RETRY_AT_LEAST);
            self.connect_retry = Some(now + self.rng.jitter(pause));
        }
    }

    fn accept(&mut self, now: Time, id: ConnectionId, effects: &mut Vec<Effect>) {
        let refuse = if !self.running {
            Some(CeaseSubcode::ConnectionRejected)
        } else if self.established_agreed().is_some_and(|agreed| !agreed.peer_keeps_routes()) {
            // RFC 4271 §6.8: an established session is not given up for a newcomer.
            Some(CeaseSubcode::ConnectionCollision)
        } else {
            None
        };
        if let Some(subcode) = refuse {
            self.notify(now, id, Notification::cease(subcode), effects);
            effects.push(Effect::Close(id));
            return;
        }
        // A gateway dials once at a time: of two unfinished connections from it, the older is dead.
        let older = |c: &&Connection| c.direction == Direction::Incoming && !c.is_established();
        if let Some(older) = self.connections.iter().find(older).map(|connection| connection.id) {
            self.end(now, older, None, End::Collision, effects);
        }
        self.open(now, id, Direction::Incoming, effects);
    }

    /// A TCP connection stands: OPEN goes out.
    fn open(&mut self, now: Time, id: ConnectionId, direction: Direction, effects: &mut Vec<Effect>) {
        let mut deadlines = Deadlines::default();
        deadlines.set(Timer::Hold, Some(now + OPEN_HOLD));
        let after_session = self.established().is_some();
        let phase = Phase::OpenSent;
        self.connections.push(Connection { id, direction, framer: Framer::new(), phase, deadlines, after_session });
        let open = self.config.open(self.restarting).encode();
        self.send(now, id, MessageKind::Open, open, effects);
    }

    /// The gateway's KEEPALIVE confirms the OPENs (event 26 in OpenConfirm).
    pub(super) fn establish(&mut self, now: Time, id: ConnectionId, agreed: Box<Agreed>, effects: &mut Vec<Effect>) {
        self.restarting = false;
        self.connect_retry = None;
        if std::mem::take(&mut self.dialling) {
            effects.push(Effect::AbortDial);
        }
        self.status.since = now;
        self.status.agreed = Some(Agreed::clone(&agreed));
        self.status.established += 1;
        if let Some(connection) = self.connection(id) {
            connection.phase = Phase::Established(agreed.clone());
            self.status.direction = Some(connection.direction);
        }
        self.heard(now, id);
        self.sent_something(now, id, true);
        effects.push(Effect::Up(id, agreed));
    }

    /// Closes a connection, with a NOTIFICATION where one is due, and begins anew if it was the last.
    pub(super) fn end(
        &mut self,
        now: Time,
        id: ConnectionId,
        notification: Option<Notification>,
        end: End,
        effects: &mut Vec<Effect>,
    ) {
        let Some(place) = self.connections.iter().position(|connection| connection.id == id) else { return };
        if let Some(notification) = notification {
            self.notify(now, id, notification, effects);
        }
        let connection = self.connections.remove(place);
        effects.push(Effect::Close(id));
        if connection.is_established() {
            self.status.since = now;
            self.status.agreed = None;
            self.connections.iter_mut().for_each(|other| other.after_session = false);
            self.status.direction = None;
            self.status.last_end = Some((now, end.clone()));
            effects.push(Effect::Down(id, end));
        } else {
            self.failed(now, end, effects);
        }
        self.retry_later(now);
        self.settle(now, effects);
    }

    fn failed(&mut self, now: Time, end: End, effects: &mut Vec<Effect>) {
        // What ended the session, or keeps it from coming up, is what people look for; a lost collision is neither.
        if end != End::Collision {
            self.status.last_end = Some((now, end.clone()));
        }
        effects.push(Effect::Failed(end));
    }

    fn notify(&mut self, now: Time, id: ConnectionId, notification: Notification, effects: &mut Vec<Effect>) {
        let message = notification.encode();
        self.status.last_sent = Some((now, notification));
        self.send(now, id, MessageKind::Notification, message, effects);
    }

    pub(super) fn send(
        &mut self,
        now: Time,
        id: ConnectionId,
        kind: MessageKind,
        message: Bytes,
        effects: &mut Vec<Effect>,
    ) {
        self.status.sent.count(kind, 1);
        self.restart_keepalive(now, id);
        effects.push(Effect::Send(id, message));
    }

    /// RFC 4271 §8.2.2: whatever is sent restarts the KeepaliveTimer.
    pub(super) fn restart_keepalive(&mut self, now: Time, id: ConnectionId) {
        let interval = self.connection(id).and_then(|connection| connection.agreed()?.keepalive);
        let at = interval.map(|interval| now + self.rng.jitter(interval));
        if let Some(connection) = self.connection(id) {
            connection.deadlines.set(Timer::Keepalive, at);
        }
    }

    /// The socket took octets: the gateway is alive as a reader.
    fn sent_something(&mut self, now: Time, id: ConnectionId, whole_message: bool) {
        if whole_message {
            self.restart_keepalive(now, id);
        }
        let Some(connection) = self.connection(id).filter(|connection| connection.is_established()) else { return };
        let hold = connection.agreed().and_then(|agreed| agreed.hold_time.duration());
        let send_hold = hold.map(|hold| now + SEND_HOLD_AT_LEAST.max(hold * 2));
        connection.deadlines.set(Timer::SendHold, send_hold);
    }

    /// Whatever is received restarts the HoldTimer.
    pub(super) fn heard(&mut self, now: Time, id: ConnectionId) {
        if let Some(connection) = self.connection(id)
            && let Some(agreed) = connection.agreed()
        {
            let hold = match agreed.hold_time.duration() {
                // Only a session may last without: a gateway that stops before it would keep us from dialling for ever.
                None if !connection.is_established() => Some(OPEN_HOLD),
                hold => hold,
            };
            connection.deadlines.set(Timer::Hold, hold.map(|hold| now + hold));
        }
    }

    pub(super) fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.id == id)
    }

    pub(super) fn established(&self) -> Option<ConnectionId> {
        self.connections.iter().find(|connection| connection.is_established()).map(|connection| connection.id)
    }

    pub(super) fn established_agreed(&self) -> Option<&Agreed> {
        self.connections.iter().find(|connection| connection.is_established())?.agreed()
    }
}
