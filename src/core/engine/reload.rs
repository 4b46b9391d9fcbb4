//! A reload through the guard: what a change of policies, or of a gateway's `attached`, would take away is counted before it is
//! done (promise P3).
//!
//! What is above the limit stays as it is, for a person to approve: the old policy, or a gateway's old choice of policy and
//! `attached`. The rest of the reload is taken. Nothing of it passes by proof: the file is a person's, and so is the decision.

use super::difference::{Difference, Walks};
use super::timeline::Happened;
use super::{Effect, Engine, GatewaySettings, InForce, Settings};
use crate::model::Time;
use crate::policy::Policy;
use crate::view::Exclusion;
use std::collections::BTreeSet;

/// Settings of which some part is held.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    settings: Settings,
    holds: Vec<ReloadHold>,
    /// A person has let it pass; it waits for the end of a freeze.
    approved: bool,
}

/// A part of a reload that is kept back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReloadHold {
    /// What it is about: `policy NAME` or `gateway NAME`.
    pub what: String,
    /// Routes that would be withdrawn from each gateway concerned.
    pub withdrawn: usize,
    /// Routes that would get another next hop.
    pub moved: usize,
    /// Of so many.
    pub of: usize,
    /// Since when.
    pub since: Time,
}

impl InForce {
    /// What the gateway was, if it was there: also under a name that is gone, at the same address. Of several at one address,
    /// which differ in their ports, any one will do: what is wrong then is that too much is held.
    pub(super) fn counterpart(&self, gateway: &GatewaySettings, now: &[GatewaySettings]) -> Option<&GatewaySettings> {
        let is_gone = |old: &&GatewaySettings| now.iter().all(|gateway| gateway.id != old.id);
        let own = &gateway.exclusion.own;
        let at_its_address = |old: &&GatewaySettings| !own.is_empty() && old.exclusion.own == *own;
        let same = self.gateways.iter().find(|old| old.id == gateway.id);
        // In this order: with every gateway renamed, the other would compare each with each, for each.
        same.or_else(|| self.gateways.iter().filter(at_its_address).find(is_gone))
    }
}

impl Engine {
    /// Takes another fence, other limits, policies and gateways; only the difference goes out. The sources stay as they are.
    /// What would take away more than the guard allows is held.
    pub fn reconfigure(&mut self, now: Time, settings: Settings, effects: &mut Vec<Effect>) {
        self.latest = now;
        if self.wanted.is_some() {
            // The sessions of gateways begin at once; what they are told by stays as it was.
            let InForce { policies, gateways } = &self.in_force;
            let (policies, gateways) = (policies.clone(), gateways.clone());
            let before = Settings { policies, gateways, fence: self.table.fence().clone(), ..settings.clone() };
            let known = settings.as_before(&before);
            self.wanted = Some(Box::new(settings));
            self.take(now, known, effects);
        } else {
            self.judge(now, settings, effects);
        }
        effects.push(Effect::Taken(self.taken()));
    }

    /// Takes what the guard allows of them, and holds the rest.
    pub(super) fn judge(&mut self, now: Time, settings: Settings, effects: &mut Vec<Effect>) {
        let mut walks = Walks::default();
        let (allowed, holds) = self.allowed(now, &settings, &mut walks);
        self.walks += walks.count();
        let told = |hold: &&ReloadHold| {
            let mut known = self.reload_holds().iter();
            known.all(|known| (&known.what, known.withdrawn) != (&hold.what, hold.withdrawn))
        };
        effects.extend(holds.iter().filter(told).cloned().map(Effect::ReloadHeld));
        let (gateways, held) = (settings.gateways.len(), holds.len());
        self.timeline.push(now, Happened::Reloaded { gateways, held });
        self.pending = (!holds.is_empty()).then_some(Pending { settings, holds, approved: false });
        self.take(now, allowed, effects);
    }

