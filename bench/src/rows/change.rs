//! Row 1: from the moment a bare watch has a change to the moment its UPDATE was read at the gateway's socket, with
//! 100,000 routes loaded. Both see the same writes; leases are moved, added and deleted in turn.

use super::{Setting, dialling};
use crate::etcd::{self, Etcd};
use crate::receiver::{Receivers, Role};
use crate::records::{Routes, Schema};
use crate::report::{Figure, Summary, quantile};
use anyhow::{Context, bail, ensure};
use etcd_client::{KvClient, WatchOptions};
use fingerpost_core::bgp::wire::{HEADER_LEN, Update, UpdateContext, UpdateOutcome};
use fingerpost_core::model::{Asn, PerFamily, Prefix};
use std::net::IpAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Microseconds.
const MOST: (f64, f64) = (200.0, 1000.0);

pub(crate) fn measure(setting: &Setting, runtime: &Runtime) -> anyhow::Result<Vec<Figure>> {
    let hosts = setting.size(10_000, 200);
    let routes = Routes { schema: Schema::Flannel, hosts, subnets_each: 10, length: 26 };
    let changes = setting.size(600, 8);
    eprintln!("row 1: {changes} changes with {} routes loaded", routes.count());
    let etcd = runtime.block_on(Etcd::with(&routes))?;
    let folder = TempDir::with_prefix("fingerpost-bench-")?;
    let mut receivers = Receivers::listen(&[Role::Traced], routes.count())?;
    let process = dialling(setting, &folder, &etcd, &routes, &receivers)?;
    receivers.ended(0..1, setting.patience).with_context(|| process.log())?;
    let watch = Watch::start(&etcd.endpoint, &routes)?;
    let mut writer = runtime.block_on(etcd::connect(&etcd.endpoint))?;
    // Not counted: the first changes find cold paths.
    run(setting, runtime, &routes, changes.min(28), &mut writer, &watch, &mut receivers)
        .with_context(|| process.log())?;
    let (mut p50, mut p99) = (Columns::default(), Columns::default());
    for number in 0..setting.runs {
        let mut latencies = run(setting, runtime, &routes, changes, &mut writer, &watch, &mut receivers)
            .with_context(|| process.log())?;
        p50.add(&mut latencies, 0.5);
        p99.add(&mut latencies, 0.99);
        let last = |columns: &Columns| columns.difference.last().copied().unwrap_or_default();
        eprintln!("  run {number}: later than the watch by p50 {:.0} µs, p99 {:.0} µs", last(&p50), last(&p99));
    }
    let name = |quantile: &str| format!("etcd put → UPDATE at the socket, {quantile}");
    let note =
        format!("{changes} changes a run; both columns count from just before the put, the third change by change");
    Ok(vec![p50.figure(name("p50"), MOST.0).note(note), p99.figure(name("p99"), MOST.1)])
}

/// Microseconds, one entry a change.
#[derive(Default)]
struct Latencies {
    update: Vec<f64>,
    watch: Vec<f64>,
    difference: Vec<f64>,
}

/// One quantile of each run.
#[derive(Default)]
struct Columns {
    update: Vec<f64>,
    watch: Vec<f64>,
    difference: Vec<f64>,
}

impl Columns {
    fn add(&mut self, latencies: &mut Latencies, share: f64) {
        let of = |values: &mut Vec<f64>| {
            values.sort_by(f64::total_cmp);
            quantile(values, share)
        };
        self.update.push(of(&mut latencies.update));
        self.watch.push(of(&mut latencies.watch));
        self.difference.push(of(&mut latencies.difference));
    }

    fn figure(self, name: String, most: f64) -> Figure {
        Figure::new(1, name, "µs", self.update, Some(Summary::of(self.watch)), "µs later", self.difference, most)
    }
}

/// What the gateway is to be told.
#[derive(Debug)]
pub(super) enum Told {
    Reachable(Prefix, IpAddr),
    Withdrawn(Prefix),
}

