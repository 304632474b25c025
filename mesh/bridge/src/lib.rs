//! REST and JSON in, gRPC out, from the descriptors alone.

pub mod route;
pub mod transcode;
