//! The bridge from outside: its route table, its transcoding, and whole requests over real sockets.

mod contract;
mod mapping;
mod routes;
