//! The names of all spans, metrics and attributes that a channel yields.
//!
//! `grpc.*` is what gRPC's proposals define (A66, A72, A91, A94, A96), so dashboards made for other gRPC
//! clients fit; `rpc.*`, `server.*`, `network.*` and `error.*` are OpenTelemetry's semantic conventions;
//! `plexus.client.*` is what neither of them has.

/// Names the meter with which a channel makes its instruments when it is given none.
pub const METER: &str = "plexus-client";

/// What the name of a call's span begins with (A72); `pkg.Service.Method` follows.
pub const CALL_SPAN_PREFIX: &str = "Sent.";
/// What the name of an attempt's span begins with (A72); `pkg.Service.Method` follows.
pub const ATTEMPT_SPAN_PREFIX: &str = "Attempt.";
/// The event of a call that had to wait for its endpoints to be known (A72).
pub const NAME_RESOLUTION_DELAYED: &str = "Delayed name resolution complete";
/// The event of an attempt that had to wait for an endpoint that is ready (A72).
pub const PICK_DELAYED: &str = "Delayed LB pick complete";

/// Attempts begun: counter, `{attempt}`, by method and target (A66).
pub const ATTEMPT_STARTED: &str = "grpc.client.attempt.started";
/// How long attempts took, the pick included: histogram, `s`, by method, target and status (A66).
pub const ATTEMPT_DURATION: &str = "grpc.client.attempt.duration";
/// What the messages sent in an attempt sum up to: histogram, `By`, by method, target and status (A66).
pub const ATTEMPT_SENT: &str = "grpc.client.attempt.sent_total_compressed_message_size";
/// What the messages received in an attempt sum up to: histogram, `By`, by method, target and status (A66).
pub const ATTEMPT_RECEIVED: &str = "grpc.client.attempt.rcvd_total_compressed_message_size";
/// How long calls took, all attempts and waits included: histogram, `s`, by method, target and status (A66).
pub const CALL_DURATION: &str = "grpc.client.call.duration";

/// Retries of a call that had any: histogram, `{retry}`, by method and target (A96).
pub const CALL_RETRIES: &str = "grpc.client.call.retries";
/// Transparent retries of a call that had any: histogram, `{transparent_retry}`, by method and target (A96).
pub const CALL_TRANSPARENT_RETRIES: &str = "grpc.client.call.transparent_retries";
/// Hedges of a call that had any: histogram, `{hedge}`, by method and target (A96).
pub const CALL_HEDGES: &str = "grpc.client.call.hedges";
/// How long a call that was retried had no attempt under way: histogram, `s`, by method and target (A96).
pub const CALL_RETRY_DELAY: &str = "grpc.client.call.retry_delay";

/// Connections that are open: up-down counter, `{connection}`, by target (A94).
pub const OPEN_CONNECTIONS: &str = "grpc.subchannel.open_connections";
/// Connections that ended: counter, `{disconnection}`, by target and reason (A94).
pub const DISCONNECTIONS: &str = "grpc.subchannel.disconnections";
/// Connection attempts that succeeded: counter, `{attempt}`, by target (A94).
pub const CONNECTION_ATTEMPTS_SUCCEEDED: &str = "grpc.subchannel.connection_attempts_succeeded";
/// Connection attempts that failed: counter, `{attempt}`, by target (A94).
pub const CONNECTION_ATTEMPTS_FAILED: &str = "grpc.subchannel.connection_attempts_failed";

/// Outliers that were ejected: counter, `{ejection}`, by target and method of detection (A91).
pub const EJECTIONS_ENFORCED: &str = "grpc.lb.outlier_detection.ejections_enforced";
/// Outliers that were found and kept: counter, `{ejection}`, by target, method of detection and reason (A91).
pub const EJECTIONS_UNENFORCED: &str = "grpc.lb.outlier_detection.ejections_unenforced";

/// From the start of a call to its first endpoint, or to giving up: histogram, `s`, by target and result.
pub const PICK_DELAY: &str = "plexus.client.pick.delay";
/// Calls begun and not ended: up-down counter, `{call}`, by target.
pub const CALLS_IN_FLIGHT: &str = "plexus.client.calls.in_flight";
/// Calls refused without an attempt: counter, `{call}`, by target and the limit that they met.
pub const CALLS_REFUSED: &str = "plexus.client.calls.refused";
/// Endpoints: up-down counter, `{endpoint}`, by target and the state that they are in.
pub const ENDPOINTS: &str = "plexus.client.endpoints";
/// Channels: up-down counter, `{channel}`, by target and how they select endpoints at present.
pub const SELECTION: &str = "plexus.client.selection.channels";
/// Calls that the adaptive limit lets go on at once: up-down counter, `{call}`, by target.
pub const CONCURRENCY_LIMIT: &str = "plexus.client.concurrency.limit";

/// `pkg.Service/Method`, or [`OTHER_METHOD`] (A66).
pub const METHOD: &str = "grpc.method";
/// The name of the channel's target (A66).
pub const TARGET: &str = "grpc.target";
/// How it ended, such as `DEADLINE_EXCEEDED` (A66).
pub const STATUS: &str = "grpc.status";
/// Why a connection ended (A94).
pub const DISCONNECT_ERROR: &str = "grpc.disconnect_error";
/// How an outlier was found (A91).
pub const DETECTION_METHOD: &str = "grpc.lb.outlier_detection.detection_method";
/// Why an outlier was not ejected (A91).
pub const UNENFORCED_REASON: &str = "grpc.lb.outlier_detection.unenforced_reason";
/// How looking for an endpoint ended: `found`, `unavailable` or `deadline_exceeded`.
pub const PICK_RESULT: &str = "plexus.client.pick.result";
/// The limit that a call met: `channel`, `endpoint` or `adaptive`.
pub const LIMIT: &str = "plexus.client.limit";
/// `ready`, `connecting`, `waiting`, `ejected` or `not_serving`.
pub const ENDPOINT_STATE: &str = "plexus.client.endpoint.state";
/// `normal`, `spilled` or `panic`.
pub const SELECTION_MODE: &str = "plexus.client.selection.mode";

/// What stands for a method that is not known: paths come from callers and have no end (A66).
pub const OTHER_METHOD: &str = "other";

/// The bounds of durations in seconds (A66).
pub const SECONDS_BOUNDS: [f64; 41] = [
    0.0, 0.000_01, 0.000_05, 0.000_1, 0.000_3, 0.000_6, 0.000_8, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006,
    0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3,
    0.4, 0.5, 0.65, 0.8, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
];
/// The bounds of message sizes in bytes (A66).
pub const BYTES_BOUNDS: [f64; 14] = [
    0.0,
    1024.0,
    2048.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
    4_294_967_296.0,
];
/// The bounds of retries and of hedges in one call (A96).
pub const RETRIES_BOUNDS: [f64; 5] = [1.0, 2.0, 3.0, 4.0, 5.0];
/// The bounds of transparent retries in one call (A96).
pub const TRANSPARENT_RETRIES_BOUNDS: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 10.0];
