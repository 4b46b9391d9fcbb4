//! NOTIFICATIONs as JSON.

use super::moment;
use crate::clock::Clock;
use fingerpost_core::bgp::wire::Notification;
use fingerpost_core::model::Time;
use serde::Serialize;

/// A NOTIFICATION and when it was said.
#[derive(Serialize, PartialEq, Eq, Debug)]
pub(super) struct Said {
    at: String,
    code: u8,
    subcode: u8,
    name: &'static str,
    subcode_name: Option<&'static str>,
    text: String,
    shutdown_communication: Option<String>,
}

impl Said {
    pub(super) fn new(clock: &Clock, last: Option<&(Time, Notification)>) -> Option<Self> {
        let (at, notification) = last?;
        Some(Said {
            at: moment::shown(clock, *at),
            code: notification.code,
            subcode: notification.subcode,
            name: notification.code_name(),
            subcode_name: notification.subcode_name(),
            text: notification.to_string(),
            shutdown_communication: shutdown_communication(notification),
        })
    }
}

/// The operator's words (RFC 9003), also from inside a Hard Reset (RFC 8538); None if there are none, or they are no UTF-8.
fn shutdown_communication(notification: &Notification) -> Option<String> {
    let inner = notification.hard_reset_reason();
    let text = inner.as_ref().unwrap_or(notification).shutdown_text()?.ok()?;
    Some(escaped(text))
}

/// Text of a stranger's, without what could steer a terminal or turn the reading direction.
pub(super) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\'' => shown.push(c),
            c => shown.extend(c.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{escaped, shutdown_communication};
    use fingerpost_core::bgp::wire::{CeaseSubcode, Notification};

    #[test]
    fn the_communication_is_escaped_and_found_inside_a_hard_reset() {
        let shutdown = Notification::administrative_shutdown("bye \u{1b}[2J\u{202e} \"späť\"");
        let expected = "bye \\u{1b}[2J\\u{202e} \"späť\"";
        assert_eq!(shutdown_communication(&shutdown).as_deref(), Some(expected));
        assert_eq!(shutdown_communication(&Notification::hard_reset(&shutdown)).as_deref(), Some(expected));
    }

    #[test]
    fn what_is_no_text_is_no_communication() {
        let with = |data: &'static [u8]| shutdown_communication(&Notification::new(6, 2, data));
        assert_eq!(with(b""), None);
        assert_eq!(with(b"\x00"), None);
        assert_eq!(with(b"\x02\xff\xfe"), None);
        assert_eq!(with(b"\x09abc"), None);
        assert_eq!(shutdown_communication(&Notification::cease(CeaseSubcode::HardReset)), None);
    }

    #[test]
    fn plain_words_stay_as_they_are() {
        assert_eq!(escaped("Údržba do 22:00, it's planned"), "Údržba do 22:00, it's planned");
        assert_eq!(escaped("a\\u{1b}\n"), "a\\\\u{1b}\\n");
    }
}
