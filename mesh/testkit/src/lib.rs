//! For tests only: a service on its own, fresh databases, real Redis and PostgreSQL, an OTLP collector, faulty networks.
//!
//! - [`Harness`] starts one service on port 0 with its own keys, and fakes for its peers.
//! - [`stores::each_engine`] runs one suite on a fresh SQLite and a fresh PostgreSQL database.
//! - [`PostgresServer`] and [`RedisServer`] are real processes that a test may stop and start again.
//! - [`http`] sends what a browser sends.
//! - [`Collector`] receives what the mesh exports by OTLP.
//! - [`Proxy`] stands between a client and a server, and cuts, delays or freezes.

#![expect(clippy::expect_used, reason = "a suite that could not run must not look like one that passed")]

mod collector;
mod harness;
pub mod http;
mod process;
mod proxy;
pub mod stores;

pub use collector::{Collector, ReceivedSpan};
pub use harness::{Harness, HarnessBuilder};
pub use process::{PostgresServer, RedisServer, free_port};
pub use proxy::Proxy;
