//! What the process itself says that happened (its timeline, P8), in one account from process to process: so a restart is no gap
//! in which more may go than the limits allow (P3).
//!
//! At rest the account must be what every gateway holds; between two rests it is what the judge counts by.

use super::rest::Winner;
use super::settings::gateway_name;
use super::world::World;
use crate::engine::{EventKind, EventRow, Wanted, Written};
use crate::model::{Prefix, Time};
use crate::table::ChangeKind;
use crate::testing::store::name;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// The guard's limits, in the judge's own words.
const REFILL: Duration = Duration::from_secs(3600);
const PROVEN_AFTER: Duration = Duration::from_secs(600);
/// What the timeline says of a route whose prefix had flapped: those wait otherwise, and for no limit.
const CALM: &str = "quiet";
/// And of what passes because another replica has let it pass.
const VOUCHED: &str = "another replica has seen it";
/// How many events are asked for again at rest, for whom they were written to.
const AGAIN: usize = 200;

/// Who is announced: the host and its next hop.
type Owner = (String, IpAddr);

#[derive(Default)]
pub(super) struct Ledger {
    /// Up to which event of this process it is kept.
    read: u64,
    announced: BTreeMap<Prefix, Owner>,
    /// What is announced like what covers it, and where that leads.
    overridden: BTreeMap<Prefix, IpAddr>,
    /// The process has read everything.
    is_whole: bool,
    /// What it announced of each prefix first.
    first: BTreeMap<Prefix, Owner>,
    /// What the process before announced last, if this one is to know.
    before: Option<BTreeMap<Prefix, Owner>>,
    /// The most that was announced at once.
    most: usize,
    withdrawn: Counts,
    moved: Counts,
    /// Changes that no limit lets pass: while the stores say so, the prefix stays without, or gets, this next hop.
    kept_back: BTreeMap<Prefix, KeptBack>,
    /// What processes of this replica have ever let pass by themselves that knew what was before, or began with all: where each prefix led then.
    passed: BTreeSet<(Prefix, Option<IpAddr>)>,
    /// What passed since somebody looked last because another replica has let it pass.
    pub(super) vouched: Vec<(Prefix, Option<IpAddr>)>,
}

/// See [`Ledger::kept_back`].
struct KeptBack {
    to: Option<IpAddr>,
    why: Kept,
}

#[derive(PartialEq, Eq)]
enum Kept {
    /// A person has denied it.
    Denied,
    /// The store of this number was replaced and says so; time may prove it, and another source may say the same.
    Replaced {
        store: usize,
        /// Whose the prefix was.
        owner: String,
        /// That was a record of this store.
        is_own: bool,
    },
}

/// Changes of one kind that no person has approved.
#[derive(Default)]
struct Counts {
    /// And that no time had proven, within an hour.
    quick: VecDeque<Time>,
    /// And that time may have proven, at one moment.
    proven: VecDeque<Time>,
}

/// What the source's limits allow.
struct Bounds {
    at_once: usize,
    within_an_hour: usize,
    proven: usize,
}

impl Counts {
    fn count(&mut self, now: Time, is_proven: bool, what: &str, most: usize, bounds: &Bounds) {
        let counted = if is_proven { &mut self.proven } else { &mut self.quick };
        counted.push_back(now);
        counted.retain(|at| now.since(*at) < if is_proven { Duration::from_secs(1) } else { REFILL });
        if is_proven {
            let count = counted.len();
            assert!(count <= bounds.proven, "P3: {count} of {most} are {what} at once, and nobody was asked");
            return;
        }
        let at_once = counted.iter().filter(|at| now.since(**at) < Duration::from_secs(1)).count();
        assert!(at_once <= bounds.at_once, "P3: {at_once} of {most} are {what} at once, and nobody was asked");
        let count = counted.len();
        assert!(
            count <= bounds.within_an_hour,
            "P3: {count} of {most} are {what} within an hour, and nobody was asked"
        );
    }
}

impl Ledger {
    /// Whether that has passed here; or that it goes, where this process has never announced it.
    pub(super) fn has_let_pass(&self, (prefix, to): (Prefix, Option<IpAddr>)) -> bool {
        self.passed.contains(&(prefix, to)) || (to.is_none() && !self.first.contains_key(&prefix))
    }

    /// Where each prefix leads that this process announces.
    pub(super) fn decided(&self) -> BTreeMap<Prefix, IpAddr> {
        let announced = self.announced.iter().map(|(prefix, (_, next_hop))| (*prefix, *next_hop));
        self.overridden.iter().map(|(prefix, next_hop)| (*prefix, *next_hop)).chain(announced).collect()
    }
}

