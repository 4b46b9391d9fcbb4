//! What a person has ordered, on disk: `state_dir/orders`. Written before an order is answered, so that the answer can say when
//! it could not be.

use super::file::Kept;
use super::sealed::{self, Lines, Refused, parsed};
use crate::clock::{Clock, wall};
use crate::engine::EngineHandle;
use fingerpost_core::engine::Orders;
use fingerpost_core::model::{HostName, SourceId};
use fingerpost_core::orders::{Entry, Order, Unreadable};
use fingerpost_core::table::{Approved, ChangeKind, Denied, Target};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

#[cfg(test)]
mod tests;

const VERSION: u32 = 1;
const NAME: &str = "orders";
/// Lines that were skipped, told one by one.
const SKIPPED_TOLD: usize = 10;

/// See the module; cheap to clone.
#[derive(Clone)]
pub struct OrdersFile {
    directory: Option<PathBuf>,
    names: Arc<BTreeMap<SourceId, String>>,
    clock: Clock,
    engine: EngineHandle,
    written: Arc<Mutex<Written>>,
}

#[derive(Default)]
struct Written {
    /// As it was written last.
    changes: u64,
    /// Why the last attempt failed.
    failing: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct HeaderLine {
    fingerpost_orders: u32,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frozen_since: Option<u64>,
    /// Where no person has ordered that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frozen_because: Option<String>,
    /// Of what all replicas have in common; see [`Orders`].
    #[serde(default)]
    latest: u64,
    #[serde(default)]
    ended: u64,
    #[serde(default)]
    unknown_before: u64,
}

#[derive(Deserialize)]
struct Version {
    fingerpost_orders: u32,
}

impl From<Version> for u32 {
    fn from(version: Version) -> u32 {
        version.fingerpost_orders
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OrderLine {
    WithdrawPrefix(String),
    WithdrawHost(String),
    DrainGateway(Arc<str>),
    Deny {
        source: String,
        kind: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
    },
    Approve {
        source: String,
        kind: String,
        prefix: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<IpAddr>,
    },
    /// What all replicas have in common, as it stands in the store.
    Shared {
        order: String,
        open: bool,
    },
}

fn kept(directory: &Path) -> Kept<'_> {
    Kept { directory, name: NAME.into(), private: false }
}

impl OrdersFile {
    /// What an earlier process was ordered. Where there is a file and it cannot be known, everything is frozen, or a freeze would
    /// have been lifted by nobody. `renamed`: old and new names of sources that are the same.
    pub fn read(directory: Option<&Path>, names: &BTreeMap<SourceId, String>, renamed: &[(String, String)]) -> Orders {
        let Some(directory) = directory else { return Orders::default() };
        let file = kept(directory);
        let path = file.path();
        let because = match file.contents() {
            Ok(None) => return Orders::default(),
            Ok(Some(contents)) => match read(&contents, names, renamed) {
                Ok((mut orders, skipped)) => {
                    let has_other = !renamed.is_empty() || !skipped.is_empty();
                    if !skipped.is_empty() {
                        let kept = file.link_aside();
                        without(&mut orders, &skipped, &path, &kept);
                    }
                    // The next process will not know any more what the names were, nor that lines were skipped.
                    if has_other && let Err(error) = file.replace(|to| write(to, &orders, names)) {
                        tracing::error!("{} cannot be replaced: {error}", path.display());
                    }
                    return orders;
                }
                Err(refused) => format!("{refused}; {}", file.link_aside()),
            },
            Err(error) => error.to_string(),
        };
        let because = format!(
            "what an earlier process was ordered cannot be known: {}: {because}. It may have been frozen, so this one is: order \
             again what it had (fingerpost withdraw, deny), then fingerpost unfreeze",
            path.display()
        );
        let (unknown_before, frozen) = (wall(), Some(Duration::ZERO));
        let orders = Orders { frozen, frozen_because: Some(because), unknown_before, ..Orders::default() };
        // At once: a process that ends before it has written anything leaves no less than it found. What cannot be replaced
        // is found again.
        if let Err(error) = file.replace(|to| write(to, &orders, names)) {
            tracing::error!("{} cannot be replaced: {error}", path.display());
        }
        orders
    }

