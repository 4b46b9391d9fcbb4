//! `http`, `admin`, `log` and `state_dir`: the process itself.

use super::check::{Check, Field};
use super::keys;
use super::scalar::quoted;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
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

/// The admin API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admin {
    /// The Unix socket's path; absolute.
    pub socket: PathBuf,
}

/// The longest path of a socket: `sun_path` has 108 octets, and the socket is made under a longer name first.
const SOCKET_PATH: usize = 96;

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

pub(super) fn admin(field: &Field<'_>, check: &mut Check) -> Option<Admin> {
    let table = field.table(&keys::ADMIN, check)?;
    let listen = table.need("listen", "say where, such as unix:/run/fingerpost/admin.sock", check, |field, check| {
        let text = field.text(check)?;
        match socket(text) {
            Ok(socket) => Some(socket),
            Err(why) => {
                check.fault(&field.path, format!("{} {why}", quoted(text)), "write unix:/run/fingerpost/admin.sock");
                None
            }
        }
    });
    Some(Admin { socket: listen? })
}

fn socket(text: &str) -> Result<PathBuf, String> {
    let path = text.strip_prefix("unix:").map(|path| path.strip_prefix("//").unwrap_or(path));
    let Some(path) = path.map(Path::new).filter(|path| path.is_absolute() && path.file_name().is_some()) else {
        return Err("is not the absolute path of a Unix socket".into());
    };
    let length = path.as_os_str().len();
    if length > SOCKET_PATH {
        return Err(format!("has {length} octets, and a socket's path at most {SOCKET_PATH}"));
    }
    if text.chars().any(char::is_control) {
        return Err("has a control character in it".into());
    }
    Ok(path.into())
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
