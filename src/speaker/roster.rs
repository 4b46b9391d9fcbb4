//! All gateways' tasks: started, asked, stopped.

use super::gateway::{self, Command, Parts};
use super::listener::{Entry, Expected, Listener, Roll};
use super::listeners::{Listeners, WaitedFor};
use super::net::{Net, Target};
use super::password::Password;
use super::range::{self, RangeParts, RangeReport};
use super::report::GatewayReport;
use super::revival::{Due, Revival};
use super::socket::md5::Md5Drops;
use crate::clock::Clock;
use crate::engine::EngineHandle;
use fingerpost_core::bgp::neighbour::{Neighbour, NeighbourConfig, Stop};
use fingerpost_core::model::{GatewayId, Prefix};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// A gateway as the speaker needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GatewayConfig {
    /// Its number.
    pub id: GatewayId,
    /// Its name in the configuration.
    pub name: String,
    /// Where it is; of a range, how its gateways' connections are fitted.
    pub target: Target,
    /// From where gateways may come, and how many at a time; None: it is one, at its address.
    pub range: Option<(Prefix, usize)>,
    /// The file with the key that its connections are signed with; None: they are not.
    pub password_file: Option<PathBuf>,
    /// The session.
    pub neighbour: NeighbourConfig,
}

struct Running {
    config: GatewayConfig,
    password: Password,
    commands: mpsc::UnboundedSender<Command>,
    task: JoinHandle<()>,
    revival: Revival,
}

/// See the [module](super).
pub struct Speaker {
    clock: Clock,
    net: Arc<dyn Net>,
    engine: EngineHandle,
    expected: Expected,
    listeners: Listeners,
    restarting: bool,
    seed: u64,
    on_up: Arc<dyn Fn() + Send + Sync>,
    running: HashMap<GatewayId, Running>,
    /// The password files as they are being read.
    reading: Option<JoinHandle<Passwords>>,
    /// What the kernel had dropped for the sake of TCP MD5 when that was last said, and when that was.
    md5_drops: (Md5Drops, Instant),
}

/// What the files say whose names the gateways have.
type Passwords = HashMap<PathBuf, Password>;

/// How long a task may take to answer, or to say goodbye.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// How long it is waited for files that are read while everything runs; they are taken the next time.
const GLANCE: Duration = Duration::from_millis(100);
/// How often it is said at the most that the kernel drops segments.
const SAY_AGAIN: Duration = Duration::from_secs(60);

impl Speaker {
    /// A speaker without gateways. `restarting`: an earlier process had sessions (RFC 4724 §3); `on_up` is called at every
    /// session that comes up.
    pub fn new(
        clock: Clock,
        net: Arc<dyn Net>,
        engine: EngineHandle,
        restarting: bool,
        seed: u64,
        on_up: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        let (expected, listeners, running) = (Expected::default(), Listeners::default(), HashMap::new());
        let md5_drops = (Md5Drops::now(), Instant::now());
        Speaker { clock, net, engine, expected, listeners, restarting, seed, on_up, running, reading: None, md5_drops }
    }

    /// Listens for gateways.
    pub fn listen(&self, address: SocketAddr) -> io::Result<Listener> {
        Listener::open(&*self.net, address, &self.expected, &self.listeners)
    }

    /// What is known of the listeners; its owner says where it listens.
    pub fn listeners(&self) -> Listeners {
        self.listeners.clone()
    }

    /// Takes the gateways as they are configured now. Sessions whose parameters did not change are not touched; where they
    /// did, the gateway keeps the routes until the new session stands.
    pub async fn reconfigure(&mut self, gateways: Vec<GatewayConfig>) {
        let wanted: HashMap<GatewayId, GatewayConfig> =
            gateways.into_iter().map(|config| (config.id, config)).collect();
        let gone: Vec<(GatewayId, Stop)> = self
            .running
            .iter()
            .filter_map(|(id, running)| match wanted.get(id) {
                Some(config) if *config == running.config => None,
                _ if stays(*id, &running.config.target, &wanted) => Some((*id, Stop::Handover)),
                _ => Some((*id, Stop::Deconfigured)),
            })
            .collect();
        let gone = gone.into_iter().filter_map(|(id, stop)| Some((self.running.remove(&id)?, stop))).collect();
        end_all(gone).await;
        let new: Vec<GatewayConfig> =
            wanted.into_values().filter(|config| !self.running.contains_key(&config.id)).collect();
        let files = new.iter().filter_map(|config| config.password_file.clone()).collect();
        let passwords = timeout(PATIENCE, read_all(files)).await.ok().and_then(Result::ok).unwrap_or_default();
        for config in new {
            let password = match &config.password_file {
                None => Password::Unwanted,
                Some(file) => passwords.get(file).cloned().unwrap_or_else(|| unread(file)),
            };
            self.running.insert(config.id, self.start(config, password));
        }
        self.expect();
        // What comes later, a gateway added or a session whose parameters changed, follows no restart (RFC 4724 §4.1).
        self.restarting = false;
    }

