//! What befalls a world: writes, faults, restarts and orders, by chance.

use super::gateway::Model;
use super::settings;
use super::world::{Event, World};
use crate::bgp::neighbour::Input as Happens;
use crate::engine::{Command, Holds, Orders};
use crate::model::{Family, GatewayId, HostName, Prefix, SourceId};
use crate::source::{ClusterId, FaultKind};
use crate::table::{ChangeKind, Target};
use crate::testing::store::name;
use std::sync::Arc;
use std::time::Duration;

/// Things that happen between two rests, and how often all comes to rest.
const BETWEEN: u64 = 40;
const RESTS: u64 = 3;
/// Writes of a storm.
const STORM: usize = 2500;

/// Whether an order is about this route.
pub(super) fn covers(target: &Target, prefix: Prefix, host: &str) -> bool {
    match target {
        Target::Prefix(wanted) => *wanted == prefix,
        Target::Host(wanted) => wanted.as_str() == host,
    }
}

impl World {
    /// The whole script, to its last rest.
    pub(super) fn run(&mut self) {
        for source in 0..self.stores.len() {
            for host in 0..self.shape.hosts {
                self.put(source, host, 0, &[2 * host, 2 * host + 1]);
            }
            self.backups[source] = self.stores[source].clone();
        }
        self.agenda.put(self.now, Event::Start);
        (0..self.gateways.len()).for_each(|n| self.tell_gateway(n, Happens::Start));
        if self.dice.one_in(2) {
            self.rest(false);
        }
        for n in 0..RESTS {
            for _ in 0..self.dice.from(1..=BETWEEN) {
                self.act();
                let pause = match self.dice.from(1..=20) {
                    1 => self.dice.millis(60_000..=900_000),
                    2..=5 => self.dice.millis(1000..=40_000),
                    6..=12 => self.dice.millis(10..=1000),
                    _ => Duration::ZERO,
                };
                self.wait(pause);
            }
            if n + 1 == RESTS && self.seed % 16 == 5 && !self.shape.guarded {
                self.storm();
            }
            let approve = n + 1 == RESTS || self.dice.one_in(2);
            self.rest(approve);
        }
        self.encore();
    }

    fn act(&mut self) {
        match self.dice.from(1..=100) {
            1..=45 => self.write_something(),
            46..=60 => self.fault_of_a_store(),
            61..=75 => self.fault_of_a_gateway(),
            76..=82 => self.fault_of_the_process(),
            _ => self.order_something(),
        }
    }

    fn write_something(&mut self) {
        let (source, host) = (self.dice.place(self.stores.len()), self.any_host());
        let net = if self.dice.one_in(4) { [1, 2, 9][self.dice.place(3)] } else { 0 };
        match self.dice.from(1..=12) {
            1..=4 => {
                let subnets: Vec<u8> = (0..self.dice.from(0..=3)).map(|_| self.dice.from(0..=59) as u8).collect();
                self.say(|| format!("source {source}: host {host} has {subnets:?} on net {net}"));
                self.put(source, host, net, &subnets);
            }
            5..=6 => {
                self.say(|| format!("source {source}: host {host} has its own on net {net}"));
                self.put(source, host, net, &[2 * host, 2 * host + 1]);
            }
            7 => {
                self.say(|| format!("source {source}: host {host} cannot be read"));
                self.skip_revisions(source, host);
                self.stores[source].put(host, None);
                self.wrote(source);
            }
            8..=9 => self.delete(source, host),
            10 => {
                let (share, hosts) = (self.dice.from(1..=5), self.shape.hosts);
                self.say(|| format!("source {source}: {share} of 5 hosts are deleted"));
                for host in 0..hosts {
                    if self.dice.from(1..=5) <= share {
                        self.delete(source, host);
                    }
                }
            }
            11 => {
                self.say(|| format!("source {source}: many hosts are on net {net}"));
                for host in 0..self.shape.hosts {
                    if !self.dice.one_in(3) {
                        self.put(source, host, net, &[2 * host, 2 * host + 1]);
                    }
                }
            }
            _ => {
                let other = self.any_host();
                self.say(|| format!("source {source}: a subnet moves from host {host} to host {other}"));
                self.put(source, other, 0, &[2 * other, 2 * other + 1, 2 * host]);
                if other != host {
                    self.put(source, host, 0, &[2 * host + 1]);
                }
            }
        }
    }

