//! The names of all metrics, in one place. RPC names follow OpenTelemetry's semantic conventions 1.44.

/// How long calls take that this server answers, in seconds.
pub(crate) const RPC_SERVER_CALL_DURATION: &str = "rpc.server.call.duration";
/// Calls that this server works on at this moment.
pub(crate) const RPC_SERVER_ACTIVE_CALLS: &str = "plexus.server.active_calls";
/// Whether a service is ready: 1 ready, 0 not.
pub(crate) const SERVICE_READY: &str = "plexus.service.ready";
/// Whether a service runs without something it would like to have: 1 degraded, 0 not.
pub(crate) const SERVICE_DEGRADED: &str = "plexus.service.degraded";

/// The bounds of call durations in seconds that the semantic conventions ask for.
pub(crate) const DURATION_BOUNDS_SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
