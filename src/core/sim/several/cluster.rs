//! Several replicas over the same stores, one store of coordination, and the same gateways.

use super::super::agenda::Agenda;
use super::super::dice::Dice;
use super::super::part::{Boottime, Part};
use super::super::settings::Shape;
use super::super::world::World;
use super::leftovers::Leftovers;
use super::orders::Post;
use super::seat::{Seat, identity, others};
use super::status::{Board, Word};
use super::voice::Voice;
use crate::election::{Input, Request};
use crate::model::{Instance, Leadership, Replica, Time};
use crate::source::Attempt;
use crate::testing::coordination::Store;
use crate::testing::shelf::Shelf;
use std::time::Duration;

/// What will happen beside what happens within one replica's world. With the number of the replica, and of its process.
pub(super) enum Event {
    /// The process starts.
    Start(usize),
    /// It is looked whether it has read its sources.
    Look(usize, u64),
    /// A question arrives at the coordination store, which had this leader of its own when it was sent.
    Asked { r: usize, life: u64, attempt: Attempt, request: Request, raft: u64 },
    /// Something comes to its election.
    Election(usize, u64, Input),
    /// Writers and engine hear what the election says; with its number.
    Told(usize, u64, u64, Option<Leadership>),
    /// The exchange of orders.
    Orders(usize, u64, Post),
    /// The exchange of what they say of themselves.
    Status(usize, u64, Word),
    /// It ends its sessions, and then itself.
    Farewell(usize, u64),
}

pub(super) struct Cluster {
    pub(super) now: Time,
    pub(super) dice: Dice,
    pub(super) agenda: Agenda<Event>,
    /// One for each replica, with its own sessions to the same gateways, and a copy of the same stores.
    pub(super) worlds: Vec<World>,
    pub(super) seats: Vec<Seat>,
    /// How many processes there have been.
    pub(super) lives: u64,
    pub(super) coordination: Store,
    /// The orders that stand there, and as they were at some moment.
    pub(super) shelf: Shelf,
    pub(super) older_shelf: Shelf,
    /// The same of what each says of itself.
    pub(super) board: Board,
    pub(super) older_board: Board,
    /// A source's store was put back since the last rest: one may know it, and another not yet.
    pub(super) has_restored: bool,
    /// It answers nobody.
    pub(super) quorum_lost: bool,
    pub(super) voice: Voice,
    pub(super) leftovers: Leftovers,
    pub(super) trace: Vec<String>,
    traces: bool,
}

impl Cluster {
    pub(super) fn new(seed: u64, traces: bool) -> Self {
        let mut dice = Dice::new(seed ^ 0x7265_706c);
        let mut shape = Shape::new(&mut dice);
        shape.hosts = shape.hosts.min(12);
        shape.gateways.truncate(3);
        for kind in &mut shape.gateways {
            kind.lingers = kind.keeps && dice.one_in(2);
        }
        let replicas = if dice.one_in(3) { 3 } else { 2 };
        shape.others = others(replicas);
        let world = |r: usize, dice: &mut Dice| {
            let own = Dice::new(seed.wrapping_mul(31) + 1 + r as u64);
            let mut world = World::with(seed + 1000 * r as u64, own, shape.clone(), traces);
            let rate = dice.from(880..=1120) as u32;
            let ahead = Duration::from_secs(dice.from(0..=1_000_000));
            let me = Replica { identity: identity(r), instance: Instance(0) };
            let wall = if dice.one_in(4) { dice.from(0..=3_600_000) } else { dice.from(0..=2000) };
            world.part = Some(Part::new(me, r as u32 + 1, Boottime { rate, ahead }, wall));
            world
        };
        Cluster {
            now: Time::ZERO,
            worlds: (0..replicas).map(|r| world(r, &mut dice)).collect(),
            dice,
            agenda: Agenda::new(),
            seats: (0..replicas).map(|_| Seat::default()).collect(),
            lives: 0,
            coordination: Store::default(),
            shelf: Shelf::default(),
            older_shelf: Shelf::default(),
            board: Board::default(),
            older_board: Board::default(),
            has_restored: false,
            quorum_lost: false,
            voice: Voice::new(shape.gateways.len()),
            leftovers: Leftovers::default(),
            trace: Vec::new(),
            traces,
        }
    }

