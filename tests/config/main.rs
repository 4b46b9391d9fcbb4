//! The configuration as users write it.

mod accepted;
