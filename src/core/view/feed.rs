//! One gateway in one view: a position in the log, and a dump while there is one.
//!
//! ```text
//! new ──► dump … EoR ──► tail ──► tail ──► (refresh: BoRR, dump …, EoRR) ──► tail
//!         tail first, whenever there is something in it
//! ```

use super::cap::{Allowed, Cap};
use super::chunk::{Ask, From, Piece};
use super::dump::{Dump, Marker, left_to_withdraw};
use super::entries::Order;
use super::exclusion::{Bar, Exclusion};
use super::stamped::Stamped;
use super::{Chunk, Seq, Stamp, View};
use crate::bgp::wire::{Encoding, Packer, RefreshSubtype, RouteRefresh};
use crate::table::{SlotId, Slots};
use std::net::IpAddr;
use std::sync::Arc;

/// What a gateway knows of one slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Knows {
    /// What the view exports for it now, or that it exports nothing.
    Everything,
    /// Not yet what the view exports now.
    NotYet,
    /// Nothing: it must not be told this next hop, or could not understand it.
    Excluded,
    /// Nothing: its cap is reached.
    Capped,
}

/// What else was asked for while a dump was in progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Again {
    /// Everything, by the gateway or by order.
    Refresh,
    /// Everything with another stamp, and first what has changed since then.
    Restamp(Seq),
}

/// Where one gateway is in one view.
#[derive(Debug)]
pub struct Feed {
    encoding: Encoding,
    exclusion: Exclusion,
    /// Both sides advertised capability 70.
    enhanced_refresh: bool,
    tail: Seq,
    /// Where the tail began: what changed before came, or comes, by a dump of everything.
    began: Seq,
    /// Whether every route of that dump was handed out.
    walked: bool,
    dump: Option<Dump>,
    /// The family's End-of-RIB went out on this session.
    initial_done: bool,
    again: Option<Again>,
    stamped: Stamped,
    /// A dump of everything has begun, and nothing was handed out since.
    anew: bool,
    /// How many markers went out.
    markers: u64,
    /// Boxed: most gateways have none.
    cap: Option<Box<Cap>>,
}

/// Waiting routes that are looked at for one chunk.
const FILL: usize = 4096;

impl Feed {
    /// A feed of a new session: everything, then End-of-RIB.
    pub fn new(view: &mut View, encoding: Encoding, exclusion: Exclusion, enhanced_refresh: bool) -> Self {
        let order = view.order();
        let tail = order.at;
        let end = Marker::EndOfRib;
        let dump = Some(Dump { order, next: 0, end, begin: false, withdraw_absent: false, unhurried: None });
        Feed {
            encoding,
            exclusion,
            enhanced_refresh,
            tail,
            began: tail,
            walked: false,
            dump,
            initial_done: false,
            again: None,
            stamped: Stamped::Not,
            anew: true,
            markers: 0,
            cap: None,
        }
    }

    /// The most routes to tell the gateway of this feed's family; for a feed that was not handed out from yet.
    pub fn cap(&mut self, view: &View, slots: &Slots, limit: usize) {
        let packer = Packer::new(self.encoding, view.family());
        let allowed = Allowed { exclusion: &self.exclusion, packer: &packer };
        self.cap = Some(Box::new(Cap::new(limit, view, slots, allowed)));
    }

    /// Another cap, or none any more, on a standing session: nothing told is taken back.
    pub fn change_cap(&mut self, view: &View, limit: Option<usize>) {
        match (&mut self.cap, limit) {
            // Without a cap whatever waits is told.
            (Some(cap), limit) => cap.set_limit(limit.unwrap_or(usize::MAX)),
            (None, Some(limit)) => {
                let packer = Packer::new(self.encoding, view.family());
                let allowed = Allowed { exclusion: &self.exclusion, packer: &packer };
                let left = left_to_withdraw(self.dump.as_ref());
                self.cap = Some(Box::new(Cap::on_standing(limit, view, self.tail, left, allowed)));
            }
            (None, None) => {}
        }
    }

    /// How many routes the gateway is not told because of its cap.
    pub fn withheld(&self) -> usize {
        self.cap.as_ref().map_or(0, |cap| cap.waiting())
    }

