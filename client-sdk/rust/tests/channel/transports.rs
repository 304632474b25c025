//! The whole channel over TLS with client certificates, over unix sockets, and by a file of endpoints.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use plexus_client::resolve::file::FileResolver;
use tokio::net::{TcpStream, UnixListener};

use crate::replica::{Replica, builder, check, ready, until};

#[cfg(feature = "tls")]
mod tls {
    use plexus_client::connect::tls::{Pem, TlsBuilder, TlsConnector};
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::{
        RootCertStore, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        server::WebPkiClientVerifier,
    };
    use tokio::net::TcpListener;
    use tonic::Code;

    use super::*;
    use crate::replica::{connect, state_of};

    type Authority = CertifiedIssuer<'static, KeyPair>;

    fn authority() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    /// A certificate for `replica` and its key, in PEM.
    fn leaf(authority: &Authority) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["replica".to_owned()]).unwrap();
        (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
    }

    /// Takes TLS off before a replica, for clients that show a certificate of this authority.
    async fn terminated(authority: &Authority, replica: SocketAddr) -> SocketAddr {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let (certificate, key) = leaf(authority);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let Ok(mut replica) = TcpStream::connect(replica).await else { return };
                    tokio::io::copy_bidirectional(&mut stream, &mut replica).await.ok();
                });
            }
        });
        address
    }

    fn trusting(authority: &Authority) -> TlsBuilder {
        TlsConnector::builder().roots(Pem::text(authority.pem())).server_name("replica").unwrap()
    }

    #[tokio::test]
    async fn calls_balance_and_fail_over_with_client_certificates() {
        let authority = authority();
        let (mut dying, staying) = (Replica::start().await, Replica::start().await);
        let addresses =
            [terminated(&authority, dying.address).await, terminated(&authority, staying.address).await];
        let (certificate, key) = leaf(&authority);
        let connector =
            trusting(&authority).identity(Pem::text(certificate), Pem::text(key)).build().unwrap();
        let channel = connect(builder().connector(connector), &addresses).await;
        for _ in 0..50 {
            check(&channel, "").await.unwrap();
        }
        assert!(dying.seen.count() > 0 && staying.seen.count() > 0);
        dying.kill();
        until(|| ready(&channel).len() == 1).await;
        for _ in 0..20 {
            check(&channel, "").await.unwrap();
        }
        assert_eq!(state_of(&channel, &dying), None, "the channel knows the address before TLS only");
    }

    #[tokio::test]
    async fn without_a_certificate_no_call_gets_through_and_the_error_says_why() {
        let authority = authority();
        let replica = Replica::start().await;
        let address = terminated(&authority, replica.address).await;
        let builder = builder().connector(trusting(&authority).build().unwrap()).ready_wait(Duration::ZERO);
        let channel = builder.endpoints([address]).build();
        until(|| channel.status().iter().any(|at| !at.last_error.is_empty())).await;
        let status = check(&channel, "").await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().to_lowercase().contains("certificate"), "{status:?}");
        assert_eq!(replica.seen.count(), 0);
    }
}

/// A socket in this folder that leads to the replica.
fn socket(folder: &Path, name: &str, replica: SocketAddr) -> plexus_client::Address {
    let path = folder.join(name);
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut replica) = TcpStream::connect(replica).await else { return };
                tokio::io::copy_bidirectional(&mut stream, &mut replica).await.ok();
            });
        }
    });
    format!("unix:{}", path.display()).parse().unwrap()
}

#[tokio::test]
async fn calls_fail_over_between_unix_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let (mut dying, staying) = (Replica::start().await, Replica::start().await);
    let addresses = [
        socket(folder.path(), "one.sock", dying.address),
        socket(folder.path(), "two.sock", staying.address),
    ];
    let channel = builder().endpoints(addresses).build();
    until(|| ready(&channel).len() == 2).await;
    while dying.seen.count() == 0 || staying.seen.count() == 0 {
        check(&channel, "").await.unwrap();
    }
    dying.kill();
    until(|| ready(&channel).len() == 1).await;
    for _ in 0..20 {
        check(&channel, "").await.unwrap();
    }
}

fn list(path: &Path, replicas: &[&Replica]) {
    let endpoints: Vec<_> =
        replicas.iter().map(|replica| format!(r#"{{"address": "{}"}}"#, replica.address)).collect();
    let next = path.with_extension("next");
    std::fs::write(&next, format!(r#"{{"endpoints": [{}]}}"#, endpoints.join(","))).unwrap();
    std::fs::rename(next, path).unwrap();
}

#[tokio::test]
async fn a_file_of_endpoints_changes_under_load_and_no_call_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("endpoints.json");
    let replicas = [Replica::start().await, Replica::start().await, Replica::start().await];
    list(&path, &[&replicas[0]]);
    let resolver = FileResolver::with_interval(&path, Duration::from_millis(5));
    let channel = builder().resolver(resolver).build();
    check(&channel, "").await.unwrap();

    let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (channel, stop, calls) = (channel.clone(), Arc::clone(&stop), Arc::clone(&calls));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    check(&channel, "").await.unwrap();
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 0..9 {
        let present = &replicas[round % 3];
        list(&path, &[present]);
        until(|| {
            let status = channel.status();
            status.len() == 1 && status[0].address.as_str() == present.address.to_string()
        })
        .await;
        // A file that cannot be read changes nothing.
        std::fs::write(&path, "{").unwrap();
        let (there, before) = (present.seen.count(), calls.load(Ordering::Relaxed));
        until(|| present.seen.count() > there && calls.load(Ordering::Relaxed) > before + 50).await;
    }
    stop.store(true, Ordering::Relaxed);
    for task in load {
        task.await.unwrap();
    }
}
