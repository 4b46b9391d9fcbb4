//! An order as it is stored, under `KEY/orders/` and in `state_dir`.

use super::{Decided, Giver, Number, Order, SeenChange, What};
use crate::model::{HostName, Instance, Prefix, Replica, is_name};
use crate::replicas::Digest;
use crate::source::{ClusterId, Rev};
use crate::table::{ChangeKind, Target};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// The form of the records; another one is not read, and never written over.
const FORM: u32 = 1;
/// Later than this no order is given: year 9999.
pub(super) const LATEST: u64 = 253_402_300_799_999;
/// What a source can be called, in octets, at the most.
const NAME: usize = 4096;

/// Why a record is not an order. Nothing of it is repeated: it is not ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unreadable {
    /// A newer version may have written it. What it orders is never guessed.
    #[error("it is an order that this version does not know: run the same version everywhere")]
    Unknown,
    /// It is larger than any that is written.
    #[error("it has {0} octets, more than {max} at the most: delete it", max = Order::LARGEST)]
    TooLarge(usize),
    /// Nobody has written that who means orders.
    #[error("it is no order: delete it, and give the order again")]
    Malformed,
    /// It stands under a key of another one.
    #[error("it is about something else than its key: delete it, and give the order again")]
    Misplaced,
}

#[derive(Serialize, Deserialize)]
struct Line {
    fingerpost_order: u32,
    at: u64,
    instance: Instance,
    replica: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    order: serde_json::Value,
}

#[derive(Serialize, Deserialize)]
struct Form {
    fingerpost_order: u32,
}

/// A field more may change what an order means: then it is another kind of order.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum WhatLine {
    Freeze(bool),
    Withdrawn { target: TargetLine, by_order: bool },
    Drained { gateway: Arc<str>, by_order: bool },
    Decided(DecidedLine),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TargetLine {
    Prefix(String),
    Host(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DecidedLine {
    approved: bool,
    source: String,
    cluster: u64,
    revision: u64,
    /// Kind, prefix, from, to.
    changes: Vec<(String, String, Option<IpAddr>, Option<IpAddr>)>,
}

const KINDS: [&str; 4] = ["freeze", "withdrawn", "drained", "decided"];

impl Order {
    /// The most octets of a record.
    pub const LARGEST: usize = 256 << 10;

    /// As it is stored.
    pub fn encode(&self) -> Bytes {
        // Text keys, numbers and text: nothing in it can fail.
        let order = serde_json::to_value(WhatLine::from(&self.what)).unwrap_or_default();
        let Giver { replica, uid } = self.giver.clone();
        let Number { at, by: instance } = self.number;
        serde_json::to_vec(&Line { fingerpost_order: FORM, at, instance, replica, uid, order })
            .unwrap_or_default()
            .into()
    }

    /// What stands under a key that ends in `name`.
    ///
    /// # Errors
    /// If that is no order that this version knows.
    pub fn decode(name: &[u8], value: &[u8]) -> Result<Self, Unreadable> {
        let order = Self::decode_any(value)?;
        if order.register().to_string().as_bytes() == name { Ok(order) } else { Err(Unreadable::Misplaced) }
    }

    /// The same, wherever it stands.
    ///
    /// # Errors
    /// If that is no order that this version knows.
    pub fn decode_any(value: &[u8]) -> Result<Self, Unreadable> {
        if value.len() > Self::LARGEST {
            return Err(Unreadable::TooLarge(value.len()));
        }
        let form: Form = serde_json::from_slice(value).map_err(|_| Unreadable::Malformed)?;
        if form.fingerpost_order != FORM {
            return Err(Unreadable::Unknown);
        }
        let Line { at, instance, replica, uid, order, .. } =
            serde_json::from_slice(value).map_err(|_| Unreadable::Malformed)?;
        if at > LATEST || !Replica::is_identity(&replica) {
            return Err(Unreadable::Malformed);
        }
        let is_known = order.as_object().is_some_and(|order| order.keys().all(|kind| KINDS.contains(&kind.as_str())));
        if !is_known {
            return Err(Unreadable::Unknown);
        }
        let what: WhatLine = serde_json::from_value(order).map_err(|_| Unreadable::Malformed)?;
        let number = Number { at, by: instance };
        Ok(Order { number, giver: Giver { replica, uid }, what: what.try_into()? })
    }
}

/// Which orders a replica has taken, as it stands in the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// [`Book::digest`](super::Book::digest).
    pub orders: Digest,
}

#[derive(Serialize, Deserialize)]
struct ReceiptLine {
    fingerpost_taken: u32,
    orders: Digest,
}

impl Receipt {
    /// As it is stored.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(&ReceiptLine { fingerpost_taken: FORM, orders: self.orders }).unwrap_or_default().into()
    }

    /// None of what no replica of this version has written.
    pub fn decode(value: &[u8]) -> Option<Self> {
        let line: ReceiptLine = serde_json::from_slice(value).ok()?;
        (line.fingerpost_taken == FORM).then_some(Receipt { orders: line.orders })
    }
}

