//! The RPCs of the contract: decode, ask the domain, encode.

mod api_key;
mod role;
mod session;
mod trust;
mod user;

use std::sync::Arc;

use plexus_proto::auth::v1::{
    self as proto, api_key_service_server::ApiKeyServiceServer, role_service_server::RoleServiceServer,
    session_service_server::SessionServiceServer, trust_service_server::TrustServiceServer,
    user_service_server::UserServiceServer,
};
use plexus_runtime::{
    clock::timestamp, identity::Caller, page, status::Problem, stores::requests::RequestKey,
};
use prost::Message;
use tonic::{Request, Response, Status, service::Routes};

use crate::{Parts, error::Error, role::Role, store::Write, user::User};

/// Answers the RPCs; each service of the contract is one trait of it.
#[derive(Clone, Debug)]
struct Rpc(Arc<Parts>);

/// All RPCs of auth.
pub(crate) fn routes(parts: &Arc<Parts>) -> Routes {
    let rpc = Rpc(Arc::clone(parts));
    Routes::new(SessionServiceServer::new(rpc.clone()))
        .add_service(UserServiceServer::new(rpc.clone()))
        .add_service(RoleServiceServer::new(rpc.clone()))
        .add_service(ApiKeyServiceServer::new(rpc.clone()))
        .add_service(TrustServiceServer::new(rpc))
}

fn answer<T>(outcome: Result<T, Error>) -> Result<Response<T>, Status> {
    outcome.map(Response::new).map_err(|error| Problem::from(error).into())
}

impl Rpc {
    /// A write without secrets in its body.
    fn write<T: Message>(
        &self,
        request: &Request<T>,
        method: &'static str,
        request_id: &str,
    ) -> Result<Write, Error> {
        let caller = Caller::of(request)?;
        let key = RequestKey::new(&caller, method, request_id, request.get_ref())?;
        Ok(Write { caller, key, now_us: self.0.clock.now_us() })
    }

    /// A write whose body holds a password: what is kept of it helps nobody to guess.
    fn write_with_secret<T: Message>(
        &self,
        request: &Request<T>,
        method: &'static str,
        request_id: &str,
    ) -> Result<Write, Error> {
        let caller = Caller::of(request)?;
        let body = request.get_ref().encode_to_vec();
        let body_hash = self.0.derivation.derive("the body of a request", &[method.as_bytes(), &body]);
        let key = RequestKey::with_body_hash(&caller, method, request_id, body_hash)?;
        Ok(Write { caller, key, now_us: self.0.clock.now_us() })
    }
}

/// One page of `rows`, of which there is one more than fits if another page follows.
fn paged<T>(mut rows: Vec<T>, size: i64, key: impl Fn(&T) -> &str) -> (Vec<T>, String) {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let more = rows.len() > size;
    rows.truncate(size);
    let next = rows.last().filter(|_| more).map(|last| page::encode(key(last))).unwrap_or_default();
    (rows, next)
}

fn encode_user(user: User) -> proto::User {
    proto::User {
        user_id: user.user_id,
        login_name: user.login_name,
        display_name: user.display_name,
        roles: user.roles,
        disabled: user.disabled,
        create_time: Some(timestamp(user.create_time_us)),
        update_time: Some(timestamp(user.update_time_us)),
    }
}

fn encode_role(role: Role) -> proto::Role {
    proto::Role { name: role.name, permissions: role.permissions, built_in: role.built_in }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_the_next_one_only_if_there_is_more() {
        let rows = || vec!["a", "b", "c"];
        let (page, next) = paged(rows(), 2, |row| row);
        assert_eq!((page, next), (vec!["a", "b"], page::encode("b")));
        assert_eq!(paged(rows(), 3, |row| row), (rows(), String::new()));
        assert_eq!(paged(Vec::<&str>::new(), 3, |row| row), (Vec::new(), String::new()));
    }
}
