//! Two views, the peers that follow them, and what must be true whenever something is handed out or freed.

use super::{attributes, encoding, exclusion, prefix};
use crate::bgp::wire::{Encoding, Packer, RouteAttributes};
use crate::model::{Family, PerFamily, Prefix};
use crate::table::{SlotId, Slots};
use crate::testing::{Gateway, Heard, Said};
use crate::view::{Chunk, Exclusion, Feed, Marker, Seq, Stamp, View};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A gateway, its feed, and what was asked of it.
pub(super) struct Peer {
    pub(super) gateway: Gateway,
    pub(super) encoding: Encoding,
    pub(super) exclusion: Exclusion,
    pub(super) enhanced: bool,
    pub(super) view: usize,
    pub(super) feed: Option<Feed>,
    /// The most routes it may be told.
    pub(super) cap: Option<usize>,
    /// What it was told in this session and still holds.
    told: BTreeSet<Prefix>,
    /// Said since the last request for everything, at which position of the log.
    said: BTreeMap<Prefix, Seq>,
    /// BoRR or EoRR heard since the last request for everything.
    brackets: Vec<Marker>,
    asked: bool,
    /// The session has known nothing but its first dump.
    plain: bool,
    /// Started over: whatever it holds is swept by the EoRR to come.
    starting_over: bool,
}

impl Peer {
    /// From now on everything has to be said again.
    fn ask(&mut self, brackets: bool) {
        self.said.clear();
        self.brackets.clear();
        self.asked |= brackets;
        self.plain = false;
    }
}

/// See the module.
pub(super) struct World {
    pub(super) family: Family,
    pub(super) slots: Slots,
    pub(super) views: [View; 2],
    /// What each view was told, by prefix.
    truth: [BTreeMap<Prefix, RouteAttributes>; 2],
    claimed: BTreeSet<Prefix>,
    dead: Vec<SlotId>,
    pub(super) stamp: Stamp,
    pub(super) verified: bool,
    pub(super) peers: Vec<Peer>,
    pub(super) freed: usize,
    pub(super) closed_as_slow: usize,
    /// Some cap was lowered.
    lowered: bool,
}

impl World {
    pub(super) fn new(family: Family) -> Self {
        World {
            family,
            slots: Slots::default(),
            views: [View::new(family), View::new(family)],
            truth: [BTreeMap::new(), BTreeMap::new()],
            claimed: BTreeSet::new(),
            dead: Vec::new(),
            stamp: Stamp::Unstamped,
            verified: true,
            peers: Vec::new(),
            freed: 0,
            closed_as_slow: 0,
            lowered: false,
        }
    }

    /// The prefix is claimed, and view `view` makes this of it (I3: the same as before is not logged).
    pub(super) fn set(&mut self, view: usize, n: u16, attr: Option<u8>) {
        let prefix = prefix(self.family, n);
        self.claimed.insert(prefix);
        let slot = self.slots.find_or_make(prefix);
        self.set_slot(view, slot, attr.map(|attr| attributes(self.family, attr)));
    }

    fn set_slot(&mut self, view: usize, slot: SlotId, wanted: Option<RouteAttributes>) {
        let prefix = self.slots.prefix(slot);
        let before = match wanted.clone() {
            Some(attributes) => self.truth[view].insert(prefix, attributes),
            None => self.truth[view].remove(&prefix),
        };
        let view = &mut self.views[view];
        let head = view.head();
        if wanted.is_some() {
            self.slots.announce(slot);
        }
        let attr = wanted.clone().map(|attributes| view.intern(attributes));
        let changed = view.set(slot, attr);
        assert_eq!(changed, before != wanted, "I3: set says whether anything changed");
        assert_eq!(view.head() > head, changed, "I3: what did not change is not logged");
        assert_eq!(view.get(slot).map(|id| view.attributes(id).clone()), wanted);
    }

    /// The route goes back and forth this many times and ends as it was.
    pub(super) fn flap(&mut self, view: usize, n: u16, times: u16) {
        let before = self.truth[view].get(&prefix(self.family, n)).cloned();
        for round in 0..times {
            self.set(view, n, Some((round % 2) as u8 + 4));
        }
        let slot = self.slots.find_or_make(prefix(self.family, n));
        self.set_slot(view, slot, before);
    }

    /// Nobody claims the prefix any more.
    pub(super) fn unclaim(&mut self, n: u16) {
        let prefix = prefix(self.family, n);
        let Some(slot) = self.slots.find(prefix) else { return };
        (0..self.views.len()).for_each(|view| self.set_slot(view, slot, None));
        self.claimed.remove(&prefix);
        self.dead.push(slot);
    }

