//! `netgauze-bgp-pkt`, the codec of NetGauze.

use super::{Said, Session};
use ipnet::IpNet;
use netgauze_bgp_pkt::BgpMessage;
use netgauze_bgp_pkt::community::ExtendedCommunity;
use netgauze_bgp_pkt::nlri::{Ipv4UnicastAddress, Ipv6UnicastAddress};
use netgauze_bgp_pkt::path_attribute::{
    As4PathSegment, AsPath, AsPathSegmentType, MpReach, MpUnreach, PathAttributeValue,
};
use netgauze_bgp_pkt::wire::deserializer::BgpParsingContext;
use netgauze_parse_utils::WritablePdu;
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithOneInput;

/// Reads one message of any type; nothing may be left over.
pub(super) fn message(bytes: &[u8], four_octet_as: bool) -> BgpMessage {
    let mut context = if four_octet_as { BgpParsingContext::default() } else { BgpParsingContext::asn2_default() };
    BgpMessage::parse(&mut SliceReader::new(bytes), &mut context).unwrap()
}

/// What it makes of a message it has read, written by itself.
pub(super) fn rewritten(bytes: &[u8], four_octet_as: bool) -> Vec<u8> {
    let mut out = Vec::new();
    message(bytes, four_octet_as).write(&mut out).unwrap();
    out
}

/// Reads one message that must be an UPDATE without faults.
pub(super) fn read(bytes: &[u8], session: Session) -> Said {
    let BgpMessage::Update(update) = message(bytes, session.four_octet_as) else { panic!("no UPDATE") };
    let end_of_rib =
        update.end_of_rib().map(|family| (family.address_family() as u16, family.subsequent_address_family() as u8));
    let withdrawn = update.withdraw_routes().iter().map(v4).collect();
    let mut said = Said { withdrawn, end_of_rib, ..Said::default() };
    let (mut next_hop, mut as4_path) = (None, None);
    for attribute in update.path_attributes() {
        match attribute.value() {
            PathAttributeValue::Origin(origin) => said.origin = Some((*origin).into()),
            PathAttributeValue::AsPath(AsPath::As2PathSegments(segments)) => {
                assert!(segments.iter().all(|segment| segment.segment_type() == AsPathSegmentType::AsSequence));
                let numbers = segments.iter().flat_map(|segment| segment.as_numbers());
                said.as_path = Some(numbers.map(|number| u32::from(*number)).collect());
            }
            PathAttributeValue::AsPath(AsPath::As4PathSegments(segments)) => said.as_path = Some(numbers(segments)),
            PathAttributeValue::As4Path(path) => as4_path = Some(numbers(path.segments())),
            PathAttributeValue::NextHop(address) => next_hop = Some(address.next_hop().into()),
            PathAttributeValue::MultiExitDiscriminator(med) => said.med = Some(med.metric()),
            PathAttributeValue::LocalPreference(preference) => said.local_pref = Some(preference.metric()),
            PathAttributeValue::Communities(communities) => {
                said.communities = communities.communities().iter().map(|community| community.value()).collect();
            }
            PathAttributeValue::ExtendedCommunities(communities) => {
                said.extended_communities = communities.communities().iter().map(octets).collect();
            }
            PathAttributeValue::LargeCommunities(communities) => {
                let all = communities.communities().iter();
                said.large_communities =
                    all.map(|one| [one.global_admin(), one.local_data1(), one.local_data2()]).collect();
            }
            PathAttributeValue::MpReach(MpReach::Ipv4Unicast { next_hop, next_hop_local: None, nlri }) => {
                said.reachable.extend(nlri.iter().map(|entry| (v4(entry), *next_hop)));
            }
            PathAttributeValue::MpReach(MpReach::Ipv6Unicast { next_hop_global, next_hop_local: None, nlri }) => {
                said.reachable.extend(nlri.iter().map(|entry| (v6(entry), (*next_hop_global).into())));
            }
            PathAttributeValue::MpUnreach(MpUnreach::Ipv6Unicast { nlri }) => {
                said.withdrawn.extend(nlri.iter().map(v6));
            }
            other => panic!("we do not send {other:?}"),
        }
    }
    said.reachable.extend(update.nlri().iter().map(|entry| (v4(entry), next_hop.unwrap())));
    // RFC 6793 §4.2.3, which it leaves to its caller: as many of the nearest numbers as AS4_PATH lacks, then AS4_PATH.
    if let (Some(path), Some(as4_path)) = (&mut said.as_path, as4_path) {
        path.truncate(path.len() - as4_path.len());
        path.extend(as4_path);
    }
    said
}

fn numbers(segments: &[As4PathSegment]) -> Vec<u32> {
    assert!(segments.iter().all(|segment| segment.segment_type() == AsPathSegmentType::AsSequence));
    segments.iter().flat_map(|segment| segment.as_numbers()).copied().collect()
}

fn octets(community: &ExtendedCommunity) -> [u8; 8] {
    let mut out = Vec::new();
    community.write(&mut out).unwrap();
    out.try_into().unwrap()
}

fn v4(entry: &Ipv4UnicastAddress) -> IpNet {
    entry.network().address().into()
}

fn v6(entry: &Ipv6UnicastAddress) -> IpNet {
    entry.network().address().into()
}
