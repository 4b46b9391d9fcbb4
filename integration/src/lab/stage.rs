//! The usual beginning of a scenario: a lab, an etcd with a record for every host, Fingerpost, and the routes in the
//! kernels of all gateways.

use super::etcd::Etcd;
use super::fingerpost::{Fingerpost, Source, replica_configuration};
use super::gateway::{BOUND, Daemon};
use super::host::Host;
use super::record;
use super::route::PodRoutes;
use super::topology::Subnet;
use super::{Lab, Peering, wait};

/// A lab in which everything works; what follows is the scenario.
#[derive(Debug)]
pub struct Stage {
    /// The product.
    pub fingerpost: Fingerpost,
    /// Its source.
    pub etcd: Etcd,
    /// The rest.
    pub lab: Lab,
}

impl Stage {
    /// The native schema, eBGP over one hop, one gateway.
    #[must_use]
    #[track_caller]
    pub fn native(daemon: Daemon) -> Self {
        Self::native_in(Lab::builder(Peering::Ebgp).gateway(daemon).build())
    }

    /// The native schema in a given lab.
    #[must_use]
    #[track_caller]
    pub fn native_in(lab: Lab) -> Self {
        let etcd = Etcd::start(lab.control());
        for host in lab.hosts() {
            etcd.put(&record::native_key(host), &record::native_value(host, &[host.subnet()]));
        }
        let fingerpost = Fingerpost::start(&lab, &Source::Native);
        let stage = Self { fingerpost, etcd, lab };
        stage.await_home_routes();
        stage
    }

    /// flannel's schema, eBGP over one hop, one gateway: every host holds a lease of a day.
    #[must_use]
    #[track_caller]
    pub fn flannel(daemon: Daemon) -> Self {
        let lab = Lab::builder(Peering::Ebgp).gateway(daemon).build();
        let etcd = Etcd::start(lab.control());
        etcd.put(&format!("{}/config", record::FLANNEL_PREFIX), &record::flannel_network());
        for host in lab.hosts() {
            let lease = etcd.grant(std::time::Duration::from_hours(24));
            etcd.put_with_lease(&record::flannel_key(host.subnet()), &record::flannel_value(host), &lease);
        }
        let fingerpost = Fingerpost::start(&lab, &Source::Flannel);
        let stage = Self { fingerpost, etcd, lab };
        stage.await_home_routes();
        stage
    }

    /// Writes a host's record in the native schema: it owns exactly `subnets`.
    #[track_caller]
    pub fn record(&self, host: &Host, subnets: &[Subnet]) {
        self.etcd.put(&record::native_key(host), &record::native_value(host, subnets));
    }

    /// Waits until every gateway's kernel holds exactly `expected`.
    #[track_caller]
    pub fn await_routes(&self, expected: &PodRoutes) {
        for gateway in self.lab.gateways() {
            gateway.await_routes(expected);
        }
    }

    /// Waits until every gateway's kernel holds exactly every host's own subnets.
    #[track_caller]
    pub fn await_home_routes(&self) {
        self.await_routes(&self.lab.home_routes());
    }
}

/// The same with several replicas, each on a machine of its own, and an etcd of three members.
#[derive(Debug)]
pub struct Team {
    /// The product.
    pub replicas: Vec<Fingerpost>,
    /// Their source, where they also elect their leader.
    pub etcd: Etcd,
    /// The rest.
    pub lab: Lab,
}

impl Team {
    /// The native schema in a given lab.
    #[must_use]
    #[track_caller]
    pub fn native_in(lab: Lab) -> Self {
        let etcd = Etcd::start_cluster(&lab);
        let record = |host: &Host| (record::native_key(host), record::native_value(host, &[host.subnet()]));
        etcd.put_at_once(&lab.hosts().iter().map(record).collect::<Vec<_>>());
        let start = |place| {
            let configuration = replica_configuration(&lab, &etcd, place, "");
            Fingerpost::start_replica(&lab, place, &configuration, false)
        };
        let replicas = (0..lab.replicas().count()).map(start).collect();
        let team = Self { replicas, etcd, lab };
        team.await_home_routes();
        team
    }

    /// Waits until every gateway's kernel holds exactly every host's own subnets, and its daemon a path of every replica to each.
    #[track_caller]
    pub fn await_home_routes(&self) {
        for gateway in self.lab.gateways() {
            gateway.await_routes(&self.lab.home_routes());
            wait::until(&format!("{} to have all paths", gateway.name()), BOUND, || {
                let choices = gateway.choices();
                let all = choices.values().all(|choice| choice.paths == self.replicas.len());
                if all { Ok(()) } else { Err(choices) }
            });
        }
    }
}
