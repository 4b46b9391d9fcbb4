//! The engine: one owner of everything between a source's report and the bytes for a gateway.
//!
//! ```text
//!  Report ──► Sync ──► claim changes ──► Table ──► Views ──► Outlets (feeds, credit) ──► Chunk
//!  session up, down, refresh, written ───────────────────────────┘
//! ```
//!
//! It takes inputs and returns effects; the shell's engine thread feeds it. Inputs come before [`Engine::work`], and
//! work hands out tails (changes) before slices of dumps, so that a change never waits behind a full table.

mod command;
mod decide;
mod difference;
mod drains;
mod explain;
mod look;
mod lots;
mod noted;
mod orders;
mod outlets;
mod overrides;
mod reload;
mod remember;
mod reporting;
mod role;
mod settings;
mod shared;
mod succeed;
mod taken;
mod tells;
#[cfg(test)]
mod tests;
mod timeline;
mod told;
mod views;
mod vouched;

pub use command::{Command, Holds};
pub use explain::{TellState, ToldRow, UnresolvedOf};
pub use look::{
    ClaimRow, GatewayRow, HoldRow, QuarantinedRow, RecordFaults, RouteRow, SourceRow, UnresolvedRow, Until, Waiting,
};
pub use orders::Orders;
pub use outlets::{Joined, REPORT, Refusal, SessionNumber, SessionUp};
pub use overrides::{Behind, Others, OverrideRow};
pub use reload::ReloadHold;
pub use remember::{Place, Remembers};
pub use reporting::{Introduction, ReplicaRow};
pub use role::Role;
pub use settings::{GatewaySettings, Settings, SourceSettings};
pub use shared::{TakenOrders, Unheard};
pub use taken::{Taken, Waits};
pub use tells::{TellRow, Tells};
pub use timeline::{By, EventKind, EventRow, EventsPage, TimelineLimits, Wanted, Written, WrittenRow};

use crate::model::{Family, GatewayId, PerFamily, SourceId, Time};
use crate::policy::Policy;
use crate::replicas::{KnownReplica, ReplicaNote};
use crate::source::sync::{Continuity, Note, OfRecord, Outcome, Snapshot, Sync};
use crate::source::{Attempt, Order, Report};
use crate::table::{ChangeKind, HoldReason, Loser, Losers, Settled, Table};
use crate::view::Chunk;
use bytes::Bytes;
use noted::Noted;
use orders::Frozen;
use outlets::{Outlets, Saying, Verified};
use overrides::Overrides;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use timeline::{SessionChange, Timeline};
use told::Told;
use views::{Passed, ViewId, Views};

/// What happens to the engine.
#[derive(Debug)]
pub enum Input {
    /// A transport has something to say.
    Report(SourceId, Attempt, Report),
    /// Somebody from the range that a gateway's entry names has connected: a gateway of its own from now on.
    Joined(Joined),
    /// It is forgotten.
    Left(GatewayId),
    /// A session with a gateway is established.
    SessionUp(GatewayId, SessionUp),
    /// That session is over.
    SessionDown(GatewayId, SessionNumber),
    /// The gateway wants everything again (RFC 2918).
    Refresh(GatewayId, SessionNumber, Family),
    /// So many octets of chunks went into the gateway's socket. Less than [`REPORT`] may stay unsaid.
    Written(GatewayId, SessionNumber, usize),
    /// Something was not written, and nothing that came after it will be before [`Effect::Resume`]: see there. Whether its stamp may
    /// be said again meanwhile, or may not be as yet, is another question ([`Engine::lapse`]).
    Refused(GatewayId, SessionNumber, Refusal),
    /// There are other replicas, and this is who this one is to them from now on.
    Introduced(Introduction),
    /// What is known of the other replicas from now on.
    Replicas {
        /// All that have ever said something.
        known: Vec<KnownReplica>,
        /// Who takes part besides, and nothing that it says was ever read.
        silent: Vec<Arc<str>>,
    },
}

