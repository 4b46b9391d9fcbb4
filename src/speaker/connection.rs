//! A gateway's connection: a task that reads and one that writes.

use super::gateway::Event;
use super::guarded::guarded;
use super::net::{Later, Net, Stream, Target};
use super::writer::{Control, Writer};
use crate::config::Secret;
use crate::engine::ToSession;
use crate::lead::Lead;
use bytes::BytesMut;
use fingerpost_core::bgp::neighbour::ConnectionId;
use std::future::Future;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, ReadHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

/// At most so much is read at once; the next read waits until this was looked at.
const READ: usize = 4096;

/// Dropping it stops both tasks, except that a closing writer may finish what it owes.
pub(super) struct Connection {
    pub(super) control: mpsc::UnboundedSender<Control>,
    pub(super) to_writer: mpsc::UnboundedSender<ToSession>,
    pub(super) reader: AbortOnDropHandle<()>,
    pub(super) writer: JoinHandle<()>,
}

impl Connection {
    /// Takes a TCP connection in hand: one task reads, one writes.
    pub(super) fn start(id: ConnectionId, stream: Box<dyn Stream>, lead: Lead, events: &mpsc::Sender<Event>) -> Self {
        let (read, write) = tokio::io::split(stream);
        let (control, control_items) = mpsc::unbounded_channel();
        let (to_writer, chunks) = mpsc::unbounded_channel();
        let writer = Writer { id, stream: write, control: control_items, chunks, lead, events: events.clone() };
        let writer = tokio::spawn(or_broken(id, "writes to", events.clone(), writer.run()));
        let reading = read_all(id, read, events.clone());
        let reader = AbortOnDropHandle::new(tokio::spawn(or_broken(id, "reads from", events.clone(), reading)));
        Connection { control, to_writer, reader, writer }
    }
}

/// Connects to the gateway.
pub(super) fn dial(
    net: Arc<dyn Net>,
    target: Target,
    key: Option<Secret>,
) -> Later<'static, io::Result<Box<dyn Stream>>> {
    Box::pin(async move { net.dial(target, key).await })
}

/// A connection whose reader or writer panics is broken, and nothing else is.
async fn or_broken(id: ConnectionId, does: &str, events: mpsc::Sender<Event>, task: impl Future<Output = ()>) {
    if guarded(task).await.is_err() {
        let why = format!("the task that {does} it has failed, a defect of this program: see the log");
        let _ = events.send(Event::Broken(id, why)).await;
    }
}

/// Reads until the end. A task that is busy makes it wait, so a flood fills the gateway's own window and nothing else.
async fn read_all(id: ConnectionId, mut stream: ReadHalf<Box<dyn Stream>>, events: mpsc::Sender<Event>) {
    let mut buffer = BytesMut::with_capacity(READ);
    let why = loop {
        buffer.reserve(READ);
        match stream.read_buf(&mut buffer).await {
            Ok(0) => break "closed by the gateway".to_owned(),
            Ok(_) => {
                if events.send(Event::Octets(id, buffer.split().freeze())).await.is_err() {
                    return;
                }
            }
            Err(error) => break error.to_string(),
        }
    };
    let _ = events.send(Event::Broken(id, why)).await;
}
