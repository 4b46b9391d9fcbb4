//! Sessions.

use super::catalogue as metric;
use super::sheet::Sheet;
use super::{Now, number, size, truth};
use crate::speaker::{GatewayReport, Listeners, Md5Drops, RangeReport};
use fingerpost_core::bgp::neighbour::State;

/// Every state, for the zeros.
const STATES: [State; 6] =
    [State::Idle, State::Connect, State::Active, State::OpenSent, State::OpenConfirm, State::Established];

pub(super) fn fill(sheet: &mut Sheet, reports: &[GatewayReport], now: &Now<'_>) {
    // Hosts that peer in are many: they are counted by range.
    for report in reports.iter().filter(|report| report.range.is_none()) {
        session(sheet, report, now);
    }
    for (kind, count) in Md5Drops::now().iter() {
        sheet.put(&metric::TCP_MD5_DROPPED, [kind], number(count));
    }
}

pub(super) fn ranges(sheet: &mut Sheet, ranges: &[RangeReport], reports: &[GatewayReport]) {
    for RangeReport { name, limit, refused, .. } in ranges {
        let of_range = reports.iter().filter(|report| report.range.as_deref() == Some(name));
        let up = of_range.filter(|report| report.is_established());
        sheet.put(&metric::RANGE_SESSIONS, [name], size(up.count()));
        sheet.put(&metric::RANGE_LIMIT, [name], size(*limit));
        sheet.put(&metric::RANGE_REFUSED, [name], number(*refused));
    }
}

pub(super) fn listeners(sheet: &mut Sheet, listeners: &Listeners) {
    for listener in listeners.report() {
        sheet.put(&metric::LISTENER_UP, [listener.address.to_string().as_str()], truth(listener.wrong.is_none()));
    }
    sheet.put(&metric::UNKNOWN_PEERS, [], number(listeners.strangers()));
}

/// A gateway whose task does not answer has no session that anybody knows of: down, and in no state.
fn session(sheet: &mut Sheet, report: &GatewayReport, now: &Now<'_>) {
    let name = report.name.as_str();
    let present = report.status.as_ref().map(|status| status.state);
    let up = report.is_established();
    sheet.put(&metric::SESSION_UP, [name], truth(up));
    for state in STATES {
        sheet.put(&metric::SESSION_STATE, [name, state.name()], truth(present == Some(state)));
    }
    let Some(status) = &report.status else { return };
    let span = now.at.since(status.since).as_secs_f64();
    sheet.put(&metric::SESSION_UP_SECONDS, [name], if up { span } else { 0.0 });
    sheet.put(&metric::SESSION_DOWN_SECONDS, [name], if up { 0.0 } else { span });
    sheet.put(&metric::SESSION_ESTABLISHED, [name], number(status.established));
    if let Some((at, end)) = &status.last_end {
        sheet.put(&metric::SESSION_LAST_END, [name, end.reason()], number(now.clock.unix_seconds(*at)));
    }
    for (kind, count) in status.received.iter() {
        sheet.put(&metric::MESSAGES_RECEIVED, [name, kind], number(count));
    }
    for (kind, count) in status.sent.iter() {
        sheet.put(&metric::MESSAGES_SENT, [name, kind], number(count));
    }
    for (kind, count) in status.update_errors.iter() {
        sheet.put(&metric::UPDATE_ERRORS, [name, kind], number(count));
    }
}
