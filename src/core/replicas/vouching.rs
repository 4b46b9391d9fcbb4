//! Whether another replica has let pass what this one holds because it was away.
//!
//! Who was away finds at once what came bit by bit, and its guard holds that, although gateways go by it already. Another that was there
//! has judged each change when it came, by the same limits: what it holds nothing of is no wave.

use super::comparing::{Apart, Comparing, apart, unlike};
use super::{KnownReplica, ReplicaReport};
use crate::model::Replica;
use crate::source::Rev;
use crate::source::sync::Continuity;

impl Comparing {
    /// Up to which hold of this replica another one has let pass what is held here, and which one: it has the table that this one would have
    /// had at that time, and has judged all that this one found all at once when it came. Nobody vouches for anything while another
    /// replica that takes part holds something. `away`: what this one knows of its sources, all of them, by name and in the trail's order.
    pub fn vouched<'a>(
        &self,
        own: &ReplicaReport,
        others: &'a [KnownReplica],
        away: &[(&str, Continuity)],
    ) -> Option<(u64, &'a Replica)> {
        let present = || others.iter().filter(|other| other.gone.is_none()).map(|other| &other.report);
        if present().any(|other| other.held > 0) {
            return None;
        }
        let was_there = |other: &ReplicaReport| {
            other.sources.len() == away.len()
                && away.iter().all(|(name, away)| {
                    let source = other.sources.get(*name);
                    source.is_some_and(|source| away.is_covered(source.store, Rev(source.since), Rev(source.revision)))
                })
        };
        let is_alike = |other: &ReplicaReport| {
            matches!(apart(own, other, &unlike(own, other)), None | Some(Apart::Held)) && was_there(other)
        };
        let names: Vec<&str> = away.iter().map(|(name, _)| *name).collect();
        let upto = |other: &'a ReplicaReport| {
            Some((self.wanted.count_at(&revisions(other, &names), other.tables)?, &other.replica))
        };
        present().filter(|other| is_alike(other)).filter_map(upto).max_by_key(|(upto, _)| *upto)
    }
}

/// Of the sources whose revisions can be compared, in the trail's order.
pub(super) fn revisions(report: &ReplicaReport, compared: &[&str]) -> Vec<u64> {
    compared.iter().map(|name| report.sources.get(*name).map_or(0, |source| source.revision)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;
    use crate::model::{PerFamily, Time};
    use crate::replicas::{Digest, TableDigest};
    use crate::source::ClusterId;

    const STORE: ClusterId = ClusterId(7);

    fn table(n: u64) -> PerFamily<TableDigest> {
        PerFamily { ipv4: TableDigest { routes: n, digest: Digest(n) }, ipv6: TableDigest::default() }
    }

    /// This one was away from revision 100 to 200 and holds what it found then, which would lead to table 2; the other has that since
    /// 150, and is at 200, too.
    struct World {
        own: ReplicaReport,
        others: Vec<KnownReplica>,
        away: Continuity,
        comparing: Comparing,
    }

    fn plain(identity: &str, n: u64) -> ReplicaReport {
        let mut report = report(identity);
        (report.held, report.forced, report.tables) = (0, 0, table(n));
        let source = report.sources.get_mut("prod").unwrap();
        (source.revision, source.store, source.since) = (200, STORE, 3);
        report
    }

    impl World {
        fn new() -> Self {
            let mut own = plain("10.0.3.1", 1);
            own.held = 4;
            let mut comparing = Comparing::default();
            comparing.wanted.note([200].into_iter(), table(2), 4);
            comparing.wanted.note([201].into_iter(), table(3), 5);
            let away = Continuity::resumed(STORE, Rev(100));
            let others = vec![KnownReplica { report: plain("10.0.3.2", 2), gone: None }];
            World { own, others, away, comparing }
        }

        fn vouched(&self) -> Option<u64> {
            let vouched = self.comparing.vouched(&self.own, &self.others, &[("prod", self.away)]);
            vouched.map(|(upto, _)| upto)
        }

        fn other(&mut self) -> &mut ReplicaReport {
            &mut self.others[0].report
        }

        fn source(&mut self) -> &mut crate::replicas::SourceReport {
            self.other().sources.get_mut("prod").unwrap()
        }
    }

    #[test]
    fn p3_p10_what_was_let_pass_where_each_change_was_judged_when_it_came_is_vouched_for() {
        let mut world = World::new();
        assert_eq!(world.vouched(), Some(4), "the fifth came later");
        world.other().tables = table(3);
        assert_eq!(world.vouched(), Some(5), "it is what would be so now");
        let third = KnownReplica { report: plain("10.0.3.3", 1), gone: None };
        world.others.push(third);
        assert_eq!(world.vouched(), Some(5), "one that lags holds nothing");
    }

    #[test]
    fn p3_nobody_vouches_for_what_it_has_not_judged_when_it_came_and_let_pass() {
        type Change = fn(&mut World);
        let changes: [(&str, Change); 14] = [
            ("another table", |world| world.other().tables = table(1)),
            ("it began with the wave", |world| world.source().since = 100),
            ("a version that does not say, or behind a gap", |world| world.source().since = 0),
            ("another store", |world| world.source().store = ClusterId(8)),
            ("it is gone", |world| world.others[0].gone = Some(Time::ZERO)),
            ("it had that before this one had something else", |world| {
                world.source().revision = 99;
                world.comparing.wanted.note([99].into_iter(), table(2), 4);
            }),
            ("it has not read its sources", |world| world.source().complete = false),
            ("it holds something", |world| world.other().held = 1),
            ("a third one holds something", |world| {
                let report = ReplicaReport { held: 1, ..plain("10.0.3.3", 1) };
                world.others.push(KnownReplica { report, gone: None });
            }),
            ("nothing changes there", |world| world.other().frozen = true),
            ("other orders", |world| world.other().forced = 1),
            ("another version", |world| world.other().version = "0.2.0".into()),
            ("other limits", |world| _ = world.other().config.insert("guard".into(), Digest(7))),
            ("it has a source more", |world| {
                let source = *world.source();
                world.other().sources.insert("lab".into(), source);
            }),
        ];
        for (what, change) in changes {
            let mut world = World::new();
            change(&mut world);
            assert_eq!(world.vouched(), None, "{what}");
        }
    }
}
