//! The resolver against an API server on loopback that the test plays, byte by byte.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{backoff::BackoffPolicy, resolve::Member};

struct ApiServer(TcpListener);

/// A request that waits for its answer.
struct Asked {
    head: String,
    stream: TcpStream,
}

impl ApiServer {
    /// A server, and a resolver that follows `quota.mesh:grpc` there and retries quickly.
    async fn start() -> (Self, KubernetesResolver) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = KubernetesApi::plaintext(listener.local_addr().unwrap().into());
        let retry = Retry::new(BackoffPolicy { base: Duration::from_millis(1), ..BackoffPolicy::default() });
        let target = "kubernetes:///quota.mesh:grpc".parse().unwrap();
        (Self(listener), KubernetesResolver::with_retry(api, target, retry))
    }

    async fn asked(&self) -> Asked {
        let (mut stream, _) = self.0.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        Asked { head: String::from_utf8(head).unwrap(), stream }
    }

    /// Answers a list; what follows is asserted to be one.
    async fn lists(&self, version: &str, items: &[Value]) {
        let asked = self.asked().await;
        assert!(asked.head.contains("&limit=500&continue= "), "{}", asked.head);
        asked.answer("200 OK", &list(version, "", items)).await;
    }

    /// Begins the answer to a watch from this version.
    async fn watched(&self, version: &str) -> Asked {
        let mut asked = self.asked().await;
        assert!(
            asked.head.contains("&watch=true&allowWatchBookmarks=true&timeoutSeconds=120"),
            "{}",
            asked.head
        );
        assert!(asked.head.contains(&format!("&resourceVersion={version} HTTP/1.1\r\n")), "{}", asked.head);
        asked.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        asked
    }
}

