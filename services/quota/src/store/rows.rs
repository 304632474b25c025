//! Numbers of the tables as the domain's types.

use crate::{
    error::Error,
    ledger::{Account, Kind},
    limit::AlertLevel,
    meter::Meter,
    reservation::State,
    window::Window,
};

pub(super) fn meter(number: i64) -> Result<Meter, Error> {
    Meter::from_number(number).ok_or(Error::corrupt("a row has a meter that is not known"))
}

pub(super) fn window(number: i64) -> Result<Window, Error> {
    Window::from_number(number).ok_or(Error::corrupt("a row has a window that is not known"))
}

pub(super) fn state(number: i64) -> Result<State, Error> {
    State::from_number(number).ok_or(Error::corrupt("a row has a state that is not known"))
}

pub(super) fn level(number: i64) -> Result<AlertLevel, Error> {
    AlertLevel::from_number(number).ok_or(Error::corrupt("a row has an alert level that is not known"))
}

pub(super) fn account(number: i64) -> Result<Account, Error> {
    Account::from_number(number).ok_or(Error::corrupt("a row has an account that is not known"))
}

pub(super) fn kind(number: i64) -> Result<Kind, Error> {
    Kind::from_number(number).ok_or(Error::corrupt("a row has a kind that is not known"))
}
