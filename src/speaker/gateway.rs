//! The task of one gateway: drives its [`Neighbour`], owns its connections.

use super::chatter::{Chatter, Crowd, Line, Repeated};
use super::connection::{Connection, dial};
use super::net::{Later, Net, Stream, Target};
use super::password::Password;
use super::range::RangeReport;
use super::report::{GatewayReport, Told};
use super::socket::md5::Md5Drops;
use super::standing::Standing;
use super::unreachable;
use super::writer::Control;
use crate::clock::{Clock, reached};
use crate::engine::EngineHandle;
use bytes::Bytes;
use fingerpost_core::bgp::neighbour::{Agreed, ConnectionId, Effect, End, Input, Neighbour, State, Stop, UpdateError};
use fingerpost_core::engine::{Input as EngineInput, SessionNumber, SessionUp};
use fingerpost_core::model::{Family, GatewayId, PerFamily};
use fingerpost_core::view::{Chunk, Stamp};
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// What a gateway's connections tell its task.
#[derive(Debug)]
pub(super) enum Event {
    Octets(ConnectionId, Bytes),
    Broken(ConnectionId, String),
    Progress(ConnectionId),
    Written(ConnectionId, Arc<Chunk>),
    /// So many octets were not written, because the first of them have this stamp, which may not be said any more.
    Refused(ConnectionId, Stamp, usize),
    /// Nor were so many that the engine had handed out before it knew of that.
    Dropped(ConnectionId, usize),
    TooSlow(ConnectionId),
}

/// What others tell a gateway's task.
pub(super) enum Command {
    /// A gateway connected from this address.
    Accepted(IpAddr, Box<dyn Stream>),
    /// How are all that came from a range?
    Reports(oneshot::Sender<(RangeReport, Vec<GatewayReport>)>),
    /// How is it?
    Status(oneshot::Sender<Told>),
    /// What its connections are signed with from now on.
    Password(Password),
    /// Ends the task.
    Stop(Stop),
}

/// How long a gateway may take to be told that the process goes for good; less than its owner waits.
const LAST_WORDS: Duration = Duration::from_millis(1500);
/// Events that may wait for the task.
const EVENTS: usize = 16;

pub(super) struct Gateway {
    id: GatewayId,
    name: String,
    target: Target,
    password: Password,
    /// What the kernel had dropped for the sake of TCP MD5 when the session went down.
    md5_drops: Md5Drops,
    clock: Clock,
    net: Arc<dyn Net>,
    engine: EngineHandle,
    neighbour: Neighbour,
    connections: HashMap<ConnectionId, Connection>,
    /// Writers that still owe something.
    closing: Vec<JoinHandle<()>>,
    /// The connection whose session the engine knows.
    session: Option<Standing>,
    next_connection: u64,
    dial: Option<Later<'static, io::Result<Box<dyn Stream>>>>,
    events: mpsc::Sender<Event>,
    /// Called when a session comes up.
    on_up: Arc<dyn Fn() + Send + Sync>,
    last_failure: Option<End>,
    chatter: Chatter,
    /// The others of its range.
    crowd: Option<Crowd>,
    update_errors: Repeated,
    /// One request for everything at a time is on its way to the engine: the next one would get the same answer.
    refreshes: PerFamily<Arc<Semaphore>>,
    /// When it ends by itself, if nothing happens until then: it came from a range.
    leaves: Leaves,
}

/// When a gateway that came from a range is forgotten.
enum Leaves {
    /// It is configured by its address.
    Never,
    /// It has a session.
    NotNow,
    /// It has had none yet, or none since.
    At(Instant),
}

impl Leaves {
    fn at(&self) -> Option<Instant> {
        match self {
            Leaves::Never | Leaves::NotNow => None,
            Leaves::At(at) => Some(*at),
        }
    }
}

/// Until then who has connected must have a session.
const UNFINISHED: Duration = Duration::from_secs(30);
/// For so long one whose session has ended can still be seen, and what it said last.
const REMEMBERED: Duration = Duration::from_secs(60);

