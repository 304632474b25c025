//! The events of a response, with limits on silence, on a line, and on the whole.

use std::time::Duration;

use bytes::Bytes;
use eventsource_stream::{EventStreamError, Eventsource as _};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::time::timeout;

use super::failure::{Cause, Failure};

/// The longest line: an event is one line, and a delta is some hundred bytes.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// All of a response: 32768 tokens, each in a frame of half a kilobyte.
const RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The data of each event of `response`, which may be silent for `idle` at most. Comments keep it alive.
///
/// Nothing is read before it is asked for, so that a slow reader slows the provider down.
pub(super) fn events(
    response: reqwest::Response,
    idle: Duration,
) -> impl Stream<Item = Result<String, Failure>> {
    bounded(response, idle).eventsource().map(|event| match event {
        Ok(event) => Ok(event.data),
        Err(EventStreamError::Transport(failure)) => Err(failure),
        Err(EventStreamError::Utf8(_) | EventStreamError::Parser(_)) => Err(Failure::new(Cause::Protocol)),
    })
}

struct Reading {
    response: reqwest::Response,
    line_bytes: usize,
    response_bytes: usize,
}

fn bounded(response: reqwest::Response, idle: Duration) -> impl Stream<Item = Result<Bytes, Failure>> {
    let reading = Reading { response, line_bytes: 0, response_bytes: 0 };
    stream::try_unfold(reading, move |mut reading| async move {
        let chunk = timeout(idle, reading.response.chunk())
            .await
            .map_err(|_elapsed| Failure::new(Cause::Timeout))?
            .map_err(|_broken| Failure::new(Cause::Connection))?;
        let Some(chunk) = chunk else { return Ok(None) };
        reading.count(&chunk)?;
        Ok(Some((chunk, reading)))
    })
}

impl Reading {
    fn count(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        self.response_bytes += chunk.len();
        self.line_bytes = match chunk.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => chunk.len() - at - 1,
            None => self.line_bytes + chunk.len(),
        };
        if self.line_bytes > LINE_BYTES_MAX || self.response_bytes > RESPONSE_BYTES_MAX {
            return Err(Failure::new(Cause::Protocol));
        }
        Ok(())
    }
}
