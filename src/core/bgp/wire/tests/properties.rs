//! Round trips, and no panic on any octets (rows 16 to 27).

use super::super::{
    Capability, Encoding, Framer, GracefulRestart, LongLivedFamily, MAX_EXTENDED_LEN, MAX_LEN, MessageKind,
    Notification, Open, Packer, RefreshSubtype, RestartFamily, RouteAttributes, RouteRefresh, SessionType, Update,
    UpdateContext, UpdateOutcome,
};
use super::frames;
use crate::model::{Asn, Family, HoldTime, PerFamily, Prefix, RouterId};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use std::net::IpAddr;

fn capability() -> impl Strategy<Value = Capability> {
    let restart_family = (any::<u16>(), any::<u8>(), any::<bool>()).prop_map(|(afi, safi, forwarding)| RestartFamily {
        afi,
        safi,
        forwarding,
    });
    let long_lived_family = (any::<u16>(), any::<u8>(), any::<bool>(), 0..1u32 << 24)
        .prop_map(|(afi, safi, forwarding, stale_time)| LongLivedFamily { afi, safi, forwarding, stale_time });
    let restart = (any::<bool>(), any::<bool>(), 0..4096u16, vec(restart_family, 0..63));
    prop_oneof![
        (any::<u16>(), any::<u8>()).prop_map(|(afi, safi)| Capability::MultiProtocol { afi, safi }),
        Just(Capability::RouteRefresh),
        vec(any::<(u16, u16, u16)>(), 0..42).prop_map(Capability::ExtendedNextHop),
        Just(Capability::ExtendedMessage),
        restart.prop_map(|(restarting, notification, restart_time, families)| {
            Capability::GracefulRestart(GracefulRestart { restarting, notification, restart_time, families })
        }),
        Just(Capability::EnhancedRouteRefresh),
        vec(long_lived_family, 0..36).prop_map(Capability::LongLivedGracefulRestart),
        (72..=255u8, vec(any::<u8>(), 0..=255))
            .prop_map(|(code, value)| Capability::Unknown { code, value: value.into() }),
    ]
}

fn asn() -> impl Strategy<Value = Asn> {
    prop_oneof![1..=65535u32, 1..=u32::MAX].prop_map(|number| Asn::new(number).unwrap())
}

fn open() -> impl Strategy<Value = Open> {
    (asn(), any::<u16>(), 1..=u32::MAX, vec(capability(), 0..12)).prop_map(|(asn, hold, id, mut capabilities)| {
        capabilities.push(Capability::FourOctetAs(asn.get()));
        let hold_time = HoldTime::new(hold).unwrap_or(HoldTime::NEVER);
        Open { asn, hold_time, router_id: RouterId::new(id).unwrap(), capabilities }
    })
}

fn prefix(family: Family) -> impl Strategy<Value = Prefix> {
    (any::<u128>(), 0..=128u8)
        .prop_map(move |(bits, length)| match family {
            Family::Ipv4 => Ipv4Net::new((bits as u32).into(), length % 33).map(IpNet::V4),
            Family::Ipv6 => Ipv6Net::new(bits.into(), length).map(IpNet::V6),
        })
        .prop_map(|net| Prefix::truncated(net.unwrap()))
}

fn encoding() -> impl Strategy<Value = Encoding> {
    (any::<bool>(), asn(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(internal, local_asn, four_octet_as, ipv4_via_ipv6, extended)| Encoding {
            session: if internal { SessionType::Internal } else { SessionType::External },
            local_asn,
            four_octet_as,
            ipv4_via_ipv6,
            max_len: if extended { MAX_EXTENDED_LEN } else { MAX_LEN },
        },
    )
}

fn next_hop() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (10u8..100, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| IpAddr::from([a, b, c, d])),
        any::<[u8; 15]>().prop_map(|tail| {
            let mut octets = [0xFD; 16];
            octets[1..].copy_from_slice(&tail);
            IpAddr::from(octets)
        }),
    ]
}

