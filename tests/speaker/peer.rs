//! A gateway of the test's own, on the product's own sockets: with a TCP MD5 key where one is wanted.

use super::until::BOUND;
use super::update::accepted;
use bytes::Bytes;
use fingerpost::config::Secret;
use fingerpost::speaker::{Accept, Net, Stream, Target, Tcp};
use fingerpost_core::bgp::wire::{Capability, Frame, Framer, MessageKind, Open, keepalive};
use fingerpost_core::model::{Asn, HoldTime, Prefix};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::timeout;

pub(crate) const PORT: u16 = 1790;

/// A key, as it comes from a file.
pub(crate) fn key(text: &str) -> Secret {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Secret::read(file.path()).unwrap()
}

/// As a gateway in the configuration: `NAME: {…}`.
pub(crate) fn yaml(name: &str, address: IpAddr, more: &str) -> String {
    let timers = "timers: { connect_retry: 200ms }";
    format!("{name}: {{ address: {address}, port: {PORT}, asn: 64500, policy: default, {timers}, {more} }}")
}

/// As a range in the configuration: whoever connects from an address with the first `bits` of this one, as `hosts: {…}`.
pub(crate) fn range(own: Ipv4Addr, bits: u8, more: &str) -> String {
    format!("hosts: {{ listen_range: {own}/{bits}, asn: 64500, policy: default, {more} }}")
}

/// One that listens.
pub(crate) struct Peer(Box<dyn Accept>);

impl Peer {
    pub(crate) fn listen(address: IpAddr) -> Peer {
        Peer(Tcp.listen(SocketAddr::new(address, PORT)).unwrap())
    }

    /// Takes only what is signed with this, from the whole machine.
    pub(crate) fn sign(&mut self, secret: &Secret) {
        let everybody: Prefix = "127.0.0.0/8".parse().unwrap();
        assert!(self.0.protect(&[(everybody, secret.clone())].into()).is_empty());
    }

    pub(crate) async fn accept(&mut self, secret: Option<&Secret>) -> Session {
        let (from, incoming) = timeout(BOUND, self.0.accept()).await.expect("nobody connects").unwrap();
        Session { stream: incoming.fit(&target(from, None), secret).unwrap(), framer: Framer::new() }
    }

    /// Whether nobody has connected yet.
    pub(crate) async fn is_alone(&mut self) -> bool {
        tokio::select! {
            biased;
            _ = self.0.accept() => false,
            () = std::future::ready(()) => true,
        }
    }
}

fn target(address: SocketAddr, source: Option<IpAddr>) -> Target {
    Target { address, source, interface: None, ttl: 64, least_ttl: None, user_timeout: None }
}

/// One that connects.
pub(crate) async fn dial(to: SocketAddr, from: IpAddr, secret: Option<Secret>) -> io::Result<Session> {
    let stream = timeout(BOUND, Tcp.dial(target(to, Some(from)), secret)).await??;
    Ok(Session { stream, framer: Framer::new() })
}

/// One that connects and leaves little room for what it does not read.
pub(crate) async fn dial_narrow(to: SocketAddr, from: IpAddr) -> Session {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind((from, 0).into()).unwrap();
    let stream = timeout(BOUND, socket.connect(to)).await.unwrap().unwrap();
    Session { stream: Box::new(stream), framer: Framer::new() }
}

pub(crate) struct Session {
    stream: Box<dyn Stream>,
    framer: Framer,
}

impl Session {
    /// Makes it a session of AS 64500. Dropping it ends that.
    pub(crate) async fn establish(self) -> Session {
        self.establish_with(HoldTime::new(30).unwrap()).await
    }

    /// … with this hold time.
    pub(crate) async fn establish_with(mut self, hold_time: HoldTime) -> Session {
        self.expect(MessageKind::Open).await;
        self.answer(hold_time).await
    }

    /// Whether an OPEN comes, and not an end.
    pub(crate) async fn is_greeted(&mut self) -> bool {
        self.next().await.is_some_and(|frame| frame.kind == MessageKind::Open)
    }

    /// Answers the OPEN.
    pub(crate) async fn answer(mut self, hold_time: HoldTime) -> Session {
        let capabilities = vec![Capability::MultiProtocol { afi: 1, safi: 1 }, Capability::FourOctetAs(64500)];
        let open =
            Open { asn: Asn::new(64500).unwrap(), hold_time, router_id: "10.0.0.1".parse().unwrap(), capabilities };
        self.send(open.encode()).await;
        self.expect(MessageKind::Keepalive).await;
        self.send(keepalive()).await;
        self
    }

    pub(crate) async fn send(&mut self, message: Bytes) {
        self.stream.write_all(&message).await.unwrap();
    }

    /// Reads UPDATEs up to End-of-RIB: the prefixes announced.
    pub(crate) async fn table(&mut self) -> Vec<Prefix> {
        let mut prefixes = Vec::new();
        loop {
            let frame = self.expect(MessageKind::Update).await;
            if frame.body.len() == 4 {
                prefixes.sort();
                return prefixes;
            }
            prefixes.extend(announced(&frame.body));
        }
    }

    /// What the next UPDATE announces.
    pub(crate) async fn announced(&mut self) -> Vec<Prefix> {
        announced(&self.expect(MessageKind::Update).await.body)
    }

    /// What the next UPDATE announces, and where that is reached.
    pub(crate) async fn told(&mut self) -> Vec<(Prefix, IpAddr)> {
        accepted(&self.expect(MessageKind::Update).await.body).routes().collect()
    }

    /// … and all UPDATEs up to End-of-RIB.
    pub(crate) async fn told_all(&mut self) -> Vec<(Prefix, IpAddr)> {
        let mut all = Vec::new();
        loop {
            match self.told().await {
                told if told.is_empty() => return all,
                told => all.extend(told),
            }
        }
    }

    /// Reads up to the next message of this kind.
    pub(crate) async fn expect(&mut self, kind: MessageKind) -> Frame {
        loop {
            match self.next().await {
                Some(frame) if frame.kind == kind => return frame,
                Some(_) => {}
                None => panic!("closed instead of sending {kind:?}"),
            }
        }
    }

    /// The next message; None at the end.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let read = async {
            loop {
                if let Some(frame) = self.framer.next().unwrap() {
                    return Some(frame);
                }
                let mut octets = [0; 4096];
                match self.stream.read(&mut octets).await {
                    Ok(0) | Err(_) => return None,
                    Ok(length) => self.framer.push(&octets[..length]),
                }
            }
        };
        timeout(BOUND, read).await.expect("neither a message nor an end")
    }
}

/// The prefixes of an UPDATE's own field (RFC 4271 §4.3).
fn announced(body: &[u8]) -> Vec<Prefix> {
    let length = |at: usize| usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
    let attributes = 2 + length(0);
    let mut rest = &body[attributes + 2 + length(attributes)..];
    let mut prefixes = Vec::new();
    while let [bits, more @ ..] = rest {
        let (octets, after) = more.split_at(usize::from(*bits).div_ceil(8));
        let mut address = [0; 4];
        address[..octets.len()].copy_from_slice(octets);
        prefixes.push(format!("{}/{bits}", std::net::Ipv4Addr::from(address)).parse().unwrap());
        rest = after;
    }
    prefixes
}
