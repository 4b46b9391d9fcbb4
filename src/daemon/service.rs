//! Everything that runs, made from a configuration. The daemon and the demonstration both start one.

use super::election::{self, Leaving, Part};
use super::listen;
use super::settings::{self, GatewayNumbers};
use super::state::RestartMarker;
use super::transport;
use crate::admin::Admin;
use crate::clock::Clock;
use crate::config::Config;
use crate::departure::{Departure, Way};
use crate::engine::{self, Beginning, EngineHandle};
use crate::http::Shared;
use crate::snapshot::renamed;
use crate::snapshot::{self, ConfigKept, Left, OrdersFile, Place};
use crate::speaker::{GatewayReport, Net, Speaker};
use crate::timeline::{self, Dropped};
use fingerpost_core::engine::{Engine, Orders as Standing, Settings};
use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, Notify, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How long the end waits for answers of the admin API that are still being given.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// A running service.
pub struct Service {
    config: Config,
    config_kept: ConfigKept,
    numbers: GatewayNumbers,
    seed: u64,
    engine: EngineHandle,
    ended: oneshot::Receiver<()>,
    speaker: Arc<Mutex<Speaker>>,
    nudge: Arc<Notify>,
    config_loaded: Arc<AtomicBool>,
    listeners: AbortOnDropHandle<()>,
    http: AbortOnDropHandle<()>,
    snapshots: AbortOnDropHandle<()>,
    timeline: AbortOnDropHandle<()>,
    admin: AbortOnDropHandle<()>,
    admin_ends: CancellationToken,
    departure: Departure,
    /// Every route carries GRACEFUL_SHUTDOWN, whatever the configuration says.
    drained: bool,
    transports: Vec<AbortOnDropHandle<()>>,
    election: Part,
}

impl Service {
    /// Starts everything. What cannot be had yet (an address in use, a store that does not answer) is tried again and said.
    pub async fn start(config: Config, net: Arc<dyn Net>) -> anyhow::Result<Self> {
        let clock = Clock::start();
        let seed = RandomState::new().build_hasher().finish();
        let mut numbers = GatewayNumbers::default();
        let mut settings = settings::engine(&config, &mut numbers, seed);
        let places = snapshot_places(&config, &settings);
        let now = config.clone();
        let Before { config: before, renamed } = tokio::task::spawn_blocking(move || before(&now)).await?;
        for (source, place) in settings.sources.iter_mut().zip(&places) {
            let place = place.clone();
            if let Some(Left { snapshot, spent, ago }) = tokio::task::spawn_blocking(move || place.read()).await? {
                source.snapshot = Some(snapshot);
                source.spent = spent.after(ago, config.guard.refill);
            }
        }
        let names: BTreeMap<_, _> = settings.sources.iter().map(|source| (source.id, source.name.clone())).collect();
        let standing = {
            let (directory, names) = (config.state_dir.clone(), names.clone());
            tokio::task::spawn_blocking(move || OrdersFile::read(directory.as_deref(), &names, &renamed)).await?
        };
        say_standing(&standing);
        let before = before.map(|before| settings::before(&config, before, &mut numbers, seed));
        if before.is_some() {
            tracing::info!("the configuration is another one than before: it is judged like a reload");
        }
        let (orders, inboxes) = transport::orders(&settings.sources);
        let shares = election::shares(&config);
        let beginning = Beginning { settings, before, standing, role: election::role_at_start(&config), shares };
        let (engine, ended) = engine::spawn(clock, beginning, config.timeline.limits(), orders)?;
        let nudge = Arc::new(Notify::new());
        let mut transports = Vec::new();
        for (id, inbox) in inboxes {
            transports.extend(transport::start(&config, id, inbox, &engine, &nudge));
        }
        let orders = OrdersFile::new(config.state_dir.clone(), names, clock, engine.clone());
        let config_kept = ConfigKept::new(&config);
        let keep = snapshot::keep(places, orders.clone(), config_kept.clone(), clock, engine.clone());
        let snapshots = AbortOnDropHandle::new(tokio::spawn(keep));
        let (marker, restarting) = RestartMarker::find(config.state_dir.as_deref());
        let on_up = Arc::new(move || marker.write());
        let mut speaker = Speaker::new(clock, net, engine.clone(), restarting, seed, on_up);
        speaker.reconfigure(settings::speaker(&config, &mut numbers)).await;
        let listeners = speaker.listeners();
        listeners.want(&config.router.listen);
        let speaker = Arc::new(Mutex::new(speaker));
        let listen = listen::gateways(Arc::clone(&speaker), listeners.clone(), config.router.listen.clone());
        let listen = AbortOnDropHandle::new(tokio::spawn(listen));
        let config_loaded = Arc::new(AtomicBool::new(true));
        let dropped = Dropped::default();
        let departure = Departure::new(clock, config.router.drain_time);
        let shared = Shared {
            clock,
            engine: engine.clone(),
            speaker: Arc::clone(&speaker),
            listeners,
            config_loaded: Arc::clone(&config_loaded),
            dropped: Dropped::clone(&dropped),
            departure: departure.clone(),
        };
        let timeline = AbortOnDropHandle::new(tokio::spawn(write_events(&config, clock, &engine, dropped)));
        let http =
            AbortOnDropHandle::new(tokio::spawn(listen::http(config.http.as_ref().map(|http| http.listen), shared)));
        let (speaking, loaded) = (Arc::clone(&speaker), Arc::clone(&config_loaded));
        let shared = Admin::new(clock, engine.clone(), speaking, loaded, orders.clone(), departure.clone());
        let socket = config.admin.as_ref().map(|admin| admin.socket.clone());
        let admin_ends = CancellationToken::new();
        let admin = AbortOnDropHandle::new(tokio::spawn(listen::admin(socket, shared, admin_ends.clone())));
        let election = Part::take(&config, clock, &engine, orders.clone(), departure.clone());
        tracing::info!(
            sources = config.sources.len(),
            gateways = config.gateways.len(),
            restarting,
            "fingerpost {} started",
            env!("CARGO_PKG_VERSION")
        );
        Ok(Service {
            config,
            config_kept,
            numbers,
            seed,
            engine,
            ended,
            speaker,
            nudge,
            config_loaded,
            listeners: listen,
            http,
            snapshots,
            timeline,
            admin,
            admin_ends,
            departure,
            drained: false,
            transports,
            election,
        })
    }

