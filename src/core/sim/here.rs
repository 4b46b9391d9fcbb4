//! Our end of the wires, and the process between them and the stores.

use super::part::Part;
use super::process::{Control, Knows, Process, Read, Sent, Writing};
use super::wire::Wire;
use super::world::{Event, World};
use crate::bgp::neighbour::{ConnectionId, Effect as Does, Input as Happens, Stop};
use crate::engine::{Effect, Input, REPORT, Role, SessionNumber, SessionUp};
use crate::model::{GatewayId, SourceId, Time};
use crate::source::{Event as Change, FaultKind, Report, Task};
use crate::table::Target;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Between a write and the next look at what is to be written down.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// A gateway's credit: for whom so much is queued gets nothing more.
const CREDIT: usize = 2 * 64 * 1024;

impl World {
    /// The process starts with what is on the disk.
    pub(super) fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        let remembers = self.disk.iter().all(Option::is_some);
        if !remembers {
            self.judge.unguarded = Time::since_start(Duration::MAX);
        }
        self.say(|| format!("the process starts; {}", if remembers { "it remembers" } else { "it remembers nothing" }));
        let since = self.disk.iter().flatten().map(|left| left.since).min().unwrap_or(self.now);
        let seed = self.seed ^ self.now.as_duration().as_millis() as u64;
        let restarting = !self.knows.is_empty();
        self.remember_orders();
        let orders = self.orders.clone();
        let mut process = Process::start(self.now, &self.shape, self.variant, &self.disk, orders, restarting, seed);
        if let Some(part) = &self.part {
            process.engine.share_orders(self.now, part.wall(self.now), part.me.clone());
            process.engine.handle(self.now, Input::Introduced(part.introduction()), &mut process.effects);
            process.engine.take_role(self.now, Role::Unsure { ordinal: part.ordinal }, &mut process.effects);
        }
        self.process = Some(process);
        let remembers = self.disk.iter().map(Option::is_some).collect();
        let read = Arc::new(Read { listed: vec![false; self.stores.len()], is_taken_in: false });
        self.knows.push(Knows { started: self.now, since, read, remembers, held: BTreeSet::new() });
        (0..self.gateways.len()).for_each(|n| self.tell(n, Happens::Start));
        self.carry_out();
        self.agenda.put(self.now + SAVE_EVERY, Event::Save);
    }

    /// What a person ordered stands as far as it was written down.
    fn remember_orders(&mut self) {
        self.drained = self.orders.drained.iter().cloned().collect();
        let kept: BTreeSet<Target> = self.orders.forced.iter().cloned().collect();
        for target in std::mem::replace(&mut self.forced, kept.clone()).symmetric_difference(&kept) {
            self.excuse(target);
        }
        self.judge.frozen = self.orders.frozen.map(|_| self.now);
        self.follow();
    }

    /// It is killed: the system closes its connections, and what it had queued is lost.
    pub(super) fn kill(&mut self) {
        if self.process.is_some() {
            self.end_account();
            let held = self.holds().into_iter().map(|hold| hold.prefix).collect();
            if let Some(knows) = self.knows.last_mut() {
                knows.held = held;
            }
        }
        if self.process.take().is_some() {
            self.part.iter_mut().for_each(Part::end);
            let open: Vec<u64> = self.wires.iter().filter(|(_, wire)| wire.open_here).map(|(id, _)| *id).collect();
            open.into_iter().for_each(|wire| self.close_here(wire));
        }
    }

    /// It ends as for an upgrade.
    pub(super) fn hand_over(&mut self) {
        (0..self.gateways.len()).for_each(|n| self.tell(n, Happens::Stop(Stop::Handover)));
        self.kill();
    }

    pub(super) fn save(&mut self) {
        let Some(process) = &mut self.process else { return };
        if self.disk_works {
            let since = self.judge.gateways.iter().map(|seen| seen.rest).min().unwrap_or_default();
            let knows_since = self.knows.last().map_or(since, |knows| knows.since);
            self.orders = process.engine.orders(self.now);
            process.save(&mut self.disk, since.min(knows_since));
        }
        if !self.agenda.any(|event| matches!(event, Event::Save)) {
            self.agenda.put(self.now + SAVE_EVERY, Event::Save);
        }
    }

    pub(super) fn on_deadlines_here(&mut self) {
        if self.stopped().is_some() {
            return;
        }
        let now = self.now;
        let Some(process) = &mut self.process else { return };
        if process.engine.next_deadline().is_some_and(|at| at <= now) {
            process.engine.on_deadline(now, &mut process.effects);
            self.carry_out();
        }
        for n in 0..self.gateways.len() {
            let Some(process) = &mut self.process else { return };
            let neighbour = &mut process.peers[n].neighbour;
            if neighbour.next_deadline().is_some_and(|at| at <= now) {
                let mut does = Vec::new();
                neighbour.on_deadline(now, &mut does);
                self.do_here(n, does);
            }
        }
    }

    /// Something happens to the session with a gateway.
    pub(super) fn tell(&mut self, n: usize, happens: Happens<'_>) {
        let Some(process) = &mut self.process else { return };
        let mut does = Vec::new();
        process.peers[n].neighbour.handle(self.now, happens, &mut does);
        self.do_here(n, does);
    }

    fn do_here(&mut self, n: usize, does: Vec<Does>) {
        for does in does {
            let Some(process) = &mut self.process else { return };
            let (peer, gateway) = (&mut process.peers[n], GatewayId(n as u32));
            match does {
                Does::Dial => {
                    peer.dials = true;
                    self.agenda.put(self.now + self.shape.gateways[n].delay * 2, Event::Dialled(n));
                }
                Does::AbortDial => peer.dials = false,
                Does::Send(connection, message) => peer.control.push_back((connection, Control::Send(message))),
                Does::Close(connection) => peer.control.push_back((connection, Control::Close)),
                Does::Up(connection, agreed) => {
                    process.sessions += 1;
                    let number = SessionNumber(process.sessions);
                    peer.session = Some((number, connection));
                    (peer.unreported, peer.done, peer.refusing) = (0, 0, false);
                    let address = IpAddr::from([10, 170, 0, n as u8]);
                    let (families, enhanced_refresh) = (agreed.families, agreed.enhanced_refresh);
                    let up = SessionUp { number, families, enhanced_refresh, address };
                    self.say(|| format!("session with gateway {n}"));
                    self.engine(Input::SessionUp(gateway, up));
                }
                Does::Down(_, end) => {
                    peer.chunks.clear();
                    if let Some((number, _)) = peer.session.take() {
                        self.say(|| format!("no session with gateway {n}: {end}"));
                        self.engine(Input::SessionDown(gateway, number));
                    }
                }
                Does::Refresh(_, family) => {
                    if let Some((number, _)) = peer.session {
                        self.engine(Input::Refresh(gateway, number, family));
                    }
                }
                Does::Failed(_) | Does::UpdateError(..) | Does::Update(..) => {}
            }
        }
        self.write(n);
    }

    pub(super) fn engine(&mut self, input: Input) {
        if let Some(process) = &mut self.process {
            process.engine.handle(self.now, input, &mut process.effects);
            self.carry_out();
        }
    }

    /// Does what the engine wants, until it wants nothing more.
    pub(super) fn carry_out(&mut self) {
        self.note_reading();
        loop {
            let Some(process) = &mut self.process else { return };
            if process.effects.is_empty() && !process.engine.work(&mut process.effects) && process.effects.is_empty() {
                return self.read_events();
            }
            for effect in std::mem::take(&mut process.effects) {
                self.effect(effect);
            }
        }
    }

    fn note_reading(&mut self) {
        let decides = self.process.is_some() && !self.is_unsure() && self.judge.frozen.is_none();
        let knows = self.knows.last_mut().filter(|knows| decides && !knows.read.is_taken_in);
        if let Some(knows) = knows.filter(|knows| knows.read.listed.iter().all(|listed| *listed)) {
            Arc::make_mut(&mut knows.read).is_taken_in = true;
        }
    }

    fn effect(&mut self, effect: Effect) {
        let Some(process) = &mut self.process else { return };
        match effect {
            Effect::Order(source, order) => {
                let n = usize::from(source.0);
                if matches!(order.task, Task::List) || order.elsewhere {
                    // Another endpoint, or another stream.
                    self.faults[n].is_silent &= !order.elsewhere;
                }
                process.transports[n].order(order);
                self.wake(n);
            }
            Effect::Send(gateway, number, chunk) => {
                let n = gateway.0 as usize;
                let peer = &mut process.peers[n];
                assert_eq!(
                    peer.session.map(|(number, _)| number),
                    Some(number),
                    "chunks go to the session that stands"
                );
                if peer.refusing {
                    return self.drop_unsaid(n, number, chunk.bytes.len());
                }
                let read = self.knows.last().map(|knows| Arc::clone(&knows.read)).unwrap_or_default();
                let queued: usize = peer.chunks.iter().map(|writing| writing.chunk.bytes.len()).sum();
                assert!(queued < CREDIT, "P6: gateway {n} is given more, and {queued} octets are queued for it");
                peer.chunks.push_back(Writing { chunk, read, written: 0 });
                self.write(n);
            }
            Effect::Resume(gateway, _) => process.peers[gateway.0 as usize].refusing = false,
            Effect::CloseSlow(gateway, _) => self.tell(gateway.0 as usize, Happens::TooSlow),
            Effect::Note(source, note) => self.say(|| format!("source {}: {note}", source.0)),
            Effect::Held(source, kind, count, why) => {
                self.say(|| format!("source {}: {count} {kind:?} held: {why:?}", source.0));
            }
            Effect::Replica(identity, note) => self.say(|| format!("replica {identity}: {note:?}")),
            Effect::MoreNotes(..)
            | Effect::ReloadHeld(_)
            | Effect::Taken(_)
            | Effect::TakesNothing(_)
            | Effect::Capped(..)
            | Effect::NotAnnounced(..) => {}
        }
    }

    /// Writes what the window of the wire lets through: between two messages of a chunk whatever the session has to say.
    pub(super) fn write(&mut self, n: usize) {
        if self.stopped().is_some() {
            return;
        }
        loop {
            let Some(process) = &mut self.process else { return };
            let peer = &mut process.peers[n];
            if let Some((connection, _)) = peer.control.front() {
                let connection = *connection;
                let Some(wire) = self.wire_here(n, connection) else {
                    let Some(process) = &mut self.process else { return };
                    process.peers[n].control.pop_front();
                    continue;
                };
                if self.is_full(wire) {
                    return;
                }
                let Some(process) = &mut self.process else { return };
                match process.peers[n].control.pop_front() {
                    Some((_, Control::Send(message))) => {
                        // What a session says of itself needs no reading.
                        self.send_there(wire, Sent { octets: message, read: Arc::default() });
                        self.tell(n, Happens::Progress(connection));
                    }
                    Some((_, Control::Close)) => self.close_here(wire),
                    None => return,
                }
                continue;
            }
            let (Some((number, connection)), Some(writing)) = (peer.session, peer.chunks.front_mut()) else { return };
            let stamp = writing.chunk.stamp;
            let Some(sent) = writing.next() else {
                let length = writing.chunk.bytes.len();
                peer.chunks.pop_front();
                peer.unreported += length;
                peer.done += length as u64;
                if peer.unreported >= REPORT {
                    let octets = std::mem::take(&mut peer.unreported);
                    self.engine(Input::Written(GatewayId(n as u32), number, octets));
                }
                continue;
            };
            let Some(wire) = self.wire_here(n, connection) else { return };
            if self.is_full(wire) {
                return;
            }
            if !self.may_say_next(n) {
                self.refuse(n, number);
                continue;
            }
            self.part.iter_mut().for_each(|part| part.begun.push(stamp));
            if let Some(writing) = self.process.as_mut().and_then(|process| process.peers[n].chunks.front_mut()) {
                writing.written += 1;
            }
            self.send_there(wire, sent);
            self.tell(n, Happens::Written(connection, 1));
        }
    }

    pub(super) fn wire_here(&self, n: usize, connection: ConnectionId) -> Option<u64> {
        let is_it = |wire: &Wire| wire.gateway == n && wire.ours == connection && wire.open_here;
        self.wires.iter().find(|(_, wire)| is_it(wire)).map(|(id, _)| *id)
    }

    fn is_full(&self, wire: u64) -> bool {
        self.wires.get(&wire).is_some_and(|wire| wire.unread >= self.shape.gateways[wire.gateway].window)
    }

    pub(super) fn send_there(&mut self, id: u64, Sent { octets, read }: Sent) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        wire.unread += octets.len();
        let at = self.now + self.shape.gateways[wire.gateway].delay;
        // A stream has no messages.
        let (first, rest) = if self.dice.one_in(8) {
            let middle = octets.len() / 2;
            (octets.slice(..middle), Some(octets.slice(middle..)))
        } else {
            (octets, None)
        };
        for octets in [Some(first), rest].into_iter().flatten() {
            self.agenda.put(at, Event::ToGateway(id, Some(Sent { octets, read: Arc::clone(&read) })));
        }
    }

    /// Our end is closed; the gateway reads that after what is on its way.
    pub(super) fn close_here(&mut self, id: u64) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        if std::mem::take(&mut wire.open_here) {
            let at = self.now + self.shape.gateways[wire.gateway].delay;
            self.agenda.put(at, Event::ToGateway(id, None));
        }
        self.forget_wires();
    }

    /// Our attempt to connect has an answer.
    pub(super) fn dialled(&mut self, n: usize) {
        let Some(process) = &mut self.process else { return };
        if !std::mem::take(&mut process.peers[n].dials) {
            return;
        }
        if self.gateways[n].is_down || self.is_cut_off() {
            return self.tell(n, Happens::ConnectFailed("connection refused".into()));
        }
        let ours = self.connect(n);
        self.tell(n, Happens::Connected(ours));
        self.accept_there(n, ours);
    }

    /// Octets come in, or the end of the stream.
    pub(super) fn arrives_here(&mut self, id: u64, octets: Option<Bytes>) {
        let Some(wire) = self.wires.get_mut(&id).filter(|wire| !wire.is_silent && wire.open_here) else { return };
        let (n, ours) = (wire.gateway, wire.ours);
        match octets {
            Some(octets) => self.tell(n, Happens::Received(ours, &octets)),
            None => {
                wire.open_here = false;
                wire.open_there = false;
                self.forget_wires();
                self.tell(n, Happens::Closed(ours, "closed by the gateway".into()));
            }
        }
    }

    /// Gives a source's transport a moment, soon.
    pub(super) fn wake(&mut self, source: usize) {
        if !std::mem::replace(&mut self.faults[source].is_awake, true) {
            let soon = self.dice.millis(1..=40);
            self.agenda.put(self.now + soon, Event::Serve(source));
        }
    }

    /// The transport says the next thing that it has to say, or what becomes of it on its way.
    pub(super) fn serve(&mut self, n: usize) {
        let faults = &mut self.faults[n];
        faults.is_awake = false;
        let Some(process) = self.process.as_mut().filter(|_| !faults.is_silent) else { return };
        if self.part.as_ref().is_some_and(|part| part.has_no_store) {
            return self.fail(n, FaultKind::Unreachable);
        }
        let most = self.dice.from(1..=6) as usize;
        let Some((attempt, mut report)) = process.transports[n].serve(&self.stores[n], most) else { return };
        match &mut report {
            Report::Page { more, at, .. } => {
                if let Some(knows) = self.knows.last_mut().filter(|_| !*more) {
                    Arc::make_mut(&mut knows.read).listed[n] = true;
                }
                if *more && *at < self.stores[n].compacted() {
                    process.transports[n].fail(FaultKind::Unreachable);
                    report = Report::Compacted;
                }
            }
            Report::Events(events) => {
                if faults.repeats > 0 {
                    faults.repeats -= 1;
                    events.splice(0..0, faults.last.iter().cloned());
                }
                faults.last = events.clone();
                if faults.loses > 0 {
                    faults.loses -= 1;
                    let lost = events.remove(self.dice.place(events.len()));
                    self.lost(n, &lost);
                    let Report::Events(events) = &report else { return };
                    if events.is_empty() {
                        return self.wake(n);
                    }
                }
            }
            Report::Progress { at } if faults.overtakes => *at = self.stores[n].rev,
            _ => {}
        }
        let is_cut = matches!(report, Report::Page { more: true, .. }) && std::mem::take(&mut self.faults[n].cuts);
        self.engine(Input::Report(SourceId(n as u16), attempt, report));
        if is_cut {
            self.say(|| format!("source {n}: the rest of the list is compacted away"));
            self.process.iter_mut().for_each(|process| _ = process.transports[n].fail(FaultKind::Compacted));
            self.engine(Input::Report(SourceId(n as u16), attempt, Report::Compacted));
        }
        self.wake(n);
    }

    /// An event never came: until the next reconcile the process cannot know, and what it does meanwhile is nobody's fault.
    fn lost(&mut self, n: usize, lost: &Change) {
        let key = match lost {
            Change::Put(record) => &record.key,
            Change::Delete { key, .. } => key,
        };
        self.say(|| format!("source {n}: an event of {} is lost", key.escape_ascii()));
        self.judge.excuse_all(self.now);
        self.has_lost = true;
    }
}
