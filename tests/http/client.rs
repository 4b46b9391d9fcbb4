//! Just enough of HTTP/1.1.

use super::until::BOUND;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// The value of a header; its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name).map(|(_, v)| v)
    }
}

pub(crate) async fn get(server: SocketAddr, target: &str) -> Answer {
    request(server, "GET", target).await.unwrap_or_else(|error| panic!("GET {target}: {error}"))
}

pub(crate) async fn request(server: SocketAddr, method: &str, target: &str) -> std::io::Result<Answer> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        let head = format!("{method} {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut octets = Vec::new();
        stream.read_to_end(&mut octets).await?;
        let text = String::from_utf8(octets).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| std::io::Error::other("no head"))?;
        let (first, headers) = head.split_once("\r\n").unwrap_or((head, ""));
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(Answer { status, headers: headers.to_owned(), body: body.to_owned() })
    };
    timeout(BOUND, exchange).await.unwrap_or_else(|_| panic!("no answer to {method} {target}"))
}
