//! Mutual TLS with certificates made on the spot: `cargo run -p plexus-client --features tls --example tls`.

#![expect(clippy::print_stdout, reason = "an example shows what it gets")]

use std::{error::Error, net::SocketAddr};

use plexus_client::{
    Mesh,
    connect::tls::{Pem, TlsConnector},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

type Authority = CertifiedIssuer<'static, KeyPair>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let address = replica(&authority).await?;

    // Files, read again before each connection, are given with Pem::file.
    let (certificate, key) = leaf(&authority, "caller.mesh")?;
    let tls = TlsConnector::builder()
        .roots(Pem::text(authority.pem()))
        .identity(Pem::text(certificate), Pem::text(key))
        .server_name("quota.mesh")?
        .build()?;
    let mesh = Mesh::builder().channels(|channel| channel.connector(tls)).build();
    let mut client = HealthClient::new(mesh.channel(&address.to_string())?);

    let answer = client.check(HealthCheckRequest::default()).await?;
    println!("{address} answers {:?} over TLS", answer.get_ref().status());
    Ok(())
}

/// A server that takes only clients with a certificate of this authority.
async fn replica(authority: &Authority) -> Result<SocketAddr, Box<dyn Error>> {
    let (certificate, key) = leaf(authority, "quota.mesh")?;
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(certificate, key))
        .client_ca_root(Certificate::from_pem(authority.pem()));
    let (_, health) = tonic_health::server::health_reporter();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = Server::builder().tls_config(tls)?.add_service(health);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    Ok(address)
}

/// A certificate for this name and its key, in PEM.
fn leaf(authority: &Authority, name: &str) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new([name.to_owned()])?.signed_by(&key, authority)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
