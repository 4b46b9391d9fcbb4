//! Events as plain rows, in pages.

use super::super::look::text;
use super::super::outlets::Outlet;
use super::super::{Command, Engine, Holds};
use super::event::{By, Cause, Event, EventKind, Happened, HoldEvent, More, Ordered, RouteEvent, SessionChange, Why};
use super::written::WrittenRow;
use crate::model::{HostName, Prefix, SourceId, Time};
use crate::source::sync::Proof;
use crate::table::{Hop, Target};

/// Events that one look goes through at the most.
const SLICE: usize = 50_000;

/// Which events.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// Those about this prefix, what covers it and what lies within it.
    pub prefix: Option<Prefix>,
    /// Those about this host.
    pub host: Option<HostName>,
    /// Those about the source of this name.
    pub source: Option<String>,
    /// Those of these kinds; none: all.
    pub kinds: Vec<EventKind>,
    /// Those from this moment on.
    pub from: Option<Time>,
    /// Those behind the one of this number.
    pub since: u64,
}

/// Some events.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EventsPage {
    /// The oldest first.
    pub events: Vec<EventRow>,
    /// Behind which one to go on.
    pub last: u64,
    /// In front of which one to go on, where the newest were asked for.
    pub first: u64,
    /// Whether there are more by now.
    pub more: bool,
    /// So many of those asked for are gone already, wanted or not.
    pub lost: u64,
}

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventRow {
    /// Its number: they count up by one, from 1 at the start of the process.
    pub number: u64,
    /// When.
    pub at: Time,
    /// What.
    pub kind: EventKind,
    /// Of which prefix.
    pub prefix: Option<Prefix>,
    /// Who was announced.
    pub from: Option<Hop>,
    /// Who is, or would be.
    pub to: Option<Hop>,
    /// The name of the source that it is about.
    pub source: Option<String>,
    /// The record's key, as text.
    pub key: Option<String>,
    /// When the record was last written or went, in its store's own counting.
    pub revision: Option<u64>,
    /// The gateway's name.
    pub gateway: Option<String>,
    /// Who ordered it, as far as that is kept.
    pub by: Option<By>,
    /// How many routes, holds or records it is about, where it is not about one.
    pub count: Option<u64>,
    /// Why, in words.
    pub text: String,
    /// To whom it was written, if that was asked for.
    pub written: Vec<WrittenRow>,
}

impl Engine {
    /// How many events there ever were: the number of the newest.
    pub fn newest_event(&self) -> u64 {
        self.timeline.newest()
    }

    /// How many events are kept, and how many octets they take.
    pub fn timeline_size(&self) -> (usize, usize) {
        self.timeline.size()
    }

    /// Up to `limit` wanted events behind the one of number `after`, the oldest first; at most 50,000 are gone through.
    pub fn events(&self, after: u64, limit: usize, wanted: &Wanted) -> EventsPage {
        let (after, lost) = self.timeline.from(after.max(wanted.since), wanted.from);
        let mut page = EventsPage { last: after, lost, ..EventsPage::default() };
        for (seen, event) in self.timeline.after(after).enumerate() {
            if page.events.len() == limit || seen == SLICE {
                page.more = true;
                break;
            }
            page.last = event.number;
            if self.is_wanted(event, wanted) {
                page.events.push(self.row(event));
            }
        }
        if !page.more {
            page.last = page.last.max(self.timeline.newest());
        }
        page
    }

    /// The newest `limit` wanted events in front of the one of number `before`, or of all, the oldest of them first; at most 50,000
    /// are gone through. It has `more` where there are older ones.
    pub fn newest_events(&self, before: Option<u64>, limit: usize, wanted: &Wanted) -> EventsPage {
        let (after, lost) = self.timeline.from(wanted.since, wanted.from);
        let (last, before) = (self.timeline.newest(), before.unwrap_or(u64::MAX));
        let mut page = EventsPage { last, first: before.min(last + 1), lost, ..EventsPage::default() };
        for (seen, event) in self.timeline.between(after, before).rev().enumerate() {
            if page.events.len() == limit || seen == SLICE {
                page.more = true;
                break;
            }
            page.first = event.number;
            if self.is_wanted(event, wanted) {
                page.events.push(self.row(event));
            }
        }
        page.events.reverse();
        page
    }

    /// Says of these events to which gateways they were written, up to `gateways` of them by name.
    pub fn tell_written(&self, page: &mut EventsPage, gateways: usize) {
        let outlets: Vec<&Outlet> = self.outlets.by_name(None, gateways);
        for row in &mut page.events {
            let number = row.number;
            if let Some(Event { what: Happened::Route(event), .. }) =
                self.timeline.after(number.saturating_sub(1)).next().filter(|event| event.number == number)
            {
                row.written = self.written(event, &outlets);
            }
        }
    }

