//! Where the configured gateways are.

use crate::config::{Config, Gateway, Remote};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Their addresses by name, and from where our connections to them come, if that is set.
pub(super) type Places = BTreeMap<String, (IpAddr, Option<IpAddr>)>;

pub(super) fn of(config: &Config) -> Places {
    let place = |(name, gateway): (&String, &Gateway)| match gateway.remote {
        Remote::Address(address) => Some((name.clone(), (address, gateway.source_address))),
        Remote::Range { .. } => None,
    };
    config.gateways.iter().filter_map(place).collect()
}
