//! Every key of the configuration, table by table: the contract of `docs/configuration.md`, which a test compares.
//!
//! `not_yet` lists keys whose part of Fingerpost is not built: they are refused by that name, never ignored.

/// The keys of one table.
#[derive(Debug)]
pub struct Keys {
    /// Where the table stands; `*` is a name of the user's, `[]` an item of a list.
    pub table: &'static str,
    /// Keys that are read.
    pub built: &'static [&'static str],
    /// Keys that are refused as not yet supported.
    pub not_yet: &'static [&'static str],
}

macro_rules! tables {
    ($($name:ident $table:literal [$($built:literal)*] not_yet [$($not_yet:literal)*];)*) => {
        $(pub(crate) const $name: Keys = Keys { table: $table, built: &[$($built),*], not_yet: &[$($not_yet),*] };)*
        /// All tables with fixed keys.
        pub const ALL: &[&Keys] = &[$(&$name),*];
    };
}

tables! {
    ROOT "" ["router" "sources" "fence" "gateways" "policies" "guard" "startup" "election" "state_dir" "http" "admin" "log"
        "timeline"] not_yet ["hosts" "canary"];
    ROUTER "router" ["asn" "id" "listen" "restart_time" "replicas" "drain_time"] not_yet [];
    SOURCE "sources.*" ["etcd" "file" "schema" "priority" "allow_empty" "ipv4_via_ipv6"] not_yet ["kubernetes"];
    ETCD "sources.*.etcd" ["endpoints" "tls" "user" "password_file"] not_yet [];
    TLS "sources.*.etcd.tls" ["ca" "cert" "key" "server_name"] not_yet [];
    FILE "sources.*.file" ["path" "poll"] not_yet [];
    SCHEMA "sources.*.schema" ["native" "flannel"] not_yet ["calico" "nodes" "cilium" "antrea" "kube_router"];
    NATIVE "sources.*.schema.native" ["prefix"] not_yet [];
    FLANNEL "sources.*.schema.flannel" ["prefix"] not_yet [];
    FENCE "fence" ["prefixes" "next_hops"] not_yet [];
    FENCE_PREFIX "fence.prefixes[]" ["within" "lengths"] not_yet [];
    GATEWAY "gateways.*" [
        "address" "port" "asn" "platform" "policy" "multihop" "families" "passive" "source_address" "timers" "attached" "max_prefix"
        "graceful_restart" "enhanced_refresh" "extended_messages" "extended_next_hop" "drain" "interface" "ttl_security"
        "password_file" "listen_range" "listen_limit"
    ] not_yet ["tcp_ao"];
    MAX_PREFIX "gateways.*.max_prefix" ["ipv4" "ipv6"] not_yet [];
    TIMERS "gateways.*.timers" ["keepalive" "hold" "connect_retry"] not_yet [];
    GRACEFUL_RESTART "gateways.*.graceful_restart" ["restart_time" "notification" "long_lived"] not_yet [];
    RULE "policies.*[]" ["match" "set" "then"] not_yet [];
    MATCH "policies.*[].match" ["prefixes" "family" "hosts" "labels" "sources"] not_yet [];
    MATCH_PREFIX "policies.*[].match.prefixes[]" ["within" "lengths"] not_yet [];
    SET "policies.*[].set" [
        "next_hop" "med" "local_pref" "communities" "extended_communities" "large_communities" "prepend"
    ] not_yet [];
    GUARD "guard" ["withdrawals" "moves" "additions" "at_least" "refill" "proof_lists" "proof_after"] not_yet [];
    STARTUP "startup" ["snapshot_after"] not_yet [];
    ELECTION "election" ["etcd"] not_yet ["kubernetes"];
    ELECTION_ETCD "election.etcd" ["source" "key" "identity" "ttl"] not_yet [];
    HTTP "http" ["listen"] not_yet [];
    ADMIN "admin" ["listen"] not_yet [];
    LOG "log" ["format" "level"] not_yet [];
    TIMELINE "timeline" ["events" "file"] not_yet [];
}
