//! What a record says.

use super::selection::Event;
use crate::config::audit::{Included, Named, Origin};
use crate::decide::request::claims;
use weir_matching::without_query;
use weir_model::{Attribute, Facts, Now, SortedSet};
use weir_proto::{MetadataView, StructView, ValueView};
use weir_records::{JsonObject, Share};

/// The version of a record's form.
const SCHEMA: u64 = 1;

/// The most bytes of values, as they are written. A record has at most some 48 KiB.
const NAME: usize = 512;
const IDENTITY: usize = 2048;
const PATH: usize = 4096;
const SHORT: usize = 128;
const VALUE: usize = 1024;
/// How many values of one header or claim are written.
const VALUES: usize = 4;

/// What stands in place of a masked value.
const MASK: &[u8] = b"***";

/// Attributes that records have.
const ATTRIBUTES: [Attribute; 7] = [
    Attribute::SourceAddress,
    Attribute::DestinationAddress,
    Attribute::ConnectionMtls,
    Attribute::PeerPrincipal,
    Attribute::PeerUriSan,
    Attribute::RequestedServerName,
    Attribute::DynamicMetadata,
];

/// Writes records.
#[derive(Debug)]
pub(super) struct Writer {
    plugin: Box<str>,
    /// What is the same in every record.
    origin: JsonObject,
    included: Included,
    /// Where the address of the direct peer is.
    direct_address: Option<Attribute>,
}

/// What is known of a request: what its phase fetched, and what was read for the record.
pub(super) struct Request<'r> {
    pub(super) now: Now,
    pub(super) early: &'r Facts<'r>,
    pub(super) late: &'r Facts<'r>,
}

impl Request<'_> {
    fn attribute(&self, attribute: &Attribute) -> Option<&[u8]> {
        let early = self.early.attributes.bytes(attribute);
        early.or_else(|| self.late.attributes.bytes(attribute)).filter(|value| !value.is_empty())
    }

    fn header(&self, name: &[u8]) -> Option<&[u8]> {
        self.late.request_headers.first(name)
    }

    /// The trace that the client says the request belongs to, by W3C's header or by those of B3.
    pub(super) fn trace_id(&self) -> Option<&[u8]> {
        let part = |name: &[u8], number: usize| self.header(name)?.split(|byte| *byte == b'-').nth(number);
        let found = part(b"traceparent", 1).or_else(|| self.header(b"x-b3-traceid")).or_else(|| part(b"b3", 0))?;
        let is_id = matches!(found.len(), 16 | 32) && found.iter().all(u8::is_ascii_hexdigit);
        is_id.then_some(found)
    }
}

impl Writer {
    #[inline(never)]
    pub(super) fn new(origin: &Origin, plugin: &str, included: Included, direct_address: Option<Attribute>) -> Self {
        let Origin { proxy, namespace, workload, config } = origin;
        let mut fixed = JsonObject::new();
        fixed.text("proxy", proxy.as_bytes(), NAME);
        fixed.text("plugin", plugin.as_bytes(), NAME);
        fixed.text("config", format!("{config:016x}").as_bytes(), NAME);
        fixed.text("release", env!("CARGO_PKG_VERSION").as_bytes(), NAME);
        let workload = match (namespace, workload) {
            (Some(namespace), Some(workload)) => Some(format!("{namespace}/{workload}")),
            (Some(namespace), None) => Some(format!("{namespace}/-")),
            (None, workload) => workload.as_ref().map(|workload| format!("-/{workload}")),
        };
        if let Some(workload) = workload {
            fixed.text("workload", workload.as_bytes(), NAME);
        }
        Self { plugin: plugin.into(), origin: fixed, included, direct_address }
    }

    pub(super) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// What is read for a record, besides the request headers.
    pub(super) fn demand(&self) -> SortedSet<Attribute> {
        ATTRIBUTES.into_iter().chain(self.direct_address.clone()).collect()
    }

