//! The form of the file: YAML, tables, unknown and repeated keys.

use crate::{lines, parse, refuses, with};

#[test]
fn what_is_wrong_with_the_form_is_said_with_its_place() {
    refuses(
        "a bracket is not closed",
        1,
        r#"router: { asn: 64512"#,
        &[r#"2:8: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'"#],
    );
    refuses(
        "a tab indents",
        8,
        r#"	a: {}"#,
        &[r#"8:2: not valid YAML: tabs disallowed within this context (block indentation): indent with spaces"#],
    );
    refuses(
        "an alias has no anchor",
        10,
        r#"  all: *rules"#,
        &[r#"10:8: not valid YAML: alias references unknown anchor"#],
    );
    refuses(
        "a tag",
        10,
        r#"  all: !secret x"#,
        &[r#"10:16: not valid YAML: unsupported tag `!secret`: remove the tag"#],
    );
    refuses(
        "two documents",
        10,
        r#"---
x: 1"#,
        &[r#"11:1: not valid YAML: has more than one document: remove --- and what follows it"#],
    );
    refuses(
        "a key is null",
        1,
        r#"~: 1"#,
        &[r#"1:1: not valid YAML: has a key that is null: put the key in quotes, or remove it"#],
    );
    refuses(
        "a key is a list",
        1,
        r#"? [a]
: 1"#,
        &[r#"1:3: not valid YAML: expected string scalar: keys are words, and brackets close what they open"#],
    );
    refuses(
        "an unknown key with a near one",
        4,
        r#"fense:"#,
        &[
            r#"1:1: fence: missing: say what may be announced: {prefixes: […], next_hops: […]}"#,
            r#"4:1: fense: unknown key: did you mean fence?"#,
        ],
    );
    refuses(
        "an unknown key with none near",
        1,
        r#"router: { asn: 64512, id: 10.0.3.10, banana: 1, listen: ["0.0.0.0:1179"] }"#,
        &[r#"1:38: router.banana: unknown key: known here: asn, id, listen, restart_time, replicas, drain_time"#],
    );
    refuses(
        "unknown keys at several depths are reported together",
        8,
        r#"  a: { adress: 10.168.0.1, asn: 64500, policy: all, timers: { hodl: 9s } }
logs: {}"#,
        &[
            r#"8:3: gateways.a.address: missing: give the gateway's IP address"#,
            r#"8:8: gateways.a.adress: unknown key: did you mean address?"#,
            r#"8:63: gateways.a.timers.hodl: unknown key: did you mean hold?"#,
            r#"9:1: logs: unknown key: did you mean log?"#,
        ],
    );
    refuses(
        "a repeated key",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, asn: 64501, policy: all }"#,
        &[r#"8:41: gateways.a.asn: stands twice, first in line 8: remove one of the two"#],
    );
    refuses(
        "a repeated name",
        8,
        r#"  a: { address: 10.168.0.1, asn: 64500, policy: all }
  a: { address: 10.168.0.2, asn: 64500, policy: all }"#,
        &[r#"9:3: gateways.a: stands twice, first in line 8: remove one of the two"#],
    );
    refuses(
        "a table without a value",
        1,
        r#"router:"#,
        &[r#"1:7: router: has no value: write its keys indented below it, or {} for none"#],
    );
    refuses(
        "a table is text",
        1,
        r#"router: 64512"#,
        &[r#"1:9: router: is a number where a map of keys belongs: write its keys indented below it, or {} for none"#],
    );
    refuses(
        "a list is a map",
        6,
        r#"  next_hops: { a: 1 }"#,
        &[r#"6:14: fence.next_hops: is a map where a list belongs: write [ADDRESS/LENGTH, …]"#],
    );
    refuses(
        "a text is a list",
        8,
        r#"  a: { address: [10.168.0.1], asn: 64500, policy: all }"#,
        &[
            r#"8:17: gateways.a.address: is a list where an IP address belongs: write one such as 10.0.0.1 or fd00::1; names are not resolved"#,
        ],
    );
    refuses(
        "an escape sequence in a key does not reach the terminal",
        1,
        r#"router: { asn: 64512, id: 10.0.3.10, "\e[31m": 1, listen: ["0.0.0.0:1179"] }"#,
        &[r#"1:38: router.\u{1b}[31m: unknown key: known here: asn, id, listen, restart_time, replicas, drain_time"#],
    );
    refuses(
        "parts that are not yet built",
        9,
        r#"hosts: { not_ready: keep }
canary: {}
policies:"#,
        &[r#"9:1: hosts: is not yet supported: remove it"#, r#"10:1: canary: is not yet supported: remove it"#],
    );
    refuses(
        "a neighbour daemon's word",
        7,
        r#"neighbors:"#,
        &[r#"7:1: neighbors: unknown key: did you mean gateways?"#],
    );
    refuses(
        "numbers that other readers take for octal, or for text",
        8,
        "  a: { address: 10.168.0.1, port: 0179, asn: 64500, policy: all, multihop: 1_0 }",
        &[
            "8:35: gateways.a.port: is text where a whole number belongs: write a whole number from 1 to 65535",
            "8:76: gateways.a.multihop: is text where true, false or a number of hops belongs: write true, false or a number from 2 to 255",
        ],
    );
    refuses(
        "a fault in an alias is where the anchor is",
        8,
        "  a: { address: 10.168.0.1, asn: &as 0, policy: all }\n  b: { address: 10.168.0.2, asn: *as, policy: all }",
        &[
            r#"8:38: gateways.a.asn: "0" is not an AS number: write a whole number from 1 to 4294967295"#,
            r#"8:38: gateways.b.asn: "0" is not an AS number: write a whole number from 1 to 4294967295"#,
        ],
    );
}

#[test]
fn what_no_reader_should_bear_is_refused_with_what_to_do() {
    let deep = "not valid YAML: is nested more than 16 deep: a configuration is at most 8 deep: look at indentation and brackets";
    let brackets = format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let indented: String = (0..3000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    for (text, said) in [
        (brackets.as_str(), format!("1:20: {deep}")),
        (&indented, format!("17:17: {deep}")),
        (
            "a: 1\n\0",
            r"2:1: not valid YAML: unexpected character: `\u{0}': remove that character, and save the file as plain text"
                .into(),
        ),
    ] {
        let faults = parse(text).unwrap_err();
        assert_eq!(lines(&faults.faults), [said]);
    }
}

/// Six lines that stand for 9⁶ values. How much is read before they are refused depends on the length of the text.
#[test]
fn aliases_cannot_make_a_short_file_long_to_read() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for n in 1..6 {
        bomb += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(","));
    }
    let said = lines(&parse(&bomb).unwrap_err().faults);
    assert!(said[0].ends_with("not valid YAML: its aliases repeat too much: write it without aliases"), "{said:?}");
    let line: u32 = said[0].split(':').next().unwrap().parse().unwrap();
    assert!(line < 5, "noticed in time: {said:?}");
}

#[test]
fn any_number_of_gateways_may_share_one_anchor() {
    let mut gateways =
        "  a: { address: 10.168.0.1, asn: 64500, policy: all, timers: &slow { hold: 90s, keepalive: 30s } }\n"
            .to_owned();
    for n in 0..1000 {
        gateways += &format!(
            "  g{n}: {{ address: 10.168.{}.{}, asn: 64500, policy: all, timers: *slow }}\n",
            1 + n / 250,
            1 + n % 250
        );
    }
    let config = parse(&with(8, &gateways)).unwrap();
    assert_eq!(config.gateways["g999"].timers, config.gateways["a"].timers);
    assert_eq!(config.gateways.len(), 1001);
}

/// Text of the user's that could hide what is wrong, or command a terminal, is shown escaped wherever it is quoted.
#[test]
fn nothing_reaches_the_terminal_raw() {
    for (line, text, shown) in [
        (1, "\"\\e[2J\": 1", r"\u{1b}[2J"),
        (8, "  a: { address: 10.168.0.1, asn: 64500, policy: \"al\\u202el\" }", r"\u{202e}"),
        (9, "policies:\n  \"al\\u202el\": [ { match: {}, then: accept } ]", r"\u{202e}"),
        (3, "  prod: { file: { path: \"a\\u202eb\" } }\n  \"\\x07\": 1", r"\u{7}"),
    ] {
        let said = parse(&with(line, text)).unwrap_err().to_string();
        assert!(said.contains(shown), "{said}");
        assert!(!said.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{said}");
    }
}

#[test]
fn what_is_written_in_another_shape_is_told_how_to_write_it() {
    refuses(
        "gateways as a list",
        8,
        r#"  - { address: 10.168.0.1, asn: 64500, policy: all }"#,
        &[r#"8:3: gateways: is a list where names belong: write NAME: {…} for each, without the dash"#],
    );
    refuses(
        "lengths as a list",
        5,
        r#"  prefixes: [ { within: 10.244.0.0/16, lengths: [20, 28] } ]"#,
        &[r#"5:49: fence.prefixes[0].lengths: is a list where a range belongs: write 20-28"#],
    );
}
