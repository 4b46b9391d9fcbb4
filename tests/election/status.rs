//! What replicas say of themselves in the store, and what the others make of it.

use crate::elector::value;
use crate::orders::output;
use crate::replicas::{Replica, put};
use crate::server::{Cluster, Etcd, free_port};
use crate::until::until;
use etcd_client::PutOptions;
use fingerpost_core::election::{Keys, PresenceRecord};
use fingerpost_core::engine::{Engine, ReplicaRow};
use fingerpost_core::model::{self, Instance};
use fingerpost_core::replicas::{Agreement, Apart, Digest, ReplicaReport};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

on_each_etcd!(
    p7_replicas_know_each_other_and_one_that_is_gone_stays_known,
    p5_where_etcd_grants_a_longer_lease_replicas_say_what_they_are_too,
    replicas_of_other_versions_and_configurations_are_said,
    p7_a_replica_that_announces_something_else_is_noticed,
    p8_what_is_known_of_the_others_is_served,
    records_that_make_no_sense_are_ignored,
    a_store_that_does_not_answer_is_told_and_what_is_known_stays,
);

const KEY: &str = "/election";

/// What the replica makes of the others.
async fn others(replica: &Replica) -> Vec<ReplicaRow> {
    replica.service.engine().look(Engine::replica_rows).await.unwrap()
}

/// Waits until it knows of one other replica, such as this.
async fn until_other(replica: &Replica, what: &str, is_it: impl Fn(&ReplicaRow) -> bool) -> ReplicaRow {
    until(what, async || match &others(replica).await[..] {
        [row] if is_it(row) => Ok(row.clone()),
        rows => Err(rows.to_vec()),
    })
    .await
}

async fn report(replica: &Replica) -> ReplicaReport {
    replica.service.engine().look(Engine::report).await.unwrap().unwrap()
}

/// What a process would write that is not there.
struct Ghost {
    keys: Keys,
    report: ReplicaReport,
}

impl Ghost {
    /// It says what this replica says, in its own name.
    async fn of(replica: &Replica, cluster: &Cluster) -> Self {
        let mut report = report(replica).await;
        report.replica = model::Replica { identity: "10.0.3.9".into(), instance: Instance(9) };
        let keys = Keys::new(KEY, "10.0.3.9");
        let presence = PresenceRecord { replica: report.replica.clone(), ttl: Duration::from_secs(4) };
        let mut client = cluster.client().await;
        let lease = client.lease_grant(3600, None).await.unwrap().id();
        let leased = Some(PutOptions::new().with_lease(lease));
        client.put(keys.presence.as_str(), presence.encode().to_vec(), leased).await.unwrap();
        Ghost { keys, report }
    }

    async fn says(&self, cluster: &Cluster) {
        self.writes(cluster, self.report.encode().to_vec()).await;
    }

    async fn writes(&self, cluster: &Cluster, what: impl Into<Vec<u8>>) {
        cluster.client().await.put(self.keys.status.as_str(), what, None).await.unwrap();
    }
}

