//! `fingerpost gateway-config`: reads the configuration and prints the gateway's side of one session.

use super::GatewayOptions;
use crate::{config, gateway_config};
use std::io::Write;

/// Prints the text, or fails with what is missing.
pub(super) fn print(options: &GatewayOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let config = config::load(&options.file.config)?;
    let text = gateway_config::print(&config, &options.name, options.platform, &options.speakers)?;
    Ok(out.write_all(text.as_bytes())?)
}
