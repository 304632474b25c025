//! Auth as its callers see it: every RPC over a real socket, every refusal by its code and reason.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that goes wrong")]

mod api_keys;
mod limits;
mod mesh;
mod roles;
mod secrecy;
mod sessions;
mod stores;
mod trust;
mod users;
