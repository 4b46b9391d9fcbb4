//! UPDATE: no prefix is lost, whatever else is wrong (RFC 7606), and what we read we can write.
//!
//! [`Walk`] looks at a message a second time by itself, and only at its frame: which prefixes are in it, and whether they can
//! all be found.

use crate::bounded;
use crate::reader::Reader;
use fingerpost_core::bgp::wire::{
    Encoding, Framer, MAX_EXTENDED_LEN, MAX_LEN, Packer, RouteAttributes, SessionType, Update, UpdateContext,
    UpdateOutcome,
};
use fingerpost_core::model::{Asn, Family, PerFamily};

/// From iBGP.
pub(crate) fn internal(input: &[u8]) {
    update(input, true);
}

/// From eBGP.
pub(crate) fn external(input: &[u8]) {
    update(input, false);
}

/// The first octet is what was agreed; the rest follows the header of an UPDATE.
fn update(input: &[u8], internal: bool) {
    let Some((&agreed, body)) = input.split_first() else { return };
    let Ok(local_asn) = Asn::new(64512) else { return };
    // Inverted, so that 0 is what most gateways agree on.
    let context = UpdateContext {
        internal,
        four_octet_as: agreed & 1 == 0,
        families: PerFamily { ipv4: agreed & 2 == 0, ipv6: agreed & 4 == 0 },
        extended_next_hop: PerFamily { ipv4: agreed & 8 != 0, ipv6: agreed & 16 != 0 },
        local_asn,
    };
    let outcome = bounded(body, 96, 8192, || Update::decode(body, &context));
    assert_eq!(outcome, Update::decode(body, &context), "the same octets, the same answer");
    let walk = Walk::over(body, &context);
    match outcome {
        UpdateOutcome::Accept(update) => {
            let walk = walk.unwrap_or_else(|| panic!("prefixes may be hidden, yet it is accepted: {update:?}"));
            assert!(walk.whole, "attributes were left unread: {update:?}");
            assert_eq!((update.reachable.len(), update.withdrawn.len()), (walk.reachable, walk.withdrawn));
            assert_eq!(update.routes().count(), update.reachable.len(), "a route without next hop: {update:?}");
            for (prefix, _) in update.routes() {
                assert!(context.families[prefix.family()], "{prefix} is of a family that was not agreed on");
            }
            if walk.reachable > 0 {
                assert!(update.attributes.origin.is_some() && update.attributes.as_path.is_some());
            }
            if let Some(family) = update.end_of_rib {
                assert!(context.families[family]);
                assert_eq!((update.reachable.len(), update.withdrawn.len(), update.discarded.len()), (0, 0, 0));
            }
            if !internal {
                assert_eq!((update.attributes.local_pref, update.attributes.originator_id), (None, None));
                assert!(update.attributes.cluster_list.is_empty(), "RFC 7606 §7.10");
            }
            for family in Family::ALL {
                written_again(&update, family, &context);
            }
        }
        UpdateOutcome::TreatAsWithdraw { update, reason } => {
            let walk = walk.unwrap_or_else(|| panic!("prefixes may be hidden behind {reason}"));
            assert!(update.reachable.is_empty() && update.end_of_rib.is_none(), "{update:?}");
            assert_eq!(update.withdrawn.len(), walk.reachable + walk.withdrawn, "a prefix is lost: {reason}");
            assert!(walk.any_reachable, "RFC 7606 §5.2: {reason}");
            assert!(!reason.to_string().is_empty());
            assert!(reason.notification().encode().len() <= MAX_LEN);
        }
        UpdateOutcome::Reset(fault) => {
            assert_eq!(fault.code, 3, "{fault}");
            assert!(fault.encode().len() <= MAX_LEN);
        }
    }
}

