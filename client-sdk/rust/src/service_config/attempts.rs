//! How often a call may be sent: the retry and hedging policies of gRFC A6, and its throttling.

use std::time::Duration;

use tonic::Code;

use super::{CodeSet, ServiceConfigError, json::Object};

/// The most attempts of one call, whatever a config asks for (A6, "Limits on Retries and Hedges"):
/// a config can come from DNS, and must not make one call into a flood.
pub const ATTEMPTS_MAX: u32 = 5;

/// The most tokens of a throttle (A6, "Validation of retryThrottling").
pub const THROTTLE_TOKENS_MAX: u32 = 1000;

/// How a method's calls may be sent more than once. A6 allows one of the two, never both.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AttemptPolicy {
    /// Once, apart from transparent retries.
    #[default]
    Once,
    /// Again after a failure.
    Retry(RetryPolicy),
    /// Again while an answer is awaited.
    Hedging(HedgingPolicy),
}

/// When a failed call is sent again (A6, "Retry Policy Capabilities").
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// All attempts, the first included: 2 to [`ATTEMPTS_MAX`].
    pub max_attempts: u32,
    /// The wait before the first retry, before jitter. More than 0.
    pub initial_backoff: Duration,
    /// The longest wait, before jitter. More than 0.
    pub max_backoff: Duration,
    /// By what each further wait is longer. More than 0.
    pub backoff_multiplier: f64,
    /// The codes after which a call is sent again.
    pub retryable_codes: CodeSet,
    /// How long one attempt may wait for its response before the next is made, whatever the codes:
    /// `perAttemptRecvTimeout`, an extension that gRPC C++ and Java read.
    pub attempt_timeout: Option<Duration>,
}

impl Default for RetryPolicy {
    /// Four attempts as in A6's example, the waits of gRFC A44 (25 ms, doubled, at most 250 ms),
    /// after `UNAVAILABLE`.
    fn default() -> Self {
        Self {
            max_attempts: 4,
            initial_backoff: Duration::from_millis(25),
            max_backoff: Duration::from_millis(250),
            backoff_multiplier: 2.0,
            retryable_codes: CodeSet::only(Code::Unavailable),
            attempt_timeout: None,
        }
    }
}

/// When further copies of a call are sent without waiting for the first (A6, "Hedging Policy").
#[derive(Clone, Debug, PartialEq)]
pub struct HedgingPolicy {
    /// All attempts, the first included: 2 to [`ATTEMPTS_MAX`].
    pub max_attempts: u32,
    /// The wait between attempts; 0 sends all at once.
    pub hedging_delay: Duration,
    /// The codes after which the other attempts go on; any other ends the call.
    pub non_fatal_codes: CodeSet,
}

/// When a channel stops retrying and hedging (A6, "Throttling Retry Attempts and Hedged RPCs").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryThrottling {
    /// The tokens at the start and at most: 1 to [`THROTTLE_TOKENS_MAX`].
    pub max_tokens: u32,
    /// What a success adds, in thousandths of a token. A failure takes a whole one.
    pub token_ratio_thousandths: u32,
}

pub(super) fn attempt_policy(
    method: &mut Object<'_>,
    ignored: &mut Vec<String>,
) -> Result<AttemptPolicy, ServiceConfigError> {
    let retry = method.optional("retryPolicy");
    let hedging = method.optional("hedgingPolicy");
    match (retry, hedging) {
        (None, None) => Ok(AttemptPolicy::Once),
        (Some(retry), None) => {
            let mut fields = retry.object("an object: a retry policy")?;
            let policy = retry_policy(&mut fields)?;
            fields.finish(ignored);
            Ok(AttemptPolicy::Retry(policy))
        }
        (None, Some(hedging)) => {
            let mut fields = hedging.object("an object: a hedging policy")?;
            let policy = hedging_policy(&mut fields)?;
            fields.finish(ignored);
            Ok(AttemptPolicy::Hedging(policy))
        }
        (Some(_), Some(_)) => {
            Err(method.wrong("hedgingPolicy", "stands beside retryPolicy: expected only one of the two"))
        }
    }
}

