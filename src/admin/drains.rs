//! Draining gateways, at every replica.

use super::backend::Admin;
use super::listener::Peer;
use super::orders::quoted;
use super::{audit, proto};
use crate::words::few;
use fingerpost_core::engine::{Command, Engine};
use fingerpost_core::orders::What;
use std::sync::Arc;
use tonic::Status;

/// Names that a refusal has.
const NAMED: usize = 20;

impl Admin {
    pub(super) async fn drain_one(&self, gateway: &str, peer: Peer) -> Result<proto::DrainGatewayResponse, Status> {
        let name: Arc<str> = gateway.into();
        let wanted = Arc::clone(&name);
        if let Some(there) = self.look(move |engine| lacks(engine, &wanted)).await? {
            return Err(Status::not_found(format!("no gateway is named {}: {there}", quoted(gateway))));
        }
        let count = self.order(Command::Drain(Arc::clone(&name)), peer).await?;
        audit::say(peer, "drain", format!("gateway {name}"), count);
        let not_kept = self.not_kept().await;
        let reach = self.reach(&[What::Drain(name)]).await?;
        Ok(proto::DrainGatewayResponse { changed: count > 0, not_kept, reach })
    }

    pub(super) async fn undrain_one(&self, gateway: &str, peer: Peer) -> Result<proto::UndrainGatewayResponse, Status> {
        let name: Arc<str> = gateway.into();
        let count = self.order(Command::Undrain(Arc::clone(&name)), peer).await?;
        if count == 0 {
            return Err(Status::not_found(format!(
                "gateway {} was not drained by order: fingerpost status lists those that were; what the configuration drains it ends",
                quoted(gateway)
            )));
        }
        audit::say(peer, "undrain", format!("gateway {name}"), count);
        let wanted = Arc::clone(&name);
        let configured =
            self.look(move |engine| engine.gateway_rows().iter().any(|row| *row.name == *wanted && row.drain));
        let still_drained = configured.await?;
        let not_kept = self.not_kept().await;
        let reach = self.reach(&[What::Undrain(name)]).await?;
        Ok(proto::UndrainGatewayResponse { still_drained, not_kept, reach })
    }
}

/// Which gateways there are, if this one is not among them.
fn lacks(engine: &Engine, wanted: &str) -> Option<String> {
    let mut names: Vec<&str> = engine.gateway_names().collect();
    if names.contains(&wanted) {
        return None;
    }
    names.sort_unstable();
    let more = if names.len() > NAMED { ", see fingerpost gateways" } else { "" };
    Some(if names.is_empty() { "none is configured".into() } else { format!("there are {}{more}", few(&names, NAMED)) })
}
