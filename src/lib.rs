//! Fingerpost.

pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod engine;
pub mod http;
pub mod source;
pub mod speaker;
pub mod telemetry;
