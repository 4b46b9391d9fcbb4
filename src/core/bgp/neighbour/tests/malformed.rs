//! Rows 16 to 25: the malformed inputs B1 to B21 of the test catalogue, each through a session. Octets by hand from the RFCs.
//!
//! Each is delivered whole and octet by octet, which must come to the same, and each bounds memory (the most that is held at
//! one moment) and work (by the number of allocations): both a small multiple of what came in.

use super::*;
use crate::bgp::wire::tests::{hex, prefixes};
use crate::bgp::wire::{Update, UpdateContext, UpdateOutcome};
use crate::model::Prefix;

/// Version 4, AS 64500, hold time 90 s, identifier 10.0.3.254: before the length of the parameters.
const FIXED: &str = "04 fbf4 005a 0a0003fe";
const ORIGIN: &str = "40 01 01 00";
const AS_PATH: &str = "40 02 06 02 01 0000fde9";
const NEXT_HOP: &str = "40 03 04 0a000001";
const NLRI: &str = "18 c00002";

/// What came of it.
#[derive(PartialEq, Debug)]
struct Got {
    does: String,
    /// Code, subcode and Data of what was sent.
    notification: Option<(u8, u8, Vec<u8>)>,
    update: Option<Box<Update>>,
    end: Option<End>,
    state: State,
}

/// Gives the octets to a session in that state.
#[track_caller]
fn give(rig: impl Fn() -> Rig, octets: &[u8]) -> Got {
    let whole = give_in_pieces(rig(), octets, octets.len());
    let by_octet = give_in_pieces(rig(), octets, 1);
    assert_eq!(whole, by_octet, "whole and octet by octet");
    whole
}

#[track_caller]
fn give_in_pieces(mut rig: Rig, octets: &[u8], piece: usize) -> Got {
    let before = rig.sent.len();
    let mut effects = Vec::new();
    let used = allocation_counter::measure(|| {
        for octets in octets.chunks(piece) {
            rig.neighbour.handle(rig.now, Input::Received(ConnectionId(1), octets), &mut effects);
        }
    });
    let length = octets.len() as u64;
    assert!(used.bytes_max <= 96 * length + 8192, "{} octets of memory for {length} of input", used.bytes_max);
    assert!(used.count_total <= 4 * length + 64, "{} allocations for {length} octets", used.count_total);
    let update = effects.iter().find_map(|effect| match effect {
        Effect::Update(_, update) => Some(update.clone()),
        _ => None,
    });
    let does = rig.does(effects);
    let sent = rig.sent[before..].iter().find(|(_, message)| message[18] == NOTIFICATION);
    let notification = sent.map(|(_, message)| (message[19], message[20], message[21..].to_vec()));
    Got { does, notification, update, end: rig.ends.last().cloned(), state: rig.state() }
}

fn open_sent() -> Rig {
    Rig::open_sent(config())
}

/// Both families; the gateway's AS numbers have four octets.
fn established() -> Rig {
    let mut open = GatewayOpen::from(HIGHER);
    open.capabilities.push((1, vec![0, 2, 0, 1]));
    let families = PerFamily { ipv4: true, ipv6: true };
    Rig::established(NeighbourConfig { families, ..config() }, &open)
}

/// A gateway without capabilities: IPv4, and AS numbers of two octets.
fn two_octets() -> Rig {
    let mut rig = open_sent();
    rig.receives(1, &wrap(OPEN, &hex(&format!("{FIXED} 00"))));
    assert_eq!(rig.receives(1, &keepalive()), "up 1");
    rig
}

fn open(parameters: &str) -> Vec<u8> {
    wrap(OPEN, &hex(&format!("{FIXED} {parameters}")))
}

/// One parameter of capabilities in the extended form (RFC 9072), IPv4 among them.
fn capabilities(value: &str) -> Vec<u8> {
    let value = hex(&format!("01 04 0001 00 01 {value}"));
    open(&format!("ff ff {:04x} 02 {:04x} {}", value.len() + 3, value.len(), text(&value)))
}

