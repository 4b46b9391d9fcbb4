//! An engine, its stores and its gateways, and what each gateway is to hold.

use super::super::{Effect, Engine, GatewaySettings, Input, SessionNumber, SessionUp, Settings, SourceSettings};
use super::store::{Host, Store, Transport, name};
use crate::bgp::wire::{Encoding, MAX_LEN, Packer, SessionType};
use crate::model::{Asn, Family, GatewayId, HostName, Labels, PerFamily, Prefix, SourceId, Time};
use crate::policy::{Match, Policy, Rule, Set};
use crate::source::schema::Schema;
use crate::source::sync::{Follow, Seen, SyncConfig, Timing, Why};
use crate::source::{FaultKind, Report, Rev};
use crate::table::{Allowed, Fence, Owner};
use crate::testing::{Gateway, Heard, Said};
use crate::view::{Chunk, Exclusion, Stamp};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub(super) const SOURCES: u16 = 2;
pub(super) const GATEWAYS: u32 = 3;

/// Prefix number `n`: an IPv4 one if even, else an IPv6 one; the last two lie outside the fence.
pub(super) fn prefix(n: u8) -> Prefix {
    let text = match n % 8 {
        6 => "10.99.0.0/24".into(),
        7 => "2001:db9::/48".into(),
        n if n % 2 == 0 => format!("10.244.{n}.0/24"),
        n => format!("2001:db8:{n}::/48"),
    };
    text.parse().unwrap()
}