pub(super) struct Parts {
    pub(super) id: GatewayId,
    pub(super) name: String,
    pub(super) target: Target,
    pub(super) password: Password,
    pub(super) neighbour: Neighbour,
    pub(super) clock: Clock,
    pub(super) net: Arc<dyn Net>,
    pub(super) engine: EngineHandle,
    pub(super) on_up: Arc<dyn Fn() + Send + Sync>,
    /// With whom it came, from a range: it ends by itself. None: it is configured by its address, and does not.
    pub(super) crowd: Option<Crowd>,
}

/// Runs until told to stop.
pub(super) async fn run(parts: Parts, commands: mpsc::UnboundedReceiver<Command>) {
    let (events, received) = mpsc::channel(EVENTS);
    let Parts { id, name, target, password, neighbour, clock, net, engine, on_up, crowd } = parts;
    let gateway = Gateway {
        id,
        name,
        target,
        password,
        md5_drops: Md5Drops::now(),
        clock,
        net,
        engine,
        neighbour,
        connections: HashMap::new(),
        closing: Vec::new(),
        session: None,
        next_connection: 0,
        dial: None,
        events,
        on_up,
        last_failure: None,
        chatter: Chatter::new(),
        update_errors: Repeated::default(),
        refreshes: PerFamily::from_fn(|_| Arc::new(Semaphore::new(1))),
        leaves: crowd.as_ref().map_or(Leaves::Never, |_| Leaves::At(Instant::now() + UNFINISHED)),
        crowd,
    };
    gateway.run(commands, received).await;
}

