//! The channel against real HTTP/2 servers: generated health clients, port 0, replicas that die.
#![expect(missing_docs, reason = "a test binary")]

mod deadlines;
mod failover;
#[cfg(feature = "plexus")]
mod login;
mod refusal;
mod replica;
mod telemetry;
