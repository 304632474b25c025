//! A server with all its layers, over real HTTP/2.

#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that goes wrong")]

mod layers;
mod life;
mod sample;
