//! The writing half of a connection: control messages between chunk messages, both whole.

use super::Stream;
use super::gateway::Event;
use crate::engine::ToSession;
use crate::lead::Lead;
use bytes::{Buf, Bytes};
use fingerpost_core::bgp::neighbour::ConnectionId;
use fingerpost_core::view::{Chunk, Stamp};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt, WriteHalf};
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

/// What is written next: a control message, or messages of the first chunk.
struct Piece {
    octets: Bytes,
    /// The chunk's.
    stamp: Option<Stamp>,
}

#[derive(Default)]
struct Queue {
    control: VecDeque<Bytes>,
    chunks: VecDeque<Current>,
    /// Something was refused, and the engine has not heard of it: nothing that it has handed out until then is written. An End-of-RIB
    /// among that would be untrue (promise P4).
    refusing: bool,
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

    /// Drops what may not be said any more, if that is what comes next, and all that follows: the stamp, and how many octets that
    /// are.
    fn refuse(&mut self, lead: &Lead) -> Option<(Stamp, usize)> {
        let stamp = self.chunks.front()?.chunk.stamp;
        if lead.allows(stamp) {
            return None;
        }
        self.refusing = true;
        Some((stamp, self.chunks.drain(..).map(|current| current.chunk.bytes.len()).sum()))
    }

    /// The next octets to write, up to the end of a message.
    fn next(&mut self) -> Option<Piece> {
        if let Some(message) = self.control.pop_front() {
            return Some(Piece { octets: message, stamp: None });
        }
        if self.closing {
            return None;
        }
        let current = self.chunks.front_mut()?;
        let ends = current.chunk.ends.get(current.next_message..).unwrap_or_default();
        let fitting = ends.partition_point(|&end| end as usize <= current.begun + PIECE).max(1);
        let end = ends.get(fitting - 1).map_or(current.chunk.bytes.len(), |&end| end as usize);
        let octets = current.chunk.bytes.slice(current.begun..end);
        current.begun = end;
        current.next_message += fitting;
        Some(Piece { octets, stamp: Some(current.chunk.stamp) })
    }

    /// Leaves no more of the first chunk's piece, of which so much is still to be written, than the message that is under way.
    fn cut(&mut self, octets: &mut Bytes) {
        let Some(current) = self.chunks.front_mut() else { return };
        let (ends, written) = (&current.chunk.ends, current.begun - octets.remaining());
        current.next_message = match written {
            0 => 0,
            _ => ends.partition_point(|&end| (end as usize) < written) + 1,
        };
        let last = current.next_message.checked_sub(1).and_then(|last| ends.get(last));
        current.begun = last.map_or(written, |&end| end as usize);
        octets.truncate(current.begun - written);
    }

    /// The first chunk, if all of it was begun.
    fn done(&mut self) -> Option<Arc<Chunk>> {
        let first = self.chunks.front()?;
        if first.begun < first.chunk.bytes.len() {
            return None;
        }
        self.chunks.pop_front().map(|current| current.chunk)
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
            if let Some((stamp, octets)) = queue.refuse(&self.lead) {
                let _ = self.events.send(Event::Refused(self.id, stamp, octets)).await;
            }
            let Some(piece) = queue.next() else {
                if queue.closing {
                    return timeout(LINGER, self.stream.shutdown()).await.unwrap_or(Ok(()));
                }
                self.wait(queue).await;
                continue;
            };
            let of_chunk = piece.stamp.is_some();
            if !self.write(piece, queue, &mut reported).await? {
                return Ok(());
            }
            if let Some(chunk) = of_chunk.then(|| queue.done()).flatten() {
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
            ToSession::Chunk(chunk) if queue.refusing => {
                let _ = self.events.send(Event::Dropped(self.id, chunk.bytes.len())).await;
            }
            ToSession::Chunk(chunk) => queue.chunk(chunk),
            ToSession::Resume => queue.refusing = false,
            ToSession::TooSlow => {
                let _ = self.events.send(Event::TooSlow(self.id)).await;
            }
        }
    }

    /// Writes a piece whole, or, if its stamp may not be said any more, to the end of the message that is under way. False where
    /// the connection is closing and takes no more.
    async fn write(&mut self, piece: Piece, queue: &mut Queue, reported: &mut Instant) -> io::Result<bool> {
        let Piece { mut octets, stamp } = piece;
        let mut said = stamp;
        loop {
            if said.take_if(|stamp| !self.lead.allows(*stamp)).is_some() {
                queue.cut(&mut octets);
            }
            if !octets.has_remaining() {
                return Ok(true);
            }
            if queue.closing {
                // Only the rest of a message that was begun, and a NOTIFICATION, are still owed.
                return Ok(matches!(timeout(LINGER, self.stream.write_all(&octets)).await, Ok(Ok(()))));
            }
            tokio::select! {
                biased;
                control = self.control.recv() => queue.control(control),
                Some(to) = self.chunks.recv() => self.engine_says(to, queue).await,
                written = write_while(|| said.is_none_or(|stamp| self.lead.allows(stamp)), &mut self.stream, &octets) => {
                    match written? {
                        None => continue,
                        Some(0) => return Err(io::ErrorKind::WriteZero.into()),
                        Some(written) => octets.advance(written),
                    }
                    if stamp.is_some() && reported.elapsed() >= REPORT {
                        *reported = Instant::now();
                        let _ = self.events.send(Event::Progress(self.id)).await;
                    }
                }
            }
        }
    }
}

