//! `fingerpost gateway-config`: the whole text for each gateway of a configuration, and what cannot be printed.
//!
//! The texts stand in `tests/fixtures/gateway-config`, named GATEWAY.PLATFORM. After a change that is meant, write them anew
//! with `FINGERPOST_WRITE_FIXTURES=1` and read the difference. That the daemons take them is tested in the labs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use fingerpost::config::{self, Config, Platform};
use fingerpost::gateway_config::{Speaker, Unprintable, print};
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gateway-config")
}

fn config() -> Config {
    config::load(&folder().join("config.yaml")).unwrap()
}

/// The same configuration with one piece of text replaced.
fn changed(from: &str, to: &str) -> Config {
    let file = folder().join("config.yaml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from}");
    config::parse(&text.replace(from, to), &file).unwrap()
}

/// The same configuration without a listener of IPv4, nor what needs one.
fn deaf() -> Config {
    let file = folder().join("config.yaml");
    let text = fs::read_to_string(&file).unwrap().replace("listen: [\"10.0.3.10:1179\", ", "listen: [");
    let lines = text.lines().filter(|line| !line.starts_with("  hosts: "));
    config::parse(&lines.collect::<Vec<_>>().join("\n"), &file).unwrap()
}

fn speakers(list: &[&str]) -> Vec<Speaker> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

/// The platforms that have a language.
fn written() -> impl Iterator<Item = Platform> {
    Platform::ALL.into_iter().filter(|platform| *platform != Platform::Generic)
}

