//! Orders that the replicas of one election have in common: what a person orders here is taken down for the others, and what was
//! ordered there is carried out here.

use super::orders::Orders;
use super::{By, Command, Effect, Engine, Holds};
use crate::model::{Replica, SourceId, Time};
use crate::orders::{Book, Decided, Number, Order, Refused, Register, SeenChange, What, millis};
use crate::source::Rev;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What of the decisions that were given here the others do not hear of, since the process began.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Unheard {
    /// Changes of which that was clear when the decision was given.
    pub changes: u64,
    /// Decisions that had to go for later ones: who has not taken them by then does not hear of them.
    pub displaced: u64,
}

/// What a command means for the others.
#[derive(Default)]
pub(super) struct Meant {
    pub(super) what: Vec<What>,
    /// Changes that it is about, and that cannot be told: their source says nothing yet by which another replica would know them.
    pub(super) untold: usize,
}

/// See the module.
#[derive(Default)]
pub(super) struct Shared {
    /// None: there are no others.
    me: Option<Replica>,
    book: Book,
    /// Milliseconds since 1970, less the engine's time.
    epoch: u64,
    /// What an earlier process was ordered is not known: its freeze and withdrawals are not lifted by anything that was ordered before
    /// this.
    unknown_before: u64,
    /// Decisions for which this replica may still come to changes, since when.
    since: HashMap<Number, Time>,
    /// Of these, the ones that the table goes by, and the [`Book::changes`] by then.
    placed: (u64, Vec<Number>),
    /// See [`Unheard::changes`].
    unheard: u64,
}

/// The number of the latest decision about each change of a source.
type LastWords = HashMap<(SourceId, SeenChange), Number>;

/// What became of other replicas' orders.
#[derive(Default, Debug)]
pub struct TakenOrders {
    /// These were carried out, and how much each concerned.
    pub carried_out: Vec<(Order, usize)>,
    /// These cannot be.
    pub refused: Vec<(Register, Refused)>,
    /// Withdrawals that were taken back so long ago that it is all that is remembered of them: that is ordered again, for who brings
    /// them back.
    pub ended: Vec<Order>,
}

impl Shared {
    fn wall(&self, now: Time) -> u64 {
        self.epoch.saturating_add(millis(now.since(Time::ZERO)))
    }

    pub(super) fn changes(&self) -> u64 {
        self.book.changes()
    }

    /// What the next process shall know.
    pub(super) fn keep(&self, orders: &mut Orders) {
        orders.shared = self.book.entries().cloned().collect();
        (orders.latest, orders.ended) = (self.book.latest(), self.book.ended());
        orders.unknown_before = self.unknown_before;
    }

    pub(super) fn recall(&mut self, now: Time, book: Book, unknown_before: u64) {
        self.since.extend(book.entries().filter(|entry| entry.open).map(|entry| (entry.order.number, now)));
        self.book = book;
        self.unknown_before = unknown_before;
    }

    /// Whether nothing more comes of it, since it was ordered too long ago by this replica's clock, or taken too long ago.
    fn is_late(&self, now: Time, number: Number, decided: &Decided) -> bool {
        let since_taken = self.since.get(&number).map(|since| now.since(*since)).unwrap_or_default();
        let end = number.at.saturating_add(millis(decided.life()));
        since_taken >= decided.life() || end < self.wall(now)
    }

    /// Of what is not awaited any more nobody asks since when.
    fn forget_closed(&mut self) {
        let book = &self.book;
        self.since.retain(|number, _| book.is_open(*number));
    }

    /// With their numbers, the earliest first, and whether they are open.
    fn decisions(&self) -> impl Iterator<Item = (Number, &Arc<Decided>, bool)> {
        self.book.entries().filter_map(|entry| match &entry.order.what {
            What::Decide(decided) => Some((entry.order.number, decided, entry.open)),
            _ => None,
        })
    }
}

