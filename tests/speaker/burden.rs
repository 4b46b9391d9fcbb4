//! Gateways that flood us, stop in the middle of a message or read nothing cost no memory to speak of and no other gateway's
//! time (P6). The program runs as a process of its own, so that its memory can be measured.

use super::client::{get, request};
use super::peer::{Session, dial, dial_narrow};
use super::until::{BOUND, until};
use super::world::{HOSTS, subnet, within};
use fingerpost_core::bgp::wire::{Encoding, MAX_LEN, Packer, RouteAttributes, SessionType};
use fingerpost_core::model::{Asn, Family, HoldTime, Prefix};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::time::timeout;

const MIB: u64 = 1 << 20;

/// Killed when dropped.
struct Process {
    child: Child,
    own: Ipv4Addr,
    listens: SocketAddr,
    http: SocketAddr,
    directory: TempDir,
}

impl Process {
    /// Whoever connects from its subnet is a gateway.
    async fn start(hosts: &str) -> Process {
        let (directory, own) = (TempDir::new().unwrap(), subnet());
        let (listens, http) = (SocketAddr::new(within(own, 1), 1790), SocketAddr::new(within(own, 1), 9179));
        let config = format!(
            "router: {{ asn: 64512, id: 10.0.3.10, listen: [\"{listens}\"] }}
sources: {{ lab: {{ file: {{ path: hosts.yaml, poll: 500ms }} }} }}
fence:
  prefixes: [ {{ within: 10.0.0.0/9, lengths: 28 }}, {{ within: 10.244.0.0/16, lengths: 24 }} ]
  next_hops: [ 10.168.0.0/16, 172.16.0.0/12 ]
gateways: {{ hosts: {{ listen_range: {own}/24, asn: 64500, policy: default }} }}
policies: {{ default: [ {{ match: {{}}, then: accept }} ] }}
http: {{ listen: \"{http}\" }}
"
        );
        std::fs::write(directory.path().join("config.yaml"), config).unwrap();
        std::fs::write(directory.path().join("hosts.yaml"), hosts).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_fingerpost"))
            .args(["run", "--config"])
            .arg(directory.path().join("config.yaml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(directory.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let process = Process { child, own, listens, http, directory };
        until("the process to be ready", async || match request(http, "GET", "/readyz").await {
            Ok(answer) if answer.status == 200 => Ok(()),
            _ => Err(std::fs::read_to_string(process.directory.path().join("log"))),
        })
        .await;
        process
    }

    /// A gateway from the address with this last octet. Nothing is ever sent to keep its session alive.
    async fn join(&self, last: u8) -> Session {
        dial(self.listens, within(self.own, last), None).await.unwrap().establish_with(HoldTime::NEVER).await
    }

    /// … with as little room for what it has not read as the system allows.
    async fn join_narrow(&self, last: u8) -> Session {
        dial_narrow(self.listens, within(self.own, last)).await.establish_with(HoldTime::NEVER).await
    }

    fn rewrite(&self, hosts: &str) {
        // At once: half a file is a valid one.
        let (next, file) = (self.directory.path().join("next"), self.directory.path().join("hosts.yaml"));
        std::fs::write(&next, hosts).unwrap();
        std::fs::rename(next, file).unwrap();
    }

    /// Octets that are resident.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// [`HOSTS`], and more subnets up to this number; the last of them.
fn with_others(n: u8) -> (String, Prefix) {
    let subnets = (100..=n).map(|n| format!(", 10.244.{n}.0/24")).collect::<String>();
    let hosts = HOSTS.replace("[10.244.1.0/24]", &format!("[10.244.1.0/24{subnets}]"));
    (hosts, format!("10.244.{n}.0/24").parse().unwrap())
}

/// An UPDATE that announces two routes.
fn update() -> Vec<u8> {
    let encoding = Encoding {
        session: SessionType::External,
        local_asn: Asn::new(64500).unwrap(),
        four_octet_as: true,
        ipv4_via_ipv6: false,
        max_len: MAX_LEN,
    };
    let prefixes = ["192.0.2.0/24", "198.51.100.0/24"].map(|prefix| prefix.parse().unwrap());
    let (mut octets, mut ends) = (Vec::new(), Vec::new());
    let attributes = RouteAttributes::via("10.168.0.77".parse().unwrap());
    Packer::new(encoding, Family::Ipv4).announce(&attributes, prefixes, &mut octets, &mut ends);
    octets
}

#[tokio::test(flavor = "multi_thread")]
async fn c28_a_flood_or_half_a_message_delays_no_other_gateway_and_is_kept_nowhere_p6() {
    const AT_ONCE: u64 = 1000;
    let process = Process::start(HOSTS).await;
    let (mut bystander, mut flooder) = (process.join(2).await, process.join(3).await);
    assert_eq!((bystander.table().await.len(), flooder.table().await.len()), (2, 2));
    let before = process.memory();
    let update = update();
    let (sent, flood) = (Arc::new(AtomicU64::new(0)), update.repeat(AT_ONCE as usize));
    let (enough, mut is_enough) = oneshot::channel::<()>();
    let flooding = tokio::spawn({
        let sent = Arc::clone(&sent);
        async move {
            // As fast as it is taken.
            while is_enough.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
                flooder.send(flood.clone().into()).await;
                sent.fetch_add(AT_ONCE, Ordering::Relaxed);
            }
            flooder
        }
    });
    for n in 100..103 {
        let (hosts, prefix) = with_others(n);
        process.rewrite(&hosts);
        assert_eq!(bystander.announced().await, [prefix], "while it is flooded by another");
    }
    until("ten thousand UPDATEs", async || {
        let sent = sent.load(Ordering::Relaxed);
        if sent >= 10 * AT_ONCE { Ok(()) } else { Err(sent) }
    })
    .await;
    drop(enough);
    let mut flooder = timeout(BOUND, flooding).await.expect("nothing is read any more").unwrap();
    let grown = process.memory().saturating_sub(before);
    assert!(grown < 16 * MIB, "{} MiB more", grown / MIB);

    let (half, rest) = update.split_at(10);
    flooder.send(half.to_vec().into()).await;
    let (hosts, prefix) = with_others(103);
    process.rewrite(&hosts);
    assert_eq!(bystander.announced().await, [prefix], "while half a message is awaited");
    flooder.send(rest.to_vec().into()).await;
    let state = get(process.http, &format!("/api/v1/gateways/hosts/{}", within(process.own, 3))).await.json();
    assert_eq!((&state["state"], &state["established_count"]), (&"Established".into(), &1.into()));
    assert!(state["messages"]["received"]["update"].as_u64().unwrap() >= 10 * AT_ONCE, "{state}");
}

const MANY: u32 = 1000;
const EACH: u32 = 100;

/// The `n`-th subnet.
fn nth(n: u32) -> Prefix {
    format!("{}/28", Ipv4Addr::from(0x0a01_0000 + (n << 4))).parse().unwrap()
}

fn address(host: u32) -> IpAddr {
    Ipv4Addr::from(0xac10_0001 + host).into()
}

/// A thousand hosts with a hundred subnets each; the very last subnet belongs to this one.
fn many(owner_of_last: u32) -> String {
    let last = MANY * EACH - 1;
    let mut text = String::from("hosts:\n");
    for host in 0..MANY {
        let own = (host * EACH..(host + 1) * EACH).filter(|n| *n != last);
        let moved = (host == owner_of_last).then_some(last);
        let subnets: Vec<String> = own.chain(moved).map(|n| nth(n).to_string()).collect();
        writeln!(text, "  h{host}: {{ addresses: [{}], subnets: [{}] }}", address(host), subnets.join(", ")).unwrap();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn c60_gateways_that_read_nothing_cost_little_and_are_told_the_latest_state_only_p6() {
    let process = Process::start(&many(MANY - 1)).await;
    let last = nth(MANY * EACH - 1);
    let mut reader = process.join(2).await;
    assert_eq!(reader.table().await.len(), (MANY * EACH) as usize);
    let before = process.memory();
    let mut stuck = Vec::new();
    for n in 3..10 {
        stuck.push(process.join_narrow(n).await);
    }
    until("seven more gateways", async || {
        let gateways = get(process.http, "/api/v1/gateways").await.json();
        let up = &gateways["ranges"][0]["established"];
        if *up == 8 { Ok(()) } else { Err(up.clone()) }
    })
    .await;
    // Whoever reads is told at once, whatever the others do.
    for owner in [1, 2, 3] {
        process.rewrite(&many(owner));
        assert_eq!(reader.told().await, [(last, address(owner))]);
    }
    let mut first = stuck.swap_remove(0);
    let mut told = first.told_all().await;
    let of_last: Vec<_> = told.iter().filter(|(prefix, _)| *prefix == last).collect();
    assert_eq!(of_last, [&(last, address(3))], "only its latest owner, and once");
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), (MANY * EACH) as usize);
    let grown = process.memory().saturating_sub(before);
    assert!(grown < 64 * MIB, "{} MiB more", grown / MIB);
}
