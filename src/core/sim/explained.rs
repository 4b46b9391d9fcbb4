//! P8 at rest: what is said of a gateway, of a prefix and of the claims for it is so.

use super::script::covers;
use super::settings::{self, gateway_name, is_admitted};
use super::world::World;
use crate::engine::{RouteRow, TellState};
use crate::model::Prefix;
use crate::table::Standing;
use crate::testing::Said;
use crate::testing::store::{Host, name};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A claim as an explanation shows it: the source, the record's key and revision, the next hop, and what bars it.
type Claimed = (String, String, u64, IpAddr, &'static str);

impl World {
    /// What is said of a gateway is so.
    pub(super) fn check_told(&mut self, n: usize, held: &BTreeMap<Prefix, Said>) {
        let prefix = settings::prefix(self.dice.from(0..=59) as u8);
        let Some(process) = &self.process else { return };
        let rows = process.engine.told_rows(prefix, None, 100);
        let row = rows.into_iter().find(|row| row.gateway == gateway_name(n)).unwrap();
        let (told, holds) = (row.told, held.contains_key(&prefix));
        let fits = (told == TellState::Told) == holds && !matches!(told, TellState::Pending | TellState::Down);
        assert!(fits, "P8: {prefix} is said to be {told:?} at gateway {n}, and it is held there: {holds}");
    }

    /// All claims are shown, with their records, and why the others are not announced.
    pub(super) fn check_claims(&self, announced: &BTreeMap<Prefix, (String, IpAddr)>) {
        let Some(process) = &self.process else { return };
        for prefix in settings::all_prefixes() {
            let row = process.engine.route(prefix);
            let mut shown: Vec<Claimed> = row.iter().flat_map(|row| row.claims.iter().map(claimed)).collect();
            let mut stated = self.claims_of(prefix);
            shown.sort();
            stated.sort();
            stated.dedup();
            assert_eq!(shown, stated, "P8: the claims for {prefix}");
            let Some(RouteRow { claims, hold, .. }) = row else { continue };
            let of = |rank| {
                let claims = claims.iter().filter(move |claim| claim.standing.rank() == rank);
                claims.map(|claim| (claim.host.clone(), claim.next_hop)).collect::<Vec<_>>()
            };
            let (route, held) = (of(Standing::Route.rank()), of(1));
            let announced = announced.get(&prefix).cloned();
            let is_so = route.len() <= 1 && route.iter().all(|owner| Some(owner) == announced.as_ref());
            assert!(is_so, "P8: {prefix} is said to be announced as of {route:?}, and is of {announced:?}");
            let to = hold.and_then(|hold| hold.to);
            assert_eq!(held, to.into_iter().collect::<Vec<_>>(), "P8: what is held of {prefix}");
        }
    }

    /// What the stores state.
    fn claims_of(&self, prefix: Prefix) -> Vec<Claimed> {
        let mut claims = Vec::new();
        for (n, store) in self.stores.iter().enumerate() {
            for (host, (what, _, modified)) in &store.hosts {
                for (_, next_hop) in what.iter().flat_map(Host::claims).filter(|(stated, _)| *stated == prefix) {
                    let is_forced = self.forced.iter().any(|target| covers(target, prefix, &name(*host)));
                    let bar = match is_admitted(prefix, next_hop) {
                        false => "fenced",
                        true if is_forced => "forced",
                        true => "",
                    };
                    let key = format!("/fp/hosts/{}", name(*host));
                    claims.push((format!("source-{n}"), key, modified.0, next_hop, bar));
                }
            }
        }
        claims
    }
}

fn claimed(claim: &crate::engine::ClaimRow) -> Claimed {
    let bar = match claim.standing {
        Standing::Fenced(_) => "fenced",
        Standing::Forced => "forced",
        Standing::Route | Standing::Held(_) | Standing::Shadowed => "",
    };
    (claim.source.clone(), claim.key.clone(), claim.revision, claim.next_hop, bar)
}