impl From<&What> for WhatLine {
    fn from(what: &What) -> Self {
        let line = |target: &Target| match target {
            Target::Prefix(prefix) => TargetLine::Prefix(prefix.to_string()),
            Target::Host(host) => TargetLine::Host(host.to_string()),
        };
        match what {
            What::Freeze => WhatLine::Freeze(true),
            What::Unfreeze => WhatLine::Freeze(false),
            What::Withdraw(target) => WhatLine::Withdrawn { target: line(target), by_order: true },
            What::Restore(target) => WhatLine::Withdrawn { target: line(target), by_order: false },
            What::Drain(gateway) => WhatLine::Drained { gateway: Arc::clone(gateway), by_order: true },
            What::Undrain(gateway) => WhatLine::Drained { gateway: Arc::clone(gateway), by_order: false },
            What::Decide(decided) => {
                let Decided { approved, source, cluster, revision, changes } = &**decided;
                let change = |change: &SeenChange| {
                    (change.kind.name().to_owned(), change.prefix.to_string(), change.from, change.to)
                };
                WhatLine::Decided(DecidedLine {
                    approved: *approved,
                    source: source.clone(),
                    cluster: cluster.0,
                    revision: revision.0,
                    changes: changes.iter().map(change).collect(),
                })
            }
        }
    }
}

impl TryFrom<WhatLine> for What {
    type Error = Unreadable;
    fn try_from(line: WhatLine) -> Result<Self, Unreadable> {
        Ok(match line {
            WhatLine::Freeze(true) => What::Freeze,
            WhatLine::Freeze(false) => What::Unfreeze,
            WhatLine::Withdrawn { target, by_order } => {
                let target = match target {
                    TargetLine::Prefix(text) => Target::Prefix(prefix(&text)?),
                    TargetLine::Host(host) => Target::Host(HostName::new(&host).map_err(|_| Unreadable::Malformed)?),
                };
                if by_order { What::Withdraw(target) } else { What::Restore(target) }
            }
            WhatLine::Drained { gateway, by_order } => {
                if !is_name(&gateway) {
                    return Err(Unreadable::Malformed);
                }
                if by_order { What::Drain(gateway) } else { What::Undrain(gateway) }
            }
            WhatLine::Decided(DecidedLine { approved, source, cluster, revision, changes }) => {
                // No source is called that.
                if changes.len() > Decided::MOST || source.len() > NAME || source.chars().any(char::is_control) {
                    return Err(Unreadable::Malformed);
                }
                let change = |(kind, text, from, to): (String, String, _, _)| {
                    let kind = ChangeKind::ALL.into_iter().find(|known| known.name() == kind);
                    Ok(SeenChange { kind: kind.ok_or(Unreadable::Unknown)?, prefix: prefix(&text)?, from, to })
                };
                let changes = changes.into_iter().map(change).collect::<Result<_, _>>()?;
                let (cluster, revision) = (ClusterId(cluster), Rev(revision));
                What::Decide(Arc::new(Decided { approved, source, cluster, revision, changes }))
            }
        })
    }
}

fn prefix(text: &str) -> Result<Prefix, Unreadable> {
    text.parse().map_err(|_| Unreadable::Malformed)
}