    /// Lets pass what is held of the last reload, while frozen once that ends; how many parts.
    pub(super) fn approve_reload(&mut self, now: Time, effects: &mut Vec<Effect>) -> usize {
        let Some(pending) = self.pending.as_mut().filter(|pending| !pending.approved) else { return 0 };
        let parts = pending.holds.len();
        pending.approved = true;
        if self.holds_still().is_none() {
            self.judge_reload(now, effects);
        }
        parts
    }

    /// What is held of the last reload passes if a person said so, and is judged anew if not.
    pub(super) fn judge_reload(&mut self, now: Time, effects: &mut Vec<Effect>) {
        match self.pending.take() {
            Some(Pending { settings, approved: true, .. }) => {
                self.timeline.push(now, Happened::Reloaded { gateways: settings.gateways.len(), held: 0 });
                self.take(now, settings, effects);
                effects.push(Effect::Taken(self.taken()));
            }
            Some(Pending { settings, .. }) => self.reconfigure(now, settings, effects),
            None => {}
        }
    }

    /// Grows by one whenever all routes are gone through to judge a reload: with it a test holds that gateways share that.
    pub fn walks(&self) -> u64 {
        self.walks
    }

    /// What is held of the last reload.
    pub fn reload_holds(&self) -> &[ReloadHold] {
        self.pending.as_ref().map_or(&[], |pending| &pending.holds)
    }

    /// The settings without what is above the limits, and that.
    fn allowed(&self, now: Time, settings: &Settings, walks: &mut Walks) -> (Settings, Vec<ReloadHold>) {
        let mut allowed = settings.clone();
        let mut holds: Vec<ReloadHold> = Vec::new();
        let mut hold = |what: String, Difference { withdrawn, moved, of }| {
            let earlier = self.reload_holds().iter().find(|hold| hold.what == what);
            let since = earlier.map_or(now, |hold| hold.since);
            holds.push(ReloadHold { what, withdrawn, moved, of, since });
        };
        let before = &self.in_force;
        // Frozen, nothing changes: no attribute either.
        let is_held = |difference: &Difference| {
            difference.is_above(&settings.guard) || (self.holds_still().is_some() && difference.of > 0)
        };
        let used: BTreeSet<&str> = before.gateways.iter().map(|gateway| &*gateway.policy).collect();
        for (name, policy) in &mut allowed.policies {
            let used = |old: &&Policy| *old != policy && used.contains(name.as_str());
            let Some(old) = before.policies.get(name).filter(used) else { continue };
            let difference = walks.of_policy(&self.table, old, policy);
            if is_held(&difference) {
                hold(format!("policy {name}"), difference);
                policy.clone_from(old);
            }
        }
        for gateway in &mut allowed.gateways {
            let Some(old) = before.counterpart(gateway, &settings.gateways) else { continue };
            if (&old.policy, &old.exclusion.attached) == (&gateway.policy, &gateway.exclusion.attached) {
                continue;
            }
            let Some(policy) = before.policies.get(&old.policy) else { continue };
            // Its own addresses are no decision of the file's.
            let after = Exclusion { own: old.exclusion.own.clone(), attached: gateway.exclusion.attached.clone() };
            let other = allowed.policies.get(&gateway.policy).map(|policy| (&*gateway.policy, policy));
            let walk = walks.of_choice(&self.table, (&old.policy, policy), other);
            let difference = walk.between(&old.exclusion, &after);
            if is_held(&difference) {
                hold(format!("gateway {}", gateway.name), difference);
                allowed.policies.entry(old.policy.clone()).or_insert_with(|| policy.clone());
                gateway.policy.clone_from(&old.policy);
                gateway.exclusion.attached.clone_from(&old.exclusion.attached);
            }
        }
        (allowed, holds)
    }

    /// Takes the settings as they are.
    fn take(&mut self, now: Time, settings: Settings, effects: &mut Vec<Effect>) {
        self.expect_others(now, settings.others);
        self.interrupt();
        self.table.reconfigure(settings.fence.clone(), settings.priorities(), settings.guard.clone());
        self.settle(now, effects);
        self.tell_by(now, settings.policies, settings.gateways);
    }
}
