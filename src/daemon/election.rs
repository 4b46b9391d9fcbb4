//! This process's part in the election, and what that makes of the engine and of the writers.

#[cfg(feature = "etcd")]
mod follow;

use crate::config::{self, Config};
use crate::engine::EngineHandle;
use fingerpost_core::engine::Role;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// How long a leader that ends waits until the store knows.
const FAREWELL: Duration = Duration::from_secs(3);

/// What a process is before the election says otherwise.
pub(super) fn role_at_start(config: &Config) -> Role {
    match &config.election {
        None => Role::Alone,
        Some(election) => Role::Unsure { ordinal: ordinal(&identity(config, election)) },
    }
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
pub(super) struct Part(Option<(oneshot::Sender<()>, AbortOnDropHandle<()>)>);

impl Part {
    /// Takes part, if the configuration has an election.
    pub(super) fn take(config: &Config, engine: &EngineHandle) -> Self {
        let Some(election) = &config.election else { return Part(None) };
        let (leave, left) = oneshot::channel();
        let task = start(config, election, engine, left);
        Part(task.map(|task| (leave, AbortOnDropHandle::new(task))))
    }

    /// Completes when it has ended by itself, which it must not.
    pub(super) async fn ended(&mut self) {
        match &mut self.0 {
            Some((_, task)) => drop(task.await),
            None => std::future::pending().await,
        }
    }

    /// Gives the leadership back, if this process has it: whatever it still says it says as a standby.
    pub(super) async fn leave(self) {
        if let Some((leave, task)) = self.0 {
            // It may have ended.
            let _ = leave.send(());
            let _ = timeout(FAREWELL, task).await;
        }
    }
}

#[cfg(feature = "etcd")]
fn start(
    config: &Config,
    election: &config::Election,
    engine: &EngineHandle,
    leave: oneshot::Receiver<()>,
) -> Option<JoinHandle<()>> {
    let settings = follow::settings(config, election, config.state_dir.as_deref()?)?;
    let ordinal = ordinal(&settings.identity);
    Some(tokio::spawn(follow::take_part(settings, ordinal, engine.clone(), leave)))
}

/// Never called with an election: the configuration refuses it.
#[cfg(not(feature = "etcd"))]
fn start(_: &Config, _: &config::Election, _: &EngineHandle, _: oneshot::Receiver<()>) -> Option<JoinHandle<()>> {
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
