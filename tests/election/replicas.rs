//! Whole processes, and what their gateways are told.

use crate::gateway::{Gateway, Heard};
use crate::server::{Cluster, Etcd};
use crate::until::until;
use fingerpost::config;
use fingerpost::daemon::Service;
use fingerpost::speaker::Tcp;
use fingerpost_core::engine::Role;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;

on_each_etcd!(
    c41_the_leaders_paths_are_preferred_and_another_ones_are_at_hand_p7_p10,
    c41_p10_a_leader_that_ends_closes_its_sessions_once_another_leads_and_waits_for_nobody_where_there_is_none,
);

pub(crate) struct Replica {
    pub(crate) service: Service,
    pub(crate) gateway: Gateway,
    directory: Arc<TempDir>,
}

impl Replica {
    /// With a gateway of its own, which is told what any gateway would be told by it.
    pub(crate) async fn start(cluster: &Cluster, number: u8) -> Self {
        Self::start_as(cluster, number, |text| text).await
    }

    /// With another configuration than all the others.
    pub(crate) async fn start_as(cluster: &Cluster, number: u8, change: impl Fn(String) -> String) -> Self {
        Self::start_in(cluster, number, Arc::new(TempDir::new().unwrap()), change).await
    }

    /// What follows on it once it has handed over.
    pub(crate) async fn start_in(
        cluster: &Cluster,
        number: u8,
        directory: Arc<TempDir>,
        change: impl Fn(String) -> String,
    ) -> Self {
        let gateway = Gateway::listen().await;
        let text = Self::text(cluster, number, &gateway);
        let config = config::parse(&change(text), &directory.path().join("config.yaml"));
        let config = config.unwrap_or_else(|faults| panic!("{faults}"));
        let service = Service::start(config, Arc::new(Tcp)).await.unwrap();
        Replica { service, gateway, directory }
    }

    /// Its configuration.
    pub(crate) fn text(cluster: &Cluster, number: u8, gateway: &Gateway) -> String {
        format!(
            "router: {{ asn: 64512, id: 10.0.3.{number}, replicas: 2 }}
sources:
  prod: {{ etcd: {{ endpoints: {:?} }}, schema: {{ native: {{ prefix: /fp }} }} }}
fence:
  prefixes: [ {{ within: 10.244.0.0/16, lengths: 24 }} ]
  next_hops: [ 10.168.0.0/16 ]
gateways:
  core: {{ address: 127.0.0.1, port: {}, asn: 64500, policy: all, timers: {{ connect_retry: 200ms }} }}
policies: {{ all: [ {{ match: {{}}, then: accept }} ] }}
election: {{ etcd: {{ source: prod, key: /election, ttl: 4s }} }}
state_dir: state
",
            cluster.endpoints(),
            gateway.port(),
        )
    }

    /// Ends it as SIGTERM does; what it leaves on disk.
    pub(crate) async fn hand_over(self) -> Arc<TempDir> {
        self.service.hand_over().await;
        self.directory
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) async fn until_role(&self, what: &str, is_it: impl Fn(Role) -> bool) -> Role {
        until(what, async || {
            let role = self.service.engine().look(|engine| engine.role().0).await.unwrap();
            if is_it(role) { Ok(role) } else { Err(role) }
        })
        .await
    }

    pub(crate) async fn until_leads(&self) -> u32 {
        let role = self.until_role("a leader", |role| matches!(role, Role::Leader { .. })).await;
        role.term().unwrap()
    }

    /// Waits until its gateway was told these subnets, all of them with such a MED.
    pub(crate) async fn until_told(&self, subnets: &[&str], what: &str, is_it: impl Fn(u32) -> bool) {
        until(what, async || {
            let told = self.gateway.table();
            let same = told.keys().map(ToString::to_string).eq(subnets.iter().map(|subnet| (*subnet).to_owned()));
            if same && told.values().all(|med| is_it(*med)) { Ok(()) } else { Err(told) }
        })
        .await;
    }
}

pub(crate) async fn put(cluster: &Cluster, host: &str, address: &str, subnets: &str) {
    let value = format!(r#"{{"addresses": ["{address}"], "subnets": [{subnets}]}}"#);
    cluster.client().await.put(format!("/fp/hosts/{host}"), value, None).await.unwrap();
}

async fn c41_p10_a_leader_that_ends_closes_its_sessions_once_another_leads_and_waits_for_nobody_where_there_is_none(
    etcd: Etcd,
) {
    let cluster = Cluster::one(etcd).await;
    put(&cluster, "a", "10.168.0.11", r#""10.244.1.0/24""#).await;
    let first = Replica::start(&cluster, 1).await;
    let term = first.until_leads().await;
    let second = Replica::start(&cluster, 2).await;
    second.until_role("a standby", |role| matches!(role, Role::Standby { .. })).await;
    second.until_told(&["10.244.1.0/24"], "the standby's path", |med| med >= 2_000_000).await;
    until("known to the first", async || {
        let known = first.service.engine().look(|engine| engine.replicas().len()).await.unwrap();
        if known == 1 { Ok(()) } else { Err(known) }
    })
    .await;
    first.service.hand_over().await;
    // Not until then, but by then.
    let role = second.service.engine().look(|engine| engine.role().0).await.unwrap();
    assert_eq!(role, Role::Leader { term: term + 1 });
    second.until_told(&["10.244.1.0/24"], "the new leader's path", |med| med == 1_000_000 - term - 1).await;
    // The whole wait would be longer.
    let ends = timeout(Duration::from_secs(8), second.service.hand_over());
    ends.await.expect("it waits, and there is nobody");
}

async fn c41_the_leaders_paths_are_preferred_and_another_ones_are_at_hand_p7_p10(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    put(&cluster, "a", "10.168.0.11", r#""10.244.1.0/24", "10.244.2.0/24""#).await;
    let first = Replica::start(&cluster, 1).await;
    let term = first.until_leads().await;
    let both = ["10.244.1.0/24", "10.244.2.0/24"];
    first.until_told(&both, "the leader's paths", |med| med == 1_000_000 - term).await;
    let second = Replica::start(&cluster, 2).await;
    let standby = second.until_role("a standby", |role| matches!(role, Role::Standby { .. })).await;
    assert_eq!(standby.term(), Some(term));
    second.until_told(&both, "the standby's paths", |med| med >= 2_000_000).await;
    // What changes, both say.
    put(&cluster, "b", "10.168.0.12", r#""10.244.3.0/24""#).await;
    let all = ["10.244.1.0/24", "10.244.2.0/24", "10.244.3.0/24"];
    first.until_told(&all, "the leader's change", |med| med == 1_000_000 - term).await;
    second.until_told(&all, "the standby's change", |med| med >= 2_000_000).await;
    // The leader hands over, as at SIGTERM.
    first.service.hand_over().await;
    assert_eq!(second.until_leads().await, term + 1);
    second.until_told(&all, "the new leader's paths", |med| med == 1_000_000 - term - 1).await;
    for gateway in [&first.gateway, &second.gateway] {
        assert!(!gateway.heard().iter().any(|heard| matches!(heard, Heard::Withdrawn(_) | Heard::Notification)));
    }
}
