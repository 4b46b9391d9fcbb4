//! A source's transport, and the way of its reports to the engine.

use super::settings;
use crate::config::{self, Config};
use crate::engine::{EngineHandle, Orders};
use crate::source;
use fingerpost_core::engine::{Input, SourceSettings};
use fingerpost_core::model::SourceId;
use fingerpost_core::source::Order;
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

/// Reports of a source that wait for the engine: a page is taken in while the next one is read.
const PAGES: usize = 2;

/// What receives the orders for each source.
pub(super) type Inboxes = Vec<(SourceId, mpsc::UnboundedReceiver<Order>)>;

/// The way of the engine's orders to each of these sources.
pub(super) fn orders(sources: &[SourceSettings]) -> (Orders, Inboxes) {
    let way = |source: &SourceSettings| {
        let (sender, receiver) = mpsc::unbounded_channel();
        ((source.id, sender), (source.id, receiver))
    };
    sources.iter().map(way).unzip()
}

/// Starts the transport and passes its reports on; if it ends by itself, so does the process.
pub(super) fn start(
    config: &Config,
    id: SourceId,
    orders: mpsc::UnboundedReceiver<Order>,
    engine: &EngineHandle,
    nudge: &Arc<Notify>,
) -> Option<AbortOnDropHandle<()>> {
    let ids = settings::source_ids(config);
    let is_wanted = |(name, _): &(&String, &config::Source)| ids.get(name.as_str()) == Some(&id);
    let (name, source) = config.sources.iter().find(is_wanted)?;
    let name = name.clone();
    let (reports, mut reported) = mpsc::channel(1);
    let transport = match &source.store {
        config::Store::Etcd(etcd) => start_etcd(etcd, orders, reports),
        config::Store::File(file) => {
            let file = source::file::FileConfig { path: file.path.clone(), poll: file.poll };
            source::file::spawn(file, Arc::clone(nudge), orders, reports)
        }
    };
    let transport = AbortOnDropHandle::new(transport);
    let engine = engine.clone();
    let waiting = Arc::new(Semaphore::new(PAGES));
    let pass_on = tokio::spawn(async move {
        while let Some((attempt, report)) = reported.recv().await {
            let permit = Arc::clone(&waiting).acquire_owned().await.ok();
            engine.send(Input::Report(id, attempt, report), permit);
        }
        // Its owner notices: a source that nobody follows any more would look current for ever.
        tracing::error!(source = name, "the source's transport has ended, which is a defect: ending");
        drop(transport);
        engine.stop();
    });
    Some(AbortOnDropHandle::new(pass_on))
}

#[cfg(feature = "etcd")]
fn start_etcd(etcd: &config::Etcd, orders: mpsc::UnboundedReceiver<Order>, reports: source::Reports) -> JoinHandle<()> {
    source::etcd::spawn(etcd_config(etcd), settings::schema(&etcd.schema).range(), orders, reports)
}

/// Where an etcd is and how to get in.
#[cfg(feature = "etcd")]
pub(super) fn etcd_config(etcd: &config::Etcd) -> source::etcd::EtcdConfig {
    let tls = etcd.tls.as_ref().map(|tls| source::etcd::Tls {
        ca: tls.ca.clone(),
        cert: tls.identity.as_ref().map(|identity| identity.cert.clone()),
        key: tls.identity.as_ref().map(|identity| identity.key.clone()),
        server_name: tls.server_name.clone(),
    });
    let auth = |login: &config::Login| source::etcd::Auth {
        user: login.user.clone(),
        password_file: login.password_file.clone(),
    };
    source::etcd::EtcdConfig { endpoints: etcd.endpoints.clone(), tls, auth: etcd.login.as_ref().map(auth) }
}

/// Never called: the configuration refuses such a source.
#[cfg(not(feature = "etcd"))]
fn start_etcd(_: &config::Etcd, _: mpsc::UnboundedReceiver<Order>, _: source::Reports) -> JoinHandle<()> {
    tokio::spawn(async {})
}
