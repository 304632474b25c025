//! A balanced client in three lines, with two replicas to call: `cargo run -p plexus-client --example three_lines`.

#![expect(clippy::print_stdout, reason = "an example shows what it gets")]

use std::{error::Error, net::SocketAddr};

use plexus_client::Mesh;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let target = format!("{},{}", replica().await?, replica().await?);

    let mesh = Mesh::builder().build();
    let channel = mesh.channel(&target)?;
    let mut client = HealthClient::new(channel.clone());

    let answer = client.check(HealthCheckRequest::default()).await?;
    println!("{target} answers {:?}", answer.get_ref().status());
    for endpoint in channel.status() {
        println!("{} is {:?}", endpoint.address, endpoint.state);
    }
    Ok(())
}

/// A server like any other of tonic's.
async fn replica() -> Result<SocketAddr, Box<dyn Error>> {
    let (_, health) = tonic_health::server::health_reporter();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let incoming = TcpListenerStream::new(listener);
    tokio::spawn(Server::builder().add_service(health).serve_with_incoming(incoming));
    Ok(address)
}
