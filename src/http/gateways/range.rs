//! A range that gateways come from (dynamic neighbours).

use crate::speaker::{GatewayReport, RangeReport};
use fingerpost_core::bgp::neighbour::State;
use serde::Serialize;

/// How a range is.
#[derive(Serialize)]
pub(super) struct Range {
    name: String,
    listen_range: String,
    listen_limit: usize,
    gateways: usize,
    established: usize,
    refused_connections: u64,
    hint: Option<String>,
}

impl Range {
    pub(super) fn new(range: RangeReport, reports: &[GatewayReport]) -> Self {
        let RangeReport { name, within, limit, refused, hint } = range;
        let of_range = || reports.iter().filter(|report| report.range.as_deref() == Some(&*name));
        let is_up =
            |report: &&GatewayReport| report.status.as_ref().is_some_and(|status| status.state == State::Established);
        let (gateways, established) = (of_range().count(), of_range().filter(is_up).count());
        Range {
            name,
            listen_range: within.to_string(),
            listen_limit: limit,
            gateways,
            established,
            refused_connections: refused,
            hint,
        }
    }
}
