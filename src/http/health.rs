//! `/livez` and `/readyz`, in the form of the Kubernetes API server's.
//!
//! Alive: the engine answers. Ready: besides, every source was read completely once in this process, and every address of
//! `router.listen` at which gateways wait that are not dialled can be connected to. A source lost later does not count, since
//! its routes stay (P2), nor does a session that is down: both have metrics and alerts, and a replica taken out of service
//! because of them would help nobody.

use super::{Problem, Shared};
use crate::look::seen::reason;
use crate::speaker::ListenerReport;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use fingerpost_core::engine::{Engine, Role, SourceRow};
use fingerpost_core::source::sync::Seen;
use std::fmt::Write;

/// Something that must be well, and what is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Check {
    name: String,
    wrong: Option<String>,
    /// What is not as it should be, and does not count.
    note: Option<String>,
}

/// 200 while the engine answers.
pub(super) async fn livez(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Response {
    let engine = shared.look(|_| ()).await;
    answer("livez", &[of_engine(engine.err())], is_verbose(query.as_deref()))
}

/// 200 while the engine answers, once every source was read completely.
pub(super) async fn readyz(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Response {
    let checks = match shared.look(|engine| (engine.source_rows(), of_role(engine), of_orders(engine))).await {
        Ok((rows, role, orders)) => {
            let listeners = shared.listeners.report();
            let sources = rows.iter().map(of_source);
            let checks = std::iter::once(of_engine(None)).chain(role).chain(orders).chain(sources);
            checks.chain(listeners.iter().map(of_listener)).collect()
        }
        Err(problem) => vec![of_engine(Some(problem))],
    };
    answer("readyz", &checks, is_verbose(query.as_deref()))
}

/// Kubernetes' way: `?verbose`, whatever its value.
fn is_verbose(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|pair| pair.split('=').next() == Some("verbose")))
}

fn of_engine(problem: Option<Problem>) -> Check {
    let wrong = problem.map(|problem| format!("{}: {}", problem.error, problem.hint));
    Check { name: "engine".into(), wrong, note: None }
}

fn of_source(row: &SourceRow) -> Check {
    let why = || match (&row.seen, reason(row)) {
        (Seen::Never(_), Some(reason)) => format!("never read completely: {}", reason.message),
        (_, Some(reason)) => format!("lost before it was taken in: {}", reason.message),
        (_, None) => "its first list is being taken in: wait".into(),
    };
    Check { name: format!("source/{}", row.name), wrong: (!row.complete).then(why), note: None }
}

/// Who does not know who leads announces what it did, and no restart helps.
fn of_role(engine: &Engine) -> Option<Check> {
    let (Role::Unsure { .. }, _) = engine.role() else { return None };
    let note =
        "it is not known who leads, nothing changes at any gateway before it is: see fingerpost status".to_owned();
    Some(Check { name: "election".into(), wrong: None, note: Some(note) })
}

/// A freeze is no defect of this replica, and no other could do better.
fn of_orders(engine: &Engine) -> Option<Check> {
    engine.frozen()?;
    let because = engine.frozen_because().map(|because| format!(": {because}")).unwrap_or_default();
    let note = format!("frozen, nothing changes at any gateway before fingerpost unfreeze{because}");
    Some(Check { name: "orders".into(), wrong: None, note: Some(note) })
}

/// Gateways that are dialled are told everything without it.
fn of_listener(ListenerReport { address, wrong, is_waited_at }: &ListenerReport) -> Check {
    let unneeded = |why: &String| format!("no gateway needs it, but {why}");
    let (wrong, note) = if *is_waited_at { (wrong.clone(), None) } else { (None, wrong.as_ref().map(unneeded)) };
    Check { name: format!("listener/{address}"), wrong, note }
}

fn answer(endpoint: &str, checks: &[Check], verbose: bool) -> Response {
    let well = checks.iter().all(|check| check.wrong.is_none());
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = if well && !verbose { "ok\n".to_owned() } else { lines(endpoint, checks, well) };
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}

fn lines(endpoint: &str, checks: &[Check], well: bool) -> String {
    let mut text = String::new();
    for Check { name, wrong, note } in checks {
        // Writing to a String cannot fail.
        let _ = match (wrong, note) {
            (None, None) => writeln!(text, "[+]{name} ok"),
            (None, Some(note)) => writeln!(text, "[+]{name} ok: {}", one_line(note)),
            (Some(why), _) => writeln!(text, "[-]{name} failed: {}", one_line(why)),
        };
    }
    let _ = writeln!(text, "{endpoint} check {}", if well { "passed" } else { "failed" });
    text
}

