//! `election`.

use crate::{refuses, warns};

/// The base's last line, a state directory, and this.
fn with(election: &str) -> String {
    format!("  all: [ {{ match: {{}}, then: accept }} ]\nstate_dir: state\nelection: {election}")
}

#[test]
fn a_wrong_election_is_refused() {
    let cases = [
        ("no store", "{}", "12:1: election.etcd: missing: name the source in whose etcd it is held: etcd: {source: …}"),
        (
            "a store that is not built yet",
            "{ kubernetes: {} }",
            "12:13: election.kubernetes: is not yet supported: remove it",
        ),
        (
            "no source",
            "{ etcd: {} }",
            "12:13: election.etcd.source: missing: name the source in whose etcd the election is held",
        ),
        (
            "an unknown source",
            "{ etcd: { source: prof } }",
            "12:29: election.etcd.source: there is no source \"prof\": did you mean prod?",
        ),
        (
            "a folder for a key",
            "{ etcd: { source: prod, key: /fp/ } }",
            "12:40: election.etcd.key: is no key: others of the election begin with it and a slash: write one such as \
             /fingerpost/leader",
        ),
        (
            "a key among the records",
            "{ etcd: { source: prod, key: /fingerpost/hosts/x } }",
            "12:40: election.etcd.key: is among the records of prod, /fingerpost/hosts/…: write one such as /fingerpost/leader",
        ),
        (
            "an identity with a slash",
            "{ etcd: { source: prod, identity: a/b } }",
            "12:45: election.etcd.identity: is no identity: write 1 to 253 letters, digits, dots, colons, hyphens and \
             underscores, or leave it out for router.id",
        ),
        (
            "parts of a second",
            "{ etcd: { source: prod, ttl: 3500ms } }",
            "12:40: election.etcd.ttl: is no number of whole seconds, as etcd's leases are: write one such as 10s",
        ),
        (
            "too short a lease",
            "{ etcd: { source: prod, ttl: 2s } }",
            "12:40: election.etcd.ttl: \"2s\" is out of range: write 3s to 1m",
        ),
    ];
    for (what, election, fault) in cases {
        refuses(what, 10, &with(election), &[fault]);
    }
    refuses(
        "no state_dir",
        10,
        "  all: [ { match: {}, then: accept } ]\nelection: { etcd: { source: prod } }",
        &["11:1: election: needs a state_dir: give state_dir: the terms of the election are remembered there"],
    );
    refuses(
        "a file for a store",
        3,
        "  lab: { file: { path: /dev/null } }\nstate_dir: state\nelection: { etcd: { source: lab } }",
        &["5:29: election.etcd.source: lab is a file, which holds no election: name a source in etcd"],
    );
}

#[test]
fn p7_what_tells_who_leads_is_not_a_policys_to_set() {
    let election = "state_dir: state\nelection: { etcd: { source: prod } }";
    let med = format!("  all: [ {{ match: {{}}, set: {{ med: 5 }}, then: accept }} ]\n{election}");
    refuses(
        "MED on eBGP",
        10,
        &med,
        &[
            "10:35: policies.all[0].set.med: MED tells an eBGP gateway which replica leads: with an election it cannot be set: \
           remove it, or use communities",
        ],
    );
    let internal = crate::with(8, "  a: { address: 10.168.0.1, asn: 64512, policy: all }").replace(
        "  all: [ { match: {}, then: accept } ]",
        &format!("  all: [ {{ match: {{}}, set: {{ local_pref: 5 }}, then: accept }} ]\n{election}"),
    );
    let faults = crate::parse(&internal).unwrap_err();
    let said = crate::lines(&faults.faults);
    let expected = "10:42: policies.all[0].set.local_pref: LOCAL_PREF tells an iBGP gateway which replica leads: with an election it \
                    cannot be set: remove it, or use communities";
    assert_eq!(said, [expected]);
}

#[test]
fn p7_nor_is_what_a_gateway_looks_at_before_it() {
    let policy =
        |rules: &str| format!("  all: [ {rules} ]\nstate_dir: state\nelection: {{ etcd: {{ source: prod }} }}");
    let zone = "{ match: { labels: { zone: b } }, set: { prepend: 2 }, then: accept }";
    refuses(
        "longer paths for some",
        10,
        &policy(&format!("{zone}, {{ match: {{}}, then: accept }}")),
        &[
            "10:81: policies.all[1].set.prepend: 0 here and 2 in a rule before it: a gateway compares the length of AS_PATH before the \
           MED that tells which replica leads, so with an election all routes have the same: write the same in all rules that \
           accept, or use communities",
        ],
    );
    let same = policy(&format!(
        "{zone}, {{ match: {{ family: ipv6 }}, then: reject }}, {{ match: {{}}, set: {{ prepend: 2 }}, then: accept }}"
    ));
    assert!(crate::parse(&crate::with(10, &same)).is_ok());
    for community in ["graceful-shutdown", "llgr-stale", "65535:6"] {
        let rules = format!("{{ match: {{}}, set: {{ communities: [\"{community}\"] }}, then: accept }}");
        let fault = "10:43: policies.all[0].set.communities: a gateway prefers any other path to one with graceful-shutdown or \
                     llgr-stale, whichever replica leads: with an election neither can be set: remove it, or drain the gateway: \
                     gateways.NAME.drain";
        refuses(community, 10, &policy(&rules), &[fault]);
    }
}

#[test]
fn p7_a_lease_too_short_for_as_many_endpoints_is_warned_of() {
    let warnings = |ttl: &str, endpoints: usize| {
        let endpoints: Vec<String> = (0..endpoints).map(|n| format!("\"http://127.0.0.1:{}\"", 2379 + n)).collect();
        let election = with(&format!("{{ etcd: {{ source: prod, ttl: {ttl} }} }}"));
        let text = crate::with(10, &election)
            .replace("\"http://127.0.0.1:2379\"", &endpoints.join(", "))
            .replace("id: 10.0.3.10,", "id: 10.0.3.10, replicas: 2,");
        crate::lines(&crate::parse(&text).unwrap_or_else(|faults| panic!("{faults}")).warnings)
    };
    let hurry = "12:40: election.etcd.ttl: leaves each of the 3 endpoints 225 ms to answer before the next one is asked: the lead may be \
                 lost while the store is well: write 4s or more, or name fewer endpoints";
    assert_eq!(warnings("3s", 3), [hurry]);
    assert_eq!((warnings("4s", 3), warnings("3s", 2), warnings("10s", 9)), (vec![], vec![], vec![]));
}

#[test]
fn several_replicas_need_an_election_and_the_other_way_round() {
    refuses(
        "no election",
        1,
        r#"router: { asn: 64512, id: 10.0.3.10, listen: ["0.0.0.0:1179"], replicas: 2 }"#,
        &[
            "1:74: router.replicas: several replicas need an election: without, gateways could not tell whose path to believe: add \
           election: {etcd: {source: …}}, or write 1",
        ],
    );
    warns(
        "one replica",
        10,
        &with("{ etcd: { source: prod } }"),
        &[
            "1:9: router: there is an election, and router.replicas says that there is one replica: write replicas: 2 if there are \
           two: it decides what our OPEN says of restarts",
        ],
    );
}
