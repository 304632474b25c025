//! Whether a call is sent again: the state of one call, and the verdict on each failed attempt.
//!
//! gRFC A6 with two additions. A method that is not idempotent is never sent again once a server may
//! have processed it, whatever a config says: its owner writes the config, and A6 trusts him, but a
//! default for all methods of a service is easily written without a thought of each. And a further
//! attempt must be within the [budget](super::budget).

use std::time::Duration;

use tokio::time::Instant;
use tonic::Code;

use super::{Pushback, RetryBudget, Throttle, backoff};
use crate::service_config::{AttemptPolicy, RetryPolicy, attempts::ATTEMPTS_MAX};

/// How often a call whose attempts never left the client is tried again.
///
/// A6 sets no limit but the deadline. This many connections that fail between being picked and being
/// written to, in one call, are no race any more, and a call without a deadline must end.
pub const NEVER_SENT_MAX: u32 = 32;

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was never written to a connection.
    NeverSent,
    /// A server got it, and its application did not: `REFUSED_STREAM`, or beyond the last stream of
    /// a GOAWAY.
    Refused,
    /// It may have been processed. The code is the server's, or what the transport's error means.
    Failed {
        /// The status.
        code: Code,
        /// What the server says about a retry.
        pushback: Pushback,
    },
    /// No response came within the policy's time for one attempt.
    TimedOut,
}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send no more. With retries that ends the call; with hedging only if [`Reason::ends_call`], or
    /// once no other attempt is under way.
    GiveUp(Reason),
    /// Send again after this wait, as a further attempt: it is counted and paid for already.
    AfterBackoff(Duration),
    /// Send again now, transparently: no server application saw the attempt, and it does not count.
    AtOnce,
}

/// Why a call is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The method has no policy of further attempts.
    NoPolicy,
    /// The code is fatal: not one that the policy names.
    Code,
    /// The server said so.
    Pushback,
    /// A server may have processed it, and the method must not run twice.
    NotIdempotent,
    /// The policy's attempts are spent.
    Attempts,
    /// The channel's throttle is shut.
    Throttled,
    /// The channel's retry budget is spent.
    Budget,
    /// [`NEVER_SENT_MAX`] attempts never left the client.
    NeverSent,
}

impl Reason {
    /// Whether the call ends with this failure even while other hedged attempts are under way.
    #[must_use]
    pub fn ends_call(self) -> bool {
        self == Self::Code
    }
}

/// What all calls of a channel share to bound their further attempts. Absent ones do not bound.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guards<'a> {
    /// A6's token bucket.
    pub throttle: Option<&'a Throttle>,
    /// The share of calls that may be sent again.
    pub budget: Option<&'a RetryBudget>,
}

/// One call and what became of its attempts.
#[derive(Clone, Debug)]
pub struct CallAttempts<'a> {
    policy: &'a AttemptPolicy,
    is_idempotent: bool,
    /// Those that count, the first included.
    attempts: u32,
    never_sent: u32,
    has_been_refused: bool,
    /// Retries since the call began or the server last named a wait.
    backoffs: u32,
    is_stopped: bool,
}

impl<'a> CallAttempts<'a> {
    /// A call whose first attempt is about to be made.
    #[must_use]
    pub fn new(policy: &'a AttemptPolicy, is_idempotent: bool) -> Self {
        Self {
            policy,
            is_idempotent,
            attempts: 1,
            never_sent: 0,
            has_been_refused: false,
            backoffs: 0,
            is_stopped: false,
        }
    }

    /// How many attempts that count came before the latest: the value of
    /// [`PREVIOUS_ATTEMPTS_HEADER`](super::PREVIOUS_ATTEMPTS_HEADER), which is left out when it is 0.
    #[must_use]
    pub fn previous(&self) -> u32 {
        self.attempts - 1
    }

