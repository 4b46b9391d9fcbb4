//! A host: forwards between its pod and its VLAN, knows nothing but a default route, speaks no routing protocol.

use std::net::IpAddr;
use std::sync::Arc;

use super::cleanup::Context;
use super::link::{self, Switch, cable};
use super::namespace::Namespace;
use super::replica::Side;
use super::topology::{Place, Subnet, Vlan};

/// The station of the gateway that hosts use as their default.
const GATEWAY_STATION: u8 = 1;

/// A host with one pod behind it.
#[derive(Debug)]
pub struct Host {
    place: Place,
    namespace: Arc<Namespace>,
    pod: Namespace,
}

impl Host {
    pub(crate) fn new(context: &Arc<Context>, switch: &mut Switch, place: Place) -> Self {
        let noun = place.name.trim_start_matches("node-");
        let namespace = Namespace::new(context, noun);
        let pod = Namespace::new(context, &format!("{noun}-pod"));
        namespace.forward();
        switch.plug(&namespace, noun, place.vlan, place.station);
        cable((&namespace, "pod"), (&pod, "eth0"));
        namespace.ip("link set pod up");
        pod.ip("link set eth0 up");
        let host = Self { place, namespace: Arc::new(namespace), pod };
        host.route_by(GATEWAY_STATION);
        host.own(place.subnet);
        host
    }

    /// Plugs it in where speakers and etcd are.
    pub(super) fn join(&self, switch: &mut Switch) {
        let noun = self.noun();
        for vlan in [Vlan::Control170, Vlan::Behind171] {
            switch.plug(&self.namespace, noun, vlan, self.place.control_station());
        }
    }

    /// Its name in the lab.
    pub(super) fn noun(&self) -> &'static str {
        self.place.name.trim_start_matches("node-")
    }

    /// Its name in the source.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.place.name
    }

    /// The subnets that it owns at first.
    #[must_use]
    pub fn subnet(&self) -> Subnet {
        self.place.subnet
    }

    /// Its address in its VLAN, the next hop of its IPv4 subnet.
    #[must_use]
    pub fn v4(&self) -> IpAddr {
        self.place.vlan.v4(self.place.station).into()
    }

    /// Its address in its VLAN, the next hop of its IPv6 subnet.
    #[must_use]
    pub fn v6(&self) -> IpAddr {
        self.place.vlan.v6(self.place.station).into()
    }

    /// Its VLAN.
    #[must_use]
    pub fn vlan(&self) -> Vlan {
        self.place.vlan
    }

    /// Its address on its sessions, where hosts speak BGP themselves.
    #[must_use]
    pub fn control(&self) -> IpAddr {
        Vlan::Control170.v4(self.place.control_station()).into()
    }

    /// The host's namespace.
    #[must_use]
    pub fn namespace(&self) -> &Arc<Namespace> {
        &self.namespace
    }

    /// The pod's namespace.
    #[must_use]
    pub fn pod(&self) -> &Namespace {
        &self.pod
    }

    /// The routes that say where `subnet` is when this host owns it.
    #[must_use]
    pub fn routes_of(&self, subnet: Subnet) -> [(String, IpAddr); 2] {
        [(subnet.v4(), self.v4()), (subnet.v6(), self.v6())]
    }

    /// Makes this station of its VLAN its default gateway, in both families.
    pub fn route_by(&self, station: u8) {
        let vlan = self.place.vlan;
        self.namespace.ip_batch(&format!(
            "route replace default via {}\nroute replace ::/0 via {}\n",
            vlan.v4(station),
            vlan.v6(station)
        ));
    }

    /// Takes its link on one side down, or up again, in a lab whose hosts speak BGP themselves.
    pub fn link(&self, side: Side, up: bool) {
        link::set(&self.namespace, side.vlan(), self.place.control_station(), up);
    }

    /// Takes its link down: to everybody else it is dead.
    pub fn unplug(&self) {
        link::set(&self.namespace, self.place.vlan, self.place.station, false);
    }

    /// Ends what [`Host::unplug`] began. With its link the kernel had forgotten what went that way.
    pub fn plug_in(&self) {
        link::set(&self.namespace, self.place.vlan, self.place.station, true);
        self.route_by(GATEWAY_STATION);
    }

    /// Makes the host the owner of `subnet`: its pod gets (also) an address in it.
    pub fn own(&self, subnet: Subnet) {
        let n = subnet.0;
        self.namespace
            .ip_batch(&format!("addr add 10.244.{n}.1/24 dev pod\naddr add fd00:10:244:{n}::1/64 dev pod nodad\n"));
        self.pod.ip_batch(&format!(
            "addr add {}/24 dev eth0\naddr add {}/64 dev eth0 nodad\n\
             route replace default via 10.244.{n}.1\nroute replace ::/0 via fd00:10:244:{n}::1\n",
            subnet.pod_v4(),
            subnet.pod_v6()
        ));
    }

    /// Takes `subnet` away from the host.
    pub fn disown(&self, subnet: Subnet) {
        let n = subnet.0;
        self.namespace.ip_batch(&format!("addr del 10.244.{n}.1/24 dev pod\naddr del fd00:10:244:{n}::1/64 dev pod\n"));
        self.pod.ip_batch(&format!(
            "addr del {}/24 dev eth0\naddr del {}/64 dev eth0\n",
            subnet.pod_v4(),
            subnet.pod_v6()
        ));
    }
}
