//! What a gateway is told of a route: the first rule that matches decides.
//!
//! A route that no rule matches is rejected. Without a policy at all, an eBGP gateway is told nothing (RFC 8212 §2.1)
//! and an iBGP gateway everything.

use crate::bgp::wire::RouteAttributes;
use crate::model::{Family, Prefix, SourceId};
use crate::table::{Allowed, Owner};
use std::net::IpAddr;

/// 65535:0 (RFC 8326 §3).
const GRACEFUL_SHUTDOWN: u32 = 0xFFFF_0000;

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
    /// Instead of the host: a third party (RFC 4271 §5.1.3). For routes of its own family; one of IPv6 also for IPv4 routes
    /// where the rule matches that family alone (RFC 8950).
    pub next_hop: Option<IpAddr>,
    /// MULTI_EXIT_DISC (RFC 4271 §5.1.4).
    pub med: Option<u32>,
    /// LOCAL_PREF, on iBGP only (RFC 4271 §5.1.5).
    pub local_pref: Option<u32>,
    /// Communities (RFC 1997).
    pub communities: Vec<u32>,
    /// Extended communities (RFC 4360).
    pub extended_communities: Vec<[u8; 8]>,
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

    /// The same with GRACEFUL_SHUTDOWN on every route (RFC 8326 §4.2): the gateway prefers any other path, and keeps this
    /// one as long as there is none.
    pub fn drained(&self) -> Self {
        let mut policy = self.clone();
        for rule in policy.rules.iter_mut().filter(|rule| !rule.set.communities.contains(&GRACEFUL_SHUTDOWN)) {
            rule.set.communities.push(GRACEFUL_SHUTDOWN);
            rule.set.communities.sort_unstable();
        }
        policy
    }

    /// What is sent of a route, if anything.
    pub fn export(&self, prefix: Prefix, owner: &Owner, source: SourceId) -> Option<RouteAttributes> {
        let rule = self.rules.iter().find(|rule| rule.matcher.holds(prefix, owner, source))?;
        rule.accept.then(|| rule.attributes(prefix.family(), owner))
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

impl Rule {
    fn attributes(&self, family: Family, owner: &Owner) -> RouteAttributes {
        let set = &self.set;
        let fits = |next_hop: &IpAddr| {
            let only_this = self.matcher.family == Some(family);
            Family::of(*next_hop) == family || (next_hop.is_ipv6() && only_this)
        };
        RouteAttributes {
            next_hop: set.next_hop.filter(fits).unwrap_or(owner.next_hop),
            med: set.med,
            local_pref: set.local_pref,
            communities: set.communities.clone().into(),
            extended_communities: set.extended_communities.clone().into(),
            large_communities: set.large_communities.clone().into(),
            prepend: set.prepend,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Match, Policy, Rule, Set};
    use crate::model::{Family, HostName, Labels, Prefix, SourceId};
    use crate::table::{Allowed, Owner};
    use std::sync::Arc;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn owner(next_hop: &str) -> Owner {
        let labels = Labels([("zone".to_owned(), "a".to_owned()), ("rack".to_owned(), String::new())].into());
        let host = HostName::new("node-1").unwrap();
        Owner { host, next_hop: next_hop.parse().unwrap(), other_address: None, labels: Arc::new(labels) }
    }

    fn rule(matcher: Match, med: u32) -> Rule {
        Rule { matcher, set: Set { med: Some(med), ..Set::default() }, accept: true }
    }

    /// The MED that tells which rule decided; none: the route is not sent.
    fn decides(rules: Vec<Rule>, of: &str) -> Option<u32> {
        let via = if prefix(of).family() == Family::Ipv4 { "10.168.0.11" } else { "fd00:10:168::11" };
        Policy { rules }.export(prefix(of), &owner(via), SourceId(1))?.med
    }

    #[test]
    fn the_first_rule_that_matches_decides_and_what_none_matches_is_rejected() {
        let wide =
            Match { prefixes: vec![Allowed { within: prefix("10.244.0.0/16"), lengths: 24..=24 }], ..Match::default() };
        let rules = || {
            vec![
                Rule { accept: false, ..rule(Match { family: Some(Family::Ipv6), ..Match::default() }, 1) },
                rule(wide.clone(), 2),
            ]
        };
        assert_eq!(decides(rules(), "10.244.1.0/24"), Some(2));
        assert_eq!(decides(rules(), "10.244.1.0/25"), None, "another length");
        assert_eq!(decides(rules(), "10.245.1.0/24"), None, "another range");
        assert_eq!(decides(rules(), "fd00::/64"), None, "rejected by the first");
        assert_eq!(decides(vec![], "10.244.1.0/24"), None, "no rule at all");
    }

    #[test]
    fn every_condition_must_hold_and_each_alone_can_fail() {
        let all = Match {
            prefixes: vec![Allowed { within: prefix("10.244.0.0/16"), lengths: 20..=28 }],
            family: Some(Family::Ipv4),
            hosts: vec!["node-0".into(), "node-1".into()],
            labels: vec![("rack".into(), String::new()), ("zone".into(), "a".into())],
            sources: vec![SourceId(0), SourceId(1)],
        };
        let of = "10.244.1.0/24";
        assert_eq!(decides(vec![rule(all.clone(), 7)], of), Some(7));
        let broken = [
            Match { prefixes: vec![Allowed { within: prefix("10.244.0.0/16"), lengths: 25..=28 }], ..all.clone() },
            Match { family: Some(Family::Ipv6), ..all.clone() },
            Match { hosts: vec!["node-2".into()], ..all.clone() },
            Match { labels: vec![("zone".into(), "b".into())], ..all.clone() },
            Match { labels: vec![("row".into(), String::new())], ..all.clone() },
            Match { sources: vec![SourceId(0)], ..all },
        ];
        for matcher in broken {
            assert_eq!(decides(vec![rule(matcher.clone(), 7)], of), None, "{matcher:?}");
        }
    }

    /// RFC 8326 §4.2: nothing else about the routes changes, and a policy that sets it already says it once.
    #[test]
    fn c12_a_drained_policy_adds_graceful_shutdown_and_nothing_else() {
        let route = (prefix("10.244.1.0/24"), owner("10.168.0.11"), SourceId(1));
        let export = |policy: &Policy| policy.export(route.0, &route.1, route.2);
        let of = |communities: &[u32]| {
            let set = Set { communities: communities.to_vec(), med: Some(3), ..Set::default() };
            Policy { rules: vec![Rule { matcher: Match::default(), set, accept: true }] }
        };
        for communities in [&[][..], &[0xFC00_0001], &[0xFFFF_0000], &[0xFC00_0001, 0xFFFF_FF01]] {
            let mut expected = export(&of(communities)).unwrap();
            let mut with = communities.to_vec();
            with.push(0xFFFF_0000);
            with.sort_unstable();
            with.dedup();
            expected.communities = with.into();
            assert_eq!(export(&of(communities).drained()), Some(expected));
        }
        assert_eq!(export(&Policy::default().drained()), None, "what is not sent stays so");
        let rejects = Policy { rules: vec![Rule { accept: false, ..rule(Match::default(), 1) }] };
        assert_eq!(export(&rejects.drained()), None);
    }

    #[test]
    fn a_next_hop_is_set_for_its_own_family_and_for_ipv4_alone_where_asked() {
        let set = |family: Option<Family>, next_hop: &str, of: &str, via: &str| {
            let set = Set { next_hop: Some(next_hop.parse().unwrap()), ..Set::default() };
            let matcher = Match { family, ..Match::default() };
            let policy = Policy { rules: vec![Rule { matcher, set, accept: true }] };
            policy.export(prefix(of), &owner(via), SourceId(1)).map(|attributes| attributes.next_hop.to_string())
        };
        let (four, six) = ("10.244.1.0/24", "fd00:10:244:1::/64");
        assert_eq!(set(None, "10.168.0.99", four, "10.168.0.11").unwrap(), "10.168.0.99");
        assert_eq!(set(None, "10.168.0.99", six, "fd00::11").unwrap(), "fd00::11", "cannot say an IPv4 next hop");
        assert_eq!(set(None, "fd00::99", six, "fd00::11").unwrap(), "fd00::99");
        assert_eq!(set(None, "fd00::99", four, "10.168.0.11").unwrap(), "10.168.0.11", "not meant for IPv4");
        assert_eq!(set(Some(Family::Ipv4), "fd00::99", four, "10.168.0.11").unwrap(), "fd00::99", "RFC 8950");
    }
}
