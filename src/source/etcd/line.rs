//! A line to etcd: one endpoint at a time.

use super::fault::{self, Failure};
use super::{EtcdConfig, Tls};
use crate::config::Secret;
use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use fingerpost_core::source::KeyRange;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);

/// How long the first answer of an endpoint may take, before the next is tried.
pub(super) const ANSWER: Duration = Duration::from_secs(4);

/// A dead connection is noticed after both. Not below 5 s: etcd ends connections that ping more often
/// (`--grpc-keepalive-min-time`), or that ping at all while nothing is asked.
pub(super) const PING: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3));

/// The largest message taken; pages aim far lower.
const LARGEST: usize = 64 << 20;

/// What is done with the keys of a line, for messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    Read,
    ReadAndWrite,
}

/// One reader's way to an etcd, of which all readers use the same endpoint.
#[derive(Clone)]
pub(crate) struct Line {
    shared: Arc<Shared>,
    /// The endpoint that this reader used last.
    used: Arc<AtomicUsize>,
}

struct Shared {
    config: EtcdConfig,
    range: KeyRange,
    access: Access,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The endpoint in use. It counts on past the last one, so that no number comes again.
    endpoint: usize,
    client: Option<Client>,
}

impl Line {
    pub(crate) fn new(config: EtcdConfig, range: KeyRange, access: Access) -> Self {
        Line { shared: Arc::new(Shared { config, range, access, state: Mutex::default() }), used: Arc::default() }
    }

    /// What is read.
    pub(crate) fn range(&self) -> &KeyRange {
        &self.shared.range
    }

    /// Another reader's way to the same etcd.
    pub(crate) fn another(&self) -> Self {
        Line { shared: Arc::clone(&self.shared), used: Arc::default() }
    }

    /// Away from the endpoint that this reader used, if there is another; a new connection in any case.
    pub(crate) async fn leave(&self) {
        self.give_up(self.used.load(Ordering::Relaxed), true).await;
    }

    /// Asks one endpoint after another until one answers, each for at most `patience`. Gives the answer and who gave it.
    pub(crate) async fn ask<T, F>(
        &self,
        patience: Duration,
        request: impl Fn(&Client) -> F,
    ) -> Result<(T, String), Failure>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let mut failures = Vec::new();
        for _ in &self.shared.config.endpoints {
            let (number, endpoint, client) = self.client(patience).await;
            let answer = match client {
                Err(failure) => Err(failure),
                Ok(client) => match timeout(patience, request(&client)).await {
                    Err(_) => Err(fault::silent(&endpoint, patience)),
                    Ok(Err(error)) => {
                        Err(fault::of_client(&endpoint, &error).of_range(self.range(), self.shared.access))
                    }
                    Ok(Ok(answer)) => Ok(answer),
                },
            };
            match answer {
                Ok(answer) => return Ok((answer, endpoint)),
                Err(failure) => {
                    let everywhere = failure.is_everywhere();
                    if !matches!(failure, Failure::Compacted | Failure::TooLarge) {
                        // Also where all would refuse alike: a new connection logs in again.
                        self.give_up(number, !everywhere).await;
                    }
                    if everywhere {
                        return Err(failure);
                    }
                    failures.push(failure);
                }
            }
        }
        Err(fault::of_all(failures))
    }

    /// Away from the `number`-th endpoint, unless someone else was faster: another step could lead back to it.
    async fn give_up(&self, number: usize, move_on: bool) {
        let mut state = self.shared.state.lock().await;
        if state.endpoint == number {
            state.client = None;
            if move_on {
                state.endpoint = number.wrapping_add(1);
            }
        }
    }

    /// The connection in use, or a new one.
    async fn client(&self, patience: Duration) -> (usize, String, Result<Client, Failure>) {
        let mut state = self.shared.state.lock().await;
        let number = state.endpoint;
        self.used.store(number, Ordering::Relaxed);
        let endpoints = &self.shared.config.endpoints;
        let endpoint = endpoints.get(number % endpoints.len().max(1)).cloned().unwrap_or_default();
        let client = match &state.client {
            Some(client) => Ok(client.clone()),
            None => connect(&self.shared.config, &endpoint, patience.min(ANSWER)).await,
        };
        if let Ok(client) = &client {
            state.client = Some(client.clone());
        }
        (number, endpoint, client)
    }
}

/// `KvClient` and `WatchClient` that take large messages are made from this per request: it is cheap.
pub(crate) fn kv(client: &Client) -> etcd_client::KvClient {
    client.kv_client().max_decoding_message_size(LARGEST)
}

pub(super) fn watcher(client: &Client) -> etcd_client::WatchClient {
    client.watch_client().max_decoding_message_size(LARGEST)
}

async fn connect(config: &EtcdConfig, endpoint: &str, patience: Duration) -> Result<Client, Failure> {
    let mut options = ConnectOptions::new()
        .with_connect_timeout(CONNECT)
        .with_keep_alive(PING.0, PING.1)
        .with_keep_alive_while_idle(false)
        .with_require_leader(true)
        .with_auto_token_refresh(true);
    if let Some(auth) = &config.auth {
        let file = auth.password_file.clone();
        let read = tokio::task::spawn_blocking(move || Secret::read(&file)).await;
        let password =
            read.unwrap_or_else(|error| Err(error.to_string())).map_err(|why| fault::no_password(endpoint, &why))?;
        options = options.with_user(&auth.user, password.reveal());
    }
    if let Some(tls) = config.tls.as_ref().filter(|_| !endpoint.starts_with("http://")) {
        options = options.with_tls(tls_options(tls, endpoint).await?);
    }
    match timeout(patience, Client::connect([endpoint], Some(options))).await {
        Err(_) => Err(fault::silent(endpoint, patience)),
        Ok(connected) => connected.map_err(|error| fault::of_client(endpoint, &error)),
    }
}

async fn tls_options(tls: &Tls, endpoint: &str) -> Result<TlsOptions, Failure> {
    let mut options = TlsOptions::new().ca_certificate(Certificate::from_pem(read(endpoint, &tls.ca).await?));
    if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
        options = options.identity(Identity::from_pem(read(endpoint, cert).await?, read(endpoint, key).await?));
    }
    if let Some(name) = &tls.server_name {
        options = options.domain_name(name);
    }
    Ok(options)
}

async fn read(endpoint: &str, file: &Path) -> Result<Vec<u8>, Failure> {
    tokio::fs::read(file).await.map_err(|error| fault::unreadable_file(endpoint, file, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn c34_an_endpoint_that_another_reader_has_left_is_not_stepped_back_onto() {
        // Nobody listens there: that a connection was tried is all it takes to have used an endpoint.
        let endpoints = vec!["http://127.0.0.1:1".to_owned(), "http://127.0.0.1:2".to_owned()];
        let range = KeyRange { start: "a".into(), end: "b".into() };
        let line = Line::new(EtcdConfig { endpoints, tls: None, auth: None }, range, Access::Read);
        let (watch, reconcile) = (line.another(), line.another());
        let (first, ..) = watch.client(ANSWER).await;
        let _ = reconcile.client(ANSWER).await;
        reconcile.leave().await;
        watch.leave().await;
        let (second, endpoint, _) = watch.client(ANSWER).await;
        assert_eq!((second, endpoint), (first + 1, "http://127.0.0.1:2".to_owned()));
        watch.leave().await;
        let (_, endpoint, _) = watch.client(ANSWER).await;
        assert_eq!(endpoint, "http://127.0.0.1:1", "left by nobody else, it is left");
    }
}
