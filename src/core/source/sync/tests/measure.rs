//! What it costs. By hand: `cargo test --release -p fingerpost-core measure -- --ignored --nocapture`.

use super::*;

fn lease(number: u32) -> Record {
    let (high, middle, low) = (number >> 16 & 0xff, number >> 8 & 0xff, number & 0xff);
    let value = format!(
        r#"{{"PublicIP":"10.{}.{middle}.{low}","PublicIPv6":null,"BackendType":"vxlan","BackendData":{{"VNI":1,"VtepMAC":"52:11:3e:11:7a:01"}}}}"#,
        high + 128
    );
    Record {
        key: format!("/coreos.com/network/subnets/{}.{middle}.{low}.0-24", high + 10).into(),
        value: value.into(),
        modified: Rev(number.into()),
        created: Rev(number.into()),
    }
}

fn host(number: u32, subnets: u32) -> Record {
    let subnets = (0..subnets).map(|nth| {
        let bits = 0x0a00_0000 + ((number * subnets + nth) << 4);
        format!("{}/28", std::net::Ipv4Addr::from(bits))
    });
    let address = std::net::Ipv4Addr::from(0x0aa8_0000 + number).to_string();
    record(
        number.into(),
        &format!("host-{number:06}"),
        &address,
        &subnets.collect::<Vec<_>>().iter().map(|subnet| &subnet[..]).collect::<Vec<_>>(),
    )
}

/// Time this thread has spent on a processor: others may be busy, too.
#[expect(clippy::disallowed_methods, reason = "a measurement looks at the system; it is no part of the core")]
fn spent() -> Duration {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(schedule.split(' ').next().unwrap().parse().unwrap())
}

/// Resident memory in octets.
#[expect(clippy::disallowed_methods, reason = "a measurement looks at the system; it is no part of the core")]
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn load(schema: Schema, records: impl Iterator<Item = Record>, expected: usize) {
    let before = resident();
    let mut sync = Sync::new(SyncConfig { schema, ..config() });
    let mut out = Outcome::default();
    sync.start(Time::ZERO, &mut out);
    let attempt = out.orders[0].attempt;
    let mut records = records.peekable();
    let (mut total, mut changes, mut peak) = (Duration::ZERO, 0, 0);
    loop {
        let page: Vec<_> = records.by_ref().take(10_000).collect();
        let more = records.peek().is_some();
        let started = spent();
        sync.handle(
            Time::ZERO,
            attempt,
            Report::Page { at: Rev(1 << 32), cluster: CLUSTER, records: page, more },
            &mut out,
        );
        while sync.next_deadline() == Some(Time::ZERO) {
            changes += out.changes.len();
            out.clear();
            sync.on_deadline(Time::ZERO, &mut out);
            peak = peak.max(resident());
        }
        total += spent() - started;
        peak = peak.max(resident());
        if !more {
            break;
        }
    }
    changes += out.changes.len();
    drop(out);
    assert_eq!(changes, expected);
    let per_claim = |now: usize| now.saturating_sub(before) / expected;
    eprintln!(
        "{expected} claims of {} records in {total:?}; {} octets a claim at the end, {} at the peak",
        sync.table.counts().records,
        per_claim(resident()),
        per_claim(peak),
    );
}

#[test]
#[ignore = "a measurement"]
fn measure_a_first_list() {
    let flannel = || Schema::Flannel { prefix: "/coreos.com/network".into() };
    // The large ones first: what they leave behind hides the memory of later ones.
    load(Schema::Native { prefix: "/fp".into() }, (0..50_000).map(|number| host(number, 20)), 1_000_000);
    load(flannel(), (0..1_000_000).map(lease), 1_000_000);
    load(Schema::Native { prefix: "/fp".into() }, (0..10_000).map(|number| host(number, 10)), 100_000);
    for _ in 0..3 {
        load(flannel(), (0..100_000).map(lease), 100_000);
    }
    let leases: Vec<_> = (0..100_000).map(lease).collect();
    let decoded = (0..5).map(|_| {
        let started = spent();
        for lease in &leases {
            let name = &lease.key["/coreos.com/network/subnets/".len()..];
            std::hint::black_box(flannel().decode_name(name, &lease.value)).unwrap();
        }
        spent() - started
    });
    eprintln!("100000 leases decoded in {:?}", decoded.min().unwrap());
}