    /// A gateway opens its first session.
    pub(super) fn open(&mut self, view: usize, encoding_number: usize, exclusion_number: usize, enhanced: bool) {
        self.open_capped(view, encoding_number, exclusion_number, enhanced, None);
    }

    /// A gateway that may be told so many routes opens its first session.
    pub(super) fn open_capped(
        &mut self,
        view: usize,
        encoding_number: usize,
        exclusion_number: usize,
        enhanced: bool,
        cap: Option<usize>,
    ) {
        let encoding = encoding(encoding_number);
        self.peers.push(Peer {
            gateway: Gateway::new(PerFamily::from_fn(|family| family == self.family), &encoding),
            encoding,
            exclusion: exclusion(exclusion_number),
            enhanced,
            view,
            feed: None,
            cap,
            told: BTreeSet::new(),
            said: BTreeMap::new(),
            brackets: Vec::new(),
            asked: false,
            plain: true,
            starting_over: false,
        });
        self.reopen(self.peers.len() - 1);
    }

    /// Another session: the gateway keeps what it holds until End-of-RIB.
    pub(super) fn reopen(&mut self, n: usize) {
        let Some(peer) = self.peers.get_mut(n) else { return };
        let view = &mut self.views[peer.view];
        let mut feed = Feed::new(view, peer.encoding, peer.exclusion.clone(), peer.enhanced);
        if let Some(cap) = peer.cap {
            feed.cap(view, &self.slots, cap);
        }
        peer.feed = Some(feed);
        peer.told.clear();
        peer.gateway.restart();
        peer.ask(false);
        (peer.asked, peer.plain, peer.starting_over) = (false, true, false);
    }

    /// Another cap for a gateway that has one; `None`: none any more.
    pub(super) fn change_cap(&mut self, n: usize, cap: Option<usize>) {
        let Some(peer) = self.peers.get_mut(n).filter(|peer| peer.cap.is_some()) else { return };
        let before = peer.cap.replace(cap.unwrap_or(usize::MAX));
        self.lowered |= before > peer.cap;
        if let Some(feed) = &mut peer.feed {
            feed.change_cap(&self.views[peer.view], cap);
        }
    }

    pub(super) fn close(&mut self, n: usize) {
        if let Some(peer) = self.peers.get_mut(n) {
            peer.feed = None;
        }
    }

    pub(super) fn refresh(&mut self, n: usize) {
        let Some(peer) = self.peers.get_mut(n) else { return };
        let Some(feed) = &mut peer.feed else { return };
        feed.refresh(&mut self.views[peer.view]);
        peer.ask(peer.enhanced && peer.gateway.is_synchronised(self.family));
    }

    pub(super) fn resynchronise(&mut self, n: usize) {
        let Some(peer) = self.peers.get_mut(n) else { return };
        let Some(feed) = &mut peer.feed else { return };
        let done = feed.resynchronise(&mut self.views[peer.view], &self.slots);
        assert_eq!(done, peer.enhanced && peer.gateway.is_synchronised(self.family));
        if done {
            peer.ask(true);
            peer.starting_over = true;
        }
    }

    /// To a view; without a number the exclusion stays.
    pub(super) fn move_to(&mut self, n: usize, view: usize, exclusion_number: Option<usize>) {
        let Some(peer) = self.peers.get_mut(n) else { return };
        let before = std::mem::replace(&mut peer.view, view);
        let excluded = exclusion_number.map_or_else(|| peer.exclusion.clone(), exclusion);
        let same = std::mem::replace(&mut peer.exclusion, excluded) == peer.exclusion;
        let Some(feed) = &mut peer.feed else { return };
        let is_complete = feed.is_caught_up(&self.views[before]) && feed.is_complete() && peer.cap.is_none();
        let [first, second] = &mut self.views;
        match (before, view) {
            (0, 1) => feed.change_view((0, first), second, &self.slots, peer.exclusion.clone()),
            (1, 0) => feed.change_view((1, second), first, &self.slots, peer.exclusion.clone()),
            _ => feed.move_to(&mut self.views[view], &self.slots, peer.exclusion.clone()),
        }
        if same && is_complete && before != view {
            peer.plain = false; // only what differs has to be said
        } else {
            peer.ask(false);
        }
    }

    /// As the engine does it: every gateway has to hear everything again.
    pub(super) fn set_stamp(&mut self, stamp: Stamp) {
        if std::mem::replace(&mut self.stamp, stamp) != stamp {
            (0..self.peers.len()).for_each(|n| self.refresh(n));
        }
    }

