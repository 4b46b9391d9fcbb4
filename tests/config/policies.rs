//! `policies`.

use crate::{parse, refuses, with};

#[test]
fn a_wrong_policy_is_refused() {
    refuses(
        "a rule without match and then",
        10,
        r#"  all: [ {} ]"#,
        &[
            r#"10:10: policies.all[0].match: missing: say which routes, or {} for all"#,
            r#"10:10: policies.all[0].then: missing: write accept or reject"#,
        ],
    );
    refuses(
        "a policy is no list",
        10,
        r#"  all: { match: {}, then: accept }"#,
        &[r#"10:8: policies.all: is a map where a list belongs: write [{match: {}, then: accept}, …]"#],
    );
    refuses(
        "a match without a value",
        10,
        r#"  all: [ { match: , then: accept } ]"#,
        &[r#"10:17: policies.all[0].match: has no value: write its keys indented below it, or {} for none"#],
    );
    refuses(
        "then",
        10,
        r#"  all: [ { match: {}, then: acept }, { match: {}, then: deny } ]"#,
        &[
            r#"10:29: policies.all[0].then: "acept" is not known here: did you mean accept?"#,
            r#"10:57: policies.all[1].then: "deny" is not known here: write one of accept, reject"#,
        ],
    );
    refuses(
        "a rejected route with attributes",
        10,
        r#"  all: [ { match: {}, set: { med: 1 }, then: reject } ]"#,
        &[r#"10:23: policies.all[0].set: a rejected route has no attributes: remove set, or write then: accept"#],
    );
    refuses(
        "a source that is not configured",
        10,
        r#"  all: [ { match: { sources: [prd, banana] }, then: accept } ]"#,
        &[
            r#"10:31: policies.all[0].match.sources[0]: there is no source "prd": did you mean prod?"#,
            r#"10:36: policies.all[0].match.sources[1]: there is no source "banana": configured: prod"#,
        ],
    );
    refuses(
        "hosts that are none",
        10,
        r#"  all: [ { match: { hosts: ["a b", 7, ""] }, then: accept } ]"#,
        &[
            r#"10:29: policies.all[0].match.hosts[0]: "a b" is not a host name: write 1 to 253 printable characters without spaces"#,
            r#"10:36: policies.all[0].match.hosts[1]: is a number where text belongs: put it in quotes if that is what is meant"#,
            r#"10:39: policies.all[0].match.hosts[2]: is empty or has control characters: write printable text"#,
        ],
    );
    refuses(
        "labels that are none",
        10,
        r#"  all: [ { match: { labels: { zone: 7, rack: [a] } }, then: accept } ]"#,
        &[
            r#"10:37: policies.all[0].match.labels.zone: is a number where text belongs: put it in quotes if that is what is meant"#,
            r#"10:46: policies.all[0].match.labels.rack: is a list where text belongs: write text alone"#,
        ],
    );
    refuses(
        "a name that is no name",
        9,
        r#"policies:
  "": []"#,
        &[r#"10:3: policies.: is no name: write 1 to 63 letters, digits, dots, hyphens and underscores"#],
    );
    refuses(
        "empty lists",
        10,
        r#"  all: [ { match: { hosts: [], sources: [], prefixes: [] }, then: accept } ]"#,
        &[
            r#"10:28: policies.all[0].match.hosts: is empty: remove it to match everything"#,
            r#"10:41: policies.all[0].match.sources: is empty: remove it to match everything"#,
            r#"10:55: policies.all[0].match.prefixes: is empty: remove it to match everything"#,
        ],
    );
    refuses(
        "a family against the prefixes",
        10,
        r#"  all: [ { match: { family: ipv6, prefixes: [ { within: 10.244.0.0/16 } ] }, then: accept } ]"#,
        &[r#"10:29: policies.all[0].match.family: no range in prefixes is ipv6: remove family, or add a range"#],
    );
    refuses(
        "lengths outside the range",
        10,
        r#"  all: [ { match: { prefixes: [ { within: 10.244.0.0/16, lengths: 8-24 } ] }, then: accept } ]"#,
        &[
            r#"10:67: policies.all[0].match.prefixes[0].lengths: 8-24 is outside what a subnet of 10.244.0.0/16 can have: write lengths from 16 to 32"#,
        ],
    );
    refuses(
        "communities that are none",
        10,
        r#"  all: [ { match: {}, set: { communities: [no-exprt, "65536:1", "1:2:3", 5, "+1:2", ""] }, then: accept } ]"#,
        &[
            r#"10:44: policies.all[0].set.communities[0]: "no-exprt" is not a community: did you mean no-export?"#,
            r#"10:54: policies.all[0].set.communities[1]: "65536:1" is not a community: write two numbers from 0 to 65535, such as "64512:1", or a name such as no-export"#,
            r#"10:65: policies.all[0].set.communities[2]: "1:2:3" is not a community: three numbers are a large community: use large_communities"#,
            r#"10:74: policies.all[0].set.communities[3]: is a number where a community belongs: write "64512:1", in quotes"#,
            r#"10:77: policies.all[0].set.communities[4]: "+1:2" is not a community: write two numbers from 0 to 65535, such as "64512:1", or a name such as no-export"#,
            r#"10:85: policies.all[0].set.communities[5]: is empty or has control characters: write printable text"#,
        ],
    );
    refuses(
        "large communities that are none",
        10,
        r#"  all: [ { match: {}, set: { large_communities: ["1:2", "1:2:4294967296", "1:2:3:4"] }, then: accept } ]"#,
        &[
            r#"10:50: policies.all[0].set.large_communities[0]: "1:2" is not a large community: write three numbers from 0 to 4294967295, such as "64512:1:2""#,
            r#"10:57: policies.all[0].set.large_communities[1]: "1:2:4294967296" is not a large community: write three numbers from 0 to 4294967295, such as "64512:1:2""#,
            r#"10:75: policies.all[0].set.large_communities[2]: "1:2:3:4" is not a large community: write three numbers from 0 to 4294967295, such as "64512:1:2""#,
        ],
    );
    refuses(
        "numbers out of range",
        10,
        r#"  all: [ { match: {}, set: { med: -1, local_pref: 4294967296, prepend: 17 }, then: accept } ]"#,
        &[
            r#"10:35: policies.all[0].set.med: -1 is out of range: write a whole number from 0 to 4294967295"#,
            r#"10:51: policies.all[0].set.local_pref: 4294967296 is out of range: write a whole number from 0 to 4294967295"#,
            r#"10:72: policies.all[0].set.prepend: 17 is out of range: write a whole number from 0 to 16"#,
        ],
    );
    refuses(
        "next hops that are none",
        10,
        r#"  all: [ { match: { family: ipv6 }, set: { next_hop: 10.168.0.1 }, then: accept }, { match: {}, set: { next_hop: 10.9.0.1 }, then: accept } ]"#,
        &[
            r#"10:54: policies.all[0].set.next_hop: 10.168.0.1 cannot be the next hop of IPv6 routes, which are all that match: give an IPv6 address, or remove it"#,
            r#"10:114: policies.all[1].set.next_hop: 10.9.0.1 is outside fence.next_hops (10.168.0.0/16): give an address inside, or widen the fence"#,
        ],
    );
    let hint = "write rt:AS:NUMBER or ro:AS:NUMBER (the number to 4294967295 with an AS to 65535, else to 65535), the same with an \
                IPv4 address, or 0x and 16 hexadecimal digits";
    let wrong = [
        "rt:1",
        "xx:1:2",
        "rt:65536:65536",
        "rt:10.0.0.1:65536",
        "0x00020001",
        "0x+002000100020003",
        "rt:64512L:65536",
    ];
    for text in wrong {
        let line =
            format!(r#"  all: [ {{ match: {{}}, set: {{ extended_communities: ["{text}"] }}, then: accept }} ]"#);
        let path = "policies.all[0].set.extended_communities[0]";
        refuses(text, 10, &line, &[&format!(r#"10:53: {path}: "{text}" is not an extended community: {hint}"#)]);
    }
}

/// A rule that sets so many of them.
fn setting(standard: u32, extended: u32, large: u32) -> String {
    let list = |form: &dyn Fn(u32) -> String, count: u32| (0..count).map(form).collect::<Vec<_>>().join(", ");
    let standard = list(&|n| format!("\"64512:{n}\""), standard);
    let extended = list(&|n| format!("\"rt:64512:{n}\""), extended);
    let large = list(&|n| format!("\"64512:1:{n}\""), large);
    let set = format!(
        "communities: [{standard}], extended_communities: [{extended}], large_communities: [{large}], prepend: 16"
    );
    format!("  all: [ {{ match: {{}}, set: {{ {set} }}, then: accept }} ]")
}

#[test]
fn attributes_that_leave_no_room_for_a_prefix_are_refused() {
    let hint = "leave no room for a prefix in a message of 4096: set fewer communities: about 3,900 octets fit (4, 8 or 12 each)";
    refuses(
        "standard",
        10,
        &setting(980, 0, 0),
        &[&format!("10:28: policies.all[0].set: 3920 octets of communities {hint}")],
    );
    refuses(
        "mixed",
        10,
        &setting(200, 200, 160),
        &[&format!("10:28: policies.all[0].set: 4320 octets of communities {hint}")],
    );
    // Well within what the message says.
    parse(&with(10, &setting(900, 0, 0))).unwrap();
    parse(&with(10, &setting(300, 150, 100))).unwrap();
}

#[test]
fn extended_communities_have_the_octets_of_their_rfcs() {
    let line = r#"  all: [ { match: {}, set: { extended_communities: ["rt:64512:1", "ro:64512:4294967295", "rt:4200000000:7", "rt:64512L:7", "soo:10.0.0.1:9", "0x4302000000000001"] }, then: accept } ]"#;
    let config = parse(&with(10, line)).unwrap();
    let found: Vec<[u8; 8]> = config.policies["all"].rules[0].set.extended_communities.iter().map(|c| c.0).collect();
    let expected = [
        [0x00, 2, 0xFC, 0x00, 0, 0, 0, 1],             // RFC 4360 §4, two-octet AS
        [0x00, 3, 0xFC, 0x00, 0xFF, 0xFF, 0xFF, 0xFF], // RFC 4360 §5
        [0x01, 3, 10, 0, 0, 1, 0, 9],                  // RFC 4360 §3.2
        [0x02, 2, 0x00, 0x00, 0xFC, 0x00, 0, 7],       // RFC 5668 §2
        [0x02, 2, 0xFA, 0x56, 0xEA, 0x00, 0, 7],       // RFC 5668 §2
        [0x43, 2, 0, 0, 0, 0, 0, 1],
    ];
    assert_eq!(found, expected);
}

#[test]
fn every_well_known_community_has_its_registered_number() {
    let names = [
        ("graceful-shutdown", 0xFFFF_0000_u32),
        ("accept-own", 0xFFFF_0001),
        ("route-filter-translated-v4", 0xFFFF_0002),
        ("route-filter-v4", 0xFFFF_0003),
        ("route-filter-translated-v6", 0xFFFF_0004),
        ("route-filter-v6", 0xFFFF_0005),
        ("llgr-stale", 0xFFFF_0006),
        ("no-llgr", 0xFFFF_0007),
        ("accept-own-nexthop", 0xFFFF_0008),
        ("standby-pe", 0xFFFF_0009),
        ("blackhole", 0xFFFF_029A),
        ("no-export", 0xFFFF_FF01),
        ("no-advertise", 0xFFFF_FF02),
        ("no-export-subconfed", 0xFFFF_FF03),
        ("no-peer", 0xFFFF_FF04),
    ];
    for (name, number) in names {
        let line = format!("  all: [ {{ match: {{}}, set: {{ communities: [{name}] }}, then: accept }} ]");
        let config = parse(&with(10, &line)).unwrap();
        let set = &config.policies["all"].rules[0].set;
        assert_eq!(set.communities.iter().map(|c| c.0).collect::<Vec<_>>(), [number], "{name}");
    }
}
