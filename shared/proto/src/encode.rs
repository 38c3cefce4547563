//! The model's types to bytes.

use crate::message::{EnvoyGrpcMessage, GrpcServiceMessage};
use prost::Message;

/// A serialised `envoy.config.core.v3.GrpcService` whose target is a cluster. An empty `authority` means the cluster name.
///
/// The target is always there: a `GrpcService` without one ends the Envoy process.
pub fn encode_grpc_service(cluster: &str, authority: &str) -> Vec<u8> {
    let target = EnvoyGrpcMessage { cluster_name: cluster.to_owned(), authority: authority.to_owned() };
    GrpcServiceMessage { envoy_grpc: Some(target) }.encode_to_vec()
}

#[cfg(test)]
mod tests;