/// Writes so many changes (a multiple of four, so that what was moved is back) one by one, each once both sides have seen the
/// one before.
fn run(
    setting: &Setting,
    runtime: &Runtime,
    routes: &Routes,
    changes: u32,
    writer: &mut KvClient,
    watch: &Watch,
    receivers: &mut Receivers,
) -> anyhow::Result<Latencies> {
    let mut latencies = Latencies::default();
    for n in 0..changes {
        // Moved away and, in the next turn, back; or added, and deleted in the turn after.
        let (key, value, told) = match n % 4 {
            turn @ (0 | 2) => {
                let subnet = n / 4 * 37 % routes.count();
                let host = if turn == 0 { (subnet + 1) % routes.hosts } else { subnet % routes.hosts };
                let (key, value) = routes.lease(subnet, host);
                (key, Some(value), Told::Reachable(routes.subnet(subnet), Routes::address(host).into()))
            }
            turn => {
                let subnet = routes.count() + n / 4;
                let (key, value) = routes.lease(subnet, subnet % routes.hosts);
                let address = Routes::address(subnet % routes.hosts).into();
                match turn {
                    1 => (key, Some(value), Told::Reachable(routes.subnet(subnet), address)),
                    _ => (key, None, Told::Withdrawn(routes.subnet(subnet))),
                }
            }
        };
        // Not in step with anything that happens at fixed times.
        std::thread::sleep(Duration::from_micros(500 + u64::from(n * 7919 % 2000)));
        let begun = Instant::now();
        let revision = runtime.block_on(async {
            let header = match value {
                Some(value) => writer.put(key, value, None).await?.header().map(|header| header.revision()),
                None => writer.delete(key, None).await?.header().map(|header| header.revision()),
            };
            header.context("an answer without a header")
        })?;
        let watched = watch.saw(revision, setting.patience)?;
        let Some((read, octets)) = receivers.updates(setting.patience)? else { bail!("no UPDATE came for {told:?}") };
        ensure!(says(&octets, &told)?, "the UPDATE does not say {told:?}");
        let micros = |to: Instant| to.saturating_duration_since(begun).as_secs_f64() * 1e6;
        let (update, watch) = (micros(read), micros(watched));
        latencies.update.push(update);
        latencies.watch.push(watch);
        latencies.difference.push(update - watch);
    }
    Ok(latencies)
}

/// Whether a single UPDATE was read, and says this.
pub(super) fn says(octets: &[u8], told: &Told) -> anyhow::Result<bool> {
    let update = decoded(octets)?;
    Ok(match told {
        Told::Reachable(prefix, next_hop) => update.routes().eq([(*prefix, *next_hop)]) && update.withdrawn.is_empty(),
        Told::Withdrawn(prefix) => update.withdrawn == [*prefix] && update.reachable.is_empty(),
    })
}

/// A single UPDATE, as a gateway reads it.
pub(super) fn decoded(octets: &[u8]) -> anyhow::Result<Update> {
    let context = UpdateContext {
        internal: false,
        four_octet_as: true,
        families: PerFamily::from_fn(|_| true),
        extended_next_hop: PerFamily::from_fn(|_| false),
        local_asn: Asn::new(crate::receiver::GATEWAY_ASN)?,
    };
    let UpdateOutcome::Accept(update) = Update::decode(octets.get(HEADER_LEN..).unwrap_or_default(), &context) else {
        bail!("an UPDATE that no gateway would accept: {octets:?}");
    };
    Ok(update)
}

/// A bare watch on a thread of its own.
pub(super) struct Watch(mpsc::Receiver<(Instant, i64)>);

impl Watch {
    pub(super) fn start(endpoint: &str, routes: &Routes) -> anyhow::Result<Self> {
        let (to_main, events) = mpsc::channel();
        let (endpoint, range) = (endpoint.to_owned(), routes.range());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (standing, stands) = mpsc::channel();
        std::thread::Builder::new().name("bare watch".into()).spawn(move || -> anyhow::Result<()> {
            runtime.block_on(async {
                let client = etcd::client(&endpoint).await?;
                let options = WatchOptions::new().with_prefix();
                let (_keep, mut stream) = client.watch_client().watch(range, Some(options)).await?.split();
                while let Some(response) = stream.message().await? {
                    let at = Instant::now();
                    if response.created() {
                        standing.send(())?;
                    }
                    for event in response.events() {
                        let Some(record) = event.kv() else { continue };
                        if to_main.send((at, record.mod_revision())).is_err() {
                            return Ok(());
                        }
                    }
                }
                Ok(())
            })
        })?;
        stands.recv_timeout(Duration::from_secs(10)).context("the bare watch does not stand")?;
        Ok(Watch(events))
    }

    /// When it had the change of this revision.
    pub(super) fn saw(&self, revision: i64, patience: Duration) -> anyhow::Result<Instant> {
        let (at, saw) = self.0.recv_timeout(patience).context("the bare watch saw nothing")?;
        ensure!(saw == revision, "the bare watch saw revision {saw} instead of {revision}");
        Ok(at)
    }

    /// The same where others write, too: what they wrote before is passed over.
    pub(super) fn saw_at_last(&self, revision: i64, patience: Duration) -> anyhow::Result<Instant> {
        loop {
            let (at, saw) = self.0.recv_timeout(patience).context("the bare watch did not see the change")?;
            ensure!(saw <= revision, "the bare watch saw revision {saw} and never {revision}");
            if saw == revision {
                return Ok(at);
            }
        }
    }
}
