//! What a gateway's messages do (events 19 to 28 of RFC 4271 §8.1).

use super::collision::Verdict;
use super::connection::Phase;
use super::machine::{Effect, Neighbour, UpdateError};
use super::{Agreed, ConnectionId, Disagreement, End};
use crate::bgp::wire::{
    Frame, MessageKind, Notification, Open, RefreshSubtype, RouteRefresh, SessionType, Unexpected, Update,
    UpdateContext, UpdateOutcome, keepalive,
};
use crate::model::{PerFamily, Time};

impl Neighbour {
    pub(super) fn receive(&mut self, now: Time, id: ConnectionId, octets: &[u8], effects: &mut Vec<Effect>) {
        if let Some(connection) = self.connection(id) {
            connection.framer.push(octets);
        }
        // The connection may be gone after any message: look it up each time.
        while let Some(connection) = self.connection(id) {
            match connection.framer.next() {
                Ok(Some(frame)) => self.message(now, id, &frame, effects),
                Ok(None) => return,
                // Events 21: the header makes no sense.
                Err(notification) => {
                    self.refuse(now, id, notification, "the gateway sent a malformed message header", effects);
                }
            }
        }
    }

    fn message(&mut self, now: Time, id: ConnectionId, frame: &Frame, effects: &mut Vec<Effect>) {
        self.status.received.count(frame.kind, 1);
        if frame.kind == MessageKind::Notification {
            return self.notification(now, id, &frame.body, effects);
        }
        let local_asn = self.config.local_asn;
        let Some(connection) = self.connection(id) else { return };
        match (&connection.phase, frame.kind) {
            (Phase::OpenSent, MessageKind::Open) => match Open::decode(&frame.body) {
                Ok(open) => self.opened(now, id, open, effects),
                Err(notification) => {
                    let why = Open::why_refused(&frame.body, &notification);
                    self.refuse(now, id, notification, &why, effects);
                }
            },
            (Phase::OpenConfirm(agreed), MessageKind::Keepalive) => {
                let agreed = agreed.clone();
                self.establish(now, id, agreed, effects);
            }
            (Phase::Contested { .. }, MessageKind::Keepalive) => self.chosen(now, id, effects),
            (Phase::Established(_), MessageKind::Keepalive) => self.heard(now, id),
            (Phase::Established(agreed), MessageKind::Update) => {
                let context = context(agreed, local_asn);
                self.heard(now, id);
                self.update(now, id, Update::decode(&frame.body, &context), effects);
            }
            (Phase::Established(agreed), MessageKind::RouteRefresh) => {
                let families = PerFamily::from_fn(|family| agreed.families[family].is_some());
                self.heard(now, id);
                self.refresh(now, id, &frame.body, families, effects);
            }
            // Everything else does not belong here: 5/1, 5/2, 5/3 (RFC 6608).
            (phase, kind) => {
                let state = match phase {
                    Phase::OpenSent => Unexpected::OpenSent,
                    Phase::OpenConfirm(_) | Phase::Contested { .. } => Unexpected::OpenConfirm,
                    Phase::Established(_) => Unexpected::Established,
                };
                let notification = Notification::unexpected_message(state, kind);
                self.refuse(now, id, notification, "the gateway sent a message out of turn", effects);
            }
        }
    }

    /// The gateway's OPEN (event 19): do we agree, and is this the connection that stays?
    fn opened(&mut self, now: Time, id: ConnectionId, open: Open, effects: &mut Vec<Effect>) {
        let agreed = match Agreed::new(&self.config, open) {
            Ok(agreed) => Box::new(agreed),
            Err(Disagreement { notification, why }) => return self.refuse(now, id, notification, &why, effects),
        };
        if let Some(connection) = self.connection(id) {
            connection.framer.set_max_len(agreed.max_received());
        }
        match self.judge(id, &agreed) {
            Verdict::Alone => self.confirm(now, id, agreed, false, effects),
            Verdict::Wins { over } => {
                self.lose(now, over, effects);
                self.confirm(now, id, agreed, false, effects);
            }
            Verdict::Loses => self.lose(now, id, effects),
            Verdict::Waits => self.contest(now, id, agreed, effects),
        }
    }