    /// Tells the listeners who may connect. Of several gateways that share an address, what comes in is for the passive one:
    /// the others are dialled. Among equals it is the one with the lowest number.
    fn expect(&self) {
        let mut running: Vec<&Running> = self.running.values().collect();
        running.sort_by_key(|running| (running.config.neighbour.passive, std::cmp::Reverse(running.config.id)));
        let (mut roll, mut waited_for) = (Roll::default(), WaitedFor::default());
        for running in running {
            if running.config.range.is_some() || running.config.neighbour.passive {
                match running.config.target.address {
                    SocketAddr::V4(_) => waited_for.ipv4 = true,
                    SocketAddr::V6(_) => waited_for.ipv6 = true,
                }
            }
            let (target, password) = (running.config.target.clone(), running.password.clone());
            let address = target.address.ip();
            let entry = Entry { target, password, commands: running.commands.clone() };
            match running.config.range {
                None => _ = roll.by_address.insert(address, entry),
                Some((within, _)) => roll.ranges.push((within, entry)),
            }
        }
        roll.ranges.sort_by_key(|(within, _)| std::cmp::Reverse(within.length()));
        self.listeners.set_waited_for(waited_for);
        self.expected.replace(roll);
    }

    /// Reads the password files again: gateways whose key cannot be used, can be used now or is another are told.
    pub async fn read_passwords(&mut self) {
        let mut reading = match self.reading.take() {
            Some(reading) => reading,
            None => {
                let files: Vec<_> =
                    self.running.values().filter_map(|running| running.config.password_file.clone()).collect();
                if files.is_empty() {
                    return;
                }
                self.say_what_was_dropped();
                read_all(files)
            }
        };
        // A file system that hangs holds up nothing but this.
        let passwords = match timeout(GLANCE, &mut reading).await {
            Ok(read) => read.unwrap_or_default(),
            Err(_) => return self.reading = Some(reading),
        };
        let mut changed = false;
        for running in self.running.values_mut() {
            let Some(password) = running.config.password_file.as_ref().and_then(|file| passwords.get(file)) else {
                continue;
            };
            if running.password == *password {
                continue;
            }
            changed = true;
            match password {
                Password::Missing(why) => tracing::warn!(
                    gateway = running.config.name,
                    "{why}: a session that stands goes on, and no other is begun until that is mended"
                ),
                _ => tracing::info!(
                    gateway = running.config.name,
                    "the password has changed: it counts from the next connection on"
                ),
            }
            running.password = password.clone();
            let _ = running.commands.send(Command::Password(password.clone()));
        }
        if changed {
            self.expect();
        }
    }

    /// Who sends what the kernel drops cannot be told; that it does happen would otherwise be seen nowhere.
    fn say_what_was_dropped(&mut self) {
        let (before, at) = &self.md5_drops;
        let now = Md5Drops::now();
        if at.elapsed() >= SAY_AGAIN
            && let Some(drops) = now.since(before)
        {
            tracing::warn!(
                "the kernel dropped segments for their TCP MD5 signature ({drops}): somebody has another key, or none"
            );
            self.md5_drops = (now, Instant::now());
        }
    }

    /// Starts again, after a while, every gateway whose task has ended by itself (a panic): the others never noticed.
    pub fn revive(&mut self) {
        let now = Instant::now();
        let mut due = Vec::new();
        for (id, running) in self.running.iter_mut().filter(|(_, running)| running.task.is_finished()) {
            match running.revival.ended(now) {
                Due::In(pause) => tracing::error!(
                    gateway = running.config.name,
                    "the gateway's task has failed, a defect of this program: starting it again in {} s",
                    pause.as_secs()
                ),
                Due::Later => {}
                Due::Now => due.push(*id),
            }
        }
        for id in &due {
            if let Some(Running { config, password, revival, .. }) = self.running.remove(id) {
                self.running.insert(*id, Running { revival, ..self.start(config, password) });
            }
        }
        if !due.is_empty() {
            self.expect();
        }
    }

