//! Envoy's rate limit actions: what of a request becomes a descriptor.
//!
//! Semantics: `envoy.config.route.v3.RateLimit`. Each item yields at most one descriptor; an action that finds nothing
//! drops the whole descriptor unless it may be skipped, in which case only its entry is left out.

use super::matcher::{HeaderMatch, QueryMatch};
use super::query;
use crate::descriptor::Descriptors;
use std::io::Write as _;
use weir_matching::{Cidr, socket_address};
use weir_model::{Attribute, Facts};

/// One item of `rate_limits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) actions: Vec<Action>,
    /// What a request adds to the limit; 0 only asks.
    pub(crate) hits: u64,
}

/// One action: the key of its entry and where the value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) key: Box<[u8]>,
    pub(crate) source: Source,
}

/// Where the value of an entry comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The same for every request: `generic_key`, `source_cluster`.
    Constant(Box<[u8]>),
    DestinationCluster,
    Header {
        name: Box<[u8]>,
        skip: bool,
    },
    Query {
        name: Box<[u8]>,
        skip: bool,
    },
    RemoteAddress,
    MaskedRemoteAddress {
        v4: u8,
        v6: u8,
    },
    HeadersMatch {
        value: Box<[u8]>,
        expect: bool,
        matchers: Vec<HeaderMatch>,
    },
    QueryMatch {
        value: Box<[u8]>,
        expect: bool,
        matchers: Vec<QueryMatch>,
    },
    RemoteAddressMatch {
        value: Box<[u8]>,
        invert: bool,
        ranges: Vec<Cidr>,
    },
}

impl Item {
    /// Appends this item's descriptor, if the request has one. `scratch` is overwritten.
    pub(crate) fn describe(&self, facts: &Facts<'_>, out: &mut Descriptors, scratch: &mut Vec<u8>) {
        let mark = out.mark();
        for action in &self.actions {
            if !action.describe(facts, out, scratch) && !action.may_be_skipped() {
                out.abandon(mark);
                return;
            }
        }
        out.keep(mark, self.hits);
    }
}

impl Action {
    fn may_be_skipped(&self) -> bool {
        matches!(self.source, Source::Header { skip: true, .. } | Source::Query { skip: true, .. })
    }

    fn describe(&self, facts: &Facts<'_>, out: &mut Descriptors, scratch: &mut Vec<u8>) -> bool {
        let peer = || Some(socket_address(facts.attributes.bytes(&Attribute::SourceAddress)?)?.0);
        let path = || facts.request_headers.first(b":path").unwrap_or_default();
        match &self.source {
            Source::Constant(value) => self.entry(out, value),
            Source::DestinationCluster => match facts.attributes.bytes(&Attribute::ClusterName) {
                None | Some([]) => false,
                Some(cluster) => self.entry(out, cluster),
            },
            Source::Header { name, .. } => match facts.request_headers.first(name) {
                Some(value) => self.entry(out, value),
                None => false,
            },
            Source::Query { name, .. } => match query::find(path(), name) {
                Some(value) => out.entry(&self.key, |bytes| {
                    bytes.extend(query::decoded(value));
                    true
                }),
                None => false,
            },
            Source::RemoteAddress => {
                peer().is_some_and(|ip| out.entry(&self.key, |bytes| write!(bytes, "{ip}").is_ok()))
            }
            Source::MaskedRemoteAddress { v4, v6 } => peer().is_some_and(|ip| {
                let bits = if ip.is_ipv4() { *v4 } else { *v6 };
                out.entry(&self.key, |bytes| write!(bytes, "{}/{bits}", Cidr::masked(ip, bits)).is_ok())
            }),
            Source::HeadersMatch { value, expect, matchers } => {
                let met = matchers.iter().all(|matcher| matcher.matches(&facts.request_headers));
                met == *expect && self.entry(out, value)
            }
            Source::QueryMatch { value, expect, matchers } => {
                let met = matchers.iter().all(|matcher| matcher.matches(path(), scratch));
                met == *expect && self.entry(out, value)
            }
            Source::RemoteAddressMatch { value, invert, ranges } => peer()
                .is_some_and(|ip| ranges.iter().any(|range| range.contains(ip)) != *invert && self.entry(out, value)),
        }
    }

    fn entry(&self, out: &mut Descriptors, value: &[u8]) -> bool {
        out.entry(&self.key, |bytes| {
            bytes.extend_from_slice(value);
            true
        })
    }
}
