//! Replicas and their store in virtual time: messages are late, lost, doubled and overtake each other; clocks run at different
//! rates; processes are killed, stopped and started anew; the store's members elect leaders, and forget what they confirmed.

use crate::election::{Effect, Election, Input, Keys, Reply, Request, Settings};
use crate::model::{Instance, Leadership, Replica, Rng, Term, Time};
use crate::source::{Attempt, Fault, FaultKind};
use crate::testing::coordination::{ENDPOINT, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) const TTL: Duration = Duration::from_secs(10);
pub(super) const MARGIN: Duration = Duration::from_secs(2);

pub(super) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[derive(Debug)]
enum Event {
    Arrive { node: usize, life: u64, attempt: Attempt, request: Request, raft: u64 },
    Input { node: usize, life: u64, input: Input },
    Wake { node: usize, life: u64 },
    Start { node: usize },
    Mishap,
}

/// What may go wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    /// Of a hundred messages.
    pub(super) lost: u64,
    /// The most that one may take.
    pub(super) late: Duration,
    /// Between two mishaps, on average; none without.
    pub(super) mishaps: Option<Duration>,
    /// The store may lose everything.
    pub(super) wipes: bool,
}

pub(super) const FINE: Weather = Weather { lost: 0, late: Duration::from_millis(5), mishaps: None, wipes: false };

struct Node {
    life: u64,
    election: Option<Election>,
    /// Its clock's rate, in thousandths.
    rate: u64,
    ahead: Duration,
    disk: Term,
    disk_fails: bool,
    stopped: Time,
}

impl Node {
    fn local(&self, now: Time) -> Time {
        Time::since_start(now.as_duration() * u32::try_from(self.rate).unwrap() / 1000 + self.ahead)
    }

    /// When its clock will show this.
    fn moment(&self, local: Time) -> Time {
        let span = local.as_duration().saturating_sub(self.ahead);
        Time::since_start(span * 1000 / u32::try_from(self.rate).unwrap() + Duration::from_nanos(1))
    }
}

pub(super) struct World {
    pub(super) now: Time,
    rng: Rng,
    pub(super) weather: Weather,
    queue: BTreeMap<(Time, u64), Event>,
    count: u64,
    pub(super) store: Store,
    nodes: Vec<Node>,
    /// Who has led in each term.
    pub(super) led: BTreeMap<Term, Instance>,
    last: Option<(Term, Instance)>,
    /// Requests that reached the store.
    pub(super) requests: u64,
}

impl World {
    pub(super) fn new(seed: u64, nodes: usize, weather: Weather) -> Self {
        let mut world = World {
            now: Time::ZERO,
            rng: Rng::new(seed),
            weather,
            queue: BTreeMap::new(),
            count: 0,
            store: Store::default(),
            nodes: Vec::new(),
            led: BTreeMap::new(),
            last: None,
            requests: 0,
        };
        for node in 0..nodes {
            // The slowest runs for 8 s of its own in 9.1 s: within the margin.
            let rate = 880 + world.dice(240);
            let ahead = Duration::from_secs(world.dice(1_000_000));
            let (life, disk) = (node as u64, Term::NONE);
            let fresh = Node { life, election: None, rate, ahead, disk, disk_fails: false, stopped: Time::ZERO };
            world.nodes.push(fresh);
            let at = world.now + millis(world.dice(3000));
            world.push(at, Event::Start { node });
        }
        world.mishap_later();
        world
    }

    fn dice(&mut self, sides: u64) -> u64 {
        self.rng.next_u64() % sides.max(1)
    }

    fn push(&mut self, at: Time, event: Event) {
        self.count += 1;
        self.queue.insert((at, self.count), event);
    }

    fn mishap_later(&mut self) {
        if let Some(mean) = self.weather.mishaps {
            let span = self.dice(2 * u64::try_from(mean.as_millis()).unwrap());
            self.push(self.now + millis(span), Event::Mishap);
        }
    }