    /// One chunk of changes, if there are any.
    pub(super) fn pull_tail(&mut self, n: usize) -> Option<Arc<Chunk>> {
        let peer = self.peers.get_mut(n)?;
        let chunk = peer.feed.as_mut()?.pull_tail(&mut self.views[peer.view], &self.slots, self.stamp)?;
        self.deliver(n, &chunk);
        Some(chunk)
    }

    /// One slice of a dump, if one is in progress.
    pub(super) fn pull_dump(&mut self, n: usize) -> Option<Arc<Chunk>> {
        let peer = self.peers.get_mut(n)?;
        let view = &mut self.views[peer.view];
        let chunk = peer.feed.as_mut()?.pull_dump(view, &self.slots, self.stamp, self.verified)?;
        self.deliver(n, &chunk);
        Some(chunk)
    }

    /// The next chunk in the engine's order: changes before slices of dumps.
    pub(super) fn pull(&mut self, n: usize) -> Option<Arc<Chunk>> {
        self.pull_tail(n).or_else(|| self.pull_dump(n))
    }

    /// Everything that is to be had.
    pub(super) fn drain(&mut self, n: usize) {
        while self.pull(n).is_some() {}
    }

    /// What the peer shall hold of a route of its view; `None` too where its neighbour cannot say it.
    fn expected_of(&self, peer: &Peer, prefix: Prefix) -> Option<Said> {
        let attributes = self.truth[peer.view].get(&prefix)?;
        let sayable = Packer::new(peer.encoding, self.family).can_announce(attributes);
        let told = sayable && !peer.exclusion.excludes(attributes.next_hop);
        told.then(|| Said::expected(attributes, &peer.encoding, self.stamp))
    }

    /// Everything the peer shall hold.
    pub(super) fn expected(&self, n: usize) -> BTreeMap<Prefix, Said> {
        let peer = &self.peers[n];
        let of_view = self.truth[peer.view].keys();
        of_view.filter_map(|&prefix| Some((prefix, self.expected_of(peer, prefix)?))).collect()
    }

    /// Gives the chunk to the gateway; whatever it says must be so at this moment.
    fn deliver(&mut self, n: usize, chunk: &Chunk) {
        assert_eq!(chunk.stamp, self.stamp, "I7: no chunk with an older stamp");
        assert!(!chunk.bytes.is_empty(), "an empty chunk would be written for nothing");
        let heard = self.peers[n].gateway.hear(chunk);
        for heard in heard {
            let peer = &self.peers[n];
            match heard {
                Heard::Announced(prefix, said) => {
                    assert_eq!(Some(said), self.expected_of(peer, prefix), "{prefix} is announced as it is now");
                    let slot = self.slots.find(prefix).unwrap();
                    let seq = self.views[peer.view].changed_at(slot);
                    let (cap, full) = (self.peers[n].cap.unwrap_or(usize::MAX), self.peers[n].told.len());
                    assert!(self.peers[n].told.contains(&prefix) || full < cap, "a new route beyond the cap: {prefix}");
                    self.peers[n].told.insert(prefix);
                    let before = self.peers[n].said.insert(prefix, seq);
                    assert!(
                        !self.peers[n].plain || before != Some(seq),
                        "a new session hears each change once: {prefix}"
                    );
                }
                Heard::Withdrawn(prefix) => {
                    assert_eq!(self.expected_of(peer, prefix), None, "{prefix} is withdrawn but lives");
                    self.peers[n].told.remove(&prefix);
                }
                Heard::EndOfRib(_) => {
                    assert!(self.verified, "P4: End-of-RIB says that the table is complete");
                    self.check_marker(n);
                }
                Heard::BeginOfRefresh(_) => self.peers[n].brackets.push(Marker::None),
                Heard::EndOfRefresh(_) => {
                    self.peers[n].brackets.push(Marker::EndOfRefresh);
                    self.peers[n].starting_over = false;
                    self.check_marker(n);
                    let held = self.peers[n].gateway.routes();
                    self.peers[n].told.retain(|prefix| held.contains_key(prefix));
                }
            }
        }
    }

    /// I2, P4: all that lives precedes the marker, and what does not is gone. What carries the stamp may still be of an
    /// older one, if that changed during the dump.
    fn check_marker(&self, n: usize) {
        let plain = |routes: BTreeMap<Prefix, Said>| -> BTreeMap<_, _> {
            routes.into_iter().map(|(prefix, said)| (prefix, said.without_stamp())).collect()
        };
        let (held, mut expected) = (plain(self.peers[n].gateway.routes()), plain(self.expected(n)));
        self.leave_out_waiting(n, held.keys(), &mut expected);
        assert_eq!(held, expected, "I2: what the gateway holds at a marker");
    }

