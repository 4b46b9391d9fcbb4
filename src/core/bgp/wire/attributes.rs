//! Path attributes as received (RFC 4271 §5), each with the consequence of its faults (RFC 7606 §7).
//!
//! One table, [`rule`], says for each type what it is called, which flags it has and what a fault in it leads to; one
//! function, [`Attributes::read`], says what a value must look like.

use super::as_path::{self, Width};
use super::fault::Fault;
use super::reader::Reader;
use super::update::UpdateContext;
use crate::model::Asn;
use std::net::Ipv4Addr;

/// ORIGIN (RFC 4271 §5.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// 0.
    Igp,
    /// 1.
    Egp,
    /// 2.
    Incomplete,
}

/// AGGREGATOR (RFC 4271 §5.1.7).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Aggregator {
    /// Who aggregated.
    pub asn: Asn,
    /// With this address.
    pub address: Ipv4Addr,
}

/// The attributes of a received UPDATE, but those that hold next hops of MP routes and prefixes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attributes {
    /// Type 1.
    pub origin: Option<Origin>,
    /// Type 2, all AS_SEQUENCEs as one list, nearest first, with AS4_PATH merged in; nothing else is accepted.
    pub as_path: Option<Vec<Asn>>,
    /// Type 3, as it was; [`super::Update::next_hop`] says what counts.
    pub next_hop: Option<Ipv4Addr>,
    /// Type 4, MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// Type 5, only from iBGP.
    pub local_pref: Option<u32>,
    /// Type 6.
    pub atomic_aggregate: bool,
    /// Type 7.
    pub aggregator: Option<Aggregator>,
    /// Type 8 (RFC 1997).
    pub communities: Vec<u32>,
    /// Type 9 (RFC 4456), only from iBGP.
    pub originator_id: Option<u32>,
    /// Type 10 (RFC 4456), only from iBGP.
    pub cluster_list: Vec<u32>,
    /// Type 16 (RFC 4360).
    pub extended_communities: Vec<[u8; 8]>,
    /// Type 32 (RFC 8092).
    pub large_communities: Vec<[u32; 3]>,
    /// Type 35 (RFC 9234 §5).
    pub only_to_customer: Option<u32>,
    /// The types of optional attributes that we do not know.
    pub others: Vec<u8>,
    /// Until [`Attributes::merge_as4`].
    as4_path: Option<Vec<Asn>>,
    as4_aggregator: Option<Aggregator>,
}

pub(super) const ORIGIN: u8 = 1;
pub(super) const AS_PATH: u8 = 2;
pub(super) const NEXT_HOP: u8 = 3;
const MED: u8 = 4;
const LOCAL_PREF: u8 = 5;
const ATOMIC_AGGREGATE: u8 = 6;
const AGGREGATOR: u8 = 7;
const COMMUNITIES: u8 = 8;
const ORIGINATOR_ID: u8 = 9;
const CLUSTER_LIST: u8 = 10;
pub(super) const MP_REACH: u8 = 14;
pub(super) const MP_UNREACH: u8 = 15;
const EXTENDED_COMMUNITIES: u8 = 16;
const AS4_PATH: u8 = 17;
const AS4_AGGREGATOR: u8 = 18;
const LARGE_COMMUNITY: u8 = 32;
const ONLY_TO_CUSTOMER: u8 = 35;

/// What a fault in an attribute leads to (RFC 7606 §2), unless it hides prefixes. AFI/SAFI disable is not used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Consequence {
    /// Attribute discard: the rest of the UPDATE counts.
    Discard,
    /// Treat-as-withdraw.
    Withdraw,
}

/// What is known of an attribute's type.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub(super) name: &'static str,
    /// Optional (0x80) and Transitive (0x40) as they must be.
    pub(super) flags: u8,
    /// Wrong flags always withdraw; those of MP attributes reset.
    pub(super) on_fault: Consequence,
}

const WELL_KNOWN: u8 = 0x40;
const NON_TRANSITIVE: u8 = 0x80;
const TRANSITIVE: u8 = 0xC0;