    /// Whether there is a most of routes to tell the gateway.
    pub fn is_capped(&self) -> bool {
        self.cap.is_some()
    }

    /// Whether [`Feed::pull_tail`] has something beside changes: routes that waited and that there is room for now.
    pub fn can_fill(&self) -> bool {
        self.dump.is_none() && self.cap.as_ref().is_some_and(|cap| cap.can_fill())
    }

    /// The position up to which the gateway was told every change.
    pub fn tail(&self) -> Seq {
        self.tail
    }

    /// From which position on changes travel by the tail: earlier ones by a dump, of which [`Feed::is_walked`] tells.
    pub fn began(&self) -> Seq {
        self.began
    }

    /// Whether every route that was there when the tail began was handed out.
    pub fn is_walked(&self) -> bool {
        self.walked
    }

    /// Whether routes with this next hop are kept from the gateway.
    pub fn excludes(&self, next_hop: IpAddr) -> bool {
        self.exclusion.excludes(next_hop)
    }

    /// Whether the family's End-of-RIB went out on this session.
    pub fn is_complete(&self) -> bool {
        self.initial_done
    }

    /// How many dumps were ended by a marker: the first one is the family's End-of-RIB.
    pub fn markers(&self) -> u64 {
        self.markers
    }

    /// Whether a dump is in progress.
    pub fn is_dumping(&self) -> bool {
        self.dump.is_some()
    }

    /// Whether a dump in progress ends with a marker, by which the gateway drops what it was not told.
    pub fn is_vouched_for(&self) -> bool {
        self.dump.as_ref().is_some_and(|dump| dump.end != Marker::None)
    }

    /// Whether a dump in progress still has to withdraw routes by slot: until then no slot may be freed.
    pub fn withdraws_absent(&self) -> bool {
        self.dump.as_ref().is_some_and(|dump| dump.withdraw_absent)
    }

    /// Whether everything was handed out, the marker too.
    pub fn is_caught_up(&self, view: &View) -> bool {
        self.dump.is_none() && self.tail == view.head() && !self.can_fill()
    }

    /// How many positions of the log it trails behind.
    pub fn lag(&self, view: &View) -> u64 {
        view.head().0 - self.tail.0
    }

    /// Why the gateway is not told what the view exports for the slot; None: it is, or there is nothing to tell.
    pub fn bar(&self, view: &View, slots: &Slots, slot: SlotId) -> Option<Bar> {
        let attributes = view.attributes(view.get(slot)?);
        let excluded = self.exclusion.bar(attributes.next_hop);
        let says = || Packer::new(self.encoding, view.family()).can_announce(attributes);
        let waits = || self.cap.as_ref().is_some_and(|cap| cap.withholds(slots.prefix(slot)));
        excluded.or_else(|| (!says()).then_some(Bar::Encoding)).or_else(|| waits().then_some(Bar::Cap))
    }

    /// What of the slot was handed out. In a dump it looks for the slot in what is left of it.
    pub fn knows(&self, view: &View, slots: &Slots, slot: SlotId) -> Knows {
        match self.bar(view, slots, slot) {
            Some(Bar::Cap) => return Knows::Capped,
            Some(_) => return Knows::Excluded,
            None => {}
        }
        // A refresh repeats what was told.
        let new = self.dump.as_ref().filter(|dump| !self.initial_done || dump.withdraw_absent);
        let left = new.and_then(|dump| dump.order.slots.get(dump.next..));
        if view.changed_at(slot) >= self.tail || left.is_some_and(|left| left.contains(&slot)) {
            return Knows::NotYet;
        }
        Knows::Everything
    }

    /// The gateway asked for everything again (RFC 2918, RFC 7313). During a dump it counts as a request for later; before
    /// the family's End-of-RIB it is answered without brackets if that is held back: a BoRR may not come first.
    pub fn refresh(&mut self, view: &mut View) {
        if self.dump.is_some() && !self.is_restamping() {
            self.again = Some(Again::Refresh);
            return;
        }
        let order = view.order();
        self.begin_dump(order, self.end_of_refresh(), false);
    }