/// Writes some of it; None: while there was no room yet, it came to be no longer allowed.
async fn write_while(
    allowed: impl Fn() -> bool,
    stream: &mut (impl AsyncWrite + Unpin),
    octets: &[u8],
) -> io::Result<Option<usize>> {
    let mut stream = Pin::new(stream);
    poll_fn(|context| match allowed() {
        true => stream.as_mut().poll_write(context, octets).map_ok(Some),
        false => Poll::Ready(Ok(None)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead::tests::{in_an_hour, leading};
    use fingerpost_core::view::Seq;
    use tokio::io::{AsyncReadExt, DuplexStream, ReadHalf};
    use tokio::task::JoinHandle;

    fn chunk(stamp: Stamp, octets: &'static [u8]) -> ToSession {
        let ends = Box::new([octets.len() as u32]);
        ToSession::Chunk(Arc::new(Chunk { stamp, at: Seq::default(), bytes: Bytes::from_static(octets), ends }))
    }

    /// A writer that leads in term 5, and what is around it.
    struct Bench {
        gateway: DuplexStream,
        to: mpsc::UnboundedSender<ToSession>,
        told: mpsc::Receiver<Event>,
        lead: Lead,
        control: mpsc::UnboundedSender<Control>,
        writer: JoinHandle<()>,
        _reader: ReadHalf<Box<dyn Stream>>,
    }

    impl Bench {
        /// The gateway takes so many octets before it has read any.
        fn new(room: usize) -> Self {
            let (stream, gateway) = tokio::io::duplex(room);
            let (_reader, stream) = tokio::io::split(Box::new(stream) as Box<dyn Stream>);
            let (control, ordered) = mpsc::unbounded_channel();
            let (to, chunks) = mpsc::unbounded_channel();
            let (events, told) = mpsc::channel(16);
            let lead = Lead::default();
            lead.follow(leading(5, in_an_hour()));
            let writer = Writer { id: ConnectionId(1), stream, control: ordered, chunks, lead: lead.clone(), events };
            Bench { gateway, to, told, lead, control, writer: tokio::spawn(writer.run()), _reader }
        }
    }

    #[tokio::test]
    async fn c42_p7_of_a_piece_that_waits_for_the_gateway_only_the_message_under_way_is_finished() {
        // The gateway takes six octets, and nothing more for now.
        let Bench { mut gateway, to, mut told, lead, control, writer, _reader } = Bench::new(6);
        let stamp = Stamp::Leader { term: 5 };
        let bytes = Bytes::from_static(b"one.two.three.");
        let whole = Chunk { stamp, at: Seq::default(), bytes, ends: Box::new([4, 8, 14]) };
        to.send(ToSession::Chunk(Arc::new(whole))).unwrap();
        let mut said = [0; 1];
        gateway.read_exact(&mut said).await.unwrap();
        // All that fits was written: the second message has begun.
        tokio::task::yield_now().await;
        lead.follow(None);
        let mut said = [0; 7];
        gateway.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"ne.two.");
        assert!(matches!(told.recv().await, Some(Event::Refused(_, refused, 14)) if refused == stamp));
        drop(control);
        writer.await.unwrap();
        let mut rest = Vec::new();
        gateway.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"");
    }

    #[tokio::test]
    async fn c42_c47_p7_nothing_is_begun_with_a_stamp_that_may_not_be_said_any_more() {
        let Bench { mut gateway, to, mut told, lead, control, writer, _reader } = Bench::new(1024);
        let (leader, standby) = (Stamp::Leader { term: 5 }, Stamp::Standby { ordinal: 1 });
        to.send(chunk(leader, b"in time")).unwrap();
        let mut said = [0; 7];
        gateway.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"in time");
        assert!(matches!(told.recv().await, Some(Event::Written(..))));
        lead.follow(None);
        to.send(chunk(leader, b"too late")).unwrap();
        assert!(matches!(told.recv().await, Some(Event::Refused(_, stamp, 8)) if stamp == leader));
        to.send(ToSession::Resume).unwrap();
        to.send(chunk(standby, b"standby")).unwrap();
        gateway.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"standby");
        drop(control);
        writer.await.unwrap();
    }

    #[tokio::test]
    async fn p4_p7_behind_what_is_refused_nothing_is_written_before_the_engine_knows_of_it() {
        let Bench { mut gateway, to, mut told, lead, control, writer, _reader } = Bench::new(4);
        let (leader, standby) = (Stamp::Leader { term: 5 }, Stamp::Standby { ordinal: 1 });
        // The gateway takes half of the first message, and the engine hands out more: to the end of the table.
        for (stamp, octets) in [(leader, &b"in time."[..]), (leader, b"too late."), (standby, b"the end.")] {
            to.send(chunk(stamp, octets)).unwrap();
        }
        let mut said = [0; 1];
        gateway.read_exact(&mut said).await.unwrap();
        tokio::task::yield_now().await;
        lead.follow(None);
        let mut said = [0; 7];
        gateway.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"n time.");
        assert!(matches!(told.recv().await, Some(Event::Written(_, chunk)) if chunk.bytes.len() == 8));
        assert!(matches!(told.recv().await, Some(Event::Refused(_, stamp, 17)) if stamp == leader));
        to.send(chunk(standby, b"and again, the end.")).unwrap();
        assert!(matches!(told.recv().await, Some(Event::Dropped(_, 19))));
        to.send(ToSession::Resume).unwrap();
        to.send(chunk(standby, b"all anew")).unwrap();
        let mut said = [0; 8];
        gateway.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"all anew");
        drop(control);
        writer.await.unwrap();
        let mut rest = Vec::new();
        gateway.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"");
    }
}
