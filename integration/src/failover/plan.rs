//! How the source changes while something fails, and what the gateway is to make of it.

use super::{Change, MOVED};
use crate::lab::host::Host;
use crate::lab::monitor::RouteChange;
use crate::lab::rib::{Choice, Choices};
use crate::lab::route::PodRoutes;
use crate::lab::topology::Subnet;
use crate::lab::{Lab, record, routes};

/// The host to which the subnet moves gets this one, too, and loses that one.
const ADDED: Subnet = Subnet(6);
const WITHDRAWN: Subnet = Subnet(7);

/// What is before, after, and how the one becomes the other.
pub(super) struct Plan<'lab> {
    /// From whom the subnet goes to whom.
    pub(super) moves: [&'lab Host; 2],
    /// Records of the beginning: key and value.
    pub(super) records: Vec<(String, String)>,
    /// Those that make the other ones of it, in one transaction.
    pub(super) change: Vec<(String, String)>,
    pub(super) before: PodRoutes,
    pub(super) after: PodRoutes,
}

impl<'lab> Plan<'lab> {
    pub(super) fn new(lab: &'lab Lab, change: Change) -> Self {
        let both = |subnet: Subnet| vec![subnet.v4(), subnet.v6()];
        let none = Vec::new;
        let (moves, before, after) = match change {
            Change::Subnets => {
                let after = [none(), [both(MOVED), both(ADDED)].concat()];
                (["node-a2", "node-b1"], [both(MOVED), both(WITHDRAWN)], after)
            }
            Change::Borrowed => {
                let borrowed = format!("{}/32", MOVED.pod_v4());
                let before = [vec![borrowed, MOVED.v6()], vec![MOVED.v4()]];
                (["node-b1", "node-a2"], before, [none(), both(MOVED)])
            }
        };
        let moves = moves.map(|name| lab.host(name));
        let owners = |more: [Vec<String>; 2]| -> Vec<(&'lab Host, Vec<String>)> {
            let more_of = |host: &Host| {
                let found = moves.iter().zip(&more).find(|(one, _)| one.name() == host.name());
                found.map(|(_, more)| more.clone()).unwrap_or_default()
            };
            lab.hosts().iter().map(|host| (host, [both(host.subnet()), more_of(host)].concat())).collect()
        };
        let (before, after) = (owners(before), owners(after));
        let record = |(host, prefixes): &(&Host, Vec<String>)| {
            (record::native_key(host), record::native_value_of(host, prefixes))
        };
        let records: Vec<(String, String)> = before.iter().map(record).collect();
        let change = after.iter().map(record).filter(|record| !records.contains(record)).collect();
        Self { moves, change, records, before: routes_of(&before), after: routes_of(&after) }
    }

    /// Whether the kernel has what came and moved. What was withdrawn may be there for as long as a dead replica's paths are, unless
    /// it hides something.
    pub(super) fn is_told(&self, kernel: &PodRoutes) -> bool {
        let kernel = whole_names(kernel);
        let hidden = |prefix: &String| prefix.starts_with(MOVED.v4().trim_end_matches("0/24"));
        let leftovers = kernel.iter().filter(|(prefix, _)| !self.after.contains_key(*prefix) && hidden(prefix));
        let mut leftovers = leftovers.map(|(_, via)| via);
        self.after.iter().all(|(prefix, via)| kernel.get(prefix) == Some(via))
            && leftovers.all(|via| Some(via) == self.after.get(&MOVED.v4()))
    }

    /// What a daemon prefers to the prefixes that are there before and after.
    pub(super) fn lasting<'a>(&'a self, choices: &'a Choices) -> impl Iterator<Item = &'a Choice> {
        let lasts = |prefix: &String| self.before.contains_key(prefix) && self.after.contains_key(prefix);
        choices.iter().filter(move |(prefix, _)| lasts(prefix)).map(|(_, choice)| choice)
    }

    /// Whether a daemon has all of these.
    pub(super) fn has_lasting(&self, choices: &Choices) -> bool {
        self.before.keys().filter(|prefix| self.after.contains_key(*prefix)).all(|prefix| choices.contains_key(prefix))
    }

    /// Whether what an UPDATE withdraws, as tcpdump explains it, is there after as before; `None` where it withdraws nothing that was
    /// there.
    pub(super) fn withdraws(&self, update: &str) -> Option<bool> {
        if !["Withdrawn", "Unreach"].iter().any(|word| update.contains(word)) {
            return None;
        }
        let mut named = self.before.keys().filter(|prefix| update.contains(prefix.as_str())).peekable();
        named.peek()?;
        Some(named.any(|prefix| self.after.contains_key(prefix)))
    }

    /// Whether its entry is the same before and after.
    pub(super) fn stays(&self, prefix: &str) -> bool {
        self.before.contains_key(prefix) && self.before.get(prefix) == self.after.get(prefix)
    }

    /// The changes of a kernel's table, as `ip` writes them, that are of what does not change: IPv4, IPv6.
    pub(super) fn rewritten(&self, changes: &[RouteChange]) -> [Vec<String>; 2] {
        let same = changes.iter().filter(|change| self.stays(change.prefix()));
        let (v6, v4) = same.map(|change| change.text.clone()).partition(|change| change.contains("fd00:"));
        [v4, v6]
    }

    /// What does not change and was made to go another way than before and after, even for a moment.
    pub(super) fn detours(&self, changes: &[RouteChange]) -> Vec<String> {
        let is_detour = |change: &&RouteChange| {
            let owner = self.before.get(change.prefix());
            let right = owner.is_some_and(|owner| owner.len() == 1 && owner.first().copied() == change.via());
            self.stays(change.prefix()) && !change.is_deletion() && !right
        };
        changes.iter().filter(is_detour).map(|change| change.text.clone()).collect()
    }
}

/// The same with a length for single addresses, which `ip` writes without.
pub(super) fn whole_names(kernel: &PodRoutes) -> PodRoutes {
    let whole = |prefix: &String| match (prefix.contains('/'), prefix.contains(':')) {
        (true, _) => prefix.clone(),
        (false, true) => format!("{prefix}/128"),
        (false, false) => format!("{prefix}/32"),
    };
    kernel.iter().map(|(prefix, via)| (whole(prefix), via.clone())).collect()
}

fn routes_of(owners: &[(&Host, Vec<String>)]) -> PodRoutes {
    let via = |host: &Host, prefix: &String| if prefix.contains(':') { host.v6() } else { host.v4() };
    let pairs = |(host, prefixes): &(&Host, Vec<String>)| {
        prefixes.iter().map(|prefix| (prefix.clone(), via(host, prefix))).collect::<Vec<_>>()
    };
    routes(owners.iter().flat_map(pairs))
}
