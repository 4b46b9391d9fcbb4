//! Row 4: the same 100,000 routes to 100 gateways, against bare writes of the same bytes to 100 sockets; and how much
//! processor time one more gateway costs, against the first, which includes reading the source.

use super::million::{bare, tell};
use super::{Setting, dialling, encoding, ms};
use crate::etcd::Etcd;
use crate::receiver::{Receivers, Role};
use crate::records::{Routes, Schema};
use crate::report::Figure;
use anyhow::Context;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const MOST: f64 = 1.5;
const MOST_SHARE: f64 = 1.0 / 50.0;

pub(crate) fn measure(setting: &Setting, runtime: &Runtime) -> anyhow::Result<Vec<Figure>> {
    let routes = Routes { schema: Schema::Native, hosts: setting.size(10_000, 200), subnets_each: 10, length: 26 };
    let count = setting.size(100, 5) as usize;
    eprintln!("row 4: {} routes to {count} gateways", routes.count());
    let etcd = runtime.block_on(Etcd::with(&routes))?;
    let octets = routes.minimal(encoding()?);
    let (mut pairs, mut first, mut more, mut shares) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (run, ours_first) in setting.turns() {
        let bare_before = if ours_first { None } else { Some(bare(setting, &routes, count, &octets)?) };
        let took = ms(tell(setting, &etcd, &routes, count)?.took);
        let bare = bare_before.map_or_else(|| bare(setting, &routes, count, &octets), Ok)?;
        let one = work(setting, &etcd, &routes, 1)?;
        let extra = (work(setting, &etcd, &routes, count)? - one).max(0.0) / (count - 1) as f64;
        eprintln!(
            "  run {run}: {took:.1} ms, bare {bare:.1} ms; the first gateway {one:.1} ms of processor time, one more {extra:.2} ms"
        );
        pairs.push((took, bare));
        first.push(one);
        more.push(extra);
        shares.push(extra / one);
    }
    let first = crate::report::Summary::of(first);
    let alone = format!("the first gateway, with reading the source: {:.1} ms", first.median);
    let name = format!("{} routes → {count} gateways", routes.count());
    Ok(vec![
        Figure::ratio(4, name, "ms", &pairs, MOST),
        Figure::new(
            4,
            "processor time of one more gateway".into(),
            "ms",
            more,
            None,
            "of the first",
            shares,
            MOST_SHARE,
        )
        .note(alone),
    ])
}

/// Milliseconds of processor time from the start until every one of `count` gateways had End-of-RIB.
fn work(setting: &Setting, etcd: &Etcd, routes: &Routes, count: usize) -> anyhow::Result<f64> {
    let folder = TempDir::with_prefix("fingerpost-bench-")?;
    let mut receivers = Receivers::listen(&vec![Role::Gateway; count], routes.count())?;
    let process = dialling(setting, &folder, etcd, routes, &receivers)?;
    receivers.ended(0..count, setting.patience).with_context(|| process.log())?;
    Ok(ms(process.cpu()?))
}
