//! What this replica says of itself to the others, and what it makes of what they say.

use super::role::Role;
use super::views::{Passed, ViewId};
use super::{Effect, Engine, Source};
use crate::model::{Family, PerFamily, Replica, Term, Time};
use crate::replicas::{
    Agreement, Comparing, Digest, KnownReplica, ReplicaReport, ReportedRole, SourceReport, TableDigest,
};
use crate::source::Rev;
use crate::source::sync::Follow;
use crate::view::Seq;
use std::collections::BTreeMap;

/// Who this replica is to the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Introduction {
    /// Its identity and this process.
    pub replica: Replica,
    /// The program's version.
    pub version: String,
    /// Parts of its configuration in which all replicas are to agree, by name.
    pub config: BTreeMap<String, Digest>,
}

/// Another replica.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplicaRow {
    /// What is known of it.
    pub known: KnownReplica,
    /// Whether it announces what this one does.
    pub agreement: Agreement,
    /// Whether it has not for so long that it is an alarm.
    pub diverges: bool,
    /// Whether its version is another one.
    pub other_version: bool,
    /// The parts of its configuration that are others, if the version is the same.
    pub other_config: Vec<String>,
}

#[derive(Default)]
pub(super) struct Reporting {
    /// None: there are no others.
    me: Option<Introduction>,
    pub(super) others: Vec<KnownReplica>,
    /// When what they say was read last.
    read_at: Option<Time>,
    pub(super) comparing: Comparing,
    /// Of each source.
    told: Vec<Told>,
    /// Where the views stood at these revisions, which not all gateways have passed yet.
    telling: Option<Telling>,
}

impl Reporting {
    /// A session begins, whose gateway was handed nothing yet, or was not told what it was handed; or a source's revisions mean
    /// something else from now on.
    pub(super) fn nothing_is_told(&mut self) {
        self.told.clear();
        self.telling = None;
    }
}

/// Up to which revision all gateways were handed what came of it.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Told {
    /// Nothing of what was withdrawn is announced.
    told: Rev,
    /// It is at the most like what covers it.
    handed: Rev,
}

struct Telling {
    heads: Vec<(ViewId, Seq)>,
    told: Vec<Told>,
}

impl Engine {
    /// What it says of itself; None before it was introduced.
    pub fn report(&self) -> Option<ReplicaReport> {
        let Introduction { replica, version, config } = self.reporting.me.clone()?;
        let (role, _) = self.role();
        let source = |(place, source): (usize, &Source)| {
            let Told { told, handed } = self.reporting.told.get(place).copied().unwrap_or_default();
            let report = SourceReport {
                revision: source.sync.revision().0,
                told: told.min(self.tellable(place, source)).0,
                handed: handed.0,
                complete: source.sync.is_complete() && source.is_judged,
                current: source.sync.is_current(),
                store: source.sync.believed().map(|(store, _)| store).unwrap_or_default(),
                since: source.continuity.since().0,
            };
            (source.settings.name.clone(), report)
        };
        Some(ReplicaReport {
            replica,
            role: match role {
                Role::Leader { .. } => ReportedRole::Leader,
                Role::Standby { .. } => ReportedRole::Standby,
                Role::Alone | Role::Unsure { .. } => ReportedRole::Unsure,
            },
            term: role.term().and_then(|term| Term::new(term).ok()).unwrap_or_default(),
            ordinal: self.standing.ordinal(),
            version,
            config,
            sources: self.sources.iter().enumerate().map(source).collect(),
            tables: self.tables(),
            sessions: self.outlets.sessions(),
            routers: BTreeMap::new(),
            held: count(self.count_held() + self.reload_holds().len()),
            forced: count(self.forced().count()),
            frozen: self.holds_still().is_some(),
            trouble: false,
            restamping: self.outlets.await_stamp(self.latest),
            leaving: false,
            retired: false,
        })
    }

    /// What it is called among the replicas of its election, once it takes part in one.
    pub fn identity(&self) -> Option<&str> {
        self.reporting.me.as_ref().map(|me| &*me.replica.identity)
    }

    /// What is known of the other replicas.
    pub fn replicas(&self) -> &[KnownReplica] {
        &self.reporting.others
    }

