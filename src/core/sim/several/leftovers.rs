//! No leftover of another replica draws traffic from an owner (P5): where a more-specific prefix is withdrawn that another replica may
//! still have a gateway hold, the gateway goes by what covers it, as the leader says, or a standby at a gateway that has left the leader.

use super::super::settings::{gateway_name, specifics};
use super::cluster::Cluster;
use super::script::Stated;
use crate::model::{Prefix, Time};
use crate::replicas::ReportedRole;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);
/// How long a leader may take to hear of a withdrawal, and how long a gateway may go by what is left.
const NEWS: Duration = Duration::from_secs(10);
const LAG: Duration = Duration::from_secs(5);

/// By more-specific prefixes.
#[derive(Default)]
pub(super) struct Leftovers {
    /// Since when somebody states it.
    stated: BTreeMap<Prefix, Time>,
    /// Since when nobody does any more, and since when somebody did before.
    withdrawn: BTreeMap<Prefix, (Time, Time)>,
    /// When a process of a replica had a gateway hold it last.
    told: BTreeMap<(usize, u64, usize, Prefix), Time>,
    /// Which gateways go by another replica's path that this process is to override, and since when.
    astray: BTreeMap<(usize, Prefix), (u64, Time)>,
    looks: Time,
}

impl Leftovers {
    /// The stores state this now.
    pub(super) fn follow(&mut self, now: Time, stated: &Stated) {
        for (specific, _) in specifics() {
            if stated.iter().any(|(prefix, ..)| *prefix == specific) {
                self.stated.entry(specific).or_insert(now);
                self.withdrawn.remove(&specific);
            } else if let Some(began) = self.stated.remove(&specific) {
                self.withdrawn.insert(specific, (now, began));
            }
        }
    }

    /// A store was put back: nobody can say what each replica knows of it.
    pub(super) fn forget(&mut self) {
        *self = Leftovers { looks: self.looks, ..Leftovers::default() };
    }
}

impl Cluster {
    /// These may be told otherwise than before.
    pub(super) fn follow_leftovers(&mut self, touched: &BTreeSet<(usize, Option<Prefix>)>) {
        for (specific, _) in specifics() {
            let concerned = touched.iter().filter(|(_, prefix)| prefix.is_none_or(|prefix| prefix == specific));
            for (n, _) in concerned {
                for (r, world) in self.worlds.iter().enumerate() {
                    // The gateway may not have missed the session of the process before.
                    let has_session = world.process.as_ref().is_some_and(|process| process.peers[*n].session.is_some());
                    if has_session && world.gateways[*n].table.keeps(specific) {
                        self.leftovers.told.insert((r, self.seats[r].life, *n, specific), self.now);
                    }
                }
            }
        }
        if self.now < self.leftovers.looks {
            return;
        }
        self.leftovers.looks = self.now + EVERY;
        for n in 0..self.gateways() {
            for (specific, cover) in specifics() {
                let Some((speaker, other)) = self.goes_by_leftover(n, specific, cover) else {
                    self.leftovers.astray.remove(&(n, specific));
                    continue;
                };
                let of = (self.seats[speaker].life, self.now);
                let astray = self.leftovers.astray.entry((n, specific)).or_insert(of);
                if astray.0 != of.0 {
                    *astray = of;
                }
                assert!(
                    self.now.since(astray.1) < LAG,
                    "P5: gateway {n} goes by what replica {other} has left of {specific}, and {speaker} does not override it"
                );
            }
        }
    }

    /// Whose path to a prefix without owner a gateway prefers, and who should have it go by what covers it.
    fn goes_by_leftover(&self, n: usize, specific: Prefix, cover: Prefix) -> Option<(usize, usize)> {
        let (since, began) = *self.leftovers.withdrawn.get(&specific)?;
        if self.now.since(since) < NEWS {
            return None;
        }
        let leader = self.leader()?;
        let speaks = |r: &usize| self.can_tell(*r, n, cover) && (*r == leader || self.knows_left(*r, leader, n));
        let speaker = std::iter::once(leader).chain(0..self.worlds.len()).find(speaks)?;
        let world = &self.worlds[speaker];
        let gateway = &world.gateways[n];
        let covers = gateway.table.route(cover).filter(|_| gateway.table.keeps(cover))?;
        // It has known of the prefix since it is stated.
        let told = self.leftovers.told.get(&(speaker, self.seats[speaker].life, n, specific));
        told.filter(|told| **told >= began)?;
        let best = self.best(n, specific)?;
        let other = best.replica;
        if other == speaker || best.said.next_hop() == covers.next_hop() {
            return None;
        }
        // A standby cannot beat a better path that is as good as ever: a leader's that is kept by plain graceful restart, whose session the
        // gateway has not missed yet, or that does not reach the coordination store; or that of a standby with a better number.
        if speaker != leader && !best.is_stale && best.said.rank() < covers.rank() {
            return None;
        }
        // A process that begins with an old snapshot says what that has until it has read its sources and knows who leads.
        let began_since = self.worlds[other].knows.iter().any(|knows| knows.started >= since);
        // One that was gone for so long is taken for dead.
        let stale = world.shape.others.stale;
        let is_past = match self.known(speaker, other) {
            Some(known) => known.gone.is_some_and(|gone| self.now.since(gone) >= stale),
            None => world.knows.last().is_none_or(|knows| self.now.since(knows.started) >= stale),
        };
        (!began_since && !is_past).then_some((speaker, other))
    }

    /// Whether what it decides reaches the gateway.
    fn can_tell(&self, r: usize, n: usize, cover: Prefix) -> bool {
        let world = &self.worlds[r];
        let gateway = &world.gateways[n];
        let is_silent = world.wires.values().any(|wire| wire.gateway == n && wire.is_silent);
        let is_reached = gateway.session.is_some() && !gateway.is_stuck && !world.is_cut_off() && !is_silent;
        let decides = !world.is_unsure() && world.judge.frozen.is_none() && world.stopped().is_none();
        is_reached && decides && gateway.table.is_synchronised(cover.family())
    }

    /// Whether it has read that the leader has no session with the gateway.
    fn knows_left(&self, r: usize, leader: usize, n: usize) -> bool {
        let Some(known) = self.known(r, leader) else { return false };
        let has = known.report.sessions.gateways.contains(&gateway_name(n));
        known.gone.is_none() && known.report.role == ReportedRole::Leader && !has
    }
}