    /// Of the engine that [`OrdersFile::read`] orders were handed to.
    pub fn new(
        directory: Option<PathBuf>,
        names: BTreeMap<SourceId, String>,
        clock: Clock,
        engine: EngineHandle,
    ) -> Self {
        OrdersFile { directory, names: Arc::new(names), clock, engine, written: Arc::default() }
    }

    pub(super) fn has_directory(&self) -> bool {
        self.directory.is_some()
    }

    /// Writes what stands, if it has changed; the error says why a restart would go by earlier orders. Whoever gives up waiting
    /// does not end it: of two writes the later one must not be overtaken.
    pub async fn keep(&self) -> Result<(), String> {
        let this = self.clone();
        let kept = tokio::spawn(async move { this.keep_now().await });
        kept.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    async fn keep_now(&self) -> Result<(), String> {
        let Some(directory) = &self.directory else { return Err("no state_dir is configured".into()) };
        let mut written = self.written.lock().await;
        let (clock, last) = (self.clock, written.failing.is_none().then_some(written.changes));
        let look = move |engine: &fingerpost_core::engine::Engine| {
            let changes = engine.order_changes();
            (last != Some(changes)).then(|| (changes, engine.orders(clock.now())))
        };
        let Some(found) = self.engine.look(look).await else { return Err("the engine has ended".into()) };
        let Some((changes, orders)) = found else { return Ok(()) };
        let (directory, names) = (directory.clone(), Arc::clone(&self.names));
        let write = move || kept(&directory).replace(|to| write(to, &orders, &names));
        let failed = match tokio::task::spawn_blocking(write).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(crate::limits::explained(&error)),
            Err(error) => Some(error.to_string()),
        };
        if let (Some(why), None) = (&failed, &written.failing) {
            tracing::error!(
                "orders cannot be written to state_dir: {why}; they are in force, but a restart will not know them: let \
                 this user write there, and see that it is not full"
            );
        }
        if failed.is_none() {
            written.changes = changes;
        }
        written.failing.clone_from(&failed);
        failed.map_or(Ok(()), Err)
    }
}

/// A line that cannot be read. What it said is not known; that it was there is.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Skipped {
    why: Refused,
    /// Whether it may be what keeps something from changing here. An order that all have in common, of which nothing but the order
    /// itself is not known, is not: what came of it stands in other lines.
    may_hold: bool,
}

/// Says which lines were skipped. Everything else stands, and nothing is lifted for want of them.
fn without(orders: &mut Orders, skipped: &[Skipped], path: &Path, kept: &str) {
    for Skipped { why, .. } in skipped.iter().take(SKIPPED_TOLD) {
        tracing::error!("an order in {} is skipped, and everything else in it stands: {why}; {kept}", path.display());
    }
    let Some(Skipped { why, .. }) = skipped.iter().find(|skipped| skipped.may_hold).or(skipped.first()) else { return };
    // What lifts something may be of before what cannot be read.
    orders.unknown_before = wall();
    if orders.frozen.is_some() || skipped.iter().any(|skipped| skipped.may_hold) {
        orders.frozen.get_or_insert(Duration::ZERO);
        let because = format!(
            "{} of what an earlier process was ordered cannot be known: {}: {why}; {kept}. Everything else of it stands: see fingerpost \
             forced and holds, order again what is missing (fingerpost withdraw, deny), then fingerpost unfreeze",
            match skipped.len() {
                1 => "1 line".to_owned(),
                lines => format!("{lines} lines"),
            },
            path.display()
        );
        orders.frozen_because.get_or_insert(because);
    }
}

fn write(to: &mut dyn std::io::Write, orders: &Orders, names: &BTreeMap<SourceId, String>) -> std::io::Result<()> {
    let since = |frozen: Duration| {
        let at = SystemTime::now().checked_sub(frozen)?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        u64::try_from(at.as_millis()).ok()
    };
    let frozen_since = orders.frozen.map(|frozen| since(frozen).unwrap_or_default());
    let forced = orders.forced.iter().map(|target| match target {
        Target::Prefix(prefix) => OrderLine::WithdrawPrefix(prefix.to_string()),
        Target::Host(host) => OrderLine::WithdrawHost(host.to_string()),
    });
    let drained = orders.drained.iter().cloned().map(OrderLine::DrainGateway);
    let denied = orders.denied.iter().filter_map(|denied| {
        let prefix = denied.prefix.map(|prefix| prefix.to_string());
        Some(OrderLine::Deny { source: names.get(&denied.source)?.clone(), kind: denied.kind.name().into(), prefix })
    });
    let approved = orders.approved.iter().filter_map(|approved| {
        let (source, kind) = (names.get(&approved.source)?.clone(), approved.kind.name().into());
        Some(OrderLine::Approve { source, kind, prefix: approved.prefix.to_string(), to: approved.to })
    });
    let frozen_because = orders.frozen_because.clone();
    let shared = orders.shared.iter().map(|Entry { order, open }| OrderLine::Shared {
        order: String::from_utf8_lossy(&order.encode()).into_owned(),
        open: *open,
    });
    let Orders { latest, ended, unknown_before, .. } = *orders;
    let header = HeaderLine { fingerpost_orders: VERSION, frozen_since, frozen_because, latest, ended, unknown_before };
    sealed::write(to, &header, forced.chain(drained).chain(denied).chain(approved).chain(shared))
}

/// What stands in it, and the lines that say nothing.
fn read(
    contents: &[u8],
    names: &BTreeMap<SourceId, String>,
    renamed: &[(String, String)],
) -> Result<(Orders, Vec<Skipped>), Refused> {
    let Lines { first, others } = sealed::read::<Version>(contents, VERSION)?;
    let HeaderLine { frozen_since, frozen_because, latest, ended, unknown_before, .. } = parsed(0, first)?;
    let ago = |since: u64| {
        let since = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(since));
        since.and_then(|since| SystemTime::now().duration_since(since).ok()).unwrap_or_default()
    };
    let frozen = frozen_since.map(ago);
    let mut orders = Orders { frozen, frozen_because, latest, ended, unknown_before, ..Orders::default() };
    let mut skipped = Vec::new();
    for (n, line) in others {
        if let Err(line) = read_line(n, line, names, renamed, &mut orders) {
            skipped.push(line);
        }
    }
    Ok((orders, skipped))
}

