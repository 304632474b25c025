//! The channel that generated clients are given: a tower service over all replicas of one target.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio_util::sync::DropGuard;
use tonic::{Status, body::Body};
use tower::Service;

use crate::{
    builder::ChannelBuilder,
    call::{self, Call},
    deadline::{self, Deadline},
    endpoint::EndpointStatus,
    limits::Limit,
    picker::Pick,
    pool::Pool,
    token::TokenSource,
    trace::CallSpan,
};

/// Calls one target, over whichever of its replicas are ready. Clones share the connections.
///
/// A call fails with `UNAVAILABLE` when no replica becomes ready in time (the message names each
/// replica and why), `DEADLINE_EXCEEDED` when its deadline passes, and `RESOURCE_EXHAUSTED` at once
/// when the channel has as many calls in flight as it may. When the last clone is dropped, the
/// connections end with their last call.
#[derive(Clone)]
pub struct Channel {
    core: Arc<Core>,
}

pub(crate) struct Core {
    pub(crate) name: Arc<str>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) picker: Arc<dyn Pick>,
    pub(crate) token: Option<Arc<dyn TokenSource>>,
    pub(crate) default_deadline: Option<Duration>,
    pub(crate) ready_wait: Duration,
    pub(crate) limit: Arc<Limit>,
    pub(crate) _stop: DropGuard,
}

impl Channel {
    /// Begins a channel to the target of this name, such as `quota`. Errors and spans call it so.
    pub fn builder(target_name: &str) -> ChannelBuilder {
        ChannelBuilder::new(target_name)
    }

    pub(crate) fn from_core(core: Core) -> Self {
        Self { core: Arc::new(core) }
    }

    /// The name of the target.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// Waits until at least one replica is connected. It waits without a bound of its own.
    pub async fn ready(&self) {
        let mut rotation = self.core.pool.rotation();
        // The sender lives in the pool that `self` holds, so this cannot end otherwise.
        rotation.wait_for(|rotation| !rotation.is_empty()).await.ok();
    }

    /// How each replica stands, in the resolver's order.
    #[must_use]
    pub fn status(&self) -> Vec<EndpointStatus> {
        self.core.pool.status()
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    /// Always ready: what a call waits for is bounded by its own deadline, inside [`call`](Self::call).
    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let core = Arc::clone(&self.core);
        let (parts, body) = request.into_parts();
        let mut span = CallSpan::start(parts.uri.path().trim_start_matches('/'), &core.name);
        let Some(permit) = core.limit.enter() else {
            let text = format!("the channel to {} has {} calls in flight", core.name, core.limit.max());
            let status = Status::resource_exhausted(text);
            span.finish(status.code(), status.message());
            return Box::pin(std::future::ready(Err(status)));
        };
        let deadline = Deadline::of(&parts.headers, deadline::current(), core.default_deadline);
        Box::pin(call::run(core, Call { parts, deadline, permit }, body, span))
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Channel")
            .field("name", &self.core.name)
            .field("endpoints", &self.status())
            .finish()
    }
}
