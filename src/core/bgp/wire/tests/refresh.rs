//! Row 9: ROUTE-REFRESH (RFC 2918 §3, RFC 7313 §5).

use super::super::{RefreshSubtype, RouteRefresh};
use super::{code, hex, wrap};
use crate::model::Family;

#[test]
fn both_ways() {
    for (subtype, body) in [
        (RefreshSubtype::Request, "0002 00 01"),
        (RefreshSubtype::Begin, "0002 01 01"),
        (RefreshSubtype::End, "0002 02 01"),
    ] {
        let refresh = RouteRefresh::new(Family::Ipv6, subtype);
        assert_eq!(refresh.encode(), wrap(5, &hex(body)));
        assert_eq!(RouteRefresh::decode(&hex(body)), Ok(refresh));
        assert_eq!(refresh.family(), Some(Family::Ipv6));
    }
}

#[test]
fn c09_begin_or_end_of_another_length_is_7_1_with_the_whole_message_b8() {
    for body in ["0001 01", "0001 01 01 00", "0001 02", "0001 02 01 0000 0000"] {
        let fault = RouteRefresh::decode(&hex(body)).unwrap_err();
        assert_eq!(code(&fault), "7/1", "{body}");
        assert_eq!(fault.data, wrap(5, &hex(body)), "{body}");
    }
}

#[test]
fn c09_shorter_than_a_family_is_1_2_with_the_length_b8() {
    for (body, length) in [("", "0013"), ("00", "0014"), ("0001", "0015"), ("0001 00", "0016"), ("0001 07", "0016")] {
        let fault = RouteRefresh::decode(&hex(body)).unwrap_err();
        assert_eq!((code(&fault).as_str(), &fault.data[..]), ("1/2", &hex(length)[..]), "{body}");
    }
}

#[test]
fn c09_filters_behind_a_request_are_ignored_also_when_cut_off_b8() {
    // RFC 5291 §4: when-to-refresh, type, length, entries; then a length that is past the end.
    for filters in ["01 40 0004 00000000", "01 40 ffff 00", "01"] {
        let refresh = RouteRefresh::decode(&hex(&format!("0001 00 01 {filters}"))).unwrap();
        assert_eq!(refresh, RouteRefresh::new(Family::Ipv4, RefreshSubtype::Request), "{filters}");
    }
}

#[test]
fn c09_unknown_subtype_and_family_are_passed_on_to_be_ignored() {
    let refresh = RouteRefresh::decode(&hex("0001 07 01")).unwrap();
    assert_eq!(refresh.subtype, RefreshSubtype::Other(7));
    let refresh = RouteRefresh::decode(&hex("4004 00 47")).unwrap();
    assert_eq!(refresh.family(), None);
}
