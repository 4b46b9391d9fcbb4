//! `policies`.

use crate::refuses;

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
        "attributes that are not yet built",
        10,
        r#"  all: [ { match: {}, set: { next_hop: 10.0.0.1, extended_communities: [] }, then: accept } ]"#,
        &[
            r#"10:30: policies.all[0].set.next_hop: is not yet supported: remove it"#,
            r#"10:50: policies.all[0].set.extended_communities: is not yet supported: remove it"#,
        ],
    );
}