    /// Both OPENs agree: KEEPALIVE says so, unless it was `told` before.
    pub(super) fn confirm(
        &mut self,
        now: Time,
        id: ConnectionId,
        agreed: Box<Agreed>,
        told: bool,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(connection) = self.connection(id) {
            connection.phase = Phase::OpenConfirm(agreed);
        }
        self.heard(now, id);
        if !told {
            self.send(now, id, MessageKind::Keepalive, keepalive(), effects);
        }
    }

    /// Events 27, 28. Nothing of an UPDATE is kept: this speaker only tells.
    fn update(&mut self, now: Time, id: ConnectionId, outcome: UpdateOutcome, effects: &mut Vec<Effect>) {
        let (update, reason) = match outcome {
            UpdateOutcome::Accept(update) => (update, None),
            UpdateOutcome::TreatAsWithdraw { update, reason } => (update, Some(reason)),
            UpdateOutcome::Reset(notification) => {
                return self.refuse(now, id, notification, "the gateway sent a malformed UPDATE", effects);
            }
        };
        // RFC 7606 §8: what does not end the session must still be found by whoever looks for it.
        let errors = &mut self.status.update_errors;
        errors.treat_as_withdraw += u64::from(reason.is_some());
        errors.attribute_discard += update.discarded.len() as u64;
        let withdrawn = reason.is_some().then_some(update.withdrawn.len());
        if let Some(attribute) = reason.or_else(|| update.discarded.first().cloned()) {
            effects.push(Effect::UpdateError(id, UpdateError { attribute, withdrawn }));
        }
        effects.push(Effect::Update(id, Box::new(update)));
    }

    fn refresh(
        &mut self,
        now: Time,
        id: ConnectionId,
        body: &[u8],
        families: PerFamily<bool>,
        effects: &mut Vec<Effect>,
    ) {
        match RouteRefresh::decode(body) {
            Ok(RouteRefresh { afi, safi, subtype: RefreshSubtype::Request }) => {
                let family = crate::model::Family::from_afi_safi(afi, safi);
                // RFC 2918 §4: a family that was not agreed on is ignored.
                if let Some(family) = family.filter(|&family| families[family]) {
                    effects.push(Effect::Refresh(id, family));
                }
            }
            // RFC 7313 §5: unknown subtypes are ignored; BoRR and EoRR concern routes that we do not keep.
            Ok(_) => {}
            Err(notification) => {
                self.refuse(now, id, notification, "the gateway sent a malformed ROUTE-REFRESH", effects);
            }
        }
    }

    /// Events 24, 25. Never answered, whatever is in it (RFC 4271 §6.4).
    fn notification(&mut self, now: Time, id: ConnectionId, body: &[u8], effects: &mut Vec<Effect>) {
        let end = match Notification::decode(body) {
            Ok(notification) => {
                self.status.last_received = Some((now, notification.clone()));
                End::NotificationReceived(notification)
            }
            Err(short) => End::Closed(format!("the gateway sent a malformed NOTIFICATION: {short}")),
        };
        self.end(now, id, None, end, effects);
    }

    fn refuse(
        &mut self,
        now: Time,
        id: ConnectionId,
        notification: Notification,
        why: &str,
        effects: &mut Vec<Effect>,
    ) {
        let end = End::Refused { notification: notification.clone(), why: why.to_owned() };
        self.end(now, id, Some(notification), end, effects);
    }
}

fn context(agreed: &Agreed, local_asn: crate::model::Asn) -> UpdateContext {
    UpdateContext {
        internal: agreed.session == SessionType::Internal,
        four_octet_as: agreed.peer.has_four_octet_as(),
        families: PerFamily::from_fn(|family| agreed.families[family].is_some()),
        extended_next_hop: PerFamily::from_fn(|family| {
            agreed.families[family].is_some_and(|encoding| encoding.ipv4_via_ipv6)
        }),
        local_asn,
    }
}