/// What the shell shall do.
#[derive(Debug)]
pub enum Effect {
    /// Tell a transport what to do.
    Order(SourceId, Order),
    /// Write these messages, in this order; or none of them, where something before was refused, until [`Effect::Resume`].
    Send(GatewayId, SessionNumber, Arc<Chunk>),
    /// The refusal is known, and what was handed out since then is counted as not written: what follows is to be written again.
    Resume(GatewayId, SessionNumber),
    /// The gateway is too slow to be kept up to date: close its connection, without a NOTIFICATION (a Cease would flush
    /// its table).
    CloseSlow(GatewayId, SessionNumber),
    /// Log it.
    Note(SourceId, Note),
    /// Log it: so many notes of this kind were left out, because there were as many before them.
    MoreNotes(SourceId, OfRecord, usize),
    /// Log it: so many changes of this kind of a source are held now, the last of them for this reason.
    Held(SourceId, ChangeKind, usize, HoldReason),
    /// Log it: this part of a reload is held.
    ReloadHeld(ReloadHold),
    /// Log it: so far settings are in force that were given, or that had something to wait for.
    Taken(Taken),
    /// Log it: how many routes of this family the gateway of this name is not told now because of its cap; 0 again where none
    /// is.
    Capped(String, Family, usize),
    /// Log it: the gateway of this name has taken nothing for a while of what it is to be told anew with another stamp, and whoever
    /// led before does not wait for that.
    TakesNothing(String),
    /// Log it: of the replica of this identity.
    Replica(Arc<str>, ReplicaNote),
    /// Log it: claims that are not announced, the first few with the keys of their records, and how many more there are.
    NotAnnounced(Vec<(Loser, Bytes)>, usize),
}

/// Between two lots of claims that are not announced: records that change all the time must not fill the log.
const LOSERS_PAUSE: Duration = Duration::from_secs(10);

struct Source {
    settings: SourceSettings,
    sync: Sync,
    /// How many changes there have been of its claims and of what is held.
    changes: u64,
    /// What of it was judged as it came.
    continuity: Continuity,
    /// Whether a complete list of it was judged in this process.
    is_judged: bool,
}

impl Source {
    /// Whether what an earlier process knew of it is still to be taken in, or what it says itself.
    fn is_awaited(&self) -> bool {
        self.sync.has_snapshot() || self.sync.is_releasing()
    }
}

/// The policies and the gateways' choice of them that are in force.
#[derive(Default)]
struct InForce {
    policies: BTreeMap<String, Policy>,
    gateways: Vec<GatewaySettings>,
}

/// See the module.
pub struct Engine {
    sources: Vec<Source>,
    table: Table,
    views: Views,
    outlets: Outlets,
    standing: role::Standing,
    reporting: reporting::Reporting,
    overrides: Overrides,
    /// The [`Table::host_changes`] that the outlets know of.
    hosts_known: u64,
    /// What gateways are told by.
    in_force: InForce,
    /// A reload of which something is held.
    pending: Option<reload::Pending>,
    /// How often the routes were gone through to judge one.
    walks: u64,
    /// Settings that wait for the routes that they are to be judged by.
    wanted: Option<Box<Settings>>,
    /// Since when nothing is changed, by order of a person.
    frozen: Option<Frozen>,
    /// Why, where no person has ordered that.
    frozen_because: Option<String>,
    /// How often that has begun or ended.
    freezes: u64,
    drains: drains::Drains,
    shared: shared::Shared,
    /// Whether the family's End-of-RIB could go out at some time in this process.
    was_verified: PerFamily<bool>,
    /// What the last tidying found.
    tidied: PerFamily<Tidied>,
    // Buffers, kept for their memory.
    outcome: Outcome,
    settled: Settled,
    /// When claims that lost may be told again.
    tell_losers: Time,
    told: Told,
    noted: Noted,
    timeline: Timeline,
    /// For the timeline: what is known of what is decided next.
    told_of: timeline::Pending,
    /// The latest moment that it was told of: work has no other.
    latest: Time,
}

/// How far the feeds had come, and how many slots were still waiting to be freed.
#[derive(Default, PartialEq, Eq)]
struct Tidied {
    passed: Vec<(ViewId, Passed)>,
    dead: usize,
}

impl Engine {
    /// An engine that has seen nothing; its sources are asked for their first lists.
    pub fn new(now: Time, mut settings: Settings, effects: &mut Vec<Effect>) -> Self {
        let priorities = settings.priorities();
        let mut engine = Engine {
            sources: Vec::new(),
            table: Table::new(settings.fence.clone(), priorities, settings.guard.clone()),
            views: Views::default(),
            outlets: Outlets::default(),
            standing: role::Standing::default(),
            reporting: reporting::Reporting::default(),
            overrides: Overrides::default(),
            hosts_known: 0,
            in_force: InForce::default(),
            pending: None,
            walks: 0,
            wanted: None,
            frozen: None,
            frozen_because: None,
            freezes: 0,
            drains: drains::Drains::default(),
            shared: shared::Shared::default(),
            was_verified: PerFamily::default(),
            tidied: PerFamily::default(),
            outcome: Outcome::default(),
            settled: Settled::default(),
            tell_losers: now,
            told: Told::default(),
            noted: Noted::default(),
            timeline: Timeline::default(),
            told_of: timeline::Pending::default(),
            latest: now,
        };
        engine.timeline.limit(TimelineLimits::default());
        for settings in &mut settings.sources {
            let snapshot = settings.snapshot.take();
            engine.start_source(now, settings.clone(), snapshot, effects);
        }
        engine.judge(now, settings, effects);
        engine
    }

