//! What must agree between a gateway, the router, the fence and the policies.

use super::check::{Check, Field, Table};
use super::gateway::{Around, Gateway, Remote};
use super::tree::Value;
use fingerpost_core::model::{Asn, Family, HoldTime, Prefix};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

/// An address that one can connect to.
pub(super) fn neighbour_address(field: &Field<'_>, check: &mut Check) -> Option<IpAddr> {
    let address = field.address(check)?;
    let why = match address {
        _ if address.is_unspecified() => "is no machine's address",
        _ if address.is_multicast() => "is a multicast address",
        IpAddr::V4(v4) if v4.is_broadcast() => "is the broadcast address",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => "is a link-local address, which is not yet supported",
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => "is an IPv4 address written as IPv6",
        _ => return Some(address),
    };
    check.fault(&field.path, format!("{address} {why}"), "give the gateway's own address");
    None
}

/// Unless set.
const DEFAULT_LIMIT: u32 = 100;

/// The gateway's address, or the range that gateways come from.
pub(super) fn remote(table: &Table<'_>, check: &mut Check) -> Option<Remote> {
    let Some(field) = table.get("listen_range") else {
        if table.get("listen_limit").is_some() {
            check.key_fault(&table.path("listen_limit"), "there is no listen_range", "remove it, or give the range");
        }
        return table.need("address", "give the gateway's IP address", check, neighbour_address).map(Remote::Address);
    };
    let limit = table.or("listen_limit", DEFAULT_LIMIT, check, |field, check| field.integer(1..=10_000, check));
    for (key, why) in [
        ("address", "listen_range is given: a gateway has one of the two"),
        ("port", "gateways of a range connect to us"),
        ("source_address", "gateways of a range connect to us"),
    ] {
        if table.get(key).is_some() {
            check.key_fault(&table.path(key), why, format!("remove {key}"));
        }
    }
    if let Some(field) = table.get("passive").filter(|field| matches!(field.node.value, Value::Bool(false))) {
        check.fault(&field.path, "gateways of a range connect to us", "remove passive");
    }
    let within: Prefix = field.parsed(check)?;
    let shortest = if within.family() == Family::Ipv4 { 8 } else { 16 };
    if within.length() < shortest {
        let message = format!("{within} lets half the world in");
        check.fault(&field.path, message, format!("write the hosts' subnet, /{shortest} or longer"));
        return None;
    }
    Some(Remote::Range { within, limit: limit? })
}

/// An address of this machine.
pub(super) fn own_address(field: &Field<'_>, check: &mut Check) -> Option<IpAddr> {
    let address = field.address(check)?;
    if address.is_unspecified() || address.is_multicast() {
        check.fault(&field.path, format!("{address} is no machine's address"), "give an address of this machine");
        return None;
    }
    Some(address)
}

/// Whether the KEEPALIVE time fits the hold time: three must fit into it (RFC 4271 §4.4).
pub(super) fn keepalive(path: &str, keepalive: u16, hold: HoldTime, check: &mut Check) -> bool {
    let most = hold.seconds() / 3;
    let (message, hint) = match (keepalive, most) {
        (0, 0) => return true,
        (_, 0) => ("with a hold time of 0 s no KEEPALIVE is sent".into(), "write 0s, or remove keepalive".into()),
        (0, _) => ("0 s would send no KEEPALIVE within the hold time".into(), format!("write 1s to {most}s")),
        _ if keepalive <= most => return true,
        _ => {
            let hold = hold.seconds();
            let message = format!("{keepalive} s is more than a third of the hold time, {hold} s (RFC 4271 §4.4)");
            (message, format!("write 1s to {most}s, or raise hold"))
        }
    };
    check.fault(path, message, hint);
    false
}

