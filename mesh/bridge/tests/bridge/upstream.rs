//! A gRPC server for the made-up contract, whose behaviour the name of the book chooses.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use futures_util::{Stream, StreamExt as _, future::BoxFuture, stream};
use http::{HeaderMap, Request, Response};
use plexus_client::Channel;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tonic::{
    Code, Status,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, NamedService, ServerStreamingService, UnaryService},
    transport::Server,
};
use tonic_types::{ErrorDetails, StatusExt as _};

/// What the server saw, in order: tests wait for it instead of sleeping.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) enum Seen {
    /// A call of this method, with its message as JSON and its headers.
    Call(String, Value, HeaderMap),
    /// The server was told that the client of this book is gone.
    Cancelled(String),
    /// A message of an endless stream was taken.
    Taken(u64),
}

/// The running server.
pub(crate) struct Upstream {
    pub(crate) channel: Channel,
    pub(crate) seen: mpsc::UnboundedReceiver<Seen>,
    /// Releases the calls that wait for it, each with a message.
    pub(crate) release: mpsc::UnboundedSender<Value>,
}

impl Upstream {
    /// Starts the server on a free port.
    pub(crate) async fn start(descriptors: DescriptorPool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen_by_server, seen) = mpsc::unbounded_channel();
        let (release, released) = mpsc::unbounded_channel();
        let library =
            Library { descriptors, seen: seen_by_server, released: Arc::new(Mutex::new(Some(released))) };
        tokio::spawn(
            // The limit of the services of the mesh.
            Server::builder()
                .http2_max_header_list_size(32 * 1024)
                .add_service(library)
                .serve_with_incoming(TcpListenerStream::new(listener)),
        );
        let channel = Channel::builder("library").endpoints([address]).build();
        Self { channel, seen, release }
    }

    /// The next call that the server sees.
    pub(crate) async fn call(&mut self) -> (String, Value, HeaderMap) {
        loop {
            match self.seen.recv().await.expect("the server runs") {
                Seen::Call(method, message, headers) => return (method, message, headers),
                _ => continue,
            }
        }
    }

    /// Waits until the server is told that the client of `book` is gone.
    pub(crate) async fn cancelled(&mut self, book: &str) {
        while self.seen.recv().await.expect("the server runs") != Seen::Cancelled(book.to_owned()) {}
    }
}

#[derive(Clone)]
struct Library {
    descriptors: DescriptorPool,
    seen: mpsc::UnboundedSender<Seen>,
    released: Arc<Mutex<Option<mpsc::UnboundedReceiver<Value>>>>,
}

impl NamedService for Library {
    const NAME: &'static str = "library.v1.LibraryService";
}

type Messages = Pin<Box<dyn Stream<Item = Result<DynamicMessage, Status>> + Send>>;

/// One method of the service.
#[derive(Clone)]
struct Method {
    library: Library,
    name: String,
    output: MessageDescriptor,
}

impl tower::Service<Request<Body>> for Library {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let name = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let service = self.descriptors.get_service_by_name(Self::NAME).unwrap();
        let descriptor = service.methods().find(|method| method.name() == name).unwrap();
        let mut grpc = Grpc::new(Dynamic(descriptor.input()));
        let method = Method { library: self.clone(), name, output: descriptor.output() };
        Box::pin(async move {
            Ok(if descriptor.is_server_streaming() {
                grpc.server_streaming(method, request).await
            } else {
                grpc.unary(method, request).await
            })
        })
    }
}

impl Method {
    fn book(&self, value: &Value) -> DynamicMessage {
        DynamicMessage::deserialize(self.output.clone(), value).unwrap()
    }

    /// Reports the call and returns the name of the book and the headers.
    fn see(&self, request: tonic::Request<DynamicMessage>) -> (String, Value) {
        let headers = request.metadata().clone().into_headers();
        let message = serde_json::to_value(request.into_inner()).unwrap();
        let name = message["name"].as_str().unwrap_or_default().to_owned();
        self.library.seen.send(Seen::Call(self.name.clone(), message.clone(), headers)).unwrap();
        (name, message)
    }
}

impl UnaryService<DynamicMessage> for Method {
    type Response = DynamicMessage;
    type Future = BoxFuture<'static, Result<tonic::Response<DynamicMessage>, Status>>;

