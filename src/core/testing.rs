//! For tests: a gateway as its neighbour sees it, a map from prefix to attributes that is fed with octets, and the rules by
//! which routes leave it.

pub(crate) mod coordination;
pub(crate) mod shelf;
pub(crate) mod store;

use crate::bgp::wire::{
    Encoding, Framer, MessageKind, RefreshSubtype, RouteAttributes, RouteRefresh, SessionType, Update, UpdateContext,
    UpdateOutcome,
};
use crate::model::{Asn, Family, PerFamily, Prefix, SourceId, Time};
use crate::source::schema::Schema;
use crate::source::sync::{Absent, Follow, Outcome, Sync, SyncConfig, Timing};
use crate::source::{ClaimChange, ClusterId, Record, Report, Rev};
use crate::view::{Chunk, Stamp};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A proof of absence, and the only way to one: a source that is asked (P2).
pub(crate) fn absent() -> Absent {
    let mut sync = Sync::new(SyncConfig {
        source: SourceId(0),
        schema: Schema::Hosts,
        follow: Follow::Relists,
        ipv4_via_ipv6: false,
        allow_empty: true,
        seed: 0,
        timing: Timing::default(),
    });
    let mut out = Outcome::default();
    sync.start(Time::ZERO, &mut out);
    let attempt = out.orders[0].attempt;
    let value = r#"{"addresses": ["10.168.0.1"], "subnets": ["10.244.1.0/24"]}"#.into();
    let record = Record { key: "a".into(), value, modified: Rev(1), created: Rev(1) };
    for (at, records) in [(Rev(1), vec![record]), (Rev(2), vec![])] {
        let page = Report::Page { at, cluster: ClusterId(0), records, more: false };
        sync.handle(Time::ZERO, attempt, page, &mut out);
    }
    let proof = out.changes.into_iter().find_map(|change| match change {
        ClaimChange::Remove(_, proof) => Some(proof),
        ClaimChange::Upsert(..) | ClaimChange::Restored => None,
    });
    proof.unwrap()
}

/// What an UPDATE says of a prefix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Said {
    next_hop: IpAddr,
    as_path: Vec<u32>,
    med: Option<u32>,
    local_pref: Option<u32>,
    communities: Vec<u32>,
    extended_communities: Vec<[u8; 8]>,
    large_communities: Vec<[u32; 3]>,
}

impl Said {
    pub(crate) fn next_hop(&self) -> IpAddr {
        self.next_hop
    }

    /// How a gateway orders paths of one neighbouring AS, the best first (RFC 4271 §9.1.2): the higher LOCAL_PREF, the shorter AS
    /// path, the lower MED.
    pub(crate) fn rank(&self) -> (Reverse<u32>, usize, u32) {
        (Reverse(self.local_pref.unwrap_or(100)), self.as_path.len(), self.med.unwrap_or_default())
    }

    /// Whether a leader has said it.
    pub(crate) fn is_of_leader(&self) -> bool {
        self.local_pref.map_or_else(|| self.med < Some(2_000_000), |local_pref| local_pref >= 1_000_000)
    }

    /// Whether a standby has said it that says so itself that it has not read its sources.
    pub(crate) fn is_unread(&self) -> bool {
        self.local_pref.map_or_else(|| self.med >= Some(3_000_000), |local_pref| local_pref < 600_000)
    }

    /// What shall be said of a route, by the RFCs and DESIGN §5 rather than by the encoder.
    pub(crate) fn expected(attributes: &RouteAttributes, encoding: &Encoding, stamp: Stamp) -> Self {
        let external = encoding.session == SessionType::External;
        let (med, local_pref) = match stamp {
            Stamp::Unstamped => (attributes.med, attributes.local_pref.unwrap_or(100)),
            Stamp::Leader { term } if external => (Some(1_000_000 - term), 0),
            Stamp::Leader { term } => (attributes.med, 1_000_000 + term),
            Stamp::Standby { ordinal } if external => (Some(2_000_000 + ordinal), 0),
            Stamp::Standby { ordinal } => (attributes.med, 999_999 - ordinal),
            Stamp::Unread { ordinal } if external => (Some(3_000_000 + ordinal), 0),
            Stamp::Unread { ordinal } => (attributes.med, 599_999 - ordinal),
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
    pub(crate) fn without_stamp(&self) -> Self {
        Said { med: None, local_pref: None, ..self.clone() }
    }
}

/// One thing that was heard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    Announced(Prefix, Said),
    Withdrawn(Prefix),
    EndOfRib(Family),
    BeginOfRefresh(Family),
    EndOfRefresh(Family),
}

impl Heard {
    /// The prefix that it is about, if it is about one.
    pub(crate) fn prefix(&self) -> Option<Prefix> {
        match self {
            Heard::Announced(prefix, _) | Heard::Withdrawn(prefix) => Some(*prefix),
            Heard::EndOfRib(_) | Heard::BeginOfRefresh(_) | Heard::EndOfRefresh(_) => None,
        }
    }
}

#[derive(Clone, Debug)]
struct Route {
    said: Said,
    /// To be taken away by the next marker unless it is said again.
    stale: bool,
}

/// One gateway. Keeps its routes over a restart of the session (RFC 4724 §4.2) until each family's End-of-RIB.
#[derive(Debug)]
pub(crate) struct Gateway {
    context: UpdateContext,
    max_len: usize,
    routes: BTreeMap<Prefix, Route>,
    /// End-of-RIB was heard on this session.
    synchronised: PerFamily<bool>,
    /// Between BoRR and EoRR.
    refreshing: PerFamily<bool>,
}

impl Gateway {
    /// A gateway that has agreed on these families with this encoding.
    pub(crate) fn new(families: PerFamily<bool>, encoding: &Encoding) -> Self {
        let internal = encoding.session == SessionType::Internal;
        let context = UpdateContext {
            internal,
            four_octet_as: encoding.four_octet_as,
            families,
            extended_next_hop: PerFamily { ipv4: encoding.ipv4_via_ipv6, ipv6: false },
            local_asn: if internal { encoding.local_asn } else { Asn::new(64500).unwrap() },
        };
        Gateway {
            context,
            max_len: encoding.max_len,
            routes: BTreeMap::new(),
            synchronised: PerFamily::default(),
            refreshing: PerFamily::default(),
        }
    }

