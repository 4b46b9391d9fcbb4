//! Gateways that take routes in and do as little as possible with them, and the same without BGP for bare writers.
//!
//! ```text
//!  listener ─► connection ─► OPEN ⇄ OPEN ─► Ready ─(go)─► KEEPALIVE ─► UPDATEs: only counted ─► Reached, EndOfRib
//! ```
//!
//! One thread serves them all, with one large buffer. Fingerpost and the bare writer are read by the same code.

mod count;
mod thread;

pub(crate) use count::Totals;

use anyhow::{Context, bail};
use mio::net::TcpListener;
use mio::{Poll, Waker};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use thread::Thread;
use tokio::net::TcpSocket;

/// Fingerpost's AS.
pub(crate) const OWN_ASN: u32 = 64512;
/// The gateways'.
pub(crate) const GATEWAY_ASN: u32 = 64500;

/// How a receiver behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// BGP: the session comes up as soon as it can.
    Gateway,
    /// BGP, but the KEEPALIVE that lets the session come up waits for [`Receivers::go`].
    Held,
    /// BGP, and every UPDATE after the first End-of-RIB is passed on.
    Traced,
    /// No BGP: UPDATEs come at once.
    Bare,
}

/// Something a receiver saw.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) receiver: usize,
    pub(crate) at: Instant,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// Connected; with BGP, all that is missing is our KEEPALIVE.
    Ready,
    /// Our KEEPALIVE goes out now.
    Gone,
    /// The first routes were read.
    First,
    /// As many routes were announced as were expected.
    Reached,
    /// End-of-RIB, and what came before it.
    EndOfRib(Totals),
    /// UPDATEs of a [`Role::Traced`], as read.
    Updates(Vec<u8>),
    /// This must not happen.
    Failed(String),
}

enum Command {
    Go,
    /// What was connected for this receiver.
    Connected(usize, std::net::TcpStream),
    Stop,
}

/// See the module.
pub(crate) struct Receivers {
    /// Where they listen.
    pub(crate) addresses: Vec<SocketAddr>,
    commands: mpsc::Sender<Command>,
    waker: Waker,
    events: mpsc::Receiver<Event>,
    seen: Vec<Event>,
    thread: Option<JoinHandle<()>>,
}

impl Receivers {
    /// Listens with one receiver for each role; each expects so many routes.
    pub(crate) fn listen(roles: &[Role], expected: u32) -> anyhow::Result<Self> {
        let listen = |_: &Role| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let listeners = roles.iter().map(listen).collect::<Result<Vec<_>, _>>()?;
        Self::start(listeners.into_iter().map(Some).collect(), roles, expected)
    }

    /// So many that listen nowhere: hosts that connect by themselves, by [`Receivers::connect`].
    pub(crate) fn hosts(count: usize, expected: u32) -> anyhow::Result<Self> {
        Self::start((0..count).map(|_| None).collect(), &vec![Role::Traced; count], expected)
    }

