//! `rustbgpd-wire`, the codec of rustbgpd.

use super::{Said, Session};
use bytes::{Bytes, BytesMut};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rustbgpd_wire::attribute::{AsPathSegment, ExtendedCommunity, Origin, PathAttribute};
use rustbgpd_wire::nlri::{Ipv4NlriEntry, NlriEntry, Prefix};
use rustbgpd_wire::update::ParsedUpdate;
use rustbgpd_wire::{Ipv4UnicastMode, Message, Safi, UpdateMessage, decode_message};

/// Reads one message of any type; nothing may be left over.
pub(super) fn message(bytes: &[u8], max_len: usize) -> Message {
    let mut bytes = Bytes::copy_from_slice(bytes);
    let message = decode_message(&mut bytes, u16::try_from(max_len).unwrap()).unwrap();
    assert!(bytes.is_empty());
    message
}

fn parsed(bytes: &[u8], session: Session) -> ParsedUpdate {
    let Message::Update(update) = message(bytes, session.max_len) else { panic!("no UPDATE") };
    let revised = update.parse_revised(session.four_octet_as, session.internal, false, &[]).unwrap();
    assert!(revised.malformed.is_empty(), "{:?}", revised.malformed);
    revised.update
}

/// Reads one message that must be an UPDATE without faults.
pub(super) fn read(bytes: &[u8], session: Session) -> Said {
    let update = parsed(bytes, session);
    let empty = update.withdrawn.is_empty() && update.announced.is_empty();
    let mut said = Said { withdrawn: update.withdrawn.iter().map(classic).collect(), ..Said::default() };
    if empty && update.attributes.is_empty() {
        said.end_of_rib = Some((1, 1));
    }
    let mut next_hop = None;
    for attribute in &update.attributes {
        match attribute {
            PathAttribute::Origin(origin) => {
                said.origin = Some(match origin {
                    Origin::Igp => 0,
                    Origin::Egp => 1,
                    Origin::Incomplete => 2,
                });
            }
            PathAttribute::AsPath(path) => {
                let numbers = path.segments.iter().flat_map(|segment| match segment {
                    AsPathSegment::AsSequence(numbers) => numbers.clone(),
                    AsPathSegment::AsSet(_) => panic!("we send no set"),
                });
                said.as_path = Some(numbers.collect());
            }
            PathAttribute::NextHop(address) => next_hop = Some((*address).into()),
            PathAttribute::Med(med) => said.med = Some(*med),
            PathAttribute::LocalPref(preference) => said.local_pref = Some(*preference),
            PathAttribute::Communities(communities) => said.communities.clone_from(communities),
            PathAttribute::ExtendedCommunities(communities) => {
                let octets = |community: &ExtendedCommunity| community.as_u64().to_be_bytes();
                said.extended_communities = communities.iter().map(octets).collect();
            }
            PathAttribute::LargeCommunities(communities) => {
                let numbers = communities.iter().map(|one| [one.global_admin, one.local_data1, one.local_data2]);
                said.large_communities = numbers.collect();
            }
            PathAttribute::MpReachNlri(mp) => {
                assert_eq!((mp.safi, mp.link_local_next_hop), (Safi::Unicast, None));
                said.reachable.extend(mp.announced.iter().map(|entry| (generic(entry), mp.next_hop)));
            }
            PathAttribute::MpUnreachNlri(mp) => {
                assert_eq!(mp.safi, Safi::Unicast);
                said.withdrawn.extend(mp.withdrawn.iter().map(generic));
                if empty && mp.withdrawn.is_empty() && update.attributes.len() == 1 {
                    said.end_of_rib = Some((mp.afi as u16, mp.safi as u8));
                }
            }
            other => panic!("we do not send {other:?}"),
        }
    }
    said.reachable.extend(update.announced.iter().map(|entry| (classic(entry), next_hop.unwrap())));
    said
}

/// What it makes of an UPDATE it has read, written by itself.
pub(super) fn rewritten(bytes: &[u8], session: Session) -> Vec<u8> {
    let update = parsed(bytes, session);
    let message = UpdateMessage::try_build(
        &update.announced,
        &update.withdrawn,
        &update.attributes,
        session.four_octet_as,
        false,
        Ipv4UnicastMode::Body,
    );
    let mut out = BytesMut::new();
    message.unwrap().encode_with_limit(&mut out, 65535).unwrap();
    out.to_vec()
}

pub(super) fn classic(entry: &Ipv4NlriEntry) -> IpNet {
    Ipv4Net::new(entry.prefix.addr, entry.prefix.len).unwrap().into()
}

pub(super) fn generic(entry: &NlriEntry) -> IpNet {
    match entry.prefix {
        Prefix::V4(prefix) => Ipv4Net::new(prefix.addr, prefix.len).unwrap().into(),
        Prefix::V6(prefix) => Ipv6Net::new(prefix.addr, prefix.len).unwrap().into(),
    }
}