    /// Many writes while one gateway does not read; the guard would hold them.
    fn storm(&mut self) {
        self.say(|| "a storm, and gateway 0 does not read".into());
        self.gateways[0].is_stuck = true;
        self.judge.gateways[0].healthy_since = None;
        for n in 0..STORM {
            let host = self.any_host();
            self.put(0, host, (n % 3) as u8, &[2 * host, 2 * host + 1]);
            self.wait(Duration::from_millis(3));
        }
    }

    pub(super) fn delete(&mut self, source: usize, host: u8) {
        self.say(|| format!("source {source}: host {host} is deleted"));
        self.stores[source].delete(host);
        self.wrote(source);
    }

    pub(super) fn any_host(&mut self) -> u8 {
        self.dice.place(self.shape.hosts.into()) as u8
    }

    fn fault_of_a_store(&mut self) {
        let n = self.dice.place(self.stores.len());
        match self.dice.from(1..=10) {
            1..=3 => {
                let kinds = [FaultKind::Unreachable, FaultKind::Denied, FaultKind::Malformed, FaultKind::Tls];
                let kind = kinds[self.dice.place(kinds.len())];
                self.say(|| format!("source {n} fails: {kind:?}"));
                self.fail(n, kind);
            }
            4 => {
                self.say(|| format!("source {n} falls silent"));
                self.faults[n].is_silent = true;
            }
            5 => {
                self.say(|| format!("source {n} is compacted"));
                self.stores[n].compact();
            }
            6 => self.faults[n].loses = usize::from(self.seed.is_multiple_of(4)),
            7 => self.faults[n].repeats += 2,
            8 => self.faults[n].overtakes = true,
            9 => self.backups[n] = self.stores[n].clone(),
            _ => {
                let cluster = self.dice.one_in(2).then(|| ClusterId(self.dice.from(1..=9)));
                self.restore(n, cluster);
            }
        }
    }

    /// The store is as it was once, perhaps as another cluster.
    pub(super) fn restore(&mut self, n: usize, cluster: Option<ClusterId>) {
        self.say(|| format!("source {n} is restored to an older state, as {cluster:?}"));
        let before = self.winners();
        self.stores[n] = self.backups[n].clone();
        self.stores[n].cluster = cluster.unwrap_or(self.stores[n].cluster);
        // Another store repeats its own events.
        self.faults[n].last.clear();
        if self.clusters.insert((n, self.stores[n].cluster.0)) {
            self.keep_replaced(n, &before);
        } else {
            self.forget_replaced();
        }
        self.fail(n, FaultKind::Unreachable);
        // Written on to the very revision that was known, it shows what differs to a reconcile only.
        self.has_lost = true;
        self.wrote(n);
    }

    pub(super) fn fail(&mut self, n: usize, kind: FaultKind) {
        let Some(process) = &mut self.process else { return };
        if let Some((attempt, report)) = process.transports[n].fail(kind) {
            self.engine(crate::engine::Input::Report(SourceId(n as u16), attempt, report));
        }
    }

    fn fault_of_a_gateway(&mut self) {
        let n = self.dice.place(self.gateways.len());
        match self.dice.from(1..=8) {
            1..=2 => {
                self.say(|| format!("gateway {n} does not read"));
                self.gateways[n].is_stuck = true;
                self.judge.gateways[n].healthy_since = None;
            }
            3 => self.unstick(n),
            4 => {
                self.say(|| format!("the sessions of gateway {n} break"));
                self.cut(n);
            }
            5 => {
                self.say(|| format!("gateway {n} is cut off, and nobody is told"));
                let wires = self.wires.values_mut().filter(|wire| wire.gateway == n);
                wires.for_each(|wire| wire.is_silent = true);
            }
            6 => {
                self.say(|| format!("gateway {n} is switched off"));
                self.crash(n);
            }
            7 => self.power_on(n),
            _ => {
                let family = Family::ALL[self.dice.place(2)];
                self.ask_refresh(n, family);
            }
        }
    }

    /// A machine that was off starts with nothing.
    pub(super) fn power_on(&mut self, n: usize) {
        if self.gateways[n].is_down {
            let seed = self.seed + self.now.as_duration().as_secs();
            let mut fresh = Model::new(n, &self.shape.gateways[n], seed);
            fresh.connections = self.gateways[n].connections;
            self.gateways[n] = fresh;
            self.tell_gateway(n, Happens::Start);
        }
    }

    fn fault_of_the_process(&mut self) {
        match self.dice.from(1..=8) {
            1..=2 => {
                self.disk_works = !self.disk_works;
                self.say(|| "the disk fails, or works again".into());
            }
            3 if self.process.is_some() => {
                self.say(|| "the process and its disk are gone".into());
                self.disk.fill(None);
                self.orders = Orders::default();
                self.kill();
                self.start_later();
            }
            4..=5 if self.process.is_some() => {
                self.say(|| "the process hands over".into());
                self.hand_over();
                self.start_later();
            }
            6 => self.reload(),
            _ if self.process.is_some() => {
                self.say(|| "the process is killed".into());
                self.kill();
                self.start_later();
            }
            _ => {}
        }
    }

