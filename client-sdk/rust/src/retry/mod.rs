//! When a call is sent again: gRFC A6's retries, hedging, push-back and throttle, and a budget.
//!
//! - [`decide`]: the state of one call, and the verdict on each of its failures;
//! - [`backoff`]: how long to wait before the next attempt;
//! - [`pushback`]: what the server says about that;
//! - [`throttle`]: stops further attempts of a channel when too many calls fail;
//! - [`budget`]: keeps further attempts to a share of the calls, however they fail.
//!
//! Throttle and budget complement one another. The throttle looks at outcomes: it shuts when a
//! server is in trouble, and does nothing against a client that hedges each call with success. The
//! budget looks at counts alone, so that attempts stay near 1.2 x calls whatever servers answer.
//!
//! All of it is values and arithmetic: time and randomness are passed in.

pub mod backoff;
pub mod budget;
pub mod decide;
pub mod pushback;
pub mod throttle;

pub use budget::{BudgetPolicy, RetryBudget};
pub use decide::{CallAttempts, Guards, Outcome, Reason, Verdict};
pub use pushback::Pushback;
pub use throttle::Throttle;

use http::HeaderName;

/// The request header that tells a server how many attempts a call made before (A6).
pub const PREVIOUS_ATTEMPTS_HEADER: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");