fn retry_policy(fields: &mut Object<'_>) -> Result<RetryPolicy, ServiceConfigError> {
    const DURATION: &str = "a duration greater than 0, such as \"0.1s\"";
    const MULTIPLIER: &str = "a number greater than 0, such as 2";
    let max_attempts = max_attempts(fields)?;
    let initial_backoff = fields.required("initialBackoff", DURATION)?.positive_duration()?;
    let max_backoff = fields.required("maxBackoff", DURATION)?.positive_duration()?;
    let multiplier = fields.required("backoffMultiplier", MULTIPLIER)?;
    let backoff_multiplier = multiplier.number(MULTIPLIER)?;
    if backoff_multiplier <= 0.0 {
        return Err(multiplier.expected(MULTIPLIER));
    }
    let timeout = fields.optional("perAttemptRecvTimeout");
    let attempt_timeout = timeout.map(|timeout| timeout.positive_duration()).transpose()?;
    let retryable_codes = match fields.optional("retryableStatusCodes") {
        Some(codes) => codes.codes()?,
        None => CodeSet::default(),
    };
    // As in gRPC C++ and Java: a timeout for each attempt is a reason to retry by itself.
    if retryable_codes.is_empty() && attempt_timeout.is_none() {
        let problem = "is missing or empty: expected at least one status code, such as [\"UNAVAILABLE\"]";
        return Err(fields.wrong("retryableStatusCodes", problem));
    }
    Ok(RetryPolicy {
        max_attempts,
        initial_backoff,
        max_backoff,
        backoff_multiplier,
        retryable_codes,
        attempt_timeout,
    })
}

fn hedging_policy(fields: &mut Object<'_>) -> Result<HedgingPolicy, ServiceConfigError> {
    let max_attempts = max_attempts(fields)?;
    let delay = fields.optional("hedgingDelay").map(|delay| delay.duration()).transpose()?;
    let codes = fields.optional("nonFatalStatusCodes").map(|codes| codes.codes()).transpose()?;
    Ok(HedgingPolicy {
        max_attempts,
        hedging_delay: delay.unwrap_or_default(),
        non_fatal_codes: codes.unwrap_or_default(),
    })
}

fn max_attempts(fields: &mut Object<'_>) -> Result<u32, ServiceConfigError> {
    const WHAT: &str = "an integer of at least 2 (more than 5 count as 5)";
    let field = fields.required("maxAttempts", WHAT)?;
    let attempts = field.integer(WHAT)?;
    if attempts < 2 {
        return Err(field.expected(WHAT));
    }
    Ok(u32::try_from(attempts).map_or(ATTEMPTS_MAX, |attempts| attempts.min(ATTEMPTS_MAX)))
}

pub(super) fn throttling(fields: &mut Object<'_>) -> Result<RetryThrottling, ServiceConfigError> {
    const TOKENS: &str = "an integer from 1 to 1000";
    const RATIO: &str = "a number of at least 0.001, such as 0.1";
    let tokens = fields.required("maxTokens", TOKENS)?;
    let max_tokens = u32::try_from(tokens.integer(TOKENS)?).unwrap_or(u32::MAX);
    if !(1..=THROTTLE_TOKENS_MAX).contains(&max_tokens) {
        return Err(tokens.expected(TOKENS));
    }
    let ratio = fields.required("tokenRatio", RATIO)?;
    let thousandths = thousandths(ratio.number(RATIO)?).filter(|&thousandths| thousandths > 0);
    let token_ratio_thousandths = thousandths.ok_or_else(|| ratio.expected(RATIO))?;
    Ok(RetryThrottling { max_tokens, token_ratio_thousandths })
}

/// Cuts after three decimals (0.5466 is 0.546), on the decimal text: 1.001 x 1000 is less than 1001
/// in binary. More than all tokens are as good as all tokens.
fn thousandths(ratio: f64) -> Option<u32> {
    if ratio < 0.0 {
        return None;
    }
    let text = format!("{}", ratio.min(f64::from(THROTTLE_TOKENS_MAX)));
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let decimals = decimals.get(..3).unwrap_or(decimals);
    format!("{whole}{decimals:0<3}").parse().ok()
}
