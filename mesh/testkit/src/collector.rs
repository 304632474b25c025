//! An OpenTelemetry collector that keeps what it receives, for tests to look at.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

/// A span as it was exported.
#[derive(Clone, Debug)]
pub struct ReceivedSpan {
    /// The `service.name` of the resource.
    pub service: String,
    /// The name of the span.
    pub name: String,
    /// In lower-case hexadecimal.
    pub trace_id: String,
    /// In lower-case hexadecimal.
    pub span_id: String,
    /// In lower-case hexadecimal; empty for a root.
    pub parent_span_id: String,
    /// Attributes whose value is a text or a number, as text.
    pub attributes: BTreeMap<String, String>,
}

/// A collector on a port of its own.
pub struct Collector {
    address: SocketAddr,
    spans: Spans,
    server: JoinHandle<()>,
}

type Spans = Arc<Mutex<Vec<ReceivedSpan>>>;

struct Sink {
    spans: Spans,
}

impl Collector {
    /// Starts a collector.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let spans = Spans::default();
        let sink = Sink { spans: Arc::clone(&spans) };
        let server = tokio::spawn(async move {
            let server = tonic::transport::Server::builder().add_service(TraceServiceServer::new(sink));
            let ended = server.serve_with_incoming(TcpIncoming::from(listener)).await;
            assert!(ended.is_ok(), "the collector failed");
        });
        Ok(Self { address, spans, server })
    }

    /// The endpoint to export to.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans received so far.
    #[must_use]
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut received = Vec::new();
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.map(|resource| texts(resource.attributes)).unwrap_or_default();
            let service = attributes.get("service.name").cloned().unwrap_or_default();
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                received.push(ReceivedSpan {
                    service: service.clone(),
                    name: span.name,
                    trace_id: hexadecimal(&span.trace_id),
                    span_id: hexadecimal(&span.span_id),
                    parent_span_id: hexadecimal(&span.parent_span_id),
                    attributes: texts(span.attributes),
                });
            }
        }
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).extend(received);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Value| match value {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        Value::BoolValue(flag) => Some(flag.to_string()),
        Value::DoubleValue(number) => Some(number.to_string()),
        _ => None,
    };
    let attributes = attributes.into_iter();
    attributes.filter_map(|kv| kv.value?.value.and_then(text).map(|value| (kv.key, value))).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
