//! A running service with all that it needs.

use super::client::get;
use super::until::until;
use fingerpost::config::{self, Config};
use fingerpost::daemon::Service;
use fingerpost::speaker::{Net, Tcp};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tempfile::TempDir;

/// Two hosts.
pub(crate) const HOSTS: &str = "hosts:
  node-a1: { addresses: [10.168.0.11], subnets: [10.244.1.0/24] }
  node-b1: { addresses: [10.168.0.21], subnets: [10.244.2.0/24] }
";

/// The first of 256 addresses of this test's own.
pub(crate) fn subnet() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    let low = std::process::id() as u8 % 8;
    Ipv4Addr::new(127, 32 + low, NEXT.fetch_add(1, Ordering::Relaxed), 0)
}

/// The address with this last octet in the subnet.
pub(crate) fn within(subnet: Ipv4Addr, last: u8) -> IpAddr {
    let [a, b, c, _] = subnet.octets();
    Ipv4Addr::new(a, b, c, last).into()
}

/// Whether a gateway, as the API shows it, has a session.
pub(crate) fn is_up(gateway: &Value) -> bool {
    gateway["state"] == "Established"
}

pub(crate) struct World {
    pub(crate) service: Service,
    /// Where it listens for gateways.
    pub(crate) listens: SocketAddr,
    http: SocketAddr,
    directory: TempDir,
}

impl World {
    /// Starts it. `gateways` is YAML: what stands under that key; `files` are names and what stands in them.
    pub(crate) async fn start(gateways: &str, files: &[(&str, &str)]) -> World {
        World::with_hosts(HOSTS, gateways, files).await
    }

    pub(crate) async fn with_hosts(hosts: &str, gateways: &str, files: &[(&str, &str)]) -> World {
        World::on(Arc::new(Tcp), hosts, gateways, files).await
    }

    /// On another network.
    pub(crate) async fn on(net: Arc<dyn Net>, hosts: &str, gateways: &str, files: &[(&str, &str)]) -> World {
        let directory = TempDir::new().unwrap();
        let own = subnet();
        let (http, listens) = (SocketAddr::new(within(own, 1), 9179), SocketAddr::new(within(own, 1), 1790));
        for (name, text) in files.iter().chain(&[("hosts.yaml", hosts)]) {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let config = parse(&directory, http, listens, gateways);
        let service = Service::start(config, net).await.unwrap();
        let world = World { service, listens, http, directory };
        until("the service to be ready", async || match super::client::request(http, "GET", "/readyz").await {
            Ok(answer) if answer.status == 200 => Ok(()),
            other => Err(other),
        })
        .await;
        world
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Other gateways.
    pub(crate) async fn reconfigure(&mut self, gateways: &str) {
        let config = parse(&self.directory, self.http, self.listens, gateways);
        assert!(self.service.reconfigure(config).await, "reconfiguration refused");
    }

    /// What the daemon does every second, until it is so: the gateway as the API shows it.
    pub(crate) async fn until_gateway(&mut self, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let target = format!("/api/v1/gateways/{name}");
        until(what, async || {
            self.service.look_after().await;
            let gateway = get(self.http, &target).await.json();
            if is_so(&gateway) { Ok(gateway) } else { Err(gateway) }
        })
        .await
    }

    /// … and the ranges, until it is so of the first.
    pub(crate) async fn until_ranges(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        until(what, async || {
            self.service.look_after().await;
            let ranges = get(self.http, "/api/v1/gateways").await.json()["ranges"].clone();
            if is_so(&ranges[0]) { Ok(ranges) } else { Err(ranges) }
        })
        .await
    }

    pub(crate) async fn text(&self, target: &str) -> String {
        get(self.http, target).await.body
    }
}

fn parse(directory: &TempDir, http: SocketAddr, listens: SocketAddr, gateways: &str) -> Config {
    let text = configuration(http, listens, gateways);
    config::parse(&text, &directory.path().join("config.yaml")).unwrap_or_else(|faults| panic!("{faults}"))
}

/// Of a process with `hosts.yaml` as its source.
pub(crate) fn configuration(http: SocketAddr, listens: SocketAddr, gateways: &str) -> String {
    format!(
        "router: {{ asn: 64512, id: 10.0.3.10, listen: [\"{listens}\"] }}
sources:
  lab: {{ file: {{ path: hosts.yaml, poll: 100ms }} }}
fence:
  prefixes: [ {{ within: 10.244.0.0/16, lengths: 16-32 }} ]
  next_hops: [ 10.168.0.0/16 ]
gateways: {{ {gateways} }}
policies: {{ default: [ {{ match: {{}}, then: accept }} ] }}
guard: {{ withdrawals: off, moves: off, additions: off }}
http: {{ listen: \"{http}\" }}
"
    )
}
