//! What a world is as one replica among several: its number, what its election has said last, and whether it is stopped.

use super::process::Sent;
use super::world::{Event, World};
use crate::engine::{Input, Introduction, REPORT, Refusal, Role, SessionNumber};
use crate::model::{GatewayId, Leadership, Replica, Time};
use crate::view::Stamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// What the wall clocks show at the start, about: milliseconds since 1970.
const WALL: u64 = 1_800_000_000_000;
/// When one is set.
const HOUR: u64 = 3_600_000;

pub(super) struct Part {
    /// The process, as others know it.
    pub(super) me: Replica,
    pub(super) ordinal: u32,
    /// What the election has said last to those who write.
    pub(super) said: Option<Leadership>,
    pub(super) boottime: Boottime,
    /// How far the wall clock is ahead, in milliseconds since 1970.
    ahead: u64,
    /// The process is stopped until then.
    pub(super) stopped: Option<Time>,
    /// No gateway reaches it, and it reaches none.
    pub(super) is_cut_off: bool,
    /// It does not reach the stores.
    pub(super) has_no_store: bool,
    /// What it had begun to write when it was stopped.
    late: Vec<(usize, Sent)>,
    /// The stamps of the messages that were begun since the judge looked last.
    pub(super) begun: Vec<Stamp>,
}

/// A machine's CLOCK_BOOTTIME: no two begin alike, none runs quite as the others do, and none goes back.
#[derive(Clone, Copy)]
pub(super) struct Boottime {
    /// In thousandths.
    pub(super) rate: u32,
    pub(super) ahead: Duration,
}

impl Boottime {
    pub(super) fn local(self, now: Time) -> Time {
        Time::since_start(now.as_duration() * self.rate / 1000 + self.ahead)
    }

    /// When it will show this.
    pub(super) fn moment(self, local: Time) -> Time {
        let span = local.as_duration().saturating_sub(self.ahead);
        Time::since_start(span * 1000 / self.rate + Duration::from_nanos(1))
    }
}

impl Part {
    /// `ahead`: by so many milliseconds its wall clock is.
    pub(super) fn new(me: Replica, ordinal: u32, boottime: Boottime, ahead: u64) -> Self {
        Part {
            me,
            ordinal,
            said: None,
            boottime,
            ahead: WALL + ahead,
            stopped: None,
            is_cut_off: false,
            has_no_store: false,
            late: Vec::new(),
            begun: Vec::new(),
        }
    }

    /// All have the same version and configuration, as far as they say.
    pub(super) fn introduction(&self) -> Introduction {
        Introduction { replica: self.me.clone(), version: String::new(), config: BTreeMap::new() }
    }

    /// What its wall clock shows.
    pub(super) fn wall(&self, now: Time) -> u64 {
        self.ahead + now.as_duration().as_millis() as u64
    }

    /// The process is gone.
    pub(super) fn end(&mut self) {
        (self.said, self.stopped) = (None, None);
        self.late.clear();
    }
}

impl World {
    /// What the process is, as far as it knows.
    pub(super) fn role(&self) -> Role {
        self.process.as_ref().map_or(Role::Alone, |process| process.engine.role().0)
    }

    /// Whether it does not know who leads, by what its election has told it.
    pub(super) fn is_unsure(&self) -> bool {
        self.part.as_ref().is_some_and(|part| part.said.as_ref().is_none_or(Leadership::is_frozen))
    }

    pub(super) fn is_cut_off(&self) -> bool {
        self.part.as_ref().is_some_and(|part| part.is_cut_off)
    }

    /// Until when the process is stopped, if it is.
    pub(super) fn stopped(&self) -> Option<Time> {
        self.part.as_ref().and_then(|part| part.stopped)
    }

    /// Nothing happens in the process any more, but what it has begun to write.
    pub(super) fn stop(&mut self, until: Time) {
        if self.stopped().is_some() || self.process.is_none() {
            return;
        }
        let mut late = Vec::new();
        for n in 0..self.gateways.len() {
            let is_begun = self.dice.one_in(2) && self.may_say_next(n);
            let peer = self.process.as_mut().map(|process| &mut process.peers[n]);
            let writing = peer.and_then(|peer| peer.chunks.front_mut()).filter(|_| is_begun);
            let Some(writing) = writing else { continue };
            if let Some(sent) = writing.next() {
                writing.written += 1;
                let stamp = writing.chunk.stamp;
                late.push((n, sent));
                self.part.iter_mut().for_each(|part| part.begun.push(stamp));
            }
        }
        if let Some(part) = &mut self.part {
            (part.stopped, part.late) = (Some(until), late);
        }
    }

