//! The network as the speaker sees it: the only trait for simulation.

use super::socket;
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
    /// Connects.
    fn dial(&self, target: Target) -> Later<'_, io::Result<Box<dyn Stream>>>;
    /// Listens; an address in use is an error here.
    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Accept>>;
}

/// Takes connections in.
pub trait Accept: Send {
    /// The next connection: who, and how to go on once it is clear which gateway that is.
    fn accept(&mut self) -> Later<'_, io::Result<(SocketAddr, Box<dyn Incoming>)>>;
}

/// A connection that came in, before it is known whose it is.
pub trait Incoming: Send {
    /// Fits it to the gateway.
    fn fit(self: Box<Self>, target: &Target) -> io::Result<Box<dyn Stream>>;
}

/// The system's TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Net for Tcp {
    fn dial(&self, target: Target) -> Later<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = socket::connect(&target).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Accept>> {
        Ok(Box::new(socket::listen(address)?))
    }
}

impl Accept for TcpListener {
    fn accept(&mut self) -> Later<'_, io::Result<(SocketAddr, Box<dyn Incoming>)>> {
        Box::pin(async move {
            let (stream, peer) = TcpListener::accept(self).await?;
            Ok((peer, Box::new(stream) as Box<dyn Incoming>))
        })
    }
}

impl Incoming for tokio::net::TcpStream {
    fn fit(self: Box<Self>, target: &Target) -> io::Result<Box<dyn Stream>> {
        socket::fit(&self, target)?;
        Ok(self)
    }
}
