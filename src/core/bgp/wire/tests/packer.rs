//! Rows 8 and 14: UPDATEs as we send them (RFC 4271 §4.3, RFC 4760, RFC 6793, RFC 8950).

use super::super::{Encoding, MAX_EXTENDED_LEN, MAX_LEN, Packer, RouteAttributes, SessionType};
use super::{MARKER, frames, hex, prefix, prefixes};
use crate::model::{Asn, Family, Prefix};
use std::net::Ipv4Addr;

fn internal() -> Encoding {
    Encoding {
        session: SessionType::Internal,
        local_asn: Asn::new(64512).unwrap(),
        four_octet_as: true,
        ipv4_via_ipv6: false,
        max_len: MAX_LEN,
    }
}

fn external() -> Encoding {
    Encoding { session: SessionType::External, ..internal() }
}

fn via(next_hop: &str) -> RouteAttributes {
    RouteAttributes::via(next_hop.parse().unwrap())
}

/// What `announce` writes, and the ends.
fn announce(encoding: Encoding, family: Family, attributes: &RouteAttributes, routes: &str) -> (Vec<u8>, Vec<u32>) {
    let (mut out, mut ends) = (Vec::new(), Vec::new());
    Packer::new(encoding, family).announce(attributes, prefixes(routes), &mut out, &mut ends);
    (out, ends)
}

#[track_caller]
fn assert_announced(encoding: Encoding, attributes: &RouteAttributes, routes: &str, expected: &str) {
    let family = prefixes(routes)[0].family();
    let (out, ends) = announce(encoding, family, attributes, routes);
    let expected = hex(&format!("{MARKER} {expected}"));
    assert_eq!(out, expected, "\n{out:02x?}\n{expected:02x?}");
    assert_eq!(ends, [u32::try_from(out.len()).unwrap()]);
}

#[test]
fn ipv4_to_ibgp() {
    assert_announced(
        internal(),
        &via("10.168.0.11"),
        "10.244.1.0/24 10.244.16.0/20 0.0.0.0/0 10.1.2.3/32",
        "003a 02 0000 0015
         40 01 01 00
         40 02 00
         40 03 04 0aa8000b
         40 05 04 00000064
         18 0af401  14 0af410  00  20 0a010203",
    );
}

#[test]
fn ipv4_to_ebgp_with_everything_in_the_order_of_types() {
    let attributes = RouteAttributes {
        med: Some(1_000_000),
        local_pref: Some(200), // not for eBGP
        communities: [0xfc00_0001, 0xffff_0000].into(),
        extended_communities: [[0, 2, 0xfc, 0, 0, 0, 0, 0x64]].into(),
        large_communities: [[64512, 1, 2]].into(),
        prepend: 1,
        ..via("10.168.0.11")
    };
    assert_announced(
        external(),
        &attributes,
        "10.244.16.0/20",
        "005f 02 0000 0044
         40 01 01 00
         40 02 0a 02 02 0000fc00 0000fc00
         40 03 04 0aa8000b
         80 04 04 000f4240
         c0 08 08 fc000001 ffff0000
         c0 10 08 0002fc0000000064
         c0 20 0c 0000fc00 00000001 00000002
         14 0af410",
    );
}

#[test]
fn local_pref_and_med_to_ibgp_without_our_as() {
    let attributes = RouteAttributes { med: Some(7), local_pref: Some(1_000_001), prepend: 3, ..via("10.168.0.11") };
    assert_announced(
        internal(),
        &attributes,
        "10.244.1.0/24",
        "0037 02 0000 001c
         40 01 01 00  40 02 00  40 03 04 0aa8000b  80 04 04 00000007  40 05 04 000f4241
         18 0af401",
    );
}

