//! What is counted is what is there, and nothing is left of what is gone.

use super::*;
use crate::telemetry::recorded::Recorded;

#[test]
fn an_endpoint_counts_in_one_state_and_in_none_when_it_is_gone() {
    let recorded = Recorded::new();
    let metrics = recorded.metrics();
    let endpoints = [metrics.endpoint(), metrics.endpoint()];
    for state in [
        EndpointState::Connecting,
        EndpointState::Waiting,
        EndpointState::Ejected,
        EndpointState::NotServing,
        EndpointState::Ready,
        EndpointState::Ready,
    ] {
        endpoints[0].set(state);
    }
    endpoints[1].set(EndpointState::Ready);
    let line = |state: &str, count: i32| {
        format!(
            "plexus.client.endpoints{{grpc.target=quota,plexus.client.endpoint.state={state}}} {{endpoint}} {count}"
        )
    };
    let expected = |ready| {
        ["connecting", "ejected", "not_serving", "ready", "waiting"]
            .map(|state| line(state, if state == "ready" { ready } else { 0 }))
    };
    assert_eq!(recorded.lines(), expected(2));
    let [one, other] = endpoints;
    drop(one);
    assert_eq!(recorded.lines(), expected(1));
    drop(other);
    assert_eq!(recorded.lines(), expected(0));
}

#[test]
fn the_adaptive_limits_of_two_channels_add_up() {
    let recorded = Recorded::new();
    let metrics = recorded.metrics();
    let (one, other) = (metrics.concurrency_limit(), metrics.concurrency_limit());
    one.set(20);
    other.set(100);
    one.set(30);
    let line = |sum: i32| format!("plexus.client.concurrency.limit{{grpc.target=quota}} {{call}} {sum}");
    assert_eq!(recorded.lines(), [line(130)]);
    drop(other);
    assert_eq!(recorded.lines(), [line(30)]);
}

#[test]
fn a_connection_is_open_until_it_ends_and_says_why_it_did() {
    let recorded = Recorded::new();
    let connections = recorded.metrics().connections();
    connections.failed();
    let (one, two, three) = (connections.opened(), connections.opened(), connections.opened());
    one.close(Disconnect::GoAway(Reason::ENHANCE_YOUR_CALM));
    two.close(Disconnect::GoAway(Reason::from(4_000_000)));
    let at = "grpc.target=quota";
    let mut expected = vec![
        format!("grpc.subchannel.connection_attempts_failed{{{at}}} {{attempt}} 1"),
        format!("grpc.subchannel.connection_attempts_succeeded{{{at}}} {{attempt}} 3"),
        format!(
            "grpc.subchannel.disconnections{{grpc.disconnect_error=GOAWAY ENHANCE_YOUR_CALM,{at}}} {{disconnection}} 1"
        ),
        format!("grpc.subchannel.disconnections{{grpc.disconnect_error=unknown,{at}}} {{disconnection}} 1"),
        format!("grpc.subchannel.open_connections{{{at}}} {{connection}} 1"),
    ];
    assert_eq!(recorded.lines(), expected);
    drop(three);
    expected[4] = format!("grpc.subchannel.open_connections{{{at}}} {{connection}} 0");
    expected.insert(
        3,
        format!(
            "grpc.subchannel.disconnections{{grpc.disconnect_error=subchannel shutdown,{at}}} {{disconnection}} 1"
        ),
    );
    assert_eq!(recorded.lines(), expected);
}

#[test]
fn the_reason_of_a_disconnection_is_read_from_the_error_and_its_sources() {
    let reasons = [
        (io::ErrorKind::ConnectionReset, Disconnect::Reset, "connection reset"),
        (io::ErrorKind::TimedOut, Disconnect::TimedOut, "connection timed out"),
        (io::ErrorKind::ConnectionAborted, Disconnect::Aborted, "connection aborted"),
        (io::ErrorKind::BrokenPipe, Disconnect::Socket, "socket error"),
    ];
    for (kind, expected, name) in reasons {
        assert_eq!(Disconnect::from_error(&io::Error::from(kind)), expected);
        assert_eq!(expected.name(), name);
        let wrapped = Wrapped(io::Error::from(kind));
        assert_eq!(Disconnect::from_error(&wrapped), expected);
    }
    assert_eq!(Disconnect::from_error(&std::fmt::Error), Disconnect::Unknown);
}

#[derive(Debug, thiserror::Error)]
#[error("wrapped")]
struct Wrapped(#[source] io::Error);
