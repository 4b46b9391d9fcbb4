//! An engine, its stores and its gateways.

use super::super::{
    Command, Effect, Engine, Input, REPORT, Refusal, Role, SessionNumber, SessionUp, Settings, TellState, Tells,
    Wanted, Written,
};
use super::settings::{GATEWAYS, SOURCES, address, addresses, encoding, prefix, settings};
use super::timeline::{replayed, routes};
use crate::model::{Family, GatewayId, PerFamily, Prefix, SourceId, Time};
use crate::replicas::ReplicaNote;
use crate::source::sync::{Seen, Why};
use crate::source::{FaultKind, Report, Rev};
use crate::table::GuardConfig;
use crate::testing::store::{Host, Store, Transport};
use crate::testing::{Gateway, Heard, Said};
use crate::view::{Chunk, Stamp};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Peer {
    pub(super) gateway: Gateway,
    session: Option<SessionNumber>,
    /// With the configuration under which each was handed out.
    queue: VecDeque<(Arc<Chunk>, u8)>,
    /// Octets that it took and that the engine was not told of, as a speaker does it.
    unreported: usize,
    /// Octets of the session that it took or that were refused.
    done: u64,
    /// Something was refused, and the engine has not heard of it.
    refusing: bool,
    /// What it heard on this session.
    pub(super) heard: Vec<Heard>,
    /// Families whose End-of-RIB it has heard on any session.
    pub(super) completed: PerFamily<bool>,
}

