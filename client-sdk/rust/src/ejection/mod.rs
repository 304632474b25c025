//! Which endpoints are set aside because their calls fail (outlier detection, gRFC A50).
//!
//! - [`Settings`]: when an endpoint counts as failing, and for how long it is set aside;
//! - [`Record`]: what calls met at one endpoint, and whether it is set aside; shared by all calls;
//! - [`is_endpoint_failure`]: which answers speak against the endpoint that gave them;
//! - [`Set`]: all endpoints that are judged together, and the only place where their states change.
//!
//! A call reports its end to [`Record::ended`], without a lock. When that answers with a [`Signal`],
//! and on each interval, the owner of the records takes its lock and asks the [`Set`], which answers
//! with the [`Change`]s. Beyond A50 there are two things: an endpoint whose calls fail in a row is set
//! aside at once, not at the end of the interval; and one whose time has passed proves itself with
//! one call at a time before it gets its full share (the half-open state of a circuit breaker).
//!
//! Deliberately absent: a clock, tasks and randomness of its own. All of them come in as values.

mod evidence;
mod outliers;
mod record;
mod set;
mod settings;

pub use evidence::is_endpoint_failure;
pub use record::{Record, Signal, State};
pub use set::{Change, Event, Limit, Reason, Set};
pub use settings::{FailurePercentage, Settings, SettingsError, SuccessRate};
