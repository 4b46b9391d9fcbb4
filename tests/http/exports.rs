//! What a gateway without a policy is told.

use super::peer::Peer;
use super::world::{HOSTS, World};
use fingerpost_core::bgp::wire::{Capability, MessageKind};

/// The gateway as [`Peer::yaml`] has it, without its policy and in this AS.
fn without_policy(peer: &Peer, asn: u32) -> String {
    peer.yaml("core-a").replace(", policy: default", "").replace("asn: 64500", &format!("asn: {asn}"))
}

/// The body of the first UPDATE that the gateway gets.
async fn first_update(asn: u32) -> (Vec<u8>, String) {
    let peer = Peer::listen().await;
    let world = World::ready(HOSTS, &without_policy(&peer, asn)).await;
    let capabilities = vec![Capability::MultiProtocol { afi: 1, safi: 1 }, Capability::FourOctetAs(asn)];
    let mut session = peer.establish_as(asn, capabilities).await;
    let update = session.expect(MessageKind::Update).await.body.to_vec();
    let told = |answer: &super::client::Answer| answer.body.contains("\"caught_up\":true");
    let answer = world.until_answer("/api/v1/gateways/core-a", told).await;
    (update, answer.json()["policy"].as_str().unwrap().to_owned())
}

const END_OF_RIB: [u8; 4] = [0; 4];

#[tokio::test(flavor = "multi_thread")]
async fn c15_ebgp_without_a_policy_is_sent_nothing_and_says_so() {
    assert_eq!(first_update(64500).await, (END_OF_RIB.to_vec(), "(none)".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn c15_ibgp_without_a_policy_is_sent_everything() {
    let (update, policy) = first_update(64512).await;
    assert_ne!(update, END_OF_RIB);
    assert_eq!(policy, "(all)");
}
