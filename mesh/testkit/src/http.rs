//! A plain HTTP/1.1 client: what a browser or curl sends, without hiding anything of the answer.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, task::JoinHandle};

/// A request to `address`, sent on a connection of its own.
#[derive(Clone, Debug)]
pub struct Call {
    address: String,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

/// An answer whose body may still be arriving.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    connection: JoinHandle<()>,
}

impl Call {
    /// A call of `method` (`GET`, `POST`) on `path` at `address` (`127.0.0.1:8080`).
    #[must_use]
    pub fn new(address: &str, method: Method, path: &str) -> Self {
        let (address, path) = (address.to_owned(), path.to_owned());
        Self { address, method, path, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// With a header; one that HTTP does not allow is left out.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = value.parse() {
            self.headers.insert(name, value);
        }
        self
    }

    /// With an access token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        self.body = Bytes::from(body.to_string());
        self.header("content-type", "application/json")
    }

    /// Sends it and waits for the head of the answer.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn send(self) -> Result<Answer> {
        let stream = TcpStream::connect(&self.address).await.with_context(|| self.address.clone())?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(async move {
            // How the connection ends shows in the answer.
            let _ended = connection.await;
        });
        let mut request =
            Request::builder().method(self.method).uri(&self.path).header("host", &self.address);
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.headers);
        }
        let answer = sender.send_request(request.body(Full::new(self.body))?).await?;
        let (head, body) = answer.into_parts();
        Ok(Answer { status: head.status, headers: head.headers, body, connection })
    }
}

impl Answer {
    /// A header as text; empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// The whole body as text.
    ///
    /// # Errors
    /// When the connection breaks or the body is not UTF-8.
    pub async fn text(mut self) -> Result<String> {
        let mut text = Vec::new();
        while let Some(piece) = self.next().await? {
            text.extend_from_slice(&piece);
        }
        Ok(String::from_utf8(text)?)
    }

    /// The whole body as JSON.
    ///
    /// # Errors
    /// When the connection breaks or the body is not JSON.
    pub async fn json(self) -> Result<Value> {
        let text = self.text().await?;
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
