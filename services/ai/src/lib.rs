//! Chat, components, replies, sentiment and transcription over any number of providers.
mod config;
pub mod embedded;
pub mod language;
pub mod provider;
pub mod sentiment;
pub mod tokens;