    fn start_later(&mut self) {
        let after = if self.dice.one_in(4) { self.dice.millis(20_000..=300_000) } else { self.dice.millis(0..=3000) };
        self.agenda.put(self.now + after, Event::Start);
    }

    fn reload(&mut self) {
        let variant = self.dice.from(0..=2) as u8;
        self.reload_to(variant);
    }

    pub(super) fn reload_to(&mut self, variant: u8) {
        self.variant = variant;
        self.say(|| format!("a reload: policies {variant}"));
        self.judge.excuse_all(self.now);
        let nothing = vec![None; self.stores.len()];
        let settings = settings::settings(self.now, &self.shape, self.variant, &nothing, self.seed);
        if let Some(process) = &mut self.process {
            process.engine.reconfigure(self.now, settings, &mut process.effects);
            self.carry_out();
        }
    }

    fn order_something(&mut self) {
        let host = HostName::new(&name(self.any_host())).unwrap();
        let prefix = settings::prefix(self.dice.from(0..=55) as u8);
        let source = SourceId(self.dice.place(self.stores.len()) as u16);
        let kind = self.dice.one_in(2).then(|| ChangeKind::ALL[self.dice.place(ChangeKind::ALL.len())]);
        let holds = match self.dice.from(1..=5) {
            1 => Holds::All,
            2 => Holds::Host(host.clone()),
            3 => Holds::Source(source, kind),
            4 => Holds::Reload,
            _ => Holds::Prefix(prefix),
        };
        let target = if self.dice.one_in(2) { Target::Host(host) } else { Target::Prefix(prefix) };
        let command = match self.dice.from(1..=12) {
            1..=2 => Command::Freeze,
            3..=4 => Command::Unfreeze,
            5..=6 => Command::Approve(holds),
            7 => Command::Deny(holds),
            8..=9 => Command::Withdraw(target),
            10..=11 => match self.forced.first() {
                Some(target) => Command::Restore(target.clone()),
                None => Command::Unfreeze,
            },
            _ => Command::Refresh(GatewayId(self.dice.place(self.gateways.len()) as u32)),
        };
        self.order(&command);
    }

    /// A person orders something; what it gives a reason for is excused.
    pub(super) fn order(&mut self, command: &Command) {
        if self.process.is_none() {
            return;
        }
        self.say(|| format!("a person orders: {command:?}"));
        match command {
            Command::Freeze => _ = self.judge.frozen.get_or_insert(self.now),
            Command::Unfreeze => {
                self.judge.frozen = None;
                if self.process.as_ref().is_some_and(|process| !process.engine.reload_holds().is_empty()) {
                    self.judge.excuse_all(self.now);
                }
            }
            Command::Approve(_) => {
                let held = self.holds();
                self.judge.excuse(self.now, held.into_iter().map(|hold| hold.prefix));
                if self.process.as_ref().is_some_and(|process| !process.engine.reload_holds().is_empty()) {
                    self.judge.excuse_all(self.now);
                }
            }
            Command::Withdraw(target) => {
                self.forced.insert(target.clone());
                self.excuse(target);
            }
            Command::Restore(target) => {
                self.forced.remove(target);
                self.excuse(target);
            }
            // End-of-RIB does not wait for what is denied, and takes it away from who kept it.
            Command::Deny(_) => {
                let held = self.holds().into_iter().filter(|hold| hold.kind == ChangeKind::Addition);
                self.judge.excuse(self.now, held.map(|hold| hold.prefix));
            }
            Command::Drain(gateway) => _ = self.drained.insert(Arc::clone(gateway)),
            Command::Undrain(gateway) => _ = self.drained.remove(gateway),
            Command::Refresh(_) => {}
        }
        if let Some(process) = &mut self.process {
            process.engine.command(self.now, command, &mut process.effects);
            if self.disk_works {
                self.orders = process.engine.orders(self.now);
            }
        }
        if matches!(command, Command::Deny(_)) {
            self.keep_denied();
        }
        self.carry_out();
    }

    pub(super) fn excuse(&mut self, target: &Target) {
        match target {
            Target::Prefix(prefix) => self.judge.excuse(self.now, [*prefix]),
            Target::Host(_) => self.judge.excuse(self.now, settings::all_prefixes()),
        }
        self.follow();
    }
}
