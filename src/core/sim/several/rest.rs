//! Faults stop, and all comes to rest: one leads, and every gateway goes by what it says (P5, P7).

use super::super::rest::{ASKS, PATIENCE};
use super::super::settings::all_prefixes;
use super::super::world::World;
use super::cluster::{Cluster, Event};
use crate::engine::{Command, Holds, Role};
use crate::model::{Prefix, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

impl Cluster {
    /// To rest and judged; with `approve`, also once a person has let everything pass. One that is dead may stay so.
    pub(super) fn rest(&mut self, approve: bool) {
        let is_dead = |r: &usize| self.worlds[*r].process.is_none();
        let dead = (0..self.worlds.len()).find(is_dead);
        let absent = dead.filter(|_| self.dice.one_in(2));
        self.rest_without(absent, approve);
    }

    /// The same, and this one stays dead.
    pub(super) fn rest_without(&mut self, absent: Option<usize>, approve: bool) {
        self.heal(absent);
        self.settle(absent);
        let has_reload = |r: &usize| {
            self.worlds[*r].process.as_ref().is_some_and(|process| !process.engine.reload_holds().is_empty())
        };
        // Its configuration is each replica's own.
        let reloading: Vec<usize> = self.running().into_iter().filter(has_reload).collect();
        if !reloading.is_empty() {
            reloading.into_iter().for_each(|r| self.order(r, &Command::Approve(Holds::Reload)));
            self.settle(absent);
        }
        self.check_at_rest(absent);
        if !approve {
            return;
        }
        // Each replica's guard may hold what no other one does.
        for _ in 0..5 * self.worlds.len() {
            let holding = self.running().into_iter().filter(|r| !self.worlds[*r].holds().is_empty());
            let holding: Vec<usize> = holding.collect();
            if holding.is_empty() {
                return;
            }
            let r = holding[self.dice.place(holding.len())];
            self.order(r, &Command::Approve(Holds::All));
            self.settle(absent);
            self.check_at_rest(absent);
        }
        panic!("P3: a person approves all, and still these are held: {:?}", self.held());
    }

    /// Faults stop.
    fn heal(&mut self, absent: Option<usize>) {
        self.say(|| "faults stop".into());
        (self.quorum_lost, self.shelf.most) = (false, None);
        for seat in &mut self.seats {
            (seat.is_cut, seat.loses, seat.is_late, seat.misled) = (false, 0, false, Time::ZERO);
        }
        self.wake_all(self.now);
        self.agenda.forget(|event| matches!(event, Event::Start(r) if Some(*r) == absent));
        for r in (0..self.worlds.len()).filter(|r| Some(*r) != absent) {
            let world = &mut self.worlds[r];
            world.disk_works = true;
            world.part.iter_mut().for_each(|part| (part.is_cut_off, part.has_no_store) = (false, false));
            self.start(r);
        }
        self.wait(Duration::from_secs(5));
        self.write(World::heal_sources);
        self.unfreeze();
        for n in 0..self.gateways() {
            // One that stays stuck must not matter to the others (P6).
            let reads = self.worlds[0].gateways[n].is_down || !self.dice.one_in(4);
            self.worlds.iter_mut().for_each(|world| world.heal_gateway(n, reads));
        }
    }

    /// What is frozen, at any replica that runs.
    fn unfreeze(&mut self) {
        let running = self.running();
        if running.iter().any(|r| self.worlds[*r].judge.frozen.is_some()) {
            let r = running[self.dice.place(running.len())];
            self.order(r, &Command::Unfreeze);
        }
    }

    fn settle(&mut self, absent: Option<usize>) {
        let until = self.now + PATIENCE;
        let mut asks = Some(self.now + ASKS);
        // What was lost without a trace heals with the next reconcile.
        let has_lost = self.worlds.iter_mut().any(|world| std::mem::take(&mut world.has_lost));
        self.worlds.iter_mut().for_each(|world| world.has_lost = false);
        self.wait(Duration::from_secs(if has_lost { 400 } else { 15 }));
        loop {
            let unrest = self.unrest(absent);
            if unrest.is_empty() {
                return;
            }
            assert!(self.now < until, "P5: it does not come to rest: {unrest}");
            // Of a freeze that somebody had ordered before, and that was on its way.
            self.unfreeze();
            self.wait(Duration::from_secs(5));
            let is_verified = self.running().into_iter().all(|r| self.worlds[r].is_verified());
            if asks.is_some_and(|at| at <= self.now) && !is_verified {
                asks = None;
                self.approve_additions();
            }
        }
    }

    /// What is still going on.
    fn unrest(&self, absent: Option<usize>) -> String {
        let running = self.running();
        if running.len() + usize::from(absent.is_some()) < self.worlds.len() {
            return "not all run".into();
        }
        let roles: Vec<Role> = running.iter().map(|r| self.worlds[*r].role()).collect();
        let Some(term) = self.leader().and_then(|r| self.worlds[r].role().term()) else {
            return format!("nobody leads: {roles:?}");
        };
        if roles.iter().any(|role| role.term() != Some(term)) {
            return format!("not all know who leads: {roles:?}");
        }
        let unrest = self.unrest_of_orders();
        if !unrest.is_empty() {
            return unrest;
        }
        // One that holds something back is waited for.
        let holds = |r: &usize| !self.worlds[*r].holds().is_empty();
        let overrides = |r: &usize| !self.worlds[*r].overridden().is_empty();
        if let Some(r) = running.iter().find(|r| overrides(r)).filter(|_| !running.iter().any(holds)) {
            return format!("replica {r} announces {:?} like what covers it", self.worlds[*r].overridden());
        }
        let unrest = self.unrest_of_status();
        if !unrest.is_empty() {
            return unrest;
        }
        for r in running {
            let unrest = self.worlds[r].unrest();
            if !unrest.is_empty() {
                return format!("replica {r}: {unrest}");
            }
        }
        for n in 0..self.gateways() {
            // Kept for as long as the gateway keeps it, and no longer.
            if absent.is_some_and(|r| !self.worlds[r].gateways[n].table.routes().is_empty()) {
                return format!("gateway {n} keeps what {absent:?} said");
            }
        }
        String::new()
    }

    /// Which changes of which prefixes any replica keeps back.
    fn held(&self) -> BTreeSet<Prefix> {
        self.running().into_iter().flat_map(|r| self.worlds[r].holds()).map(|hold| hold.prefix).collect()
    }

    /// What a person has denied at one is denied at all that hold it.
    fn check_denied(&mut self, running: &[usize]) {
        if std::mem::take(&mut self.has_restored) {
            return;
        }
        let mut denied = BTreeMap::new();
        for r in running {
            for hold in self.worlds[*r].holds() {
                let change = (hold.prefix, hold.from.map(|(_, from)| from), hold.to.map(|(_, to)| to));
                let (other, is_denied) = *denied.entry(change).or_insert((*r, hold.denied));
                let prefix = hold.prefix;
                assert_eq!(is_denied, hold.denied, "P3: is it denied at replicas {other} and {r}, for {prefix}?");
            }
        }
    }

    fn check_at_rest(&mut self, absent: Option<usize>) {
        let running = self.running();
        let leaders = running.iter().filter(|r| matches!(self.worlds[**r].role(), Role::Leader { .. })).count();
        assert_eq!(leaders, 1, "P7: at rest {leaders} lead");
        for r in &running {
            self.worlds[*r].check_at_rest();
            self.worlds[*r].check_orders();
            self.worlds[*r].excuse_awaited();
        }
        let Some(leader) = self.leader() else { return };
        let orders: BTreeSet<_> = running.iter().map(|r| self.worlds[*r].forced.clone()).collect();
        assert_eq!(orders.len(), 1, "P3: at rest different things are withdrawn by order at the replicas");
        self.check_denied(&running);
        self.check_agreement();
        // Replicas are free to differ in what their guards keep back.
        let held = self.held();
        // What is announced like what covers it: by the leader, or by a standby at gateways that may have left that one.
        let overridden: Vec<_> = self.worlds.iter().map(World::overridden).collect();
        self.voice.unsettle_all();
        self.voice.behind = absent.into_iter().collect();
        for n in (0..self.gateways()).filter(|n| !self.worlds[leader].gateways[*n].is_stuck) {
            let mut settled = BTreeMap::new();
            for prefix in all_prefixes() {
                let Some(best) = self.best(n, prefix) else { continue };
                let said = self.worlds[leader].gateways[n].table.route(prefix);
                assert!(
                    said.is_none() || best.replica == leader,
                    "P7: gateway {n} goes by replica {} for {prefix}, and {leader} leads",
                    best.replica
                );
                let is_held = held.contains(&prefix);
                assert!(
                    said.is_some() || is_held || overridden[best.replica].contains_key(&prefix),
                    "P5: gateway {n} forwards {prefix} as replica {} says, and the leader does not",
                    best.replica
                );
                let is_common = self.paths(n, prefix).len() == running.len();
                if is_common && !is_held && !overridden.iter().any(|of| of.contains_key(&prefix)) {
                    settled.insert(prefix, best.said.next_hop());
                }
            }
            self.voice.settled[n] = settled;
        }
        self.say(|| format!("at rest, replica {leader} leads, absent: {absent:?}"));
        // What happens from now on happens after it.
        self.wait(Duration::from_millis(1));
    }
}