#[test]
fn c14_two_octet_peer_gets_as_trans_and_as4_path() {
    let large = Encoding { four_octet_as: false, local_asn: Asn::new(4_200_000_000).unwrap(), ..external() };
    let attributes = RouteAttributes {
        extended_communities: [[0, 2, 0, 0, 0, 0, 0, 1]].into(),
        large_communities: [[1, 2, 3]].into(),
        ..via("10.168.0.11")
    };
    assert_announced(
        large,
        &attributes,
        "10.244.1.0/24",
        "0050 02 0000 0035
         40 01 01 00
         40 02 04 02 01 5ba0
         40 03 04 0aa8000b
         c0 10 08 0002000000000001
         c0 11 06 02 01 fa56ea00
         c0 20 0c 00000001 00000002 00000003
         18 0af401",
    );
    let small = Encoding { four_octet_as: false, ..external() };
    assert_announced(
        small,
        &via("10.168.0.11"),
        "10.244.1.0/24",
        "002d 02 0000 0012  40 01 01 00  40 02 04 02 01 fc00  40 03 04 0aa8000b  18 0af401",
    );
}

#[test]
fn the_longest_prepending_fills_two_segments() {
    let attributes = RouteAttributes { prepend: 255, ..via("10.168.0.11") };
    let (out, _) = announce(external(), Family::Ipv4, &attributes, "10.244.1.0/24");
    let sequence = |count: usize| [hex(&format!("02 {count:02x}")), hex("0000fc00").repeat(count)].concat();
    let path = [hex("50 02 0404"), sequence(255), sequence(1)].concat();
    assert_eq!(out[27..27 + path.len()], path);
}

#[test]
fn ipv6_in_mp_reach_which_comes_first() {
    assert_announced(
        external(),
        &via("fd00::11"),
        "fd00:244:1::/64 fd00:244:2::/47",
        "004d 02 0000 0036
         90 0e 0025 0002 01 10 fd000000000000000000000000000011 00
            40 fd00024400010000  2f fd0002440002
         40 01 01 00
         40 02 06 02 01 0000fc00",
    );
}

#[test]
fn c14_ipv4_via_ipv6_only_if_negotiated() {
    let agreed = Encoding { ipv4_via_ipv6: true, ..internal() };
    assert_announced(
        agreed,
        &via("fd00::11"),
        "10.244.1.0/24",
        "0042 02 0000 002b
         90 0e 0019 0001 01 10 fd000000000000000000000000000011 00  18 0af401
         40 01 01 00  40 02 00  40 05 04 00000064",
    );
    // Even where it is agreed, an IPv4 next hop takes the classic field.
    assert_eq!(
        announce(agreed, Family::Ipv4, &via("10.168.0.11"), "10.244.1.0/24"),
        announce(internal(), Family::Ipv4, &via("10.168.0.11"), "10.244.1.0/24")
    );
    // What cannot be said must not leave an older path behind.
    let withdrawn = hex(&format!("{MARKER} 001b 02 0004 18 0af401 0000"));
    assert_eq!(announce(internal(), Family::Ipv4, &via("fd00::11"), "10.244.1.0/24").0, withdrawn);
    assert!(!Packer::new(internal(), Family::Ipv4).can_announce(&via("fd00::11")));
    assert!(!Packer::new(agreed, Family::Ipv6).can_announce(&via("10.168.0.11")));
}

#[test]
fn withdrawals_and_end_of_rib() {
    let (mut out, mut ends) = (Vec::new(), Vec::new());
    let mut packer = Packer::new(internal(), Family::Ipv4);
    packer.withdraw(prefixes("10.244.1.0/24 10.244.2.0/23"), &mut out, &mut ends);
    packer.end_of_rib(&mut out, &mut ends);
    let mut packer = Packer::new(internal(), Family::Ipv6);
    packer.withdraw(prefixes("fd00:244:1::/64"), &mut out, &mut ends);
    packer.end_of_rib(&mut out, &mut ends);
    let expected = [
        "001f 02 0008 18 0af401 17 0af402 0000",
        "0017 02 0000 0000",
        "0027 02 0000 0010 90 0f 000c 0002 01 40 fd00024400010000",
        "001d 02 0000 0006 80 0f 03 0002 01",
    ];
    assert_eq!(out, hex(&expected.map(|message| format!("{MARKER} {message}")).concat()));
    assert_eq!(ends, [31, 54, 93, 122]);
}