    /// Everything again with this stamp, unless that is the one which it was told with; and first what has changed since that
    /// position. No bracket: nothing is to be dropped, and some gateways drop what takes too long to come. A dump that is in progress
    /// for another reason goes on with the new stamp, and then all comes once more.
    pub fn restamp(&mut self, view: &mut View, since: Seq, stamp: Stamp) {
        let is_said = self.stamped == Stamped::Not || self.stamped == Stamped::All(stamp);
        match &self.dump {
            None if is_said => return,
            Some(dump) if dump.unhurried.is_some() && is_said => {
                if std::mem::take(&mut self.anew) {
                    self.dump = None; // nothing was said with yet another stamp
                }
                return;
            }
            Some(dump) if dump.unhurried.is_none() => {
                if self.anew || is_said {
                    self.again = self.again.filter(|again| *again == Again::Refresh);
                } else {
                    self.again.get_or_insert(Again::Restamp(since));
                }
                return;
            }
            _ => {}
        }
        let order = view.order_newest_first(since);
        let newest = order.newest;
        self.begin_dump(order, Marker::None, false);
        if let Some(dump) = &mut self.dump {
            dump.unhurried = Some(newest);
        }
    }

    /// Whether a dump is in progress that says nothing new, only another stamp.
    pub fn is_restamping(&self) -> bool {
        self.dump.as_ref().is_some_and(|dump| dump.unhurried.is_some())
    }

    /// Whether something is still to be said again with another stamp.
    pub fn awaits_stamp(&self) -> bool {
        self.is_restamping() || matches!(self.again, Some(Again::Restamp(_)))
    }

    /// Whether one is of which only that is left that has not changed.
    pub fn is_unhurried(&self) -> bool {
        self.dump.as_ref().is_some_and(|dump| dump.unhurried.is_some_and(|from| dump.next >= from))
    }

    /// Too far behind to be told change by change: starts over with a bracketed dump. False where the gateway knows no
    /// brackets or is still in its first dump: then only a new session helps.
    pub fn resynchronise(&mut self, view: &mut View, slots: &Slots) -> bool {
        if !self.enhanced_refresh || !self.initial_done {
            return false;
        }
        let order = view.order();
        // The brackets also take away what was withdrawn in the part of the log that is skipped, and what an earlier view told.
        if let Some(cap) = &mut self.cap {
            let packer = Packer::new(self.encoding, view.family());
            let allowed = Allowed { exclusion: &self.exclusion, packer: &packer };
            cap.skip(view, slots, self.tail..order.at, left_to_withdraw(self.dump.as_ref()), allowed);
        }
        self.start_over(order.at);
        self.begin_dump(order, Marker::EndOfRefresh, false);
        true
    }

    /// From now on in another view, or with another exclusion: everything again, and a withdrawal for every other prefix.
    pub fn move_to(&mut self, view: &mut View, slots: &Slots, exclusion: Exclusion) {
        self.exclusion = exclusion;
        if let Some(cap) = &mut self.cap {
            cap.forget_waiting();
        }
        let order = view.order_with_absent(slots);
        self.start_over(order.at);
        // Bracketed where that is possible: a bracket that is open now must not stay open, and its end takes away what
        // the gateway was never told to withdraw because its feed had started over.
        let end = if self.initial_done { self.end_of_refresh() } else { Marker::EndOfRib };
        self.begin_dump(order, end, true);
    }

    /// From now on in another view than `before`, which has the number `n`. A gateway that holds exactly what that one is, is told
    /// the difference and nothing else.
    pub fn change_view(&mut self, (n, before): (usize, &View), view: &mut View, slots: &Slots, exclusion: Exclusion) {
        let is_plain = self.initial_done && self.dump.is_none() && self.cap.is_none() && self.tail == before.head();
        if !is_plain || self.exclusion != exclusion {
            return self.move_to(view, slots, exclusion);
        }
        let order = view.order_of_difference(n, before);
        self.start_over(order.at);
        let anew = self.anew;
        self.begin_dump(order, Marker::None, true);
        self.anew = anew; // the rest is not told again
    }

