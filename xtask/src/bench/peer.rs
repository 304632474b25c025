//! The clients that are compared, and the two calls they make.

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;
use clap::ValueEnum;
use http::uri::PathAndQuery;
use tonic::{
    Request, Status,
    body::Body,
    client::{Grpc, GrpcService},
    codegen::{Body as HttpBody, Bytes, StdError},
    transport::Endpoint,
};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};
use tonic_prost::ProstCodec;

use super::sdk;

/// The call that may run twice.
pub(crate) const READ: &str = "/plexus.bench.v1.Replica/Read";
/// The call that may not.
pub(crate) const WRITE: &str = "/plexus.bench.v1.Replica/Write";
/// The metadata in which a call carries its number, so that the replicas' logs show which ran twice.
pub(crate) const CALL_NUMBER: &str = "call-number";
/// The deadline of each call.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1);
/// What a call carries, and gets back.
pub(crate) const PAYLOAD_BYTES: usize = 32;

/// A client under measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// This SDK.
    Plexus,
    /// `tonic::transport::Channel::balance_list`.
    Tonic,
    /// One plain `tonic::transport::Channel`, to the first endpoint.
    TonicSingle,
}

impl Kind {
    /// The name in the tables, and on the command line of a driver.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plexus => "plexus",
            Self::Tonic => "tonic",
            Self::TonicSingle => "tonic-single",
        }
    }
}

/// A client, connected or about to be.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    Plexus(plexus_client::Channel),
    Tonic(tonic::transport::Channel),
}

impl Peer {
    pub(crate) fn new(kind: Kind, endpoints: &[SocketAddr]) -> Result<Self> {
        let all = || endpoints.iter().map(|at| Endpoint::from_shared(format!("http://{at}")));
        Ok(match kind {
            Kind::Plexus => Self::Plexus(sdk::channel(endpoints)?),
            Kind::Tonic => {
                let endpoints = all().collect::<Result<Vec<_>, _>>()?;
                Self::Tonic(tonic::transport::Channel::balance_list(endpoints.into_iter()))
            }
            Kind::TonicSingle => {
                let endpoint = all().next().ok_or_else(|| anyhow::anyhow!("--endpoints is empty"))??;
                Self::Tonic(endpoint.connect_lazy())
            }
        })
    }

    /// Makes one call. `number` identifies it; without one the replicas do not note it.
    pub(crate) async fn call(&self, path: &'static str, number: Option<usize>) -> Result<(), Status> {
        let mut request = Request::new(vec![7; PAYLOAD_BYTES]);
        if let Some(number) = number {
            request.metadata_mut().insert(CALL_NUMBER, number.into());
        }
        request.set_timeout(DEADLINE);
        match self {
            Self::Plexus(channel) => unary(channel.clone(), path, request).await,
            Self::Tonic(channel) => unary(channel.clone(), path, request).await,
        }
    }

    /// Holds a stream open until the server ends it.
    pub(crate) async fn hold_stream(&self) -> Result<(), Status> {
        match self {
            Self::Plexus(channel) => watch(HealthClient::new(channel.clone())).await,
            Self::Tonic(channel) => watch(HealthClient::new(channel.clone())).await,
        }
    }
}

/// What generated code does for a unary method.
async fn unary<S>(channel: S, path: &'static str, request: Request<Vec<u8>>) -> Result<(), Status>
where
    S: GrpcService<Body>,
    S::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <S::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::unknown(format!("not ready: {}", error.into())))?;
    let codec = ProstCodec::<Vec<u8>, Vec<u8>>::default();
    grpc.unary(request, PathAndQuery::from_static(path), codec).await.map(drop)
}

async fn watch<S>(mut client: HealthClient<S>) -> Result<(), Status>
where
    S: GrpcService<Body>,
    S::Error: Into<StdError>,
    S::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <S::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    let mut stream = client.watch(HealthCheckRequest::default()).await?.into_inner();
    while let Some(HealthCheckResponse { .. }) = stream.message().await? {}
    Ok(())
}
