//! Links: the switch with one bridge per VLAN, and the cables (veth pairs) between namespaces.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::sync::Arc;

use super::cleanup::Context;
use super::namespace::Namespace;
use super::topology::Vlan;

/// Where a capture's marks go. It is on no VLAN.
pub(crate) const MARK: &str = "192.0.2.2";

/// The switch: a namespace with one bridge per VLAN. Every frame between hosts, gateways and Fingerpost passes it, so
/// it is where [`Capture`](super::capture::Capture) listens.
#[derive(Debug)]
pub struct Switch {
    namespace: Namespace,
    vlans: BTreeSet<Vlan>,
}

impl Switch {
    pub(crate) fn new(context: &Arc<Context>) -> Self {
        let namespace = Namespace::new(context, "switch");
        // The switch only switches: no addresses of its own, so nothing of its own on the wire.
        namespace.sysctls(&[("net/ipv6/conf/default/disable_ipv6", "1"), ("net/ipv6/conf/all/disable_ipv6", "1")]);
        cable((&namespace, "mark"), (&namespace, "sink"));
        namespace.ip_batch(&format!(
            "link set sink up\nlink set mark up\naddr add 192.0.2.1/24 dev mark\n\
             neigh add {MARK} lladdr 02:00:00:00:00:02 dev mark nud permanent\n"
        ));
        Self { namespace, vlans: BTreeSet::new() }
    }

    /// Sends one datagram to [`MARK`] over a cable of the switch's own, for a capture to see.
    pub(crate) fn mark(&self) {
        self.namespace.enter(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket can be bound");
            socket.send_to(b"mark", (MARK, 9)).expect("the mark has a cable of its own");
        });
    }

    /// Lets the port of `noun` in `vlan` pass frames, or lose them. The machine behind it sees no change of its link.
    pub(crate) fn pass(&self, noun: &str, vlan: Vlan, pass: bool) {
        // A port's state by the numbers of IEEE 802.1D: 0 is disabled, 3 is forwarding.
        let state = if pass { "3" } else { "0" };
        self.namespace.run("bridge", &["link", "set", "dev", &format!("{noun}.{}", vlan.number()), "state", state]);
    }

    /// The switch's namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Plugs `machine` into `vlan` as `station`: it gets an interface named after the VLAN with both addresses.
    pub(crate) fn plug(&mut self, machine: &Namespace, noun: &str, vlan: Vlan, station: u8) {
        let bridge = vlan.bridge();
        if self.vlans.insert(vlan) {
            self.namespace.ip_batch(&format!(
                "link add name {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0\nlink set {bridge} up\n"
            ));
        }
        let port = format!("{noun}.{}", vlan.number());
        cable((&self.namespace, &port), (machine, &bridge));
        self.namespace.ip_batch(&format!("link set {port} master {bridge}\nlink set {port} up\n"));
        machine.ip_batch(&format!(
            "addr add {}/24 dev {bridge}\naddr add {}/64 dev {bridge} nodad\nlink set {bridge} up\n",
            vlan.v4(station),
            vlan.v6(station)
        ));
    }
}

/// Lays a cable between two namespaces. Its ends are down and have no addresses.
pub(crate) fn cable((from, here): (&Namespace, &str), (to, there): (&Namespace, &str)) {
    from.ip(&format!("link add name {here} type veth peer name {there} netns {}", to.name()));
}

/// Takes a station's link into `vlan` down, or up again with its IPv6 address, which the kernel forgets with the link.
pub(crate) fn set(machine: &Namespace, vlan: Vlan, station: u8, up: bool) {
    let link = vlan.bridge();
    if up {
        machine.ip_batch(&format!("link set {link} up\naddr replace {}/64 dev {link} nodad\n", vlan.v6(station)));
    } else {
        machine.ip(&format!("link set {link} down"));
    }
}
