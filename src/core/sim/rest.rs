//! Faults stop, and all comes to rest: then every gateway holds what the sources say (P5).

use super::settings::{self, addresses, gateway_name, is_admitted};
use super::world::{Faults, World};
use crate::engine::{Command, HoldRow, Holds};
use crate::model::{Family, HostName, Labels, Prefix, SourceId};
use crate::source::sync::Seen;
use crate::table::{ChangeKind, HoldReason, Owner};
use crate::testing::Said;
use crate::testing::store::{Host, name};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A reconcile heals what a watch has lost, and after an empty first list a minute must pass without a new record.
pub(super) const PATIENCE: Duration = Duration::from_secs(1200);

/// When a person looks why End-of-RIB does not go out: time has had its chance to prove what is held.
pub(super) const ASKS: Duration = Duration::from_secs(900);

/// Who is to be announced: the source, the host's name, its next hop.
pub(super) type Winner = (u16, String, IpAddr);

impl World {
    /// To rest and judged; with `approve`, also once a person has let everything pass.
    pub(super) fn rest(&mut self, approve: bool) {
        self.heal();
        self.settle();
        if self.process.as_ref().is_some_and(|process| !process.engine.reload_holds().is_empty()) {
            self.order(&Command::Approve(Holds::Reload));
            self.settle();
        }
        self.check_at_rest();
        self.leave_rest();
        if !approve {
            return;
        }
        for _ in 0..5 {
            if self.holds().is_empty() {
                return;
            }
            self.order(&Command::Approve(Holds::All));
            self.settle();
            self.check_at_rest();
            self.leave_rest();
        }
        panic!("P3: a person approves all, and still these are held: {:?}", self.holds());
    }

    fn heal(&mut self) {
        self.say(|| "faults stop".into());
        self.disk_works = true;
        self.start();
        self.heal_sources();
        if self.judge.frozen.is_some() {
            self.order(&Command::Unfreeze);
        }
        for n in 0..self.gateways.len() {
            // One that stays stuck must not matter to the others (P6).
            let reads = self.gateways[n].is_down || !self.dice.one_in(4);
            self.heal_gateway(n, reads);
        }
    }

    pub(super) fn heal_sources(&mut self) {
        for n in 0..self.faults.len() {
            self.faults[n] = Faults { is_awake: self.faults[n].is_awake, ..Faults::default() };
            self.mend(n);
            self.wake(n);
        }
    }

    pub(super) fn heal_gateway(&mut self, n: usize, reads: bool) {
        if reads {
            self.unstick(n);
        }
        self.power_on(n);
        if self.wires.values().any(|wire| wire.gateway == n && wire.is_silent) {
            self.cut(n);
        }
    }

    /// Every record can be read, and there is one: what is to be held does not depend any more on which revisions were seen.
    fn mend(&mut self, source: usize) {
        let garbled = self.stores[source].hosts.iter().filter(|(_, (what, ..))| what.is_none());
        let garbled: Vec<u8> = garbled.map(|(host, _)| *host).collect();
        for host in garbled {
            self.put(source, host, 0, &[2 * host]);
        }
        if self.stores[source].hosts.is_empty() {
            self.put(source, 1, 0, &[2]);
        }
    }

    pub(super) fn settle(&mut self) {
        let until = self.now + PATIENCE;
        let mut asks = Some(self.now + ASKS);
        // What was lost without a trace heals with the next reconcile.
        let whole = if self.has_lost { Duration::from_secs(400) } else { Duration::from_secs(15) };
        self.has_lost = false;
        self.wait(whole);
        while !self.is_at_rest() {
            assert!(self.now < until, "P5: it does not come to rest: {}", self.unrest());
            self.wait(Duration::from_secs(5));
            if asks.is_some_and(|at| at <= self.now) && !self.is_verified() {
                asks = None;
                self.approve_additions();
            }
        }
    }

