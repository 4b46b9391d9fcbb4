//! `http`, `admin`, `log`, `state_dir`, `timeline`.

use crate::refuses;

#[test]
fn a_wrong_service_is_refused() {
    refuses(
        "http without a listener",
        7,
        r#"http: {}
gateways:"#,
        &[r#"7:1: http.listen: missing: say where, such as 127.0.0.1:9179"#],
    );
    refuses(
        "http with only a port",
        7,
        r#"http: { listen: ":9179" }
gateways:"#,
        &[
            r#"7:17: http.listen: ":9179" is not an address with a port: write ADDRESS:PORT, such as 0.0.0.0:1179 or "[::]:1179""#,
        ],
    );
    refuses(
        "admin without a listener",
        7,
        r#"admin: {}
gateways:"#,
        &[r#"7:1: admin.listen: missing: say where, such as unix:/run/fingerpost/admin.sock"#],
    );
    refuses(
        "admin on TCP",
        7,
        r#"admin: { listen: "127.0.0.1:9180" }
gateways:"#,
        &[
            r#"7:18: admin.listen: "127.0.0.1:9180" is not the absolute path of a Unix socket: write unix:/run/fingerpost/admin.sock"#,
        ],
    );
    refuses(
        "admin at a path that depends on where the process began",
        7,
        r#"admin: { listen: "unix:admin.sock" }
gateways:"#,
        &[
            r#"7:18: admin.listen: "unix:admin.sock" is not the absolute path of a Unix socket: write unix:/run/fingerpost/admin.sock"#,
        ],
    );
    refuses(
        "log",
        7,
        r#"log: { format: txt, level: verbose }
gateways:"#,
        &[
            r#"7:16: log.format: "txt" is not known here: did you mean text?"#,
            r#"7:28: log.level: "verbose" is not known here: write one of error, warn, info, debug, trace"#,
        ],
    );
    refuses(
        "log is a word",
        7,
        r#"log: debug
gateways:"#,
        &[r#"7:6: log: is text where a map of keys belongs: write its keys indented below it, or {} for none"#],
    );
    refuses(
        "state_dir without a value",
        7,
        r#"state_dir:
gateways:"#,
        &[r#"7:10: state_dir: has no value: give it one, or remove the key"#],
    );
}

#[test]
fn a_wrong_timeline_is_refused() {
    refuses(
        "too many events",
        7,
        r#"timeline: { events: 2000000 }
gateways:"#,
        &[r#"7:21: timeline.events: 2000000 is out of range: write a whole number from 0 to 1000000"#],
    );
    refuses(
        "a file of nothing",
        7,
        r#"timeline: { events: 0, file: /tmp/events.jsonl }
gateways:"#,
        &[
            r#"7:30: timeline.file: nothing is written to it while timeline.events is 0: keep at least one event, better the default"#,
        ],
    );
}