impl Gateway {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>, mut events: mpsc::Receiver<Event>) {
        self.input(Input::Start);
        self.say_what_is_missing();
        loop {
            let deadline = self.neighbour.next_deadline().map(|at| self.clock.instant(at));
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Accepted(_, stream)) => {
                        let id = self.connect(stream);
                        self.input(Input::Accepted(id));
                    }
                    // It is no range.
                    Some(Command::Reports(_)) => {}
                    Some(Command::Status(answer)) => {
                        let _ = answer.send(Told { status: self.neighbour.status(), hint: self.hint() });
                    }
                    Some(Command::Password(password)) => {
                        self.password = password;
                        self.say_what_is_missing();
                    }
                    Some(Command::Stop(stop)) => {
                        self.input(Input::Stop(stop));
                        // The process ends with this: what was not written by then would never be.
                        if stop == Stop::Decommissioned {
                            drop(events); // nobody waits to be heard any more
                            let all = async {
                                for writer in &mut self.closing {
                                    let _ = writer.await;
                                }
                            };
                            let _ = timeout(LAST_WORDS, all).await;
                        }
                        return;
                    }
                    None => {
                        self.input(Input::Stop(Stop::Handover));
                        return;
                    }
                },
                Some(event) = events.recv() => self.event(event),
                dialled = async { match &mut self.dial { Some(dial) => dial.await, None => std::future::pending().await } } => {
                    self.dial = None;
                    match dialled {
                        Ok(stream) => {
                            let id = self.connect(stream);
                            self.input(Input::Connected(id));
                        }
                        Err(error) => self.input(Input::ConnectFailed(unreachable::why(&self.target, &error))),
                    }
                }
                () = reached(self.leaves.at()) => {
                    self.input(Input::Stop(Stop::Handover));
                    return;
                }
                () = reached(deadline) => {
                    let mut effects = Vec::new();
                    self.neighbour.on_deadline(self.clock.now(), &mut effects);
                    self.carry_out(effects);
                }
            }
        }
    }

    fn input(&mut self, input: Input<'_>) {
        let mut effects = Vec::new();
        self.neighbour.handle(self.clock.now(), input, &mut effects);
        self.carry_out(effects);
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Octets(id, octets) => self.input(Input::Received(id, &octets)),
            Event::Broken(id, why) => self.input(Input::Closed(id, why)),
            Event::Progress(id) => self.input(Input::Progress(id)),
            Event::Written(id, chunk) => {
                if let Some(session) = self.session.as_mut().filter(|session| session.connection == id) {
                    session.written(chunk.bytes.len());
                }
                self.input(Input::Written(id, chunk.ends.len() as u64));
            }
            Event::Refused(id, stamp, octets) => {
                if let Some(session) = self.session.as_mut().filter(|session| session.connection == id) {
                    session.refused(stamp, octets);
                }
            }
            Event::Dropped(id, octets) => {
                if let Some(session) = self.session.as_mut().filter(|session| session.connection == id) {
                    session.dropped(octets);
                }
            }
            Event::TooSlow(id) => {
                if self.standing(id).is_some() {
                    self.input(Input::TooSlow);
                }
            }
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Dial => match self.password.key() {
                    Ok(key) => self.dial = Some(dial(Arc::clone(&self.net), self.target.clone(), key.cloned())),
                    Err(why) => self.input(Input::NoPassword(why.to_owned())),
                },
                Effect::AbortDial => self.dial = None,
                Effect::Send(id, message) => {
                    if let Some(connection) = self.connections.get(&id) {
                        let _ = connection.control.send(Control::Send(message));
                    }
                }
                Effect::Close(id) => {
                    if let Some(connection) = self.connections.remove(&id) {
                        let _ = connection.control.send(Control::Close(connection.reader));
                        self.closing.retain(|writer| !writer.is_finished());
                        self.closing.push(connection.writer);
                    }
                }
                Effect::Up(id, agreed) => self.up(id, &agreed),
                Effect::Down(id, end) => self.down(id, &end),
                Effect::Failed(end) => self.failed(end),
                Effect::Refresh(id, family) => self.refresh(id, family),
                Effect::UpdateError(_, error) => self.say_update_error(&error),
                // Nothing that a gateway announces is kept.
                Effect::Update(..) => {}
            }
        }
    }

    fn connect(&mut self, stream: Box<dyn Stream>) -> ConnectionId {
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let lead = self.engine.lead().clone();
        self.connections.insert(id, Connection::start(id, stream, lead, &self.events));
        id
    }

    /// The number of this connection's session, if the engine knows one.
    fn standing(&self, id: ConnectionId) -> Option<SessionNumber> {
        self.session.as_ref().filter(|session| session.connection == id).map(|session| session.number)
    }

    fn refresh(&self, id: ConnectionId, family: Family) {
        let Some(number) = self.standing(id) else { return };
        if let Ok(permit) = Arc::clone(&self.refreshes[family]).try_acquire_owned() {
            tracing::debug!(gateway = self.name, family = family.name(), "route refresh requested");
            self.engine.send(EngineInput::Refresh(self.id, number, family), Some(permit));
        }
    }

    /// Whether one more line of this gateway goes into the log.
    fn may_say(&mut self) -> bool {
        let own = match self.chatter.line() {
            Line::LeftOut => return false,
            line => line,
        };
        match self.crowd.as_ref().map(Crowd::line) {
            None | Some(Line::Said { left_out: 0 }) => {}
            Some(Line::Said { left_out }) => {
                tracing::warn!(
                    gateway = self.name,
                    left_out,
                    "this many lines about gateways of its range were left out"
                );
            }
            Some(Line::Last) => {
                tracing::warn!(
                    gateway = self.name,
                    "too many lines about gateways of its range: for a while no more of them"
                );
                return false;
            }
            Some(Line::LeftOut) => return false,
        }
        match own {
            Line::Said { left_out: 0 } => true,
            Line::Said { left_out } => {
                tracing::warn!(gateway = self.name, left_out, "this many lines about the gateway were left out");
                true
            }
            Line::Last => {
                tracing::warn!(gateway = self.name, "too many lines about this gateway: for a while no more of them");
                false
            }
            Line::LeftOut => false,
        }
    }

    /// Once a minute at the most: the metric counts them all.
    fn say_update_error(&mut self, error: &UpdateError) {
        let Some(left_out) = self.update_errors.say().filter(|_| self.crowd.is_none() || self.may_say()) else {
            return;
        };
        let UpdateError { attribute, withdrawn } = error;
        match withdrawn {
            Some(prefixes) => tracing::warn!(
                gateway = self.name,
                left_out,
                "an UPDATE of the gateway counts as a withdrawal of its {prefixes} prefixes: {attribute} (RFC 7606)"
            ),
            None => tracing::warn!(
                gateway = self.name,
                left_out,
                "an attribute in an UPDATE of the gateway is ignored: {attribute} (RFC 7606)"
            ),
        }
    }

    fn up(&mut self, id: ConnectionId, agreed: &Agreed) {
        let Some(connection) = self.connections.get(&id) else { return };
        let number = self.engine.attach(self.id, connection.to_writer.clone());
        let (gateway, engine) = (self.id, self.engine.clone());
        self.session = Some(Standing::new(id, number, gateway, engine));
        self.last_failure = None;
        self.leave(None);
        let names: Vec<_> =
            agreed.families.iter().filter(|(_, on)| on.is_some()).map(|(family, _)| family.name()).collect();
        if self.may_say() {
            tracing::info!(
                gateway = self.name,
                peer_id = %agreed.peer_id(),
                hold_time_s = agreed.hold_time.seconds(),
                families = names.join(","),
                "session established"
            );
        }
        (self.on_up)();
        let up = SessionUp {
            number,
            families: agreed.families,
            enhanced_refresh: agreed.enhanced_refresh,
            address: self.target.address.ip(),
        };
        self.engine.send(EngineInput::SessionUp(self.id, up), None);
    }

    fn down(&mut self, id: ConnectionId, end: &End) {
        match end {
            _ if !self.may_say() => {}
            End::Stopped(_) => tracing::info!(gateway = self.name, reason = end.reason(), "session ended: {end}"),
            _ => tracing::warn!(gateway = self.name, reason = end.reason(), "session ended: {end}"),
        }
        drop(self.session.take_if(|session| session.connection == id));
        self.md5_drops = Md5Drops::now();
        self.leave(Some(REMEMBERED));
    }

    fn leave(&mut self, after: Option<Duration>) {
        if !matches!(self.leaves, Leaves::Never) {
            self.leaves = after.map_or(Leaves::NotNow, |after| Leaves::At(Instant::now() + after));
        }
    }

    /// Says why no session comes up, once for each reason in a row.
    fn failed(&mut self, end: End) {
        if self.connections.is_empty() && self.neighbour.status().established == 0 {
            self.leave(Some(Duration::ZERO));
        }
        if self.last_failure.as_ref() == Some(&end) || end == End::Collision {
            tracing::debug!(gateway = self.name, reason = end.reason(), "{end}");
            return;
        }
        if self.may_say() {
            let hint = self.hint().map(|hint| format!(", {hint}")).unwrap_or_default();
            tracing::warn!(gateway = self.name, reason = end.reason(), "no session: {end}{hint}");
        }
        self.last_failure = Some(end);
    }

    /// A passive gateway has nothing else that would say it: it never dials.
    fn say_what_is_missing(&mut self) {
        if let Err(why) = self.password.key() {
            let why = why.to_owned();
            self.input(Input::NoPassword(why));
        }
    }

    /// TCP MD5 gives no errors: what is signed with another key, or not at all, is dropped and looks like silence.
    fn hint(&self) -> Option<String> {
        let status = self.neighbour.status();
        if !matches!(self.password, Password::Usable(_)) || status.state == State::Established {
            return None;
        }
        let silent = matches!(status.last_end, Some((_, End::TimedOut)));
        match Md5Drops::now().since(&self.md5_drops) {
            Some(drops) => Some(format!(
                "possibly MD5: the gateway may have another key, or none (dropped on this machine since the session is down: \
                 {drops})"
            )),
            None => silent.then(|| "possibly MD5: the gateway may have another key, or none".to_owned()),
        }
    }
}
