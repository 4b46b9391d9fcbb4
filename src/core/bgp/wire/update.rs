//! UPDATE as received (RFC 4271 §4.3, RFC 4760), with each fault's consequence (RFC 7606).
//!
//! The rule behind all of it: as long as every prefix in the message can be found, a fault costs at most these prefixes
//! (they count as withdrawn); when prefixes may be hidden, nobody knows what to withdraw and the session ends.
//!
//! ```text
//!  withdrawn length │ prefixes │ attributes length │ attributes: flags, type, length, value … │ prefixes
//!                                                    MP_REACH_NLRI: family, next hop, prefixes
//!                                                    MP_UNREACH_NLRI: family, prefixes
//! ```

use super::attributes::{self, Attributes, Consequence, MP_REACH, MP_UNREACH};
use super::fault::{AttributeError, Fault};
use super::nlri;
use super::notification::Notification;
use super::reader::Reader;
use crate::model::{Asn, Family, PerFamily, Prefix};
use bytes::Bytes;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What was agreed with the neighbour that sent the UPDATE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UpdateContext {
    /// The session is iBGP.
    pub internal: bool,
    /// AS numbers have four octets (RFC 6793).
    pub four_octet_as: bool,
    /// Families that both sides announced; the others are ignored.
    pub families: PerFamily<bool>,
    /// Families that may have a next hop of the other one (RFC 8950).
    pub extended_next_hop: PerFamily<bool>,
    /// Ours: a path through it is a loop (RFC 4271 §9.1.2).
    pub local_asn: Asn,
}

/// What an UPDATE says, both families together. Withdrawals come first, then what is reachable: a prefix in both is
/// reachable (RFC 4271 §4.3).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Update {
    /// No longer reachable.
    pub withdrawn: Vec<Prefix>,
    /// Reachable by the next hop of their family.
    pub reachable: Vec<Prefix>,
    /// Of what is reachable.
    pub attributes: Attributes,
    /// Of what is reachable, by family. Where IPv4 stands both in its own field and in MP_REACH_NLRI, which must not be
    /// sent (RFC 7606 §5.1), MP_REACH_NLRI's.
    pub next_hop: PerFamily<Option<IpAddr>>,
    /// The message is this family's End-of-RIB (RFC 4724 §2).
    pub end_of_rib: Option<Family>,
    /// Our own AS is in AS_PATH: the routes are not usable (RFC 4271 §9.1.2).
    pub looped: bool,
    /// Attributes that were left out, and why (RFC 7606 §2, attribute discard).
    pub discarded: Vec<AttributeError>,
}

/// What a received UPDATE leads to; the strongest of what its faults ask for (RFC 7606 §3 h).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UpdateOutcome {
    /// Without faults, or with attributes left out.
    Accept(Update),
    /// All its prefixes are withdrawn; the session stays.
    TreatAsWithdraw {
        /// With nothing reachable, and all prefixes among the withdrawn.
        update: Update,
        /// The first fault that asked for it.
        reason: AttributeError,
    },
    /// The session ends with this NOTIFICATION.
    Reset(Notification),
}

impl Update {
    /// Reads what follows the header.
    pub fn decode(body: &[u8], context: &UpdateContext) -> UpdateOutcome {
        Decoder { context, update: Update::default(), withdraw: None, reach: false, mp_only: true, empty_unreach: None }
            .run(body)
            .unwrap_or_else(UpdateOutcome::Reset)
    }

    /// What is reachable, each with its next hop.
    pub fn routes(&self) -> impl Iterator<Item = (Prefix, IpAddr)> + '_ {
        self.reachable.iter().filter_map(|prefix| Some((*prefix, self.next_hop[prefix.family()]?)))
    }
}

struct Decoder<'a> {
    context: &'a UpdateContext,
    update: Update,
    /// Why all prefixes will count as withdrawn.
    withdraw: Option<AttributeError>,
    /// Reachable prefixes stand in the message, be they of a family that is ignored.
    reach: bool,
    /// No attribute but MP_UNREACH_NLRI was seen.
    mp_only: bool,
    /// The family of an MP_UNREACH_NLRI without prefixes: its End-of-RIB, if nothing else is in the message.
    empty_unreach: Option<Family>,
}

/// The three variable fields of the message (RFC 4271 §4.3).
struct Fields<'a> {
    withdrawn: &'a [u8],
    attributes: &'a [u8],
    nlri: &'a [u8],
}

fn fields(body: &[u8]) -> Option<Fields<'_>> {
    let mut reader = Reader::new(body);
    let length = reader.u16()?;
    let withdrawn = reader.take(length.into())?;
    let length = reader.u16()?;
    let attributes = reader.take(length.into())?;
    Some(Fields { withdrawn, attributes, nlri: reader.rest() })
}

