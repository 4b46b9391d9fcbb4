//! Connections that gateways open.

use super::chatter::Repeated;
use super::gateway::Command;
use super::listeners::Listeners;
use super::net::{Accept, Incoming, Net, Target};
use super::password::Password;
use crate::config::Secret;
use crate::limits;
use fingerpost_core::model::Prefix;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

/// How a gateway's connection is fitted, and whose task takes it.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) target: Target,
    pub(super) password: Password,
    pub(super) commands: mpsc::UnboundedSender<Command>,
}

/// Who may connect.
#[derive(Default)]
pub(super) struct Roll {
    pub(super) by_address: HashMap<IpAddr, Entry>,
    /// The longest prefixes first.
    pub(super) ranges: Vec<(Prefix, Entry)>,
    /// Nobody may any more: the listeners end.
    closed: bool,
}

impl Roll {
    fn find(&self, address: IpAddr) -> Option<&Entry> {
        let of_range = || self.ranges.iter().find(|(within, _)| within.contains(address)).map(|(_, entry)| entry);
        self.by_address.get(&address).or_else(of_range)
    }

    /// Whose connections are signed with what.
    fn keys(&self) -> BTreeMap<Prefix, Secret> {
        let of_addresses = self.by_address.iter().map(|(address, entry)| (Prefix::truncated((*address).into()), entry));
        let all = of_addresses.chain(self.ranges.iter().map(|(within, entry)| (*within, entry)));
        let keys = all.filter_map(|(peers, entry)| match &entry.password {
            Password::Usable(key) => Some((peers, key.clone())),
            _ => None,
        });
        keys.collect()
    }
}

/// The roll for all listeners; they follow its changes.
#[derive(Clone)]
pub(super) struct Expected(Arc<watch::Sender<Roll>>);

impl Default for Expected {
    fn default() -> Self {
        Expected(Arc::new(watch::Sender::new(Roll::default())))
    }
}

impl Expected {
    pub(super) fn replace(&self, with: Roll) {
        self.0.send_replace(with);
    }

    /// Ends every listener; done when the last socket is closed, and with it what the kernel had taken in for it. No other is
    /// opened.
    pub(super) async fn close(&self) {
        self.0.send_replace(Roll { closed: true, ..Roll::default() });
        self.0.closed().await;
    }
}

/// A socket that listens for gateways; dropping it ends that.
pub struct Listener(AbortOnDropHandle<()>);

impl Listener {
    pub(super) fn open(
        net: &dyn Net,
        address: SocketAddr,
        expected: &Expected,
        listeners: &Listeners,
    ) -> io::Result<Self> {
        if expected.0.borrow().closed {
            return Err(io::Error::other("the sessions are being ended"));
        }
        let listener = net.listen(address)?;
        let listening = Listening {
            address,
            listener,
            listeners: listeners.clone(),
            roll: expected.0.subscribe(),
            failures: Repeated::default(),
            refusals: Repeated::default(),
        };
        Ok(Listener(AbortOnDropHandle::new(tokio::spawn(listening.run()))))
    }

    /// Completes when it listens no more: its task has failed, or there is no speaker any more. Its owner opens another one.
    pub async fn ended(self) {
        // However it ended: a panic has said why.
        let _ = self.0.await;
    }
}

struct Listening {
    address: SocketAddr,
    /// Closed before `roll` is dropped, on which [`Expected::close`] waits.
    listener: Box<dyn Accept>,
    listeners: Listeners,
    roll: watch::Receiver<Roll>,
    /// That connections cannot be accepted.
    failures: Repeated,
    /// That a connection cannot be fitted.
    refusals: Repeated,
}

impl Listening {
    /// Until the speaker ends its sessions, or is gone.
    async fn run(mut self) {
        self.protect();
        loop {
            tokio::select! {
                changed = self.roll.changed() => match changed {
                    Ok(()) if !self.roll.borrow().closed => self.protect(),
                    _ => return,
                },
                accepted = self.listener.accept() => match accepted {
                    Ok((peer, incoming)) => self.take(peer, incoming),
                    // File descriptors ran out, or the like: nothing is lost by waiting, and a tight loop helps nobody.
                    Err(error) => {
                        if let Some(left_out) = self.failures.say() {
                            tracing::warn!(left_out, "cannot accept connections for now: {}", limits::explained(&error));
                        }
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                }
            }
        }
    }

    /// A key that cannot be set leaves its gateway without incoming connections: what it signs the kernel drops, and what it
    /// does not sign is dropped once it is fitted.
    fn protect(&mut self) {
        let keys = self.roll.borrow_and_update().keys();
        for (peers, error) in self.listener.protect(&keys) {
            tracing::error!(
                "no connection from {peers} is taken on {}: the kernel takes no TCP MD5 key for it: {error}; where there are \
                 many keys, raise the sysctl net.core.optmem_max",
                self.address
            );
        }
    }

    fn take(&mut self, peer: SocketAddr, incoming: Box<dyn Incoming>) {
        // Closed before any OPEN: a stranger learns nothing and costs nothing.
        let address = peer.ip().to_canonical();
        let Some(Entry { target, password, commands }) = self.roll.borrow().find(address).cloned() else {
            return self.listeners.stranger(address);
        };
        let Ok(key) = password.key() else {
            tracing::debug!(peer = %peer, "connection from a gateway whose password cannot be used: closed");
            return;
        };
        let target = Target { address: SocketAddr::new(address, target.address.port()), ..target };
        match incoming.fit(&target, key) {
            Ok(stream) => _ = commands.send(Command::Accepted(address, stream)),
            Err(error) => {
                if let Some(left_out) = self.refusals.say() {
                    tracing::warn!(peer = %peer, left_out, "connection from a gateway refused: {error}");
                }
            }
        }
    }
}
