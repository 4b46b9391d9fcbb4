//! Hosts: names and labels.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A host's name as its source writes it: 1 to 253 characters, no control characters or spaces. Where a source names no hosts (flannel), its address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct HostName(Arc<str>);

/// Text that is no host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a host name: write 1 to 253 printable characters without spaces")]
pub struct InvalidHostName(String);

impl HostName {
    /// Checks length and characters.
    pub fn new(name: &str) -> Result<Self, InvalidHostName> {
        let fits = (1..=253).contains(&name.len()) && !name.chars().any(|c| c.is_control() || c.is_whitespace());
        if fits { Ok(HostName(name.into())) } else { Err(InvalidHostName(name.chars().take(253).collect())) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host's labels (Kubernetes' sense), for policies to match.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(pub BTreeMap<String, String>);