    fn start(listeners: Vec<Option<TcpListener>>, roles: &[Role], expected: u32) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), thread::WAKE)?;
        let (to_main, events) = mpsc::channel();
        let (commands, from_main) = mpsc::channel();
        let addresses = listeners.iter().flatten().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
        let mut thread = Thread::new(poll, listeners, roles, expected, to_main, from_main)?;
        let thread = std::thread::Builder::new().name("receivers".into()).spawn(move || thread.run())?;
        Ok(Receivers { addresses, commands, waker, events, seen: Vec::new(), thread: Some(thread) })
    }

    /// Connects receiver `number` from this address.
    pub(crate) async fn connect(&self, number: usize, from: Ipv4Addr, to: SocketAddr) -> anyhow::Result<()> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into()).with_context(|| format!("{from} is no address of this machine"))?;
        let stream = socket.connect(to).await?.into_std()?;
        self.commands.send(Command::Connected(number, stream))?;
        Ok(self.waker.wake()?)
    }

    /// Lets the held sessions come up.
    pub(crate) fn go(&self) -> anyhow::Result<()> {
        self.commands.send(Command::Go)?;
        Ok(self.waker.wake()?)
    }

    /// Waits until all of these are connected.
    pub(crate) fn ready(&mut self, who: Range<usize>, patience: Duration) -> anyhow::Result<()> {
        self.all(who, patience, "connected", |event| matches!(event.what, What::Ready).then_some(())).map(drop)
    }

    /// When the first of the held ones let its session come up.
    pub(crate) fn gone(&mut self, who: Range<usize>, patience: Duration) -> anyhow::Result<Instant> {
        let gone = self.all(who, patience, "released", |event| matches!(event.what, What::Gone).then_some(event.at))?;
        gone.into_iter().min().context("nobody was released")
    }

    /// When the first of these had its first routes.
    pub(crate) fn first(&mut self, who: Range<usize>, patience: Duration) -> anyhow::Result<Instant> {
        let first =
            self.all(who, patience, "told a route", |event| matches!(event.what, What::First).then_some(event.at))?;
        first.into_iter().min().context("nobody was told a route")
    }

    /// When the last of these had all routes.
    pub(crate) fn reached(&mut self, who: Range<usize>, patience: Duration) -> anyhow::Result<Instant> {
        let reached = self
            .all(who, patience, "told all routes", |event| matches!(event.what, What::Reached).then_some(event.at))?;
        reached.into_iter().max().context("nobody was told all routes")
    }

    /// What each of these had been told at its End-of-RIB.
    pub(crate) fn ended(&mut self, who: Range<usize>, patience: Duration) -> anyhow::Result<Vec<Totals>> {
        self.all(who, patience, "told End-of-RIB", |event| match event.what {
            What::EndOfRib(totals) => Some(totals),
            _ => None,
        })
    }

    /// The next UPDATEs of a traced receiver, and when they were read; none within `patience`: none.
    pub(crate) fn updates(&mut self, patience: Duration) -> anyhow::Result<Option<(Instant, Vec<u8>)>> {
        loop {
            match self.next(patience)? {
                None => return Ok(None),
                Some(Event { at, what: What::Updates(octets), .. }) => return Ok(Some((at, octets))),
                Some(_) => {}
            }
        }
    }

    /// The next UPDATEs of every one of these traced receivers, and when the last of them was read.
    pub(crate) fn all_updates(
        &mut self,
        who: Range<usize>,
        patience: Duration,
    ) -> anyhow::Result<(Instant, Vec<Vec<u8>>)> {
        let until = Instant::now() + patience;
        let mut found: Vec<Option<Vec<u8>>> = who.clone().map(|_| None).collect();
        let (mut missing, mut last) = (found.len(), None);
        while missing > 0 {
            let Some(event) = self.next(until.saturating_duration_since(Instant::now()))? else {
                bail!("{missing} of {} receivers were told nothing within {patience:?}", found.len());
            };
            let What::Updates(octets) = event.what else { continue };
            let place = event.receiver.checked_sub(who.start).and_then(|place| found.get_mut(place));
            let place = place.with_context(|| format!("receiver {} was told something", event.receiver))?;
            if let Some(before) = place.replace(octets) {
                bail!("receiver {} was told a second UPDATE, after {before:?}", event.receiver);
            }
            missing -= 1;
            last = last.max(Some(event.at));
        }
        Ok((last.context("nobody to wait for")?, found.into_iter().flatten().collect()))
    }

    /// What `pick` finds in the first fitting event of each of these receivers.
    fn all<T>(
        &mut self,
        who: Range<usize>,
        patience: Duration,
        what: &str,
        pick: impl Fn(&Event) -> Option<T>,
    ) -> anyhow::Result<Vec<T>> {
        let until = Instant::now() + patience;
        let mut found: Vec<Option<T>> = who.clone().map(|_| None).collect();
        let mut looked_at = 0;
        loop {
            for event in self.seen.get(looked_at..).unwrap_or_default() {
                let place = event.receiver.checked_sub(who.start).and_then(|place| found.get_mut(place));
                if let Some(place @ None) = place {
                    *place = pick(event);
                }
            }
            looked_at = self.seen.len();
            let missing = found.iter().filter(|found| found.is_none()).count();
            if missing == 0 {
                return Ok(found.into_iter().flatten().collect());
            }
            let left = until.saturating_duration_since(Instant::now());
            let Some(event) = self.next(left)? else {
                bail!("{missing} of {} receivers were not {what} within {patience:?}", found.len());
            };
            self.seen.push(event);
        }
    }

    fn next(&self, patience: Duration) -> anyhow::Result<Option<Event>> {
        match self.events.recv_timeout(patience) {
            Ok(Event { receiver, what: What::Failed(why), .. }) => bail!("receiver {receiver}: {why}"),
            Ok(event) => Ok(Some(event)),
            Err(mpsc::RecvTimeoutError::Timeout) => Ok(None),
            Err(mpsc::RecvTimeoutError::Disconnected) => bail!("the receivers' thread has ended"),
        }
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        // The thread may have ended already.
        drop(self.commands.send(Command::Stop));
        drop(self.waker.wake());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
