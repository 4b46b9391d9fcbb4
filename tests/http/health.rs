//! `/livez` and `/readyz`.

use super::peer::Peer;
use super::until::until;
use super::world::{HOSTS, World};
use fingerpost_core::engine::{By, Command, Engine};

#[tokio::test(flavor = "multi_thread")]
async fn ready_once_every_source_was_read_and_from_then_on() {
    // A gateway that nobody is: its session stays down, and that is no reason.
    let nobody = Peer::listen().await;
    let world = World::start(None, &nobody.yaml("core-a")).await;
    drop(nobody);
    let before = world.until_answer("/readyz", |answer| answer.body.contains("hosts.yaml")).await;
    assert_eq!(before.status, 503);
    assert!(before.body.starts_with("[+]engine ok\n[-]source/lab failed: never read completely: "), "{before:?}");
    assert!(before.body.ends_with("\nreadyz check failed\n"), "{before:?}");
    assert_eq!(world.get("/livez").await.status, 200);

    world.write_hosts(Some(HOSTS));
    let ready = world.until_answer("/readyz", |answer| answer.status == 200).await;
    assert_eq!(ready.body, "ok\n");
    assert_eq!(world.get("/readyz?verbose").await.body, "[+]engine ok\n[+]source/lab ok\nreadyz check passed\n");

    world.write_hosts(None);
    let lost = |engine: &Engine| engine.source_rows().iter().any(|row| !row.seen.is_current());
    until("the source to be lost", async || match world.service.engine().look(lost).await {
        Some(true) => Ok(()),
        other => Err(other),
    })
    .await;
    assert_eq!(world.get("/readyz?verbose").await.body, "[+]engine ok\n[+]source/lab ok\nreadyz check passed\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_of_which_nothing_is_believed_is_not_ready() {
    let world = World::start(Some("hosts: {}\n"), "").await;
    let answer = world.until_answer("/readyz", |answer| answer.body.contains("allow_empty")).await;
    assert!(answer.body.contains("no host is in "), "{answer:?}");
    assert_eq!(answer.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_is_said_and_no_reason_to_be_unready() {
    let world = World::ready(HOSTS, "").await;
    world.service.engine().command(Command::Freeze, By::default()).await.unwrap();
    let answer = world.get("/readyz?verbose").await;
    let line = "[+]orders ok: frozen, nothing changes at any gateway before fingerpost unfreeze\n";
    assert!(answer.status == 200 && answer.body.contains(line), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_when_the_engine_has_ended() {
    let world = World::ready(HOSTS, "").await;
    assert_eq!(world.get("/livez?verbose").await.body, "[+]engine ok\nlivez check passed\n");
    world.service.engine().stop();
    let dead = world.until_answer("/livez", |answer| answer.status == 503).await;
    assert_eq!(
        dead.body,
        "[-]engine failed: the engine has ended: the process is about to end: see its log\nlivez check failed\n"
    );
    let unready = world.get("/readyz").await;
    assert_eq!(unready.status, 503);
    assert_eq!(
        unready.body,
        "[-]engine failed: the engine has ended: the process is about to end: see its log\nreadyz check failed\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_while_the_engine_does_not_answer_and_alive_again() {
    let world = World::ready(HOSTS, "").await;
    let (release, held) = std::sync::mpsc::channel::<()>();
    let engine = world.service.engine().clone();
    let hold = tokio::spawn(async move { engine.look(move |_| held.recv().is_ok()).await });
    let dead = world.until_answer("/livez", |answer| answer.status == 503).await;
    assert_eq!(
        dead.body,
        "[-]engine failed: the engine has not answered for 3 s: try again; if it stays so, see the log\nlivez check failed\n"
    );
    release.send(()).unwrap();
    assert_eq!(hold.await.unwrap(), Some(true));
    assert_eq!(world.get("/livez").await.status, 200);
}