    /// The session is over and another one begins.
    pub(crate) fn restart(&mut self) {
        self.synchronised = PerFamily::default();
        self.refreshing = PerFamily::default();
        self.routes.values_mut().for_each(|route| route.stale = true);
    }

    /// The restart timer has run out: what was not said again is gone (RFC 4724 §4.2).
    pub(crate) fn expire(&mut self) {
        self.routes.retain(|_, route| !route.stale);
    }

    /// Whether the family's End-of-RIB was heard on this session.
    pub(crate) fn is_synchronised(&self, family: Family) -> bool {
        self.synchronised[family]
    }

    /// Whether a BoRR was heard and its EoRR was not.
    pub(crate) fn is_refreshing(&self, family: Family) -> bool {
        self.refreshing[family]
    }

    /// What it holds.
    pub(crate) fn routes(&self) -> BTreeMap<Prefix, Said> {
        self.routes.iter().map(|(prefix, route)| (*prefix, route.said.clone())).collect()
    }

    /// What it holds of this prefix.
    pub(crate) fn route(&self, prefix: Prefix) -> Option<&Said> {
        self.routes.get(&prefix).map(|route| &route.said)
    }

    /// Whether it holds the prefix and no marker that is due would take it away.
    pub(crate) fn keeps(&self, prefix: Prefix) -> bool {
        self.routes.get(&prefix).is_some_and(|route| !route.stale)
    }

    /// Reads a chunk as the octets it is. Panics at anything that the RFCs or the negotiation forbid.
    pub(crate) fn hear(&mut self, chunk: &Chunk) -> Vec<Heard> {
        let mut framer = Framer::new();
        framer.set_max_len(self.max_len);
        framer.push(&chunk.bytes);
        let (mut heard, mut ends, mut end) = (Vec::new(), Vec::new(), 0);
        while let Some(frame) = framer.next().unwrap() {
            end += u32::try_from(frame.wire_len()).unwrap();
            ends.push(end);
            self.hear_message(frame.kind, &frame.body, &mut heard);
        }
        assert_eq!(framer.buffered(), 0, "a chunk is whole messages");
        assert_eq!(*chunk.ends, *ends, "the ends of the messages");
        heard
    }

    /// Reads one message. Panics as [`Gateway::hear`] does.
    pub(crate) fn hear_message(&mut self, kind: MessageKind, body: &[u8], heard: &mut Vec<Heard>) {
        match kind {
            MessageKind::Update => self.update(body, heard),
            MessageKind::RouteRefresh => self.bracket(body, heard),
            other => panic!("a view hands out no {other:?}"),
        }
    }

    fn update(&mut self, body: &[u8], heard: &mut Vec<Heard>) {
        let update = match Update::decode(body, &self.context) {
            UpdateOutcome::Accept(update) => update,
            other => panic!("no gateway accepts {other:?}"),
        };
        assert!(update.discarded.is_empty() && !update.looped, "{update:?}");
        if let Some(family) = update.end_of_rib {
            assert!(!std::mem::replace(&mut self.synchronised[family], true), "End-of-RIB comes once in a session");
            self.sweep(family);
            heard.push(Heard::EndOfRib(family));
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
        let family = message.family().unwrap();
        match message.subtype {
            RefreshSubtype::Begin => {
                assert!(self.synchronised[family], "RFC 7313 §4: no BoRR before End-of-RIB");
                self.refreshing[family] = true;
                let of_family = self.routes.iter_mut().filter(|(prefix, _)| prefix.family() == family);
                of_family.for_each(|(_, route)| route.stale = true);
                heard.push(Heard::BeginOfRefresh(family));
            }
            RefreshSubtype::End => {
                let begun = std::mem::replace(&mut self.refreshing[family], false);
                assert!(begun, "RFC 7313 §4: no EoRR without BoRR");
                self.sweep(family);
                heard.push(Heard::EndOfRefresh(family));
            }
            other => panic!("a view hands out no {other:?}"),
        }
    }

    fn sweep(&mut self, family: Family) {
        self.routes.retain(|prefix, route| prefix.family() != family || !route.stale);
    }
}
