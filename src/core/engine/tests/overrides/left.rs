//! What a replica has left at gateways that it does not reach, or that nobody counts on.

use super::net::{Net, STALE, via};
use super::{BORROWED, borrowed, borrowed_in};
use crate::engine::Others;

#[test]
fn p5_what_the_leader_has_left_at_a_gateway_that_it_lost_another_replica_overrides() {
    // Before it is given back, and when the other one has withdrawn it already.
    for is_lost_first in [true, false] {
        let mut net = borrowed();
        if is_lost_first {
            net.down(0);
            net.report();
        }
        net.put(2, &[]);
        net.serve(1);
        net.deliver(1);
        if !is_lost_first {
            assert_eq!(net.paths(BORROWED), 1, "the leader's, which is to withdraw it or to override it");
            net.down(0);
            net.report();
            net.deliver(1);
        }
        assert_eq!(
            net.forwards("10.244.0.5"),
            Some(via(1)),
            "the leader's path is still there: lost first {is_lost_first}"
        );
        net.serve(0);
        net.report();
        net.deliver(1);
        assert_eq!(net.forwards("10.244.0.5"), Some(via(1)));
        assert_eq!(net.engine(1).count_overrides().0.ipv4, 1);
        net.wait(STALE);
        net.settle();
        assert_eq!((net.paths(BORROWED), net.forwards("10.244.0.5")), (0, Some(via(1))));
        assert_eq!([0, 1].map(|replica| net.engine(replica).count_overrides().0.ipv4), [0, 0]);
    }
}

#[test]
fn p5_a_replica_that_is_known_counts_though_fewer_are_configured() {
    let mut net = borrowed_in(Net::that_expects(2, Others { stale: STALE, ..Others::default() }));
    net.put(2, &[]);
    net.serve(0);
    net.deliver(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(1)), "the other one's path is still there");
    net.settle();
    assert_eq!(net.paths(BORROWED), 0);
}

#[test]
fn p5_who_takes_part_and_says_nothing_that_can_be_read_is_waited_for() {
    let mut net = borrowed_in(Net::that_expects(2, Others { stale: STALE, ..Others::default() }));
    // Of the other one nothing is known any more, as of one whose form of record this one cannot read.
    let of_silent = |net: &mut Net| net.hears(0, Vec::new(), vec!["replica-1".into()]);
    of_silent(&mut net);
    net.wait_served(&[0], STALE.as_secs());
    of_silent(&mut net);
    net.put(2, &[]);
    net.serve(0);
    net.deliver(0);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(1)), "its path is still there");
    net.wait_served(&[0], STALE.as_secs());
    of_silent(&mut net);
    net.deliver(0);
    assert_eq!((net.paths(BORROWED), net.forwards("10.244.0.5")), (2, Some(via(1))));
    net.hears(0, Vec::new(), Vec::new());
    net.deliver(0);
    assert_eq!(net.paths(BORROWED), 1, "the other one has gone, long after all");
}

#[test]
fn p5_what_another_standby_has_left_at_a_gateway_that_the_leader_has_long_lacked_is_overridden_and_ends() {
    // It is gone, has lost the gateway, or lags.
    for how in 0..3 {
        let mut net = borrowed_in(Net::new(3));
        net.down(0);
        net.report();
        net.wait_served(&[0, 1, 2], STALE.as_secs());
        net.report();
        match how {
            0 => net.kill(2),
            1 => net.down(2),
            _ => {}
        }
        net.report();
        net.put(2, &[]);
        for _ in 0..3 {
            for replica in [0, 1] {
                net.serve(replica);
                net.deliver(replica);
            }
            net.report();
        }
        net.deliver(1);
        assert_eq!(net.forwards("10.244.0.5"), Some(via(1)), "of the third there is a path: {how}");
        // Nobody waits for an override of who waits for one's own, though the leader goes on lacking the gateway.
        net.wait_served(&[0, 1], STALE.as_secs());
        for _ in 0..4 {
            for replica in 0..3 {
                net.serve(replica);
                net.deliver(replica);
            }
            net.report();
        }
        let overrides = [0, 1].map(|replica| net.engine(replica).count_overrides().0.ipv4);
        assert_eq!((net.paths(BORROWED), overrides, net.forwards("10.244.0.5")), (0, [0, 0], Some(via(1))), "{how}");
    }
}

#[test]
fn p5_nobody_waits_for_ever_for_who_overrides_because_of_a_leader_whose_record_it_cannot_read() {
    let mut net = borrowed_in(Net::new(3));
    net.down(0);
    net.report();
    net.put(2, &[]);
    net.serve(1);
    net.deliver(1);
    assert_eq!(net.forwards("10.244.0.5"), Some(via(1)));
    net.lead(2);
    let silent = |net: &mut Net| net.hears(1, Vec::new(), vec!["replica-0".into(), "replica-2".into()]);
    silent(&mut net);
    net.deliver(1);
    assert_eq!(net.engine(1).count_overrides().0.ipv4, 1, "for now");
    net.wait(STALE);
    silent(&mut net);
    net.deliver(1);
    assert_eq!(net.engine(1).count_overrides().0.ipv4, 0);
}

#[test]
fn p5_what_a_standby_overrides_it_overrides_on_while_nothing_is_known_of_the_leader() {
    // It is gone, or another one has just begun to lead that has no session with the gateway either.
    for is_gone in [true, false] {
        let mut net = borrowed_in(Net::new(3));
        net.down(0);
        net.down(2);
        net.report();
        net.put(2, &[]);
        net.serve(1);
        net.report();
        net.deliver(1);
        assert_eq!(net.forwards("10.244.0.5"), Some(via(1)));
        match is_gone {
            true => net.kill(0),
            false => net.lead(2),
        }
        net.deliver(1);
        assert_eq!(
            (net.engine(1).count_overrides().0.ipv4, net.forwards("10.244.0.5")),
            (1, Some(via(1))),
            "{is_gone}"
        );
        net.report();
        net.deliver(1);
        assert_eq!(net.forwards("10.244.0.5"), Some(via(1)), "{is_gone}");
        // Once nobody can have it there any more it ends, though the gateway is still lacking.
        net.wait_served(&[0, 1, 2], STALE.as_secs());
        net.settle();
        assert_eq!((net.paths(BORROWED), net.engine(1).count_overrides().0.ipv4), (0, 0), "{is_gone}");
    }
}
