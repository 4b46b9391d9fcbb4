//! Panics that concern one connection, listener or gateway only.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// It has panicked. What it was about is in the log: the panic hook says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Panicked;

/// Runs it to its end, or until it panics. It is dropped then, and so is all that it owned: nothing half changed is seen by
/// anybody else.
pub(super) async fn guarded<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::{Panicked, guarded};

    #[tokio::test]
    async fn c61_a_panic_is_an_answer() {
        assert_eq!(guarded(async { 7 }).await, Ok(7));
        assert_eq!(guarded(async { panic!("a test's own") }).await, Err::<(), _>(Panicked));
        let later = async {
            tokio::task::yield_now().await;
            panic!("a test's own, later")
        };
        assert_eq!(guarded(later).await, Err::<(), _>(Panicked));
    }
}
