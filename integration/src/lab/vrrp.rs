//! Addresses that gateways share by VRRP (RFC 5798), run by keepalived: the master has them, and hosts use them as their default.

use std::fmt::Write;
use std::time::Duration;

use rustix::process::Signal;

use super::gateway::Gateway;
use super::process::Process;
use super::topology::Vlan;
use super::wait;

/// The station of the shared addresses.
pub const STATION: u8 = 250;
const VLANS: [Vlan; 2] = [Vlan::Hosts168, Vlan::Hosts169];
const BOUND: Duration = Duration::from_secs(30);

/// When a gateway may be the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// At any time.
    Always,
    /// While its kernel has at least so many pod subnets of each family.
    WithRoutes(usize),
}

/// A keepalived beside a gateway's routing daemon.
#[derive(Debug)]
pub struct Vrrp(Process);

impl Vrrp {
    /// Starts it. The higher priority of those that are fit becomes the master, also later.
    ///
    /// # Panics
    /// When its files cannot be written.
    #[must_use]
    pub fn start(gateway: &Gateway, priority: u8, fit: Fit) -> Self {
        let (namespace, name) = (gateway.namespace(), gateway.name());
        let file = |suffix: &str| namespace.context().folder().join(format!("{name}-vrrp.{suffix}"));
        let mut text = String::from("global_defs {\n vrrp_version 3\n script_user root\n}\n");
        let mut line = |words: &str| writeln!(text, "{words}").expect("a string can be written to");
        let mut tracked = "";
        if let Fit::WithRoutes(least) = fit {
            let count = |family: &str, start: &str| {
                format!("[ \"$(ip {family} route show table main | grep -c '^{start}')\" -ge {least} ]")
            };
            let script = format!("#!/bin/sh\n{} && {}\n", count("-4", "10\\.244\\."), count("-6", "fd00:10:244:"));
            std::fs::write(file("sh"), script).expect("a script can be written into the lab's folder");
            line(&format!(
                "vrrp_script routes {{\n script \"/bin/sh {}\"\n interval 1\n rise 1\n fall 1\n}}",
                file("sh").display()
            ));
            tracked = "track_script {\n routes\n }\n";
        }
        // Both VLANs have the same master, or packets would come in at one gateway and leave by another.
        line(&format!("vrrp_sync_group hosts {{\n group {{\n vlan168\n vlan169\n }}\n {tracked}}}"));
        for vlan in VLANS {
            let (bridge, number) = (vlan.bridge(), vlan.number());
            line(&format!(
                "vrrp_instance {bridge} {{\n state BACKUP\n interface {bridge}\n virtual_router_id {number}\n \
                 priority {priority}\n advert_int 0.2\n virtual_ipaddress {{\n {}/24\n }}\n \
                 virtual_ipaddress_excluded {{\n {}/64\n }}\n}}",
                vlan.v4(STATION),
                vlan.v6(STATION)
            ));
        }
        std::fs::write(file("conf"), text).expect("a configuration can be written into the lab's folder");
        let [configuration, pid, own] = ["conf", "pid", "vrrp-pid"].map(|suffix| file(suffix).display().to_string());
        let arguments = ["-n", "-l", "-D", "-P", "-f", &configuration, "-p", &pid, "-r", &own];
        Self(namespace.spawn(&format!("{name}-keepalived"), "keepalived", &arguments))
    }

    /// Ends it: it tells the others, and takes the addresses away.
    pub fn stop(mut self) {
        self.0.stop(Signal::TERM);
    }
}

/// Whether the gateway has all of the shared addresses.
#[must_use]
pub fn is_master(gateway: &Gateway) -> bool {
    let addresses = gateway.namespace().ip("-o addr show");
    let shared =
        VLANS.into_iter().flat_map(|vlan| [format!(" {}/", vlan.v4(STATION)), format!(" {}/", vlan.v6(STATION))]);
    shared.into_iter().all(|address| addresses.contains(&address))
}

/// Waits until the gateway is the master.
///
/// # Panics
/// When it is not within 30 s.
#[track_caller]
pub fn await_master(gateway: &Gateway) {
    wait::until_true(&format!("{} to have the shared addresses", gateway.name()), BOUND, || is_master(gateway));
}