    /// Takes away what a gateway does not hold because of its cap: as many as the feed says, any of them.
    fn leave_out_waiting<'a>(
        &self,
        n: usize,
        held: impl Iterator<Item = &'a Prefix>,
        expected: &mut BTreeMap<Prefix, Said>,
    ) {
        let Some(feed) = self.peers[n].feed.as_ref().filter(|_| self.peers[n].cap.is_some()) else { return };
        let held: BTreeSet<&Prefix> = held.collect();
        let all = expected.len();
        expected.retain(|prefix, _| held.contains(prefix));
        assert_eq!(all - expected.len(), feed.withheld(), "what is held back is what waits");
    }

    /// Frees what may be freed and gives up on who is too slow, as the engine's `tidy` does.
    pub(super) fn tidy(&mut self) {
        for peer in &mut self.peers {
            let Some(feed) = &mut peer.feed else { continue };
            let view = &mut self.views[peer.view];
            if feed.lag(view) <= view.longest_lag() {
                continue;
            }
            if feed.resynchronise(view, &self.slots) {
                peer.ask(true);
                peer.starting_over = true;
            } else {
                peer.feed = None;
                self.closed_as_slow += 1;
            }
        }
        let feeds = || self.peers.iter().filter_map(|peer| Some((peer.view, peer.feed.as_ref()?)));
        let passed = [0, 1].map(|view| {
            let of_view = feeds().filter(|(of, _)| *of == view).map(|(_, feed)| feed);
            of_view.fold((self.views[view].head(), false), |(tail, dumping), feed| {
                (tail.min(feed.tail()), dumping || feed.is_dumping())
            })
        });
        let blocked = feeds().any(|(_, feed)| feed.withdraws_absent());
        for (view, (tail, dumping)) in self.views.iter_mut().zip(passed) {
            view.trim(tail, dumping);
        }
        let mut dead = std::mem::take(&mut self.dead);
        dead.sort_unstable();
        dead.dedup();
        dead.retain(|&slot| {
            let prefix = self.slots.prefix(slot);
            if self.claimed.contains(&prefix) {
                return false;
            }
            let gone = self.views.iter().zip(passed).all(|(view, (tail, _))| view.has_passed(slot, tail));
            if !gone || blocked {
                return true;
            }
            self.free(slot);
            false
        });
        self.dead = dead;
    }

    fn free(&mut self, slot: SlotId) {
        let prefix = self.slots.prefix(slot);
        for peer in self.peers.iter().filter(|peer| peer.feed.is_some() && !peer.starting_over) {
            assert!(!peer.gateway.keeps(prefix), "I6: {prefix} is freed while a gateway holds it");
        }
        self.views.iter_mut().for_each(|view| view.forget(slot));
        self.slots.free(slot);
        self.freed += 1;
    }

    /// Lets everything come to rest and checks that every gateway holds exactly what it shall (I1).
    pub(super) fn settle(&mut self) {
        self.verified = true;
        for n in 0..self.peers.len() {
            if self.peers[n].feed.is_none() {
                self.reopen(n);
            }
        }
        for n in 0..self.peers.len() {
            self.drain(n);
            let peer = &self.peers[n];
            let feed = peer.feed.as_ref().unwrap();
            assert!(feed.is_caught_up(&self.views[peer.view]), "I1: nothing more to be had, yet not everything said");
            assert!(peer.gateway.is_synchronised(self.family), "P4: End-of-RIB comes once it is true");
            assert!(!peer.gateway.is_refreshing(self.family), "a refresh that was begun ends");
            let (held, mut expected) = (peer.gateway.routes(), self.expected(n));
            let (all, cap) = (expected.len(), peer.cap.unwrap_or(usize::MAX));
            self.leave_out_waiting(n, held.keys(), &mut expected);
            assert_eq!(held, expected, "I1: a gateway at rest holds exactly its view");
            // More than the cap only where it was lowered beneath what was told already.
            assert!(held.len() >= all.min(cap), "a route waits though there is room");
            assert!(held.len() <= cap || self.lowered, "more than the cap");
            let said: Vec<_> = peer.said.keys().filter(|prefix| held.contains_key(prefix)).collect();
            assert_eq!(said.len(), held.len(), "who asked for everything has heard everything");
            if peer.asked {
                assert_eq!(peer.brackets.last(), Some(&Marker::EndOfRefresh), "a request was answered in brackets");
            }
        }
        self.tidy();
        assert!(self.dead.is_empty(), "I6: nothing stays unfreed when all tails have passed");
        assert_eq!(self.slots.len(), self.claimed.len());
        for n in 0..self.peers.len() {
            assert!(self.pull(n).is_none(), "at rest nothing is handed out");
        }
    }
}
