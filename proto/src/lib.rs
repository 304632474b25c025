//! The contract of Plexus: generated messages, clients and servers, and the descriptor set.
//!
//! The `.proto` files beside this crate are the documentation; this page only names the modules.
#![expect(
    missing_docs,
    clippy::allow_attributes,
    clippy::doc_markdown,
    clippy::too_long_first_doc_paragraph,
    clippy::too_many_lines,
    reason = "generated; the .proto files carry the comments"
)]

/// The whole contract as an encoded `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// What the services have in common: who may call a method, and why a call failed.
pub mod api {
    pub mod v1 {
        tonic::include_proto!("plexus.api.v1");
    }
}

/// Users, sessions, roles, API keys.
pub mod auth {
    pub mod v1 {
        tonic::include_proto!("plexus.auth.v1");
    }
}

/// Events, live metrics, behaviour, recommendations, reports.
pub mod analytics {
    pub mod v1 {
        tonic::include_proto!("plexus.analytics.v1");
    }
}

/// Limits, reservations, usage, wallets and their ledger.
pub mod quota {
    pub mod v1 {
        tonic::include_proto!("plexus.quota.v1");
    }
}

/// Models, chat, components, suggested replies, sentiment, transcription.
pub mod ai {
    pub mod v1 {
        tonic::include_proto!("plexus.ai.v1");
    }
}

/// Templates of cards, rendered as HTML and exported as React components.
pub mod card {
    pub mod v1 {
        tonic::include_proto!("plexus.card.v1");
    }
}
