//! Which status codes speak against the endpoint that a call met.

use tonic::Code;

/// Whether a call that ended so speaks against its endpoint.
///
/// - `UNAVAILABLE`, `INTERNAL`, `DATA_LOSS`: the endpoint or the way to it is broken.
/// - `UNKNOWN`: a handler that failed without saying how, or a transport that did.
/// - `DEADLINE_EXCEEDED`: all that a frozen endpoint ever shows.
///
/// All else is an answer, and answering is what is asked of an endpoint: `NOT_FOUND`,
/// `PERMISSION_DENIED` and the like speak of the request. `RESOURCE_EXHAUSTED` is an answer too:
/// an endpoint that sheds load works, and setting it aside would push its load on to its peers,
/// which shed next. (linkerd2-proxy counts the same codes, and `PERMISSION_DENIED`.)
///
/// `CANCELLED` is neither: its caller went away, or another attempt of a hedged call was faster.
/// [`Record::ended`](super::Record::ended) does not count it at all.
#[must_use]
pub fn is_endpoint_failure(code: Code) -> bool {
    match code {
        Code::Unknown | Code::DeadlineExceeded | Code::Internal | Code::Unavailable | Code::DataLoss => true,
        Code::Ok
        | Code::Cancelled
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_five_codes_of_a_broken_endpoint_count_as_failures() {
        let failures: Vec<i32> = (0..=16).filter(|code| is_endpoint_failure(Code::from_i32(*code))).collect();
        assert_eq!(failures, [2, 4, 13, 14, 15]);
    }
}
