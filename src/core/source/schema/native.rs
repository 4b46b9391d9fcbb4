//! Fingerpost's own records: `<prefix>/hosts/<host>` → `{"addresses": […], "subnets": […], "labels": {…}}`.
//!
//! Fields we do not know are passed over: a record written for a newer version must not be lost on an older one. Both
//! `addresses` and `subnets` have to be there, though: otherwise `"subnet": …` would read as "owns nothing" and withdraw
//! what the host still has (P2); so it is unreadable, and the earlier claims stay.

use super::{Addresses, Statement, Text, Unreadable, add_address, from_object, quoted};
use crate::model::{HostName, Labels, Prefix};
use std::net::IpAddr;

#[derive(serde::Deserialize)]
struct Value<'a> {
    #[serde(borrow)]
    addresses: Vec<Text<'a>>,
    #[serde(borrow)]
    subnets: Vec<Text<'a>>,
    #[serde(default)]
    labels: Labels,
}

pub(super) fn decode(name: &[u8], value: &[u8]) -> Result<Statement, Unreadable> {
    let name = std::str::from_utf8(name).map_err(|_| Unreadable::new("the host's name in the key is not UTF-8"))?;
    if name.contains('/') {
        return Err(Unreadable::new(format!("{} is not a host's name: it has a slash", quoted(name))));
    }
    let host = HostName::new(name).map_err(|error| Unreadable::new(error.to_string()))?;
    let value: Value<'_> = from_object(value).map_err(|error| {
        Unreadable::new(format!(
            "{error}: write {{\"addresses\": [\"10.168.0.11\"], \"subnets\": [\"10.244.1.0/24\"]}}"
        ))
    })?;
    let mut addresses = Addresses::default();
    for Text(text) in &value.addresses {
        let address: IpAddr = text.parse().map_err(|_| {
            Unreadable::new(format!("{} is not an address: write 10.168.0.11 or fd00::11", quoted(text)))
        })?;
        add_address(&mut addresses, address)?;
    }
    let mut subnets = Vec::with_capacity(value.subnets.len());
    for Text(text) in &value.subnets {
        if text.len() > 80 {
            return Err(Unreadable::new(format!("{} is not a prefix", quoted(text))));
        }
        subnets.push(text.parse::<Prefix>().map_err(|error| Unreadable::new(error.to_string()))?);
    }
    subnets.sort_unstable();
    subnets.dedup();
    Ok(Statement { host, labels: value.labels, addresses, subnets })
}
