//! A gateway that only receives: real BGP over loopback TCP, and a table of what it learned.

use crate::clock::{Clock, reached};
use bytes::BytesMut;
use fingerpost_core::bgp::neighbour::{ConnectionId, Effect, Input, Neighbour, NeighbourConfig, Timers};
use fingerpost_core::bgp::wire::Update;
use fingerpost_core::model::{Asn, Family, Prefix, RouterId};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// What the gateway holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Learned {
    /// Prefix and next hop.
    pub routes: BTreeMap<Prefix, IpAddr>,
    /// Families whose End-of-RIB has come on this session.
    pub complete: Vec<Family>,
    /// Whether a session stands.
    pub up: bool,
    /// Messages that changed something.
    pub updates: u64,
}

/// A gateway in this process; dropping it ends it.
pub struct Gateway {
    address: SocketAddr,
    learned: watch::Receiver<Learned>,
    _task: AbortOnDropHandle<()>,
}

impl Gateway {
    /// Listens on a free port of 127.0.0.1 and expects one neighbour of this AS.
    pub async fn start(asn: Asn, id: RouterId, neighbour: Asn) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (learned, watching) = watch::channel(Learned::default());
        let families = fingerpost_core::model::PerFamily { ipv4: true, ipv6: true };
        let config = NeighbourConfig {
            local_asn: asn,
            router_id: id,
            peer_asn: neighbour,
            families,
            passive: true,
            timers: Timers::default(),
            graceful_restart: None,
            enhanced_refresh: false,
            extended_messages: false,
            extended_next_hop: false,
        };
        let task = AbortOnDropHandle::new(tokio::spawn(serve(listener, config, learned)));
        Ok(Gateway { address, learned: watching, _task: task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it holds now.
    pub fn learned(&self) -> Learned {
        self.learned.borrow().clone()
    }

    /// Waits until it holds what is wanted; false if that takes longer than `patience`.
    pub async fn wait(&mut self, patience: Duration, wanted: impl FnMut(&Learned) -> bool) -> bool {
        matches!(tokio::time::timeout(patience, self.learned.wait_for(wanted)).await, Ok(Ok(_)))
    }
}

async fn serve(listener: TcpListener, config: NeighbourConfig, learned: watch::Sender<Learned>) {
    while let Ok((stream, _)) = listener.accept().await {
        // One at a time: the demonstration has one neighbour, which waits for its turn.
        let mut session =
            Session { neighbour: Neighbour::new(config.clone(), false, 1), clock: Clock::start(), learned: &learned };
        if let Err(error) = session.run(stream).await {
            tracing::debug!("the gateway's connection broke: {error}");
        }
        learned.send_replace(Learned::default());
    }
}

struct Session<'a> {
    neighbour: Neighbour,
    clock: Clock,
    learned: &'a watch::Sender<Learned>,
}

const ONLY: ConnectionId = ConnectionId(0);

impl Session<'_> {
    async fn run(&mut self, mut stream: TcpStream) -> io::Result<()> {
        let mut buffer = BytesMut::new();
        let mut effects = Vec::new();
        self.neighbour.handle(self.clock.now(), Input::Start, &mut effects);
        self.neighbour.handle(self.clock.now(), Input::Accepted(ONLY), &mut effects);
        loop {
            if !self.carry_out(&mut stream, std::mem::take(&mut effects)).await? {
                return Ok(());
            }
            let deadline = self.neighbour.next_deadline().map(|at| self.clock.instant(at));
            tokio::select! {
                read = stream.read_buf(&mut buffer) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    self.neighbour.handle(self.clock.now(), Input::Received(ONLY, &buffer.split()), &mut effects);
                }
                () = reached(deadline) => self.neighbour.on_deadline(self.clock.now(), &mut effects),
            }
        }
    }

    /// False once the connection shall be closed.
    async fn carry_out(&mut self, stream: &mut TcpStream, effects: Vec<Effect>) -> io::Result<bool> {
        for effect in effects {
            match effect {
                Effect::Send(id, message) => {
                    stream.write_all(&message).await?;
                    self.neighbour.handle(self.clock.now(), Input::Progress(id), &mut Vec::new());
                }
                Effect::Close(_) => return Ok(false),
                Effect::Up(..) => self.learned.send_modify(|learned| learned.up = true),
                Effect::Update(_, update) => self.learned.send_modify(|learned| learned.apply(&update)),
                Effect::Dial
                | Effect::AbortDial
                | Effect::Down(..)
                | Effect::Failed(_)
                | Effect::Refresh(..)
                | Effect::UpdateError(..) => {}
            }
        }
        Ok(true)
    }
}

impl Learned {
    fn apply(&mut self, update: &Update) {
        self.complete.extend(update.end_of_rib);
        for prefix in &update.withdrawn {
            self.routes.remove(prefix);
        }
        self.routes.extend(update.routes());
        self.updates += u64::from(update.end_of_rib.is_none());
    }
}
