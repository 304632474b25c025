//! Requests to the API server, over one connection of HTTP/1.1 each.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio_util::task::AbortOnDropHandle;

use super::{
    KubernetesApi, KubernetesTarget,
    slices::{SliceList, Slices},
};
use crate::token;

/// How long a request may take until its response begins, the connection included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a page of a list may take.
const PAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// How many slices the API server is asked for at once (what its own clients ask for).
const PAGE_ITEMS: usize = 500;

/// The most pages of a list: 10,000 slices, each of which has up to 1,000 endpoints.
const PAGES_MAX: usize = 20;

/// The longest page of a list, in bytes: 500 slices of 100 endpoints have 20 MB.
const PAGE_BYTES_MAX: usize = 64_000_000;

/// The longest answer that is read for its error message, in bytes.
const ERROR_BYTES_MAX: usize = 100_000;

/// Why the API server gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("the token cannot be read")]
    Token(#[source] io::Error),
    #[error("the token holds characters that a header cannot")]
    TokenText(#[from] header::InvalidHeaderValue),
    #[error("the API server cannot be reached")]
    Connect(#[source] io::Error),
    #[error("the connection to the API server was lost")]
    Connection(#[from] hyper::Error),
    #[error("the API server does not answer in time")]
    Timeout,
    #[error("the request to the API server is invalid")]
    Request(#[from] http::Error),
    /// The asked-for state is too old to be known (410): everything has to be listed anew.
    #[error("the API server has forgotten the state that was asked for")]
    Gone,
    #[error("the API server answers {0}: {1}")]
    Refused(StatusCode, String),
    #[error("the API server sends more than {0}")]
    TooLong(&'static str),
    #[error("the API server sends what cannot be read")]
    Invalid(#[from] serde_json::Error),
}

/// What the API server sends in place of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn into_error(self) -> ApiError {
        match StatusCode::from_u16(self.code) {
            Ok(StatusCode::GONE) => ApiError::Gone,
            code => ApiError::Refused(code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), self.message),
        }
    }
}

/// A response whose connection ends when it is dropped.
pub(super) struct Answer {
    pub(super) body: Incoming,
    _driver: AbortOnDropHandle<()>,
}

/// All slices of the service.
pub(super) async fn list(api: &KubernetesApi, target: &KubernetesTarget) -> Result<Slices, ApiError> {
    let mut slices = Slices::default();
    let mut next = String::new();
    for _ in 0..PAGES_MAX {
        let query = format!("limit={PAGE_ITEMS}&continue={}", encode(&next));
        let page = async {
            let answer = get(api, target, &query).await?;
            collect(answer, PAGE_BYTES_MAX).await
        };
        let page = tokio::time::timeout(PAGE_TIMEOUT, page).await.map_err(|_| ApiError::Timeout)??;
        let page: SliceList = serde_json::from_slice(&page)?;
        page.items.into_iter().flatten().for_each(|slice| slices.put(slice));
        slices.version = page.metadata.resource_version;
        next = page.metadata.next;
        if next.is_empty() {
            return Ok(slices);
        }
    }
    Err(ApiError::TooLong("20 pages of EndpointSlices"))
}

/// Every change since this version, for this long, one line of JSON each.
pub(super) async fn watch(
    api: &KubernetesApi,
    target: &KubernetesTarget,
    version: &str,
    life: Duration,
) -> Result<Answer, ApiError> {
    let (version, seconds) = (encode(version), life.as_secs());
    let options = format!("watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}");
    get(api, target, &format!("{options}&resourceVersion={version}")).await
}

async fn get(api: &KubernetesApi, target: &KubernetesTarget, query: &str) -> Result<Answer, ApiError> {
    let KubernetesTarget { service, namespace, .. } = target;
    let path = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices");
    let mut request =
        Request::get(format!("{path}?labelSelector=kubernetes.io%2Fservice-name%3D{service}&{query}"))
            .header(header::HOST, api.address.authority())
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("plexus-client/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())?;
    let sending = async {
        if let Some(token) = authorization(api).await? {
            request.headers_mut().insert(header::AUTHORIZATION, token);
        }
        let stream = api.connector.connect(api.address.clone()).await.map_err(ApiError::Connect)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // How it ended shows in the response.
        let driver = AbortOnDropHandle::new(tokio::spawn(async { drop(connection.await) }));
        Ok((sender.send_request(request).await?, driver))
    };
    let sent: Result<(Response<Incoming>, _), ApiError> =
        tokio::time::timeout(HEAD_TIMEOUT, sending).await.map_err(|_| ApiError::Timeout)?;
    let (response, driver) = sent?;
    let status = response.status();
    let answer = Answer { body: response.into_body(), _driver: driver };
    if status.is_success() {
        return Ok(answer);
    }
    let text = tokio::time::timeout(HEAD_TIMEOUT, collect(answer, ERROR_BYTES_MAX)).await;
    let text = text.map_err(|_| ApiError::Timeout)??;
    // A proxy in between may send anything.
    let refusal: Refusal = serde_json::from_slice(&text).unwrap_or_default();
    Err(Refusal { code: status.as_u16(), ..refusal }.into_error())
}

/// Read anew for each request, since Kubernetes replaces the file before the token expires.
async fn authorization(api: &KubernetesApi) -> Result<Option<HeaderValue>, ApiError> {
    let Some(path) = api.token_file.clone() else { return Ok(None) };
    let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
    let text = read.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(ApiError::Token)?;
    Ok(Some(token::bearer(text.trim())?))
}

async fn collect(answer: Answer, bytes_max: usize) -> Result<Bytes, ApiError> {
    match Limited::new(answer.body, bytes_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(match error.downcast::<hyper::Error>() {
            Ok(error) => ApiError::Connection(*error),
            Err(error) if error.is::<LengthLimitError>() => ApiError::TooLong("the limit of one answer"),
            Err(error) => ApiError::Connect(io::Error::other(error)),
        }),
    }
}

/// Percent-encodes a value of a query (RFC 3986).
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
