//! Any history of stores, faults, gateways and configurations.

use super::super::Command;
use super::lab::Lab;
use super::settings::{GATEWAYS, SOURCES, addresses, prefix};
use crate::model::Family;
use crate::source::FaultKind;
use crate::testing::store::Host;
use crate::view::Stamp;
use proptest::prelude::*;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Put { source: usize, host: u8, addresses: u8, subnets: Vec<u8> },
    Garble { source: usize, host: u8 },
    Delete { source: usize, host: u8 },
    Compact { source: usize },
    Serve { source: usize, most: usize },
    Fail { source: usize, kind: FaultKind },
    Wait(u64),
    Up(usize),
    Down(usize),
    Refresh(usize, Family),
    Work(u8),
    Write { gateway: usize, chunks: u8 },
    Reconfigure(u8),
    Drain(usize, bool),
    Stamp(Stamp),
    Settle,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (source, gateway) = (0..usize::from(SOURCES), 0..GATEWAYS as usize);
    let subnets = proptest::collection::btree_set(0..8u8, 0..4);
    let put = (source.clone(), 0..4u8, 0..7u8, subnets).prop_map(|(source, host, addresses, subnets)| Step::Put {
        source,
        host,
        addresses,
        subnets: subnets.into_iter().collect(),
    });
    let kind = prop_oneof![Just(FaultKind::Unreachable), Just(FaultKind::Denied), Just(FaultKind::Malformed)];
    let family = prop_oneof![Just(Family::Ipv4), Just(Family::Ipv6)];
    let stamp = prop_oneof![
        Just(Stamp::Unstamped),
        (1..3u32).prop_map(|term| Stamp::Leader { term }),
        (0..2u32).prop_map(|ordinal| Stamp::Standby { ordinal }),
    ];
    let step = prop_oneof![
        12 => put,
        4 => (source.clone(), 0..4u8).prop_map(|(source, host)| Step::Delete { source, host }),
        3 => (source.clone(), 0..4u8).prop_map(|(source, host)| Step::Garble { source, host }),
        1 => source.clone().prop_map(|source| Step::Compact { source }),
        20 => (source.clone(), 1..4usize).prop_map(|(source, most)| Step::Serve { source, most }),
        2 => (source, kind).prop_map(|(source, kind)| Step::Fail { source, kind }),
        6 => (0..12_000u64).prop_map(Step::Wait),
        3 => gateway.clone().prop_map(Step::Up),
        1 => gateway.clone().prop_map(Step::Down),
        2 => (gateway.clone(), family).prop_map(|(gateway, family)| Step::Refresh(gateway, family)),
        12 => (1..4u8).prop_map(Step::Work),
        2 => (gateway.clone(), any::<bool>()).prop_map(|(gateway, drain)| Step::Drain(gateway, drain)),
        12 => (gateway, 1..4u8).prop_map(|(gateway, chunks)| Step::Write { gateway, chunks }),
        2 => (0..4u8).prop_map(Step::Reconfigure),
        1 => stamp.prop_map(Step::Stamp),
        1 => Just(Step::Settle),
    ];
    proptest::collection::vec(step, 0..100)
}

/// A host that owns nothing and stays: by it a store is known again after a compaction.
const STAYS: u8 = 200;

fn run(lab: &mut Lab, compacting: bool, steps: Vec<Step>) {
    for source in (0..usize::from(SOURCES)).filter(|_| compacting) {
        lab.put(source, STAYS, Host { addresses: addresses(0), subnets: Vec::new() });
    }
    for step in steps {
        match step {
            Step::Put { source, host, addresses: number, subnets } => {
                let subnets = subnets.into_iter().map(prefix).collect();
                lab.put(source, host, Host { addresses: addresses(number), subnets });
            }
            Step::Garble { source, host } => lab.garble(source, host),
            Step::Delete { source, host } => lab.delete(source, host),
            Step::Compact { source } if compacting => lab.stores[source].compact(),
            Step::Compact { .. } => {}
            Step::Serve { source, most } => _ = lab.serve(source, most),
            Step::Fail { source, kind } => _ = lab.fail(source, kind),
            Step::Wait(millis) => lab.wait(Duration::from_millis(millis)),
            Step::Up(n) => lab.up(n),
            Step::Down(n) => lab.down(n),
            Step::Refresh(n, family) => lab.refresh(n, family),
            Step::Work(times) => {
                for _ in 0..times {
                    lab.work();
                }
            }
            Step::Write { gateway, chunks } => {
                for _ in 0..chunks {
                    lab.write(gateway);
                }
            }
            Step::Reconfigure(variant) => lab.reconfigure(variant),
            Step::Drain(n, drain) => {
                let name = lab.settings.gateways[n].name.as_str().into();
                lab.command(&if drain { Command::Drain(name) } else { Command::Undrain(name) });
            }
            Step::Stamp(stamp) => lab.set_stamp(stamp),
            Step::Settle => lab.settle(),
        }
    }
    lab.settle();
    lab.mend();
    lab.settle();
    lab.check_at_rest();
}

proptest! {
    /// P5 at rest, P2, P4 and I7 on the way.
    #[test]
    fn p5_every_gateway_holds_the_arbitrated_claims_after_any_history_p2_p4(compacting: bool, steps in steps()) {
        run(&mut Lab::new(), compacting, steps);
    }
}
