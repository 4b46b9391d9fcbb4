//! Whole messages, encoded once and shared by every feed that stands at the same place.

use super::cap::Cap;
use super::entries::Order;
use super::{AttrId, Exclusion, Seq, Stamp, View};
use crate::bgp::wire::{Encoding, Packer};
use crate::table::{SlotId, Slots};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// About how many octets a chunk holds; one run of equal attributes may pass it.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// Prefixes of one run that are packed before the chunk's size is looked at again.
const RUN: usize = 4096;
/// Chunks that a view keeps for other feeds.
const CACHED: usize = 64;

/// Complete messages to write as they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// The role under which it was encoded.
    pub stamp: Stamp,
    /// The view's head when it was encoded.
    pub at: Seq,
    /// The messages.
    pub bytes: Bytes,
    /// Where each message ends: between two of them a KEEPALIVE or NOTIFICATION may go out.
    pub ends: Box<[u32]>,
}

/// Where a chunk begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum From {
    /// At a position of the log.
    Tail(Seq),
    /// At a place of an order.
    Dump { order: Arc<Order>, next: usize, withdraw_absent: bool },
}

impl PartialEq for Order {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Order {}

/// A chunk and where the next one begins.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) chunk: Arc<Chunk>,
    pub(super) next: u64,
    /// The attribute sets in it.
    attrs: Arc<[AttrId]>,
}

#[derive(Default, Debug)]
pub(super) struct Cache {
    pieces: VecDeque<(Encoding, From, Piece)>,
}

impl Cache {
    pub(super) fn clear(&mut self) {
        self.pieces.clear();
    }
}

/// What encoding needs to know beside the view.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) slots: &'a Slots,
    pub(super) encoding: Encoding,
    pub(super) stamp: Stamp,
    pub(super) exclusion: &'a Exclusion,
    /// Whose waiting routes are left out.
    pub(super) cap: Option<&'a Cap>,
}

impl View {
    /// The piece that begins at `from`: a cached one where it holds nothing outdated and nothing excluded.
    pub(super) fn piece(&mut self, from: &From, ask: Ask<'_>) -> Piece {
        let shared = match self.cached(from, ask) {
            Some(piece) => piece,
            None => {
                let piece = self.encode(from, Ask { exclusion: &Exclusion::NOTHING, cap: None, ..ask }, None);
                self.keep(ask.encoding, from.clone(), piece.clone());
                piece
            }
        };
        let touches = |id: &AttrId| ask.exclusion.excludes(self.attributes(*id).next_hop);
        if ask.exclusion.is_nothing() || !shared.attrs.iter().any(touches) {
            return shared;
        }
        // Ends where the shared one ends, so that what follows is shared again.
        self.encode(from, ask, Some(shared.next))
    }

    /// How many octets are kept for feeds that have not come to them yet.
    pub fn cached_octets(&self) -> usize {
        self.cache.pieces.iter().map(|(_, _, piece)| piece.chunk.bytes.len()).sum()
    }

    fn cached(&mut self, from: &From, ask: Ask<'_>) -> Option<Piece> {
        let same = |(encoding, place, piece): &(Encoding, From, Piece)| {
            place == from && *encoding == ask.encoding && piece.chunk.stamp == ask.stamp
        };
        let found = self.cache.pieces.iter().position(same)?;
        let (_, _, piece) = self.cache.pieces.get(found)?;
        if self.is_current(from, piece) {
            return Some(piece.clone());
        }
        self.cache.pieces.remove(found);
        None
    }

    fn keep(&mut self, encoding: Encoding, from: From, piece: Piece) {
        if self.cache.pieces.len() == CACHED {
            self.cache.pieces.pop_front();
        }
        self.cache.pieces.push_back((encoding, from, piece));
    }

    /// Whether no slot in the piece has changed since it was encoded.
    fn is_current(&self, from: &From, piece: &Piece) -> bool {
        let at = piece.chunk.at;
        if self.head() == at {
            return true;
        }
        let unchanged = |slot: SlotId| self.changed_at(slot) < at;
        match from {
            From::Tail(from) => (from.0..piece.next).filter_map(|p| self.log.at(p)).all(unchanged),
            From::Dump { order, next, .. } => {
                let walked = order.slots.get(*next..piece.next as usize).unwrap_or_default();
                walked.iter().copied().all(unchanged)
            }
        }
    }