impl Engine {
    /// From now on this is one of several replicas, and what is ordered is taken down for the others. `wall`: milliseconds since 1970.
    pub fn share_orders(&mut self, now: Time, wall: u64, me: Replica) {
        self.shared.me = Some(me);
        self.shared.epoch = wall.saturating_sub(millis(now.since(Time::ZERO)));
    }

    /// All orders that replicas have in common, if there are several.
    pub fn book(&self) -> Option<&Book> {
        self.shared.me.as_ref().map(|_| &self.shared.book)
    }

    /// Takes orders that were given to other replicas, and carries out what is new. `wall`: milliseconds since 1970.
    pub fn take_orders(
        &mut self,
        now: Time,
        wall: u64,
        mut orders: Vec<Order>,
        effects: &mut Vec<Effect>,
    ) -> TakenOrders {
        let mut taken = TakenOrders::default();
        let Some(me) = self.shared.me.clone() else { return taken };
        self.share_orders(now, wall, me.clone());
        // Or it would be written again for whoever takes it out.
        self.shared.book.forget(wall);
        orders.sort_by_key(|order| order.number);
        // First all are known: a later one may be about what an earlier one lets pass.
        let mut news = Vec::new();
        for order in orders {
            match self.shared.book.take(wall, &order) {
                Ok(()) => news.push(order),
                Err(Refused::Known | Refused::Outlived) => {}
                Err(Refused::Ended) => {
                    if let What::Withdraw(target) = &order.what {
                        self.shared.book.give(wall, &me, None, What::Restore(target.clone()));
                    }
                    taken.ended.push(order);
                }
                Err(why) => taken.refused.push((order.register(), why)),
            }
        }
        self.shared.forget_closed();
        // What came together with a later word about the same says nothing any more.
        let Shared { book, .. } = &self.shared;
        news.retain(|order| {
            matches!(order.what, What::Decide(_)) || book.number(&order.register()) == Some(order.number)
        });
        // A freeze that stands was ordered before or after the rest: nothing of it may slip by.
        news.sort_by_key(|order| match order.what {
            What::Freeze => 0,
            What::Withdraw(_) | What::Restore(_) | What::Drain(_) | What::Undrain(_) | What::Decide(_) => 1,
            What::Unfreeze => 2,
        });
        let words = if news.iter().any(|order| matches!(order.what, What::Decide(_))) {
            self.last_words()
        } else {
            LastWords::new()
        };
        for order in news {
            let count = self.obey_other(now, &order, &words, effects);
            taken.carried_out.push((order, count));
        }
        taken
    }

    /// Which decision is the last word about each change.
    fn last_words(&self) -> LastWords {
        let mut words = LastWords::new();
        for (number, decided, _) in self.shared.decisions() {
            let Some(source) = self.source_named(&decided.source) else { continue };
            words.extend(decided.changes.iter().map(|change| ((source, *change), number)));
        }
        words
    }

    fn obey_other(&mut self, now: Time, order: &Order, words: &LastWords, effects: &mut Vec<Effect>) -> usize {
        let by = By { uid: order.giver.uid, pid: None, replica: Some(Arc::clone(&order.giver.replica)) };
        let command = match &order.what {
            What::Freeze => Command::Freeze,
            // What this process does not know may be a freeze that is later than this.
            What::Unfreeze if self.frozen_because.is_some() && order.number.at <= self.shared.unknown_before => {
                return 0;
            }
            What::Unfreeze => Command::Unfreeze,
            // Or a withdrawal.
            What::Restore(target)
                if order.number.at <= self.shared.unknown_before && self.forced().any(|forced| forced == target) =>
            {
                return 0;
            }
            What::Withdraw(target) if self.forced().any(|forced| forced == target) => return 0,
            What::Withdraw(target) => Command::Withdraw(target.clone()),
            What::Restore(target) => Command::Restore(target.clone()),
            What::Undrain(gateway) if order.number.at <= self.shared.unknown_before && self.is_drained(gateway) => {
                return 0;
            }
            What::Drain(gateway) if self.is_drained(gateway) => return 0,
            What::Drain(gateway) => Command::Drain(Arc::clone(gateway)),
            What::Undrain(gateway) => Command::Undrain(Arc::clone(gateway)),
            What::Decide(decided) => {
                let mine = |source: SourceId, change: SeenChange| {
                    words.get(&(source, change)).is_none_or(|last| *last <= order.number)
                };
                return self.decide_as_other(now, order.number, decided, by, mine, effects);
            }
        };
        self.obey(now, &command, by, effects)
    }

