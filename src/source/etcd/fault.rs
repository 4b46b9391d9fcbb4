//! What went wrong with etcd, in words that say what, where, and what to do, and never a secret.

use super::line::{Access, PING};
use fingerpost_core::source::{Fault, FaultKind, KeyRange, Report};
use std::error::Error;
use std::time::Duration;

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The revision is gone.
    Compacted,
    /// The answer was larger than we take: ask for less.
    TooLarge,
    /// Anything else.
    Fault(Fault),
}

impl Failure {
    /// Whether another endpoint would say the same.
    pub(super) fn is_everywhere(&self) -> bool {
        match self {
            Failure::Compacted | Failure::TooLarge => true,
            Failure::Fault(fault) => fault.kind == FaultKind::Denied,
        }
    }

    /// Says which keys were asked for, where permission to read them is lacking.
    pub(super) fn of_range(mut self, range: &KeyRange, access: Access) -> Self {
        if let Failure::Fault(Fault { kind: FaultKind::Denied, message }) = &mut self
            && let Some(rest) = message.strip_suffix(GRANT)
        {
            let keys = range.start.escape_ascii();
            let (what, word) = match access {
                Access::Read => (GRANT, "read"),
                Access::ReadAndWrite => (GRANT_BOTH, "readwrite"),
            };
            *message = format!(
                "{rest}{what} that begin with {keys}: etcdctl role grant-permission ROLE {word} --prefix {keys}"
            );
        }
        self
    }

    /// As a fault of the election, whose keys are few and whose requests name no revision.
    pub(crate) fn fault(self) -> Fault {
        let message = match self {
            Failure::Fault(fault) => return fault,
            Failure::Compacted => "etcd answered what was not asked for: is there a proxy before it?",
            Failure::TooLarge => {
                "what stands in the election's keys is too large to be read: look below election.etcd.key, and delete what no \
                 Fingerpost has written"
            }
        };
        Fault { kind: FaultKind::Malformed, message: message.into() }
    }

    pub(super) fn report(self) -> Report {
        match self {
            Failure::Compacted => Report::Compacted,
            Failure::TooLarge => Report::Failed(Fault {
                kind: FaultKind::Malformed,
                message: "a single record is larger than 64 MiB: remove it".into(),
            }),
            Failure::Fault(fault) => Report::Failed(fault),
        }
    }
}

/// What lacks where permission is denied.
const GRANT: &str = "grant the user's role read permission on all keys";
const GRANT_BOTH: &str = "grant the user's role read and write permission on all keys";

/// An endpoint as messages show it: without what may stand before an `@`.
pub(super) fn shown(endpoint: &str) -> String {
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("http", endpoint));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{host}")
}

/// It gave no answer.
pub(super) fn silent(endpoint: &str, span: Duration) -> Failure {
    let said = format!("no answer for {} s", span.as_secs_f64());
    failure(FaultKind::Unreachable, endpoint, &said, "is it up and reachable?")
}

/// The server ended the watch without a word.
pub(crate) fn ended(endpoint: &str) -> Failure {
    failure(FaultKind::Unreachable, endpoint, "it ended the watch", "is it being restarted?")
}

/// The server canceled the watch.
pub(crate) fn canceled(endpoint: &str, reason: &str) -> Failure {
    match hint_for_message(reason) {
        Some((kind, hint)) => failure(kind, endpoint, reason, hint),
        None => failure(FaultKind::Unreachable, endpoint, &format!("it canceled the watch: {reason}"), "trying again"),
    }
}

/// An answer without what every answer of etcd has.
pub(crate) fn malformed(endpoint: &str, what: &str) -> Failure {
    failure(FaultKind::Malformed, endpoint, what, "is this etcd with the v3 API?")
}

/// A file for TLS cannot be read.
pub(super) fn unreadable_file(endpoint: &str, file: &std::path::Path, error: &std::io::Error) -> Failure {
    failure(FaultKind::Tls, endpoint, &format!("cannot read {}: {error}", file.display()), "check its path and mode")
}

/// The file with the password cannot be used.
pub(super) fn no_password(endpoint: &str, why: &str) -> Failure {
    failure(FaultKind::Denied, endpoint, why, "mend the file that password_file names")
}

