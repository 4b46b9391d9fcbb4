//! Lists that are let out in several slices.

use super::super::{
    Effect, Engine, GatewaySettings, Input, Others, Refusal, SessionNumber, SessionUp, Settings, SourceSettings,
};
use crate::bgp::wire::{Encoding, Framer, MAX_LEN, MessageKind, SessionType, Update, UpdateContext, UpdateOutcome};
use crate::model::{Asn, GatewayId, PerFamily, Prefix, SourceId, Time};
use crate::policy::Policy;
use crate::source::schema::Schema;
use crate::source::sync::{Follow, SyncConfig, Timing};
use crate::source::{Attempt, ClusterId, Record, Report, Rev};
use crate::table::{Allowed, Fence, GuardConfig, Spent};
use crate::view::{Exclusion, Stamp};
use std::collections::BTreeMap;
use std::time::Duration;

const SOURCE: SourceId = SourceId(0);
pub(super) const GATEWAY: GatewayId = GatewayId(0);
pub(super) const SESSION: SessionNumber = SessionNumber(7);
/// More than go out in one slice.
pub(super) const HOSTS: u32 = 40_000;

pub(super) fn engine(effects: &mut Vec<Effect>) -> Engine {
    let p = |text: &str| text.parse::<Prefix>().unwrap();
    let sync = SyncConfig {
        source: SOURCE,
        schema: Schema::Hosts,
        follow: Follow::Relists,
        ipv4_via_ipv6: false,
        allow_empty: false,
        seed: 1,
        timing: Timing::default(),
    };
    let settings = Settings {
        sources: vec![SourceSettings {
            id: SOURCE,
            name: "file".into(),
            lacking: String::new(),
            priority: 0,
            sync,
            snapshot: None,
            spent: Spent::default(),
            snapshot_after: Duration::ZERO,
        }],
        fence: Fence {
            prefixes: vec![Allowed { within: p("10.0.0.0/8"), lengths: 8..=32 }],
            next_hops: vec![p("172.16.0.0/12")],
            ..Fence::default()
        },
        guard: GuardConfig::off(),
        policies: BTreeMap::from([("all".to_owned(), Policy::accept_all())]),
        others: Others::default(),
        gateways: vec![GatewaySettings {
            drain: false,
            id: GATEWAY,
            name: "core".into(),
            policy: "all".into(),
            max_prefix: PerFamily::default(),
            exclusion: Exclusion::NOTHING,
        }],
    };
    let mut engine = Engine::new(Time::ZERO, settings, effects);
    engine.handle(Time::ZERO, Input::SessionUp(GATEWAY, up(SESSION)), effects);
    engine
}

/// The attempt of the first list that the engine has ordered.
pub(super) fn ordered(effects: &[Effect]) -> Attempt {
    let attempt = effects.iter().find_map(|effect| match effect {
        Effect::Order(_, order) => Some(order.attempt),
        _ => None,
    });
    attempt.unwrap()
}

fn up(number: SessionNumber) -> SessionUp {
    let encoding = Encoding {
        session: SessionType::External,
        local_asn: Asn::new(64512).unwrap(),
        four_octet_as: true,
        ipv4_via_ipv6: false,
        max_len: MAX_LEN,
    };
    let families = PerFamily { ipv4: Some(encoding), ipv6: None };
    SessionUp { number, families, enhanced_refresh: false, address: "192.0.2.1".parse().unwrap() }
}

pub(super) fn subnet(n: u32) -> Prefix {
    format!("10.{}.{}.0/26", n / 256, n % 256).parse().unwrap()
}

/// Every host owns one subnet, except that `owner` owns the first one's, too, which then owns none.
pub(super) fn list(at: u64, owner: Option<u32>) -> Report {
    let record = |n: u32| {
        let mut subnets: Vec<String> = vec![subnet(n).to_string()];
        match owner {
            Some(_) if n == 0 => subnets.clear(),
            Some(owner) if n == owner => subnets.push(subnet(0).to_string()),
            _ => {}
        }
        let address = format!("172.16.{}.{}", n / 256 % 100, n % 256);
        let value = serde_json::json!({ "addresses": [address], "subnets": subnets }).to_string();
        Record { key: format!("host-{n:06}").into(), value: value.into(), modified: Rev(at), created: Rev(at) }
    };
    Report::Page { at: Rev(at), cluster: ClusterId(0), records: (0..HOSTS).map(record).collect(), more: false }
}

