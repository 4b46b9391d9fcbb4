//! Gateways that a person has drained, whatever the configuration says: what they are told carries GRACEFUL_SHUTDOWN (RFC 8326), and
//! their sessions are not touched. Frozen, it holds as well: the routes stay, and a gateway is drained because something is wrong
//! with it, or will be.

use super::{Engine, GatewaySettings, InForce};
use crate::model::Time;
use crate::policy::Policy;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// By name. A gateway need not be configured: another reload may bring it back.
#[derive(Default)]
pub(super) struct Drains {
    gateways: BTreeSet<Arc<str>>,
    changes: u64,
}

impl Drains {
    /// Another number than before: others are drained.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }
}

impl Engine {
    /// The gateways that a person has drained.
    pub fn drained(&self) -> impl Iterator<Item = &Arc<str>> {
        self.drains.gateways.iter()
    }

    /// Whether a person has drained this one.
    pub(super) fn is_drained(&self, gateway: &str) -> bool {
        self.drains.gateways.contains(gateway)
    }

    /// The names in the configuration, of ranges too.
    pub fn gateway_names(&self) -> impl Iterator<Item = &str> {
        self.in_force.gateways.iter().map(|gateway| &*gateway.name)
    }

    /// From now on it is drained, or not; whether that is new.
    pub(super) fn drain(&mut self, now: Time, gateway: &Arc<str>, drain: bool) -> bool {
        let gateways = &mut self.drains.gateways;
        let is_new = if drain { gateways.insert(Arc::clone(gateway)) } else { gateways.remove(gateway) };
        if is_new {
            self.drains.changes += 1;
            let InForce { policies, gateways } = std::mem::take(&mut self.in_force);
            self.tell_by(now, policies, gateways);
        }
        is_new
    }

    /// Gateways are told by these from now on.
    pub(super) fn tell_by(&mut self, now: Time, policies: BTreeMap<String, Policy>, gateways: Vec<GatewaySettings>) {
        let mut told = gateways.clone();
        told.iter_mut().for_each(|gateway| gateway.drain |= self.is_drained(&gateway.name));
        self.views.reconfigure(&policies, &told, &self.table);
        self.renew_overrides_of_views(now);
        self.in_force = InForce { policies, gateways };
        self.outlets.reconfigure(told, &mut self.views, &self.table);
    }
}
