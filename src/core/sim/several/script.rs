//! What befalls several replicas and what lies between them, by chance.

use super::super::settings::{self, gateway_name};
use super::super::world::World;
use super::cluster::{Cluster, Event};
use crate::bgp::neighbour::Input as Happens;
use crate::engine::{Command, Holds};
use crate::model::{Family, HostName, Prefix, Time};
use crate::source::{ClusterId, FaultKind};
use crate::table::Target;
use crate::testing::store::name;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Things that happen between two rests, and how often all comes to rest.
const BETWEEN: u64 = 25;
const RESTS: u64 = 2;

/// Who states what: the prefix, the next hop, the store, the host, and the revision of its creation.
pub(super) type Stated = BTreeSet<(Prefix, IpAddr, usize, u8, u64)>;

impl Cluster {
    /// The whole script, to its last rest.
    pub(super) fn run(&mut self) {
        for source in 0..self.sources() {
            for host in 0..self.hosts() {
                self.write(|world| world.put(source, host, 0, &[2 * host, 2 * host + 1]));
            }
        }
        self.worlds.iter_mut().for_each(|world| world.backups = world.stores.clone());
        for r in 0..self.worlds.len() {
            let after = self.dice.millis(0..=3000);
            self.agenda.put(self.now + after, Event::Start(r));
            (0..self.gateways()).for_each(|n| self.worlds[r].tell_gateway(n, Happens::Start));
        }
        self.wait(Duration::from_secs(4));
        if !self.dice.one_in(4) {
            self.rest(false);
        }
        for n in 0..RESTS {
            for _ in 0..self.dice.from(1..=BETWEEN) {
                self.act();
                let pause = match self.dice.from(1..=20) {
                    1 => self.dice.millis(60_000..=400_000),
                    2..=7 => self.dice.millis(1000..=20_000),
                    8..=14 => self.dice.millis(10..=1000),
                    _ => Duration::ZERO,
                };
                self.wait(pause);
            }
            let approve = n + 1 == RESTS || self.dice.one_in(2);
            self.rest(approve);
        }
        self.encore();
    }

    pub(super) fn sources(&self) -> usize {
        self.worlds[0].stores.len()
    }

    fn hosts(&self) -> u8 {
        self.worlds[0].shape.hosts
    }

    pub(super) fn gateways(&self) -> usize {
        self.worlds[0].gateways.len()
    }

    fn act(&mut self) {
        match self.dice.from(1..=100) {
            1..=35 => self.write_something(),
            36..=46 => self.fault_of_a_store(),
            47..=60 => self.fault_of_a_gateway(),
            61..=82 => self.fault_of_a_replica(),
            83..=92 => self.fault_of_the_coordination(),
            _ => {
                self.order_something();
                // Another person orders something else, before they can know of each other.
                if self.dice.one_in(4) {
                    let soon = self.dice.millis(0..=300);
                    self.wait(soon);
                    self.order_something();
                }
            }
        }
    }

    /// Every replica sees the same stores. What is stated otherwise than before may be forwarded otherwise.
    pub(super) fn write(&mut self, change: impl Fn(&mut World)) {
        let before = self.stated();
        self.worlds.iter_mut().for_each(change);
        let stated = self.stated();
        let changed = before.symmetric_difference(&stated).map(|(prefix, ..)| *prefix).collect();
        self.voice.unsettle(&changed);
        self.leftovers.follow(self.now, &stated);
    }

    fn stated(&self) -> Stated {
        let mut stated = Stated::new();
        for (n, store) in self.worlds[0].stores.iter().enumerate() {
            for (host, (what, created, _)) in &store.hosts {
                let claims = what.iter().flat_map(|what| what.claims());
                stated.extend(claims.map(|(prefix, next_hop)| (prefix, next_hop, n, *host, created.0)));
            }
        }
        stated
    }

    pub(super) fn any_host(&mut self) -> u8 {
        self.dice.place(self.hosts().into()) as u8
    }

