//! Just enough of HTTP to read what Fingerpost serves inside its namespace.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::namespace::Namespace;

const BOUND: Duration = Duration::from_secs(5);

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }
}

/// Gets `path` from a server inside `namespace`.
///
/// # Errors
/// When there is no server, or it does not answer within 5 s.
pub fn get(namespace: &Namespace, server: SocketAddr, path: &str) -> std::io::Result<Answer> {
    // A socket stays in the namespace that it was made in.
    let mut stream = namespace.enter(|| TcpStream::connect_timeout(&server, BOUND))?;
    stream.set_read_timeout(Some(BOUND))?;
    // HTTP/1.0 asks for an answer without chunks that ends with the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: lab\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) =
        text.split_once("\r\n\r\n").ok_or_else(|| std::io::Error::other(format!("no header in {text}")))?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other(format!("no status in {head}")))?;
    Ok(Answer { status, body: body.to_owned() })
}