    fn call(&mut self, request: tonic::Request<DynamicMessage>) -> Self::Future {
        let method = self.clone();
        Box::pin(async move {
            let (name, message) = method.see(request);
            match name.as_str() {
                "waits" => {
                    let _told = OnDrop(method.library.seen.clone(), name.clone());
                    std::future::pending::<()>().await;
                }
                name if name.starts_with("fails") => return Err(failure(name)),
                "breaks-the-contract" => {
                    let late = json!({"printTime": "9999-12-31T23:59:59Z"});
                    let mut book = method.book(&late);
                    let time =
                        book.get_field_by_name_mut("print_time").and_then(|value| value.as_message_mut());
                    time.unwrap().set_field_by_name("seconds", prost_reflect::Value::I64(i64::MAX));
                    return Ok(tonic::Response::new(book));
                }
                _ => {}
            }
            let answer = match method.name.as_str() {
                "FindBooks" => json!({"nextPageToken": "t"}),
                "CreateBook" | "UpdateBook" => message["book"].clone(),
                "SetTags" | "SortBooks" => message,
                _ => json!({"name": name, "copies": "9007199254740993"}),
            };
            Ok(tonic::Response::new(method.book(&answer)))
        })
    }
}

impl ServerStreamingService<DynamicMessage> for Method {
    type Response = DynamicMessage;
    type ResponseStream = Messages;
    type Future = BoxFuture<'static, Result<tonic::Response<Messages>, Status>>;

    fn call(&mut self, request: tonic::Request<DynamicMessage>) -> Self::Future {
        let method = self.clone();
        Box::pin(async move {
            let (name, _) = method.see(request);
            let told = OnDrop(method.library.seen.clone(), name.clone());
            let messages: Messages = match name.as_str() {
                name if name.starts_with("fails") => return Err(failure(name)),
                "breaks" => Box::pin(stream::iter([
                    Ok(method.book(&json!({"pageCount": 1}))),
                    Err(failure("fails-quota")),
                ])),
                "released" => {
                    let released = method.library.released.lock().unwrap().take().unwrap();
                    let books = UnboundedReceiverStream::new(released);
                    Box::pin(books.map(move |value| Ok(method.book(&value))))
                }
                "endless" => {
                    let seen = method.library.seen.clone();
                    Box::pin(stream::iter(0u64..).map(move |number| {
                        seen.send(Seen::Taken(number)).unwrap();
                        Ok(method.book(&json!({"name": "x".repeat(10_000)})))
                    }))
                }
                "silent" => Box::pin(stream::pending()),
                _ => Box::pin(
                    stream::iter([1, 2, 3]).map(move |page| Ok(method.book(&json!({"pageCount": page})))),
                ),
            };
            // The stream is dropped when the call is cancelled.
            Ok(tonic::Response::new(Box::pin(messages.inspect(move |_| {
                let OnDrop(..) = &told;
            })) as Messages))
        })
    }
}

/// Reports that it was dropped.
struct OnDrop(mpsc::UnboundedSender<Seen>, String);

impl Drop for OnDrop {
    fn drop(&mut self) {
        drop(self.0.send(Seen::Cancelled(std::mem::take(&mut self.1))));
    }
}

/// The error that the name of the book asks for.
fn failure(name: &str) -> Status {
    match name {
        "fails-plainly" => Status::not_found("no such book"),
        "fails-inside" => Status::unknown("password=hunter2"),
        "fails-cancelled" => Status::cancelled("somebody cancelled"),
        "fails-strangely" => {
            let strange =
                prost_types::Any { type_url: "type.example.com/some.Strange".to_owned(), value: vec![1, 2] };
            let status =
                tonic_types::Status { code: 9, message: "strange".to_owned(), details: vec![strange] };
            Status::with_details(Code::FailedPrecondition, "strange", status.encode_to_vec().into())
        }
        _ => {
            let mut details = ErrorDetails::new();
            details
                .set_error_info("LIMIT_EXCEEDED", "plexus", [("meter".to_owned(), "tokens".to_owned())])
                .add_quota_failure_violation("user:1", "10 a day")
                .set_retry_info(Some(std::time::Duration::from_millis(1500)));
            Status::with_error_details(Code::ResourceExhausted, "used up", details)
        }
    }
}

/// A codec for dynamic messages; holds the type of those that are decoded.
#[derive(Clone)]
struct Dynamic(MessageDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        self.clone()
    }

    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, wire: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(wire).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, wire: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let decoded = DynamicMessage::decode(self.0.clone(), wire);
        decoded.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}
