//! Row 26: what each fault of each attribute leads to (RFC 7606 §3 to §7), on iBGP and on eBGP.
//!
//! A row is a list of attributes and what follows: `ok`, `discard` (the route stays, something is left out), `withdraw`
//! or `reset` with the code that RFC 4271 §6.3 has for the fault. O, P, N, M stand for a correct ORIGIN, AS_PATH,
//! NEXT_HOP and MP_REACH_NLRI. One entry in `expected` is for both kinds of session, two are iBGP / eBGP. The table is run
//! twice: on the decoder here, and through a session in `neighbour/tests/rfc7606.rs`.

use super::super::{Update, UpdateContext, UpdateOutcome};
use super::update::{body, context};
use super::{code, prefixes};
use crate::model::Prefix;

struct Row {
    title: &'static str,
    attributes: &'static str,
    expected: &'static str,
}

const fn row(title: &'static str, attributes: &'static str, expected: &'static str) -> Row {
    Row { title, attributes, expected }
}

const O: &str = "40010100";
const P: &str = "40020602010000fde9";
const N: &str = "4003040a000001";
/// 2001:db8:1::/48 via 2001:db8::1.
const M: &str = "800e1c00020110 20010db8000000000000000000000001 00 3020010db80001";

fn expand(attributes: &str) -> String {
    let words = attributes.split_whitespace().map(|word| match word {
        "O" => O,
        "P" => P,
        "N" => N,
        "M" => M,
        octets => octets,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Kind of outcome, code, and the prefixes for which it was found.
fn outcome(body: &[u8], context: &UpdateContext) -> (String, Update) {
    match Update::decode(body, context) {
        UpdateOutcome::Accept(update) if update.discarded.is_empty() => ("ok".into(), update),
        UpdateOutcome::Accept(update) => ("discard".into(), update),
        UpdateOutcome::TreatAsWithdraw { update, reason } => {
            (format!("withdraw {}", code(&reason.notification())), update)
        }
        UpdateOutcome::Reset(fault) => (format!("reset {}", code(&fault)), Update::default()),
    }
}

/// A row as a message, with what a session makes of it.
pub(in crate::bgp) struct Case {
    pub(in crate::bgp) title: &'static str,
    /// What follows the header.
    pub(in crate::bgp) body: Vec<u8>,
    /// On iBGP and on eBGP.
    pub(in crate::bgp) expected: [&'static str; 2],
    /// The prefixes that it makes reachable, or would.
    pub(in crate::bgp) routes: Vec<Prefix>,
}

/// The whole table.
pub(in crate::bgp) fn cases() -> Vec<Case> {
    let parts = [
        (CLASSIC, "18c00002", "192.0.2.0/24"),
        (MULTI_PROTOCOL, "", "2001:db8:1::/48"),
        (IPV4_IN_MP, "", "192.0.2.0/24"),
        (NOTHING_REACHABLE, "", ""),
    ];
    let case = |row: &Row, nlri, routes| {
        let (internal, external) = row.expected.split_once(" / ").unwrap_or((row.expected, row.expected));
        let body = body("", &expand(row.attributes), nlri);
        Case { title: row.title, body, expected: [internal, external], routes: prefixes(routes) }
    };
    parts.iter().flat_map(|(rows, nlri, routes)| rows.iter().map(|row| case(row, nlri, routes))).collect()
}

/// Runs a table with these prefixes in the IPv4 field; `routes` are those that the message makes reachable.
fn run(table: &[Row], nlri: &str, routes: &str) {
    let mut failures = Vec::new();
    for row in table {
        let expected: Vec<_> = row.expected.split(" / ").collect();
        for internal in [true, false] {
            let wanted = expected[if internal { 0 } else { expected.len() - 1 }];
            let context = UpdateContext { internal, ..context() };
            let (got, update) = outcome(&body("", &expand(row.attributes), nlri), &context);
            let (reachable, withdrawn) = match wanted.split(' ').next() {
                Some("ok" | "discard") => (prefixes(routes), vec![]),
                Some("withdraw") => (vec![], prefixes(routes)),
                _ => (vec![], vec![]),
            };
            if got != wanted || update.reachable != reachable || update.withdrawn != withdrawn {
                failures.push(format!("{} (internal {internal}): {got}, not {wanted}: {update:?}", row.title));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

const CLASSIC: &[Row] = &[
    row("nothing wrong", "O P N", "ok"),
    row("in another order", "N P O", "ok"),
    // §7.1
    row("ORIGIN EGP", "40010101 P N", "ok"),
    row("ORIGIN INCOMPLETE", "40010102 P N", "ok"),
    row("ORIGIN 3", "40010103 P N", "withdraw 3/6"),
    row("ORIGIN 255", "400101ff P N", "withdraw 3/6"),
    row("ORIGIN empty", "400100 P N", "withdraw 3/5"),
    row("ORIGIN of 2", "4001020000 P N", "withdraw 3/5"),
    row("ORIGIN optional", "c0010100 P N", "withdraw 3/4"),
    row("ORIGIN not transitive", "00010100 P N", "withdraw 3/4"),
    row("ORIGIN partial", "60010100 P N", "ok"),
    row("ORIGIN with unused bits", "4f010100 P N", "ok"),
    row("ORIGIN with a length of two octets", "5001000100 P N", "ok"),
    row("ORIGIN missing", "P N", "withdraw 3/3"),
    row("ORIGIN twice", "O O P N", "discard"),
    row("ORIGIN twice, the second malformed", "O 40010109 P N", "discard"),
    row("ORIGIN twice, the first malformed", "40010109 O P N", "withdraw 3/6"),
    // §7.2, RFC 7607, RFC 9774, RFC 5065
    row("AS_PATH empty", "O 400200 N", "ok"),
    row("AS_PATH of two sequences", "O 40020c 0201 0000fde9 0201 0000fdea N", "ok"),
    row("AS_PATH with type 0", "O 400206 0001 0000fde9 N", "withdraw 3/11"),
    row("AS_PATH with type 5", "O 400206 0501 0000fde9 N", "withdraw 3/11"),
    row("AS_PATH with AS_SET", "O 400206 0101 0000fde9 N", "withdraw 3/11"),
    row("AS_PATH with AS_CONFED_SEQUENCE", "O 400206 0301 0000fde9 N", "withdraw 3/11"),
    row("AS_PATH with AS_CONFED_SET", "O 400206 0401 0000fde9 N", "withdraw 3/11"),
    row("AS_PATH with an empty segment", "O 400202 0200 N", "withdraw 3/11"),
    row("AS_PATH, segment over the end", "O 400206 0202 0000fde9 N", "withdraw 3/11"),
    row("AS_PATH, one octet left over", "O 400207 0201 0000fde9 02 N", "withdraw 3/11"),
    row("AS_PATH, second segment empty", "O 400208 0201 0000fde9 0200 N", "withdraw 3/11"),
    row("AS_PATH of two-octet numbers", "O 400204 0201 fde9 N", "withdraw 3/11"),
    row("AS_PATH with AS 0", "O 40020a 0202 0000fde9 00000000 N", "withdraw 3/11"),
    row("AS_PATH optional", "O c0020602010000fde9 N", "withdraw 3/4"),
    row("AS_PATH missing", "O N", "withdraw 3/3"),
    row("AS_PATH twice", "O P P N", "discard"),
    // §7.3, RFC 4271 §6.3
    row("NEXT_HOP of 3", "O P 400303 0a0000", "withdraw 3/5"),
    row("NEXT_HOP of 5", "O P 400305 0a00000100", "withdraw 3/5"),
    row("NEXT_HOP empty", "O P 400300", "withdraw 3/5"),
    row("NEXT_HOP of 16", "O P 400310 20010db8000000000000000000000001", "withdraw 3/5"),
    row("NEXT_HOP 0.0.0.0", "O P 400304 00000000", "withdraw 3/8"),
    row("NEXT_HOP 0.1.2.3", "O P 400304 00010203", "withdraw 3/8"),
    row("NEXT_HOP 127.0.0.1", "O P 400304 7f000001", "withdraw 3/8"),
    row("NEXT_HOP 224.0.0.1", "O P 400304 e0000001", "withdraw 3/8"),
    row("NEXT_HOP 240.0.0.1", "O P 400304 f0000001", "withdraw 3/8"),
    row("NEXT_HOP 255.255.255.255", "O P 400304 ffffffff", "withdraw 3/8"),
    row("NEXT_HOP optional", "O P 8003040a000001", "withdraw 3/4"),
    row("NEXT_HOP missing", "O P", "withdraw 3/3"),
    row("NEXT_HOP twice", "O P N N", "discard"),
    // §7.4
    row("MULTI_EXIT_DISC", "O P N 800404 00000007", "ok"),
    row("MULTI_EXIT_DISC of 3", "O P N 800403 000007", "withdraw 3/5"),
    row("MULTI_EXIT_DISC of 5", "O P N 800405 0000000007", "withdraw 3/5"),
    row("MULTI_EXIT_DISC empty", "O P N 800400", "withdraw 3/5"),
    row("MULTI_EXIT_DISC transitive", "O P N c00404 00000007", "withdraw 3/4"),
    row("MULTI_EXIT_DISC well-known", "O P N 400404 00000007", "withdraw 3/4"),
    row("MULTI_EXIT_DISC twice", "O P N 800404 00000007 800404 00000008", "discard"),
    // §7.5: from an external neighbour it does not count, whatever it is
    row("LOCAL_PREF", "O P N 400504 00000064", "ok / discard"),
    row("LOCAL_PREF of 3", "O P N 400503 000064", "withdraw 3/5 / discard"),
    row("LOCAL_PREF empty", "O P N 400500", "withdraw 3/5 / discard"),
    row("LOCAL_PREF optional", "O P N c00504 00000064", "withdraw 3/4 / discard"),
    // §7.6, §3 f
    row("ATOMIC_AGGREGATE", "O P N 400600", "ok"),
    row("ATOMIC_AGGREGATE of 1", "O P N 40060100", "discard"),
    row("ATOMIC_AGGREGATE optional", "O P N c00600", "withdraw 3/4"), // §3 c: flags withdraw, whatever a length does
    // §7.7, RFC 7607
    row("AGGREGATOR", "O P N c00708 0000fde9 0a000002", "ok"),
    row("AGGREGATOR of 6", "O P N c00706 fde9 0a000002", "discard"),
    row("AGGREGATOR of 9", "O P N c00709 0000fde9 0a000002 00", "discard"),
    row("AGGREGATOR empty", "O P N c00700", "discard"),
    row("AGGREGATOR with AS 0", "O P N c00708 00000000 0a000002", "discard"),
    row("AGGREGATOR not transitive", "O P N 800708 0000fde9 0a000002", "withdraw 3/4"),
    // §7.8
    row("COMMUNITIES", "O P N c00808 fde90001 fde90002", "ok"),
    row("COMMUNITIES empty", "O P N c00800", "withdraw 3/5"),
    row("COMMUNITIES of 3", "O P N c00803 fde900", "withdraw 3/5"),
    row("COMMUNITIES of 5", "O P N c00805 fde9000100", "withdraw 3/5"),
    row("COMMUNITIES not transitive", "O P N 800804 fde90001", "withdraw 3/4"),
    // §7.9
    row("ORIGINATOR_ID", "O P N 800904 0a000003", "ok / discard"),
    row("ORIGINATOR_ID of 3", "O P N 800903 0a0000", "withdraw 3/5 / discard"),
    row("ORIGINATOR_ID empty", "O P N 800900", "withdraw 3/5 / discard"),
    row("ORIGINATOR_ID transitive", "O P N c00904 0a000003", "withdraw 3/4 / discard"),
    // §7.10
    row("CLUSTER_LIST", "O P N 800a04 0a000003", "ok / discard"),
    row("CLUSTER_LIST empty", "O P N 800a00", "withdraw 3/5 / discard"),
    row("CLUSTER_LIST of 3", "O P N 800a03 0a0000", "withdraw 3/5 / discard"),
    row("CLUSTER_LIST transitive", "O P N c00a04 0a000003", "withdraw 3/4 / discard"),
    // §7.14
    row("EXTENDED COMMUNITIES", "O P N c01008 0002fde900000064", "ok"),
    row("EXTENDED COMMUNITIES empty", "O P N c01000", "withdraw 3/5"),
    row("EXTENDED COMMUNITIES of 7", "O P N c01007 0002fde9000000", "withdraw 3/5"),
    row("EXTENDED COMMUNITIES of 9", "O P N c01009 0002fde90000006400", "withdraw 3/5"),
    row("EXTENDED COMMUNITIES not transitive", "O P N 801008 0002fde900000064", "withdraw 3/4"),
    // RFC 6793 §6: not from a speaker of four-octet numbers
    row("AS4_PATH", "O P N c01106 0201 0000fde9", "discard"),
    row("AS4_AGGREGATOR", "O P N c01208 0000fde9 0a000002", "discard"),
    // RFC 8092 §6
    row("LARGE_COMMUNITY", "O P N c0200c 0000fde9 00000001 00000002", "ok"),
    row("LARGE_COMMUNITY empty", "O P N c02000", "withdraw 3/5"),
    row("LARGE_COMMUNITY of 11", "O P N c0200b 0000fde9 00000001 000000", "withdraw 3/5"),
    row("LARGE_COMMUNITY of 13", "O P N c0200d 0000fde9 00000001 00000002 00", "withdraw 3/5"),
    row("LARGE_COMMUNITY not transitive", "O P N 80200c 0000fde9 00000001 00000002", "withdraw 3/4"),
    // RFC 9234 §5
    row("ONLY_TO_CUSTOMER", "O P N c02304 0000fde9", "ok"),
    row("ONLY_TO_CUSTOMER of 3", "O P N c02303 00fde9", "withdraw 3/5"),
    row("ONLY_TO_CUSTOMER not transitive", "O P N 802304 0000fde9", "withdraw 3/4"),
    // RFC 4271 §5, §6.3
    row("unknown, optional transitive", "O P N c0f002 0102", "ok"),
    row("unknown, optional not transitive", "O P N 80f000", "ok"),
    row("unknown, optional, twice", "O P N c0f000 c0f000", "discard"),
    row("unknown, well-known", "O P N 40f000", "reset 3/2"),
    // §4: the list's own length finds the prefixes
    row("one octet left over", "O P N 40", "withdraw 3/1"),
    row("two octets left over", "O P N 4004", "withdraw 3/1"),
    row("half an extended length", "O P N 900400", "withdraw 3/1"),
    row("a length past the end", "O P N 800405 00000007", "withdraw 3/1"),
    row("an extended length past the end", "O P N 9004ffff 00000007", "withdraw 3/1"),
    row("the mandatory ones swallowed", "80f0ff O P N", "withdraw 3/1"),
    // §5.3, §7.11, §7.12 beside IPv4 prefixes
    row("MP_REACH_NLRI cut off", "O P N 800e1c 000201", "reset 3/1"),
    row("MP_UNREACH_NLRI cut off", "O P N 800f1c 000201", "reset 3/1"),
    row("MP_UNREACH_NLRI twice", "O P N 800f03000201 800f03000201", "reset 3/1"),
    row("MP_UNREACH_NLRI transitive", "c00f03000201 O P N", "reset 3/4"),
    row("MP_UNREACH_NLRI of 2", "800f020002 O P N", "reset 3/9"),
    row("MP_UNREACH_NLRI with a length of 129", "800f04000201 81 O P N", "reset 3/9"),
    row("MP_UNREACH_NLRI with a prefix cut off", "800f05000201 3020 O P N", "reset 3/9"),
    row("MP_UNREACH_NLRI of an unknown family", "800f04400447 ff O P N", "discard"),
    // §3 h
    row("discard and withdraw", "O P N 40060100 800403000007", "withdraw 3/5"),
    row("withdraw and reset", "O P N 800403000007 40f000", "reset 3/2"),
];

#[test]
fn c26_faults_beside_ipv4_prefixes() {
    run(CLASSIC, "18c00002", "192.0.2.0/24");
}

const MULTI_PROTOCOL: &[Row] = &[
    row("nothing wrong", "M O P", "ok"),
    row("not first", "O P M", "ok"),
    row("with a length of two octets", "900e001c00020110 20010db8000000000000000000000001 00 3020010db80001 O P", "ok"),
    row(
        "global and link-local next hop",
        "800e2c00020120 20010db8000000000000000000000001 fe800000000000000000000000000001 00 3020010db80001 O P",
        "ok",
    ),
    row("reserved octet not 0", "800e1c00020110 20010db8000000000000000000000001 ff 3020010db80001 O P", "ok"),
    row("next hop ::", "800e1c00020110 00000000000000000000000000000000 00 3020010db80001 O P", "withdraw 3/8"),
    row("next hop ::1", "800e1c00020110 00000000000000000000000000000001 00 3020010db80001 O P", "withdraw 3/8"),
    row("next hop ff02::1", "800e1c00020110 ff020000000000000000000000000001 00 3020010db80001 O P", "withdraw 3/8"),
    row("transitive", "c00e1c00020110 20010db8000000000000000000000001 00 3020010db80001 O P", "reset 3/4"),
    row("well-known", "400e1c00020110 20010db8000000000000000000000001 00 3020010db80001 O P", "reset 3/4"),
    row("without ORIGIN", "M P", "withdraw 3/3"),
    row("without AS_PATH", "M O", "withdraw 3/3"),
    row("a NEXT_HOP that is no host, ignored", "M O P 40030400000000", "ok"),
    row("a NEXT_HOP of 3", "M O P 4003030a0000", "withdraw 3/5"),
    row("a list cut off behind it", "M O P 4004", "withdraw 3/1"),
    row("no next hop", "800e0c00020100 00 3020010db80001 O P", "reset 3/9"),
    row("next hop of 4", "800e10000201040a000001 00 3020010db80001 O P", "reset 3/9"),
    row("next hop of 15", "800e1b0002010f 20010db80000000000000000000000 00 3020010db80001 O P", "reset 3/9"),
    // A route distinguisher before the address (RFC 4659): another family's.
    row(
        "next hop of 24",
        "800e24000201 18 000000000000000020010db8000000000000000000000001 00 3020010db80001 O P",
        "reset 3/9",
    ),
    row(
        "next hop of 48",
        "800e3c000201 30 000000000000000020010db8000000000000000000000001 000000000000000020010db8000000000000000000000001 00 3020010db80001 O P",
        "reset 3/9",
    ),
    row("next hop past the end", "800e1c000201ff 20010db8000000000000000000000001 00 3020010db80001 O P", "reset 3/9"),
    row("no reserved octet", "800e1400020110 20010db8000000000000000000000001 O P", "reset 3/9"),
    row("half a family", "800e020002 O P", "reset 3/9"),
    row("empty", "800e00 O P", "reset 3/9"),
    row("a prefix of 129", "800e1600020110 20010db8000000000000000000000001 00 81 O P", "reset 3/9"),
    row("a prefix cut off", "800e1a00020110 20010db8000000000000000000000001 00 3020010db8 O P", "reset 3/9"),
    row("twice", "M M O P", "reset 3/1"),
    row("cut off at the end", "O P 800e1d00020110 20010db8000000000000000000000001 00 3020010db80001", "reset 3/1"),
    row(
        "IPv4 with an IPv6 next hop, not agreed",
        "800e1900010110 20010db8000000000000000000000001 00 18c00002 O P",
        "reset 3/9",
    ),
];

#[test]
fn c26_faults_of_mp_reach_nlri() {
    run(MULTI_PROTOCOL, "", "2001:db8:1::/48");
}

const IPV4_IN_MP: &[Row] = &[
    row("next hop of 4", "800e0d000101040a000001 00 18c00002 O P", "ok"),
    row("next hop of 8", "800e11000101080a0000010a000002 00 18c00002 O P", "reset 3/9"),
    row("a prefix of 33", "800e0f000101040a000001 00 21c000020080 O P", "reset 3/9"),
    row("next hop 127.0.0.1", "800e0d000101047f000001 00 18c00002 O P", "withdraw 3/8"),
];

#[test]
fn c26_faults_of_ipv4_in_mp_reach_nlri() {
    run(IPV4_IN_MP, "", "192.0.2.0/24");
}

/// §5.2: no reachable prefixes, so whatever would withdraw them ends the session.
const NOTHING_REACHABLE: &[Row] = &[
    row("End-of-RIB", "", "ok"),
    row("attributes of nothing", "O P N", "ok"),
    row("mandatory ones missing, of nothing", "O", "ok"),
    row("MP_REACH_NLRI without prefixes", "800e1500020110 20010db8000000000000000000000001 00 O P", "ok"),
    row("of an unknown family", "800e0640044700 00 ff O P", "discard"),
    row("ORIGIN 3", "40010103 P N", "reset 3/6"),
    row("ORIGIN of 2", "4001020000 P N", "reset 3/5"),
    row("ORIGIN optional", "c0010100 P N", "reset 3/4"),
    row("AS_PATH with AS 0", "O 40020602010000 0000 N", "reset 3/11"),
    row("NEXT_HOP of 3", "O P 400303 0a0000", "reset 3/5"),
    row("LOCAL_PREF of 3", "O P N 400503 000064", "reset 3/5 / discard"),
    row("ATOMIC_AGGREGATE of 1", "O P N 40060100", "discard"),
    row("COMMUNITIES of 3", "O P N c00803 fde900", "reset 3/5"),
    row("a list cut off", "O P N 4004", "reset 3/1"),
    row("End-of-RIB with transitive MP_UNREACH_NLRI", "c00f03000201", "reset 3/4"),
    row("End-of-RIB with a malformed attribute", "800f03000201 c00803fde900", "reset 3/5"),
];

#[test]
fn c26_faults_without_reachable_prefixes() {
    run(NOTHING_REACHABLE, "", "");
}

#[test]
fn c26_prefixes_that_cannot_be_read_end_the_session() {
    // A length of 33; cut off; cut off behind a good one.
    for list in ["21 c000020080", "18 c000", "18", "18 c00002 20 c00002"] {
        for (withdrawn, attributes, nlri) in [
            (list, "", ""),
            ("", "O P N", list),
            ("", "40010103", list), // the strongest consequence wins
        ] {
            let (got, _) = outcome(&body(withdrawn, &expand(attributes), nlri), &context());
            assert_eq!(got, "reset 3/10", "{withdrawn} {nlri}");
        }
    }
}

#[test]
fn c26_the_table_has_at_least_88_rows() {
    assert!(cases().len() >= 88);
}
