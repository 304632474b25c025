//! The bridge from outside: its route table, its transcoding, and whole requests over real sockets.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod client;
mod contract;
mod generated;
mod limits;
mod mapping;
mod pages;
mod rest;
mod routes;
mod streams;
mod traces;
mod upstream;