    /// How long a message takes; none if it is lost.
    fn delay(&mut self) -> Option<Duration> {
        if self.dice(100) < self.weather.lost {
            return None;
        }
        // Most are fast, some are as late as can be.
        let most = match self.dice(8) {
            0 => self.weather.late,
            _ => self.weather.late / 20,
        };
        let micros = u64::try_from(most.as_micros()).unwrap();
        Some(Duration::from_micros(self.dice(micros)))
    }

    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let next = self.queue.first_key_value().map(|((at, _), _)| *at);
            let ends = self.store.next_end();
            match [next, ends].into_iter().flatten().min() {
                Some(at) if at <= end && next != Some(at) => {
                    self.now = self.now.max(at);
                    self.with_store(|store, now| store.expire(now));
                }
                Some(at) if at <= end => {
                    self.now = self.now.max(at);
                    let event = self.queue.pop_first();
                    event.into_iter().for_each(|(_, event)| self.happen(event));
                }
                _ => break,
            }
            self.judge();
        }
        self.now = end;
    }

    /// Changes the store; whoever watches hears of a change at the leader key, perhaps.
    pub(super) fn with_store<T>(&mut self, change: impl FnOnce(&mut Store, Time) -> T) -> T {
        let before = self.store.leader.clone();
        let result = change(&mut self.store, self.now);
        if self.store.leader != before {
            for node in 0..self.nodes.len() {
                if let Some(delay) = self.delay() {
                    let life = self.nodes[node].life;
                    self.push(self.now + delay, Event::Input { node, life, input: Input::Changed });
                }
            }
        }
        result
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start { node } => {
                self.start(node);
                self.feed(node, Input::Read);
            }
            Event::Arrive { node, life, attempt, request, raft } => self.arrive(node, life, attempt, request, raft),
            Event::Input { node, life, .. } | Event::Wake { node, life } if self.nodes[node].life != life => {}
            // A stopped process finds everything waiting for it.
            Event::Input { node, .. } | Event::Wake { node, .. } if self.nodes[node].stopped > self.now => {
                self.push(self.nodes[node].stopped, event);
            }
            Event::Input { node, input, .. } => self.feed(node, input),
            Event::Wake { node, .. } => self.feed(node, Input::Clock),
            Event::Mishap if self.weather.mishaps.is_none() => {}
            Event::Mishap => {
                self.mishap();
                self.mishap_later();
            }
        }
    }

    fn arrive(&mut self, node: usize, life: u64, attempt: Attempt, request: Request, raft: u64) {
        self.requests += 1;
        let identity = identity(node);
        // A member that was cut off, and did not know that it leads no more, confirms what it cannot.
        let stale = matches!(request, Request::KeepAlive(_)) && raft != self.store.raft();
        let reply = match stale {
            true => Reply::KeptAlive(ENDPOINT),
            false => self.with_store(|store, now| store.serve(now, &identity, request)),
        };
        if let Some(delay) = self.delay() {
            let fault = Fault { kind: FaultKind::Unreachable, message: "the connection was cut".into() };
            let answer = if self.dice(100) < self.weather.lost { Err(fault) } else { Ok(reply) };
            self.push(self.now + delay, Event::Input { node, life, input: Input::Answer(attempt, answer) });
        }
    }

    fn start(&mut self, node: usize) {
        // Lives of all nodes are different numbers.
        let life = self.nodes[node].life + self.nodes.len() as u64;
        let me = Replica { identity: identity(node), instance: Instance(life.into()) };
        let seed = self.rng.next_u64();
        let keys = Keys::new("/election", &me.identity);
        let settings = Settings { me, keys, ttl: TTL, margin: MARGIN, reading: Duration::ZERO, seed };
        let node = &mut self.nodes[node];
        (node.life, node.stopped) = (life, Time::ZERO);
        node.election = Some(Election::new(settings));
    }

    pub(super) fn feed(&mut self, node: usize, input: Input) {
        let now = self.nodes[node].local(self.now);
        let mut effects = Vec::new();
        let Some(election) = &mut self.nodes[node].election else { return };
        election.handle(now, input, &mut effects);
        let deadline = election.next_deadline();
        let life = self.nodes[node].life;
        if let Some(deadline) = deadline {
            assert!(deadline > now, "it wants to be called at once, again and again");
            let at = self.nodes[node].moment(deadline);
            self.push(at, Event::Wake { node, life });
        }
        for effect in effects {
            match effect {
                Effect::Ask(attempt, request) => {
                    let raft = self.store.raft();
                    let copies = if self.dice(100) < self.weather.lost { 2 } else { 1 };
                    for _ in 0..copies {
                        if let Some(delay) = self.delay() {
                            let request = request.clone();
                            self.push(self.now + delay, Event::Arrive { node, life, attempt, request, raft });
                        }
                    }
                }
                Effect::StoreTerm(term) => {
                    let span = millis(self.dice(200));
                    let fails = self.nodes[node].disk_fails;
                    if !fails {
                        // Written, and perhaps the process is killed before it knows.
                        self.nodes[node].disk = self.nodes[node].disk.max(term);
                    }
                    let result = if fails { Err("no space left on device".into()) } else { Ok(self.nodes[node].disk) };
                    let input = Input::TermStored(result);
                    self.push(self.now + span, Event::Input { node, life, input });
                }
                Effect::Leadership(_) | Effect::Trouble(_) | Effect::Left => {}
            }
        }
    }

    fn mishap(&mut self) {
        let node = usize::try_from(self.dice(self.nodes.len() as u64)).unwrap();
        let span = millis(self.dice(25_000));
        match self.dice(if self.weather.wipes { 10 } else { 9 }) {
            0 | 1 => self.kill(node, span),
            2 | 3 => self.nodes[node].stopped = self.now + span,
            4 | 5 => {
                let now = self.now;
                self.store.elect(now);
            }
            6 => self.nodes[node].disk_fails = !self.nodes[node].disk_fails,
            7 => self.feed(node, Input::Yield),
            8 => {
                self.weather.lost = [0, 5, 40, 100][usize::try_from(self.dice(4)).unwrap()];
                self.weather.late = [millis(10), millis(500), millis(15_000)][usize::try_from(self.dice(3)).unwrap()];
            }
            _ => self.with_store(|store, _| store.wipe()),
        }
    }

    pub(super) fn kill(&mut self, node: usize, span: Duration) {
        self.nodes[node].election = None;
        self.push(self.now + span, Event::Start { node });
    }

    /// Everybody is well from now on.
    pub(super) fn clear_up(&mut self) {
        self.weather = Weather { wipes: self.weather.wipes, ..FINE };
        for node in 0..self.nodes.len() {
            self.nodes[node].disk_fails = false;
            self.nodes[node].stopped = Time::ZERO;
        }
    }

    pub(super) fn role(&self, node: usize) -> Option<Leadership> {
        let node = &self.nodes[node];
        node.election.as_ref().map(|election| election.leadership(node.local(self.now)))
    }

    /// Who leads now, and in which terms.
    pub(super) fn leaders(&self) -> Vec<(usize, Term)> {
        let leads = |n: usize| {
            let node = &self.nodes[n];
            Some((n, node.election.as_ref()?.leadership(node.local(self.now)).leads(node.local(self.now))?))
        };
        (0..self.nodes.len()).filter_map(leads).collect()
    }

    /// P7: one voice, and terms that never go back.
    fn judge(&mut self) {
        let leaders = self.leaders();
        if !self.weather.wipes {
            assert!(leaders.len() <= 1, "at {:?} lead: {leaders:?}", self.now);
        }
        for (n, term) in leaders {
            let node = &self.nodes[n];
            let instance = Instance(node.life.into());
            assert!(node.disk >= term, "it leads in a term that a restart would forget");
            if self.weather.wipes {
                self.led.insert(term, instance);
                continue;
            }
            let before = self.led.insert(term, instance);
            assert!(before.is_none_or(|before| before == instance), "two have led in term {term}");
            if self.last != Some((term, instance)) {
                assert!(self.last.is_none_or(|(last, _)| last < term), "term {term} came after {:?}", self.last);
                self.last = Some((term, instance));
            }
        }
    }
}

pub(super) fn identity(node: usize) -> Arc<str> {
    format!("10.0.3.{node}").into()
}
