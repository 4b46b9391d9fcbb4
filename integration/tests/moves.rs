//! L9 with a single replica: a subnet moves to another host while pods talk to it. Both hosts have it for the time of the move,
//! so where each packet went can be told, and none need be lost.
//!
//! ```text
//!  pod b2 ──► gateway ──┬─► host a1 ──► 10.244.1.2, fd00:10:244:1::2      before
//!                       └─► host b1 ──► the same addresses                after
//! ```
//!
//! The bound: whatever leaves a pod once the gateway's kernel shows the new host arrives there. Until then it arrives at the old
//! one; nothing arrives at both, and no IPv4 packet nowhere.

#![cfg(target_os = "linux")]

use std::time::Duration;

use integration::lab::capture::Capture;
use integration::lab::gateway::Daemon;
use integration::lab::host::Host;
use integration::lab::skip::{self, Need};
use integration::lab::stage::Stage;
use integration::lab::stream::Stream;
use integration::lab::topology::Subnet;
use integration::lab::{Peering, ping, record, route, wait};

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];
const INTERVAL: Duration = Duration::from_millis(2);
const BOUND: Duration = Duration::from_secs(30);
/// Answers that show that traffic flows.
const FLOWS: usize = 200;

/// How the source says that the subnet moves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// The new owner first: for a moment two hosts claim the subnet, and it never has none.
    NewOwnerFirst,
    /// Both records in one transaction, the old owner's first.
    AtOnce,
}

impl Told {
    fn write(self, stage: &Stage, from: &Host, to: &Host, subnet: Subnet) {
        let records = [(to, record::native_value(to, &[to.subnet(), subnet])), (from, record::native_value(from, &[]))];
        let records = records.map(|(host, value)| (record::native_key(host), value));
        match self {
            Self::NewOwnerFirst => records.iter().for_each(|(key, value)| stage.etcd.put(key, value)),
            Self::AtOnce => stage.etcd.put_at_once(records.iter().rev()),
        }
    }
}

/// The changes that do not mention any of `subnets`.
fn of_others(changes: &[String], subnets: &[Subnet]) -> Vec<String> {
    let own: Vec<String> = subnets.iter().flat_map(|subnet| [subnet.v4(), subnet.v6()]).collect();
    changes.iter().filter(|change| !own.iter().any(|prefix| change.contains(prefix.as_str()))).cloned().collect()
}