/// What we read, written by ourselves to a neighbour of the same kind, reads the same.
fn written_again(update: &Update, family: Family, context: &UpdateContext) {
    let prefixes: Vec<_> = update.reachable.iter().copied().filter(|prefix| prefix.family() == family).collect();
    let Some(next_hop) = update.next_hop[family] else { return };
    let read = &update.attributes;
    let attributes = RouteAttributes {
        next_hop,
        med: read.med,
        local_pref: read.local_pref,
        communities: read.communities.clone().into(),
        extended_communities: read.extended_communities.clone().into(),
        large_communities: read.large_communities.clone().into(),
        prepend: 0,
    };
    let session = if context.internal { SessionType::Internal } else { SessionType::External };
    let encoding = Encoding {
        session,
        // Ours would read as a loop.
        local_asn: Asn::new(64500).unwrap_or(context.local_asn),
        four_octet_as: context.four_octet_as,
        ipv4_via_ipv6: context.extended_next_hop.ipv4,
        max_len: MAX_EXTENDED_LEN,
    };
    let mut packer = Packer::new(encoding, family);
    let (mut stream, mut ends) = (Vec::new(), Vec::new());
    packer.announce(&attributes, prefixes.iter().copied(), &mut stream, &mut ends);
    let mut framer = Framer::new();
    framer.set_max_len(MAX_EXTENDED_LEN);
    framer.push(&stream);
    let (mut reachable, mut withdrawn) = (Vec::new(), Vec::new());
    while let Some(frame) = framer.next().unwrap_or_else(|fault| panic!("our own header: {fault}")) {
        let UpdateOutcome::Accept(again) = Update::decode(&frame.body, context) else {
            panic!("our own UPDATE is refused")
        };
        assert!(again.discarded.is_empty(), "{again:?}");
        if packer.can_announce(&attributes) {
            assert_eq!((again.attributes.med, &again.attributes.communities), (read.med, &read.communities));
            assert_eq!(again.attributes.extended_communities, read.extended_communities);
            assert_eq!(again.attributes.large_communities, read.large_communities);
            assert!(again.routes().all(|(_, hop)| hop == next_hop));
        }
        reachable.extend(again.reachable);
        withdrawn.extend(again.withdrawn);
    }
    assert_eq!(framer.buffered(), 0);
    let all = if packer.can_announce(&attributes) { reachable } else { withdrawn };
    assert_eq!(all, prefixes);
}

/// What can be found in an UPDATE whose prefixes can all be found.
#[derive(Default)]
struct Walk {
    /// Prefixes of families that were agreed on.
    reachable: usize,
    withdrawn: usize,
    /// Reachable prefixes of any family.
    any_reachable: bool,
    /// The attributes end where their length says.
    whole: bool,
}

impl Walk {
    /// `None`: prefixes may be hidden.
    fn over(body: &[u8], context: &UpdateContext) -> Option<Walk> {
        let mut walk = Walk::default();
        let mut reader = Reader(body);
        let length = reader.u16()?;
        let withdrawn = prefixes(reader.take(length.into())?, 32)?;
        let length = reader.u16()?;
        let mut attributes = Reader(reader.take(length.into())?);
        let classic = prefixes(reader.0, 32)?;
        walk.any_reachable = classic > 0;
        if context.families.ipv4 {
            (walk.reachable, walk.withdrawn) = (classic, withdrawn);
        }
        let mut seen = Vec::new();
        walk.whole = true;
        while !attributes.is_empty() {
            let kind = attributes.0.get(1).copied();
            let Some((kind, value)) = attribute(&mut attributes) else {
                walk.whole = false;
                return (!matches!(kind, Some(14 | 15))).then_some(walk);
            };
            if matches!(kind, 14 | 15) {
                if seen.contains(&kind) {
                    return None; // RFC 7606 §3 g
                }
                seen.push(kind);
                walk.multi_protocol(kind == 14, value, context)?;
            }
        }
        Some(walk)
    }

    fn multi_protocol(&mut self, reach: bool, value: &[u8], context: &UpdateContext) -> Option<()> {
        let mut reader = Reader(value);
        let (afi, safi) = (reader.u16()?, reader.u8()?);
        if reach {
            let length = reader.u8()?;
            reader.take(length.into())?;
            reader.u8()?;
            self.any_reachable |= !reader.is_empty();
        }
        let bits = match (afi, safi) {
            (1, 1) if context.families.ipv4 => 32,
            (2, 1) if context.families.ipv6 => 128,
            _ => return Some(()),
        };
        let count = prefixes(reader.0, bits)?;
        *(if reach { &mut self.reachable } else { &mut self.withdrawn }) += count;
        Some(())
    }
}

fn attribute<'a>(reader: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let (flags, kind) = (reader.u8()?, reader.u8()?);
    let length = if flags & 0x10 == 0 { reader.u8()?.into() } else { reader.u16()? };
    Some((kind, reader.take(length.into())?))
}

/// How many prefixes of at most so many bits fill the octets exactly.
fn prefixes(octets: &[u8], bits: u8) -> Option<usize> {
    let mut reader = Reader(octets);
    let mut count = 0;
    while !reader.is_empty() {
        let length = reader.u8()?;
        if length > bits {
            return None;
        }
        reader.take(usize::from(length).div_ceil(8))?;
        count += 1;
    }
    Some(count)
}
