//! The writing half of a connection: control messages between chunk messages, both whole.

use super::Stream;
use super::gateway::Event;
use crate::engine::ToSession;
use bytes::{Buf, Bytes};
use fingerpost_core::bgp::neighbour::ConnectionId;
use fingerpost_core::view::Chunk;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

/// What a writer is given by its gateway's task.
#[derive(Debug)]
pub(super) enum Control {
    /// One message, to go out between two others.
    Send(Bytes),
    /// Nothing more: finish the message that is under way and what came before this, then close. The reader goes on until
    /// then: octets that nobody has read would make the system send a reset, which destroys a NOTIFICATION on its way.
    Close(AbortOnDropHandle<()>),
}

/// About how many octets go into one write; a control message waits for no more than this.
const PIECE: usize = 16 * 1024;
/// How often progress within a chunk is reported.
const REPORT: Duration = Duration::from_secs(1);
/// How long a closing connection may still take to write.
const LINGER: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    pub(super) id: ConnectionId,
    pub(super) stream: WriteHalf<Box<dyn Stream>>,
    pub(super) control: mpsc::UnboundedReceiver<Control>,
    /// Chunks, straight from the engine.
    pub(super) chunks: mpsc::UnboundedReceiver<ToSession>,
    pub(super) events: mpsc::Sender<Event>,
}

/// A chunk on its way: what is left of it, and where its messages end, counted from its start.
struct Current {
    chunk: Arc<Chunk>,
    /// How many octets of it were begun.
    begun: usize,
    /// The first message that was not begun.
    next_message: usize,
}

#[derive(Default)]
struct Queue {
    control: VecDeque<Bytes>,
    chunks: VecDeque<Current>,
    closing: bool,
    reader: Option<AbortOnDropHandle<()>>,
}

impl Queue {
    fn control(&mut self, control: Option<Control>) {
        match control {
            Some(Control::Send(message)) => self.control.push_back(message),
            Some(Control::Close(reader)) => {
                self.closing = true;
                self.reader = Some(reader);
            }
            None => self.closing = true,
        }
    }

    fn chunk(&mut self, chunk: Arc<Chunk>) {
        self.chunks.push_back(Current { chunk, begun: 0, next_message: 0 });
    }

    /// The next octets to write, up to the end of a message; the chunk that they complete, if they do.
    fn next(&mut self) -> Option<(Bytes, Option<Arc<Chunk>>)> {
        if let Some(message) = self.control.pop_front() {
            return Some((message, None));
        }
        if self.closing {
            return None;
        }
        let current = self.chunks.front_mut()?;
        let ends = current.chunk.ends.get(current.next_message..).unwrap_or_default();
        let fitting = ends.partition_point(|&end| end as usize <= current.begun + PIECE).max(1);
        let end = ends.get(fitting - 1).map_or(current.chunk.bytes.len(), |&end| end as usize);
        let piece = current.chunk.bytes.slice(current.begun..end);
        current.begun = end;
        current.next_message += fitting;
        if end < current.chunk.bytes.len() {
            return Some((piece, None));
        }
        let done = self.chunks.pop_front().map(|current| current.chunk);
        Some((piece, done))
    }
}

impl Writer {
    /// Writes until told to close or until the connection breaks. That it broke the reader says, once it has passed on what
    /// the gateway had sent before: often the NOTIFICATION that explains it.
    pub(super) async fn run(mut self) {
        let mut queue = Queue::default();
        if let Err(error) = self.write_all(&mut queue).await {
            tracing::debug!("a connection takes nothing more: {error}");
        } else if let Some(reader) = queue.reader {
            let _ = timeout(LINGER, reader).await;
        }
    }

    async fn write_all(&mut self, queue: &mut Queue) -> io::Result<()> {
        let mut reported = Instant::now();
        loop {
            while let Ok(control) = self.control.try_recv() {
                queue.control(Some(control));
            }
            let Some((piece, done)) = queue.next() else {
                if queue.closing {
                    return timeout(LINGER, self.stream.shutdown()).await.unwrap_or(Ok(()));
                }
                self.wait(queue).await;
                continue;
            };
            if !self.write(piece, queue, &mut reported, done.is_none()).await? {
                return Ok(());
            }
            if let Some(chunk) = done {
                reported = Instant::now();
                let _ = self.events.send(Event::Written(self.id, chunk)).await;
            }
        }
    }

    async fn wait(&mut self, queue: &mut Queue) {
        tokio::select! {
            biased;
            control = self.control.recv() => queue.control(control),
            Some(to) = self.chunks.recv() => self.engine_says(to, queue).await,
        }
    }

    async fn engine_says(&mut self, to: ToSession, queue: &mut Queue) {
        match to {
            ToSession::Chunk(chunk) => queue.chunk(chunk),
            ToSession::TooSlow => {
                let _ = self.events.send(Event::TooSlow(self.id)).await;
            }
        }
    }

    /// Writes a piece whole. False where the connection is closing and takes no more.
    async fn write(
        &mut self,
        mut piece: Bytes,
        queue: &mut Queue,
        reported: &mut Instant,
        report: bool,
    ) -> io::Result<bool> {
        while piece.has_remaining() {
            if queue.closing {
                // Only the rest of a message that was begun, and a NOTIFICATION, are still owed.
                return Ok(matches!(timeout(LINGER, self.stream.write_all(&piece)).await, Ok(Ok(()))));
            }
            tokio::select! {
                biased;
                control = self.control.recv() => queue.control(control),
                Some(to) = self.chunks.recv() => self.engine_says(to, queue).await,
                written = self.stream.write(&piece) => {
                    match written? {
                        0 => return Err(io::ErrorKind::WriteZero.into()),
                        octets => piece.advance(octets),
                    }
                    if report && reported.elapsed() >= REPORT {
                        *reported = Instant::now();
                        let _ = self.events.send(Event::Progress(self.id)).await;
                    }
                }
            }
        }
        Ok(true)
    }
}
