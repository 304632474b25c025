//! Chat, components, replies, sentiment and transcription over any number of providers.
pub mod language;
pub mod sentiment;
pub mod tokens;