    /// From now on with another exclusion. Where no route of the view is told otherwise for it there is nothing to say: so it
    /// is best grown before the view gets the routes that it is about, and reduced when they are gone.
    pub fn exclude(&mut self, view: &mut View, slots: &Slots, exclusion: &Exclusion) {
        if self.exclusion == *exclusion {
            return;
        }
        if view.has_next_hop(|next_hop| self.exclusion.excludes(next_hop) != exclusion.excludes(next_hop)) {
            self.move_to(view, slots, exclusion.clone());
        } else {
            self.exclusion = exclusion.clone();
        }
    }

    /// Everything before this position is left to a dump.
    fn start_over(&mut self, at: Seq) {
        (self.tail, self.began, self.walked) = (at, at, false);
    }

    fn end_of_refresh(&self) -> Marker {
        if self.enhanced_refresh { Marker::EndOfRefresh } else { Marker::None }
    }

    fn begin_dump(&mut self, order: Arc<Order>, end: Marker, withdraw_absent: bool) {
        // Slots that changed since the order was made are left out of the dump: the tail must carry them (again).
        self.tail = self.tail.min(order.at);
        // What comes is stamped anew; and End-of-RIB answers no request.
        self.again = self.again.filter(|again| *again == Again::Refresh && end == Marker::EndOfRib);
        if self.dump.is_some() && !self.anew {
            self.stamped = Stamped::Mixed; // a dump that had begun, and whose rest was not told
        }
        self.anew = true;
        let begin = end == Marker::EndOfRefresh;
        self.dump = Some(Dump { order, next: 0, end, begin, withdraw_absent, unhurried: None });
    }

    /// The next changes, if any.
    pub fn pull_tail(&mut self, view: &mut View, slots: &Slots, stamp: Stamp) -> Option<Arc<Chunk>> {
        // The bracket comes before every change: a route announced ahead of it would be swept at its end, as the dump
        // leaves to the tail what changed since it began.
        if let Some(bracket) = self.begin_refresh(view, stamp) {
            return Some(bracket);
        }
        while self.tail < view.head() {
            let from = From::Tail(self.tail);
            let Piece { chunk, next, .. } = self.piece(view, &from, slots, stamp);
            self.tail = Seq(next);
            if !chunk.bytes.is_empty() {
                return Some(chunk);
            }
        }
        if self.dump.is_none() { self.fill(view, slots, stamp) } else { None }
    }

    /// The piece that begins there, less what the cap makes wait.
    fn piece(&mut self, view: &mut View, from: &From, slots: &Slots, stamp: Stamp) -> Piece {
        let piece = view.piece(from, self.ask(slots, stamp));
        if !piece.chunk.bytes.is_empty() {
            self.say(stamp);
        }
        let Some(cap) = &mut self.cap else { return piece };
        let packer = Packer::new(self.encoding, view.family());
        let allowed = Allowed { exclusion: &self.exclusion, packer: &packer };
        if cap.admit(view, slots, from, piece.next, allowed) {
            return piece;
        }
        let ask = Ask { cap: self.cap.as_deref(), ..self.ask(slots, stamp) };
        view.encode(from, ask, Some(piece.next))
    }

    /// Routes that waited, as far as there is room. Only where every change was handed out: then all that wait are live.
    fn fill(&mut self, view: &View, slots: &Slots, stamp: Stamp) -> Option<Arc<Chunk>> {
        let mut list = self.cap.as_ref().filter(|cap| cap.can_fill())?.next_waiting(FILL);
        list.sort_unstable_by_key(|&slot| (view.get(slot), slot));
        let (chunk, taken) = view.encode_list(&list, self.ask(slots, stamp));
        if let (Some(cap), Some(filled)) = (&mut self.cap, list.get(..taken)) {
            cap.fill(slots, filled);
        }
        self.say(stamp);
        Some(chunk)
    }

    /// Something goes out with this stamp.
    fn say(&mut self, stamp: Stamp) {
        let is_first = std::mem::take(&mut self.anew);
        self.stamped = if is_first { Stamped::All(stamp) } else { self.stamped.and(stamp) };
    }

