//! The only SQL: one folder, one file per group of questions, the same text on SQLite and PostgreSQL.

mod counts;
mod messages;
mod retention;
mod rollups;
mod rows;
#[cfg(test)]
mod tests;
mod users;
mod write;

use plexus_runtime::stores::database::Database;

pub use counts::DayCount;
pub use retention::Cutoffs;
pub use users::ActiveUser;

/// The events and everything that is counted of them.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
}

impl Store {
    /// The store in `database`, whose schema is up to date.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}
