//! Auth: users, passwords, sessions, roles, API keys, and the keys that others verify tokens with.
//!
//! RPCs: `SessionService` (log in, refresh, log out, who am I), `UserService`, `RoleService`, `ApiKeyService`, and
//! `TrustService`, whose stream lets every other service verify tokens without asking.
//! Tables: `users`, `user_roles`, `roles`, `sessions`, `api_keys`, `secret_keys`, `trust_version`, `first_start`,
//! `requests`. It calls nobody; everybody holds a stream of it.
//!
//! No password, refresh token or API key is stored, logged or kept for replays: the store holds argon2id hashes,
//! SHA-256 digests of random secrets, and HMACs of request bodies.

mod access_token;
mod api_key;
pub mod config;
mod error;
mod first_start;
mod password;
mod permissions;
mod refresh_token;
mod role;
mod rpc;
mod secrets;
mod session;
mod store;
mod sweep;
mod trust;
mod user;

use std::sync::Arc;

use plexus_runtime::{
    clock::Clock,
    service::{Dependencies, Service, StartError, Started},
    settings::Secret,
    stores::database::{Database, Migrations},
};

use crate::{
    access_token::Signer, config::Settings, error::Error, password::Hasher, secrets::Derivation,
    store::sessions::Lifetime, trust::Feed,
};

/// The auth service.
#[derive(Debug)]
pub struct Auth;

/// What the RPCs work with.
#[derive(Debug)]
struct Parts {
    database: Database,
    clock: Clock,
    hasher: Hasher,
    signer: Signer,
    derivation: Derivation,
    feed: Feed,
    lifetime: Lifetime,
    mesh_secret: Secret,
}

impl Service for Auth {
    const NAME: &'static str = "auth";
    const CALLS: &'static [&'static str] = &[];
    type Settings = Settings;

    fn migrations() -> Migrations {
        Migrations {
            sqlite: sqlx::migrate!("migrations/sqlite"),
            postgres: sqlx::migrate!("migrations/postgres"),
        }
    }

    async fn start(settings: Settings, with: Dependencies) -> Result<Started, StartError> {
        let parts =
            assemble(&settings, &with).await.map_err(|error| StartError::new("auth cannot start", error))?;
        let (database, clock) = (with.database.clone(), with.clock.clone());
        with.tasks.spawn("sweep", |stop| sweep::run(database, clock, stop));
        Ok(Started::new(rpc::routes(&Arc::new(parts))))
    }
}

async fn assemble(settings: &Settings, with: &Dependencies) -> Result<Parts, Error> {
    let hasher = Hasher::new(settings.hashing_slots, settings.hashing_waiters_max);
    let key = first_start::signing_key(with).await?;
    let derivation = first_start::derivation(with).await?;
    first_start::administrator(with, settings, &hasher).await?;
    let feed = Feed::start(with, vec![key.jwk().clone()]).await?;
    Ok(Parts {
        database: with.database.clone(),
        clock: with.clock.clone(),
        hasher,
        signer: Signer::new(key),
        derivation,
        feed,
        lifetime: Lifetime {
            idle_us: microseconds(settings.session_idle_seconds),
            most_us: microseconds(settings.session_seconds_max),
        },
        mesh_secret: with.mesh_secret.clone(),
    })
}

fn microseconds(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000)
}