    /// The next slice of the dump, or its marker once everything before it was handed out, changes included. None: nothing
    /// is left to do for now. `verified`: every source was
    /// read completely, so an End-of-RIB would be true (P4).
    pub fn pull_dump(&mut self, view: &mut View, slots: &Slots, stamp: Stamp, verified: bool) -> Option<Arc<Chunk>> {
        if let Some(bracket) = self.begin_refresh(view, stamp) {
            return Some(bracket);
        }
        while let Some(dump) = self.dump.as_ref().filter(|dump| dump.next < dump.order.slots.len()) {
            let order = Arc::clone(&dump.order);
            let from = From::Dump { order, next: dump.next, withdraw_absent: dump.withdraw_absent };
            let Piece { chunk, next, .. } = self.piece(view, &from, slots, stamp);
            if let Some(dump) = &mut self.dump {
                dump.next = next as usize;
            }
            if !chunk.bytes.is_empty() {
                return Some(chunk);
            }
        }
        let end = self.dump.as_ref()?.end;
        self.walked = true;
        if let Some(chunk) = self.pull_tail(view, slots, stamp) {
            return Some(chunk); // what the dump left to the tail precedes the marker
        }
        if let Some(chunk) = self.fill(view, slots, stamp) {
            return Some(chunk);
        }
        // What is to be said with another stamp comes before End-of-RIB: there a gateway drops what it kept of an earlier session, and
        // goes by whatever it prefers of the rest.
        let is_stamped = self.stamped == Stamped::All(stamp) || !matches!(self.again, Some(Again::Restamp(_)));
        if end == Marker::EndOfRib && !(verified && is_stamped) {
            // Whoever asked for everything again need not wait for the sources, as End-of-RIB must.
            let order = match self.again.take()? {
                Again::Refresh => view.order(),
                Again::Restamp(since) => view.order_newest_first(since),
            };
            self.begin_dump(order, end, false);
            return self.pull_dump(view, slots, stamp, verified);
        }
        self.dump = None;
        self.markers += u64::from(end != Marker::None);
        let marker = match end {
            Marker::EndOfRib => {
                self.initial_done = true;
                let (mut out, mut ends) = (Vec::new(), Vec::new());
                Packer::new(self.encoding, view.family()).end_of_rib(&mut out, &mut ends);
                Some(control_chunk(view, stamp, out.into()))
            }
            Marker::EndOfRefresh => {
                if let Some(cap) = &mut self.cap {
                    cap.sweep();
                }
                Some(self.marker(view, stamp, RefreshSubtype::End))
            }
            Marker::None => None,
        };
        if let Some(again) = self.again.take() {
            match again {
                Again::Refresh => self.refresh(view),
                Again::Restamp(since) => self.restamp(view, since, stamp),
            }
            // Nothing handed out means nothing left to do: go on with the new dump where no marker ends the old one.
            return marker.or_else(|| self.pull_dump(view, slots, stamp, verified));
        }
        marker
    }

    /// The Begin-of-Route-Refresh that is due, if one is.
    fn begin_refresh(&mut self, view: &View, stamp: Stamp) -> Option<Arc<Chunk>> {
        let dump = self.dump.as_mut().filter(|dump| dump.begin)?;
        dump.begin = false;
        Some(self.marker(view, stamp, RefreshSubtype::Begin))
    }

    fn marker(&self, view: &View, stamp: Stamp, subtype: RefreshSubtype) -> Arc<Chunk> {
        let (afi, safi) = (view.family().afi(), view.family().safi());
        control_chunk(view, stamp, RouteRefresh { afi, safi, subtype }.encode())
    }

    fn ask<'a>(&'a self, slots: &'a Slots, stamp: Stamp) -> Ask<'a> {
        Ask { slots, encoding: self.encoding, stamp, exclusion: &self.exclusion, cap: None }
    }
}

/// One message of its own.
fn control_chunk(view: &View, stamp: Stamp, bytes: bytes::Bytes) -> Arc<Chunk> {
    let ends = Box::new([u32::try_from(bytes.len()).unwrap_or(u32::MAX)]);
    Arc::new(Chunk { stamp, at: view.head(), bytes, ends })
}
