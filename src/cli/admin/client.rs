//! A connection to the admin API, and how it may fail.

use super::Connect;
use crate::admin::proto::fingerpost_client::FingerpostClient;
use crate::admin::{DEFAULT_SOCKET, LARGEST_ANSWER, LONGEST};
use crate::config;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// What an answer may take beyond the longest that the other side allows itself.
const MARGIN: Duration = Duration::from_secs(5);

pub(crate) type Client = FingerpostClient<Channel>;

/// Why a command failed: each has an exit code of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It was tried and did not work.
    #[error("{0}")]
    Failed(String),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// There is no such thing.
    #[error("{0}")]
    NothingMatched(String),
    /// Nobody answers.
    #[error("{0}")]
    Unreachable(String),
    /// Done here, and not everywhere.
    #[error("{0}")]
    NotEverywhere(String),
    /// The answer cannot be printed.
    #[error(transparent)]
    Output(#[from] io::Error),
}

impl Failure {
    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Failure::Failed(_) | Failure::Output(_) => ExitCode::from(1),
            Failure::Usage(_) => ExitCode::from(2),
            Failure::NothingMatched(_) => ExitCode::from(3),
            Failure::Unreachable(_) => ExitCode::from(4),
            Failure::NotEverywhere(_) => ExitCode::from(6),
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let text = match status.message() {
            "" => status.code().to_string(),
            message => message.to_owned(),
        };
        match status.code() {
            Code::InvalidArgument => Failure::Usage(text),
            Code::NotFound => Failure::NothingMatched(text),
            Code::Unavailable => Failure::Unreachable(text),
            Code::Cancelled | Code::DeadlineExceeded => Failure::Failed(format!("no answer in time: {text}")),
            Code::Unimplemented => Failure::Failed("the running process is of an older version, without this".into()),
            _ => Failure::Failed(text),
        }
    }
}

/// Where the socket is.
fn socket(connect: &Connect) -> Result<PathBuf, Failure> {
    match (&connect.admin, &connect.config) {
        (Some(socket), _) => {
            // As the configuration writes it, too.
            let plain = socket.to_str().and_then(|text| text.strip_prefix("unix:"));
            Ok(plain.map_or_else(|| socket.clone(), PathBuf::from))
        }
        (None, Some(file)) => {
            let config = config::load(file).map_err(|faults| {
                Failure::Failed(format!("{faults}\nuntil that is mended, name the running process's socket by --admin"))
            })?;
            let none = || {
                Failure::Usage(format!("{} has no admin.listen: add it, or name the socket by --admin", file.display()))
            };
            Ok(config.admin.ok_or_else(none)?.socket)
        }
        (None, None) => Ok(DEFAULT_SOCKET.into()),
    }
}

pub(crate) async fn connect(options: &Connect) -> Result<Client, Failure> {
    let socket = socket(options)?;
    let no_path = || Failure::Usage(format!("{} is no path of a socket: write UTF-8", socket.display()));
    let endpoint = Endpoint::try_from(format!("unix:{}", socket.to_str().ok_or_else(no_path)?));
    let endpoint = endpoint.map_err(|_| no_path())?.connect_timeout(CONNECT).timeout(LONGEST + MARGIN);
    let channel = endpoint.connect().await.map_err(|error| unreachable(&socket, &error))?;
    Ok(FingerpostClient::new(channel).max_decoding_message_size(LARGEST_ANSWER))
}

fn unreachable(socket: &Path, error: &tonic::transport::Error) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let hint = match error.kind() {
                io::ErrorKind::NotFound => "is it running with admin.listen set? name its socket by --admin",
                io::ErrorKind::ConnectionRefused => "no process answers there any more: start it",
                io::ErrorKind::PermissionDenied => "become root, or join the socket's group",
                _ => "name another socket by --admin",
            };
            return Failure::Unreachable(format!("cannot reach fingerpost on {}: {error}: {hint}", socket.display()));
        }
        cause = error.source();
    }
    Failure::Unreachable(format!("cannot reach fingerpost on {}: {error}", socket.display()))
}