impl Decoder<'_> {
    /// `Err` ends the session.
    fn run(mut self, body: &[u8]) -> Result<UpdateOutcome, Notification> {
        // RFC 7606 §3 b: lengths that do not fit the message leave nothing to hold on to.
        let fields = fields(body).ok_or(Notification::MALFORMED_ATTRIBUTE_LIST)?;
        self.attributes(fields.attributes)?;

        // RFC 7606 §3 j, §5.3: prefixes that cannot be read cannot be withdrawn either.
        let (mut withdrawn, mut reachable) = (Vec::new(), Vec::new());
        nlri::decode(Family::Ipv4, fields.withdrawn, &mut withdrawn)
            .and_then(|()| nlri::decode(Family::Ipv4, fields.nlri, &mut reachable))
            .map_err(|nlri::SyntaxError| Notification::INVALID_NETWORK_FIELD)?;
        let classic = !reachable.is_empty();
        self.reach |= classic;
        if withdrawn.is_empty() && !classic {
            let marked = if fields.attributes.is_empty() { Some(Family::Ipv4) } else { self.empty_unreach };
            self.update.end_of_rib = marked.filter(|family| self.mp_only && self.context.families[*family]);
        }
        if classic {
            self.next_hop();
        }
        if self.context.families.ipv4 {
            self.update.withdrawn.append(&mut withdrawn);
            self.update.reachable.append(&mut reachable);
        }
        self.mandatory(classic);
        self.update.attributes.merge_as4();
        let path = self.update.attributes.as_path.as_deref().unwrap_or_default();
        self.update.looped = path.contains(&self.context.local_asn);
        self.outcome()
    }

    fn outcome(mut self) -> Result<UpdateOutcome, Notification> {
        let Some(reason) = self.withdraw else { return Ok(UpdateOutcome::Accept(self.update)) };
        // RFC 7606 §5.2: without reachable prefixes the fault may have hidden them: there may be more to withdraw.
        if !self.reach {
            return Err(reason.notification());
        }
        self.update.withdrawn.append(&mut self.update.reachable);
        self.update.next_hop = PerFamily::default();
        Ok(UpdateOutcome::TreatAsWithdraw { update: self.update, reason })
    }

    /// All attributes. `Err` ends the session.
    fn attributes(&mut self, list: &[u8]) -> Result<(), Notification> {
        let mut seen = [false; 256];
        let mut reader = Reader::new(list);
        while !reader.is_empty() {
            let start = reader;
            let Some((flags, attribute, value)) = attribute(&mut reader) else {
                // RFC 7606 §4: the length of the whole list still finds the NLRI; but an MP attribute hides prefixes.
                let kind = start.rest().get(1).copied().unwrap_or(0);
                let error = AttributeError { attribute: kind, fault: Fault::CutOff, octets: Bytes::new() };
                if matches!(kind, MP_REACH | MP_UNREACH) {
                    return Err(error.notification());
                }
                self.withdraw_for(error);
                self.mp_only = false;
                return Ok(());
            };
            let octets = start.rest().get(..start.rest().len() - reader.rest().len()).unwrap_or_default();
            let error = |fault| AttributeError { attribute, fault, octets: Bytes::copy_from_slice(octets) };
            let repeated = seen.get_mut(usize::from(attribute)).is_some_and(|seen| std::mem::replace(seen, true));
            self.mp_only &= attribute == MP_UNREACH;
            match attribute {
                // RFC 7606 §3 g
                MP_REACH | MP_UNREACH if repeated => return Err(Notification::MALFORMED_ATTRIBUTE_LIST),
                _ if repeated => self.update.discarded.push(error(Fault::Repeated)),
                MP_REACH | MP_UNREACH => {
                    // RFC 7606 §5.3: with the wrong flags it is as incorrect as one whose prefixes cannot be read.
                    if let Some(fault) =
                        attributes::rule(attribute).and_then(|rule| attributes::check_flags(flags, rule).err())
                    {
                        return Err(error(fault).notification());
                    }
                    let read = if attribute == MP_REACH { self.mp_reach(value) } else { self.mp_unreach(value) };
                    match read {
                        Ok(None) => {}
                        Ok(Some((fault, Consequence::Discard))) => self.update.discarded.push(error(fault)),
                        Ok(Some((fault, Consequence::Withdraw))) => self.withdraw_for(error(fault)),
                        // RFC 4760 §7
                        Err(nlri::SyntaxError) => return Err(Notification::new(3, 9, octets.to_vec())),
                    }
                }
                // RFC 4271 §6.3, which RFC 7606 leaves alone: well-known, yet not known here.
                _ if flags & 0x80 == 0 && attributes::rule(attribute).is_none() => {
                    return Err(Notification::new(3, 2, octets.to_vec()));
                }
                _ => match self.update.attributes.read(flags, attribute, value, self.context) {
                    Ok(()) => {}
                    Err((fault, Consequence::Discard)) => self.update.discarded.push(error(fault)),
                    Err((fault, Consequence::Withdraw)) => self.withdraw_for(error(fault)),
                },
            }
        }
        Ok(())
    }

    fn withdraw_for(&mut self, error: AttributeError) {
        self.withdraw.get_or_insert(error);
    }

    /// MP_REACH_NLRI (RFC 4760 §3). `Err`: the prefixes cannot be found (RFC 7606 §5.3, §7.11).
    fn mp_reach(&mut self, value: &[u8]) -> Result<Option<(Fault, Consequence)>, nlri::SyntaxError> {
        let mut reader = Reader::new(value);
        let (Some(afi), Some(safi), Some(length)) = (reader.u16(), reader.u8(), reader.u8()) else {
            return Err(nlri::SyntaxError);
        };
        let next_hop = reader.take(length.into()).ok_or(nlri::SyntaxError)?;
        reader.u8().ok_or(nlri::SyntaxError)?; // reserved, ignored
        self.reach |= !reader.is_empty();
        let Some(family) = self.negotiated(afi, safi) else {
            return Ok(Some((Fault::NotNegotiated, Consequence::Discard)));
        };
        let next_hop = self.mp_next_hop(family, next_hop).ok_or(nlri::SyntaxError)?;
        nlri::decode(family, reader.rest(), &mut self.update.reachable)?;
        if is_host(next_hop) {
            self.update.next_hop[family] = Some(next_hop);
            Ok(None)
        } else {
            Ok(Some((Fault::NextHop, Consequence::Withdraw)))
        }
    }

    /// MP_UNREACH_NLRI (RFC 4760 §4).
    fn mp_unreach(&mut self, value: &[u8]) -> Result<Option<(Fault, Consequence)>, nlri::SyntaxError> {
        let mut reader = Reader::new(value);
        let (Some(afi), Some(safi)) = (reader.u16(), reader.u8()) else { return Err(nlri::SyntaxError) };
        let Some(family) = self.negotiated(afi, safi) else {
            return Ok(Some((Fault::NotNegotiated, Consequence::Discard)));
        };
        nlri::decode(family, reader.rest(), &mut self.update.withdrawn)?;
        if reader.is_empty() {
            self.empty_unreach = Some(family);
        }
        Ok(None)
    }

    fn negotiated(&self, afi: u16, safi: u8) -> Option<Family> {
        Family::from_afi_safi(afi, safi).filter(|family| self.context.families[*family])
    }

    /// The next hop of MP_REACH_NLRI, unless its length is none that this family can have (RFC 7606 §7.11): one address
    /// of the family, or two of IPv6, global and link-local (RFC 2545 §3); of the other family if that was agreed
    /// (RFC 8950 §3).
    fn mp_next_hop(&self, family: Family, octets: &[u8]) -> Option<IpAddr> {
        let mut reader = Reader::new(octets);
        let (kind, address) = match octets.len() {
            4 => (Family::Ipv4, IpAddr::V4(Ipv4Addr::from(reader.array::<4>()?))),
            16 | 32 => (Family::Ipv6, IpAddr::V6(Ipv6Addr::from(reader.array::<16>()?))),
            _ => return None,
        };
        if kind != family && !self.context.extended_next_hop[family] {
            return None;
        }
        // Some send no global address, only the link-local one in second place.
        match reader.array::<16>().map(Ipv6Addr::from) {
            Some(link_local) if address.is_unspecified() => Some(link_local.into()),
            _ => Some(address),
        }
    }

    /// NEXT_HOP of the prefixes in the IPv4 field; without such prefixes it is ignored (RFC 4760 §3).
    fn next_hop(&mut self) {
        let Some(address) = self.update.attributes.next_hop else { return };
        if is_host(address.into()) {
            self.update.next_hop.ipv4.get_or_insert(address.into());
        } else {
            let [a, b, c, d] = address.octets();
            let octets = Bytes::from(vec![0x40, attributes::NEXT_HOP, 4, a, b, c, d]);
            self.withdraw_for(AttributeError { attribute: attributes::NEXT_HOP, fault: Fault::NextHop, octets });
        }
    }

    /// RFC 7606 §3 d: what must be there with reachable prefixes.
    fn mandatory(&mut self, classic: bool) {
        let attributes = &self.update.attributes;
        let missing = if !self.reach {
            None
        } else if attributes.origin.is_none() {
            Some(attributes::ORIGIN)
        } else if attributes.as_path.is_none() {
            Some(attributes::AS_PATH)
        } else if classic && attributes.next_hop.is_none() {
            Some(attributes::NEXT_HOP)
        } else {
            None
        };
        if let Some(attribute) = missing {
            self.withdraw_for(AttributeError { attribute, fault: Fault::Missing, octets: Bytes::new() });
        }
    }
}

/// Flags, type and value of the next attribute; `None` if it is cut off.
fn attribute<'a>(reader: &mut Reader<'a>) -> Option<(u8, u8, &'a [u8])> {
    let (flags, attribute) = (reader.u8()?, reader.u8()?);
    let length = if flags & 0x10 != 0 { usize::from(reader.u16()?) } else { usize::from(reader.u8()?) };
    Some((flags, attribute, reader.take(length)?))
}

/// Whether it can be a host's address: not 0/8, loopback, multicast or what lies above (RFC 4271 §6.3, RFC 1122).
fn is_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !matches!(address.octets(), [0 | 127 | 224..=255, ..]),
        IpAddr::V6(address) => !(address.is_unspecified() || address.is_loopback() || address.is_multicast()),
    }
}
