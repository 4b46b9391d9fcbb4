//! A running service with all that it needs, on loopback addresses that no other test has.

use super::client::{Client, channel};
use super::until::until;
use fingerpost::admin::proto::{
    ExplainRequest, ExplainResponse, Gateway, Hold, ListGatewaysRequest, ListHoldsRequest, ListHoldsResponse,
    ListRoutesRequest, Route, SourceState, StatusRequest, StatusResponse,
};
use fingerpost::config::{self, Config};
use fingerpost::daemon::Service;
use fingerpost::speaker::Tcp;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// Two hosts, one with two subnets.
pub(crate) const HOSTS: &str = "hosts:
  node-a1: { addresses: [10.168.0.11], subnets: [10.244.1.0/24] }
  node-b1: { addresses: [10.168.0.21], subnets: [10.244.2.0/24, 10.244.3.0/24] }
";
/// The same file, emptied.
pub(crate) const NONE: &str = "hosts: {}\n";

/// So many hosts with one subnet each.
pub(crate) fn many(hosts: u8) -> String {
    let mut text = String::from("hosts:\n");
    for n in 0..hosts {
        writeln!(text, "  node-{n}: {{ addresses: [10.168.1.{n}], subnets: [10.244.{n}.0/24] }}").unwrap();
    }
    text
}

pub(crate) struct World {
    pub(crate) socket: PathBuf,
    pub(crate) client: Client,
    service: Service,
    directory: TempDir,
    /// What else stands in the configuration.
    more: &'static str,
}

impl World {
    /// Starts it and waits until every source was read. `gateways` is YAML: what stands under that key.
    pub(crate) async fn ready(hosts: &str, gateways: &str) -> World {
        World::ready_with(hosts, gateways, "").await
    }

