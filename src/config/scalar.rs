//! Single values: text, numbers, spans of time, addresses.

use super::check::{Check, Field};
use super::suggest::nearest;
use super::tree::Value;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

impl<'a> Field<'a> {
    /// Text that is not empty and has no control characters.
    pub(super) fn text(&self, check: &mut Check) -> Option<&'a str> {
        let hint = match self.node.value {
            Value::List(_) | Value::Map(_) => "write text alone",
            _ => "put it in quotes if that is what is meant",
        };
        self.text_or("text", hint, check)
    }

    fn text_or(&self, what: &str, hint: &str, check: &mut Check) -> Option<&'a str> {
        let Value::Text(text) = &self.node.value else {
            self.expected(what, hint, check);
            return None;
        };
        if text.is_empty() || text.chars().any(char::is_control) {
            check.fault(&self.path, "is empty or has control characters", "write printable text");
            return None;
        }
        Some(text)
    }

    /// A file: relative names are relative to the configuration's directory.
    pub(super) fn file(&self, check: &mut Check) -> Option<PathBuf> {
        let name = self.text(check)?;
        Some(check.base().join(name))
    }

    /// Text or a whole number, read by a type whose errors say what to write.
    pub(super) fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, check: &mut Check) -> Option<T> {
        let text = match &self.node.value {
            Value::Int(number) => number.to_string(),
            _ => self.text(check)?.into(),
        };
        text.parse().map_err(|error| check.refused(&self.path, error)).ok()
    }

    /// A whole number in a range.
    pub(super) fn integer(&self, range: RangeInclusive<u32>, check: &mut Check) -> Option<u32> {
        let hint = format!("write a whole number from {} to {}", range.start(), range.end());
        let Value::Int(number) = self.node.value else {
            self.expected("a whole number", &hint, check);
            return None;
        };
        let fitting = u32::try_from(number).ok().filter(|number| range.contains(number));
        if fitting.is_none() {
            check.fault(&self.path, format!("{number} is out of range"), hint);
        }
        fitting
    }

    pub(super) fn boolean(&self, check: &mut Check) -> Option<bool> {
        match self.node.value {
            Value::Bool(value) => Some(value),
            _ => {
                self.expected("true or false", "write true or false", check);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, words: &[(&str, T)], check: &mut Check) -> Option<T> {
        let text = self.text(check)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = match nearest(text, known.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("write one of {}", known.join(", ")),
        };
        check.fault(&self.path, format!("{} is not known here", quoted(text)), hint);
        None
    }

    /// A span of time with its unit, in a range.
    pub(super) fn duration(&self, range: RangeInclusive<Duration>, check: &mut Check) -> Option<Duration> {
        let bounds = format!("{} to {}", span(*range.start()), span(*range.end()));
        let Value::Text(text) = &self.node.value else {
            self.expected("a span of time", &format!("write a number and its unit, {bounds}"), check);
            return None;
        };
        let Some(duration) = parse_duration(text) else {
            let message = format!("{} is not a span of time", quoted(text));
            check.fault(&self.path, message, "write a whole number and ms, s, m or h, such as 500ms or 30s");
            return None;
        };
        if !range.contains(&duration) {
            check.fault(&self.path, format!("{} is out of range", quoted(text)), format!("write {bounds}"));
            return None;
        }
        Some(duration)
    }

    /// A span of whole seconds, at most 65,535.
    pub(super) fn seconds(&self, range: RangeInclusive<u16>, check: &mut Check) -> Option<u16> {
        let whole = |seconds: u16| Duration::from_secs(seconds.into());
        let duration = self.duration(whole(*range.start())..=whole(*range.end()), check)?;
        if duration.subsec_nanos() != 0 {
            check.fault(&self.path, "is not a whole number of seconds", "BGP counts it in seconds");
            return None;
        }
        u16::try_from(duration.as_secs()).ok()
    }

    pub(super) fn address(&self, check: &mut Check) -> Option<IpAddr> {
        let hint = "write one such as 10.0.0.1 or fd00::1; names are not resolved";
        let text = self.text_or("an IP address", hint, check)?;
        let address: Option<IpAddr> = text.parse().ok();
        if address.is_none() {
            check.fault(&self.path, format!("{} is not an IP address", quoted(text)), hint);
        }
        address
    }

    /// Where to listen.
    pub(super) fn socket(&self, check: &mut Check) -> Option<SocketAddr> {
        let hint = "write ADDRESS:PORT, such as 0.0.0.0:1179 or \"[::]:1179\"";
        let text = self.text_or("an address with a port", hint, check)?;
        let address: Option<SocketAddr> = text.parse().ok();
        if address.is_none() {
            check.fault(&self.path, format!("{} is not an address with a port", quoted(text)), hint);
        }
        address
    }
}

/// The user's text for a message: short, and nothing that a terminal would obey.
pub(super) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    format!("{short:?}")
}

/// A whole number and its unit: `500ms`, `30s`, `5m`, `1h`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}

/// A span as the configuration writes it.
pub(super) fn span(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [(3_600_000, "h"), (60_000, "m"), (1000, "s")];
    match units.iter().find(|(unit, _)| millis >= *unit && millis.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", millis / unit),
        None if millis == 0 => "0s".into(),
        None => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::{parse_duration, span};
    use std::time::Duration;

    #[test]
    fn spans_need_a_number_and_a_unit() {
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("5m"), Some(Duration::from_secs(300)));
        for wrong in ["", "s", "30", "1.5s", "-1s", "30 s", "30sec", "99999999999999999999s", "18446744073709551615h"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn spans_are_written_as_they_are_read() {
        for text in ["500ms", "30s", "5m", "2h", "0s", "90s"] {
            assert_eq!(span(parse_duration(text).unwrap()), text);
        }
    }
}