    pub(super) fn is_verified(&self) -> bool {
        let verified = |family| self.process.iter().all(|process| process.engine.is_verified(family));
        Family::ALL.into_iter().all(verified)
    }

    /// End-of-RIB may wait for them, and of a source that loses most of what it had no time proves anything.
    pub(super) fn approve_additions(&mut self) {
        for n in 0..self.stores.len() {
            self.order(&Command::Approve(Holds::Source(SourceId(n as u16), Some(ChangeKind::Addition))));
        }
    }

    fn is_at_rest(&self) -> bool {
        self.unrest().is_empty()
    }

    /// What is still going on.
    pub(super) fn unrest(&self) -> String {
        let Some(process) = &self.process else { return "no process".into() };
        for row in process.engine.source_rows() {
            if !matches!(row.seen, Seen::Current { .. }) {
                return format!("{} is {:?}", row.name, row.seen);
            }
        }
        for (n, transport) in process.transports.iter().enumerate() {
            if !transport.is_idle(&self.stores[n]) {
                return format!("the transport of source {n} is busy");
            }
        }
        if !self.is_verified() {
            return "no End-of-RIB may go out".into();
        }
        for n in (0..self.gateways.len()).filter(|n| !self.gateways[*n].is_stuck) {
            let (peer, gateway) = (&process.peers[n], &self.gateways[n]);
            let open = self.wires.values().filter(|wire| wire.gateway == n);
            let unread: usize = open.map(|wire| wire.unread).sum();
            if peer.session.is_none() || gateway.session.is_none() {
                return format!("gateway {n} has no session");
            }
            if !peer.chunks.is_empty() || unread > 0 {
                return format!("gateway {n} is being told");
            }
            if Family::ALL.iter().any(|family| !gateway.table.is_synchronised(*family)) {
                return format!("gateway {n} waits for an End-of-RIB");
            }
            if Family::ALL.iter().any(|family| gateway.table.is_refreshing(*family)) {
                return format!("gateway {n} waits for the end of a refresh");
            }
        }
        String::new()
    }

    /// What is announced like what covers it, and like what.
    pub(super) fn overridden(&self) -> BTreeMap<Prefix, Prefix> {
        let rows = self.process.iter().flat_map(|process| process.engine.override_rows(None, usize::MAX));
        rows.map(|row| (row.prefix, row.by)).collect()
    }

    /// What the guard keeps back.
    pub(super) fn holds(&self) -> Vec<HoldRow> {
        self.process.iter().flat_map(|process| process.engine.hold_rows(None, usize::MAX)).collect()
    }

    pub(super) fn check_at_rest(&mut self) {
        let mut owners = self.winners();
        for HoldRow { prefix, from, to, reason, .. } in self.holds() {
            let of_limit = !matches!(reason, HoldReason::Replaced | HoldReason::Denied);
            assert!(self.shape.guarded || !of_limit, "{prefix} is held, and there is no guard");
            let winner = owners.remove(&prefix).map(|(_, host, next_hop)| (host, next_hop));
            assert_eq!(winner, to, "P8: what is held of {prefix}");
            // The announced one's source is that of the hold; policies here do not look at it.
            owners.extend(from.map(|(host, next_hop)| (prefix, (0, host, next_hop))));
        }
        let announced = owners.iter().map(|(prefix, (_, host, next_hop))| (*prefix, (host.clone(), *next_hop)));
        let announced = announced.collect();
        let overridden = self.overridden();
        self.check_account(&announced);
        self.check_claims(&announced);
        for n in 0..self.gateways.len() {
            if self.gateways[n].is_stuck {
                continue;
            }
            let said = owners.iter().filter_map(|(prefix, owner)| Some((*prefix, self.said(n, *prefix, owner)?)));
            let like_cover = overridden.iter().filter_map(|(of, by)| Some((*of, self.said(n, *by, owners.get(by)?)?)));
            let said = said.chain(like_cover);
            let (said, held) = (said.collect::<BTreeMap<_, _>>(), self.gateways[n].table.routes());
            if said != held {
                let missing: Vec<_> = said.iter().filter(|(prefix, said)| held.get(prefix) != Some(said)).collect();
                let wrong: Vec<_> = held.iter().filter(|(prefix, held)| said.get(prefix) != Some(held)).collect();
                panic!("P5: gateway {n} is to hold {missing:?}, and holds {wrong:?}");
            }
            self.check_told(n, &held);
            let next_hops = held.iter().map(|(prefix, said)| (*prefix, said.next_hop())).collect();
            self.judge.rested(self.now, n, next_hops, overridden.keys().copied().collect());
        }
        self.judge.unguarded = self.now;
        self.say(|| "at rest".into());
        let now = self.now;
        self.knows.last_mut().into_iter().for_each(|knows| knows.since = now);
    }