#[test]
fn the_texts_are_as_reviewed() {
    let config = config();
    let cases = [
        ("ebgp", vec![]),
        ("multihop", speakers(&["10.0.3.10", "10.0.3.11"])),
        ("ibgp", speakers(&["10.0.3.0/24"])),
        ("six", vec![]),
        ("attached", vec![]),
        ("gtsm", vec![]),
        ("signed", speakers(&["10.0.3.10", "10.0.3.0/24"])),
        ("borrowing", vec![]),
        ("hosts", speakers(&["10.0.3.10", "10.0.3.11"])),
        ("hosts6", vec![]),
    ];
    let mut wrong = Vec::new();
    for platform in written() {
        for (name, speakers) in &cases {
            let text = print(&config, name, Some(platform), speakers).unwrap();
            let file = folder().join(format!("{name}.{}", platform.name()));
            if std::env::var_os("FINGERPOST_WRITE_FIXTURES").is_some() {
                fs::write(&file, &text).unwrap();
            }
            if fs::read_to_string(&file).unwrap_or_default() != text {
                wrong.push(format!("{}:\n{text}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_missing_is_named_with_its_remedy() {
    let config = config();
    let bird = Some(Platform::Bird);
    let unknown = print(&config, "core", bird, &[]).unwrap_err().to_string();
    assert_eq!(
        unknown,
        "there is no gateway \"core\" in the configuration; there are attached, borrowing, ebgp, gtsm, hosts, \
         hosts6, ibgp, multihop, signed, six"
    );
    assert_eq!(print(&config, "ebgp", None, &[]), Err(Unprintable::NoPlatform));
    assert_eq!(print(&config, "ebgp", Some(Platform::Generic), &[]), Err(Unprintable::NoPlatform));
    let unseen = print(&deaf(), "ebgp", bird, &[]).unwrap_err();
    assert!(unseen == Unprintable::NoSpeaker && unseen.to_string().contains("--speaker ADDRESS"), "{unseen}");
    let other = print(&config, "ebgp", bird, &speakers(&["fd00:3::10"])).unwrap_err().to_string();
    assert_eq!(other, "the gateway's address 10.0.3.1 cannot be reached from fd00:3::10: the families differ");
}

#[test]
fn a_listener_on_every_address_says_not_where_we_are() {
    let everywhere = changed("10.0.3.10:1179", "0.0.0.0:1179");
    assert_eq!(print(&everywhere, "ebgp", Some(Platform::Bird), &[]), Err(Unprintable::NoSpeaker));
    let text = print(&everywhere, "ebgp", Some(Platform::Bird), &speakers(&["10.0.3.12"])).unwrap();
    assert!(text.contains("neighbor 10.0.3.12 port 1179 as 64513;"), "{text}");
}

/// BIRD has one space of names: it refused a fourth and a sixth session that were called like the filters.
#[test]
fn no_two_things_in_bird_have_one_name() {
    let many = speakers(&["10.0.3.11", "10.0.3.12", "10.0.3.13", "10.0.3.14", "10.0.3.15", "10.0.3.16"]);
    let text = print(&config(), "hosts", Some(Platform::Bird), &many).unwrap();
    let named = text.lines().filter(|line| line.starts_with("protocol ") || line.starts_with("filter "));
    let mut names: Vec<&str> = named.filter_map(|line| line.trim_end_matches(" {").rsplit(' ').next()).collect();
    assert!(names.contains(&"fingerpost6") && names.contains(&"fingerpost_ipv6"), "{text}");
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "{text}");
}

#[test]
fn without_a_listener_the_gateway_waits() {
    let config = deaf();
    let text = |platform| print(&config, "ebgp", Some(platform), &speakers(&["10.0.3.12"])).unwrap();
    assert!(text(Platform::Bird).contains("\n  passive;"));
    assert!(text(Platform::Frr).contains("\n neighbor 10.0.3.12 passive\n"));
}

#[test]
fn a_gateway_that_no_host_is_near_lets_nothing_in() {
    let config = changed("10.168.7.0/24, 10.169.0.0/16", "10.99.0.0/16");
    let text = print(&config, "attached", Some(Platform::Frr), &[]).unwrap();
    assert!(text.contains("route-map FINGERPOST4 deny 10\n"), "{text}");
    let text = print(&config, "attached", Some(Platform::Bird), &[]).unwrap();
    let (_, filter) = text.split_once("filter fingerpost_ipv4 {").unwrap();
    let (filter, _) = filter.split_once('}').unwrap();
    assert!(!filter.contains("accept") && filter.contains("reject;"), "{filter}");
}

#[test]
fn the_gateways_limit_is_above_ours() {
    let limit = |cap: u32| {
        let config = changed("ebgp: {", &format!("ebgp: {{ max_prefix: {cap},"));
        let text = print(&config, "ebgp", Some(Platform::Bird), &[]).unwrap();
        let (_, limit) = text.split_once("import limit ").unwrap();
        limit.split(' ').next().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!((limit(4), limit(1000)), (14, 1250));
}

#[test]
fn a_family_that_the_fence_lacks_has_no_limit() {
    let config = changed("    - { within: \"fd00:10:244::/48\", lengths: 56-64 }\n", "");
    for (platform, words) in [
        (Platform::Bird, "import limit "),
        (Platform::Frr, " maximum-prefix "),
        (Platform::Gobgp, "max-prefixes = "),
        (Platform::Junos, " maximum "),
        (Platform::Nxos, " maximum-prefix "),
    ] {
        let text = print(&config, "multihop", Some(platform), &[]).unwrap();
        let limits: Vec<_> = text.split(words).skip(1).map(|rest| rest.split([' ', '\n']).next().unwrap()).collect();
        assert_eq!(limits, ["8177"], "{platform:?}: {text}");
    }
}

#[test]
fn hold_time_0_is_said_as_the_platform_can() {
    let config = changed("hold: 9s", "hold: 0s");
    let text = |platform| print(&config, "ibgp", Some(platform), &[]).unwrap();
    let bird = text(Platform::Bird);
    assert!(bird.contains("  hold time 0;") && !bird.contains("keepalive time"), "{bird}");
    let openbgpd = text(Platform::Openbgpd);
    assert!(!openbgpd.contains("\tholdtime") && openbgpd.contains("\t# It cannot offer hold time 0"), "{openbgpd}");
    assert!(text(Platform::Frr).contains(" timers 0 0\n"));
}

#[test]
fn the_platform_of_the_configuration_stands_in_for_the_flag() {
    for platform in written() {
        let config = changed("ebgp: {", &format!("ebgp: {{ platform: {},", platform.name()));
        assert_eq!(print(&config, "ebgp", None, &[]), print(&config, "ebgp", Some(platform), &[]), "{platform:?}");
    }
}

#[test]
fn c68_a_key_is_never_printed_and_its_place_is_p9() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("signed.key");
    fs::write(&key, "hunter2-hunter2\n").unwrap();
    let config = changed("signed.key", &format!("{:?}", key.display().to_string()));
    for platform in written() {
        let text = print(&config, "signed", Some(platform), &[]).unwrap();
        assert!(!text.contains("hunter2"), "{platform:?}: {text}");
        // The opening line that says what to do, and the line of the session.
        assert_eq!(text.matches("REPLACE-ME-KEY").count(), 2, "{platform:?}: {text}");
        let unsigned = print(&config, "ebgp", Some(platform), &[]).unwrap();
        assert!(!unsigned.contains("REPLACE-ME"), "{platform:?}: {unsigned}");
    }
}

#[test]
fn a_host_that_peers_in_connects_and_discards_nothing() {
    let config = config();
    for platform in written() {
        let text = print(&config, "hosts", Some(platform), &[]).unwrap();
        assert!(text.contains("It must connect from its address in 10.168.8.0/24."), "{platform:?}: {text}");
        for gateways_only in ["blackhole", "Null0", "discard", "redirect", "passive"] {
            assert!(!text.contains(gateways_only), "{platform:?}, {gateways_only}: {text}");
        }
    }
    let bird = print(&config, "hosts", Some(Platform::Bird), &[]).unwrap();
    assert!(bird.contains("neighbor 10.0.3.10 port 1179 as 64513;"), "{bird}");
    // Its own default route leads to hosts in other subnets.
    assert!(bird.contains("dest != RTD_UNREACHABLE"), "{bird}");
    let subnet = print(&config, "hosts", Some(Platform::Bird), &speakers(&["10.0.3.0/24"])).unwrap_err().to_string();
    assert_eq!(subnet, "hosts are hosts that connect to us: give --speaker an address, no subnet");
    let other = print(&config, "hosts", Some(Platform::Bird), &speakers(&["fd00:3::10"])).unwrap_err().to_string();
    assert_eq!(other, "the gateway's address 10.168.8.0/24 cannot be reached from fd00:3::10: the families differ");
}

#[test]
fn ipv4_routes_have_ipv6_next_hops_only_where_a_source_and_the_gateway_say_so() {
    let via6 = |config: &Config| {
        let text = print(config, "borrowing", Some(Platform::Bird), &[]).unwrap();
        let (_, filter) = text.split_once("filter fingerpost_ipv4 {").unwrap();
        let (filter, rest) = filter.split_once("reject;").unwrap();
        (filter.contains("bgp_next_hop ~ fd00:10:168::/64"), rest.contains("extended next hop;"))
    };
    assert_eq!(via6(&config()), (true, true));
    assert_eq!(via6(&changed("ipv4_via_ipv6: true", "ipv4_via_ipv6: false")), (false, true));
    assert_eq!(via6(&changed("extended_next_hop: true }\n  hosts:", "}\n  hosts:")), (false, false));
}
