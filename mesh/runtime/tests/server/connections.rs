//! Connections: how old they become, how many there are, and what ends them.

use plexus_proto::auth::v1::{DeleteRoleRequest, GetJwksRequest, WatchTrustRequest};
use plexus_runtime::server::ServerSettings;
use plexus_testkit::Harness;
use tokio::{io::AsyncReadExt as _, net::TcpStream};

use crate::{one_connection::OneConnection, sample::Sample};

fn settings() -> ServerSettings {
    ServerSettings { lame_duck_ms: 0, ..ServerSettings::default() }
}

async fn mesh(server: ServerSettings) -> (Harness, String) {
    let mesh = Harness::of::<Sample>().server(server).start().await.unwrap();
    let token = mesh.token("service:ai", &[]);
    (mesh, token)
}

/// Calls on `connection` until it takes no more; every call that it took is answered.
async fn until_told_to_go(connection: &OneConnection) {
    while connection.trust().get_jwks(GetJwksRequest {}).await.is_ok() {}
}

#[tokio::test]
async fn a_connection_of_age_takes_nothing_new_and_its_open_stream_finishes() {
    let (mesh, token) = mesh(ServerSettings { connection_age_seconds: 1, ..settings() }).await;
    let connection = OneConnection::open(mesh.address(), &token).await.unwrap();
    let mut stream = connection.trust().watch_trust(WatchTrustRequest {}).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().sequence, 1);
    until_told_to_go(&connection).await;

    let writer = mesh.token("user:alice", &["auth.roles.write"]);
    let other = OneConnection::open(mesh.address(), &writer).await.unwrap();
    other.roles().delete_role(DeleteRoleRequest::default()).await.unwrap();
    assert_eq!(stream.message().await.unwrap().unwrap().sequence, 2);
    assert!(stream.message().await.unwrap().is_none(), "the stream ended cleanly, not by a cut");
}

#[tokio::test]
async fn an_open_stream_is_cut_when_the_grace_of_its_connection_is_over() {
    let ages = ServerSettings { connection_age_seconds: 1, connection_age_grace_seconds: 0, ..settings() };
    let (mesh, token) = mesh(ages).await;
    let connection = OneConnection::open(mesh.address(), &token).await.unwrap();
    let mut stream = connection.trust().watch_trust(WatchTrustRequest {}).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().sequence, 1);
    stream.message().await.unwrap_err();
    let next = OneConnection::open(mesh.address(), &token).await.unwrap();
    next.trust().get_jwks(GetJwksRequest {}).await.unwrap();
}

#[tokio::test]
async fn a_connection_beyond_the_bound_is_closed_at_once_and_the_others_go_on() {
    let (mesh, token) = mesh(ServerSettings { connections_max: 1, ..settings() }).await;
    let first = OneConnection::open(mesh.address(), &token).await.unwrap();
    first.trust().get_jwks(GetJwksRequest {}).await.unwrap();
    let mut second = TcpStream::connect(mesh.address()).await.unwrap();
    assert_eq!(second.read(&mut [0]).await.unwrap(), 0);
    first.trust().get_jwks(GetJwksRequest {}).await.unwrap();
    drop(first);
    // Its place is free once the server has seen its end.
    loop {
        let next = OneConnection::open(mesh.address(), &token).await;
        if let Ok(next) = next
            && next.trust().get_jwks(GetJwksRequest {}).await.is_ok()
        {
            break;
        }
    }
}

#[tokio::test]
async fn a_silent_connection_is_closed_and_an_idle_one_is_not() {
    let (mesh, token) = mesh(ServerSettings { preface_timeout_ms: 50, ..settings() }).await;
    let idle = OneConnection::open(mesh.address(), &token).await.unwrap();
    for _ in 0..2 {
        let mut silent = TcpStream::connect(mesh.address()).await.unwrap();
        // The server's own settings, and then the end.
        silent.read_to_end(&mut Vec::new()).await.unwrap();
    }
    idle.trust().get_jwks(GetJwksRequest {}).await.unwrap();
}