/// The rule of a type we know.
pub(super) fn rule(attribute: u8) -> Option<Rule> {
    use Consequence::{Discard, Withdraw};
    let (name, flags, on_fault) = match attribute {
        ORIGIN => ("ORIGIN", WELL_KNOWN, Withdraw),           // RFC 7606 §7.1
        AS_PATH => ("AS_PATH", WELL_KNOWN, Withdraw),         // §7.2
        NEXT_HOP => ("NEXT_HOP", WELL_KNOWN, Withdraw),       // §7.3
        MED => ("MULTI_EXIT_DISC", NON_TRANSITIVE, Withdraw), // §7.4
        LOCAL_PREF => ("LOCAL_PREF", WELL_KNOWN, Withdraw),   // §7.5
        ATOMIC_AGGREGATE => ("ATOMIC_AGGREGATE", WELL_KNOWN, Discard), // §7.6
        AGGREGATOR => ("AGGREGATOR", TRANSITIVE, Discard),    // §7.7
        COMMUNITIES => ("COMMUNITIES", TRANSITIVE, Withdraw), // §7.8
        ORIGINATOR_ID => ("ORIGINATOR_ID", NON_TRANSITIVE, Withdraw), // §7.9
        CLUSTER_LIST => ("CLUSTER_LIST", NON_TRANSITIVE, Withdraw), // §7.10
        MP_REACH => ("MP_REACH_NLRI", NON_TRANSITIVE, Withdraw), // §7.11; what hides prefixes resets, in update.rs
        MP_UNREACH => ("MP_UNREACH_NLRI", NON_TRANSITIVE, Withdraw), // §7.12, likewise
        EXTENDED_COMMUNITIES => ("EXTENDED COMMUNITIES", TRANSITIVE, Withdraw), // §7.14
        AS4_PATH => ("AS4_PATH", TRANSITIVE, Discard),        // RFC 6793 §6
        AS4_AGGREGATOR => ("AS4_AGGREGATOR", TRANSITIVE, Discard), // RFC 6793 §6
        LARGE_COMMUNITY => ("LARGE_COMMUNITY", TRANSITIVE, Withdraw), // RFC 8092 §6
        ONLY_TO_CUSTOMER => ("ONLY_TO_CUSTOMER", TRANSITIVE, Withdraw), // RFC 9234 §5
        _ => return None,
    };
    Some(Rule { name, flags, on_fault })
}

/// The RFC's name of an attribute we know.
pub(super) fn attribute_name(attribute: u8) -> Option<&'static str> {
    rule(attribute).map(|rule| rule.name)
}

impl Attributes {
    /// Reads one attribute that is no MP attribute. `Err` says what is wrong and what follows from it.
    pub(super) fn read(
        &mut self,
        flags: u8,
        attribute: u8,
        value: &[u8],
        context: &UpdateContext,
    ) -> Result<(), (Fault, Consequence)> {
        let Some(rule) = rule(attribute) else {
            self.others.push(attribute);
            return Ok(());
        };
        // RFC 7606 §7.5, §7.9, §7.10, RFC 6793 §6: these do not count at all, whatever they hold.
        match attribute {
            LOCAL_PREF | ORIGINATOR_ID | CLUSTER_LIST if !context.internal => {
                return Err((Fault::FromExternal, Consequence::Discard));
            }
            AS4_PATH | AS4_AGGREGATOR if context.four_octet_as => {
                return Err((Fault::FromFourOctetSpeaker, Consequence::Discard));
            }
            _ => {}
        }
        check_flags(flags, rule).and_then(|()| self.store(attribute, value, context)).map_err(|fault| match fault {
            // RFC 9774 §3: such a route is not used, even where only AS4_PATH says so. RFC 7606 §3 c: wrong flags withdraw, also
            // of a type whose other faults only cost the attribute.
            Fault::AsSet | Fault::Flags(_) => (fault, Consequence::Withdraw),
            _ => (fault, rule.on_fault),
        })
    }