    /// Takes one input in. Its consequences for gateways are handed out by [`Engine::work`].
    pub fn handle(&mut self, now: Time, input: Input, effects: &mut Vec<Effect>) {
        self.latest = now;
        match input {
            Input::Report(id, attempt, report) => {
                let mut outcome = std::mem::take(&mut self.outcome);
                if let Some(source) = self.source_mut(id) {
                    source.sync.handle(now, attempt, report, &mut outcome);
                }
                self.apply(now, id, outcome, effects);
                self.tell_losers(now, effects);
            }
            Input::Joined(joined) => self.outlets.join(joined),
            Input::Left(gateway) => self.outlets.leave(gateway),
            Input::SessionUp(gateway, up) => {
                self.outlets.session_up(gateway, up, &mut self.views, &self.table);
                self.reporting.nothing_is_told();
                self.note_session(now, gateway, SessionChange::Up);
            }
            Input::SessionDown(gateway, session) => {
                if self.outlets.has_session(gateway, session) {
                    self.note_session(now, gateway, SessionChange::Down);
                }
                self.outlets.session_down(gateway, session);
            }
            Input::Refresh(gateway, session, family) => {
                self.outlets.refresh(gateway, session, family, &mut self.views);
            }
            Input::Written(gateway, session, octets) => self.outlets.written(now, gateway, session, octets),
            Input::Refused(gateway, session, refusal) => self.refused(gateway, session, refusal, effects),
            Input::Introduced(me) => self.introduce(me),
            Input::Replicas { known, silent } => {
                self.take_replicas(now, known, effects);
                self.follow_others(now, silent);
            }
        }
    }

    /// The moment at which [`Engine::on_deadline`] wants to be called.
    pub fn next_deadline(&self) -> Option<Time> {
        let losers = self.table.has_losers().then_some(self.tell_losers);
        let sources = self.sources.iter().filter_map(|source| source.sync.next_deadline());
        sources
            .chain(losers)
            .chain(self.table.next_deadline())
            .chain(self.told.next_deadline())
            .chain(self.noted.next_deadline())
            .chain(self.told_of.next_deadline())
            .chain(self.overrides_deadline())
            .chain(self.outlets.next_deadline())
            .min()
    }

    /// Does what is due.
    pub fn on_deadline(&mut self, now: Time, effects: &mut Vec<Effect>) {
        self.latest = now;
        for place in 0..self.sources.len() {
            let mut outcome = std::mem::take(&mut self.outcome);
            let Some(source) = self.sources.get_mut(place) else { break };
            let id = source.settings.id;
            if source.sync.next_deadline().is_some_and(|at| at <= now) {
                source.sync.on_deadline(now, &mut outcome);
            }
            self.apply(now, id, outcome, effects);
        }
        if self.table.next_deadline().is_some_and(|at| at <= now) {
            self.table.on_deadline(now);
            self.settle(now, effects);
        }
        self.outlets.on_deadline(now);
        if self.overrides_deadline().is_some_and(|at| at <= now) {
            self.review_overrides(now);
        }
        self.tell_losers(now, effects);
        self.told.tell(now, &self.table, effects);
        self.note_records(now);
        self.noted.tell(now, effects);
    }

    /// Hands out one round of changes to every gateway that has credit, or else one slice of one dump. True if there may
    /// be more to do; false until the next input.
    pub fn work(&mut self, effects: &mut Vec<Effect>) -> bool {
        self.note_tables();
        self.note_reading(effects);
        let verified = self.verified();
        self.was_verified.iter_mut().for_each(|(family, was)| *was |= verified.of(family));
        let saying = Saying { now: self.latest, stamp: self.stamp(), unsure: self.standing.unsure().is_some() };
        let Engine { table, views, outlets, .. } = self;
        if outlets.hand_out_changes(views, table, saying, effects) {
            return true;
        }
        let handed_out = outlets.hand_out_slice(views, table, saying, verified, effects);
        let before = effects.len();
        if !handed_out {
            self.tidy(effects);
        }
        self.note_work(effects.get(before..).unwrap_or_default());
        handed_out
    }

    /// Keeps so much of what happened, and no more.
    pub fn limit_timeline(&mut self, limits: TimelineLimits) {
        self.timeline.limit(limits);
    }

    /// Grows by one whenever a gateway is looked at, whatever for: with it a test holds that what concerns one costs no look at
    /// the others, however many there are.
    pub fn looks(&self) -> u64 {
        self.outlets.looks()
    }

