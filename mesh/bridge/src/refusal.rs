//! The reasons for which the bridge itself turns a request away, and the status and HTTP code of each.

use std::time::Duration;

use http::StatusCode;
use plexus_runtime::status::{Code, Problem, Reason};
use tonic::Status;

use crate::transcode::Fault;

/// What an overloaded bridge asks clients to wait: long enough for requests at the deadline's median to
/// end, short enough for a person to bear.
const OVERLOADED_RETRY: Duration = Duration::from_secs(1);

/// What a tonic server says, as `CANCELLED`, when the call's own `grpc-timeout` passes there first.
const TIMED_OUT: &str = "Timeout expired";

/// Why a request did not become an answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// No route has this path.
    Missing,
    /// The path exists with other methods: these.
    WrongMethod(String),
    /// The path cannot be decoded.
    MalformedPath,
    /// Path and query are longer than this many bytes.
    UrlTooLong(usize),
    /// The body is not `application/json` in UTF-8, or is compressed.
    MediaType(&'static str),
    /// The body is larger than this many bytes.
    TooLarge(usize),
    /// The headers that would be passed on are larger than this many bytes.
    HeadersTooLarge(usize),
    /// The body did not arrive whole.
    BodyBroken,
    /// The body did not arrive within this many milliseconds.
    BodyTimeout(u64),
    /// A header cannot be read: its name, and what is expected.
    Header(&'static str, &'static str),
    /// A field of the request is wrong.
    Fault(Fault),
    /// As many requests or streams run as may.
    Overloaded,
    /// The deadline passed.
    DeadlineExceeded,
    /// The bridge shuts down.
    Draining,
    /// The service answered with an error.
    Upstream(Status),
    /// A fault of the bridge or of an answer; it has been logged.
    Internal(Problem),
}

impl Refusal {
    /// The HTTP code and the status.
    pub(crate) fn into_parts(self) -> (StatusCode, Status) {
        let special = match &self {
            Self::WrongMethod(_) => Some(StatusCode::METHOD_NOT_ALLOWED),
            Self::UrlTooLong(_) => Some(StatusCode::URI_TOO_LONG),
            Self::MediaType(_) => Some(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::TooLarge(_) => Some(StatusCode::PAYLOAD_TOO_LARGE),
            Self::HeadersTooLarge(_) => Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Self::BodyTimeout(_) => Some(StatusCode::REQUEST_TIMEOUT),
            _ => None,
        };
        let status = match self {
            Self::Upstream(status) => told(status),
            own => Status::from(own.problem()),
        };
        (special.unwrap_or_else(|| http_code(status.code())), status)
    }

    fn problem(self) -> Problem {
        let invalid = |reason, message: String| Problem::new(Code::InvalidArgument, reason, message);
        match self {
            Self::Missing => {
                Problem::new(Code::NotFound, Reason::NotFound, "no route has this path; see /openapi.json")
            }
            Self::WrongMethod(allowed) => Problem::new(
                Code::Unimplemented,
                Reason::MethodNotAllowed,
                format!("this path has other methods: {allowed}"),
            ),
            Self::MalformedPath => Problem::invalid("(path)", "cannot be percent-decoded to UTF-8"),
            Self::UrlTooLong(limit) => {
                invalid(Reason::TooLarge, format!("the path and the query are over {limit} bytes"))
                    .metadata("limit_bytes", limit.to_string())
            }
            Self::MediaType(expected) => {
                invalid(Reason::UnsupportedMediaType, format!("content-type: {expected}"))
                    .field("content-type", expected)
            }
            Self::TooLarge(limit) => invalid(Reason::TooLarge, format!("the body is over {limit} bytes"))
                .metadata("limit_bytes", limit.to_string()),
            Self::HeadersTooLarge(limit) => {
                invalid(Reason::TooLarge, format!("the headers that are passed on are over {limit} bytes"))
                    .metadata("limit_bytes", limit.to_string())
            }
            Self::BodyTimeout(limit) => Problem::new(
                Code::DeadlineExceeded,
                Reason::DeadlineExceeded,
                format!("the body did not arrive within {limit} ms"),
            )
            .metadata("limit_ms", limit.to_string()),
            Self::BodyBroken => Problem::invalid("(body)", "did not arrive whole"),
            Self::Header(name, expected) => Problem::invalid(name, expected),
            Self::Fault(Fault { field, description, at: None }) => Problem::invalid(field, description),
            Self::Fault(Fault { field, description, at: Some((line, column)) }) => {
                Problem::invalid(field, format!("{description} (line {line}, column {column})"))
                    .metadata("line", line.to_string())
                    .metadata("column", column.to_string())
            }
            Self::Overloaded => Problem::new(
                Code::ResourceExhausted,
                Reason::Overloaded,
                "the bridge is at capacity; try again",
            )
            .retry_after(OVERLOADED_RETRY),
            Self::DeadlineExceeded => {
                Problem::new(Code::DeadlineExceeded, Reason::DeadlineExceeded, "the deadline passed")
            }
            Self::Draining => {
                Problem::new(Code::Unavailable, Reason::Draining, "the bridge shuts down; connect again")
                    .retry_after(OVERLOADED_RETRY)
            }
            Self::Internal(problem) => problem,
            Self::Upstream(status) => Problem::new(status.code(), Reason::Internal, status.message()),
        }
    }
}

/// The status of a service as clients may see it. One without details comes from the way to the service,
/// not from the service: its text tells of addresses and connections and goes to the log instead.
fn told(status: Status) -> Status {
    if !status.details().is_empty() {
        return status;
    }
    match status.code() {
        Code::Unavailable => Problem::unavailable("the service", &status).into(),
        Code::DeadlineExceeded => Refusal::DeadlineExceeded.problem().into(),
        Code::Cancelled if status.message() == TIMED_OUT => Refusal::DeadlineExceeded.problem().into(),
        Code::ResourceExhausted => Refusal::Overloaded.problem().into(),
        Code::Unknown | Code::Internal | Code::DataLoss => Problem::internal(&status).into(),
        _ => status,
    }
}

/// The HTTP code of a gRPC code, as google/rpc/code.proto maps them.
pub(crate) fn http_code(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        // nginx's "client closed request", which code.proto names.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