    /// When that was read last: what has become of them since is not known.
    pub fn replicas_read_at(&self) -> Option<Time> {
        self.reporting.read_at
    }

    /// The same, and what it makes of it.
    pub fn replica_rows(&self) -> Vec<ReplicaRow> {
        let row = |known: &KnownReplica| {
            let (agreement, diverges, other_version, config) =
                self.reporting.comparing.of(&known.report.replica.identity);
            ReplicaRow { known: known.clone(), agreement, diverges, other_version, other_config: config.to_vec() }
        };
        self.reporting.others.iter().map(row).collect()
    }

    pub(super) fn introduce(&mut self, me: Introduction) {
        self.reporting.me = Some(me);
    }

    pub(super) fn take_replicas(&mut self, now: Time, others: Vec<KnownReplica>, effects: &mut Vec<Effect>) {
        self.reporting.others = others;
        self.reporting.read_at = Some(now);
        self.outlets.tell_what_takes_nothing(now, effects);
        let Some(own) = self.report() else { return };
        self.note_tables();
        let compared = self.sources.iter().filter(|source| is_compared(source));
        let compared: Vec<&str> = compared.map(|source| source.settings.name.as_str()).collect();
        let Reporting { comparing, others, .. } = &mut self.reporting;
        let note = |identity: &_, note| effects.push(Effect::Replica(std::sync::Arc::clone(identity), note));
        comparing.take(now, &own, &compared, others, note);
        self.pass_what_others_let_pass(now, &own, effects);
    }

    /// What is announced now, for when others say what they announced at these revisions.
    pub(super) fn note_tables(&mut self) {
        // While nothing is decided, what is announced is not what comes of a revision.
        if self.reporting.me.is_none() || self.holds_still().is_some() {
            return;
        }
        let tables = self.tables();
        let wanted = (self.count_held() > 0).then(|| (self.table.wanted_digests(), self.table.newest_hold()));
        let compared = self.sources.iter().filter(|source| is_compared(source));
        let revisions = compared.map(|source| source.sync.revision().0);
        self.reporting.comparing.note(revisions, tables, wanted);
    }

    /// Finds out how far all gateways were told. What is not decided is not told.
    pub(super) fn note_told(&mut self) {
        if self.reporting.me.is_none() || self.holds_still().is_some() || self.is_releasing() {
            return;
        }
        if let Some(telling) = self.reporting.telling.take() {
            if !self.have_passed(&telling.heads) {
                self.reporting.telling = Some(telling);
                return;
            }
            self.reporting.told = telling.told;
        }
        let told = |(place, source)| Told { told: self.tellable(place, source), handed: source.sync.revision() };
        let now = self.sources.iter().enumerate().map(told);
        if now.clone().eq(self.reporting.told.iter().copied()) {
            return;
        }
        let (heads, told): (Vec<_>, Vec<Told>) = (self.views.heads().collect(), now.collect());
        match self.have_passed(&heads) {
            true => self.reporting.told = told,
            false => self.reporting.telling = Some(Telling { heads, told }),
        }
    }

    /// Up to which revision gateways can have been told what a source says: what was withdrawn and is announced like what covers it,
    /// they still have.
    fn tellable(&self, place: usize, source: &Source) -> Rev {
        let revision = source.sync.revision();
        self.overridden_at(place).map_or(revision, |at| revision.min(Rev(at.saturating_sub(1))))
    }

    /// Whether every gateway with a session was handed what the views had up to there, when it was tidied last.
    fn have_passed(&self, heads: &[(ViewId, Seq)]) -> bool {
        let all = self.tidied.iter().flat_map(|(_, tidied)| &tidied.passed);
        let all: BTreeMap<ViewId, Passed> = all.copied().collect();
        let has = |passed: &Passed, head: Seq| passed.tail >= head && !passed.dumping;
        heads.iter().all(|(id, head)| all.get(id).is_none_or(|passed| has(passed, *head)))
    }

    pub(super) fn tables(&self) -> PerFamily<TableDigest> {
        PerFamily::from_fn(|family: Family| self.table.digest(family))
    }
}

/// Whether other replicas count its revisions in the same way: what a file's count is this process's own.
pub(super) fn is_compared(source: &Source) -> bool {
    source.settings.sync.follow == Follow::Watch
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
