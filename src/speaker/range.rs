//! Dynamic neighbours: whoever connects from a range is a gateway of its own, for as long as it has a session.
//!
//! ```text
//!  listener ──► Range: who is this? ── known ──► its gateway task
//!                        └── new, and room ──► a gateway task of its own, and an outlet in the engine
//! ```
//!
//! A host that peers in receives the routes and announces nothing. There are never more than `limit` of them, and of those that
//! have not become a session yet the oldest makes room: who connects and says nothing keeps nobody out.

use super::chatter::{Crowd, Repeated};
use super::gateway::{self, Command, Parts};
use super::net::{Net, Stream, Target};
use super::password::Password;
use super::report::{GatewayReport, Told};
use super::roster::{GatewayConfig, PATIENCE};
use super::socket::md5::Md5Drops;
use crate::clock::Clock;
use crate::engine::EngineHandle;
use fingerpost_core::bgp::neighbour::{Neighbour, Stop};
use fingerpost_core::engine::{Input as EngineInput, Joined};
use fingerpost_core::model::{GatewayId, Prefix};
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, interval, timeout, timeout_at};

/// The most that may be on their way to a session, however many may have one.
const UNFINISHED: usize = 256;

/// What a range needs.
pub(super) struct RangeParts {
    pub(super) config: GatewayConfig,
    pub(super) within: Prefix,
    pub(super) limit: usize,
    pub(super) password: Password,
    pub(super) clock: Clock,
    pub(super) net: Arc<dyn Net>,
    pub(super) engine: EngineHandle,
    pub(super) restarting: bool,
    pub(super) seed: u64,
    pub(super) on_up: Arc<dyn Fn() + Send + Sync>,
}

/// How a range is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RangeReport {
    /// Its name in the configuration.
    pub name: String,
    /// From where they may come.
    pub within: Prefix,
    /// How many there may be.
    pub limit: usize,
    /// How many connections were closed because there were as many already.
    pub refused: u64,
    /// Why nobody gets a session, or what may keep somebody from getting one.
    pub hint: Option<String>,
}

/// For so long, and once more, what the kernel drops is said.
const DROPS: Duration = Duration::from_secs(60);

struct Range {
    parts: RangeParts,
    instances: HashMap<IpAddr, Instance>,
    tasks: JoinSet<()>,
    addresses: HashMap<Id, IpAddr>,
    refused: u64,
    /// That there is no room.
    full: Repeated,
    crowd: Crowd,
    /// Whose first session after our restart was begun (RFC 4724 §4.1), as long as that matters.
    greeted: HashSet<IpAddr>,
    started: Instant,
    /// What the kernel had dropped for the sake of TCP MD5 a while ago, and since then: who does not come in is no gateway yet,
    /// and has no status that could say it.
    md5_drops: [Md5Drops; 2],
}

/// One gateway of the range. Dropping it ends its task and makes the engine forget it, also where the range's task ends by a
/// panic.
struct Instance {
    id: GatewayId,
    engine: EngineHandle,
    name: String,
    target: Target,
    commands: mpsc::UnboundedSender<Command>,
    task: Id,
    since: Instant,
    /// It has had a session.
    was_up: Arc<AtomicBool>,
}

impl Instance {
    fn is_unfinished(&self) -> bool {
        !self.was_up.load(Ordering::Relaxed)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Stop(Stop::Handover));
        self.engine.send(EngineInput::Left(self.id), None);
    }
}

/// Runs until told to stop.
pub(super) async fn run(parts: RangeParts, commands: mpsc::UnboundedReceiver<Command>) {
    let range = Range {
        parts,
        instances: HashMap::new(),
        tasks: JoinSet::new(),
        addresses: HashMap::new(),
        refused: 0,
        full: Repeated::default(),
        crowd: Crowd::new(),
        greeted: HashSet::new(),
        started: Instant::now(),
        md5_drops: [Md5Drops::now(); 2],
    };
    range.say_what_is_missing();
    range.run(commands).await;
}

