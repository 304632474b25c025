//! `ApiKeyService`.

use plexus_proto::auth::v1::{
    self as proto, CreateApiKeyRequest, CreateApiKeyResponse, ListApiKeysRequest, ListApiKeysResponse,
    LoginWithApiKeyRequest, LoginWithApiKeyResponse, RevokeApiKeyRequest,
    api_key_service_server::ApiKeyService,
};
use plexus_runtime::{
    clock::{micros, timestamp},
    identity::Caller,
    page,
    settings::Secret,
};
use tonic::{Request, Response, Status};

use super::{Rpc, answer, paged};
use crate::{
    api_key::{ApiKey, KeySecret},
    error::Error,
    session,
    store::api_keys,
};

/// Sorts after every id, which is hexadecimal, in every collation.
const AFTER_EVERY_ID: &str = "g";

#[tonic::async_trait]
impl ApiKeyService for Rpc {
    async fn create_api_key(
        &self,
        request: Request<CreateApiKeyRequest>,
    ) -> Result<Response<CreateApiKeyResponse>, Status> {
        answer(self.create_key(request).await.map(|(key, secret)| CreateApiKeyResponse {
            api_key: Some(encode_key(key)),
            secret: secret.reveal().to_owned(),
        }))
    }

    async fn list_api_keys(
        &self,
        request: Request<ListApiKeysRequest>,
    ) -> Result<Response<ListApiKeysResponse>, Status> {
        answer(self.list_keys(&request).await)
    }

    async fn revoke_api_key(
        &self,
        request: Request<RevokeApiKeyRequest>,
    ) -> Result<Response<proto::ApiKey>, Status> {
        answer(self.revoke_key(request).await.map(encode_key))
    }

    async fn login_with_api_key(
        &self,
        request: Request<LoginWithApiKeyRequest>,
    ) -> Result<Response<LoginWithApiKeyResponse>, Status> {
        let secret = Secret::new(request.into_inner().secret);
        let issued = session::login_with_api_key(&self.0, &secret).await;
        answer(issued.map(|access| LoginWithApiKeyResponse {
            access_token: access.token.reveal().to_owned(),
            access_token_expire_time: Some(timestamp(access.expire_time_us)),
        }))
    }
}

impl Rpc {
    async fn create_key(&self, request: Request<CreateApiKeyRequest>) -> Result<(ApiKey, Secret), Error> {
        let write = self.write(&request, "ApiKeyService/CreateApiKey", &request.get_ref().request_id)?;
        let user_id = write.caller.user_id()?.to_owned();
        let asked = request.into_inner();
        let expire_time_us =
            asked.expire_time.as_ref().map(|time| micros("expire_time", time)).transpose()?;
        if let Some(answered) = write.answered(&self.0.database).await? {
            // Before the checks: an expiry that lay in the future then may have passed since.
            return self.with_secret(answered, write.caller.subject(), &asked.request_id).await;
        }
        let new = ApiKey::new(user_id, asked.display_name, expire_time_us, write.now_us)?;
        let (derivation, subject) = (self.0.derivation.clone(), write.caller.subject().to_owned());
        let (owner, request_id) = (subject.clone(), asked.request_id.clone());
        let hash = move |id: &str| KeySecret::derive(&derivation, (&owner, &request_id), id).hash().to_vec();
        let key = api_keys::create(&self.0.database, write, new, hash).await?;
        self.with_secret(key, &subject, &asked.request_id).await
    }

    /// The key with its secret, unless the secrets it was derived from have changed since.
    async fn with_secret(
        &self,
        key: ApiKey,
        subject: &str,
        request_id: &str,
    ) -> Result<(ApiKey, Secret), Error> {
        let secret = KeySecret::derive(&self.0.derivation, (subject, request_id), &key.api_key_id);
        if !api_keys::holds(&self.0.database, &secret).await? {
            return Err(Error::WrongState(
                "the secret of this key cannot be shown again; create another key",
            ));
        }
        Ok((key, secret.reveal()))
    }

    async fn list_keys(&self, request: &Request<ListApiKeysRequest>) -> Result<ListApiKeysResponse, Error> {
        let caller = Caller::of(request)?;
        let size = page::size(request.get_ref().page_size)?;
        let before = page::decode(&request.get_ref().page_token)?;
        let before = before.as_deref().unwrap_or(AFTER_EVERY_ID);
        let found = api_keys::list(&self.0.database, caller.user_id()?, before, size + 1).await?;
        let (keys, next_page_token) = paged(found, size, |key: &ApiKey| &key.api_key_id);
        Ok(ListApiKeysResponse { api_keys: keys.into_iter().map(encode_key).collect(), next_page_token })
    }

    async fn revoke_key(&self, request: Request<RevokeApiKeyRequest>) -> Result<ApiKey, Error> {
        let write = self.write(&request, "ApiKeyService/RevokeApiKey", &request.get_ref().request_id)?;
        let user_id = write.caller.user_id()?.to_owned();
        api_keys::revoke(&self.0.database, write, user_id, request.into_inner().api_key_id).await
    }
}

fn encode_key(key: ApiKey) -> proto::ApiKey {
    let set = |us: i64| (us != 0).then(|| timestamp(us));
    proto::ApiKey {
        prefix: key.prefix(),
        api_key_id: key.api_key_id,
        display_name: key.display_name,
        create_time: Some(timestamp(key.create_time_us)),
        expire_time: set(key.expire_time_us),
        revoke_time: set(key.revoke_time_us),
    }
}