fn attributes() -> impl Strategy<Value = RouteAttributes> {
    let communities = (vec(any::<u32>(), 0..80), vec(any::<[u8; 8]>(), 0..40), vec(any::<[u32; 3]>(), 0..30));
    (next_hop(), any::<Option<u32>>(), any::<Option<u32>>(), communities, any::<u8>()).prop_map(
        |(next_hop, med, local_pref, (communities, extended, large), prepend)| RouteAttributes {
            next_hop,
            med,
            local_pref,
            communities: communities.into(),
            extended_communities: extended.into(),
            large_communities: large.into(),
            prepend,
        },
    )
}

/// How a neighbour with this encoding reads it.
fn context(encoding: &Encoding) -> UpdateContext {
    UpdateContext {
        internal: encoding.session == SessionType::Internal,
        four_octet_as: encoding.four_octet_as,
        families: PerFamily { ipv4: true, ipv6: true },
        extended_next_hop: PerFamily { ipv4: encoding.ipv4_via_ipv6, ipv6: false },
        local_asn: Asn::new(1).unwrap(),
    }
}

/// Every decoder on the same octets, as the FSM and the model gateway use them.
fn decode_all(octets: &[u8]) {
    let _ = Open::decode(octets).map(|open| open.families().count());
    let _ = Notification::decode(octets).map(|notification| notification.to_string());
    let _ = RouteRefresh::decode(octets);
    for bits in 0..8 {
        let (internal, four_octet_as, both) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
        let context = UpdateContext {
            internal,
            four_octet_as,
            families: PerFamily { ipv4: true, ipv6: both },
            extended_next_hop: PerFamily { ipv4: both, ipv6: both },
            local_asn: Asn::new(64512).unwrap(),
        };
        match Update::decode(octets, &context) {
            UpdateOutcome::Accept(update) => {
                assert!(update.routes().count() == update.reachable.len(), "a route without next hop: {update:?}");
            }
            UpdateOutcome::TreatAsWithdraw { update, reason } => {
                assert!(update.reachable.is_empty() && !reason.to_string().is_empty());
            }
            UpdateOutcome::Reset(fault) => assert_eq!(fault.code, 3),
        }
    }
}

/// Valid messages of all kinds, to be damaged.
fn valid_messages() -> impl Strategy<Value = Vec<u8>> {
    let update = (encoding(), attributes(), vec(prefix(Family::Ipv4), 0..20), vec(prefix(Family::Ipv6), 0..20));
    prop_oneof![
        open().prop_map(|open| open.encode().to_vec()),
        (any::<[u8; 2]>(), vec(any::<u8>(), 0..300)).prop_map(|([code, subcode], data)| Notification::new(
            code, subcode, data
        )
        .encode()
        .to_vec()),
        update.prop_map(|(encoding, attributes, ipv4, ipv6)| {
            let (mut out, mut ends) = (Vec::new(), Vec::new());
            Packer::new(encoding, Family::Ipv4).announce(&attributes, ipv4, &mut out, &mut ends);
            Packer::new(encoding, Family::Ipv6).announce(&attributes, ipv6.clone(), &mut out, &mut ends);
            Packer::new(encoding, Family::Ipv6).withdraw(ipv6, &mut out, &mut ends);
            out
        }),
    ]
}

