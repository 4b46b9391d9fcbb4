//! The file transport: what is believed when, in virtual time.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use fingerpost::source::file::{self, FileConfig};
use fingerpost_core::source::{Attempt, Fault, FaultKind, Order, Report, Rev, Task};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};

struct Hosts {
    dir: TempDir,
    nudge: Arc<Notify>,
    orders: mpsc::UnboundedSender<Order>,
    reports: mpsc::Receiver<(Attempt, Report)>,
}

impl Hosts {
    /// Follows `hosts.yaml` with this content, if any.
    async fn follow(content: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let nudge = Arc::new(Notify::new());
        let (orders, orders_of_transport) = mpsc::unbounded_channel();
        let (reports_of_transport, reports) = mpsc::channel(1);
        let hosts = Hosts { dir, nudge: Arc::clone(&nudge), orders, reports };
        if let Some(content) = content {
            hosts.write(content);
        }
        let config = FileConfig { path: hosts.path(), poll: Duration::from_secs(1) };
        file::spawn(config, nudge, orders_of_transport, reports_of_transport);
        hosts.order(1).await;
        hosts
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("hosts.yaml")
    }

    fn write(&self, content: &str) {
        std::fs::write(self.path(), content).unwrap();
    }

    async fn order(&self, attempt: u64) {
        let order = Order { attempt: Attempt(attempt), task: Task::List, elsewhere: false };
        self.orders.send(order).unwrap();
    }

    async fn next(&mut self) -> (Attempt, Report) {
        timeout(Duration::from_secs(10), self.reports.recv()).await.expect("a report").unwrap()
    }

    /// The next report, a list: its revision and host names.
    async fn list(&mut self) -> (Rev, Vec<String>) {
        match self.next().await {
            (_, Report::Page { at, records, more: false, .. }) => {
                (at, records.iter().map(|record| String::from_utf8_lossy(&record.key).into_owned()).collect())
            }
            other => panic!("{other:?}"),
        }
    }

    async fn fault(&mut self) -> Fault {
        match self.next().await {
            (_, Report::Failed(fault)) => fault,
            other => panic!("{other:?}"),
        }
    }

    async fn nothing(&mut self) {
        if let Ok(report) = timeout(Duration::from_secs(60), self.reports.recv()).await {
            panic!("{report:?}");
        }
    }
}

const TWO: &str = "
hosts:
  a1: { addresses: [10.168.0.11, 'fd00::11'], subnets: [10.244.1.0/24], labels: { zone: vlan-a } }
  a2:
    addresses: [10.168.0.12]
    subnets: [10.244.2.0/24, 10.244.3.0/24]
";

const ONE: &str = "hosts:\n  a1: { addresses: [10.168.0.11], subnets: [10.244.1.0/24] }\n";

#[tokio::test(start_paused = true)]
async fn each_host_is_a_record_of_the_native_schema() {
    let mut hosts = Hosts::follow(Some(TWO)).await;
    let (attempt, Report::Page { at, records, more, .. }) = hosts.next().await else { panic!("not a page") };
    assert_eq!((attempt, at, more), (Attempt(1), Rev(1), false));
    let [a1, a2] = &records[..] else { panic!("{records:?}") };
    assert_eq!((&a1.key[..], &a2.key[..]), (&b"a1"[..], &b"a2"[..]));
    let value: serde_json::Value = serde_json::from_slice(&a1.value).unwrap();
    let expected = serde_json::json!({
        "addresses": ["10.168.0.11", "fd00::11"], "subnets": ["10.244.1.0/24"], "labels": { "zone": "vlan-a" }
    });
    assert_eq!(value, expected);
    assert_eq!(a1.modified, Rev(1));
    assert_eq!(a1.created, Rev(0), "two replicas must agree on which claim is older");
}

