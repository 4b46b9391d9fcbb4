//! What we accept: UPDATEs that rustbgpd has written, each octet of them damaged, and what we and rustbgpd make of the result.
//! It knows RFC 7606 as we do (NetGauze does not), so that two readings of these RFCs meet in some thousands of messages.
//! Where they differ the reason is in [`known`]; any other difference is a fault in one of them.

use super::rustbgpd;
use super::{Session, ours};
use bytes::Bytes;
use fingerpost_core::bgp::wire::{
    Encoding, Fault, MAX_LEN, Packer, RouteAttributes, SessionType, Update, UpdateOutcome,
};
use fingerpost_core::model::{Asn, Family, Prefix};
use ipnet::IpNet;
use rustbgpd_wire::attribute::PathAttribute;
use rustbgpd_wire::validate::{ErrorDisposition, validate_update_attributes};
use rustbgpd_wire::{Message, Safi, decode_message};
use std::collections::BTreeMap;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Verdict {
    Accept,
    Withdraw,
    Reset,
}

/// What one of them makes of a message.
#[derive(PartialEq, Debug)]
struct Read {
    verdict: Verdict,
    reachable: Vec<IpNet>,
    withdrawn: Vec<IpNet>,
}

impl Read {
    fn reset() -> Self {
        Read { verdict: Verdict::Reset, reachable: Vec::new(), withdrawn: Vec::new() }
    }

    fn new(verdict: Verdict, mut reachable: Vec<IpNet>, mut withdrawn: Vec<IpNet>) -> Self {
        if verdict == Verdict::Withdraw {
            withdrawn.append(&mut reachable);
        }
        reachable.sort();
        withdrawn.sort();
        Read { verdict, reachable, withdrawn }
    }
}

fn by_us(message: &[u8], session: Session) -> (Read, UpdateOutcome) {
    let outcome = Update::decode(&message[19..], &ours::context(session));
    let nets = |prefixes: &[Prefix]| prefixes.iter().map(|prefix| prefix.net()).collect();
    let read = match &outcome {
        UpdateOutcome::Accept(update) => Read::new(Verdict::Accept, nets(&update.reachable), nets(&update.withdrawn)),
        UpdateOutcome::TreatAsWithdraw { update, .. } => {
            Read::new(Verdict::Withdraw, nets(&update.reachable), nets(&update.withdrawn))
        }
        UpdateOutcome::Reset(_) => Read::reset(),
    };
    (read, outcome)
}

fn by_rustbgpd(message: &[u8], session: Session) -> Read {
    let mut octets = Bytes::copy_from_slice(message);
    let Ok(Message::Update(update)) = decode_message(&mut octets, u16::try_from(session.max_len).unwrap()) else {
        return Read::reset();
    };
    let Ok(revised) = update.parse_revised(session.four_octet_as, session.internal, false, &[]) else {
        return Read::reset();
    };
    let update = revised.update;
    let mut withdrawn: Vec<IpNet> = update.withdrawn.iter().map(rustbgpd::classic).collect();
    let mut reachable: Vec<IpNet> = update.announced.iter().map(rustbgpd::classic).collect();
    let classic = !reachable.is_empty();
    for attribute in &update.attributes {
        match attribute {
            PathAttribute::MpReachNlri(mp) if mp.safi == Safi::Unicast => {
                reachable.extend(mp.announced.iter().map(rustbgpd::generic));
            }
            PathAttribute::MpUnreachNlri(mp) if mp.safi == Safi::Unicast => {
                withdrawn.extend(mp.withdrawn.iter().map(rustbgpd::generic));
            }
            _ => {}
        }
    }
    let checked = validate_update_attributes(&update.attributes, !reachable.is_empty(), classic, !session.internal);
    let worst =
        revised.malformed.iter().map(|one| one.disposition).chain(checked.err().map(|error| error.disposition)).max();
    match worst {
        None | Some(ErrorDisposition::AttributeDiscard) => Read::new(Verdict::Accept, reachable, withdrawn),
        Some(ErrorDisposition::TreatAsWithdraw) => Read::new(Verdict::Withdraw, reachable, withdrawn),
        Some(ErrorDisposition::SessionReset) => Read::reset(),
    }
}

/// Why we and rustbgpd may differ here: what its library leaves to its caller, and where the two read an RFC otherwise.
fn known(message: &[u8], ours: &Read, outcome: &UpdateOutcome, theirs: &Read) -> Option<&'static str> {
    use Verdict::{Accept, Reset, Withdraw};
    let discarded = |fault: Fault| match outcome {
        UpdateOutcome::Accept(update) => update.discarded.iter().any(|error| error.fault == fault),
        _ => false,
    };
    let unknown_types = match outcome {
        UpdateOutcome::Accept(update) => !update.attributes.others.is_empty(),
        _ => false,
    };
    let withdraws_for = |fault: Fault| match outcome {
        UpdateOutcome::TreatAsWithdraw { reason, .. } => reason.fault == fault,
        _ => false,
    };
    let resets_with = |code: (u8, u8)| match outcome {
        UpdateOutcome::Reset(fault) => (fault.code, fault.subcode) == code,
        _ => false,
    };
    match (ours.verdict, theirs.verdict) {
        (Reset, Withdraw) if resets_with((3, 2)) => {
            Some("an unknown well-known attribute: RFC 4271 §6.3 resets, and RFC 7606 does not change that")
        }
        (Reset, Withdraw) if theirs.withdrawn.is_empty() => Some("RFC 7606 §5.2, nothing reachable: its caller's"),
        (Accept, Reset) if discarded(Fault::NotNegotiated) => {
            Some("a family that was not agreed on is ignored, whatever stands in it; it does not know such families")
        }
        (Accept, Withdraw) if discarded(Fault::FromExternal) => {
            Some("RFC 7606 §7.5, §7.9: from an external neighbour these do not count, be their flags wrong or not")
        }
        (Accept, Withdraw | Reset) if is_partial_without_reason(message) => {
            Some("RFC 7606 §3 c is about Optional and Transitive; it wants Partial to be right as well")
        }
        (Accept, Withdraw) if unknown_types => Some("it looks into types that we only count (128, ATTR_SET)"),
        (Withdraw, Accept) if withdraws_for(Fault::Missing) => {
            Some("NEXT_HOP is missing on iBGP: it asks for it on eBGP")
        }
        (Withdraw, Accept) if withdraws_for(Fault::NextHop) => Some("0/8 holds no hosts (RFC 1122); it takes 0.0.0.1"),
        _ => None,
    }
}

