//! Waiting for a condition, with a bound, and saying at the end what was seen instead.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_millis(20);

/// Looks until `look` returns `Ok`, and returns what it found.
///
/// # Panics
/// After `bound`, with `what` was awaited and the last `Err` seen.
#[track_caller]
pub fn until<T, E: Debug>(what: &str, bound: Duration, mut look: impl FnMut() -> Result<T, E>) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if start.elapsed() > bound => panic!("waited {bound:?} in vain for {what}; last seen: {seen:#?}"),
            Err(_) => std::thread::sleep(PERIOD),
        }
    }
}

/// Looks until `look` returns true.
///
/// # Panics
/// After `bound`.
#[track_caller]
pub fn until_true(what: &str, bound: Duration, mut look: impl FnMut() -> bool) {
    until(what, bound, || if look() { Ok(()) } else { Err("not so") });
}

/// Looks for the whole of `span` and panics as soon as `look` returns `Err`: for claims of the kind "stays so".
///
/// # Panics
/// With `what` and the `Err` seen.
#[track_caller]
pub fn throughout<E: Debug>(what: &str, span: Duration, mut look: impl FnMut() -> Result<(), E>) {
    let start = Instant::now();
    while start.elapsed() < span {
        if let Err(seen) = look() {
            panic!("{what} did not stay so: after {:?} seen {seen:#?}", start.elapsed());
        }
        std::thread::sleep(PERIOD);
    }
}
