//! What surrounds the proxy: routes, clusters, and what each upstream does with a request.
//!
//! A scenario that says nothing gets one route for every path to one cluster, `upstream`, that answers 200 with `ok`.

use crate::{Bytes, Fields, Span};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Routes and clusters.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Surroundings {
    /// Routes of the one virtual host (domains `*`), first match wins.
    pub routes: Vec<Route>,
    /// Clusters by name.
    pub clusters: BTreeMap<String, Cluster>,
}

impl Default for Surroundings {
    fn default() -> Self {
        let route = Route::new("default", "/", Target::Cluster("upstream".to_owned()));
        Surroundings { routes: vec![route], clusters: BTreeMap::from([("upstream".to_owned(), Cluster::default())]) }
    }
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Route {
    /// Envoy's route name, read by modules as `xds.route_name`.
    #[serde(default)]
    pub name: String,
    /// Path prefix.
    #[serde(default)]
    pub prefix: String,
    /// Takes CONNECT requests, which have no path, instead of those with a prefix.
    #[serde(default)]
    pub connect: bool,
    /// How often a request is sent on inside the proxy where its upstream answers 302 (`max_internal_redirects`).
    #[serde(default)]
    pub internal_redirects: u32,
    /// Where it leads.
    pub to: Target,
}

impl Route {
    /// A route of requests whose path begins with a prefix.
    #[must_use]
    pub fn new(name: &str, prefix: &str, to: Target) -> Self {
        Route { name: name.to_owned(), prefix: prefix.to_owned(), connect: false, internal_redirects: 0, to }
    }
}

/// Where a route leads. Written as a map with one key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "TargetAsWritten")]
pub enum Target {
    /// To a cluster of the world, by name.
    Cluster(String),
    /// The proxy answers by itself.
    DirectResponse {
        /// Status code.
        status: u16,
        /// Body.
        body: Bytes,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TargetAsWritten {
    cluster: Option<String>,
    direct_response: Option<DirectAsWritten>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectAsWritten {
    status: u16,
    #[serde(default)]
    body: Bytes,
}

impl TryFrom<TargetAsWritten> for Target {
    type Error = &'static str;

    fn try_from(written: TargetAsWritten) -> Result<Self, Self::Error> {
        match (written.cluster, written.direct_response) {
            (Some(name), None) => Ok(Target::Cluster(name)),
            (None, Some(DirectAsWritten { status, body })) => Ok(Target::DirectResponse { status, body }),
            _ => Err("expected one of `cluster` and `directResponse`"),
        }
    }
}

/// A cluster with one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Cluster {
    /// Envoy's `metadata.filter_metadata` of the cluster, e.g. Istio's `{istio: {services: [...]}}`.
    pub metadata: Map<String, Value>,
    /// `filter_metadata` of its one endpoint, e.g. Istio's `{istio: {workload: ...}}`.
    pub endpoint_metadata: Map<String, Value>,
    /// HTTP/2 to the upstream (needed for trailers and gRPC); HTTP/1.1 otherwise.
    pub http2: bool,
    /// What its upstream does.
    pub behaviour: Behaviour,
}

/// What an upstream does with every request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BehaviourAsWritten")]
pub enum Behaviour {
    /// It answers.
    Answer(Answer),
    /// Nothing listens at its address.
    Unreachable,
    /// It takes the request and never answers.
    Hang,
    /// It resets the stream (HTTP/2) or closes the connection (HTTP/1.1) before any response header.
    ResetBeforeHeaders,
    /// It answers with headers and half of the body, then resets or closes.
    ResetMidBody(Answer),
    /// It takes an upgrade or a CONNECT: after the answer's headers it sends the body, and then the first line that comes
    /// back to where it came from, and closes.
    Tunnel(Answer),
}

/// An upstream's answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers, besides those the protocol needs.
    pub headers: Fields,
    /// Body.
    pub body: Bytes,
    /// Trailers; only with `http2`.
    pub trailers: Fields,
    /// Time before the answer.
    pub delay: Span,
}

impl Default for Answer {
    fn default() -> Self {
        Answer {
            status: 200,
            headers: Fields::default(),
            body: Bytes::from("ok"),
            trailers: Fields::default(),
            delay: Span::default(),
        }
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Behaviour::Answer(Answer::default())
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum BehaviourAsWritten {
    Word(Word),
    Map(Box<BehaviourMap>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Word {
    Unreachable,
    Hang,
    ResetBeforeHeaders,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct BehaviourMap {
    answer: Option<Answer>,
    reset_mid_body: Option<Answer>,
    tunnel: Option<Answer>,
}

impl TryFrom<BehaviourAsWritten> for Behaviour {
    type Error = &'static str;

    fn try_from(written: BehaviourAsWritten) -> Result<Self, Self::Error> {
        match written {
            BehaviourAsWritten::Word(Word::Unreachable) => Ok(Behaviour::Unreachable),
            BehaviourAsWritten::Word(Word::Hang) => Ok(Behaviour::Hang),
            BehaviourAsWritten::Word(Word::ResetBeforeHeaders) => Ok(Behaviour::ResetBeforeHeaders),
            BehaviourAsWritten::Map(map) => {
                let BehaviourMap { answer, reset_mid_body, tunnel } = *map;
                match (answer, reset_mid_body, tunnel) {
                    (Some(answer), None, None) => Ok(Behaviour::Answer(answer)),
                    (None, Some(answer), None) => Ok(Behaviour::ResetMidBody(answer)),
                    (None, None, Some(answer)) => Ok(Behaviour::Tunnel(answer)),
                    _ => Err(
                        "expected one of `answer`, `resetMidBody`, `tunnel`, `unreachable`, `hang` and `resetBeforeHeaders`",
                    ),
                }
            }
        }
    }
}
