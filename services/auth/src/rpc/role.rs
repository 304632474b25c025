//! `RoleService`.

use plexus_proto::auth::v1::{
    self as proto, DeleteRoleRequest, DeleteRoleResponse, GetRoleRequest, ListRolesRequest,
    ListRolesResponse, SetRoleRequest, role_service_server::RoleService,
};
use plexus_runtime::page;
use tonic::{Request, Response, Status};

use super::{Rpc, answer, encode_role, paged};
use crate::{
    error::{Error, Kind},
    role::Role,
    store::roles,
};

#[tonic::async_trait]
impl RoleService for Rpc {
    async fn set_role(&self, request: Request<SetRoleRequest>) -> Result<Response<proto::Role>, Status> {
        answer(self.set(request).await.map(encode_role))
    }

    async fn get_role(&self, request: Request<GetRoleRequest>) -> Result<Response<proto::Role>, Status> {
        let name = request.into_inner().name;
        let found = roles::find(self.0.database.reads(), &name).await;
        answer(found.and_then(|role| role.map(encode_role).ok_or_else(|| Error::not_found(Kind::Role, name))))
    }

    async fn list_roles(
        &self,
        request: Request<ListRolesRequest>,
    ) -> Result<Response<ListRolesResponse>, Status> {
        answer(self.list_roles_from(request.get_ref()).await)
    }

    async fn delete_role(
        &self,
        request: Request<DeleteRoleRequest>,
    ) -> Result<Response<DeleteRoleResponse>, Status> {
        answer(self.delete(request).await.map(|()| DeleteRoleResponse {}))
    }
}

impl Rpc {
    async fn set(&self, request: Request<SetRoleRequest>) -> Result<Role, Error> {
        let write = self.write(&request, "RoleService/SetRole", &request.get_ref().request_id)?;
        let asked = request.into_inner().role.ok_or_else(|| Error::invalid("role", "must be set"))?;
        let role = Role::new(asked.name, asked.permissions)?;
        let role = roles::set(&self.0.database, write, role).await?;
        self.0.feed.changed().await;
        Ok(role)
    }

    async fn list_roles_from(&self, request: &ListRolesRequest) -> Result<ListRolesResponse, Error> {
        let size = page::size(request.page_size)?;
        let after = page::decode(&request.page_token)?.unwrap_or_default();
        let found = roles::list(&self.0.database, &after, size + 1).await?;
        let (roles, next_page_token) = paged(found, size, |role: &Role| &role.name);
        Ok(ListRolesResponse { roles: roles.into_iter().map(encode_role).collect(), next_page_token })
    }

    async fn delete(&self, request: Request<DeleteRoleRequest>) -> Result<(), Error> {
        let write = self.write(&request, "RoleService/DeleteRole", &request.get_ref().request_id)?;
        roles::delete(&self.0.database, write, request.into_inner().name).await?;
        self.0.feed.changed().await;
        Ok(())
    }
}
