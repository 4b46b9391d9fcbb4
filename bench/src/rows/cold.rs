//! Row 2: from the start of the process to the last of 100,000 routes at the gateway's socket, against a bare paged read of
//! the same keys.

use super::{Setting, dialling, ms};
use crate::etcd::Etcd;
use crate::receiver::{Receivers, Role};
use crate::records::{Routes, Schema};
use crate::report::{Figure, Summary};
use anyhow::{Context, ensure};
use std::time::Instant;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const MOST: f64 = 1.3;

pub(crate) fn measure(setting: &Setting, runtime: &Runtime) -> anyhow::Result<Vec<Figure>> {
    let hosts = setting.size(10_000, 200);
    let routes = |schema| Routes { schema, hosts, subnets_each: 10, length: 26 };
    let leases = one(setting, runtime, &routes(Schema::Flannel), "cold start, flannel leases")?;
    let native = one(setting, runtime, &routes(Schema::Native), "cold start, native records")?;
    Ok(vec![leases, native])
}

fn one(setting: &Setting, runtime: &Runtime, routes: &Routes, name: &str) -> anyhow::Result<Figure> {
    eprintln!("row 2: {name}, {} routes", routes.count());
    let etcd = runtime.block_on(Etcd::with(routes))?;
    let read = || runtime.block_on(etcd.read(routes)).map(ms);
    // Not counted: the first read finds etcd's pages cold.
    read()?;
    start(setting, &etcd, routes)?;
    let mut pairs = Vec::new();
    let (mut messages, mut firsts) = (0, Vec::new());
    for (run, ours_first) in setting.turns() {
        let bare_before = if ours_first { None } else { Some(read()?) };
        let Started { first, last: ours, updates } = start(setting, &etcd, routes)?;
        let bare = bare_before.map_or_else(read, Ok)?;
        eprintln!("  run {run}: {ours:.1} ms (first route {first:.1} ms), bare {bare:.1} ms");
        messages = updates;
        firsts.push(first);
        pairs.push((ours, bare));
    }
    let figure = Figure::ratio(2, format!("{name} → last of {} routes", routes.count()), "ms", &pairs, MOST);
    let first = Summary::of(firsts).median;
    Ok(figure.note(format!(
        "{} keys read in pages; the first route after {first:.1} ms (median); {messages} UPDATEs in the last run",
        routes.keys()
    )))
}

struct Started {
    /// Milliseconds until the first and the last route were read.
    first: f64,
    last: f64,
    updates: u64,
}

/// Starts Fingerpost once.
fn start(setting: &Setting, etcd: &Etcd, routes: &Routes) -> anyhow::Result<Started> {
    let folder = TempDir::with_prefix("fingerpost-bench-")?;
    let mut receivers = Receivers::listen(&[Role::Gateway], routes.count())?;
    let process = dialling(setting, &folder, etcd, routes, &receivers)?;
    let reached = receivers.reached(0..1, setting.patience).with_context(|| process.log())?;
    let ended = receivers.ended(0..1, setting.patience).with_context(|| process.log())?;
    let totals = ended.first().copied().unwrap_or_default();
    ensure!(totals.announced == u64::from(routes.count()), "the gateway was told {} routes", totals.announced);
    let since = |at: Instant| ms(at.duration_since(process.started));
    let first = receivers.first(0..1, setting.patience)?;
    Ok(Started { first: since(first), last: since(reached), updates: totals.messages })
}
