//! `UserService`.

use plexus_proto::auth::v1::{
    self as proto, ChangePasswordRequest, ChangePasswordResponse, CreateUserRequest, DisableUserRequest,
    GetUserRequest, ListUsersRequest, ListUsersResponse, UpdateUserRequest, user_service_server::UserService,
};
use plexus_runtime::{page, settings::Secret};
use tonic::{Request, Response, Status};

use super::{Rpc, answer, encode_user, paged};
use crate::{
    error::Error,
    password,
    store::users::{self, Credentials, PasswordChange},
    user::{self, Change, User, login_key},
};

#[tonic::async_trait]
impl UserService for Rpc {
    async fn create_user(
        &self,
        request: Request<CreateUserRequest>,
    ) -> Result<Response<proto::User>, Status> {
        answer(self.create(request).await.map(encode_user))
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<proto::User>, Status> {
        let found = users::find(self.0.database.reads(), &request.get_ref().user_id).await;
        answer(found.map(encode_user))
    }

    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
    ) -> Result<Response<ListUsersResponse>, Status> {
        answer(self.list(request.get_ref()).await)
    }

    async fn update_user(
        &self,
        request: Request<UpdateUserRequest>,
    ) -> Result<Response<proto::User>, Status> {
        answer(self.update(request).await.map(encode_user))
    }

    async fn disable_user(
        &self,
        request: Request<DisableUserRequest>,
    ) -> Result<Response<proto::User>, Status> {
        let write = self.write(&request, "UserService/DisableUser", &request.get_ref().request_id);
        let disabled = match write {
            Ok(write) => users::disable(&self.0.database, write, request.into_inner().user_id).await,
            Err(error) => Err(error),
        };
        answer(disabled.map(encode_user))
    }

    async fn change_password(
        &self,
        request: Request<ChangePasswordRequest>,
    ) -> Result<Response<ChangePasswordResponse>, Status> {
        answer(self.change(request).await.map(|()| ChangePasswordResponse {}))
    }
}

impl Rpc {
    async fn create(&self, request: Request<CreateUserRequest>) -> Result<User, Error> {
        let id = &request.get_ref().request_id;
        let write = self.write_with_secret(&request, "UserService/CreateUser", id)?;
        let asked = request.into_inner();
        let password = Secret::new(asked.password);
        user::check_login_name("login_name", &asked.login_name)?;
        user::check_display_name("display_name", &asked.display_name)?;
        password::check("password", &password, &asked.login_name)?;
        let roles = user::role_names("roles", asked.roles)?;
        if let Some(answered) = write.answered(&self.0.database).await? {
            return Ok(answered);
        }
        let password_hash = self.0.hasher.hash(password).await?;
        let user = User::new(asked.login_name, asked.display_name, roles, write.now_us);
        users::create(&self.0.database, write, Credentials { user, password_hash }).await
    }

    async fn list(&self, request: &ListUsersRequest) -> Result<ListUsersResponse, Error> {
        let size = page::size(request.page_size)?;
        let after = page::decode(&request.page_token)?.unwrap_or_default();
        let found = users::list(&self.0.database, &after, size + 1).await?;
        let keyed = found.into_iter().map(|user| (login_key(&user.login_name), user)).collect();
        let (users, next_page_token) = paged(keyed, size, |(key, _): &(String, User)| key);
        let users = users.into_iter().map(|(_, user)| encode_user(user)).collect();
        Ok(ListUsersResponse { users, next_page_token })
    }

    async fn update(&self, request: Request<UpdateUserRequest>) -> Result<User, Error> {
        let write = self.write(&request, "UserService/UpdateUser", &request.get_ref().request_id)?;
        let asked = request.into_inner();
        let wanted = asked.user.ok_or_else(|| Error::invalid("user", "must be set"))?;
        let user_id = wanted.user_id.clone();
        let change = decode_change(wanted, asked.update_mask.unwrap_or_default().paths)?;
        users::update(&self.0.database, write, user_id, change).await
    }

    async fn change(&self, request: Request<ChangePasswordRequest>) -> Result<(), Error> {
        let id = &request.get_ref().request_id;
        let write = self.write_with_secret(&request, "UserService/ChangePassword", id)?;
        let user_id = write.caller.user_id()?.to_owned();
        let asked = request.into_inner();
        let (old, new) = (Secret::new(asked.old_password), Secret::new(asked.new_password));
        if !password::is_plausible(&old) {
            return Err(Error::invalid("old_password", "must be 1 to 256 characters"));
        }
        let stored = users::credentials(self.0.database.reads(), &user_id).await;
        // Looked at after the credentials: a twin of this request may change them between the two.
        if write.answered::<()>(&self.0.database).await?.is_some() {
            return Ok(());
        }
        let stored = stored?;
        password::check("new_password", &new, &stored.user.login_name)?;
        let old_hash = stored.password_hash;
        if !self.0.hasher.verify(old, Some(old_hash.clone())).await? {
            return Err(Error::WrongCredentials);
        }
        let new_hash = self.0.hasher.hash(new).await?;
        let session_id = write.caller.session_id().to_owned();
        let change = PasswordChange { user_id, session_id, old_hash, new_hash };
        users::change_password(&self.0.database, write, change).await
    }
}

/// What `paths` name of `wanted`; a path that cannot be changed is named in the error.
fn decode_change(wanted: proto::User, paths: Vec<String>) -> Result<Change, Error> {
    let unknown: Vec<&str> =
        paths.iter().map(String::as_str).filter(|path| !["display_name", "roles"].contains(path)).collect();
    if !unknown.is_empty() {
        let description = format!("can name display_name and roles, not {}", unknown.join(", "));
        return Err(Error::invalid("update_mask", description));
    }
    if paths.is_empty() {
        return Err(Error::invalid("update_mask", "must name what to change: display_name, roles"));
    }
    let named = |path: &str| paths.iter().any(|named| named == path);
    let mut change = Change::default();
    if named("display_name") {
        user::check_display_name("user.display_name", &wanted.display_name)?;
        change.display_name = Some(wanted.display_name);
    }
    if named("roles") {
        change.roles = Some(user::role_names("user.roles", wanted.roles)?);
    }
    Ok(change)
}
