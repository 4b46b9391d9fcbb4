//! Row 5: a thousand hosts that peer in (dynamic neighbours), each of which is told all routes but its own. One change to all
//! of them, against bare writes of the same octets to as many sockets: how long until the last has it, and how much
//! processor time that takes. And what one more of them costs: memory once it is caught up, and processor time until then.

use super::change::{Told, Watch, says};
use super::{Setting, encoding, ms};
use crate::bare::Writer;
use crate::etcd::{self, Etcd};
use crate::process::{Fingerpost, Gateways, Guard};
use crate::receiver::{Receivers, Role, Totals};
use crate::records::{Routes, Schema};
use crate::report::{Figure, Summary};
use anyhow::{Context, ensure};
use etcd_client::KvClient;
use fingerpost_core::bgp::wire::Packer;
use fingerpost_core::model::Family;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const MOST: f64 = 1.5;
/// Each write has a task of its own that must be woken for it.
const MOST_WORK: f64 = 3.0;
const MOST_SHARE: f64 = 1.0 / 50.0;
/// KiB.
const MOST_MEMORY: f64 = 64.0;
/// Where Fingerpost listens: an address of no host.
const LISTEN: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(Ipv4Addr::new(172, 31, 255, 1), 1790));
/// So many connect at once; the others wait until these have their table.
const TOGETHER: usize = 100;
/// Between two changes: whatever the one before left to do is done.
const QUIET: Duration = Duration::from_millis(30);

pub(crate) fn measure(setting: &Setting, runtime: &Runtime) -> anyhow::Result<Vec<Figure>> {
    let hosts = setting.size(1000, 12);
    let routes = Routes { schema: Schema::Flannel, hosts, subnets_each: 10, length: 26 };
    let changes = setting.size(40, 4);
    eprintln!("row 5: {hosts} hosts peer in, {} routes, {changes} changes a run", routes.count());
    let etcd = runtime.block_on(Etcd::with(&routes))?;
    let watch = Watch::start(&etcd.endpoint, &routes)?;
    let mut writer = runtime.block_on(etcd::connect(&etcd.endpoint))?;
    let (mut took, mut work) = (Vec::new(), Vec::new());
    let (mut memory, mut more, mut shares, mut firsts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (run, ours_first) in setting.turns() {
        let bare_before = if ours_first { None } else { Some(bare(setting, &routes, changes)?) };
        let first = Hosts::start(setting, runtime, &etcd, &routes, 1)?.cost;
        let mut all = Hosts::start(setting, runtime, &etcd, &routes, hosts as usize)?;
        let ours = all.change(setting, runtime, &routes, changes, &mut writer, &watch)?;
        let bare = bare_before.map_or_else(|| bare(setting, &routes, changes), Ok)?;
        let others = f64::from(hosts - 1);
        let extra_memory = (all.cost.memory - first.memory) / others / 1024.0;
        let extra = (all.cost.cpu - first.cpu).max(0.0) / others;
        eprintln!(
            "  run {run}: {:.2} ms ({:.2} ms of processor time), bare {:.2} ms ({:.2} ms); one more host {extra_memory:.1} KiB, \
             {extra:.2} ms of processor time (the first {:.1} ms)",
            ours.took, ours.cpu, bare.took, bare.cpu, first.cpu
        );
        took.push((ours.took, bare.took));
        work.push((ours.cpu, bare.cpu));
        memory.push(extra_memory);
        more.push(extra);
        shares.push(extra / first.cpu);
        firsts.push(first.cpu);
    }
    let from = format!(
        "{changes} changes a run, the median of each; from when a bare watch had the change, as in row 1, to the last host; \
         bare: from the first write"
    );
    let alone = format!("the first host, with reading the source: {:.1} ms", Summary::of(firsts).median);
    let routes = routes.count();
    Ok(vec![
        Figure::ratio(5, format!("one change → {hosts} hosts that peer in"), "ms", &took, MOST).note(from),
        Figure::ratio(5, format!("processor time of one change to {hosts} hosts"), "ms", &work, MOST_WORK).note(
            "all threads of the process, the mean of all changes; bare: of the writing thread; the design names no target, this \
             one is ours",
        ),
        Figure::new(5, "memory of one more host".into(), "KiB", memory.clone(), None, "KiB", memory, MOST_MEMORY)
            .note(format!("resident, caught up with {routes} routes, of which its own are kept from it")),
        Figure::new(5, "processor time of one more host".into(), "ms", more, None, "of the first", shares, MOST_SHARE)
            .note(alone),
    ])
}

/// What it took until all had their table.
#[derive(Clone, Copy)]
struct Cost {
    /// Milliseconds of processor time, from the start of the process.
    cpu: f64,
    /// Octets, resident.
    memory: f64,
}

/// What one change takes: milliseconds.
struct Change {
    took: f64,
    cpu: f64,
}

/// Fingerpost, and hosts that have peered in and are caught up.
struct Hosts {
    process: Fingerpost,
    receivers: Receivers,
    count: usize,
    cost: Cost,
    _folder: TempDir,
}

impl Hosts {
    fn start(setting: &Setting, runtime: &Runtime, etcd: &Etcd, routes: &Routes, count: usize) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("fingerpost-bench-")?;
        let hosts = Gateways::Hosts { listen: LISTEN, within: "172.16.0.0/16".parse()?, most: count };
        let process =
            Fingerpost::start(&setting.fingerpost, folder.path(), &etcd.endpoint, routes, &hosts, Guard::Off)?;
        let mut receivers = Receivers::hosts(count, routes.count())?;
        for first in (0..count).step_by(TOGETHER) {
            let together = first..count.min(first + TOGETHER);
            for number in together.clone() {
                let connect = connect(&receivers, number, Instant::now() + setting.patience);
                runtime.block_on(connect).with_context(|| process.log())?;
            }
            let ended = receivers.ended(together, setting.patience).with_context(|| process.log())?;
            let others = u64::from(routes.count() - routes.subnets_each);
            let complete = |totals: &Totals| totals.announced == others;
            ensure!(ended.iter().all(complete), "a host was not told all routes but its own once: {ended:?}");
        }
        std::thread::sleep(setting.pause());
        let cost = Cost { cpu: ms(process.cpu()?), memory: process.memory()? as f64 };
        Ok(Hosts { process, receivers, count, cost, _folder: folder })
    }

    /// Subnets move to other hosts and back, one after the other.
    fn change(
        &mut self,
        setting: &Setting,
        runtime: &Runtime,
        routes: &Routes,
        changes: u32,
        writer: &mut KvClient,
        watch: &Watch,
    ) -> anyhow::Result<Change> {
        let mut took = Vec::new();
        let before = self.process.cpu()?;
        for n in 0..changes {
            let subnet = n / 2 * 37 % routes.count();
            let away = n.is_multiple_of(2);
            let host = (subnet + u32::from(away)) % routes.hosts;
            let (key, value) = routes.lease(subnet, host);
            let put = runtime.block_on(writer.put(key, value, None))?;
            let revision = put.header().context("an answer without a header")?.revision();
            let watched = watch.saw(revision, setting.patience)?;
            let (last, told) =
                self.receivers.all_updates(0..self.count, setting.patience).with_context(|| self.process.log())?;
            took.push(ms(last.saturating_duration_since(watched)));
            let prefix = routes.subnet(subnet);
            let announced = Told::Reachable(prefix, Routes::address(host).into());
            for (number, octets) in (0..).zip(&told) {
                // Its new owner is told that it is nobody else's any more.
                let own = Told::Withdrawn(prefix);
                let expected = if number == host { &own } else { &announced };
                ensure!(says(octets, expected)?, "host {number} was not told {expected:?}");
            }
            std::thread::sleep(QUIET);
        }
        let cpu = ms(self.process.cpu()?.saturating_sub(before)) / f64::from(changes);
        Ok(Change { took: Summary::of(took).median, cpu })
    }
}

