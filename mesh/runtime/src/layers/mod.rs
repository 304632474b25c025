//! What every call passes before its handler, outermost first:
//! trace, measure, report, catch panic, deadline, shed, authenticate, authorize.
//!
//! Each layer is one function in a file of its own; this page only puts them in order.

mod admission;
mod authenticate;
mod authorize;
mod catch_panic;
mod concurrency;
mod deadline;
mod kind;
mod load;
mod measure;
mod outcome;
mod report;
mod shed;
mod trace;

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request, middleware::from_fn_with_state};
use tonic::Status;

pub(crate) use self::{admission::Admission, load::Load};
use crate::{
    clock::Clock,
    identity::{Methods, Trust},
    telemetry::{Role, RpcMetrics},
};

/// An answer on its way to the caller.
type Response = axum::response::Response;

/// What the layers of one server share.
#[derive(Clone)]
pub(crate) struct Layers {
    pub(crate) role: Role,
    pub(crate) metrics: RpcMetrics,
    pub(crate) clock: Clock,
    pub(crate) trust: Trust,
    pub(crate) admission: Arc<Admission>,
    /// What load reports are made of; `None` when answers carry none.
    pub(crate) load: Option<Arc<Load>>,
    /// The deadline of a unary call whose caller sets none.
    pub(crate) unary_deadline: Option<Duration>,
}

/// Puts the layers around `router`.
pub(crate) fn wrap(router: Router, layers: &Layers) -> Router {
    // The layer added last is the outermost.
    let router = router
        .layer(from_fn_with_state(layers.clone(), authorize::authorize))
        .layer(from_fn_with_state(layers.clone(), authenticate::authenticate))
        .layer(from_fn_with_state(layers.clone(), shed::shed))
        .layer(from_fn_with_state(layers.clone(), deadline::deadline))
        .layer(from_fn_with_state(layers.clone(), catch_panic::catch_panic));
    let router = match &layers.load {
        Some(load) => {
            let reporter = report::Reporter::new(Arc::clone(&layers.admission), Arc::clone(load));
            router.layer(from_fn_with_state(reporter, report::report))
        }
        None => router,
    };
    router
        .layer(from_fn_with_state(layers.clone(), measure::measure))
        .layer(from_fn_with_state(layers.clone(), trace::trace))
}

/// The method of `request` as it is named in telemetry: `plexus.auth.v1.UserService/GetUser`.
fn method_name(request: &Request) -> String {
    let path = request.uri().path();
    // Paths that no contract knows come from outside without number, and must not become labels.
    if Methods::contract().rule(path).is_none() {
        return "_OTHER".to_owned();
    }
    path.trim_start_matches('/').to_owned()
}

/// The answer that refuses a call.
fn refuse(status: impl Into<Status>) -> Response {
    status.into().into_http::<Body>()
}
