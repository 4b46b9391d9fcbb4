//! `fence`.

use crate::refuses;

#[test]
fn a_fence_cannot_be_left_out_or_left_open() {
    refuses(
        "no fence",
        4,
        r#"x:"#,
        &[
            r#"1:1: fence: missing: say what may be announced: {prefixes: […], next_hops: […]}"#,
            r#"4:1: x: unknown key: known here: router, sources, fence, gateways, policies, guard, startup, election, state_dir, http, admin, log, timeline"#,
        ],
    );
    refuses(
        "an empty fence",
        5,
        r#"  prefixes: []"#,
        &[r#"5:13: fence.prefixes: is empty: nothing could be announced: list at least one range"#],
    );
    refuses(
        "no lengths",
        5,
        r#"  prefixes: [ { within: 10.244.0.0/16 } ]"#,
        &[r#"5:15: fence.prefixes[0].lengths: missing: give the lengths that subnets have, such as 20-28 or 24"#],
    );
    refuses(
        "host bits",
        5,
        r#"  prefixes: [ { within: 10.244.0.1/16, lengths: 20-28 } ]"#,
        &[r#"5:25: fence.prefixes[0].within: 10.244.0.1/16 has host bits set: write 10.244.0.0/16"#],
    );
    refuses(
        "no prefix",
        5,
        r#"  prefixes: [ { within: 10.244.0.0, lengths: 20-28 } ]"#,
        &[
            r#"5:25: fence.prefixes[0].within: "10.244.0.0" is not a prefix: write ADDRESS/LENGTH, such as 10.244.1.0/24"#,
        ],
    );
    refuses(
        "lengths below the range's own",
        5,
        r#"  prefixes: [ { within: 10.244.0.0/16, lengths: 12-24 } ]"#,
        &[
            r#"5:49: fence.prefixes[0].lengths: 12-24 is outside what a subnet of 10.244.0.0/16 can have: write lengths from 16 to 32"#,
        ],
    );
    refuses(
        "lengths beyond the family",
        5,
        r#"  prefixes: [ { within: 10.244.0.0/16, lengths: 24-64 } ]"#,
        &[
            r#"5:49: fence.prefixes[0].lengths: 24-64 is outside what a subnet of 10.244.0.0/16 can have: write lengths from 16 to 32"#,
        ],
    );
    refuses(
        "lengths backwards",
        5,
        r#"  prefixes: [ { within: 10.244.0.0/16, lengths: 28-20 } ]"#,
        &[r#"5:49: fence.prefixes[0].lengths: 28-20 is empty: write 20-28"#],
    );
    refuses(
        "lengths that are none",
        5,
        r#"  prefixes: [ { within: 10.244.0.0/16, lengths: le 24 }, { within: 10.245.0.0/16, lengths: -5 }, { within: 10.246.0.0/16, lengths: 1000 } ]"#,
        &[
            r#"5:49: fence.prefixes[0].lengths: "le 24" is not a range of prefix lengths: write one such as 20-28, or one length such as 24"#,
            r#"5:92: fence.prefixes[1].lengths: "-5" is not a range of prefix lengths: write one such as 20-28, or one length such as 24"#,
            r#"5:132: fence.prefixes[2].lengths: "1000" is not a range of prefix lengths: write one such as 20-28, or one length such as 24"#,
        ],
    );
    refuses(
        "the default route",
        5,
        r#"  prefixes: [ { within: 0.0.0.0/0, lengths: 0-24 } ]"#,
        &[
            r#"5:45: fence.prefixes[0].lengths: length 0 is the default route, which is never announced: begin at 1 or above"#,
        ],
    );
    refuses(
        "next hops among the prefixes",
        6,
        r#"  next_hops: [ 10.168.0.0/16, 10.244.8.0/24, 10.0.0.0/8 ]"#,
        &[
            r#"6:31: fence.next_hops[1]: next hops 10.244.8.0/24 and announced prefixes 10.244.0.0/16 overlap: narrow one of the two: a host is never reached by a route it is the next hop of"#,
            r#"6:46: fence.next_hops[2]: next hops 10.0.0.0/8 and announced prefixes 10.244.0.0/16 overlap: narrow one of the two: a host is never reached by a route it is the next hop of"#,
        ],
    );
    refuses(
        "a family without next hops",
        5,
        r#"  prefixes: [ { within: 10.244.0.0/16, lengths: 20-28 }, { within: "fd00:10::/32", lengths: 64 } ]"#,
        &[
            r#"5:58: fence.prefixes[1]: no ipv6 range is in fence.next_hops, so no ipv6 route could pass: add the range of the hosts' ipv6 addresses"#,
        ],
    );
    refuses(
        "no next hops",
        6,
        r#"  next_hops: []"#,
        &[r#"6:14: fence.next_hops: is empty: nothing could be announced: list at least one range"#],
    );
    refuses(
        "special-purpose address space",
        5,
        r#"  prefixes: [ { within: 169.254.8.0/24, lengths: 26 } ]"#,
        &[
            r#"5:25: fence.prefixes[0].within: 169.254.0.0/16 is special-purpose address space (RFC 6890), of which nothing is announced: give the range that the cluster's subnets are in"#,
        ],
    );
    refuses(
        "a listener and a store inside it",
        1,
        r#"router: { asn: 64512, id: 10.244.0.9, listen: ["0.0.0.0:1179", "10.244.0.4:1179"] }"#,
        &[
            r#"1:64: router.listen[1]: 10.244.0.4 lies inside fence.prefixes[0] (10.244.0.0/16): narrow the fence: routes to gateways, stores and ourselves are never announced"#,
        ],
    );
    refuses(
        "a store inside it",
        3,
        r#"  prod: { etcd: { endpoints: ["http://etcd:1", "http://10.244.0.2:2379"] }, schema: { native: {} } }"#,
        &[
            r#"3:48: sources.prod.etcd.endpoints[1]: 10.244.0.2 lies inside fence.prefixes[0] (10.244.0.0/16): narrow the fence: routes to gateways, stores and ourselves are never announced"#,
        ],
    );
}
