//! The stores: one suite per kind, run on both of its twins.

#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that goes wrong")]

mod database;
mod requests;
mod shared;

use plexus_runtime::{
    service::{Dependencies, Service, StartError, Started},
    settings::Settings,
    stores::database::Migrations,
};
use serde::{Deserialize, Serialize};
use tonic::service::Routes;

/// A service with two tables and no RPCs.
struct Notes;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct NoSettings {}

impl Settings for NoSettings {}

impl Service for Notes {
    const NAME: &'static str = "notes";
    const CALLS: &'static [&'static str] = &[];
    type Settings = NoSettings;

    fn migrations() -> Migrations {
        Migrations {
            sqlite: sqlx::migrate!("tests/migrations/sqlite"),
            postgres: sqlx::migrate!("tests/migrations/postgres"),
        }
    }

    async fn start(_: NoSettings, _: Dependencies) -> Result<Started, StartError> {
        Ok(Started::new(Routes::default()))
    }
}
