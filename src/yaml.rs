//! How much YAML is read: what the configuration and a file of hosts bound alike.

use serde_yaml::Budget;

/// So many values, so deep. The library's own limits are for small files; what aliases stand for counts as if it stood there.
pub(crate) fn budget(values: usize, depth: usize) -> Budget {
    let budget = serde_yaml::budget! {
        max_depth: depth,
        flow_nesting_limit: depth,
        max_nodes: values,
        max_events: 2 * values,
        max_aliases: values,
        max_anchors: values,
        max_merge_keys: values,
        // A thousand gateways, or all hosts of a rack, may well share one anchor; the limits of aliases bound the cost.
        enforce_alias_anchor_ratio: false,
    };
    budget.unwrap_or_default()
}
