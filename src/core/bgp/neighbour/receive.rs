//! What a gateway's messages do (events 19 to 28 of RFC 4271 §8.1).

use super::collision::survivor;
use super::connection::Phase;
use super::machine::{Effect, Neighbour};
use super::{Agreed, ConnectionId, Direction, Disagreement, End};
use crate::bgp::wire::{
    CeaseSubcode, Frame, MessageKind, Notification, Open, RefreshSubtype, RouteRefresh, SessionType, Unexpected,
    Update, UpdateContext, UpdateOutcome, keepalive,
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
                Err(notification) => self.refuse(now, id, notification, "the gateway's OPEN is malformed", effects),
            },
            (Phase::OpenConfirm(agreed), MessageKind::Keepalive) => {
                let agreed = agreed.clone();
                self.establish(now, id, agreed, effects);
            }
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
                    Phase::OpenConfirm(_) => Unexpected::OpenConfirm,
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
        if !self.survives(now, id, &agreed, effects) {
            return;
        }
        if let Some(connection) = self.connection(id) {
            connection.phase = Phase::OpenConfirm(agreed);
        }
        self.heard(now, id);
        self.send(now, id, MessageKind::Keepalive, keepalive(), effects);
    }

    /// Collision detection (RFC 4271 §6.8): looks for another connection past its OPEN, and ends one of the two.
    fn survives(&mut self, now: Time, id: ConnectionId, agreed: &Agreed, effects: &mut Vec<Effect>) -> bool {
        let Some(this) = self.connection(id) else { return false };
        let (direction, after_session) = (this.direction, this.after_session);
        let past_open = |phase: &Phase| !matches!(phase, Phase::OpenSent);
        let other = self.connections.iter().find(|other| other.id != id && past_open(&other.phase));
        let Some((other, established, other_direction)) =
            other.map(|other| (other.id, other.is_established(), other.direction))
        else {
            return true;
        };
        let stays = if established {
            // RFC 4724 §4.2: who keeps routes and opens anew after the session came up has restarted. Connections that
            // crossed while it came up are a plain collision, and an established session is not given up for them.
            after_session && direction == Direction::Incoming && agreed.peer_keeps_routes()
        } else if direction == other_direction {
            true
        } else {
            let local = (self.config.router_id, self.config.local_asn);
            survivor(local, (agreed.peer_id(), agreed.peer_asn())) == direction
        };
        let cease = || Some(Notification::cease(CeaseSubcode::ConnectionCollision));
        match (stays, established) {
            (true, true) => self.end(now, other, None, End::PeerRestarted, effects),
            (true, false) => self.end(now, other, cease(), End::Collision, effects),
            (false, _) => self.end(now, id, cease(), End::Collision, effects),
        }
        stays
    }

    /// Events 27, 28. Nothing of an UPDATE is kept: this speaker only tells.
    fn update(&mut self, now: Time, id: ConnectionId, outcome: UpdateOutcome, effects: &mut Vec<Effect>) {
        match outcome {
            UpdateOutcome::Accept(update) | UpdateOutcome::TreatAsWithdraw { update, .. } => {
                effects.push(Effect::Update(id, Box::new(update)));
            }
            UpdateOutcome::Reset(notification) => {
                self.refuse(now, id, notification, "the gateway sent a malformed UPDATE", effects);
            }
        }
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
        extended_next_hop: PerFamily::default(),
        local_asn,
    }
}
