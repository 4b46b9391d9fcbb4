//! The engine's thread: the only one that touches the core's [`Engine`].
//!
//! Everybody else holds an [`EngineHandle`] and sends messages. What arrives is taken in before anything is handed out, and
//! whoever wants to look gets a closure run on this thread, between two pieces of work.

use crate::clock::{Clock, wall};
use crate::lead::Lead;
use crate::reach::Reach;
use crate::troubles::Troubles;
use fingerpost_core::engine::{
    self, By, Command, Effect, Engine, Input, Role, SessionNumber, Settings, TakenOrders, TimelineLimits,
};
use fingerpost_core::model::{GatewayId, Replica, SourceId};
use fingerpost_core::orders::Order as SharedOrder;
use fingerpost_core::source::Order;
use fingerpost_core::view::Chunk;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

/// What a session's writer gets from the engine.
#[derive(Clone, Debug)]
pub enum ToSession {
    /// Messages to write.
    Chunk(Arc<Chunk>),
    /// It knows of what was refused: what follows is to be written again.
    Resume,
    /// It cannot be kept up to date: close it.
    TooSlow,
}

enum Message {
    Input(Input, Option<OwnedSemaphorePermit>),
    Attach(GatewayId, SessionNumber, mpsc::UnboundedSender<ToSession>),
    Reconfigure(Box<Settings>),
    Command(Command, By, oneshot::Sender<usize>),
    Orders(Vec<SharedOrder>, oneshot::Sender<TakenOrders>),
    Role(Role),
    Look(Box<dyn FnOnce(&Engine) + Send>),
    Stop,
}

/// A way to the engine; cheap to clone.
#[derive(Clone)]
pub struct EngineHandle {
    messages: Sender<Message>,
    /// Sessions of all gateways are counted together, so that no number comes twice even if a gateway's task starts anew.
    sessions: Arc<AtomicU64>,
    /// So are gateways that join from ranges.
    joined: Arc<AtomicU32>,
    newest: watch::Receiver<u64>,
    lead: Lead,
    troubles: Troubles,
    reach: Reach,
}

impl EngineHandle {
    /// Until when this process may speak as the leader.
    pub fn lead(&self) -> &Lead {
        &self.lead
    }

    /// What is wrong with this replica's part among the others.
    pub fn troubles(&self) -> &Troubles {
        &self.troubles
    }

    /// How far orders have come among the replicas.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Carries out what was ordered at other replicas; None if the engine has ended.
    pub async fn take_orders(&self, orders: Vec<SharedOrder>) -> Option<TakenOrders> {
        let (answer, answered) = oneshot::channel();
        self.messages.send(Message::Orders(orders, answer)).ok()?;
        answered.await.ok()
    }

    /// What this replica is from now on.
    pub fn take_role(&self, role: Role) {
        let _ = self.messages.send(Message::Role(role));
    }

    /// Something happened. The permit, if any, is given back once it is taken in.
    pub fn send(&self, input: Input, permit: Option<OwnedSemaphorePermit>) {
        // Without an engine the process is about to end; its owner notices.
        let _ = self.messages.send(Message::Input(input, permit));
    }

    /// The number of a new session, whose chunks go there. To be called before its `SessionUp`.
    pub fn attach(&self, gateway: GatewayId, to: mpsc::UnboundedSender<ToSession>) -> SessionNumber {
        let number = SessionNumber(self.sessions.fetch_add(1, Ordering::Relaxed));
        let _ = self.messages.send(Message::Attach(gateway, number, to));
        number
    }

    /// A number for a gateway that joins from a range: the upper half is theirs.
    pub fn number(&self) -> GatewayId {
        GatewayId(self.joined.fetch_add(1, Ordering::Relaxed) | 1 << 31)
    }

    /// Another fence, other policies, other gateways.
    pub fn reconfigure(&self, settings: Settings) {
        let _ = self.messages.send(Message::Reconfigure(Box::new(settings)));
    }

    /// What a person orders, and how many routes or holds it concerned; None if the engine has ended.
    pub async fn command(&self, command: Command, by: By) -> Option<usize> {
        let (answer, answered) = oneshot::channel();
        self.messages.send(Message::Command(command, by, answer)).ok()?;
        answered.await.ok()
    }