impl Asked {
    async fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    async fn answer(mut self, status: &str, body: &Value) {
        let body = body.to_string();
        self.write(&format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
    }

    /// Sends an event in two chunks, as a network may.
    async fn event(&mut self, kind: &str, object: Value) {
        let line = format!("{}\n", json!({"type": kind, "object": object}));
        let (first, second) = line.split_at(line.len() / 2);
        for part in [first, second] {
            self.write(&format!("{:x}\r\n{part}\r\n", part.len())).await;
        }
    }
}

fn list(version: &str, next: &str, items: &[Value]) -> Value {
    json!({"kind": "EndpointSliceList", "metadata": {"resourceVersion": version, "continue": next}, "items": items})
}

fn slice(name: &str, version: &str, endpoints: Value) -> Value {
    json!({
        "metadata": {"name": name, "resourceVersion": version}, "addressType": "IPv4", "endpoints": endpoints,
        "ports": [{"name": "metrics", "protocol": "TCP", "port": 9000}, {"name": "grpc", "port": 50052}],
    })
}

fn ready(ip: &str) -> Value {
    json!({"addresses": [ip], "conditions": {"ready": true, "serving": true, "terminating": false}, "zone": "a"})
}

fn member(address: &str) -> Member {
    Member::from(address.parse::<SocketAddr>().unwrap()).zone("a")
}

async fn members(watched: &mut watch::Receiver<Resolution>, expected: &[Member]) {
    watched.wait_for(|at| at.members[..] == *expected && at.error.is_none()).await.unwrap();
}

async fn failure(watched: &mut watch::Receiver<Resolution>, text: &str) -> Resolution {
    let failed = |at: &Resolution| at.error.as_ref().is_some_and(|error| error.contains(text));
    watched.wait_for(failed).await.unwrap().clone()
}

#[tokio::test]
async fn what_is_listed_is_followed_through_additions_changes_and_removals() {
    let (server, resolver) = ApiServer::start().await;
    let mut watched = resolver.watch();
    let asked = server.asked().await;
    let expected = "GET /apis/discovery.k8s.io/v1/namespaces/mesh/endpointslices\
                    ?labelSelector=kubernetes.io%2Fservice-name%3Dquota&limit=500&continue= HTTP/1.1\r\n";
    assert!(asked.head.starts_with(expected), "{}", asked.head);
    asked.answer("200 OK", &list("", "a/b", &[slice("q-1", "3", json!([ready("10.0.0.7")]))])).await;
    let asked = server.asked().await;
    assert!(asked.head.contains("continue=a%2Fb "), "{}", asked.head);
    asked.answer("200 OK", &list("7", "", &[slice("q-2", "4", json!([ready("10.0.0.8")]))])).await;
    members(&mut watched, &[member("10.0.0.7:50052"), member("10.0.0.8:50052")]).await;

    let mut events = server.watched("7").await;
    events.event("ADDED", slice("q-3", "8", json!([ready("10.0.0.9")]))).await;
    members(&mut watched, &["10.0.0.7:50052", "10.0.0.8:50052", "10.0.0.9:50052"].map(member)).await;
    events.event("MODIFIED", slice("q-1", "9", json!([ready("10.0.0.6")]))).await;
    members(&mut watched, &["10.0.0.6:50052", "10.0.0.8:50052", "10.0.0.9:50052"].map(member)).await;
    events.event("DELETED", slice("q-2", "10", Value::Null)).await;
    members(&mut watched, &["10.0.0.6:50052", "10.0.0.9:50052"].map(member)).await;
}

#[tokio::test]
async fn a_lost_watch_goes_on_from_the_last_bookmark_and_keeps_the_set() {
    let (server, resolver) = ApiServer::start().await;
    let mut watched = resolver.watch();
    server.lists("7", &[slice("q-1", "3", json!([ready("10.0.0.7")]))]).await;
    let mut events = server.watched("7").await;
    events.event("BOOKMARK", json!({"metadata": {"resourceVersion": "42"}})).await;
    drop(events);
    let resolution = failure(&mut watched, "the connection to the API server was lost").await;
    assert_eq!(resolution.members[..], [member("10.0.0.7:50052")]);
    let mut events = server.watched("42").await;
    members(&mut watched, &[member("10.0.0.7:50052")]).await;
    // An orderly end is no failure.
    events.write("0\r\n\r\n").await;
    let mut events = server.watched("42").await;
    events.event("ADDED", slice("q-2", "43", json!([ready("10.0.0.8")]))).await;
    members(&mut watched, &[member("10.0.0.7:50052"), member("10.0.0.8:50052")]).await;
}

#[tokio::test]
async fn a_state_that_is_gone_is_listed_anew() {
    let (server, resolver) = ApiServer::start().await;
    let mut watched = resolver.watch();
    let expired = json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"});
    server.lists("7", &[slice("q-1", "3", json!([ready("10.0.0.7")]))]).await;
    server.watched("7").await.event("ERROR", expired.clone()).await;
    server.lists("50", &[slice("q-2", "49", json!([ready("10.0.0.8")]))]).await;
    members(&mut watched, &[member("10.0.0.8:50052")]).await;
    server.asked().await.answer("410 Gone", &expired).await;
    server.lists("60", &[slice("q-3", "59", json!([ready("10.0.0.9")]))]).await;
    members(&mut watched, &[member("10.0.0.9:50052")]).await;
    server.watched("60").await;
}

#[tokio::test]
async fn a_refusal_is_named_keeps_the_set_and_is_tried_again() {
    let (server, resolver) = ApiServer::start().await;
    let mut watched = resolver.watch();
    let forbidden = json!({"kind": "Status", "code": 403, "message": "endpointslices is forbidden"});
    server.asked().await.answer("403 Forbidden", &forbidden).await;
    let resolution = failure(&mut watched, "answers 403 Forbidden: endpointslices is forbidden").await;
    assert!(resolution.members.is_empty());
    server.lists("7", &[slice("q-1", "3", json!([ready("10.0.0.7")]))]).await;
    members(&mut watched, &[member("10.0.0.7:50052")]).await;
    server.watched("7").await.event("ERROR", json!({"code": 500, "message": "etcd"})).await;
    let resolution = failure(&mut watched, "answers 500 Internal Server Error: etcd").await;
    assert_eq!(resolution.members[..], [member("10.0.0.7:50052")]);
    server.watched("7").await;
}

#[tokio::test]
async fn an_event_that_cannot_be_read_keeps_the_set_and_everything_is_listed_anew() {
    let (server, resolver) = ApiServer::start().await;
    let mut watched = resolver.watch();
    server.lists("7", &[slice("q-1", "3", json!([ready("10.0.0.7")]))]).await;
    let mut events = server.watched("7").await;
    events.write("4\r\n{x}\n\r\n").await;
    let resolution = failure(&mut watched, "sends what cannot be read").await;
    assert_eq!(resolution.members[..], [member("10.0.0.7:50052")]);
    server.lists("8", &[slice("q-1", "8", json!([ready("10.0.0.8")]))]).await;
    members(&mut watched, &[member("10.0.0.8:50052")]).await;
}

#[tokio::test]
async fn a_service_that_is_scaled_to_nothing_keeps_its_last_members() {
    let (server, resolver) = ApiServer::start().await;
    let mut watched = resolver.watch();
    server.lists("7", &[slice("q-1", "3", json!([ready("10.0.0.7")]))]).await;
    let mut events = server.watched("7").await;
    events.event("MODIFIED", slice("q-1", "8", Value::Null)).await;
    let resolution = failure(&mut watched, "no endpoint is ready in 1 EndpointSlices").await;
    assert_eq!(resolution.members[..], [member("10.0.0.7:50052")]);
    events.event("DELETED", slice("q-1", "9", Value::Null)).await;
    failure(&mut watched, "the service has no EndpointSlice").await;
}

#[tokio::test]
async fn the_token_is_read_again_for_each_request_over_tls() {
    let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let config =
        config.unwrap().with_no_client_auth().with_single_cert(vec![key.cert.der().clone()], private);
    let mut config = config.unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "first\n").unwrap();
    let connector = TlsConnector::builder().roots(Pem::text(key.cert.pem())).http1().build().unwrap();
    let api = KubernetesApi::at_tls(listener.local_addr().unwrap().into(), connector).token_file(&token);
    let target: KubernetesTarget = "quota.mesh:50052".parse().unwrap();
    let serving = tokio::spawn(async move {
        let mut heads = Vec::new();
        for body in [list("7", "", &[]), list("8", "", &[slice("q-1", "8", json!([ready("10.0.0.7")]))])] {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            heads.push(String::from_utf8(head).unwrap());
            let body = body.to_string();
            let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(text.as_bytes()).await.unwrap();
        }
        heads
    });
    assert!(api::list(&api, &target).await.unwrap().members(&target).is_err());
    std::fs::write(&token, "second\n").unwrap();
    let slices = api::list(&api, &target).await.unwrap();
    assert_eq!(slices.members(&target).unwrap(), [member("10.0.0.7:50052")]);
    let heads = serving.await.unwrap();
    assert!(heads[0].contains("authorization: Bearer first\r\n"), "{}", heads[0]);
    assert!(heads[1].contains("authorization: Bearer second\r\n"), "{}", heads[1]);
}

