//! One key of a real etcd changes ten times a second: its prefix keeps its owner and is told once more when it is quiet, and
//! what else changes meanwhile is told as ever (P3, c58). Everything is shown by order: of the UPDATEs on the wire, and of what
//! was written before or after what the gateway had.

#![cfg(target_os = "linux")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use integration::lab::capture::Capture;
use integration::lab::fingerpost::{Fingerpost, Source, UNGUARDED, configuration};
use integration::lab::gateway::Daemon;
use integration::lab::host::Host;
use integration::lab::record::NATIVE_PREFIX;
use integration::lab::skip::{self, Need};
use integration::lab::stage::Stage;
use integration::lab::topology::Subnet;
use integration::lab::{Peering, record, routes, wait};
use serde_json::json;

const NEEDS: [Need; 4] = [Need::Root, Need::Tools, Need::Bird, Need::Etcd];
const BOUND: Duration = Duration::from_secs(60);
/// Between two writes of the key that flaps.
const PERIOD: Duration = Duration::from_millis(100);
/// The prefix that flaps.
const FLAPS: &str = "10.244.200.0/24";
/// Changes that pass before a prefix counts as flapping.
const PASS: usize = 4;
/// Subnets that are written meanwhile, one after the other.
const QUIET: std::ops::Range<u8> = 100..110;

/// Says that the flapping prefix is this host's.
fn write_flapping(stage: &Stage, host: &Host) {
    let value = json!({ "addresses": [host.v4()], "subnets": [FLAPS] }).to_string();
    stage.etcd.put(&format!("{NATIVE_PREFIX}/hosts/flaps"), &value);
}

#[test]
fn c58_a_key_that_flaps_ten_times_a_second_is_coalesced_and_nobody_waits_for_it() {
    if skip::unless(&NEEDS) {
        return;
    }
    let mut stage = Stage::native(Daemon::Bird);
    let guarded = configuration(&stage.lab, &Source::Native).replace(UNGUARDED, "guard: { additions: off }");
    stage.fingerpost.terminate();
    stage.fingerpost = Fingerpost::start_with(&stage.lab, &guarded);
    stage.await_home_routes();
    let owners = ["node-a1", "node-b1"].map(|name| stage.lab.host(name));
    write_flapping(&stage, owners[0]);
    let mut expected = stage.lab.home_routes();
    expected.extend(routes([(FLAPS.to_owned(), owners[0].v4())]));
    stage.await_routes(&expected);
    let capture = Capture::start_of_sessions(stage.lab.switch());

    let (over, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    let last = std::thread::scope(|scope| {
        let flapping = scope.spawn(|| {
            for turn in 1.. {
                let owner = owners[turn % 2];
                write_flapping(&stage, owner);
                written.store(turn, Ordering::SeqCst);
                if over.load(Ordering::SeqCst) {
                    return owner;
                }
                std::thread::sleep(PERIOD);
            }
            unreachable!("it ends when it is over");
        });
        // A panic here must not leave the thread waiting for its end.
        let quiet = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let held = || stage.fingerpost.get("/api/v1/holds").expect("it answers").body.contains(FLAPS);
            wait::until_true("the prefix to count as flapping", BOUND, held);
            let owner = stage.lab.host("node-b2");
            for n in QUIET {
                let key = format!("{NATIVE_PREFIX}/hosts/quiet-{n}");
                stage.etcd.put(&key, &record::native_value(owner, &[Subnet(n)]));
                let [v4, _] = owner.routes_of(Subnet(n));
                let there = || stage.lab.gateways()[0].routes().contains_key(&v4.0);
                wait::until_true("a quiet prefix to be there while the other flaps", BOUND, there);
                // Now and then it is as it is announced, and nothing is held for a moment.
                wait::until_true("the other to flap still", BOUND, held);
            }
            wait::until_true("fifty writes", BOUND, || written.load(Ordering::SeqCst) >= 50);
        }));
        over.store(true, Ordering::SeqCst);
        let last = flapping.join().expect("it has written to the end");
        quiet.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        last
    });

    // Once it is quiet it is what its key says last.
    let now =
        |routes: &integration::lab::route::PodRoutes| routes.get(FLAPS).is_some_and(|vias| vias.contains(&last.v4()));
    wait::until_true("its last owner", BOUND, || now(&stage.lab.gateways()[0].routes()));

    let updates = capture.stop().updates(Peering::Ebgp.speaker_address());
    let places = |prefix: &str| -> Vec<usize> {
        updates.iter().enumerate().filter(|(_, update)| update.contains(prefix)).map(|(place, _)| place).collect()
    };
    let of_flapping = places(FLAPS);
    let writes = written.load(Ordering::SeqCst);
    eprintln!("{writes} writes of one key were {} UPDATEs: {of_flapping:?} of {}", of_flapping.len(), updates.len());
    assert!(writes >= 50 && of_flapping.len() <= PASS + 1, "{writes} writes were {} UPDATEs", of_flapping.len());
    let of_quiet: Vec<Vec<usize>> = QUIET.map(|n| places(&Subnet(n).v4())).collect();
    assert!(of_quiet.iter().all(|places| places.len() == 1), "each is told once: {of_quiet:?}");
    assert!(of_quiet.is_sorted(), "in the order in which they were written: {of_quiet:?}");
    // What passed before it counted as flapping, then all the quiet ones, then what it came to at last, if that differs.
    let (first, last) = (of_quiet[0][0], of_quiet.last().expect("there are some")[0]);
    assert!(of_flapping.iter().all(|place| *place < first || *place > last), "{of_flapping:?} among {of_quiet:?}");
    assert!(!updates.iter().any(|update| update.contains("Withdrawn")), "it always has an owner: {updates:#?}");
}
