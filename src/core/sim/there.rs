//! The gateways' ends of the wires.

use super::judge::Hearing;
use super::process::{Read, Sent};
use super::wire::Wire;
use super::world::{Event, World};
use crate::bgp::neighbour::{ConnectionId, Effect as Does, Input as Happens};
use crate::bgp::wire::{RefreshSubtype, RouteRefresh};
use crate::model::Family;
use crate::testing::Heard;
use bytes::Bytes;

impl World {
    pub(super) fn on_deadlines_there(&mut self) {
        for n in 0..self.gateways.len() {
            let (now, gateway) = (self.now, &mut self.gateways[n]);
            if gateway.expires.is_some_and(|at| at <= now) {
                gateway.expire();
                self.touched.insert((n, None));
            }
            if gateway.neighbour.next_deadline().is_some_and(|at| at <= now) {
                let mut does = Vec::new();
                gateway.neighbour.on_deadline(now, &mut does);
                self.do_there(n, does);
            }
        }
    }

    pub(super) fn tell_gateway(&mut self, n: usize, happens: Happens<'_>) {
        let mut does = Vec::new();
        self.gateways[n].neighbour.handle(self.now, happens, &mut does);
        self.do_there(n, does);
    }

    fn do_there(&mut self, n: usize, does: Vec<Does>) {
        for does in does {
            let (now, gateway) = (self.now, &mut self.gateways[n]);
            match does {
                Does::Dial => {
                    gateway.is_dialling = true;
                    self.agenda.put(now + gateway.kind.delay * 2, Event::DialledUs(n));
                }
                Does::AbortDial => gateway.is_dialling = false,
                Does::Send(connection, message) => {
                    self.send_here(n, connection, message);
                    self.gateways[n].neighbour.handle(now, Happens::Progress(connection), &mut Vec::new());
                }
                Does::Close(connection) => self.close_there(n, connection),
                Does::Up(connection, _) => {
                    gateway.up(connection);
                    self.touched.insert((n, None));
                }
                Does::Down(connection, _) => {
                    self.touched.insert((n, None));
                    gateway.down(now, connection);
                    self.judge.gateways[n].healthy_since = None;
                }
                Does::Failed(_) | Does::Refresh(..) | Does::UpdateError(..) | Does::Update(..) => {}
            }
        }
    }

    fn wire_there(&self, n: usize, connection: ConnectionId) -> Option<u64> {
        let is_it = |wire: &Wire| wire.gateway == n && wire.theirs == connection && wire.open_there;
        self.wires.iter().find(|(_, wire)| is_it(wire)).map(|(id, _)| *id)
    }

    fn send_here(&mut self, n: usize, connection: ConnectionId, message: Bytes) {
        if let Some(wire) = self.wire_there(n, connection) {
            self.agenda.put(self.now + self.shape.gateways[n].delay, Event::ToUs(wire, Some(message)));
        }
    }

    fn close_there(&mut self, n: usize, connection: ConnectionId) {
        let Some(id) = self.wire_there(n, connection) else { return };
        if let Some(wire) = self.wires.get_mut(&id) {
            wire.open_there = false;
        }
        self.gateways[n].close(connection);
        self.agenda.put(self.now + self.shape.gateways[n].delay, Event::ToUs(id, None));
        self.forget_wires();
    }

    /// A wire between both, and our number for it.
    pub(super) fn connect(&mut self, n: usize) -> ConnectionId {
        self.next_wire += 1;
        let ours = ConnectionId(self.next_wire);
        let theirs = self.gateways[n].next_connection();
        self.wires.insert(self.next_wire, Wire::new(n, self.knows.len() - 1, ours, theirs));
        ours
    }

    pub(super) fn accept_there(&mut self, n: usize, ours: ConnectionId) {
        let wire = self.wires.values().find(|wire| wire.ours == ours && wire.gateway == n);
        let Some(theirs) = wire.map(|wire| wire.theirs) else { return };
        self.tell_gateway(n, Happens::Accepted(theirs));
    }

    pub(super) fn dialled_us(&mut self, n: usize) {
        if self.gateways[n].is_down || !std::mem::take(&mut self.gateways[n].is_dialling) {
            return;
        }
        if self.process.is_none() || self.is_cut_off() {
            return self.tell_gateway(n, Happens::ConnectFailed("connection refused".into()));
        }
        let ours = self.connect(n);
        let theirs = ConnectionId(self.gateways[n].connections);
        self.tell_gateway(n, Happens::Connected(theirs));
        self.tell(n, Happens::Accepted(ours));
    }

