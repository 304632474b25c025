//! TLS against a server of HTTP/2: who is believed, who is refused, and what the error says.

use std::{net::SocketAddr, path::Path};

use http::{Request, Response};
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::net::TcpListener;

use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for this name and its key, in PEM.
fn leaf(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

struct Server<'a> {
    identity: (String, String),
    clients: Option<&'a Authority>,
    alpn: &'static [&'static [u8]],
}

impl Server<'_> {
    /// Answers every request with the number of certificates that the client has shown.
    async fn start(self) -> SocketAddr {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = match self.clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let certificate = CertificateDer::from_pem_slice(self.identity.0.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.identity.1.as_bytes()).unwrap();
        let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = self.alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let shown = stream.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
                    let service = hyper::service::service_fn(move |_| async move {
                        Response::builder().header("shown", shown).body(Empty::<bytes::Bytes>::new())
                    });
                    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    server.serve_connection(TokioIo::new(stream), service).await.ok();
                });
            }
        });
        address
    }
}

fn plain(identity: (String, String)) -> Server<'static> {
    Server { identity, clients: None, alpn: &[b"h2"] }
}

fn trusting(authority: &Authority) -> TlsBuilder {
    TlsConnector::builder().roots(Pem::text(authority.pem()))
}

/// Sends a request; answers how many certificates the server has seen, or the whole error.
async fn call(connector: &TlsConnector, address: SocketAddr) -> Result<String, String> {
    let stream = connector.connect(address.into()).await.map_err(|error| describe(&error))?;
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(|error| describe(&error))?;
    let driver = tokio::spawn(connection);
    let request = Request::post("https://localhost/").body(Empty::<bytes::Bytes>::new()).unwrap();
    match sender.send_request(request).await {
        Ok(response) => Ok(response.headers()["shown"].to_str().unwrap().to_owned()),
        Err(error) => match driver.await.unwrap() {
            Err(cause) => Err(describe(&cause)),
            Ok(()) => Err(describe(&error)),
        },
    }
}

async fn refusal(builder: TlsBuilder, address: SocketAddr) -> String {
    call(&builder.build().unwrap(), address).await.unwrap_err()
}

#[tokio::test]
async fn a_server_of_the_right_authority_is_called_by_host_or_by_its_given_name() {
    let ours = authority("ours");
    let by_host = plain(leaf(&ours, "127.0.0.1")).start().await;
    let by_name = plain(leaf(&ours, "quota.mesh")).start().await;
    let connector = trusting(&ours).server_name_of(by_name.into(), "quota.mesh").unwrap().build().unwrap();
    assert_eq!(call(&connector, by_host).await.unwrap(), "0");
    assert_eq!(call(&connector, by_name).await.unwrap(), "0");
    assert_eq!(connector.scheme(), Scheme::HTTPS);
}

#[tokio::test]
async fn a_server_of_another_authority_is_refused() {
    let address = plain(leaf(&authority("theirs"), "127.0.0.1")).start().await;
    let expected = "the TLS handshake with \"127.0.0.1\" failed: invalid peer certificate: UnknownIssuer";
    assert!(refusal(trusting(&authority("ours")), address).await.contains(expected));
    // Neither is it among the public authorities.
    assert!(refusal(TlsConnector::builder(), address).await.contains(expected));
}

#[tokio::test]
async fn a_server_of_another_name_is_refused() {
    let ours = authority("ours");
    let address = plain(leaf(&ours, "card.mesh")).start().await;
    let error = refusal(trusting(&ours).server_name("quota.mesh").unwrap(), address).await;
    assert!(error.contains("\"quota.mesh\" failed: invalid peer certificate"), "{error}");
    assert!(error.contains("card.mesh"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_agree_to_http2_is_refused() {
    let ours = authority("ours");
    const OLD: &[&[u8]] = &[b"http/1.1"];
    for (alpn, expected) in [(&[][..], "does not agree to h2 by ALPN"), (OLD, "NoApplicationProtocol")] {
        let server = Server { alpn, ..plain(leaf(&ours, "127.0.0.1")) };
        let error = refusal(trusting(&ours), server.start().await).await;
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_ours_and_refuses_none_or_another() {
    let ours = authority("ours");
    let server = Server { clients: Some(&ours), ..plain(leaf(&ours, "127.0.0.1")) };
    let address = server.start().await;
    let identity = |(certificate, key)| trusting(&ours).identity(Pem::text(certificate), Pem::text(key));
    let connector = identity(leaf(&ours, "ai.mesh")).build().unwrap();
    assert_eq!(call(&connector, address).await.unwrap(), "1");
    let error = refusal(trusting(&ours), address).await;
    assert!(error.contains("CertificateRequired"), "{error}");
    let error = refusal(identity(leaf(&authority("theirs"), "ai.mesh")), address).await;
    assert!(error.contains("UnknownCA") || error.contains("DecryptError"), "{error}");
}

#[tokio::test]
async fn new_files_are_used_for_the_next_connection_and_bad_ones_are_not() {
    let (first, second) = (authority("first"), authority("second"));
    let address = plain(leaf(&second, "127.0.0.1")).start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roots.pem");
    std::fs::write(&path, first.pem()).unwrap();
    let connector = TlsConnector::builder().roots(Pem::file(&path)).build().unwrap();
    assert!(call(&connector, address).await.unwrap_err().contains("UnknownIssuer"));
    std::fs::write(&path, second.pem()).unwrap();
    assert_eq!(call(&connector, address).await.unwrap(), "0");
    assert!(!connector.reload().unwrap());
    std::fs::write(&path, "-----BEGIN CERT").unwrap();
    assert!(connector.reload().is_err());
    assert_eq!(call(&connector, address).await.unwrap(), "0");
}

#[test]
fn an_error_names_the_file_and_what_is_wrong_with_it() {
    let ours = authority("ours");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (certificate, key) = leaf(&ours, "ai.mesh");
    let (_, other_key) = leaf(&ours, "ai.mesh");
    let certificate = write("identity.pem", &certificate);
    let key = write("key.pem", &key);
    let other_key = write("other.pem", &other_key);
    let identity = |certificate: &Path, key: &Path| {
        let builder = trusting(&ours).identity(Pem::file(certificate), Pem::file(key));
        describe(&builder.build().err().unwrap())
    };
    let roots = |pem: Pem| describe(&TlsConnector::builder().roots(pem).build().err().unwrap());
    for (error, expected) in [
        (roots(Pem::file(folder.path().join("none.pem"))), "none.pem cannot be read: No such file"),
        (roots(Pem::file(&key)), "no valid certificate in "),
        (roots(Pem::text("")), "no valid certificate in the given PEM"),
        (identity(&certificate, &certificate), "no valid private key in "),
        (identity(&certificate, &other_key), "other.pem cannot be used: "),
        (
            describe(&TlsConnector::builder().server_name("a b").err().unwrap()),
            "\"a b\" is neither a DNS name",
        ),
    ] {
        assert!(error.contains(expected), "{error} lacks {expected}");
    }
    assert!(trusting(&ours).identity(Pem::file(&certificate), Pem::file(&key)).build().is_ok());
}
