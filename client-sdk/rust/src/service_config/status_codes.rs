//! A set of gRPC status codes, and how a service config names them.

use tonic::Code;

use super::{ServiceConfigError, json::Field};

/// The names of the codes 0 to 16 (gRPC, "Status codes and their use").
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// A set of status codes, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodeSet(u32);

impl CodeSet {
    /// The set of just this code.
    #[must_use]
    pub const fn only(code: Code) -> Self {
        Self(1 << code as u32)
    }

    /// Whether the set has this code.
    #[must_use]
    pub const fn contains(self, code: Code) -> bool {
        self.0 & Self::only(code).0 != 0
    }

    /// Whether the set has no code.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Code> for CodeSet {
    fn from_iter<I: IntoIterator<Item = Code>>(codes: I) -> Self {
        Self(codes.into_iter().fold(0, |bits, code| bits | Self::only(code).0))
    }
}

/// A name in any case, or a number. OK is none that a call could fail with, and is refused.
pub(super) fn parse(field: &Field<'_>) -> Result<Code, ServiceConfigError> {
    const WHAT: &str =
        "a gRPC status code other than OK: a name such as \"UNAVAILABLE\" or a number from 1 to 16";
    let index = match field.text(WHAT) {
        Ok(text) => NAMES.iter().position(|name| name.eq_ignore_ascii_case(text)),
        Err(_) => usize::try_from(field.integer(WHAT)?).ok(),
    };
    let index = index.filter(|index| (1..NAMES.len()).contains(index));
    let index = index.and_then(|index| i32::try_from(index).ok());
    index.map(Code::from_i32).ok_or_else(|| field.expected(WHAT))
}