/// Lets the engine do all it wants, as its thread does, and returns the UPDATEs for the gateway.
fn run(engine: &mut Engine, mut effects: Vec<Effect>) -> Vec<Update> {
    let context = UpdateContext {
        internal: false,
        four_octet_as: true,
        families: PerFamily { ipv4: true, ipv6: false },
        extended_next_hop: PerFamily::default(),
        local_asn: Asn::new(64500).unwrap(),
    };
    let (mut framer, mut updates) = (Framer::new(), Vec::new());
    loop {
        let due = engine.next_deadline() == Some(Time::ZERO);
        if due {
            engine.on_deadline(Time::ZERO, &mut effects);
        }
        let more = engine.work(&mut effects) || due;
        for effect in std::mem::take(&mut effects) {
            if let Effect::Send(gateway, session, chunk) = effect {
                framer.push(&chunk.bytes);
                engine.handle(Time::ZERO, Input::Written(gateway, session, chunk.bytes.len()), &mut effects);
            }
        }
        while let Some(frame) = framer.next().unwrap() {
            assert_eq!(frame.kind, MessageKind::Update);
            match Update::decode(&frame.body, &context) {
                UpdateOutcome::Accept(update) => updates.push(update),
                other => panic!("{other:?}"),
            }
        }
        if !more {
            return updates;
        }
    }
}

#[test]
fn a_subnet_that_moves_between_two_slices_of_a_list_is_never_withdrawn() {
    let mut effects = Vec::new();
    let mut engine = engine(&mut effects);
    let attempt = ordered(&effects);
    engine.handle(Time::ZERO, Input::Report(SOURCE, attempt, list(1, None)), &mut effects);
    let first = run(&mut engine, effects);
    assert_eq!(first.iter().map(|update| update.reachable.len()).sum::<usize>(), HOSTS as usize);

    let mut effects = Vec::new();
    engine.handle(Time::ZERO, Input::Report(SOURCE, attempt, list(2, Some(HOSTS - 1))), &mut effects);
    let second = run(&mut engine, effects);
    let told: Vec<_> = second.iter().flat_map(Update::routes).collect();
    let owner: std::net::IpAddr = format!("172.16.{}.{}", (HOSTS - 1) / 256 % 100, (HOSTS - 1) % 256).parse().unwrap();
    assert_eq!(told, [(subnet(0), owner)], "the move and nothing else");
    assert!(second.iter().all(|update| update.withdrawn.is_empty()), "a withdrawal on the way is an outage");
}

const HOST_B: &str = r#"{"addresses": ["172.16.0.2"], "subnets": ["10.0.2.0/24"]}"#;

fn record(key: &'static str, value: &'static str, at: u64) -> Record {
    Record { key: key.into(), value: value.into(), modified: Rev(at), created: Rev(at) }
}

/// Whether the updates end IPv4's table.
fn ends(updates: &[Update]) -> bool {
    updates.iter().any(|update| update.end_of_rib == Some(crate::model::Family::Ipv4))
}