    /// What happens from now on happens after it.
    fn leave_rest(&mut self) {
        self.wait(Duration::from_millis(1));
    }

    /// What a gateway is told of a prefix with this owner, if anything.
    fn said(&self, n: usize, prefix: Prefix, (source, host, next_hop): &Winner) -> Option<Said> {
        let policies = settings::policies(self.variant);
        let policy = &policies[settings::policy(n, self.variant)];
        let (host, labels) = (HostName::new(host).unwrap(), Arc::new(Labels::default()));
        let owner = Owner { host, next_hop: *next_hop, other_address: None, labels };
        let is_drained = self.drained.contains(&*gateway_name(n));
        let drained = is_drained.then(|| policy.drained());
        let attributes = drained.as_ref().unwrap_or(policy).export(prefix, &owner, SourceId(*source))?;
        Some(Said::expected(&attributes, &settings::encoding(&self.shape.gateways[n]), self.role().stamp()))
    }

    /// Who owns what, by the rules and from the stores: within a source the oldest record, then the lower name; the higher
    /// source; nobody whom a person has withdrawn.
    pub(super) fn winners(&self) -> BTreeMap<Prefix, Winner> {
        let mut best = BTreeMap::new();
        for (source, store) in self.stores.iter().enumerate() {
            let mut hosts: Vec<_> = store.hosts.iter().collect();
            hosts.sort_by_key(|(host, (_, created, _))| (*created, name(**host)));
            // The first one stays.
            for (host, (what, ..)) in hosts.into_iter().rev() {
                for (prefix, next_hop) in what.iter().flat_map(Host::claims) {
                    let host = name(*host);
                    let is_forced = self.forced.iter().any(|target| super::script::covers(target, prefix, &host));
                    if !is_forced && is_admitted(prefix, next_hop) {
                        best.insert(prefix, (source as u16, host, next_hop));
                    }
                }
            }
        }
        best
    }

    /// Writes a host's record.
    pub(super) fn put(&mut self, source: usize, host: u8, net: u8, subnets: &[u8]) {
        let subnets = subnets.iter().map(|n| settings::prefix(*n)).collect();
        self.skip_revisions(source, host);
        self.stores[source].put(host, Some(Host { addresses: addresses(host, net), subnets }));
        self.wrote(source);
    }

    /// A restored store that writes a record once more at the very revision that it had, with other contents, is beyond what anybody
    /// can tell without reading all values: something else is written before.
    pub(super) fn skip_revisions(&mut self, source: usize, host: u8) {
        while !self.written.insert((source, host, self.stores[source].rev.0 + 1)) {
            self.stores[source].rev.0 += 1;
        }
    }

    /// Something was written.
    pub(super) fn wrote(&mut self, source: usize) {
        self.follow();
        self.wake(source);
    }

    /// The judge looks at what is stated now.
    pub(super) fn follow(&mut self) {
        self.truth.follow(self.now, &self.stores, &self.forced);
        self.judge.follow(&self.truth);
        self.forget_kept_back();
    }
}
