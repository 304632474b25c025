//! `TrustService`.

use futures_util::{StreamExt as _, stream::BoxStream};
use plexus_proto::auth::v1::{
    self as proto, GetJwksRequest, GetJwksResponse, IssueServiceTokenRequest, IssueServiceTokenResponse,
    TrustBundle, WatchTrustRequest, trust_service_server::TrustService,
};
use plexus_runtime::{clock::timestamp, identity::Jwk, settings::Secret};
use tonic::{Request, Response, Status};

use super::{Rpc, answer, encode_role};
use crate::{session, trust::Bundle};

#[tonic::async_trait]
impl TrustService for Rpc {
    async fn get_jwks(&self, _: Request<GetJwksRequest>) -> Result<Response<GetJwksResponse>, Status> {
        Ok(Response::new(GetJwksResponse { keys: encode_keys(&self.0.feed.newest().keys) }))
    }

    type WatchTrustStream = BoxStream<'static, Result<TrustBundle, Status>>;

    async fn watch_trust(
        &self,
        _: Request<WatchTrustRequest>,
    ) -> Result<Response<Self::WatchTrustStream>, Status> {
        let bundles = self.0.feed.watch();
        answer(bundles.map(|bundles| bundles.map(|bundle| Ok(encode_bundle(&bundle))).boxed()))
    }

    async fn issue_service_token(
        &self,
        request: Request<IssueServiceTokenRequest>,
    ) -> Result<Response<IssueServiceTokenResponse>, Status> {
        let IssueServiceTokenRequest { service, mesh_secret } = request.into_inner();
        let issued = session::login_service(&self.0, &service, &Secret::new(mesh_secret));
        answer(issued.map(|access| IssueServiceTokenResponse {
            access_token: access.token.reveal().to_owned(),
            access_token_expire_time: Some(timestamp(access.expire_time_us)),
        }))
    }
}

fn encode_bundle(bundle: &Bundle) -> TrustBundle {
    TrustBundle {
        sequence: u64::try_from(bundle.version).unwrap_or(0),
        keys: encode_keys(&bundle.keys),
        roles: bundle.roles.iter().cloned().map(encode_role).collect(),
    }
}

fn encode_keys(keys: &[Jwk]) -> Vec<proto::Jwk> {
    let encode = |key: &Jwk| proto::Jwk {
        kty: "OKP".to_owned(),
        crv: "Ed25519".to_owned(),
        x: key.x.clone(),
        kid: key.kid.clone(),
        r#use: "sig".to_owned(),
        alg: "EdDSA".to_owned(),
    };
    keys.iter().map(encode).collect()
}
