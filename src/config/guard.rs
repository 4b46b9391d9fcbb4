//! `guard`: how much may change at once (promise P3).

use super::check::{Check, Field, Table};
use super::keys;
use super::scalar::quoted;
use fingerpost_core::table::{ChangeKind, GuardConfig, Limit, Proofs};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn read(field: &Field<'_>, check: &mut Check) -> Option<GuardConfig> {
    let table = field.table(&keys::GUARD, check)?;
    let mut guard = GuardConfig::default();
    let proofs = guard.proofs;
    let at_least = table.or("at_least", 5, check, |field, check| field.integer(1..=1_000_000, check));
    let limits = ChangeKind::ALL.map(|kind| (kind, limit(&table, kind, at_least.unwrap_or(5), check)));
    let refill = table.or("refill", guard.refill, check, |field, check| field.duration(MINUTE..=DAY, check));
    let lists = table.or("proof_lists", 2, check, |field, check| field.integer(1..=1000, check));
    let after = table.or("proof_after", proofs.after, check, |field, check| field.duration(MINUTE..=DAY, check));
    for (kind, limit) in limits {
        guard.set_limit(kind, limit?);
    }
    guard.refill = refill?;
    guard.proofs = Proofs { lists: lists?.into(), after: after? };
    at_least.map(|_| guard)
}

/// The limit of one kind: a share, or `off`.
fn limit(table: &Table<'_>, kind: ChangeKind, at_least: u32, check: &mut Check) -> Option<Option<Limit>> {
    let key = match kind {
        ChangeKind::Withdrawal => "withdrawals",
        ChangeKind::Move => "moves",
        ChangeKind::Addition => "additions",
    };
    let of = |percent| Some(Limit { percent, at_least: usize::try_from(at_least).unwrap_or(usize::MAX) });
    table.or(key, of(20), check, |field, check| {
        let text = field.text(check)?;
        if text == "off" {
            return Some(None);
        }
        let percent = text.strip_suffix('%').and_then(|number| number.parse().ok()).filter(|percent| *percent <= 100);
        if percent.is_none() {
            check.fault(
                &field.path,
                format!("{} is no share of a source's routes", quoted(text)),
                "write a whole number from 0% to 100%, or off",
            );
        }
        percent.map(of)
    })
}
