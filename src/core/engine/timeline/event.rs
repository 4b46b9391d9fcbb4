//! One event, as it is kept.

use super::super::views::ViewId;
use super::super::{Command, Holds, Role};
use crate::model::{Family, GatewayId, Prefix, SourceId, Time};
use crate::source::Rev;
use crate::source::sync::Proof;
use crate::table::{ChangeKind, HoldReason, Hop, Target};
use crate::view::Seq;
use bytes::Bytes;
use std::sync::Arc;

/// The most octets of a record's key, and of a text, that an event keeps.
const LONGEST: usize = 512;

/// The sort of an event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EventKind {
    /// A prefix has got a route.
    Announced,
    /// A route has got another host or next hop.
    Moved,
    /// A route has become another in what policies look at: its record, source or labels.
    Changed,
    /// A prefix has lost its route.
    Withdrawn,
    /// The guard keeps a change back.
    Held,
    /// It does so no longer: the change was made, or nobody wants it any more.
    HoldEnded,
    /// So many changes of the same moment are not told apart.
    More,
    /// A person has ordered something.
    Order,
    /// A source is known, or lost, or there is a fault in it.
    Source,
    /// A record cannot be read, or can be again, or states what has no next hop.
    Record,
    /// A session is established, or over, or its End-of-RIB went out.
    Session,
    /// A configuration was taken.
    Reload,
    /// This replica leads, or another does, or nobody knows.
    Role,
    /// A prefix that was withdrawn is announced like the route that covers it: another replica may still hold it.
    Overridden,
    /// It is so no longer: it was withdrawn.
    OverrideEnded,
}

impl EventKind {
    /// All of them.
    pub const ALL: [EventKind; 15] = [
        EventKind::Announced,
        EventKind::Moved,
        EventKind::Changed,
        EventKind::Withdrawn,
        EventKind::Held,
        EventKind::HoldEnded,
        EventKind::More,
        EventKind::Order,
        EventKind::Source,
        EventKind::Record,
        EventKind::Session,
        EventKind::Reload,
        EventKind::Role,
        EventKind::Overridden,
        EventKind::OverrideEnded,
    ];

