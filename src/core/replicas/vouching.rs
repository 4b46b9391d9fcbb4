//! Whether another replica has let pass what this one holds.
//!
//! Who was away finds at once what came bit by bit, and its guard holds that, although gateways go by it already. Another that has seen each
//! change when it came has judged each by the same limits: what it holds nothing of is no wave.

use super::comparing::{Apart, Comparing, apart, unlike};
use super::{KnownReplica, ReplicaReport};
use crate::source::Rev;
use crate::source::sync::Continuity;

impl Comparing {
    /// Up to which hold of this replica the other one, which may be gone by now, has let pass what is held here: it had the table at some
    /// time since then that this one would have had, and came there past a guard like this one's, without a gap. `held`: the sources of
    /// which something is held, by name, and since when. `compared`: as for [`Comparing::take`].
    pub fn vouches(
        &self,
        own: &ReplicaReport,
        KnownReplica { report: other, gone: _ }: &KnownReplica,
        held: &[(&str, Continuity)],
        compared: &[&str],
    ) -> Option<u64> {
        let was_there = |(name, continuity): &(&str, Continuity)| {
            other.sources.get(*name).is_some_and(|source| {
                continuity.is_covered(source.store, Rev(source.since)) && source.revision >= continuity.clear.0
            })
        };
        // Of a file each process counts for itself.
        let is_compared = |(name, _): &(&str, Continuity)| compared.contains(name);
        let is_like_this = matches!(apart(own, other, &unlike(own, other)), None | Some(Apart::Held));
        if other.held > 0 || !is_like_this || !held.iter().all(|of| is_compared(of) && was_there(of)) {
            return None;
        }
        self.wanted.count_at(&revisions(other, compared), other.tables)
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
        other: KnownReplica,
        since: Continuity,
        comparing: Comparing,
    }

    impl World {
        fn new() -> Self {
            let plain = |identity: &str, n: u64| {
                let mut report = report(identity);
                (report.held, report.forced, report.tables) = (0, 0, table(n));
                let source = report.sources.get_mut("prod").unwrap();
                (source.revision, source.store, source.since) = (200, STORE, 3);
                report
            };
            let (mut own, other) = (plain("10.0.3.1", 1), plain("10.0.3.2", 2));
            own.held = 4;
            let mut comparing = Comparing::default();
            comparing.wanted.note([200].into_iter(), table(2), 4);
            comparing.wanted.note([201].into_iter(), table(3), 5);
            let since = Continuity { store: STORE, since: Rev(1), clear: Rev(100) };
            World { own, other: KnownReplica { report: other, gone: None }, since, comparing }
        }

        fn vouches(&self) -> Option<u64> {
            self.comparing.vouches(&self.own, &self.other, &[("prod", self.since)], &["prod"])
        }

        fn source(&mut self) -> &mut crate::replicas::SourceReport {
            self.other.report.sources.get_mut("prod").unwrap()
        }
    }

    #[test]
    fn p3_p10_what_was_let_pass_where_each_change_was_seen_is_vouched_for_also_by_who_is_gone() {
        let mut world = World::new();
        assert_eq!(world.vouches(), Some(4), "the fifth came later");
        world.other.gone = Some(Time::ZERO);
        assert_eq!(world.vouches(), Some(4));
        world.other.report.tables = table(3);
        assert_eq!(world.vouches(), Some(5), "it is what would be so now");
    }

    #[test]
    fn p3_nobody_vouches_for_what_it_has_not_seen_come_and_let_pass() {
        type Change = fn(&mut World);
        let changes: [(&str, Change); 12] = [
            ("another table", |world| world.other.report.tables = table(1)),
            ("it began with the wave", |world| world.source().since = 101),
            ("a version that does not say", |world| world.source().since = 0),
            ("another store", |world| world.source().store = ClusterId(8)),
            ("it had that before this one had something else", |world| {
                world.source().revision = 99;
                world.comparing.wanted.note([99].into_iter(), table(2), 4);
            }),
            ("it has not read its sources", |world| world.source().complete = false),
            ("it holds something", |world| world.other.report.held = 1),
            ("nothing changes there", |world| world.other.report.frozen = true),
            ("other orders", |world| world.other.report.forced = 1),
            ("another version", |world| world.other.report.version = "0.2.0".into()),
            ("other limits", |world| _ = world.other.report.config.insert("guard".into(), Digest(7))),
            ("it has no such source", |world| world.other.report.sources.clear()),
        ];
        for (what, change) in changes {
            let mut world = World::new();
            change(&mut world);
            assert_eq!(world.vouches(), None, "{what}");
        }
        let world = World::new();
        let held = [("prod", world.since)];
        assert_eq!(world.comparing.vouches(&world.own, &world.other, &held, &[]), None, "a file");
    }
}
