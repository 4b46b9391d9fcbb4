//! The product's decoder.

use super::{Said, Session};
use fingerpost_core::bgp::wire::{Framer, MessageKind, Origin, Update, UpdateContext, UpdateOutcome};
use fingerpost_core::model::{Asn, PerFamily};

/// As a gateway that has agreed on both families, and on IPv6 next hops of IPv4.
pub(super) fn context(session: Session) -> UpdateContext {
    UpdateContext {
        internal: session.internal,
        four_octet_as: session.four_octet_as,
        families: PerFamily { ipv4: true, ipv6: true },
        extended_next_hop: PerFamily { ipv4: true, ipv6: false },
        local_asn: Asn::new(4_294_967_295).unwrap(),
    }
}

/// Reads one message that must be an UPDATE without faults.
pub(super) fn read(message: &[u8], session: Session) -> Said {
    let mut framer = Framer::new();
    framer.set_max_len(session.max_len);
    framer.push(message);
    let frame = framer.next().unwrap().unwrap();
    assert_eq!((frame.kind, framer.buffered()), (MessageKind::Update, 0));
    let update = match Update::decode(&frame.body, &context(session)) {
        UpdateOutcome::Accept(update) => update,
        other => panic!("{other:?}"),
    };
    assert!(update.discarded.is_empty() && update.attributes.others.is_empty(), "{update:?}");
    let attributes = &update.attributes;
    Said {
        withdrawn: update.withdrawn.iter().map(|prefix| prefix.net()).collect(),
        reachable: update.routes().map(|(prefix, next_hop)| (prefix.net(), next_hop)).collect(),
        origin: attributes.origin.map(|origin| match origin {
            Origin::Igp => 0,
            Origin::Egp => 1,
            Origin::Incomplete => 2,
        }),
        as_path: attributes.as_path.as_ref().map(|path| path.iter().map(|asn| asn.get()).collect()),
        med: attributes.med,
        local_pref: attributes.local_pref,
        communities: attributes.communities.clone(),
        extended_communities: attributes.extended_communities.clone(),
        large_communities: attributes.large_communities.clone(),
        end_of_rib: update.end_of_rib.map(|family| (family.afi(), family.safi())),
    }
}
