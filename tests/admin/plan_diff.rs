//! `fingerpost plan --diff`: what a reload would change at the gateways of a running process.

use super::address::address;
use super::commands::{Done, done};
use super::peer::{Peer, Session};
use super::until::until;
use super::world::{HOSTS, World};
use fingerpost::admin::proto::target::Which;
use fingerpost::admin::proto::{FreezeRequest, ListToldRequest, Target, WithdrawRequest};
use fingerpost_core::bgp::wire::Capability;
use serde_json::Value;
use std::process::{Child, Command, Stdio};

/// A service whose gateway is told everything.
async fn running() -> (World, Peer, Session) {
    let peer = Peer::listen().await;
    let world = World::ready(HOSTS, &peer.yaml("core-a")).await;
    let capabilities = vec![Capability::MultiProtocol { afi: 1, safi: 1 }, Capability::FourOctetAs(64500)];
    let session = peer.establish(capabilities).await;
    until("the engine's part of the session", async || {
        let gateway = world.gateway().await;
        if gateway.families.iter().any(|family| family.negotiated) { Ok(()) } else { Err(gateway) }
    })
    .await;
    (world, peer, session)
}

impl World {
    /// The plan of the running configuration in which the one text is replaced by the other.
    async fn planned(&self, from: &str, to: &str, options: &str) -> Done {
        let text = std::fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        let next = self.path().join("next.yaml");
        std::fs::write(&next, text.replace(from, to)).unwrap();
        let options = options.split_whitespace();
        let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
        command.args(["plan", "--diff", "--config"]).arg(next).args(options).env_remove("FINGERPOST_ADMIN");
        done(command).await
    }

