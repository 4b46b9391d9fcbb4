//! How what the election says reaches the engine and the writers.

use super::identity;
use crate::config::{self, Config};
use crate::daemon::transport;
use crate::election::{self, ElectionConfig};
use crate::engine::EngineHandle;
use fingerpost_core::engine::{Engine, Role};
use fingerpost_core::model::Leadership;
use std::path::Path;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

/// For so long a replica that has not read its sources yet leaves it to the others to lead.
const UNREAD: Duration = Duration::from_secs(30);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn settings(config: &Config, election: &config::Election, state_dir: &Path) -> Option<ElectionConfig> {
    Some(ElectionConfig {
        etcd: transport::etcd_config(election.etcd(&config.sources)?),
        key: election.key.clone(),
        identity: identity(config, election),
        ttl: election.ttl,
        margin: election.margin(),
        state_dir: state_dir.to_owned(),
    })
}

pub(super) async fn take_part(
    config: ElectionConfig,
    ordinal: u32,
    engine: EngineHandle,
    mut leave: oneshot::Receiver<()>,
) {
    tokio::select! {
        () = sources_are_read(&engine) => {}
        _ = &mut leave => return,
    }
    let (handle, task) = election::spawn(config);
    let _task = AbortOnDropHandle::new(task);
    let mut standing = handle.standing();
    loop {
        let leadership = standing.borrow_and_update().leadership.clone();
        tell(&leadership, ordinal, &engine);
        tokio::select! {
            changed = standing.changed() => if changed.is_err() {
                tracing::error!("the election has ended, which is a defect: ending");
                break;
            },
            _ = &mut leave => {
                silence(ordinal, &engine);
                return handle.leave().await;
            }
        }
    }
    silence(ordinal, &engine);
}

/// Who knows nothing yet should not lead those who do; but not for ever, if nobody can read.
async fn sources_are_read(engine: &EngineHandle) {
    let late = Instant::now() + UNREAD;
    while Instant::now() < late && engine.look(Engine::has_read_all).await == Some(false) {
        sleep(LOOK).await;
    }
}

/// The writers first: what they may not say any more they refuse, whatever the engine hands out meanwhile.
fn tell(leadership: &Leadership, ordinal: u32, engine: &EngineHandle) {
    engine.lead().follow(Some(leadership.clone()));
    engine.take_role(Role::of(leadership, ordinal));
}

/// The election says nothing any more, or is not to be heard.
fn silence(ordinal: u32, engine: &EngineHandle) {
    engine.lead().follow(None);
    engine.take_role(Role::Unsure { ordinal });
}
