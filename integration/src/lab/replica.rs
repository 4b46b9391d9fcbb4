//! The machines of several replicas, and of the etcd that they share.
//!
//! ```text
//!  VLAN 170 ──┬── replica 1 ──┬── VLAN 171 ── three members of etcd, operator
//!  (gateways) └── replica 2 ──┘
//! ```

use std::net::IpAddr;
use std::sync::Arc;

use super::SPEAKER_STATION;
use super::cleanup::Context;
use super::link::{self, Switch};
use super::namespace::Namespace;
use super::topology::Vlan;

/// The first member's station; the others follow.
const MEMBER_STATION: u8 = 21;
const MEMBERS: u8 = 3;
/// The station of whoever writes to etcd.
const OPERATOR_STATION: u8 = 30;

/// Where a replica has a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// To the gateways.
    Gateways,
    /// To etcd.
    Store,
}

impl Side {
    pub(super) const fn vlan(self) -> Vlan {
        match self {
            Self::Gateways => Vlan::Control170,
            Self::Store => Vlan::Behind171,
        }
    }
}

/// The machines.
#[derive(Debug)]
pub struct Replicas {
    seats: Vec<(String, Arc<Namespace>)>,
    members: Vec<(Arc<Namespace>, IpAddr)>,
    operator: Arc<Namespace>,
}

impl Replicas {
    /// The first one is `control`, which is connected to the gateways.
    pub(super) fn new(context: &Arc<Context>, switch: &mut Switch, control: &Arc<Namespace>, count: usize) -> Self {
        let mut seats = vec![("control".to_owned(), Arc::clone(control))];
        for place in 1..count {
            let noun = format!("control{}", place + 1);
            let namespace = Namespace::new(context, &noun);
            switch.plug(&namespace, &noun, Side::Gateways.vlan(), station(place));
            seats.push((noun, Arc::new(namespace)));
        }
        for (place, (noun, namespace)) in seats.iter().enumerate() {
            switch.plug(namespace, noun, Side::Store.vlan(), station(place));
        }
        let members = (MEMBER_STATION..).take(MEMBERS.into()).map(|station| {
            let noun = format!("etcd{station}");
            let namespace = Namespace::new(context, &noun);
            switch.plug(&namespace, &noun, Side::Store.vlan(), station);
            (Arc::new(namespace), IpAddr::from(Side::Store.vlan().v4(station)))
        });
        let members = members.collect();
        let operator = Namespace::new(context, "operator");
        switch.plug(&operator, "operator", Side::Store.vlan(), OPERATOR_STATION);
        Self { seats, members, operator: Arc::new(operator) }
    }

    /// How many replicas there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.seats.len()
    }

    /// A replica's machine: 0 is the first.
    #[must_use]
    pub fn namespace(&self, replica: usize) -> &Arc<Namespace> {
        &self.seats[replica].1
    }

    pub(super) fn noun(&self, replica: usize) -> &str {
        &self.seats[replica].0
    }

    /// Takes a replica's link on one side down, or up again.
    pub fn link(&self, replica: usize, side: Side, up: bool) {
        link::set(self.namespace(replica), side.vlan(), station(replica), up);
    }

    /// The address of a replica on its sessions, which is its router identifier, too.
    #[must_use]
    pub fn address(&self, replica: usize) -> IpAddr {
        Side::Gateways.vlan().v4(station(replica)).into()
    }

    /// The addresses of all but the first.
    pub(super) fn others(&self) -> Vec<IpAddr> {
        (1..self.count()).map(|replica| self.address(replica)).collect()
    }

    /// The machines of etcd's members, and their addresses.
    pub(super) fn members(&self) -> &[(Arc<Namespace>, IpAddr)] {
        &self.members
    }

    /// From where etcd is written to: connected to its members, whatever replicas are cut from.
    pub(super) fn operator(&self) -> &Arc<Namespace> {
        &self.operator
    }
}

fn station(replica: usize) -> u8 {
    SPEAKER_STATION + u8::try_from(replica).expect("there are few replicas")
}