    /// The number of the newest event of the timeline, as it grows.
    pub fn newest_event(&self) -> watch::Receiver<u64> {
        self.newest.clone()
    }

    /// Ends the thread.
    pub fn stop(&self) {
        let _ = self.messages.send(Message::Stop);
    }

    /// What `look` sees; None if the engine has ended. It holds up everything else: keep it short.
    pub async fn look<T: Send + 'static>(&self, look: impl FnOnce(&Engine) -> T + Send + 'static) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let look = Box::new(move |engine: &Engine| {
            // Who asked may have lost patience: then nobody waits behind an answer that nobody reads.
            if !answer.is_closed() {
                let _ = answer.send(look(engine));
            }
        });
        self.messages.send(Message::Look(look)).ok()?;
        answered.await.ok()
    }
}

/// Where the orders for each source go.
pub type Orders = HashMap<SourceId, mpsc::UnboundedSender<Order>>;

/// What an engine begins with.
pub struct Beginning {
    /// What is wanted.
    pub settings: Settings,
    /// What an earlier process had in force, if that was something else.
    pub before: Option<Settings>,
    /// What it was ordered.
    pub standing: engine::Orders,
    /// What this replica is before it is told otherwise.
    pub role: Role,
    /// Who it is, if there are others that have its orders in common.
    pub shares: Option<Replica>,
}

/// Starts the thread. The receiver completes when it has ended, however it did.
pub fn spawn(
    clock: Clock,
    beginning: Beginning,
    timeline: TimelineLimits,
    orders: Orders,
) -> std::io::Result<(EngineHandle, oneshot::Receiver<()>)> {
    let (sender, messages) = channel();
    let (alive, ended) = oneshot::channel();
    let (told, newest) = watch::channel(0);
    let lead = Lead::default();
    let of_writers = lead.clone();
    std::thread::Builder::new().name("engine".into()).spawn(move || {
        let Beginning { settings, before, standing, role, shares } = beginning;
        let _alive = alive; // dropped at the end, also by a panic
        let mut effects = Vec::new();
        let names =
            settings.sources.iter().map(|source| (source.id, (source.name.clone(), source.lacking.clone()))).collect();
        let mut engine = match before {
            None => Engine::new(clock.now(), settings, &mut effects),
            Some(before) => {
                let mut engine = Engine::new(clock.now(), settings.as_before(&before), &mut effects);
                engine.succeed(clock.now(), settings, &mut effects);
                engine
            }
        };
        engine.limit_timeline(timeline);
        engine.resume(clock.now(), standing);
        shares.into_iter().for_each(|me| engine.share_orders(clock.now(), wall(), me));
        engine.take_role(clock.now(), role, &mut effects);
        let sessions = HashMap::new();
        let mut shell = Shell { clock, engine, effects, orders, names, sessions, newest: told, lead: of_writers };
        shell.run(&messages);
    })?;
    Ok((
        EngineHandle {
            messages: sender,
            sessions: Arc::default(),
            joined: Arc::default(),
            newest,
            lead,
            troubles: Troubles::default(),
            reach: Reach::default(),
        },
        ended,
    ))
}

/// Messages that are taken in before the engine works again.
const INPUTS: u32 = 256;

struct Shell {
    clock: Clock,
    engine: Engine,
    effects: Vec<Effect>,
    orders: Orders,
    /// Names, and what their empty lists lack.
    names: HashMap<SourceId, (String, String)>,
    sessions: HashMap<GatewayId, (SessionNumber, mpsc::UnboundedSender<ToSession>)>,
    /// For who follows the timeline.
    newest: watch::Sender<u64>,
    /// What the writers go by.
    lead: Lead,
}

