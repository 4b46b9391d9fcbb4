//! Whether all replicas reach a gateway by another one.
//!
//! If that one dies, the gateway behind it hears of no end: it waits for the hold time, and keeps what it has for the stale time, whatever changes
//! meanwhile. Only a replica with a way of its own could tell it.

use super::{KnownReplica, ReplicaReport};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// A gateway that all replicas reach by the same other one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SoleWay {
    /// Its name.
    pub gateway: String,
    /// The other's.
    pub by: String,
    /// The other's address.
    pub router: IpAddr,
}

impl fmt::Display for SoleWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {} ({})", self.gateway, self.by, self.router)
    }
}

/// Those of these `gateways`, by name and with their addresses, that this replica and all others that take part reach by the same other
/// gateway. A router that is no gateway may be an address that several share, so that nothing is said of it; nor is it where somebody
/// does not say how it reaches a gateway, or nobody else takes part.
pub fn sole_ways(own: &ReplicaReport, others: &[KnownReplica], gateways: &BTreeMap<String, IpAddr>) -> Vec<SoleWay> {
    let present = || others.iter().filter(|other| other.gone.is_none());
    let of_all = |gateway: &String, router: &IpAddr| {
        present().all(|other| other.report.routers.get(gateway) == Some(router)) && present().next().is_some()
    };
    let way = |(gateway, router): (&String, &IpAddr)| {
        let mut others = gateways.iter().filter(|(name, _)| *name != gateway);
        let (by, _) = others.find(|(_, address)| *address == router)?;
        Some(SoleWay { gateway: gateway.clone(), by: by.clone(), router: *router })
    };
    own.routers.iter().filter(|(gateway, router)| of_all(gateway, router)).filter_map(way).collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;
    use crate::model::Time;

    /// Replicas that reach core-b by these routers, if any; core-a is at 10.168.0.1.
    fn found(routers: &[Option<&str>]) -> Vec<String> {
        let report = |(n, router): (usize, &Option<&str>)| {
            let mut report = report(&format!("10.0.3.{n}"));
            report.routers = router.map(|router| ("core-b".to_owned(), router.parse().unwrap())).into_iter().collect();
            report
        };
        let mut reports = routers.iter().enumerate().map(report);
        let own = reports.next().unwrap();
        let others: Vec<_> = reports.map(|report| KnownReplica { report, gone: None }).collect();
        ways(&own, &others)
    }

    fn ways(own: &ReplicaReport, others: &[KnownReplica]) -> Vec<String> {
        let addresses = [("core-a", "10.168.0.1"), ("core-b", "10.169.0.1")];
        let gateways = addresses.map(|(name, address)| (name.to_owned(), address.parse().unwrap())).into();
        sole_ways(own, others, &gateways).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn l12_a_gateway_that_all_reach_by_the_same_other_one_is_found() {
        let by = Some("10.168.0.1");
        assert_eq!(found(&[by, by]), ["core-b by core-a (10.168.0.1)"]);
        assert_eq!(found(&[by, by, by]), ["core-b by core-a (10.168.0.1)"]);
        let fine: [&[Option<&str>]; 6] = [
            &[by, None],
            &[None, by],
            &[by, by, Some("10.168.0.2")],
            &[Some("10.168.0.9"), Some("10.168.0.9")],
            &[Some("10.169.0.1"), Some("10.169.0.1")],
            &[by],
        ];
        fine.into_iter().for_each(|routers| assert_eq!(found(routers), [""; 0], "{routers:?}"));
    }

    #[test]
    fn l12_who_is_gone_has_no_way_of_its_own_any_more() {
        let routers = |router: &str| [("core-b".to_owned(), router.parse().unwrap())].into();
        let mut own = report("10.0.3.1");
        own.routers = routers("10.168.0.1");
        let mut other = KnownReplica { report: own.clone(), gone: None };
        let mut third = KnownReplica { report: report("10.0.3.3"), gone: None };
        third.report.routers.clear();
        assert_eq!(ways(&own, &[other.clone(), third.clone()]).len(), 0, "it has another one, or does not say");
        third.gone = Some(Time::ZERO);
        assert_eq!(ways(&own, &[other.clone(), third.clone()]).len(), 1);
        other.gone = Some(Time::ZERO);
        assert_eq!(ways(&own, &[other, third]).len(), 0, "there is no other");
    }
}
