//! Rows 1, 7, 17, 18: OPEN (RFC 4271 §4.2, §6.2) and its capabilities.

use super::super::{Capability, GracefulRestart, LongLivedFamily, Notification, Open, RestartFamily};
use super::{MARKER, code, hex, wrap};
use crate::model::{Asn, Family, HoldTime, RouterId};
use bytes::Bytes;

/// Version 4, AS 64512, hold time 90 s, identifier 10.0.3.10.
const FIXED: &str = "04 fc00 005a 0a00030a";

fn decode(parameters: &str) -> Result<Open, Notification> {
    Open::decode(&hex(&format!("{FIXED} {parameters}")))
}

/// As one parameter of capabilities.
fn capabilities(value: &str) -> Result<Open, Notification> {
    let value = hex(value);
    let length = u8::try_from(value.len()).unwrap();
    Open::decode(&[hex(FIXED), vec![length + 2, 2, length], value].concat())
}

fn open(capabilities: Vec<Capability>) -> Open {
    Open {
        asn: Asn::new(64512).unwrap(),
        hold_time: HoldTime::new(90).unwrap(),
        router_id: RouterId::new(0x0a00_030a).unwrap(),
        capabilities,
    }
}

fn all_capabilities() -> (Vec<Capability>, &'static str) {
    let restart = GracefulRestart {
        restarting: true,
        notification: true,
        restart_time: 120,
        families: vec![
            RestartFamily { afi: 1, safi: 1, forwarding: true },
            RestartFamily { afi: 2, safi: 1, forwarding: false },
        ],
    };
    let long = vec![LongLivedFamily { afi: 1, safi: 1, forwarding: true, stale_time: 0x01_0203 }];
    let list = vec![
        Capability::MultiProtocol { afi: 1, safi: 1 },
        Capability::MultiProtocol { afi: 2, safi: 1 },
        Capability::RouteRefresh,
        Capability::ExtendedNextHop(vec![(1, 1, 2)]),
        Capability::ExtendedMessage,
        Capability::GracefulRestart(restart),
        Capability::FourOctetAs(64512),
        Capability::EnhancedRouteRefresh,
        Capability::LongLivedGracefulRestart(long),
        Capability::Unknown { code: 73, value: Bytes::from_static(b"\x04host\x00") },
    ];
    let bytes = "01 04 0001 00 01
                 01 04 0002 00 01
                 02 00
                 05 06 0001 0001 0002
                 06 00
                 40 0a c078 0001 01 80 0002 01 00
                 41 04 0000fc00
                 46 00
                 47 07 0001 01 80 010203
                 49 06 04686f737400";
    (list, bytes)
}

#[test]
fn open_without_capabilities_as_in_rfc_4271() {
    let bytes = hex(&format!("{MARKER} 001d 01 {FIXED} 00"));
    assert_eq!(open(vec![]).encode(), bytes);
    assert_eq!(Open::decode(&bytes[19..]), Ok(open(vec![])));
    assert_eq!(open(vec![]).families().collect::<Vec<_>>(), [Family::Ipv4], "RFC 4760 §8");
}

#[test]
fn all_capabilities_both_ways() {
    let (list, bytes) = all_capabilities();
    let value = hex(bytes);
    let length = u8::try_from(value.len()).unwrap();
    let body = [hex(FIXED), vec![length + 2, 2, length], value].concat();
    assert_eq!(open(list.clone()).encode(), wrap(1, &body));
    let decoded = Open::decode(&body).unwrap();
    assert_eq!(decoded, open(list));

    assert_eq!(decoded.families().collect::<Vec<_>>(), Family::ALL);
    assert!(decoded.has_route_refresh() && decoded.has_enhanced_refresh());
    assert!(decoded.has_extended_message() && decoded.has_four_octet_as());
    assert!(decoded.extended_next_hop(Family::Ipv4) && !decoded.extended_next_hop(Family::Ipv6));
    let restart = decoded.graceful_restart().unwrap();
    assert!(restart.family(1, 1).unwrap().forwarding && restart.family(1, 2).is_none());
    assert_eq!(decoded.long_lived().unwrap()[0].stale_time, 66051);
    let names: Vec<_> = decoded.capabilities.iter().map(Capability::name).collect();
    assert_eq!(names[2..4], ["route-refresh", "extended-next-hop"]);
    assert_eq!(names[9], "fqdn");
}

#[test]
fn c01_version_is_2_1_with_the_version_we_speak() {
    for version in [0, 3, 5, 255] {
        let mut body = hex(&format!("{FIXED} 00"));
        body[0] = version;
        let fault = Open::decode(&body).unwrap_err();
        assert_eq!((code(&fault).as_str(), &fault.data[..]), ("2/1", &[0, 4][..]));
    }
}

