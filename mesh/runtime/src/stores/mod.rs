//! Where state lives: a durable database, and a shared tier that may be lost at any time.

pub mod database;
pub mod requests;
pub mod shared;
mod writer;