    fn write_something(&mut self) {
        let (source, host) = (self.dice.place(self.sources()), self.any_host());
        let net = if self.dice.one_in(4) { [1, 2, 9][self.dice.place(3)] } else { 0 };
        match self.dice.from(1..=14) {
            11..=14 => self.borrow(source, host),
            1..=4 => {
                let subnets: Vec<u8> = (0..self.dice.from(0..=3)).map(|_| self.dice.from(0..=59) as u8).collect();
                self.say(|| format!("source {source}: host {host} has {subnets:?} on net {net}"));
                self.write(|world| world.put(source, host, net, &subnets));
            }
            5..=6 => {
                self.say(|| format!("source {source}: host {host} has its own on net {net}"));
                self.write(|world| world.put(source, host, net, &[2 * host, 2 * host + 1]));
            }
            7 => {
                self.say(|| format!("source {source}: host {host} cannot be read"));
                self.write(|world| {
                    world.skip_revisions(source, host);
                    world.stores[source].put(host, None);
                    world.wrote(source);
                });
            }
            8 => self.write(|world| world.delete(source, host)),
            9 => {
                let other = self.any_host();
                self.say(|| format!("source {source}: a subnet moves from host {host} to host {other}"));
                self.write(|world| {
                    world.put(source, other, 0, &[2 * other, 2 * other + 1, 2 * host]);
                    if other != host {
                        world.put(source, host, 0, &[2 * host + 1]);
                    }
                });
            }
            _ => {
                let share = self.dice.from(1..=5);
                for host in 0..self.hosts() {
                    if self.dice.from(1..=5) <= share {
                        self.write(|world| world.delete(source, host));
                    }
                }
            }
        }
    }

    /// A host borrows addresses from another's subnet, and gives them back; something may happen in between.
    fn borrow(&mut self, source: usize, host: u8) {
        let n = self.dice.from(0..=u64::from(settings::SPECIFICS) - 1) as u8;
        self.say(|| format!("source {source}: host {host} borrows of subnet {n}"));
        self.write(|world| world.put(source, host, 0, &[2 * host, 2 * host + 1, settings::SPECIFIC + n]));
        let span = self.dice.millis(500..=15_000);
        self.wait(span);
        match self.dice.from(1..=8) {
            1..=2 => self.fault_of_a_replica(),
            3 => self.fault_of_a_gateway(),
            4..=5 => self.fault_of_a_store(),
            6 => self.fault_of_the_coordination(),
            _ => {}
        }
        let span = self.dice.millis(0..=3000);
        self.wait(span);
        self.say(|| format!("source {source}: host {host} gives back what it has borrowed"));
        self.write(|world| world.put(source, host, 0, &[2 * host, 2 * host + 1]));
    }

    fn fault_of_a_store(&mut self) {
        let (n, r) = (self.dice.place(self.sources()), self.dice.place(self.worlds.len()));
        match self.dice.from(1..=10) {
            1..=3 => {
                let kinds = [FaultKind::Unreachable, FaultKind::Denied, FaultKind::Malformed, FaultKind::Tls];
                let kind = kinds[self.dice.place(kinds.len())];
                if self.worlds[r].stopped().is_none() {
                    self.say(|| format!("source {n} fails for replica {r}: {kind:?}"));
                    self.worlds[r].fail(n, kind);
                }
            }
            4 => {
                self.say(|| format!("source {n} falls silent for replica {r}"));
                self.worlds[r].faults[n].is_silent = true;
            }
            5 => self.worlds.iter_mut().for_each(|world| world.stores[n].compact()),
            6 => self.worlds[r].faults[n].repeats += 2,
            7 => self.worlds[r].faults[n].overtakes = true,
            8 => self.worlds.iter_mut().for_each(|world| world.backups[n] = world.stores[n].clone()),
            9 => {
                let cluster = self.dice.one_in(2).then(|| ClusterId(self.dice.from(1..=9)));
                if self.worlds.iter().all(|world| world.stopped().is_none()) {
                    self.voice.unsettle_all();
                    self.leftovers.forget();
                    self.has_restored = true;
                    self.write(|world| world.restore(n, cluster));
                }
            }
            _ => {
                let has_none = self.dice.one_in(2);
                self.say(|| format!("replica {r} reaches the stores no more: {has_none}"));
                let world = &mut self.worlds[r];
                world.part.iter_mut().for_each(|part| part.has_no_store = has_none);
                (0..world.stores.len()).for_each(|n| world.wake(n));
            }
        }
    }

