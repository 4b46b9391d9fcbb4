//! The commands as people call them: what they print, and their exit codes.

use super::peer::Peer;
use super::world::{HOSTS, NONE, World};
use fingerpost_core::bgp::wire::Capability;
use serde_json::Value;
use std::process::Command;

/// What a command did: exit code, stdout and stderr.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

async fn fingerpost(socket: &std::path::Path, line: &str) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
    command.args(line.split(' ')).env("FINGERPOST_ADMIN", socket).env_remove("FINGERPOST_CONFIG");
    done(command).await
}

pub(crate) async fn done(mut command: Command) -> Done {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    Done { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

impl World {
    pub(crate) async fn run(&self, line: &str) -> Done {
        fingerpost(&self.socket, line).await
    }

    /// Exit code 0 and nothing on stderr: what it printed, with moments as MOMENT and columns after them as they come.
    pub(crate) async fn prints(&self, line: &str) -> String {
        let done = self.run(line).await;
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{line}: {}", done.out);
        moments(&done.out)
    }

    async fn json(&self, line: &str) -> Value {
        let done = self.run(&format!("{line} -o json")).await;
        assert_eq!(done.code, Some(0), "{line}: {done:?}");
        serde_json::from_str(&done.out).unwrap()
    }
}

/// Every `2026-03-14T15:09:26Z` becomes `MOMENT______________`, which is as long.
fn moments(text: &str) -> String {
    const LENGTH: usize = "2026-03-14T15:09:26Z".len();
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('T') {
        let start = at.checked_sub(10);
        let moment = start.and_then(|start| rest.get(start..start + LENGTH));
        let is = moment.is_some_and(|moment| {
            moment.ends_with('Z') && moment.starts_with("20") && moment.bytes().filter(u8::is_ascii_digit).count() == 14
        });
        match (start, is) {
            (Some(start), true) => {
                out.push_str(&rest[..start]);
                out.push_str("MOMENT______________");
                rest = &rest[start + LENGTH..];
            }
            _ => {
                out.push_str(&rest[..=at]);
                rest = &rest[at + 1..];
            }
        }
    }
    out + rest
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_are_a_plain_table() {
    let world = World::ready(HOSTS, "").await;
    assert_eq!(
        world.prints("routes").await,
        "\
PREFIX         STATE  HOST     NEXT-HOP     SOURCE
10.244.1.0/24  route  node-a1  10.168.0.11  lab
10.244.2.0/24  route  node-b1  10.168.0.21  lab
10.244.3.0/24  route  node-b1  10.168.0.21  lab
"
    );
    assert_eq!(
        world.prints("routes 10.244.1.9 --no-headers").await,
        "10.244.1.0/24  route  node-a1  10.168.0.11  lab\n"
    );
    assert_eq!(
        world.prints("routes --host node-a1 -o wide").await,
        "\
PREFIX         STATE  HOST     NEXT-HOP     SOURCE  KEY      REVISION  REASON
10.244.1.0/24  route  node-a1  10.168.0.11  lab     node-a1  1         -
"
    );
    let json = world.json("routes 10.244.1.0/24").await;
    assert_eq!(json["routes"][0]["claims"][0]["standing"], "route");
    assert_eq!(json["routes"][0]["relation"], "exact");
    assert!(json["routes"][0]["hold"].is_null());
    let yaml = world.prints("routes 10.244.1.0/24 -o yaml").await;
    assert!(yaml.contains("  prefix: 10.244.1.0/24\n") || yaml.contains("- prefix: 10.244.1.0/24\n"), "{yaml}");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_says_what_is_so_and_gateways_are_a_table() {
    let peer = Peer::listen().await;
    let world = World::ready(HOSTS, &peer.yaml("core-a")).await;
    let capabilities = vec![Capability::MultiProtocol { afi: 1, safi: 1 }, Capability::FourOctetAs(64500)];
    let _session = peer.establish(capabilities).await;
    world.until_status("a session", |status| status.established == 1).await;
    assert_eq!(
        world.prints("status").await,
        concat!(
            "version   ",
            env!("CARGO_PKG_VERSION"),
            "
started   MOMENT______________
config    in force
frozen    no
routes    3 ipv4, 0 ipv6
gateways  1 of 1 established
held      0
forced    0

SOURCE  STATE    SINCE  REVISION  RECORDS  ROUTES  HELD  QUARANTINED  UNRESOLVED  WHY
lab     current  -      1         2        3       0     0            0           -
"
        )
    );
    let json = world.json("gateways core-a").await;
    let gateway = &json["gateways"][0];
    assert_eq!((&gateway["state"], &gateway["asn"]), (&"Established".into(), &64500.into()));
    let table = world.prints("gateways").await;
    let heads: Vec<_> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heads, ["NAME", "ADDRESS", "AS", "MSGRCVD", "MSGSENT", "LAG", "SINCE", "STATE", "EXPORTED"]);
    let row: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((row[0], row[2], row[7], row[8]), ("core-a", "64500", "Established", "3"), "{table}");
    assert_eq!(world.prints("refresh core-a").await, "core-a is sent everything again: ipv4\n");
    let explained = world.prints("explain 10.244.1.0/24").await;
    assert!(explained.contains("gateways, for 10.244.1.0/24:\n  GATEWAY  STATE"), "{explained}");
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_are_listed_explained_approved_and_denied() {
    let world = World::ready(HOSTS, "").await;
    let nothing = world.run("holds").await;
    assert_eq!((nothing.code, nothing.out.as_str(), nothing.err.as_str()), (Some(0), "", "nothing is held\n"));
    world.write_hosts(Some(NONE));
    world.until_held(3).await;
    assert_eq!(
        world.prints("holds").await,
        "\
PREFIX         KIND        SOURCE  SINCE                 WAITS-FOR  FROM                     TO  REASON
10.244.1.0/24  withdrawal  lab     MOMENT______________  person     node-a1 via 10.168.0.11  -   3 of the source's 3 \
routes are withdrawn or moved: a person must approve
10.244.2.0/24  withdrawal  lab     MOMENT______________  person     node-b1 via 10.168.0.21  -   3 of the source's 3 \
routes are withdrawn or moved: a person must approve
10.244.3.0/24  withdrawal  lab     MOMENT______________  person     node-b1 via 10.168.0.21  -   3 of the source's 3 \
routes are withdrawn or moved: a person must approve
"
    );
    assert_eq!(
        world.prints("routes 10.244.1.0/24").await,
        "\
PREFIX         STATE                  HOST     NEXT-HOP     SOURCE
10.244.1.0/24  route,held:withdrawal  node-a1  10.168.0.11  lab
"
    );
    assert_eq!(
        world.prints("explain 10.244.1.0/24").await,
        "\
10.244.1.0/24: announced, host node-a1 via 10.168.0.11
  held        a withdrawal, since MOMENT______________: 3 of the source's 3 routes are withdrawn or moved: a person must \
approve
              waits for a person: fingerpost approve 10.244.1.0/24, or deny
"
    );
    assert_eq!(world.prints("deny --source lab --kind withdrawal").await, "denied 3 held changes\n");
    assert_eq!(world.json("holds").await["holds"][0]["denied"], true);
    assert_eq!(world.prints("approve 10.244.1.0/24").await, "approved 1 held change\n");
    assert_eq!(world.prints("approve --host node-b1").await, "approved 2 held changes\n");
    let again = world.run("approve --all").await;
    assert_eq!(again.code, Some(3));
    assert_eq!(again.err, "fingerpost: nothing like that is held: fingerpost holds lists what is\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn freezing_and_withdrawing_say_what_they_did() {
    let world = World::ready(HOSTS, "").await;
    let since = "since MOMENT______________: nothing changes at any gateway before fingerpost unfreeze\n";
    assert_eq!(world.prints("freeze").await, format!("frozen {since}"));
    assert_eq!(world.prints("freeze").await, format!("was frozen already {since}"));
    assert_eq!(
        world.prints("unfreeze").await,
        "not frozen any more: what came meanwhile passes the guard (fingerpost holds)\n"
    );
    assert_eq!(world.prints("unfreeze").await, "was not frozen\n");
    assert_eq!(
        world.prints("withdraw --force --host node-b1").await,
        "withdrew 2 routes; this stands, for later ones too, until fingerpost restore --host node-b1\n"
    );
    assert_eq!(world.prints("forced").await, "WHAT  NAME\nhost  node-b1\n");
    assert_eq!(world.json("forced").await["forced"][0]["target"]["host"], "node-b1");
    assert_eq!(
        world.prints("explain 10.244.2.0/24").await,
        "\
withdrawn by order: host node-b1; fingerpost restore --host node-b1 takes that back
10.244.2.0/24: not announced
  forced      host node-b1 via 10.168.0.21, record node-b1 of lab at revision 1: a person has withdrawn its prefix or its \
host
"
    );
    assert_eq!(
        world.prints("restore --host node-b1").await,
        "restored: what the sources say of it passes the guard (fingerpost explain, holds)\n"
    );
    assert_eq!(world.announced().await.len(), 3);
    let json = world.json("withdraw 10.244.1.0/24 --force").await;
    assert_eq!(json["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_fail_has_its_exit_code() {
    let world = World::ready(HOSTS, "").await;
    for (line, code, says) in [
        ("approve", 2, "required"),
        ("approve 10.244.1.0/24 --all", 2, "cannot be used with"),
        ("approve --kind move --all", 2, "cannot be used with"),
        ("approve --kind move", 2, "--source"),
        ("withdraw 10.244.1.0/24", 2, "--force"),
        ("withdraw --force", 2, "required"),
        ("routes -o xml", 2, "invalid value"),
        ("routes 10.244.1.1/24", 2, "fingerpost: 10.244.1.1/24 has host bits set: write 10.244.1.0/24"),
        ("approve 10.244.1.1/24", 2, "fingerpost: 10.244.1.1/24 has host bits set: write 10.244.1.0/24"),
        ("routes 10.99.0.0/24", 3, "fingerpost: nobody claims such a prefix"),
        ("explain node-z9", 3, "fingerpost: nothing is known of node-z9: no record states it"),
        ("gateways core-z", 3, "fingerpost: no gateway is named \"core-z\": fingerpost gateways lists them"),
        ("refresh core-z", 3, "fingerpost: no gateway is named \"core-z\": fingerpost gateways lists them"),
        ("restore 10.244.1.0/24", 3, "was not withdrawn by order: fingerpost forced lists what was"),
        ("approve --source prod", 3, "fingerpost: no source is named \"prod\": fingerpost status lists them"),
        ("status --admin /nowhere/admin.sock", 4, "is it running with admin.listen set? name its socket by --admin"),
    ] {
        let done = world.run(line).await;
        assert_eq!(done.code, Some(code), "{line}: {done:?}");
        assert!(done.err.contains(says) && done.out.is_empty(), "{line}: {done:?}");
    }
    assert_eq!(world.announced().await.len(), 3, "nothing of that changed anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_found_by_the_configuration_too() {
    let world = World::ready(HOSTS, "").await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
    command.args(["routes", "--no-headers", "--config"]).arg(world.config()).env_remove("FINGERPOST_ADMIN");
    let found = done(command).await;
    assert_eq!((found.code, found.out.lines().count()), (Some(0), 3), "{found:?}");
}
