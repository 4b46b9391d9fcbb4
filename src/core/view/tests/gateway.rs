//! A gateway as its neighbour sees it: a map from prefix to attributes, and the rules by which routes leave it.

use crate::bgp::wire::{
    Encoding, Framer, MessageKind, RefreshSubtype, RouteAttributes, RouteRefresh, SessionType, Update, UpdateContext,
    UpdateOutcome,
};
use crate::model::{Asn, Family, PerFamily, Prefix};
use crate::view::{Chunk, Stamp};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What an UPDATE says of a prefix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Said {
    next_hop: IpAddr,
    as_path: Vec<u32>,
    med: Option<u32>,
    local_pref: Option<u32>,
    communities: Vec<u32>,
    extended_communities: Vec<[u8; 8]>,
    large_communities: Vec<[u32; 3]>,
}

impl Said {
    /// What shall be said of a route, by the RFCs and DESIGN §5 rather than by the encoder.
    pub(super) fn expected(attributes: &RouteAttributes, encoding: &Encoding, stamp: Stamp) -> Self {
        let external = encoding.session == SessionType::External;
        let (med, local_pref) = match stamp {
            Stamp::Unstamped => (attributes.med, attributes.local_pref.unwrap_or(100)),
            Stamp::Leader { term } if external => (Some(1_000_000 - term), 0),
            Stamp::Leader { term } => (attributes.med, 1_000_000 + term),
            Stamp::Standby { ordinal } if external => (Some(2_000_000 + ordinal), 0),
            Stamp::Standby { ordinal } => (attributes.med, 999_999 - ordinal),
        };
        let copies = if external { 1 + usize::from(attributes.prepend) } else { 0 };
        Said {
            next_hop: attributes.next_hop,
            as_path: vec![encoding.local_asn.get(); copies],
            med,
            local_pref: (!external).then_some(local_pref),
            communities: attributes.communities.to_vec(),
            extended_communities: attributes.extended_communities.to_vec(),
            large_communities: attributes.large_communities.to_vec(),
        }
    }

    /// Without what carries the stamp: in the middle of a change of stamp both are true.
    pub(super) fn without_stamp(&self) -> Self {
        Said { med: None, local_pref: None, ..self.clone() }
    }
}

/// One thing that was heard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    Announced(Prefix, Said),
    Withdrawn(Prefix),
    EndOfRib,
    BeginOfRefresh,
    EndOfRefresh,
}

#[derive(Clone, Debug)]
struct Route {
    said: Said,
    /// To be taken away by the next marker unless it is said again.
    stale: bool,
}

/// One family of one gateway. Keeps its routes over a restart of the session (RFC 4724 §4.2) until End-of-RIB.
#[derive(Debug)]
pub(super) struct Gateway {
    family: Family,
    context: UpdateContext,
    max_len: usize,
    routes: BTreeMap<Prefix, Route>,
    /// End-of-RIB was heard on this session.
    synchronised: bool,
    /// Between BoRR and EoRR.
    refreshing: bool,
}

impl Gateway {
    pub(super) fn new(family: Family, encoding: &Encoding) -> Self {
        let internal = encoding.session == SessionType::Internal;
        let context = UpdateContext {
            internal,
            four_octet_as: encoding.four_octet_as,
            families: PerFamily::from_fn(|one| one == family),
            extended_next_hop: PerFamily { ipv4: encoding.ipv4_via_ipv6, ipv6: false },
            local_asn: if internal { encoding.local_asn } else { Asn::new(64500).unwrap() },
        };
        let routes = BTreeMap::new();
        Gateway { family, context, max_len: encoding.max_len, routes, synchronised: false, refreshing: false }
    }

    /// The session is over and another one begins.
    pub(super) fn restart(&mut self) {
        self.synchronised = false;
        self.refreshing = false;
        self.routes.values_mut().for_each(|route| route.stale = true);
    }

    pub(super) fn is_synchronised(&self) -> bool {
        self.synchronised
    }

    pub(super) fn is_refreshing(&self) -> bool {
        self.refreshing
    }

    /// What it holds.
    pub(super) fn routes(&self) -> BTreeMap<Prefix, Said> {
        self.routes.iter().map(|(prefix, route)| (*prefix, route.said.clone())).collect()
    }

    /// Whether it holds the prefix and no marker that is due would take it away.
    pub(super) fn keeps(&self, prefix: Prefix) -> bool {
        self.routes.get(&prefix).is_some_and(|route| !route.stale)
    }

    /// Reads a chunk as the octets it is. Panics at anything that the RFCs or the negotiation forbid.
    pub(super) fn hear(&mut self, chunk: &Chunk) -> Vec<Heard> {
        let mut framer = Framer::new();
        framer.set_max_len(self.max_len);
        framer.push(&chunk.bytes);
        let (mut heard, mut ends, mut end) = (Vec::new(), Vec::new(), 0);
        while let Some(frame) = framer.next().unwrap() {
            end += u32::try_from(frame.wire_len()).unwrap();
            ends.push(end);
            match frame.kind {
                MessageKind::Update => self.update(&frame.body, &mut heard),
                MessageKind::RouteRefresh => self.bracket(&frame.body, &mut heard),
                other => panic!("a view hands out no {other:?}"),
            }
        }
        assert_eq!(framer.buffered(), 0, "a chunk is whole messages");
        assert_eq!(*chunk.ends, *ends, "the ends of the messages");
        heard
    }

    fn update(&mut self, body: &[u8], heard: &mut Vec<Heard>) {
        let update = match Update::decode(body, &self.context) {
            UpdateOutcome::Accept(update) => update,
            other => panic!("no gateway accepts {other:?}"),
        };
        assert!(update.discarded.is_empty() && !update.looped, "{update:?}");
        if let Some(family) = update.end_of_rib {
            assert_eq!(family, self.family);
            assert!(!std::mem::replace(&mut self.synchronised, true), "End-of-RIB comes once in a session");
            self.sweep();
            heard.push(Heard::EndOfRib);
            return;
        }
        for &prefix in &update.withdrawn {
            self.routes.remove(&prefix);
            heard.push(Heard::Withdrawn(prefix));
        }
        for (prefix, next_hop) in update.routes() {
            let attributes = &update.attributes;
            let path = attributes.as_path.as_deref().unwrap_or_default();
            let said = Said {
                next_hop,
                as_path: path.iter().map(|asn| asn.get()).collect(),
                med: attributes.med,
                local_pref: attributes.local_pref,
                communities: attributes.communities.clone(),
                extended_communities: attributes.extended_communities.clone(),
                large_communities: attributes.large_communities.clone(),
            };
            self.routes.insert(prefix, Route { said: said.clone(), stale: false });
            heard.push(Heard::Announced(prefix, said));
        }
    }

    fn bracket(&mut self, body: &[u8], heard: &mut Vec<Heard>) {
        let message = RouteRefresh::decode(body).unwrap();
        assert_eq!(message.family(), Some(self.family));
        match message.subtype {
            RefreshSubtype::Begin => {
                assert!(self.synchronised, "RFC 7313 §4: no BoRR before End-of-RIB");
                self.refreshing = true;
                self.routes.values_mut().for_each(|route| route.stale = true);
                heard.push(Heard::BeginOfRefresh);
            }
            RefreshSubtype::End => {
                assert!(std::mem::replace(&mut self.refreshing, false), "RFC 7313 §4: no EoRR without BoRR");
                self.sweep();
                heard.push(Heard::EndOfRefresh);
            }
            other => panic!("a view hands out no {other:?}"),
        }
    }

    fn sweep(&mut self) {
        self.routes.retain(|_, route| !route.stale);
    }
}