async fn p7_replicas_know_each_other_and_one_that_is_gone_stays_known(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    put(&cluster, "a", "10.168.0.11", r#""10.244.1.0/24""#).await;
    let first = Replica::start(&cluster, 1).await;
    let term = first.until_leads().await;
    let second = Replica::start(&cluster, 2).await;
    for (replica, other) in [(&first, "10.0.3.2"), (&second, "10.0.3.1")] {
        let row = until_other(replica, "another that says the same", |row| row.agreement == Agreement::Same).await;
        assert_eq!(&*row.known.report.replica.identity, other);
        assert!(row.known.gone.is_none() && !row.other_version && row.other_config.is_empty(), "{row:?}");
    }
    let said = until_other(&second, "its session", |row| row.known.report.sessions.established == 1).await;
    let said = said.known.report;
    assert_eq!(
        (said.term.get(), said.tables.ipv4.routes, &said.sessions.gateways[..]),
        (term, 1, &["core".into()][..])
    );
    // What changes is said at once, and that its gateways were told.
    put(&cluster, "b", "10.168.0.12", r#""10.244.2.0/24""#).await;
    let told = |row: &ReplicaRow| {
        let source = row.known.report.sources["prod"];
        row.known.report.tables.ipv4.routes == 2 && source.told == source.revision
    };
    until_other(&second, "the new route there", told).await;
    first.service.hand_over().await;
    let gone = until_other(&second, "that it is gone", |row| row.known.gone.is_some()).await;
    assert_eq!(gone.known.report.tables.ipv4.routes, 2, "its last words stay");
    let again = Replica::start(&cluster, 1).await;
    until_other(&second, "that it is back", |row| row.known.gone.is_none()).await;
    // One that is taken out of service is not waited for.
    again.service.decommission().await;
    until("nobody else", async || {
        let rows = others(&second).await;
        if rows.is_empty() { Ok(()) } else { Err(rows) }
    })
    .await;
    let last = value(&mut cluster.client().await, &Keys::new(KEY, "10.0.3.1").status).await.unwrap();
    assert!(
        ReplicaReport::decode(last.as_bytes()).unwrap().retired,
        "whoever comes within a minute is to read it, too"
    );
}

async fn p5_where_etcd_grants_a_longer_lease_replicas_say_what_they_are_too(etcd: Etcd) {
    // One and a half of it, in whole seconds: 5 s, and 4 s are asked for.
    let slow = ["--heartbeat-interval=300", "--election-timeout=3000"].map(str::to_owned);
    let cluster = Cluster::start(etcd, 1, "http", &slow).await;
    put(&cluster, "a", "10.168.0.11", r#""10.244.1.0/24""#).await;
    let first = Replica::start(&cluster, 1).await;
    first.until_leads().await;
    let presence = value(&mut cluster.client().await, &Keys::new(KEY, "10.0.3.1").presence).await.unwrap();
    assert_eq!(PresenceRecord::decode(presence.as_bytes()).map(|record| record.ttl), Some(Duration::from_secs(5)));
    let second = Replica::start(&cluster, 2).await;
    until_other(&second, "the leader", |row| row.known.gone.is_none()).await;
    until_other(&first, "the standby", |row| row.known.gone.is_none()).await;
}

async fn replicas_of_other_versions_and_configurations_are_said(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    put(&cluster, "a", "10.168.0.11", r#""10.244.1.0/24""#).await;
    let first = Replica::start(&cluster, 1).await;
    first.until_leads().await;
    let second = Replica::start_as(&cluster, 2, |text| text.replace("lengths: 24", "lengths: 24-28")).await;
    let row = until_other(&first, "another fence", |row| !row.other_config.is_empty()).await;
    assert_eq!((&row.other_config[..], row.other_version), (&["fence".to_owned()][..], false));
    assert_eq!(row.agreement, Agreement::Apart(Apart::Config));
    second.service.decommission().await;
    let mut ghost = Ghost::of(&first, &cluster).await;
    ghost.report.version = "99.0.0".into();
    ghost.says(&cluster).await;
    let row = until_other(&first, "another version", |row| row.other_version).await;
    assert_eq!(row.agreement, Agreement::Apart(Apart::Version));
}

async fn p7_a_replica_that_announces_something_else_is_noticed(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    put(&cluster, "a", "10.168.0.11", r#""10.244.1.0/24""#).await;
    let replica = Replica::start(&cluster, 1).await;
    replica.until_leads().await;
    replica.until_told(&["10.244.1.0/24"], "the leader's path", |_| true).await;
    let mut ghost = Ghost::of(&replica, &cluster).await;
    let right = ghost.report.tables.ipv4.digest;
    ghost.report.tables.ipv4.digest = Digest(right.0 ^ 1);
    ghost.says(&cluster).await;
    let row = until_other(&replica, "other routes", |row| matches!(row.agreement, Agreement::Differs { .. })).await;
    assert!(!row.diverges, "not for long enough yet");
    ghost.report.tables.ipv4.digest = right;
    ghost.says(&cluster).await;
    until_other(&replica, "the same routes", |row| row.agreement == Agreement::Same).await;
}

/// The body of the answer.
async fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

async fn p8_what_is_known_of_the_others_is_served(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    put(&cluster, "a", "10.168.0.11", r#""10.244.1.0/24""#).await;
    let port = free_port();
    let with_http = |text: String| format!("{text}http: {{ listen: \"127.0.0.1:{port}\" }}\n");
    let replica = Replica::start_as(&cluster, 1, with_http).await;
    replica.until_leads().await;
    replica.until_told(&["10.244.1.0/24"], "the leader's path", |_| true).await;
    let mut ghost = Ghost::of(&replica, &cluster).await;
    ghost.report.tables.ipv4.digest.0 ^= 1;
    ghost.report.config.insert("policies".into(), Digest(1));
    ghost.report.leaving = true;
    ghost.says(&cluster).await;
    until_other(&replica, "other routes", |row| matches!(row.agreement, Agreement::Differs { .. })).await;
    let answer: serde_json::Value = serde_json::from_str(&get(port, "/api/v1/replicas").await).unwrap();
    assert_eq!((&answer["identity"], &answer["role"]), (&"10.0.3.1".into(), &"leader".into()));
    let other = &answer["replicas"][0];
    assert_eq!((&other["identity"], &other["agreement"]), (&"10.0.3.9".into(), &"differs".into()), "{other}");
    assert_eq!((&other["other_config"], &other["gone_since"]), (&["policies"][..].into(), &serde_json::Value::Null));
    assert_eq!((&other["leaving"], &answer["leaving"]), (&true.into(), &serde_json::Value::Null));
    assert!(other["differs_since"].is_string() && other["sources"][0]["revision"].is_u64(), "{other}");
    let scrape = get(port, "/metrics").await;
    for sample in [
        r#"fingerpost_replicas{state="present"} 1"#,
        r#"fingerpost_replica_mismatch{replica="10.0.3.9",kind="config"} 1"#,
        r#"fingerpost_replica_mismatch{replica="10.0.3.9",kind="version"} 0"#,
        r#"fingerpost_election_trouble{kind="status"} 0"#,
    ] {
        assert!(scrape.lines().any(|line| line == sample), "no {sample} in {scrape}");
    }
    let seconds = scrape.lines().find_map(|line| {
        line.strip_prefix(r#"fingerpost_replica_divergence_seconds{replica="10.0.3.9"} "#)?.parse::<f64>().ok()
    });
    assert!(seconds.is_some_and(|seconds| seconds > 0.0), "{seconds:?}");
}

async fn records_that_make_no_sense_are_ignored(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    put(&cluster, "a", "10.168.0.11", r#""10.244.1.0/24""#).await;
    let replica = Replica::start(&cluster, 1).await;
    replica.until_leads().await;
    let mut client = cluster.client().await;
    let ghost = Ghost::of(&replica, &cluster).await;
    ghost.says(&cluster).await;
    let known = until_other(&replica, "another replica", |_| true).await.known.report;
    let wrong: [Vec<u8>; 5] = [
        b"hunter2".to_vec(),
        vec![0xff; 1 << 20],
        vec![b'['; 60_000],
        Vec::new(),
        String::from_utf8(known.encode().to_vec()).unwrap().replace("10.0.3.9", "10.0.3.8").into(),
    ];
    for (n, wrong) in wrong.into_iter().enumerate() {
        ghost.writes(&cluster, wrong).await;
        client.put([KEY.as_bytes(), b"/status/\xff"].concat(), "{}", None).await.unwrap();
        // Its own record is written over, too: that it says it again shows that it has read all that.
        let own = Keys::new(KEY, "10.0.3.1").status;
        client.put(own.as_str(), format!("{n}"), None).await.unwrap();
        until("its own record", async || {
            let record = value(&mut client, &own).await.unwrap();
            ReplicaReport::decode(record.as_bytes()).map_err(|why| (record, why))
        })
        .await;
        let row = until_other(&replica, "what was known before", |_| true).await;
        assert_eq!(row.known.report, known);
    }
    assert_eq!(replica.service.engine().troubles().all(), []);
}

async fn a_store_that_does_not_answer_is_told_and_what_is_known_stays(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    put(&cluster, "a", "10.168.0.11", r#""10.244.1.0/24""#).await;
    let (port, directory) = (free_port(), Arc::new(TempDir::new().unwrap()));
    let socket = directory.path().join("admin.sock");
    let served = |text: String| {
        format!("{text}http: {{ listen: \"127.0.0.1:{port}\" }}\nadmin: {{ listen: \"unix:{}\" }}\n", socket.display())
    };
    let replica = Replica::start_in(&cluster, 1, Arc::clone(&directory), served).await;
    replica.until_leads().await;
    let ghost = Ghost::of(&replica, &cluster).await;
    ghost.says(&cluster).await;
    let known = until_other(&replica, "another replica", |_| true).await;
    let troubles = |wanted: &'static [&'static str]| {
        let troubles = replica.service.engine().troubles().clone();
        until("these troubles", async move || {
            let kinds: Vec<&str> = troubles.all().iter().map(|wrong| wrong.kind).collect();
            if kinds == wanted { Ok(()) } else { Err((kinds, wanted)) }
        })
    };
    cluster.members[0].freeze();
    troubles(&["store", "status", "orders"]).await;
    until("a line that says so", async || {
        let ready = get(port, "/readyz?verbose").await;
        let is_said = ready.contains("\n[+]election ok: it is not known who leads");
        if is_said && ready.ends_with("check passed\n") { Ok(()) } else { Err(ready) }
    })
    .await;
    let row = until_other(&replica, "what was known before", |_| true).await;
    assert_eq!(row.known, known.known);
    let heard_a_while_ago = async |wanted: bool| {
        until("that it is said of when that is, or of now", async || {
            let status = String::from_utf8(output(directory.path(), &["status"]).await.stdout).unwrap();
            let is_there = status.contains("\n10.0.3.9 ") && status.contains("\nas last heard ") == wanted;
            if is_there { Ok(()) } else { Err(status) }
        })
        .await;
        let answer: serde_json::Value = serde_json::from_str(&get(port, "/api/v1/replicas").await).unwrap();
        answer["read_at"].as_str().unwrap().to_owned()
    };
    let then = heard_a_while_ago(true).await;
    cluster.members[0].thaw();
    troubles(&[]).await;
    assert_ne!(heard_a_while_ago(false).await, then);
}
