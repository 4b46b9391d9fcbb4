//! What replicas say of themselves, and what they make of what the others say.

use super::super::{Command, Input, Introduction, Role};
use super::lab::Lab;
use super::settings::{addresses, prefix};
use crate::model::{Instance, Replica};
use crate::replicas::{Agreement, KnownReplica, ReplicaNote, ReplicaReport, ReportedRole};
use crate::testing::store::Host;
use std::time::Duration;

fn host(number: u8, subnets: &[u8]) -> Host {
    Host { addresses: addresses(number), subnets: subnets.iter().map(|n| prefix(*n)).collect() }
}

/// A replica of this number.
fn replica(number: u8, role: Role) -> Lab {
    let mut lab = Lab::new();
    lab.take_role(role);
    let replica = Replica { identity: format!("10.0.3.{number}").into(), instance: Instance(number.into()) };
    lab.handle(Input::Introduced(Introduction { replica, version: "1".into(), config: [].into() }));
    lab
}

fn both() -> [Lab; 2] {
    [replica(1, Role::Leader { term: 3 }), replica(2, Role::Standby { term: 3, ordinal: 9 })]
}

fn report(lab: &Lab) -> ReplicaReport {
    lab.engine.report().unwrap()
}

/// The first one hears what the second says.
fn hears(labs: &mut [Lab; 2]) -> Agreement {
    let [first, second] = labs;
    let known = vec![KnownReplica { report: report(second), gone: None }];
    first.handle(Input::Replicas { known, silent: Vec::new() });
    first.engine.replica_rows().remove(0).agreement
}

#[test]
fn replicas_of_one_store_have_one_digest_whatever_they_took_in_at_once() {
    let mut labs = both();
    for (n, lab) in labs.iter_mut().enumerate() {
        for step in 0..3_u8 {
            lab.put(0, 1, host(1, &[0, step + 1]));
            lab.put(1, 2, host(2, &[4]));
            lab.put(1, 2, host(2, &[5]));
            lab.delete(0, 3);
            if n == 0 {
                lab.settle();
            }
        }
        lab.settle();
    }
    let [mut first, second] = labs.each_ref().map(report);
    assert_eq!(first.tables, second.tables);
    // The second has read later.
    for (name, source) in &mut first.sources {
        source.since = second.sources[name].since;
    }
    assert_eq!(first.tables.ipv4.routes + first.tables.ipv6.routes, 3);
    assert_eq!(first.sources, second.sources);
    assert!(first.sources.values().all(|source| source.complete && source.current && source.told == source.revision));
    assert_eq!((first.role, second.role, second.ordinal), (ReportedRole::Leader, ReportedRole::Standby, 9));
    assert_eq!((first.sessions.established, second.term), (3, first.term));
    assert_eq!(hears(&mut labs), Agreement::Same);
    // One that is behind says what was so; one that is ahead says what will be.
    let [_, second] = &mut labs;
    second.put(0, 1, host(1, &[0]));
    second.settle();
    assert_eq!(hears(&mut labs), Agreement::Same, "as when they were compared last");
}

#[test]
fn p7_a_replica_that_announces_something_else_at_the_same_revision_is_noticed_after_30_s() {
    let mut labs = both();
    for (lab, subnets) in labs.iter_mut().zip([&[0, 1], &[0, 2]]) {
        lab.put(0, 1, host(1, subnets));
        lab.put(1, 2, host(2, &[4]));
        lab.settle();
    }
    for _ in 0..31 {
        assert!(matches!(hears(&mut labs), Agreement::Differs { .. }));
        labs[0].wait_served(Duration::from_secs(1));
    }
    hears(&mut labs);
    let notes = |lab: &mut Lab| std::mem::take(&mut lab.replica_notes);
    assert_eq!(notes(&mut labs[0]), [ReplicaNote::Came, ReplicaNote::Diverges]);
    assert!(labs[0].engine.replica_rows()[0].diverges);
    for lab in &mut labs {
        lab.put(0, 1, host(1, &[0]));
        lab.settle();
    }
    assert_eq!(hears(&mut labs), Agreement::Same);
    assert_eq!(notes(&mut labs[0]), [ReplicaNote::Converged]);
}

#[test]
fn a_revision_is_told_once_every_gateway_with_a_session_was_handed_what_came_of_it() {
    let mut lab = replica(1, Role::Leader { term: 3 });
    lab.put(0, 1, host(1, &[0]));
    lab.put(1, 2, host(2, &[4]));
    lab.settle();
    let source = |lab: &Lab| *report(lab).sources.values().next().unwrap();
    let before = source(&lab);
    assert_eq!(before.told, before.revision);
    // A new session has heard nothing yet.
    lab.up(1);
    lab.put(0, 1, host(1, &[1]));
    while lab.serve(0, 100) {}
    let now = source(&lab);
    assert!(now.revision > before.revision);
    assert_eq!(now.told, 0, "it was handed nothing");
    lab.settle();
    let after = source(&lab);
    assert_eq!(after.told, after.revision);
    // What a writer refuses was not told.
    lab.put(0, 1, host(1, &[3]));
    while lab.serve(0, 100) {}
    while lab.work() {}
    let refused = lab.refuse(2).unwrap();
    assert_eq!(source(&lab).told, source(&lab).revision, "as far as it knows");
    lab.handle(refused);
    assert_eq!(source(&lab).told, 0);
    lab.settle();
    let after = source(&lab);
    assert_eq!(after.told, after.revision);
    // Frozen, what comes is not decided.
    lab.take_role(Role::Unsure { ordinal: 1 });
    lab.put(0, 1, host(1, &[2]));
    lab.wait_served(Duration::from_secs(5));
    let frozen = source(&lab);
    assert!(report(&lab).frozen && frozen.revision > after.revision);
    assert_eq!(frozen.told, after.told);
}

#[test]
fn p8_what_is_announced_in_a_freeze_is_not_what_comes_of_what_is_read_meanwhile() {
    let mut labs = both();
    for lab in &mut labs {
        lab.put(0, 1, host(1, &[0]));
        lab.put(1, 2, host(2, &[4]));
        lab.settle();
    }
    assert_eq!(hears(&mut labs), Agreement::Same);
    for lab in &mut labs {
        lab.command(&Command::Freeze);
    }
    // Each revision is read by itself, as others read it.
    for subnet in [1, 2, 3] {
        for lab in &mut labs {
            lab.put(0, 1, host(1, &[0, subnet]));
        }
        labs[0].settle();
        hears(&mut labs);
        if subnet == 2 {
            labs[1].settle();
        }
    }
    for lab in &mut labs {
        lab.command(&Command::Unfreeze);
    }
    assert!(!matches!(hears(&mut labs), Agreement::Differs { .. }), "one lags: that is no divergence");
    labs[1].settle();
    assert_eq!(hears(&mut labs), Agreement::Same);
}
