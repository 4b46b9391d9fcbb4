//! `http`, `log` and `state_dir`: the process itself.

use super::check::{Check, Field};
use super::keys;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The HTTP service: metrics, health, read-only JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Http {
    /// Where. Port 0 takes a free one.
    pub listen: SocketAddr,
}

/// What happens at a start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Startup {
    /// After how long what was known before is announced, if a source does not answer.
    pub snapshot_after: Duration,
}

impl Default for Startup {
    fn default() -> Self {
        Startup { snapshot_after: Duration::from_secs(30) }
    }
}

/// How the process logs, to stderr.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Log {
    /// Text unless set.
    pub format: LogFormat,
    /// `info` unless set.
    pub level: LogLevel,
}

/// The form of a log line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// For people; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What is logged: this and everything graver.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum LogLevel {
    /// What needs a person.
    Error,
    /// What may need one.
    Warn,
    /// Sessions, sources, and what was done on request.
    #[default]
    Info,
    /// Each route and message.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// All, with the words for them.
    pub const ALL: [(&'static str, LogLevel); 5] = [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

pub(super) fn http(field: &Field<'_>, check: &mut Check) -> Option<Http> {
    let table = field.table(&keys::HTTP, check)?;
    let listen = table.need("listen", "say where, such as 127.0.0.1:9179", check, Field::socket);
    Some(Http { listen: listen? })
}

pub(super) fn startup(field: &Field<'_>, check: &mut Check) -> Option<Startup> {
    let table = field.table(&keys::STARTUP, check)?;
    let range = Duration::ZERO..=Duration::from_secs(3600);
    let default = Startup::default().snapshot_after;
    let snapshot_after = table.or("snapshot_after", default, check, |field, check| field.duration(range, check));
    Some(Startup { snapshot_after: snapshot_after? })
}

pub(super) fn log(field: &Field<'_>, check: &mut Check) -> Option<Log> {
    let table = field.table(&keys::LOG, check)?;
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let format = table.or("format", LogFormat::default(), check, |field, check| field.choice(&formats, check));
    let level = table.or("level", LogLevel::default(), check, |field, check| field.choice(&LogLevel::ALL, check));
    Some(Log { format: format?, level: level? })
}

pub(super) fn state_dir(field: &Field<'_>, check: &mut Check) -> Option<PathBuf> {
    let directory = field.file(check)?;
    if directory.exists() && !directory.is_dir() {
        check.fault(&field.path, format!("{} is not a directory", directory.display()), "name a directory");
        return None;
    }
    Some(directory)
}