    /// A way to look at the engine.
    pub fn engine(&self) -> &EngineHandle {
        &self.engine
    }

    /// Completes when a part has ended that must not: the engine, the listeners, HTTP, the admin API, the election.
    pub(super) async fn ended(&mut self) {
        tokio::select! {
            // The thread only ever drops its end.
            _ = &mut self.ended => {}
            _ = &mut self.listeners => {}
            _ = &mut self.http => {}
            _ = &mut self.snapshots => {}
            _ = &mut self.timeline => {}
            _ = &mut self.admin => {}
            () = self.election.ended() => {}
        }
    }

    /// Starts again what has failed on its own, and reads the gateways' password files again. To be called every second or so.
    pub async fn look_after(&mut self) {
        let mut speaker = self.speaker.lock().await;
        speaker.revive();
        speaker.read_passwords().await;
    }

    /// Makes file sources look at once.
    pub fn nudge_sources(&self) {
        self.nudge.notify_waiters();
    }

    /// Says whether the configuration on disk is the one in force.
    pub(super) fn reloaded(&self, fine: bool) {
        self.config_loaded.store(fine, Ordering::Relaxed);
    }

    /// Takes gateways, policies and the fence of another configuration; only the difference is felt. Whatever else differs
    /// needs a restart, and then nothing of it is taken: false.
    pub async fn reconfigure(&mut self, config: Config) -> bool {
        let fixed = fixed_parts(&self.config, &config);
        if !fixed.is_empty() {
            self.reloaded(false);
            tracing::error!(
                "the new configuration changes {}, which needs a restart (the gateways keep the routes meanwhile): \
                 the one before stays in force",
                fixed.join(", ")
            );
            return false;
        }
        self.config = config;
        self.tell_engine();
        let config = &self.config;
        self.config_kept.given(config);
        self.election.reconfigured(config);
        self.speaker.lock().await.reconfigure(settings::speaker(config, &mut self.numbers)).await;
        self.reloaded(true);
        true
    }

    fn tell_engine(&mut self) {
        let mut settings = settings::engine(&self.config, &mut self.numbers, self.seed);
        settings.gateways.iter_mut().for_each(|gateway| gateway.drain |= self.drained);
        self.engine.reconfigure(settings);
    }

    /// Whether this process is to leave, when and how.
    pub(super) fn departure(&self) -> &Departure {
        &self.departure
    }

    /// Marks every route with GRACEFUL_SHUTDOWN, so that the gateways choose other paths while these still work (RFC 8326).
    pub(super) fn drain(&mut self) {
        if !std::mem::replace(&mut self.drained, true) {
            self.tell_engine();
        }
    }

    /// How long a drain lasts.
    pub(super) fn drain_time(&self) -> Duration {
        self.config.router.drain_time
    }

    /// Whether any session stands.
    pub(super) async fn is_established(&self) -> bool {
        let (reports, _) = self.speaker.lock().await.report().await;
        reports.iter().any(GatewayReport::is_established)
    }

    /// Ends the sessions so that the gateways drop the routes, then everything else.
    pub async fn decommission(self) {
        self.end(Way::Withdrawing).await;
    }

