//! Two connections with one gateway: which of them stays (RFC 4271 §6.8, RFC 6286 §2.3, RFC 4724 §4.2).
//!
//! Both sides must come to the same answer, though each sees the other's messages late. Before a session stands, both
//! reckon from the same two identifiers. Once it stands it is not given up for a newcomer; but where the two connections
//! crossed, the gateway may not have seen it stand and may have chosen the newcomer, whose opposite we would choose: then
//! none would be left, and both would begin again. So the newcomer waits ([`Phase::Contested`]) for the gateway's
//! choice: the end of one of the two or, from a gateway that has restarted, its KEEPALIVE.

use super::connection::Phase;
use super::machine::{Effect, Neighbour};
use super::{Agreed, ConnectionId, Direction, End};
use crate::bgp::wire::{CeaseSubcode, MessageKind, Notification, keepalive};
use crate::model::{Asn, RouterId, Time};

/// What becomes of a connection whose OPEN has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// There is no other past its OPEN.
    Alone,
    /// The other one ends.
    Wins {
        /// The other one.
        over: ConnectionId,
    },
    /// It ends.
    Loses,
    /// The gateway chooses.
    Waits,
}

/// Which side's connection survives: that of the speaker with the higher identifier or, where they are equal, the higher
/// AS number.
fn survivor(local: (RouterId, Asn), peer: (RouterId, Asn)) -> Direction {
    if local >= peer { Direction::Outgoing } else { Direction::Incoming }
}

impl Neighbour {
    /// Collision detection, when the gateway's OPEN has come.
    pub(super) fn judge(&self, id: ConnectionId, agreed: &Agreed) -> Verdict {
        let Some(this) = self.connections.iter().find(|connection| connection.id == id) else { return Verdict::Loses };
        let local = (self.config.router_id, self.config.local_asn);
        let preferred = survivor(local, (agreed.peer_id(), agreed.peer_asn())) == this.direction;
        if let Some(session) = self.established_agreed() {
            if session.peer_id() != agreed.peer_id() {
                return Verdict::Loses; // another speaker at the same address
            }
            // RFC 4724 §4.2: who keeps routes and opens anew has restarted; from who does not, nothing is accepted.
            return if this.after_session || preferred { Verdict::Waits } else { Verdict::Loses };
        }
        let past_open = |phase: &Phase| !matches!(phase, Phase::OpenSent);
        match self.connections.iter().find(|other| other.id != id && past_open(&other.phase)) {
            None => Verdict::Alone,
            Some(other) if preferred => Verdict::Wins { over: other.id },
            Some(_) => Verdict::Loses,
        }
    }

    /// 6/7.
    pub(super) fn lose(&mut self, now: Time, id: ConnectionId, effects: &mut Vec<Effect>) {
        let cease = Notification::cease(CeaseSubcode::ConnectionCollision);
        self.end(now, id, Some(cease), End::Collision, effects);
    }

    /// It waits; of two that wait, the newer. No longer than the hold time: what the gateway has given up expires by then.
    pub(super) fn contest(&mut self, now: Time, id: ConnectionId, agreed: Box<Agreed>, effects: &mut Vec<Effect>) {
        let contested = |phase: &Phase| matches!(phase, Phase::Contested { .. });
        let older = self.connections.iter().find(|other| contested(&other.phase)).map(|other| other.id);
        if let Some(older) = older {
            self.lose(now, older, effects);
        }
        let Some(connection) = self.connection(id) else { return };
        // One that has restarted may want to see our KEEPALIVE before it sends its own; one that has not, and chooses
        // this connection by its identifier, must not take it for our choice.
        let told = connection.after_session;
        connection.phase = Phase::Contested { agreed, told, chosen: false };
        self.heard(now, id);
        if told {
            self.send(now, id, MessageKind::Keepalive, keepalive(), effects);
        }
    }

    pub(super) fn is_contested(&self, id: ConnectionId) -> bool {
        let this = self.connections.iter().find(|connection| connection.id == id);
        this.is_some_and(|this| matches!(this.phase, Phase::Contested { .. }))
    }

    /// The gateway's KEEPALIVE: it has chosen this connection and will end the other, unless it has restarted and knows
    /// of no other.
    pub(super) fn chosen(&mut self, now: Time, id: ConnectionId, effects: &mut Vec<Effect>) {
        let Some(this) = self.connection(id) else { return };
        let restarted = this.after_session;
        if let Phase::Contested { chosen, .. } = &mut this.phase {
            *chosen = true;
        }
        if let Some(session) = self.established().filter(|_| restarted) {
            // Without NOTIFICATION: a Cease would have it drop the routes.
            self.end(now, session, None, End::PeerRestarted, effects);
        }
    }

    /// Once the session has ended, the connection that waited goes on.
    pub(super) fn settle(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if !self.running || self.established().is_some() {
            return;
        }
        let waiting = self.connections.iter().find_map(|connection| match &connection.phase {
            Phase::Contested { agreed, told, chosen } => Some((connection.id, agreed.clone(), *told, *chosen)),
            _ => None,
        });
        if let Some((id, agreed, told, chosen)) = waiting {
            self.confirm(now, id, agreed.clone(), told, effects);
            if chosen {
                self.establish(now, id, agreed, effects);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker(id: u32, asn: u32) -> (RouterId, Asn) {
        (RouterId::new(id).unwrap(), Asn::new(asn).unwrap())
    }

    #[test]
    fn c4_the_higher_identifiers_connection_stays() {
        assert_eq!(survivor(speaker(2, 9), speaker(1, 10)), Direction::Outgoing);
        assert_eq!(survivor(speaker(1, 10), speaker(2, 9)), Direction::Incoming);
        assert_eq!(survivor(speaker(1, 9), speaker(1, 10)), Direction::Incoming, "equal identifiers: RFC 6286");
        // The identifier counts as a number: 0x80000000 is higher than 1.
        assert_eq!(survivor(speaker(0x8000_0000, 1), speaker(1, 1)), Direction::Outgoing);
    }
}