/// What the client says.
pub(crate) fn of_client(endpoint: &str, error: &etcd_client::Error) -> Failure {
    match error {
        etcd_client::Error::GRpcStatus(status) => {
            let message = status.message();
            if message.contains("has been compacted") {
                return Failure::Compacted;
            }
            if message.contains("message length too large") {
                return Failure::TooLarge;
            }
            if let Some((kind, hint)) = hint_for_message(message) {
                return failure(kind, endpoint, message, hint);
            }
            match Error::source(status) {
                Some(cause) => of_connection(endpoint, cause),
                // 12: Unimplemented, and what a server that speaks no gRPC answers.
                None if status.code() as i32 == 12 => malformed(endpoint, message),
                None => failure(FaultKind::Unreachable, endpoint, message, "trying again"),
            }
        }
        etcd_client::Error::TransportError(cause) => of_connection(endpoint, cause),
        etcd_client::Error::InvalidUri(error) => {
            failure(FaultKind::Malformed, endpoint, &error.to_string(), "write http://host:port or https://host:port")
        }
        other => failure(FaultKind::Unreachable, endpoint, &other.to_string(), "trying again"),
    }
}

/// What etcd's own error messages mean (`api/v3rpc/rpctypes/error.go`); watches give them as text only.
fn hint_for_message(message: &str) -> Option<(FaultKind, &'static str)> {
    let says = |what: &str| message.contains(what);
    if says("authentication failed") {
        Some((FaultKind::Denied, "check user and password"))
    } else if says("user name is empty") {
        Some((FaultKind::Denied, "this etcd wants a user and password: set user and password_file"))
    } else if says("authentication is not enabled") {
        Some((
            FaultKind::Denied,
            "this etcd knows no users: remove user and password_file, or enable its authentication",
        ))
    } else if says("permission denied") {
        Some((FaultKind::Denied, GRANT))
    } else if says("invalid auth token") || says("auth store is old") {
        Some((FaultKind::Denied, "logging in again"))
    } else if says("no leader") {
        Some((FaultKind::Unreachable, "this member is cut off from its cluster: look at etcdctl endpoint status"))
    } else {
        None
    }
}

/// What lies under a broken connection: the innermost cause says it best.
fn of_connection(endpoint: &str, error: &(dyn Error + 'static)) -> Failure {
    let mut text = String::new();
    let mut tls = false;
    let mut cause = Some(error);
    while let Some(error) = cause {
        text = error.to_string();
        tls |= ["certificate", "tls", "TLS", "alert", "corrupt message"].iter().any(|word| text.contains(word));
        cause = error.source();
    }
    if text.contains("handshake eof") || text.contains("corrupt message") {
        let hint =
            "does it speak TLS at all? If not, write http://; if it does, it may want a client certificate (cert, key)";
        return failure(FaultKind::Tls, endpoint, &text, hint);
    }
    if text.contains("close_notify") {
        // A server that was killed takes no leave of TLS either; its certificate is in order.
        let hint = "is it being restarted, or does it want a client certificate (cert, key)?";
        return failure(FaultKind::Unreachable, endpoint, "the connection was cut", hint);
    }
    if tls {
        return failure(FaultKind::Tls, endpoint, &text, hint_for_tls(&text));
    }
    if text.contains("broken pipe") || text.contains("keep-alive timed out") {
        // The HTTP/2 library says the same of both.
        let silent = (PING.0 + PING.1).as_secs();
        let what = format!("the connection was closed, or no ping was answered for {silent} s");
        let hint = if endpoint.starts_with("https") {
            "is it up, reachable and not overloaded, or does it want a client certificate (cert, key)?"
        } else {
            "is it up, reachable and not overloaded?"
        };
        return failure(FaultKind::Unreachable, endpoint, &what, hint);
    }
    let hint = if endpoint.starts_with("https") {
        // The alert that says so comes after the handshake (TLS 1.3), and may be lost with the connection.
        "is it up, reachable, does it speak TLS, or does it want a client certificate (cert, key)?"
    } else {
        "is it up, reachable, and does it speak plain HTTP?"
    };
    failure(FaultKind::Unreachable, endpoint, &text, hint)
}

/// What to do about a certificate, by what rustls says of it.
fn hint_for_tls(message: &str) -> &'static str {
    let says = |what: &str| message.contains(what);
    if says("UnknownIssuer") {
        "add etcd's authority to the file that ca names, or have its certificate signed by one that is in it"
    } else if says("not valid for name") {
        "use a name of etcd's certificate in endpoints, or set server_name to one"
    } else if says("certificate expired") || says("not valid yet") {
        "renew etcd's certificate, or is this machine's clock wrong?"
    } else if says("received fatal alert") {
        "etcd refuses our certificate: are cert and key set, not expired, and signed by an authority that etcd trusts?"
    } else {
        "check ca, cert, key and server_name against etcd's certificate"
    }
}

