//! Simulated TCP under the channel.

use std::io;

use futures_util::future::BoxFuture;
use plexus_client::{
    Address,
    connect::{BoxIo, Connect},
};
use turmoil::net::TcpStream;

pub(crate) const PORT: u16 = 50_051;

pub(crate) const CLIENT: &str = "client";

pub(crate) fn replica_name(replica: usize) -> String {
    format!("replica-{replica}")
}

pub(crate) fn replica_address(replica: usize) -> Address {
    format!("{}:{PORT}", replica_name(replica)).parse().unwrap()
}

pub(crate) struct SimulatedTcp;

impl Connect for SimulatedTcp {
    fn connect(&self, address: Address) -> BoxFuture<'static, io::Result<BoxIo>> {
        Box::pin(async move {
            let stream = TcpStream::connect((address.host(), address.port())).await?;
            Ok(Box::new(stream) as BoxIo)
        })
    }
}
