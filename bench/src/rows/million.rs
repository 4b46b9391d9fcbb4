//! Row 3: from a session that comes up, with the table complete, to the last of a million routes at that gateway's socket,
//! against writing the minimally packed bytes to a bare socket. And the peak memory after that.
//!
//! That the table is complete is seen at a second gateway, which got its End-of-RIB before. The session then comes up with
//! the KEEPALIVE that the measured gateway had held back; the time begins just before that is written.

use super::{Setting, dialling, encoding, ms};
use crate::bare::Writer;
use crate::etcd::Etcd;
use crate::receiver::{Receivers, Role, Totals};
use crate::records::{Routes, Schema};
use crate::report::Figure;
use anyhow::{Context, ensure};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const MOST: f64 = 2.0;
const MOST_MEMORY: f64 = 200.0;

pub(crate) fn measure(setting: &Setting, runtime: &Runtime) -> anyhow::Result<Vec<Figure>> {
    let routes = Routes { schema: Schema::Native, hosts: setting.size(50_000, 200), subnets_each: 20, length: 28 };
    eprintln!("row 3: {} routes to one gateway", routes.count());
    let etcd = runtime.block_on(Etcd::with(&routes))?;
    let octets = routes.minimal(encoding()?);
    let (mut pairs, mut memory, mut totals) = (Vec::new(), Vec::new(), Totals::default());
    for (run, ours_first) in setting.turns() {
        let bare_before = if ours_first { None } else { Some(bare(setting, &routes, 1, &octets)?) };
        let told = tell(setting, &etcd, &routes, 1)?;
        let bare = bare_before.map_or_else(|| bare(setting, &routes, 1, &octets), Ok)?;
        eprintln!("  run {run}: {:.1} ms, bare {bare:.1} ms", ms(told.took));
        pairs.push((ms(told.took), bare));
        memory.push(told.peak_memory as f64 / f64::from(routes.count()));
        totals = told.totals;
    }
    let name = format!("table complete → last of {} routes", routes.count());
    let sizes =
        format!("{} UPDATEs, {} octets; packed minimally {} octets", totals.messages, totals.octets, octets.len());
    let peak = format!("peak memory with {} routes", routes.count());
    Ok(vec![
        Figure::ratio(3, name, "ms", &pairs, MOST).note(sizes),
        Figure::new(3, peak, "B/route", memory.clone(), None, "B/route", memory, MOST_MEMORY)
            .note("of the whole process, its code and two sessions included"),
    ])
}

/// What became of telling a complete table.
pub(super) struct Told {
    /// From the first session's coming up to the last route at the last gateway.
    pub(super) took: Duration,
    /// Of one gateway.
    pub(super) totals: Totals,
    pub(super) peak_memory: u64,
}

/// Starts Fingerpost, waits until its table is complete, then lets `count` sessions come up at once.
pub(super) fn tell(setting: &Setting, etcd: &Etcd, routes: &Routes, count: usize) -> anyhow::Result<Told> {
    let folder = TempDir::with_prefix("fingerpost-bench-")?;
    let mut roles = vec![Role::Held; count];
    roles.push(Role::Gateway);
    let mut receivers = Receivers::listen(&roles, routes.count())?;
    let process = dialling(setting, &folder, etcd, routes, &receivers)?;
    let (held, witness) = (0..count, count..count + 1);
    receivers.ended(witness, setting.patience).with_context(|| process.log())?;
    receivers.ready(held.clone(), setting.patience).with_context(|| process.log())?;
    // Whatever completing the table left to do is done, and both sides find a quiet machine.
    std::thread::sleep(setting.pause());
    receivers.go()?;
    let reached = receivers.reached(held.clone(), setting.patience).with_context(|| process.log())?;
    let ended = receivers.ended(held.clone(), setting.patience).with_context(|| process.log())?;
    let begun = receivers.gone(held, setting.patience)?;
    let complete = |totals: &Totals| totals.announced == u64::from(routes.count());
    ensure!(ended.iter().all(complete), "a gateway was not told all routes once: {ended:?}");
    let totals = ended.first().copied().unwrap_or_default();
    Ok(Told { took: reached.duration_since(begun), totals, peak_memory: process.peak_memory()? })
}

/// Writes the octets to `count` bare sockets: milliseconds until the last route was read at the last of them.
pub(super) fn bare(setting: &Setting, routes: &Routes, count: usize, octets: &[u8]) -> anyhow::Result<f64> {
    let mut receivers = Receivers::listen(&vec![Role::Bare; count], routes.count())?;
    let mut writer = Writer::connect(&receivers.addresses)?;
    receivers.ready(0..count, setting.patience)?;
    std::thread::sleep(setting.pause());
    let (begun, _) = writer.write(octets)?;
    Ok(ms(receivers.reached(0..count, setting.patience)?.duration_since(begun)))
}
