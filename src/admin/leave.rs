//! Taking this process out of service.

use super::backend::Admin;
use super::listener::Peer;
use super::{audit, model, proto};
use crate::clock::Clock;
use crate::departure::{Leaving, Way};
use fingerpost_core::engine::Engine;
use fingerpost_core::replicas::{KnownReplica, ReplicaReport, ReportedRole};
use tonic::Status;

/// Gateways that a refusal names.
const NAMED: usize = 5;

impl Admin {
    pub(super) async fn leave(&self, request: proto::DrainRequest, peer: Peer) -> Result<proto::DrainResponse, Status> {
        let (way, order) = match request.withdraw {
            true => (Way::Withdrawing, "drain --withdraw"),
            false => (Way::Keeping, "drain"),
        };
        if way == Way::Keeping
            && let Some(why) = self.look(|engine| lacks_successor(&own(engine), engine.replicas())).await?
        {
            return Err(Status::failed_precondition(format!(
                "{why}: after the drain gateways would have these routes for their restart time, and then none. fingerpost status \
                 shows the others; --withdraw takes the routes away after the drain, and SIGTERM is for a restart"
            )));
        }
        let (reports, _) = self.speaker.lock().await.report().await;
        let leaving = self.departure().order(way);
        audit::say(peer, order, "this process", reports.iter().filter(|report| report.is_established()).count());
        Ok(proto::DrainResponse { leaving: Some(said(&self.clock, leaving)) })
    }
}

pub(super) fn said(clock: &Clock, Leaving { at, way }: Leaving) -> proto::Leaving {
    proto::Leaving { ends_at: Some(model::moment(clock, at)), withdraws: way == Way::Withdrawing }
}

/// The configured gateways with which it has a session, by name.
fn own(engine: &Engine) -> Vec<String> {
    engine.report().map(|report| report.sessions.gateways).unwrap_or_default()
}

/// Why some gateway would be left without routes if this replica, which has sessions with these, went.
fn lacks_successor(own: &[String], others: &[KnownReplica]) -> Option<String> {
    let there = others.iter().filter(|known| known.gone.is_none()).map(|known| &known.report);
    let fit: Vec<&ReplicaReport> = there.filter(|report| is_fit(report)).collect();
    if fit.is_empty() {
        return Some("no other replica is there that could take over".into());
    }
    let is_told = |name: &String| fit.iter().any(|other| other.sessions.gateways.binary_search(name).is_ok());
    let untold: Vec<&str> = own.iter().filter(|name| !is_told(name)).map(String::as_str).collect();
    let (named, more) = untold.split_at(untold.len().min(NAMED));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    (!untold.is_empty())
        .then(|| format!("no other replica that could take over has a session with {}{more}", named.join(", ")))
}

/// Whether it could lead, and stays.
fn is_fit(other: &ReplicaReport) -> bool {
    let has_read = other.sources.values().all(|source| source.complete);
    has_read && other.role != ReportedRole::Unsure && !other.leaving && !other.trouble
}

#[cfg(test)]
mod tests {
    use super::*;
    use fingerpost_core::model::{Instance, PerFamily, Replica, Term, Time};
    use fingerpost_core::replicas::{Sessions, SourceReport};

    fn other(gateways: &[&str]) -> KnownReplica {
        let source = SourceReport { complete: true, ..SourceReport::default() };
        let gateways = gateways.iter().map(|name| (*name).to_owned()).collect();
        let report = ReplicaReport {
            replica: Replica { identity: "10.0.3.2".into(), instance: Instance(2) },
            role: ReportedRole::Standby,
            term: Term::new(1).unwrap(),
            ordinal: 1,
            version: "1".into(),
            config: [].into(),
            sources: [("prod".to_owned(), source)].into(),
            tables: PerFamily::default(),
            sessions: Sessions { gateways, ..Sessions::default() },
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
        let own = ["core-a".to_owned(), "core-b".to_owned()];
        let both = other(&["core-a", "core-b"]);
        assert_eq!(lacks_successor(&own, std::slice::from_ref(&both)), None);
        assert_eq!(lacks_successor(&own, &[other(&["core-a"]), other(&["core-b"])]), None, "each has one that stays");
        assert_eq!(lacks_successor(&[], &[other(&[])]), None);
        let alone = lacks_successor(&own, &[other(&["core-a"])]).unwrap();
        assert!(alone.ends_with("a session with core-b"), "{alone}");
        let changes: [fn(&mut KnownReplica); 5] = [
            |other| other.gone = Some(Time::ZERO),
            |other| other.report.role = ReportedRole::Unsure,
            |other| other.report.leaving = true,
            |other| other.report.trouble = true,
            |other| other.report.sources.values_mut().for_each(|source| source.complete = false),
        ];
        for change in changes {
            let mut unfit = both.clone();
            change(&mut unfit);
            let why = lacks_successor(&own, &[unfit]);
            assert_eq!(why.as_deref(), Some("no other replica is there that could take over"));
        }
        let many: Vec<String> = (0..9).map(|n| format!("gw{n}")).collect();
        assert!(lacks_successor(&many, &[both]).unwrap().ends_with("gw0, gw1, gw2, gw3, gw4 and 4 more"));
    }
}