impl Shell {
    fn run(&mut self, messages: &Receiver<Message>) {
        self.carry_out();
        let mut more = true;
        // A gateway that floods us must not put off everybody's changes.
        let mut taken = 0;
        loop {
            let message = if taken >= INPUTS {
                None
            } else if more {
                match messages.try_recv() {
                    Ok(message) => Some(message),
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => return,
                }
            } else {
                match messages.recv_timeout(self.patience()) {
                    Ok(message) => Some(message),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            };
            let now = self.clock.now();
            match message {
                Some(Message::Stop) => return,
                Some(message) => {
                    self.take(message);
                    taken += 1;
                    more = true;
                }
                None => {
                    taken = 0;
                    let due = self.engine.next_deadline().is_some_and(|at| at <= now);
                    if due {
                        self.engine.on_deadline(now, &mut self.effects);
                    }
                    more = self.engine.work(&mut self.effects) || due;
                }
            }
            self.carry_out();
        }
    }

    fn patience(&self) -> Duration {
        self.engine.next_deadline().map_or(Duration::from_secs(3600), |at| self.clock.until(at))
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Input(input, permit) => {
                if let Input::SessionDown(gateway, number) = input
                    && self.sessions.get(&gateway).is_some_and(|(current, _)| *current == number)
                {
                    self.sessions.remove(&gateway);
                }
                // The refusal may be an old one, and it leads on.
                if let Input::Refused(.., refusal) = &input
                    && !self.lead.allows(refusal.stamp)
                {
                    self.engine.lapse(self.clock.now(), refusal.stamp, &mut self.effects);
                }
                self.engine.handle(self.clock.now(), input, &mut self.effects);
                drop(permit);
            }
            Message::Attach(gateway, number, to) => {
                self.sessions.insert(gateway, (number, to));
            }
            Message::Reconfigure(settings) => {
                self.engine.reconfigure(self.clock.now(), *settings, &mut self.effects);
            }
            Message::Command(command, by, answer) => {
                let count = self.engine.command_by(self.clock.now(), &command, by, &mut self.effects);
                let _ = answer.send(count);
            }
            Message::Orders(orders, answer) => {
                let taken = self.engine.take_orders(self.clock.now(), wall(), orders, &mut self.effects);
                let _ = answer.send(taken);
            }
            Message::Role(role) => {
                self.engine.take_role(self.clock.now(), role, &mut self.effects);
            }
            Message::Look(look) => look(&self.engine),
            Message::Stop => {}
        }
    }

    fn carry_out(&mut self) {
        let newest = self.engine.newest_event();
        self.newest.send_if_modified(|told| std::mem::replace(told, newest) != newest);
        let names = &self.names;
        let of = |source: SourceId| names.get(&source).map(|(name, lacking)| (&**name, &**lacking)).unwrap_or_default();
        let name = |source: SourceId| of(source).0;
        let sessions = &self.sessions;
        let to_session = |gateway: GatewayId, number: SessionNumber, what: ToSession| {
            if let Some((_, to)) = sessions.get(&gateway).filter(|(current, _)| *current == number) {
                let _ = to.send(what);
            }
        };
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Order(source, order) => {
                    if let Some(transport) = self.orders.get(&source) {
                        let _ = transport.send(order);
                    }
                }
                Effect::Send(gateway, number, chunk) => to_session(gateway, number, ToSession::Chunk(chunk)),
                Effect::Resume(gateway, number) => to_session(gateway, number, ToSession::Resume),
                Effect::CloseSlow(gateway, number) => to_session(gateway, number, ToSession::TooSlow),
                Effect::Capped(gateway, family, withheld) => {
                    crate::telemetry::capped(&gateway, family.name(), withheld)
                }
                Effect::Note(source, note) => {
                    let (name, lacking) = of(source);
                    crate::telemetry::source_note(name, lacking, &note);
                }
                Effect::MoreNotes(source, kind, count) => crate::telemetry::more_notes(name(source), kind, count),
                Effect::NotAnnounced(first, more) => {
                    for (loser, key) in &first {
                        crate::telemetry::not_announced(name, loser, key);
                    }
                    if more > 0 {
                        tracing::warn!("{more} more claims are not announced: see /api/v1/routes");
                    }
                }
                Effect::TakesNothing(gateway) => crate::telemetry::takes_nothing(&gateway),
                Effect::Replica(identity, note) => crate::telemetry::replica(&identity, &note),
                Effect::ReloadHeld(hold) => crate::telemetry::reload_held(&hold),
                Effect::Taken(taken) => crate::telemetry::taken(&taken),
                Effect::Held(source, kind, count, why) => crate::telemetry::held(name(source), kind, count, why),
            }
        }
    }
}
