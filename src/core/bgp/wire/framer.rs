//! From a stream of octets to messages.
//!
//! The header is checked as soon as its nineteen octets are there, so a peer that announces a length it may not use is
//! refused before it can fill memory: no more than one message of the agreed length waits, however slowly it comes.

use super::message::{HEADER_LEN, MARKER, MAX_EXTENDED_LEN, MAX_LEN, MessageKind};
use super::notification::Notification;
use super::reader::Reader;
use bytes::{Bytes, BytesMut};

/// One message without its header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// The type in the header.
    pub kind: MessageKind,
    /// What follows the header.
    pub body: Bytes,
}

impl Frame {
    /// Octets on the wire, header included.
    pub fn wire_len(&self) -> usize {
        HEADER_LEN + self.body.len()
    }
}

/// Cuts a byte stream into messages.
///
/// Take every frame with [`Framer::next`] after each [`Framer::push`]: then less than one message stays inside.
#[derive(Debug)]
pub struct Framer {
    buffer: BytesMut,
    max: usize,
    failed: Option<Notification>,
}

impl Default for Framer {
    fn default() -> Self {
        Framer::new()
    }
}

impl Framer {
    /// For messages of at most [`MAX_LEN`] octets.
    pub fn new() -> Self {
        Framer { buffer: BytesMut::new(), max: MAX_LEN, failed: None }
    }

    /// Sets the longest message accepted, header included; takes effect at the next header.
    ///
    /// [`MAX_EXTENDED_LEN`] once extended messages are agreed (RFC 8654). An OPEN is held to [`MAX_LEN`] regardless.
    pub fn set_max_len(&mut self, max: usize) {
        self.max = max.clamp(HEADER_LEN, MAX_EXTENDED_LEN);
    }

    /// Adds what was read. After a fault everything is dropped: the stream has no message boundaries any more.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Octets that wait for the rest of their message.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The next complete message, or `None` until more octets arrive.
    ///
    /// The error is the NOTIFICATION to send before closing (RFC 4271 §6.1): 1/1 marker, 1/2 length with the Length
    /// field as Data, 1/3 type with the type as Data. It comes again at every later call.
    #[expect(clippy::should_implement_trait, reason = "no Iterator: `None` means not yet, and more may follow")]
    pub fn next(&mut self) -> Result<Option<Frame>, Notification> {
        if let Some(fault) = &self.failed {
            return Err(fault.clone());
        }
        match header(&self.buffer, self.max) {
            Ok(Some((kind, length))) if length <= self.buffer.len() => {
                let mut message = self.buffer.split_to(length);
                if self.buffer.is_empty() {
                    self.buffer = BytesMut::new(); // an idle neighbour costs no buffer
                }
                let body = message.split_off(HEADER_LEN).freeze();
                Ok(Some(Frame { kind, body }))
            }
            Ok(_) => Ok(None),
            Err(fault) => {
                self.buffer = BytesMut::new();
                self.failed = Some(fault.clone());
                Err(fault)
            }
        }
    }
}

/// Type and length of the message at the start of the buffer, once its header is complete (RFC 4271 §6.1).
fn header(buffer: &[u8], max: usize) -> Result<Option<(MessageKind, usize)>, Notification> {
    let mut reader = Reader::new(buffer);
    let (Some(marker), Some(field), Some(code)) = (reader.array::<16>(), reader.u16(), reader.u8()) else {
        return Ok(None);
    };
    let length = usize::from(field);
    if marker != MARKER {
        return Err(Notification::connection_not_synchronized());
    }
    if !(HEADER_LEN..=max).contains(&length) {
        return Err(Notification::bad_message_length(field));
    }
    let kind = MessageKind::from_code(code).ok_or_else(|| Notification::bad_message_type(code))?;
    if !kind.lengths(max).contains(&length) {
        return Err(Notification::bad_message_length(field));
    }
    Ok(Some((kind, length)))
}
