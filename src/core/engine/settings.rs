//! What the engine needs to know of the configuration.

use super::Others;
use crate::model::{GatewayId, PerFamily, SourceId};
use crate::policy::Policy;
use crate::source::sync::{Snapshot, SyncConfig};
use crate::table::{Fence, GuardConfig, Priorities, Spent};
use crate::view::Exclusion;
use std::collections::BTreeMap;
use std::time::Duration;

/// A source.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// Its number.
    pub id: SourceId,
    /// Its name in the configuration.
    pub name: String,
    /// What an empty list of it lacks, in words that name the store: `no key begins with …`.
    pub lacking: String,
    /// Its priority in the arbiter: the higher wins.
    pub priority: i32,
    /// How it is followed.
    pub sync: SyncConfig,
    /// What an earlier process knew of it; used at the start of the engine only.
    pub snapshot: Option<Snapshot>,
    /// What an earlier process had spent of the source's limits, as of the start.
    pub spent: Spent,
    /// After how long the snapshot is announced, if the store does not answer.
    pub snapshot_after: Duration,
}

/// A gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GatewaySettings {
    /// Its number.
    pub id: GatewayId,
    /// Its name in the configuration.
    pub name: String,
    /// The policy, by name.
    pub policy: String,
    /// Whether its routes carry GRACEFUL_SHUTDOWN (RFC 8326).
    pub drain: bool,
    /// What it must not be told.
    pub exclusion: Exclusion,
    /// The most routes that it is told of each family.
    pub max_prefix: PerFamily<Option<usize>>,
}

/// Everything.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Fixed for the engine's life.
    pub sources: Vec<SourceSettings>,
    /// What may be announced at all.
    pub fence: Fence,
    /// How much may change at once.
    pub guard: GuardConfig,
    /// By name.
    pub policies: BTreeMap<String, Policy>,
    /// In any order.
    pub gateways: Vec<GatewaySettings>,
    /// What other replicas there are.
    pub others: Others,
}

impl Settings {
    pub(super) fn priorities(&self) -> Priorities {
        Priorities(self.sources.iter().map(|source| (source.id, source.priority)).collect())
    }
}
