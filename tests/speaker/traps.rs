//! The system's network, with places that make whoever comes there panic.

use fingerpost::config::Secret;
use fingerpost::speaker::{Accept, Incoming, Later, Net, Stream, Target, Tcp};
use fingerpost_core::model::Prefix;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Where.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Place {
    /// The task that dials: a gateway's.
    Dial,
    /// The task that reads.
    Read,
    /// The task that writes.
    Write,
    /// Whoever drops a connection that is no session's: its range's.
    Drop,
    /// The task that listens.
    Fit,
}

/// Traps that are set; each springs once.
#[derive(Clone, Default)]
pub(crate) struct Traps(Arc<Mutex<HashSet<(IpAddr, Place)>>>);

impl Traps {
    pub(crate) fn set(&self, gateway: IpAddr, place: Place) {
        self.0.lock().unwrap().insert((gateway, place));
    }

    /// Whether it has not sprung yet.
    pub(crate) fn is_set(&self, gateway: IpAddr, place: Place) -> bool {
        self.0.lock().unwrap().contains(&(gateway, place))
    }

    fn step_on(&self, gateway: IpAddr, place: Place) {
        let springs = self.0.lock().unwrap().remove(&(gateway, place));
        assert!(!springs, "the test's own panic: {place:?} of {gateway}");
    }

    fn lay(&self, gateway: IpAddr, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        Box::new(Trapped { traps: self.clone(), gateway, stream })
    }
}

impl Net for Traps {
    fn dial(&self, target: Target, key: Option<Secret>) -> Later<'_, io::Result<Box<dyn Stream>>> {
        let gateway = target.address.ip();
        Box::pin(async move {
            self.step_on(gateway, Place::Dial);
            Ok(self.lay(gateway, Tcp.dial(target, key).await?))
        })
    }

    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Accept>> {
        Ok(Box::new(Listening { traps: self.clone(), listener: Tcp.listen(address)? }))
    }
}

struct Listening {
    traps: Traps,
    listener: Box<dyn Accept>,
}

impl Accept for Listening {
    fn accept(&mut self) -> Later<'_, io::Result<(SocketAddr, Box<dyn Incoming>)>> {
        Box::pin(async move {
            let (peer, incoming) = self.listener.accept().await?;
            Ok((peer, Box::new(Came { traps: self.traps.clone(), peer, incoming }) as Box<dyn Incoming>))
        })
    }

    fn protect(&mut self, keys: &BTreeMap<Prefix, Secret>) -> Vec<(Prefix, io::Error)> {
        self.listener.protect(keys)
    }
}

struct Came {
    traps: Traps,
    peer: SocketAddr,
    incoming: Box<dyn Incoming>,
}

impl Incoming for Came {
    fn fit(self: Box<Self>, target: &Target, key: Option<&Secret>) -> io::Result<Box<dyn Stream>> {
        self.traps.step_on(self.peer.ip(), Place::Fit);
        Ok(self.traps.lay(self.peer.ip(), self.incoming.fit(target, key)?))
    }
}

struct Trapped {
    traps: Traps,
    gateway: IpAddr,
    stream: Box<dyn Stream>,
}

impl Drop for Trapped {
    fn drop(&mut self) {
        self.traps.step_on(self.gateway, Place::Drop);
    }
}

impl AsyncRead for Trapped {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if read.is_ready() {
            self.traps.step_on(self.gateway, Place::Read);
        }
        read
    }
}

impl AsyncWrite for Trapped {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.traps.step_on(self.gateway, Place::Write);
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
