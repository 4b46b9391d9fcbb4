//! Replicas, a store and a gateway.

use super::super::settings::encoding;
use crate::engine::tests::guarded;
use crate::engine::{
    Effect, Engine, GatewaySettings, Input, Introduction, Others, Role, SessionNumber, SessionUp, Settings,
    SourceSettings,
};
use crate::model::{Family, GatewayId, Instance, PerFamily, Prefix, Replica, SourceId, Time};
use crate::policy::Policy;
use crate::replicas::{KnownReplica, ReplicaReport};
use crate::source::schema::Schema;
use crate::source::sync::{Follow, SyncConfig, Timing};
use crate::source::{ClusterId, FaultKind, Rev};
use crate::table::{Allowed, Fence, GuardConfig, SlotId};
use crate::testing::Gateway;
use crate::testing::store::{Host, Store, Transport, name};
use crate::view::{Chunk, Exclusion};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long the gateway keeps the paths of who is gone.
pub(super) const STALE: Duration = Duration::from_secs(600);
pub(super) const SUBNETS: [&str; 6] =
    ["10.244.0.0/20", "10.244.0.0/24", "10.244.0.0/28", "10.244.0.5/32", "10.244.1.0/24", "10.244.1.7/32"];
const PROBES: [&str; 6] = ["10.244.0.5", "10.244.0.6", "10.244.0.99", "10.244.1.7", "10.244.1.8", "10.244.9.9"];
/// A host that owns nothing and stays: no list is empty.
const STAYS: u8 = 99;

pub(super) fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// Where a host is reached.
pub(super) fn via(host: u8) -> IpAddr {
    IpAddr::from([10, 168, 0, host])
}

pub(super) fn host(n: u8) -> String {
    name(n)
}

fn settings(others: Others) -> Settings {
    let sync = SyncConfig {
        source: SourceId(0),
        schema: Schema::Native { prefix: "/fp".into() },
        follow: Follow::Watch,
        ipv4_via_ipv6: false,
        allow_empty: true,
        seed: 1,
        timing: Timing::default(),
    };
    Settings {
        sources: vec![SourceSettings { sync, ..guarded::World::sources().remove(0) }],
        fence: Fence {
            prefixes: vec![Allowed { within: "10.244.0.0/16".parse().unwrap(), lengths: 20..=32 }],
            ..guarded::settings().fence
        },
        guard: GuardConfig::off(),
        policies: BTreeMap::from([("all".into(), Policy::accept_all())]),
        others,
        gateways: vec![GatewaySettings {
            id: GatewayId(0),
            name: "gateway".into(),
            policy: "all".into(),
            drain: false,
            exclusion: Exclusion::NOTHING,
            max_prefix: PerFamily::default(),
        }],
    }
}

struct Player {
    engine: Engine,
    transport: Transport,
    session: Option<SessionNumber>,
    queue: VecDeque<Arc<Chunk>>,
    effects: Vec<Effect>,
    /// It is gone since then.
    gone: Option<Time>,
    /// When it was started anew, and up to where the store was then: what that said before, this process has never known.
    since: Option<(Time, Rev)>,
    /// What the gateway has of it, and since when without a session.
    heard: Gateway,
    lost: Option<Time>,
    /// The last that it said.
    said: Option<ReplicaReport>,
}

pub(super) struct Net {
    pub(super) now: Time,
    store: Store,
    players: Vec<Player>,
    sessions: u64,
    term: u32,
    leader: Option<usize>,
    /// What replicas are told of the others.
    others: Others,
}

impl Net {
    pub(super) fn new(replicas: usize) -> Self {
        Net::that_notices(replicas, Duration::ZERO)
    }

    /// Dead sessions are noticed after so long.
    pub(super) fn that_notices(replicas: usize, notice: Duration) -> Self {
        Net::that_expects(replicas, Others { count: replicas - 1, stale: STALE, notice })
    }

    /// Replicas are told of other ones than there are.
    pub(super) fn that_expects(replicas: usize, others: Others) -> Self {
        let heard = || Gateway::new(PerFamily { ipv4: true, ipv6: true }, &encoding(0));
        let player = |_| Player {
            engine: Engine::new(Time::ZERO, settings(others), &mut Vec::new()),
            transport: Transport::new(),
            session: None,
            queue: VecDeque::new(),
            effects: Vec::new(),
            gone: Some(Time::ZERO),
            since: None,
            heard: heard(),
            lost: None,
            said: None,
        };
        let players = (0..replicas).map(player).collect();
        let mut net =
            Net { now: Time::ZERO, store: Store::default(), players, sessions: 0, term: 0, leader: None, others };
        net.put(STAYS, &[]);
        (0..replicas).for_each(|replica| net.restart(replica));
        net.players.iter_mut().for_each(|player| player.since = None);
        net
    }