    pub(super) fn arrives_there(&mut self, id: u64, sent: Option<Sent>) {
        let Some(wire) = self.wires.get_mut(&id).filter(|wire| !wire.is_silent && wire.open_there) else { return };
        let (n, theirs) = (wire.gateway, wire.theirs);
        if self.gateways[n].is_stuck {
            wire.inbox.push_back(sent);
            return;
        }
        let Some(Sent { octets, read }) = sent else {
            (wire.open_here, wire.open_there) = (false, false);
            self.forget_wires();
            self.gateways[n].close(theirs);
            return self.tell_gateway(n, Happens::Closed(theirs, "closed".into()));
        };
        wire.unread -= octets.len();
        self.tell_gateway(n, Happens::Received(theirs, &octets));
        // It may have closed the connection over them.
        if self.wires.get(&id).is_some_and(|wire| wire.open_there) {
            self.hear(n, theirs, &octets, &read);
        }
        self.write(n);
    }

    fn hear(&mut self, n: usize, theirs: ConnectionId, octets: &[u8], read: &Read) {
        let process =
            self.wires.values().find(|wire| wire.gateway == n && wire.theirs == theirs).map(|wire| wire.process);
        let Some((before, heard)) = self.gateways[n].hear(theirs, octets) else { return };
        self.touched.extend(heard.iter().map(|heard| (n, heard.prefix())));
        self.say(|| format!("gateway {n} hears {heard:?}"));
        let Some(knows) = process.and_then(|process| self.knows.get(process)) else { return };
        let after = self.gateways[n].table.routes();
        let knows_nothing_of = |store: usize| !read.listed[store] && !knows.remembers[store];
        let hearing = Hearing {
            now: self.now,
            gateway: n,
            before: &before,
            after: &after,
            heard: &heard,
            knows_since: knows.since,
            started: knows.started,
            unread: (0..self.stores.len()).filter(|store| knows_nothing_of(*store)).collect(),
            has_read_all: read.is_taken_in,
            decided: self.judge.frozen.map(|_| self.ledger.decided()).unwrap_or_default(),
        };
        self.judge.hear(&self.truth, &hearing);
        if self.part.is_some() && !read.is_taken_in {
            check_preference(n, &heard);
        }
    }

    /// It reads again, what came meanwhile first.
    pub(super) fn unstick(&mut self, n: usize) {
        if !std::mem::take(&mut self.gateways[n].is_stuck) {
            return;
        }
        let of_gateway: Vec<u64> = self.wires.iter().filter(|(_, wire)| wire.gateway == n).map(|(id, _)| *id).collect();
        for id in of_gateway {
            while let Some(sent) = self.wires.get_mut(&id).and_then(|wire| wire.inbox.pop_front()) {
                self.arrives_there(id, sent);
            }
        }
    }

    /// The machine is gone, with its table; the wires end.
    pub(super) fn crash(&mut self, n: usize) {
        self.unstick(n);
        self.gateways[n].is_down = true;
        self.cut(n);
        self.gateways[n].lose_everything();
        self.touched.insert((n, None));
    }

    /// Both ends of every wire to it see that it is broken.
    pub(super) fn cut(&mut self, n: usize) {
        let of_gateway: Vec<u64> = self.wires.iter().filter(|(_, wire)| wire.gateway == n).map(|(id, _)| *id).collect();
        for id in of_gateway {
            let Some(mut wire) = self.wires.remove(&id) else { continue };
            let (theirs, ours) = (wire.theirs, wire.ours);
            let (was_open_there, was_open_here) = (std::mem::take(&mut wire.open_there), wire.open_here);
            if let Some(until) = self.stopped().filter(|_| was_open_here) {
                self.wires.insert(id, wire);
                self.agenda.put(until, Event::ToUs(id, None));
            }
            self.gateways[n].close(theirs);
            if was_open_there {
                self.tell_gateway(n, Happens::Closed(theirs, "reset".into()));
            }
            if was_open_here && self.stopped().is_none() {
                self.tell(n, Happens::Closed(ours, "reset".into()));
            }
        }
    }

    /// It wants everything of a family again.
    pub(super) fn ask_refresh(&mut self, n: usize, family: Family) {
        if let Some(connection) = self.gateways[n].session {
            self.send_here(n, connection, RouteRefresh::new(family, RefreshSubtype::Request).encode());
        }
    }
}

/// What a standby says that has not read its sources may be an old snapshot, and its preference says so (P7).
fn check_preference(n: usize, heard: &[Heard]) {
    for heard in heard {
        if let Heard::Announced(prefix, said) = heard {
            let says_so = said.is_of_leader() || said.is_unread();
            assert!(says_so, "P7: gateway {n} prefers what a standby says of {prefix} that has not read its sources");
        }
    }
}