impl World {
    /// What has happened since it was asked last.
    pub(super) fn read_events(&mut self) {
        let Some(process) = &self.process else { return };
        if process.engine.newest_event() == self.ledger.read {
            return;
        }
        let page = process.engine.events(self.ledger.read, usize::MAX, &Wanted::default());
        assert_eq!(page.lost, 0, "what happened is read before it is forgotten");
        self.ledger.read = page.last;
        for event in page.events {
            self.enter(event);
        }
        let complete = |process: &super::process::Process| process.engine.source_rows().iter().all(|row| row.complete);
        if !self.ledger.is_whole && self.process.as_ref().is_some_and(complete) {
            self.ledger.is_whole = true;
            self.compare_with_before();
        }
    }

    fn enter(&mut self, event: EventRow) {
        let Some(prefix) = event.prefix else { return };
        match (event.kind, &event.to) {
            (EventKind::Overridden, Some(hop)) => _ = self.ledger.overridden.insert(prefix, hop.next_hop),
            (EventKind::OverrideEnded | EventKind::Announced, _) => _ = self.ledger.overridden.remove(&prefix),
            _ => {}
        }
        let is_of_route =
            |kind| matches!(kind, EventKind::Announced | EventKind::Moved | EventKind::Changed | EventKind::Withdrawn);
        if !is_of_route(event.kind) {
            return;
        }
        let is_still = self.judge.frozen.is_some() && self.ledger.is_whole;
        assert!(!is_still, "P3: frozen, and {prefix} is {:?}", event.kind);
        let is_unsure = self.is_unsure() && self.ledger.is_whole;
        let is_free = !is_unsure || self.judge.has_reason(prefix);
        assert!(is_free, "P7: it does not know who leads, and {prefix} is {:?}", event.kind);
        let owner = |hop: crate::table::Hop| (hop.host.to_string(), hop.next_hop);
        let (from, to) = (event.from.map(owner), event.to.map(owner));
        let before = match to.clone() {
            Some(to) => self.ledger.announced.insert(prefix, to),
            None => self.ledger.announced.remove(&prefix),
        };
        assert_eq!(before, from, "P8: {prefix} was announced otherwise than is said");
        if let Some(to) = &to {
            self.judge.owned(prefix);
            self.ledger.first.entry(prefix).or_insert_with(|| to.clone());
        }
        self.ledger.most = self.ledger.most.max(self.ledger.announced.len());
        let passes = (prefix, to.as_ref().map(|(_, next_hop)| *next_hop));
        let knows = self.knows.last().is_some_and(|knows| knows.remembers.iter().all(|is| *is));
        let is_vouched = event.text.contains(VOUCHED);
        if is_vouched {
            self.ledger.vouched.push(passes);
        } else if knows || self.ledger.is_whole || self.knows.len() == 1 {
            self.ledger.passed.insert(passes);
        }
        if !event.text.contains(CALM) {
            match (event.kind, to) {
                (EventKind::Withdrawn, _) => self.count(prefix, (from, None), event.source.as_deref(), is_vouched),
                (EventKind::Moved, Some(to)) => {
                    self.count(prefix, (from, Some(to.1)), event.source.as_deref(), is_vouched);
                }
                _ => {}
            }
        }
    }

    /// P3: a route is withdrawn, or gets another next hop.
    fn count(
        &mut self,
        prefix: Prefix,
        (from, to): (Option<Owner>, Option<IpAddr>),
        source: Option<&str>,
        is_vouched: bool,
    ) {
        let now = self.now;
        let kept_back = self.ledger.kept_back.remove(&prefix).filter(|kept| kept.to == to);
        if self.judge.has_reason(prefix) {
            return;
        }
        let is_proven = match to {
            None => self.truth.is_long_absent(prefix, now, PROVEN_AFTER),
            Some(next_hop) => self.truth.is_long_stated(prefix, next_hop, now, PROVEN_AFTER),
        };
        match kept_back {
            Some(KeptBack { why: Kept::Denied, .. }) => panic!("P3: a person has denied that {prefix} goes to {to:?}"),
            // Whose owner was another, of that the store before had said the same already, and the process had not heard what it said since.
            Some(KeptBack { why: Kept::Replaced { store, owner, .. }, .. })
                if source == Some(&format!("source-{store}")) && from.is_some_and(|(host, _)| host == owner) =>
            {
                assert!(is_proven, "P3: a store was replaced, and {prefix} goes to {to:?}");
            }
            _ => {}
        }
        if is_vouched {
            // Gateways hear of more than the limits let pass.
            self.judge.excuse(now, [prefix]);
        }
        if !self.shape.guarded || is_vouched {
            return;
        }
        let most = self.ledger.most.max(self.truth.count());
        let limit = self.shape.sources * (most / 5).max(5);
        let bounds = Bounds { at_once: limit, within_an_hour: 2 * limit, proven: (2 * limit).max(most / 2) };
        match to {
            None => self.ledger.withdrawn.count(now, is_proven, "withdrawn", most, &bounds),
            Some(_) => self.ledger.moved.count(now, is_proven, "moved", most, &bounds),
        }
    }

