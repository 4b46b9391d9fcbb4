//! Capabilities as JSON: code and name, and what each says.

use super::notification::escaped;
use fingerpost_core::bgp::wire::{Capability, GracefulRestart, LongLivedFamily, RestartFamily};
use fingerpost_core::model::Family;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// `{"code": 65, "name": "four-octet-as", "asn": 64500}`.
pub(super) fn shown(capability: &Capability) -> Value {
    let content = match capability {
        Capability::MultiProtocol { afi, safi } => family(*afi, *safi),
        Capability::RouteRefresh | Capability::ExtendedMessage | Capability::EnhancedRouteRefresh => json!({}),
        Capability::ExtendedNextHop(triples) => {
            let one = |(afi, safi, next_hop_afi): &(u16, u16, u16)| json!({ "afi": afi, "safi": safi, "next_hop_afi": next_hop_afi });
            json!({ "families": triples.iter().map(one).collect::<Vec<_>>() })
        }
        Capability::GracefulRestart(restart) => graceful_restart(restart),
        Capability::FourOctetAs(asn) => json!({ "asn": asn }),
        Capability::LongLivedGracefulRestart(families) => {
            json!({ "families": families.iter().map(long_lived).collect::<Vec<_>>() })
        }
        Capability::Unknown { code, value } => unknown(*code, value),
    };
    with(json!({ "code": capability.code(), "name": capability.name() }), content)
}

/// What the gateway says of itself as a restarting speaker (RFC 4724 §3, RFC 8538 §2).
pub(super) fn graceful_restart(restart: &GracefulRestart) -> Value {
    let one = |of: &RestartFamily| with(family(of.afi, of.safi), json!({ "forwarding": of.forwarding }));
    json!({
        "restart_time_seconds": restart.restart_time,
        "restarting": restart.restarting,
        "notification": restart.notification,
        "families": restart.families.iter().map(one).collect::<Vec<_>>(),
    })
}

fn long_lived(of: &LongLivedFamily) -> Value {
    let rest = json!({ "forwarding": of.forwarding, "stale_time_seconds": of.stale_time });
    with(family(of.afi, of.safi), rest)
}

fn family(afi: u16, safi: u8) -> Value {
    let name = Family::from_afi_safi(afi, safi).map(Family::name);
    json!({ "afi": afi, "safi": safi, "family": name })
}

/// The value in hexadecimal; besides, the text of those that hold some.
fn unknown(code: u8, value: &[u8]) -> Value {
    let mut hex = String::with_capacity(2 * value.len());
    for octet in value {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{octet:02x}");
    }
    let text = match code {
        // draft-walton-bgp-hostname-capability: host and domain name, each with its length.
        73 => text(value).map(|(host, rest)| match text(rest) {
            Some((domain, _)) if !domain.is_empty() => format!("{host}.{domain}"),
            _ => host.to_owned(),
        }),
        // draft-ietf-idr-bgp-software-version-capability.
        75 => text(value).map(|(version, _)| version.to_owned()),
        _ => None,
    };
    match text {
        Some(text) => json!({ "value": hex, "text": escaped(&text) }),
        None => json!({ "value": hex }),
    }
}

/// Text behind its length in one octet, and what follows.
fn text(value: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = value.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

fn with(one: Value, other: Value) -> Value {
    let mut all = Map::new();
    for value in [one, other] {
        if let Value::Object(map) = value {
            all.extend(map);
        }
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::shown;
    use bytes::Bytes;
    use fingerpost_core::bgp::wire::{Capability, GracefulRestart, LongLivedFamily, RestartFamily};
    use serde_json::json;

    #[test]
    fn every_capability_shows_what_it_says() {
        let unknown = |code, value: &'static [u8]| Capability::Unknown { code, value: Bytes::from_static(value) };
        let restart = GracefulRestart {
            restarting: true,
            notification: false,
            restart_time: 120,
            families: vec![RestartFamily { afi: 2, safi: 1, forwarding: true }],
        };
        let stale = LongLivedFamily { afi: 1, safi: 1, forwarding: false, stale_time: 600 };
        let ipv4 = json!({ "code": 1, "name": "multi-protocol", "afi": 1, "safi": 1, "family": "ipv4" });
        let vpn = json!({ "code": 1, "name": "multi-protocol", "afi": 1, "safi": 128, "family": null });
        for (capability, expected) in [
            (Capability::MultiProtocol { afi: 1, safi: 1 }, ipv4),
            (Capability::MultiProtocol { afi: 1, safi: 128 }, vpn),
            (Capability::RouteRefresh, json!({ "code": 2, "name": "route-refresh" })),
            (
                Capability::ExtendedNextHop(vec![(1, 1, 2)]),
                json!({ "code": 5, "name": "extended-next-hop", "families": [{ "afi": 1, "safi": 1, "next_hop_afi": 2 }] }),
            ),
            (Capability::ExtendedMessage, json!({ "code": 6, "name": "extended-message" })),
            (
                Capability::GracefulRestart(restart),
                json!({ "code": 64, "name": "graceful-restart", "restart_time_seconds": 120, "restarting": true,
                    "notification": false,
                    "families": [{ "afi": 2, "safi": 1, "family": "ipv6", "forwarding": true }] }),
            ),
            (Capability::FourOctetAs(64500), json!({ "code": 65, "name": "four-octet-as", "asn": 64500 })),
            (Capability::EnhancedRouteRefresh, json!({ "code": 70, "name": "enhanced-route-refresh" })),
            (
                Capability::LongLivedGracefulRestart(vec![stale]),
                json!({ "code": 71, "name": "long-lived-graceful-restart", "families": [
                    { "afi": 1, "safi": 1, "family": "ipv4", "forwarding": false, "stale_time_seconds": 600 }] }),
            ),
            (
                unknown(73, b"\x04core\x07example"),
                json!({ "code": 73, "name": "fqdn", "value": "04636f7265076578616d706c65", "text": "core.example" }),
            ),
            (unknown(73, b"\x01a\x00"), json!({ "code": 73, "name": "fqdn", "value": "016100", "text": "a" })),
            (
                unknown(75, b"\x03\x1bv1"),
                json!({ "code": 75, "name": "software-version", "value": "031b7631", "text": "\\u{1b}v1" }),
            ),
            (unknown(75, b"\x09v1"), json!({ "code": 75, "name": "software-version", "value": "097631" })),
            (unknown(128, b""), json!({ "code": 128, "name": "unknown", "value": "" })),
        ] {
            assert_eq!(shown(&capability), expected, "{capability:?}");
        }
    }
}