/// Connects as soon as Fingerpost listens.
async fn connect(receivers: &Receivers, number: usize, until: Instant) -> anyhow::Result<()> {
    let from = Routes::address(u32::try_from(number)?);
    loop {
        match receivers.connect(number, from, LISTEN).await {
            Err(_) if Instant::now() < until => tokio::time::sleep(Duration::from_millis(10)).await,
            done => return done,
        }
    }
}

/// The same to bare sockets.
fn bare(setting: &Setting, routes: &Routes, changes: u32) -> anyhow::Result<Change> {
    let count = routes.hosts as usize;
    let mut receivers = Receivers::listen(&vec![Role::Traced; count], routes.count())?;
    let mut writer = Writer::connect(&receivers.addresses)?;
    let (mut end, mut ends) = (Vec::new(), Vec::new());
    Packer::new(encoding()?, Family::Ipv4).end_of_rib(&mut end, &mut ends);
    // What comes after this is passed on.
    writer.write(&end)?;
    receivers.ended(0..count, setting.patience)?;
    std::thread::sleep(setting.pause());
    let (mut took, mut cpu) = (Vec::new(), Duration::ZERO);
    for n in 0..changes {
        let subnet = n / 2 * 37 % routes.count();
        let octets = routes.one(encoding()?, subnet, subnet % routes.hosts);
        let (begun, of_this) = writer.write(&octets)?;
        let (last, _) = receivers.all_updates(0..count, setting.patience)?;
        took.push(ms(last.saturating_duration_since(begun)));
        cpu += of_this;
        std::thread::sleep(QUIET);
    }
    Ok(Change { took: Summary::of(took).median, cpu: ms(cpu) / f64::from(changes) })
}