    /// The process has read everything: first it has announced what the one before did.
    fn compare_with_before(&mut self) {
        let Some(mut before) = self.ledger.before.take() else { return };
        before.retain(|prefix, _| !self.judge.has_reason(*prefix));
        for (prefix, owner) in &before {
            let first = self.ledger.first.get(prefix);
            assert_eq!(first, Some(owner), "P3: a restart has changed what is announced of {prefix}");
        }
        // What was announced before a person froze it may be otherwise.
        let started = self.knows.last().map(|knows| knows.started);
        if self.judge.frozen.is_some_and(|frozen| started.is_some_and(|started| frozen <= started)) {
            let mut now = self.ledger.announced.clone();
            now.retain(|prefix, _| !self.judge.has_reason(*prefix));
            assert_eq!(now, before, "P3: a restart has changed what is announced, and it is frozen");
        }
    }

    /// The process ends. The next one goes on with what this one announced, as far as that was written down.
    pub(super) fn end_account(&mut self) {
        self.read_events();
        let Some(process) = &self.process else { return };
        let orders = process.engine.orders(self.now);
        let orders_are =
            (orders.frozen.is_some(), &orders.forced) == (self.orders.frozen.is_some(), &self.orders.forced);
        let is_kept = orders_are && process.is_saved(&self.disk);
        if !is_kept {
            self.judge.unguarded = Time::since_start(Duration::MAX);
            self.judge.forget_spent();
        }
        let Ledger { announced, most, withdrawn, moved, kept_back, passed, vouched, .. } =
            std::mem::take(&mut self.ledger);
        let before = is_kept.then_some(announced);
        // Whose limits were not written down has whole ones.
        let (withdrawn, moved) = if is_kept { (withdrawn, moved) } else { Default::default() };
        self.ledger = Ledger { before, most, withdrawn, moved, kept_back, passed, vouched, ..Ledger::default() };
        let denied: BTreeSet<_> = self.orders.denied.iter().map(|denied| denied.prefix).collect();
        self.ledger.kept_back.retain(|prefix, kept| kept.why != Kept::Denied || denied.contains(&Some(*prefix)));
    }

    /// The limits may be whole.
    pub(super) fn forget_spent(&mut self) {
        (self.ledger.withdrawn, self.ledger.moved) = Default::default();
        self.judge.forget_spent();
    }

    /// A person has denied what is held.
    pub(super) fn keep_denied(&mut self) {
        for hold in self.holds().into_iter().filter(|hold| hold.denied && hold.kind != ChangeKind::Addition) {
            let to = hold.to.map(|(_, next_hop)| next_hop);
            self.ledger.kept_back.insert(hold.prefix, KeptBack { to, why: Kept::Denied });
        }
    }

    /// A store is another than it was before, and can be told from it.
    pub(super) fn keep_replaced(&mut self, store: usize, before: &BTreeMap<Prefix, Winner>) {
        self.truth.replaced(self.now);
        let now = self.winners();
        for (prefix, (source, owner, next_hop)) in before {
            let to = now.get(prefix).map(|(.., next_hop)| *next_hop);
            if to != Some(*next_hop) {
                let why = Kept::Replaced { store, owner: owner.clone(), is_own: usize::from(*source) == store };
                self.ledger.kept_back.entry(*prefix).or_insert(KeptBack { to, why });
            }
        }
    }

    /// Who it is cannot be told any more.
    pub(super) fn forget_replaced(&mut self) {
        self.ledger.kept_back.retain(|_, kept| kept.why == Kept::Denied);
    }

    /// Whoever says something else, and then that again, is judged anew.
    pub(super) fn forget_kept_back(&mut self) {
        if !self.ledger.kept_back.is_empty() {
            let winners = self.winners();
            let says = |prefix: &Prefix| winners.get(prefix).map(|(.., next_hop)| *next_hop);
            let stores = &self.stores;
            // A record that cannot be read says what it said: that it states the prefix no more is not known.
            let hides = |kept: &KeptBack| match (&kept.why, kept.to) {
                (Kept::Replaced { store, owner, is_own: true }, None) => {
                    stores[*store].hosts.iter().any(|(host, (what, ..))| what.is_none() && name(*host) == *owner)
                }
                _ => false,
            };
            self.ledger.kept_back.retain(|prefix, kept| says(prefix) == kept.to && !hides(kept));
        }
    }

    /// P8: what is said to have happened has led to what is, and everything was written.
    pub(super) fn check_account(&self, owners: &BTreeMap<Prefix, Owner>) {
        assert_eq!(self.ledger.announced, *owners, "P8: what happened leads to other routes");
        let Some(process) = &self.process else { return };
        let mut page = process.engine.newest_events(None, AGAIN, &Wanted::default());
        process.engine.tell_written(&mut page, usize::MAX);
        for event in page.events {
            for row in &event.written {
                let is_it = |n: usize| self.gateways[n].is_stuck && row.gateway == gateway_name(n);
                let is_stuck = (0..self.gateways.len()).any(is_it);
                let is_open = matches!(row.written, Written::Pending | Written::Down);
                assert!(!is_open || is_stuck, "P8: at rest {row:?}, of {event:?}");
            }
        }
    }
}