proptest! {
    #[test]
    fn open_round_trip(open in open()) {
        let bytes = open.encode();
        prop_assert!(bytes.len() <= MAX_LEN);
        let decoded = Open::decode(&bytes[19..]).unwrap();
        // Whatever did not fit was left out at the end.
        prop_assert_eq!(&decoded.capabilities[..], &open.capabilities[..decoded.capabilities.len()]);
        if decoded.capabilities.len() == open.capabilities.len() {
            prop_assert_eq!(decoded, open);
        }
    }

    #[test]
    fn notification_round_trip(code: u8, subcode: u8, data in vec(any::<u8>(), 0..4075)) {
        let notification = Notification::new(code, subcode, data);
        prop_assert_eq!(Notification::decode(&notification.encode()[19..]), Ok(notification));
    }

    #[test]
    fn refresh_round_trip(afi: u16, safi: u8, subtype: u8) {
        let refresh = RouteRefresh { afi, safi, subtype: RefreshSubtype::from_code(subtype) };
        prop_assert_eq!(RouteRefresh::decode(&refresh.encode()[19..]), Ok(refresh));
    }

    #[test]
    fn announced_is_what_the_neighbour_reads(
        encoding in encoding(),
        attributes in attributes(),
        ipv4 in btree_set(prefix(Family::Ipv4), 0..700),
        ipv6 in btree_set(prefix(Family::Ipv6), 0..700),
    ) {
        for (family, routes) in [(Family::Ipv4, ipv4), (Family::Ipv6, ipv6)] {
            let (mut out, mut ends) = (Vec::new(), Vec::new());
            let mut packer = Packer::new(encoding, family);
            packer.announce(&attributes, routes.iter().copied(), &mut out, &mut ends);
            let frames = frames(&out, encoding.max_len);
            prop_assert_eq!(frames.len(), ends.len());
            let (mut reachable, mut withdrawn) = (Vec::new(), Vec::new());
            for frame in frames {
                let outcome = Update::decode(&frame.body, &context(&encoding));
                let UpdateOutcome::Accept(update) = outcome else { return Err(TestCaseError::fail(format!("{outcome:?}"))) };
                prop_assert!(update.discarded.is_empty());
                withdrawn.extend_from_slice(&update.withdrawn);
                if packer.can_announce(&attributes) {
                    check(&update, &encoding, &attributes)?;
                }
                reachable.extend(update.reachable);
            }
            let expected: Vec<_> = routes.into_iter().collect();
            let nothing = Vec::new();
            let (said, unsaid) = if packer.can_announce(&attributes) { (&expected, &nothing) } else { (&nothing, &expected) };
            prop_assert_eq!((&reachable, &withdrawn), (said, unsaid));
        }
    }

    /// Around the point where no prefix fits any more.
    #[test]
    fn c08_attributes_near_the_limit_never_make_a_message_too_long(
        encoding in encoding(),
        next_hop in next_hop(),
        prepend: u8,
        med: Option<u32>,
        length in 3200..4200usize,
        ipv4 in btree_set(prefix(Family::Ipv4), 1..20),
        ipv6 in btree_set(prefix(Family::Ipv6), 1..20),
    ) {
        let extended_communities = vec![[7; 8]; length % 3].into();
        let large_communities = vec![[1, 2, 3]; length % 5].into();
        let communities = vec![1; length / 4].into();
        let local_pref = None;
        let attributes =
            RouteAttributes { next_hop, med, local_pref, communities, extended_communities, large_communities, prepend };
        let encoding = Encoding { max_len: MAX_LEN, ..encoding };
        for (family, routes) in [(Family::Ipv4, ipv4), (Family::Ipv6, ipv6)] {
            let (mut out, mut ends) = (Vec::new(), Vec::new());
            let mut packer = Packer::new(encoding, family);
            packer.announce(&attributes, routes.iter().copied(), &mut out, &mut ends);
            let mut count = 0;
            for frame in frames(&out, MAX_LEN) {
                let UpdateOutcome::Accept(update) = Update::decode(&frame.body, &context(&encoding)) else { panic!() };
                prop_assert_eq!(update.withdrawn.is_empty(), packer.can_announce(&attributes));
                count += update.reachable.len() + update.withdrawn.len();
            }
            prop_assert_eq!(count, routes.len());
        }
    }

    #[test]
    fn withdrawn_is_what_the_neighbour_reads(
        encoding in encoding(),
        ipv4 in btree_set(prefix(Family::Ipv4), 0..2000),
        ipv6 in btree_set(prefix(Family::Ipv6), 0..700),
    ) {
        for (family, routes) in [(Family::Ipv4, ipv4), (Family::Ipv6, ipv6)] {
            let (mut out, mut ends) = (Vec::new(), Vec::new());
            Packer::new(encoding, family).withdraw(routes.iter().copied(), &mut out, &mut ends);
            let mut withdrawn = Vec::new();
            for frame in frames(&out, encoding.max_len) {
                let UpdateOutcome::Accept(update) = Update::decode(&frame.body, &context(&encoding)) else { panic!() };
                prop_assert!(update.reachable.is_empty() && update.end_of_rib.is_none());
                withdrawn.extend(update.withdrawn);
            }
            prop_assert_eq!(withdrawn, routes.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn c16_any_cutting_of_the_stream_gives_the_same_frames(
        messages in vec(valid_messages(), 1..5),
        pieces in vec(1..5000usize, 1..50),
    ) {
        let stream = messages.concat();
        let whole = frames(&stream, MAX_EXTENDED_LEN);
        let mut framer = Framer::new();
        framer.set_max_len(MAX_EXTENDED_LEN);
        let (mut got, mut rest, mut pieces) = (Vec::new(), &stream[..], pieces.into_iter().cycle());
        while !rest.is_empty() {
            let (piece, left) = rest.split_at(pieces.next().unwrap().min(rest.len()));
            framer.push(piece);
            rest = left;
            while let Some(frame) = framer.next().unwrap() {
                got.push(frame);
            }
            prop_assert!(framer.buffered() < MAX_EXTENDED_LEN);
        }
        prop_assert_eq!(got, whole);
    }

    #[test]
    fn no_panic_on_arbitrary_octets(octets in vec(any::<u8>(), 0..400)) {
        decode_all(&octets);
        let mut framer = Framer::new();
        framer.push(&octets);
        while let Ok(Some(frame)) = framer.next() {
            prop_assert!(MessageKind::ALL.contains(&frame.kind));
        }
    }

    /// Small values make lengths and types that mean something.
    #[test]
    fn no_panic_on_small_octets(octets in vec(prop_oneof![0..4u8, 0..40u8, any::<u8>()], 0..120)) {
        decode_all(&octets);
    }

    #[test]
    fn no_panic_on_damaged_messages(
        message in valid_messages(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        cut_it: bool,
    ) {
        let mut message = message;
        if message.len() > 19 {
            for (at, octet) in damage {
                let at = 19 + at.index(message.len() - 19);
                message[at] = octet;
            }
            let end = if cut_it { 19 + cut.index(message.len() - 19) } else { message.len() };
            decode_all(&message[19..end]);
        }
    }
}

/// The attributes that were read against those that were written.
fn check(update: &Update, encoding: &Encoding, attributes: &RouteAttributes) -> Result<(), TestCaseError> {
    let internal = encoding.session == SessionType::Internal;
    let copies = if internal { 0 } else { 1 + usize::from(attributes.prepend) };
    prop_assert_eq!(update.attributes.as_path.as_deref(), Some(&vec![encoding.local_asn; copies][..]));
    prop_assert_eq!(update.attributes.med, attributes.med);
    prop_assert_eq!(update.attributes.local_pref, internal.then_some(attributes.local_pref.unwrap_or(100)));
    prop_assert_eq!(&update.attributes.communities[..], &attributes.communities[..]);
    prop_assert_eq!(&update.attributes.extended_communities[..], &attributes.extended_communities[..]);
    prop_assert_eq!(&update.attributes.large_communities[..], &attributes.large_communities[..]);
    for (_, next_hop) in update.routes() {
        prop_assert_eq!(next_hop, attributes.next_hop);
    }
    Ok(())
}
