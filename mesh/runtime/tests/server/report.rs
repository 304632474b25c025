//! The load report that answers carry.

use std::collections::HashMap;

use plexus_proto::auth::v1::{GetJwksRequest, GetRoleRequest, WatchTrustRequest};
use plexus_runtime::server::ServerSettings;
use plexus_testkit::Harness;
use prost::Message;
use tonic::metadata::MetadataMap;
use tonic_health::pb::HealthCheckRequest;

use crate::{one_connection::OneConnection, sample::Sample};

const TRAILER: &str = "endpoint-load-metrics-bin";

/// The fields of `xds.data.orca.v3.OrcaLoadReport` that the tests read, as its proto file numbers them.
#[derive(Clone, PartialEq, Message)]
struct Report {
    #[prost(map = "string, double", tag = "8")]
    named_metrics: HashMap<String, f64>,
    #[prost(double, tag = "9")]
    application_utilization: f64,
}

fn report(trailers: &MetadataMap) -> Report {
    let mut values = trailers.get_all_bin(TRAILER).iter();
    let value = values.next().unwrap().to_bytes().unwrap();
    assert!(values.next().is_none(), "one report is enough");
    Report::decode(value).unwrap()
}

#[tokio::test]
async fn every_answer_says_how_loaded_the_server_is() {
    let server = ServerSettings { calls_in_flight_max: 4, lame_duck_ms: 0, ..ServerSettings::default() };
    let mesh = Harness::of::<Sample>().server(server).start().await.unwrap();
    let connection = OneConnection::open(mesh.address(), &mesh.token("service:ai", &[])).await.unwrap();

    let answer = connection.trust().get_jwks(GetJwksRequest {}).await.unwrap();
    let idle = report(answer.metadata());
    assert_eq!((idle.named_metrics["in_flight"], idle.application_utilization), (0.0, 0.25));

    let _stream = connection.trust().watch_trust(WatchTrustRequest {}).await.unwrap();
    let refused = connection.roles().get_role(GetRoleRequest::default()).await.unwrap_err();
    let probed = connection.health().check(HealthCheckRequest::default()).await.unwrap();
    for trailers in [refused.metadata(), probed.metadata()] {
        let busy = report(trailers);
        assert_eq!((busy.named_metrics["in_flight"], busy.application_utilization), (1.0, 0.5));
    }
}

#[tokio::test]
async fn a_server_that_is_told_not_to_report_does_not() {
    let server = ServerSettings { load_reports: false, lame_duck_ms: 0, ..ServerSettings::default() };
    let mesh = Harness::of::<Sample>().server(server).start().await.unwrap();
    let connection = OneConnection::open(mesh.address(), "").await.unwrap();
    let probed = connection.health().check(HealthCheckRequest::default()).await.unwrap();
    assert!(probed.metadata().get_bin(TRAILER).is_none());
}
