//! `router`.

use crate::refuses;

#[test]
fn a_wrong_router_is_refused() {
    refuses(
        "everything required is missing",
        1,
        r#"router: {}"#,
        &[
            r#"1:1: router.asn: missing: give the number of our AS, such as 64512"#,
            r#"1:1: router.id: missing: give an identifier, usually an IPv4 address of this machine"#,
        ],
    );
    refuses(
        "AS 0",
        1,
        r#"router: { asn: 0, id: 10.0.3.10, listen: ["0.0.0.0:1179"] }"#,
        &[r#"1:16: router.asn: "0" is not an AS number: write a whole number from 1 to 4294967295"#],
    );
    refuses(
        "an AS number with a dot",
        1,
        r#"router: { asn: "1.10", id: 10.0.3.10, listen: ["0.0.0.0:1179"] }"#,
        &[r#"1:16: router.asn: "1.10" is not an AS number: write a whole number from 1 to 4294967295"#],
    );
    refuses(
        "an AS number as a decimal fraction",
        1,
        r#"router: { asn: 1.10, id: 10.0.3.10, listen: ["0.0.0.0:1179"] }"#,
        &[r#"1:16: router.asn: is a decimal fraction where text belongs: put it in quotes if that is what is meant"#],
    );
    refuses(
        "an AS number beyond four octets",
        1,
        r#"router: { asn: 4294967296, id: 10.0.3.10, listen: ["0.0.0.0:1179"] }"#,
        &[r#"1:16: router.asn: "4294967296" is not an AS number: write a whole number from 1 to 4294967295"#],
    );
    refuses(
        "identifier 0.0.0.0",
        1,
        r#"router: { asn: 64512, id: 0.0.0.0, listen: ["0.0.0.0:1179"] }"#,
        &[
            r#"1:27: router.id: "0.0.0.0" is not a BGP identifier: write it like an IPv4 address other than 0.0.0.0 (RFC 6286)"#,
        ],
    );
    refuses(
        "identifier is an IPv6 address",
        1,
        r#"router: { asn: 64512, id: "fd00::1", listen: ["0.0.0.0:1179"] }"#,
        &[
            r#"1:27: router.id: "fd00::1" is not a BGP identifier: write it like an IPv4 address other than 0.0.0.0 (RFC 6286)"#,
        ],
    );
    refuses(
        "listen without a port",
        1,
        r#"router: { asn: 64512, id: 10.0.3.10, listen: ["0.0.0.0", 1179, "host:1179"] }"#,
        &[
            r#"1:47: router.listen[0]: "0.0.0.0" is not an address with a port: write ADDRESS:PORT, such as 0.0.0.0:1179 or "[::]:1179""#,
            r#"1:58: router.listen[1]: is a number where an address with a port belongs: write ADDRESS:PORT, such as 0.0.0.0:1179 or "[::]:1179""#,
            r#"1:64: router.listen[2]: "host:1179" is not an address with a port: write ADDRESS:PORT, such as 0.0.0.0:1179 or "[::]:1179""#,
        ],
    );
    refuses(
        "listen is no list",
        1,
        r#"router: { asn: 64512, id: 10.0.3.10, listen: "0.0.0.0:1179" }"#,
        &[r#"1:46: router.listen: is text where a list belongs: write [ADDRESS:PORT, …]"#],
    );
    refuses(
        "listen twice",
        1,
        r#"router: { asn: 64512, id: 10.0.3.10, listen: ["0.0.0.0:1179", "0.0.0.0:1179"] }"#,
        &[r#"1:63: router.listen[1]: 0.0.0.0:1179 stands twice: remove one of the two"#],
    );
    refuses(
        "restart times",
        1,
        r#"router: { asn: 64512, id: 10.0.3.10, restart_time: 4096s }"#,
        &[r#"1:52: router.restart_time: "4096s" is out of range: write 1s to 4095s"#],
    );
    refuses(
        "a restart time without a unit",
        1,
        r#"router: { asn: 64512, id: 10.0.3.10, restart_time: 120 }"#,
        &[
            r#"1:52: router.restart_time: is a number where a span of time belongs: write a number and its unit, 1s to 4095s"#,
        ],
    );
}
