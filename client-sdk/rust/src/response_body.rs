//! The body of a response: bounded by the deadline, and the place where a call ends.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};
use tonic::{Code, Status};

use crate::{attempt::Attempt, failure, limits::Permit, request_body::Outgoing, telemetry::CallRecord};

/// What a call holds until it ends, however it ends.
pub(crate) struct OpenCall {
    pub(crate) record: CallRecord,
    pub(crate) attempt: Attempt,
    #[expect(dead_code, reason = "dropping it stops the request and ends the counting of the call")]
    pub(crate) held: (Outgoing, Permit),
}

/// The body of a response. Dropped before its end, it cancels the call at the server.
pub(crate) struct ResponseBody {
    /// Read already, while another attempt was still possible.
    read: VecDeque<Frame<Bytes>>,
    incoming: Incoming,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Absent when the call has ended.
    call: Option<OpenCall>,
}

impl OpenCall {
    fn finish(mut self, code: Code, description: &str) {
        self.attempt.finish(code, description);
        self.record.finish(code, description);
    }

    /// Answers whether they hold a status.
    fn finish_from(mut self, headers: &HeaderMap) -> bool {
        let status = self.attempt.finish_from(headers);
        match &status {
            Some(status) => self.record.finish(status.code(), status.message()),
            None => self.finish(Code::Unknown, "no grpc-status"),
        }
        status.is_some()
    }
}

impl ResponseBody {
    /// The body behind this head.
    pub(crate) fn new(
        head: &HeaderMap,
        (read, incoming): (VecDeque<Frame<Bytes>>, Incoming),
        deadline: Option<Instant>,
        call: OpenCall,
    ) -> Self {
        let call = if read.is_empty() && incoming.is_end_stream() {
            call.finish_from(head);
            None
        } else {
            Some(call)
        };
        // What has been read whole waits for nothing.
        let deadline = deadline.filter(|_| !read.back().is_some_and(Frame::is_trailers));
        let deadline = deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline)));
        Self { read, incoming, deadline, call }
    }

    fn fail(&mut self, status: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(call) = self.call.take() {
            call.finish(status.code(), status.message());
        }
        Poll::Ready(Some(Err(status)))
    }

    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.read.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.incoming).poll_frame(context),
        }
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
        match self.next(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(data), Some(call)) = (frame.data_ref(), &mut self.call) {
                    call.attempt.received(data);
                }
                if let Some(trailers) = frame.trailers_ref()
                    && let Some(call) = self.call.take()
                {
                    let replica = call.attempt.endpoint.address().clone();
                    if !call.finish_from(trailers) {
                        return Poll::Ready(Some(Err(failure::cut_off(&replica))));
                    }
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let status = match &self.call {
                    Some(call) => failure::status(&error, call.attempt.endpoint.address()),
                    None => Status::unavailable(error.to_string()),
                };
                self.fail(status)
            }
            Poll::Ready(None) => {
                let cut_off =
                    self.call.as_ref().map(|call| failure::cut_off(call.attempt.endpoint.address()));
                cut_off.map_or(Poll::Ready(None), |status| self.fail(status))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        if self.read.is_empty() { self.incoming.size_hint() } else { SizeHint::default() }
    }
}
