//! The methods that metrics name, each with its attribute sets made once.

use std::{
    array,
    hash::{BuildHasher as _, RandomState},
    iter,
    sync::{Arc, OnceLock},
};

use opentelemetry::KeyValue;
use tonic::Code;

use super::{code_name, metrics::Instruments, names};

/// The most methods of one channel that are named; a contract has fewer. Further ones are "other".
pub(super) const METHODS_MAX: usize = 256;

/// How many codes gRPC has; they count from 0.
const CODES: usize = Code::Unauthenticated as usize + 1;

/// A method as metrics name it.
#[derive(Debug)]
pub(crate) struct Method {
    pub(super) instruments: Arc<Instruments>,
    /// Method and target.
    labels: [KeyValue; 2],
    by_code: [OnceLock<[KeyValue; 3]>; CODES],
}

/// A method and its name, once it has been called.
type Slot = OnceLock<(Box<str>, Arc<Method>)>;

/// The methods of one channel: a hash table that only grows and takes no lock to look into.
pub(super) struct Methods {
    slots: Box<[Slot]>,
    hasher: RandomState,
    other: Arc<Method>,
}

impl Methods {
    pub(super) fn new(instruments: Arc<Instruments>, target: KeyValue) -> Self {
        Self {
            slots: iter::repeat_with(OnceLock::new).take(METHODS_MAX).collect(),
            hasher: RandomState::new(),
            other: Arc::new(Method::new(names::OTHER_METHOD, instruments, target)),
        }
    }

    /// The method of this path, entered if it `is_registered`; otherwise, or when all places are taken, "other".
    pub(super) fn get(&self, path: &str, is_registered: bool) -> &Arc<Method> {
        #[expect(clippy::cast_possible_truncation, reason = "only the low bits are used")]
        let first = self.hasher.hash_one(path) as usize % METHODS_MAX;
        let (after, before) = (&self.slots[first..], &self.slots[..first]);
        for slot in after.iter().chain(before) {
            let (name, method) = match slot.get() {
                Some(entry) => entry,
                None if is_registered => slot.get_or_init(|| (path.into(), self.enter(path))),
                None => break,
            };
            if &**name == path {
                return method;
            }
        }
        &self.other
    }

    fn enter(&self, path: &str) -> Arc<Method> {
        let [_, target] = self.other.labels.clone();
        Arc::new(Method::new(path, Arc::clone(&self.other.instruments), target))
    }
}

impl Method {
    fn new(name: &str, instruments: Arc<Instruments>, target: KeyValue) -> Self {
        let name = KeyValue::new(names::METHOD, Arc::<str>::from(name));
        Self { instruments, labels: [name, target], by_code: array::from_fn(|_| OnceLock::new()) }
    }

    /// Method and target.
    pub(super) fn labels(&self) -> &[KeyValue] {
        &self.labels
    }

    /// The target alone.
    pub(super) fn target(&self) -> &[KeyValue] {
        &self.labels[1..]
    }

    /// Method, target and status.
    pub(super) fn with_code(&self, code: Code) -> &[KeyValue] {
        self.by_code[code as usize].get_or_init(|| {
            // Sorted by key, as the SDK keeps them: it finds them at the first try, and stores them once.
            let [method, target] = self.labels.clone();
            [method, KeyValue::new(names::STATUS, code_name(code)), target]
        })
    }
}