    pub(super) fn say(&mut self, what: impl FnOnce() -> String) {
        if self.traces {
            self.gather_traces();
            let line = format!("{:>12.3} s  {}", self.now.as_duration().as_secs_f64(), what());
            self.trace.push(line);
        }
    }

    pub(super) fn gather_traces(&mut self) {
        for (r, world) in self.worlds.iter_mut().enumerate() {
            self.trace.extend(world.trace.drain(..).map(|line| format!("{r} {line}")));
        }
    }

    pub(super) fn wait(&mut self, span: Duration) {
        // What has been begun just now was begun by who leads now.
        self.listen();
        let until = self.now + span;
        while let Some(at) = self.next_due().filter(|at| *at <= until) {
            self.move_to(self.now.max(at));
            self.step();
            self.gather_traces();
            self.listen();
        }
        self.move_to(until);
    }

    fn move_to(&mut self, now: Time) {
        self.now = now;
        self.worlds.iter_mut().for_each(|world| world.now = now);
    }

    fn next_due(&self) -> Option<Time> {
        let of_worlds = self.worlds.iter().filter_map(World::next_due);
        let of_elections = (0..self.seats.len()).filter_map(|r| self.due(r));
        of_worlds.chain(of_elections).chain(self.agenda.next_due()).chain(self.coordination.next_end()).min()
    }

    fn step(&mut self) {
        let now = self.now;
        if self.coordination.next_end().is_some_and(|at| at <= now) {
            return self.with_coordination(|store, now| store.expire(now));
        }
        // A process that goes on after it was stopped may do anything first.
        let world = (0..self.worlds.len()).find(|r| self.worlds[*r].next_due().is_some_and(|at| at <= now));
        if let Some(r) = world.filter(|_| self.dice.one_in(2)) {
            return self.worlds[r].step();
        }
        if let Some(event) = self.agenda.take(now) {
            return self.happen(event);
        }
        if let Some(r) = (0..self.seats.len()).find(|r| self.due(*r).is_some_and(|at| at <= now)) {
            return self.feed(r, Input::Clock);
        }
        if let Some(r) = world {
            self.worlds[r].step();
        }
    }

    fn happen(&mut self, event: Event) {
        let of = match &event {
            Event::Start(_)
            | Event::Asked { .. }
            | Event::Orders(.., Post::Asked(..))
            | Event::Status(.., Word::Asked(..)) => None,
            Event::Look(r, life)
            | Event::Election(r, life, _)
            | Event::Told(r, life, ..)
            | Event::Orders(r, life, _)
            | Event::Status(r, life, _)
            | Event::Farewell(r, life) => Some((*r, *life)),
        };
        if let Some((r, life)) = of {
            if self.seats[r].life != life {
                return;
            }
            if let Some(until) = self.worlds[r].stopped().filter(|until| *until > self.now) {
                return self.agenda.put(until, event);
            }
        }
        match event {
            Event::Start(r) => self.start(r),
            Event::Look(r, _) => self.look(r),
            Event::Asked { r, life, attempt, request, raft } => self.asked(r, life, attempt, request, raft),
            Event::Election(r, _, input) => self.feed(r, input),
            // What was to be heard while it was stopped may be overtaken by what was said once it went on.
            Event::Told(r, _, n, leadership) if !self.seats[r].leaves && self.seats[r].heard < n => {
                self.seats[r].heard = n;
                self.hear_election(r, leadership);
            }
            Event::Told(..) => {}
            Event::Orders(r, life, post) => self.post(r, life, post),
            Event::Status(r, life, word) => self.hear_of_status(r, life, word),
            Event::Farewell(r, _) => self.farewell(r),
        }
    }

    /// Replicas that run.
    pub(super) fn running(&self) -> Vec<usize> {
        (0..self.worlds.len()).filter(|r| self.worlds[*r].process.is_some()).collect()
    }

    /// To which a person can give an order.
    pub(super) fn answering(&self) -> Vec<usize> {
        let answers = |r: &usize| self.worlds[*r].stopped().is_none() && !self.seats[*r].leaves;
        self.running().into_iter().filter(answers).collect()
    }
}
