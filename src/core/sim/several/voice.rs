//! One voice (P7), and what a gateway forwards (P2, P10): held against every step.
//!
//! A gateway chooses among the paths of all replicas as RFC 4271 §9.1.2 and RFC 9494 §4.3 say. What was stated all the time
//! since its last rest, by one owner, it must forward to that owner all the time, whoever leads.

use super::super::process::Process;
use super::super::settings::all_prefixes;
use super::super::world::World;
use super::cluster::Cluster;
use super::seat::identity;
use crate::election::LeaderRecord;
use crate::model::{Instance, Prefix, Replica, Term};
use crate::source::sync::Seen;
use crate::testing::Said;
use crate::view::Stamp;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub(super) struct Voice {
    /// Who has led in each term.
    led: BTreeMap<Term, Instance>,
    /// What the leader key holds, and what that says.
    holder: Option<(Bytes, LeaderRecord)>,
    /// What each gateway has to forward, and to whom, whatever befalls the replicas.
    pub(super) settled: Vec<BTreeMap<Prefix, IpAddr>>,
    /// Who was not there at the last rest, or has lost its disk since, and has not taken in since what its stores say: all that it knows may be
    /// older, or a part.
    pub(super) behind: BTreeSet<usize>,
}

/// The path of one replica.
pub(super) struct Path<'a> {
    pub(super) replica: usize,
    pub(super) is_stale: bool,
    pub(super) said: &'a Said,
}

impl Voice {
    pub(super) fn new(gateways: usize) -> Self {
        Voice { led: BTreeMap::new(), holder: None, settled: vec![BTreeMap::new(); gateways], behind: BTreeSet::new() }
    }

    /// These may be forwarded otherwise from now on.
    pub(super) fn unsettle(&mut self, prefixes: &BTreeSet<Prefix>) {
        self.settled.iter_mut().for_each(|settled| settled.retain(|prefix, _| !prefixes.contains(prefix)));
    }

    pub(super) fn unsettle_all(&mut self) {
        self.settled.iter_mut().for_each(BTreeMap::clear);
    }
}

impl Cluster {
    /// After every step.
    pub(super) fn listen(&mut self) {
        self.read_holder();
        self.check_leaders();
        self.check_begun();
        self.check_vouched();
        self.voice.behind.retain(|r| !self.worlds[*r].has_taken_in());
        let touched: BTreeSet<(usize, Option<Prefix>)> =
            self.worlds.iter_mut().flat_map(|world| std::mem::take(&mut world.touched)).collect();
        for (n, prefix) in &touched {
            match prefix {
                None => all_prefixes().for_each(|prefix| self.check_forwarding(*n, prefix)),
                Some(prefix) if !touched.contains(&(*n, None)) => self.check_forwarding(*n, *prefix),
                Some(_) => {}
            }
        }
        self.follow_leftovers(&touched);
    }

    fn read_holder(&mut self) {
        let value = self.coordination.leader.as_ref().map(|(value, _)| value);
        if value != self.voice.holder.as_ref().map(|(value, _)| value) {
            self.voice.holder = value.and_then(|value| Some((value.clone(), LeaderRecord::decode(value)?)));
        }
    }

    /// At most one leads within its deadline, and holds the leader key; each in a term of its own that is higher than all before.
    fn check_leaders(&mut self) {
        let mut leaders = Vec::new();
        let holder = self.voice.holder.as_ref().map(|(_, holder)| holder);
        for (r, seat) in self.seats.iter().enumerate() {
            let (Some(election), Some(part)) = (&seat.election, &self.worlds[r].part) else { continue };
            let local = part.boottime.local(self.now);
            if let Some(term) = election.leadership(local).leads(local) {
                leaders.push((r, term, Instance(seat.life.into())));
                let me = Replica { identity: identity(r), instance: Instance(seat.life.into()) };
                let is_holder = holder.is_some_and(|holder| holder.replica == me && holder.term == term);
                assert!(is_holder, "P7: replica {r} may lead in term {term}, and the leader key says {holder:?}");
                assert!(seat.disk >= term, "P7: replica {r} leads in term {term}, which a restart would forget");
            }
        }
        assert!(leaders.len() <= 1, "P7: at once lead {leaders:?}");
        for (r, term, instance) in leaders {
            let newest = self.voice.led.last_key_value().map(|(term, _)| *term);
            let before = self.voice.led.insert(term, instance);
            assert!(before.is_none_or(|before| before == instance), "P7: two have led in term {term}");
            assert!(
                newest.is_none_or(|newest| newest <= term),
                "P7: replica {r} leads in term {term}, after {newest:?}"
            );
        }
    }

