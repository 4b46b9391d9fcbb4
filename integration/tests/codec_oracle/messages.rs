//! OPEN, NOTIFICATION, ROUTE-REFRESH, KEEPALIVE: read alike, and read alike again after the others have written them.

use super::{netgauze, rustbgpd};
use bytes::{Bytes, BytesMut};
use fingerpost_core::bgp::wire::{
    Capability, Frame, Framer, GracefulRestart, LongLivedFamily, MAX_LEN, MessageKind, Notification, Open,
    RefreshSubtype, RestartFamily, RouteRefresh, keepalive,
};
use fingerpost_core::model::{Asn, HoldTime, RouterId};
use netgauze_bgp_pkt::capabilities::BgpCapability;
use netgauze_bgp_pkt::{BgpMessage, iana::RouteRefreshSubcode};
use proptest::collection::vec;
use proptest::prelude::*;
use rustbgpd_wire::{Message, encode_message};

fn frame(message: &[u8]) -> Frame {
    let mut framer = Framer::new();
    framer.push(message);
    let frame = framer.next().unwrap().unwrap();
    assert_eq!(framer.buffered(), 0);
    frame
}

/// What rustbgpd makes of a message it has read, written by itself.
fn rewritten(message: &[u8]) -> BytesMut {
    encode_message(&rustbgpd::message(message, MAX_LEN)).unwrap()
}

/// AFI and SAFI that all three know.
fn unicast_or_multicast() -> impl Strategy<Value = (u16, u8)> {
    (1..=2u16, 1..=2u8)
}

fn restart() -> impl Strategy<Value = GracefulRestart> {
    let family = (unicast_or_multicast(), any::<bool>());
    let family = family.prop_map(|((afi, safi), forwarding)| RestartFamily { afi, safi, forwarding });
    let flags = (any::<bool>(), any::<bool>(), 0..=GracefulRestart::MAX_RESTART_TIME);
    (flags, vec(family, 0..4)).prop_map(|((restarting, notification, restart_time), families)| GracefulRestart {
        restarting,
        notification,
        restart_time,
        families,
    })
}

fn long_lived() -> impl Strategy<Value = Vec<LongLivedFamily>> {
    let family = (unicast_or_multicast(), any::<bool>(), 0..=LongLivedFamily::MAX_STALE_TIME);
    let family =
        family.prop_map(|((afi, safi), forwarding, stale_time)| LongLivedFamily { afi, safi, forwarding, stale_time });
    vec(family, 0..4)
}

fn capability() -> impl Strategy<Value = Capability> {
    let next_hops = vec(unicast_or_multicast().prop_map(|(afi, safi)| (afi, safi.into(), 3 - afi)), 0..4);
    let unknown = (150..=180u8, vec(any::<u8>(), 0..20));
    prop_oneof![
        unicast_or_multicast().prop_map(|(afi, safi)| Capability::MultiProtocol { afi, safi }),
        Just(Capability::RouteRefresh),
        next_hops.prop_map(Capability::ExtendedNextHop),
        Just(Capability::ExtendedMessage),
        restart().prop_map(Capability::GracefulRestart),
        (1..=u32::MAX).prop_map(Capability::FourOctetAs),
        Just(Capability::EnhancedRouteRefresh),
        long_lived().prop_map(Capability::LongLivedGracefulRestart),
        unknown.prop_map(|(code, value)| Capability::Unknown { code, value: Bytes::from(value) }),
    ]
}

/// An OPEN with so many capabilities. Where the four-octet AS is among them, the last one is the speaker's.
fn open(capabilities: std::ops::Range<usize>) -> impl Strategy<Value = Open> {
    let hold_time = prop_oneof![Just(0), 3..=u16::MAX].prop_map(|seconds| HoldTime::new(seconds).unwrap());
    let id = (0x0100_0000..0xE000_0000u32).prop_map(|id| RouterId::new(id).unwrap());
    (1..=65535u32, hold_time, id, vec(capability(), capabilities)).prop_map(
        |(asn, hold_time, router_id, capabilities)| {
            let four_octets = capabilities.iter().rev().find_map(|capability| match capability {
                Capability::FourOctetAs(asn) => Some(*asn),
                _ => None,
            });
            let asn = Asn::new(four_octets.unwrap_or(asn)).unwrap();
            Open { asn, hold_time, router_id, capabilities }
        },
    )
}