impl Range {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut glance = interval(DROPS);
        loop {
            tokio::select! {
                _ = glance.tick() => self.md5_drops = [self.md5_drops[1], Md5Drops::now()],
                command = commands.recv() => match command {
                    Some(Command::Accepted(address, stream)) => self.accept(address, stream),
                    Some(Command::Reports(answer)) => self.report(answer),
                    // Connections are fitted with it before they come here.
                    Some(Command::Password(password)) => self.parts.password = password,
                    Some(Command::Status(_)) => {}
                    Some(Command::Stop(stop)) => return self.stop(stop).await,
                    None => return self.stop(Stop::Handover).await,
                },
                Some(ended) = self.tasks.join_next_with_id() => {
                    let id = match ended {
                        Ok((id, ())) => id,
                        Err(error) => {
                            tracing::error!(range = self.parts.config.name, "a gateway's task has failed");
                            error.id()
                        }
                    };
                    self.ended(id);
                }
            }
        }
    }

    fn accept(&mut self, address: IpAddr, stream: Box<dyn Stream>) {
        if !self.instances.contains_key(&address) && !self.admit(address) {
            self.refused += 1;
            if let Some(left_out) = self.full.say() {
                tracing::warn!(
                    range = self.parts.config.name,
                    left_out,
                    "{address} is closed: there are {} gateways already; raise listen_limit",
                    self.parts.limit
                );
            }
            return;
        }
        if let Some(instance) = self.instances.get(&address) {
            let _ = instance.commands.send(Command::Accepted(address, stream));
        }
    }

    /// Makes it a gateway, if there is room or can be made.
    fn admit(&mut self, address: IpAddr) -> bool {
        let unfinished = self.instances.values().filter(|instance| instance.is_unfinished()).count();
        if unfinished >= UNFINISHED || self.instances.len() >= self.parts.limit {
            let unfinished = self.instances.iter().filter(|(_, instance)| instance.is_unfinished());
            let Some(oldest) = unfinished.min_by_key(|(_, instance)| instance.since).map(|(address, _)| *address)
            else {
                return false;
            };
            self.forget(oldest);
        }
        let restarting = self.parts.restarting && self.greet(address);
        let RangeParts { config, clock, net, engine, on_up, seed, .. } = &self.parts;
        let (id, name) = (engine.number(), format!("{}/{address}", config.name));
        let target = Target { address: SocketAddr::new(address, 0), ..config.target.clone() };
        let was_up = Arc::new(AtomicBool::new(false));
        let on_up: Arc<dyn Fn() + Send + Sync> = {
            let (was_up, on_up) = (Arc::clone(&was_up), Arc::clone(on_up));
            Arc::new(move || {
                was_up.store(true, Ordering::Relaxed);
                on_up();
            })
        };
        let neighbour = Neighbour::new(config.neighbour.clone(), restarting, seed ^ (u64::from(id.0) << 32));
        engine.send(EngineInput::Joined(Joined { id, range: config.id, name: name.clone(), address }), None);
        let (commands, received) = mpsc::unbounded_channel();
        let parts = Parts {
            id,
            name: name.clone(),
            target: target.clone(),
            password: Password::Unwanted,
            neighbour,
            clock: *clock,
            net: Arc::clone(net),
            engine: engine.clone(),
            on_up,
            crowd: Some(self.crowd.clone()),
        };
        let task = self.tasks.spawn(gateway::run(parts, received)).id();
        self.addresses.insert(task, address);
        let (engine, since) = (engine.clone(), Instant::now());
        let instance = Instance { id, engine, name, target, commands, task, since, was_up };
        self.instances.insert(address, instance);
        true
    }

    /// Whether its first session since our restart is to say so: once, and only while it may still wait for us.
    fn greet(&mut self, address: IpAddr) -> bool {
        let wait = self.parts.config.neighbour.graceful_restart.map_or(0, |restart| restart.restart_time);
        let waits = self.started.elapsed().as_secs() < wait.into() && self.greeted.len() < 4 * self.parts.limit;
        waits && self.greeted.insert(address)
    }

    fn ended(&mut self, task: Id) {
        let Some(address) = self.addresses.remove(&task) else { return };
        if self.instances.get(&address).is_some_and(|instance| instance.task == task) {
            self.forget(address);
        }
    }

    fn forget(&mut self, address: IpAddr) {
        self.instances.remove(&address);
    }

    /// Who connects is closed without a word.
    fn say_what_is_missing(&self) {
        if let Err(why) = self.parts.password.key() {
            tracing::warn!(range = self.parts.config.name, "{}", closed_because(why));
        }
    }

    fn hint(&self) -> Option<String> {
        match &self.parts.password {
            Password::Unwanted => None,
            Password::Missing(why) => Some(closed_because(why)),
            Password::Usable(_) => Md5Drops::now().since(&self.md5_drops[0]).map(|drops| {
                format!(
                    "possibly MD5: somebody may have another key, or none (dropped on this machine in the last two minutes: {drops})"
                )
            }),
        }
    }

    /// All are asked at once, by a task of its own: nobody waits who connects meanwhile.
    fn report(&self, answer: oneshot::Sender<(RangeReport, Vec<GatewayReport>)>) {
        let RangeParts { config, within, limit, clock, .. } = &self.parts;
        let (name, refused, hint) = (config.name.clone(), self.refused, self.hint());
        let range = RangeReport { name, within: *within, limit: *limit, refused, hint };
        let ask = |instance: &Instance| {
            let (answer, answered) = oneshot::channel();
            let _ = instance.commands.send(Command::Status(answer));
            (instance.id, instance.name.clone(), instance.target.clone(), answered)
        };
        let asked: Vec<_> = self.instances.values().map(ask).collect();
        let clock = *clock;
        tokio::spawn(async move {
            let deadline = Instant::now() + PATIENCE / 2;
            let mut reports = Vec::with_capacity(asked.len());
            for (id, name, target, answered) in asked {
                // One that has just ended is none any more.
                let Ok(answer) = timeout_at(deadline, answered).await.map_or(Ok(None), |told| told.map(Some)) else {
                    continue;
                };
                let (status, hint) = answer.map_or((None, None), |Told { status, hint }| (Some(status), hint));
                let range = Some(range.name.clone());
                reports.push(GatewayReport { id, name, target, status, hint, range, at: clock.now() });
            }
            let _ = answer.send((range, reports));
        });
    }

    async fn stop(mut self, stop: Stop) {
        for instance in self.instances.values() {
            let _ = instance.commands.send(Command::Stop(stop));
        }
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout(PATIENCE * 3 / 4, all).await;
    }
}

fn closed_because(why: &str) -> String {
    format!("no password, so every connection is closed: {why}")
}
