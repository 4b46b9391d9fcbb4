//! A restart with another configuration: what an earlier process had in force goes on until its routes are here, and then the new
//! settings are judged against it, like a reload (promise P3).

use super::{Effect, Engine, GatewaySettings, InForce, Settings, Source};
use crate::model::Time;
use crate::policy::Policy;

/// The policy of gateways of which nothing is known. No name in a configuration is empty.
const UNKNOWN: &str = "";

impl Settings {
    /// These settings with the fence and what gateways were told by as they were `before`. A gateway that is new is told nothing.
    #[must_use]
    pub fn as_before(&self, before: &Settings) -> Settings {
        let Settings { policies, gateways, .. } = before;
        let in_force = InForce { policies: policies.clone(), gateways: gateways.clone() };
        let as_before = |gateway: &GatewaySettings| {
            let mut gateway = gateway.clone();
            match in_force.counterpart(&gateway, &self.gateways) {
                None => gateway.policy = UNKNOWN.into(),
                Some(old) => {
                    gateway.policy.clone_from(&old.policy);
                    gateway.exclusion.attached.clone_from(&old.exclusion.attached);
                }
            }
            gateway
        };
        let mut policies = policies.clone();
        policies.insert(UNKNOWN.into(), Policy::default());
        let gateways = self.gateways.iter().map(as_before).collect();
        Settings { policies, gateways, fence: before.fence.clone(), ..self.clone() }
    }
}

impl Engine {
    /// The settings so far are those of an earlier process; these are to be judged against them, once every source of which it
    /// knew something has its routes. To be called before the first input.
    pub fn succeed(&mut self, now: Time, mut settings: Settings, effects: &mut Vec<Effect>) {
        settings.sources.iter_mut().for_each(|source| source.snapshot = None); // large, and in use already
        self.wanted = Some(Box::new(settings));
        self.take_wanted(now, effects);
        if self.wanted.is_some() {
            effects.push(Effect::Taken(self.taken()));
        }
    }

    /// Whether the settings given last are in force as they are.
    pub fn is_as_wanted(&self) -> bool {
        self.wanted.is_none() && self.reload_holds().is_empty()
    }

    pub(super) fn take_wanted(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.wanted.is_none() || self.sources.iter().any(Source::is_awaited) {
            return;
        }
        if let Some(settings) = self.wanted.take() {
            self.reconfigure(now, *settings, effects);
        }
    }
}
