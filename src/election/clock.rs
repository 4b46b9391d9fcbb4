//! The election's clock: it counts on while the machine sleeps, and nobody can set it.

use crate::lead::BootTime;
use fingerpost_core::model::Time;
use std::time::Duration;

/// A machine that slept finds out within this that time has passed.
const LOOK: Duration = Duration::from_secs(1);

/// Now, by CLOCK_BOOTTIME. The lease runs on in the store while this machine is suspended, where the clocks of
/// [`std::time::Instant`] and of the runtime stand still.
pub(super) fn now() -> Time {
    Time::since_start(BootTime::now().0)
}

/// Completes at that moment; never, if there is none.
pub(super) async fn reached(moment: Option<Time>) {
    let Some(moment) = moment else { return std::future::pending().await };
    loop {
        let left = moment.since(now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LOOK)).await;
    }
}
