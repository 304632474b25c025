//! What of a request decides which replica gets it.

use http::{HeaderMap, HeaderName};
use twox_hash::XxHash64;

/// Names the part of a request whose hash [`RingHash`](super::RingHash) follows: calls for which it is
/// the same meet the same replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashKey {
    /// A header; several values count as one, joined by commas (gRFC A76).
    Header(HeaderName),
    /// The protobuf field with this number in the first message of the request, at its top level: a
    /// string, bytes, a message or a number. Of a repeated field the last one counts, as protobuf says.
    Field(u32),
}

impl HashKey {
    /// The XXH64 hash of what the request has; `None` when it has no such header or field, or an empty
    /// one. `message` is the first message as it is on the wire, not compressed, without the five bytes
    /// before it; it may be cut off after the field.
    #[must_use]
    pub fn hash(&self, headers: &HeaderMap, message: &[u8]) -> Option<u64> {
        match self {
            Self::Header(name) => header_hash(headers, name),
            Self::Field(number) => field(message, *number).filter(|bytes| !bytes.is_empty()).map(hash),
        }
    }
}

/// The hash of the ring (gRFC A42: XXH64 with seed 0).
pub(super) fn hash(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(0, bytes)
}

fn header_hash(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.as_bytes();
    match values.next() {
        None => (!first.is_empty()).then(|| hash(first)),
        Some(second) => {
            let rest = values.map(http::HeaderValue::as_bytes);
            let all: Vec<_> = [first, second.as_bytes()].into_iter().chain(rest).collect();
            Some(hash(&all.join(&b","[..])))
        }
    }
}

/// The bytes of the last field with this number, a number's as they are on the wire.
fn field(mut message: &[u8], number: u32) -> Option<&[u8]> {
    let mut found = None;
    while let Some((key, rest)) = varint(message) {
        let Some((value, rest)) = value(key & 7, rest) else { break };
        if key >> 3 == u64::from(number) {
            found = Some(value);
        }
        message = rest;
    }
    found
}

/// Splits off the value of this wire type; `None` when it is cut off or of the old group types.
fn value(wire_type: u64, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match wire_type {
        0 => {
            let (_, rest) = varint(bytes)?;
            Some(bytes.split_at(bytes.len() - rest.len()))
        }
        1 => bytes.split_at_checked(8),
        2 => {
            let (length, rest) = varint(bytes)?;
            rest.split_at_checked(usize::try_from(length).ok()?)
        }
        5 => bytes.split_at_checked(4),
        _ => None,
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    // Ten bytes of seven bits hold 64 bits.
    for (index, &byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some((number, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    #[derive(Clone, PartialEq, prost::Message)]
    struct Request {
        #[prost(uint64, tag = "1")]
        count: u64,
        #[prost(string, tag = "2")]
        user: String,
        #[prost(double, tag = "3")]
        score: f64,
        #[prost(fixed32, tag = "4")]
        shard: u32,
        #[prost(string, tag = "500")]
        session: String,
    }

    fn of_field(message: &[u8], number: u32) -> Option<u64> {
        HashKey::Field(number).hash(&HeaderMap::new(), message)
    }

    #[test]
    fn a_header_s_values_are_joined_by_commas_and_an_empty_one_counts_as_none() {
        let name = HeaderName::from_static("session-id");
        let key = HashKey::Header(name.clone());
        let mut headers = HeaderMap::new();
        assert_eq!(key.hash(&headers, &[]), None);
        headers.append(name.clone(), HeaderValue::from_static(""));
        assert_eq!(key.hash(&headers, &[]), None);
        headers.insert(name.clone(), HeaderValue::from_static("a"));
        assert_eq!(key.hash(&headers, &[]), Some(hash(b"a")));
        headers.append(name, HeaderValue::from_static("b"));
        assert_eq!(key.hash(&headers, &[]), Some(hash(b"a,b")));
    }

    #[test]
    fn the_hash_is_xxh64_with_seed_0() {
        // The first test vectors of the reference implementation's documentation of XXH64.
        assert_eq!(hash(b""), 0xef46_db37_51d8_e999);
        assert_eq!(hash(b"a"), 0xd24e_c4f1_a98c_6e5b);
    }

    #[test]
    fn of_a_field_that_comes_twice_the_last_counts_and_what_is_cut_off_does_not() {
        let once = [0x12, 1, b'a'];
        let twice = [once, [0x12, 1, b'b']].concat();
        assert_eq!(of_field(&twice, 2), Some(hash(b"b")));
        assert_eq!(of_field(&twice[..5], 2), Some(hash(b"a")));
        assert_eq!(of_field(&once[..2], 2), None);
        assert_eq!(of_field(&[0x13], 2), None);
    }

    proptest! {
        #[test]
        fn the_same_field_gives_the_same_hash_whatever_is_beside_it(
            count: u64, score: f64, shard: u32, user in "[a-z]{1,9}", session in "[a-z]{1,9}",
        ) {
            let expected = Some(hash(session.as_bytes()));
            let message = Request { count, user, score, shard, session }.encode_to_vec();
            prop_assert_eq!(of_field(&message, 500), expected);
            prop_assert_eq!(of_field(&message, 7), None);
        }

        #[test]
        fn no_message_is_too_broken(bytes: Vec<u8>, number: u32) {
            let hash = of_field(&bytes, number);
            prop_assert_eq!(hash, of_field(&bytes, number));
        }
    }
}