    fn is_wanted(&self, event: &Event, wanted: &Wanted) -> bool {
        let Wanted { prefix, host, source, kinds, .. } = wanted;
        let what = &event.what;
        let of_kind = kinds.is_empty()
            || kinds.contains(&what.kind())
            // What is not told apart may be what is asked for.
            || matches!(what, Happened::More(_)) && kinds.iter().any(|kind| kind.is_of_prefix());
        of_kind
            && prefix.is_none_or(|wanted| what.concerns_prefix(wanted))
            && host.as_ref().is_none_or(|wanted| what.concerns_host(wanted))
            && source.as_ref().is_none_or(|wanted| {
                matches!(what, Happened::More(_)) || what.source().is_some_and(|id| self.source_name(id) == *wanted)
            })
    }

    fn source_name(&self, id: SourceId) -> &str {
        self.source(id).map_or("", |source| &source.settings.name)
    }

    fn row(&self, event: &Event) -> EventRow {
        let mut row = EventRow {
            number: event.number,
            at: event.at,
            kind: event.what.kind(),
            prefix: None,
            from: None,
            to: None,
            source: event.what.source().map(|id| self.source_name(id).to_owned()),
            key: None,
            revision: None,
            gateway: None,
            by: None,
            count: None,
            text: String::new(),
            written: Vec::new(),
        };
        let because = |row: &mut EventRow, why: &Why| {
            if let Some((key, revision)) = &why.record {
                row.key = Some(text(key));
                row.revision = Some(revision.0);
            }
        };
        match &event.what {
            Happened::Route(route) => {
                because(&mut row, &route.why);
                (row.prefix, row.from, row.to) = (Some(route.prefix), route.from.clone(), route.to.clone());
                route.why.text(route.to.is_some()).clone_into(&mut row.text);
                row.by = route.order.and_then(|number| self.timeline.by(number));
            }
            Happened::Held(hold) => {
                because(&mut row, &hold.why);
                (row.prefix, row.from, row.to) = (Some(hold.prefix), hold.from.clone(), hold.to.clone());
                row.text = format!("a {}: {}", hold.kind.name(), hold.reason);
            }
            Happened::HoldEnded(hold, passed) => {
                because(&mut row, &hold.why);
                (row.prefix, row.to) = (Some(hold.prefix), hold.to.clone());
                let why = hold.why.text(hold.to.is_some());
                let kind = hold.kind.name();
                row.text = if *passed {
                    format!("the {kind} passes: {why}")
                } else {
                    format!("no {kind} is wanted any more: {why}")
                };
            }
            Happened::More(more) => {
                row.count = Some((more.routes + more.holds + more.ended + more.records) as u64);
                row.text = more.text();
            }
            Happened::Ordered(ordered) => {
                row.by = Some(ordered.by.clone()).filter(|_| !ordered.before);
                row.count = Some(ordered.count as u64).filter(|_| !ordered.before);
                if !ordered.gateway.is_empty() {
                    row.gateway = Some(ordered.gateway.to_string());
                }
                row.prefix = ordered.prefix();
                row.text = self.said(ordered);
                if let Some(replica) = &ordered.by.replica {
                    row.text.push_str(&format!(" (ordered at replica {})", replica.escape_debug()));
                }
                match (ordered.before, &*ordered.because) {
                    (false, _) => {}
                    (true, "") => row.text.push_str(" (ordered before this process began)"),
                    (true, because) => row.text = format!("{} (by no person: {because})", row.text),
                }
            }
            Happened::Source(_, said) => said.as_ref().clone_into(&mut row.text),
            Happened::Record(record) => {
                (row.prefix, row.key) = (record.prefix, Some(text(&record.key)));
                record.text.as_ref().clone_into(&mut row.text);
            }
            Happened::Session(session) => {
                row.gateway = Some(session.gateway.to_string());
                row.text = match session.what {
                    SessionChange::Up => "established".into(),
                    SessionChange::Down => "over".into(),
                    SessionChange::TooSlow => "closed: the gateway takes too little to be kept up to date".into(),
                    SessionChange::EndOfRib(family) => format!("told everything: End-of-RIB of {family} was sent"),
                };
            }
            Happened::Role(role) => row.text = role.to_string(),
            Happened::Overridden { prefix, by, hop } => {
                (row.prefix, row.to) = (Some(*prefix), Some(hop.clone()));
                row.text = format!("announced like {by}, which covers it: another replica may not have withdrawn it");
            }
            Happened::OverrideEnded(prefix) => {
                row.prefix = Some(*prefix);
                "withdrawn: it is not announced like what covers it any more".clone_into(&mut row.text);
            }
            Happened::Reloaded { gateways, held } => {
                row.count = Some(*gateways as u64);
                row.text = match held {
                    0 => format!("a configuration is in force, with {gateways} gateways"),
                    held => format!(
                        "a configuration is in force, with {gateways} gateways, but for {held} parts that are held"
                    ),
                };
            }
        }
        row
    }

