//! How the alternatives are configured.

use std::net::IpAddr;

use crate::lab::gateway::Gateway;
use crate::lab::host::Host;

/// Restart time 1 s: 0 is none to GoBGP.
pub(super) fn gobgp(asn: u32, address: IpAddr, gateway: &Gateway, hold: u8) -> String {
    let families = ["ipv4-unicast", "ipv6-unicast"].map(|family| {
        format!(
            "  [[neighbors.afi-safis]]\n    [neighbors.afi-safis.config]\n      afi-safi-name = \"{family}\"\n    \
             [neighbors.afi-safis.mp-graceful-restart.config]\n      enabled = true\n    \
             [neighbors.afi-safis.long-lived-graceful-restart.config]\n      enabled = true\n      restart-time = 600\n"
        )
    });
    format!(
        "[global.config]\n  as = {asn}\n  router-id = \"{address}\"\n  port = -1\n\
         [[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"{}\"\n    peer-as = {}\n  \
         [neighbors.timers.config]\n    hold-time = {hold}\n    keepalive-interval = {}\n    connect-retry = 5\n  \
         [neighbors.graceful-restart.config]\n    enabled = true\n    restart-time = 1\n    long-lived-enabled = true\n{}",
        gateway.address(),
        gateway.asn(),
        hold / 3,
        families.concat(),
    )
}

pub(super) fn bird(asn: u32, address: IpAddr, gateway: &Gateway, hold: u8, folder: &str) -> String {
    let (peer, peer_asn, timers) = (gateway.address(), gateway.asn(), timers(hold));
    format!(
        "log stderr all;\nrouter id {address};\nprotocol device {{ }}\n\
         protocol static {{\n  ipv4;\ninclude \"{folder}/routes4.conf\";\n}}\n\
         protocol static {{\n  ipv6;\ninclude \"{folder}/routes6.conf\";\n}}\n\
         protocol bgp edge {{\n  local {address} as {asn};\n  neighbor {peer} as {peer_asn};\n  direct;\n  \
         {timers}\n  graceful restart on; graceful restart time 0;\n  \
         long lived graceful restart on; long lived stale time 600;\n  \
         ipv4 {{ import none; export where source = RTS_STATIC; next hop keep; }};\n  \
         ipv6 {{ import none; export where source = RTS_STATIC; next hop keep; }};\n}}\n"
    )
}

fn timers(hold: u8) -> String {
    format!("hold time {hold}; keepalive time {}; connect retry time 5; error wait time 1, 2;", hold / 3)
}

/// Each host tells the others and the gateway what it owns, and its kernel what the others own. Restart time as BIRD has it by
/// itself: nobody else announces a host's subnets, so nothing better is hidden by what is stale.
pub(super) fn mesh(host: &Host, others: &[&Host], asn: u32, gateway: &Gateway, hold: u8, folder: &str) -> String {
    let (address, timers) = (host.control(), timers(hold));
    let families = |import: &str| {
        ["ipv4", "ipv6"].map(|family| {
            format!("  {family} {{ import {import}; export where source = RTS_STATIC; next hop keep; gateway recursive; }};\n")
        })
    };
    let session = |name: &str, peer: IpAddr, peer_asn: u32, import: &str| {
        format!(
            "protocol bgp {name} {{\n  local {address} as {asn};\n  neighbor {peer} as {peer_asn};\n  direct;\n  \
             {timers}\n  graceful restart on;\n  long lived graceful restart on; long lived stale time 600;\n{}}}\n",
            families(import).concat()
        )
    };
    let meshed =
        (1..).zip(others).map(|(number, other)| session(&format!("mesh{number}"), other.control(), asn, "all"));
    let kernels = ["ipv4", "ipv6"].map(|family| {
        format!("protocol kernel {{\n  learn;\n  {family} {{ import all; export where source = RTS_BGP; }};\n}}\n")
    });
    format!(
        "log stderr all;\nrouter id {address};\nprotocol device {{ }}\n\
         protocol direct {{\n  ipv4;\n  ipv6;\n  interface \"vlan*\";\n}}\n{}\
         protocol static {{\n  ipv4;\ninclude \"{folder}/routes4.conf\";\n}}\n\
         protocol static {{\n  ipv6;\ninclude \"{folder}/routes6.conf\";\n}}\n{}{}",
        kernels.concat(),
        session("edge", gateway.address(), gateway.asn(), "none"),
        meshed.collect::<String>(),
    )
}
