//! Fingerpost.

pub mod config;