    /// An order in the words of the command line.
    fn said(&self, ordered: &Ordered) -> String {
        let target = |target: &Target| match target {
            Target::Prefix(prefix) => format!("prefix {prefix}"),
            Target::Host(host) => format!("host {host}"),
        };
        let holds = |holds: &Holds| match holds {
            Holds::All => "all".to_owned(),
            Holds::Prefix(prefix) => format!("prefix {prefix}"),
            Holds::Reload => "reload".to_owned(),
            Holds::Host(host) => format!("host {host}"),
            Holds::Source(id, None) => format!("source {}", self.source_name(*id)),
            Holds::Source(id, Some(kind)) => format!("source {} kind {}", self.source_name(*id), kind.name()),
        };
        match &ordered.command {
            Command::Freeze if ordered.count == 0 => "freeze (it was frozen already)".into(),
            Command::Freeze => "freeze".into(),
            Command::Unfreeze if ordered.count == 0 => "unfreeze (it was not frozen)".into(),
            Command::Unfreeze => "unfreeze".into(),
            Command::Approve(which) => format!("approve {}", holds(which)),
            Command::Deny(which) => format!("deny {}", holds(which)),
            Command::Withdraw(what) => format!("withdraw {}", target(what)),
            Command::Restore(what) => format!("restore {}", target(what)),
            Command::Drain(gateway) => format!("drain gateway {gateway}"),
            Command::Undrain(gateway) => format!("undrain gateway {gateway}"),
            Command::Refresh(_) => format!("refresh {}", ordered.gateway),
        }
    }
}

impl EventKind {
    /// Whether such an event is about a prefix.
    fn is_of_prefix(self) -> bool {
        match self {
            EventKind::Announced
            | EventKind::Moved
            | EventKind::Changed
            | EventKind::Withdrawn
            | EventKind::Held
            | EventKind::HoldEnded
            | EventKind::Record
            | EventKind::Overridden
            | EventKind::OverrideEnded => true,
            EventKind::More
            | EventKind::Order
            | EventKind::Source
            | EventKind::Session
            | EventKind::Reload
            | EventKind::Role => false,
        }
    }
}

impl Happened {
    pub(super) fn kind(&self) -> EventKind {
        match self {
            Happened::Route(route) => route.kind(),
            Happened::Held(_) => EventKind::Held,
            Happened::HoldEnded(..) => EventKind::HoldEnded,
            Happened::More(_) => EventKind::More,
            Happened::Ordered(_) => EventKind::Order,
            Happened::Source(..) => EventKind::Source,
            Happened::Record(_) => EventKind::Record,
            Happened::Session(_) => EventKind::Session,
            Happened::Reloaded { .. } => EventKind::Reload,
            Happened::Role(_) => EventKind::Role,
            Happened::Overridden { .. } => EventKind::Overridden,
            Happened::OverrideEnded(_) => EventKind::OverrideEnded,
        }
    }

    fn source(&self) -> Option<SourceId> {
        match self {
            Happened::Route(route) => route.why.source,
            Happened::Held(hold) | Happened::HoldEnded(hold, _) => Some(hold.source),
            Happened::Source(source, _) => Some(*source),
            Happened::Record(record) => Some(record.source),
            Happened::Ordered(_)
            | Happened::More(_)
            | Happened::Session(_)
            | Happened::Reloaded { .. }
            | Happened::Role(_)
            | Happened::Overridden { .. }
            | Happened::OverrideEnded(_) => None,
        }
    }

