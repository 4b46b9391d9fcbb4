//! Row 6: what the others notice of one key that changes all the time. Changes of other keys are timed with and without such a
//! storm, in turn, and as in row 1 from the moment a bare watch has each: a storm makes etcd slower for everybody. The guard holds
//! the key's prefix, which then costs no UPDATEs.

use super::change::{Told, Watch, decoded, says};
use super::{Setting, started};
use crate::etcd::{self, Etcd};
use crate::process::Guard;
use crate::receiver::{Receivers, Role};
use crate::records::{Routes, Schema};
use crate::report::{Figure, quantile};
use anyhow::{Context, bail, ensure};
use etcd_client::KvClient;
use fingerpost_core::model::Prefix;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Changes a second of the one key.
const RATES: [u32; 3] = [10, 100, 1000];
/// How much longer others may take; the design names no target, these are ours.
const MOST: [(&str, f64, f64); 2] = [("p50", 0.5, 1.5), ("p99", 0.99, 2.0)];
/// Writes of the storm that may be under way: etcd makes the pace where it cannot keep up.
const UNDER_WAY: usize = 16;
/// The prefix that flaps has a number of its own.
const FLAPS: u32 = 0;

pub(crate) fn measure(setting: &Setting, runtime: &Runtime) -> anyhow::Result<Vec<Figure>> {
    let hosts = setting.size(10_000, 200);
    let routes = Routes { schema: Schema::Flannel, hosts, subnets_each: 10, length: 26 };
    let changes = setting.size(300, 8);
    eprintln!("row 6: {changes} changes with {} routes loaded and one key that flaps", routes.count());
    let etcd = runtime.block_on(Etcd::with(&routes))?;
    let folder = TempDir::with_prefix("fingerpost-bench-")?;
    let receivers = Receivers::listen(&[Role::Traced], routes.count())?;
    let process = started(setting, &folder, &etcd, &routes, &receivers, Guard::On)?;
    let watch = Watch::start(&etcd.endpoint, &routes)?;
    let writer = runtime.block_on(etcd::connect(&etcd.endpoint))?;
    let mut scene = Scene { setting, runtime, routes, writer, watch, receivers, written: 2, told_of_storm: 0 };
    let measured = scene.receivers.ended(0..1, setting.patience).and_then(|_| scene.all(changes));
    measured.with_context(|| process.log())
}

/// What is measured with.
struct Scene<'a> {
    setting: &'a Setting,
    runtime: &'a Runtime,
    routes: Routes,
    writer: KvClient,
    watch: Watch,
    receivers: Receivers,
    /// The number of the next subnet that is written: none is changed so often that it flaps itself.
    written: u32,
    /// UPDATEs about the prefix that flaps.
    told_of_storm: u64,
}

/// Microseconds, sorted.
struct Latencies {
    /// From the bare watch to the UPDATE.
    later: Vec<f64>,
    /// From the put to the bare watch.
    watch: Vec<f64>,
}

