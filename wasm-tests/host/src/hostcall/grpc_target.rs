//! The target of a gRPC callout: a serialised `envoy.config.core.v3.GrpcService`, or the name of a cluster if the bytes are
//! not such a message. Many short texts read as a message without content.

use crate::abi::proto::{Content, fields};

/// A target as Envoy reads it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum GrpcTarget {
    /// No message: a name.
    Name,
    /// `envoy_grpc`, with the `initial_metadata` that is added to each call.
    Envoy { cluster: Vec<u8>, authority: Option<Vec<u8>>, metadata: Vec<(Vec<u8>, Vec<u8>)> },
    /// `google_grpc`, which this host has no client for.
    Google,
    /// Neither.
    Nothing,
}

impl GrpcTarget {
    /// Reads a target.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        parse(bytes).unwrap_or(Self::Name)
    }
}

/// `None` where the bytes are not such a message. Of the two kinds of target the last counts; one that is there twice is
/// merged, field by field.
fn parse(bytes: &[u8]) -> Option<GrpcTarget> {
    let mut target = GrpcTarget::Nothing;
    let mut added = Vec::new();
    for (number, content) in fields(bytes)? {
        match (number, content) {
            (1, Content::Bytes(inner)) => {
                let before = match target {
                    GrpcTarget::Envoy { cluster, authority, .. } => (cluster, authority),
                    _ => (Vec::new(), None),
                };
                target = envoy(inner, before)?;
            }
            (2, Content::Bytes(inner)) => {
                google(inner)?;
                target = GrpcTarget::Google;
            }
            (5, Content::Bytes(inner)) => added.push(header(inner)?),
            // `timeout` and `retry_policy`.
            (3 | 6, Content::Bytes(inner)) => drop(fields(inner)?),
            _ => {}
        }
    }
    if let GrpcTarget::Envoy { metadata, .. } = &mut target {
        *metadata = added;
    }
    Some(target)
}

/// `EnvoyGrpc`: cluster name 1, authority 2, messages 3 and 4.
fn envoy(bytes: &[u8], (mut cluster, mut authority): (Vec<u8>, Option<Vec<u8>>)) -> Option<GrpcTarget> {
    for (number, content) in fields(bytes)? {
        match (number, content) {
            (1, Content::Bytes(name)) => cluster = text(name)?,
            (2, Content::Bytes(host)) => authority = Some(text(host)?),
            (3 | 4, Content::Bytes(inner)) => drop(fields(inner)?),
            _ => {}
        }
    }
    Some(GrpcTarget::Envoy { cluster, authority, metadata: Vec::new() })
}

/// `GoogleGrpc`: strings 1, 4 and 5, messages else.
fn google(bytes: &[u8]) -> Option<()> {
    for (number, content) in fields(bytes)? {
        match (number, content) {
            (1 | 4 | 5, Content::Bytes(inner)) => drop(text(inner)?),
            (2 | 3 | 6..=9, Content::Bytes(inner)) => drop(fields(inner)?),
            _ => {}
        }
    }
    Some(())
}

/// `HeaderValue`: key 1, value 2, raw value 3.
fn header(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut key, mut value) = (Vec::new(), Vec::new());
    for (number, content) in fields(bytes)? {
        match (number, content) {
            (1, Content::Bytes(inner)) => key = text(inner)?,
            (2, Content::Bytes(inner)) => value = text(inner)?,
            (3, Content::Bytes(inner)) => value = inner.to_vec(),
            _ => {}
        }
    }
    Some((key, value))
}

/// A `string`, which is UTF-8.
fn text(bytes: &[u8]) -> Option<Vec<u8>> {
    std::str::from_utf8(bytes).ok().map(|text| text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests;