    pub(super) fn engine(&self, replica: usize) -> &Engine {
        &self.players[replica].engine
    }

    pub(super) fn leader(&self) -> Option<usize> {
        self.leader
    }

    pub(super) fn put(&mut self, host: u8, subnets: &[&str]) {
        let subnets = subnets.iter().map(|subnet| prefix(subnet)).collect();
        self.store.put(host, Some(Host { addresses: vec![via(host)], subnets }));
    }

    fn ordinal(replica: usize) -> u32 {
        u32::try_from(replica).unwrap()
    }

    /// A new process without memory.
    pub(super) fn restart(&mut self, replica: usize) {
        if self.players[replica].gone.is_none() {
            return;
        }
        let (now, rev) = (self.now, self.store.rev);
        let player = &mut self.players[replica];
        player.effects.clear();
        player.transport = Transport::new();
        player.engine = Engine::new(now, settings(self.others), &mut player.effects);
        player.engine.limit_timeline(crate::engine::TimelineLimits::default());
        let me = Replica { identity: format!("replica-{replica}").into(), instance: Instance(0) };
        let me = Introduction { replica: me, version: String::new(), config: BTreeMap::new() };
        player.engine.handle(now, Input::Introduced(me), &mut player.effects);
        (player.gone, player.since, player.said) = (None, Some((now, rev)), None);
        self.take_role(replica, Role::Unsure { ordinal: Self::ordinal(replica) });
        self.be_standby(replica);
        self.up(replica);
        self.serve(replica);
        // One that takes part says so within a second.
        self.report();
    }

    fn be_standby(&mut self, replica: usize) {
        if self.leader.is_some_and(|leader| leader != replica) {
            let role = Role::Standby { term: self.term, ordinal: Self::ordinal(replica) };
            self.take_role(replica, role);
        }
    }

    /// SIGKILL: its gateway keeps what it was told.
    pub(super) fn kill(&mut self, replica: usize) {
        if self.players[replica].gone.is_none() {
            self.down(replica);
            self.players[replica].gone = Some(self.now);
            self.leader = self.leader.filter(|leader| *leader != replica);
            self.report();
        }
    }

    /// Nobody remembers what others have said.
    pub(super) fn forget(&mut self) {
        self.players.iter_mut().for_each(|player| player.said = None);
    }

    /// It is configured anew: its gateway has a policy of this name.
    pub(super) fn reload(&mut self, replica: usize, policy: &str) {
        let mut settings = settings(self.others);
        settings.policies.insert(policy.into(), Policy::accept_all());
        settings.gateways[0].policy = policy.into();
        let player = &mut self.players[replica];
        player.engine.reconfigure(self.now, settings, &mut player.effects);
        self.carry_out(replica);
    }

    pub(super) fn take_role(&mut self, replica: usize, role: Role) {
        let player = &mut self.players[replica];
        player.engine.take_role(self.now, role, &mut player.effects);
        self.carry_out(replica);
    }

    /// It leads, and the others know. One that has not been there for as long as the gateway keeps anything, or since before what
    /// another one has read last, does not remember what others may have been told: it is not tried here.
    pub(super) fn lead(&mut self, replica: usize) {
        let player = &self.players[replica];
        let is_behind = |other: &Player, began| {
            other.gone.is_none() && other.engine.remembers(SourceId(0)).is_some_and(|known| known.at < began)
        };
        let is_new = player.since.is_some_and(|(since, began)| {
            self.now.since(since) <= STALE || self.players.iter().any(|other| is_behind(other, began))
        });
        if player.gone.is_some() || is_new {
            return;
        }
        self.term += 1;
        self.leader = Some(replica);
        let others = (0..self.players.len()).filter(|other| *other != replica && self.players[*other].gone.is_none());
        for other in others.collect::<Vec<_>>() {
            self.be_standby(other);
        }
        self.take_role(replica, Role::Leader { term: self.term });
    }

