//! The sizes of gRPC messages in a body, without their framing (A66), whatever way it is cut into chunks.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A flag for compression and the length (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX_BYTES: usize = 5;

/// Follows the frames of one body and sums up what is in them.
#[derive(Debug, Default)]
pub(crate) struct MessageSizes {
    total_bytes: u64,
    /// What the present message still lacks.
    missing_bytes: usize,
    /// The prefix, as far as it has come.
    prefix: [u8; PREFIX_BYTES],
    prefix_bytes: usize,
}

impl MessageSizes {
    /// Takes the next chunk; looks at prefixes only.
    pub(crate) fn add(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() {
            if self.missing_bytes == 0 {
                let (prefix, rest) = chunk.split_at(chunk.len().min(PREFIX_BYTES - self.prefix_bytes));
                let end = self.prefix_bytes + prefix.len();
                self.prefix[self.prefix_bytes..end].copy_from_slice(prefix);
                self.prefix_bytes = end % PREFIX_BYTES;
                if end == PREFIX_BYTES {
                    let [_, length @ ..] = self.prefix;
                    self.missing_bytes = u32::from_be_bytes(length) as usize;
                }
                chunk = rest;
            }
            let (message, rest) = chunk.split_at(chunk.len().min(self.missing_bytes));
            self.missing_bytes -= message.len();
            self.total_bytes += message.len() as u64;
            chunk = rest;
        }
    }

    /// Bytes of messages so far.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.total_bytes
    }
}

/// What an attempt has sent, counted by the body that hyper sends and read when the attempt ends.
#[derive(Debug)]
pub(crate) struct SentMessages {
    sizes: MessageSizes,
    total_bytes: Arc<AtomicU64>,
}

impl SentMessages {
    pub(super) fn new(total_bytes: Arc<AtomicU64>) -> Self {
        Self { sizes: MessageSizes::default(), total_bytes }
    }

    /// Takes the next chunk of the attempt's body.
    pub(crate) fn add(&mut self, chunk: &[u8]) {
        self.sizes.add(chunk);
        self.total_bytes.store(self.sizes.total_bytes(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn messages_are_summed_up_however_the_body_is_cut(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
            cuts in prop::collection::vec(1_usize..20, 1..200),
        ) {
            let mut body = Vec::new();
            for message in &messages {
                body.push(0);
                body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
                body.extend(message);
            }
            let mut sizes = MessageSizes::default();
            let mut rest = body.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (chunk, after) = rest.split_at(rest.len().min(*cut));
                sizes.add(chunk);
                rest = after;
            }
            let expected: usize = messages.iter().map(Vec::len).sum();
            prop_assert_eq!(sizes.total_bytes(), expected as u64);
        }
    }

    #[test]
    fn a_message_that_was_cut_short_counts_as_far_as_it_came() {
        let mut sizes = MessageSizes::default();
        sizes.add(&[0, 0, 0, 0, 9, 1, 2, 3]);
        assert_eq!(sizes.total_bytes(), 3);
    }
}