    fn fault_of_a_gateway(&mut self) {
        let (n, r) = (self.dice.place(self.gateways()), self.dice.place(self.worlds.len()));
        match self.dice.from(1..=9) {
            1 => {
                self.say(|| format!("gateway {n} does not read"));
                for world in &mut self.worlds {
                    world.gateways[n].is_stuck = true;
                    world.judge.gateways[n].healthy_since = None;
                }
            }
            2 => self.worlds.iter_mut().for_each(|world| world.unstick(n)),
            3 => {
                self.say(|| format!("the session between replica {r} and gateway {n} breaks"));
                self.worlds[r].cut(n);
            }
            4 => {
                self.say(|| format!("replica {r} and gateway {n} hear nothing of each other, and nobody is told"));
                let wires = self.worlds[r].wires.values_mut().filter(|wire| wire.gateway == n);
                wires.for_each(|wire| wire.is_silent = true);
            }
            5 => {
                self.say(|| format!("gateway {n} is switched off"));
                self.worlds.iter_mut().for_each(|world| world.crash(n));
            }
            6..=7 => self.worlds.iter_mut().for_each(|world| world.power_on(n)),
            8 => {
                let family = Family::ALL[self.dice.place(2)];
                self.worlds.iter_mut().for_each(|world| world.ask_refresh(n, family));
            }
            _ => {
                let is_cut = self.dice.one_in(2);
                self.say(|| format!("replica {r} reaches no gateway any more: {is_cut}"));
                let world = &mut self.worlds[r];
                world.part.iter_mut().for_each(|part| part.is_cut_off = is_cut);
                world.wires.values_mut().for_each(|wire| wire.is_silent |= is_cut);
            }
        }
    }

    fn fault_of_a_replica(&mut self) {
        let leader = self.leader().filter(|_| self.dice.one_in(2));
        let r = leader.unwrap_or_else(|| self.dice.place(self.worlds.len()));
        match self.dice.from(1..=17) {
            1 => {
                let world = &mut self.worlds[r];
                world.disk_works = !world.disk_works;
                self.say(|| format!("the disk of replica {r} fails, or works again"));
            }
            2 => {
                self.say(|| format!("replica {r} and its disk are gone"));
                self.kill(r);
                self.lose_disk(r);
                self.voice.behind.insert(r);
                self.start_later(r);
            }
            3..=5 => {
                self.say(|| format!("replica {r} hands over"));
                self.hand_over(r);
                self.start_later(r);
            }
            6..=8 => {
                let span = self.dice.millis(100..=30_000);
                self.say(|| format!("replica {r} is stopped for {span:?}"));
                self.worlds[r].stop(self.now + span);
            }
            9 => self.upgrade(),
            10 => self.reload(),
            11 => {
                let forward = self.dice.one_in(2);
                self.say(|| format!("the wall clock of replica {r} is set by an hour, forward: {forward}"));
                self.worlds[r].set_wall_clock(forward);
            }
            12..=13 => self.kill_before_it_has_written(r),
            _ => {
                self.say(|| format!("replica {r} is killed"));
                self.kill(r);
                self.start_later(r);
            }
        }
    }

    /// It has told what is new, and not written it down: the next process knows it from the store alone.
    fn kill_before_it_has_written(&mut self, r: usize) {
        let (host, n) = (self.any_host(), self.dice.from(24..=55) as u8);
        self.say(|| format!("source 0: host {host} has {n} besides, and soon replica {r} is killed and begins again"));
        self.write(|world| world.put(0, host, 0, &[2 * host, 2 * host + 1, n]));
        let span = self.dice.millis(200..=2000);
        self.wait(span);
        self.kill(r);
        self.agenda.put(self.now + Duration::from_millis(100), Event::Start(r));
    }

    /// Who leads, as far as it knows itself.
    pub(super) fn leader(&self) -> Option<usize> {
        let leads = |r: &usize| matches!(self.worlds[*r].role(), crate::engine::Role::Leader { .. });
        (0..self.worlds.len()).find(leads)
    }

    fn start_later(&mut self, r: usize) {
        let after = if self.dice.one_in(4) { self.dice.millis(20_000..=300_000) } else { self.dice.millis(0..=5000) };
        // One that ends for good may take so long to do it.
        self.agenda.put(self.now + Duration::from_secs(4) + after, Event::Start(r));
    }

    /// One after the other is replaced.
    fn upgrade(&mut self) {
        self.say(|| "every replica is upgraded, one after the other".into());
        for r in 0..self.worlds.len() {
            self.hand_over(r);
            self.agenda.put(self.now + Duration::from_secs(4), Event::Start(r));
            let pause = self.dice.millis(5000..=40_000);
            self.wait(pause);
        }
    }