fn text(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// An UPDATE of these fields; the lengths are put in.
fn update(withdrawn: &str, attributes: &str, nlri: &str) -> Vec<u8> {
    let (withdrawn, attributes) = (hex(withdrawn), hex(attributes));
    let length = |field: &[u8]| u16::try_from(field.len()).unwrap().to_be_bytes();
    wrap(UPDATE, &[&length(&withdrawn)[..], &withdrawn, &length(&attributes), &attributes, &hex(nlri)].concat())
}

/// The connection ends with this NOTIFICATION.
#[track_caller]
fn assert_refused(got: &Got, code: u8, subcode: u8, data: &str) {
    assert_eq!(got.notification, Some((code, subcode, hex(data))), "{got:?}");
    assert!(got.does.starts_with(&format!("{code}/{subcode}>1, close 1, ")), "{got:?}");
    assert_eq!((got.state, &got.update), (State::Active, &None), "{got:?}");
}

/// The session stays, says nothing to the gateway but something to the log, and these are the prefixes.
#[track_caller]
fn assert_stays(got: &Got, reachable: &str, withdrawn: &str) {
    assert_takes(got, "update error 1, update 1", reachable, withdrawn);
}

#[track_caller]
fn assert_takes(got: &Got, does: &str, reachable: &str, withdrawn: &str) {
    let lists =
        |update: &Update| -> (Vec<Prefix>, Vec<Prefix>) { (update.reachable.clone(), update.withdrawn.clone()) };
    assert_eq!((got.does.as_str(), got.state), (does, State::Established), "{got:?}");
    let found = lists(got.update.as_deref().unwrap());
    assert_eq!(found, (prefixes(reachable), prefixes(withdrawn)));
}

/// CVE-2022-40302: the extended form says two octets, which are half the header of a parameter.
#[test]
fn c17_b1_an_extended_parameter_of_two_octets_is_2_0() {
    assert_refused(&give(open_sent, &open("ff ff 0002 02 00")), 2, 0, "");
    assert_refused(&give(open_sent, &open("ff ff 0002 02 ff")), 2, 0, "");
    assert_refused(&give(open_sent, &open("ff ff 0001 02")), 2, 0, "");
}

/// CVE-2022-43681: the length says 255 octets of parameters, and nothing follows.
#[test]
fn c17_b2_an_open_of_29_octets_that_promises_parameters_is_2_0() {
    let octets = open("ff");
    assert_eq!(octets.len(), 29);
    assert_refused(&give(open_sent, &octets), 2, 0, "");
    assert_refused(&give(open_sent, &open("01")), 2, 0, "");
}

/// CVE-2022-40318.
#[test]
fn c17_b3_an_extended_parameter_of_one_octet_more_than_is_left_is_2_0() {
    assert_refused(&give(open_sent, &open("ff ff 0005 02 0003 0200")), 2, 0, "");
    assert_refused(&give(open_sent, &open("ff ff 0006 02 0002 0200")), 2, 0, "");
    assert_eq!(give(open_sent, &open("ff ff 0005 02 0002 0200")).does, "keepalive>1", "the same without the fault");
}

/// Quagga CVE-2018-5381: families that nobody knows, as many as an OPEN holds.
#[test]
fn c18_b4_unknown_families_however_many_are_ignored() {
    for count in [1, 1000] {
        let got = give(open_sent, &capabilities(&"01 04 4321 00 99".repeat(count.min(670))));
        assert_eq!((got.does.as_str(), got.state), ("keepalive>1", State::OpenConfirm), "{count}");
    }
    // 2/7 only where none is left that we speak.
    let only_unknown = format!("ff ff {:04x} 02 {:04x} {}", 3 + 6 * 600, 6 * 600, "01 04 4321 00 99".repeat(600));
    assert_refused(&give(open_sent, &open(&only_unknown)), 2, 7, "01 04 0001 00 01");
    let thousand_of_two_octets = capabilities(&"46 00".repeat(1000));
    assert_eq!(give(open_sent, &thousand_of_two_octets).does, "keepalive>1");
}

/// GoBGP CVE-2025-43971, FRR CVE-2023-41361.
#[test]
fn c18_b5_a_software_version_of_no_length_is_ignored_and_one_too_long_is_2_0() {
    for value in ["4b 00", "4b 01 00", "4b 02 ff 41", &format!("4b ff {}", "41".repeat(255))] {
        assert_eq!(give(open_sent, &capabilities(value)).does, "keepalive>1", "{value}");
    }
    for value in ["4b 01", "4b ff 41", "4b"] {
        assert_refused(&give(open_sent, &capabilities(value)), 2, 0, "");
    }
}

/// CVE-2023-31489, CVE-2024-31949: the value ends inside a family.
#[test]
fn c18_b6_a_truncated_restart_capability_is_2_0() {
    for value in ["40 00", "40 01 00", "40 03 0078 00", "40 04 0078 0001", "40 05 0078 0001 01"] {
        assert_refused(&give(open_sent, &capabilities(value)), 2, 0, "");
    }
    for cut in 1..7 {
        let long_lived = hex("0001 01 80 000258");
        let value = format!("40 02 0078 47 {cut:02x} {}", text(&long_lived[..cut]));
        assert_refused(&give(open_sent, &capabilities(&value)), 2, 0, "");
    }
    for value in ["40 02 0078", "40 06 0078 0001 01 80", "40 02 0078 47 07 0001 01 80 000258"] {
        assert_eq!(give(open_sent, &capabilities(value)).does, "keepalive>1", "{value}");
    }
}

/// BIRD CVE-2019-16159, Quagga CVE-2018-5380: logged escaped, closed, never answered (RFC 4271 §6.4).
#[test]
fn c19_b7_a_notification_of_any_kind_is_never_answered_and_shown_escaped() {
    let states: [fn() -> Rig; 3] = [open_sent, || Rig::open_confirm(config(), &GatewayOpen::from(HIGHER)), established];
    for (body, shown) in [
        ("0602 06 68656c6c6f", "invalid shutdown communication 0668656c6c6f"),
        ("0602 ff", "invalid shutdown communication ff"),
        ("0602 02 fffe", "invalid shutdown communication 02fffe"),
        ("0604 05 0a1b5b3341", "\\n\\u{1b}[3A"),
        ("0663", "6/99 Cease, Unknown Subcode"),
        ("2a07 00", "42/7 Unknown Error, Unknown Subcode"),
        ("0000", "0/0 Unknown Error"),
        ("0609", "6/9 Cease, Hard Reset"),
        ("0609 06", "6/9 Cease, Hard Reset"),
    ] {
        for state in states {
            let got = give(state, &wrap(NOTIFICATION, &hex(body)));
            let end = if state().state() == State::Established { "down 1" } else { "failed" };
            assert_eq!(got.does, format!("close 1, {end} notification_received"), "{body}");
            let told = got.end.as_ref().unwrap().to_string();
            assert!(told.contains(shown) && !told.chars().any(char::is_control), "{told:?}");
        }
    }
}

/// CVE-2023-41360.
#[test]
fn c9_b8_a_refresh_of_a_wrong_length_is_7_1_and_filters_are_ignored() {
    for body in ["0001 01", "0001 01 01 00", "0001 02", "0001 02 01 0000"] {
        let message = wrap(ROUTE_REFRESH, &hex(body));
        let got = give(established, &message);
        assert_refused(&got, 7, 1, &text(&message)); // RFC 7313 §5: the complete message
    }
    for body in ["0001 00 01 01 40 0004 00000000", "0001 00 01 01 40 ffff 00", "0001 00 01 01"] {
        assert_eq!(give(established, &wrap(ROUTE_REFRESH, &hex(body))).does, "refresh 1 ipv4", "{body}");
    }
}

/// GoBGP CVE-2026-37462.
#[test]
fn c20_b9_lengths_past_the_end_of_an_update_are_3_1() {
    for body in
        ["ffff 0000", "0001 0000", "0004 18 c00002 ffff 40 01 01 00", "fffe 0000 0000", "0000 0001", "0002 08 0b 0001"]
    {
        assert_refused(&give(established, &wrap(UPDATE, &hex(body))), 3, 1, "");
    }
}

/// CVE-2023-46753.
#[test]
fn c21_b10_only_an_unknown_transitive_attribute_withdraws() {
    assert_stays(&give(established, &update("", "c0 63 02 0102", NLRI)), "", "192.0.2.0/24");
}

/// CVE-2023-41358.
#[test]
fn c21_b11_prefixes_without_attributes_are_withdrawn() {
    assert_stays(&give(established, &update("08 0b", "", NLRI)), "", "11.0.0.0/8 192.0.2.0/24");
}

/// CVE-2023-47234.
#[test]
fn c21_b12_mp_unreach_beside_prefixes_without_mandatory_attributes_withdraws_both() {
    let got = give(established, &update("", "80 0f 0a 0002 01 30 20010db80002", NLRI));
    assert_stays(&got, "", "2001:db8:2::/48 192.0.2.0/24");
}

/// CVE-2023-47235; RFC 7606 §5.2: nothing reachable, so there is nothing that could be withdrawn instead.
#[test]
fn c21_b13_a_malformed_attribute_in_an_end_of_rib_ends_the_session() {
    let communities = "c0 08 03 010203";
    assert_refused(&give(established, &update("", communities, "")), 3, 5, communities);
    assert_refused(&give(established, &update("", &format!("80 0f 03 0002 01 {communities}"), "")), 3, 5, communities);
    assert_refused(&give(established, &update("", "40 01", "")), 3, 1, "");
    let plain = give(established, &update("", "80 0f 03 0002 01", ""));
    assert_eq!(plain.update.unwrap().end_of_rib, Some(crate::model::Family::Ipv6), "the same without the fault");
}

/// CVE-2023-46752: the prefixes stand behind a next hop of which nobody knows where it ends.
#[test]
fn c22_b14_a_next_hop_of_no_known_length_ends_the_session() {
    for next_hop in [
        format!("09 {}", "20".repeat(9)),
        format!("40 {}", "20".repeat(64)),
        "10 2001".into(),
        "ff".into(),
        "00".into(),
    ] {
        let value = format!("0002 01 {next_hop} 00 30 20010db80001");
        let attribute = format!("80 0e {:02x} {value}", hex(&value).len());
        let got = give(established, &update("", &format!("{attribute} {ORIGIN} {AS_PATH}"), ""));
        assert_refused(&got, 3, 9, &attribute);
    }
}

/// CVE-2023-38802, CVE-2024-31948, CVE-2026-37459, and the day of 2 June 2023.
#[test]
fn c23_b15_attributes_that_others_choke_on_leave_the_session_alone() {
    for attribute in [
        "c0 17 04 0008 ff00", // Tunnel Encapsulation: a sub-TLV past the end
        "e0 17 00",
        "80 1c 00", // BGP Entropy Label (deprecated)
        "e0 1c 03 010203",
        "c0 28 03 01 ffff",   // Prefix-SID: a TLV past the end
        "c0 28 01 01",        // … half a header
        "80 27 02 0000",      // 39: less than a TLV
        "c0 27 04 0001 ffff", // 39: a TLV past the end
    ] {
        let got = give(established, &update("", &format!("{attribute} {ORIGIN} {AS_PATH} {NEXT_HOP}"), NLRI));
        assert_takes(&got, "update 1", "192.0.2.0/24", "");
    }
}

/// As an old BIRD passed it on in October 2025.
#[test]
fn c23_b16_only_to_customer_of_a_wrong_length_withdraws() {
    for attribute in ["e0 23 02 fde9", "c0 23 00", "c0 23 05 0000fde900"] {
        let got = give(established, &update("", &format!("{ORIGIN} {AS_PATH} {NEXT_HOP} {attribute}"), NLRI));
        assert_stays(&got, "", "192.0.2.0/24");
    }
}

/// GoBGP CVE-2026-30405.
#[test]
fn c24_b17_next_hops_that_are_no_hosts_withdraw() {
    for next_hop in
        ["40 03 03 0a0000", "40 03 04 00000000", "40 03 04 7f000001", "40 03 04 e0000001", "40 03 04 ffffffff"]
    {
        let got = give(established, &update("", &format!("{ORIGIN} {AS_PATH} {next_hop}"), NLRI));
        assert_stays(&got, "", "192.0.2.0/24");
    }
}

/// GoBGP CVE-2026-41643; RFC 6793 §6.
#[test]
fn c24_b18_a_malformed_as4_path_before_as_path_is_left_out() {
    let path = "40 02 06 02 02 fde9 5ba0";
    for as4 in
        ["c0 11 03 020100", "c0 11 06 02 02 fa56ea00", "c0 11 06 05 01 fa56ea00", "c0 11 06 02 01 00000000", "c0 11 00"]
    {
        let got = give(two_octets, &update("", &format!("{as4} {ORIGIN} {path} {NEXT_HOP}"), NLRI));
        assert_stays(&got, "192.0.2.0/24", "");
        let update = got.update.unwrap();
        let read: Vec<u32> = update.attributes.as_path.iter().flatten().map(|asn| asn.get()).collect();
        assert_eq!((read, update.discarded.len()), (vec![65001, 23456], 1), "{as4}");
    }
}

/// BIRD CVE-2026-49943: as long as an extended message can hold. Where these were not agreed on, its header ends the session
/// before any of it is kept.
#[test]
fn c25_b19_a_path_of_more_than_2048_numbers_takes_memory_in_proportion() {
    let segment = format!("02 ff {}", "0000fde9".repeat(255));
    let path = segment.repeat(60);
    let attributes = format!("{ORIGIN} 50 02 {:04x} {path} {NEXT_HOP}", hex(&path).len());
    let message = update("", &attributes, NLRI);
    let context = UpdateContext {
        internal: false,
        four_octet_as: true,
        families: PerFamily { ipv4: true, ipv6: false },
        extended_next_hop: PerFamily::default(),
        local_asn: Asn::new(OUR_AS).unwrap(),
    };
    let mut outcome = None;
    let used = allocation_counter::measure(|| outcome = Some(Update::decode(&message[19..], &context)));
    let Some(UpdateOutcome::Accept(read)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(read.attributes.as_path.unwrap().len(), 15_300);
    assert!(used.bytes_max < 4 * message.len() as u64, "{} octets for {}", used.bytes_max, message.len());

    let extended = || {
        let mut open = GatewayOpen::from(HIGHER);
        open.capabilities.push((6, vec![]));
        Rig::established(NeighbourConfig { extended_messages: true, ..config() }, &open)
    };
    let got = give(extended, &message);
    assert_takes(&got, "update 1", "192.0.2.0/24", "");
    assert_eq!(got.update.unwrap().attributes.as_path.unwrap().len(), 15_300);

    let mut rig = established();
    let used = allocation_counter::measure(|| assert!(rig.receives(1, &message[..19]).starts_with("1/2>1, close 1")));
    assert!(used.bytes_max < 8192, "{} octets for a header", used.bytes_max);
    assert_eq!(rig.last_notification(), (1, 2, message[16..18].to_vec()));
}

/// CVE-2023-38406, CVE-2025-43972: FlowSpec (SAFI 133) was not agreed on.
#[test]
fn c14_b20_flowspec_of_any_length_is_ignored() {
    for nlri in ["", "00", "00 00 00", "05 01", "f0", "ff ff 01"] {
        let reach = format!("80 0e {:02x} 0001 85 00 00 {nlri}", 5 + hex(nlri).len());
        let unreach = format!("80 0f {:02x} 0001 85 {nlri}", 3 + hex(nlri).len());
        for attributes in [format!("{reach} {ORIGIN} {AS_PATH}"), unreach] {
            assert_stays(&give(established, &update("", &attributes, "")), "", "");
        }
    }
}

/// FRR's bgp_io spin.
#[test]
fn c16_b21_half_a_message_then_silence_is_the_hold_timers() {
    for length in [1, 18, 19, 22] {
        let mut rig = established();
        let deadline = rig.neighbour.next_deadline();
        let half = &update("", &format!("{ORIGIN} {AS_PATH} {NEXT_HOP}"), NLRI)[..length];
        assert!(half.iter().all(|octet| rig.receives(1, &[*octet]).is_empty()));
        assert_eq!(rig.neighbour.next_deadline(), deadline, "nothing is due sooner for it");
        let mut does = String::new();
        for _ in 0..10 {
            does = rig.next();
            if rig.state() != State::Established {
                break;
            }
            assert_eq!(does, "keepalive>1", "{length} octets");
        }
        assert_eq!(does, "4/0>1, close 1, down 1 hold_timer_expired", "{length} octets");
    }
}

/// Ten thousand UPDATEs in one go, and cut where reads happen to end.
#[test]
fn c28_b21_ten_thousand_updates_at_once_keep_nothing_and_put_no_timer_off() {
    let message = update("", &format!("{ORIGIN} {AS_PATH} {NEXT_HOP}"), NLRI);
    let stream = message.repeat(10_000);
    for piece in [1448, 65_536] {
        let mut rig = established();
        let deadline = rig.neighbour.next_deadline();
        let (mut effects, mut updates) = (Vec::with_capacity(2048), 0);
        let used = allocation_counter::measure(|| {
            for octets in stream.chunks(piece) {
                rig.neighbour.handle(rig.now, Input::Received(ConnectionId(1), octets), &mut effects);
                updates += effects.len();
                effects.clear();
            }
        });
        assert_eq!(updates, 10_000);
        assert_eq!(rig.neighbour.next_deadline(), deadline, "our KEEPALIVE is due as before");
        assert!(used.bytes_max < 40 * piece as u64, "{} octets in pieces of {piece}", used.bytes_max);
        assert!(used.bytes_current < 1 << 16, "{} octets are kept", used.bytes_current);
        assert!(used.count_total < 200_000, "{} allocations", used.count_total);
        assert_eq!(rig.status().received.update, 10_000);
    }
}
