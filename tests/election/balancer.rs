//! One name for several members: what passes requests on does not send each to the same one.

use crate::elector::Elector;
use crate::server::{Cluster, Etcd};
use fingerpost::clock::since_boot;
use fingerpost::source::etcd::EtcdConfig;
use std::convert::Infallible;
use std::future::poll_fn;
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};

on_each_etcd!(c44_behind_one_name_for_several_members_no_renewal_counts_that_another_has_confirmed);

async fn c44_behind_one_name_for_several_members_no_renewal_counts_that_another_has_confirmed(version: Etcd) {
    let cluster = Cluster::start(version, 3, "http", &[]).await;
    let (one, another) = (cluster.members[0].endpoint(), cluster.members[1].endpoint());
    let mixed = Balancer::start(&one, &another).await;
    let elector = Elector::start_with(mixed.etcd(), 1);
    elector.until_trouble("one by one").await;
    elector.until_role("no leader", |role| role.leads(since_boot()).is_none()).await;
    // Nor does it keep the leadership from who can prove its renewals.
    let plain = Balancer::start(&another, &another).await;
    Elector::start_with(plain.etcd(), 2).until_leads().await;
}

struct Balancer {
    port: u16,
    _server: AbortOnDropHandle<()>,
}

impl Balancer {
    /// Leases go to one member, all else to the other.
    async fn start(reads: &str, leases: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let to = |member: &str| Endpoint::from_shared(member.to_owned()).unwrap().connect_lazy();
        let server = Server::builder()
            .add_service(PassOn::<LEASE>(to(leases)))
            .add_service(PassOn::<KV>(to(reads)))
            .add_service(PassOn::<WATCH>(to(reads)))
            .serve_with_incoming(TcpIncoming::from(listener));
        let server = tokio::spawn(async { server.await.unwrap() });
        Balancer { port, _server: AbortOnDropHandle::new(server) }
    }

    fn etcd(&self) -> EtcdConfig {
        EtcdConfig { endpoints: vec![format!("http://127.0.0.1:{}", self.port)], tls: None, auth: None }
    }
}

const LEASE: u8 = 0;
const KV: u8 = 1;
const WATCH: u8 = 2;

/// All requests of one of etcd's services, to one member.
#[derive(Clone)]
struct PassOn<const SERVICE: u8>(Channel);

impl NamedService for PassOn<LEASE> {
    const NAME: &'static str = "etcdserverpb.Lease";
}

impl NamedService for PassOn<KV> {
    const NAME: &'static str = "etcdserverpb.KV";
}

impl NamedService for PassOn<WATCH> {
    const NAME: &'static str = "etcdserverpb.Watch";
}

impl<const SERVICE: u8> Service<http::Request<Body>> for PassOn<SERVICE> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut member = self.0.clone();
        Box::pin(async move {
            let ready = poll_fn(|context| member.poll_ready(context)).await;
            let answer = match ready {
                Ok(()) => member.call(request).await,
                Err(error) => Err(error),
            };
            Ok(answer.unwrap_or_else(|error| Status::unavailable(error.to_string()).into_http()))
        })
    }
}
