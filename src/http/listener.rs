//! Connections of clients: a bounded number, none of them idle for long. Whatever clients do, file descriptors remain for
//! the gateways (promise P6), and a seat for whoever asks next.

use super::seats::{Client, Patience, Seat, Seats};
use crate::limits;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};

/// Connections at once, where the process may have enough descriptors.
const CONNECTIONS: usize = 256;
/// The first request follows its connection at once. Later there is often a minute between two scrapes.
const PATIENCE: Patience = Patience { first: Duration::from_secs(10), idle: Duration::from_secs(90) };
/// Between two attempts to accept where that fails.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// A listener with these bounds.
pub(super) struct Bounded {
    listener: TcpListener,
    seats: Arc<Seats>,
}

impl Bounded {
    pub(super) fn new(listener: TcpListener) -> Self {
        // No more than a quarter of all descriptors: the gateways have the right of way.
        let limit = CONNECTIONS.min(limits::descriptors() / 4).max(1);
        Bounded::with(listener, limit, PATIENCE)
    }

    pub(super) fn with(listener: TcpListener, connections: usize, patience: Patience) -> Self {
        Bounded { listener, seats: Seats::new(connections, patience) }
    }

    async fn next(&self) -> (TcpStream, SocketAddr) {
        let mut said = false;
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                // That client is gone; the next may be there.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    if !said {
                        tracing::error!("http.listen: cannot accept connections: {}", limits::explained(&error));
                        said = true;
                    }
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = self.next().await;
        let seat = self.seats.take().await;
        (Connection { stream, seat, alarm: Box::pin(sleep(Duration::ZERO)) }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Lets requests say that they are worked on.
impl Connected<IncomingStream<'_, Bounded>> for Client {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        stream.io().seat.client()
    }
}

/// A client's connection.
pub(super) struct Connection {
    stream: TcpStream,
    seat: Seat,
    alarm: Pin<Box<Sleep>>,
}

