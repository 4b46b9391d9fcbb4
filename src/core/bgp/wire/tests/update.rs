//! Rows 20 to 25: UPDATEs as received, and what a fault leads to. The whole table by attribute is in `rfc7606.rs`.

use super::super::{Aggregator, Fault, Origin, Update, UpdateContext, UpdateOutcome};
use super::{code, hex, prefixes};
use crate::model::{Asn, Family, PerFamily};

const ORIGIN: &str = "40 01 01 00";
const AS_PATH: &str = "40 02 06 02 01 0000fde9";
const NEXT_HOP: &str = "40 03 04 0a000001";
const NLRI: &str = "18 c00002";

pub(super) fn context() -> UpdateContext {
    UpdateContext {
        internal: true,
        four_octet_as: true,
        families: PerFamily { ipv4: true, ipv6: true },
        extended_next_hop: PerFamily::default(),
        local_asn: Asn::new(64512).unwrap(),
    }
}

/// A body from its three fields; the lengths are put in.
pub(super) fn body(withdrawn: &str, attributes: &str, nlri: &str) -> Vec<u8> {
    let (withdrawn, attributes) = (hex(withdrawn), hex(attributes));
    let length = |field: &[u8]| u16::try_from(field.len()).unwrap().to_be_bytes();
    [&length(&withdrawn)[..], &withdrawn, &length(&attributes), &attributes, &hex(nlri)].concat()
}

fn decode(withdrawn: &str, attributes: &str, nlri: &str) -> UpdateOutcome {
    Update::decode(&body(withdrawn, attributes, nlri), &context())
}

fn accept(withdrawn: &str, attributes: &str, nlri: &str) -> Update {
    accepted(&body(withdrawn, attributes, nlri), &context())
}

#[track_caller]
fn accepted(body: &[u8], context: &UpdateContext) -> Update {
    match Update::decode(body, context) {
        UpdateOutcome::Accept(update) => update,
        other => panic!("not accepted: {other:?}"),
    }
}

fn asns(numbers: &[u32]) -> Option<Vec<Asn>> {
    Some(numbers.iter().map(|number| Asn::new(*number).unwrap()).collect())
}

#[test]
fn ipv4_with_all_attributes() {
    let update = accept(
        "10 0a01  00",
        "40 01 01 02
         40 02 10 02 02 0000fde9 0000fdea 02 01 0000fdeb
         40 03 04 0a000001
         80 04 04 00000007
         40 05 04 000000c8
         40 06 00
         c0 07 08 0000fde9 0a000002
         c0 08 08 fde90001 ffff0000
         80 09 04 0a000003
         80 0a 08 0a000004 0a000005
         c0 10 08 0002fde900000064
         c0 20 0c 0000fde9 00000001 00000002
         c0 23 04 0000fde9
         c0 80 01 2a",
        "18 c00002  1c c6336411", // the second has host bits: 198.51.100.16/28
    );
    assert_eq!(update.withdrawn, prefixes("10.1.0.0/16 0.0.0.0/0"));
    assert_eq!(update.reachable, prefixes("192.0.2.0/24 198.51.100.16/28"));
    let attributes = &update.attributes;
    assert_eq!(attributes.origin, Some(Origin::Incomplete));
    assert_eq!(attributes.as_path, asns(&[65001, 65002, 65003]));
    assert_eq!((attributes.med, attributes.local_pref, attributes.atomic_aggregate), (Some(7), Some(200), true));
    let aggregator = Aggregator { asn: Asn::new(65001).unwrap(), address: [10, 0, 0, 2].into() };
    assert_eq!(attributes.aggregator, Some(aggregator));
    assert_eq!(attributes.communities, [0xfde9_0001, 0xffff_0000]);
    assert_eq!(
        (attributes.originator_id, &attributes.cluster_list[..]),
        (Some(0x0a00_0003), &[0x0a00_0004, 0x0a00_0005][..])
    );
    assert_eq!(attributes.extended_communities, [[0, 2, 0xfd, 0xe9, 0, 0, 0, 0x64]]);
    assert_eq!(attributes.large_communities, [[65001, 1, 2]]);
    assert_eq!((attributes.only_to_customer, &attributes.others[..]), (Some(65001), &[128][..]));
    assert_eq!((update.discarded.len(), update.end_of_rib, update.looped), (0, None, false));
    let next_hops: Vec<_> = update.routes().map(|(_, next_hop)| next_hop.to_string()).collect();
    assert_eq!(next_hops, ["10.0.0.1", "10.0.0.1"]);
}

