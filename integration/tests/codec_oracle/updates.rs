//! UPDATEs, as feeds hand them out.

use super::{Said, Session, any, netgauze, ours, rustbgpd};
use fingerpost_core::bgp::wire::{Encoding, Packer, RouteAttributes, SessionType};
use fingerpost_core::model::{Family, Prefix};
use fingerpost_core::table::Slots;
use fingerpost_core::view::{Chunk, Exclusion, Feed, Stamp, View};
use ipnet::IpNet;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn session(encoding: &Encoding) -> Session {
    let internal = encoding.session == SessionType::Internal;
    Session { internal, four_octet_as: encoding.four_octet_as, max_len: encoding.max_len.max(4096) }
}

/// The messages of a chunk, cut where it says they end.
fn messages(chunk: &Chunk) -> impl Iterator<Item = &[u8]> {
    let starts = std::iter::once(0).chain(chunk.ends.iter().copied());
    starts.zip(&chunk.ends).map(|(start, end)| &chunk.bytes[start as usize..*end as usize])
}

/// What all codecs read in this message, and in what each of them writes after reading it.
fn agreed(message: &[u8], session: Session) -> Said {
    let said = ours::read(message, session);
    assert_eq!(rustbgpd::read(message, session), said);
    assert_eq!(netgauze::read(message, session), said);
    let any_length = Session { max_len: 65535, ..session };
    assert_eq!(ours::read(&rustbgpd::rewritten(message, session), any_length), said);
    assert_eq!(ours::read(&netgauze::rewritten(message, session.four_octet_as), any_length), said);
    said
}

/// What a gateway is to hold for a route with these attributes; of a message, all but the prefixes.
fn expected(attributes: &RouteAttributes, encoding: &Encoding) -> Said {
    let external = encoding.session == SessionType::External;
    Said {
        origin: Some(0),
        as_path: Some(vec![encoding.local_asn.get(); if external { 1 + usize::from(attributes.prepend) } else { 0 }]),
        med: attributes.med,
        local_pref: (!external).then_some(attributes.local_pref.unwrap_or(100)),
        communities: attributes.communities.to_vec(),
        extended_communities: attributes.extended_communities.to_vec(),
        large_communities: attributes.large_communities.to_vec(),
        ..Said::default()
    }
}

/// What a gateway holds that believes the other codecs.
#[derive(Default)]
struct Gateway {
    routes: BTreeMap<IpNet, (std::net::IpAddr, Said)>,
    ends_of_rib: Vec<(u16, u8)>,
}

impl Gateway {
    fn hear(&mut self, chunk: &Chunk, encoding: &Encoding) {
        for message in messages(chunk) {
            assert!(message.len() <= encoding.max_len);
            let mut said = agreed(message, session(encoding));
            self.ends_of_rib.extend(said.end_of_rib.take());
            for prefix in std::mem::take(&mut said.withdrawn) {
                self.routes.remove(&prefix);
            }
            for (prefix, next_hop) in std::mem::take(&mut said.reachable) {
                self.routes.insert(prefix, (next_hop, said.clone()));
            }
        }
    }
}

fn drain(feed: &mut Feed, view: &mut View, slots: &Slots, gateway: &mut Gateway, encoding: &Encoding) {
    let stamp = Stamp::Unstamped;
    while let Some(chunk) = feed.pull_tail(view, slots, stamp).or_else(|| feed.pull_dump(view, slots, stamp, true)) {
        gateway.hear(&chunk, encoding);
    }
}

#[derive(Clone, Debug)]
struct Case {
    family: Family,
    encoding: Encoding,
    attributes: Vec<RouteAttributes>,
    /// Each with the number of its attributes, and what becomes of it later.
    routes: Vec<(Prefix, prop::sample::Index, Option<prop::sample::Index>)>,
}

fn cases() -> impl Strategy<Value = Case> {
    let attributes = proptest::collection::vec(any::attributes(), 1..5);
    (any::family(), any::encoding(), attributes).prop_flat_map(|(family, encoding, attributes)| {
        any::prefixes(family, 150).prop_flat_map(move |prefixes| {
            let (encoding, attributes) = (encoding, attributes.clone());
            let fates = (any::<prop::sample::Index>(), any::<Option<prop::sample::Index>>());
            proptest::collection::vec(fates, prefixes.len()).prop_map(move |fates| {
                let routes = prefixes.iter().zip(fates).map(|(prefix, (first, then))| (*prefix, first, then));
                Case { family, encoding, attributes: attributes.clone(), routes: routes.collect() }
            })
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Everything once, then every route changed or withdrawn: three codecs read the same in every message, and what
    /// they read adds up to the routes.
    #[test]
    fn what_feeds_hand_out_is_read_alike_by_three_codecs(case in cases()) {
        let Case { family, encoding, attributes, routes } = case;
        let (mut slots, mut view, mut gateway) = (Slots::default(), View::new(family), Gateway::default());
        let mut feed = Feed::new(&mut view, encoding, Exclusion::NOTHING, false);
        for then in [false, true] {
            let mut wanted = BTreeMap::new();
            for (prefix, first, later) in &routes {
                let chosen = if then { later.as_ref() } else { Some(first) };
                let chosen = chosen.map(|index| index.get(&attributes));
                let attr = chosen.map(|attributes| view.intern(attributes.clone()));
                let slot = slots.find_or_make(*prefix);
                view.set(slot, attr);
                let sayable = |attributes: &&RouteAttributes| Packer::new(encoding, family).can_announce(attributes);
                if let Some(attributes) = chosen.filter(sayable) {
                    wanted.insert(prefix.net(), (attributes.next_hop, expected(attributes, &encoding)));
                }
            }
            if !then {
                feed = Feed::new(&mut view, encoding, Exclusion::NOTHING, false);
            }
            drain(&mut feed, &mut view, &slots, &mut gateway, &encoding);
            prop_assert_eq!(&gateway.routes, &wanted);
        }
        prop_assert_eq!(gateway.ends_of_rib, [(family.afi(), 1)]);
    }
}