    /// Up to `end`, or else until the chunk is full.
    pub(super) fn encode(&self, from: &From, ask: Ask<'_>, end: Option<u64>) -> Piece {
        let mut writer = Writer::new(self, ask);
        let goes_on = |writer: &Writer<'_>, place: u64| end.map_or(!writer.is_full(), |end| place < end);
        let next = match from {
            From::Tail(from) => {
                let mut position = from.0;
                while position < self.head().0 && goes_on(&writer, position) {
                    if let Some((slot, attr)) = self.logged(position) {
                        // An excluded route may have been another, allowed one before: withdraw it.
                        let attr = attr.filter(|&id| !writer.excludes(id));
                        if !writer.withholds(slot) {
                            writer.add(slot, attr);
                        }
                    }
                    position += 1;
                }
                position
            }
            From::Dump { order, next, withdraw_absent } => {
                let mut place = *next;
                while let Some(&slot) = order.slots.get(place)
                    && goes_on(&writer, place as u64)
                {
                    place += 1;
                    if self.changed_at(slot) >= order.at {
                        continue; // the tail carries it, or has done so
                    }
                    match self.get(slot).filter(|&id| !writer.excludes(id) && writer.can_say(id)) {
                        Some(_) if writer.withholds(slot) => {}
                        Some(attr) => writer.add(slot, Some(attr)),
                        None if *withdraw_absent => writer.add(slot, None),
                        None => {}
                    }
                }
                place as u64
            }
        };
        writer.finish(next)
    }
}

impl View {
    /// These routes as they are now, as far as one chunk holds them, and how many that are.
    pub(super) fn encode_list(&self, list: &[SlotId], ask: Ask<'_>) -> (Arc<Chunk>, usize) {
        let mut writer = Writer::new(self, ask);
        let mut taken = 0;
        for &slot in list {
            if writer.is_full() {
                break;
            }
            writer.add(slot, self.get(slot));
            taken += 1;
        }
        (writer.finish(self.head().0).chunk, taken)
    }
}

/// Collects runs of equal attributes and packs each.
struct Writer<'a> {
    view: &'a View,
    ask: Ask<'a>,
    packer: Packer,
    run: Vec<SlotId>,
    run_attr: Option<AttrId>,
    attrs: Vec<AttrId>,
    /// The last answer of `excludes`: runs ask the same again and again.
    excluded: Option<(AttrId, bool)>,
    /// … and of `can_say`.
    sayable: Option<(AttrId, bool)>,
    out: Vec<u8>,
    ends: Vec<u32>,
}

impl<'a> Writer<'a> {
    fn new(view: &'a View, ask: Ask<'a>) -> Self {
        let packer = Packer::new(ask.encoding, view.family());
        Writer {
            view,
            ask,
            packer,
            run: Vec::new(),
            run_attr: None,
            attrs: Vec::new(),
            excluded: None,
            sayable: None,
            out: Vec::new(),
            ends: Vec::new(),
        }
    }

    fn excludes(&mut self, id: AttrId) -> bool {
        if self.ask.exclusion.is_nothing() {
            return false;
        }
        if let Some((last, answer)) = self.excluded
            && last == id
        {
            return answer;
        }
        let answer = self.ask.exclusion.excludes(self.view.attributes(id).next_hop);
        self.excluded = Some((id, answer));
        answer
    }

    /// Whether the attributes can be said in this encoding at all: an IPv6 next hop of an IPv4 route needs RFC 8950. What
    /// cannot be is left out of a dump; a change to it is a withdrawal.
    fn can_say(&mut self, id: AttrId) -> bool {
        if let Some((last, answer)) = self.sayable
            && last == id
        {
            return answer;
        }
        let answer = self.packer.can_announce(self.view.attributes(id));
        self.sayable = Some((id, answer));
        answer
    }

    fn withholds(&self, slot: SlotId) -> bool {
        self.ask.cap.is_some_and(|cap| cap.withholds(self.ask.slots.prefix(slot)))
    }

    fn is_full(&self) -> bool {
        self.out.len() >= CHUNK_BYTES
    }

    fn add(&mut self, slot: SlotId, attr: Option<AttrId>) {
        if attr != self.run_attr || self.run.len() == RUN {
            self.flush();
            self.run_attr = attr;
        }
        self.run.push(slot);
    }

    fn flush(&mut self) {
        if self.run.is_empty() {
            return;
        }
        if self.out.capacity() == 0 {
            self.out.reserve(if self.run.len() < 64 { 1024 } else { CHUNK_BYTES + 8192 });
        }
        let slots = self.ask.slots;
        let prefixes = self.run.iter().map(|&slot| slots.prefix(slot));
        match self.run_attr {
            None => self.packer.withdraw(prefixes, &mut self.out, &mut self.ends),
            Some(id) => {
                self.attrs.push(id);
                let attributes = self.view.attributes(id);
                if self.ask.stamp == Stamp::Unstamped {
                    self.packer.announce(attributes, prefixes, &mut self.out, &mut self.ends);
                } else {
                    let mut stamped = attributes.clone();
                    self.ask.stamp.apply(self.ask.encoding.session, &mut stamped);
                    self.packer.announce(&stamped, prefixes, &mut self.out, &mut self.ends);
                }
            }
        }
        self.run.clear();
    }

    fn finish(mut self, next: u64) -> Piece {
        self.flush();
        if self.out.capacity() > 2 * self.out.len() {
            self.out.shrink_to_fit(); // a chunk may wait in a slow gateway's queue, which counts its octets only
        }
        let (bytes, ends) = (Bytes::from(self.out), self.ends.into_boxed_slice());
        let chunk = Chunk { stamp: self.ask.stamp, at: self.view.head(), bytes, ends };
        Piece { chunk: Arc::new(chunk), next, attrs: self.attrs.into() }
    }
}
