//! This process's part in the election, and what that makes of the engine and of the writers.

#[cfg(feature = "etcd")]
mod board;
#[cfg(feature = "etcd")]
mod follow;
#[cfg(feature = "etcd")]
mod orders;
#[cfg(feature = "etcd")]
mod placement;

use super::agreed;
use super::places::{self, Places};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::departure::Departure;
use crate::engine::EngineHandle;
use crate::snapshot::OrdersFile;
use fingerpost_core::engine::Role;
use fingerpost_core::model::Replica;
use fingerpost_core::replicas::Digest;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// How long a leader that ends waits until another leads and has told its gateways, and then until the store knows that it is gone:
/// together less than half of what Kubernetes gives a process to end.
const SUCCESSION: Duration = Duration::from_secs(10);
const FAREWELL: Duration = Duration::from_secs(3);

/// What a process is before the election says otherwise.
pub(super) fn role_at_start(config: &Config) -> Role {
    match &config.election {
        None => Role::Alone,
        Some(election) => Role::Unsure { ordinal: ordinal(&identity(config, election)) },
    }
}

/// Who it is among those that have orders of people in common, if there are others.
#[cfg(feature = "etcd")]
pub(super) fn shares(config: &Config) -> Option<Replica> {
    let identity = identity(config, config.election.as_ref()?).into();
    Some(Replica { identity, instance: crate::election::draw() })
}

/// Never with an election: the configuration refuses it.
#[cfg(not(feature = "etcd"))]
pub(super) fn shares(_: &Config) -> Option<Replica> {
    None
}

/// What this replica is called.
fn identity(config: &Config, election: &config::Election) -> String {
    election.identity.clone().unwrap_or_else(|| config.router.id.to_string())
}

/// The number of a standby: the same for one identity at all times (FNV-1a), and hardly ever that of another one.
fn ordinal(identity: &str) -> u32 {
    let hash = identity.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash % Role::ORDINALS
}

/// A running part in an election, or none. Without etcd there is none: the configuration refuses it.
pub(super) struct Part(Option<Running>);

struct Running {
    leave: oneshot::Sender<Farewell>,
    configured: watch::Sender<Configured>,
    task: AbortOnDropHandle<()>,
}

/// What it goes by of the configuration, besides what is fixed for its life.
#[derive(Clone)]
#[cfg_attr(not(feature = "etcd"), expect(dead_code, reason = "the configuration refuses an election"))]
struct Configured {
    /// Parts in which all replicas are to agree.
    agreed: BTreeMap<String, Digest>,
    gateways: Arc<Places>,
}

impl Configured {
    fn by(config: &Config) -> Self {
        Configured { agreed: agreed::digests(config), gateways: Arc::new(places::of(config)) }
    }
}

/// What becomes of a process that has closed its sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Leaving {
    /// Gateways may keep its paths; another of its identity may come.
    ToRestart,
    /// It is taken out of service, and no gateway keeps anything of it: nobody is to wait for it.
    ForGood,
}

/// How it ends, step by step.
#[cfg_attr(not(feature = "etcd"), expect(dead_code, reason = "the configuration refuses an election"))]
struct Farewell {
    /// Told, or dropped, once another leads or none can be waited for.
    handed_over: oneshot::Sender<()>,
    /// Completes once this process's sessions are closed.
    closed: oneshot::Receiver<Leaving>,
}

/// What a part is told while it runs.
#[cfg_attr(not(feature = "etcd"), expect(dead_code, reason = "the configuration refuses an election"))]
struct Told {
    leave: oneshot::Receiver<Farewell>,
    configured: watch::Receiver<Configured>,
    /// Where orders are kept.
    file: OrdersFile,
    /// Whether the process was ordered to leave.
    departure: Departure,
}

impl Part {
    /// Takes part, if the configuration has an election.
    pub(super) fn take(
        config: &Config,
        clock: Clock,
        engine: &EngineHandle,
        file: OrdersFile,
        departure: Departure,
    ) -> Self {
        let Some(election) = &config.election else { return Part(None) };
        let (leave, left) = oneshot::channel();
        let (configured, told) = watch::channel(Configured::by(config));
        let told = Told { leave: left, configured: told, file, departure };
        let task = start(config, election, clock, engine, told);
        Part(task.map(|task| Running { leave, configured, task: AbortOnDropHandle::new(task) }))
    }

    /// The configuration is this one now.
    pub(super) fn reconfigured(&self, config: &Config) {
        if let Some(Running { configured, .. }) = &self.0 {
            configured.send_replace(Configured::by(config));
        }
    }

    /// Completes when it has ended by itself, which it must not.
    pub(super) async fn ended(&mut self) {
        match &mut self.0 {
            Some(Running { task, .. }) => drop(task.await),
            None => std::future::pending().await,
        }
    }

    /// Gives the leadership back, if this process has it, and closes the sessions once another leads: what it still says until then it
    /// says as a standby. Then it takes part no more.
    pub(super) async fn leave(self, close: impl Future<Output = Leaving>) {
        let Some(Running { leave, task, .. }) = self.0 else {
            close.await;
            return;
        };
        let (handed_over, waited) = oneshot::channel();
        let (closes, closed) = oneshot::channel();
        // It may have ended.
        let _ = leave.send(Farewell { handed_over, closed });
        if timeout(SUCCESSION, waited).await.is_err() {
            tracing::warn!(
                waited_s = SUCCESSION.as_secs_f64(),
                "no other replica leads and has told all its gateways so, as far as this one has heard: they go by these paths until one does"
            );
        }
        let _ = closes.send(close.await);
        if timeout(FAREWELL, task).await.is_err() {
            tracing::warn!(
                waited_s = FAREWELL.as_secs_f64(),
                "the election's store does not answer: the others wait until the lease is over, and for this replica's paths"
            );
        }
    }
}

#[cfg(feature = "etcd")]
fn start(
    config: &Config,
    election: &config::Election,
    clock: Clock,
    engine: &EngineHandle,
    told: Told,
) -> Option<JoinHandle<()>> {
    let settings = follow::settings(config, election, config.state_dir.as_deref()?)?;
    let ordinal = ordinal(&settings.identity);
    Some(tokio::spawn(follow::take_part(settings, ordinal, clock, engine.clone(), told)))
}

/// Never called with an election: the configuration refuses it.
#[cfg(not(feature = "etcd"))]
fn start(_: &Config, _: &config::Election, _: Clock, _: &EngineHandle, _: Told) -> Option<JoinHandle<()>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn p7_replicas_have_numbers_of_their_own() {
        let numbers: HashSet<u32> = (1..=250).map(|n| ordinal(&format!("10.0.3.{n}"))).collect();
        assert_eq!(numbers.len(), 250);
        assert!(numbers.iter().all(|number| *number < Role::ORDINALS));
        assert_eq!(ordinal("10.0.3.10"), ordinal("10.0.3.10"));
    }
}
