//! NOTIFICATION (RFC 4271 §4.5): the last words of a session.
//!
//! Also the error type of the decoders here: what a fault in a message leads to is the NOTIFICATION to answer with.
//! A fault inside a received NOTIFICATION is logged and never answered (RFC 4271 §6.4), so reading one hardly fails.

use super::cease::CeaseSubcode;
use super::message::{HEADER_LEN, MAX_LEN, MessageKind, message};
use super::names::{code_name, subcode_name};
use super::reader::Reader;
use bytes::Bytes;
use std::fmt;

/// The longest shutdown text we send: receivers older than RFC 9003 take no more (RFC 8203 §2).
const SHUTDOWN_TEXT_MAX: usize = 128;

/// Code, subcode and Data.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Notification {
    /// What kind of error (RFC 4271 §4.5).
    pub code: u8,
    /// Which error; 0 is unspecific.
    pub subcode: u8,
    /// More about it, as code and subcode define.
    pub data: Bytes,
}

/// The state in which a message came that has no place there (RFC 6608 §3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unexpected {
    /// 5/1.
    OpenSent,
    /// 5/2.
    OpenConfirm,
    /// 5/3.
    Established,
}

/// Fewer than two octets, which [`super::Framer`] never hands out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a NOTIFICATION of {0} octets has no code and subcode")]
pub struct NotificationTooShort(pub usize);

/// A shutdown communication that is no text of the stated length (RFC 9003 §4: log it, do not interpret it).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid shutdown communication {}", hex(.0))]
pub struct InvalidShutdownText(pub Bytes);

/// The first octets in hexadecimal, for logs.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for octet in bytes.iter().take(32) {
        let _ = write!(text, "{octet:02x}");
    }
    if bytes.len() > 32 {
        text.push('…');
    }
    text
}

impl Notification {
    /// 4/0 (RFC 4271 §6.5).
    pub const HOLD_TIMER_EXPIRED: Notification = Notification::bare(4, 0);
    /// 8/0 (RFC 9687): to be logged; sending it is optional, and the peer does not read.
    pub const SEND_HOLD_TIMER_EXPIRED: Notification = Notification::bare(8, 0);
    /// 2/0: the OPEN makes no sense (RFC 4271 §6.2).
    pub const OPEN_MALFORMED: Notification = Notification::bare(2, 0);
    /// 2/2 (RFC 4271 §6.2, RFC 7607 §2).
    pub const BAD_PEER_AS: Notification = Notification::bare(2, 2);
    /// 2/3 (RFC 6286 §2.2).
    pub const BAD_BGP_IDENTIFIER: Notification = Notification::bare(2, 3);
    /// 2/4 (RFC 4271 §6.2).
    pub const UNSUPPORTED_PARAMETER: Notification = Notification::bare(2, 4);
    /// 2/6 (RFC 4271 §6.2).
    pub const UNACCEPTABLE_HOLD_TIME: Notification = Notification::bare(2, 6);
    /// 2/11 (RFC 9234 §4.2).
    pub const ROLE_MISMATCH: Notification = Notification::bare(2, 11);
    /// 3/1 (RFC 4271 §6.3).
    pub const MALFORMED_ATTRIBUTE_LIST: Notification = Notification::bare(3, 1);
    /// 3/10 (RFC 4271 §6.3).
    pub const INVALID_NETWORK_FIELD: Notification = Notification::bare(3, 10);

    const fn bare(code: u8, subcode: u8) -> Self {
        Notification { code, subcode, data: Bytes::new() }
    }

    /// With Data.
    pub fn new(code: u8, subcode: u8, data: impl Into<Bytes>) -> Self {
        Notification { code, subcode, data: data.into() }
    }

    /// 1/1 (RFC 4271 §6.1): the marker is not all ones.
    pub fn connection_not_synchronized() -> Self {
        Notification::bare(1, 1)
    }

    /// 1/2 (RFC 4271 §6.1) with the erroneous Length field.
    pub fn bad_message_length(field: u16) -> Self {
        Notification::new(1, 2, field.to_be_bytes().to_vec())
    }

    /// 1/3 (RFC 4271 §6.1) with the erroneous Type field.
    pub fn bad_message_type(field: u8) -> Self {
        Notification::new(1, 3, vec![field])
    }

    /// 2/1 (RFC 4271 §6.2) with the only version there is here, 4, in two octets.
    pub fn unsupported_version() -> Self {
        Notification::new(2, 1, Bytes::from_static(&[0, 4]))
    }

    /// 2/7 (RFC 5492 §3) with the capability that is required, as it would have been advertised.
    pub fn unsupported_capability(required: &super::Capability) -> Self {
        let mut data = Vec::new();
        required.encode(&mut data);
        Notification::new(2, 7, data)
    }

    /// 5/1, 5/2 or 5/3 with the type of the message (RFC 6608 §4).
    pub fn unexpected_message(state: Unexpected, kind: MessageKind) -> Self {
        let subcode = match state {
            Unexpected::OpenSent => 1,
            Unexpected::OpenConfirm => 2,
            Unexpected::Established => 3,
        };
        Notification::new(5, subcode, vec![kind.code()])
    }

    /// A Cease without Data (RFC 4486).
    pub fn cease(subcode: CeaseSubcode) -> Self {
        Notification::bare(6, subcode.code())
    }