    fn decide_as_other(
        &mut self,
        now: Time,
        number: Number,
        decided: &Decided,
        by: By,
        is_last_word: impl Fn(SourceId, SeenChange) -> bool,
        effects: &mut Vec<Effect>,
    ) -> usize {
        self.shared.since.insert(number, now);
        let Some(source) = self.source_named(&decided.source).filter(|source| self.follows(*source, decided)) else {
            return 0;
        };
        let holds = match &decided.changes[..] {
            [change] => Holds::Prefix(change.prefix),
            _ => Holds::Source(source, None),
        };
        let command = if decided.approved { Command::Approve(holds) } else { Command::Deny(holds) };
        self.carry_out(now, &command, by, effects, |engine, _| {
            let changes = decided.changes.iter().copied().filter(|change| is_last_word(source, *change));
            engine.table.decide(source, decided.approved, changes)
        })
    }

    /// Whether the source follows the store that a person has seen say that.
    fn follows(&self, source: SourceId, decided: &Decided) -> bool {
        let followed = self.source(source).and_then(|source| source.sync.goes_by());
        followed.is_some_and(|(cluster, _)| cluster == decided.cluster)
    }

    /// What a command means for the other replicas; to be asked before it is carried out.
    pub(super) fn meant_for_all(&self, command: &Command) -> Meant {
        let what = match command {
            _ if self.shared.me.is_none() => Vec::new(),
            Command::Freeze => vec![What::Freeze],
            Command::Unfreeze => vec![What::Unfreeze],
            Command::Withdraw(target) => vec![What::Withdraw(target.clone())],
            Command::Restore(target) if self.forced().any(|forced| forced == target) => {
                vec![What::Restore(target.clone())]
            }
            Command::Drain(gateway) => vec![What::Drain(Arc::clone(gateway))],
            Command::Undrain(gateway) if self.is_drained(gateway) => vec![What::Undrain(Arc::clone(gateway))],
            Command::Approve(holds) => return self.decisions(true, holds),
            Command::Deny(holds) => return self.decisions(false, holds),
            // A replica's own sessions and reload are its own.
            Command::Restore(_) | Command::Undrain(_) | Command::Refresh(_) => Vec::new(),
        };
        Meant { what, untold: 0 }
    }

    fn decisions(&self, approved: bool, holds: &Holds) -> Meant {
        let mut by_source: BTreeMap<SourceId, Vec<SeenChange>> = BTreeMap::new();
        for (source, change) in self.table.held(|held| holds.contain(held)) {
            by_source.entry(source).or_default().push(change);
        }
        if !approved {
            // What would pass here when it comes is not to pass there either.
            let awaited = self.table.awaited_approvals().filter(|(source, change)| holds.contain_seen(*source, change));
            awaited.for_each(|(source, change)| by_source.entry(source).or_default().push(change));
        }
        let mut meant = Meant::default();
        for (id, mut changes) in by_source {
            let known = self.source(id).and_then(|source| Some((source, source.sync.goes_by()?)));
            let Some((source, (cluster, revision))) = known else {
                meant.untold += changes.len();
                continue;
            };
            let name = &source.settings.name;
            changes.sort_unstable();
            changes.dedup();
            for changes in changes.chunks(Decided::MOST) {
                let (source, changes) = (name.clone(), changes.to_vec());
                meant.what.push(What::Decide(Arc::new(Decided { approved, source, cluster, revision, changes })));
            }
        }
        meant
    }