    /// The same, with what it prints up to the first empty line.
    async fn differs(&self, from: &str, to: &str) -> String {
        let done = self.planned(from, to, "").await;
        assert_eq!((done.code, done.err.as_str()), (Some(5), ""), "{}", done.out);
        done.out.split("\n\n").next().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_running_configuration_differs_in_nothing() {
    let (world, _peer, _session) = running().await;
    let done = world.planned("", "", "").await;
    assert_eq!(
        done.out,
        "source lab: 2 records, 3 routes, revision 1\ngateway core-a: 0 added, 0 changed, 0 withdrawn, 3 the same\n"
    );
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert_eq!(world.gateway().await.established_count, 1, "no session was touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_policy_changes_what_it_sets_and_takes_away_what_it_rejects() {
    let (world, _peer, _session) = running().await;
    let other = "{ match: { hosts: [node-a1] }, then: reject }, { match: {}, set: { med: 60";
    assert_eq!(
        world.differs("{ match: {}, set: { communities: [\"64512:1\"], med: 50", other).await,
        concat!(
            "   GATEWAY  PREFIX         NOW                                       PLANNED              REASON\n",
            "-  core-a   10.244.1.0/24  10.168.0.11, med 50, communities 64512:1  -                    its policy lets no such route through\n",
            "~  core-a   10.244.2.0/24  10.168.0.21, med 50, communities 64512:1  10.168.0.21, med 60  -\n",
            "~  core-a   10.244.3.0/24  10.168.0.21, med 50, communities 64512:1  10.168.0.21, med 60  -",
        )
    );
    let done = world.planned("med: 50", "med: 60", "-o json").await;
    assert_eq!(done.code, Some(5));
    let json: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((&json["same"], &json["complete"]), (&false.into(), &true.into()));
    assert_eq!(json["changes"][0]["change"], "changed");
    assert_eq!((&json["changes"][0]["now"]["med"], &json["changes"][0]["planned"]["med"]), (&50.into(), &60.into()));
    assert_eq!(json["gateways"][0]["changed"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrower_fence_takes_away_what_lies_outside() {
    let (world, _peer, _session) = running().await;
    let changes = world.differs("within: 10.244.0.0/16, lengths: 16-32", "within: 10.244.2.0/23, lengths: 23-32").await;
    assert!(changes.ends_with("-  core-a   10.244.1.0/24  10.168.0.11, med 50, communities 64512:1  -        fenced: the prefix lies in none of fence.prefixes"), "{changes}");
    assert_eq!(changes.lines().count(), 2, "{changes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_move_come_or_go_are_told_by_host_and_record() {
    let (world, _peer, _session) = running().await;
    // Another store: a reload cannot change it, but a person may ask.
    let hosts = "hosts:
  node-a1: { addresses: [10.168.0.19], subnets: [10.244.1.0/24] }
  node-c1: { addresses: [10.168.0.31], subnets: [10.244.2.0/24, 10.244.9.0/24] }
";
    std::fs::write(world.path().join("next-hosts.yaml"), hosts).unwrap();
    assert_eq!(
        world.differs("path: hosts.yaml", "path: next-hosts.yaml").await,
        concat!(
            "   GATEWAY  PREFIX         NOW                                       PLANNED                                   REASON\n",
            "~  core-a   10.244.1.0/24  10.168.0.11, med 50, communities 64512:1  10.168.0.19, med 50, communities 64512:1  -\n",
            "~  core-a   10.244.2.0/24  10.168.0.21, med 50, communities 64512:1  10.168.0.31, med 50, communities 64512:1  from host node-b1 to node-c1, record node-c1 of lab\n",
            "-  core-a   10.244.3.0/24  10.168.0.21, med 50, communities 64512:1  -                                         no record states it\n",
            "+  core-a   10.244.9.0/24  -                                         10.168.0.31, med 50, communities 64512:1  host node-c1, record node-c1 of lab",
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_that_come_and_go_are_differences() {
    let (world, peer, _session) = running().await;
    let new = "core-new: { address: 10.168.0.1, asn: 64500, policy: default }";
    let done = world.planned(&peer.yaml("core-a"), new, "").await;
    assert_eq!(done.code, Some(5));
    let out = &done.out;
    assert_eq!(out.lines().filter(|line| line.starts_with("+  core-new")).count(), 3, "{out}");
    assert!(out.contains("-  core-a    -              3 routes  "), "{out}");
    assert!(
        out.contains(
            "gateway core-new: 3 added, 0 changed, 0 withdrawn, 0 the same; the running process does not know it"
        ),
        "{out}"
    );
    // Asked for one, nothing is said of others.
    let done = world.planned(&peer.yaml("core-a"), new, "--gateway core-new").await;
    assert!(!done.out.contains("core-a"), "{}", done.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_a_session_is_compared_with_what_it_would_be_told() {
    let gateway = format!("address: {}, port: 1, asn: 64500, policy: default, attached: [10.168.0.0/28]", address());
    let world = World::ready(HOSTS, &format!("core-a: {{ {gateway} }}")).await;
    let done = world.planned("", "", "").await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.out.contains("1 the same; without a session now: compared with what it would be told of\n"),
        "{}",
        done.out
    );
    let changes = world.differs("med: 50", "med: 60").await;
    assert_eq!(changes.lines().count(), 2, "what is excluded is so before and after: {changes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_stand_are_no_differences_and_what_is_held_is_named() {
    let (world, _peer, _session) = running().await;
    let target = Some(Target { which: Some(Which::Host("node-a1".into())) });
    world.client.clone().withdraw(WithdrawRequest { target, force: true }).await.unwrap();
    let done = world.planned("", "", "").await;
    assert_eq!(done.code, Some(0), "a reload would not tell it: {done:?}");
    // The last two routes of the source go: that needs a person.
    world.write_hosts(Some("hosts:\n  node-a1: { addresses: [10.168.0.11], subnets: [10.244.1.0/24] }\n"));
    world.until_held(2).await;
    world.client.clone().freeze(FreezeRequest {}).await.unwrap();
    let done = world.planned("", "", "").await;
    assert_eq!(done.code, Some(5), "{done:?}");
    let held =
        done.out.lines().filter(|line| line.ends_with("no record states it; the guard holds a change of it now"));
    assert_eq!(held.count(), 2, "{}", done.out);
    assert!(done.out.contains("\nfrozen since 20"), "{}", done.out);
    assert!(done.out.ends_with("\nthe guard may hold a part of it: fingerpost holds\n"), "{}", done.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_from_a_source_that_cannot_be_read_is_not_said_to_go_p2() {
    let (world, _peer, _session) = running().await;
    let done = world.planned("path: hosts.yaml", "path: elsewhere.yaml", "").await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.starts_with("fingerpost: source lab was not read: unreachable: "), "{done:?}");
    assert!(done.out.contains("0 withdrawn, 0 the same, 3 not compared: their source was not read\n"), "{}", done.out);
    assert!(!done.out.contains("10.244."), "{}", done.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_is_told_comes_in_pages() {
    let (world, _peer, _session) = running().await;
    let mut client = world.client.clone();
    let mut prefixes = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListToldRequest { gateway: "core-a".into(), page_size: 1, page_token };
        let page = client.list_told(request).await.unwrap().into_inner();
        assert!(page.routes.len() <= 1);
        prefixes.extend(page.routes.into_iter().map(|route| route.prefix));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    prefixes.sort();
    assert_eq!(prefixes, ["10.244.1.0/24", "10.244.2.0/24", "10.244.3.0/24"]);
    let wrong = [
        (ListToldRequest { gateway: "core-z".into(), ..ListToldRequest::default() }, tonic::Code::NotFound),
        (
            ListToldRequest { gateway: "core-a".into(), page_size: 1001, page_token: String::new() },
            tonic::Code::InvalidArgument,
        ),
        (
            ListToldRequest { gateway: "core-a".into(), page_size: 0, page_token: "x".into() },
            tonic::Code::InvalidArgument,
        ),
    ];
    for (request, code) in wrong {
        assert_eq!(client.list_told(request).await.unwrap_err().code(), code);
    }
}

/// A running `fingerpost run`, ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Its lock and its sessions are its own; that a plan makes no state is shown where it has a directory that cannot be.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_beside_a_running_process_with_the_same_file_leaves_no_trace() {
    let (world, _peer, _session) = running().await;
    let directory = world.end().await;
    let (config, state) = (directory.path().join("config.yaml"), directory.path().join("state"));
    std::fs::remove_dir_all(&state).unwrap();
    std::fs::create_dir(&state).unwrap();
    let fingerpost = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
        command.args(arguments).arg("--config").arg(&config).env_remove("FINGERPOST_ADMIN");
        command
    };
    let mut running = Running(fingerpost(&["run"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
    until("the running process", async || {
        let status = done(fingerpost(&["status"])).await;
        if status.out.contains("  current  ") { Ok(()) } else { Err(status) }
    })
    .await;
    let lock = || std::fs::read_to_string(state.join("lock")).unwrap();
    let before = lock();
    for (arguments, lines) in [(&["plan", "--no-headers"][..], 3), (&["plan", "--diff", "--no-headers"], 0)] {
        let done = done(fingerpost(arguments)).await;
        assert_eq!((done.code, done.err.as_str(), done.out.lines().count()), (Some(0), "", lines), "{done:?}");
    }
    assert_eq!(lock(), before, "it says whose the directory is");
    assert!(running.0.try_wait().unwrap().is_none(), "it runs on");
    assert_eq!(done(fingerpost(&["status"])).await.code, Some(0));
}
