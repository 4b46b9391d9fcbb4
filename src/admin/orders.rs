//! What an order is about: from messages to the engine's words, or what to write instead.

use super::proto;
use super::proto::holds::Which as WhichHolds;
use super::proto::target::Which as WhichTarget;
use fingerpost_core::engine::{Engine, Holds};
use fingerpost_core::model::{HostName, InvalidPrefix, Prefix};
use fingerpost_core::table::{ChangeKind, Target};
use std::fmt;
use tonic::Status;

/// Which holds; the source by its name yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    Holds(Holds),
    OfSource(String, Option<ChangeKind>),
}

pub(super) fn holds(holds: Option<proto::Holds>) -> Result<Wanted, Status> {
    let missing = || Status::invalid_argument("holds is not set: say all, a prefix, a host, a source or reload");
    match holds.and_then(|holds| holds.which).ok_or_else(missing)? {
        WhichHolds::All(true) => Ok(Wanted::Holds(Holds::All)),
        WhichHolds::Reload(true) => Ok(Wanted::Holds(Holds::Reload)),
        WhichHolds::All(false) | WhichHolds::Reload(false) => Err(missing()),
        WhichHolds::Prefix(text) => Ok(Wanted::Holds(Holds::Prefix(prefix(&text)?))),
        WhichHolds::Host(text) => Ok(Wanted::Holds(Holds::Host(host(&text)?))),
        WhichHolds::Source(proto::HoldsOfSource { name, kind }) => {
            let kind = match proto::ChangeKind::try_from(kind) {
                Ok(proto::ChangeKind::Unspecified) => None,
                Ok(proto::ChangeKind::Withdrawal) => Some(ChangeKind::Withdrawal),
                Ok(proto::ChangeKind::Move) => Some(ChangeKind::Move),
                Ok(proto::ChangeKind::Addition) => Some(ChangeKind::Addition),
                Err(_) => {
                    return Err(Status::invalid_argument(format!("there is no kind {kind}: leave it out for all")));
                }
            };
            Ok(Wanted::OfSource(name, kind))
        }
    }
}

impl Wanted {
    /// With the source's number.
    pub(super) fn find(&self, engine: &Engine) -> Result<Holds, Status> {
        match self {
            Wanted::Holds(holds) => Ok(holds.clone()),
            Wanted::OfSource(name, kind) => {
                let id = engine.source_named(name);
                let none =
                    || Status::not_found(format!("no source is named {}: fingerpost status lists them", quoted(name)));
                Ok(Holds::Source(id.ok_or_else(none)?, *kind))
            }
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Holds(Holds::All) => write!(f, "all"),
            Wanted::Holds(Holds::Reload) => write!(f, "reload"),
            Wanted::Holds(Holds::Prefix(prefix)) => write!(f, "prefix {prefix}"),
            Wanted::Holds(Holds::Host(host)) => write!(f, "host {host}"),
            // Never made from a message: there the source has its name.
            Wanted::Holds(Holds::Source(source, _)) => write!(f, "source number {}", source.0),
            Wanted::OfSource(name, None) => write!(f, "source {name}"),
            Wanted::OfSource(name, Some(kind)) => write!(f, "source {name} kind {}", kind.name()),
        }
    }
}

pub(crate) fn target(target: Option<proto::Target>) -> Result<Target, Status> {
    match target.and_then(|target| target.which) {
        None => Err(Status::invalid_argument("target is not set: say a prefix or a host")),
        Some(WhichTarget::Prefix(text)) => Ok(Target::Prefix(prefix(&text)?)),
        Some(WhichTarget::Host(text)) => Ok(Target::Host(host(&text)?)),
    }
}

/// For people.
pub(super) fn said(target: &Target) -> String {
    match target {
        Target::Prefix(prefix) => format!("prefix {prefix}"),
        Target::Host(host) => format!("host {host}"),
    }
}

fn prefix(text: &str) -> Result<Prefix, Status> {
    text.parse().map_err(|error| match error {
        InvalidPrefix::Syntax(text) => Status::invalid_argument(format!(
            "{} is not a prefix: write ADDRESS/LENGTH, such as 10.244.1.0/24",
            quoted(&text)
        )),
        InvalidPrefix::HostBits(error) => Status::invalid_argument(error.to_string()),
    })
}

/// A client's text in a message, which becomes a header: the start of it.
pub(super) fn quoted(text: &str) -> String {
    let start: String = text.chars().take(64).collect();
    let rest = if start.len() < text.len() { "…" } else { "" };
    format!("{start:?}{rest}")
}

pub(super) fn host(text: &str) -> Result<HostName, Status> {
    HostName::new(text).map_err(|error| Status::invalid_argument(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::{Wanted, holds, target};
    use crate::admin::proto;
    use crate::admin::proto::holds::Which;
    use tonic::Code;

    fn wanted(which: Option<Which>) -> Result<String, (Code, String)> {
        let done = holds(Some(proto::Holds { which })).map(|wanted: Wanted| wanted.to_string());
        done.map_err(|status| (status.code(), status.message().to_owned()))
    }

    #[test]
    fn holds_are_named_as_they_were_asked_for() {
        let source =
            |kind: proto::ChangeKind| Which::Source(proto::HoldsOfSource { name: "prod".into(), kind: kind.into() });
        for (which, text) in [
            (Which::All(true), "all"),
            (Which::Reload(true), "reload"),
            (Which::Prefix("10.244.1.0/24".into()), "prefix 10.244.1.0/24"),
            (Which::Host("node-a1".into()), "host node-a1"),
            (source(proto::ChangeKind::Unspecified), "source prod"),
            (source(proto::ChangeKind::Move), "source prod kind move"),
        ] {
            assert_eq!(wanted(Some(which)).as_deref(), Ok(text));
        }
    }

    #[test]
    fn nothing_is_never_taken_for_all() {
        let said = "holds is not set: say all, a prefix, a host, a source or reload";
        for which in [None, Some(Which::All(false)), Some(Which::Reload(false))] {
            assert_eq!(wanted(which), Err((Code::InvalidArgument, said.into())));
        }
        assert_eq!(holds(None).unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(target(None).unwrap_err().code(), Code::InvalidArgument);
    }

    #[test]
    fn a_wrong_prefix_or_host_says_what_to_write() {
        for (which, hint) in [
            (Which::Prefix("10.244.1.5/24".into()), "write 10.244.1.0/24"),
            (Which::Prefix(String::new()), "write ADDRESS/LENGTH"),
            (Which::Host("two words".into()), "write 1 to 253 printable characters"),
            (Which::Source(proto::HoldsOfSource { name: "prod".into(), kind: 9 }), "leave it out for all"),
        ] {
            let (code, said) = wanted(Some(which)).unwrap_err();
            assert!(code == Code::InvalidArgument && said.contains(hint), "{said}");
        }
    }
}
