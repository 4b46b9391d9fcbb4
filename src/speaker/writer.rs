//! The writing half of a connection: control messages between chunk messages, both whole.

use super::Stream;
use super::gateway::Event;
use crate::engine::ToSession;
use crate::lead::Lead;
use bytes::{Buf, Bytes};
use fingerpost_core::bgp::neighbour::ConnectionId;
use fingerpost_core::view::{Chunk, Stamp};
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
    /// Until when a leader's stamp may be written.
    pub(super) lead: Lead,
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

    /// Drops what may not be said any more, if that is what comes next, and what follows with the same stamp: that stamp, and how
    /// many octets went with it.
    fn refuse(&mut self, lead: &Lead) -> Option<(Stamp, usize)> {
        let stamp = self.chunks.front()?.chunk.stamp;
        if lead.allows(stamp) {
            return None;
        }
        let octets = |current: &Current| (current.chunk.stamp == stamp).then_some(current.chunk.bytes.len());
        let dropped = self.chunks.iter().filter_map(octets).sum();
        self.chunks.retain(|current| current.chunk.stamp != stamp);
        Some((stamp, dropped))
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
            while let Some((stamp, octets)) = queue.refuse(&self.lead) {
                let _ = self.events.send(Event::Refused(self.id, stamp, octets)).await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead::tests::{in_an_hour, leading};
    use fingerpost_core::view::Seq;
    use tokio::io::AsyncReadExt;

    fn chunk(stamp: Stamp, octets: &'static [u8]) -> ToSession {
        let ends = Box::new([octets.len() as u32]);
        ToSession::Chunk(Arc::new(Chunk { stamp, at: Seq::default(), bytes: Bytes::from_static(octets), ends }))
    }

    #[tokio::test]
    async fn p7_nothing_is_begun_with_a_stamp_that_may_not_be_said_any_more() {
        let (stream, mut gateway) = tokio::io::duplex(1024);
        let stream: Box<dyn Stream> = Box::new(stream);
        let (_reader, stream) = tokio::io::split(stream);
        let (control, control_items) = mpsc::unbounded_channel();
        let (to, chunks) = mpsc::unbounded_channel();
        let (events, mut told) = mpsc::channel(16);
        let (lead, leader, standby) = (Lead::default(), Stamp::Leader { term: 5 }, Stamp::Standby { ordinal: 1 });
        lead.follow(leading(5, in_an_hour()));
        to.send(chunk(leader, b"in time")).unwrap();
        let writer = Writer { id: ConnectionId(1), stream, control: control_items, chunks, lead: lead.clone(), events };
        let writer = tokio::spawn(writer.run());
        let mut said = [0; 7];
        gateway.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"in time");
        assert!(matches!(told.recv().await, Some(Event::Written(..))));
        lead.follow(None);
        for (stamp, octets) in [(leader, &b"too late"[..]), (leader, b"as well"), (standby, b"standby")] {
            to.send(chunk(stamp, octets)).unwrap();
        }
        gateway.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"standby");
        let mut refused = 0;
        while let Some(Event::Refused(_, stamp, octets)) = told.recv().await {
            assert_eq!(stamp, leader);
            refused += octets;
        }
        assert_eq!(refused, b"too late".len() + b"as well".len());
        drop(control);
        writer.await.unwrap();
    }
}
