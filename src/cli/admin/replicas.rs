//! The other replicas as a table.

use super::output::{Table, plain};
use super::tables::moment;
use crate::admin::proto::{Replica, StatusResponse, Trouble};
use std::collections::BTreeSet;
use std::io::{self, Write};

const HEADS: [&str; 9] =
    ["REPLICA", "ROLE", "TERM", "GONE-SINCE", "VERSION", "ROUTES", "SESSIONS", "SAYS", "DIFFERS-IN"];
const WIDE: [&str; 11] = [
    "REPLICA",
    "ROLE",
    "TERM",
    "GONE-SINCE",
    "VERSION",
    "ROUTES",
    "SESSIONS",
    "SAYS",
    "DIFFERS-IN",
    "GATEWAYS",
    "TOLD",
];

/// What is wrong, and who else there is; nothing without an election.
pub(super) fn show(out: &mut dyn Write, status: &StatusResponse, wide: bool, no_headers: bool) -> io::Result<()> {
    for (kinds, message) in troubles(status) {
        writeln!(out, "\nTROUBLE ({}): {}", plain(&kinds.join(", ")), plain(&message))?;
    }
    if status.replicas.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    if status.replicas_unread_seconds > 0 {
        writeln!(
            out,
            "as last heard {} s ago, the election's store could not be read since:",
            status.replicas_unread_seconds
        )?;
    }
    let mut table = Table::new(if wide { &WIDE } else { &HEADS }, no_headers);
    status.replicas.iter().for_each(|replica| table.row(row(replica, wide)));
    table.flush(out, "")
}

/// What is wrong, each once, with all that it is the trouble of: a store that does not answer is the election's, the records' and the
/// orders', and often a source's too.
fn troubles(status: &StatusResponse) -> Vec<(Vec<&str>, String)> {
    let mut all: Vec<(Vec<&str>, &str)> = Vec::new();
    for Trouble { kind, message } in &status.troubles {
        let of_same_store = |(_, before): &&mut (Vec<&str>, &str)| {
            let endpoints = endpoints(message);
            !endpoints.is_empty() && endpoints == self::endpoints(before)
        };
        match all.iter_mut().find(of_same_store) {
            Some((kinds, _)) => kinds.push(kind),
            None => all.push((vec![kind], message)),
        }
    }
    let as_a_source_says = |(kinds, message): (_, &str)| {
        let same =
            status.sources.iter().find(|source| !source.message.is_empty() && parts(&source.message) == parts(message));
        let message = same.map_or(message.to_owned(), |source| format!("as source {} has it under WHY", source.name));
        (kinds, message)
    };
    all.into_iter().map(as_a_source_says).collect()
}

/// Of which endpoints of a store it tells.
fn endpoints(message: &str) -> BTreeSet<&str> {
    message.split(' ').filter(|word| word.starts_with("http")).map(|word| word.trim_end_matches([':', ';'])).collect()
}

/// What it tells of each endpoint, in whichever order they were asked, without numbers: how long each has waited for an answer differs.
fn parts(message: &str) -> BTreeSet<String> {
    let words = |part: &str| part.split(' ').filter(|word| word.parse::<f64>().is_err()).collect::<Vec<_>>().join(" ");
    message.trim_start_matches("no endpoint answers: ").split("; ").map(words).collect()
}

fn row(replica: &Replica, wide: bool) -> Vec<String> {
    let mut row = vec![
        replica.identity.clone(),
        role(replica),
        replica.term.map(|term| term.to_string()).unwrap_or_default(),
        moment(replica.gone_since.as_ref()),
        replica.version.clone(),
        (replica.ipv4_routes + replica.ipv6_routes).to_string(),
        replica.sessions.to_string(),
        says(replica),
        differs_in(replica),
    ];
    if wide {
        let told = |source: &crate::admin::proto::ReplicaSource| {
            format!("{}:{}/{}", source.name, source.told, source.revision)
        };
        row.push(replica.gateways.join(","));
        row.push(replica.sources.iter().map(told).collect::<Vec<_>>().join(","));
    }
    row
}

/// And what keeps it from leading.
fn role(replica: &Replica) -> String {
    let kept = [(replica.trouble, "in trouble"), (replica.leaving, "leaving")];
    let kept: Vec<&str> = kept.into_iter().filter_map(|(is_so, word)| is_so.then_some(word)).collect();
    if kept.is_empty() { replica.role.clone() } else { format!("{} ({})", replica.role, kept.join(", ")) }
}

fn says(replica: &Replica) -> String {
    match (replica.agreement.as_str(), replica.differs_since.as_ref()) {
        ("differs", Some(since)) if replica.diverges => format!("OTHER ROUTES since {since}"),
        ("differs", Some(since)) => format!("other routes since {since}"),
        ("apart", _) => replica.reason.clone(),
        ("same", _) => "the same".into(),
        _ => "not compared yet".into(),
    }
}

