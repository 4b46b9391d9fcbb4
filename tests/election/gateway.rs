//! A gateway that listens, takes one session and keeps what it is told, with its MED.

use crate::update::accepted;
use bytes::BytesMut;
use fingerpost_core::bgp::wire::{Capability, Framer, MessageKind, Open, keepalive};
use fingerpost_core::model::{Asn, HoldTime, Prefix};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    Announced(Prefix, u32),
    /// It carried GRACEFUL_SHUTDOWN (RFC 8326).
    Drained(Prefix),
    Withdrawn(Prefix),
    Notification,
}

pub(crate) struct Gateway {
    port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    _task: AbortOnDropHandle<()>,
}

impl Gateway {
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &kept).await;
            }
        });
        Gateway { port, heard, _task: AbortOnDropHandle::new(task) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// Of what it was told last, what carried GRACEFUL_SHUTDOWN.
    pub(crate) fn drained(&self) -> BTreeSet<Prefix> {
        let mut drained = BTreeSet::new();
        for heard in self.heard() {
            match heard {
                Heard::Drained(prefix) => drop(drained.insert(prefix)),
                Heard::Announced(prefix, _) | Heard::Withdrawn(prefix) => drop(drained.remove(&prefix)),
                Heard::Notification => {}
            }
        }
        drained
    }

    /// What it holds: prefix and MED.
    pub(crate) fn table(&self) -> BTreeMap<Prefix, u32> {
        let mut table = BTreeMap::new();
        for heard in self.heard() {
            match heard {
                Heard::Announced(prefix, med) => drop(table.insert(prefix, med)),
                Heard::Withdrawn(prefix) => drop(table.remove(&prefix)),
                Heard::Drained(_) | Heard::Notification => {}
            }
        }
        table
    }
}

/// Until the other side closes.
async fn serve(mut stream: TcpStream, heard: &Mutex<Vec<Heard>>) {
    let (mut framer, mut octets) = (Framer::new(), BytesMut::with_capacity(4096));
    let capabilities = vec![Capability::MultiProtocol { afi: 1, safi: 1 }, Capability::FourOctetAs(64500)];
    let (asn, hold_time) = (Asn::new(64500).unwrap(), HoldTime::new(30).unwrap());
    let open = Open { asn, hold_time, router_id: "10.0.0.1".parse().unwrap(), capabilities };
    loop {
        octets.clear();
        match stream.read_buf(&mut octets).await {
            Ok(0) | Err(_) => return,
            Ok(_) => framer.push(&octets),
        }
        while let Some(frame) = framer.next().unwrap() {
            match frame.kind {
                MessageKind::Open => stream.write_all(&open.encode()).await.unwrap(),
                MessageKind::Keepalive => stream.write_all(&keepalive()).await.unwrap(),
                MessageKind::Update => heard.lock().unwrap().extend(said(&frame.body)),
                MessageKind::Notification => heard.lock().unwrap().push(Heard::Notification),
                MessageKind::RouteRefresh => {}
            }
        }
    }
}

fn said(body: &[u8]) -> Vec<Heard> {
    let update = accepted(body);
    let med = update.attributes.med.unwrap_or_default();
    let is_drained = update.attributes.communities.contains(&0xFFFF_0000);
    let said = |(prefix, _)| [Some(Heard::Announced(prefix, med)), is_drained.then_some(Heard::Drained(prefix))];
    update.routes().flat_map(said).flatten().chain(update.withdrawn.iter().copied().map(Heard::Withdrawn)).collect()
}
