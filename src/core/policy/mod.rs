//! What a gateway is told of a route: the first rule that matches decides.
//!
//! A route that no rule matches is rejected. Without a policy at all, an eBGP gateway is told nothing (RFC 8212 §2.1)
//! and an iBGP gateway everything.

use crate::bgp::wire::RouteAttributes;
use crate::model::{Family, Prefix, SourceId};
use crate::table::{Allowed, Owner};

/// Rules in order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Policy {
    /// The first that matches decides.
    pub rules: Vec<Rule>,
}

/// Match, change, decide.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Rule {
    /// All that is named must hold.
    pub matcher: Match,
    /// What the route carries.
    pub set: Set,
    /// Whether the gateway is told.
    pub accept: bool,
}

/// Conditions; an empty one always holds.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Match {
    /// The prefix lies in one of these, with an allowed length.
    pub prefixes: Vec<Allowed>,
    /// The prefix's family.
    pub family: Option<Family>,
    /// The owner's name is one of these.
    pub hosts: Vec<String>,
    /// The owner has all these labels with these values.
    pub labels: Vec<(String, String)>,
    /// The route comes from one of these sources.
    pub sources: Vec<SourceId>,
}

/// Attributes to send with the route, beside its next hop.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Set {
    /// MULTI_EXIT_DISC (RFC 4271 §5.1.4).
    pub med: Option<u32>,
    /// LOCAL_PREF, on iBGP only (RFC 4271 §5.1.5).
    pub local_pref: Option<u32>,
    /// Communities (RFC 1997).
    pub communities: Vec<u32>,
    /// Large communities (RFC 8092).
    pub large_communities: Vec<[u32; 3]>,
    /// Extra copies of the own AS in AS_PATH, on eBGP only.
    pub prepend: u8,
}

impl Policy {
    /// One rule that accepts everything.
    pub fn accept_all() -> Self {
        Policy { rules: vec![Rule { matcher: Match::default(), set: Set::default(), accept: true }] }
    }

    /// What is sent of a route, if anything.
    pub fn export(&self, prefix: Prefix, owner: &Owner, source: SourceId) -> Option<RouteAttributes> {
        let rule = self.rules.iter().find(|rule| rule.matcher.holds(prefix, owner, source))?;
        rule.accept.then(|| rule.set.attributes(owner))
    }

    /// Whether routes of the same owner and source can differ: if not, one answer serves all of them.
    pub fn looks_at_prefix(&self) -> bool {
        self.rules.iter().any(|rule| !rule.matcher.prefixes.is_empty())
    }
}

impl Match {
    fn holds(&self, prefix: Prefix, owner: &Owner, source: SourceId) -> bool {
        let named = |hosts: &[String]| hosts.is_empty() || hosts.iter().any(|host| host == owner.host.as_str());
        let inside = self.prefixes.is_empty()
            || self.prefixes.iter().any(|a| a.within.covers(prefix) && a.lengths.contains(&prefix.length()));
        inside
            && self.family.is_none_or(|family| family == prefix.family())
            && named(&self.hosts)
            && self.labels.iter().all(|(name, value)| owner.labels.0.get(name) == Some(value))
            && (self.sources.is_empty() || self.sources.contains(&source))
    }
}

impl Set {
    fn attributes(&self, owner: &Owner) -> RouteAttributes {
        RouteAttributes {
            next_hop: owner.next_hop,
            med: self.med,
            local_pref: self.local_pref,
            communities: self.communities.clone().into(),
            extended_communities: Vec::new().into(),
            large_communities: self.large_communities.clone().into(),
            prepend: self.prepend,
        }
    }
}
