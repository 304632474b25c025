//! What is known of a target's methods: which may run twice, and which stream.

use std::collections::{HashMap, HashSet};

use prost::Message as _;
use prost_types::{FileDescriptorSet, MethodDescriptorProto, method_options::IdempotencyLevel};

/// The most methods of a table. Each costs about a hundred bytes; no contract comes near it.
pub const METHODS_MAX: usize = 65_536;

/// What is known of one method. The most careful reading holds for an unknown one: it must not run
/// twice, and may stream both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodInfo {
    /// Running it twice has the effect of running it once.
    pub is_idempotent: bool,
    /// The client may send more than one message.
    pub is_client_streaming: bool,
    /// The server may send more than one message.
    pub is_server_streaming: bool,
}

impl MethodInfo {
    /// What holds for a method that no table knows.
    pub const UNKNOWN: Self =
        Self { is_idempotent: false, is_client_streaming: true, is_server_streaming: true };

    /// One message each way.
    #[must_use]
    pub fn is_unary(self) -> bool {
        !self.is_client_streaming && !self.is_server_streaming
    }
}

/// The methods of a target, by path.
///
/// A table is built once and then only read: looking up takes no lock and allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct MethodTable {
    /// By `/pkg.Service/Method`.
    methods: HashMap<Box<str>, MethodInfo>,
    /// `/pkg.Service/` of the services all of whose methods were declared idempotent.
    idempotent_services: HashSet<Box<str>>,
}

/// Why a method table cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum MethodTableError {
    /// The descriptors do not decode.
    #[error("the descriptors are no encoded google.protobuf.FileDescriptorSet")]
    Descriptors(#[source] prost::DecodeError),
    /// A declaration of idempotent methods is not of the form that is expected.
    #[error(
        "{pattern:?} names no method: expected /pkg.Service/Method, or /pkg.Service/* for all of a service"
    )]
    Pattern {
        /// What was given.
        pattern: String,
    },
    /// There are more methods than a table holds.
    #[error("there are more than {METHODS_MAX} methods: expected the descriptors of one target only")]
    TooMany,
}

impl MethodTable {
    /// Reads an encoded `google.protobuf.FileDescriptorSet`, such as `protoc --descriptor_set_out`
    /// and tonic's builds write. The option `idempotency_level` makes a method idempotent with
    /// `IDEMPOTENT` and with `NO_SIDE_EFFECTS`.
    ///
    /// # Errors
    /// When the bytes do not decode, or hold too many methods.
    pub fn from_descriptors(encoded: &[u8]) -> Result<Self, MethodTableError> {
        Self::default().with_descriptors(encoded)
    }

    /// Adds the methods of further descriptors. A method that is idempotent in one is.
    ///
    /// # Errors
    /// When the bytes do not decode, or there are too many methods.
    pub fn with_descriptors(mut self, encoded: &[u8]) -> Result<Self, MethodTableError> {
        let set = FileDescriptorSet::decode(encoded).map_err(MethodTableError::Descriptors)?;
        for file in &set.file {
            for service in &file.service {
                let prefix = match file.package() {
                    "" => format!("/{}/", service.name()),
                    package => format!("/{package}.{}/", service.name()),
                };
                for method in &service.method {
                    self.add(format!("{prefix}{}", method.name()), described(method))?;
                }
            }
        }
        Ok(self)
    }

    /// Declares that `/pkg.Service/Method`, or with `/pkg.Service/*` each method of a service, may
    /// run twice: for contracts that do not say so themselves.
    ///
    /// # Errors
    /// When the pattern has another form, or there are too many methods.
    pub fn idempotent(mut self, pattern: &str) -> Result<Self, MethodTableError> {
        let parts = pattern.strip_prefix('/').and_then(|rest| rest.split_once('/'));
        let Some((service, method)) = parts else { return Err(no_method(pattern)) };
        let is_name = |text: &str| !text.is_empty() && !text.contains(['/', '*']);
        if !is_name(service) || !(method == "*" || is_name(method)) {
            return Err(no_method(pattern));
        }
        if method != "*" {
            self.add(pattern.to_owned(), MethodInfo { is_idempotent: true, ..MethodInfo::UNKNOWN })?;
        } else if self.idempotent_services.len() < METHODS_MAX {
            self.idempotent_services.insert(format!("/{service}/").into_boxed_str());
        } else {
            return Err(MethodTableError::TooMany);
        }
        Ok(self)
    }

    /// What is known of the method with this path, `/pkg.Service/Method`.
    #[must_use]
    pub fn get(&self, path: &str) -> MethodInfo {
        let mut info = self.methods.get(path).copied().unwrap_or(MethodInfo::UNKNOWN);
        info.is_idempotent |=
            service_of(path).is_some_and(|service| self.idempotent_services.contains(service));
        info
    }

    /// Of a method that is there already, what is known for sure goes first.
    fn add(&mut self, path: String, info: MethodInfo) -> Result<(), MethodTableError> {
        let there = self.methods.get(path.as_str()).copied();
        if there.is_none() && self.methods.len() >= METHODS_MAX {
            return Err(MethodTableError::TooMany);
        }
        let there = there.unwrap_or(MethodInfo { is_idempotent: false, ..info });
        let merged = MethodInfo {
            is_idempotent: there.is_idempotent || info.is_idempotent,
            is_client_streaming: there.is_client_streaming && info.is_client_streaming,
            is_server_streaming: there.is_server_streaming && info.is_server_streaming,
        };
        self.methods.insert(path.into_boxed_str(), merged);
        Ok(())
    }
}

/// The `/pkg.Service/` of a path `/pkg.Service/Method`.
pub(crate) fn service_of(path: &str) -> Option<&str> {
    path.rfind('/').filter(|&slash| slash > 0).map(|slash| &path[..=slash])
}

fn described(method: &MethodDescriptorProto) -> MethodInfo {
    let level = method
        .options
        .as_ref()
        .map_or(IdempotencyLevel::IdempotencyUnknown, |options| options.idempotency_level());
    MethodInfo {
        is_idempotent: matches!(level, IdempotencyLevel::NoSideEffects | IdempotencyLevel::Idempotent),
        is_client_streaming: method.client_streaming(),
        is_server_streaming: method.server_streaming(),
    }
}

fn no_method(pattern: &str) -> MethodTableError {
    MethodTableError::Pattern { pattern: pattern.to_owned() }
}

#[cfg(test)]
#[path = "methods_tests.rs"]
mod tests;
