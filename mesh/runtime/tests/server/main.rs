//! A server with all its layers, over real HTTP/2.

#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that goes wrong")]

mod admission;
mod connections;
mod layers;
mod life;
mod one_connection;
mod report;
mod sample;
