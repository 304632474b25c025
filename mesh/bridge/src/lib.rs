//! REST and JSON in, gRPC out, from the descriptors alone.
//!
//! The bridge knows no RPC by name. At the start it reads the `google.api.http` rules from the descriptors and
//! builds a route table; a method without a rule, or one that only services may call, is not reachable.
//! One request, as it passes through the modules:
//!
//! 1. [`serve`](Bridge::serve) accepts the connection, within a limit.
//! 2. `edge` finds the route in the [`route::Table`], opens the root span under the browser's `traceparent`, and
//!    later puts `traceresponse` and `x-request-id` on every answer. `cors` answers preflights.
//! 3. `gateway` bounds the headers that are passed on, and sets the deadline (`deadline`).
//! 4. `body` reads the body within its limits of size and time; only then the request takes a place among
//!    the running ones, so that a slow body keeps nobody out. [`transcode`] makes wire bytes of body, query and path.
//! 5. `call` sends them over a channel of [`Backends`], with the caller's token.
//! 6. [`transcode`] makes JSON of the answer; of a stream `sse` makes server-sent events. What goes wrong
//!    anywhere becomes a `refusal`, and `errors` its JSON.
//!
//! `pages` answers `/healthz`, `/openapi.json` (`openapi`) and `/docs`.
//!
//! What is deliberately absent: access control. The services hold it, so that it holds for gRPC too; the bridge
//! passes tokens on. The boundary of [`transcode`] is bytes to bytes, and a channel is any tower service, so
//! further protocols can stand beside `gateway` and other engines behind [`transcode`].

mod backends;
mod body;
mod call;
mod config;
mod cors;
mod deadline;
mod edge;
mod errors;
mod gateway;
mod openapi;
mod pages;
mod refusal;
pub mod route;
mod serve;
mod sse;
pub mod transcode;

use std::{future::Future, sync::Arc};

use axum::{Router, middleware};
use plexus_runtime::{
    settings::{SettingError, Settings as _},
    status::{Code, Problem, Reason},
};
use prost_reflect::DescriptorPool;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

pub use backends::Backends;
pub use config::Settings;

use gateway::Gateway;
use refusal::Refusal;
use route::{Operation, Table, TableError};

/// The REST side of a contract, ready to serve.
pub struct Bridge {
    gateway: Arc<Gateway>,
    router: Router,
}

/// The bridge cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error("a setting of the bridge is wrong")]
    Setting(#[from] SettingError),
    /// The HTTP rules of the contract are wrong.
    #[error("the HTTP rules of the contract cannot be served")]
    Routes(#[from] TableError),
    /// A channel was given for something that the contract does not have.
    #[error("the contract has no service or package {0:?}")]
    UnknownBackend(String),
}

impl Bridge {
    /// Builds the routes of all services in `descriptors` that have a channel in `backends`.
    ///
    /// # Errors
    /// [`StartError`]: a setting, a rule of the contract, or the name of a channel is wrong.
    pub fn new(
        settings: Settings,
        backends: Backends,
        descriptors: DescriptorPool,
    ) -> Result<Self, StartError> {
        settings.check()?;
        if let Some(unknown) = backends.unknown(&descriptors) {
            return Err(StartError::UnknownBackend(unknown.to_owned()));
        }
        let table = Table::build(&descriptors, |service| backends.find(service).is_some(), &pages::ALL)?;
        let gateway = Arc::new(Gateway {
            forwarded: settings.forwarded()?,
            requests: Semaphore::new(settings.requests_max),
            streams: Arc::new(Semaphore::new(settings.streams_max)),
            cut: CancellationToken::new(),
            settings,
            table,
            descriptors,
            backends,
        });
        Ok(Self { router: router(&gateway), gateway })
    }

    /// The routes as a tower service, for a server of one's own. Streams then end when their connection does;
    /// [`Bridge::serve`] also tells their clients.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Everything that can be reached, in the order of the contract.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.gateway.table.operations().iter().map(AsRef::as_ref)
    }

    /// Serves HTTP/1.1 and HTTP/2 without TLS on `listener` until `stop`; then lets requests end within
    /// `drain_ms`. Streams that last longer get an error event that says so.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let gateway = self.gateway;
        serve::serve(&gateway.settings, listener, (self.router, gateway.cut.clone()), stop).await;
    }
}

fn router(gateway: &Arc<Gateway>) -> Router {
    let descriptors = gateway.descriptors.clone();
    let panicked = move |_| {
        let problem = Problem::new(Code::Internal, Reason::Internal, "the bridge failed");
        tracing::error!("a request made the bridge panic");
        errors::response(Refusal::Internal(problem), &descriptors)
    };
    let mut router = pages::routes(gateway).fallback(edge::handle).layer(CatchPanicLayer::custom(panicked));
    if let Some(cors) = cors::layer(&gateway.settings, &gateway.forwarded) {
        router = router.layer(cors);
    }
    router
        .layer(middleware::from_fn_with_state(Arc::clone(gateway), edge::layer))
        .with_state(Arc::clone(gateway))
}