/// Addresses number `n` of a host; of number 4 the IPv4 one lies outside the fence, and 5 and 6 lack a family or both.
pub(super) fn addresses(n: u8) -> Vec<IpAddr> {
    let texts: &[&str] = match n % 7 {
        0 => &["10.168.0.1", "fd00:168::1"],
        1 => &["10.168.0.2", "fd00:168::2"],
        2 => &["10.168.1.1", "fd00:169::1"],
        3 => &["10.168.0.3", "fd00:168::3"],
        4 => &["192.0.2.1", "fd00:168::4"],
        5 => &["10.168.0.5"],
        _ => &[],
    };
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn fence() -> Fence {
    let allowed = |within: &str, lengths| Allowed { within: within.parse().unwrap(), lengths };
    Fence {
        prefixes: vec![allowed("10.244.0.0/16", 24..=24), allowed("2001:db8::/32", 48..=48)],
        next_hops: ["10.168.0.0/16", "fd00::/8"].map(|range| range.parse().unwrap()).into(),
        ..Fence::default()
    }
}

/// Everything as it is; or some prefixes and hosts in other ways.
fn policies(variant: u8) -> BTreeMap<String, Policy> {
    let within = |text: &str, lengths| Allowed { within: text.parse().unwrap(), lengths };
    let some = Match {
        prefixes: vec![within("10.244.2.0/24", 24..=24), within("2001:db8:3::/48", 48..=48)],
        ..Match::default()
    };
    let host = Match { hosts: vec![name(1)], ..Match::default() };
    let rule = |matcher, set, accept| Rule { matcher, set, accept };
    let communities = Set { communities: vec![variant.into()], ..Set::default() };
    let picky = Policy {
        rules: vec![
            rule(some, Set { med: Some(9), ..Set::default() }, variant != 1),
            rule(host, communities, true),
            rule(Match::default(), Set { prepend: 1, ..Set::default() }, true),
        ],
    };
    BTreeMap::from([("all".into(), Policy::accept_all()), ("picky".into(), picky)])
}

/// Four configurations: who has which policy and what it must not be told.
pub(super) fn settings(variant: u8) -> Settings {
    let source = |n: u16| SourceSettings {
        id: SourceId(n),
        name: format!("source-{n}"),
        priority: i32::from(n),
        sync: SyncConfig {
            source: SourceId(n),
            schema: Schema::Native { prefix: "/fp".into() },
            follow: Follow::Watch,
            ipv4_via_ipv6: false,
            allow_empty: false,
            seed: n.into(),
            timing: Timing::default(),
        },
    };
    let gateway = |n: u32| GatewaySettings {
        drain: (n, variant) == (2, 3),
        id: GatewayId(n),
        name: format!("gateway-{n}"),
        policy: if (n + u32::from(variant)).is_multiple_of(2) { "all" } else { "picky" }.into(),
        max_prefix: PerFamily::default(),
        exclusion: match (n, variant) {
            (1, 2) => Exclusion { own: Vec::new(), attached: vec!["10.168.0.0/24".parse().unwrap()] },
            _ => Exclusion::NOTHING,
        },
    };
    Settings {
        sources: (0..SOURCES).map(source).collect(),
        fence: fence(),
        policies: policies(variant),
        gateways: (0..GATEWAYS).map(gateway).collect(),
    }
}

/// What gateway `n` has agreed to: eBGP without brackets, eBGP with two-octet AS numbers, iBGP.
pub(super) fn encoding(n: u32) -> Encoding {
    Encoding {
        session: if n == 2 { SessionType::Internal } else { SessionType::External },
        local_asn: Asn::new(4_200_000_001).unwrap(),
        four_octet_as: n != 1,
        ipv4_via_ipv6: false,
        max_len: MAX_LEN,
    }
}

/// Gateway 0 is a host too: host 0's address is its own.
fn address(n: u32) -> IpAddr {
    if n == 0 { addresses(0)[0] } else { IpAddr::from([10, 170, 0, n as u8]) }
}

pub(super) struct Peer {
    pub(super) gateway: Gateway,
    session: Option<SessionNumber>,
    /// With the configuration under which each was handed out.
    queue: VecDeque<(Arc<Chunk>, u8)>,
    /// What it heard on this session.
    pub(super) heard: Vec<Heard>,
    /// Families whose End-of-RIB it has heard on any session.
    completed: PerFamily<bool>,
}

pub(super) struct Lab {
    pub(super) engine: Engine,
    now: Time,
    pub(super) stores: Vec<Store>,
    pub(super) transports: Vec<Transport>,
    pub(super) peers: Vec<Peer>,
    variant: u8,
    settings: Settings,
    stamp: Stamp,
    sessions: u64,
    effects: Vec<Effect>,
    /// Up to here every store's writes are known to the engine and to all gateways.
    settled: Vec<Rev>,
    pub(super) closed_as_slow: usize,
    /// Lots of claims that were said not to be announced: when, and the records' keys.
    pub(super) not_announced: Vec<(Time, Vec<bytes::Bytes>)>,
}

impl Lab {
    pub(super) fn new() -> Self {
        let settings = settings(0);
        let mut effects = Vec::new();
        let engine = Engine::new(Time::ZERO, settings.clone(), &mut effects);
        let both = PerFamily { ipv4: true, ipv6: true };
        let peer = |n| Peer {
            gateway: Gateway::new(both, &encoding(n)),
            session: None,
            queue: VecDeque::new(),
            heard: Vec::new(),
            completed: PerFamily::default(),
        };
        let mut lab = Lab {
            engine,
            now: Time::ZERO,
            stores: (0..SOURCES).map(|_| Store::default()).collect(),
            transports: (0..SOURCES).map(|_| Transport::new()).collect(),
            peers: (0..GATEWAYS).map(peer).collect(),
            variant: 0,
            settings,
            stamp: Stamp::Unstamped,
            sessions: 0,
            effects,
            settled: vec![Rev(0); SOURCES.into()],
            closed_as_slow: 0,
            not_announced: Vec::new(),
        };
        lab.carry_out();
        lab
    }

    pub(super) fn put(&mut self, source: usize, host: u8, what: Host) {
        self.stores[source].put(host, Some(what));
    }

    /// Writes what cannot be read.
    pub(super) fn garble(&mut self, source: usize, host: u8) {
        self.stores[source].put(host, None);
    }

    pub(super) fn delete(&mut self, source: usize, host: u8) {
        self.stores[source].delete(host);
    }

    /// Every record can be read and gives an address for all that it states: what is to be held does not depend any more on
    /// which revisions were seen.
    pub(super) fn mend(&mut self) {
        for store in &mut self.stores {
            for (host, (what, ..)) in store.hosts.clone() {
                let subnets = what.map(|what| what.subnets).unwrap_or_default();
                store.put(host, Some(Host { addresses: addresses(host), subnets }));
            }
        }
    }

    /// The transport says the next thing it has to say.
    pub(super) fn serve(&mut self, source: usize, most: usize) -> bool {
        let said = self.transports[source].serve(&self.stores[source], most);
        self.report(source, said)
    }

    pub(super) fn fail(&mut self, source: usize, kind: FaultKind) -> bool {
        let said = self.transports[source].fail(kind);
        self.report(source, said)
    }

    fn report(&mut self, source: usize, said: Option<(crate::source::Attempt, Report)>) -> bool {
        let Some((attempt, report)) = said else { return false };
        self.handle(Input::Report(SourceId(source as u16), attempt, report));
        true
    }

    pub(super) fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(due) = self.engine.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.engine.on_deadline(self.now, &mut self.effects);
            self.carry_out();
        }
        self.now = until;
    }

    /// Waits, while every store answers.
    pub(super) fn wait_served(&mut self, span: Duration) {
        let until = self.now + span;
        while self.now < until {
            self.wait(Duration::from_millis(500));
            for source in 0..usize::from(SOURCES) {
                while self.serve(source, 100) {}
            }
        }
    }

    pub(super) fn up(&mut self, n: usize) {
        self.sessions += 1;
        let (number, id) = (SessionNumber(self.sessions), n as u32);
        let families = PerFamily { ipv4: Some(encoding(id)), ipv6: Some(encoding(id)) };
        let up = SessionUp { number, families, enhanced_refresh: id != 0, address: address(id) };
        let peer = &mut self.peers[n];
        peer.gateway.restart();
        peer.queue.clear();
        peer.heard.clear();
        peer.session = Some(number);
        self.handle(Input::SessionUp(GatewayId(id), up));
    }

    pub(super) fn down(&mut self, n: usize) {
        if let Some(number) = self.peers[n].session.take() {
            self.peers[n].queue.clear();
            self.handle(Input::SessionDown(GatewayId(n as u32), number));
        }
    }

    pub(super) fn refresh(&mut self, n: usize, family: Family) {
        if let Some(number) = self.peers[n].session {
            self.handle(Input::Refresh(GatewayId(n as u32), number, family));
        }
    }

    pub(super) fn reconfigure(&mut self, variant: u8) {
        self.settings = settings(variant);
        self.variant = variant;
        self.engine.reconfigure(self.settings.clone());
    }

    pub(super) fn set_stamp(&mut self, stamp: Stamp) {
        self.stamp = stamp;
        self.engine.set_stamp(stamp);
    }

    pub(super) fn work(&mut self) -> bool {
        let more = self.engine.work(&mut self.effects);
        self.carry_out();
        more
    }

    /// The gateway's socket takes the next chunk.
    pub(super) fn write(&mut self, n: usize) -> bool {
        let peer = &mut self.peers[n];
        let (Some(number), Some((chunk, variant))) = (peer.session, peer.queue.pop_front()) else { return false };
        let before = peer.gateway.routes();
        let heard = peer.gateway.hear(&chunk);
        self.check(n, variant, &before, &heard);
        let peer = &mut self.peers[n];
        for heard in &heard {
            if let Heard::EndOfRib(family) = heard {
                peer.completed[*family] = true;
            }
        }
        peer.heard.extend(heard);
        self.handle(Input::Written(GatewayId(n as u32), number, chunk.bytes.len()));
        true
    }

    fn handle(&mut self, input: Input) {
        self.engine.handle(self.now, input, &mut self.effects);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Order(source, order) => self.transports[usize::from(source.0)].order(order),
                Effect::Send(gateway, session, chunk) => {
                    assert_eq!(chunk.stamp, self.stamp, "I7");
                    let peer = &mut self.peers[gateway.0 as usize];
                    assert_eq!(peer.session, Some(session), "chunks go to the session that stands");
                    peer.queue.push_back((chunk, self.variant));
                }
                Effect::CloseSlow(gateway, _) => {
                    self.closed_as_slow += 1;
                    self.down(gateway.0 as usize);
                }
                Effect::NotAnnounced(first, _) => {
                    self.not_announced.push((self.now, first.into_iter().map(|(_, key)| key).collect()));
                }
                Effect::Note(..) | Effect::Capped(..) => {}
            }
        }
    }

    /// P2: what is withdrawn was proven absent, or goes to another owner of which the gateway is not told. P4: no End-of-RIB
    /// before every source was read completely, nor beside a record that never said what it owns.
    fn check(&self, n: usize, variant: u8, before: &BTreeMap<Prefix, Said>, heard: &[Heard]) {
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
        self.stores.iter().enumerate().any(|(source, store)| {
            let settled = self.settled[source];
            store.writes.iter().any(|(at, host, write)| {
                let Some(Some(what)) = write else { return false };
                let Some((_, next_hop)) = what.claims().find(|(claimed, _)| *claimed == prefix) else { return false };
                if fence().admits(prefix, next_hop).is_err() {
                    return false;
                }
                let told = self.told(&settings, n, prefix, source as u16, *host, next_hop);
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

    /// Faults stop, sessions stand, everything is read and written.
    pub(super) fn settle(&mut self) {
        for n in 0..self.peers.len() {
            if self.peers[n].session.is_none() {
                self.up(n);
            }
        }
        for _ in 0..10_000 {
            let mut busy = false;
            for source in 0..usize::from(SOURCES) {
                while self.serve(source, 100) {}
                busy |= !self.transports[source].is_idle(&self.stores[source]);
            }
            let rows = self.engine.source_rows();
            busy |= rows.iter().any(|row| !matches!(row.seen, Seen::Current { .. } | Seen::Never(Why::Empty { .. })));
            while self.work() {}
            for n in 0..self.peers.len() {
                while self.write(n) {
                    busy = true;
                }
            }
            if !busy {
                // Without End-of-RIB a gateway may keep what an earlier session told it.
                if Family::ALL.iter().all(|family| self.engine.is_verified(*family)) {
                    self.settled = self.stores.iter().map(|store| store.rev).collect();
                }
                return;
            }
            self.wait(Duration::from_millis(100));
        }
        panic!("it does not come to rest");
    }

    /// What gateway `n` is to hold: policy(arbitrate(claims)), without what it must not be told.
    pub(super) fn expected(&self, n: usize) -> BTreeMap<Prefix, Said> {
        let told = self.winners().into_iter().filter_map(|(prefix, (source, host, next_hop))| {
            Some((prefix, self.told(&self.settings, n, prefix, source, host, next_hop)?))
        });
        told.collect()
    }

    /// What gateway `n` is told of a prefix that this host has won, if anything.
    fn told(
        &self,
        settings: &Settings,
        n: usize,
        prefix: Prefix,
        source: u16,
        host: u8,
        next_hop: IpAddr,
    ) -> Option<Said> {
        let gateway = &settings.gateways[n];
        let mut exclusion = gateway.exclusion.clone();
        exclusion.own.push(address(n as u32));
        let encoding = encoding(n as u32);
        let owner = Owner { host: HostName::new(&name(host)).unwrap(), next_hop, labels: Arc::new(Labels::default()) };
        let policy = settings.policies[&gateway.policy].clone();
        let policy = if gateway.drain { policy.drained() } else { policy };
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

    /// P5: at rest every gateway holds exactly that, has heard each End-of-RIB, and nothing is left to do.
    pub(super) fn check_at_rest(&mut self) {
        let verified = PerFamily::from_fn(|family| self.engine.is_verified(family));
        for n in 0..self.peers.len() {
            if !verified.ipv4 || !verified.ipv6 {
                self.peers[n].gateway.expire(); // no End-of-RIB will do it
            }
            assert_eq!(self.peers[n].gateway.routes(), self.expected(n), "P5: gateway {n}");
            for family in Family::ALL {
                assert_eq!(self.peers[n].gateway.is_synchronised(family), verified[family], "P4: gateway {n}");
                assert!(!self.peers[n].gateway.is_refreshing(family));
            }
        }
        assert!(!self.work());
    }
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
