//! A small service: some methods of the contract, with bodies that tests need.

use std::{sync::Arc, time::Duration};

use plexus_proto::auth::v1::{
    DeleteRoleRequest, DeleteRoleResponse, GetJwksRequest, GetJwksResponse, GetRoleRequest,
    IssueServiceTokenRequest, IssueServiceTokenResponse, ListRolesRequest, ListRolesResponse, Role,
    SetRoleRequest, TrustBundle, WatchTrustRequest,
    role_service_server::{RoleService, RoleServiceServer},
    trust_service_server::{TrustService, TrustServiceServer},
};
use plexus_runtime::{
    identity::Caller,
    service::{Dependencies, Service, StartError, Started},
    settings::Settings,
    stores::database::Migrations,
    tasks::Tasks,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, service::Routes};

/// Longer than any deadline that a test sets.
const FOREVER: Duration = Duration::from_secs(3600);

/// The service under test.
pub(crate) struct Sample;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct NoSettings {}

impl Settings for NoSettings {}

impl Service for Sample {
    const NAME: &'static str = "sample";
    const CALLS: &'static [&'static str] = &[];
    type Settings = NoSettings;

    fn migrations() -> Migrations {
        Migrations {
            sqlite: sqlx::migrate!("tests/migrations/sqlite"),
            postgres: sqlx::migrate!("tests/migrations/postgres"),
        }
    }

    async fn start(_: NoSettings, with: Dependencies) -> Result<Started, StartError> {
        let methods = Methods { tasks: with.tasks, farewell: Arc::default() };
        let routes = Routes::new(RoleServiceServer::new(methods.clone()));
        Ok(Started::new(routes.add_service(TrustServiceServer::new(methods))))
    }
}

#[derive(Clone)]
struct Methods {
    tasks: Tasks,
    /// Ends all open streams.
    farewell: Arc<Notify>,
}

#[tonic::async_trait]
impl RoleService for Methods {
    /// Panics: a bug in a handler.
    async fn set_role(&self, _: Request<SetRoleRequest>) -> Result<Response<Role>, Status> {
        panic!("a bug in a handler")
    }

    /// Tells who called, and how much of the deadline a call made from here would inherit.
    async fn get_role(&self, request: Request<GetRoleRequest>) -> Result<Response<Role>, Status> {
        let caller = Caller::of(&request)?;
        let inherits = plexus_client::deadline::current().is_some();
        Ok(Response::new(Role {
            name: caller.subject().to_owned(),
            built_in: inherits,
            ..Default::default()
        }))
    }

    /// Answers after as many milliseconds as a page is to hold, and never when that is not said.
    async fn list_roles(
        &self,
        request: Request<ListRolesRequest>,
    ) -> Result<Response<ListRolesResponse>, Status> {
        if let Ok(latency_ms @ 1..) = u64::try_from(request.get_ref().page_size) {
            tokio::time::sleep(Duration::from_millis(latency_ms)).await;
            return Ok(Response::new(ListRolesResponse::default()));
        }
        tokio::time::sleep(FOREVER).await;
        Err(Status::internal("the test waited for an hour"))
    }

    /// Ends every open stream of `WatchTrust` with a last message.
    async fn delete_role(
        &self,
        _: Request<DeleteRoleRequest>,
    ) -> Result<Response<DeleteRoleResponse>, Status> {
        self.farewell.notify_waiters();
        Ok(Response::new(DeleteRoleResponse {}))
    }
}

#[tonic::async_trait]
impl TrustService for Methods {
    type WatchTrustStream = ReceiverStream<Result<TrustBundle, Status>>;

    async fn get_jwks(&self, _: Request<GetJwksRequest>) -> Result<Response<GetJwksResponse>, Status> {
        Ok(Response::new(GetJwksResponse::default()))
    }

    /// One message at once, then nothing until the service stops or says farewell.
    async fn watch_trust(
        &self,
        _: Request<WatchTrustRequest>,
    ) -> Result<Response<Self::WatchTrustStream>, Status> {
        let (sender, receiver) = mpsc::channel(2);
        let farewell = Arc::clone(&self.farewell).notified_owned();
        sender.send(Ok(TrustBundle { sequence: 1, ..Default::default() })).await.unwrap();
        let stopping = self.tasks.stopping().clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = farewell => sender.send(Ok(TrustBundle { sequence: 2, ..Default::default() })).await.unwrap(),
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn issue_service_token(
        &self,
        _: Request<IssueServiceTokenRequest>,
    ) -> Result<Response<IssueServiceTokenResponse>, Status> {
        Ok(Response::new(IssueServiceTokenResponse::default()))
    }
}