fn moved_subnet_is_told_once_and_no_packet_goes_astray(daemon: Daemon, told: Told) {
    if skip::unless(&NEEDS) {
        return;
    }
    let stage = Stage::native(daemon);
    let [from, to, other] = ["node-a1", "node-b1", "node-b2"].map(|name| stage.lab.host(name));
    let subnet = from.subnet();
    to.own(subnet);
    let gateway = &stage.lab.gateways()[0];
    let monitor = gateway.watch_routes();
    let capture = Capture::start_of_sessions(stage.lab.switch());
    let mut streams = [subnet.pod_v4(), subnet.pod_v6()]
        .map(|target| Stream::start_among(other.pod(), &[from.pod(), to.pod()], target, INTERVAL));
    streams.iter().for_each(|stream| stream.await_more(FLOWS));

    let written = streams.each_ref().map(Stream::next);
    told.write(&stage, from, to, subnet);
    // For each family, from which number on everything was sent after the kernel showed the new host.
    let mut shown = [None; 2];
    wait::until_true("the kernel to show the new host", BOUND, || {
        let routes = route::pod_routes(gateway.namespace());
        for ((prefix, via), (shown, stream)) in to.routes_of(subnet).iter().zip(shown.iter_mut().zip(&streams)) {
            if shown.is_none() && routes.get(prefix).is_some_and(|vias| vias.iter().eq([via])) {
                *shown = Some(stream.next());
            }
        }
        shown.iter().all(Option::is_some)
    });
    streams.iter().for_each(|stream| stream.await_more(FLOWS));

    let reports = streams.each_mut().map(Stream::stop);
    for (place, (stream, report)) in streams.iter().zip(&reports).enumerate() {
        let (written, shown) = (written[place], shown[place].expect("it was awaited"));
        let (old, new) = (stream.delivered(0), stream.delivered(1));
        let last_at_old = *old.last().expect("something went to the old host");
        let first_at_new = *new.first().expect("something went to the new host");
        eprintln!(
            "{daemon}, {}: sent {}, lost {}; the source wrote before {written}, the last at the old host is {last_at_old}, the \
             kernel showed the new one before {shown}",
            if place == 0 { "IPv4" } else { "IPv6" },
            report.sent,
            report.lost,
        );
        assert!(old.is_disjoint(&new), "delivered twice: {:?}", old.intersection(&new).collect::<Vec<_>>());
        assert!(
            last_at_old < shown,
            "{last_at_old} went to the old host, and {shown} was not sent yet when the kernel changed"
        );
        assert!(last_at_old < first_at_new, "to the old host after the new one: {first_at_new} … {last_at_old}");
        assert!(first_at_new >= written, "to the new host before the source said so: {first_at_new} < {written}");
        assert!(report.unanswered.iter().all(|n| (last_at_old..first_at_new).contains(n)), "lost: {report:?}");
        // IPv6 entries are deleted and made anew by FRR: what is under way in between is lost.
        assert!(report.lost == 0 || (place == 1 && daemon == Daemon::Frr), "lost: {report:?}");
    }
    assert_one_implicit_replace(&capture.stop().updates(Peering::Ebgp.speaker_address()), to, subnet);

    let changes = monitor.stop();
    assert_eq!(of_others(&changes, &[subnet]), Vec::<String>::new(), "a move touches nothing but the moved subnet");
    let gone = changes.iter().find(|change| change.starts_with("Deleted") && change.contains(&subnet.v4()));
    assert!(gone.is_none(), "the IPv4 entry is replaced, never absent: {changes:#?}");
    // Full-size packets both ways: a burst's answers, and what the moved pod asks itself.
    for (ours, theirs) in [(subnet.pod_v4(), other.subnet().pod_v4()), (subnet.pod_v6(), other.subnet().pod_v6())] {
        ping::burst(other.pod(), ours, 10, ping::full_size(ours)).assert_lossless(10);
        ping::burst_from(to.pod(), ours, theirs, 10, ping::full_size(theirs)).assert_lossless(10);
    }
}

/// One UPDATE a family, which announces the subnet at its new host; nothing is withdrawn.
#[track_caller]
fn assert_one_implicit_replace(updates: &[String], to: &Host, subnet: Subnet) {
    assert_eq!(updates.len(), 2, "one UPDATE for each family: {updates:#?}");
    for (prefix, via) in to.routes_of(subnet) {
        let says = |update: &&String| update.contains(&prefix) && update.contains(&via.to_string());
        assert_eq!(updates.iter().filter(says).count(), 1, "{prefix} via {via}: {updates:#?}");
    }
    for word in ["Withdrawn", "Unreach"] {
        assert!(!updates.iter().any(|update| update.contains(word)), "something is withdrawn: {updates:#?}");
    }
}

#[test]
fn l9_bird_moves_a_subnet_by_one_update_and_no_packet_goes_astray() {
    moved_subnet_is_told_once_and_no_packet_goes_astray(Daemon::Bird, Told::NewOwnerFirst);
}

#[test]
fn l9_frr_moves_a_subnet_by_one_update_and_no_packet_goes_astray() {
    moved_subnet_is_told_once_and_no_packet_goes_astray(Daemon::Frr, Told::NewOwnerFirst);
}

#[test]
fn l9_a_move_in_one_transaction_is_one_update_whichever_record_comes_first() {
    moved_subnet_is_told_once_and_no_packet_goes_astray(Daemon::Bird, Told::AtOnce);
}
