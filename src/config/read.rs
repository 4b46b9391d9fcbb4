//! The configuration file's text, or the one fault that says why there is none.

use super::fault::{Fault, Faults};
use crate::limits;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The most that is read of a configuration file.
const LIMIT: u64 = 16 << 20;

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("{}", limits::explained(.0))]
    Io(#[from] io::Error),
    #[error("it is not a regular file")]
    NotRegular,
    #[error("it is larger than 16 MiB")]
    TooLarge,
    /// Where the text ends, from 1.
    #[error("it is not UTF-8 text")]
    NotText { line: u32, column: u32 },
}

impl Unreadable {
    fn hint(&self) -> &'static str {
        match self {
            Unreadable::Io(error) if error.raw_os_error() == Some(libc::EMFILE) => "then start again",
            Unreadable::Io(_) => "name a file that this user may read",
            Unreadable::NotRegular => "name a file: it is read again and again, which pipes and devices do not bear",
            Unreadable::TooLarge => "name the right file, or remove what is not needed",
            Unreadable::NotText { .. } => "save it as UTF-8",
        }
    }
}

/// Reads a file, for [`parse`](super::parse).
pub fn read(file: &Path) -> Result<String, Faults> {
    text(file).map_err(|why| {
        let (line, column) = match why {
            Unreadable::NotText { line, column } => (line, column),
            _ => (0, 0),
        };
        let message = format!("cannot read the configuration: {why}");
        let fault = Fault { path: String::new(), line, column, message, hint: Some(why.hint().into()) };
        Faults { file: file.into(), faults: vec![fault] }
    })
}

fn text(file: &Path) -> Result<String, Unreadable> {
    // Opening a pipe would wait for a writer.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(file)?;
    if !opened.metadata()?.is_file() {
        return Err(Unreadable::NotRegular);
    }
    let mut bytes = Vec::new();
    opened.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(Unreadable::TooLarge);
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let lines = error.as_bytes().iter().take(good);
        let line = 1 + lines.clone().filter(|octet| **octet == b'\n').count();
        let last = lines.rev().take_while(|octet| **octet != b'\n');
        // The octets that continue a character are no columns.
        let column = 1 + last.filter(|octet| **octet & 0xC0 != 0x80).count();
        let narrow = |n| u32::try_from(n).unwrap_or(u32::MAX);
        Unreadable::NotText { line: narrow(line), column: narrow(column) }
    })
}
