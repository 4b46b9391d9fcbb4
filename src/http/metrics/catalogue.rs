//! Every metric: name, type, labels and meaning. `docs/metrics.md` says the same, and a test compares it with a scrape.

use prometheus::proto::MetricType;

/// A metric with `N` labels.
pub(super) struct Metric<const N: usize> {
    pub(super) name: &'static str,
    pub(super) kind: MetricType,
    pub(super) labels: [&'static str; N],
    pub(super) help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident $kind:ident $name:literal [$($label:literal)*] $help:literal;)*) => {
        $(pub(super) const $constant: Metric<{ <[&str]>::len(&[$($label),*]) }> =
            Metric { name: $name, kind: MetricType::$kind, labels: [$($label),*], help: $help };)*
    };
}

metrics! {
    BUILD_INFO GAUGE "fingerpost_build_info" ["version" "commit"]
        "Always 1; the labels say what the program was built from.";
    CONFIG_LAST_RELOAD_SUCCESSFUL GAUGE "fingerpost_config_last_reload_successful" []
        "1 if the configuration on disk is the one in force, 0 if it was refused and the one before stays.";

    TIMELINE_DROPPED COUNTER "fingerpost_timeline_dropped_total" []
        "Events that are missing in timeline.file, because the disk took them too slowly or not at all; 0 without a file.";

    ELECTION_TROUBLE GAUGE "fingerpost_election_trouble" ["kind"]
        "1 for what keeps this replica from leading, from knowing who leads, or from knowing the other replicas, and for where replicas are placed; 0 for every other kind.";
    REPLICAS GAUGE "fingerpost_replicas" ["state"]
        "Other replicas of the election that are known; those that are gone for a week at the most.";
    REPLICA_DIVERGENCE_SECONDS GAUGE "fingerpost_replica_divergence_seconds" ["replica"]
        "For how long the replica has announced other routes than this one, at the same revisions of the sources and unexplained; 0 while it does not.";
    REPLICA_MISMATCH GAUGE "fingerpost_replica_mismatch" ["replica" "kind"]
        "1 while the version of a replica, or its configuration, is another one than this replica's.";

    SOURCE_UP GAUGE "fingerpost_source_up" ["source"]
        "1 while the source is known up to now, 0 while it cannot be read; its routes stay.";
    SOURCE_COMPLETE GAUGE "fingerpost_source_complete" ["source"]
        "1 once the source was read completely and believed in this process; no End-of-RIB is sent before.";
    SOURCE_FAULT GAUGE "fingerpost_source_fault" ["source" "kind"]
        "1 for what keeps the source from being known now, 0 for every other kind.";
    SOURCE_LOST_SECONDS GAUGE "fingerpost_source_lost_seconds" ["source"]
        "For how long the source has not been known; since the start if it never was, 0 while it is.";
    SOURCE_RECORDS GAUGE "fingerpost_source_records" ["source"]
        "Records of the source, readable or not.";
    SOURCE_QUARANTINED_RECORDS GAUGE "fingerpost_source_quarantined_records" ["source"]
        "Records that cannot be decoded; what they said before in this process stays.";
    SOURCE_UNRESOLVED_PREFIXES GAUGE "fingerpost_source_unresolved_prefixes" ["source"]
        "Prefixes that a record states without an address of that family for a next hop.";
    SOURCE_HIDING_RECORDS GAUGE "fingerpost_source_hiding_records" ["source" "family"]
        "Records that may own routes that are not known: they cannot be read or give no address, and never did better in this process; the family's End-of-RIB is withheld from gateways that were not told everything yet.";

    SOURCE_ROUTES GAUGE "fingerpost_source_routes" ["source"]
        "Routes that come from the source, before any policy; what the guard holds counts as it is announced.";
    SOURCE_HELD_CHANGES GAUGE "fingerpost_source_held_changes" ["source" "kind"]
        "Changes that the guard keeps back until a person decides or they are proven; 0 is right.";
    FROZEN GAUGE "fingerpost_frozen" []
        "1 while all changes are frozen.";
    ROLE GAUGE "fingerpost_role" ["role"]
        "1 for what this replica is in the election, 0 for every other role.";
    TERM GAUGE "fingerpost_term" []
        "The number of the leadership that this replica knows of, its own or another's; 0 while it knows of none.";

    ROUTES GAUGE "fingerpost_routes" ["family"]
        "Prefixes that have an owner and may be announced, before any policy.";
    OVERRIDDEN GAUGE "fingerpost_overridden_routes" ["family"]
        "Withdrawn prefixes that are announced like the route that covers them, because another replica may still hold them.";
    FORGOTTEN COUNTER "fingerpost_forgotten_withdrawals_total" []
        "Withdrawn prefixes that did not fit into what is remembered while another replica may still hold them: where a route covers one, a gateway may go by the other replica's path until that is gone; 0 is right.";
    EXPORTED_ROUTES GAUGE "fingerpost_gateway_exported_routes" ["gateway" "family"]
        "Routes that the gateway's policy lets through.";
    LAG_CHANGES GAUGE "fingerpost_gateway_lag_changes" ["gateway" "family"]
        "Changes not handed to the gateway's session yet; absent without a session in that family.";
    CAUGHT_UP GAUGE "fingerpost_gateway_caught_up" ["gateway" "family"]
        "1 once the session was handed everything, End-of-RIB included; absent without a session in that family.";
    CAPPED_ROUTES GAUGE "fingerpost_gateway_capped_routes" ["gateway" "family"]
        "Routes that are not sent because max_prefix is reached; 0 is right.";

    SESSION_UP GAUGE "fingerpost_session_up" ["gateway"]
        "1 while the session is established.";
    SESSION_STATE GAUGE "fingerpost_session_state" ["gateway" "state"]
        "1 for the state of RFC 4271 that the session is in, 0 for every other.";
    SESSION_UP_SECONDS GAUGE "fingerpost_session_up_seconds" ["gateway"]
        "For how long the session has been established; 0 while it is not.";
    SESSION_DOWN_SECONDS GAUGE "fingerpost_session_down_seconds" ["gateway"]
        "For how long the session has not been established; 0 while it is.";
    SESSION_ESTABLISHED COUNTER "fingerpost_session_established_transitions_total" ["gateway"]
        "How often the session was established.";
    SESSION_LAST_END GAUGE "fingerpost_session_last_end_timestamp_seconds" ["gateway" "reason"]
        "When the last session, or attempt at one, ended, in seconds since 1970; the label says why.";
    MESSAGES_RECEIVED COUNTER "fingerpost_messages_received_total" ["gateway" "kind"]
        "BGP messages received from the gateway.";
    MESSAGES_SENT COUNTER "fingerpost_messages_sent_total" ["gateway" "kind"]
        "BGP messages sent to the gateway.";
    UPDATE_ERRORS COUNTER "fingerpost_update_errors_total" ["gateway" "kind"]
        "Errors in UPDATEs of the gateway that did not end the session (RFC 7606).";
    RANGE_SESSIONS GAUGE "fingerpost_range_sessions" ["gateway"]
        "Sessions with gateways that came from the range (listen_range).";
    RANGE_LIMIT GAUGE "fingerpost_range_limit" ["gateway"]
        "How many gateways may come from the range at a time.";
    RANGE_REFUSED COUNTER "fingerpost_range_refused_connections_total" ["gateway"]
        "Connections that were closed because the range had as many gateways as it may have.";
    LISTENER_UP GAUGE "fingerpost_listener_up" ["address"]
        "1 while gateways can connect to this address of router.listen, 0 while it cannot be listened on.";
    UNKNOWN_PEERS COUNTER "fingerpost_unknown_peer_connections_total" []
        "Connections that were closed because they came from an address that is no gateway's.";
    TCP_MD5_DROPPED COUNTER "fingerpost_tcp_md5_dropped_segments_total" ["kind"]
        "Segments that the kernel dropped for their TCP MD5 signature, of every socket of the machine (or network namespace).";
}
