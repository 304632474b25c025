//! What sort of call a path is: unary, streaming, or one that a full server answers above all.

use std::{collections::HashSet, sync::LazyLock};

use prost_reflect::DescriptorPool;

/// What the layers do differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One request, one answer.
    Unary,
    /// A stream in either direction: its duration says nothing about the server.
    Streaming,
    /// Health and reflection: probes and operators must get through above all when the server is full.
    Vital,
}

/// The services whose calls are [`Kind::Vital`]; their number is bounded by the streams of all connections.
const VITAL: [&str; 2] = ["/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/"];

/// The paths of all streaming methods of the contract.
static STREAMING: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(plexus_proto::DESCRIPTORS).unwrap_or_default();
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let streaming = methods.filter(|method| method.is_client_streaming() || method.is_server_streaming());
    streaming.map(|method| format!("/{}/{}", method.parent_service().full_name(), method.name())).collect()
});

impl Kind {
    /// The kind of the method at `path`; what the contract does not know is refused soon, and counts as unary.
    pub(super) fn of(path: &str) -> Self {
        if VITAL.iter().any(|prefix| path.starts_with(prefix)) {
            Self::Vital
        } else if STREAMING.contains(path) {
            Self::Streaming
        } else {
            Self::Unary
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_says_which_methods_stream() {
        assert_eq!(Kind::of("/plexus.auth.v1.TrustService/WatchTrust"), Kind::Streaming);
        assert_eq!(Kind::of("/plexus.auth.v1.TrustService/GetJwks"), Kind::Unary);
        assert_eq!(Kind::of("/grpc.health.v1.Health/Watch"), Kind::Vital);
        assert_eq!(Kind::of("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"), Kind::Vital);
        assert_eq!(Kind::of("/nobody.Knows/It"), Kind::Unary);
    }
}
