//! `gateways`, and what must agree with them.

use crate::{parse, refuses, with};

#[test]
fn a_wrong_gateway_is_refused() {
    refuses(
        "everything required is missing",
        8,
        r#"  a: {}"#,
        &[
            r#"8:3: gateways.a.address: missing: give the gateway's IP address"#,
            r#"8:3: gateways.a.asn: missing: give the number of the gateway's AS"#,
        ],
    );
    refuses(
        "addresses nobody has",
        8,
        r#"  a: { address: 0.0.0.0, asn: 1 }
  b: { address: 224.0.0.5, asn: 1 }
  c: { address: "fe80::1", asn: 1 }
  d: { address: "::ffff:10.0.0.1", asn: 1 }
  e: { address: 255.255.255.255, asn: 1 }"#,
        &[
            r#"8:17: gateways.a.address: 0.0.0.0 is no machine's address: give the gateway's own address"#,
            r#"9:17: gateways.b.address: 224.0.0.5 is a multicast address: give the gateway's own address"#,
            r#"10:17: gateways.c.address: fe80::1 is a link-local address, which is not yet supported: give the gateway's own address"#,
            r#"11:17: gateways.d.address: ::ffff:10.0.0.1 is an IPv4 address written as IPv6: give the gateway's own address"#,
            r#"12:17: gateways.e.address: 255.255.255.255 is the broadcast address: give the gateway's own address"#,
        ],
    );
    refuses(
        "a host name as address",
        8,
        r#"  a: { address: core-a.example, asn: 64500, policy: all }"#,
        &[
            r#"8:17: gateways.a.address: "core-a.example" is not an IP address: write one such as 10.0.0.1 or fd00::1; names are not resolved"#,
        ],
    );
    refuses(
        "ports",
        8,
        r#"  a: { address: 10.168.0.1, port: 0, asn: 64500, policy: all }
  b: { address: 10.168.0.2, port: 65536, asn: 64500, policy: all }"#,
        &[
            r#"8:35: gateways.a.port: 0 is out of range: write a whole number from 1 to 65535"#,
            r#"9:35: gateways.b.port: 65536 is out of range: write a whole number from 1 to 65535"#,
        ],
    );
    refuses(
        "inside the fence",
        8,
        r#"  a: { address: 10.244.0.1, asn: 64500, policy: all, source_address: 10.244.0.2, attached: [10.168.0.0/24, 10.244.9.0/24] }"#,
        &[
            r#"8:17: gateways.a.address: 10.244.0.1 lies inside fence.prefixes[0] (10.244.0.0/16): narrow the fence: routes to gateways, stores and ourselves are never announced"#,
            r#"8:70: gateways.a.source_address: 10.244.0.2 lies inside fence.prefixes[0] (10.244.0.0/16): narrow the fence: routes to gateways, stores and ourselves are never announced"#,
            r#"8:108: gateways.a.attached[1]: 10.244.9.0/24 overlaps fence.prefixes[0] (10.244.0.0/16): list the subnets that the gateway's own interfaces are in"#,
        ],
    );
    refuses(
        "the same address and port",
        8,
        r#"  b: { address: 10.168.0.1, asn: 64500, policy: all }
  a: { address: 10.168.0.1, asn: 64501, policy: all }"#,
        &[
            r#"9:17: gateways.a.address: has the address and port of gateways.b: remove one of the two, or give it its own port"#,
        ],
    );
    refuses(
        "the same address and port three times",
        8,
        r#"  c: { address: 10.168.0.1, asn: 64500, policy: all }
  b: { address: 10.168.0.1, asn: 64500, policy: all, passive: true }
  a: { address: 10.168.0.1, asn: 64501, policy: all, passive: true }"#,
        &[
            r#"9:17: gateways.b.address: has the address and port of gateways.c: remove one of the two, or give it its own port"#,
            r#"10:17: gateways.a.address: has the address and port of gateways.c: remove one of the two, or give it its own port"#,
        ],
    );
    refuses(
        "two passive gateways with one address",
        8,
        r#"  a: { address: 10.168.0.1, port: 1, asn: 64500, policy: all, passive: true }
  b: { address: 10.168.0.1, port: 2, asn: 64500, policy: all, passive: true }"#,
        &[
            r#"9:72: gateways.b.passive: its connections cannot be told from those of gateways.a: both are passive: connect to one of the two"#,
        ],
    );
    refuses(
        "passive without a listener in its family",
        8,
        r#"  a: { address: "fd00:1::1", asn: 64500, policy: all, passive: true }"#,
        &[
            r#"8:64: gateways.a.passive: nothing listens for its connection: give router.listen an ipv6 address, or remove passive"#,
        ],
    );
    refuses(
        "an unknown policy",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: al }"#,
        &[r#"8:49: gateways.a.policy: there is no policy "al": did you mean all?"#],
    );
    refuses(
        "multihop on iBGP",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64512, policy: all, multihop: true }"#,
        &[r#"8:54: gateways.a.multihop: AS 64512 is our own: iBGP has no limit of hops: remove multihop"#],
    );
    refuses(
        "multihops",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, multihop: 1 }
  b: { address: 10.168.0.2, asn: 64500, policy: all, multihop: far }"#,
        &[
            r#"8:64: gateways.a.multihop: 1 is out of range: write a whole number from 2 to 255"#,
            r#"9:64: gateways.b.multihop: is text where true, false or a number of hops belongs: write true, false or a number from 2 to 255"#,
        ],
    );
    refuses(
        "hops of GTSM that contradict multihop",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, multihop: true, ttl_security: true }
  b: { address: 10.168.0.2, asn: 64500, policy: all, multihop: 3, ttl_security: 2 }
  c: { address: 10.168.0.3, asn: 64500, policy: all, multihop: false, ttl_security: 2 }
  d: { address: 10.168.0.4, asn: 64500, policy: all, ttl_security: 255 }
  e: { address: 10.168.0.5, asn: 64500, policy: all, ttl_security: on }"#,
        &[
            r#"8:84: gateways.a.ttl_security: multihop: true lets packets come from anywhere, which leaves nothing to protect: write the number of hops in both"#,
            r#"9:81: gateways.b.ttl_security: 2 contradicts multihop: 3: write 3, or true"#,
            r#"10:85: gateways.c.ttl_security: 2 contradicts multihop: false: write true, or remove multihop"#,
            r#"11:68: gateways.d.ttl_security: 255 is out of range: write a whole number from 1 to 254"#,
            r#"12:68: gateways.e.ttl_security: is text where true, false or a number of hops belongs: write true, false or a number from 1 to 254"#,
        ],
    );
    refuses(
        "what contradicts a range",
        8,
        r#"  a: { listen_range: 10.168.0.0/24, address: 10.168.0.1, port: 1, source_address: 10.168.0.2, passive: false, asn: 64500, policy: all }
  b: { listen_range: 10.0.0.0/7, asn: 64500, policy: all }
  c: { listen_range: "fd00:1::/64", families: [ipv4], asn: 64500, policy: all }
  d: { address: 10.168.0.4, listen_limit: 5, asn: 64500, policy: all }
  e: { listen_range: 10.168.1.0/24, listen_limit: 0, asn: 64500, policy: all }"#,
        &[
            r#"8:37: gateways.a.address: listen_range is given: a gateway has one of the two: remove address"#,
            r#"8:58: gateways.a.port: gateways of a range connect to us: remove port"#,
            r#"8:67: gateways.a.source_address: gateways of a range connect to us: remove source_address"#,
            r#"8:104: gateways.a.passive: gateways of a range connect to us: remove passive"#,
            r#"9:22: gateways.b.listen_range: 10.0.0.0/7 lets half the world in: write the hosts' subnet, /8 or longer"#,
            r#"10:22: gateways.c.listen_range: nothing listens for its connection: give router.listen an ipv6 address, or remove listen_range"#,
            r#"11:29: gateways.d.listen_limit: there is no listen_range: remove it, or give the range"#,
            r#"12:51: gateways.e.listen_limit: 0 is out of range: write a whole number from 1 to 10000"#,
        ],
    );
    refuses(
        "a range twice, and a gateway without the key that its range has",
        8,
        r#"  a: { listen_range: 10.168.0.0/24, asn: 64500, policy: all, password_file: /dev/null }
  b: { listen_range: 10.168.0.0/24, asn: 64500, policy: all }
  c: { address: 10.168.0.1, asn: 64500, policy: all }"#,
        &[
            r#"9:22: gateways.b.listen_range: is also the range of gateways.a: remove one of the two"#,
            r#"10:3: gateways.c.password_file: missing: its address is in the range of gateways.a, whose connections are signed: give it one: the kernel wants a signature from all of that range"#,
        ],
    );
    refuses(
        "what cannot be an interface",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, interface: an-interface-name }
  b: { address: 10.168.0.2, asn: 64500, policy: all, interface: eth/0 }"#,
        &[
            r#"8:65: gateways.a.interface: "an-interface-name" is no interface's name: write one that ip link shows"#,
            r#"9:65: gateways.b.interface: "eth/0" is no interface's name: write one that ip link shows"#,
        ],
    );
    refuses(
        "families",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, families: [ip4, ipv4, ipv4] }
  b: { address: 10.168.0.2, asn: 64500, policy: all, families: [] }"#,
        &[
            r#"8:65: gateways.a.families[0]: "ip4" is not known here: did you mean ipv4?"#,
            r#"8:76: gateways.a.families[2]: ipv4 stands twice: remove one of the two"#,
            r#"9:64: gateways.b.families: is empty: write [ipv4], [ipv6] or [ipv4, ipv6]"#,
        ],
    );
    refuses(
        "a source address of another family",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, source_address: "fd00::1" }"#,
        &[
            r#"8:70: gateways.a.source_address: fd00::1 cannot reach 10.168.0.1: the families differ: give an ipv4 address"#,
        ],
    );
    refuses(
        "hold times of 1 and 2 s",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, timers: { hold: 1s } }
  b: { address: 10.168.0.2, asn: 64500, policy: all, timers: { hold: 2s } }"#,
        &[
            r#"8:70: gateways.a.timers.hold: a hold time of 1 s is not allowed: 0 or at least 3 s (RFC 4271 §4.2): write 3s or more"#,
            r#"9:70: gateways.b.timers.hold: a hold time of 2 s is not allowed: 0 or at least 3 s (RFC 4271 §4.2): write 3s or more"#,
        ],
    );
    refuses(
        "a hold time that is too long",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, timers: { hold: 65536s } }"#,
        &[r#"8:70: gateways.a.timers.hold: "65536s" is out of range: write 0s to 65535s"#],
    );
    refuses(
        "parts of seconds",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, timers: { keepalive: 1500ms } }"#,
        &[r#"8:75: gateways.a.timers.keepalive: is not a whole number of seconds: BGP counts it in seconds"#],
    );
    refuses(
        "a keepalive above a third of the hold time",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, timers: { keepalive: 11s } }
  b: { address: 10.168.0.2, asn: 64500, policy: all, timers: { keepalive: 0s } }
  c: { address: 10.168.0.3, asn: 64500, policy: all, timers: { hold: 0s, keepalive: 1s } }"#,
        &[
            r#"8:75: gateways.a.timers.keepalive: 11 s is more than a third of the hold time, 30 s (RFC 4271 §4.4): write 1s to 10s, or raise hold"#,
            r#"9:75: gateways.b.timers.keepalive: 0 s would send no KEEPALIVE within the hold time: write 1s to 10s"#,
            r#"10:85: gateways.c.timers.keepalive: with a hold time of 0 s no KEEPALIVE is sent: write 0s, or remove keepalive"#,
        ],
    );
    refuses(
        "connect retries",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, timers: { connect_retry: 10ms } }"#,
        &[r#"8:79: gateways.a.timers.connect_retry: "10ms" is out of range: write 100ms to 5m"#],
    );
    refuses(
        "restart times",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, graceful_restart: { restart_time: 0s } }
  b: { address: 10.168.0.2, asn: 64500, policy: all, graceful_restart: 5 }
  c: { address: 10.168.0.3, asn: 64500, policy: all, graceful_restart: { restart_time: 2h } }
  d: { address: 10.168.0.4, asn: 64500, policy: all, graceful_restart: { restart_time: 0s, long_lived: false } }
  e: { address: 10.168.0.5, asn: 64500, policy: all, graceful_restart: { long_lived: 0s } }
  f: { address: 10.168.0.6, asn: 64500, policy: all, graceful_restart: { long_lived: 16777216s } }
  g: { address: 10.168.0.7, asn: 64500, policy: all, graceful_restart: { long_lived: true, notification: 1 } }"#,
        &[
            r#"8:88: gateways.a.graceful_restart.restart_time: with a restart time of 0 s and no long_lived our routes would go at once: write 1s to 4095s, or a span for long_lived"#,
            r#"9:72: gateways.b.graceful_restart: is a number where a map of keys belongs: write its keys indented below it, or {} for none"#,
            r#"10:88: gateways.c.graceful_restart.restart_time: "2h" is out of range: write 0s to 4095s"#,
            r#"11:88: gateways.d.graceful_restart.restart_time: with a restart time of 0 s and no long_lived our routes would go at once: write 1s to 4095s, or a span for long_lived"#,
            r#"12:86: gateways.e.graceful_restart.long_lived: "0s" is out of range: write 1s to 16777215s"#,
            r#"13:86: gateways.f.graceful_restart.long_lived: "16777216s" is out of range: write 1s to 16777215s"#,
            r#"14:86: gateways.g.graceful_restart.long_lived: is true or false where a span of time belongs: write a number and its unit, 1s to 16777215s"#,
            r#"14:106: gateways.g.graceful_restart.notification: is a number where true or false belongs: write true or false"#,
        ],
    );
    refuses(
        "limits of routes",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, max_prefix: 0 }
  b: { address: 10.168.0.2, asn: 64500, policy: all, max_prefix: { ipv4: all, ipv5: 1 } }"#,
        &[
            r#"8:66: gateways.a.max_prefix: 0 is out of range: write a whole number from 1 to 4294967295"#,
            r#"9:74: gateways.b.max_prefix.ipv4: is text where a whole number belongs: write a whole number from 1 to 4294967295"#,
            r#"9:79: gateways.b.max_prefix.ipv5: unknown key: did you mean ipv4?"#,
        ],
    );
    refuses(
        "what is not yet built",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, tcp_ao: a.keys }"#,
        &[
            r#"8:54: gateways.a.tcp_ao: TCP-AO (RFC 5925), which few kernels are built with, is not yet supported: remove it"#,
        ],
    );
    refuses(
        "a platform nobody knows",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, platform: generik }"#,
        &[r#"8:64: gateways.a.platform: "generik" is not known here: did you mean generic?"#],
    );
    refuses(
        "a password",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, password: hunter2 }"#,
        &[r#"8:54: gateways.a.password: unknown key: secrets are read from files: use password_file"#],
    );
    refuses(
        "policies that cannot be read give no second fault here",
        9,
        "policies: later\nx-policies:",
        &[
            "9:11: policies: is text where a map of keys belongs: write its keys indented below it, or {} for none",
            "10:1: x-policies: unknown key: did you mean policies?",
        ],
    );
    refuses(
        "a source address nobody has",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, source_address: 0.0.0.0 }"#,
        &[r#"8:70: gateways.a.source_address: 0.0.0.0 is no machine's address: give an address of this machine"#],
    );
    refuses(
        "a span of time without a unit, in quotes",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, timers: { hold: "90" } }"#,
        &[
            r#"8:70: gateways.a.timers.hold: "90" is not a span of time: write a whole number and ms, s, m or h, such as 500ms or 30s"#,
        ],
    );
}

#[test]
fn a_limit_of_routes_is_one_for_each_family_or_each_its_own() {
    let limits = |text: &str| {
        let gateway =
            format!("  a: {{ address: 10.168.0.1, asn: 64500, policy: all, families: [ipv4], max_prefix: {text} }}");
        let config = parse(&with(8, &gateway)).unwrap();
        (config.gateways["a"].max_prefix, config.warnings.len())
    };
    let limit = |ipv4, ipv6| fingerpost_core::model::PerFamily { ipv4, ipv6 };
    assert_eq!(limits("7"), (limit(Some(7), None), 0), "of the families it has");
    assert_eq!(limits("{ ipv4: 7 }"), (limit(Some(7), None), 0));
    assert_eq!(limits("{ ipv4: 7, ipv6: 8 }"), (limit(Some(7), Some(8)), 1), "a family it has not");
}
