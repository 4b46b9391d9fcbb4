//! Records as a source keeps them: who owns what, in each schema's own words.

use serde_json::json;

use super::host::Host;
use super::topology::Subnet;

/// The prefix of the native schema's keys.
pub const NATIVE_PREFIX: &str = "/fingerpost";
/// The prefix of flannel's keys.
pub const FLANNEL_PREFIX: &str = "/coreos.com/network";

/// The native schema's key of a host.
#[must_use]
pub fn native_key(host: &Host) -> String {
    format!("{NATIVE_PREFIX}/hosts/{}", host.name())
}

/// The native schema's value of a host that owns `subnets`.
#[must_use]
pub fn native_value(host: &Host, subnets: &[Subnet]) -> String {
    let prefixes: Vec<String> = subnets.iter().flat_map(|subnet| [subnet.v4(), subnet.v6()]).collect();
    native_value_of(host, &prefixes)
}

/// The native schema's value of a host that owns any `prefixes`.
#[must_use]
pub fn native_value_of(host: &Host, prefixes: &[String]) -> String {
    let vlan = host.vlan().to_string();
    json!({ "addresses": [host.v4(), host.v6()], "subnets": prefixes, "labels": { "zone": vlan } }).to_string()
}

/// A hosts file: every pair is a host and what it owns.
#[must_use]
pub fn hosts_file(owners: &[(&Host, &[Subnet])]) -> String {
    // JSON is YAML, and one host a line is readable.
    let lines = owners.iter().map(|(host, subnets)| format!("  {}: {}\n", host.name(), native_value(host, subnets)));
    format!("hosts:\n{}", lines.collect::<String>())
}

/// flannel's key of a lease: the IPv4 subnet, `&`, the IPv6 subnet, with `-` for `/`.
#[must_use]
pub fn flannel_key(subnet: Subnet) -> String {
    format!("{FLANNEL_PREFIX}/subnets/{}&{}", subnet.v4().replace('/', "-"), subnet.v6().replace('/', "-"))
}

/// flannel's value of a lease that `host` holds, as flanneld writes it with the VXLAN backend.
#[must_use]
pub fn flannel_value(host: &Host) -> String {
    json!({
        "PublicIP": host.v4(),
        "PublicIPv6": host.v6(),
        "BackendType": "vxlan",
        "BackendData": { "VNI": 1, "VtepMAC": "52:11:3e:11:7a:01" },
        "BackendV6Data": { "VNI": 1, "VtepMAC": "56:11:3e:11:7a:01" },
    })
    .to_string()
}

/// flannel's configuration of the network, under `<prefix>/config`: no lease, so no route.
#[must_use]
pub fn flannel_network() -> String {
    json!({
        "EnableIPv4": true,
        "EnableIPv6": true,
        "Network": super::topology::PODS_V4,
        "IPv6Network": super::topology::PODS_V6,
        "SubnetLen": 24,
        "IPv6SubnetLen": 64,
        "Backend": { "Type": "vxlan", "DirectRouting": true },
    })
    .to_string()
}
