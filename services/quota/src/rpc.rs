//! The generated traits: decode, ask the domain or the store, encode. One file per service of the contract.

mod decode;
mod encode;
mod limits;
mod reservations;
mod usage;
mod wallets;

use std::sync::Arc;

use plexus_proto::quota::v1::{
    limit_service_server::LimitServiceServer, reservation_service_server::ReservationServiceServer,
    usage_service_server::UsageServiceServer, wallet_service_server::WalletServiceServer,
};
use plexus_runtime::{
    clock::Clock,
    identity::Caller,
    status::{Code, Problem, Reason},
    stores::requests::RequestKey,
};
use prost::Message;
use tonic::{Request, service::Routes};

use crate::store::{Store, Write};

/// What lets a caller see the usage of others.
const READ_ALL: &str = "quota.usage.read_all";

/// The RPCs; clones share everything.
#[derive(Clone)]
pub(crate) struct Rpc {
    store: Store,
    clock: Clock,
    rules: Arc<Rules>,
}

/// What the settings say about answers.
pub(crate) struct Rules {
    /// How long a reservation lasts whose caller does not say.
    pub(crate) ttl_us: i64,
    /// The currency of all wallets.
    pub(crate) currency_code: String,
}

impl Rpc {
    /// The RPCs over `store`.
    pub(crate) fn new(store: Store, clock: Clock, rules: Rules) -> Self {
        Self { store, clock, rules: Arc::new(rules) }
    }

    /// All of them, as routes.
    pub(crate) fn routes(self) -> Routes {
        Routes::new(LimitServiceServer::new(self.clone()))
            .add_service(ReservationServiceServer::new(self.clone()))
            .add_service(UsageServiceServer::new(self.clone()))
            .add_service(WalletServiceServer::new(self))
    }

    /// The write that `request` asks `method` for.
    fn write<T: Message>(
        &self,
        method: &'static str,
        request: &Request<T>,
        request_id: &str,
    ) -> Result<Write, Problem> {
        let key = RequestKey::new(&Caller::of(request)?, method, request_id, request.get_ref())?;
        Ok(Write { key, now_us: self.clock.now_us() })
    }
}

/// The subject whose data `request` asks for: the caller, or another one if the caller may see all.
fn readable_subject<T>(request: &Request<T>, named: &str) -> Result<String, Problem> {
    let caller = Caller::of(request)?;
    if named.is_empty() {
        return decode::subject("subject", caller.subject());
    }
    if named != caller.subject() && !caller.may(READ_ALL) {
        let message = format!("the usage of others needs the permission {READ_ALL}");
        return Err(Problem::new(Code::PermissionDenied, Reason::PermissionDenied, message)
            .metadata("permission", READ_ALL));
    }
    decode::subject("subject", named)
}
