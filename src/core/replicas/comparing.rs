//! Whether the other replicas say what this one says, and what they differ in.
//!
//! ```text
//!  another's report ──► of the same program, settings, orders? ──no──► Apart: that is said, and explains any difference
//!                               │ yes
//!                               ▼
//!                       the table of this replica at the same revisions (Trail)
//!                         same ──► Same      other ──► Differs ── for PATIENCE ──► Diverges: the alarm
//! ```

use super::trail::{Found, Trail};
use super::vouching::revisions;
use super::{KnownReplica, ReplicaReport, TableDigest};
use crate::model::{PerFamily, Time};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// For so long tables may differ at the same revisions without an alarm.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Parts of the configuration that change what gateways are told, and not which routes there are.
const OF_GATEWAYS: [&str; 4] = ["election", "gateways", "policies", "router"];

/// What another replica's table is to this one's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Agreement {
    /// It is gone, or was never compared yet: the sources were at other revisions.
    Unknown,
    /// They were the same when they were compared last.
    Same,
    /// They are not the same since then, at the same revisions of the sources, and nothing explains it.
    Differs {
        /// Since when.
        since: Time,
    },
    /// They are not compared, and why.
    Apart(Apart),
}

/// Why two tables are not compared: they may differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Apart {
    /// Another version might make something else of the same records.
    Version,
    /// Another fence, other limits or sources.
    Config,
    /// One of them has not read its sources yet.
    Reading,
    /// One of them has withdrawn routes by order.
    Forced,
    /// Nothing changes at one of them.
    Frozen,
    /// The guard of one keeps changes back.
    Held,
}

impl Apart {
    /// For programs.
    pub fn name(self) -> &'static str {
        match self {
            Apart::Version => "version",
            Apart::Config => "config",
            Apart::Reading => "reading",
            Apart::Forced => "forced",
            Apart::Frozen => "frozen",
            Apart::Held => "held",
        }
    }
}

impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Apart::Version => "not compared: its version is another one",
            Apart::Config => "not compared: its configuration is another one",
            Apart::Reading => "not compared: its sources, or this replica's, are not read yet",
            Apart::Forced => {
                "not compared: an order to withdraw routes is in force at one of the two and not at the other"
            }
            Apart::Frozen => "not compared: nothing changes at one of the two",
            Apart::Held => "not compared: the guard of one of the two keeps changes back, and each has its own",
        })
    }
}

/// For the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReplicaNote {
    /// It takes part.
    Came,
    /// It takes part no more.
    Gone,
    /// Its version is another one than this replica's.
    Version(String),
    /// These parts of its configuration are others.
    Config(Vec<String>),
    /// Version and configuration are the same again.
    Alike,
    /// The tables have differed for [`PATIENCE`].
    Diverges,
    /// They do not any more, or it is explained.
    Converged,
    /// It has let so many changes pass that were held here because this replica was away when they came: they pass.
    Vouches(usize),
}

/// What another replica differs in.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Unlike {
    version: Option<String>,
    config: Vec<String>,
}

/// What was found of another replica.
#[derive(Debug)]
struct Judged {
    unlike: Unlike,
    gone: bool,
    agreement: Agreement,
    alarmed: bool,
}

/// See the module.
#[derive(Default, Debug)]
pub struct Comparing {
    /// What this replica had.
    trail: Trail,
    /// What it would have had, had everything passed that it held, while it held something.
    pub(super) wanted: Trail,
    judged: BTreeMap<Arc<str>, Judged>,
}

impl Comparing {
    /// This replica's table is this one now, at these revisions of the sources that can be compared; `wanted`: if something is held, what it
    /// would be, were that to pass, and the number of the last hold.
    pub fn note(
        &mut self,
        revisions: impl Iterator<Item = u64> + Clone,
        tables: PerFamily<TableDigest>,
        wanted: Option<(PerFamily<TableDigest>, u64)>,
    ) {
        match wanted {
            Some((wanted, last)) => self.wanted.note(revisions.clone(), wanted, last),
            None => self.wanted.clear(),
        }
        self.trail.note(revisions, tables, 0);
    }

