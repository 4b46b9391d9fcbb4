//! The configuration: one YAML file, read all or nothing.
//!
//! ```text
//!  text ──tree──► keys and values     ──the modules of the tables──► Config   (and warnings)
//!                 with their places        check: faults            or Faults (every one, with its place)
//! ```
//!
//! In two steps: `tree` reads YAML and knows no key; the module of each table takes its values out, and reports what is
//! wrong to `check` and goes on. So every fault of a file is reported at once, each with line, column and what to write
//! instead. [`keys`] lists every key; `docs/configuration.md` explains them. What leaves this module has the core's
//! types: nobody checks again. Secrets come from files only, and [`Secret`] does not print.

mod check;
mod community;
mod election;
mod endpoint;
mod fault;
mod fence;
mod gateway;
mod gateway_checks;
mod guard;
pub mod keys;
mod open;
mod platform;
mod policy;
mod read;
mod router;
mod scalar;
mod secret;
mod service;
mod source;
mod suggest;
mod timeline;
mod transport;
mod tree;

pub use community::{Community, ExtendedCommunity, LargeCommunity};
pub use election::Election;
pub use fault::{Fault, Faults};
pub use fence::{Fence, FencePrefix};
pub use gateway::{DEFAULT_CONNECT_RETRY, DEFAULT_HOLD, DEFAULT_PORT, Gateway, Remote, Timers};
pub use open::{GracefulRestart, OpenOptions};
pub use platform::Platform;
pub use policy::{Action, Match, Policy, PolicyRule, PrefixRange, Set};
pub use read::read;
pub use router::{DEFAULT_RESTART_TIME, Router};
pub use scalar::parse_duration;
pub use secret::Secret;
pub use service::{Admin, Http, Log, LogFormat, LogLevel, Startup};
pub use source::{Etcd, FileStore, Identity, Login, Schema, Source, Store, Tls};
pub use timeline::Timeline;

use check::{Check, Field};
use fingerpost_core::model::is_name;
use fingerpost_core::table::GuardConfig;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A configuration without faults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Who we are.
    pub router: Router,
    /// Where records come from, by name; at least one.
    pub sources: BTreeMap<String, Source>,
    /// What may be announced at all.
    pub fence: Fence,
    /// Who is told, by name; may be empty.
    pub gateways: BTreeMap<String, Gateway>,
    /// What gateways are told, by name; every name a gateway has is here.
    pub policies: BTreeMap<String, Policy>,
    /// How much may change at once.
    pub guard: GuardConfig,
    /// What happens at a start.
    pub startup: Startup,
    /// Which of several replicas leads; None: this process decides alone.
    pub election: Option<Election>,
    /// What outlives the process.
    pub state_dir: Option<PathBuf>,
    /// None: no HTTP service.
    pub http: Option<Http>,
    /// None: no admin API.
    pub admin: Option<Admin>,
    /// How to log.
    pub log: Log,
    /// How much is kept of what happened.
    pub timeline: Timeline,
    /// What is probably not meant, in the order of the lines. Compare the other parts when reloading: these move with lines.
    pub warnings: Vec<Fault>,
    /// Where it stands.
    pub file: PathBuf,
    /// What was read. Secrets are in files of their own.
    pub text: String,
}

/// Reads and checks a file and the files it names.
pub fn load(file: &Path) -> Result<Config, Faults> {
    parse(&read(file)?, file)
}

/// Checks a text as if it stood in `file`, to whose directory relative names are relative. Reads the files it names.
pub fn parse(text: &str, file: &Path) -> Result<Config, Faults> {
    let faults = |mut faults: Vec<Fault>| {
        faults.sort_by_key(|fault| (fault.line, fault.column));
        Faults { file: file.into(), faults }
    };
    let root = tree::read(text).map_err(|fault| faults(vec![fault]))?;
    let mut check = Check::new(&root, file.parent().unwrap_or(Path::new("")));
    let config = read_tables(&Field::root(&root), &mut check);
    match config {
        Some(mut config) if check.faults.is_empty() => {
            check.warnings.sort_by_key(|fault| (fault.line, fault.column));
            config.warnings = check.warnings;
            (config.file, config.text) = (file.into(), text.into());
            Ok(config)
        }
        _ => Err(faults(check.faults)),
    }
}