    /// One after the other reads another configuration; whoever does not run, when it starts.
    fn reload(&mut self) {
        if self.worlds.iter().any(|world| world.stopped().is_some()) {
            return;
        }
        let variant = self.dice.from(0..=2) as u8;
        self.voice.unsettle_all();
        for r in 0..self.worlds.len() {
            self.worlds[r].reload_to(variant);
            let pause = self.dice.millis(0..=3000);
            self.wait(pause);
        }
    }

    fn fault_of_the_coordination(&mut self) {
        let r = self.dice.place(self.seats.len());
        match self.dice.from(1..=9) {
            1 => {
                self.say(|| "the coordination store's members elect another leader".into());
                self.with_coordination(|store, now| store.elect(now));
            }
            2 => {
                self.quorum_lost = !self.quorum_lost;
                let lost = self.quorum_lost;
                self.say(|| format!("the coordination store has no quorum: {lost}"));
            }
            3..=4 => {
                self.seats[r].is_cut = !self.seats[r].is_cut;
                let is_cut = self.seats[r].is_cut;
                self.say(|| format!("replica {r} does not reach the coordination store: {is_cut}"));
            }
            5 => self.mislead(),
            6 => self.be_late(),
            7 => self.put_coordination_back(),
            _ => self.seats[r].loses = [0, 5, 40][self.dice.place(3)],
        }
    }

    /// Of the coordination store stands there again what stood there once: orders, status records, or both; or that is remembered. And
    /// sometimes there is more among the orders, by then, than is listed.
    fn put_coordination_back(&mut self) {
        match self.dice.from(1..=5) {
            drawn @ 1..=2 => {
                (self.older_shelf, self.older_board) = (self.shelf.clone(), self.board.clone());
                if drawn == 2 {
                    self.crowd_orders();
                }
            }
            3 => self.lose_orders(),
            4 => self.lose_status(),
            _ => {
                self.lose_orders();
                self.lose_status();
            }
        }
    }

    /// A member of the coordination store is cut off when the others elect, and goes on to confirm the leader's renewals.
    fn mislead(&mut self) {
        let Some(r) = self.leader() else { return };
        let span = self.dice.millis(5000..=30_000);
        self.say(|| format!("a member that is cut off confirms the renewals of replica {r} for {span:?}"));
        self.with_coordination(|store, now| store.elect(now));
        self.seats[r].misled = self.now + span;
    }

    /// The leader's answers come just before it gives them up, and then it is cut off.
    fn be_late(&mut self) {
        let Some(r) = self.leader() else { return };
        self.say(|| format!("what replica {r} hears of the coordination store is late, and then nothing any more"));
        self.seats[r].is_late = true;
        let span = self.dice.millis(5000..=20_000);
        self.wait(span);
        (self.seats[r].is_late, self.seats[r].is_cut) = (false, true);
        self.wait(Duration::from_secs(12));
        self.seats[r].is_cut = false;
    }

    fn order_something(&mut self) {
        let host = HostName::new(&name(self.any_host())).unwrap();
        let prefix = settings::prefix(self.dice.from(0..=55) as u8);
        let target = if self.dice.one_in(2) { Target::Host(host) } else { Target::Prefix(prefix) };
        let answering = self.answering();
        if answering.is_empty() {
            return;
        }
        let r = answering[self.dice.place(answering.len())];
        let forced = self.worlds[r].forced.first().cloned();
        let gateway = Arc::from(gateway_name(self.dice.place(self.gateways())));
        let command = match self.dice.from(1..=14) {
            1..=2 => Command::Freeze,
            3..=4 => Command::Unfreeze,
            5..=6 => Command::Approve(Holds::All),
            7 => Command::Deny(Holds::Prefix(prefix)),
            8 => Command::Withdraw(target),
            11..=12 => Command::Drain(gateway),
            13..=14 => Command::Undrain(gateway),
            _ => forced.map_or(Command::Unfreeze, Command::Restore),
        };
        self.order(r, &command);
    }

    /// See [`World::approve_additions`].
    pub(super) fn approve_additions(&mut self) {
        for r in self.running() {
            self.worlds[r].approve_additions();
            self.exchange_soon(r);
        }
    }

    /// Since then nothing is stopped any more.
    pub(super) fn wake_all(&mut self, now: Time) {
        for part in self.worlds.iter_mut().filter_map(|world| world.part.as_mut()) {
            part.stopped = part.stopped.map(|_| now);
        }
    }
}
