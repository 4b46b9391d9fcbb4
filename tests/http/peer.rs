//! A gateway of the test's own, that says what the test wants.

use super::address::address;
use super::until::BOUND;
use bytes::Bytes;
use fingerpost_core::bgp::wire::{Capability, Frame, Framer, MessageKind, Open, keepalive};
use fingerpost_core::model::{Asn, HoldTime};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

pub(crate) struct Peer {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Peer {
    pub(crate) async fn listen() -> Peer {
        Peer::listen_at(SocketAddr::new(address(), 1790)).await
    }

    pub(crate) async fn listen_at(address: SocketAddr) -> Peer {
        Peer { listener: TcpListener::bind(address).await.unwrap(), address }
    }

    /// As a gateway in the configuration: `NAME: {…}`.
    pub(crate) fn yaml(&self, name: &str) -> String {
        let (ip, port) = (self.address.ip(), self.address.port());
        let timers = "timers: { connect_retry: 200ms }";
        format!("{name}: {{ address: {ip}, port: {port}, asn: 64500, policy: default, {timers} }}")
    }

    /// Takes one connection and makes it a session. Keep what is returned: dropping it ends the session.
    pub(crate) async fn establish(&self, capabilities: Vec<Capability>) -> Session {
        self.establish_as(64500, capabilities).await
    }

    /// The same, in another AS.
    pub(crate) async fn establish_as(&self, asn: u32, capabilities: Vec<Capability>) -> Session {
        let mut session = self.accept().await;
        let open = Open { asn: Asn::new(asn).unwrap(), ..open(capabilities) };
        session.send(open.encode()).await;
        session.expect(MessageKind::Keepalive).await;
        session.send(keepalive()).await;
        session
    }

    /// Takes one connection and reads the OPEN.
    pub(crate) async fn accept(&self) -> Session {
        let (stream, _) = timeout(BOUND, self.listener.accept()).await.unwrap().unwrap();
        let mut session = Session { stream, framer: Framer::new() };
        session.expect(MessageKind::Open).await;
        session
    }
}

/// AS 64500, 10.0.0.1, 30 s: what [`Peer::yaml`] configures.
pub(crate) fn open(capabilities: Vec<Capability>) -> Open {
    Open {
        asn: Asn::new(64500).unwrap(),
        hold_time: HoldTime::new(30).unwrap(),
        router_id: "10.0.0.1".parse().unwrap(),
        capabilities,
    }
}

pub(crate) struct Session {
    stream: TcpStream,
    framer: Framer,
}

impl Session {
    pub(crate) async fn send(&mut self, message: Bytes) {
        self.stream.write_all(&message).await.unwrap();
    }

    /// Reads up to the next message of this kind.
    pub(crate) async fn expect(&mut self, kind: MessageKind) -> Frame {
        let read = async {
            loop {
                while let Some(frame) = self.framer.next().unwrap() {
                    if frame.kind == kind {
                        return frame;
                    }
                }
                let mut octets = [0; 4096];
                let length = self.stream.read(&mut octets).await.unwrap();
                assert_ne!(length, 0, "closed instead of sending {kind:?}");
                self.framer.push(&octets[..length]);
            }
        };
        timeout(BOUND, read).await.unwrap_or_else(|_| panic!("no {kind:?}"))
    }

    /// Reads until the other side closes: its NOTIFICATION, if it sent one.
    pub(crate) async fn closed(mut self) -> Option<Frame> {
        let read = async {
            let mut last = None;
            loop {
                while let Some(frame) = self.framer.next().unwrap() {
                    if frame.kind == MessageKind::Notification {
                        last = Some(frame);
                    }
                }
                let mut octets = [0; 4096];
                match self.stream.read(&mut octets).await.unwrap() {
                    0 => return last,
                    length => self.framer.push(&octets[..length]),
                }
            }
        };
        timeout(BOUND, read).await.expect("it is closed")
    }
}
