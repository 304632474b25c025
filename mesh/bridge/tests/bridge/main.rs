//! The bridge from outside: its route table, its transcoding, and whole requests over real sockets.

mod client;
mod contract;
mod mapping;
mod rest;
mod routes;
mod streams;
mod upstream;
