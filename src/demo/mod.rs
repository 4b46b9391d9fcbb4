//! `fingerpost demo`: the main job on embedded defaults, without root and without etcd.
//!
//! ```text
//!  hosts.yaml (or a real etcd) ──► the whole service ── BGP over loopback TCP ──► an embedded gateway
//! ```
//!
//! Everything but the gateway is what `fingerpost run` runs. Each step changes the store, waits until the gateway holds
//! exactly what it should, and says what it learned and how long that took; anything else is a failure.

mod cluster;
mod gateway;

pub use gateway::{Gateway, Learned};

use crate::cli::DemoOptions;
use crate::config::{self, Config, Log, LogFormat, LogLevel};
use crate::daemon::Service;
use crate::speaker::Tcp;
use anyhow::Context;
use cluster::{Hosts, Store, cluster, expected, newcomer};
use fingerpost_core::model::{Asn, Prefix, RouterId};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a step may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the demonstration; an error where the gateway's table is not what it should be.
pub fn run(options: &DemoOptions) -> anyhow::Result<()> {
    let _telemetry = crate::telemetry::init(Log { format: LogFormat::Text, level: LogLevel::Warn })?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(demonstrate(options))
}

async fn demonstrate(options: &DemoOptions) -> anyhow::Result<()> {
    let directory = tempfile::Builder::new().prefix("fingerpost-demo-").tempdir()?;
    let mut store = match &options.etcd {
        Some(url) => Store::etcd(url).await?,
        None => Store::file(directory.path()),
    };
    let shown = show(&mut store, directory.path(), options).await;
    let cleared = store.clear().await;
    shown.and(cleared)
}

async fn show(store: &mut Store, directory: &Path, options: &DemoOptions) -> anyhow::Result<()> {
    let screen = Screen { colours: crate::cli::colours() };
    let mut hosts = cluster()?;
    store.write(&hosts).await?;
    let (ours, theirs) = (Asn::new(64512)?, Asn::new(64500)?);
    let gateway = Gateway::start(theirs, RouterId::new(0x0aa8_0001)?, ours).await?;
    let http = options.stay.then(free_port).transpose()?;
    let config = configuration(store.source(), gateway.address(), http, directory)?;
    screen.title("Fingerpost: which host owns which pod subnet, told to the network's gateway over BGP");
    let from = options.etcd.as_deref().map_or("a file".to_owned(), |url| format!("the etcd at {url}"));
    println!(
        "One process: the service reads hosts from {from}; a gateway (AS {theirs}) listens on {}.",
        gateway.address()
    );
    let started = Instant::now();
    let service = Service::start(config, Arc::new(Tcp)).await?;
    let mut tour = Tour { service, gateway, screen, shown: BTreeMap::new() };
    anyhow::ensure!(tour.gateway.wait(PATIENCE, |learned| learned.up).await, "no BGP session came up");
    println!("BGP session established after {}", spent(started));

    tour.step("The gateway learns the whole table, up to End-of-RIB", &hosts, started).await?;
    let moved = hosts.get_mut("node-b1").and_then(|host| host.subnets.pop()).context("the cluster lacks node-b1")?;
    hosts.get_mut("node-a1").context("the cluster lacks node-a1")?.subnets.push("10.244.30.0/24".parse()?);
    if let Some(host) = hosts.get_mut("node-a1") {
        host.subnets.push(moved);
    }
    tour.change(store, &format!("{moved} moves from node-b1 to node-a1, which also gets 10.244.30.0/24"), &hosts)
        .await?;
    hosts.insert("node-b2".into(), newcomer()?);
    tour.change(store, "The host node-b2 joins", &hosts).await?;
    hosts.remove("node-a2");
    tour.change(store, "The host node-a2 is removed", &hosts).await?;
    screen.good("The gateway's table is exactly what the store says.");

    if let Some(address) = http {
        println!("Staying until Ctrl-C. Try: curl http://{address}/api/v1/routes http://{address}/metrics");
        tokio::signal::ctrl_c().await?;
    }
    tour.service.hand_over().await;
    Ok(())
}

