//! The network as the speaker sees it: the only trait for simulation.

use super::socket;
use crate::config::Secret;
use fingerpost_core::model::Prefix;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

/// A connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What a trait object's method can return.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where a gateway is and how to reach it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The gateway.
    pub address: SocketAddr,
    /// The local address, if it matters.
    pub source: Option<IpAddr>,
    /// The only network interface to use.
    pub interface: Option<String>,
    /// Time to live (hop limit) of what we send: 1 for eBGP over one hop (RFC 4271 has no rule; it is the custom), 255 with
    /// GTSM.
    pub ttl: u8,
    /// The least time to live that is taken (GTSM, RFC 5082): the kernel drops what has less.
    pub least_ttl: Option<u8>,
    /// How long the kernel waits for what we sent to be acknowledged before it gives a connection up; None: its own limit.
    pub user_timeout: Option<Duration>,
}

/// Makes connections.
pub trait Net: Send + Sync + 'static {
    /// Connects; with a key, signed by TCP MD5 (RFC 2385).
    fn dial(&self, target: Target, key: Option<Secret>) -> Later<'_, io::Result<Box<dyn Stream>>>;
    /// Listens; an address in use is an error here.
    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Accept>>;
}

/// Takes connections in.
pub trait Accept: Send {
    /// The next connection: who, and how to go on once it is clear which gateway that is. May be dropped and called again.
    fn accept(&mut self) -> Later<'_, io::Result<(SocketAddr, Box<dyn Incoming>)>>;
    /// Takes, from now on, only signed connections from these addresses and only unsigned ones from all others (TCP MD5). The
    /// key of the longest prefix counts. Whose key cannot be set, and why, is in the answer.
    fn protect(&mut self, keys: &BTreeMap<Prefix, Secret>) -> Vec<(Prefix, io::Error)>;
}

/// A connection that came in, before it is known whose it is.
pub trait Incoming: Send {
    /// Fits it to the gateway. With a key, whatever goes on is signed.
    fn fit(self: Box<Self>, target: &Target, key: Option<&Secret>) -> io::Result<Box<dyn Stream>>;
}

/// The system's TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Net for Tcp {
    fn dial(&self, target: Target, key: Option<Secret>) -> Later<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = socket::connect(&target, key.as_ref()).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Accept>> {
        let listener = socket::listen(address)?;
        Ok(Box::new(Listener { listener, is_ipv4: address.is_ipv4(), keys: BTreeMap::new() }))
    }
}

/// A listening socket and the keys that it has.
struct Listener {
    listener: TcpListener,
    is_ipv4: bool,
    keys: BTreeMap<Prefix, Secret>,
}

impl Accept for Listener {
    fn accept(&mut self) -> Later<'_, io::Result<(SocketAddr, Box<dyn Incoming>)>> {
        Box::pin(async move {
            let (stream, peer) = self.listener.accept().await?;
            Ok((peer, Box::new(stream) as Box<dyn Incoming>))
        })
    }

    fn protect(&mut self, keys: &BTreeMap<Prefix, Secret>) -> Vec<(Prefix, io::Error)> {
        let Listener { listener, is_ipv4, keys: set } = self;
        let mut failed = Vec::new();
        set.retain(|peers, _| {
            let keep = keys.contains_key(peers);
            if !keep && let Err(error) = socket::md5::set(listener, *peers, None) {
                failed.push((*peers, error));
            }
            keep
        });
        for (peers, key) in keys.iter().filter(|(peers, _)| peers.net().addr().is_ipv4() == *is_ipv4) {
            if set.get(peers) == Some(key) {
                continue;
            }
            match socket::md5::set(listener, *peers, Some(key)) {
                Ok(()) => _ = set.insert(*peers, key.clone()),
                Err(error) => failed.push((*peers, error)),
            }
        }
        failed
    }
}

impl Incoming for tokio::net::TcpStream {
    fn fit(self: Box<Self>, target: &Target, key: Option<&Secret>) -> io::Result<Box<dyn Stream>> {
        socket::fit(&self, target, key)?;
        Ok(self)
    }
}
