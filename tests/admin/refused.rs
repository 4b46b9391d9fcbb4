//! Requests that get no answer but a reason.

use super::client::Client;
use super::until::BOUND;
use super::world::{HOSTS, SECRET, World};
use fingerpost::admin::proto::holds::Which;
use fingerpost::admin::proto::{
    ApproveRequest, ExplainRequest, Holds, HoldsOfSource, ListGatewaysRequest, ListHoldsRequest, ListRoutesRequest,
    RefreshRequest, StatusRequest, Target, WithdrawRequest, target,
};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use tonic::{Code, Response, Status};

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<Response<T>, Status>, code: Code, says: &str) {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), code, "{status}");
    assert!(status.message().contains(says), "{says:?} is not in {:?}", status.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_argument_is_told_what_to_write_instead() {
    let world = World::ready(HOSTS, "").await;
    let mut client = world.client.clone();
    let routes = ListRoutesRequest::default();
    for (request, says) in [
        (ListRoutesRequest { page_size: 1001, ..routes.clone() }, "page_size is 1001: write 1 to 1000"),
        (ListRoutesRequest { page_token: "x".into(), ..routes.clone() }, "page_token is \"x\": give what"),
        (ListRoutesRequest { page_token: "c8".into(), ..routes.clone() }, "page_token is \"c8\": give what"),
        (ListRoutesRequest { prefix: "10.244.1.5/24".into(), ..routes.clone() }, "write 10.244.1.0/24, or 10.244.1.5"),
        (ListRoutesRequest { prefix: "node-a1".into(), ..routes.clone() }, "is no prefix: write one such as"),
        (ListRoutesRequest { family: "IPv4".into(), ..routes.clone() }, "write ipv4 or ipv6"),
        (
            ListRoutesRequest { family: "ipv4".into(), host: "a".into(), ..routes.clone() },
            "only one of prefix, host and family",
        ),
    ] {
        refused(client.list_routes(request).await, Code::InvalidArgument, says);
    }
    let request = ListHoldsRequest { page_token: "x".into(), ..ListHoldsRequest::default() };
    refused(client.list_holds(request).await, Code::InvalidArgument, "page_token is \"x\"");
    let long = format!("10.244.1.0/{}", "3".repeat(50_000));
    for target in ["10.244.1.0/33", "two words", "", &long, &long.replace('/', "-")] {
        let request = ExplainRequest { target: target.into(), ..ExplainRequest::default() };
        refused(client.explain(request).await, Code::InvalidArgument, ": write ");
    }
    let request = ListGatewaysRequest { name: "core-z".into(), ..ListGatewaysRequest::default() };
    refused(client.list_gateways(request).await, Code::NotFound, "no gateway is named \"core-z\"");
    let request = RefreshRequest { gateway: "core-z".into() };
    refused(client.refresh(request).await, Code::NotFound, "no gateway is named \"core-z\"");
    let request = ApproveRequest { holds: Some(Holds { which: Some(Which::Prefix(long)) }) };
    refused(client.approve(request).await, Code::InvalidArgument, "\"… is not a prefix: write ADDRESS/LENGTH");
    refused(client.approve(ApproveRequest { holds: None }).await, Code::InvalidArgument, "holds is not set");
    let source = Which::Source(HoldsOfSource { name: "prod".into(), kind: 0 });
    let request = ApproveRequest { holds: Some(Holds { which: Some(source) }) };
    refused(client.approve(request).await, Code::NotFound, "no source is named \"prod\"");
    let aim = Target { which: Some(target::Which::Prefix("10.244.1.0/24".into())) };
    let request = WithdrawRequest { target: Some(aim), force: false };
    refused(client.withdraw(request).await, Code::InvalidArgument, "force is not set");
    assert_eq!(world.status().await.forced, 0);
    assert_eq!(world.announced().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn c67_an_oversized_request_is_refused_and_the_next_is_answered() {
    let world = World::ready(HOSTS, "").await;
    let large = ExplainRequest { target: "a".repeat(100 << 10), ..ExplainRequest::default() };
    refused(world.client.clone().explain(large).await, Code::OutOfRange, "too large");
    assert_eq!(world.status().await.ipv4_routes, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_nothing_is_let_go_and_keeps_nobody_out() {
    let world = World::ready(HOSTS, "").await;
    let mut silent = Vec::new();
    // All seats but that of the world's own client, and some that wait.
    for _ in 0..40 {
        silent.push(tokio::net::UnixStream::connect(&world.socket).await.unwrap());
    }
    let mut new = Client::new(super::client::channel(&world.socket).await.unwrap());
    assert!(new.status(StatusRequest {}).await.is_ok());
    for mut stream in silent {
        let closed = async { while matches!(stream.read(&mut [0; 256]).await, Ok(n) if n > 0) {} };
        timeout(BOUND, closed).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_engine_there_is_no_answer_rather_than_an_old_one() {
    let world = World::ready(HOSTS, "").await;
    world.stop_engine();
    let gone = async || match world.client.clone().status(StatusRequest {}).await {
        Err(status) if status.code() == Code::Unavailable => Ok(status),
        other => Err(other),
    };
    let status = super::until::until("the engine's end", gone).await;
    assert!(status.message().contains("see its log"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_holds_a_secret_p9() {
    let peer = super::peer::Peer::listen().await;
    let gateway = peer.yaml("core-a").replace("asn: 64500", "asn: 64500, password_file: core-a.key");
    let world = World::ready(HOSTS, &gateway).await;
    let mut client = world.client.clone();
    let answers = [
        format!("{:?}", world.status().await),
        format!("{:?}", client.list_gateways(ListGatewaysRequest::default()).await.unwrap()),
        format!("{:?}", world.routes().await),
        format!("{:?}", world.explain("10.244.1.0/24").await),
        format!("{:?}", world.holds().await),
    ];
    assert!(
        answers[1].contains("core-a") && std::fs::read(world.path().join("core-a.key")).unwrap() == SECRET.as_bytes()
    );
    for answer in answers {
        assert!(!answer.contains(SECRET), "{answer}");
    }
}
