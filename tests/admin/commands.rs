//! The commands as people call them: what they print, and their exit codes.

use super::peer::Peer;
use super::until::BOUND;
use super::world::{HOSTS, NONE, World};
use fingerpost_core::bgp::wire::Capability;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What a command did: exit code, stdout and stderr.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) async fn fingerpost(socket: &std::path::Path, line: &str) -> Done {
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

/// Every `2026-03-14T15:09:26Z` becomes `MOMENT______________`, which is as long; so does one with milliseconds.
fn moments(text: &str) -> String {
    let text = &whole_seconds(text);
    const LENGTH: usize = "2026-03-14T15:09:26Z".len();
    let mut out = String::new();
    let mut rest = text.as_str();
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

const MOMENT: &str = "MOMENT______________";

/// `2026-03-14T15:09:26.535Z` becomes `2026-03-14T15:09:26Z`.
fn whole_seconds(text: &str) -> String {
    let mut out = String::new();
    for (n, part) in text.split('.').enumerate() {
        let is_fraction = part.get(..4).is_some_and(|start| start.ends_with('Z') && start[..3].parse::<u16>().is_ok());
        match (n, is_fraction) {
            (0, _) => out.push_str(part),
            (_, true) => out.push_str(&part[3..]),
            (_, false) => out.extend([".", part]),
        }
    }
    out
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
role      alone: there is no election
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
routes are withdrawn or moved: a person must approve while it is most of them
10.244.2.0/24  withdrawal  lab     MOMENT______________  person     node-b1 via 10.168.0.21  -   3 of the source's 3 \
routes are withdrawn or moved: a person must approve while it is most of them
10.244.3.0/24  withdrawal  lab     MOMENT______________  person     node-b1 via 10.168.0.21  -   3 of the source's 3 \
routes are withdrawn or moved: a person must approve while it is most of them
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
approve while it is most of them
              waits for a person: fingerpost approve 10.244.1.0/24, or deny
what happened:
  MOMENT______________  announced 10.244.1.0/24, host node-a1 via 10.168.0.11: a record says so
      record node-a1 of lab at revision 1
  MOMENT______________  held 10.244.1.0/24, host node-a1 via 10.168.0.11: a withdrawal: 3 of the source's 3 routes are \
withdrawn or moved: a person must approve while it is most of them
      record node-a1 of lab at revision 2
"
    );
    assert_eq!(world.prints("deny --source lab --kind withdrawal").await, "denied 3 held changes\n");
    assert_eq!(world.json("holds").await["holds"][0]["denied"], true);
    let overridden = "approved 1 held change, 1 of which had been denied\n";
    assert_eq!(world.prints("approve 10.244.1.0/24").await, overridden);
    let overridden = "approved 2 held changes, 2 of which had been denied\n";
    assert_eq!(world.prints("approve --all").await, overridden);
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
    let explained = world.prints("explain 10.244.2.0/24").await;
    let (present, past) = explained.split_once("what happened:\n").unwrap();
    assert_eq!(
        present,
        "\
withdrawn by order: host node-b1; fingerpost restore --host node-b1 takes that back
10.244.2.0/24: not announced
  forced      host node-b1 via 10.168.0.21, record node-b1 of lab at revision 1: a person has withdrawn its prefix or its \
host
"
    );
    let told: Vec<&str> = past.lines().filter(|line| line.starts_with("  MOMENT")).collect();
    assert!(told[1].starts_with("  MOMENT______________  order: freeze (by uid "), "{past}");
    assert!(told[2].contains("order: freeze (it was frozen already) (by uid "), "{past}");
    let last = "withdrawn 10.244.2.0/24, host node-b1 via 10.168.0.21: a person has withdrawn it by order (by uid ";
    assert!(told.last().unwrap().contains(last), "{past}");
    assert_eq!(
        world.prints("restore --host node-b1").await,
        "restored: what the sources say of it passes the guard (fingerpost explain, holds)\n"
    );
    assert_eq!(world.announced().await.len(), 3);
    orders_that_overlap(&world).await;
    assert_eq!(
        world.prints("withdraw --force --host node-b7").await,
        "withdrew 0 routes; this stands, for later ones too, until fingerpost restore --host node-b7\n\
         nothing that is announced is meant by it: is it spelt right?\n"
    );
    let json = world.json("withdraw 10.244.1.0/24 --force").await;
    assert_eq!(json["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_end_of_a_freeze_is_said_of_each_and_counted() {
    let world = World::ready(HOSTS, "").await;
    world.prints("freeze").await;
    assert!(!world.prints("status").await.contains("\nwaiting "), "nothing has changed yet");
    world.write_hosts(Some(
        "hosts:
  node-a1: { addresses: [10.168.0.12], subnets: [10.244.1.0/24] }
  node-b1: { addresses: [10.168.0.21], subnets: [10.244.2.0/24] }
  node-c1: { addresses: [10.168.0.31], subnets: [10.244.7.0/24] }
",
    ));
    world.until_status("three changes that wait", |status| status.waiting == 3).await;
    let status = world.prints("status").await;
    assert!(status.contains("\nwaiting   3 for fingerpost unfreeze: see waits in fingerpost routes\n"), "{status}");
    let mut routes: Vec<String> = world.prints("routes --no-headers").await.lines().map(str::to_owned).collect();
    routes.sort();
    let routes: Vec<Vec<&str>> = routes.iter().map(|route| route.split_whitespace().collect()).collect();
    let moves = ["10.244.1.0/24", "route,waits:move", "node-a1", "10.168.0.11"];
    assert_eq!(routes[0][..4], moves, "by what is announced");
    assert_eq!(routes[1], ["10.244.2.0/24", "route", "node-b1", "10.168.0.21", "lab"]);
    assert_eq!(routes[2][..4], ["10.244.3.0/24", "route,waits:withdrawal", "node-b1", "10.168.0.21"]);
    assert_eq!(routes[3], ["10.244.7.0/24", "waits", "node-c1", "10.168.0.31", "lab"]);
    let then = "for fingerpost unfreeze; then the guard judges it";
    for (prefix, says) in [
        (
            "10.244.1.0/24",
            format!(
                "10.244.1.0/24: announced, host node-a1 via 10.168.0.11\n  waits       a move, {then}\n  \
                 waits       host node-a1 via 10.168.0.12, record node-a1 of lab at revision 2: {then}\n"
            ),
        ),
        (
            "10.244.3.0/24",
            format!("10.244.3.0/24: announced, host node-b1 via 10.168.0.21\n  waits       a withdrawal, {then}\n"),
        ),
        (
            "10.244.7.0/24",
            format!(
                "10.244.7.0/24: not announced\n  \
                 waits       host node-c1 via 10.168.0.31, record node-c1 of lab at revision 2: {then}\n"
            ),
        ),
    ] {
        let explained = world.prints(&format!("explain {prefix}")).await;
        let (_, present) = explained.split_once("before fingerpost unfreeze\n").unwrap();
        assert_eq!(present.split("what happened:\n").next(), Some(says.as_str()), "{prefix}");
    }
    world.prints("unfreeze").await;
    world
        .until_announced(&[("10.244.1.0/24", "node-a1"), ("10.244.2.0/24", "node-b1"), ("10.244.7.0/24", "node-c1")])
        .await;
    assert_eq!(world.status().await.waiting, 0);
}

/// Of a prefix and of the host that owns it: who takes one of them back hears of the other.
async fn orders_that_overlap(world: &World) {
    let taken_back = "taken back, and withdrawn by another order as before, all or in part: fingerpost restore";
    for [first, second] in [["10.244.2.0/24", "--host node-b1"], ["--host node-b1", "10.244.2.0/24"]] {
        for what in [first, second, "10.244.1.0/24"] {
            world.prints(&format!("withdraw --force {what}")).await;
        }
        assert_eq!(world.prints(&format!("restore {first}")).await, format!("{taken_back} {second}\n"));
        for what in [second, "10.244.1.0/24"] {
            assert!(
                world.prints(&format!("restore {what}")).await.starts_with("restored: "),
                "nothing else bars {what}"
            );
        }
        assert_eq!(world.announced().await.len(), 3);
    }
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
        ("events --since 10x", 2, "write an event's number, or a time such as 30s, 10m, 2h or 1d"),
        ("events --since 99999", 2, "numbers begin anew with each start of the process"),
        ("events --prefix 10.244.1.1/24", 2, "fingerpost: 10.244.1.1/24 has host bits set: write 10.244.1.0/24"),
        ("events -n 0", 2, "0 is not in 1..=1000"),
        ("events --kind lost", 2, "invalid value"),
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

#[tokio::test(flavor = "multi_thread")]
async fn events_are_a_table_with_their_reasons() {
    let world = World::ready(HOSTS, "").await;
    // A moment without milliseconds is shorter, and the column with it.
    let table = world.prints("events").await;
    let rows: Vec<Vec<&str>> =
        table.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    let announced = |number, prefix, hop| vec![number, MOMENT, "announced", prefix, "-", hop, "a record says so"];
    assert_eq!(
        rows,
        [
            vec!["NUMBER", "TIME", "KIND", "ABOUT", "FROM", "TO", "REASON"],
            vec!["1", MOMENT, "reload", "-", "-", "-", "a configuration is in force, with 0 gateways"],
            vec!["2", MOMENT, "source", "lab", "-", "-", "current at revision 1: 2 records"],
            announced("3", "10.244.1.0/24", "node-a1 via 10.168.0.11"),
            announced("4", "10.244.2.0/24", "node-b1 via 10.168.0.21"),
            announced("5", "10.244.3.0/24", "node-b1 via 10.168.0.21"),
        ]
    );
    let narrow = world.prints("events --prefix 10.244.1.0/24 --since 1h -n 5 -o wide --no-headers").await;
    let cells: Vec<&str> = narrow.split_whitespace().collect();
    let expected = "announced 10.244.1.0/24 - node-a1 via 10.168.0.11 lab node-a1 1 - - a record says so";
    assert_eq!(cells[2..].join(" "), expected);
    let json = world.json("events --host node-b1").await;
    let prefixes: Vec<&str> =
        json["events"].as_array().unwrap().iter().map(|event| event["prefix"].as_str().unwrap()).collect();
    assert_eq!(prefixes, ["10.244.2.0/24", "10.244.3.0/24"]);
    assert_eq!(
        (&json["events"][0]["kind"], &json["events"][0]["to"]["host"]),
        (&"announced".into(), &"node-b1".into())
    );
    let nothing = world.run("events --kind withdrawn").await;
    let said = "nothing like that has happened, as far as is kept\n";
    assert_eq!((nothing.code, nothing.out.as_str(), nothing.err.as_str()), (Some(0), "", said));
}

/// Lines of a command that goes on, until it is dropped.
struct Following {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
}

impl World {
    fn follow(&self, line: &str) -> Following {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
        command.args(line.split(' ')).env("FINGERPOST_ADMIN", &self.socket).env_remove("FINGERPOST_CONFIG");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (to, lines) = mpsc::unbounded_channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| to.send(line)));
        Following { child, lines }
    }
}

impl Following {
    async fn next(&mut self) -> String {
        timeout(BOUND, self.lines.recv()).await.expect("nothing is printed").expect("it has ended")
    }

    async fn json(&mut self) -> Value {
        serde_json::from_str(&self.next().await).unwrap()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_reads_a_line_of_json_for_each_event_until_the_process_ends() {
    let world = World::ready(HOSTS, "").await;
    let mut following = world.follow("events --follow -o json --kind order");
    let mut table = world.follow("events -f --since 0 --kind announced --no-headers");
    for prefix in ["10.244.1.0/24", "10.244.2.0/24", "10.244.3.0/24"] {
        let line = table.next().await;
        assert!(line.contains(prefix) && line.ends_with("a record says so"), "{line}");
    }
    assert_eq!(world.json("withdraw --force 10.244.1.0/24").await["count"], 1);
    let event = following.json().await;
    assert_eq!((&event["kind"], &event["reason"]), (&"order".into(), &"withdraw prefix 10.244.1.0/24".into()));
    assert!(event["pid"].as_i64().unwrap() > 0, "{event}");
    assert!(world.prints("restore 10.244.1.0/24").await.starts_with("restored"));
    assert_eq!(following.json().await["reason"], "restore prefix 10.244.1.0/24");
    let line = table.next().await;
    assert!(line.contains("10.244.1.0/24") && line.ends_with("a person took the withdrawal by order back"), "{line}");
    world.stop_engine();
    assert_eq!(timeout(BOUND, following.lines.recv()).await.expect("it goes on"), None);
    assert_eq!(following.child.wait().unwrap().code(), Some(4));
}