#[test]
fn c01_as_0_is_2_2_also_in_four_octets() {
    assert_eq!(code(&Open::decode(&hex("04 0000 005a 0a00030a 00")).unwrap_err()), "2/2");
    assert_eq!(code(&capabilities("41 04 00000000").unwrap_err()), "2/2");
}

#[test]
fn c01_identifier_0_is_2_3() {
    assert_eq!(code(&Open::decode(&hex("04 fc00 005a 00000000 00")).unwrap_err()), "2/3");
}

#[test]
fn c01_hold_time_of_1_or_2_seconds_is_2_6() {
    for (seconds, expected) in [("0000", None), ("0001", Some("2/6")), ("0002", Some("2/6")), ("0003", None)] {
        let got = Open::decode(&hex(&format!("04 fc00 {seconds} 0a00030a 00")));
        assert_eq!(got.as_ref().err().map(code).as_deref(), expected, "{seconds}");
    }
}

#[test]
fn c01_a_parameter_other_than_capabilities_is_2_4() {
    assert_eq!(code(&decode("02 01 00").unwrap_err()), "2/4", "authentication, gone since RFC 4271");
    assert_eq!(code(&decode("04 02 00 ff 00").unwrap_err()), "2/4", "255 is no type elsewhere than first (RFC 9072)");
    assert_eq!(code(&decode("ff ff 0003 ff 0000").unwrap_err()), "2/4", "nor inside the extended form");
}

#[test]
fn c14_the_as_number_comes_from_the_capability() {
    let body = hex("04 5ba0 005a 0a00030a 08 02 06 41 04 fa56ea00"); // AS_TRANS, AS 4200000000
    let open = Open::decode(&body).unwrap();
    assert_eq!(open.asn.get(), 4_200_000_000);
    assert_eq!(open.encode(), wrap(1, &body));
}

#[test]
fn several_parameters_are_merged_and_repeated_capabilities_count_once() {
    let open = decode("14 02 02 0200 02 00 02 06 0104 0002 0001 02 04 0200 4600").unwrap();
    assert_eq!(open.capabilities.len(), 4);
    assert!(open.has_route_refresh() && open.has_enhanced_refresh());
    assert_eq!(open.families().collect::<Vec<_>>(), [Family::Ipv6]);
}

#[test]
fn of_several_restart_capabilities_the_last_counts() {
    let open = capabilities("40 02 0078 40 02 000a 47 00").unwrap();
    assert_eq!(open.graceful_restart().unwrap().restart_time, 10);
    assert_eq!(open.long_lived(), Some(&[][..]));
    assert_eq!(capabilities("47 00").unwrap().long_lived(), None, "RFC 9494: nothing without graceful restart");
}

#[test]
fn c07_extended_form_only_above_255_octets() {
    // 251 octets of value and 2 of capability header fill a parameter of 253, and with its header 255.
    let unknown = |length| vec![Capability::Unknown { code: 200, value: Bytes::from(vec![9; length]) }];
    let bytes = open(unknown(251)).encode();
    assert_eq!(bytes[28..33], hex("ff 02 fd c8 fb"));
    assert_eq!(Open::decode(&bytes[19..]), Ok(open(unknown(251))));

    let bytes = open(unknown(252)).encode();
    assert_eq!(bytes[28..37], hex("ff ff 0101 02 00fe c8 fc"));
    assert_eq!(Open::decode(&bytes[19..]), Ok(open(unknown(252))));
}

#[test]
fn c07_extended_form_accepted_at_any_size() {
    let refresh = open(vec![Capability::RouteRefresh]);
    assert_eq!(decode("ff ff 0005 02 0002 0200"), Ok(refresh.clone()));
    assert_eq!(decode("01 ff 0005 02 0002 0200"), Ok(refresh), "RFC 9072 §2: the old length is ignored");
    assert_eq!(decode("ff ff 0000"), Ok(open(vec![])));
    assert_eq!(code(&decode("00 ff 0000").unwrap_err()), "2/0", "but it is never 0");
}

#[test]
fn c07_more_than_an_open_can_hold_is_left_out() {
    let many = vec![Capability::Unknown { code: 200, value: Bytes::from(vec![9; 255]) }; 50];
    let bytes = open(many).encode();
    assert!(bytes.len() <= 4096, "RFC 8654: an OPEN is never extended");
    assert_eq!(Open::decode(&bytes[19..]).unwrap().capabilities.len(), 15);
}

