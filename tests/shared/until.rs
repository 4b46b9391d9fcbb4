//! Waiting until something is as wanted.

use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The longest that anything may take here, on a machine that does other things, too: twice the longest that it takes by itself.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// Looks until it is so, and says at the end what was seen instead.
pub(crate) async fn until<T, E: std::fmt::Debug>(what: &str, mut look: impl AsyncFnMut() -> Result<T, E>) -> T {
    let start = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) if start.elapsed() > BOUND => panic!("waited in vain for {what}; last seen: {seen:#?}"),
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}