fn members_of(target: &str, items: Value) -> Result<Vec<Member>, String> {
    let mut slices = slices::Slices::default();
    for slice in serde_json::from_value::<Vec<slices::Slice>>(items).unwrap() {
        slices.put(slice);
    }
    slices.members(&target.parse().unwrap())
}

#[test]
fn only_endpoints_that_are_ready_and_stay_are_members() {
    let with = |ip: &str, conditions: Value| json!({"addresses": [ip], "conditions": conditions});
    let endpoints = json!([
        ready("10.0.0.1"),
        with("10.0.0.2", json!({"ready": false, "serving": true, "terminating": true})),
        with("10.0.0.3", json!({"ready": false})),
        with("10.0.0.4", json!({"ready": true, "terminating": true})),
        with("10.0.0.5", json!({"ready": null})),
        {"addresses": ["10.0.0.6", "10.0.0.66"]},
    ]);
    let found = members_of("quota.mesh:grpc", json!([slice("q", "1", endpoints)])).unwrap();
    let unknown = |address| member(address).zone("");
    assert_eq!(found, [member("10.0.0.1:50052"), unknown("10.0.0.5:50052"), unknown("10.0.0.6:50052")]);
}

#[test]
fn a_port_is_found_by_name_or_number_and_a_missing_one_is_named() {
    let items = json!([slice("q", "1", json!([ready("10.0.0.1")]))]);
    for (target, expected) in [
        ("quota.mesh:grpc", "10.0.0.1:50052"),
        ("quota.mesh:50052", "10.0.0.1:50052"),
        ("quota.mesh:9000", "10.0.0.1:9000"),
    ] {
        assert_eq!(members_of(target, items.clone()).unwrap(), [member(expected)]);
    }
    let error = members_of("quota.mesh:http", items).unwrap_err();
    assert_eq!(error, "no EndpointSlice of 1 has the TCP port http");
    let mut udp = slice("q", "1", json!([ready("10.0.0.1")]));
    udp["ports"] = json!([{"name": "grpc", "protocol": "UDP", "port": 1}]);
    assert!(members_of("quota.mesh:grpc", json!([udp])).is_err());
}

#[test]
fn a_service_of_both_families_lists_each_pod_once() {
    let mut six = slice("six", "1", json!([ready("fd00::1")]));
    six["addressType"] = json!("IPv6");
    let four = slice("four", "1", json!([ready("10.0.0.1")]));
    assert_eq!(members_of("q.mesh:grpc", json!([six, four])).unwrap(), [member("10.0.0.1:50052")]);
    assert_eq!(members_of("q.mesh:grpc", json!([six])).unwrap(), [member("[fd00::1]:50052")]);
}

#[test]
fn a_target_is_a_service_a_namespace_and_a_port() {
    for text in ["kubernetes:///quota.mesh:grpc", "quota.mesh:50052"] {
        assert!(text.parse::<KubernetesTarget>().unwrap().to_string().ends_with(text));
    }
    for text in
        ["quota:1", "quota.mesh", "quota.mesh:0", "quota.mesh:70000", "Quota.mesh:1", ".mesh:1", "a.b/c:1"]
    {
        let error = text.parse::<KubernetesTarget>().unwrap_err().to_string();
        assert!(error.contains("is not a Kubernetes target"), "{error}");
    }
}
