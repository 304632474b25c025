//! Templates of cards, rendered as HTML and exported as React components.
//!
//! - RPCs (`plexus.card.v1`): `TemplateService` (create, get, list, search, update, versions, delete) and
//!   `CardService` (render, export).
//! - Tables: `templates`, `versions`, `requests`.
//! - It calls no other service, and none calls it.
//!
//! One way through the house: `source` reads a template into a tree and refuses what is not in the subset of Tera
//! and HTML that the contract describes; `bounds` counts the work of that tree with its values; `compile` makes Tera
//! source of it, in which each value goes through the filter of its place; `render` lets Tera write that; `tsx` makes
//! a React component of the same tree. So what is shown does not depend on who shows it, and what cannot be bounded
//! cannot be written.

mod bounds;
mod builtin;
mod compile;
mod config;
mod document;
mod error;
mod filters;
mod number;
mod parameter;
mod prune;
mod render;
mod rpc;
mod slots;
mod source;
mod store;
mod style;
mod template;
mod tsx;
mod url;
mod value;

use plexus_runtime::{
    service::{Dependencies, Service, StartError, Started},
    stores::database::Migrations,
};

pub use config::Settings;

use crate::{render::Renderer, rpc::Rpc, slots::Slots, store::Store};

/// The card service.
pub struct Card;

impl Service for Card {
    const NAME: &'static str = "card";
    const CALLS: &'static [&'static str] = &[];
    type Settings = Settings;

    fn migrations() -> Migrations {
        Migrations {
            sqlite: sqlx::migrate!("migrations/sqlite"),
            postgres: sqlx::migrate!("migrations/postgres"),
        }
    }

    async fn start(settings: Settings, with: Dependencies) -> Result<Started, StartError> {
        let store = Store::new(with.database);
        let (pruning, clock) = (store.clone(), with.clock.clone());
        with.tasks.spawn("prune", move |stop| {
            prune::run(pruning, clock, settings.request_days, stop.cancelled_owned())
        });
        let rpc = Rpc {
            store,
            clock: with.clock,
            slots: Slots::new(settings.render_slots, settings.render_queue),
            renderer: Renderer::new(),
            templates_per_owner_max: settings.templates_per_owner_max,
        };
        Ok(Started::new(rpc.routes()))
    }
}
