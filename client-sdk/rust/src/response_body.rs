//! The body of a response: bounded by the deadline, and the place where a call ends.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};
use tonic::{Code, Status};

use crate::{
    address::Address, failure, limits::Permit, load::InFlight, request_body::Outgoing, trace::CallSpan,
};

/// What a call holds until it ends, however it ends.
pub(crate) struct OpenCall {
    pub(crate) span: CallSpan,
    pub(crate) replica: Address,
    #[expect(dead_code, reason = "dropping it stops the request and ends the counting of the call")]
    pub(crate) held: (Outgoing, InFlight, Permit),
}

/// The body of a response. Dropped before its end, it cancels the call at the server.
pub(crate) struct ResponseBody {
    incoming: Incoming,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Absent when the call has ended.
    call: Option<OpenCall>,
}

impl ResponseBody {
    pub(crate) fn new(incoming: Incoming, deadline: Option<Instant>, mut call: OpenCall) -> Self {
        let mut call_left = None;
        if incoming.is_end_stream() {
            // A head without a body and without a status; one with a status is recorded already.
            call.span.finish(Code::Unknown, "no grpc-status");
        } else {
            call_left = Some(call);
        }
        let deadline = deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline)));
        Self { incoming, deadline, call: call_left }
    }

    fn fail(&mut self, status: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(mut call) = self.call.take() {
            call.span.finish(status.code(), status.message());
        }
        Poll::Ready(Some(Err(status)))
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.call.is_none() {
            return Poll::Ready(None);
        }
        // Before the data: a stream that always has some must end in time, too.
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            return self.fail(Status::deadline_exceeded("the deadline passed before the response ended"));
        }
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref()
                    && let Some(mut call) = self.call.take()
                {
                    call.span.finish_from(trailers);
                    call.span.finish(Code::Unknown, "no grpc-status");
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let status = match &self.call {
                    Some(call) => failure::status(&error, &call.replica),
                    None => Status::unavailable(error.to_string()),
                };
                self.fail(status)
            }
            Poll::Ready(None) => {
                if let Some(mut call) = self.call.take() {
                    call.span.finish(Code::Unknown, "no grpc-status");
                }
                Poll::Ready(None)
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