    /// It has been carried out.
    pub(super) fn tell_all(&mut self, now: Time, uid: Option<u32>, Meant { what, untold }: Meant) {
        let Some(me) = self.shared.me.clone() else { return };
        let wall = self.shared.wall(now);
        let mut given = Vec::new();
        for what in what {
            let changes = if let What::Decide(decided) = &what { decided.changes.len() } else { 0 };
            given.push((self.shared.book.give(wall, &me, uid, what), changes));
        }
        // More than there is room for: the first of them had to go for the last.
        let gone = |number: Number| self.shared.book.number(&Register::Decided(number)).is_none();
        let lost = given.iter().filter(|(number, changes)| *changes > 0 && gone(*number)).map(|(_, changes)| *changes);
        self.shared.unheard += u64::try_from(lost.sum::<usize>() + untold).unwrap_or(u64::MAX);
    }

    /// What of the decisions that were given here the others do not hear of.
    pub fn unheard(&self) -> Unheard {
        Unheard { changes: self.shared.unheard, displaced: self.shared.book.displaced() }
    }

    /// From now on the table goes by the decisions for which this replica may still come to changes. To be called before anything is
    /// decided.
    pub(super) fn place_orders(&mut self, now: Time) {
        if self.shared.book.open() == 0 && self.shared.placed.1.is_empty() {
            return;
        }
        let is_placed = |(number, decided, open): &(Number, &Arc<Decided>, bool)| {
            *open
                && !self.shared.is_late(now, *number, decided)
                && self.source_named(&decided.source).is_some_and(|source| self.follows(source, decided))
        };
        let placed: Vec<Number> = self.shared.decisions().filter(is_placed).map(|(number, ..)| number).collect();
        let placed = (self.shared.book.changes(), placed);
        if placed == self.shared.placed {
            return;
        }
        let mut awaited: HashMap<(SourceId, SeenChange), bool> = HashMap::new();
        for (number, decided, _) in self.shared.decisions() {
            let Some(source) = self.source_named(&decided.source) else { continue };
            let is_placed = placed.1.binary_search(&number).is_ok();
            for change in &decided.changes {
                // The later one stands, whether it has anything left to do or not.
                if is_placed {
                    awaited.insert((source, *change), decided.approved);
                } else {
                    awaited.remove(&(source, *change));
                }
            }
        }
        self.table.await_changes(awaited.into_iter());
        self.shared.placed = placed;
    }

    /// Everything that is known has been decided: what a person saw by then comes no more.
    pub(super) fn close_orders(&mut self, now: Time) {
        if self.shared.book.open() == 0 {
            return;
        }
        let is_done = |number: Number, decided: &Decided| {
            if decided.is_of_a_file() || self.shared.is_late(now, number, decided) {
                return self.shared.is_late(now, number, decided);
            }
            let Some(id) = self.source_named(&decided.source) else { return false };
            let revision = self.source(id).map_or(Rev::default(), |source| source.sync.revision());
            self.follows(id, decided) && self.table.is_armed(id) && revision >= decided.revision
        };
        let open = self.shared.decisions().filter(|(_, _, open)| *open);
        let done: Vec<Number> =
            open.filter(|(number, decided, _)| is_done(*number, decided)).map(|(number, ..)| number).collect();
        for number in done {
            self.shared.book.close(number);
            self.shared.since.remove(&number);
        }
    }
}

impl Holds {
    /// Of a change that is not held here no host is known.
    fn contain_seen(&self, source: SourceId, change: &SeenChange) -> bool {
        match self {
            Holds::All => true,
            Holds::Reload | Holds::Host(_) => false,
            Holds::Prefix(prefix) => *prefix == change.prefix,
            Holds::Source(wanted, kind) => source == *wanted && kind.is_none_or(|kind| kind == change.kind),
        }
    }
}