    /// Whether the family's End-of-RIB would be true for a gateway that this process has never told everything (P4).
    pub fn is_verified(&self, family: Family) -> bool {
        self.verified().of(family)
    }

    /// Whether a complete list of every source was believed once in this process: who has none should not lead those who have. In
    /// a freeze what it announces is what an earlier process knew, whatever it has read.
    pub fn has_read_all(&self) -> bool {
        self.standing.has_read() || self.frozen.is_none() && self.sources.iter().all(|source| source.sync.is_complete())
    }

    fn verified(&self) -> Verified {
        let syncs = self.sources.iter().map(|source| &source.sync);
        // Frozen since the start: what the store lacks or has besides is not decided yet.
        let decided = self.sources.iter().all(|source| self.table.is_read(source.settings.id));
        Verified {
            complete: syncs.clone().all(Sync::is_complete) && decided && !self.is_releasing(),
            hides_claims: PerFamily::from_fn(|family| {
                syncs.clone().any(|sync| sync.hides_claims(family)) || self.keeps_back(family)
            }),
        }
    }

    /// Whether something of the family may have been announced by an earlier process and is not by this one. Once it was
    /// verified, what comes besides is new.
    fn keeps_back(&self, family: Family) -> bool {
        !self.was_verified[family] && (self.holds_still().is_some() || self.table.has_waiting_additions(family))
    }

    fn is_releasing(&self) -> bool {
        self.sources.iter().any(|source| source.sync.is_releasing())
    }

    fn start_source(
        &mut self,
        now: Time,
        settings: SourceSettings,
        snapshot: Option<Snapshot>,
        effects: &mut Vec<Effect>,
    ) {
        let id = settings.id;
        self.table.restore_spent(now, id, settings.spent);
        let mut sync = Sync::new(settings.sync.clone());
        let resumed = |snapshot: &Snapshot| Continuity::resumed(snapshot.cluster, snapshot.passed);
        let continuity = snapshot.as_ref().map(resumed).unwrap_or_default();
        if let Some(snapshot) = snapshot {
            sync.remember(now, snapshot, settings.snapshot_after);
        }
        self.sources.push(Source { settings, sync, changes: 0, continuity, is_judged: false });
        let mut outcome = std::mem::take(&mut self.outcome);
        if let Some(source) = self.source_mut(id) {
            source.sync.start(now, &mut outcome);
        }
        self.apply(now, id, outcome, effects);
    }

    fn source_mut(&mut self, id: SourceId) -> Option<&mut Source> {
        self.sources.iter_mut().find(|source| source.settings.id == id)
    }

    fn source(&self, id: SourceId) -> Option<&Source> {
        self.sources.iter().find(|source| source.settings.id == id)
    }

    /// Says which claims are not announced, now and then.
    fn tell_losers(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if !self.table.has_losers() || now < self.tell_losers {
            return;
        }
        self.tell_losers = now + LOSERS_PAUSE;
        let Losers { first, more } = self.table.take_losers();
        let key = |loser: &Loser| Some(self.source(loser.claim.source)?.sync.record(loser.claim.record)?.key);
        // A record that is gone meanwhile is no matter any more.
        let first = first.into_iter().filter_map(|loser| key(&loser).map(|key| (loser, key))).collect();
        effects.push(Effect::NotAnnounced(first, more));
    }

    /// Frees what nobody needs any more, and gives up on gateways that cannot keep up.
    fn tidy(&mut self, effects: &mut Vec<Effect>) {
        self.outlets.check_lag(&mut self.views, &self.table, effects);
        self.outlets.check_caps(effects);
        for family in Family::ALL {
            let passed = self.outlets.passed(family, &self.views);
            self.views.trim(&passed);
            // As long as a stuck gateway holds all of them back, there is nothing to look at again.
            let tidied = Tidied { passed, dead: self.table.count_dead(family) };
            if tidied == self.tidied[family] {
                continue;
            }
            let Tidied { passed, .. } = tidied;
            let mut dead = self.table.take_dead(family);
            dead.sort_unstable();
            dead.dedup();
            let blocked = self.outlets.block_freeing(family);
            dead.retain(|&slot| {
                let vacant = self.table.is_vacant(family, slot);
                if vacant && !blocked && self.views.has_passed(slot, &passed) {
                    self.views.forget(family, slot);
                    self.table.free(family, slot);
                    return false;
                }
                vacant
            });
            let waiting = if blocked { usize::MAX } else { dead.len() };
            self.table.keep_dead(family, dead);
            self.tidied[family] = Tidied { passed, dead: waiting };
        }
        self.note_told();
    }
}
