//! What people order one replica, and what becomes of it at the others (P3).

use crate::log::Log;
use crate::replicas::{Replica, put};
use crate::server::{Cluster, Etcd};
use crate::until::until;
use etcd_client::{DeleteOptions, GetOptions, Txn, TxnOp};
use fingerpost::clock::wall;
use fingerpost::reach::Exchange;
use fingerpost::troubles::Wrong;
use fingerpost_core::engine::{By, Command, Engine, Holds, Role};
use fingerpost_core::model::Instance;
use fingerpost_core::orders::{Decided, Giver, Number, Order, SeenChange, What};
use fingerpost_core::source::{ClusterId, Rev};
use fingerpost_core::table::{ChangeKind, Target};
use std::path::Path;
use std::process::{Command as Process, Output};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

on_each_etcd!(
    p3_a_freeze_of_one_replica_freezes_all_and_so_does_its_end,
    p3_an_approval_at_one_replica_lets_the_same_pass_at_all,
    p3_a_denial_at_one_replica_binds_all,
    p3_a_replica_that_was_away_takes_what_was_ordered_before_it_changes_anything,
    p3_a_replica_that_was_away_lets_pass_what_a_person_let_pass,
    p3_a_wiped_store_unfreezes_nobody_and_gets_the_orders_back,
    p3_with_the_store_down_the_answer_says_so_and_the_order_arrives_later,
    records_that_are_no_orders_are_named_and_never_guessed,
    p3_a_freeze_waits_behind_no_other_record_and_a_list_that_is_cut_off_is_said,
    p3_of_more_approvals_than_are_handed_on_the_answer_says_so,
    p3_what_is_spent_is_taken_out_of_the_store_while_all_run,
);

const PATIENCE: Duration = Duration::from_secs(20);

async fn order(replica: &Replica, command: Command) -> usize {
    replica.service.engine().command(command, By::default()).await.unwrap()
}

/// The same, and how far it has come by then.
pub(crate) async fn spread(replica: &Replica, command: Command) -> Exchange {
    order(replica, command).await;
    replica.service.engine().reach().spread(PATIENCE).await.unwrap()
}

async fn until_frozen(replica: &Replica, wanted: bool) {
    until("frozen or not", async || {
        let frozen = replica.service.engine().look(|engine| engine.frozen().is_some()).await.unwrap();
        if frozen == wanted { Ok(()) } else { Err(frozen) }
    })
    .await;
}

async fn until_held(replica: &Replica, wanted: usize) {
    until("so many holds", async || {
        let held = replica.service.engine().look(|engine| engine.hold_rows(None, 100).len()).await.unwrap();
        if held == wanted { Ok(()) } else { Err(held) }
    })
    .await;
}

/// Host a has lost nine of its subnets, and the guards of both hold that.
async fn hold_nine(cluster: &Cluster, replicas: [&Replica; 2]) {
    put(cluster, "a", "10.168.0.11", &subnets(3)).await;
    for replica in replicas {
        until_held(replica, 9).await;
    }
}

pub(crate) async fn until_standby(replica: &Replica) {
    replica.until_role("a standby", |role| matches!(role, Role::Standby { .. })).await;
}

/// A leader and a standby, with twelve routes.
pub(crate) async fn two(cluster: &Cluster) -> (Replica, Replica) {
    put(cluster, "a", "10.168.0.11", &subnets(12)).await;
    let directory = Arc::new(TempDir::new().unwrap());
    let admin = format!("admin: {{ listen: \"unix:{}/admin.sock\" }}\n", directory.path().display());
    let first = Replica::start_in(cluster, 1, directory, |text| text + &admin).await;
    first.until_leads().await;
    let second = Replica::start(cluster, 2).await;
    until_standby(&second).await;
    for replica in [&first, &second] {
        until_routes(replica, 12).await;
    }
    // They know of each other.
    let known = async |replica: &Replica| replica.service.engine().look(|engine| engine.replicas().len()).await;
    until("each other", async || {
        let known = (known(&first).await, known(&second).await);
        if known == (Some(1), Some(1)) { Ok(()) } else { Err(known) }
    })
    .await;
    (first, second)
}

