//! What each gateway is to hold and may be told, by the tests' own words: from the stores' writes, not from the engine.

use super::super::Settings;
use super::lab::Lab;
use super::settings::{address, encoding, fence, settings};
use crate::bgp::wire::Packer;
use crate::model::{Family, HostName, Labels, Prefix, SourceId};
use crate::source::Rev;
use crate::table::Owner;
use crate::testing::store::{Host, Store, name};
use crate::testing::{Heard, Said};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

impl Lab {
    /// P2: what is withdrawn was proven absent, or goes to another owner of which the gateway is not told. P4: no End-of-RIB
    /// before every source was read completely, nor beside a record that never said what it owns.
    pub(super) fn check(&self, n: usize, variant: u8, before: &BTreeMap<Prefix, Said>, heard: &[Heard]) {
        for heard in heard {
            match heard {
                Heard::Withdrawn(prefix) => {
                    let Some(said) = before.get(prefix) else { continue };
                    let proven = self.is_proven(n, variant, *prefix, said);
                    assert!(proven, "P2: {prefix} is withdrawn from gateway {n} and was not gone");
                }
                Heard::EndOfRib(family) => {
                    for (transport, store) in self.transports.iter().zip(&self.stores) {
                        let listed = transport.listed.expect("P4: not all sources were read");
                        let hides = (0..4).any(|host| hides(store, host, *family, listed));
                        assert!(!hides || self.peers[n].completed[*family], "P4: {family} may have more routes");
                    }
                }
                Heard::Announced(..) | Heard::BeginOfRefresh(_) | Heard::EndOfRefresh(_) => {}
            }
        }
    }

    /// Whether a claim behind what gateway `n` was told may be gone: after it was made, and after all was settled last, its
    /// record was deleted or was written so that it can be read and does not state the prefix.
    fn is_proven(&self, n: usize, variant: u8, prefix: Prefix, said: &Said) -> bool {
        let settings = settings(variant);
        let writes = self.stores.iter().flat_map(|store| &store.writes);
        let own = own_addresses(n, writes.filter_map(|(_, _, write)| write.as_ref()?.as_ref()));
        // It turned out to be one of the gateway's own.
        if own.contains(&said.next_hop()) {
            return true;
        }
        self.stores.iter().enumerate().any(|(source, store)| {
            let settled = self.settled[source];
            store.writes.iter().any(|(at, host, write)| {
                let Some(Some(what)) = write else { return false };
                let Some((_, next_hop)) = what.claims().find(|(claimed, _)| *claimed == prefix) else { return false };
                if fence().admits(prefix, next_hop).is_err() {
                    return false;
                }
                let told = self.told(&settings, n, &own, prefix, source as u16, *host, next_hop);
                let later = store.writes.iter().filter(|(later, other, _)| other == host && later > at);
                let mut after = later.filter(|(later, ..)| *later > settled);
                match told {
                    // Another owner than the one that was told, unless it was gone for long.
                    None => !is_gone_by(store, *host, *at, settled, prefix),
                    Some(told) if told.next_hop() == said.next_hop() => {
                        after.any(|(_, _, write)| is_gone(write, prefix))
                    }
                    Some(_) => false,
                }
            })
        })
    }

    /// What gateway `n` is to hold: policy(arbitrate(claims)), without what it must not be told.
    pub(super) fn expected(&self, n: usize) -> BTreeMap<Prefix, Said> {
        let hosts = self.stores.iter().flat_map(|store| store.hosts.values());
        let hosts = hosts.filter_map(|(what, ..)| what.as_ref());
        let own = undisputed(n, &own_addresses(n, hosts.clone()), hosts);
        let told = self.winners().into_iter().filter_map(|(prefix, (source, host, next_hop))| {
            Some((prefix, self.told(&self.settings, n, &own, prefix, source, host, next_hop)?))
        });
        told.collect()
    }

