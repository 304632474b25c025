//! The grammar of grpc-timeout, and which deadline holds.

use proptest::prelude::*;

use super::*;

fn headers(timeout: Duration) -> HeaderMap {
    HeaderMap::from_iter([(GRPC_TIMEOUT, format(timeout))])
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_never_longer_and_precise_to_a_millionth(
        seconds in 0_u64..360_000_000_000, nanos in 0_u32..1_000_000_000,
    ) {
        let timeout = Duration::new(seconds, nanos);
        let value = format(timeout);
        prop_assert!(value.len() <= DIGITS_MAX + 1);
        let read = parse(&value).unwrap();
        prop_assert!(read <= timeout);
        // The coarsest step is from 8 to 7 digits of minutes: 1/1,666,666.
        prop_assert!((timeout - read).as_secs_f64() <= timeout.as_secs_f64() / 1.6e6);
    }

    #[test]
    fn every_value_of_the_grammar_is_read(amount in 0_u64..100_000_000, unit in 0_usize..6) {
        let (letter, nanos) = [
            ("H", 3_600_000_000_000_u128), ("M", 60_000_000_000), ("S", 1_000_000_000),
            ("m", 1_000_000), ("u", 1_000), ("n", 1),
        ][unit];
        let value = HeaderValue::try_from(format!("{amount}{letter}")).unwrap();
        prop_assert_eq!(parse(&value).unwrap().as_nanos(), u128::from(amount) * nanos);
    }

    #[test]
    fn no_value_makes_the_reader_fail(bytes in prop::collection::vec(32_u8..255, 0..12)) {
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            let grammar = bytes.len() >= 2 && bytes.len() <= 9
                && bytes[..bytes.len() - 1].iter().all(u8::is_ascii_digit)
                && b"HMSmun".contains(&bytes[bytes.len() - 1]);
            prop_assert_eq!(parse(&value).is_some(), grammar);
        }
    }
}

#[test]
fn the_longest_duration_is_written_within_the_grammar() {
    assert_eq!(format(Duration::MAX), "99999999H");
}

#[tokio::test(start_paused = true)]
async fn the_smaller_of_own_and_inherited_deadline_bounds_the_whole_call() {
    let now = Instant::now();
    let (short, long) = (Duration::from_secs(1), Duration::from_secs(5));
    for (own, inherited) in [(short, long), (long, short)] {
        let deadline =
            Deadline::of(&headers(own), Some(now + inherited), None, Some(Duration::from_millis(1)));
        assert_eq!((deadline.head, deadline.call), (Some(now + short), Some(now + short)));
    }
}

#[tokio::test(start_paused = true)]
async fn the_default_bounds_only_the_head_and_is_not_announced() {
    let deadline = Deadline::of(&HeaderMap::new(), None, None, Some(Duration::from_secs(3)));
    assert_eq!((deadline.head, deadline.call), (Some(Instant::now() + Duration::from_secs(3)), None));
    let mut headers = HeaderMap::new();
    deadline.announce(&mut headers);
    assert!(headers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_announced_is_the_time_that_remains() {
    let deadline = Deadline::of(&headers(Duration::from_secs(3)), None, None, None);
    tokio::time::advance(Duration::from_secs(1)).await;
    let mut announced = HeaderMap::new();
    deadline.announce(&mut announced);
    assert_eq!(parse(&announced[GRPC_TIMEOUT]), Some(Duration::from_secs(2)));
    tokio::time::advance(Duration::from_secs(9)).await;
    deadline.announce(&mut announced);
    assert_eq!(parse(&announced[GRPC_TIMEOUT]), Some(Duration::ZERO));
}

#[tokio::test]
async fn a_scope_is_seen_inside_it_only_and_the_inner_one_replaces_the_outer() {
    let deadline = Instant::now() + Duration::from_secs(1);
    assert_eq!(current(), None);
    scope(Some(deadline), async {
        assert_eq!(current(), Some(deadline));
        scope(None, async { assert_eq!(current(), None) }).await;
        assert_eq!(tokio::spawn(async { current() }).await.unwrap(), None);
    })
    .await;
}
