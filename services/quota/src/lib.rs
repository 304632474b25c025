//! Limits, reservations, wallets and their ledger.
