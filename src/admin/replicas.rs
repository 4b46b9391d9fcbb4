//! The other replicas, as messages.

use super::model::moment;
use super::proto;
use crate::clock::Clock;
use crate::look::replicas::{compared, role};
use crate::troubles::Wrong;
use fingerpost_core::engine::ReplicaRow;
use fingerpost_core::model::Time;
use std::time::Duration;

pub(super) fn replica(clock: &Clock, row: ReplicaRow) -> proto::Replica {
    let compared = compared(&row);
    let ReplicaRow { known, diverges, other_version, other_config, .. } = row;
    let report = known.report;
    let source = |(name, source): (String, fingerpost_core::replicas::SourceReport)| proto::ReplicaSource {
        name,
        revision: source.revision,
        told: source.told,
        complete: source.complete,
        current: source.current,
    };
    proto::Replica {
        identity: report.replica.identity.to_string(),
        gone_since: known.gone.map(|gone| moment(clock, gone)),
        role: role(report.role).to_owned(),
        term: report.term.known(),
        ordinal: report.ordinal,
        version: report.version,
        other_version,
        other_config,
        agreement: compared.word.to_owned(),
        reason: compared.reason,
        differs_since: compared.since.map(|since| moment(clock, since)),
        diverges,
        ipv4_routes: report.tables.ipv4.routes,
        ipv6_routes: report.tables.ipv6.routes,
        sessions: report.sessions.established,
        gateways: report.sessions.gateways,
        held: report.held,
        forced: report.forced,
        frozen: report.frozen,
        trouble: report.trouble,
        leaving: report.leaving,
        sources: report.sources.into_iter().map(source).collect(),
    }
}

/// What is read every second is of now for so long.
const NOW: Duration = Duration::from_secs(5);

/// For how many seconds the others were not heard of, if that is worth saying.
pub(super) fn unread_for(now: Time, read_at: Time) -> u64 {
    Some(now.since(read_at)).filter(|unread| *unread > NOW).map_or(0, |unread| unread.as_secs())
}

pub(super) fn trouble(wrong: Wrong) -> proto::Trouble {
    proto::Trouble { kind: wrong.kind.to_owned(), message: wrong.message }
}
