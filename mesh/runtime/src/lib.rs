//! What every server of the mesh stands on, so that a service is only its contract, its domain and its store.
//!
//! A service implements [`service::Service`]; [`replica::start`] then gives it everything else:
//! - [`settings`]: typed settings with defaults and checks; [`layered`] reads them from file, environment and flags.
//! - [`stores`]: the durable database, the shared tier, and answers kept for repeated requests.
//! - `connections`: HTTP/2 connections with a bound, an age and an end. `layers`: what every call passes.
//! - [`identity`]: callers, tokens, and the access rules that the contract declares.
//! - [`status`]: errors with the details that callers can act on.
//! - [`health`], [`admin`], [`telemetry`]: what operators and orchestrators look at.
//! - [`peers`]: channels to the other services. [`tasks`]: background loops. [`clock`], [`page`]: small values.

pub mod admin;
pub mod clock;
mod connections;
pub mod health;
pub mod identity;
pub mod layered;
mod layers;
pub mod notices;
pub mod page;
pub mod peers;
pub mod replica;
pub mod server;
pub mod service;
pub mod settings;
pub mod status;
pub mod stores;
pub mod tasks;
pub mod telemetry;
