//! `sources`.

use crate::refuses;

#[test]
fn a_wrong_source_is_refused() {
    refuses(
        "no source",
        3,
        r#"  {}"#,
        &[r#"3:3: sources: is empty: there is nothing to announce: say where the records are"#],
    );
    refuses(
        "a name with a space",
        3,
        r#"  "my etcd": { file: { path: hosts.yaml } }"#,
        &[r#"3:3: sources.my etcd: is no name: write 1 to 63 letters, digits, dots, hyphens and underscores"#],
    );
    refuses(
        "neither etcd nor file",
        3,
        r#"  prod: { priority: 1 }"#,
        &[r#"3:3: sources.prod: says not where its records are: give it a key etcd or file"#],
    );
    refuses(
        "both etcd and file",
        3,
        r#"  prod: { etcd: { endpoints: ["http://127.0.0.1:2379"] }, file: { path: x }, schema: { native: {} } }"#,
        &[r#"3:59: sources.prod.file: etcd and file exclude each other: make two sources of it"#],
    );
    refuses(
        "kubernetes",
        3,
        r#"  prod: { kubernetes: {}, schema: { nodes: {} } }"#,
        &[
            r#"3:11: sources.prod.kubernetes: is not yet supported: remove it"#,
            r#"3:37: sources.prod.schema.nodes: is not yet supported: remove it"#,
        ],
    );
    refuses(
        "a schema as a word",
        3,
        r#"  prod: { etcd: { endpoints: ["http://127.0.0.1:2379"] }, schema: native }"#,
        &[r#"3:67: sources.prod.schema: is text where a map of keys belongs: write { native: {} }"#],
    );
    refuses(
        "no schema",
        3,
        r#"  prod: { etcd: { endpoints: ["http://127.0.0.1:2379"] } }"#,
        &[
            r#"3:3: sources.prod.schema: missing: say how the records are written, such as {flannel: {}} or {native: {}}"#,
        ],
    );
    refuses(
        "a schema without a name",
        3,
        r#"  prod: { etcd: { endpoints: ["http://127.0.0.1:2379"] }, schema: {} }"#,
        &[r#"3:59: sources.prod.schema: names no schema: write {native: {}} or {flannel: {}}"#],
    );
    refuses(
        "two schemas",
        3,
        r#"  prod: { etcd: { endpoints: ["http://127.0.0.1:2379"] }, schema: { native: {}, flannel: {} } }"#,
        &[r#"3:81: sources.prod.schema.flannel: a source has one schema: make two sources of it"#],
    );
    refuses(
        "a schema that is not built",
        3,
        r#"  prod: { etcd: { endpoints: ["http://127.0.0.1:2379"] }, schema: { calico: {} } }"#,
        &[r#"3:69: sources.prod.schema.calico: is not yet supported: remove it"#],
    );
    refuses(
        "an empty prefix",
        3,
        r#"  prod: { etcd: { endpoints: ["http://127.0.0.1:2379"] }, schema: { native: { prefix: "//" } } }"#,
        &[
            r#"3:87: sources.prod.schema.native.prefix: is only slashes: write the keys' beginning, such as /fingerpost"#,
        ],
    );
    refuses(
        "a file with a schema",
        3,
        r#"  lab: { file: { path: hosts.yaml }, schema: { native: {} } }"#,
        &[r#"3:38: sources.lab.schema: a file has its own form: remove schema"#],
    );
    refuses(
        "a file without a path",
        3,
        r#"  lab: { file: {} }"#,
        &[r#"3:10: sources.lab.file.path: missing: name the file with the hosts"#],
    );
    refuses(
        "a poll that is too short, and a priority that is too high",
        3,
        r#"  lab: { file: { path: hosts.yaml, poll: 1ms }, priority: 65536, allow_empty: yes }"#,
        &[
            r#"3:42: sources.lab.file.poll: "1ms" is out of range: write 100ms to 1h"#,
            r#"3:59: sources.lab.priority: 65536 is out of range: write a whole number from 0 to 65535"#,
            r#"3:79: sources.lab.allow_empty: is text where true or false belongs: write true or false"#,
        ],
    );
    refuses(
        "endpoints that are none",
        3,
        r#"  prod: { etcd: { endpoints: ["127.0.0.1:2379", "http://127.0.0.1", "ftp://a:1", "http://a/b:1", "http://[::g]:1", "http://a:0"] }, schema: { native: {} } }"#,
        &[
            r#"3:31: sources.prod.etcd.endpoints[0]: "127.0.0.1:2379" is not an http or https URL with host and port: write one such as https://10.0.3.2:2379"#,
            r#"3:49: sources.prod.etcd.endpoints[1]: "http://127.0.0.1" is not an http or https URL with host and port: write one such as https://10.0.3.2:2379"#,
            r#"3:69: sources.prod.etcd.endpoints[2]: "ftp://a:1" is not an http or https URL with host and port: write one such as https://10.0.3.2:2379"#,
            r#"3:82: sources.prod.etcd.endpoints[3]: "http://a/b:1" is not an http or https URL with host and port: write one such as https://etcd-0.example:2379 or https://[fd00::2]:2379"#,
            r#"3:98: sources.prod.etcd.endpoints[4]: "http://[::g]:1" is not an http or https URL with host and port: write one such as https://etcd-0.example:2379 or https://[fd00::2]:2379"#,
            r#"3:116: sources.prod.etcd.endpoints[5]: "http://a:0" is not an http or https URL with host and port: write one such as https://etcd-0.example:2379 or https://[fd00::2]:2379"#,
        ],
    );
    refuses(
        "no endpoints",
        3,
        r#"  prod: { etcd: { endpoints: [] }, schema: { native: {} } }"#,
        &[r#"3:30: sources.prod.etcd.endpoints: is empty: list at least one, such as https://10.0.3.2:2379"#],
    );
    refuses(
        "an endpoint twice",
        3,
        r#"  prod: { etcd: { endpoints: ["http://a:1", "http://a:1/"] }, schema: { native: {} } }"#,
        &[r#"3:45: sources.prod.etcd.endpoints[1]: http://a:1 stands twice: remove one of the two"#],
    );
    refuses(
        "a password in an endpoint is not repeated",
        3,
        r#"  prod: { etcd: { endpoints: ["http://root:hunter2@a:1"] }, schema: { native: {} } }"#,
        &[
            r#"3:31: sources.prod.etcd.endpoints[0]: has a user or password in it: give user and password_file beside endpoints"#,
        ],
    );
    refuses(
        "http and https",
        3,
        r#"  prod: { etcd: { endpoints: ["http://a:1", "https://b:1"] }, schema: { native: {} } }"#,
        &[r#"3:31: sources.prod.etcd.endpoints[0]: http and https are mixed: use one of them for all endpoints"#],
    );
    refuses(
        "https without tls",
        3,
        r#"  prod: { etcd: { endpoints: ["https://b:1"] }, schema: { native: {} } }"#,
        &[
            r#"3:11: sources.prod.etcd.tls: missing: the endpoints are https: give tls: {ca: FILE}, the authority that signed etcd's certificate"#,
        ],
    );
    refuses(
        "a user without a password",
        3,
        r#"  prod: { etcd: { endpoints: ["http://a:1"], user: root }, schema: { native: {} } }"#,
        &[r#"3:11: sources.prod.etcd.password_file: missing: user is given: name the file with the user's password"#],
    );
    refuses(
        "a password where a file belongs",
        3,
        r#"  prod: { etcd: { endpoints: ["http://a:1"], user: root, password: hunter2 }, schema: { native: {} } }"#,
        &[
            r#"3:11: sources.prod.etcd.password_file: missing: user is given: name the file with the user's password"#,
            r#"3:58: sources.prod.etcd.password: unknown key: secrets are read from files: use password_file"#,
        ],
    );
}
