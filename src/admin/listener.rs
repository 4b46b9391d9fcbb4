//! The socket: made so that nobody else may ever connect to it, and so that a process that still answers is never put aside.

use crate::limits;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

/// Connections at once; more wait.
const SEATS: usize = 32;
/// A client says at once that it speaks HTTP/2.
const FIRST: Duration = Duration::from_secs(3);
/// With so many octets it has: the preface, and a frame's header (RFC 9113 §3.4). From then on it must answer pings.
const PREFACE: usize = 24 + 9;
/// Between two attempts to accept where that fails.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);
/// Between two looks whether the file is still there.
const LOOK: Duration = Duration::from_secs(2);
/// Owner and group may connect.
const MODE: u32 = 0o660;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// Somebody answers on it.
    #[error("another process answers on {0}: end it, or name another socket")]
    InUse(PathBuf),
    /// Something else has its name.
    #[error("{0} is there and no socket: remove it, or name another socket")]
    NoSocket(PathBuf),
    /// The system refuses.
    #[error("cannot {what} {path}: {why}: let this user do so, or name another socket", why = limits::explained(.error))]
    Refused {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

/// A socket that this process listens on. Dropping it removes the file.
#[derive(Debug)]
pub struct Listening {
    listener: UnixListener,
    file: OwnFile,
}

/// A file that is removed unless it is somebody else's by then.
#[derive(Debug)]
struct OwnFile {
    path: PathBuf,
    /// Device and number of the file.
    id: (u64, u64),
}

impl OwnFile {
    fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.id)
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        if self.is_there() {
            // Left over, it is put aside at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Listening {
    /// Listens there. A socket that nobody answers on any more is replaced.
    pub fn open(path: &Path) -> Result<Self, Unavailable> {
        let refused = |what, path: &Path| {
            let path = path.to_owned();
            move |error| Unavailable::Refused { what, path, error }
        };
        if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
            fs::create_dir_all(directory).map_err(refused("make the directory", directory))?;
        }
        check_free(path)?;
        // Under another name until its mode is right: nobody else gets in meanwhile.
        let mut new = path.as_os_str().to_owned();
        new.push(format!(".{}", std::process::id()));
        let new = PathBuf::from(new);
        let _ = fs::remove_file(&new);
        let listener = UnixListener::bind(&new).map_err(refused("listen on", &new))?;
        let done = fs::set_permissions(&new, Permissions::from_mode(MODE)).and_then(|()| {
            let found = fs::symlink_metadata(&new)?;
            fs::rename(&new, path)?;
            Ok((found.dev(), found.ino()))
        });
        match done {
            Ok(id) => Ok(Listening { listener, file: OwnFile { path: path.to_owned(), id } }),
            Err(error) => {
                let _ = fs::remove_file(&new);
                Err(refused("make the socket", path)(error))
            }
        }
    }

    /// Completes when its file is gone, or somebody else's: nobody can connect any more.
    pub(super) async fn lost(&self) {
        while self.file.is_there() {
            sleep(LOOK).await;
        }
    }

    /// Lets clients in, one after the other, until nobody takes them any more.
    pub(super) async fn accept(&self, to: mpsc::Sender<io::Result<Connection>>, all: &Connections) {
        let seats = Arc::new(Semaphore::new(SEATS));
        let mut said = false;
        loop {
            // The semaphore is never closed.
            let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    if to.send(Ok(Connection::new(stream, seat, all))).await.is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    if !said {
                        tracing::error!("admin.listen: cannot accept connections: {}", limits::explained(&error));
                        said = true;
                    }
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }
}

/// Whether the name may be taken.
fn check_free(path: &Path) -> Result<(), Unavailable> {
    let refused = |what, error| Unavailable::Refused { what, path: path.to_owned(), error };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused("look at", error)),
        Ok(found) if !found.file_type().is_socket() => return Err(Unavailable::NoSocket(path.into())),
        Ok(_) => {}
    }
    match knock(path) {
        Ok(()) => Err(Unavailable::InUse(path.into())),
        // Nobody listens: left over by a process that was killed.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Its queue is full: somebody is there.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Unavailable::InUse(path.into())),
        Err(error) => Err(refused("connect to", error)),
    }
}

