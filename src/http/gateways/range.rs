//! A range that gateways come from (dynamic neighbours).

use crate::speaker::{GatewayReport, RangeReport};
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
        let (gateways, established) = (of_range().count(), of_range().filter(|report| report.is_established()).count());
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
