//! The suite of the store.
