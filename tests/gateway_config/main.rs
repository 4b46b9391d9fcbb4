//! `fingerpost gateway-config`: the whole text for each gateway of a configuration, and what cannot be printed.
//!
//! The texts stand in `tests/fixtures/gateway-config`, named GATEWAY.PLATFORM. After a change that is meant, write them anew
//! with `FINGERPOST_WRITE_FIXTURES=1` and read the difference. That the daemons take them is tested in the labs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use clap::ValueEnum;
use fingerpost::config::{self, Config};
use fingerpost::gateway_config::{Language, Speaker, Unprintable, print};
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

fn speakers(list: &[&str]) -> Vec<Speaker> {
    list.iter().map(|text| text.parse().unwrap()).collect()
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
    ];
    let mut wrong = Vec::new();
    for language in Language::value_variants() {
        for (name, speakers) in &cases {
            let text = print(&config, name, Some(*language), speakers).unwrap();
            let platform = language.to_possible_value().unwrap();
            let file = folder().join(format!("{name}.{}", platform.get_name()));
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
    let bird = Some(Language::Bird);
    let unknown = print(&config, "core", bird, &[]).unwrap_err().to_string();
    assert_eq!(
        unknown,
        "there is no gateway \"core\" in the configuration; there are attached, ebgp, gtsm, ibgp, multihop, six"
    );
    assert_eq!(print(&config, "ebgp", None, &[]), Err(Unprintable::NoPlatform));
    let deaf = changed("listen: [\"10.0.3.10:1179\", ", "listen: [");
    let unseen = print(&deaf, "ebgp", bird, &[]).unwrap_err();
    assert!(unseen == Unprintable::NoSpeaker && unseen.to_string().contains("--speaker ADDRESS"), "{unseen}");
    let other = print(&config, "ebgp", bird, &speakers(&["fd00:3::10"])).unwrap_err().to_string();
    assert_eq!(other, "the gateway's address 10.0.3.1 cannot be reached from fd00:3::10: the families differ");
}

#[test]
fn a_listener_on_every_address_says_not_where_we_are() {
    let everywhere = changed("10.0.3.10:1179", "0.0.0.0:1179");
    assert_eq!(print(&everywhere, "ebgp", Some(Language::Bird), &[]), Err(Unprintable::NoSpeaker));
    let text = print(&everywhere, "ebgp", Some(Language::Bird), &speakers(&["10.0.3.12"])).unwrap();
    assert!(text.contains("neighbor 10.0.3.12 port 1179 as 64513;"), "{text}");
}

#[test]
fn without_a_listener_the_gateway_waits() {
    let config = changed("listen: [\"10.0.3.10:1179\", ", "listen: [");
    let text = |language| print(&config, "ebgp", Some(language), &speakers(&["10.0.3.12"])).unwrap();
    assert!(text(Language::Bird).contains("\n  passive;"));
    assert!(text(Language::Frr).contains("\n neighbor 10.0.3.12 passive\n"));
}

#[test]
fn a_gateway_that_no_host_is_near_lets_nothing_in() {
    let config = changed("10.168.7.0/24, 10.169.0.0/16", "10.99.0.0/16");
    let text = print(&config, "attached", Some(Language::Frr), &[]).unwrap();
    assert!(text.contains("route-map FINGERPOST4 deny 10\n"), "{text}");
    let text = print(&config, "attached", Some(Language::Bird), &[]).unwrap();
    let (_, filter) = text.split_once("filter fingerpost4 {").unwrap();
    let (filter, _) = filter.split_once('}').unwrap();
    assert!(!filter.contains("accept") && filter.contains("reject;"), "{filter}");
}

#[test]
fn the_gateways_limit_is_above_ours() {
    let limit = |cap: u32| {
        let config = changed("ebgp: {", &format!("ebgp: {{ max_prefix: {cap},"));
        let text = print(&config, "ebgp", Some(Language::Bird), &[]).unwrap();
        let (_, limit) = text.split_once("import limit ").unwrap();
        limit.split(' ').next().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!((limit(4), limit(1000)), (14, 1250));
}