/// A server's words could hold line breaks, and with them lines of their own.
fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

#[cfg(test)]
mod tests {
    use super::{Check, is_verbose, lines, of_listener, of_source};
    use crate::speaker::ListenerReport;
    use fingerpost_core::engine::SourceRow;
    use fingerpost_core::model::{SourceId, Time};
    use fingerpost_core::source::sync::{Counts, Seen, Why};
    use fingerpost_core::source::{Fault, FaultKind, Rev};

    fn row(seen: Seen<Counts>, complete: bool) -> SourceRow {
        SourceRow {
            id: SourceId(0),
            name: "prod".into(),
            lacking: "no key begins with /fp/ in etcd http://a".into(),
            seen,
            complete,
            routes: 0,
            held: fingerpost_core::table::ChangeKind::ALL.map(|kind| (kind, 0)),
        }
    }

    fn fault() -> Fault {
        Fault { kind: FaultKind::Denied, message: "https://etcd:2379: permission denied".into() }
    }

    fn lost() -> Seen<Counts> {
        Seen::Lost { last: Counts::default(), at: Rev(7), since: Time::ZERO, why: fault() }
    }

    #[test]
    fn a_source_counts_until_it_was_read_completely_and_never_again() {
        let wrong = |seen, complete| of_source(&row(seen, complete)).wrong;
        let current = Seen::Current { value: Counts::default(), at: Rev(7) };
        assert_eq!(wrong(current.clone(), true), None);
        assert_eq!(wrong(lost(), true), None);
        assert_eq!(wrong(current, false).unwrap(), "its first list is being taken in: wait");
        let denied = "https://etcd:2379: permission denied";
        assert_eq!(wrong(lost(), false).unwrap(), format!("lost before it was taken in: {denied}"));
        assert_eq!(
            wrong(Seen::Never(Why::Failed(fault())), false).unwrap(),
            format!("never read completely: {denied}")
        );
        assert_eq!(
            wrong(Seen::Never(Why::Listing), false).unwrap(),
            "never read completely: the first list is being read: wait; if it lasts, look at the store and the log"
        );
        let empty = wrong(Seen::Never(Why::Empty { at: Rev(4) }), false).unwrap();
        assert!(
            empty.contains("revision 4: no key begins with /fp/ in etcd http://a") && empty.contains("allow_empty"),
            "{empty}"
        );
    }

    #[test]
    fn a_listener_counts_where_gateways_wait_that_are_not_dialled() {
        let address = "192.0.2.1:179".parse().unwrap();
        let line = |wrong: Option<&str>, is_waited_at| {
            let check = of_listener(&ListenerReport { address, wrong: wrong.map(str::to_owned), is_waited_at });
            let well = check.wrong.is_none();
            (well, lines("readyz", &[check], well).lines().next().unwrap_or_default().to_owned())
        };
        let name = "listener/192.0.2.1:179";
        assert_eq!(line(None, true), (true, format!("[+]{name} ok")));
        assert_eq!(line(Some("taken"), true), (false, format!("[-]{name} failed: taken")));
        assert_eq!(line(Some("taken"), false), (true, format!("[+]{name} ok: no gateway needs it, but taken")));
    }

    #[test]
    fn what_a_server_says_stays_on_its_line() {
        let checks = [
            Check { name: "engine".into(), wrong: None, note: None },
            Check { name: "source/prod".into(), wrong: Some("no\n[+]source/prod ok\u{1b}[31m".into()), note: None },
        ];
        assert_eq!(
            lines("readyz", &checks, false),
            "[+]engine ok\n[-]source/prod failed: no [+]source/prod ok [31m\nreadyz check failed\n"
        );
    }

    #[test]
    fn verbose_is_asked_for_as_in_kubernetes() {
        for (query, verbose) in [
            (None, false),
            (Some(""), false),
            (Some("verbose"), true),
            (Some("verbose="), true),
            (Some("verbose=1"), true),
            (Some("timeout=1s&verbose=true"), true),
            (Some("verbosely"), false),
        ] {
            assert_eq!(is_verbose(query), verbose, "{query:?}");
        }
    }
}