    /// What gateway `n`, whose addresses these are, is told of a prefix that this host has won, if anything.
    #[expect(clippy::too_many_arguments, reason = "a route, and whom it is for")]
    fn told(
        &self,
        settings: &Settings,
        n: usize,
        own: &BTreeSet<IpAddr>,
        prefix: Prefix,
        source: u16,
        host: u8,
        next_hop: IpAddr,
    ) -> Option<Said> {
        let gateway = &settings.gateways[n];
        let mut exclusion = gateway.exclusion.clone();
        exclusion.own.extend(own);
        let encoding = encoding(n as u32);
        let (host, labels) = (HostName::new(&name(host)).unwrap(), Arc::new(Labels::default()));
        let owner = Owner { host, next_hop, other_address: None, labels };
        let policy = settings.policies[&gateway.policy].clone();
        let by_order = self.engine.drained().any(|name| **name == *gateway.name);
        let policy = if gateway.drain || by_order { policy.drained() } else { policy };
        let attributes = policy.export(prefix, &owner, SourceId(source))?;
        let sayable = Packer::new(encoding, prefix.family()).can_announce(&attributes);
        (sayable && !exclusion.excludes(next_hop)).then(|| Said::expected(&attributes, &encoding, self.stamp))
    }

    /// The owner of each prefix: within a source the oldest record, then the lower name; the higher source wins.
    fn winners(&self) -> BTreeMap<Prefix, (u16, u8, IpAddr)> {
        let mut best: BTreeMap<Prefix, (u16, u8, IpAddr)> = BTreeMap::new();
        for (source, store) in self.stores.iter().enumerate() {
            let mut of_source: BTreeMap<Prefix, (u64, String, u8, IpAddr)> = BTreeMap::new();
            for (host, (what, created, _)) in &store.hosts {
                for (prefix, next_hop) in what.iter().flat_map(Host::claims) {
                    if fence().admits(prefix, next_hop).is_err() {
                        continue;
                    }
                    let claim = (created.0, name(*host), *host, next_hop);
                    let held = of_source.entry(prefix).or_insert_with(|| claim.clone());
                    if claim < *held {
                        *held = claim;
                    }
                }
            }
            let of_source = of_source.into_iter();
            best.extend(of_source.map(|(prefix, (_, _, host, next_hop))| (prefix, (source as u16, host, next_hop))));
        }
        best
    }
}

/// Gateway `n`'s address, and every address of the hosts that have it, as far as they own anything.
fn own_addresses<'a>(n: usize, hosts: impl Iterator<Item = &'a Host>) -> BTreeSet<IpAddr> {
    let own = address(n as u32);
    let same = hosts.filter(|host| host.addresses.contains(&own) && host.claims().next().is_some());
    same.flat_map(|host| host.addresses.iter().copied()).chain([own]).collect()
}

/// Of a gateway's own addresses the ones that no host has beside which it has no address of the gateway.
fn undisputed<'a>(n: usize, own: &BTreeSet<IpAddr>, hosts: impl Iterator<Item = &'a Host> + Clone) -> BTreeSet<IpAddr> {
    let is_other = |host: &Host| !host.addresses.contains(&address(n as u32)) && host.claims().next().is_some();
    let others: BTreeSet<IpAddr> =
        hosts.filter(|host| is_other(host)).flat_map(|host| host.addresses.clone()).collect();
    own.difference(&others).copied().collect()
}

/// Whether a record that was written so does not claim the prefix: deleted, or readable and it does not state it, or states
/// it by a next hop that the fence refuses.
fn is_gone(write: &Option<Option<Host>>, prefix: Prefix) -> bool {
    match write {
        None => true,
        Some(None) => false,
        Some(Some(what)) => {
            let fenced = |(claimed, next_hop)| claimed == prefix && fence().admits(prefix, next_hop).is_err();
            !what.subnets.contains(&prefix) || what.claims().any(fenced)
        }
    }
}

/// Whether what the record claimed at `at` was gone when all was settled last.
fn is_gone_by(store: &Store, host: u8, at: Rev, settled: Rev, prefix: Prefix) -> bool {
    let mut later = store.writes.iter().filter(|(later, other, _)| *other == host && *later > at && *later <= settled);
    later.any(|(_, _, write)| is_gone(write, prefix))
}

/// Whether the record was there at the first list, and has never, before or since, said all that it owns of the family.
fn hides(store: &Store, host: u8, family: Family, listed: Rev) -> bool {
    let mut writes = store.writes.iter().filter(|(_, other, _)| *other == host).peekable();
    let hides = |write: &Option<Option<Host>>| match write {
        None => false,
        Some(None) => true,
        Some(Some(what)) => {
            let of_family = what.subnets.iter().filter(|prefix| prefix.family() == family).count();
            what.claims().filter(|(prefix, _)| prefix.family() == family).count() < of_family
        }
    };
    writes.peek().is_some_and(|(first, ..)| *first <= listed) && writes.all(|(_, _, write)| hides(write))
}
