//! By which routers the gateways are reached: the others are told, and whether all depend on one of the gateways is warned of.

use super::super::places::Places;
use crate::first_hop;
use crate::troubles::{PLACEMENT, Troubles, Wrong};
use fingerpost_core::replicas::{KnownReplica, ReplicaReport, SoleWay, sole_ways};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

/// How often the kernel is asked.
const EVERY: Duration = Duration::from_secs(10);
/// Named in one message.
const NAMED: usize = 3;

/// See the module.
#[derive(Default)]
pub(super) struct Placement {
    asked: Option<Instant>,
    of: Places,
    routers: BTreeMap<String, IpAddr>,
    ways: Vec<SoleWay>,
}

impl Placement {
    /// The routers by which gateways are reached, by the gateways' names.
    pub(super) async fn routers(&mut self, places: &Places) -> BTreeMap<String, IpAddr> {
        if self.of != *places || self.asked.is_none_or(|asked| asked.elapsed() >= EVERY) {
            let to: Vec<_> = places.values().copied().collect();
            let routers = first_hop::routers(&to).await;
            let found = places.keys().zip(routers).filter_map(|(name, router)| Some((name.clone(), router?)));
            (self.routers, self.of, self.asked) = (found.collect(), places.clone(), Some(Instant::now()));
        }
        self.routers.clone()
    }

    /// The others have been heard.
    pub(super) fn compare(&mut self, own: &ReplicaReport, others: &[KnownReplica], troubles: &Troubles) {
        let gateways = self.of.iter().map(|(name, (address, _))| (name.clone(), *address)).collect();
        let ways = sole_ways(own, others, &gateways);
        if self.ways == ways {
            return;
        }
        let wrong = (!ways.is_empty()).then(|| Wrong { kind: PLACEMENT, message: message(&ways) });
        match &wrong {
            Some(wrong) => tracing::warn!("{}", wrong.message),
            None => tracing::info!("no gateway is reached by another one from all replicas any more"),
        }
        troubles.of_placement(wrong);
        self.ways = ways;
    }
}

fn message(ways: &[SoleWay]) -> String {
    let mut named: Vec<String> = ways.iter().take(NAMED).map(ToString::to_string).collect();
    if let Some(more) = ways.len().checked_sub(NAMED).filter(|more| *more > 0) {
        named.push(format!("{more} more"));
    }
    format!(
        "all replicas reach a gateway by another one: {}. If that dies, the one behind it keeps all routes as they are for the hold time \
         and the stale time, and nobody can tell it what changes: give one of the replicas another way",
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_gateways_behind_one_are_a_short_message() {
        let way = |n: usize| SoleWay {
            gateway: format!("rack-{n}"),
            by: "core".into(),
            router: IpAddr::from([10, 168, 0, 1]),
        };
        let ways: Vec<SoleWay> = (0..1000).map(way).collect();
        let short = message(&ways);
        assert!(short.contains("rack-2 by core (10.168.0.1), 997 more. If"), "{short}");
        assert!(message(&ways[..1]).contains(": rack-0 by core (10.168.0.1). If"));
    }
}
