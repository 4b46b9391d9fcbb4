//! The daemon: a [`Service`] kept equal to a configuration file until a signal ends it.
//!
//! ```text
//!  file ──► Config ──► Service: transports ──► engine ──► speaker
//!    ▲ polled, SIGHUP             └── http looks at both
//! ```

mod reload;
mod service;
mod settings;
mod state;
mod transport;

pub use service::Service;

use crate::config::Config;
use crate::telemetry::{self, Telemetry};
use anyhow::Context;
use reload::{ConfigFile, Reload};
use std::path::Path;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

/// How often the configuration file's contents are compared, and tasks are looked after.
const TICK: Duration = Duration::from_secs(1);

/// Runs the service until SIGTERM or SIGINT.
pub fn run(path: &Path) -> anyhow::Result<()> {
    let (file, config) = ConfigFile::load(path)?;
    let telemetry = telemetry::init(config.log)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(serve(file, config, &telemetry))
}

async fn serve(mut file: ConfigFile, config: Config, telemetry: &Telemetry) -> anyhow::Result<()> {
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    file.say_warnings(&config);
    let mut service = Service::start(config, std::sync::Arc::new(crate::speaker::Tcp)).await?;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let asked = tokio::select! {
            // Its owner notices: an engine that ended takes the process with it.
            () = service.engine_ended() => anyhow::bail!("a part that must not end has ended: please report the log before this line"),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => true,
            _ = tick.tick() => false,
        };
        service.look_after().await;
        if asked {
            service.nudge_sources();
        }
        match file.poll(asked) {
            Reload::Unchanged => {}
            Reload::Faulty(faults) => {
                service.reloaded(false);
                for fault in &faults.faults {
                    tracing::error!("{}: {fault}", faults.file.display());
                }
                tracing::error!(
                    "the configuration has {} fault(s): the one before stays in force",
                    faults.faults.len()
                );
            }
            Reload::New(config) => {
                file.say_warnings(&config);
                let level = config.log.level;
                if service.reconfigure(*config).await {
                    telemetry.set_level(level);
                }
            }
        }
    }
    tracing::info!("ending: the gateways keep the routes for their restart time");
    service.hand_over().await;
    Ok(())
}
