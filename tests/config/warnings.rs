//! What is allowed, and probably not meant.

use crate::{lines, parse, warns, with};

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    warns(
        "eBGP without a policy",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500 }"#,
        &[
            r#"8:3: gateways.a.policy: missing on eBGP: nothing will be sent to it (RFC 8212): write policy: all"#,
            r#"10:8: policies.all: no gateway uses it: name it in a gateway's policy, or remove it"#,
        ],
    );
    warns(
        "a password file that is not there, which it may be later",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, password_file: no-such.key }"#,
        &[
            r#"8:69: gateways.a.password_file: cannot use no-such.key: No such file or directory (os error 2): this gateway stays down until that is mended: name a file that this user may read"#,
        ],
    );
    warns(
        "a prefix that no key begins with",
        3,
        r#"  prod: { etcd: { endpoints: ["http://127.0.0.1:2379"] }, schema: { native: { prefix: fingerpost } } }"#,
        &[
            r#"3:87: sources.prod.schema.native.prefix: "fingerpost" does not begin with a slash: write /fingerpost if the keys begin so"#,
        ],
    );
    warns(
        "a prefix with the part that is added to it",
        3,
        r#"  prod: { etcd: { endpoints: ["http://127.0.0.1:2379"] }, schema: { native: { prefix: /fingerpost/hosts } } }"#,
        &[
            r#"3:87: sources.prod.schema.native.prefix: with it the keys are /fingerpost/hosts/hosts/HOST: write "/fingerpost" if they are /fingerpost/hosts/HOST"#,
        ],
    );
    warns(
        "nobody is told",
        8,
        r#"  {}"#,
        &[
            r#"8:3: gateways: has none: nobody is told: add a gateway"#,
            r#"10:8: policies.all: no gateway uses it: name it in a gateway's policy, or remove it"#,
        ],
    );
    warns(
        "a family the fence has nothing for",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, families: [ipv4, ipv6] }"#,
        &[
            r#"8:64: gateways.a.families: fence.prefixes has no ipv6 range: no ipv6 route will be sent: remove the family, or add a range to the fence"#,
        ],
    );
    warns(
        "an IPv6 next hop for routes of a family that is not spoken",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all, families: [ipv6], extended_next_hop: true }"#,
        &[
            r#"8:64: gateways.a.families: fence.prefixes has no ipv6 range: no ipv6 route will be sent: remove the family, or add a range to the fence"#,
            r#"8:91: gateways.a.extended_next_hop: concerns IPv4 routes (RFC 8950), and families has no ipv4: add ipv4 to families, or remove it"#,
        ],
    );
    warns(
        "IPv6 next hops that nobody is told",
        3,
        r#"  prod: { etcd: { endpoints: ["http://127.0.0.1:2379"] }, schema: { native: {} }, ipv4_via_ipv6: true }"#,
        &[
            r#"3:98: sources.prod.ipv4_via_ipv6: no gateway has extended_next_hop: nobody is told of such a route: set extended_next_hop on gateways that know it"#,
        ],
    );
    warns(
        "attached where no next hop is",
        8,
        r#"  a: { address: 10.169.0.1, asn: 64500, policy: all, attached: [10.169.0.0/24] }"#,
        &[
            r#"8:64: gateways.a.attached: no next hop of fence.next_hops is in it: nothing will be sent: list the subnets that hosts and gateway share"#,
        ],
    );
    warns(
        "local preference on eBGP, and a policy without rules",
        10,
        r#"  all: [ { match: {}, set: { local_pref: 5 }, then: accept } ]
  none: []"#,
        &[
            r#"8:49: gateways.a.policy: policy all sets local_pref, which is not sent on eBGP (RFC 4271 §5.1.5): set med, or remove local_pref"#,
            r#"11:9: policies.none: has no rules: nothing is sent: write [{match: {}, then: accept}] to send everything"#,
            r#"11:9: policies.none: no gateway uses it: name it in a gateway's policy, or remove it"#,
        ],
    );
    warns(
        "a rule that is never reached, and one that never matches",
        10,
        r#"  all: [ { match: { prefixes: [ { within: 10.9.0.0/16 } ] }, then: reject }, { match: {}, then: accept }, { match: {}, then: reject } ]"#,
        &[
            r#"10:43: policies.all[0].match.prefixes[0].within: 10.9.0.0/16 is outside fence.prefixes: no route can match it"#,
            r#"10:107: policies.all[2]: is never reached: rule 1 matches everything: move it up, or remove it"#,
        ],
    );
    warns(
        "next hops of a family without prefixes",
        6,
        r#"  next_hops: [ 10.168.0.0/16, "fd00::/16" ]"#,
        &[r#"6:31: fence.next_hops[1]: no ipv6 prefix is in fence.prefixes: remove it or add prefixes"#],
    );
    warns(
        "a file that is not there",
        3,
        r#"  prod: { file: { path: no-such-hosts.yaml } }"#,
        &[
            r#"3:25: sources.prod.file.path: no-such-hosts.yaml is not there, or is no file: until it is there, nothing is known from this source"#,
        ],
    );
    let text = with(10, "  all: [ { match: {}, set: { prepend: 1 }, then: accept } ]").replace("64500", "64512");
    assert_eq!(
        lines(&parse(&text).unwrap().warnings),
        [
            "8:49: gateways.a.policy: policy all prepends our AS, which is not done on iBGP (RFC 4271 §5.1.2): set local_pref, or remove prepend"
        ],
    );
}