fn from_rustbgpd(capability: &rustbgpd_wire::Capability) -> Capability {
    use rustbgpd_wire::Capability as Theirs;
    match capability {
        Theirs::MultiProtocol { afi, safi } => Capability::MultiProtocol { afi: *afi as u16, safi: *safi as u8 },
        Theirs::RouteRefresh => Capability::RouteRefresh,
        Theirs::ExtendedNextHop(families) => {
            let triple =
                families.iter().map(|one| (one.nlri_afi as u16, one.nlri_safi as u16, one.next_hop_afi as u16));
            Capability::ExtendedNextHop(triple.collect())
        }
        Theirs::ExtendedMessage => Capability::ExtendedMessage,
        Theirs::GracefulRestart { restart_state, notification, restart_time, families } => {
            let family = families.iter().map(|one| {
                let forwarding = one.forwarding_preserved;
                RestartFamily { afi: one.afi as u16, safi: one.safi as u8, forwarding }
            });
            Capability::GracefulRestart(GracefulRestart {
                restarting: *restart_state,
                notification: *notification,
                restart_time: *restart_time,
                families: family.collect(),
            })
        }
        Theirs::FourOctetAs { asn } => Capability::FourOctetAs(*asn),
        Theirs::EnhancedRouteRefresh => Capability::EnhancedRouteRefresh,
        Theirs::LongLivedGracefulRestart(families) => {
            let family = families.iter().map(|one| LongLivedFamily {
                afi: one.afi as u16,
                safi: one.safi as u8,
                forwarding: one.forwarding_preserved,
                stale_time: one.stale_time,
            });
            Capability::LongLivedGracefulRestart(family.collect())
        }
        Theirs::Unknown { code, data } => Capability::Unknown { code: *code, value: data.clone() },
        other => panic!("we do not send {other:?}"),
    }
}

fn from_netgauze(capability: &BgpCapability) -> Capability {
    match capability {
        BgpCapability::MultiProtocolExtensions(one) => {
            let family = one.address_type();
            Capability::MultiProtocol {
                afi: family.address_family() as u16,
                safi: family.subsequent_address_family() as u8,
            }
        }
        BgpCapability::RouteRefresh => Capability::RouteRefresh,
        BgpCapability::ExtendedNextHopEncoding(all) => {
            let triple = all.encodings().iter().map(|one| {
                let family = one.address_type();
                let (afi, safi) = (family.address_family() as u16, family.subsequent_address_family() as u16);
                (afi, safi, one.next_hop_afi() as u16)
            });
            Capability::ExtendedNextHop(triple.collect())
        }
        BgpCapability::ExtendedMessage => Capability::ExtendedMessage,
        BgpCapability::GracefulRestartCapability(one) => {
            let family = one.address_families().iter().map(|one| RestartFamily {
                afi: one.address_type().address_family() as u16,
                safi: one.address_type().subsequent_address_family() as u8,
                forwarding: one.forwarding_state(),
            });
            Capability::GracefulRestart(GracefulRestart {
                restarting: one.restart(),
                notification: one.graceful_notification(),
                restart_time: one.time(),
                families: family.collect(),
            })
        }
        BgpCapability::FourOctetAs(one) => Capability::FourOctetAs(one.asn4()),
        BgpCapability::EnhancedRouteRefresh => Capability::EnhancedRouteRefresh,
        BgpCapability::LongLivedGracefulRestart(all) => {
            let family = all.address_families().iter().map(|one| LongLivedFamily {
                afi: one.address_type().address_family() as u16,
                safi: one.address_type().subsequent_address_family() as u8,
                forwarding: one.forwarding_state(),
                stale_time: one.stale_time(),
            });
            Capability::LongLivedGracefulRestart(family.collect())
        }
        BgpCapability::Unrecognized(one) => {
            Capability::Unknown { code: *one.code(), value: Bytes::copy_from_slice(one.value()) }
        }
        other => panic!("we do not send {other:?}"),
    }
}

/// OPEN as we and rustbgpd read it.
fn check_open(open: &Open) -> Bytes {
    let message = open.encode();
    assert_eq!(Open::decode(&frame(&message).body).as_ref(), Ok(open));
    let Message::Open(theirs) = rustbgpd::message(&message, MAX_LEN) else { panic!("no OPEN") };
    assert_eq!((theirs.version, theirs.my_as), (4, open.asn.two_octets()));
    assert_eq!((theirs.hold_time, u32::from(theirs.bgp_identifier)), (open.hold_time.seconds(), open.router_id.get()));
    assert_eq!(theirs.capabilities.iter().map(from_rustbgpd).collect::<Vec<_>>(), open.capabilities);
    assert_eq!(Open::decode(&frame(&rewritten(&message)).body).as_ref(), Ok(open));
    message
}

