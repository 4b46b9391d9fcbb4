//! What happened, asked for and followed (P8).

use super::client::Client;
use super::peer::Peer;
use super::until::{BOUND, until};
use super::world::{HOSTS, NONE, World, many};
use fingerpost::admin::proto::target::Which as Aim;
use fingerpost::admin::proto::{
    Event, EventFilter, EventKind, FreezeRequest, ListEventsRequest, ListEventsResponse, RestoreRequest, Target,
    UnfreezeRequest, WatchEventsRequest, WatchEventsResponse, WithdrawRequest, WrittenState,
};
use fingerpost_core::bgp::wire::Capability;
use prost::Message;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use tokio::runtime::{Handle, Runtime};
use tokio::time::timeout;
use tonic::transport::Endpoint;
use tonic::{Code, Streaming};

fn kinds(kinds: &[EventKind]) -> Option<EventFilter> {
    Some(EventFilter { kinds: kinds.iter().map(|kind| i32::from(*kind)).collect(), ..EventFilter::default() })
}

async fn list(world: &World, request: ListEventsRequest) -> ListEventsResponse {
    world.client.clone().list_events(request).await.unwrap().into_inner()
}

async fn watch(client: &mut Client, since: Option<u64>) -> Streaming<WatchEventsResponse> {
    client.watch_events(WatchEventsRequest { filter: None, since }).await.unwrap().into_inner()
}

/// The next message of a stream.
async fn next(stream: &mut Streaming<WatchEventsResponse>) -> WatchEventsResponse {
    timeout(BOUND, stream.message()).await.expect("no event comes").unwrap().expect("the stream has ended")
}

async fn withdraw(world: &World, aim: Aim) {
    let request = WithdrawRequest { target: Some(Target { which: Some(aim) }), force: true };
    world.client.clone().withdraw(request).await.unwrap();
}

async fn restore(world: &World, aim: Aim) {
    let request = RestoreRequest { target: Some(Target { which: Some(aim) }) };
    world.client.clone().restore(request).await.unwrap();
}

