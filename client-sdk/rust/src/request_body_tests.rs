//! Attempts side by side read the same body, whoever polls it.

use futures_util::{FutureExt as _, StreamExt as _, future::poll_fn};
use http_body::Body as _;
use http_body_util::StreamBody;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::*;

/// A body that yields what is sent to it.
fn body() -> (mpsc::Sender<Bytes>, Outgoing) {
    body_in(&ReplayMemory::default())
}

fn body_in(memory: &ReplayMemory) -> (mpsc::Sender<Bytes>, Outgoing) {
    let (sender, receiver) = mpsc::channel(64);
    let frames = ReceiverStream::new(receiver).map(|data| Ok::<_, Status>(Frame::data(data)));
    (sender, Outgoing::new(Body::new(StreamBody::new(frames)), memory))
}

async fn next(body: &mut RequestBody) -> Option<Result<Bytes, String>> {
    let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
    Some(frame.map(|frame| frame.into_data().unwrap()).map_err(|error| error.to_string()))
}

#[tokio::test]
async fn a_later_attempt_reads_the_body_from_its_beginning() {
    let (sender, outgoing) = body();
    let mut first = outgoing.attempt().unwrap();
    sender.send("one".into()).await.unwrap();
    assert_eq!(next(&mut first).await, Some(Ok("one".into())));
    let mut second = outgoing.attempt().unwrap();
    assert_eq!(next(&mut second).await, Some(Ok("one".into())));
    sender.send("two".into()).await.unwrap();
    drop(sender);
    for attempt in [&mut first, &mut second] {
        assert_eq!(next(attempt).await, Some(Ok("two".into())));
        assert_eq!(next(attempt).await, None);
    }
}

#[tokio::test]
async fn an_attempt_that_waits_goes_on_when_the_one_that_polled_the_body_is_dropped() {
    let (sender, outgoing) = body();
    let (mut first, mut second) = (outgoing.attempt().unwrap(), outgoing.attempt().unwrap());
    let waiting = tokio::spawn(async move { next(&mut second).await });
    tokio::task::yield_now().await;
    assert!(next(&mut first).now_or_never().is_none(), "the body knows the first attempt's waker now");
    drop(first);
    sender.send("late".into()).await.unwrap();
    assert_eq!(waiting.await.unwrap(), Some(Ok("late".into())));
}

#[tokio::test]
async fn the_attempt_that_answered_reads_on_and_the_others_end() {
    let (sender, outgoing) = body();
    let (mut first, mut second) = (outgoing.attempt().unwrap(), outgoing.attempt().unwrap());
    sender.send("one".into()).await.unwrap();
    assert_eq!(next(&mut first).await, Some(Ok("one".into())));
    outgoing.commit(second.attempt());
    assert!(next(&mut first).await.unwrap().is_err());
    assert_eq!(next(&mut second).await, Some(Ok("one".into())));
    sender.send("two".into()).await.unwrap();
    assert_eq!(next(&mut second).await, Some(Ok("two".into())));
    assert!(outgoing.attempt().is_none(), "an answered call is not sent again");
    assert_eq!(lock(&outgoing.0).kept.len(), 0, "what is sent is let go of");
}

#[tokio::test]
async fn a_request_larger_than_what_is_kept_is_bound_to_the_attempt_that_sent_it() {
    let (sender, outgoing) = body();
    let mut first = outgoing.attempt().unwrap();
    let mut second = outgoing.attempt().unwrap();
    let half = Bytes::from(vec![7; REPLAY_BYTES_MAX / 2]);
    for _ in 0..2 {
        sender.send(half.clone()).await.unwrap();
        assert_eq!(next(&mut first).await, Some(Ok(half.clone())));
    }
    assert!(outgoing.is_repeatable(), "exactly the limit is kept");
    sender.send("x".into()).await.unwrap();
    assert_eq!(next(&mut first).await, Some(Ok("x".into())));
    assert!(!outgoing.is_repeatable() && outgoing.attempt().is_none());
    assert!(next(&mut second).await.unwrap().is_err());
    sender.send("y".into()).await.unwrap();
    assert_eq!(next(&mut first).await, Some(Ok("y".into())));
}

#[tokio::test]
async fn the_end_of_the_call_ends_all_bodies_and_drops_the_callers() {
    let (sender, outgoing) = body();
    let mut first = outgoing.attempt().unwrap();
    let waiting = tokio::spawn(async move { next(&mut first).await });
    tokio::task::yield_now().await;
    drop(outgoing);
    assert!(waiting.await.unwrap().unwrap().is_err());
    assert!(sender.is_closed());
}

#[tokio::test]
async fn all_requests_of_a_channel_share_what_is_kept_and_give_it_back() {
    let memory = ReplayMemory::default();
    let megabyte = Bytes::from(vec![7; REPLAY_BYTES_MAX]);
    let mut open = Vec::new();
    for _ in 0..CHANNEL_REPLAY_BYTES_MAX / REPLAY_BYTES_MAX {
        let (sender, outgoing) = body_in(&memory);
        sender.send(megabyte.clone()).await.unwrap();
        next(&mut outgoing.attempt().unwrap()).await.unwrap().unwrap();
        assert!(outgoing.is_repeatable());
        open.push(outgoing);
    }
    let (sender, late) = body_in(&memory);
    sender.send("x".into()).await.unwrap();
    next(&mut late.attempt().unwrap()).await.unwrap().unwrap();
    assert!(!late.is_repeatable(), "there is no room for one byte more");
    drop((open, late));
    assert_eq!(memory.0.load(Ordering::Relaxed), 0);
}
