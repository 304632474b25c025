//! Retries and hedging as the standard JSON asks for them: `cargo run -p plexus-client --example service_config`.

#![expect(clippy::print_stdout, reason = "an example shows what it gets")]

use std::{error::Error, net::SocketAddr};

use plexus_client::Mesh;
use tokio::{net::TcpListener, time::Instant};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};

/// A call that meets `UNAVAILABLE` is sent again, after 10 ms and then 20 ms.
const RETRIES: &str = r#"{
    "methodConfig": [{
        "name": [{"service": "grpc.health.v1.Health", "method": "Check"}],
        "timeout": "2s",
        "retryPolicy": {
            "maxAttempts": 3,
            "initialBackoff": "0.01s",
            "maxBackoff": "0.1s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"]
        }
    }],
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1}
}"#;

/// A call that is not answered within 50 ms goes to another replica, too; the first answer counts.
const HEDGING: &str = r#"{
    "methodConfig": [{
        "name": [{"service": "grpc.health.v1.Health"}],
        "timeout": "2s",
        "hedgingPolicy": {"maxAttempts": 2, "hedgingDelay": "0.05s", "nonFatalStatusCodes": ["UNAVAILABLE"]}
    }]
}"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let well = replica(Behaviour::Answers).await?;
    let failing = replica(Behaviour::Fails).await?;
    let hanging = replica(Behaviour::Hangs).await?;
    calls("retries, beside a replica that fails", RETRIES, &format!("{well},{failing}")).await?;
    calls("hedging, beside a replica that hangs", HEDGING, &format!("{well},{hanging}")).await
}

async fn calls(title: &str, config: &str, target: &str) -> Result<(), Box<dyn Error>> {
    let mesh = Mesh::builder()
        // Whatever a config says, only what may run twice is sent again once a server may have acted on it.
        .try_channels(|channel| channel.idempotent("/grpc.health.v1.Health/Check"))?
        .try_channels(|channel| channel.service_config(config))?
        .build();
    let mut client = HealthClient::new(mesh.channel(target)?);
    println!("{title}:");
    for _ in 0..5 {
        let began = Instant::now();
        let answer = client.check(HealthCheckRequest::default()).await?;
        println!("  {:?} after {:.1?}", answer.get_ref().status(), began.elapsed());
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Behaviour {
    Answers,
    Fails,
    Hangs,
}

async fn replica(behaviour: Behaviour) -> Result<SocketAddr, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = Server::builder().add_service(HealthServer::new(behaviour));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    Ok(address)
}

#[tonic::async_trait]
impl Health for Behaviour {
    type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        match self {
            Self::Answers => Ok(Response::new(HealthCheckResponse { status: 1 })),
            Self::Fails => Err(Status::unavailable("not now")),
            Self::Hangs => std::future::pending().await,
        }
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }
}
