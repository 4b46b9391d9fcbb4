//! The election, and the other replicas.

use super::catalogue as metric;
use super::sheet::Sheet;
use super::{Now, Rows, size, truth};
use crate::look::replicas::differs_for;
use crate::troubles::{ORDERS, PLACEMENT, STATUS, Troubles};
use fingerpost_core::election::TROUBLES;

pub(super) fn fill(sheet: &mut Sheet, rows: &Rows, troubles: &Troubles, now: &Now<'_>) {
    let wrong = troubles.all();
    for kind in TROUBLES.into_iter().chain([STATUS, ORDERS, PLACEMENT]) {
        sheet.put(&metric::ELECTION_TROUBLE, [kind], truth(wrong.iter().any(|wrong| wrong.kind == kind)));
    }
    let gone = rows.replicas.iter().filter(|row| row.known.gone.is_some()).count();
    sheet.put(&metric::REPLICAS, ["present"], size(rows.replicas.len() - gone));
    sheet.put(&metric::REPLICAS, ["gone"], size(gone));
    for row in &rows.replicas {
        let name = &*row.known.report.replica.identity;
        sheet.put(&metric::REPLICA_DIVERGENCE_SECONDS, [name], differs_for(row, now.at));
        let is_there = row.known.gone.is_none();
        sheet.put(&metric::REPLICA_MISMATCH, [name, "version"], truth(is_there && row.other_version));
        sheet.put(&metric::REPLICA_MISMATCH, [name, "config"], truth(is_there && !row.other_config.is_empty()));
    }
}
