//! The daemon: a [`Service`] kept equal to a configuration file until a signal ends it.
//!
//! ```text
//!  file ──► Config ──► Service: transports ──► engine ──► speaker
//!    ▲ polled, SIGHUP             └── http looks at both
//! ```

mod agreed;
mod election;
mod listen;
mod lock;
mod places;
mod reading;
mod reload;
mod service;
mod settings;
mod state;
mod transport;

pub use reading::Reading;
pub use service::Service;

use crate::config::{Config, Faults};
use crate::departure::{Way, lacks_successor};
use crate::limits;
use crate::telemetry::{self, Telemetry};
use crate::timeline;
use anyhow::Context;
use fingerpost_core::table::GuardConfig;
use lock::Lock;
use reload::{ConfigFile, Follower, Reload};
use std::path::Path;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

/// How often tasks are looked after.
const TICK: Duration = Duration::from_secs(1);
/// What is still being read when the process ends is waited for no longer than this.
const LAST_WAIT: Duration = Duration::from_millis(100);

/// Runs the service until SIGTERM or SIGINT, after which the gateways keep the routes, or until it was ordered to leave: by SIGUSR2
/// they are drained and then drop the routes, by `fingerpost drain` as that says.
pub fn run(path: &Path) -> anyhow::Result<()> {
    let (file, config) = ConfigFile::load(path)?;
    // Later, with routes at the gateways, it costs events and nothing else.
    if let Some(fault) = timeline::refused(&config.timeline) {
        return Err(Faults { file: path.into(), faults: vec![fault] }.into());
    }
    let telemetry = telemetry::init(config.log)?;
    let _lock = Lock::take(config.state_dir.as_deref(), lock::PATIENCE)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let done = runtime.block_on(serve(file, config, &telemetry));
    runtime.shutdown_timeout(LAST_WAIT);
    done
}

async fn serve(file: ConfigFile, config: Config, telemetry: &Telemetry) -> anyhow::Result<()> {
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut decommission = signal(SignalKind::user_defined2())?;
    let path = file.path().to_owned();
    say_warnings(&path, &config);
    if let Some(too_few) = limits::warning(config.gateways.len()) {
        tracing::warn!("{too_few}");
    }
    if config.admin.is_none() && config.guard != GuardConfig::off() {
        tracing::warn!("there is no admin.listen: what the guard holds until a person approves it cannot be approved");
    }
    let mut service = Service::start(config, std::sync::Arc::new(crate::speaker::Tcp)).await?;
    let mut follower = Follower::start(file);
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let departure = service.departure().clone();
    let (mut ordered, mut said, mut stays) = (departure.follow(), None, false);
    let way = loop {
        tokio::select! {
            // Their owner notices: a part that ended takes the process with it.
            () = service.ended() => anyhow::bail!("a part that must not end has ended: please report the log before this line"),
            _ = terminate.recv() => break Some(Way::Keeping),
            _ = interrupt.recv() => break Some(Way::Keeping),
            _ = decommission.recv() => {
                departure.order(Way::Withdrawing);
            }
            Ok(()) = ordered.changed() => {
                service.drain();
                let way = ordered.borrow_and_update().map(|leaving| leaving.way);
                if std::mem::replace(&mut said, way) != way {
                    say_leaving(way, service.drain_time());
                }
            }
            () = departure.is_due() => {
                let Some(why) = must_stay(&service).await else { break None };
                if !std::mem::replace(&mut stays, true) {
                    tracing::error!(
                        "it stays, with GRACEFUL_SHUTDOWN on every route, until another replica can take over: {why}. SIGTERM ends it now"
                    );
                }
                departure.put_off(TICK);
            }
            _ = hang_up.recv() => {
                service.nudge_sources();
                follower.ask();
            }
            reload = follower.next() => match reload {
                Some(Reload::New(config)) => {
                    say_warnings(&path, &config);
                    let level = config.log.level;
                    if service.reconfigure(*config).await {
                        telemetry.set_level(level);
                    }
                }
                Some(Reload::Faulty(faults)) => {
                    service.reloaded(false);
                    for fault in &faults.faults {
                        tracing::error!("{}", fault.located(&faults.file));
                    }
                    tracing::error!(
                        "the configuration has {} fault(s): the one before stays in force",
                        faults.faults.len()
                    );
                }
                None => anyhow::bail!("the configuration file is not followed any more, which is a defect"),
            },
            _ = tick.tick() => {
                service.look_after().await;
                telemetry.say_dropped();
                // Nobody is left who could be drained.
                if departure.ordered().is_some() && !service.is_established().await {
                    break None;
                }
            }
        }
    };
    let way = departure.seal(way);
    match way {
        Way::Keeping => tracing::info!("ending: the gateways keep the routes for their restart time"),
        Way::Withdrawing => tracing::warn!("ending for good: the gateways drop the routes"),
    }
    service.end(way).await;
    Ok(())
}

/// Why a process whose drain is over may not end yet: who was to take over may be gone by now, or leave, too.
async fn must_stay(service: &Service) -> Option<String> {
    let leaving = service.departure().ordered()?;
    match leaving.way {
        Way::Withdrawing => None,
        Way::Keeping => service.engine().look(lacks_successor).await.flatten(),
    }
}

fn say_leaving(way: Option<Way>, drain_time: Duration) {
    let drain_time_s = drain_time.as_secs_f64();
    match way {
        Some(Way::Withdrawing) => tracing::warn!(
            drain_time_s,
            "decommissioning: every route carries GRACEFUL_SHUTDOWN; SIGTERM leaves the routes with the gateways"
        ),
        Some(Way::Keeping) => tracing::warn!(
            drain_time_s,
            "draining: every route carries GRACEFUL_SHUTDOWN; then this process leaves the lead to another and ends"
        ),
        None => {}
    }
}

/// Logs what is allowed and probably not meant.
fn say_warnings(path: &Path, config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{}", warning.located(path));
    }
}
