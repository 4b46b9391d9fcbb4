//! The etcd transport against real etcds.
#![cfg(feature = "etcd")]
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod access;
mod faults;
mod follow;
mod follower;
mod server;

use etcd_client::Client;
use fingerpost::source::etcd::EtcdConfig;

/// Without TLS and users.
fn plain(endpoints: Vec<String>) -> EtcdConfig {
    EtcdConfig { endpoints, tls: None, auth: None }
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