fn subnets(count: u8) -> String {
    let subnets: Vec<String> = (1..=count).map(|n| format!(r#""10.244.{n}.0/24""#)).collect();
    subnets.join(", ")
}

async fn until_routes(replica: &Replica, wanted: usize) {
    until("so many routes at its gateway", async || {
        let told = replica.gateway.table().len();
        if told == wanted { Ok(()) } else { Err(told) }
    })
    .await;
}

async fn p3_a_freeze_of_one_replica_freezes_all_and_so_does_its_end(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let (first, second) = two(&cluster).await;
    let exchange = spread(&first, Command::Freeze).await;
    assert_eq!((exchange.failed.as_deref(), exchange.behind().count(), exchange.present.len()), (None, 0, 1));
    let frozen = second.service.engine().look(|engine| engine.frozen().is_some()).await;
    assert_eq!(frozen, Some(true), "it has said that it has it");
    put(&cluster, "b", "10.168.0.12", r#""10.244.100.0/24""#).await;
    let exchange = spread(&second, Command::Unfreeze).await;
    assert_eq!((exchange.failed.as_deref(), exchange.behind().count()), (None, 0));
    for replica in [&first, &second] {
        until_frozen(replica, false).await;
        until_routes(replica, 13).await;
    }
    // What is withdrawn by order is withdrawn by all, and comes back at all.
    let target = Target::Prefix("10.244.100.0/24".parse().unwrap());
    spread(&second, Command::Withdraw(target.clone())).await;
    for replica in [&first, &second] {
        until_routes(replica, 12).await;
    }
    spread(&first, Command::Restore(target)).await;
    for replica in [&first, &second] {
        until_routes(replica, 13).await;
    }
}

async fn p3_an_approval_at_one_replica_lets_the_same_pass_at_all(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let (first, second) = two(&cluster).await;
    hold_nine(&cluster, [&first, &second]).await;
    let prefix = "10.244.12.0/24".parse().unwrap();
    assert_eq!(order(&second, Command::Approve(Holds::Prefix(prefix))).await, 1);
    for replica in [&first, &second] {
        until_routes(replica, 11).await;
        until_held(replica, 8).await;
    }
    assert_eq!(order(&first, Command::Approve(Holds::All)).await, 8);
    for replica in [&first, &second] {
        until_routes(replica, 3).await;
        until_held(replica, 0).await;
    }
}

async fn p3_a_denial_at_one_replica_binds_all(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let (first, second) = two(&cluster).await;
    hold_nine(&cluster, [&first, &second]).await;
    order(&first, Command::Deny(Holds::All)).await;
    until("denied there, too", async || {
        let denied = |engine: &Engine| engine.hold_rows(None, 100).iter().filter(|row| row.denied).count();
        let denied = second.service.engine().look(denied).await;
        if denied == Some(9) { Ok(()) } else { Err(denied) }
    })
    .await;
}

async fn p3_a_replica_that_was_away_takes_what_was_ordered_before_it_changes_anything(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let (first, second) = two(&cluster).await;
    // What it announces is on its disk.
    until("a snapshot", async || {
        let files = std::fs::read_dir(second.directory().join("state")).unwrap();
        let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        if names.iter().any(|name| name.to_string_lossy().contains("prod")) { Ok(()) } else { Err(names) }
    })
    .await;
    let directory = second.hand_over().await;
    let exchange = spread(&first, Command::Freeze).await;
    assert_eq!(exchange.away.iter().map(|away| &**away).collect::<Vec<_>>(), ["10.0.3.2"]);
    put(&cluster, "b", "10.168.0.12", r#""10.244.100.0/24""#).await;
    let second = Replica::start_in(&cluster, 2, directory, |text| text).await;
    until_standby(&second).await;
    let frozen = second.service.engine().look(|engine| engine.frozen().is_some()).await;
    assert_eq!(frozen, Some(true), "before it changes anything");
    until_routes(&second, 12).await;
    spread(&first, Command::Unfreeze).await;
    until_routes(&second, 13).await;
}

async fn p3_a_replica_that_was_away_lets_pass_what_a_person_let_pass(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let (first, second) = two(&cluster).await;
    until("a snapshot", async || {
        let files = std::fs::read_dir(second.directory().join("state")).unwrap();
        let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        if names.iter().any(|name| name.to_string_lossy().contains("prod")) { Ok(()) } else { Err(names) }
    })
    .await;
    let directory = second.hand_over().await;
    put(&cluster, "a", "10.168.0.11", &subnets(3)).await;
    until_held(&first, 9).await;
    order(&first, Command::Approve(Holds::All)).await;
    until_routes(&first, 3).await;
    let second = Replica::start_in(&cluster, 2, directory, |text| text).await;
    until_standby(&second).await;
    until_routes(&second, 3).await;
    until_held(&second, 0).await;
    // That was that: the same again is held again.
    put(&cluster, "a", "10.168.0.11", &subnets(12)).await;
    for replica in [&first, &second] {
        until_held(replica, 9).await;
    }
    order(&second, Command::Approve(Holds::All)).await;
    for replica in [&first, &second] {
        until_routes(replica, 12).await;
    }
    put(&cluster, "a", "10.168.0.11", &subnets(3)).await;
    for replica in [&first, &second] {
        until_held(replica, 9).await;
    }
}

async fn p3_a_wiped_store_unfreezes_nobody_and_gets_the_orders_back(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let (first, second) = two(&cluster).await;
    spread(&first, Command::Freeze).await;
    let mut client = cluster.client().await;
    client.delete("/election/orders/", Some(DeleteOptions::new().with_prefix())).await.unwrap();
    until("the order again", async || {
        let found = client.get("/election/orders/", Some(GetOptions::new().with_prefix())).await.unwrap();
        let found: Vec<_> = found.kvs().iter().map(|record| Order::decode(b"freeze", record.value())).collect();
        match &found[..] {
            [Ok(Order { what: What::Freeze, .. })] => Ok(()),
            _ => Err(found),
        }
    })
    .await;
    for replica in [&first, &second] {
        replica.service.engine().reach().spread(PATIENCE).await.unwrap();
        let frozen = replica.service.engine().look(|engine| engine.frozen().is_some()).await;
        assert_eq!(frozen, Some(true));
    }
}

/// The command line, at the first replica.
async fn fingerpost(replica: &Replica, arguments: &[&str]) -> (Option<i32>, String) {
    command(replica.directory(), arguments).await
}

/// … for the process that has its socket there.
pub(crate) async fn command(directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let done = output(directory, arguments).await;
    (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
}

/// … and all that it answers.
pub(crate) async fn output(directory: &Path, arguments: &[&str]) -> Output {
    let socket = directory.join("admin.sock");
    let mut process = Process::new(env!("CARGO_BIN_EXE_fingerpost"));
    process.args(arguments).arg("--admin").arg(socket);
    tokio::task::spawn_blocking(move || process.output()).await.unwrap().unwrap()
}

async fn p3_with_the_store_down_the_answer_says_so_and_the_order_arrives_later(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let (first, second) = two(&cluster).await;
    assert_eq!(fingerpost(&first, &["freeze"]).await, (Some(0), String::new()));
    until_frozen(&second, true).await;
    cluster.members[0].freeze();
    let (code, said) = fingerpost(&first, &["unfreeze"]).await;
    assert_eq!(code, Some(6), "{said}");
    assert!(said.contains("at this replica only") && said.contains("give it to 10.0.3.2, too"), "{said}");
    until_frozen(&first, false).await;
    until_frozen(&second, true).await;
    cluster.members[0].thaw();
    until_frozen(&second, false).await;
    let second = second.hand_over().await;
    let (code, said) = fingerpost(&first, &["withdraw", "--force", "10.244.1.0/24"]).await;
    assert!(code == Some(6) && said.contains("not there: 10.0.3.2"), "{said}");
    drop(second);
}

async fn records_that_are_no_orders_are_named_and_never_guessed(etcd: Etcd) {
    let log = Log::kept();
    let cluster = Cluster::one(etcd).await;
    let (first, second) = two(&cluster).await;
    let mut client = cluster.client().await;
    let (number, giver) = (Number { at: 7, by: Instance(7) }, Giver { replica: "x".into(), uid: None });
    let newer = String::from_utf8(Order { number, giver, what: What::Freeze }.encode().to_vec()).unwrap();
    let newer = newer.replace(r#"{"freeze":true}"#, r#"{"melt":true}"#);
    client.put("/election/orders/freeze", newer.clone(), None).await.unwrap();
    client.put("/election/orders/\u{7}", "hunter2", None).await.unwrap();
    until("a trouble", async || {
        let troubles = first.service.engine().troubles().all();
        let said = |what| troubles.iter().any(|wrong| wrong.kind == "orders" && wrong.message.contains(what));
        if said("/election/orders/") && !said("hunter2") { Ok(()) } else { Err(troubles) }
    })
    .await;
    // An order about the same holds where it was given, and leaves alone what a newer version has written.
    order(&first, Command::Freeze).await;
    first.service.engine().reach().refresh(PATIENCE).await;
    second.service.engine().reach().refresh(PATIENCE).await;
    until_frozen(&first, true).await;
    until_frozen(&second, false).await;
    let found = client.get("/election/orders/freeze", None).await.unwrap();
    assert_eq!(found.kvs()[0].value_str().unwrap(), newer);
    // Each is named once by each of the two, however often it is looked.
    for name in ["freeze", "?"] {
        let named = log.with(&format!("/election/orders/{name} is ignored"));
        assert_eq!(named.len(), 2, "{named:?}");
    }
    assert_eq!(log.with("orders are exchanged with the other replicas again"), [""; 0]);
}

/// So many records at once.
const AT_ONCE: usize = 100;

async fn fill(cluster: &Cluster, records: Vec<(String, Vec<u8>)>) {
    let mut client = cluster.client().await;
    for records in records.chunks(AT_ONCE) {
        let puts: Vec<TxnOp> = records.iter().map(|(key, value)| TxnOp::put(key.as_str(), &value[..], None)).collect();
        client.txn(Txn::new().and_then(puts)).await.unwrap();
    }
}

async fn p3_a_freeze_waits_behind_no_other_record_and_a_list_that_is_cut_off_is_said(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let (first, second) = two(&cluster).await;
    let junk = |n: usize| (format!("/election/orders/decided/{n}"), b"hunter2".to_vec());
    fill(&cluster, (0..10_001).map(junk).collect()).await;
    let said = async |replica: &Replica| {
        until("a trouble", async || {
            let troubles = replica.service.engine().troubles().all();
            let said =
                |wrong: &Wrong| wrong.kind == "orders" && wrong.message.contains("more than 10000 keys begin with");
            if troubles.iter().any(said) { Ok(()) } else { Err(troubles) }
        })
        .await;
    };
    said(&first).await;
    said(&second).await;
    let (code, text) = fingerpost(&first, &["freeze"]).await;
    assert!(code == Some(6) && text.contains("more than 10000 keys"), "{text}");
    until_frozen(&second, true).await;
    // What lifts it waits until all of it is known.
    order(&first, Command::Unfreeze).await;
    until_frozen(&first, false).await;
    let mut client = cluster.client().await;
    until("the end of the freeze in the store", async || {
        let found = client.get("/election/orders/freeze", None).await.unwrap();
        let found = found.kvs().first().map(|record| Order::decode(b"freeze", record.value()));
        if matches!(found, Some(Ok(Order { what: What::Unfreeze, .. }))) { Ok(()) } else { Err(found) }
    })
    .await;
    second.service.engine().reach().spread(PATIENCE).await.unwrap();
    until_frozen(&second, true).await;
    client.delete("/election/orders/decided/", Some(DeleteOptions::new().with_prefix())).await.unwrap();
    until_frozen(&second, false).await;
}

/// A decision of another replica, of this moment.
fn decision(at: u64) -> (String, Vec<u8>) {
    let change = SeenChange {
        kind: ChangeKind::Withdrawal,
        prefix: "10.244.200.0/24".parse().unwrap(),
        from: Some("10.168.0.11".parse().unwrap()),
        to: None,
    };
    let (source, changes) = ("prod".into(), vec![change]);
    let decided = Decided { approved: true, source, cluster: ClusterId(7), revision: Rev(1), changes };
    let giver = Giver { replica: "10.0.3.9".into(), uid: None };
    let order = Order { number: Number { at, by: Instance(9) }, giver, what: What::Decide(Arc::new(decided)) };
    (format!("/election/orders/{}", order.register()), order.encode().to_vec())
}

async fn p3_of_more_approvals_than_are_handed_on_the_answer_says_so(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let (first, second) = two(&cluster).await;
    hold_nine(&cluster, [&first, &second]).await;
    let before = wall() - 10_000;
    fill(&cluster, (0..1000).map(|n| decision(before + n)).collect()).await;
    until("all of them", async || {
        let known = first.service.engine().look(|engine| engine.book().unwrap().entries().count()).await;
        if known == Some(1000) { Ok(()) } else { Err(known) }
    })
    .await;
    // Everybody has all of them.
    first.service.engine().reach().spread(PATIENCE).await.unwrap();
    order(&first, Command::Approve(Holds::Prefix("10.244.12.0/24".parse().unwrap()))).await;
    until_held(&second, 8).await;
    drop(second.hand_over().await);
    let (code, said) = fingerpost(&first, &["approve", "10.244.11.0/24"]).await;
    assert!(code == Some(6) && said.contains("1 earlier decisions of this week had to go"), "{said}");
}

async fn p3_what_is_spent_is_taken_out_of_the_store_while_all_run(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let (first, second) = two(&cluster).await;
    // It was known, and nothing later.
    let (key, value) = decision(wall() - 8 * 86_400_000);
    fill(&cluster, vec![(key.clone(), value.clone())]).await;
    until("it in every book", async || {
        let known = async |replica: &Replica| {
            replica.service.engine().look(|engine| engine.book().unwrap().entries().count()).await
        };
        let known = [known(&first).await, known(&second).await];
        if known == [Some(1), Some(1)] { Ok(()) } else { Err(known) }
    })
    .await;
    spread(&first, Command::Freeze).await;
    let mut client = cluster.client().await;
    until("nothing but the freeze", async || {
        let found = client.get("/election/orders/", Some(GetOptions::new().with_prefix())).await.unwrap();
        let keys: Vec<String> = found.kvs().iter().map(|record| record.key_str().unwrap().to_owned()).collect();
        if keys == ["/election/orders/freeze"] { Ok(()) } else { Err(keys) }
    })
    .await;
    let exchange = second.service.engine().reach().spread(PATIENCE).await.unwrap();
    assert_eq!((exchange.failed.as_deref(), exchange.behind().count()), (None, 0));
    // Whoever knows less writes it back. Each takes it out once, and then it stays and is said: nobody does that for ever.
    until("it stays", async || {
        if client.get(key.as_str(), None).await.unwrap().kvs().is_empty() {
            client.put(key.as_str(), &value[..], None).await.unwrap();
        }
        let said = [&first, &second].map(|replica| {
            let troubles = replica.service.engine().troubles().all();
            troubles.iter().any(|wrong| wrong.kind == "orders" && wrong.message.contains("is there again"))
        });
        if said == [true, true] { Ok(()) } else { Err(said) }
    })
    .await;
    for replica in [&first, &second] {
        replica.service.engine().reach().spread(PATIENCE).await.unwrap();
    }
    assert_eq!(client.get(key.as_str(), None).await.unwrap().kvs().len(), 1);
}