/// What a user would write, from the source's part to the gateway's.
fn configuration(
    source: serde_json::Value,
    gateway: SocketAddr,
    http: Option<SocketAddr>,
    directory: &Path,
) -> anyhow::Result<Config> {
    let mut text = json!({
        "router": { "asn": 64512, "id": "10.170.0.10" },
        "sources": { "demo": source },
        "fence": {
            "prefixes": [
                { "within": "10.244.0.0/16", "lengths": "20-28" },
                { "within": "fd00:10:244::/48", "lengths": "56-64" },
            ],
            "next_hops": ["10.168.0.0/15", "fd00:10:168::/47"],
        },
        "gateways": { "core": {
            "address": gateway.ip(), "port": gateway.port(), "asn": 64500, "policy": "default",
            "families": ["ipv4", "ipv6"], "timers": { "connect_retry": "1s" },
        } },
        "policies": { "default": [{ "match": {}, "set": { "communities": ["64512:1"] }, "then": "accept" }] },
    });
    if let Some(address) = http {
        text["http"] = json!({ "listen": address });
    }
    Ok(config::parse(&text.to_string(), &directory.join("demo.yaml"))?)
}

fn free_port() -> std::io::Result<SocketAddr> {
    std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

struct Tour {
    service: Service,
    gateway: Gateway,
    screen: Screen,
    shown: BTreeMap<Prefix, IpAddr>,
}

impl Tour {
    async fn change(&mut self, store: &mut Store, what: &str, hosts: &Hosts) -> anyhow::Result<()> {
        let started = Instant::now();
        store.write(hosts).await?;
        self.service.nudge_sources();
        self.step(what, hosts, started).await
    }

    /// Waits until the gateway holds what it should, and shows what is new.
    async fn step(&mut self, what: &str, hosts: &Hosts, started: Instant) -> anyhow::Result<()> {
        let expected = expected(hosts);
        let right = |learned: &Learned| learned.routes == expected && learned.complete.len() == 2;
        let before = self.gateway.learned().updates;
        let arrived = self.gateway.wait(PATIENCE, right).await;
        let learned = self.gateway.learned();
        let updates = learned.updates.saturating_sub(before);
        let plural = if updates == 1 { "" } else { "s" };
        self.screen.title(&format!("{what}  [{} in {updates} UPDATE{plural}]", spent(started)));
        self.screen.difference(&self.shown, &learned.routes);
        self.shown.clone_from(&learned.routes);
        anyhow::ensure!(
            arrived,
            "the gateway's table is wrong: it holds {:?} and should hold {expected:?}",
            learned.routes
        );
        Ok(())
    }
}

fn spent(since: Instant) -> String {
    format!("{:.1} ms", since.elapsed().as_secs_f64() * 1e3)
}

/// Readable lines, with colours on a terminal.
#[derive(Clone, Copy)]
struct Screen {
    colours: bool,
}

impl Screen {
    fn paint(self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn title(self, text: &str) {
        println!("\n{}", self.paint("1", text));
    }

    fn good(self, text: &str) {
        println!("\n{}", self.paint("32", text));
    }

    fn difference(self, before: &BTreeMap<Prefix, IpAddr>, after: &BTreeMap<Prefix, IpAddr>) {
        for (prefix, via) in after {
            let line = |sign: char| format!("  {sign} {:<24} via {via}", prefix.to_string());
            match before.get(prefix) {
                None => println!("{}", self.paint("32", &line('+'))),
                Some(old) if old != via => println!("{}", self.paint("33", &format!("{}  (was {old})", line('~')))),
                Some(_) => println!("{}", line(' ')),
            }
        }
        for (prefix, via) in before.iter().filter(|(prefix, _)| !after.contains_key(*prefix)) {
            println!("{}", self.paint("31", &format!("  - {:<24} via {via}", prefix.to_string())));
        }
    }
}