    /// Asks every gateway's task how it is; the answers are in the order of the names. All are asked at once: tasks that do
    /// not answer cost one wait together.
    pub async fn report(&self) -> (Vec<GatewayReport>, Vec<RangeReport>) {
        let mut ranges = Vec::new();
        let mut asked = Vec::with_capacity(self.running.len());
        for running in self.running.values() {
            if running.config.range.is_some() {
                let (answer, answered) = oneshot::channel();
                let _ = running.commands.send(Command::Reports(answer));
                ranges.push(answered);
                continue;
            }
            let (answer, answered) = oneshot::channel();
            let _ = running.commands.send(Command::Status(answer));
            asked.push((running, answered));
        }
        let deadline = Instant::now() + PATIENCE;
        let mut reports = Vec::with_capacity(asked.len());
        for (running, answered) in asked {
            let told = timeout_at(deadline, answered).await.ok().and_then(Result::ok);
            let (status, hint) = told.map_or((None, None), |told| (Some(told.status), told.hint));
            let GatewayConfig { id, name, target, .. } = running.config.clone();
            reports.push(GatewayReport { id, name, target, status, hint, range: None, at: self.clock.now() });
        }
        let mut of_ranges = Vec::with_capacity(ranges.len());
        for answered in ranges {
            if let Ok(Ok((range, of_range))) = timeout_at(deadline, answered).await {
                of_ranges.push(range);
                reports.extend(of_range);
            }
        }
        reports.sort_by(|a, b| a.name.cmp(&b.name));
        (reports, of_ranges)
    }

    /// Ends every session so that the gateways keep the routes.
    pub async fn hand_over(&mut self) {
        self.end(Stop::Handover).await;
    }

    /// Ends every session so that the gateways drop the routes, and waits until that was said.
    pub async fn decommission(&mut self) {
        self.end(Stop::Decommissioned).await;
    }

    /// First of all nobody is let in any more: a gateway connects again as soon as its session ends, and one that were taken
    /// in and cut off once more may forget the routes (OpenBGPD does, by what it then sends to the next process).
    async fn end(&mut self, stop: Stop) {
        if timeout(PATIENCE, self.expected.close()).await.is_err() {
            tracing::error!("a listener does not end by itself");
        }
        end_all(self.running.drain().map(|(_, running)| (running, stop)).collect()).await;
    }

    fn start(&self, config: GatewayConfig, password: Password) -> Running {
        let seed = self.seed ^ (u64::from(config.id.0) << 32);
        let (commands, received) = mpsc::unbounded_channel();
        let task = if let Some((within, limit)) = config.range {
            let parts = RangeParts {
                config: config.clone(),
                within,
                limit,
                password: password.clone(),
                clock: self.clock,
                net: Arc::clone(&self.net),
                engine: self.engine.clone(),
                restarting: self.restarting,
                seed,
                on_up: Arc::clone(&self.on_up),
            };
            tokio::spawn(range::run(parts, received))
        } else {
            let parts = Parts {
                id: config.id,
                name: config.name.clone(),
                target: config.target.clone(),
                password: password.clone(),
                neighbour: Neighbour::new(config.neighbour.clone(), self.restarting, seed),
                clock: self.clock,
                net: Arc::clone(&self.net),
                engine: self.engine.clone(),
                on_up: Arc::clone(&self.on_up),
                crowd: None,
            };
            tokio::spawn(gateway::run(parts, received))
        };
        Running { config, password, commands, task, revival: Revival::new(Instant::now()) }
    }
}

/// Whether the machine behind a session is still wanted, be it under another name: then it keeps the routes meanwhile.
/// One that is nobody's any more must not keep them.
fn stays(id: GatewayId, target: &Target, wanted: &HashMap<GatewayId, GatewayConfig>) -> bool {
    wanted.values().any(|config| {
        config.target.address == target.address
            || (config.id == id && config.target.address.ip() == target.address.ip())
    })
}

/// Reads them, away from the tasks that must not wait for a disk.
fn read_all(files: Vec<PathBuf>) -> JoinHandle<Passwords> {
    tokio::task::spawn_blocking(move || {
        let read = |file: PathBuf| {
            let password = Password::read(&file);
            (file, password)
        };
        files.into_iter().map(read).collect()
    })
}

/// What is known of a file that could not be read in time.
fn unread(file: &Path) -> Password {
    Password::Missing(format!("{} cannot be read: it takes too long", file.display()))
}

/// Stops them all at once: tasks that do not end cost one wait together, and are ended.
async fn end_all(running: Vec<(Running, Stop)>) {
    for (running, stop) in &running {
        let _ = running.commands.send(Command::Stop(*stop));
    }
    let deadline = Instant::now() + PATIENCE;
    for (mut running, _) in running {
        if timeout_at(deadline, &mut running.task).await.is_err() {
            tracing::error!(gateway = running.config.name, "the gateway's task does not end by itself");
            running.task.abort();
        }
    }
}