    /// What is begun with a leader's stamp is begun by who holds the leader key, in its term.
    fn check_begun(&mut self) {
        let leader = self.voice.holder.as_ref().map(|(_, leader)| leader);
        for (r, world) in self.worlds.iter_mut().enumerate() {
            let Some(part) = &mut world.part else { continue };
            for stamp in part.begun.drain(..) {
                let Stamp::Leader { term } = stamp else { continue };
                let is_leader =
                    leader.is_some_and(|leader| leader.replica.identity == identity(r) && leader.term.get() == term);
                assert!(is_leader, "P7: replica {r} begins a message as leader of term {term}, and {leader:?} leads");
            }
        }
    }

    /// All paths for it at a gateway.
    pub(super) fn paths(&self, n: usize, prefix: Prefix) -> Vec<Path<'_>> {
        let mut paths = Vec::new();
        for (replica, world) in self.worlds.iter().enumerate() {
            let gateway = &world.gateways[n];
            if let Some(said) = gateway.table.route(prefix) {
                paths.push(Path { replica, is_stale: gateway.is_long_lived_stale(prefix), said });
            }
        }
        paths
    }

    /// The best path: not a long-lived stale one, then by preference, then of the lower router ID.
    pub(super) fn best(&self, n: usize, prefix: Prefix) -> Option<Path<'_>> {
        self.paths(n, prefix).into_iter().min_by_key(|path| (path.is_stale, path.said.rank(), path.replica))
    }

    /// From now on nobody may lead that was away and has not taken in what its stores say.
    pub(super) fn excuse_nobody(&mut self) {
        self.voice.behind.clear();
        for n in 0..self.gateways() {
            all_prefixes().for_each(|prefix| self.check_forwarding(n, prefix));
        }
    }

    fn check_forwarding(&self, n: usize, prefix: Prefix) {
        let paths = self.paths(n, prefix);
        for (i, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_stale) {
            let equal = |other: &&Path<'_>| !other.is_stale && other.said.rank() == path.said.rank();
            if let Some(other) = paths[i + 1..].iter().find(equal) {
                panic!(
                    "P7: gateway {n} prefers neither replica {}'s path for {prefix} nor {}'s",
                    path.replica, other.replica
                );
            }
        }
        let Some(next_hop) = self.voice.settled[n].get(&prefix) else { return };
        let told = |world: &World| {
            let gateway = &world.gateways[n];
            gateway.session.is_some() && gateway.table.is_synchronised(prefix.family())
        };
        // A process that knows nothing yet may say what it has read; it gives nobody an End-of-RIB.
        let Some(teller) = self.worlds.iter().position(told) else { return };
        let Some(path) = self.best(n, prefix) else {
            panic!("P2: gateway {n} forwards {prefix} no more, and replica {teller} has told it all");
        };
        let is_so = path.said.next_hop() == *next_hop;
        let world = &self.worlds[path.replica];
        // One without its disk has nothing to compare with.
        let remembers = world.knows.last().is_some_and(|knows| knows.remembers.iter().all(|is| *is));
        // Or a process that ended kept it back, and the gateway keeps what it said.
        let kept_back = || {
            let by_one_that_ended = !told(world) && world.knows.iter().any(|knows| knows.held.contains(&prefix));
            by_one_that_ended || world.holds().iter().any(|hold| hold.prefix == prefix)
        };
        // Somebody has to lead if nobody else does, and a leader's old snapshot is preferred as what it says otherwise is; what a
        // standby says of one is not.
        let is_behind = self.voice.behind.contains(&path.replica) && path.said.is_of_leader();
        assert!(
            is_so || !remembers || kept_back() || is_behind,
            "P7: gateway {n} forwards {prefix} otherwise, as replica {} says, and nothing has changed",
            path.replica
        );
    }
}

impl World {
    /// Whether its process has read all its sources and believes them, and may decide what they say.
    fn has_taken_in(&self) -> bool {
        let is_current =
            |process: &Process| process.engine.source_rows().iter().all(|row| matches!(row.seen, Seen::Current { .. }));
        self.process.as_ref().is_some_and(is_current) && !self.is_unsure() && self.judge.frozen.is_none()
    }
}