    /// For programs and people.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::Announced => "announced",
            EventKind::Moved => "moved",
            EventKind::Changed => "changed",
            EventKind::Withdrawn => "withdrawn",
            EventKind::Held => "held",
            EventKind::HoldEnded => "hold_ended",
            EventKind::More => "more",
            EventKind::Order => "order",
            EventKind::Source => "source",
            EventKind::Record => "record",
            EventKind::Session => "session",
            EventKind::Reload => "reload",
            EventKind::Role => "role",
            EventKind::Overridden => "overridden",
            EventKind::OverrideEnded => "override_ended",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Who ordered something, as the socket knows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct By {
    /// The user's number.
    pub uid: Option<u32>,
    /// The process's.
    pub pid: Option<i32>,
    /// The replica to which it was ordered, if that is another one.
    pub replica: Option<Arc<str>>,
}

#[derive(Clone, PartialEq, Debug)]
pub(in super::super) struct Event {
    /// Counts up from 1.
    pub(super) number: u64,
    pub(super) at: Time,
    pub(super) what: Happened,
}

#[derive(Clone, PartialEq, Debug)]
pub(in super::super) enum Happened {
    Route(RouteEvent),
    Held(HoldEvent),
    HoldEnded(HoldEvent, bool),
    More(More),
    Ordered(Ordered),
    Source(SourceId, Box<str>),
    Record(RecordEvent),
    Session(SessionEvent),
    Reloaded { gateways: usize, held: usize },
    Role(Role),
    Overridden { prefix: Prefix, by: Prefix, hop: Hop },
    OverrideEnded(Prefix),
}

/// A route has changed.
#[derive(Clone, PartialEq, Debug)]
pub(in super::super) struct RouteEvent {
    pub(super) prefix: Prefix,
    pub(super) from: Option<Hop>,
    pub(super) to: Option<Hop>,
    pub(super) why: Why,
    /// The number of the order that had it done.
    pub(super) order: Option<u64>,
    /// Where it stands in the logs of the views that it concerns.
    pub(super) logged: Box<[(ViewId, Seq)]>,
}

/// A change is held, or no longer.
#[derive(Clone, PartialEq, Debug)]
pub(in super::super) struct HoldEvent {
    pub(super) prefix: Prefix,
    pub(super) kind: ChangeKind,
    pub(super) source: SourceId,
    pub(super) reason: HoldReason,
    pub(super) from: Option<Hop>,
    pub(super) to: Option<Hop>,
    pub(super) why: Why,
}

/// Why, in words that stay true when the record and its number are gone.
#[derive(Clone, PartialEq, Debug)]
pub(in super::super) struct Why {
    pub(super) cause: Cause,
    /// The source of the claim that it is about.
    pub(super) source: Option<SourceId>,
    /// The key of its record, and when that was last written; of one that is gone: when it went.
    pub(super) record: Option<(Bytes, Rev)>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(in super::super) enum Cause {
    Stated,
    Gone(Proof),
    /// An earlier process knew it.
    Snapshot,
    Rules,
    Unlimited,
    Forced,
    Restored,
    Approved,
    Proven,
    Vouched,
    Calm,
    Many,
}

/// What is not told apart.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in super::super) struct More {
    pub(super) routes: usize,
    pub(super) holds: usize,
    pub(super) ended: usize,
    pub(super) records: usize,
}

/// What a person ordered.
#[derive(Clone, PartialEq, Debug)]
pub(in super::super) struct Ordered {
    pub(super) command: Command,
    /// Of a refresh: the gateway's name.
    pub(super) gateway: Box<str>,
    pub(super) by: By,
    pub(super) count: usize,
    /// To an earlier process, and this one goes on with it.
    pub(super) before: bool,
    /// Why, where no person has ordered it; else empty.
    pub(super) because: Box<str>,
}

/// Something about a record.
#[derive(Clone, PartialEq, Debug)]
pub(in super::super) struct RecordEvent {
    pub(super) source: SourceId,
    pub(super) key: Bytes,
    /// If it is about one of its prefixes.
    pub(super) prefix: Option<Prefix>,
    pub(super) text: Box<str>,
}

/// Something about a session.
#[derive(Clone, PartialEq, Debug)]
pub(in super::super) struct SessionEvent {
    pub(super) id: GatewayId,
    pub(super) gateway: Box<str>,
    pub(super) what: SessionChange,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(in super::super) enum SessionChange {
    Up,
    Down,
    TooSlow,
    EndOfRib(Family),
}

impl Event {
    /// What it takes, reckoned a little high: what is shared counts for each.
    pub(super) fn octets(&self) -> usize {
        let hop = |hop: &Option<Hop>| hop.as_ref().map_or(0, |hop| hop.host.as_str().len() + 16);
        let why = |why: &Why| why.record.as_ref().map_or(0, |(key, _)| key.len() + 32);
        let beside = match &self.what {
            Happened::Route(event) => {
                hop(&event.from) + hop(&event.to) + why(&event.why) + std::mem::size_of_val(&*event.logged) + 16
            }
            Happened::Held(event) | Happened::HoldEnded(event, _) => {
                hop(&event.from) + hop(&event.to) + why(&event.why)
            }
            Happened::Ordered(ordered) => {
                let host = match &ordered.command {
                    Command::Withdraw(Target::Host(host)) | Command::Restore(Target::Host(host)) => host.as_str().len(),
                    Command::Approve(Holds::Host(host)) | Command::Deny(Holds::Host(host)) => host.as_str().len(),
                    Command::Drain(gateway) | Command::Undrain(gateway) => gateway.len(),
                    _ => 0,
                };
                ordered.gateway.len() + ordered.because.len() + host + 32
            }
            Happened::Source(_, text) => text.len() + 16,
            Happened::Record(event) => event.key.len() + event.text.len() + 48,
            Happened::Session(event) => event.gateway.len() + 16,
            Happened::Overridden { hop, .. } => hop.host.as_str().len() + 16,
            Happened::More(_) | Happened::Reloaded { .. } | Happened::Role(_) | Happened::OverrideEnded(_) => 0,
        };
        std::mem::size_of::<Event>() + beside
    }
}

/// A key as it is kept.
pub(super) fn shortened(key: &Bytes) -> Bytes {
    Bytes::copy_from_slice(key.get(..LONGEST).unwrap_or(key))
}

/// A text as it is kept.
pub(super) fn shortened_text(text: &str) -> Box<str> {
    let end = text.char_indices().map(|(at, _)| at).chain([text.len()]).take_while(|at| *at <= LONGEST).last();
    text.get(..end.unwrap_or(0)).unwrap_or_default().into()
}
