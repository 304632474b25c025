//! One gRPC call with messages as they are on the wire.

use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::{
    Request, Status, Streaming,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
};

use crate::{backends::Channel, route::Operation};

/// What HTTP/2 counts for a header besides its name and its value (RFC 9113, section 6.5.2).
const HEADER_OVERHEAD_BYTES: usize = 32;

/// What the propagator reads and writes; at most as much goes out as came in.
const TRACE: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// A call to be made: whom, what, and for how long.
pub(crate) struct Call<'c> {
    pub(crate) channel: &'c Channel,
    pub(crate) operation: &'c Operation,
    pub(crate) metadata: HeaderMap,
    pub(crate) timeout: Duration,
    /// The largest answer or message of a stream, in bytes.
    pub(crate) answer_limit: usize,
}

impl Call<'_> {
    /// Makes a call with one answer.
    pub(crate) async fn unary(self, message: Bytes) -> Result<Bytes, Status> {
        let mut grpc = self.grpc();
        grpc.ready().await?;
        let (path, request) = self.request(message);
        Ok(grpc.unary(request, path, WireCodec).await?.into_inner())
    }

    /// Makes a call whose answer is a stream; dropping the stream cancels the call.
    pub(crate) async fn stream(self, message: Bytes) -> Result<Streaming<Bytes>, Status> {
        let mut grpc = self.grpc();
        grpc.ready().await?;
        let (path, request) = self.request(message);
        Ok(grpc.server_streaming(request, path, WireCodec).await?.into_inner())
    }

    fn grpc(&self) -> Grpc<Channel> {
        Grpc::new(self.channel.clone()).max_decoding_message_size(self.answer_limit)
    }

    fn request(self, message: Bytes) -> (http::uri::PathAndQuery, Request<Bytes>) {
        let mut request = Request::new(message);
        *request.metadata_mut() = MetadataMap::from_headers(self.metadata);
        request.set_timeout(self.timeout);
        (self.operation.grpc_path.clone(), request)
    }
}

/// The headers of `headers` that `forwarded` lists.
pub(crate) fn metadata(headers: &HeaderMap, forwarded: &[HeaderName], request_id: HeaderValue) -> HeaderMap {
    let mut metadata = HeaderMap::with_capacity(forwarded.len() + 1);
    for name in forwarded {
        for value in headers.get_all(name) {
            metadata.append(name, value.clone());
        }
    }
    metadata.insert("x-request-id", request_id);
    metadata
}

/// The size of what would be passed on of `headers`, in bytes as HTTP/2 counts them.
pub(crate) fn metadata_bytes(
    headers: &HeaderMap,
    forwarded: &[HeaderName],
    request_id: &HeaderValue,
) -> usize {
    let one = |name: &str, value: &HeaderValue| name.len() + value.len() + HEADER_OVERHEAD_BYTES;
    let all = |name: &str| headers.get_all(name).iter().map(|value| one(name, value)).sum::<usize>();
    let listed: usize = forwarded.iter().map(|name| all(name.as_str())).sum();
    listed + TRACE.into_iter().map(all).sum::<usize>() + one("x-request-id", request_id)
}

/// Messages stay the bytes that they are.
#[derive(Debug, Clone, Copy)]
struct WireCodec;

impl Codec for WireCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for WireCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, wire: &mut EncodeBuf<'_>) -> Result<(), Status> {
        wire.put(message);
        Ok(())
    }
}

impl Decoder for WireCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, wire: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(wire.copy_to_bytes(wire.remaining())))
    }
}