    /// The others say this now. `compared`: names of the sources whose revisions can be compared, in the trail's order.
    pub fn take(
        &mut self,
        now: Time,
        own: &ReplicaReport,
        compared: &[&str],
        others: &[KnownReplica],
        mut note: impl FnMut(&Arc<str>, ReplicaNote),
    ) {
        self.judged.retain(|identity, _| others.iter().any(|other| other.report.replica.identity == *identity));
        for KnownReplica { report, gone } in others {
            let identity = &report.replica.identity;
            let judged = self.judged.entry(Arc::clone(identity)).or_insert_with(|| Judged {
                unlike: Unlike::default(),
                gone: true,
                agreement: Agreement::Unknown,
                alarmed: false,
            });
            if std::mem::replace(&mut judged.gone, gone.is_some()) != gone.is_some() {
                note(identity, if gone.is_some() { ReplicaNote::Gone } else { ReplicaNote::Came });
            }
            if gone.is_none() {
                let unlike = unlike(own, report);
                if judged.unlike != unlike {
                    notes_of(&unlike).into_iter().for_each(|said| note(identity, said));
                    judged.unlike = unlike;
                }
            }
            let before = std::mem::replace(&mut judged.agreement, Agreement::Unknown);
            judged.agreement = match apart(own, report, &judged.unlike) {
                _ if gone.is_some() => Agreement::Unknown,
                Some(apart) => Agreement::Apart(apart),
                None => match (self.trail.find(&revisions(report, compared), report.tables), before) {
                    (Found::Same, _) => Agreement::Same,
                    (Found::Other, Agreement::Differs { since }) => Agreement::Differs { since },
                    (Found::Other, _) => Agreement::Differs { since: now },
                    (Found::Nothing, Agreement::Apart(_)) => Agreement::Unknown,
                    (Found::Nothing, before) => before,
                },
            };
            let alarm = matches!(judged.agreement, Agreement::Differs { since } if now.since(since) >= PATIENCE);
            if std::mem::replace(&mut judged.alarmed, alarm) != alarm {
                note(identity, if alarm { ReplicaNote::Diverges } else { ReplicaNote::Converged });
            }
        }
    }

    /// What is known of the replica of this name: whether it says the same, whether that is an alarm, whether its version is another
    /// one, and which parts of its configuration are.
    pub fn of(&self, identity: &str) -> (Agreement, bool, bool, &[String]) {
        match self.judged.get(identity) {
            None => (Agreement::Unknown, false, false, &[]),
            Some(Judged { unlike, agreement, alarmed, .. }) => {
                (agreement.clone(), *alarmed, unlike.version.is_some(), &unlike.config)
            }
        }
    }
}

pub(super) fn unlike(own: &ReplicaReport, other: &ReplicaReport) -> Unlike {
    if own.version != other.version {
        // It may count its configuration up in another way.
        return Unlike { version: Some(other.version.clone()), config: Vec::new() };
    }
    let parts = own.config.keys().chain(other.config.keys().filter(|part| !own.config.contains_key(*part)));
    let config = parts.filter(|part| own.config.get(*part) != other.config.get(*part)).cloned();
    Unlike { version: None, config: config.collect() }
}

fn notes_of(unlike: &Unlike) -> Vec<ReplicaNote> {
    let version = unlike.version.clone().map(ReplicaNote::Version);
    let config = (!unlike.config.is_empty()).then(|| ReplicaNote::Config(unlike.config.clone()));
    let notes: Vec<ReplicaNote> = version.into_iter().chain(config).collect();
    if notes.is_empty() { vec![ReplicaNote::Alike] } else { notes }
}