    fn store(&mut self, attribute: u8, value: &[u8], context: &UpdateContext) -> Result<(), Fault> {
        let width = if context.four_octet_as { Width::Four } else { Width::Two };
        match attribute {
            ORIGIN => {
                let [origin] = exactly(value)?;
                self.origin = Some(match origin {
                    0 => Origin::Igp,
                    1 => Origin::Egp,
                    2 => Origin::Incomplete,
                    undefined => return Err(Fault::Origin(undefined)),
                });
            }
            AS_PATH => self.as_path = Some(as_path::decode(value, width)?),
            NEXT_HOP => self.next_hop = Some(exactly::<4>(value)?.into()),
            MED => self.med = Some(number(value)?),
            LOCAL_PREF => self.local_pref = Some(number(value)?),
            ATOMIC_AGGREGATE => {
                let [] = exactly(value)?;
                self.atomic_aggregate = true;
            }
            AGGREGATOR => self.aggregator = Some(aggregator(value, width)?),
            COMMUNITIES => self.communities = list(value)?.map(u32::from_be_bytes).collect(),
            ORIGINATOR_ID => self.originator_id = Some(number(value)?),
            CLUSTER_LIST => self.cluster_list = list(value)?.map(u32::from_be_bytes).collect(),
            EXTENDED_COMMUNITIES => self.extended_communities = list(value)?.collect(),
            AS4_PATH if value.len() < 6 => return Err(Fault::Length(value.len())), // RFC 6793 §6
            AS4_PATH => self.as4_path = Some(as_path::decode(value, Width::Four)?),
            AS4_AGGREGATOR => self.as4_aggregator = Some(aggregator(value, Width::Four)?),
            LARGE_COMMUNITY => self.large_communities = list(value)?.map(large).collect(),
            ONLY_TO_CUSTOMER => self.only_to_customer = Some(number(value)?),
            _ => {}
        }
        Ok(())
    }

    /// Puts what a two-octet speaker said in four octets into its place (RFC 6793 §4.2.3).
    pub(super) fn merge_as4(&mut self) {
        let (path, aggregator) = (self.as4_path.take(), self.as4_aggregator.take());
        // Someone aggregated who did not know AS4_PATH: it no longer belongs to this path.
        if self.aggregator.is_some_and(|aggregator| aggregator.asn.get() != u32::from(Asn::TRANS)) {
            return;
        }
        if self.aggregator.is_some() && aggregator.is_some() {
            self.aggregator = aggregator;
        }
        if let Some(as4) = path {
            self.as_path = self.as_path.take().map(|path| as_path::merge(path, &as4));
        }
    }
}

/// Optional and Transitive as the type has them; Partial and the unused bits do not matter (RFC 7606 §3 c).
pub(super) fn check_flags(flags: u8, rule: Rule) -> Result<(), Fault> {
    if flags & 0xC0 == rule.flags { Ok(()) } else { Err(Fault::Flags(flags)) }
}

fn exactly<const N: usize>(value: &[u8]) -> Result<[u8; N], Fault> {
    value.try_into().map_err(|_| Fault::Length(value.len()))
}

fn number(value: &[u8]) -> Result<u32, Fault> {
    exactly(value).map(u32::from_be_bytes)
}

/// At least one item, each of N octets.
fn list<const N: usize>(value: &[u8]) -> Result<impl Iterator<Item = [u8; N]> + '_, Fault> {
    match value.as_chunks::<N>() {
        (items, []) if !items.is_empty() => Ok(items.iter().copied()),
        _ => Err(Fault::Length(value.len())),
    }
}

fn large(item: [u8; 12]) -> [u32; 3] {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = item;
    [[a, b, c, d], [e, f, g, h], [i, j, k, l]].map(u32::from_be_bytes)
}

fn aggregator(value: &[u8], width: Width) -> Result<Aggregator, Fault> {
    let mut reader = Reader::new(value);
    let number = match width {
        Width::Two => reader.u16().map(u32::from),
        Width::Four => reader.u32(),
    };
    match (number, reader.array::<4>(), reader.is_empty()) {
        (Some(number), Some(address), true) => {
            let asn = Asn::new(number).map_err(|_| Fault::AsZero)?;
            Ok(Aggregator { asn, address: address.into() })
        }
        _ => Err(Fault::Length(value.len())),
    }
}