    pub(super) fn be_unsure(&mut self, replica: usize) {
        if self.players[replica].gone.is_none() {
            self.leader = self.leader.filter(|leader| *leader != replica);
            self.take_role(replica, Role::Unsure { ordinal: Self::ordinal(replica) });
        }
    }

    pub(super) fn up(&mut self, replica: usize) {
        let player = &mut self.players[replica];
        if player.session.is_some() || player.gone.is_some() {
            return;
        }
        self.sessions += 1;
        let number = SessionNumber(self.sessions);
        player.session = Some(number);
        player.lost = None;
        player.heard.restart();
        let families = PerFamily { ipv4: Some(encoding(0)), ipv6: Some(encoding(0)) };
        let up = SessionUp { number, families, enhanced_refresh: true, address: IpAddr::from([10, 170, 0, 1]) };
        self.handle(replica, Input::SessionUp(GatewayId(0), up));
    }

    pub(super) fn down(&mut self, replica: usize) {
        let now = self.now;
        let player = &mut self.players[replica];
        if let Some(number) = player.session.take() {
            player.queue.clear();
            player.lost = Some(now);
            self.handle(replica, Input::SessionDown(GatewayId(0), number));
        }
    }

    fn handle(&mut self, replica: usize, input: Input) {
        let player = &mut self.players[replica];
        player.engine.handle(self.now, input, &mut player.effects);
        self.carry_out(replica);
    }

    fn carry_out(&mut self, replica: usize) {
        let player = &mut self.players[replica];
        for effect in std::mem::take(&mut player.effects) {
            match effect {
                Effect::Order(_, order) => player.transport.order(order),
                Effect::Send(_, session, chunk) if player.session == Some(session) => player.queue.push_back(chunk),
                _ => {}
            }
        }
    }

    /// Its source says all that there is to say.
    pub(super) fn serve(&mut self, replica: usize) {
        while self.players[replica].gone.is_none() {
            let player = &mut self.players[replica];
            let Some((attempt, report)) = player.transport.serve(&self.store, 100) else { break };
            self.handle(replica, Input::Report(SourceId(0), attempt, report));
        }
    }

    /// The gateway hears all that it has to say.
    pub(super) fn deliver(&mut self, replica: usize) {
        self.say_all(replica, true);
    }

    /// It says all that it has to say, and the gateway hears nothing: the way there is dead, which is not known yet.
    pub(super) fn say_to_nobody(&mut self, replica: usize) {
        self.say_all(replica, false);
    }

    fn say_all(&mut self, replica: usize, is_heard: bool) {
        if self.players[replica].gone.is_some() {
            return;
        }
        loop {
            let player = &mut self.players[replica];
            let mut effects = std::mem::take(&mut player.effects);
            let more = player.engine.work(&mut effects);
            player.effects = effects;
            self.carry_out(replica);
            let player = &mut self.players[replica];
            let mut octets = 0;
            for chunk in player.queue.drain(..) {
                octets += chunk.bytes.len();
                if is_heard {
                    player.heard.hear(&chunk);
                }
            }
            if let Some(number) = player.session.filter(|_| octets > 0) {
                self.handle(replica, Input::Written(GatewayId(0), number, octets));
            }
            if !more {
                break;
            }
        }
    }

    /// Everybody says what is so, and everybody hears it.
    pub(super) fn report(&mut self) {
        for replica in 0..self.players.len() {
            if self.players[replica].gone.is_none() {
                self.players[replica].said = self.players[replica].engine.report();
            }
        }
        let known = |(replica, player): (usize, &Player)| {
            Some((replica, KnownReplica { report: player.said.clone()?, gone: player.gone }))
        };
        let known: Vec<(usize, KnownReplica)> = self.players.iter().enumerate().filter_map(known).collect();
        for replica in 0..self.players.len() {
            if self.players[replica].gone.is_none() {
                let others = known.iter().filter(|(other, _)| *other != replica).map(|(_, known)| known.clone());
                self.handle(replica, Input::Replicas { known: others.collect(), silent: Vec::new() });
            }
        }
    }

    /// This is what it reads of the others.
    pub(super) fn hears(&mut self, replica: usize, known: Vec<KnownReplica>, silent: Vec<Arc<str>>) {
        self.handle(replica, Input::Replicas { known, silent });
    }

