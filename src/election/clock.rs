//! The election's clock, [`since_boot`]: the lease runs on in the store while this machine is suspended, where the clocks of
//! [`std::time::Instant`] and of the runtime stand still.

use crate::clock::since_boot;
use fingerpost_core::model::Time;
use std::time::Duration;

/// A machine that slept finds out within this that time has passed.
const LOOK: Duration = Duration::from_secs(1);

/// Completes at that moment; never, if there is none.
pub(super) async fn reached(moment: Option<Time>) {
    let Some(moment) = moment else { return std::future::pending().await };
    loop {
        let left = moment.since(since_boot());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LOOK)).await;
    }
}
