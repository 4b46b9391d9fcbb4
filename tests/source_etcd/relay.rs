//! A way to an etcd that can be cut. Between members: whoever is cut off neither hears nor is heard, and its clients do not
//! notice. Between us and a member: a proxy.

use super::free_port;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The network between the members.
pub(crate) struct Relay {
    shared: Arc<Shared>,
    cut_off: watch::Sender<Option<usize>>,
}

#[derive(Default)]
struct Shared {
    /// Members by the ID that they say in each request, in hexadecimal.
    members: Mutex<HashMap<String, usize>>,
    /// When somebody connected.
    connections: Mutex<Vec<Instant>>,
}

impl Shared {
    fn is(&self, id: &str, member: usize) -> bool {
        self.members.lock().unwrap().get(id) == Some(&member)
    }
}

impl Relay {
    pub(crate) fn new() -> Self {
        Relay { shared: Arc::default(), cut_off: watch::Sender::new(None) }
    }

    /// Takes what is for this member, and passes it on. Gives the port to take it at.
    pub(crate) fn join(&self, member: usize, port: u16) -> u16 {
        let advertised = free_port();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, advertised)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let (shared, cut_off) = (Arc::clone(&self.shared), self.cut_off.subscribe());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.lock().unwrap().push(Instant::now());
                tokio::spawn(pass_on(stream, member, port, Arc::clone(&shared), cut_off.clone()));
            }
        });
        advertised
    }

    /// Whose ID this is.
    pub(crate) fn name(&self, id: u64, member: usize) {
        self.shared.members.lock().unwrap().insert(format!("{id:x}"), member);
    }

    /// When somebody connected, since this was asked last.
    pub(crate) fn connections(&self) -> Vec<Instant> {
        std::mem::take(&mut *self.shared.connections.lock().unwrap())
    }

    /// Cuts a member off from the others, or none any more.
    pub(crate) fn cut_off(&self, member: Option<usize>) {
        self.cut_off.send_replace(member);
    }
}

async fn pass_on(
    mut from: TcpStream,
    member: usize,
    port: u16,
    shared: Arc<Shared>,
    mut cut_off: watch::Receiver<Option<usize>>,
) {
    let Some(head) = head(&mut from).await else { return };
    let sender = sender(&head);
    // Members connect before it is known who they are.
    let is_of = |cut_off| cut_off == member || sender.as_ref().is_some_and(|id| shared.is(id, cut_off));
    let passing = async {
        let mut to = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        to.write_all(&head).await?;
        copy_bidirectional(&mut from, &mut to).await
    };
    let cut = cut_off.wait_for(|cut_off| cut_off.is_some_and(is_of));
    tokio::select! {
        biased;
        _ = cut => {}
        _ = passing => {}
    }
}

/// The first request's lines.
async fn head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// Who sent a request, as etcd's members say it. Questions for the version have no sender, and go through.
fn sender(head: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let line = head.lines().find_map(|line| line.strip_prefix("x-server-from:"))?;
    Some(line.trim().to_owned())
}
