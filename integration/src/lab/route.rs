//! What a kernel's routing table says, read by `ip -j route`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value;

use super::namespace::Namespace;
use super::topology::{PODS_V4, PODS_V6};

/// The pod subnets of a routing table and their next hops. More than one next hop is a multipath route, none is a route
/// that goes nowhere (`unreachable`, `blackhole`).
pub type PodRoutes = BTreeMap<String, BTreeSet<IpAddr>>;

/// The pod subnets in the main table of `namespace`, IPv4 and IPv6.
#[must_use]
pub fn pod_routes(namespace: &Namespace) -> PodRoutes {
    let mut routes = PodRoutes::new();
    for family in ["-4", "-6"] {
        let text = namespace.ip(&format!("{family} -j route show table main"));
        let parsed: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
        for route in parsed.as_array().into_iter().flatten() {
            let prefix = route["dst"].as_str().unwrap_or_default();
            if is_pod_subnet(prefix) {
                let via = routes.entry(prefix.to_owned()).or_default();
                via.extend(next_hop(route));
                via.extend(route["nexthops"].as_array().into_iter().flatten().filter_map(next_hop));
            }
        }
    }
    routes
}

/// True for a prefix out of the range of the pods, as `ip` writes it (a single address has no length). The ranges
/// themselves are the gateway's own discard routes.
#[must_use]
pub fn is_pod_subnet(prefix: &str) -> bool {
    if [PODS_V4, PODS_V6].contains(&prefix) {
        return false;
    }
    prefix.starts_with("10.244.") || prefix.starts_with("fd00:10:244:")
}

fn next_hop(route: &Value) -> Option<IpAddr> {
    route["gateway"].as_str().or_else(|| route["via"]["host"].as_str())?.parse().ok()
}
