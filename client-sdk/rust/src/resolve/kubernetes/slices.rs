//! `EndpointSlices` as the API server writes them (discovery.k8s.io/v1), and the members in them.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use serde::Deserialize;

use super::{super::Member, KubernetesTarget, Port};

/// One page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct SliceList {
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) items: Option<Vec<Slice>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) resource_version: String,
    /// Where the next page of a list begins; empty on the last.
    #[serde(rename = "continue")]
    pub(super) next: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Slice {
    pub(super) metadata: Metadata,
    #[serde(default)]
    address_type: String,
    // The API server writes null for an empty list.
    #[serde(default)]
    endpoints: Option<Vec<Endpoint>>,
    #[serde(default)]
    ports: Option<Vec<SlicePort>>,
}

#[derive(Debug, Deserialize)]
struct Endpoint {
    addresses: Vec<String>,
    #[serde(default)]
    conditions: Conditions,
    zone: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Conditions {
    ready: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct SlicePort {
    name: Option<String>,
    protocol: Option<String>,
    port: Option<u16>,
}

/// The slices of one service, and the version of the cluster's state that they are of.
#[derive(Debug, Default)]
pub(super) struct Slices {
    pub(super) version: String,
    by_name: BTreeMap<String, Slice>,
}

impl Slices {
    pub(super) fn put(&mut self, slice: Slice) {
        self.by_name.insert(slice.metadata.name.clone(), slice);
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// The endpoints that may be called; when there is none, why.
    pub(super) fn members(&self, target: &KubernetesTarget) -> Result<Vec<Member>, String> {
        let (slices, port) = (self.by_name.len(), &target.port);
        if slices == 0 {
            return Err("the service has no EndpointSlice: does it exist in this namespace?".to_owned());
        }
        if !self.by_name.values().any(|slice| slice.port(port).is_some()) {
            return Err(format!("no EndpointSlice of {slices} has the TCP port {port}"));
        }
        for family in ["IPv4", "IPv6"] {
            let of_family = self.by_name.values().filter(|slice| slice.address_type == family);
            let members: Vec<Member> = of_family.flat_map(|slice| slice.members(port)).collect();
            if !members.is_empty() {
                return Ok(members);
            }
        }
        Err(format!("no endpoint is ready in {slices} EndpointSlices"))
    }
}

impl Slice {
    fn members(&self, port: &Port) -> impl Iterator<Item = Member> {
        let endpoints = self.endpoints.iter().flatten().filter(|endpoint| endpoint.is_callable());
        self.port(port).into_iter().flat_map(move |number| {
            endpoints.clone().filter_map(move |endpoint| {
                // Only the first address has a meaning (KEP-0752).
                let ip: IpAddr = endpoint.addresses.first()?.parse().ok()?;
                let zone = endpoint.zone.clone().unwrap_or_default();
                Some(Member::from(SocketAddr::new(ip, number)).zone(zone))
            })
        })
    }

    /// The number of the port that is to be called.
    fn port(&self, wanted: &Port) -> Option<u16> {
        let ports = self.ports.iter().flatten();
        // TCP is what an absent protocol means.
        let mut ports = ports.filter(|port| port.protocol.as_deref().unwrap_or("TCP") == "TCP");
        ports.find_map(|port| {
            let is_wanted = match wanted {
                Port::Number(number) => port.port == Some(*number),
                Port::Name(name) => port.name.as_ref() == Some(name),
            };
            port.port.filter(|_| is_wanted)
        })
    }
}

impl Endpoint {
    /// Ready, which unknown counts as, and not on its way out: a terminating endpoint can be called ready
    /// when its service publishes those that are not.
    fn is_callable(&self) -> bool {
        self.conditions.ready.unwrap_or(true) && !self.conditions.terminating.unwrap_or(false)
    }
}
