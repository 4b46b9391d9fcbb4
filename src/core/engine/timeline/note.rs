//! From what the engine does to events.

use super::super::outlets::Outlet;
use super::super::views::ViewId;
use super::super::{Command, Effect, Engine, Holds, Orders};
use super::event::{
    Cause, HoldEvent, More, Ordered, RecordEvent, RouteEvent, SessionChange, SessionEvent, Why, shortened,
    shortened_text,
};
use super::records::Records;
use super::{By, Happened};
use crate::model::{Family, GatewayId, RecordId, SourceId, Time};
use crate::source::Rev;
use crate::source::sync::{Note, Outcome, Proof};
use crate::table::{Because, Change, Ended, Hop, Owner, Settled, SlotId, TOLD};
use crate::view::Seq;
use bytes::Bytes;
use hashbrown::HashMap;

/// What the engine keeps between what a source said and what was decided of it.
#[derive(Default)]
pub(in super::super) struct Pending {
    /// Keys of records that are gone.
    gone: HashMap<(SourceId, RecordId), Bytes>,
    /// What is decided now is what an earlier process knew.
    pub(in super::super) restoring: bool,
    /// By this order.
    order: Option<u64>,
    records: Records,
}

impl Pending {
    pub(in super::super) fn next_deadline(&self) -> Option<Time> {
        self.records.next_deadline()
    }
}

impl Engine {
    /// What a source has to say, before anything of it is decided.
    pub(in super::super) fn note_outcome(&mut self, now: Time, source: SourceId, outcome: &Outcome) {
        if !self.timeline.is_on() {
            return;
        }
        let room = TOLD.saturating_sub(self.told_of.gone.len());
        let gone = outcome.gone.iter().take(room).map(|(record, key)| ((source, *record), shortened(key)));
        self.told_of.gone.extend(gone);
        self.note_records(now);
        for note in &outcome.notes {
            let about = match note {
                Note::Quarantined { key, .. } | Note::Released { key, .. } => Some((key, None)),
                Note::Unresolved { key, prefix, .. } => Some((key, Some(*prefix))),
                // What means nothing changes nothing.
                Note::UnknownField { .. } => continue,
                _ => None,
            };
            let Some((key, prefix)) = about else {
                self.timeline.push(now, Happened::Source(source, shortened_text(&note.to_string())));
                continue;
            };
            if self.told_of.records.admit(now, source) {
                let (key, text) = (shortened(key), shortened_text(&note.to_string()));
                self.timeline.push(now, Happened::Record(RecordEvent { source, key, prefix, text }));
            }
        }
    }

    /// How many records there were besides, where it is time to say so.
    pub(in super::super) fn note_records(&mut self, now: Time) {
        if let Some(more) = self.told_of.records.end(now) {
            self.timeline.push(now, Happened::More(more));
        }
    }

    /// The views' heads before they take in what was settled, if anybody wants to know.
    pub(in super::super) fn heads_before(&self, settled: &Settled) -> Vec<(ViewId, Seq)> {
        if settled.told.is_empty() || !self.timeline.is_on() { Vec::new() } else { self.views.heads().collect() }
    }

    /// What was settled, once the views have taken it in.
    pub(in super::super) fn note_settled(&mut self, now: Time, settled: &Settled, before: &[(ViewId, Seq)]) {
        if self.timeline.is_on() {
            for ended in &settled.ended {
                let event = self.hold_ended(ended);
                self.timeline.push(now, Happened::HoldEnded(event, ended.passed));
            }
            for change in &settled.told {
                let event = self.route_changed(change, before);
                self.timeline.push(now, Happened::Route(event));
            }
            for (&(family, slot), &because) in settled.held.iter().zip(&settled.held_because) {
                if let Some(event) = self.hold_begun(family, slot, because) {
                    self.timeline.push(now, Happened::Held(event));
                }
            }
            let routes: usize = settled.changed.iter().map(|(_, slots)| slots.len()).sum();
            let more = More {
                routes: routes.saturating_sub(settled.told.len()),
                holds: settled.held.len() - settled.held_because.len(),
                ended: settled.more_ended,
                records: 0,
            };
            if more != More::default() {
                self.timeline.push(now, Happened::More(more));
            }
        }
        // What follows what is restored is still to be decided.
        if !self.told_of.restoring {
            self.told_of.gone.clear();
        }
    }

    fn route_changed(&self, change: &Change, before: &[(ViewId, Seq)]) -> RouteEvent {
        let &Change { family, slot, after, because, .. } = change;
        let claim = after.or(change.before).map(|winner| (winner.source, winner.record));
        let logged = before.iter().filter_map(|&(id, head)| {
            let view = self.views.get(id).filter(|view| view.family() == family)?;
            let at = view.changed_at(slot);
            (at >= head).then_some((id, at))
        });
        RouteEvent {
            prefix: self.table.slots(family).prefix(slot),
            from: change.from.clone(),
            to: change.to.clone(),
            why: self.why(because, claim),
            order: self.told_of.order,
            logged: logged.collect(),
        }
    }

    fn hold_begun(&self, family: Family, slot: SlotId, because: Because) -> Option<HoldEvent> {
        let held = self.table.held_change(family, slot)?;
        let hop = |owner: &Owner| Hop { host: owner.host.clone(), next_hop: owner.next_hop };
        Some(HoldEvent {
            prefix: held.prefix,
            kind: held.hold.kind,
            source: held.hold.source,
            reason: held.hold.reason,
            from: held.from.map(hop),
            to: held.to.map(hop),
            why: self.why(because, None),
        })
    }

