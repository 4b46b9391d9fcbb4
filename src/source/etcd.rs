//! etcd as a source: paged lists at one revision, a watch, its progress, and the lists of keys of a reconcile.
//!
//! ```text
//!  List   ─► page 1 (small, finds an endpoint) ─► page 2 is asked for while page 1 is handled ─► …
//!  Watch  ─► created ─► events, progress, compacted or canceled
//!  Recall ─► one key, as it is or was: is it the same store?
//!  ListKeys, Fetch: beside the watch, on the same connection
//! ```
//!
//! One endpoint is used at a time, since the client's own balancer sends every n-th request to a dead one. A read goes on to
//! the next endpoint by itself; a watch ends, and [`Sync`](fingerpost_core::source::sync::Sync) orders another elsewhere.

use super::Reports;
use fingerpost_core::source::{Attempt, KeyRange, Order, Report, Task};
use line::{Access, Line};
use std::path::PathBuf;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::task::AbortOnDropHandle;

pub(crate) mod fault;
pub(crate) mod line;
mod read;
mod watch;

/// Where an etcd is and how to get in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EtcdConfig {
    /// `http://host:port` or `https://host:port`, in the order in which they are tried.
    pub endpoints: Vec<String>,
    /// For `https` endpoints.
    pub tls: Option<Tls>,
    /// Where etcd asks for a user.
    pub auth: Option<Auth>,
}

/// Files for TLS, PEM. They are read anew for every connection, so that a renewed certificate needs no reload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tls {
    /// Who may have signed etcd's certificate.
    pub ca: PathBuf,
    /// Our certificate, where etcd asks for one.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// The name to expect in etcd's certificate, where it is not the endpoint's.
    pub server_name: Option<String>,
}

/// A user of etcd.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Auth {
    /// The user's name.
    pub user: String,
    /// The file with the user's password, read at each connection.
    pub password_file: PathBuf,
}

/// Follows the keys of `range` as it is ordered to. The task ends when no more orders can come.
pub fn spawn(
    config: EtcdConfig,
    range: KeyRange,
    orders: mpsc::UnboundedReceiver<Order>,
    reports: Reports,
) -> JoinHandle<()> {
    tokio::spawn(run(Line::new(config, range, Access::Read), orders, reports))
}

async fn run(line: Line, mut orders: mpsc::UnboundedReceiver<Order>, reports: Reports) {
    // The list or watch in hand, and how to ask the watch for its progress.
    let mut main: Option<(Attempt, mpsc::Sender<()>, AbortOnDropHandle<()>)> = None;
    // What the list or watch in hand, or the last one, reads from.
    let main_line = line.another();
    let mut beside = JoinSet::new();
    while let Some(Order { attempt, task, elsewhere }) = orders.recv().await {
        let reports = reports.clone();
        let line = if matches!(task, Task::List | Task::Watch { .. } | Task::Recall { .. }) {
            main = None;
            beside.abort_all();
            if elsewhere {
                main_line.leave().await;
            }
            main_line.clone()
        } else {
            line.another()
        };
        while beside.try_join_next().is_some() {}
        match task {
            Task::List => {
                let (asks, _) = mpsc::channel(1);
                let list = tokio::spawn(async move { read::list(&line, attempt, &reports).await });
                main = Some((attempt, asks, AbortOnDropHandle::new(list)));
            }
            Task::Recall { key, at } => {
                let (asks, _) = mpsc::channel(1);
                let recall = tokio::spawn(async move { read::recall(&line, &key, at, attempt, &reports).await });
                main = Some((attempt, asks, AbortOnDropHandle::new(recall)));
            }
            Task::Watch { from } => {
                let (asks, asked) = mpsc::channel(1);
                let watch = tokio::spawn(async move { watch::watch(&line, from, attempt, asked, &reports).await });
                main = Some((attempt, asks, AbortOnDropHandle::new(watch)));
            }
            Task::Progress => {
                if let Some((_, asks, _)) = main.as_ref().filter(|(current, _, _)| *current == attempt) {
                    // Full: it has been asked already.
                    let _ = asks.try_send(());
                }
            }
            Task::ListKeys => {
                beside.spawn(async move { read::list_keys(&line, attempt, &reports).await });
            }
            Task::Fetch(keys) => {
                beside.spawn(async move { read::fetch(&line, keys, attempt, &reports).await });
            }
        }
    }
}

/// Reports, or gives up: nobody listens any more.
async fn report(reports: &Reports, attempt: Attempt, report: Report) -> Result<(), Gone> {
    reports.send((attempt, report)).await.map_err(|_| Gone)
}

/// Nobody listens to reports any more.
struct Gone;