#[test]
fn c17_lengths_past_the_end_b1_b2_b3() {
    assert_eq!(code(&decode("ff ff 0002 02 00").unwrap_err()), "2/0", "B1: half a parameter header");
    assert_eq!(code(&decode("ff").unwrap_err()), "2/0", "B2: nothing follows");
    assert_eq!(code(&decode("ff ff 0005 02 0003 0200").unwrap_err()), "2/0", "B3: one more than left");
    assert_eq!(code(&decode("ff ff 0006 02 0002 0200").unwrap_err()), "2/0", "B3: all of them one more than left");
    assert_eq!(code(&decode("ff ff").unwrap_err()), "2/0");
    assert_eq!(code(&decode("ff ff 00").unwrap_err()), "2/0");
}

#[test]
fn c17_every_wrong_length_of_a_plain_open_is_2_0() {
    for parameters in
        ["01", "01 02", "02 02 01", "03 02 02 02", "03 02 00", "00 02", "04 02 02 02 01", "04 02 01 02 00"]
    {
        assert_eq!(code(&decode(parameters).unwrap_err()), "2/0", "{parameters}");
    }
    for length in 0..10 {
        assert_eq!(code(&Open::decode(&hex(&format!("{FIXED} 00"))[..length]).unwrap_err()), "2/0");
    }
}

#[test]
fn c18_unknown_family_and_a_thousand_capabilities_b4() {
    let open = capabilities("01 04 ffff 00 ff").unwrap();
    assert_eq!(open.families().count(), 0, "asked for something, but nothing that we speak");

    let thousand = [hex(FIXED), hex("ff ff 1773 02 1770"), hex("01 04 1234 0099").repeat(1000)].concat();
    assert_eq!(Open::decode(&thousand).unwrap().capabilities.len(), 1000);
    let thousand = [hex(FIXED), hex("ff ff 07d3 02 07d0"), hex("4600").repeat(1000)].concat();
    assert!(Open::decode(&thousand).unwrap().has_enhanced_refresh());
}

#[test]
fn c18_software_version_of_any_length_is_ignored_b5() {
    assert_eq!(capabilities("4b 00").unwrap().capabilities[0].name(), "software-version");
    assert_eq!(capabilities("4b 01 00").unwrap().capabilities.len(), 1);
    assert_eq!(capabilities("4b 03 ff4142").unwrap().capabilities.len(), 1, "its own length says 255");
    let longest = [hex(FIXED), hex("ff ff 0104 02 0101 4b ff"), vec![0x80; 255]].concat();
    assert_eq!(Open::decode(&longest).unwrap().capabilities.len(), 1);
}

#[test]
fn c18_truncated_graceful_restart_b6() {
    for value in ["40 00", "40 01 00", "40 03 0078 00", "40 05 0078 000101", "40 09 0078 00010180 000201"] {
        assert_eq!(code(&capabilities(value).unwrap_err()), "2/0", "{value}");
    }
    assert_eq!(code(&capabilities("40 06 0078 0001").unwrap_err()), "2/0", "its length is past the end");
}

#[test]
fn c18_truncated_long_lived_graceful_restart_b6() {
    for value in ["47 01 00", "47 06 000101800000", "47 08 00010180000078 00"] {
        assert_eq!(code(&capabilities(&format!("40 02 0078 {value}")).unwrap_err()), "2/0", "{value}");
    }
}

#[test]
fn c18_known_capabilities_of_the_wrong_length_are_2_0() {
    for value in ["01 00", "01 03 000100", "01 05 0001000100", "02 01 00", "05 05 0001000100", "06 01 00", "41 02 fc00"]
    {
        assert_eq!(code(&capabilities(value).unwrap_err()), "2/0", "{value}");
    }
    assert_eq!(capabilities("05 00").unwrap().capabilities, [Capability::ExtendedNextHop(vec![])]);
}

#[test]
fn values_beyond_their_field_are_cut_not_wrapped() {
    let restart = GracefulRestart { restart_time: u16::MAX, ..GracefulRestart::default() };
    let long = LongLivedFamily { afi: 1, safi: 1, forwarding: false, stale_time: u32::MAX };
    let list = vec![Capability::GracefulRestart(restart), Capability::LongLivedGracefulRestart(vec![long; 40])];
    let decoded = Open::decode(&open(list).encode()[19..]).unwrap();
    let restart = decoded.graceful_restart().unwrap();
    assert_eq!((restart.restart_time, restart.restarting, restart.notification), (4095, false, false));
    assert_eq!(decoded.long_lived().unwrap().len(), 36, "what 255 octets hold");
    assert_eq!(decoded.long_lived().unwrap()[0].stale_time, 0x00FF_FFFF);
}
