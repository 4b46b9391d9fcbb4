//! Connections that gateways open.

use super::gateway::Command;
use super::net::{Accept, Net, Target};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// By address: how the connection is fitted, and whose task takes it.
pub(super) type ByAddress = HashMap<IpAddr, (Target, mpsc::UnboundedSender<Command>)>;

/// Who may connect.
#[derive(Clone, Default)]
pub(super) struct Expected(Arc<RwLock<ByAddress>>);

impl Expected {
    pub(super) fn replace(&self, with: ByAddress) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = with;
    }

    fn find(&self, address: IpAddr) -> Option<(Target, mpsc::UnboundedSender<Command>)> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&address).cloned()
    }
}

/// Sockets that listen for gateways; dropping them ends that.
pub struct Listeners(Vec<AbortOnDropHandle<()>>);

impl Listeners {
    /// Listens on every address. The error names the address that cannot be had.
    pub(super) fn open(
        net: &dyn Net,
        addresses: &[SocketAddr],
        expected: &Expected,
    ) -> Result<Self, (SocketAddr, io::Error)> {
        let open = |&address: &SocketAddr| {
            let listener = net.listen(address).map_err(|error| (address, error))?;
            Ok(AbortOnDropHandle::new(tokio::spawn(accept_all(listener, expected.clone()))))
        };
        addresses.iter().map(open).collect::<Result<_, _>>().map(Listeners)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody listens.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

async fn accept_all(mut listener: Box<dyn Accept>, expected: Expected) {
    loop {
        match listener.accept().await {
            Ok((peer, incoming)) => {
                // Closed before any OPEN: a stranger learns nothing and costs nothing.
                let Some((target, task)) = expected.find(peer.ip().to_canonical()) else {
                    tracing::debug!(peer = %peer, "connection from an address that is no gateway's: closed");
                    continue;
                };
                match incoming.fit(&target) {
                    Ok(stream) => {
                        let _ = task.send(Command::Accepted(stream));
                    }
                    Err(error) => {
                        tracing::warn!(peer = %peer, "connection from a gateway could not be set up: {error}")
                    }
                }
            }
            // File descriptors ran out, or the like: nothing is lost by waiting, and a tight loop helps nobody.
            Err(error) => {
                tracing::warn!("cannot accept connections for now: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
        }
    }
}