#[test]
fn no_prefixes_no_message() {
    let (mut out, mut ends) = (Vec::new(), Vec::new());
    let mut packer = Packer::new(internal(), Family::Ipv4);
    packer.announce(&via("10.168.0.11"), [], &mut out, &mut ends);
    packer.withdraw([], &mut out, &mut ends);
    packer.announce(&via("10.168.0.11"), [prefix("fd00::/64")], &mut out, &mut ends); // not its family
    assert_eq!((out.len(), ends.len()), (0, 0));
}

#[test]
fn calls_append_and_leave_what_is_there() {
    let (mut out, mut ends) = (vec![1, 2, 3], vec![3]);
    let mut packer = Packer::new(internal(), Family::Ipv4);
    for route in ["10.244.1.0/24", "10.244.2.0/24"] {
        packer.announce(&via("10.168.0.11"), [prefix(route)], &mut out, &mut ends);
    }
    assert_eq!((&out[..3], ends), (&[1, 2, 3][..], vec![3, 51, 99]));
}

/// The i-th /24 of 10/8 and beyond, or /64 of fd00::/16.
fn nth(family: Family, i: u32) -> Prefix {
    match family {
        Family::Ipv4 => prefix(&format!("{}/24", Ipv4Addr::from((10 << 24) + (i << 8)))),
        Family::Ipv6 => prefix(&format!("fd00:{:x}:{:x}::/64", i >> 16, i & 0xffff)),
    }
}

#[test]
fn c08_100k_routes_are_packed_minimally() {
    for (family, next_hop, max_len, room, size) in [
        // header 19, lengths 4, attributes 21; or with MP_REACH 25 and 14
        (Family::Ipv4, "10.168.0.11", MAX_LEN, 4096 - 44, 4),
        (Family::Ipv4, "10.168.0.11", MAX_EXTENDED_LEN, 65535 - 44, 4),
        (Family::Ipv6, "fd00::11", MAX_LEN, 4096 - 62, 9),
        (Family::Ipv6, "fd00::11", MAX_EXTENDED_LEN, 65535 - 62, 9),
    ] {
        let (mut out, mut ends) = (Vec::new(), Vec::new());
        let mut packer = Packer::new(Encoding { max_len, ..internal() }, family);
        packer.announce(&via(next_hop), (0..100_000).map(|i| nth(family, i)), &mut out, &mut ends);
        assert_eq!(ends.len(), 100_000usize.div_ceil(room / size));
        let frames = frames(&out, max_len);
        assert_eq!(frames.len(), ends.len());
        let (_, full) = frames.split_last().unwrap();
        assert!(full.iter().all(|frame| frame.wire_len() + size > max_len), "one more would have fitted");
        let lengths = ends.iter().scan(0, |start, end| Some(end - std::mem::replace(start, *end)));
        assert!(frames.iter().zip(lengths).all(|(frame, length)| frame.wire_len() == length as usize));

        let (mut out, mut ends) = (Vec::new(), Vec::new());
        packer.withdraw((0..100_000).map(|i| nth(family, i)), &mut out, &mut ends);
        let empty = if family == Family::Ipv4 { 23 } else { 30 };
        assert_eq!(ends.len(), 100_000usize.div_ceil((max_len - empty) / size));
    }
}

#[test]
fn attributes_that_leave_no_room_withdraw_instead() {
    let attributes = |count| RouteAttributes { communities: vec![1; count].into(), ..via("10.168.0.11") };
    let packer = Packer::new(internal(), Family::Ipv4);
    assert!(packer.can_announce(&attributes(900)) && !packer.can_announce(&attributes(1020)));
    assert!(
        Packer::new(Encoding { max_len: MAX_EXTENDED_LEN, ..internal() }, Family::Ipv4).can_announce(&attributes(1020))
    );

    let (out, _) = announce(internal(), Family::Ipv4, &attributes(1020), "10.244.1.0/24");
    assert_eq!(out, hex(&format!("{MARKER} 001b 02 0004 18 0af401 0000")));
    let (out, ends) = announce(internal(), Family::Ipv4, &attributes(900), "10.244.1.0/24");
    assert_eq!((frames(&out, MAX_LEN).len(), ends.len()), (1, 1));
}
