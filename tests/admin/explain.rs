//! The whole story of a prefix, an address or a host (P8), and what each gateway was told.

use super::peer::Peer;
use super::until::until;
use super::world::{HOSTS, World, many};
use fingerpost::admin::proto::holds::Which;
use fingerpost::admin::proto::{
    ExplainRequest, ListHoldsRequest, ListRoutesRequest, RefreshRequest, Relation, Standing, Subject, TellState, Told,
    WithdrawRequest, target,
};
use fingerpost_core::bgp::wire::{Capability, MessageKind};
use std::collections::BTreeSet;
use tonic::Code;

fn capabilities() -> Vec<Capability> {
    vec![Capability::MultiProtocol { afi: 1, safi: 1 }, Capability::RouteRefresh, Capability::FourOctetAs(64500)]
}

/// What the gateway was told, once it is in this state.
async fn told(world: &World, prefix: &str, state: TellState) -> Told {
    until("what the gateway was told", async || {
        let told = world.explain(prefix).await.told;
        match told.as_slice() {
            [one] if one.state == i32::from(state) => Ok(one.clone()),
            _ => Err(told),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_is_explained_with_every_claim_and_what_lies_around_it_p8() {
    let hosts = "hosts:
  node-a1: { addresses: [10.168.0.11], subnets: [10.244.1.0/24, 10.244.0.0/16] }
  node-b1: { addresses: [10.168.0.21], subnets: [10.244.1.0/24, 10.244.1.128/25] }
  node-c1: { addresses: [192.0.2.1], subnets: [10.244.1.0/24] }
  node-d1: { addresses: [], subnets: [10.244.1.0/26] }
";
    let world = World::ready(hosts, "").await;
    let answer = world.explain("10.244.1.0/24").await;
    assert_eq!(answer.subject, i32::from(Subject::Prefix));
    let around: Vec<_> = answer.routes.iter().map(|route| (route.prefix.as_str(), route.relation)).collect();
    assert_eq!(
        around,
        [
            ("10.244.1.0/24", Relation::Exact.into()),
            ("10.244.0.0/16", Relation::Covering.into()),
            ("10.244.1.128/25", Relation::Within.into())
        ]
    );
    let claims: Vec<_> = answer.routes[0]
        .claims
        .iter()
        .map(|claim| (claim.standing, claim.host.as_str(), claim.reason.as_str()))
        .collect();
    assert_eq!(claims[0], (Standing::Route.into(), "node-a1", ""));
    assert_eq!(claims[1], (Standing::Shadowed.into(), "node-b1", "another claim for the prefix won"));
    assert_eq!((claims[2].0, claims[2].1), (Standing::Fenced.into(), "node-c1"));
    assert!(claims[2].2.contains("192.0.2.1"), "{claims:?}");
    let unresolved: Vec<_> = answer.unresolved.iter().map(|row| (row.prefix.as_str(), row.key.as_str())).collect();
    assert_eq!(unresolved, [("10.244.1.0/26", "node-d1")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_explained_by_what_contains_it_and_a_host_by_what_it_has() {
    let world = World::ready(HOSTS, "").await;
    let answer = world.explain("10.244.1.7").await;
    assert_eq!(answer.subject, i32::from(Subject::Address));
    assert_eq!(answer.routes.iter().map(|route| route.prefix.as_str()).collect::<Vec<_>>(), ["10.244.1.0/24"]);
    assert_eq!(answer.told_prefix, "10.244.1.0/24");
    let answer = world.explain("node-b1").await;
    assert_eq!(answer.subject, i32::from(Subject::Host));
    let prefixes: BTreeSet<_> = answer.routes.iter().map(|route| route.prefix.as_str()).collect();
    assert_eq!(prefixes, BTreeSet::from(["10.244.2.0/24", "10.244.3.0/24"]));
    for nothing in ["10.244.9.0/24", "10.99.0.1", "node-z9"] {
        assert!(world.explain(nothing).await.routes.is_empty(), "{nothing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_gateway_says_what_it_was_told_and_why_not_p8() {
    let peer = Peer::listen().await;
    let world = World::ready(HOSTS, &peer.yaml("core-a")).await;
    told(&world, "10.244.1.0/24", TellState::Down).await;
    let mut session = peer.establish(capabilities()).await;
    let one = told(&world, "10.244.1.0/24", TellState::Told).await;
    let attributes = one.attributes.unwrap();
    assert_eq!((one.gateway.as_str(), attributes.next_hop.as_str()), ("core-a", "10.168.0.11"));
    assert_eq!((attributes.med, attributes.local_pref), (Some(50), None));
    assert_eq!(attributes.communities, ["64512:1"]);
    session.expect(MessageKind::Update).await;

    let aim = fingerpost::admin::proto::Target { which: Some(target::Which::Host("node-a1".into())) };
    let request = WithdrawRequest { target: Some(aim), force: true };
    assert_eq!(world.client.clone().withdraw(request).await.unwrap().into_inner().count, 1);
    let one = told(&world, "10.244.1.0/24", TellState::Absent).await;
    assert_eq!(one.attributes, None);
    let answer = world.explain("10.244.1.0/24").await;
    assert_eq!(answer.routes[0].claims[0].standing, i32::from(Standing::Forced));
    assert_eq!(answer.forced.len(), 1);
    drop(session);
    told(&world, "10.244.2.0/24", TellState::Down).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_a_gateway_lacks_says_why_p8() {
    let (capped, attached) = (Peer::listen().await, Peer::listen().await);
    let with =
        |peer: &Peer, name: &str, more: &str| peer.yaml(name).replace("asn: 64500", &format!("asn: 64500, {more}"));
    let gateways = format!(
        "{}, {}",
        with(&capped, "capped", "max_prefix: 1"),
        with(&attached, "partly-attached", "attached: [10.168.0.0/28]")
    );
    let mut world = World::ready(HOSTS, &gateways).await;
    let _sessions = (capped.establish(capabilities()).await, attached.establish(capabilities()).await);
    let states = async |world: &World, prefix: &str| {
        let told = world.explain(prefix).await.told.into_iter();
        told.map(|one| TellState::try_from(one.state).unwrap()).collect::<Vec<_>>()
    };
    let until_told = async |world: &World, prefix: &str, wanted: [TellState; 2]| {
        until("what the gateways were told", async || {
            let seen = states(world, prefix).await;
            if seen == wanted { Ok(()) } else { Err(seen) }
        })
        .await;
    };
    until_told(&world, "10.244.1.0/24", [TellState::Told, TellState::Told]).await;
    until_told(&world, "10.244.2.0/24", [TellState::Capped, TellState::Excluded]).await;
    until_told(&world, "10.244.3.0/24", [TellState::Capped, TellState::Excluded]).await;
    let policy = "{ match: { prefixes: [ { within: 10.244.1.0/24 } ] }, then: accept }";
    world.reload(&gateways, policy).await;
    until_told(&world, "10.244.2.0/24", [TellState::Rejected, TellState::Rejected]).await;
    until_told(&world, "10.244.9.0/24", [TellState::Absent, TellState::Absent]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_by_order_sends_a_gateway_everything_again() {
    let peer = Peer::listen().await;
    let world = World::ready(HOSTS, &peer.yaml("core-a")).await;
    let mut client = world.client.clone();
    let request = RefreshRequest { gateway: "core-a".into() };
    let status = client.refresh(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    let _session = peer.establish(capabilities()).await;
    told(&world, "10.244.1.0/24", TellState::Told).await;
    // Three next hops and prefixes, and the End-of-RIB, are on their way.
    let before = until("a caught-up gateway", async || {
        let gateway = world.gateway().await;
        // An OPEN, a KEEPALIVE, two UPDATEs and the End-of-RIB.
        if gateway.families[0].caught_up && gateway.messages_sent >= 5 {
            Ok(gateway.messages_sent)
        } else {
            Err(gateway)
        }
    })
    .await;
    assert_eq!(client.refresh(request).await.unwrap().into_inner().families, ["ipv4"]);
    until("the same again", async || {
        let now = world.gateway().await.messages_sent;
        if now >= before + 2 { Ok(()) } else { Err(now) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_short_and_lose_nothing() {
    let world = World::ready(&many(50), "").await;
    let mut client = world.client.clone();
    let mut request = ListRoutesRequest { page_size: 7, ..ListRoutesRequest::default() };
    let mut seen = BTreeSet::new();
    loop {
        let page = client.list_routes(request.clone()).await.unwrap().into_inner();
        assert!(page.routes.len() <= 7);
        for route in page.routes {
            assert!(seen.insert(route.prefix.clone()), "{} came twice", route.prefix);
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), 50);
    world.write_hosts(Some("hosts: {}\n"));
    world.until_held(50).await;
    let mut request = ListHoldsRequest { page_size: 20, page_token: String::new() };
    let mut sizes = Vec::new();
    loop {
        let page = client.list_holds(request.clone()).await.unwrap().into_inner();
        sizes.push(page.holds.len());
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(sizes, [20, 20, 10]);
    let request = ExplainRequest { target: "10.244.0.0/16".into(), page_size: 10, page_token: String::new() };
    let first = client.explain(request).await.unwrap().into_inner();
    assert_eq!(first.routes.len(), 10);
    assert!(first.routes[0].hold.is_some() && !first.next_page_token.is_empty());
    let all = fingerpost::admin::proto::Holds { which: Some(Which::All(true)) };
    let request = fingerpost::admin::proto::ApproveRequest { holds: Some(all) };
    assert_eq!(client.approve(request).await.unwrap().into_inner().count, 50);
}
