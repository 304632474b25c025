//! temporary
use plexus_bridge::*;
#[tokio::main]
async fn main() {
    let pool = prost_reflect::DescriptorPool::decode(plexus_proto::DESCRIPTORS).unwrap();
    let ch = tonic::transport::Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
    let mut b = Backends::new();
    let packages: std::collections::BTreeSet<_> = pool.services().map(|s| s.package_name().to_owned()).collect();
    for p in packages { b = b.with(p, ch.clone()); }
    let bridge = Bridge::new(Settings::default(), b, pool).unwrap();
    let l = tokio::net::TcpListener::bind("127.0.0.1:18080").await.unwrap();
    bridge.serve(l, std::future::pending()).await;
}