#[tokio::test(start_paused = true)]
async fn contents_are_believed_after_two_identical_looks() {
    let started = Instant::now();
    let mut hosts = Hosts::follow(Some(ONE)).await;
    assert_eq!(hosts.list().await.0, Rev(1));
    let first = started.elapsed();
    assert!(first >= Duration::from_millis(200) && first < Duration::from_secs(1), "{first:?}");
    hosts.write(TWO);
    let changed = Instant::now();
    assert_eq!(hosts.list().await, (Rev(2), vec!["a1".into(), "a2".into()]));
    assert!(changed.elapsed() <= Duration::from_millis(1300), "{:?}", changed.elapsed());
    hosts.nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_keeps_changing_is_not_believed_until_it_rests() {
    let mut hosts = Hosts::follow(Some(ONE)).await;
    hosts.list().await;
    for written in 1..TWO.len() {
        // Cut short: valid YAML now and then, and would be a complete list that lacks hosts.
        hosts.write(&TWO[..written]);
        tokio::time::advance(Duration::from_millis(150)).await;
        hosts.nudge.notify_one();
        tokio::task::yield_now().await;
    }
    hosts.write(TWO);
    loop {
        match hosts.next().await {
            (_, Report::Failed(_)) => {}
            (_, Report::Page { records, .. }) => break assert_eq!(records.len(), 2),
            other => panic!("{other:?}"),
        }
    }
}

/// Nudges, and measures how long the list takes to come.
async fn nudged(after: Duration, nudges: u32) -> Duration {
    let mut hosts = Hosts::follow(Some(ONE)).await;
    hosts.list().await;
    tokio::time::advance(after).await;
    hosts.write(TWO);
    let nudged = Instant::now();
    for _ in 0..nudges {
        hosts.nudge.notify_one();
        tokio::task::yield_now().await;
    }
    hosts.list().await;
    nudged.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_nudge_looks_at_once() {
    let took = nudged(Duration::from_millis(500), 1).await;
    assert!(took <= Duration::from_millis(300), "{took:?}");
}

/// Two hosts were known. What is written then, and how long the list takes to come although it is nudged all the time.
async fn rewritten(content: &str) -> (Duration, Vec<String>) {
    let mut hosts = Hosts::follow(Some(TWO)).await;
    hosts.list().await;
    hosts.write(content);
    let written = Instant::now();
    loop {
        match timeout(Duration::from_millis(100), hosts.list()).await {
            Ok((_, names)) => return (written.elapsed(), names),
            Err(_) => hosts.nudge.notify_one(),
        }
    }
}

const POLL: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn what_takes_away_waits_for_a_whole_poll_and_what_adds_does_not_p2() {
    for less in [ONE.into(), "hosts: {}\n".into(), TWO.replace(", 10.244.3.0/24", ""), TWO.replace("0.12]", "0.1]")] {
        let (took, _) = rewritten(&less).await;
        assert!(took >= POLL && took < 2 * POLL, "{less}: {took:?}");
    }
    let more = format!("{TWO}  a3: {{ addresses: [10.168.0.13], subnets: [10.244.4.0/24] }}\n");
    for more in [more, TWO.replace("vlan-a }", "vlan-a, rack: r1 }")] {
        let (took, _) = rewritten(&more).await;
        assert!(took < POLL / 2, "{more}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_stalls_in_the_middle_withdraws_nothing_p2() {
    let mut hosts = Hosts::follow(Some(TWO)).await;
    hosts.list().await;
    hosts.write(ONE);
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        hosts.nudge.notify_one();
    }
    hosts.write(TWO);
    hosts.nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_written_again_meanwhile_is_looked_at_for_another_poll_p2() {
    let mut hosts = Hosts::follow(Some(TWO)).await;
    hosts.list().await;
    let file = std::fs::File::options().write(true).open(hosts.path()).unwrap();
    let mut written = std::time::SystemTime::UNIX_EPOCH;
    hosts.write(ONE);
    for _ in 0..20 {
        // The same contents at another time: somebody writes.
        written += Duration::from_secs(1);
        file.set_modified(written).unwrap();
        assert!(timeout(Duration::from_millis(500), hosts.reports.recv()).await.is_err());
    }
    assert_eq!(hosts.list().await.1, ["a1"]);
}

#[tokio::test(start_paused = true)]
async fn two_looks_stay_apart_however_often_it_is_nudged() {
    let took = nudged(Duration::from_millis(500), 20).await;
    assert!(took >= Duration::from_millis(200), "{took:?}");
    let took = nudged(Duration::from_millis(10), 20).await;
    assert!((Duration::from_millis(200)..Duration::from_millis(500)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_vanishes_is_a_fault_and_comes_back_as_the_same_list_p2() {
    let mut hosts = Hosts::follow(Some(ONE)).await;
    assert_eq!(hosts.list().await.0, Rev(1));
    std::fs::remove_file(hosts.path()).unwrap();
    let fault = hosts.fault().await;
    assert_eq!(fault.kind, FaultKind::Unreachable);
    assert!(fault.message.contains("hosts.yaml") && fault.message.contains("hosts: {}"), "{fault}");
    hosts.nothing().await;
    hosts.write(ONE);
    assert_eq!(hosts.list().await, (Rev(1), vec!["a1".into()]));
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_is_written_out_and_nothing_else_is_one_p2() {
    let mut hosts = Hosts::follow(Some("hosts: {}\n")).await;
    assert_eq!(hosts.list().await, (Rev(1), vec![]));
    for nothing in
        ["", "\n", "---\n", "# hosts: {}\n", "hosts:\n", "hosts: null", "hosts: ~\n", "hosts: ''", "hosts: []"]
    {
        hosts.write(nothing);
        let fault = hosts.fault().await;
        assert_eq!(fault.kind, FaultKind::Malformed, "{nothing:?}: {fault}");
        assert!(!nothing.starts_with("hosts:\n") || fault.message.contains("write `hosts: {}`"), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn faults_say_file_line_and_field() {
    for (content, line, says) in [
        ("hosts:\n  a1: { addresses: [10.168.0.11], subnet: [10.244.1.0/24] }\n", "line 2", "subnet"),
        ("hosts: {}\nhots: {}\n", "line 2", "hots"),
        (
            "hosts:\n  a1: { addresses: [], subnets: [] }\n  a1: { addresses: [], subnets: [] }\n",
            "line 3",
            "a1 is there twice",
        ),
        ("hosts:\n  a1: { addresses: [10.168.0.11] }\n", "line 2", "subnets"),
        ("hosts: {}\n---\nhosts: {}\n", "line", "more than one document"),
        ("hosts:\n  a1: { addresses: [null], subnets: [] }\n", "line 2", "has nothing"),
        ("hosts:\n  a1: { addresses: [10.168.0.11\n", "line 2", "unclosed"),
    ] {
        let mut hosts = Hosts::follow(Some(content)).await;
        let fault = hosts.fault().await;
        assert_eq!(fault.kind, FaultKind::Malformed, "{fault}");
        assert!(fault.message.contains("hosts.yaml"), "{fault}");
        assert!(fault.message.contains(line) && fault.message.contains(says), "{content:?}: {fault}");
        for advice in ["Options", "from_str", "Option<", "policy"] {
            assert!(!fault.message.contains(advice), "advice to programmers: {fault}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_order_is_answered_although_nothing_changed() {
    let mut hosts = Hosts::follow(Some(ONE)).await;
    assert_eq!(hosts.list().await.0, Rev(1));
    hosts.order(2).await;
    let (attempt, Report::Page { at, .. }) = hosts.next().await else { panic!("not a page") };
    assert_eq!((attempt, at), (Attempt(2), Rev(1)));
}

#[tokio::test(start_paused = true)]
async fn many_hosts_come_in_pages() {
    let mut content = "hosts:\n".to_owned();
    for number in 0..10_001 {
        let (high, low) = (number / 256, number % 256);
        content += &format!("  h{number}: {{ addresses: [10.168.0.11], subnets: [10.{high}.{low}.0/24] }}\n");
    }
    let mut hosts = Hosts::follow(Some(&content)).await;
    let (_, Report::Page { more: true, records, .. }) = hosts.next().await else { panic!("not a first page") };
    assert_eq!(records.len(), 10_000);
    assert_eq!(hosts.list().await.1.len(), 1);
}
