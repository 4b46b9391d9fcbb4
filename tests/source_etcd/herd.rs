//! Many that come back at the same moment do not come all at once.

use crate::address::address;
use crate::client::request;
use crate::follower::{Follower, current};
use crate::peer::Peer;
use crate::server::{Cluster, Etcd, Relay};
use crate::until::until;
use crate::{plain, put, service};
use fingerpost::config;
use fingerpost::daemon::Service;
use fingerpost::speaker::Tcp;
use fingerpost_core::bgp::wire::MessageKind;
use fingerpost_core::source::sync::Timing;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::{JoinSet, LocalSet};

on_each_etcd!(
    c63_a_hundred_sources_return_to_etcd_one_after_the_other_and_ask_little,
    c63_a_hundred_gateways_and_etcd_return_together,
);

const HERD: usize = 100;

/// How many of these moments lie in the busiest quarter of a second. Without jitter nearly all of them: a hundred connections
/// take no longer than that. Jitter takes a quarter of each wait at most, so after some waits of up to two seconds few do.
fn busiest(moments: &[Instant]) -> usize {
    let within = |first: &Instant| {
        let span = |moment: &&Instant| **moment >= *first && moment.duration_since(*first) < Duration::from_millis(250);
        moments.iter().filter(span).count()
    };
    moments.iter().map(within).max().unwrap_or_default()
}

/// One etcd with one record, behind a proxy: when that is cut, etcd is down.
async fn behind_a_proxy(etcd: Etcd) -> (Cluster, Relay, String) {
    let cluster = Cluster::one(etcd).await;
    put(&mut cluster.client().await, "a1", "10.168.0.11", "10.244.1.0/24").await;
    let proxy = Relay::new();
    let port = proxy.join(0, cluster.members[0].client_port());
    (cluster, proxy, format!("http://127.0.0.1:{port}"))
}

async fn c63_a_hundred_sources_return_to_etcd_one_after_the_other_and_ask_little(etcd: Etcd) {
    let (cluster, proxy, endpoint) = behind_a_proxy(etcd).await;
    let timing = Timing { backoff_max: Duration::from_secs(2), ..Timing::default() };
    let outage = Duration::from_secs(5);
    let mut sources = Vec::new();
    for seed in 0..HERD as u64 {
        let mut source = Follower::start_seeded(plain(vec![endpoint.clone()]), timing, seed).await;
        source.until("current", current).await;
        sources.push(source);
    }
    proxy.connections();
    proxy.cut_off(Some(0));
    sources = all(sources, async move |source: &mut Follower| {
        source.until("lost", |source| !current(source)).await;
        source.go_on(outage).await;
        assert!(!current(source) && source.table().len() == 1, "{:?}", source.notes);
    })
    .await;
    // 0.1, 0.2, 0.4, 0.8, 1.6, 2, 2 s, each less a quarter at most.
    let attempts = proxy.connections().len();
    assert!((HERD..=9 * HERD).contains(&attempts), "{attempts} attempts");

    let before = cluster.members[0].requests().await;
    proxy.cut_off(None);
    let sources = all(sources, async |source: &mut Follower| source.until("current", current).await).await;
    let back = proxy.connections();
    assert!((HERD..=2 * HERD).contains(&back.len()), "{} connections", back.len());
    assert!(busiest(&back) < back.len() * 3 / 4, "{} of {} at once", busiest(&back), back.len());
    // Is it the same store, and a watch: no lists.
    let requests = cluster.members[0].requests().await - before;
    assert!((2 * HERD..3 * HERD).contains(&requests), "{requests} requests");
    assert!(sources.iter().all(|source| source.proofs.is_empty() && source.table().len() == 1));
}

/// Does this with each at the same time.
async fn all(sources: Vec<Follower>, what: impl AsyncFn(&mut Follower) + Clone + 'static) -> Vec<Follower> {
    let (local, mut tasks) = (LocalSet::new(), JoinSet::new());
    for mut source in sources {
        let what = what.clone();
        let done = async move {
            what(&mut source).await;
            source
        };
        tasks.spawn_local_on(done, &local);
    }
    local.run_until(tasks.join_all()).await
}

async fn c63_a_hundred_gateways_and_etcd_return_together(etcd: Etcd) {
    let (cluster, proxy, endpoint) = behind_a_proxy(etcd).await;
    let http = SocketAddr::new(address(), 9179);
    let gateways: Vec<SocketAddr> = (0..HERD).map(|_| SocketAddr::new(address(), 1790)).collect();
    let service = Service::start(configuration(&endpoint, http, &gateways), Arc::new(Tcp)).await.unwrap();
    let source_is = async |up: bool| {
        until("the source", async || {
            let line = format!("fingerpost_source_up{{source=\"lab\"}} {}", u8::from(up));
            match request(http, "GET", "/metrics").await {
                Ok(answer) if answer.body.contains(&line) => Ok(()),
                other => Err(other),
            }
        })
        .await;
    };
    source_is(true).await;
    proxy.cut_off(Some(0));
    source_is(false).await;
    // Meanwhile each gateway is tried some times.
    tokio::time::sleep(Duration::from_secs(5)).await;

    let before = cluster.members[0].requests().await;
    proxy.cut_off(None);
    let mut sessions = JoinSet::new();
    for gateway in gateways {
        let peer = Peer::listen_at(gateway).await;
        sessions.spawn(async move {
            let mut session = peer.establish(Vec::new()).await;
            let established = Instant::now();
            session.expect(MessageKind::Update).await;
            (established, session)
        });
    }
    let sessions = sessions.join_all().await;
    source_is(true).await;
    let moments: Vec<Instant> = sessions.iter().map(|(established, _)| *established).collect();
    assert!(busiest(&moments) < HERD * 3 / 4, "{} at once", busiest(&moments));
    // However many gateways there are, the one source asks as it would for one.
    let requests = cluster.members[0].requests().await - before;
    assert!((2..=6).contains(&requests), "{requests} requests");
    drop(service);
}

fn configuration(endpoint: &str, http: SocketAddr, gateways: &[SocketAddr]) -> config::Config {
    let gateway = |(number, address): (usize, &SocketAddr)| {
        let (ip, port) = (address.ip(), address.port());
        format!(
            "  g{number}: {{ address: {ip}, port: {port}, asn: 64500, policy: default, timers: {{ connect_retry: 2s }} }}\n"
        )
    };
    let gateways: String = gateways.iter().enumerate().map(gateway).collect();
    let policies = "policies: { default: [ { match: {}, then: accept } ] }\n";
    let text = service(endpoint, http, &format!("gateways:\n{gateways}{policies}"));
    config::parse(&text, std::path::Path::new("config.yaml")).unwrap_or_else(|faults| panic!("{faults}"))
}