pub(super) struct Lab {
    pub(super) engine: Engine,
    now: Time,
    pub(super) stores: Vec<Store>,
    pub(super) transports: Vec<Transport>,
    pub(super) peers: Vec<Peer>,
    variant: u8,
    pub(super) settings: Settings,
    pub(super) stamp: Stamp,
    sessions: u64,
    effects: Vec<Effect>,
    /// Up to here every store's writes are known to the engine and to all gateways.
    pub(super) settled: Vec<Rev>,
    pub(super) closed_as_slow: usize,
    /// What was said last of how many routes a cap holds back, by gateway and family, on the session that stands.
    capped: BTreeMap<(String, Family), usize>,
    /// Lots of claims that were said not to be announced: when, and the records' keys.
    pub(super) not_announced: Vec<(Time, Vec<bytes::Bytes>)>,
    /// What was said of the other replicas.
    pub(super) replica_notes: Vec<ReplicaNote>,
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
            unreported: 0,
            done: 0,
            refusing: false,
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
            capped: BTreeMap::new(),
            not_announced: Vec::new(),
            replica_notes: Vec::new(),
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
        self.capped.retain(|(name, _), _| *name != self.settings.gateways[n].name);
        let peer = &mut self.peers[n];
        peer.gateway.restart();
        peer.queue.clear();
        (peer.unreported, peer.done, peer.refusing) = (0, 0, false);
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
        self.engine.reconfigure(self.now, self.settings.clone(), &mut self.effects);
    }

    /// With these limits from now on.
    pub(super) fn guard(&mut self, guard: GuardConfig) {
        self.settings.guard = guard;
        self.engine.reconfigure(self.now, self.settings.clone(), &mut self.effects);
    }

    /// A person orders something; how many routes or holds it concerned.
    pub(super) fn command(&mut self, command: &Command) -> usize {
        let count = self.engine.command(self.now, command, &mut self.effects);
        self.carry_out();
        count
    }

    pub(super) fn set_stamp(&mut self, stamp: Stamp) {
        let role = match stamp {
            Stamp::Unstamped => Role::Alone,
            Stamp::Leader { term } => Role::Leader { term },
            Stamp::Standby { ordinal } | Stamp::Unread { ordinal } => Role::Standby { term: 1, ordinal },
        };
        self.take_role(role);
    }

    pub(super) fn take_role(&mut self, role: Role) {
        let (before, _) = self.engine.role();
        self.engine.take_role(self.now, role, &mut self.effects);
        // Where it is that already, what it has read since its last work is said by the next.
        if before != role {
            self.note_stamp();
        }
        self.carry_out();
    }

    fn note_stamp(&mut self) {
        self.stamp = self.engine.stamp();
        let (role, _) = self.engine.role();
        let is_still = matches!(role, Role::Unsure { .. }) || self.engine.frozen().is_some();
        let of_snapshot = is_still || !self.engine.has_read_all();
        assert!(self.stamp == role.stamp() || of_snapshot, "{role}: {:?}", self.stamp);
    }

    /// The gateway's writer drops what it has not written, because its stamp may not be said any more; the engine hears that later.
    pub(super) fn refuse(&mut self, n: usize) -> Option<Input> {
        let peer = &mut self.peers[n];
        let (number, (first, _)) = (peer.session?, peer.queue.front()?);
        let (gateway, refusal) = (GatewayId(n as u32), Refusal { stamp: first.stamp, after: peer.done });
        let dropped: usize = peer.queue.drain(..).map(|(chunk, _)| chunk.bytes.len()).sum();
        peer.done += dropped as u64;
        peer.refusing = true;
        self.handle(Input::Written(gateway, number, dropped));
        Some(Input::Refused(gateway, number, refusal))
    }

    /// And the engine hears it at once, before the election says anything.
    pub(super) fn lapse(&mut self, n: usize) {
        let Some(refused) = self.refuse(n) else { return };
        if let Input::Refused(.., Refusal { stamp, .. }) = refused {
            self.engine.lapse(self.now, stamp, &mut self.effects);
        }
        self.note_stamp();
        self.handle(refused);
    }

    pub(super) fn work(&mut self) -> bool {
        let more = self.engine.work(&mut self.effects);
        self.note_stamp();
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
        peer.unreported += chunk.bytes.len();
        peer.done += chunk.bytes.len() as u64;
        if peer.unreported >= REPORT {
            let octets = std::mem::take(&mut peer.unreported);
            self.handle(Input::Written(GatewayId(n as u32), number, octets));
        }
        true
    }

    pub(super) fn handle(&mut self, input: Input) {
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
                    if peer.refusing {
                        peer.done += chunk.bytes.len() as u64;
                        peer.unreported += chunk.bytes.len();
                    } else {
                        peer.queue.push_back((chunk, self.variant));
                    }
                }
                Effect::Resume(gateway, session) => {
                    let peer = &mut self.peers[gateway.0 as usize];
                    assert!(peer.refusing && peer.session == Some(session));
                    peer.refusing = false;
                }
                Effect::CloseSlow(gateway, _) => {
                    self.closed_as_slow += 1;
                    self.down(gateway.0 as usize);
                }
                Effect::NotAnnounced(first, _) => {
                    self.not_announced.push((self.now, first.into_iter().map(|(_, key)| key).collect()));
                }
                Effect::Capped(gateway, family, withheld) => _ = self.capped.insert((gateway, family), withheld),
                Effect::Replica(_, note) => self.replica_notes.push(note),
                Effect::Note(..)
                | Effect::MoreNotes(..)
                | Effect::Held(..)
                | Effect::ReloadHeld(_)
                | Effect::TakesNothing(_)
                | Effect::Taken(_) => {}
            }
        }
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

    /// P5: at rest every gateway holds exactly that, has heard each End-of-RIB, and nothing is left to do.
    pub(super) fn check_at_rest(&mut self) {
        let verified = PerFamily::from_fn(|family| self.engine.is_verified(family));
        for n in 0..self.peers.len() {
            if !verified.ipv4 || !verified.ipv6 {
                self.peers[n].gateway.expire(); // no End-of-RIB will do it
            }
            self.check_routes(n);
            for prefix in (0..8).map(prefix) {
                let rows = self.engine.told_rows(prefix, None, 100);
                let row = rows.into_iter().find(|row| row.gateway == format!("gateway-{n}")).unwrap();
                let holds = self.peers[n].gateway.routes().contains_key(&prefix);
                assert_eq!(row.told == TellState::Told, holds, "P8: gateway {n}, {prefix}: {row:?}");
                let name = &row.gateway;
                let rows = self.engine.tell_rows(name, [prefix].into_iter()).unwrap();
                assert_eq!((rows[0].tells == Tells::Route, rows[0].session), (holds, true), "{name}, {prefix}");
                assert!(
                    row.told != TellState::Pending && row.told != TellState::Down,
                    "P8: gateway {n}, {prefix}: {row:?}"
                );
            }
            for family in Family::ALL {
                assert_eq!(self.peers[n].gateway.is_synchronised(family), verified[family], "P4: gateway {n}");
                assert!(!self.peers[n].gateway.is_refreshing(family));
            }
        }
        assert!(!self.work());
        self.check_timeline();
        for row in self.engine.gateway_rows() {
            for (family, withheld) in row.withheld.iter() {
                let said = self.capped.get(&(row.name.clone(), family)).is_some_and(|withheld| *withheld > 0);
                assert_eq!(said, *withheld > 0, "what is said of {}'s cap", row.name);
            }
        }
        // Everybody is looked at anew, and nobody was forgotten.
        self.engine.reconfigure(self.now, self.settings.clone(), &mut self.effects);
        assert!(!self.work());
    }

    /// P8: what happened explains what is, and nothing that was to be written is left.
    fn check_timeline(&self) {
        let mut page = self.engine.events(0, usize::MAX, &Wanted::default());
        if page.lost == 0 {
            assert_eq!(replayed(&self.engine), routes(&self.engine), "P8: the events lead to other routes");
        }
        self.engine.tell_written(&mut page, usize::MAX);
        for event in page.events {
            for row in &event.written {
                let open = matches!(row.written, Written::Pending | Written::Down);
                assert!(!open, "P8: {row:?} at rest, of {event:?}");
            }
        }
    }

    /// It holds what it is to hold; where there is a cap, no less of that than the cap allows.
    fn check_routes(&self, n: usize) {
        let (held, expected) = (self.peers[n].gateway.routes(), self.expected(n));
        for family in Family::ALL {
            let of_family = |all: &BTreeMap<Prefix, Said>| {
                let all = all.iter().filter(|(prefix, _)| prefix.family() == family);
                all.map(|(prefix, said)| (*prefix, said.clone())).collect::<BTreeMap<_, _>>()
            };
            let (held, mut expected) = (of_family(&held), of_family(&expected));
            if self.settings.gateways[n].max_prefix[family].is_some_and(|limit| held.len() >= limit) {
                expected.retain(|prefix, _| held.contains_key(prefix));
            }
            assert_eq!(held, expected, "P5: gateway {n}");
        }
    }
}