/// What explains that the tables differ, if they do.
pub(super) fn apart(own: &ReplicaReport, other: &ReplicaReport, unlike: &Unlike) -> Option<Apart> {
    let either = |is: fn(&ReplicaReport) -> bool| is(own) || is(other);
    if unlike.version.is_some() {
        Some(Apart::Version)
    } else if unlike.config.iter().any(|part| !OF_GATEWAYS.contains(&part.as_str())) {
        Some(Apart::Config)
    } else if either(|report| !report.has_read()) {
        Some(Apart::Reading)
    } else if own.forced != other.forced {
        Some(Apart::Forced)
    } else if either(|report| report.frozen) {
        Some(Apart::Frozen)
    } else {
        either(|report| report.held > 0).then_some(Apart::Held)
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;
    use crate::replicas::Digest;

    struct World {
        comparing: Comparing,
        own: ReplicaReport,
        other: KnownReplica,
        now: Time,
        notes: Vec<ReplicaNote>,
    }

    fn table(n: u64) -> PerFamily<TableDigest> {
        PerFamily { ipv4: TableDigest { routes: n, digest: Digest(n) }, ipv6: TableDigest::default() }
    }

    impl World {
        /// Both at revision 10, with the same table; already compared.
        fn new() -> Self {
            let plain = |identity: &str| {
                let mut report = report(identity);
                (report.held, report.forced) = (0, 0);
                report.tables = table(1);
                report
            };
            let other = KnownReplica { report: plain("10.0.3.2"), gone: None };
            let (comparing, notes) = (Comparing::default(), Vec::new());
            let mut world = World { comparing, own: plain("10.0.3.1"), other, now: Time::ZERO, notes };
            world.has(10, 1);
            world.says(10, 1);
            assert_eq!(world.after(1), Agreement::Same);
            assert_eq!(std::mem::take(&mut world.notes), [ReplicaNote::Came]);
            world
        }

        /// This replica has this table at that revision.
        fn has(&mut self, revision: u64, n: u64) {
            self.comparing.trail.note([revision].into_iter(), table(n), 0);
        }

        /// The other says so.
        fn says(&mut self, revision: u64, n: u64) {
            self.other.report.tables = table(n);
            self.other.report.sources.values_mut().for_each(|source| source.revision = revision);
        }

        fn after(&mut self, seconds: u64) -> Agreement {
            self.now = self.now + Duration::from_secs(seconds);
            let others = [self.other.clone()];
            let note = |_: &Arc<str>, note| self.notes.push(note);
            self.comparing.take(self.now, &self.own, &["prod"], &others, note);
            self.comparing.of("10.0.3.2").0
        }
    }

    #[test]
    fn tables_that_differ_at_one_revision_for_30_s_are_an_alarm_and_it_ends() {
        let mut world = World::new();
        world.says(10, 2);
        let since = world.now + Duration::from_secs(1);
        assert_eq!(world.after(1), Agreement::Differs { since });
        assert_eq!(world.after(29), Agreement::Differs { since });
        assert_eq!(world.notes, []);
        // That both go on to another revision makes it no better.
        world.has(11, 3);
        world.says(11, 4);
        assert_eq!(world.after(1), Agreement::Differs { since });
        assert_eq!(world.notes, [ReplicaNote::Diverges]);
        assert!(world.comparing.of("10.0.3.2").1);
        world.says(12, 5);
        assert_eq!(world.after(1), Agreement::Differs { since }, "not compared at another revision");
        world.says(11, 3);
        assert_eq!(world.after(1), Agreement::Same);
        assert_eq!(world.notes, [ReplicaNote::Diverges, ReplicaNote::Converged]);
    }

    #[test]
    fn orders_to_withdraw_that_are_in_force_at_both_hide_no_other_difference() {
        let mut world = World::new();
        (world.own.forced, world.other.report.forced) = (2, 2);
        world.says(10, 2);
        assert!(matches!(world.after(1), Agreement::Differs { .. }));
        world.after(30);
        assert_eq!(world.notes, [ReplicaNote::Diverges]);
    }

    #[test]
    fn who_is_behind_or_ahead_is_no_alarm_however_long() {
        let mut world = World::new();
        // What the other says is always a second old; every second something changes.
        for revision in 11..100 {
            world.has(revision, revision);
            world.says(revision - 1, if revision == 11 { 1 } else { revision - 1 });
            assert_eq!(world.after(1), Agreement::Same, "{revision}");
        }
        // It has seen more than this one.
        world.says(200, 200);
        assert_eq!(world.after(60), Agreement::Same);
        assert_eq!(world.notes, []);
    }

    #[test]
    fn a_moment_of_difference_does_not_count_towards_the_next_one() {
        let mut world = World::new();
        for _ in 0..10 {
            world.says(10, 2);
            world.after(1);
            world.after(20);
            world.says(10, 1);
            assert_eq!(world.after(1), Agreement::Same);
        }
        assert_eq!(world.notes, []);
    }

    #[test]
    fn what_explains_a_difference_is_said_instead_of_an_alarm() {
        type Change = fn(&mut World);
        let cases: [(Apart, Change, Change); 6] = [
            (Apart::Held, |world| world.other.report.held = 1, |world| world.other.report.held = 0),
            (Apart::Held, |world| world.own.held = 1, |world| world.own.held = 0),
            (Apart::Forced, |world| world.other.report.forced = 1, |world| world.other.report.forced = 0),
            (Apart::Frozen, |world| world.own.frozen = true, |world| world.own.frozen = false),
            (
                Apart::Reading,
                |world| world.other.report.sources.values_mut().for_each(|source| source.complete = false),
                |world| world.other.report.sources.values_mut().for_each(|source| source.complete = true),
            ),
            (
                Apart::Config,
                |world| _ = world.other.report.config.insert("fence".into(), Digest(1)),
                |world| world.other.report.config.clone_from(&world.own.config),
            ),
        ];
        for (apart, begins, ends) in cases {
            let mut world = World::new();
            world.says(10, 2);
            begins(&mut world);
            assert_eq!(world.after(60), Agreement::Apart(apart));
            assert!(!world.notes.contains(&ReplicaNote::Diverges), "{apart:?}");
            // From then on it counts.
            ends(&mut world);
            let since = world.now + Duration::from_secs(1);
            assert_eq!(world.after(1), Agreement::Differs { since });
        }
    }

    #[test]
    fn other_versions_and_configurations_are_said_once_and_when_they_end() {
        let mut world = World::new();
        world.other.report.config.insert("policies".into(), Digest(3));
        assert_eq!(world.after(1), Agreement::Same, "the same routes, told otherwise");
        world.after(60);
        assert_eq!(std::mem::take(&mut world.notes), [ReplicaNote::Config(vec!["policies".into()])]);
        world.other.report.version = "0.2.0".into();
        assert_eq!(world.after(1), Agreement::Apart(Apart::Version));
        world.after(60);
        assert_eq!(std::mem::take(&mut world.notes), [ReplicaNote::Version("0.2.0".into())]);
        world.other.report = ReplicaReport { version: world.own.version.clone(), ..world.other.report.clone() };
        world.other.report.config.clone_from(&world.own.config);
        world.after(1);
        assert_eq!(world.notes, [ReplicaNote::Alike]);
    }

    #[test]
    fn who_is_gone_is_not_compared_and_stays_known() {
        let mut world = World::new();
        world.says(10, 2);
        world.after(1);
        world.other.gone = Some(world.now);
        assert_eq!(world.after(60), Agreement::Unknown);
        world.other.gone = None;
        world.says(10, 1);
        assert_eq!(world.after(1), Agreement::Same);
        assert_eq!(world.notes, [ReplicaNote::Gone, ReplicaNote::Came]);
    }
}