    /// What it wrote down lies an hour longer back from then on, or an hour less.
    pub(super) fn set_wall_clock(&mut self, forward: bool) {
        let hour = Duration::from_millis(HOUR);
        if let Some(part) = &mut self.part {
            part.ahead = if forward { part.ahead + HOUR } else { part.ahead - HOUR };
        }
        for left in self.disk.iter_mut().flatten() {
            let at = left.spent.1;
            left.spent.1 = if forward { Time::since_start(at.as_duration().saturating_sub(hour)) } else { at + hour };
        }
        self.forget_spent();
    }

    /// It goes on, with what it had begun to write.
    pub(super) fn resume(&mut self) {
        let Some(part) = self.part.as_mut().filter(|part| part.stopped.is_some_and(|until| until <= self.now)) else {
            return;
        };
        part.stopped = None;
        let late = std::mem::take(&mut part.late);
        self.say(|| "the process goes on".into());
        for (n, sent) in late {
            let session = self.process.as_ref().and_then(|process| process.peers[n].session);
            if let Some(wire) = session.and_then(|(_, connection)| self.wire_here(n, connection)) {
                self.send_there(wire, sent);
            }
        }
        (0..self.gateways.len()).for_each(|n| self.write(n));
    }

    /// Whether the message that comes next for a gateway may be begun now, as every writer asks.
    pub(super) fn may_say_next(&self, n: usize) -> bool {
        let chunks = self.process.as_ref().map(|process| &process.peers[n].chunks);
        let stamp = chunks.and_then(|chunks| chunks.front()).map_or(Stamp::Unstamped, |writing| writing.chunk.stamp);
        self.part.as_ref().is_none_or(|part| stamp.may_be_said(part.said.as_ref(), part.boottime.local(self.now)))
    }

    /// What comes next may not be said any more: it is dropped with all that was handed out, and the engine hears of it later.
    pub(super) fn refuse(&mut self, n: usize, number: SessionNumber) {
        let Some(peer) = self.process.as_mut().map(|process| &mut process.peers[n]) else { return };
        let Some(stamp) = peer.chunks.front().map(|writing| writing.chunk.stamp) else { return };
        let dropped: usize = peer.chunks.drain(..).map(|writing| writing.chunk.bytes.len()).sum();
        let refusal = Refusal { stamp, after: peer.done };
        peer.unreported += dropped;
        peer.done += dropped as u64;
        peer.refusing = true;
        let octets = if peer.unreported >= REPORT { std::mem::take(&mut peer.unreported) } else { 0 };
        self.say(|| format!("gateway {n} is not told any more what was to be said as {stamp:?}"));
        let at = self.now + self.dice.millis(0..=20);
        self.agenda.put(at, Event::Refused { n, process: self.knows.len(), number, refusal, octets });
    }

    /// Nor is what is handed out before the engine has heard of it.
    pub(super) fn drop_unsaid(&mut self, n: usize, number: SessionNumber, octets: usize) {
        let Some(peer) = self.process.as_mut().map(|process| &mut process.peers[n]) else { return };
        peer.unreported += octets;
        peer.done += octets as u64;
        if peer.unreported >= REPORT {
            let octets = std::mem::take(&mut peer.unreported);
            self.engine(Input::Written(GatewayId(n as u32), number, octets));
        }
    }

    pub(super) fn refused(&mut self, n: usize, process: usize, number: SessionNumber, refusal: Refusal, octets: usize) {
        if process == self.knows.len() {
            self.engine(Input::Written(GatewayId(n as u32), number, octets));
            if let Some(part) = &self.part
                && !refusal.stamp.may_be_said(part.said.as_ref(), part.boottime.local(self.now))
                && let Some(process) = &mut self.process
            {
                process.engine.lapse(self.now, refusal.stamp, &mut process.effects);
            }
            self.engine(Input::Refused(GatewayId(n as u32), number, refusal));
        }
    }

    /// The election says something: first to those who write, then to the engine.
    pub(super) fn follow_election(&mut self, said: Option<Leadership>) {
        let Some(part) = &mut self.part else { return };
        let role = said.as_ref().map_or(Role::Unsure { ordinal: part.ordinal }, |said| Role::of(said, part.ordinal));
        part.said = said;
        let Some(process) = &mut self.process else { return };
        let before = process.engine.role().0;
        process.engine.take_role(self.now, role, &mut process.effects);
        if before != role {
            self.say(|| role.to_string());
        }
        self.carry_out();
    }
}
