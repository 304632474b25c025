//! The channel that generated clients are given: a tower service over all endpoints of one target.

use std::{
    fmt,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use tokio_util::sync::DropGuard;
use tonic::{Status, body::Body};
use tower::Service;

use crate::{
    builder::ChannelBuilder,
    call::{self, Call},
    deadline::{self, Deadline},
    endpoint::EndpointStatus,
    limits::Limit,
    pick::HashKey,
    plan::Plans,
    pool::{NoPick, Pool},
    request_body::{Outgoing, ReplayMemory},
    retry::{Guards, RetryBudget, Throttle},
    telemetry::{self, CallLimit, CallRecord},
    token::TokenSource,
};

/// Calls one target, over whichever of its endpoints are ready. Clones share the connections.
///
/// A call fails with `UNAVAILABLE` when no endpoint becomes ready in time (the message names each
/// endpoint and why), `DEADLINE_EXCEEDED` when its deadline passes, and `RESOURCE_EXHAUSTED` at once
/// when the channel or every endpoint has as many calls in flight as it may. When the last clone is
/// dropped, the connections end with their last call.
#[derive(Clone)]
pub struct Channel {
    core: Arc<Core>,
}

pub(crate) struct Core {
    pub(crate) name: Arc<str>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) plans: Plans,
    pub(crate) budget: RetryBudget,
    pub(crate) throttle: Option<Throttle>,
    pub(crate) token: Option<Arc<dyn TokenSource>>,
    pub(crate) default_deadline: Option<Duration>,
    pub(crate) ready_wait: Duration,
    pub(crate) replay_memory: ReplayMemory,
    pub(crate) limit: Arc<Limit>,
    pub(crate) _stop: DropGuard,
}

impl Core {
    /// What bounds the further attempts of all calls.
    pub(crate) fn guards(&self) -> Guards<'_> {
        Guards { throttle: self.throttle.as_ref(), budget: Some(&self.budget) }
    }

    /// A call was answered.
    pub(crate) fn succeeded(&self) {
        if let Some(throttle) = &self.throttle {
            throttle.record_success();
        }
    }

    /// The hash of what the policy wants calls to be kept together by.
    pub(crate) async fn hash(&self, headers: &HeaderMap, outgoing: &Outgoing) -> Option<u64> {
        let key = self.pool.policy.hash_key()?;
        let message = match key {
            HashKey::Field(_) => outgoing.first_message().await,
            HashKey::Header(_) => Bytes::new(),
        };
        key.hash(headers, &message)
    }
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

    /// Waits until at least one endpoint can take a call. It waits without a bound of its own.
    pub async fn ready(&self) {
        loop {
            let mut changed = pin!(self.core.pool.changed());
            // Before looking, so that no change is missed.
            changed.as_mut().enable();
            if self.core.pool.pick(&[], None).err() != Some(NoPick::NotReady) {
                return;
            }
            changed.await;
        }
    }

    /// How each endpoint stands, in the resolver's order.
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
        let plan = core.plans.of(parts.uri.path());
        let method = parts.uri.path().trim_start_matches('/');
        let is_registered = plan.is_known || telemetry::is_generated(&parts.extensions);
        let mut record = CallRecord::start(&core.pool.metrics, &core.name, method, is_registered);
        let Some(permit) = core.limit.enter() else {
            let text = format!("the channel to {} has {} calls in flight", core.name, core.limit.max());
            let status = Status::resource_exhausted(text);
            record.refused(CallLimit::Channel);
            record.finish(status.code(), status.message());
            return Box::pin(std::future::ready(Err(status)));
        };
        let inherited = deadline::current();
        let deadline = Deadline::of(&parts.headers, inherited, plan.timeout, core.default_deadline);
        Box::pin(call::run(core, Call { parts, deadline, plan, permit }, body, record))
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