fn differs_in(replica: &Replica) -> String {
    if replica.other_version { "version".into() } else { replica.other_config.join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::proto::{ReplicaSource, Source};
    use prost_types::Timestamp;

    /// Heard of so many seconds ago.
    fn shown(wide: bool, ago: u64) -> String {
        let since = Some(Timestamp { seconds: 1_773_500_966, nanos: 0 });
        let same = Replica {
            identity: "10.0.3.2".into(),
            role: "standby".into(),
            term: Some(7),
            version: "0.1.0".into(),
            agreement: "same".into(),
            ipv4_routes: 3,
            ipv6_routes: 1,
            sessions: 2,
            gateways: vec!["core-a".into(), "core-b".into()],
            sources: vec![ReplicaSource { name: "prod".into(), revision: 12, told: 11, complete: true, current: true }],
            ..Replica::default()
        };
        let diverging = Replica {
            identity: "10.0.3.3".into(),
            agreement: "differs".into(),
            differs_since: since,
            diverges: true,
            leaving: true,
            trouble: true,
            other_config: vec!["gateways".into(), "policies".into()],
            ..same.clone()
        };
        let gone = Replica {
            identity: "10.0.3.4\u{1b}[31m".into(),
            gone_since: since,
            agreement: "unknown".into(),
            other_version: true,
            version: "0.2.0".into(),
            ..same.clone()
        };
        let troubles = vec![Trouble { kind: "store".into(), message: "no answer\nROLE leader".into() }];
        let replicas = vec![same, diverging, gone];
        let status = StatusResponse { replicas, troubles, replicas_unread_seconds: ago, ..StatusResponse::default() };
        let mut out = Vec::new();
        show(&mut out, &status, wide, false).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn who_else_there_is_stands_in_lines_of_its_own() {
        let text = shown(false, 0);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("TROUBLE (store): no answer"), "{text}");
        assert!(lines[3].starts_with("REPLICA ") && lines[3].ends_with("DIFFERS-IN"), "{text}");
        for (line, parts) in lines[4..].iter().zip([
            ["10.0.3.2", "standby  ", " 4 ", "the same"],
            ["standby (in trouble, leaving)", "OTHER ROUTES since 2026-03-14T15:09:26Z", "gateways,policies", "0.1.0"],
            ["10.0.3.4", "2026-03-14T15:09:26Z", "not compared yet", "version"],
        ]) {
            assert!(parts.iter().all(|part| line.contains(part)), "{parts:?} in {line:?}");
        }
        // What others say makes no lines and no colours.
        assert!(lines.len() == 7 && !text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn a_store_that_is_down_is_said_once() {
        let trouble = |kind: &str, message: &str| Trouble { kind: kind.into(), message: message.into() };
        let troubles = vec![
            trouble("store", "no endpoint answers: etcd at http://a: no answer for 0.7 s; etcd at http://b: refused"),
            trouble("status", "no endpoint answers: etcd at http://b: refused; etcd at http://a: no leader"),
            trouble(
                "orders",
                "orders cannot be exchanged: no endpoint answers: etcd at http://b: refused; etcd at http://a: no leader",
            ),
            trouble("identity", "another process takes part"),
        ];
        let said = |message: &str| {
            let source = Source { name: "prod".into(), message: message.into(), ..Source::default() };
            let status =
                StatusResponse { troubles: troubles.clone(), sources: vec![source], ..StatusResponse::default() };
            let mut out = Vec::new();
            show(&mut out, &status, false, false).unwrap();
            String::from_utf8(out).unwrap()
        };
        let own = "\nTROUBLE (store, status, orders): no endpoint answers: etcd at http://a: no answer for 0.7 s; etcd at http://b: refused\n\
                   \nTROUBLE (identity): another process takes part\n";
        assert_eq!(said(""), own);
        assert_eq!(said("etcd at http://a: permission denied"), own, "another trouble of the same store");
        let of_source = said("no endpoint answers: etcd at http://b: refused; etcd at http://a: no answer for 4 s");
        assert!(
            of_source.starts_with("\nTROUBLE (store, status, orders): as source prod has it under WHY\n"),
            "{of_source}"
        );
    }

    #[test]
    fn what_was_heard_a_while_ago_is_not_told_as_of_now() {
        let text = shown(false, 42);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[3], "as last heard 42 s ago, the election's store could not be read since:", "{text}");
        assert!(lines[4].starts_with("REPLICA "), "{text}");
    }

    #[test]
    fn wide_tells_gateways_and_revisions() {
        let text = shown(true, 0);
        assert!(text.contains("core-a,core-b") && text.contains("prod:11/12"), "{text}");
    }

    #[test]
    fn without_an_election_nothing_is_said_of_it() {
        let mut out = Vec::new();
        show(&mut out, &StatusResponse::default(), true, false).unwrap();
        assert_eq!(out, b"");
    }
}