proptest! {
    #[test]
    fn open_is_read_alike_by_three_codecs(open in open(0..8)) {
        prop_assume!(open.encode().len() < 29 + 255);
        let message = check_open(&open);
        let BgpMessage::Open(theirs) = netgauze::message(&message, true) else { panic!("no OPEN") };
        prop_assert_eq!((theirs.version(), theirs.my_as()), (4, open.asn.two_octets()));
        prop_assert_eq!((theirs.hold_time(), theirs.bgp_id().into()), (open.hold_time.seconds(), open.router_id.get()));
        let capabilities: Vec<_> = theirs.capabilities().into_iter().map(from_netgauze).collect();
        prop_assert_eq!(&capabilities, &open.capabilities);
        prop_assert_eq!(Open::decode(&frame(&netgauze::rewritten(&message, true)).body), Ok(open));
    }

    /// RFC 9072, which NetGauze does not know.
    #[test]
    fn long_open_is_read_alike_by_two_codecs(open in open(40..120)) {
        prop_assume!(open.encode().len() > 29 + 255);
        check_open(&open);
    }

    #[test]
    fn notification_is_read_alike_by_three_codecs(code in 1..=8u8, subcode in 0..=10u8, data in vec(any::<u8>(), 0..200)) {
        let ours = Notification { code, subcode, data: data.into() };
        let message = ours.encode();
        let Message::Notification(theirs) = rustbgpd::message(&message, MAX_LEN) else { panic!("no NOTIFICATION") };
        prop_assert_eq!((theirs.code.as_u8(), theirs.subcode, &theirs.data), (code, subcode, &ours.data));
        prop_assert_eq!(Notification::decode(&frame(&rewritten(&message)).body), Ok(ours.clone()));
        // NetGauze refuses codes and subcodes that have no name.
        let named = matches!((code, subcode), (1 | 5, 0..=3) | (2, 0..=4 | 6 | 7) | (3, 0..=6 | 8..=10) | (6, 1..=10) | (7, 1));
        if named {
            prop_assert_eq!(netgauze::rewritten(&message, true), message.to_vec());
        }
        prop_assert_eq!(Notification::decode(&frame(&message).body), Ok(ours));
    }

    #[test]
    fn route_refresh_is_read_alike_by_three_codecs((afi, safi) in unicast_or_multicast(), subtype in 0..=2u8) {
        let ours = RouteRefresh { afi, safi, subtype: RefreshSubtype::from_code(subtype) };
        let message = ours.encode();
        let Message::RouteRefresh(theirs) = rustbgpd::message(&message, MAX_LEN) else { panic!("no ROUTE-REFRESH") };
        prop_assert_eq!((theirs.afi_raw, theirs.subtype_raw, theirs.safi_raw), (afi, subtype, safi));
        let BgpMessage::RouteRefresh(theirs) = netgauze::message(&message, true) else { panic!("no ROUTE-REFRESH") };
        let family = theirs.address_type();
        prop_assert_eq!((family.address_family() as u16, family.subsequent_address_family() as u8), (afi, safi));
        let named = match theirs.operation_type() {
            RouteRefreshSubcode::NormalRequest => RefreshSubtype::Request,
            RouteRefreshSubcode::BeginningOfRouteRefresh => RefreshSubtype::Begin,
            RouteRefreshSubcode::EndOfRouteRefresh => RefreshSubtype::End,
        };
        prop_assert_eq!(named, ours.subtype);
        prop_assert_eq!(RouteRefresh::decode(&frame(&message).body), Ok(ours));
        prop_assert_eq!(rewritten(&message), &message);
        prop_assert_eq!(netgauze::rewritten(&message, true), message);
    }
}

#[test]
fn keepalive_is_read_alike_by_three_codecs() {
    let message = keepalive();
    assert_eq!(frame(&message).kind, MessageKind::Keepalive);
    assert_eq!(rustbgpd::message(&message, MAX_LEN), Message::Keepalive);
    assert_eq!(rewritten(&message), &message);
    assert_eq!(netgauze::message(&message, true), BgpMessage::KeepAlive);
    assert_eq!(netgauze::rewritten(&message, true), message);
}