/// Connects without waiting: a process that is stopped answers never, and its queue may be full.
fn knock(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

/// Who has connected, as the kernel says (SO_PEERCRED).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Peer {
    pub(super) uid: Option<u32>,
    pub(super) pid: Option<i32>,
}

/// The owner of all connections, whose tasks the server starts and lets go. Dropped, it ends them, whatever their clients do.
#[derive(Debug, Default)]
pub struct Connections {
    ended: CancellationToken,
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

/// A client's connection.
pub(super) struct Connection {
    stream: UnixStream,
    peer: Peer,
    /// Completes when no connection may go on.
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Until it has said enough.
    alarm: Option<Pin<Box<Sleep>>>,
    /// How much of [`PREFACE`] is missing.
    missing: usize,
    _seat: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: UnixStream, seat: OwnedSemaphorePermit, all: &Connections) -> Self {
        let said = stream.peer_cred().ok();
        let peer = Peer { uid: said.map(|said| said.uid()), pid: said.and_then(|said| said.pid()) };
        let ended = Box::pin(all.ended.clone().cancelled_owned());
        Connection { stream, peer, ended, alarm: Some(Box::pin(sleep(FIRST))), missing: PREFACE, _seat: seat }
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buf.filled().len();
        match (Pin::new(&mut self.stream).poll_read(cx, buf), &mut self.alarm) {
            (Poll::Pending, Some(alarm)) => alarm.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
            (Poll::Pending, None) => Poll::Pending,
            (ready, _) => {
                self.missing = self.missing.saturating_sub(buf.filled().len() - before);
                if self.missing == 0 {
                    self.alarm = None;
                }
                ready
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::{Connections, Listening, Unavailable};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_socket_has_the_mode_0660_and_goes_with_its_process() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/admin.sock");
        let listening = Listening::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o660);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
        drop(listening);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_on_which_somebody_answers_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        let _first = Listening::open(&path).unwrap();
        let said = Listening::open(&path).unwrap_err();
        assert!(matches!(said, Unavailable::InUse(_)), "{said}");
        assert!(said.to_string().contains("end it, or name another socket"), "{said}");
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
    }

    #[tokio::test]
    async fn a_socket_whose_process_is_stuck_is_in_use_and_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        let stuck = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        stuck.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
        stuck.listen(0).unwrap();
        let _waiting: Vec<_> = std::iter::from_fn(|| {
            let client = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
            client.set_nonblocking(true).unwrap();
            client.connect(&socket2::SockAddr::unix(&path).unwrap()).ok().map(|()| client)
        })
        .collect();
        assert!(matches!(Listening::open(&path), Err(Unavailable::InUse(_))));
    }

    #[tokio::test]
    async fn a_socket_that_was_left_over_is_replaced_and_whoever_replaced_ours_keeps_theirs() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let ours = Listening::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let theirs = Listening::open(&path).unwrap();
        drop(ours);
        assert!(path.exists());
        drop(theirs);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_never_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        fs::write(&path, "a file").unwrap();
        let said = Listening::open(&path).unwrap_err();
        assert!(matches!(said, Unavailable::NoSocket(_)), "{said}");
        assert_eq!(fs::read(&path).unwrap(), b"a file");
        let said = Listening::open(&path.join("admin.sock")).unwrap_err();
        assert!(matches!(said, Unavailable::Refused { .. }), "{said}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_begins_to_speak_and_stops_is_let_go_like_who_says_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        let listening = Listening::open(&path).unwrap();
        let (to, mut accepted) = tokio::sync::mpsc::channel(1);
        let accepting = tokio::spawn(async move { listening.accept(to, &Connections::default()).await });
        let mut client = tokio::net::UnixStream::connect(&path).await.unwrap();
        client.write_all(b"PRI * HT").await.unwrap();
        let mut connection = accepted.recv().await.unwrap().unwrap();
        let mut heard = [0; 64];
        assert_eq!(connection.read(&mut heard).await.unwrap(), 8);
        let error = connection.read(&mut heard).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        accepting.abort();
    }
}