    /// Judges a failed attempt. `fraction` is a random number from 0 to 1, for the jitter.
    pub fn failed(&mut self, outcome: Outcome, guards: Guards<'_>, now: Instant, fraction: f64) -> Verdict {
        let (code, pushback) = match outcome {
            Outcome::NeverSent if self.never_sent < NEVER_SENT_MAX => {
                self.never_sent += 1;
                return Verdict::AtOnce;
            }
            Outcome::NeverSent => return Verdict::GiveUp(Reason::NeverSent),
            Outcome::Refused if !self.has_been_refused => {
                self.has_been_refused = true;
                return Verdict::AtOnce;
            }
            // A6: from the second time on it is a failure like others, except that nothing was processed.
            Outcome::Refused => return self.refused_again(guards, now, fraction),
            Outcome::Failed { code, pushback } => (Some(code), pushback),
            Outcome::TimedOut => (None, Pushback::Absent),
        };
        let is_retryable = self.is_retryable(code);
        if let Some(throttle) = guards.throttle
            && (is_retryable || pushback == Pushback::Stop)
        {
            throttle.record_failure();
        }
        self.is_stopped |= pushback == Pushback::Stop;
        let refusal = match self.policy {
            AttemptPolicy::Once => Some(Reason::NoPolicy),
            _ if !is_retryable => Some(Reason::Code),
            _ if !self.is_idempotent => Some(Reason::NotIdempotent),
            _ => self.refusal(guards, now),
        };
        match refusal {
            Some(reason) => Verdict::GiveUp(reason),
            None => Verdict::AfterBackoff(self.wait(pushback, fraction)),
        }
    }

    /// Judges whether the next hedged attempt may be sent, when its delay has passed. It is
    /// `AfterBackoff` with no wait when it may.
    pub fn hedge_due(&mut self, guards: Guards<'_>, now: Instant) -> Verdict {
        let refusal = match self.policy {
            AttemptPolicy::Hedging(_) if !self.is_idempotent => Some(Reason::NotIdempotent),
            AttemptPolicy::Hedging(_) => self.refusal(guards, now),
            AttemptPolicy::Once | AttemptPolicy::Retry(_) => Some(Reason::NoPolicy),
        };
        refusal.map_or(Verdict::AfterBackoff(Duration::ZERO), Verdict::GiveUp)
    }

    /// No server has processed the call, so any call may be sent again, whatever its policy; after a wait,
    /// since whoever refused it first has mostly been picked again for want of others.
    fn refused_again(&mut self, guards: Guards<'_>, now: Instant, fraction: f64) -> Verdict {
        if let Some(throttle) = guards.throttle {
            throttle.record_failure();
        }
        if let Some(reason) = self.refusal(guards, now) {
            return Verdict::GiveUp(reason);
        }
        self.backoffs += 1;
        let default = RetryPolicy::default();
        let policy = if let AttemptPolicy::Retry(retry) = self.policy { retry } else { &default };
        Verdict::AfterBackoff(backoff::wait(policy, self.backoffs, fraction))
    }

    fn is_retryable(&self, code: Option<Code>) -> bool {
        let codes = match self.policy {
            AttemptPolicy::Once => return false,
            AttemptPolicy::Retry(retry) => retry.retryable_codes,
            AttemptPolicy::Hedging(hedging) => hedging.non_fatal_codes,
        };
        // An attempt that ran out of its own time is always worth another.
        code.is_none_or(|code| codes.contains(code))
    }

    /// Why there is no further attempt; otherwise counts it and takes it from the budget.
    fn refusal(&mut self, guards: Guards<'_>, now: Instant) -> Option<Reason> {
        let max_attempts = match self.policy {
            AttemptPolicy::Once => ATTEMPTS_MAX,
            AttemptPolicy::Retry(retry) => retry.max_attempts,
            AttemptPolicy::Hedging(hedging) => hedging.max_attempts,
        };
        if self.is_stopped {
            return Some(Reason::Pushback);
        }
        if self.attempts >= max_attempts {
            return Some(Reason::Attempts);
        }
        if guards.throttle.is_some_and(|throttle| !throttle.allows()) {
            return Some(Reason::Throttled);
        }
        // Last, since it takes what it grants.
        if guards.budget.is_some_and(|budget| !budget.withdraw(now)) {
            return Some(Reason::Budget);
        }
        self.attempts += 1;
        None
    }

    /// The server's wait exactly, after which the policy's own begin anew; a hedge that follows a
    /// failure goes out at once.
    fn wait(&mut self, pushback: Pushback, fraction: f64) -> Duration {
        if let Pushback::After(wait) = pushback {
            self.backoffs = 0;
            return wait;
        }
        match self.policy {
            AttemptPolicy::Retry(retry) => {
                self.backoffs += 1;
                backoff::wait(retry, self.backoffs, fraction)
            }
            AttemptPolicy::Once | AttemptPolicy::Hedging(_) => Duration::ZERO,
        }
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