fn read_line(
    n: usize,
    line: &[u8],
    names: &BTreeMap<SourceId, String>,
    renamed: &[(String, String)],
    orders: &mut Orders,
) -> Result<(), Skipped> {
    let kind_named = |name: &str| ChangeKind::ALL.into_iter().find(|known| known.name() == name);
    // A source that is not configured any more holds nothing.
    let id_of = |source: &str| {
        let now = renamed.iter().find(|(old, _)| old == source).map_or(source, |(_, new)| new);
        names.iter().find(|(_, name)| *name == now).map(|(id, _)| *id)
    };
    let wrong =
        |error: &dyn std::fmt::Display| Skipped { why: Refused::Line(n + 1, error.to_string()), may_hold: true };
    match parsed(n, line).map_err(|why| Skipped { why, may_hold: true })? {
        OrderLine::WithdrawPrefix(prefix) => {
            orders.forced.push(Target::Prefix(prefix.parse().map_err(|error| wrong(&error))?));
        }
        OrderLine::WithdrawHost(host) => {
            orders.forced.push(Target::Host(HostName::new(&host).map_err(|error| wrong(&error))?));
        }
        OrderLine::DrainGateway(gateway) => orders.drained.push(gateway),
        OrderLine::Deny { source, kind, prefix } => {
            let prefix = prefix.map(|text| text.parse()).transpose().map_err(|error| wrong(&error))?;
            let kind = kind_named(&kind).ok_or_else(|| wrong(&"no such kind"))?;
            orders.denied.extend(id_of(&source).map(|source| Denied { source, kind, prefix }));
        }
        OrderLine::Approve { source, kind, prefix, to } => {
            let prefix = prefix.parse().map_err(|error| wrong(&error))?;
            let kind = kind_named(&kind).ok_or_else(|| wrong(&"no such kind"))?;
            orders.approved.extend(id_of(&source).map(|source| Approved { source, kind, prefix, to }));
        }
        OrderLine::Shared { order, open } => {
            let order = Order::decode_any(order.as_bytes())
                .map_err(|error| Skipped { may_hold: error == Unreadable::Unknown, ..wrong(&error) })?;
            orders.shared.push(Entry { order, open });
        }
    }
    Ok(())
}
