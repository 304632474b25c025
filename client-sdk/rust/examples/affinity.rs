//! Calls of one session meet one replica, and move only when it goes: `cargo run -p plexus-client --example affinity`.

#![expect(clippy::print_stdout, reason = "an example shows what it gets")]

use std::{error::Error, net::SocketAddr};

use http::HeaderName;
use plexus_client::{
    Channel, ManualResolver, Mesh,
    pick::{HashKey, RingHash},
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};

const SESSION: &str = "x-session";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let replicas = [replica("a").await?, replica("b").await?, replica("c").await?];
    let resolver = ManualResolver::new(replicas.map(Into::into));
    let mesh = Mesh::builder()
        .channels(|channel| channel.policy(RingHash::new(HashKey::Header(HeaderName::from_static(SESSION)))))
        .target("sessions", resolver.clone())
        .build();
    let channel = mesh.channel("sessions")?;
    connected(&channel, 3).await;
    show("three replicas", &channel).await?;
    resolver.replace(replicas.into_iter().skip(1).map(Into::into));
    connected(&channel, 2).await;
    show("without replica a, its sessions alone have moved", &channel).await
}

/// Until so many replicas are known and connected; a session that calls earlier may meet another one.
async fn connected(channel: &Channel, count: usize) {
    let is_ready = |at: &plexus_client::EndpointStatus| at.connections > 0;
    while channel.status().len() != count || !channel.status().iter().all(is_ready) {
        tokio::task::yield_now().await;
    }
}

async fn show(title: &str, channel: &Channel) -> Result<(), Box<dyn Error>> {
    println!("{title}:");
    let mut client = HealthClient::new(channel.clone());
    for session in ["anna", "bert", "carl", "dora", "emil", "fred"] {
        let mut names = Vec::new();
        for _ in 0..4 {
            let mut request = Request::new(HealthCheckRequest::default());
            request.metadata_mut().insert(SESSION, session.parse()?);
            let answer = client.check(request).await?;
            let name = answer.metadata().get("replica").ok_or("the replica does not say who it is")?;
            names.push(name.to_str()?.to_owned());
        }
        println!("  {session} meets {}", names.join(" "));
    }
    Ok(())
}

/// A replica that says which one it is.
struct Named(&'static str);

async fn replica(name: &'static str) -> Result<SocketAddr, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = Server::builder().add_service(HealthServer::new(Named(name)));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    Ok(address)
}

#[tonic::async_trait]
impl Health for Named {
    type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let mut response = Response::new(HealthCheckResponse { status: 1 });
        response.metadata_mut().insert("replica", tonic::metadata::MetadataValue::from_static(self.0));
        Ok(response)
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }
}