    /// 6/2 with a shutdown communication (RFC 9003 §2), cut to 128 octets; none if the text is empty.
    pub fn administrative_shutdown(text: &str) -> Self {
        Notification::with_text(CeaseSubcode::AdministrativeShutdown, text)
    }

    /// 6/4 with a shutdown communication (RFC 9003 §2), cut to 128 octets; none if the text is empty.
    pub fn administrative_reset(text: &str) -> Self {
        Notification::with_text(CeaseSubcode::AdministrativeReset, text)
    }

    fn with_text(subcode: CeaseSubcode, text: &str) -> Self {
        let text = text.get(..text.floor_char_boundary(SHUTDOWN_TEXT_MAX)).unwrap_or_default();
        let mut data = Vec::with_capacity(1 + text.len());
        if !text.is_empty() {
            data.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            data.extend_from_slice(text.as_bytes());
        }
        Notification::new(6, subcode.code(), data)
    }

    /// 6/9 around the real reason (RFC 8538 §3.1): the peer flushes our routes although graceful restart is agreed.
    pub fn hard_reset(reason: &Notification) -> Self {
        let mut data = vec![reason.code, reason.subcode];
        data.extend_from_slice(&reason.data);
        Notification::new(6, CeaseSubcode::HardReset.code(), data)
    }

    /// Whether it is 6/9 (RFC 8538 §3.1).
    pub fn is_hard_reset(&self) -> bool {
        (self.code, self.subcode) == (6, CeaseSubcode::HardReset.code())
    }

    /// The reason inside a Hard Reset (RFC 8538 §3.1); `None` if it is none, or holds no code and subcode.
    pub fn hard_reset_reason(&self) -> Option<Notification> {
        if !self.is_hard_reset() {
            return None;
        }
        let mut reader = Reader::new(&self.data);
        let (code, subcode) = (reader.u8()?, reader.u8()?);
        Some(Notification { code, subcode, data: self.data.slice_ref(reader.rest()) })
    }

    /// The shutdown communication of a 6/2 or 6/4 (RFC 9003 §2), if there is one. Not escaped: `Display` does that.
    pub fn shutdown_text(&self) -> Option<Result<&str, InvalidShutdownText>> {
        if !matches!((self.code, self.subcode), (6, 2 | 4)) || self.data.is_empty() {
            return None;
        }
        let mut reader = Reader::new(&self.data);
        let text = reader.u8().and_then(|length| reader.take(length.into()));
        match text.map(std::str::from_utf8) {
            Some(Ok("")) => None,
            Some(Ok(text)) => Some(Ok(text)),
            // RFC 9003 §4: a length past the end or no UTF-8 is to be logged, not interpreted.
            _ => Some(Err(InvalidShutdownText(self.data.clone()))),
        }
    }

    /// The complete message, of at most 4096 octets: longer Data is cut (RFC 8654 §4: the peer may be without
    /// extended messages).
    pub fn encode(&self) -> Bytes {
        let data = self.data.get(..MAX_LEN - HEADER_LEN - 2).unwrap_or(&self.data);
        let mut body = Vec::with_capacity(2 + data.len());
        body.extend_from_slice(&[self.code, self.subcode]);
        body.extend_from_slice(data);
        message(MessageKind::Notification, &body)
    }

    /// Reads what follows the header. Any code, subcode and Data are accepted (RFC 4271 §6.4).
    pub fn decode(body: &[u8]) -> Result<Self, NotificationTooShort> {
        let mut reader = Reader::new(body);
        match (reader.u8(), reader.u8()) {
            (Some(code), Some(subcode)) => {
                Ok(Notification { code, subcode, data: Bytes::copy_from_slice(reader.rest()) })
            }
            _ => Err(NotificationTooShort(body.len())),
        }
    }

    /// The RFC's name of the code, or "Unknown Error".
    pub fn code_name(&self) -> &'static str {
        code_name(self.code).unwrap_or("Unknown Error")
    }

    /// The RFC's name of the subcode, if it has one.
    pub fn subcode_name(&self) -> Option<&'static str> {
        subcode_name(self.code, self.subcode)
    }

    /// `6/2 Cease, Administrative Shutdown: "text"`, without what is inside a Hard Reset.
    fn fmt_flat(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} {}", self.code, self.subcode, self.code_name())?;
        match self.subcode_name() {
            Some(name) => write!(f, ", {name}")?,
            None if self.subcode != 0 => f.write_str(", Unknown Subcode")?,
            None => {}
        }
        match self.shutdown_text() {
            // Escaped: the peer must not be able to write lines or terminal codes of its own into our log.
            Some(Ok(text)) => write!(f, ": \"{}\"", text.escape_debug()),
            Some(Err(invalid)) => write!(f, ": {invalid}"),
            None => Ok(()),
        }
    }
}

/// `6/7 Cease, Connection Collision Resolution`; text from the peer is escaped, a Hard Reset shows its reason.
impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_flat(f)?;
        match self.hard_reset_reason() {
            Some(reason) => {
                f.write_str(" (")?;
                reason.fmt_flat(f)?; // flat: resets inside resets must not grow our stack
                f.write_str(")")
            }
            None => Ok(()),
        }
    }
}