    /// Ends the sessions so that the gateways keep the routes, then everything else.
    pub async fn hand_over(self) {
        self.end(Way::Keeping).await;
    }

    pub(super) async fn end(self, way: Way) {
        self.listeners.abort(); // opens no listener again
        let (speaker, engine, config) = (self.speaker, &self.engine, &self.config);
        // Another one leads before these paths go.
        let close = async {
            match way {
                Way::Keeping => {
                    speaker.lock().await.hand_over().await;
                    Leaving::ToRestart
                }
                Way::Withdrawing => {
                    let reaches_all = reaches_all(engine, config).await;
                    speaker.lock().await.decommission().await;
                    if reaches_all { Leaving::ForGood } else { Leaving::ToRestart }
                }
            }
        };
        self.election.leave(close).await;
        // Before the engine: a transport whose orders end would take that for a defect.
        drop(self.transports);
        self.engine.stop();
        // Whoever has ordered this hears so.
        self.admin_ends.cancel();
        let _ = timeout(LAST_ANSWERS, self.admin).await;
    }
}

/// Whether every gateway is going to hear that the routes go: one without a session keeps them, and so does one that had joined from a
/// range and has left.
async fn reaches_all(engine: &EngineHandle, config: &Config) -> bool {
    let Some(report) = engine.look(Engine::report).await.flatten() else { return false };
    let mut configured = config.gateways.iter().filter(|(_, gateway)| gateway.remote.range().is_none());
    let has = |name: &String| report.sessions.gateways.binary_search(name).is_ok();
    report.sessions.left == 0 && configured.all(|(name, _)| has(name))
}

/// What was in force before.
struct Before {
    /// If it was something else; with the names that its sources have now.
    config: Option<Config>,
    /// Old and new names of sources that are the same.
    renamed: Vec<(String, String)>,
}

/// The snapshots of renamed sources get their new names.
fn before(now: &Config) -> Before {
    let before = ConfigKept::read(now);
    let renamed = before.as_ref().map(|before| renamed::renamed(before, now)).unwrap_or_default();
    now.state_dir.iter().for_each(|directory| renamed::follow(directory, &renamed));
    if let Some(said) = renamed::ownerless(now) {
        tracing::warn!("state_dir {said}; {}", renamed::OWNERLESS_HINT);
    }
    Before { config: before.map(|before| settings::rename_sources(before, &renamed)), renamed }
}

/// What an earlier process was ordered is easily forgotten by people.
fn say_standing(standing: &Standing) {
    if let Some(because) = &standing.frozen_because {
        tracing::error!("frozen, nothing changes at any gateway: {because}");
    } else if standing.frozen.is_some() {
        tracing::warn!("frozen, as before the restart: nothing changes at any gateway before fingerpost unfreeze");
    }
    if !standing.forced.is_empty() {
        let count = standing.forced.len();
        tracing::warn!(count, "withdrawn by order, as before the restart: fingerpost forced lists what");
    }
    if !standing.drained.is_empty() {
        tracing::warn!("drained by order, as before the restart: {}", standing.drained.join(", "));
    }
}

/// Writes what happens to `timeline.file`, if there is one; without, there is nothing that could end.
fn write_events(
    config: &Config,
    clock: Clock,
    engine: &EngineHandle,
    dropped: Dropped,
) -> impl Future<Output = ()> + use<> {
    let (file, engine) = (config.timeline.file.clone(), engine.clone());
    async move {
        match file {
            Some(file) => timeline::keep(file, clock, engine, dropped).await,
            None => std::future::pending().await,
        }
    }
}

/// The names of parts that differ and cannot change while the process runs.
fn fixed_parts(before: &Config, after: &Config) -> Vec<&'static str> {
    let parts = [
        ("router", before.router != after.router),
        ("sources", before.sources != after.sources),
        ("election", before.election != after.election),
        ("state_dir", before.state_dir != after.state_dir),
        ("http", before.http != after.http),
        ("admin", before.admin != after.admin),
        ("timeline", before.timeline != after.timeline),
        ("log.format", before.log.format != after.log.format),
    ];
    parts.into_iter().filter(|(_, differ)| *differ).map(|(name, _)| name).collect()
}

/// Where the sources' snapshots are, one for each, in their order; none without `state_dir`.
fn snapshot_places(config: &Config, settings: &Settings) -> Vec<Place> {
    let Some(directory) = &config.state_dir else { return Vec::new() };
    let place = |source: &fingerpost_core::engine::SourceSettings| Place {
        source: source.id,
        name: source.name.clone(),
        keys: source.sync.schema.range().start.to_vec(),
        directory: directory.clone(),
    };
    settings.sources.iter().map(place).collect()
}