/// What differs between iBGP and eBGP.
pub(super) fn external(
    table: &Table<'_>,
    asn: Option<Asn>,
    policy: Option<&Option<String>>,
    around: &Around<'_>,
    check: &mut Check,
) {
    let (Some(asn), Some(own)) = (asn, around.router.asn) else { return };
    let external = asn != own;
    // `false` says what holds anyway.
    let multihop = table.get("multihop").is_some_and(|field| !matches!(field.node.value, Value::Bool(false)));
    if !external && multihop {
        let message = format!("AS {asn} is our own: iBGP has no limit of hops");
        check.key_fault(&table.path("multihop"), message, "remove multihop");
    }
    match policy {
        Some(None) if external => {
            // RFC 8212: without a policy, nothing goes to another AS.
            let hint = match around.policy_names.and_then(BTreeSet::first) {
                Some(name) => format!("write policy: {name}"),
                None => "write a policy and name it here".into(),
            };
            check.warn(&table.path("policy"), "missing on eBGP: nothing will be sent to it (RFC 8212)", hint);
        }
        Some(Some(name)) => {
            let rules = around.policies.and_then(|policies| policies.get(name)).map_or(&[][..], |policy| &policy.rules);
            let path = table.path("policy");
            if external && rules.iter().any(|rule| rule.set.local_pref.is_some()) {
                let message = format!("policy {name} sets local_pref, which is not sent on eBGP (RFC 4271 §5.1.5)");
                check.warn(&path, message, "set med, or remove local_pref");
            }
            if !external && rules.iter().any(|rule| rule.set.prepend > 0) {
                let message = format!("policy {name} prepends our AS, which is not done on iBGP (RFC 4271 §5.1.2)");
                check.warn(&path, message, "set local_pref, or remove prepend");
            }
        }
        _ => {}
    }
}

/// Addresses of the network's own parts are never announced (promise P1), and must fit one another.
pub(super) fn addresses(
    table: &Table<'_>,
    address: Option<IpAddr>,
    source: Option<IpAddr>,
    attached: Option<&[Prefix]>,
    around: &Around<'_>,
    check: &mut Check,
) {
    if let (Some(address), Some(source)) = (address, source)
        && Family::of(address) != Family::of(source)
    {
        let message = format!("{source} cannot reach {address}: the families differ");
        check.fault(&table.path("source_address"), message, format!("give an {} address", Family::of(address)));
    }
    let Some(fence) = around.fence else { return };
    for (key, address) in [("address", address), ("source_address", source)] {
        if let Some(address) = address {
            fence.keep_out(address, &table.path(key), check);
        }
    }
    let attached = attached.unwrap_or_default();
    for (m, subnet) in attached.iter().enumerate() {
        if let Some((n, within)) = fence.overlapping(*subnet) {
            let message = format!("{subnet} overlaps fence.prefixes[{n}] ({within})");
            let path = format!("{}[{m}]", table.path("attached"));
            check.fault(&path, message, "list the subnets that the gateway's own interfaces are in");
        }
    }
    let reachable = |subnet: &Prefix| fence.next_hops.iter().any(|range| range.overlaps(*subnet));
    if !attached.is_empty() && !attached.iter().any(reachable) {
        let hint = "list the subnets that hosts and gateway share";
        check.warn(&table.path("attached"), "no next hop of fence.next_hops is in it: nothing will be sent", hint);
    }
}

/// A passive gateway needs someone to listen in its family: listeners are of one family each.
pub(super) fn heard(table: &Table<'_>, remote: Option<Remote>, around: &Around<'_>, check: &mut Check) {
    let (Some(listen), Some(remote)) = (&around.router.listen, remote) else { return };
    let family = remote.family();
    let key = if remote.range().is_some() { "listen_range" } else { "passive" };
    if listen.iter().all(|socket| Family::of(socket.ip()) != family) {
        let hint = format!("give router.listen an {family} address, or remove {key}");
        check.fault(&table.path(key), "nothing listens for its connection", hint);
    }
}

/// A family that the fence has no prefixes for stays empty.
pub(super) fn families(table: &Table<'_>, families: &BTreeSet<Family>, around: &Around<'_>, check: &mut Check) {
    let Some(fence) = around.fence else { return };
    for family in families.iter().filter(|family| !fence.has(**family)) {
        let message = format!("fence.prefixes has no {family} range: no {family} route will be sent");
        check.warn(&table.path("families"), message, "remove the family, or add a range to the fence");
    }
}