impl Scene<'_> {
    fn all(&mut self, changes: u32) -> anyhow::Result<Vec<Figure>> {
        // Not counted: the first changes find cold paths.
        self.run(changes.min(28))?;
        let mut figures = Vec::new();
        for rate in RATES {
            let (mut pairs, mut watch) = ([const { Vec::new() }; 2], [const { Vec::new() }; 2]);
            let (mut storm_writes, told_before) = (0, self.told_of_storm);
            let mut lasted = Duration::ZERO;
            for (number, storm_first) in self.setting.turns() {
                let (mut with, mut without) = (None, None);
                for storm in [storm_first, !storm_first] {
                    if storm {
                        let (begun, storm) = (Instant::now(), Storm::begin(self, rate));
                        with = Some(self.run(changes));
                        storm_writes += storm.end(self.runtime)?;
                        lasted += begun.elapsed();
                    } else {
                        without = Some(self.run(changes));
                    }
                }
                let (with, without) =
                    (with.context("a turn has two halves")??, without.context("a turn has two halves")??);
                for (place, (_, share, _)) in MOST.iter().enumerate() {
                    let of = |values: &[f64]| quantile(values, *share);
                    pairs[place].push((of(&with.later), of(&without.later)));
                    watch[place].push(of(&with.watch) / of(&without.watch));
                }
                let ratio = |place: usize| pairs[place].last().map_or(0.0, |(with, without)| with / without);
                eprintln!("  {rate} a second, run {number}: p50 {:.2} ×, p99 {:.2} ×", ratio(0), ratio(1));
            }
            let told = self.told_of_storm - told_before;
            for ((name, _, most), (pairs, mut watch)) in MOST.into_iter().zip(pairs.into_iter().zip(watch)) {
                watch.sort_by(f64::total_cmp);
                let figure = format!("change of another key while one changes {rate} times a second, later by {name}");
                let reached = storm_writes as f64 / lasted.as_secs_f64();
                let note = format!(
                    "later than a bare watch has it; bare: the same without the storm; with it the watch itself took {:.2} × as \
                     long; {storm_writes} writes of the one key ({reached:.0} a second) were {told} UPDATEs",
                    quantile(&watch, 0.5)
                );
                figures.push(Figure::ratio(6, figure, "µs", &pairs, most).note(note));
            }
        }
        Ok(figures)
    }

    /// Writes so many changes one by one, each once both sides have seen the one before.
    fn run(&mut self, changes: u32) -> anyhow::Result<Latencies> {
        let mut latencies = Latencies { later: Vec::new(), watch: Vec::new() };
        for n in 0..changes {
            let routes = self.routes;
            // A lease moves away and, in the turn after, back; then another one.
            let subnet = 1 + self.written / 2 % (routes.count() - 1);
            let host = (subnet + u32::from(self.written.is_multiple_of(2))) % routes.hosts;
            self.written += 1;
            let (key, value) = routes.lease(subnet, host);
            let told = Told::Reachable(routes.subnet(subnet), Routes::address(host).into());
            // Not in step with anything that happens at fixed times.
            std::thread::sleep(Duration::from_micros(500 + u64::from(n * 7919 % 2000)));
            let begun = Instant::now();
            let put = self.runtime.block_on(self.writer.put(key, value, None))?;
            let revision = put.header().context("an answer without a header")?.revision();
            let watched = self.watch.saw_at_last(revision, self.setting.patience)?;
            let read = self.told(&told)?;
            let micros = |to: Instant| to.saturating_duration_since(begun).as_secs_f64() * 1e6;
            latencies.later.push(micros(read) - micros(watched));
            latencies.watch.push(micros(watched));
        }
        latencies.later.sort_by(f64::total_cmp);
        latencies.watch.sort_by(f64::total_cmp);
        Ok(latencies)
    }

    /// When this was read; what was said of the storm before is counted.
    fn told(&mut self, told: &Told) -> anyhow::Result<Instant> {
        loop {
            let read = self.receivers.updates(self.setting.patience)?;
            let Some((at, octets)) = read else { bail!("no UPDATE came for {told:?}") };
            let mut found = false;
            for message in messages(&octets) {
                if mentions(message, self.routes.subnet(FLAPS))? {
                    self.told_of_storm += 1;
                } else {
                    ensure!(!found && says(message, told)?, "an UPDATE does not say {told:?}");
                    found = true;
                }
            }
            if found {
                return Ok(at);
            }
        }
    }
}

/// The messages in these octets (RFC 4271 §4.1).
fn messages(mut octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length: [u8; 2] = octets.get(16..18)?.try_into().ok()?;
        let (message, rest) = octets.split_at_checked(u16::from_be_bytes(length).into())?;
        octets = rest;
        Some(message)
    })
}

fn mentions(message: &[u8], prefix: Prefix) -> anyhow::Result<bool> {
    let update = decoded(message)?;
    let is_there = update.routes().any(|(route, _)| route == prefix) || update.withdrawn.contains(&prefix);
    Ok(is_there)
}

/// One lease that two hosts take from each other, so many times a second, or as often as etcd takes it.
struct Storm {
    over: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Storm {
    fn begin(scene: &Scene<'_>, rate: u32) -> Self {
        let (over, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (ends, counts, kv, routes) = (Arc::clone(&over), Arc::clone(&written), scene.writer.clone(), scene.routes);
        let storm = async move {
            let seats = Arc::new(Semaphore::new(UNDER_WAY));
            let mut pace = tokio::time::interval(Duration::from_secs(1) / rate);
            let mut host = 0;
            while !ends.load(Ordering::Relaxed) {
                pace.tick().await;
                let seat = Arc::clone(&seats).acquire_owned().await?;
                host = 1 - host;
                let (key, value) = routes.lease(FLAPS, host);
                let (mut kv, counts) = (kv.clone(), Arc::clone(&counts));
                tokio::spawn(async move {
                    if kv.put(key, value, None).await.is_ok() {
                        counts.fetch_add(1, Ordering::Relaxed);
                    }
                    drop(seat);
                });
            }
            // What is under way is done when all seats are free.
            drop(seats.acquire_many(UNDER_WAY as u32).await?);
            Ok(())
        };
        Storm { over, written, task: scene.runtime.spawn(storm) }
    }

    /// How many writes it was.
    fn end(self, runtime: &Runtime) -> anyhow::Result<u64> {
        self.over.store(true, Ordering::Relaxed);
        runtime.block_on(self.task)??;
        Ok(self.written.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::messages;

    #[test]
    fn octets_are_cut_into_messages_by_their_lengths() {
        let message = |length: u8| [&[0xff; 16][..], &[0, length, 2], &vec![0; usize::from(length) - 19]].concat();
        let octets = [message(23), message(40), vec![0xff; 10]].concat();
        let lengths: Vec<usize> = messages(&octets).map(<[u8]>::len).collect();
        assert_eq!(lengths, [23, 40]);
    }
}
