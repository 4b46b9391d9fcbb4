//! The etcd transport against real etcds.
#![cfg(feature = "etcd")]
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

#[macro_use]
#[path = "../shared/each_etcd.rs"]
mod each_etcd;
mod access;
#[path = "../shared/address.rs"]
mod address;
mod certificates;
#[expect(dead_code, reason = "these tests need less of HTTP than those that it was written for")]
#[path = "../http/client.rs"]
mod client;
mod cluster;
mod faults;
mod follow;
mod follower;
mod guarded;
mod herd;
#[expect(dead_code, reason = "these tests need less of a gateway than those that it was written for")]
#[path = "../http/peer.rs"]
mod peer;
mod pki;
mod restore;
mod server;
#[path = "../shared/until.rs"]
mod until;

use etcd_client::Client;
use fingerpost::source::etcd::EtcdConfig;
use std::net::SocketAddr;

/// Without TLS and users.
fn plain(endpoints: Vec<String>) -> EtcdConfig {
    EtcdConfig { endpoints, tls: None, auth: None }
}

/// The configuration of a whole service on an etcd: its source, fence and HTTP, and the `rest` as lines.
fn service(endpoint: &str, http: SocketAddr, rest: &str) -> String {
    format!(
        "router: {{ asn: 64512, id: 10.0.3.10 }}
sources:
  lab: {{ etcd: {{ endpoints: [\"{endpoint}\"] }}, schema: {{ native: {{ prefix: /fp }} }} }}
fence:
  prefixes: [ {{ within: 10.244.0.0/16, lengths: 16-32 }} ]
  next_hops: [ 10.168.0.0/16 ]
{rest}http: {{ listen: \"{http}\" }}
"
    )
}

/// Writes a host's record.
async fn put(client: &mut Client, host: &str, address: &str, subnet: &str) {
    let value = format!(r#"{{"addresses": ["{address}"], "subnets": ["{subnet}"]}}"#);
    client.put(format!("/fp/hosts/{host}"), value, None).await.unwrap();
}

/// Deletes a host's record.
async fn delete(client: &mut Client, host: &str) {
    client.delete(format!("/fp/hosts/{host}"), None).await.unwrap();
}
