//! What a transport error means: a gRPC status, and whether the call is sure not to have been processed.

use std::error::Error;

use h2::Reason;
use tonic::{Code, Status};

use crate::address::Address;

/// Whether it is certain that no server acted on the request: it was never written, was refused
/// (`REFUSED_STREAM`), or lay beyond the last stream of a GOAWAY (RFC 9113, 6.8 and 8.7).
///
/// `returned` says that hyper handed the request back. Its "dispatch gone" (the only user error here)
/// is what a request gets that waited for a free stream when its connection ended.
pub(crate) fn is_unprocessed(error: &hyper::Error, returned: bool) -> bool {
    if returned || error.is_user() {
        return true;
    }
    http2_error(error).is_some_and(|error| {
        error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM))
    })
}

/// The status of a call whose transport failed (gRPC over HTTP/2, "Errors"), naming the replica.
pub(crate) fn status(error: &hyper::Error, replica: &Address) -> Status {
    let reset = http2_error(error).filter(|error| error.is_reset()).and_then(h2::Error::reason);
    let code = match reset {
        None | Some(Reason::REFUSED_STREAM) => Code::Unavailable,
        Some(Reason::CANCEL) => Code::Cancelled,
        Some(Reason::ENHANCE_YOUR_CALM) => Code::ResourceExhausted,
        Some(Reason::INADEQUATE_SECURITY) => Code::PermissionDenied,
        Some(_) => Code::Internal,
    };
    Status::new(code, format!("replica {replica}: {}", describe(error)))
}

/// The status of an answer that ended without one: whatever came of it may not be all.
pub(crate) fn cut_off(replica: &Address) -> Status {
    Status::unknown(format!("replica {replica}: the answer ended without grpc-status"))
}

/// An error with its causes in one line.
pub(crate) fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn http2_error(error: &hyper::Error) -> Option<&h2::Error> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(found) = cause.downcast_ref::<h2::Error>() {
            return Some(found);
        }
        source = cause.source();
    }
    None
}