    /// The record of an event, of which a share is recorded.
    #[inline(never)]
    pub(super) fn write(
        &self,
        event: &Event<'_>,
        share: Share,
        id: &str,
        number: u64,
        request: &Request<'_>,
    ) -> String {
        let Event { decision, mode, response_code } = event;
        let mut record = JsonObject::new();
        record.number("schema", SCHEMA);
        record.text("id", id.as_bytes(), SHORT);
        record.number("sequence", number);
        record.time("time", request.now.wall_nanos);
        record.append(&self.origin);
        record.text("decision", decision.word().as_bytes(), SHORT);
        record.text("mode", mode.word().as_bytes(), SHORT);
        record.text("reason", decision.reason.word().as_bytes(), SHORT);
        if let Some(rule) = decision.rule {
            record.text("policy", rule.full_name().as_bytes(), NAME);
            record.number("rule", rule.index.into());
        }
        if let Some(failure) = decision.unknown {
            record.text("failure", failure.as_bytes(), SHORT);
        }
        if let Some(code) = response_code {
            record.number("response_code", (*code).into());
        }
        if let Some(share) = share.of_some() {
            record.raw("sample", &share);
        }
        self.write_peer(&mut record, request);
        self.write_request(&mut record, request);
        record.finish()
    }

    /// Who asks, and of whom.
    #[inline(never)]
    fn write_peer(&self, record: &mut JsonObject, request: &Request<'_>) {
        let mut text = |name: &str, value: Option<&[u8]>, limit: usize| {
            if let Some(value) = value {
                record.text(name, value, limit);
            }
        };
        text("source", request.attribute(&Attribute::SourceAddress), SHORT);
        text("direct", self.direct_address.as_ref().and_then(|direct| request.attribute(direct)), SHORT);
        text("destination", request.attribute(&Attribute::DestinationAddress), SHORT);
        let principal = request.attribute(&Attribute::PeerPrincipal);
        text("principal", principal.or_else(|| request.attribute(&Attribute::PeerUriSan)), IDENTITY);
        text("sni", request.attribute(&Attribute::RequestedServerName), NAME);
        let mtls = request.attribute(&Attribute::ConnectionMtls);
        if let Some(mtls) = mtls {
            record.flag("mtls", mtls == [1]);
        }
    }

    /// What is asked.
    #[inline(never)]
    fn write_request(&self, record: &mut JsonObject, request: &Request<'_>) {
        let metadata = MetadataView::new(request.attribute(&Attribute::DynamicMetadata).unwrap_or_default());
        // What cannot be read is not in the record.
        let claims = claims(metadata);
        if let Ok(claims) = &claims {
            record.flag("jwt", claims.is_some());
        }
        let claims = claims.ok().flatten();
        if let Some(claims) = claims
            && let (Ok(Some(ValueView::Text(issuer))), Ok(Some(ValueView::Text(subject)))) =
                (claims.get("iss"), claims.get("sub"))
        {
            let mut principal = issuer.to_vec();
            principal.push(b'/');
            principal.extend_from_slice(subject);
            record.text("request_principal", &principal, IDENTITY);
        }
        let fields = [
            ("method", request.header(b":method"), SHORT),
            ("host", request.header(b":authority"), NAME),
            ("path", request.header(b":path").map(without_query), PATH),
            ("request_id", request.header(b"x-request-id"), SHORT),
            ("trace_id", request.trace_id(), SHORT),
        ];
        for (name, value, limit) in fields {
            if let Some(value) = value {
                record.text(name, value, limit);
            }
        }
        record.object("headers", |object| {
            for named in &self.included.headers {
                let values = request.late.request_headers.all(named.name.as_bytes());
                named.write(object, values.take(VALUES).collect());
            }
        });
        record.object("claims", |object| {
            for named in &self.included.claims {
                named.write(object, claims.map(|claims| named.texts(claims)).unwrap_or_default());
            }
        });
    }
}

impl Named {
    fn write(&self, object: &mut JsonObject, mut values: Vec<&[u8]>) {
        if self.is_masked && !values.is_empty() {
            values = vec![MASK];
        }
        object.texts(&self.name, values, VALUE);
    }

    /// The claim, if it is a string, or its strings if it is a list.
    fn texts<'c>(&self, claims: StructView<'c>) -> Vec<&'c [u8]> {
        match claims.at(self.path.iter().map(|name| &**name)) {
            Ok(Some(ValueView::Text(text))) => vec![text],
            Ok(Some(ValueView::List(list))) => {
                let texts = list.items().filter_map(|item| match item {
                    Ok(ValueView::Text(text)) => Some(text),
                    _ => None,
                });
                texts.take(VALUES).collect()
            }
            _ => Vec::new(),
        }
    }
}
