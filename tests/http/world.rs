//! A running service with all that it needs, on loopback addresses that no other test has.

use super::address::address;
use super::client::{Answer, get};
use super::until::until;
use fingerpost::config::{self, Config};
use fingerpost::daemon::Service;
use fingerpost::speaker::Tcp;
use std::net::SocketAddr;
use std::sync::Arc;
use tempfile::TempDir;

/// Two hosts.
pub(crate) const HOSTS: &str = "hosts:
  node-a1: { addresses: [10.168.0.11], subnets: [10.244.1.0/24] }
  node-b1: { addresses: [10.168.0.21], subnets: [10.244.2.0/24] }
";

pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) http: SocketAddr,
    directory: TempDir,
}

impl World {
    /// Starts it. `gateways` is YAML: what stands under that key.
    pub(crate) async fn start(hosts: Option<&str>, gateways: &str) -> World {
        let directory = TempDir::new().unwrap();
        let http = SocketAddr::new(address(), 9179);
        if let Some(hosts) = hosts {
            std::fs::write(directory.path().join("hosts.yaml"), hosts).unwrap();
        }
        let config = parse(&directory, http, gateways);
        let service = Service::start(config, Arc::new(Tcp)).await.unwrap();
        until("the HTTP service", async || match super::client::request(http, "GET", "/livez").await {
            Ok(answer) if answer.status == 200 => Ok(()),
            other => Err(other),
        })
        .await;
        World { service, http, directory }
    }

    /// The same, once everything was read.
    pub(crate) async fn ready(hosts: &str, gateways: &str) -> World {
        let world = World::start(Some(hosts), gateways).await;
        world.until_answer("/readyz", |answer| answer.status == 200).await;
        world
    }

    /// Other gateways.
    pub(crate) async fn reconfigure(&mut self, gateways: &str) {
        let config = parse(&self.directory, self.http, gateways);
        self.service.reconfigure(config).await;
    }

    /// What the file source reads from now on; None: the file is gone.
    pub(crate) fn write_hosts(&self, hosts: Option<&str>) {
        let file = self.directory.path().join("hosts.yaml");
        match hosts {
            Some(hosts) => std::fs::write(file, hosts).unwrap(),
            None => std::fs::remove_file(file).unwrap(),
        }
        self.service.nudge_sources();
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        get(self.http, target).await
    }

    /// The answer, once it is as wanted.
    pub(crate) async fn until_answer(&self, target: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        until(target, async || {
            let answer = self.get(target).await;
            if wanted(&answer) { Ok(answer) } else { Err(answer) }
        })
        .await
    }
}

fn parse(directory: &TempDir, http: SocketAddr, gateways: &str) -> Config {
    let text = format!(
        "router: {{ asn: 64512, id: 10.0.3.10 }}
sources:
  lab: {{ file: {{ path: hosts.yaml, poll: 100ms }} }}
fence:
  prefixes: [ {{ within: 10.244.0.0/16, lengths: 16-32 }}, {{ within: \"fd00:244::/32\", lengths: 64-64 }} ]
  next_hops: [ 10.168.0.0/16, \"fd00:168::/32\" ]
gateways: {{ {gateways} }}
policies: {{ default: [ {{ match: {{}}, then: accept }} ] }}
guard: {{ withdrawals: off, moves: off, additions: off }}
http: {{ listen: \"{http}\" }}
"
    );
    config::parse(&text, &directory.path().join("config.yaml")).unwrap_or_else(|faults| panic!("{faults}"))
}
