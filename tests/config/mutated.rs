//! No text makes reading panic, and whatever it says can be shown on a terminal.

use crate::{BASE, parse};
use proptest::prelude::*;

/// What users and machines write into such files.
const WORDS: [&str; 30] = [
    "null",
    "~",
    "true",
    "[]",
    "{}",
    "-1",
    "0",
    "4294967296",
    "1e999",
    ".nan",
    "0x10",
    "\"\"",
    "'",
    "\"\\e[31m\"",
    "&a",
    "*a",
    "<<: *a",
    "!!binary",
    "!x",
    "---",
    "...",
    "? ",
    ": ",
    "- ",
    "#",
    "\t",
    "::/0",
    "0.0.0.0/0",
    "99999999999999999999s",
    "\u{FEFF}",
];

#[derive(Clone, Debug)]
enum Mutation {
    Delete(prop::sample::Index, usize),
    Insert(prop::sample::Index, &'static str),
    Replace(prop::sample::Index, &'static str),
    Character(prop::sample::Index, char),
    RepeatLine(prop::sample::Index),
    Truncate(prop::sample::Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let place = any::<prop::sample::Index>;
    prop_oneof![
        (place(), 1..12_usize).prop_map(|(at, length)| Mutation::Delete(at, length)),
        (place(), prop::sample::select(&WORDS[..])).prop_map(|(at, word)| Mutation::Insert(at, word)),
        (place(), prop::sample::select(&WORDS[..])).prop_map(|(at, word)| Mutation::Replace(at, word)),
        (place(), any::<char>()).prop_map(|(at, c)| Mutation::Character(at, c)),
        place().prop_map(Mutation::RepeatLine),
        place().prop_map(Mutation::Truncate),
    ]
}

/// Everything the configuration can say.
const WHOLE: &str = r#"
router: { asn: 64512, id: 10.0.3.10, listen: ["0.0.0.0:1179"], restart_time: 120s }
sources:
  prod: { etcd: { endpoints: ["http://127.0.0.1:2379"] }, schema: { flannel: { prefix: /coreos.com/network } } }
  lab: { file: { path: hosts.yaml, poll: 1s }, priority: 7, allow_empty: true }
fence: { prefixes: [ { within: 10.244.0.0/16, lengths: 20-28 } ], next_hops: [ 10.168.0.0/16 ] }
gateways:
  a: { address: 10.168.0.1, port: 179, asn: 64500, policy: all, multihop: 3, ttl_security: 3, interface: eth0, families: [ipv4], passive: true,
       timers: { keepalive: 10s, hold: 30s }, attached: [10.168.0.0/24], graceful_restart: { restart_time: 5m } }
policies:
  all:
    - match: { prefixes: [ { within: 10.244.0.0/16, lengths: 24 } ], hosts: [a], labels: { zone: a }, sources: [lab] }
      set: { med: 5, communities: ["64512:1", no-export], extended_communities: ["rt:1:2", "0x0002000100000002"],
             large_communities: ["1:2:3"], prepend: 2, next_hop: 10.168.0.9 }
      then: accept
http: { listen: "127.0.0.1:9179" }
log: { format: json, level: debug }
"#;

fn apply(text: &str, mutation: &Mutation) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let place = |at: &prop::sample::Index| at.index(chars.len() + 1);
    match mutation {
        Mutation::Delete(at, length) => {
            let at = place(at);
            chars.drain(at..(at + length).min(chars.len()));
        }
        Mutation::Insert(at, word) => {
            let at = place(at);
            chars.splice(at..at, word.chars());
        }
        Mutation::Replace(at, word) => {
            // A whole value: up to what ends one.
            let at = place(at);
            let end = chars[at..].iter().position(|c| " ,]}\n".contains(*c)).map_or(chars.len(), |n| at + n);
            chars.splice(at..end, word.chars());
        }
        Mutation::Character(at, c) => chars.insert(place(at), *c),
        Mutation::RepeatLine(at) => {
            let mut lines: Vec<&str> = text.lines().collect();
            if !lines.is_empty() {
                let line = at.index(lines.len());
                lines.insert(line, lines[line]);
            }
            return lines.join("\n");
        }
        Mutation::Truncate(at) => chars.truncate(at.index(chars.len() + 1)),
    }
    chars.into_iter().collect()
}

fn holds(text: &str) {
    let said = match parse(text) {
        Ok(config) => config.warnings,
        Err(faults) => {
            assert!(!faults.faults.is_empty(), "refused without a reason");
            faults.faults
        }
    };
    let lines = text.split(['\n', '\r']).count();
    for fault in &said {
        assert!((1..=lines + 1).contains(&(fault.line as usize)), "no such line: {fault:?}");
        assert!(!fault.to_string().chars().any(char::is_control), "{fault:?}");
    }
    assert!(said.is_sorted_by_key(|fault| (fault.line, fault.column)), "{said:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_mutation_panics(whole in any::<bool>(), mutations in prop::collection::vec(mutation(), 1..6)) {
        let base = if whole { WHOLE.to_owned() } else { BASE.join("\n") };
        holds(&mutations.iter().fold(base, |text, mutation| apply(&text, mutation)));
    }

    #[test]
    fn no_text_panics(text in "(?s).{0,200}") {
        holds(&text);
    }
}

#[test]
fn what_the_mutations_start_from_is_right() {
    parse(WHOLE).unwrap_or_else(|faults| panic!("{faults}"));
}

/// Deep nesting and aliases of aliases are refused long before memory or stack run out.
#[test]
fn hostile_files_are_refused_quickly() {
    let deep = format!("a: {}1{}", "[".repeat(5000), "]".repeat(5000));
    let nested = format!("a: {}1{}", "{a: ".repeat(40), "}".repeat(40));
    let aliases: String = (1..8)
        .map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 20].join(", ")))
        .fold("a0: &a0 [1]\n".to_owned(), |text, line| text + &line);
    let chained: String = (1..8)
        .map(|n| format!("a{n}: &a{n} {}*a{}{}\n", "[".repeat(12), n - 1, "]".repeat(12)))
        .fold("a0: &a0 [1]\n".to_owned(), |text, line| text + &line);
    for text in [deep, nested, aliases, chained] {
        let faults = parse(&text).unwrap_err();
        assert!(faults.faults[0].message.starts_with("not valid YAML: "), "{faults}");
    }
}