#[test]
fn both_families_in_one_message() {
    let mp = "80 0e 1c 0002 01 10 20010db8000000000000000000000001 00 30 20010db80001
              80 0f 0a 0002 01 30 20010db80002";
    let update = accept("08 0b", &format!("{mp} {ORIGIN} {AS_PATH} {NEXT_HOP}"), NLRI);
    assert_eq!(update.reachable, prefixes("2001:db8:1::/48 192.0.2.0/24"));
    assert_eq!(update.withdrawn, prefixes("2001:db8:2::/48 11.0.0.0/8"));
    assert_eq!(update.next_hop.ipv4, Some("10.0.0.1".parse().unwrap()));
    assert_eq!(update.next_hop.ipv6, Some("2001:db8::1".parse().unwrap()));
}

#[test]
fn end_of_rib_of_either_family() {
    assert_eq!(accept("", "", "").end_of_rib, Some(Family::Ipv4));
    assert_eq!(accept("", "80 0f 03 0002 01", "").end_of_rib, Some(Family::Ipv6));
    assert_eq!(accept("", "90 0f 0003 0002 01", "").end_of_rib, Some(Family::Ipv6));
    assert_eq!(accept("", "80 0f 03 0001 01", "").end_of_rib, Some(Family::Ipv4));
    // With anything else in it, it is none.
    assert_eq!(accept("08 0b", "", "").end_of_rib, None);
    assert_eq!(accept("08 0b", "80 0f 03 0002 01", "").end_of_rib, None);
    assert_eq!(accept("", &format!("80 0f 03 0002 01 {ORIGIN}"), "").end_of_rib, None);
    assert_eq!(accept("", "80 0f 05 0002 01 08 fd", "").end_of_rib, None);
    let attributes = format!("80 0f 03 0002 01 {ORIGIN} {AS_PATH} {NEXT_HOP}");
    assert_eq!(accept("", &attributes, NLRI).end_of_rib, None);
}

#[test]
fn a_family_that_was_not_negotiated_is_ignored_b20() {
    let ipv4 = UpdateContext { families: PerFamily { ipv4: true, ipv6: false }, ..context() };
    let attributes = format!(
        "80 0e 1c 0002 01 10 20010db8000000000000000000000001 00 30 20010db80001
         80 0f 06 0001 85 00 00 00 {ORIGIN} {AS_PATH} {NEXT_HOP}"
    );
    let update = accepted(&body("", &attributes, NLRI), &ipv4);
    assert_eq!(update.reachable, prefixes("192.0.2.0/24"));
    assert_eq!(update.discarded.iter().map(|error| error.fault).collect::<Vec<_>>(), [Fault::NotNegotiated; 2]);
    assert_eq!(accepted(&body("", "80 0f 03 0002 01", ""), &ipv4).end_of_rib, None);

    let ipv6 = UpdateContext { families: PerFamily { ipv4: false, ipv6: true }, ..context() };
    let update = accepted(&body("08 0b", &format!("{ORIGIN} {AS_PATH} {NEXT_HOP}"), NLRI), &ipv6);
    assert_eq!((update.reachable.len(), update.withdrawn.len()), (0, 0));
    assert_eq!(accepted(&body("", "", ""), &ipv6).end_of_rib, None);

    // FlowSpec (SAFI 133) with prefixes of length 0 and cut off.
    for nlri in ["", "00", "00 00 00", "05 01"] {
        let length = 5 + hex(nlri).len();
        let mp = format!("80 0e {length:02x} 0001 85 00 00 {nlri} {ORIGIN} {AS_PATH}");
        assert_eq!(accept("", &mp, "").reachable, [], "{nlri}");
    }
}

#[test]
fn c14_ipv6_next_hop_of_ipv4_only_if_negotiated() {
    let attributes = format!("80 0e 19 0001 01 10 20010db8000000000000000000000001 00 18 c00002 {ORIGIN} {AS_PATH}");
    let agreed = UpdateContext { extended_next_hop: PerFamily { ipv4: true, ipv6: false }, ..context() };
    let update = accepted(&body("", &attributes, ""), &agreed);
    assert_eq!(
        (update.reachable, update.next_hop.ipv4),
        (prefixes("192.0.2.0/24"), Some("2001:db8::1".parse().unwrap()))
    );
    assert!(matches!(Update::decode(&body("", &attributes, ""), &context()), UpdateOutcome::Reset(_)));
}

#[test]
fn link_local_next_hop_counts_only_where_there_is_no_global_one() {
    let global = "20010db8000000000000000000000001";
    let link_local = "fe800000000000000000000000000001";
    for (octets, expected) in [
        (format!("20 {global} {link_local}"), "2001:db8::1"),
        (format!("20 {} {link_local}", "00".repeat(16)), "fe80::1"),
        (format!("10 {link_local}"), "fe80::1"),
    ] {
        let length = 5 + hex(&octets).len() - 1 + 7;
        let mp = format!("80 0e {length:02x} 0002 01 {octets} 00 30 20010db80001 {ORIGIN} {AS_PATH}");
        assert_eq!(accept("", &mp, "").next_hop.ipv6, Some(expected.parse().unwrap()));
    }
}

