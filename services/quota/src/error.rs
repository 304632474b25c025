//! Why the service refuses or fails, and what the caller is told.

use plexus_runtime::{
    status::{Code, Problem, Reason},
    stores::{database, requests::ReplayError},
};

use crate::{
    limit::Refusal,
    meter::Meter,
    reservation::{State, WrongState},
    window::Window,
};

/// A refusal or failure of this service.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Amounts do not fit into the limits of a subject.
    #[error("a limit of {subject} is used up")]
    LimitExceeded { subject: String, refusal: Refusal },
    /// The wallet holds too little.
    #[error("the wallet of {subject} holds {available_micros} micros, and {asked_micros} were asked for")]
    InsufficientBalance { subject: String, available_micros: i64, asked_micros: i64 },
    /// Another service has made a reservation with this id.
    #[error("this request_id is that of another reservation; make a new one for each")]
    ReservationIdTaken { id: String },
    /// There is no such reservation.
    #[error("there is no such reservation")]
    ReservationNotFound { id: String },
    /// The reservation has ended in another way.
    #[error("the reservation is {} already", state.name())]
    ReservationEnded { id: String, state: State },
    /// No such limit was set.
    #[error("no limit of {} per {} is set for {subject}", meter.unit(), window.name())]
    LimitNotFound { subject: String, meter: Meter, window: Window },
    /// The subject has no wallet.
    #[error("{subject} has no wallet; the first top-up makes one")]
    WalletNotFound { subject: String },
    /// The request cannot be answered from what was kept.
    #[error("a repeated request could not be answered")]
    Replay(#[from] ReplayError),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] database::Error),
}

impl Error {
    /// A reservation that has ended.
    pub(crate) fn ended(id: &str, WrongState(state): WrongState) -> Self {
        Self::ReservationEnded { id: id.to_owned(), state }
    }

    /// A row that the schema forbids, or that changed although its subject is locked.
    pub(crate) fn corrupt(what: &'static str) -> Self {
        Self::Store(database::Error::Statement(sqlx::Error::Decode(what.into())))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::LimitExceeded { subject, refusal } => limit_exceeded(message, &subject, &refusal),
            Error::InsufficientBalance { subject, available_micros, asked_micros } => {
                Self::new(Code::ResourceExhausted, Reason::InsufficientBalance, message.clone())
                    .quota(subject, message)
                    .metadata("available_micros", available_micros.to_string())
                    .metadata("requested", asked_micros.to_string())
            }
            Error::ReservationIdTaken { id } => {
                Self::new(Code::AlreadyExists, Reason::RequestIdReused, message)
                    .resource("plexus.quota.v1.Reservation", id)
            }
            Error::ReservationNotFound { id } => Self::new(Code::NotFound, Reason::NotFound, message)
                .resource("plexus.quota.v1.Reservation", id),
            Error::ReservationEnded { id, .. } => {
                Self::new(Code::FailedPrecondition, Reason::WrongState, message)
                    .resource("plexus.quota.v1.Reservation", id)
            }
            Error::LimitNotFound { subject, .. } => Self::new(Code::NotFound, Reason::NotFound, message)
                .resource("plexus.quota.v1.Limit", subject),
            Error::WalletNotFound { subject } => Self::new(Code::NotFound, Reason::NotFound, message)
                .resource("plexus.quota.v1.Wallet", subject),
            Error::Replay(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

/// The refusal with each limit in the way; the metadata are about the one whose period ends last.
fn limit_exceeded(message: String, subject: &str, refusal: &Refusal) -> Problem {
    let mut problem = Problem::new(Code::ResourceExhausted, Reason::LimitExceeded, message);
    for (count, amount) in &refusal.binding {
        let (unit, window) = (count.meter.unit(), count.window.name());
        let (limit, left) = (count.limit.unwrap_or(0), count.remaining().unwrap_or(0));
        let description = format!("{limit} {unit} per {window}: {left} are left, {amount} were asked for");
        problem = problem.quota(subject, description);
    }
    if let Some((count, amount)) = refusal.binding.iter().max_by_key(|(count, _)| count.period.end_us) {
        problem = problem
            .metadata("meter", count.meter.name())
            .metadata("window", count.window.name())
            .metadata("limit", count.limit.unwrap_or(0).to_string())
            .metadata("remaining", count.remaining().unwrap_or(0).to_string())
            .metadata("requested", amount.to_string());
    }
    match refusal.retry_after {
        Some(delay) => problem.retry_after(delay),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limit::Count;

    #[test]
    fn a_refusal_tells_which_limits_bind_and_when_to_try_again() {
        let day = Count { limit: Some(100), posted: 95, ..Count::zero(Meter::Tokens, Window::Day, 0) };
        let month = Count { limit: Some(100), posted: 99, ..Count::zero(Meter::Tokens, Window::Month, 0) };
        let refusal =
            Refusal { binding: vec![(day, 7), (month, 7)], retry_after: Some(Duration::from_secs(60)) };
        let problem = Problem::from(Error::LimitExceeded { subject: "user:alice".to_owned(), refusal });
        assert_eq!(problem.code(), Code::ResourceExhausted);
        assert_eq!(problem.reason(), Reason::LimitExceeded);
        let shown = format!("{problem:?}");
        assert!(shown.contains("100 tokens per day: 5 are left, 7 were asked for"), "{shown}");
        assert!(shown.contains("100 tokens per month: 1 are left, 7 were asked for"), "{shown}");
        assert!(shown.contains("60s"), "{shown}");
    }
}