#[test]
fn a_record_that_never_could_be_read_holds_end_of_rib_back_p2_p4() {
    let mut effects = Vec::new();
    let mut engine = engine(&mut effects);
    let attempt = ordered(&effects);
    let good = record("a", r#"{"addresses": ["172.16.0.1"], "subnets": ["10.0.1.0/24"]}"#, 1);
    let page = |at, other| Report::Page {
        at: Rev(at),
        cluster: ClusterId(0),
        records: vec![good.clone(), other],
        more: false,
    };
    let first = page(1, record("b", "garbage", 1));
    engine.handle(Time::ZERO, Input::Report(SOURCE, attempt, first), &mut effects);
    let updates = run(&mut engine, std::mem::take(&mut effects));
    assert_eq!(updates.iter().flat_map(Update::routes).count(), 1, "the rest flows");
    // An earlier process may have announced what stands in b: the gateway must go on keeping it.
    assert!(!ends(&updates));
    let second = page(2, record("b", HOST_B, 2));
    engine.handle(Time::ZERO, Input::Report(SOURCE, attempt, second), &mut effects);
    let updates = run(&mut engine, std::mem::take(&mut effects));
    assert_eq!(updates.iter().flat_map(Update::routes).count(), 1);
    assert!(ends(&updates));
    // From here on the gateway keeps nothing but what this process told it: a garbled newcomer hides nothing of that.
    let third = Report::Page {
        at: Rev(3),
        cluster: ClusterId(0),
        records: vec![good.clone(), record("b", HOST_B, 2), record("c", "garbage", 3)],
        more: false,
    };
    engine.handle(Time::ZERO, Input::Report(SOURCE, attempt, third), &mut effects);
    run(&mut engine, std::mem::take(&mut effects));
    let next = SessionNumber(SESSION.0 + 1);
    engine.handle(Time::ZERO, Input::SessionDown(GATEWAY, SESSION), &mut effects);
    engine.handle(Time::ZERO, Input::SessionUp(GATEWAY, up(next)), &mut effects);
    let updates = run(&mut engine, effects);
    assert!(!engine.is_verified(crate::model::Family::Ipv4) && ends(&updates));
    assert_eq!(updates.iter().flat_map(Update::routes).count(), 2);
    // Nor after a session that was given up because something did not reach the gateway.
    let mut effects = Vec::new();
    let refusal = Refusal { stamp: Stamp::Leader { term: 1 }, after: 0 };
    engine.handle(Time::ZERO, Input::Refused(GATEWAY, next, refusal), &mut effects);
    assert!(matches!(effects[..], [Effect::CloseSlow(GATEWAY, ended)] if ended == next), "{effects:?}");
    let last = SessionNumber(next.0 + 1);
    engine.handle(Time::ZERO, Input::SessionDown(GATEWAY, next), &mut effects);
    engine.handle(Time::ZERO, Input::SessionUp(GATEWAY, up(last)), &mut effects);
    let updates = run(&mut engine, effects);
    assert!(!engine.is_verified(crate::model::Family::Ipv4) && ends(&updates));
}

/// The gateway may still hold what an earlier process announced.
#[test]
fn p2_p4_an_end_of_rib_that_was_refused_has_completed_nothing() {
    let mut effects = Vec::new();
    let mut engine = engine(&mut effects);
    let attempt = ordered(&effects);
    let b = record("b", HOST_B, 1);
    let page = |at, records| Report::Page { at: Rev(at), cluster: ClusterId(0), records, more: false };
    engine.handle(Time::ZERO, Input::Report(SOURCE, attempt, page(1, vec![b.clone()])), &mut effects);
    assert!(ends(&run(&mut engine, std::mem::take(&mut effects))));
    let refusal = Refusal { stamp: Stamp::Leader { term: 1 }, after: 0 };
    engine.handle(Time::ZERO, Input::Refused(GATEWAY, SESSION, refusal), &mut effects);
    assert!(matches!(effects[..], [Effect::CloseSlow(GATEWAY, SESSION)]), "{effects:?}");
    let second = page(2, vec![b, record("c", "garbage", 2)]);
    engine.handle(Time::ZERO, Input::Report(SOURCE, attempt, second), &mut effects);
    engine.handle(Time::ZERO, Input::SessionDown(GATEWAY, SESSION), &mut effects);
    engine.handle(Time::ZERO, Input::SessionUp(GATEWAY, up(SessionNumber(SESSION.0 + 1))), &mut effects);
    let updates = run(&mut engine, effects);
    assert_eq!(updates.iter().flat_map(Update::routes).count(), 1);
    assert!(!ends(&updates), "what c states may be among it");
}

#[test]
fn c15_next_hop_is_never_the_receivers_own_address() {
    let mut effects = Vec::new();
    let mut engine = engine(&mut effects);
    let attempt = ordered(&effects);
    let host = |n: u8| Record {
        key: format!("host-{n}").into(),
        value: format!(r#"{{"addresses": ["172.16.0.{n}"], "subnets": ["10.0.{n}.0/24"]}}"#).into(),
        modified: Rev(1),
        created: Rev(1),
    };
    let page = Report::Page { at: Rev(1), cluster: ClusterId(0), records: vec![host(1), host(2)], more: false };
    engine.handle(Time::ZERO, Input::Report(SOURCE, attempt, page), &mut effects);
    assert_eq!(run(&mut engine, std::mem::take(&mut effects)).iter().flat_map(Update::routes).count(), 2);
    // A host that peers in: it gets the others' routes and not its own (RFC 4271 §5.1.3).
    let next = SessionNumber(SESSION.0 + 1);
    engine.handle(Time::ZERO, Input::SessionDown(GATEWAY, SESSION), &mut effects);
    let up = SessionUp { address: "172.16.0.2".parse().unwrap(), ..up(next) };
    engine.handle(Time::ZERO, Input::SessionUp(GATEWAY, up), &mut effects);
    let updates = run(&mut engine, effects);
    let told: Vec<_> = updates.iter().flat_map(Update::routes).map(|(prefix, _)| prefix.to_string()).collect();
    assert_eq!(told, ["10.0.1.0/24"]);
    assert!(ends(&updates));
}

#[test]
fn ten_thousand_records_for_one_prefix_are_decided_once() {
    let mut effects = Vec::new();
    let mut engine = engine(&mut effects);
    let attempt = ordered(&effects);
    let record = |n: u64| Record {
        key: format!("host-{n:05}").into(),
        value: format!(r#"{{"addresses": ["172.16.{}.{}"], "subnets": ["10.0.1.0/24"]}}"#, n / 250, n % 250 + 1).into(),
        modified: Rev(20_000 - n),
        created: Rev(20_000 - n),
    };
    let records = (0..10_000).map(record).collect();
    let page = Report::Page { at: Rev(20_000), cluster: ClusterId(0), records, more: false };
    engine.handle(Time::ZERO, Input::Report(SOURCE, attempt, page), &mut effects);
    let updates = run(&mut engine, effects);
    let told: Vec<_> = updates.iter().flat_map(Update::routes).map(|(_, via)| via.to_string()).collect();
    assert_eq!(told, ["172.16.39.250"], "the oldest record's host");
}