    fn concerns_prefix(&self, wanted: Prefix) -> bool {
        match self {
            Happened::Route(RouteEvent { prefix, .. })
            | Happened::Held(HoldEvent { prefix, .. })
            | Happened::HoldEnded(HoldEvent { prefix, .. }, _)
            | Happened::Overridden { prefix, .. }
            | Happened::OverrideEnded(prefix) => wanted.overlaps(*prefix),
            Happened::Record(record) => record.prefix.is_some_and(|prefix| wanted.overlaps(prefix)),
            Happened::Ordered(ordered) => match ordered.prefix() {
                Some(prefix) => wanted.overlaps(prefix),
                None => ordered.is_for_all(),
            },
            // It may be among them.
            Happened::More(_) => true,
            Happened::Source(..) | Happened::Session(_) | Happened::Reloaded { .. } | Happened::Role(_) => false,
        }
    }

    fn concerns_host(&self, wanted: &HostName) -> bool {
        let is = |from: &Option<Hop>, to: &Option<Hop>| from.iter().chain(to).any(|hop| hop.host == *wanted);
        match self {
            Happened::Route(route) => is(&route.from, &route.to),
            Happened::Held(hold) | Happened::HoldEnded(hold, _) => is(&hold.from, &hold.to),
            Happened::Ordered(ordered) => match &ordered.command {
                Command::Withdraw(Target::Host(host)) | Command::Restore(Target::Host(host)) => host == wanted,
                Command::Approve(Holds::Host(host)) | Command::Deny(Holds::Host(host)) => host == wanted,
                _ => ordered.is_for_all(),
            },
            Happened::More(_) => true,
            Happened::Overridden { hop, .. } => hop.host == *wanted,
            Happened::OverrideEnded(_)
            | Happened::Record(_)
            | Happened::Source(..)
            | Happened::Session(_)
            | Happened::Reloaded { .. }
            | Happened::Role(_) => false,
        }
    }
}

impl RouteEvent {
    fn kind(&self) -> EventKind {
        match (&self.from, &self.to) {
            (None, _) => EventKind::Announced,
            (Some(_), None) => EventKind::Withdrawn,
            (Some(from), Some(to)) if from == to => EventKind::Changed,
            (Some(_), Some(_)) => EventKind::Moved,
        }
    }
}

impl Ordered {
    fn prefix(&self) -> Option<Prefix> {
        match &self.command {
            Command::Withdraw(Target::Prefix(prefix)) | Command::Restore(Target::Prefix(prefix)) => Some(*prefix),
            Command::Approve(Holds::Prefix(prefix)) | Command::Deny(Holds::Prefix(prefix)) => Some(*prefix),
            _ => None,
        }
    }

    /// Whether every prefix is concerned.
    fn is_for_all(&self) -> bool {
        let all = |holds: &Holds| matches!(holds, Holds::All);
        match &self.command {
            Command::Freeze | Command::Unfreeze => true,
            Command::Approve(holds) | Command::Deny(holds) => all(holds),
            Command::Withdraw(_)
            | Command::Restore(_)
            | Command::Drain(_)
            | Command::Undrain(_)
            | Command::Refresh(_) => false,
        }
    }
}

impl More {
    fn text(&self) -> String {
        let parts = [
            (self.routes, "changes of routes"),
            (self.holds, "held changes"),
            (self.ended, "ended holds"),
            (self.records, "records"),
        ];
        let some: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} more {what}")).collect();
        format!("{} of the same moment are not told one by one", some.join(", "))
    }
}

impl Why {
    /// For people. `announced`: whether there is a route now.
    fn text(&self, announced: bool) -> &'static str {
        match self.cause {
            Cause::Stated if announced => "a record says so",
            Cause::Stated => "a record was written, and no claim may be announced any more",
            Cause::Gone(proof) => match (proof, announced) {
                (Proof::Deleted(_), false) => "its record was deleted",
                (Proof::Deleted(_), true) => "the record of the claim before was deleted",
                (Proof::MissingFrom { .. }, false) => "a complete list lacks its record",
                (Proof::MissingFrom { .. }, true) => "a complete list lacks the record of the claim before",
                (Proof::NoLongerStated(_), false) => "its record no longer states it",
                (Proof::NoLongerStated(_), true) => "the record of the claim before no longer states it",
            },
            Cause::Snapshot => "an earlier process knew it, and the source has not answered yet",
            Cause::Rules => "the configuration's fence or its sources' priorities are other than before",
            Cause::Unlimited => "the guard has no limit for such a change any more",
            Cause::Forced => "a person has withdrawn it by order",
            Cause::Restored => "a person took the withdrawal by order back",
            Cause::Approved => "a person approved it",
            Cause::Proven => "complete lists have said the same for long enough",
            Cause::Vouched => "another replica has seen it change bit by bit, and let it pass",
            Cause::Calm => "the prefix has been quiet for long enough",
            Cause::Many => "what sources say of it has changed; so much changed together that the reason was not kept",
        }
    }
}