fn told(events: &[Event]) -> Vec<(EventKind, &str)> {
    events.iter().map(|event| (event.kind(), event.reason.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_is_explained_with_what_happened_to_it_and_who_did_it_p8() {
    let world = World::ready(HOSTS, "").await;
    withdraw(&world, Aim::Prefix("10.244.1.0/24".into())).await;
    let answer = world.explain("10.244.1.7").await;
    assert_eq!(
        told(&answer.events),
        [
            (EventKind::Announced, "a record says so"),
            (EventKind::Order, "withdraw prefix 10.244.1.0/24"),
            (EventKind::Withdrawn, "a person has withdrawn it by order"),
        ]
    );
    let [announced, order, withdrawn] = &answer.events[..] else { panic!("{:?}", answer.events) };
    assert_eq!((announced.key.as_str(), announced.revision, announced.source.as_str()), ("node-a1", 1, "lab"));
    assert_eq!(announced.to, withdrawn.from);
    assert_eq!(announced.to.as_ref().map(|hop| hop.next_hop.as_str()), Some("10.168.0.11"));
    let own = i64::from(rustix::process::getuid().as_raw());
    assert_eq!((order.uid, order.pid, order.count), (own, i64::from(std::process::id()), 1));
    assert!(announced.number < order.number && order.number < withdrawn.number && !answer.older_events);
    // Nobody states it any more, and what happened is told all the same.
    restore(&world, Aim::Prefix("10.244.1.0/24".into())).await;
    world.write_hosts(Some(&HOSTS.replace("[10.244.1.0/24]", "[]")));
    let answer = until("the withdrawal", async || {
        let answer = world.explain("10.244.1.0/24").await;
        if answer.routes.is_empty() { Ok(answer) } else { Err(answer) }
    })
    .await;
    assert_eq!(told(&answer.events).last(), Some(&(EventKind::Withdrawn, "its record no longer states it")));
    // Of a host the others' events are not.
    let of_host = world.explain("node-b1").await.events;
    assert!(of_host.iter().all(|event| event.prefix != "10.244.1.0/24"), "{of_host:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_every_event_once_and_filters_narrow_them() {
    let world = World::ready(&many(50), "").await;
    let all = list(&world, ListEventsRequest { page_size: 1000, ..ListEventsRequest::default() }).await;
    let numbers: Vec<u64> = all.events.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=all.last).collect::<Vec<_>>());
    assert!(all.next_page_token.is_empty() && all.lost == 0);
    let mut request = ListEventsRequest { page_size: 7, ..ListEventsRequest::default() };
    let mut paged = Vec::new();
    loop {
        let page = list(&world, request.clone()).await;
        assert!(page.events.len() <= 7);
        paged.extend(page.events);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, all.events);
    let of = |filter: EventFilter| ListEventsRequest { filter: Some(filter), ..ListEventsRequest::default() };
    let of_prefix = EventFilter { prefix: "10.244.7.0/24".into(), ..EventFilter::default() };
    assert_eq!(told(&list(&world, of(of_prefix)).await.events), [(EventKind::Announced, "a record says so")]);
    let of_host = EventFilter { host: "node-9".into(), ..EventFilter::default() };
    assert_eq!(list(&world, of(of_host)).await.events[0].prefix, "10.244.9.0/24");
    let nobody = EventFilter { source: "prod".into(), ..EventFilter::default() };
    assert_eq!(list(&world, of(nobody)).await.events, []);
    let filter = kinds(&[EventKind::Announced]);
    let newest = ListEventsRequest { page_size: 3, newest: true, filter, ..ListEventsRequest::default() };
    let newest = list(&world, newest).await.events;
    assert_eq!(newest.iter().map(|event| event.kind()).collect::<Vec<_>>(), [EventKind::Announced; 3]);
    let behind = ListEventsRequest { since: all.last - 2, page_size: 1000, ..ListEventsRequest::default() };
    assert_eq!(list(&world, behind).await.events, all.events[all.events.len() - 2..]);
    let mut since = all.events[10].at.unwrap();
    let from = ListEventsRequest { from: Some(since), page_size: 1000, ..ListEventsRequest::default() };
    assert!(list(&world, from).await.events.iter().any(|event| event.number == 11));
    since.seconds += 3600;
    assert_eq!(list(&world, ListEventsRequest { from: Some(since), ..ListEventsRequest::default() }).await.events, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_events_ends_at_a_mebibyte_whichever_end_it_begins_at_and_goes_on_there() {
    /// What names so many gateways for one event.
    const ONE: usize = 32 << 10;
    let gateways: Vec<String> = (0..256)
        .map(|n| {
            // As long as names may be.
            let name = format!("{}{n:03}", "a-gateway-of-the-north-".repeat(3).get(..60).unwrap());
            format!("{name}: {{ address: 127.9.{n}.1, port: 9, asn: 64500, policy: default }}")
        })
        .collect();
    let world = World::ready(&many(200), &gateways.join(", ")).await;
    let all = list(&world, ListEventsRequest { page_size: 1000, ..ListEventsRequest::default() }).await;
    assert!(all.next_page_token.is_empty() && all.events.len() > 200);
    let numbers = |events: &[Event]| events.iter().map(|event| event.number).collect::<Vec<_>>();
    for newest in [false, true] {
        let mut request = ListEventsRequest { page_size: 1000, written: true, newest, ..ListEventsRequest::default() };
        request.since = all.events[0].number;
        let (mut pages, mut first) = (Vec::new(), None);
        loop {
            let page = list(&world, request.clone()).await;
            let octets = page.encoded_len();
            assert!(octets < (1 << 20) + ONE, "{octets}");
            first.get_or_insert(page.last);
            pages.push(numbers(&page.events));
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        assert!(pages.len() > 2, "{} pages", pages.len());
        if newest {
            pages.reverse();
            assert_eq!(first, Some(all.last), "who follows goes on behind the newest");
        }
        assert_eq!(pages.concat(), numbers(&all.events[1..]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_names_the_gateways_that_it_was_written_to_p8() {
    let peer = Peer::listen().await;
    let world = World::ready(HOSTS, &peer.yaml("core-a")).await;
    let newest = async |state: WrittenState| {
        until("the gateway's state", async || {
            let events = world.explain("10.244.1.0/24").await.events;
            let of_routes = events.iter().rev().find(|event| event.kind() != EventKind::Order);
            match of_routes.map(|event| event.written.as_slice()) {
                Some([one]) if one.gateway == "core-a" && one.state() == state => Ok(()),
                _ => Err(events),
            }
        })
        .await;
    };
    newest(WrittenState::Down).await;
    let capabilities = vec![Capability::MultiProtocol { afi: 1, safi: 1 }, Capability::FourOctetAs(64500)];
    let session = peer.establish(capabilities).await;
    newest(WrittenState::ByDump).await;
    withdraw(&world, Aim::Host("node-a1".into())).await;
    newest(WrittenState::Written).await;
    drop(session);
    newest(WrittenState::Down).await;
    let sessions = ListEventsRequest { filter: kinds(&[EventKind::Session]), ..ListEventsRequest::default() };
    let sessions = list(&world, sessions).await.events;
    let said: Vec<(&str, &str)> =
        sessions.iter().map(|event| (event.gateway.as_str(), event.reason.as_str())).collect();
    let end_of_rib = "told everything: End-of-RIB of ipv4 was sent";
    assert_eq!(said, [("core-a", "established"), ("core-a", end_of_rib), ("core-a", "over")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_gets_every_event_of_a_burst_in_order() {
    let world = World::ready(&many(100), "").await;
    let before = list(&world, ListEventsRequest { page_size: 1000, ..ListEventsRequest::default() }).await.last;
    let mut client = world.client.clone();
    let (mut all, mut new) = (watch(&mut client, Some(0)).await, watch(&mut client, None).await);
    // What is wanted first is what was there.
    let first = next(&mut all).await;
    assert_eq!((first.events[0].number, first.lost), (1, 0));
    world.write_hosts(Some(NONE));
    world.until_held(100).await;
    let newest = list(&world, ListEventsRequest { page_size: 1000, ..ListEventsRequest::default() }).await.last;
    assert!(newest >= before + 100);
    let mut seen = first.events;
    while seen.last().unwrap().number < newest {
        seen.extend(next(&mut all).await.events);
    }
    let numbers: Vec<u64> = seen.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=newest).collect::<Vec<_>>());
    assert_eq!(next(&mut new).await.events[0].number, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn p6_a_follower_that_does_not_read_is_told_what_it_missed_and_holds_up_nobody() {
    const ORDERS: u64 = 2000;
    let world = World::ready_with(HOSTS, "", "timeline: { events: 100 }").await;
    // The window of HTTP/2 is what a client takes without reading.
    let socket = Endpoint::try_from(format!("unix:{}", world.socket.display())).unwrap();
    let small = socket.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
    let mut follower = Client::new(small.connect().await.unwrap());
    let mut stream = watch(&mut follower, Some(0)).await;
    // Each makes two events, and more than a window of HTTP/2 has room for.
    let host = Aim::Host("h".repeat(250));
    for _ in 0..ORDERS / 2 {
        withdraw(&world, host.clone()).await;
        restore(&world, host.clone()).await;
    }
    let newest = list(&world, ListEventsRequest { page_size: 1000, ..ListEventsRequest::default() }).await;
    assert!(newest.events.len() <= 100 && newest.last >= ORDERS);
    assert_eq!(newest.lost, newest.last - newest.events.len() as u64);
    let (mut last, mut lost) = (0, 0);
    while last < newest.last {
        let more = next(&mut stream).await;
        lost += more.lost;
        let mut expected = last + more.lost;
        for event in &more.events {
            expected += 1;
            assert_eq!(event.number, expected, "what is missing is said");
        }
        last = more.last;
    }
    assert!(lost > ORDERS / 2, "only {lost} were lost: it was not slow");
    // And it is up to date again.
    world.client.clone().freeze(FreezeRequest {}).await.unwrap();
    let more = next(&mut stream).await;
    assert_eq!((told(&more.events), more.lost), (vec![(EventKind::Order, "freeze")], 0));
}

/// A client that follows and never reads, in a runtime of its own; it lives as long as that.
fn stuck_follower(world: &World) -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let socket = Endpoint::try_from(format!("unix:{}", world.socket.display())).unwrap();
    let (follows, begun) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        let mut client = Client::new(socket.initial_stream_window_size(65_535).connect().await.unwrap());
        let _stream = watch(&mut client, Some(0)).await;
        follows.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    begun.recv_timeout(BOUND).unwrap();
    runtime
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_ends_with_its_client_and_with_the_service_and_no_task_is_left() {
    let alive = || Handle::current().metrics().num_alive_tasks();
    let until_left = async |count: usize| {
        until("the end of the tasks", async || match alive() {
            left if left == count => Ok(()),
            left => Err(left),
        })
        .await;
    };
    let nothing = alive();
    let world = World::ready(HOSTS, "").await;
    let before = alive();
    let follower = stuck_follower(&world);
    let host = Aim::Host("h".repeat(250));
    for _ in 0..300 {
        // More than the client's window has room for.
        withdraw(&world, host.clone()).await;
        restore(&world, host.clone()).await;
    }
    assert!(alive() > before, "nobody follows");
    follower.shutdown_background();
    until_left(before).await;
    let follower = stuck_follower(&world);
    timeout(BOUND, world.end()).await.expect("it does not end");
    until_left(nothing).await;
    follower.shutdown_background();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_follow_and_who_goes_makes_room() {
    let world = World::ready(HOSTS, "").await;
    let mut client = world.client.clone();
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(watch(&mut client, None).await);
    }
    let request = WatchEventsRequest::default();
    let refused = client.watch_events(request.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    streams.pop();
    until("room", async || client.clone().watch_events(request.clone()).await.map(|_| ())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_another_process_or_a_filter_that_means_nothing_is_refused() {
    let world = World::ready(HOSTS, "").await;
    let watched = WatchEventsRequest { since: Some(1_000_000), ..WatchEventsRequest::default() };
    let refused = world.client.clone().watch_events(watched).await.unwrap_err();
    assert!(refused.code() == Code::InvalidArgument && refused.message().contains("begin anew"), "{refused}");
    let filter = |filter| ListEventsRequest { filter: Some(filter), ..ListEventsRequest::default() };
    for (request, says) in [
        (ListEventsRequest { since: 1_000_000, ..ListEventsRequest::default() }, "begin anew"),
        (ListEventsRequest { page_token: "x".into(), ..ListEventsRequest::default() }, "next_page_token"),
        (ListEventsRequest { page_size: 1001, ..ListEventsRequest::default() }, "write 1 to 1000"),
        (
            ListEventsRequest { newest: true, page_token: "1000000".into(), ..ListEventsRequest::default() },
            "begin anew",
        ),
        (filter(EventFilter { prefix: "10.244.1.1/24".into(), ..EventFilter::default() }), "write 10.244.1.0/24"),
        (filter(EventFilter { prefix: "x".into(), ..EventFilter::default() }), "is no prefix"),
        (filter(EventFilter { host: "two words".into(), ..EventFilter::default() }), "is not a host name"),
        (filter(EventFilter { kinds: vec![77], ..EventFilter::default() }), "no kind 77"),
    ] {
        let refused = world.client.clone().list_events(request).await.unwrap_err();
        assert!(refused.code() == Code::InvalidArgument && refused.message().contains(says), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_is_told_when_the_engine_ends() {
    let world = World::ready(HOSTS, "").await;
    let mut stream = watch(&mut world.client.clone(), None).await;
    world.stop_engine();
    let ended = timeout(BOUND, stream.message()).await.unwrap().unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_and_a_freeze_stand_among_the_events() {
    let mut world = World::ready(HOSTS, "").await;
    world.reload("", "{ match: {}, then: accept }").await;
    world.client.clone().freeze(FreezeRequest {}).await.unwrap();
    world.client.clone().unfreeze(UnfreezeRequest {}).await.unwrap();
    let filter = kinds(&[EventKind::Reload, EventKind::Order]);
    let events = list(&world, ListEventsRequest { filter, ..ListEventsRequest::default() }).await.events;
    let said = told(&events);
    let taken = (EventKind::Reload, "a configuration is in force, with 0 gateways");
    assert_eq!(said, [taken, taken, (EventKind::Order, "freeze"), (EventKind::Order, "unfreeze")]);
}

/// The numbers of the events in a file, and what it says is missing.
fn written(file: &Path) -> (Vec<u64>, u64) {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (mut numbers, mut lost) = (Vec::new(), 0);
    for line in lines {
        numbers.extend(line["number"].as_u64());
        lost += line["lost"].as_u64().unwrap_or(0);
    }
    (numbers, lost)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_a_line_of_the_file() {
    let world = World::ready_with(HOSTS, "", "timeline: { file: events.jsonl }").await;
    withdraw(&world, Aim::Prefix("10.244.1.0/24".into())).await;
    let newest = list(&world, ListEventsRequest::default()).await.last;
    let file = world.path().join("events.jsonl");
    until("the lines", async || {
        let seen = written(&file);
        if seen == ((1..=newest).collect(), 0) { Ok(()) } else { Err(seen) }
    })
    .await;
    // Another process goes on with the same file.
    let again = world.restart("").await;
    again.until_listed().await;
    let newest = list(&again, ListEventsRequest::default()).await.last;
    let file = again.path().join("events.jsonl");
    until("the lines of both", async || {
        let (numbers, _) = written(&file);
        if numbers.iter().filter(|number| **number == 1).count() == 2 && numbers.last() == Some(&newest) {
            Ok(())
        } else {
            Err(numbers)
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c59_a_pipe_that_nobody_reads_or_a_full_disk_holds_up_no_route() {
    let directory = TempDir::new().unwrap();
    let pipe = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for file in [pipe.as_path(), Path::new("/dev/full")] {
        let more = format!("timeline: {{ events: 50, file: {} }}", file.display());
        let world = World::ready_with(HOSTS, "", Box::leak(more.into_boxed_str())).await;
        for _ in 0..100 {
            withdraw(&world, Aim::Prefix("10.244.1.0/24".into())).await;
            assert_eq!(world.announced().await.len(), 2);
            restore(&world, Aim::Prefix("10.244.1.0/24".into())).await;
            assert_eq!(world.announced().await.len(), 3);
        }
        assert!(list(&world, ListEventsRequest::default()).await.last > 400);
        timeout(BOUND, world.end()).await.expect("it does not end");
    }
}