    /// The same, with more in its configuration.
    pub(crate) async fn ready_with(hosts: &str, gateways: &str, more: &'static str) -> World {
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("hosts.yaml"), hosts).unwrap();
        std::fs::write(directory.path().join("core-a.key"), SECRET).unwrap();
        let world = World::start(directory, gateways, ACCEPT, more).await;
        world.until_listed().await;
        world
    }

    /// Starts it on what is in the directory.
    async fn start(directory: TempDir, gateways: &str, policy: &str, more: &'static str) -> World {
        let config = parse(directory.path(), gateways, policy, more);
        World::start_config(directory, config, more).await
    }

    async fn start_config(directory: TempDir, config: Config, more: &'static str) -> World {
        let socket = directory.path().join("admin.sock");
        let service = Service::start(config, Arc::new(Tcp)).await.unwrap();
        let channel = until("the admin API", async || channel(&socket).await).await;
        World { socket, client: Client::new(channel), service, directory, more }
    }

    /// Ends it, and starts another on what it left behind.
    pub(crate) async fn restart(self, gateways: &str) -> World {
        self.restart_with(gateways, ACCEPT).await
    }

    /// The same with another policy.
    pub(crate) async fn restart_with(self, gateways: &str, policy: &str) -> World {
        let more = self.more;
        World::start(self.end().await, gateways, policy, more).await
    }

    /// The same with its source under another name.
    pub(crate) async fn restart_renamed(self, name: &str) -> World {
        let (more, file) = (self.more, self.config());
        let directory = self.end().await;
        let text = std::fs::read_to_string(&file).unwrap().replacen("  lab:", &format!("  {name}:"), 1);
        let config = config::parse(&text, &file).unwrap_or_else(|faults| panic!("{faults}"));
        World::start_config(directory, config, more).await
    }

    pub(crate) async fn until_listed(&self) {
        self.until_status("a first list", |status| status.sources.iter().all(|source| source.complete)).await;
    }

    /// Waits until the snapshot of the source has so many records.
    pub(crate) async fn until_kept(&self, records: usize) {
        let file = self.path().join("state/snapshot-lab");
        until("a snapshot", async || {
            let lines = std::fs::read_to_string(&file).unwrap_or_default().lines().count();
            if lines == records + 2 { Ok(()) } else { Err(lines) }
        })
        .await;
    }

    /// Another policy.
    pub(crate) async fn reload(&mut self, gateways: &str, policy: &str) {
        assert!(self.service.reconfigure(parse(self.directory.path(), gateways, policy, self.more)).await);
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.directory.path().join("config.yaml")
    }

    /// What the file source reads from now on; None: the file is gone, and the store with it.
    pub(crate) fn write_hosts(&self, hosts: Option<&str>) {
        let file = self.directory.path().join("hosts.yaml");
        match hosts {
            Some(hosts) => std::fs::write(file, hosts).unwrap(),
            None => std::fs::remove_file(file).unwrap(),
        }
        self.service.nudge_sources();
    }

    pub(crate) async fn status(&self) -> StatusResponse {
        self.client.clone().status(StatusRequest {}).await.unwrap().into_inner()
    }

    pub(crate) async fn until_status(&self, what: &str, wanted: impl Fn(&StatusResponse) -> bool) -> StatusResponse {
        until(what, async || {
            // Of a process that has just taken another's place the first connection may still have gone to that one.
            let status =
                self.client.clone().status(StatusRequest {}).await.map_err(|error| error.to_string())?.into_inner();
            if wanted(&status) { Ok(status) } else { Err(format!("{status:?}")) }
        })
        .await
    }

    /// Waits until the source cannot be read any more.
    pub(crate) async fn until_stale(&self) {
        let stale = |status: &StatusResponse| status.sources[0].state == i32::from(SourceState::Stale);
        self.until_status("the loss of the source", stale).await;
    }

    /// The only gateway.
    pub(crate) async fn gateway(&self) -> Gateway {
        let request = ListGatewaysRequest::default();
        self.client.clone().list_gateways(request).await.unwrap().into_inner().gateways.remove(0)
    }

    pub(crate) async fn held(&self) -> ListHoldsResponse {
        let request = ListHoldsRequest::default();
        self.client.clone().list_holds(request).await.unwrap().into_inner()
    }

    pub(crate) async fn holds(&self) -> Vec<Hold> {
        self.held().await.holds
    }

    /// Waits until so many changes are held.
    pub(crate) async fn until_held(&self, count: usize) -> Vec<Hold> {
        until("holds", async || {
            let holds = self.holds().await;
            if holds.len() == count { Ok(holds) } else { Err(holds) }
        })
        .await
    }

    pub(crate) async fn routes(&self) -> Vec<Route> {
        let request = ListRoutesRequest::default();
        self.client.clone().list_routes(request).await.unwrap().into_inner().routes
    }

    /// What is announced: prefix and host, by prefix.
    pub(crate) async fn announced(&self) -> Vec<(String, String)> {
        let routes = self.routes().await.into_iter();
        let mut announced: Vec<_> = routes.filter_map(|route| Some((route.prefix, route.announced?.host))).collect();
        announced.sort();
        announced
    }

    pub(crate) async fn until_announced(&self, wanted: &[(&str, &str)]) {
        let wanted: Vec<_> = wanted.iter().map(|(prefix, host)| ((*prefix).into(), (*host).into())).collect();
        until("routes", async || {
            let seen = self.announced().await;
            if seen == wanted { Ok(()) } else { Err(seen) }
        })
        .await;
    }

    pub(crate) async fn explain(&self, target: &str) -> ExplainResponse {
        let request = ExplainRequest { target: target.into(), ..ExplainRequest::default() };
        self.client.clone().explain(request).await.unwrap().into_inner()
    }

    pub(crate) fn stop_engine(&self) {
        self.service.engine().stop();
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Ends it as SIGTERM does.
    pub(crate) async fn end(self) -> TempDir {
        self.service.hand_over().await;
        self.directory
    }
}

/// The policy of all gateways: its one rule.
pub(crate) const ACCEPT: &str = "{ match: {}, set: { communities: [\"64512:1\"], med: 50 }, then: accept }";

/// Writes and reads the configuration.
pub(crate) fn parse(directory: &Path, gateways: &str, policy: &str, more: &str) -> Config {
    let text = format!(
        "router: {{ asn: 64512, id: 10.0.3.10 }}
sources:
  lab: {{ file: {{ path: hosts.yaml, poll: 100ms }} }}
fence:
  prefixes: [ {{ within: 10.244.0.0/16, lengths: 16-32 }} ]
  next_hops: [ 10.168.0.0/16 ]
gateways: {{ {gateways} }}
policies: {{ default: [ {policy} ] }}
admin: {{ listen: \"unix:{}\" }}
state_dir: state
{more}
",
        directory.join("admin.sock").display()
    );
    let file = directory.join("config.yaml");
    std::fs::write(&file, &text).unwrap();
    config::parse(&text, &file).unwrap_or_else(|faults| panic!("{faults}"))
}

/// What no answer may hold (P9).
pub(crate) const SECRET: &str = "correct-horse-battery";