/// What two gateways must not share. By maps: there may be ten thousands.
pub(super) fn distinct(gateways: &BTreeMap<String, Gateway>, check: &mut Check) {
    // In the order of the file: the fault belongs to the later one.
    let mut list: Vec<_> = gateways.iter().collect();
    list.sort_by_cached_key(|(name, _)| check.line(&format!("gateways.{name}")));
    let mut sockets = HashMap::new();
    let mut passive = HashMap::new();
    let mut ranges = HashMap::new();
    let signed: Vec<_> = list.iter().filter_map(|(name, gateway)| Some((*name, signed_range(gateway)?))).collect();
    for (name, gateway) in list {
        let address = match gateway.remote {
            Remote::Address(address) => address,
            Remote::Range { within, .. } => {
                let first = *ranges.entry(within).or_insert(name);
                if first != name {
                    let message = format!("is also the range of gateways.{first}");
                    check.fault(&format!("gateways.{name}.listen_range"), message, "remove one of the two");
                }
                continue;
            }
        };
        if gateway.password_file.is_none()
            && let Some((range, _)) = signed.iter().find(|(_, within)| within.contains(address))
        {
            let message =
                format!("missing: its address is in the range of gateways.{range}, whose connections are signed");
            let hint = "give it one: the kernel wants a signature from all of that range";
            check.key_fault(&format!("gateways.{name}.password_file"), message, hint);
        }
        let first = *sockets.entry((address, gateway.port)).or_insert(name);
        if first != name {
            let message = format!("has the address and port of gateways.{first}");
            let hint = "remove one of the two, or give it its own port";
            check.fault(&format!("gateways.{name}.address"), message, hint);
        } else if gateway.passive {
            let first = *passive.entry((address, gateway.source_address)).or_insert(name);
            if first != name {
                let message =
                    format!("its connections cannot be told from those of gateways.{first}: both are passive");
                check.fault(&format!("gateways.{name}.passive"), message, "connect to one of the two");
            }
        }
    }
}

/// The range from which only signed connections come.
fn signed_range(gateway: &Gateway) -> Option<Prefix> {
    gateway.remote.range().filter(|_| gateway.password_file.is_some())
}

#[cfg(test)]
mod tests {
    use super::{Check, Gateway, distinct};
    use crate::config::{self, tree};
    use rustix::time::{ClockId, clock_gettime};
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::time::Duration;

    /// So many that share an address, and a check of the text they come from.
    fn gateways(count: usize) -> (BTreeMap<String, Gateway>, Check) {
        let head = "router: { asn: 64512, id: 10.0.3.10 }
sources: { lab: { file: { path: hosts.yaml } } }
fence: { prefixes: [ { within: 10.244.0.0/16, lengths: 20-28 } ], next_hops: [ 10.168.0.0/16 ] }
gateways:\n";
        let line = |n| format!("  g{n}: {{ address: 10.168.0.1, port: {n}, asn: 64512 }}\n");
        let text = head.to_owned() + &(1..=count).map(line).collect::<String>();
        let config = config::parse(&text, Path::new("config.yaml")).unwrap();
        (config.gateways, Check::new(&tree::read(&text).unwrap(), Path::new("")))
    }

    /// Of this thread's own time, whatever else the machine does.
    fn cost(count: usize) -> Duration {
        let now = || {
            let now = clock_gettime(ClockId::ThreadCPUTime);
            Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap())
        };
        let (gateways, mut check) = gateways(count);
        let mut once = || {
            let before = now();
            distinct(&gateways, &mut check);
            now() - before
        };
        let least = (0..3).map(|_| once()).min().unwrap();
        assert!(check.faults.is_empty());
        least
    }

    #[test]
    fn ten_times_the_gateways_are_not_compared_a_hundred_times_as_long() {
        let (few, many) = (cost(150), cost(1500));
        assert!(many < few * 30, "150 gateways: {few:?}, 1500: {many:?}");
    }
}
