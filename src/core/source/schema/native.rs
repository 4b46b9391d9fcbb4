//! Fingerpost's own records: `<prefix>/hosts/<host>` → `{"addresses": […], "subnets": […], "labels": {…}}`.
//!
//! Fields we do not know are passed over and reported: a record written for a newer version must not be lost on an older
//! one, and `label` for `labels` would change what a policy does without a word. Both
//! `addresses` and `subnets` have to be there, though: otherwise `"subnet": …` would read as "owns nothing" and withdraw
//! what the host still has (P2); so it is unreadable, and the earlier claims stay.

use super::{Addresses, Statement, Text, Unreadable, add_address, from_object, quoted};
use crate::model::{HostName, Labels, Prefix};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::fmt;
use std::net::IpAddr;

struct Value<'a> {
    addresses: Vec<Text<'a>>,
    subnets: Vec<Text<'a>>,
    labels: Labels,
    /// The first field that we do not know.
    unknown: Option<Box<str>>,
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

/// Reads the fields in any order. By hand, since serde says nothing of the ones it passes over.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        let (mut addresses, mut subnets, mut labels, mut unknown) = (None, None, None, None);
        while let Some(Text(name)) = map.next_key()? {
            match &*name {
                "addresses" => once(&mut addresses, "addresses", map.next_value()?)?,
                "subnets" => once(&mut subnets, "subnets", map.next_value()?)?,
                "labels" => once(&mut labels, "labels", map.next_value()?)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    unknown.get_or_insert_with(|| quoted(&name).into_boxed_str());
                }
            }
        }
        Ok(Value {
            addresses: addresses.ok_or_else(|| Error::missing_field("addresses"))?,
            subnets: subnets.ok_or_else(|| Error::missing_field("subnets"))?,
            labels: labels.unwrap_or_default(),
            unknown,
        })
    }
}

fn once<T, E: Error>(field: &mut Option<T>, name: &'static str, value: T) -> Result<(), E> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::duplicate_field(name)),
    }
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
    Ok(Statement { host, labels: value.labels, addresses, subnets, unknown: value.unknown })
}