#[test]
fn our_own_as_in_the_path_is_a_loop() {
    let path = "40 02 0a 02 02 0000fde9 0000fc00";
    assert!(accept("", &format!("{ORIGIN} {path} {NEXT_HOP}"), NLRI).looped);
}

#[test]
fn c20_lengths_past_the_end_b9() {
    for body in [
        "",
        "00",
        "0000",
        "0000 00",
        "ffff 0000",
        "0001",
        "0001 00",         // the attributes' length is missing
        "0002 08 0b 0001", // attributes of one octet, none there
        "0000 0005 40 01 01 00",
        "0004 18 c00002 ffff 40 01 01 00",
        "fffe 0000 0000", // withdrawn and attributes together wrap in sixteen bits
    ] {
        match Update::decode(&hex(body), &context()) {
            UpdateOutcome::Reset(fault) => assert_eq!(code(&fault), "3/1", "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[track_caller]
fn assert_withdrawn(outcome: UpdateOutcome, routes: &str, why: &str) {
    let UpdateOutcome::TreatAsWithdraw { update, reason } = outcome else { panic!("{outcome:?}") };
    assert_eq!((update.reachable.len(), update.withdrawn), (0, prefixes(routes)));
    assert_eq!(reason.to_string(), why);
    assert_eq!(update.next_hop, PerFamily::default());
}

#[test]
fn c21_only_an_unknown_transitive_attribute_b10() {
    assert_withdrawn(decode("", "c0 63 02 0102", NLRI), "192.0.2.0/24", "ORIGIN is missing");
}

#[test]
fn c21_no_attributes_at_all_b11() {
    assert_withdrawn(decode("08 0b", "", NLRI), "11.0.0.0/8 192.0.2.0/24", "ORIGIN is missing");
}

#[test]
fn c21_mp_unreach_and_nlri_without_mandatory_attributes_b12() {
    let outcome = decode("", "80 0f 0a 0002 01 30 20010db80002", NLRI);
    assert_withdrawn(outcome, "2001:db8:2::/48 192.0.2.0/24", "ORIGIN is missing");
}

#[test]
fn c21_a_fault_in_what_looks_like_an_end_of_rib_b13() {
    for (attributes, expected) in [
        ("80 0f 03 0002 01  c0 08 03 010203", "3/5"), // MP_UNREACH and a malformed COMMUNITIES
        ("c0 08 03 010203", "3/5"),
        ("40 01 01 07", "3/6"),
        ("40 01", "3/1"),
        ("80 0f 02 0002", "3/9"),
    ] {
        match decode("", attributes, "") {
            UpdateOutcome::Reset(fault) => assert_eq!(code(&fault), expected, "{attributes}"),
            other => panic!("{attributes}: {other:?}"),
        }
    }
    // What is merely left out does not end the session.
    assert_eq!(accept("", "40 06 01 00", "").discarded[0].to_string(), "ATOMIC_AGGREGATE has the wrong length 1");
}

#[test]
fn c22_next_hop_of_mp_reach_hides_the_prefixes_b14() {
    for next_hop in [format!("09 {}", "20".repeat(9)), format!("40 {}", "20".repeat(64)), "10 2001".into(), "ff".into()]
    {
        let value = format!("0002 01 {next_hop} 00 30 20010db80001");
        let length = hex(&value).len();
        let outcome = decode("", &format!("80 0e {length:02x} {value} {ORIGIN} {AS_PATH}"), "");
        let UpdateOutcome::Reset(fault) = outcome else { panic!("{next_hop}: {outcome:?}") };
        assert_eq!(code(&fault), "3/9", "{next_hop}");
        assert_eq!(fault.data, hex(&format!("80 0e {length:02x} {value}")), "the attribute");
    }
}

#[test]
fn c23_attributes_that_others_choke_on_leave_the_session_alone_b15() {
    for attribute in [
        "c0 17 04 0008 ff00", // 23, Tunnel Encapsulation: a sub-TLV past the end
        "e0 17 00",           // 23, empty
        "80 1c 00",           // 28, BGP Entropy Label (deprecated)
        "e0 1c 03 010203",
        "c0 28 03 01 ffff", // 40, Prefix-SID: TLV length past the end
        "80 27 02 0000",    // 39: less than a TLV
    ] {
        let update = accept("", &format!("{attribute} {ORIGIN} {AS_PATH} {NEXT_HOP}"), NLRI);
        assert_eq!((update.reachable, update.attributes.others.len()), (prefixes("192.0.2.0/24"), 1), "{attribute}");
    }
}

#[test]
fn c23_only_to_customer_of_the_wrong_length_b16() {
    for (attribute, length) in [("e0 23 02 fde9", 2), ("c0 23 00", 0), ("c0 23 05 0000fde900", 5)] {
        let outcome = decode("", &format!("{ORIGIN} {AS_PATH} {NEXT_HOP} {attribute}"), NLRI);
        assert_withdrawn(outcome, "192.0.2.0/24", &format!("ONLY_TO_CUSTOMER has the wrong length {length}"));
    }
}

#[test]
fn c24_next_hops_that_are_no_hosts_b17() {
    for (attribute, why) in [
        ("40 03 03 0a0000", "NEXT_HOP has the wrong length 3"),
        ("40 03 04 00000000", "NEXT_HOP is no host's address"),
        ("40 03 04 7f000001", "NEXT_HOP is no host's address"),
        ("40 03 04 e0000001", "NEXT_HOP is no host's address"),
    ] {
        assert_withdrawn(decode("", &format!("{ORIGIN} {AS_PATH} {attribute}"), NLRI), "192.0.2.0/24", why);
    }
}

#[test]
fn c24_malformed_as4_path_before_as_path_b18() {
    let two = UpdateContext { four_octet_as: false, ..context() };
    let path = "40 02 06 02 02 fde9 5ba0";
    for as4 in [
        "c0 11 03 02 01 00",
        "c0 11 06 02 02 fa56ea00",
        "c0 11 06 05 01 fa56ea00",
        "c0 11 06 02 01 00000000",
        "c0 11 00",
    ] {
        let update = accepted(&body("", &format!("{as4} {ORIGIN} {path} {NEXT_HOP}"), NLRI), &two);
        assert_eq!(update.attributes.as_path, asns(&[65001, 23456]), "{as4}");
        assert_eq!(update.discarded.len(), 1, "{as4}");
    }
}

#[test]
fn a_set_in_as4_path_withdraws_as_in_as_path() {
    let two = UpdateContext { four_octet_as: false, ..context() };
    let list = format!("{ORIGIN} 40 02 04 02 01 5ba0 {NEXT_HOP} c0 11 06 01 01 fa56ea00");
    assert_withdrawn(
        Update::decode(&body("", &list, NLRI), &two),
        "192.0.2.0/24",
        "AS4_PATH has an AS_SET or AS_CONFED_SET",
    );
}

#[test]
fn c14_as4_path_is_merged_wherever_it_stands() {
    let two = UpdateContext { four_octet_as: false, ..context() };
    let path = "40 02 06 02 02 fde9 5ba0";
    let as4 = "c0 11 06 02 01 fa56ea00";
    for list in [format!("{path} {as4}"), format!("{as4} {path}")] {
        let update = accepted(&body("", &format!("{ORIGIN} {list} {NEXT_HOP}"), NLRI), &two);
        assert_eq!(update.attributes.as_path, asns(&[65001, 4_200_000_000]));
    }
    // Longer than the path: ignored (RFC 6793 §4.2.3).
    let long = "c0 11 0e 02 03 00000001 00000002 00000003";
    let update = accepted(&body("", &format!("{ORIGIN} {path} {NEXT_HOP} {long}"), NLRI), &two);
    assert_eq!(update.attributes.as_path, asns(&[65001, 23456]));
    // An aggregator that is not AS_TRANS did not know AS4_PATH; AS_TRANS is replaced.
    let (plain, trans) = ("c0 07 06 fde9 0a000002", "c0 07 06 5ba0 0a000002");
    let as4_aggregator = "c0 12 08 fa56ea00 0a000003";
    for (aggregator, path_end, asn) in [(plain, 23456, 65001), (trans, 4_200_000_000, 4_200_000_000)] {
        let list = format!("{ORIGIN} {path} {NEXT_HOP} {aggregator} {as4} {as4_aggregator}");
        let attributes = accepted(&body("", &list, NLRI), &two).attributes;
        assert_eq!((attributes.as_path, attributes.aggregator.unwrap().asn.get()), (asns(&[65001, path_end]), asn));
    }
}

#[test]
fn c25_a_path_of_more_than_2048_numbers_b19() {
    let segment = format!("02 ff {}", "0000fde9".repeat(255));
    let path = segment.repeat(60);
    let attributes = format!("{ORIGIN} 50 02 {:04x} {path} {NEXT_HOP}", hex(&path).len());
    let update = accept("", &attributes, NLRI);
    assert_eq!(update.attributes.as_path.unwrap().len(), 15_300);
}
