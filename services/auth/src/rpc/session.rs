//! `SessionService`.

use plexus_proto::auth::v1::{
    self as proto, LoginRequest, LoginResponse, LogoutRequest, LogoutResponse, RefreshRequest,
    RefreshResponse, WhoAmIRequest, WhoAmIResponse, session_service_server::SessionService,
};
use plexus_runtime::{clock::timestamp, identity::Caller, settings::Secret};
use tonic::{Request, Response, Status};

use super::{Rpc, answer, encode_user};
use crate::{
    error::Error,
    session::{self, TokenPair},
    store::users,
};

#[tonic::async_trait]
impl SessionService for Rpc {
    async fn login(&self, request: Request<LoginRequest>) -> Result<Response<LoginResponse>, Status> {
        let LoginRequest { login_name, password } = request.into_inner();
        let logged_in = session::login(&self.0, &login_name, Secret::new(password)).await;
        answer(logged_in.map(|(tokens, user)| LoginResponse {
            tokens: Some(encode_tokens(&tokens)),
            user: Some(encode_user(user)),
        }))
    }

    async fn refresh(&self, request: Request<RefreshRequest>) -> Result<Response<RefreshResponse>, Status> {
        let token = Secret::new(request.into_inner().refresh_token);
        let refreshed = session::refresh(&self.0, &token).await;
        answer(refreshed.map(|tokens| RefreshResponse { tokens: Some(encode_tokens(&tokens)) }))
    }

    async fn logout(&self, request: Request<LogoutRequest>) -> Result<Response<LogoutResponse>, Status> {
        let token = Secret::new(request.into_inner().refresh_token);
        answer(session::logout(&self.0, &token).await.map(|()| LogoutResponse {}))
    }

    async fn who_am_i(&self, request: Request<WhoAmIRequest>) -> Result<Response<WhoAmIResponse>, Status> {
        let caller = Caller::of(&request)?;
        answer(self.describe(&caller).await)
    }
}

impl Rpc {
    async fn describe(&self, caller: &Caller) -> Result<WhoAmIResponse, Error> {
        let user = if caller.is_service() {
            None
        } else {
            Some(encode_user(users::find(self.0.database.reads(), caller.user_id()?).await?))
        };
        let permissions = caller.permissions().map(ToOwned::to_owned).collect();
        Ok(WhoAmIResponse { subject: caller.subject().to_owned(), user, permissions })
    }
}

fn encode_tokens(tokens: &TokenPair) -> proto::TokenPair {
    proto::TokenPair {
        access_token: tokens.access.token.reveal().to_owned(),
        access_token_expire_time: Some(timestamp(tokens.access.expire_time_us)),
        refresh_token: tokens.refresh.reveal().to_owned(),
        refresh_token_expire_time: Some(timestamp(tokens.refresh_expire_time_us)),
    }
}
