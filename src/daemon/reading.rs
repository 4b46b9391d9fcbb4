//! The sources of a configuration, read once by an engine that tells nobody: what `fingerpost plan` looks at.
//!
//! ```text
//!  transports ──► engine ◄── a model session for each gateway, whose chunks nobody takes
//! ```
//!
//! Transports and engine are the service's own. There is no speaker, no listener, no lock and nothing in `state_dir`, so that it may
//! run beside the service, as anybody who may read what the file names. The guard is off: it shows what would be told once everything
//! is approved.

use super::settings::{self, GatewayNumbers};
use super::transport;
use crate::clock::Clock;
use crate::config::{Config, Store};
use crate::engine::{self, Beginning, EngineHandle};
use crate::speaker::GatewayConfig;
use fingerpost_core::bgp::neighbour::{Agreed, NeighbourConfig};
use fingerpost_core::bgp::wire::Open;
use fingerpost_core::engine::{
    Engine, Input, Orders as Standing, Role, SessionNumber, SessionUp, SourceRow, TimelineLimits,
};
use fingerpost_core::model::RouterId;
use fingerpost_core::source::sync::{Seen, Why};
use fingerpost_core::table::GuardConfig;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

/// Between two looks whether the sources were read.
const LOOK: Duration = Duration::from_millis(20);

/// See the module.
pub struct Reading {
    clock: Clock,
    engine: EngineHandle,
    transports: Vec<AbortOnDropHandle<()>>,
    gateways: Vec<GatewayConfig>,
    /// The names of those that are files: what is wrong with one stays so until somebody writes it.
    files: BTreeSet<String>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.engine.stop();
    }
}

impl Reading {
    /// Starts to read.
    pub fn start(config: &Config) -> std::io::Result<Self> {
        let clock = Clock::start();
        let mut numbers = GatewayNumbers::default();
        let mut settings = settings::engine(config, &mut numbers, RandomState::new().hash_one(()));
        settings.guard = GuardConfig::off();
        let gateways = settings::speaker(config, &mut numbers);
        let (orders, inboxes) = transport::orders(&settings.sources);
        let keep = TimelineLimits::of_events(0);
        let beginning =
            Beginning { settings, before: None, standing: Standing::default(), role: Role::Alone, shares: None };
        let (engine, _ended) = engine::spawn(clock, beginning, keep, orders)?;
        let nudge = Arc::new(Notify::new());
        let start = |(id, inbox)| transport::start(config, id, inbox, &engine, &nudge);
        let transports = inboxes.into_iter().filter_map(start).collect();
        let files = config.sources.iter().filter(|(_, source)| matches!(source.store, Store::File(_)));
        let files = files.map(|(name, _)| name.clone()).collect();
        Ok(Reading { clock, engine, transports, gateways, files })
    }

    /// Waits until every source was read completely, but no longer than `patience` and not for what will not change by itself; then
    /// nothing is read any more, and each gateway has a session. The rows say which source was read. None: the engine has ended.
    pub async fn finish(&mut self, patience: Duration) -> Option<Vec<SourceRow>> {
        let started = Instant::now();
        loop {
            let rows = self.engine.look(Engine::source_rows).await?;
            if rows.iter().all(|row| row.complete || self.is_final(row)) || started.elapsed() >= patience {
                break;
            }
            sleep(LOOK).await;
        }
        self.transports.clear();
        for (gateway, number) in self.gateways.iter().zip(0..) {
            let Some(agreed) = mirrored(&gateway.neighbour) else { continue };
            // Who comes from a range has an address that nobody knows yet.
            let address = match gateway.range {
                Some(_) => Ipv4Addr::UNSPECIFIED.into(),
                None => gateway.target.address.ip(),
            };
            let Agreed { families, enhanced_refresh, .. } = agreed;
            let up = SessionUp { number: SessionNumber(number), families, enhanced_refresh, address };
            self.engine.send(Input::SessionUp(gateway.id, up), None);
        }
        self.engine.look(Engine::source_rows).await
    }

    /// A way to the engine.
    pub fn engine(&self) -> &EngineHandle {
        &self.engine
    }

    /// By which it counts.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    fn is_final(&self, row: &SourceRow) -> bool {
        match row.seen {
            Seen::Never(Why::Empty { .. }) => true,
            Seen::Never(Why::Failed(_)) => self.files.contains(&row.name),
            _ => false,
        }
    }
}

/// The session with a gateway that can do all that our OPEN offers.
fn mirrored(neighbour: &NeighbourConfig) -> Option<Agreed> {
    let other = [1, 2].into_iter().filter_map(|id| RouterId::new(id).ok()).find(|id| *id != neighbour.router_id)?;
    let open = Open { asn: neighbour.peer_asn, router_id: other, ..neighbour.open(false) };
    Agreed::new(neighbour, open).ok()
}
