//! How long a call may take: the header `grpc-timeout`, and the deadline that a call inside a call inherits.

use std::{fmt::Write as _, future::Future, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

/// The header that says how long the caller will wait (gRPC over HTTP/2, "Timeout").
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// How long a call without a deadline of its own waits for the head of its response.
///
/// It does not bound the body, or no stream could outlive it; a call that has a deadline
/// (from its `grpc-timeout` or inherited) is bounded by that one alone, body included.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// The most digits a `grpc-timeout` may have, by its grammar.
const DIGITS_MAX: usize = 8;

tokio::task_local! {
    static INHERITED: Option<Instant>;
}

/// Runs a future whose outgoing calls inherit this deadline; `None` frees them of an outer one.
///
/// A nested scope replaces the outer one: a server passes the smaller of both if it wants that.
/// Tasks spawned inside do not inherit.
pub fn scope<F: Future>(deadline: Option<Instant>, future: F) -> impl Future<Output = F::Output> {
    INHERITED.scope(deadline, future)
}

/// The deadline that calls made here inherit.
#[must_use]
pub fn current() -> Option<Instant> {
    INHERITED.try_with(|deadline| *deadline).ok().flatten()
}

/// Reads a `grpc-timeout` value such as `250m`. `None` when it does not fit the grammar.
#[must_use]
pub fn parse(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// Writes a `grpc-timeout` value in the finest unit that holds it, rounded down:
/// a server must not believe that it has longer than the caller waits.
#[must_use]
pub fn format(timeout: Duration) -> HeaderValue {
    const AMOUNT_MAX: u128 = 10_u128.pow(DIGITS_MAX as u32) - 1;
    let seconds = u128::from(timeout.as_secs());
    let units = [
        (timeout.as_nanos(), 'n'),
        (timeout.as_micros(), 'u'),
        (timeout.as_millis(), 'm'),
        (seconds, 'S'),
        (seconds / 60, 'M'),
        (seconds / 3600, 'H'),
    ];
    let (amount, unit) =
        units.into_iter().find(|(amount, _)| *amount <= AMOUNT_MAX).unwrap_or((AMOUNT_MAX, 'H'));
    let mut text = String::with_capacity(DIGITS_MAX + 1);
    let written = write!(text, "{amount}{unit}");
    debug_assert!(written.is_ok(), "writing to a String does not fail");
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("0n"))
}

/// What bounds one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// When the head of the response must have come.
    pub(crate) head: Option<Instant>,
    /// When the whole call must be over; also what the server is told.
    pub(crate) call: Option<Instant>,
}

impl Deadline {
    /// The smallest of the request's own deadline, the inherited one, and what the method is configured
    /// to; without any, the default for the head.
    pub(crate) fn of(
        headers: &HeaderMap,
        inherited: Option<Instant>,
        configured: Option<Duration>,
        default: Option<Duration>,
    ) -> Self {
        let now = Instant::now();
        let after = |timeout| now.checked_add(timeout);
        let own = headers.get(GRPC_TIMEOUT).and_then(parse).and_then(after);
        let call = own.into_iter().chain(inherited).chain(configured.and_then(after)).min();
        let head = call.or_else(|| now.checked_add(default?));
        Self { head, call }
    }

    /// Puts the remaining time of the call into the request; nothing if the server shall not bound it.
    pub(crate) fn announce(&self, headers: &mut HeaderMap) {
        match self.call {
            Some(deadline) => {
                headers.insert(GRPC_TIMEOUT, format(deadline.saturating_duration_since(Instant::now())));
            }
            None => {
                headers.remove(GRPC_TIMEOUT);
            }
        }
    }
}

#[cfg(test)]
#[path = "deadline_tests.rs"]
mod tests;
