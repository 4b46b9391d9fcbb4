//! The end of the process: nobody who connects again while the sessions are being ended is taken in.

use super::peer::{dial, range};
use super::until::BOUND;
use super::world::{HOSTS, World, subnet, within};
use fingerpost::config::Secret;
use fingerpost::daemon::Service;
use fingerpost::speaker::{Accept, Incoming, Later, Net, Stream, Target, Tcp};
use fingerpost_core::model::Prefix;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

/// A gateway that connects again at once is refused by the kernel: one that were taken in and cut off again would forget the
/// routes (OpenBGPD does).
#[tokio::test(flavor = "multi_thread")]
async fn c11_who_connects_again_while_the_sessions_end_is_never_taken_in() {
    ends(|service| Box::pin(service.hand_over())).await;
    ends(|service| Box::pin(service.decommission())).await;
}

async fn ends(end: impl FnOnce(Service) -> Pin<Box<dyn Future<Output = ()>>>) {
    let (own, closed) = (subnet(), Closed::default());
    let world = World::on(Arc::new(closed.clone()), HOSTS, &range(own, 24, ""), &[]).await;
    let listens = world.listens;
    let mut sessions = Vec::new();
    for last in 2..6 {
        let mut session = dial(listens, within(own, last), None).await.unwrap().establish().await;
        session.table().await;
        sessions.push((within(own, last), session));
    }
    let again = sessions.into_iter().map(|(from, mut session)| {
        tokio::spawn(async move {
            while session.next().await.is_some() {}
            drop(session);
            dial(listens, from, None).await.err().map(|error| error.kind())
        })
    });
    let again: Vec<_> = again.collect();
    timeout(BOUND, end(world.service)).await.expect("it does not end");
    for again in again {
        assert_eq!(again.await.unwrap(), Some(io::ErrorKind::ConnectionRefused), "a gateway was let in at the end");
    }
    assert_eq!(closed.0.lock().unwrap().first(), Some(&What::Listener), "a session was ended before the listener");
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Listener,
    Session,
}

/// The system's network, and in which order its sockets were closed.
#[derive(Clone, Default)]
struct Closed(Arc<Mutex<Vec<What>>>);

impl Net for Closed {
    fn dial(&self, target: Target, key: Option<Secret>) -> Later<'_, io::Result<Box<dyn Stream>>> {
        Tcp.dial(target, key)
    }

    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Accept>> {
        Ok(Box::new(Noted { inner: Tcp.listen(address)?, what: What::Listener, closed: self.clone() }))
    }
}

struct Noted<T: ?Sized> {
    closed: Closed,
    what: What,
    inner: Box<T>,
}

impl<T: ?Sized> Drop for Noted<T> {
    fn drop(&mut self) {
        self.closed.0.lock().unwrap().push(self.what);
    }
}

impl Accept for Noted<dyn Accept> {
    fn accept(&mut self) -> Later<'_, io::Result<(SocketAddr, Box<dyn Incoming>)>> {
        Box::pin(async move {
            let (peer, inner) = self.inner.accept().await?;
            Ok((peer, Box::new(Came { inner, closed: self.closed.clone() }) as Box<dyn Incoming>))
        })
    }

    fn protect(&mut self, keys: &BTreeMap<Prefix, Secret>) -> Vec<(Prefix, io::Error)> {
        self.inner.protect(keys)
    }
}

struct Came {
    closed: Closed,
    inner: Box<dyn Incoming>,
}

impl Incoming for Came {
    fn fit(self: Box<Self>, target: &Target, key: Option<&Secret>) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(Noted { inner: self.inner.fit(target, key)?, what: What::Session, closed: self.closed }))
    }
}

impl AsyncRead for Noted<dyn Stream> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, into)
    }
}

impl AsyncWrite for Noted<dyn Stream> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
