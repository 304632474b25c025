//! Limits, reservations, wallets and their ledger: nobody spends more tokens, requests or money than they may.
//!
//! - RPCs (`plexus.quota.v1`): `LimitService` (set, get, list, delete limits), `ReservationService` (reserve, extend,
//!   commit, release), `UsageService` (usage, check, alerts), `WalletService` (top up, balance, ledger entries).
//! - Tables: `subjects`, `limits`, `counters`, `reservations`, `alerts`, `wallets`, `ledger_entries`, `requests`.
//! - It calls no other service. `ai` calls it for every chat.
//!
//! What holds at all times, whatever fails in between:
//! - No reservation takes a count beyond its limit: the statement that counts also compares (`store/counters.rs`).
//! - A reservation ends once: committed, released or expired (`reservation.rs`). Spending is never refused.
//! - The entries of each ledger transaction sum to zero (`ledger.rs`), and a wallet is the sum of its entries.
//! - There is one alert for each subject, limit, period and level, made in the transaction that spends.

mod config;
mod error;
mod expire;
mod ledger;
mod limit;
mod meter;
mod prune;
mod reservation;
mod rpc;
mod store;
mod window;

use std::time::Duration;

use plexus_runtime::{
    service::{Dependencies, Service, StartError, Started},
    stores::database::Migrations,
};

pub use config::{PerWindow, Settings};

use crate::{
    rpc::{Rpc, Rules},
    store::Store,
};

/// The quota service.
pub struct Quota;

impl Service for Quota {
    const NAME: &'static str = "quota";
    const CALLS: &'static [&'static str] = &[];
    type Settings = Settings;

    fn migrations() -> Migrations {
        Migrations {
            sqlite: sqlx::migrate!("migrations/sqlite"),
            postgres: sqlx::migrate!("migrations/postgres"),
        }
    }

    async fn start(settings: Settings, with: Dependencies) -> Result<Started, StartError> {
        let store = Store::new(with.database, settings.default_limits());
        let pause = Duration::from_millis(settings.expire_interval_ms);
        let (expiring, pruning) = (store.clone(), store.clone());
        let (clock, history_days) = (with.clock.clone(), settings.history_days);
        with.tasks.spawn("expire_reservations", |stop| {
            expire::run(expiring, clock.clone(), pause, stop.cancelled_owned())
        });
        with.tasks.spawn("prune", |stop| prune::run(pruning, clock, history_days, stop.cancelled_owned()));
        let rules = Rules {
            ttl_us: settings.reservation_ttl_seconds * 1_000_000,
            currency_code: settings.currency_code,
        };
        Ok(Started::new(Rpc::new(store, with.clock, rules).routes()))
    }
}
