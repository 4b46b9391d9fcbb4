//! `guard`.

use crate::{parse, refuses, with};
use fingerpost_core::table::{ChangeKind, GuardConfig, Limit};
use std::time::Duration;

#[test]
fn a_guard_is_there_unless_it_is_turned_off() {
    let guarded = |line: &str| parse(&with(7, &format!("{line}\ngateways:"))).unwrap().guard;
    assert_eq!(guarded(""), GuardConfig::default());
    let guard =
        guarded("guard: { withdrawals: 10%, moves: off, at_least: 20, refill: 2h, proof_lists: 3, proof_after: 30m }");
    assert_eq!(guard.limit(ChangeKind::Withdrawal), Some(Limit { percent: 10, at_least: 20 }));
    assert_eq!(guard.limit(ChangeKind::Move), None);
    assert_eq!(guard.limit(ChangeKind::Addition), Some(Limit { percent: 20, at_least: 20 }));
    assert_eq!((guard.refill, guard.proofs.lists), (Duration::from_secs(7200), 3));
    assert_eq!(guard.proofs.after, Duration::from_secs(1800));
}

#[test]
fn a_wrong_guard_is_refused() {
    refuses(
        "limits",
        7,
        r#"guard: { withdrawals: 120%, moves: 20, additions: "no", at_least: 0, refill: 1s, proof_lists: 0 }
gateways:"#,
        &[
            r#"7:23: guard.withdrawals: "120%" is no share of a source's routes: write a whole number from 0% to 100%, or off"#,
            r#"7:36: guard.moves: is a number where text belongs: put it in quotes if that is what is meant"#,
            r#"7:51: guard.additions: "no" is no share of a source's routes: write a whole number from 0% to 100%, or off"#,
            r#"7:67: guard.at_least: 0 is out of range: write a whole number from 1 to 1000000"#,
            r#"7:78: guard.refill: "1s" is out of range: write 1m to 24h"#,
            r#"7:95: guard.proof_lists: 0 is out of range: write a whole number from 1 to 1000"#,
        ],
    );
}