fn failure(kind: FaultKind, endpoint: &str, what: &str, hint: &str) -> Failure {
    Failure::Fault(Fault { kind, message: format!("etcd at {}: {what}: {hint}", shown(endpoint)) })
}

/// One failure of several endpoints: of the sort that says most.
pub(super) fn of_all(mut failures: Vec<Failure>) -> Failure {
    if failures.len() < 2 {
        return failures.pop().unwrap_or(Failure::Fault(Fault {
            kind: FaultKind::Malformed,
            message: "etcd has no endpoints: write at least one".into(),
        }));
    }
    let mut kind = FaultKind::Unreachable;
    let mut messages = Vec::new();
    for failure in failures {
        let Failure::Fault(fault) = failure else { return failure };
        if kind == FaultKind::Unreachable {
            kind = fault.kind;
        }
        messages.push(fault.message);
    }
    Failure::Fault(Fault { kind, message: format!("no endpoint answers: {}", messages.join("; ")) })
}

#[cfg(test)]
mod tests {
    use super::{Access, Failure, canceled, of_connection};
    use bytes::Bytes;
    use fingerpost_core::source::{FaultKind, KeyRange};
    use std::io;

    const ENDPOINT: &str = "https://etcd:2379";

    fn said(failure: Failure) -> (FaultKind, String) {
        match failure {
            Failure::Fault(fault) => (fault.kind, fault.message),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_server_without_tls_is_asked_whether_it_has_any() {
        let (kind, message) = said(of_connection(ENDPOINT, &io::Error::other("tls handshake eof")));
        assert_eq!(kind, FaultKind::Tls);
        assert!(message.contains("does it speak TLS at all? If not, write http://"), "{message}");
        let (_, message) = said(of_connection(ENDPOINT, &io::Error::other("invalid peer certificate: UnknownIssuer")));
        assert!(message.contains("the file that ca names"), "{message}");
    }

    #[test]
    fn a_connection_cut_is_no_fault_of_a_certificate() {
        let cut = "peer closed connection without sending TLS close_notify: https://docs.rs/rustls/";
        let (kind, message) = said(of_connection(ENDPOINT, &io::Error::other(cut)));
        assert_eq!(kind, FaultKind::Unreachable);
        assert!(message.contains("the connection was cut") && !message.contains("docs.rs"), "{message}");
    }

    #[test]
    fn a_certificate_is_told_with_what_mends_it() {
        for (rustls_says, mends) in [
            ("invalid peer certificate: certificate not valid for name \"etcd\"; it is for \"a\"", "set server_name"),
            ("invalid peer certificate: certificate expired: verification time 2 (UNIX)", "renew etcd's certificate"),
            ("received fatal alert: CertificateRequired", "are cert and key set"),
            ("invalid peer certificate: BadEncoding", "check ca, cert, key and server_name"),
        ] {
            let (kind, message) = said(of_connection(ENDPOINT, &io::Error::other(rustls_says)));
            assert_eq!(kind, FaultKind::Tls);
            assert!(message.contains(mends), "{message}");
        }
    }

    #[test]
    fn a_missing_permission_is_told_with_the_command_that_grants_it() {
        let key = Bytes::from_static;
        let range = KeyRange { start: key(b"/fingerpost/hosts/"), end: key(b"/fingerpost/hosts0") };
        let (_, message) = said(canceled(ENDPOINT, "etcdserver: permission denied").of_range(&range, Access::Read));
        let command = "etcdctl role grant-permission ROLE read --prefix /fingerpost/hosts/";
        assert!(message.ends_with(command), "{message}");
        let both = canceled(ENDPOINT, "etcdserver: permission denied").of_range(&range, Access::ReadAndWrite);
        let (_, message) = said(both);
        let command = "etcdctl role grant-permission ROLE readwrite --prefix /fingerpost/hosts/";
        assert!(message.contains("read and write permission") && message.ends_with(command), "{message}");
        let (_, other) = said(canceled(ENDPOINT, "etcdserver: user name is empty").of_range(&range, Access::Read));
        assert!(!other.contains("etcdctl"), "{other}");
    }
}