    fn hold_ended(&self, ended: &Ended) -> HoldEvent {
        let &Ended { family, slot, hold, because, .. } = ended;
        let winner = self.table.winner(family, slot);
        let hop = |owner: &Owner| Hop { host: owner.host.clone(), next_hop: owner.next_hop };
        HoldEvent {
            prefix: self.table.slots(family).prefix(slot),
            kind: hold.kind,
            source: hold.source,
            reason: hold.reason,
            from: None,
            to: winner.map(|winner| hop(self.table.owner(winner.owner))),
            why: self.why(because, None),
        }
    }

    /// The reason, with the record that it or else the `claim` is about.
    fn why(&self, because: Because, claim: Option<(SourceId, RecordId)>) -> Why {
        let (cause, of) = match because {
            Because::Stated(source, record) => {
                let cause = if self.told_of.restoring { Cause::Snapshot } else { Cause::Stated };
                (cause, Some((source, record)))
            }
            Because::Gone(source, record, proof) => {
                let (Proof::Deleted(at) | Proof::MissingFrom { at } | Proof::NoLongerStated(at)) = proof;
                let gone = self.told_of.gone.get(&(source, record)).cloned();
                let key = gone.or_else(|| self.record(source, record).map(|(key, _)| key));
                return Why { cause: Cause::Gone(proof), source: Some(source), record: key.map(|key| (key, at)) };
            }
            Because::Rules => (Cause::Rules, claim),
            Because::Unlimited => (Cause::Unlimited, claim),
            Because::Forced => (Cause::Forced, claim),
            Because::Restored => (Cause::Restored, claim),
            Because::Approved => (Cause::Approved, claim),
            Because::Proven => (Cause::Proven, claim),
            Because::Vouched => (Cause::Vouched, claim),
            Because::Calm => (Cause::Calm, claim),
            Because::Many => (Cause::Many, claim),
        };
        let record = of.and_then(|(source, record)| self.record(source, record));
        Why { cause, source: of.map(|(source, _)| source), record }
    }

    fn record(&self, source: SourceId, record: RecordId) -> Option<(Bytes, Rev)> {
        let record = self.source(source)?.sync.record(record)?;
        Some((shortened(&record.key), record.modified))
    }

    /// An order, before it is carried out; its number, to [count](super::Timeline::count) later.
    pub(in super::super) fn note_order(&mut self, now: Time, command: &Command, by: By) -> u64 {
        let gateway = match command {
            Command::Refresh(id) => self.outlets.get(*id).map(|outlet| &*outlet.settings.name),
            _ => None,
        };
        let gateway = gateway.unwrap_or_default().into();
        let ordered =
            Ordered { command: command.clone(), gateway, by, count: 0, before: false, because: Box::default() };
        self.timeline.push(now, Happened::Ordered(ordered));
        let number = self.timeline.newest();
        // What an end of a freeze lets happen, others have caused.
        let causes = matches!(command, Command::Approve(_) | Command::Withdraw(_) | Command::Restore(_));
        self.told_of.order = (causes && self.frozen.is_none()).then_some(number);
        number
    }

    /// What an earlier process was ordered and this one goes on with.
    pub(in super::super) fn note_resumed(&mut self, now: Time, orders: &Orders) {
        let freeze = orders.frozen.map(|_| Command::Freeze);
        let forced = orders.forced.iter().cloned().map(Command::Withdraw);
        let approved =
            orders.approved.iter().map(|approved| Command::Approve(Holds::Prefix(approved.prefix))).take(TOLD);
        let drained = orders.drained.iter().cloned().map(Command::Drain);
        for command in freeze.into_iter().chain(forced).chain(drained).chain(approved) {
            let (gateway, by) = (Box::default(), By::default());
            let because = orders.frozen_because.as_deref().filter(|_| command == Command::Freeze);
            let because = because.map(shortened_text).unwrap_or_default();
            let ordered = Ordered { command, gateway, by, count: 1, before: true, because };
            self.timeline.push(now, Happened::Ordered(ordered));
        }
    }

    /// An order was carried out; how much it concerned.
    pub(in super::super) fn order_done(&mut self, number: u64, count: usize) {
        self.told_of.order = None;
        self.timeline.count(number, count);
    }

    /// Something about a gateway's session.
    pub(in super::super) fn note_session(&mut self, now: Time, id: GatewayId, what: SessionChange) {
        if let Some(gateway) = self.outlets.get(id).map(|outlet: &Outlet| outlet.settings.name.as_str().into()) {
            self.timeline.push(now, Happened::Session(SessionEvent { id, gateway, what }));
        }
    }

    /// What came of work: End-of-RIBs that went out, and sessions that were given up.
    pub(in super::super) fn note_work(&mut self, effects: &[Effect]) {
        let now = self.latest;
        for (gateway, family) in self.outlets.take_ended() {
            self.note_session(now, gateway, SessionChange::EndOfRib(family));
        }
        for effect in effects {
            if let Effect::CloseSlow(gateway, _) = effect {
                self.note_session(now, *gateway, SessionChange::TooSlow);
            }
        }
    }
}
