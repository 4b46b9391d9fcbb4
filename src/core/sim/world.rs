//! The world of one seed, and the order in which things happen in it.

use super::agenda::Agenda;
use super::dice::Dice;
use super::gateway::Model;
use super::judge::Judge;
use super::ledger::Ledger;
use super::part::Part;
use super::process::{Knows, Left, Process, Sent};
use super::settings::Shape;
use super::truth::Truth;
use super::wire::Wire;
use crate::engine::{Orders, Refusal, SessionNumber};
use crate::model::{Prefix, Time};
use crate::source::ClusterId;
use crate::table::Target;
use crate::testing::store::Store;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What will happen.
pub(super) enum Event {
    /// A source's transport may have something to say.
    Serve(usize),
    /// Our attempt to reach a gateway comes to an end.
    Dialled(usize),
    /// A gateway's attempt to reach us does.
    DialledUs(usize),
    /// Octets arrive at the gateway's end of a wire, or its end.
    ToGateway(u64, Option<Sent>),
    /// And at ours.
    ToUs(u64, Option<Bytes>),
    /// The process starts, with its disk as it was, or with an empty one.
    Start,
    /// What the sources said is written down.
    Save,
    /// The engine of this process hears that so many octets of a session were not said, because their stamp was too old.
    Refused { n: usize, process: usize, number: SessionNumber, refusal: Refusal, octets: usize },
}

pub(super) struct World {
    pub(super) now: Time,
    pub(super) seed: u64,
    pub(super) dice: Dice,
    pub(super) shape: Shape,
    pub(super) agenda: Agenda<Event>,
    pub(super) stores: Vec<Store>,
    /// Which record of which store was ever written at which revision.
    pub(super) written: BTreeSet<(usize, u8, u64)>,
    /// Who each store has ever been.
    pub(super) clusters: BTreeSet<(usize, u64)>,
    pub(super) faults: Vec<Faults>,
    /// As each store was at some moment.
    pub(super) backups: Vec<Store>,
    pub(super) disk: Vec<Option<Left>>,
    /// What a person has ordered, on the disk too.
    pub(super) orders: Orders,
    pub(super) disk_works: bool,
    pub(super) variant: u8,
    pub(super) process: Option<Process>,
    /// Of every process that there was, the last one is that of now.
    pub(super) knows: Vec<Knows>,
    pub(super) gateways: Vec<Model>,
    pub(super) wires: BTreeMap<u64, Wire>,
    pub(super) next_wire: u64,
    pub(super) truth: Truth,
    pub(super) judge: Judge,
    pub(super) ledger: Ledger,
    pub(super) forced: BTreeSet<Target>,
    /// Which gateways a person has drained.
    pub(super) drained: BTreeSet<Arc<str>>,
    /// What it is among several; none: it is alone.
    pub(super) part: Option<Part>,
    /// Gateways, and what of their tables may be otherwise since somebody looked last: a prefix, or (none) everything.
    pub(super) touched: BTreeSet<(usize, Option<Prefix>)>,
    /// An event was lost since the last rest.
    pub(super) has_lost: bool,
    pub(super) trace: Vec<String>,
    pub(super) traces: bool,
}

/// What is wrong between a store and its transport.
#[derive(Default)]
pub(super) struct Faults {
    /// It says nothing, and nobody notices.
    pub(super) is_silent: bool,
    /// So many of its next answers lack an event.
    pub(super) loses: usize,
    /// So many of its next events come twice.
    pub(super) repeats: usize,
    /// Its progress runs ahead of its events (etcd#15220).
    pub(super) overtakes: bool,
    /// Its next list of several pages is compacted away in its middle.
    pub(super) cuts: bool,
    /// A Serve is on the agenda.
    pub(super) is_awake: bool,
    /// The events that came last.
    pub(super) last: Vec<crate::source::Event>,
}

impl World {
    pub(super) fn new(seed: u64, traces: bool) -> Self {
        let mut dice = Dice::new(seed);
        let shape = Shape::new(&mut dice);
        World::with(seed, dice, shape, traces)
    }

    pub(super) fn with(seed: u64, dice: Dice, shape: Shape, traces: bool) -> Self {
        let gateways = shape.gateways.iter().enumerate().map(|(n, kind)| Model::new(n, kind, seed + 100 + n as u64));
        let judge = Judge::new(shape.gateways.len(), shape.sources, shape.guarded);
        // Not the cluster of all files, nor one that takes its place.
        let mut store = Store::default();
        store.cluster = ClusterId(10);
        World {
            now: Time::ZERO,
            seed,
            dice,
            agenda: Agenda::new(),
            stores: vec![store.clone(); shape.sources],
            written: BTreeSet::new(),
            clusters: (0..shape.sources).map(|n| (n, store.cluster.0)).collect(),
            faults: (0..shape.sources).map(|_| Faults::default()).collect(),
            backups: vec![store; shape.sources],
            disk: vec![None; shape.sources],
            orders: Orders::default(),
            disk_works: true,
            variant: 0,
            process: None,
            knows: Vec::new(),
            gateways: gateways.collect(),
            wires: BTreeMap::new(),
            next_wire: 0,
            truth: Truth::default(),
            judge,
            ledger: Ledger::default(),
            forced: BTreeSet::new(),
            drained: BTreeSet::new(),
            part: None,
            touched: BTreeSet::new(),
            has_lost: false,
            shape,
            trace: Vec::new(),
            traces,
        }
    }

    pub(super) fn say(&mut self, what: impl FnOnce() -> String) {
        if self.traces {
            let line = format!("{:>12.3} s  {}", self.now.as_duration().as_secs_f64(), what());
            self.trace.push(line);
        }
    }

    /// Everything that is due until then.
    pub(super) fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.next_due().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.step();
        }
        self.now = until;
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        let process = self.process.iter().filter(|_| self.stopped().is_none());
        let ours = process.flat_map(|process| {
            let sessions = process.peers.iter().filter_map(|peer| peer.neighbour.next_deadline());
            sessions.chain(process.engine.next_deadline())
        });
        let theirs = self.gateways.iter().flat_map(|gateway| [gateway.neighbour.next_deadline(), gateway.expires]);
        ours.chain(theirs.flatten()).chain(self.agenda.next_due()).chain(self.stopped()).min()
    }

    pub(super) fn step(&mut self) {
        self.resume();
        if let Some(event) = self.agenda.take(self.now) {
            self.happen(event);
        } else {
            self.on_deadlines_here();
            self.on_deadlines_there();
        }
    }

    fn happen(&mut self, event: Event) {
        if let Some(until) = self.stopped().filter(|_| !matches!(event, Event::ToGateway(..) | Event::Start)) {
            // A stopped process finds everything waiting for it.
            return self.agenda.put(until, event);
        }
        match event {
            Event::Serve(source) => self.serve(source),
            Event::Dialled(gateway) => self.dialled(gateway),
            Event::DialledUs(gateway) => self.dialled_us(gateway),
            Event::ToGateway(wire, octets) => self.arrives_there(wire, octets),
            Event::ToUs(wire, octets) => self.arrives_here(wire, octets),
            Event::Start => self.start(),
            Event::Save => self.save(),
            Event::Refused { n, process, number, refusal, octets } => self.refused(n, process, number, refusal, octets),
        }
    }

    /// A wire that both ends have left is gone.
    pub(super) fn forget_wires(&mut self) {
        self.wires.retain(|_, wire| wire.open_here || wire.open_there);
    }
}