/// Whether the Partial bit stands at an attribute that is not optional and transitive (RFC 4271 §4.3: it must be 0 there).
fn is_partial_without_reason(message: &[u8]) -> bool {
    let field = |at: usize| usize::from(u16::from_be_bytes([message[at], message[at + 1]]));
    let mut at = 19 + 2 + field(19) + 2;
    while let [flags, _, length, ..] = message[at..] {
        if flags & 0x20 != 0 && flags & 0xC0 != 0xC0 {
            return true;
        }
        at += if flags & 0x10 == 0 { 3 + usize::from(length) } else { 4 + field(at + 2) };
        if at >= message.len() {
            break;
        }
    }
    false
}

/// The messages that the others have written, before they are damaged.
fn originals(session: Session) -> Vec<Vec<u8>> {
    let encoding = Encoding {
        session: if session.internal { SessionType::Internal } else { SessionType::External },
        local_asn: Asn::new(64512).unwrap(),
        four_octet_as: session.four_octet_as,
        ipv4_via_ipv6: false,
        max_len: MAX_LEN,
    };
    let attributes = |next_hop: &str| RouteAttributes {
        med: Some(7),
        communities: [0xFDE9_0001].into(),
        large_communities: [[65001, 1, 2]].into(),
        ..RouteAttributes::via(next_hop.parse().unwrap())
    };
    let (mut out, mut ends) = (Vec::new(), Vec::new());
    let prefix = |text: &str| -> Prefix { text.parse().unwrap() };
    let ipv4 = [prefix("192.0.2.0/24"), prefix("198.51.100.16/28")];
    let ipv6 = [prefix("2001:db8:1::/48")];
    Packer::new(encoding, Family::Ipv4).announce(&attributes("10.0.0.1"), ipv4, &mut out, &mut ends);
    Packer::new(encoding, Family::Ipv4).withdraw(ipv4, &mut out, &mut ends);
    Packer::new(encoding, Family::Ipv6).announce(&attributes("2001:db8::1"), ipv6, &mut out, &mut ends);
    Packer::new(encoding, Family::Ipv6).withdraw(ipv6, &mut out, &mut ends);
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let messages =
        starts.zip(&ends).map(|(start, end)| rustbgpd::rewritten(&out[start as usize..*end as usize], session));
    messages.collect()
}

/// Every octet behind the header, one after the other, in several ways.
fn damaged(message: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (19..message.len()).flat_map(move |at| {
        let old = message[at];
        let values = [
            0,
            1,
            2,
            3,
            4,
            0x20,
            0x40,
            0x80,
            0xC0,
            0xFF,
            old ^ 1,
            old ^ 0x10,
            old ^ 0x20,
            old ^ 0x40,
            old ^ 0x80,
            old.wrapping_add(1),
            old.wrapping_sub(1),
        ];
        values.into_iter().filter(move |value| *value != old).map(move |value| {
            let mut damaged = message.to_vec();
            damaged[at] = value;
            damaged
        })
    })
}

#[test]
fn damaged_updates_of_rustbgpd_are_read_as_it_reads_them_itself() {
    let (mut count, mut unknown, mut reasons) = (0, Vec::new(), BTreeMap::new());
    for (internal, four_octet_as) in [(true, true), (false, true), (false, false)] {
        let session = Session { internal, four_octet_as, max_len: MAX_LEN };
        for original in originals(session) {
            let (whole, _) = by_us(&original, session);
            assert_eq!((whole.verdict, &whole), (Verdict::Accept, &by_rustbgpd(&original, session)));
            for message in damaged(&original) {
                count += 1;
                let ((ours, outcome), theirs) = (by_us(&message, session), by_rustbgpd(&message, session));
                if ours == theirs {
                    continue;
                }
                match known(&message, &ours, &outcome, &theirs) {
                    Some(reason) => *reasons.entry(reason).or_insert(0) += 1,
                    None => unknown.push(format!("{ours:?}, not {theirs:?}: {outcome:?}")),
                }
            }
        }
    }
    assert!(count > 8_000, "only {count} messages");
    assert!(unknown.is_empty(), "{} of {count} differ for no known reason, such as {}", unknown.len(), unknown[0]);
    // A reason that is never needed has become wrong.
    assert_eq!(reasons.len(), 8, "{reasons:#?}");
}