impl Connection {
    /// For when there is nothing to do: an error once that has been so for too long.
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Some(until) = self.seat.until(cx.waker()) else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        };
        if self.alarm.deadline() != until {
            self.alarm.as_mut().reset(until);
        }
        self.alarm.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn written(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(octets)) => {
                self.seat.wrote();
                Poll::Ready(Ok(octets))
            }
            Poll::Ready(error) => Poll::Ready(error),
            Poll::Pending => self.wait(cx),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Pending => self.wait(cx),
            ready => ready,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.seat.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounded, Client, Patience};
    use axum::Router;
    use axum::extract::ConnectInfo;
    use axum::routing::get;
    use axum::serve::Listener;
    use std::io::ErrorKind;
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Semaphore;
    use tokio::time::timeout;
    use tokio_util::task::AbortOnDropHandle;

    const BOUND: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(3600);

    async fn listening(connections: usize, first: Duration, idle: Duration) -> Bounded {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Bounded::with(listener, connections, Patience { first, idle })
    }

    /// A service: `/` answers at once, `/slow` when there is a permit. With the permits, and how often it was asked.
    struct Served {
        address: SocketAddr,
        permits: Arc<Semaphore>,
        asked: Arc<Semaphore>,
        _task: AbortOnDropHandle<()>,
    }

    async fn serving(connections: usize, first: Duration, idle: Duration) -> Served {
        let bounded = listening(connections, first, idle).await;
        let address = bounded.local_addr().unwrap();
        let (permits, asked) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (wait, count) = (Arc::clone(&permits), Arc::clone(&asked));
        let slow = move |ConnectInfo(client): ConnectInfo<Client>| async move {
            let _asking = client.asks();
            count.add_permits(1);
            wait.acquire().await.unwrap().forget();
            "late"
        };
        let quick = |ConnectInfo(client): ConnectInfo<Client>| async move {
            let _asking = client.asks();
            "ok"
        };
        let router = Router::new().route("/", get(quick)).route("/slow", get(slow));
        let service = router.into_make_service_with_connect_info::<Client>();
        let task = tokio::spawn(async move { axum::serve(bounded, service).await.unwrap() });
        Served { address, permits, asked, _task: AbortOnDropHandle::new(task) }
    }

    async fn connected(address: SocketAddr) -> TcpStream {
        TcpStream::connect(address).await.unwrap()
    }

    async fn send(stream: &mut TcpStream, path: &str) {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    }

    /// What follows the head.
    async fn answer(stream: &mut TcpStream) -> String {
        let mut octets = Vec::new();
        let length = loop {
            assert!(timeout(BOUND, stream.read_buf(&mut octets)).await.unwrap().unwrap() > 0, "closed");
            if let Some(head) = octets.windows(4).position(|four| four == b"\r\n\r\n") {
                break head + 4;
            }
        };
        String::from_utf8(octets.split_off(length)).unwrap()
    }

    async fn is_closed(stream: &mut TcpStream) -> bool {
        matches!(timeout(BOUND, stream.read(&mut [0; 16])).await.unwrap(), Ok(0) | Err(_))
    }

    #[tokio::test]
    async fn without_a_complete_request_a_connection_ends_soon_even_if_octets_drip_in() {
        let mut bounded = listening(2, SHORT, LONG).await;
        let mut client = connected(bounded.local_addr().unwrap()).await;
        let (mut connection, _) = bounded.accept().await;
        client.write_all(b"G").await.unwrap();
        let mut octets = [0; 16];
        assert_eq!(connection.read(&mut octets).await.unwrap(), 1);
        let ended = timeout(BOUND, connection.read(&mut octets)).await.unwrap();
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn between_two_requests_a_connection_may_rest_longer_than_before_the_first() {
        let served = serving(2, Duration::from_millis(500), LONG).await;
        let (mut silent, mut kept) = (connected(served.address).await, connected(served.address).await);
        send(&mut kept, "/").await;
        assert_eq!(answer(&mut kept).await, "ok");
        assert!(is_closed(&mut silent).await);
        send(&mut kept, "/").await;
        assert_eq!(answer(&mut kept).await, "ok");
    }

    #[tokio::test]
    async fn a_client_that_takes_no_answer_is_let_go() {
        let mut bounded = listening(2, LONG, SHORT).await;
        let _client = connected(bounded.local_addr().unwrap()).await;
        let (mut connection, _) = bounded.accept().await;
        drop(connection.seat.client().asks());
        let answer = vec![0; 64 << 20];
        let ended = timeout(BOUND, connection.write_all(&answer)).await.unwrap();
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn any_number_of_silent_connections_keeps_nobody_out() {
        let served = serving(4, LONG, LONG).await;
        let mut silent = Vec::new();
        for _ in 0..40 {
            silent.push(connected(served.address).await);
        }
        let mut asks = connected(served.address).await;
        send(&mut asks, "/").await;
        assert_eq!(answer(&mut asks).await, "ok");
        for stream in &mut silent[..37] {
            assert!(is_closed(stream).await, "the longest idle go first");
        }
        for mut stream in silent.drain(37..) {
            send(&mut stream, "/").await;
            assert_eq!(answer(&mut stream).await, "ok", "as many stay as there are seats for");
        }
    }

    #[tokio::test]
    async fn a_request_under_way_is_not_sacrificed() {
        let served = serving(2, LONG, LONG).await;
        let (mut first, mut second) = (connected(served.address).await, connected(served.address).await);
        send(&mut first, "/slow").await;
        send(&mut second, "/slow").await;
        timeout(BOUND, served.asked.acquire_many(2)).await.unwrap().unwrap().forget();
        let mut third = connected(served.address).await;
        send(&mut third, "/").await;
        assert!(timeout(SHORT, third.read(&mut [0; 16])).await.is_err(), "it waits");
        served.permits.add_permits(2);
        assert_eq!(answer(&mut first).await, "late");
        assert_eq!(answer(&mut second).await, "late");
        assert_eq!(answer(&mut third).await, "ok");
    }

    #[tokio::test]
    async fn clients_that_take_no_answers_keep_nobody_out() {
        let mut bounded = listening(1, LONG, LONG).await;
        let address = bounded.local_addr().unwrap();
        let (_greedy, _next) = (connected(address).await, connected(address).await);
        let (mut connection, _) = bounded.accept().await;
        drop(connection.seat.client().asks());
        let writer = tokio::spawn(async move { connection.write_all(&vec![0; 64 << 20]).await });
        timeout(BOUND, bounded.accept()).await.unwrap();
        assert_eq!(writer.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionAborted);
    }
}