    pub(super) fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
        for replica in 0..self.players.len() {
            let player = &mut self.players[replica];
            if player.lost.is_some_and(|lost| self.now.since(lost) >= STALE) {
                player.lost = None;
                player.heard.restart();
                player.heard.expire();
            }
            if player.gone.is_none() {
                player.engine.on_deadline(self.now, &mut player.effects);
                let again = player.engine.overrides_deadline();
                assert!(again.is_none_or(|at| at > self.now), "it wants to be called at once, again and again");
                self.carry_out(replica);
            }
        }
    }

    /// The store is put back to a backup: it has what it has, at earlier revisions. Nobody has noticed yet.
    pub(super) fn put_back(&mut self) {
        let before = std::mem::take(&mut self.store);
        for (host, (what, _, _)) in before.hosts {
            self.store.put(host, what);
        }
        assert!(self.store.rev < before.rev);
    }

    /// Another cluster has it now.
    pub(super) fn move_store(&mut self, cluster: ClusterId) {
        self.store.cluster = cluster;
    }

    /// It has lost the store, and goes on with what it finds there after its minute.
    pub(super) fn lose_store(&mut self, replica: usize) {
        if let Some((attempt, report)) = self.players[replica].transport.fail(FaultKind::Unreachable) {
            self.handle(replica, Input::Report(SourceId(0), attempt, report));
        }
    }

    /// Time passes, and these read what the store says.
    pub(super) fn wait_served(&mut self, replicas: &[usize], seconds: u64) {
        for _ in 0..seconds {
            self.wait(Duration::from_secs(1));
            replicas.iter().for_each(|replica| self.serve(*replica));
        }
    }

    /// All is read, said and told.
    pub(super) fn settle(&mut self) {
        for _ in 0..4 {
            for replica in 0..self.players.len() {
                self.up(replica);
                self.serve(replica);
                self.deliver(replica);
            }
            self.report();
            self.wait(Duration::from_secs(1));
        }
        (0..self.players.len()).for_each(|replica| self.deliver(replica));
    }

    /// How many paths to the prefix the gateway has.
    pub(super) fn paths(&self, to: &str) -> usize {
        self.players.iter().filter(|player| player.heard.routes().contains_key(&prefix(to))).count()
    }

    /// Where it sends packets for this address.
    pub(super) fn forwards(&self, address: &str) -> Option<IpAddr> {
        let address: IpAddr = address.parse().unwrap();
        let mut best = None;
        for player in &self.players {
            for (prefix, said) in player.heard.routes().into_iter().filter(|(prefix, _)| prefix.contains(address)) {
                // Long-lived stale paths come last (RFC 9494 §4.3).
                let is_live = player.session.is_some() && player.heard.keeps(prefix);
                let rank = (prefix.length(), is_live, std::cmp::Reverse(said.rank()));
                if best.as_ref().is_none_or(|(before, _)| rank > *before) {
                    best = Some((rank, said.next_hop()));
                }
            }
        }
        best.map(|(_, next_hop)| next_hop)
    }

    /// Where the leader's table sends them.
    fn owner(&self, replica: usize, address: &str) -> Option<IpAddr> {
        let address: IpAddr = address.parse().unwrap();
        let table = &self.players[replica].engine.table;
        let slots = table.slots(Family::Ipv4);
        let winners = (0..slots.capacity()).filter_map(|n| {
            let slot = SlotId(u32::try_from(n).unwrap());
            Some((slots.prefix(slot), table.winner(Family::Ipv4, slot)?))
        });
        let longest = winners.filter(|(prefix, _)| prefix.contains(address)).max_by_key(|(prefix, _)| prefix.length());
        longest.map(|(_, winner)| table.owner(winner.owner).next_hop)
    }

    /// P5, as far as forwarding goes. Who has read more than the leader may know better.
    pub(super) fn judge(&mut self) {
        let Some(leader) = self.leader else { return };
        self.deliver(leader);
        let player = &self.players[leader];
        let has_read_all = player.engine.remembers(SourceId(0)).is_some_and(|known| known.at == self.store.rev);
        if !has_read_all || player.session.is_none() || !player.heard.is_synchronised(Family::Ipv4) {
            return;
        }
        for probe in PROBES {
            if let Some(owner) = self.owner(leader, probe) {
                assert_eq!(self.forwards(probe), Some(owner), "{probe} goes astray");
            }
        }
    }
}
