//! Whether another replica could take over from one that leaves.

use crate::words::few;
use fingerpost_core::engine::Engine;
use fingerpost_core::replicas::{KnownReplica, ReplicaReport, ReportedRole};

/// Gateways that a refusal names.
const NAMED: usize = 5;

/// Why some gateway would be left without routes, or with old ones, if this replica went.
pub(crate) fn lacks_successor(engine: &Engine) -> Option<String> {
    match engine.report() {
        Some(own) => lacks(&own, engine.replicas()),
        None => Some(NOBODY.into()),
    }
}

const NOBODY: &str = "no other replica is there that could take over";

fn lacks(own: &ReplicaReport, others: &[KnownReplica]) -> Option<String> {
    let there = others.iter().filter(|known| known.gone.is_none()).map(|known| &known.report);
    let fit: Vec<&ReplicaReport> = there.filter(|report| is_fit(own, report)).collect();
    if fit.is_empty() {
        return Some(NOBODY.into());
    }
    // Those from ranges have no names.
    if fit.iter().all(|other| other.sessions.joined() < own.sessions.joined()) {
        return Some("no other replica that could take over has as many sessions with gateways from ranges".into());
    }
    let is_told = |name: &String| fit.iter().any(|other| other.sessions.gateways.binary_search(name).is_ok());
    let untold: Vec<&str> = own.sessions.gateways.iter().filter(|name| !is_told(name)).map(String::as_str).collect();
    (!untold.is_empty())
        .then(|| format!("no other replica that could take over has a session with {}", few(&untold, NAMED)))
}

/// Whether it could lead, knows no less than this one, and stays.
fn is_fit(own: &ReplicaReport, other: &ReplicaReport) -> bool {
    let mut current = own.sources.iter().filter(|(_, source)| source.current);
    let is_current = |name: &String| other.sources.get(name).is_some_and(|source| source.current);
    other.has_read()
        && current.all(|(name, _)| is_current(name))
        && other.role != ReportedRole::Unsure
        && !other.leaving
        && !other.trouble
}

#[cfg(test)]
mod tests {
    use super::*;
    use fingerpost_core::model::{Instance, PerFamily, Replica, Term, Time};
    use fingerpost_core::replicas::{Sessions, SourceReport};

    fn other(gateways: &[&str]) -> KnownReplica {
        let source = SourceReport { complete: true, current: true, ..SourceReport::default() };
        let gateways: Vec<String> = gateways.iter().map(|name| (*name).to_owned()).collect();
        let report = ReplicaReport {
            replica: Replica { identity: "10.0.3.2".into(), instance: Instance(2) },
            role: ReportedRole::Standby,
            term: Term::new(1).unwrap(),
            ordinal: 1,
            version: "1".into(),
            config: [].into(),
            sources: [("prod".to_owned(), source)].into(),
            tables: PerFamily::default(),
            sessions: Sessions { established: u64::try_from(gateways.len()).unwrap(), gateways, ..Sessions::default() },
            routers: [].into(),
            held: 0,
            forced: 0,
            frozen: false,
            trouble: false,
            restamping: false,
            leaving: false,
            retired: false,
        };
        KnownReplica { report, gone: None }
    }

    #[test]
    fn who_leaves_gently_leaves_every_gateway_to_a_replica_that_can_lead_p10() {
        let own = |gateways: &[&str]| other(gateways).report;
        let lacks_successor = |gateways: &[&str], others: &[KnownReplica]| lacks(&own(gateways), others);
        let own = ["core-a", "core-b"];
        let both = other(&["core-a", "core-b"]);
        assert_eq!(lacks_successor(&own, std::slice::from_ref(&both)), None);
        assert_eq!(lacks_successor(&own, &[other(&["core-a"]), other(&["core-b"])]), None, "each has one that stays");
        assert_eq!(lacks_successor(&[], &[other(&[])]), None);
        let alone = lacks_successor(&own, &[other(&["core-a"])]).unwrap();
        assert!(alone.ends_with("a session with core-b"), "{alone}");
        let changes: [fn(&mut KnownReplica); 6] = [
            |other| other.gone = Some(Time::ZERO),
            |other| other.report.role = ReportedRole::Unsure,
            |other| other.report.leaving = true,
            |other| other.report.trouble = true,
            |other| other.report.sources.values_mut().for_each(|source| source.complete = false),
            |other| other.report.sources.values_mut().for_each(|source| source.current = false),
        ];
        for change in changes {
            let mut unfit = both.clone();
            change(&mut unfit);
            let why = lacks_successor(&own, &[unfit]);
            assert_eq!(why.as_deref(), Some("no other replica is there that could take over"));
        }
        let many: Vec<String> = (0..9).map(|n| format!("gw{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(lacks_successor(&many, &[both]).unwrap().ends_with("gw0, gw1, gw2, gw3, gw4 and 4 more"));
    }

    #[test]
    fn gateways_from_ranges_count_though_they_have_no_names_p10() {
        let (mut own, mut others) = (other(&[]).report, [other(&["core-a"])]);
        own.sessions.established = 3;
        let why = lacks(&own, &others).unwrap();
        assert!(why.ends_with("sessions with gateways from ranges"), "{why}");
        others[0].report.sessions.established = 4;
        assert_eq!(lacks(&own, &others), None);
    }
}
