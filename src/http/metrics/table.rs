//! Sources, routes, and how much of them each gateway was told.

use super::catalogue as metric;
use super::sheet::Sheet;
use super::{Now, Rows, number, size, truth};
use crate::look::seen::{self, Known, known, reason};
use fingerpost_core::engine::{GatewayRow, Role, SourceRow};
use fingerpost_core::model::Family;

pub(super) fn fill(sheet: &mut Sheet, rows: &Rows, now: &Now<'_>) {
    for row in &rows.sources {
        source(sheet, row, now);
    }
    sheet.put(&metric::FROZEN, [], truth(rows.frozen));
    for name in Role::NAMES {
        sheet.put(&metric::ROLE, [name], truth(rows.role.name() == name));
    }
    sheet.put(&metric::TERM, [], f64::from(rows.role.term().unwrap_or_default()));
    for (family, routes) in rows.routes.iter() {
        sheet.put(&metric::ROUTES, [family.name()], size(*routes));
    }
    for (family, overridden) in rows.overridden.iter() {
        sheet.put(&metric::OVERRIDDEN, [family.name()], size(*overridden));
    }
    sheet.put(&metric::FORGOTTEN, [], number(rows.forgotten));
    for row in rows.gateways.iter().filter(|row| row.range.is_none()) {
        for family in Family::ALL {
            gateway(sheet, row, family);
        }
    }
}

fn source(sheet: &mut Sheet, row: &SourceRow, now: &Now<'_>) {
    let name = row.name.as_str();
    let Known { since, counts, .. } = known(&row.seen);
    let lost = since.map_or(0.0, |since| now.at.since(since).as_secs_f64());
    sheet.put(&metric::SOURCE_UP, [name], truth(row.seen.is_current()));
    sheet.put(&metric::SOURCE_COMPLETE, [name], truth(row.complete));
    let present = reason(row).map(|reason| reason.kind);
    for kind in seen::KINDS {
        sheet.put(&metric::SOURCE_FAULT, [name, kind], truth(present == Some(kind)));
    }
    sheet.put(&metric::SOURCE_LOST_SECONDS, [name], lost);
    sheet.put(&metric::SOURCE_RECORDS, [name], size(counts.records));
    sheet.put(&metric::SOURCE_QUARANTINED_RECORDS, [name], size(counts.quarantined));
    sheet.put(&metric::SOURCE_UNRESOLVED_PREFIXES, [name], size(counts.unresolved));
    sheet.put(&metric::SOURCE_ROUTES, [name], size(row.routes));
    for (kind, held) in row.held {
        sheet.put(&metric::SOURCE_HELD_CHANGES, [name, kind.name()], size(held));
    }
    for (family, records) in counts.hiding.iter() {
        sheet.put(&metric::SOURCE_HIDING_RECORDS, [name, family.name()], size(*records));
    }
}

fn gateway(sheet: &mut Sheet, row: &GatewayRow, family: Family) {
    let labels = [row.name.as_str(), family.name()];
    sheet.put(&metric::EXPORTED_ROUTES, labels, size(row.exported[family]));
    sheet.put(&metric::CAPPED_ROUTES, labels, size(row.withheld[family]));
    if let Some(lag) = row.lag[family] {
        sheet.put(&metric::LAG_CHANGES, labels, number(lag));
    }
    if let Some(caught_up) = row.caught_up[family] {
        sheet.put(&metric::CAUGHT_UP, labels, truth(caught_up));
    }
}