fn read_tables(root: &Field<'_>, check: &mut Check) -> Option<Config> {
    let table = root.table(&keys::ROOT, check)?;
    let router = table
        .need("router", "say who we are: {asn: …, id: …}", check, |field, check| Some(router::read(field, check)));
    let router = router.unwrap_or_default();
    let sources = table.need("sources", "say where the records are", check, |field, check| {
        let sources = named(field, check, source::read);
        if sources.as_ref().is_some_and(|(_, names)| names.is_empty()) {
            check.fault(&field.path, "is empty: there is nothing to announce", "say where the records are");
        }
        sources
    });
    let fence =
        table.need("fence", "say what may be announced: {prefixes: […], next_hops: […]}", check, |field, check| {
            // Where it cannot be told, the fence is given the benefit of the doubt.
            let via_ipv6 =
                sources.as_ref().is_none_or(|(sources, _)| sources.values().any(|source| source.ipv4_via_ipv6));
            fence::read(field, via_ipv6, check)
        });
    let around = policy::Around { fence: fence.as_ref(), sources: sources.as_ref().map(|(_, names)| names) };
    let policies = table.or("policies", Default::default(), check, |field, check| {
        named(field, check, |field, check| policy::read(field, &around, check))
    });
    let policy_names = policies.as_ref().map(|(_, names)| names);
    let read_policies = policies.as_ref().map(|(policies, _)| policies);
    let around = gateway::Around { router: &router, fence: fence.as_ref(), policies: read_policies, policy_names };
    let gateways = table.or("gateways", Default::default(), check, |field, check| {
        named(field, check, |field, check| gateway::read(field, &around, check))
    });
    let (gateways, _) = gateways.unwrap_or_default();
    gateway_checks::distinct(&gateways, check);
    let guard = table.or("guard", GuardConfig::default(), check, guard::read);
    let startup = table.or("startup", Startup::default(), check, service::startup);
    let http = table.maybe("http", check, service::http);
    let admin = table.maybe("admin", check, service::admin);
    let log = table.or("log", Log::default(), check, service::log);
    let timeline = table.or("timeline", Timeline::default(), check, timeline::read);
    let state_dir = table.maybe("state_dir", check, service::state_dir);
    let around = election::Around {
        sources: sources.as_ref().map(|(sources, _)| sources),
        source_names: sources.as_ref().map(|(_, names)| names),
        has_state_dir: table.get("state_dir").is_some(),
    };
    let election = table.maybe("election", check, |field, check| election::read(field, &around, check));
    if table.get("election").is_some() {
        election::keep_stamps(router.asn, &gateways, policies.as_ref().map(|(policies, _)| policies), check);
    }
    router::agree(&router, table.get("election").is_some(), check);
    if let Some(fence) = &fence {
        keep_out(fence, &router, sources.as_ref().map(|(sources, _)| sources), check);
    }
    let policies = policies.map(|(policies, _)| policies);
    remarks(&table, &gateways, policies.as_ref(), check);
    via_ipv6(sources.as_ref().map(|(sources, _)| sources), &gateways, check);
    Some(Config {
        router: router.whole()?,
        sources: sources?.0,
        fence: fence?,
        gateways,
        policies: policies?,
        guard: guard?,
        startup: startup?,
        election: election?,
        state_dir: state_dir?,
        http: http?,
        admin: admin?,
        log: log?,
        timeline: timeline?,
        warnings: Vec::new(),
        file: PathBuf::new(),
        text: String::new(),
    })
}

/// What a map of named things holds that could be read, and all names in it.
fn named<'a, T>(
    field: &Field<'a>,
    check: &mut Check,
    mut read: impl FnMut(&Field<'a>, &mut Check) -> Option<T>,
) -> Option<(BTreeMap<String, T>, BTreeSet<String>)> {
    let mut things = BTreeMap::new();
    let mut names = BTreeSet::new();
    for (name, field) in field.named(check)? {
        if !is_name(&name) {
            check.key_fault(&field.path, "is no name", "write 1 to 63 letters, digits, dots, hyphens and underscores");
        }
        if names.insert(name.clone())
            && let Some(thing) = read(&field, check)
        {
            things.insert(name, thing);
        }
    }
    Some((things, names))
}

/// Addresses of ourselves and of the stores are never announced (promise P1).
fn keep_out(fence: &Fence, router: &router::Partial, sources: Option<&BTreeMap<String, Source>>, check: &mut Check) {
    for (n, socket) in router.listen.iter().flatten().enumerate() {
        fence.keep_out(socket.ip(), &format!("router.listen[{n}]"), check);
    }
    for (name, source) in sources.into_iter().flatten() {
        if let Store::Etcd(etcd) = &source.store {
            for (n, address) in etcd.addresses() {
                fence.keep_out(address, &format!("sources.{name}.etcd.endpoints[{n}]"), check);
            }
        }
    }
}

/// IPv4 routes by an IPv6 next hop go only to gateways that are offered them (RFC 8950).
fn via_ipv6(sources: Option<&BTreeMap<String, Source>>, gateways: &BTreeMap<String, Gateway>, check: &mut Check) {
    if gateways.values().any(|gateway| gateway.open.extended_next_hop) {
        return;
    }
    for (name, _) in sources.into_iter().flatten().filter(|(_, source)| source.ipv4_via_ipv6) {
        let message = "no gateway has extended_next_hop: nobody is told of such a route";
        check.warn(&format!("sources.{name}.ipv4_via_ipv6"), message, "set extended_next_hop on gateways that know it");
    }
}

/// What is allowed, and probably not meant.
fn remarks(
    table: &check::Table<'_>,
    gateways: &BTreeMap<String, Gateway>,
    policies: Option<&BTreeMap<String, Policy>>,
    check: &mut Check,
) {
    if table.get("gateways").is_none_or(|field| field.is_empty_map()) {
        check.warn("gateways", "has none: nobody is told", "add a gateway");
    }
    let used: BTreeSet<_> = gateways.values().filter_map(|gateway| gateway.policy.as_ref()).collect();
    for name in policies.into_iter().flat_map(BTreeMap::keys) {
        if !used.contains(name) {
            check.warn(
                &format!("policies.{name}"),
                "no gateway uses it",
                "name it in a gateway's policy, or remove it",
            );
        }
    }
}
