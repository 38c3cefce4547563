//! What a record says.

use super::selection::Event;
use crate::config::audit::{Included, Named, Origin, Places};
use crate::decide::request::claims;
use crate::{Protocol, ShadowDecision};
use weir_matching::without_query;
use weir_model::{Attribute, Facts, Headers, Now, SortedSet};
use weir_proto::{MetadataView, StructView, ValueView};
use weir_records::{JsonObject, Share};

/// The version of a record's form.
const SCHEMA: u64 = 1;

/// The most bytes of values, as they are written. A record without [`Included`] has at most some 32 KiB; each header or claim
/// that it includes may add some 4 KiB.
const NAME: usize = 512;
const IDENTITY: usize = 2048;
const PATH: usize = 4096;
const SHORT: usize = 128;
const VALUE: usize = 1024;
/// How many values of one header or claim are written.
const VALUES: usize = 4;
/// How many shadow policies are named that would refuse by themselves.
const ALONE: usize = 16;

/// What stands in place of a masked value.
const MASK: &[u8] = b"***";

/// Attributes that every record has.
const ATTRIBUTES: [Attribute; 6] = [
    Attribute::SourceAddress,
    Attribute::DestinationAddress,
    Attribute::ConnectionMtls,
    Attribute::PeerPrincipal,
    Attribute::PeerUriSan,
    Attribute::RequestedServerName,
];

/// Writes records.
#[derive(Debug)]
pub(super) struct Writer {
    plugin: Box<str>,
    /// What is the same in every record.
    origin: JsonObject,
    protocol: Protocol,
    included: Included,
    places: Places,
}

/// What is known of a request: what was decided on, and what was read for the record.
pub(super) struct Request<'r> {
    pub(super) now: Now,
    pub(super) early: &'r Facts<'r>,
    pub(super) late: &'r Facts<'r>,
}

impl<'r> Request<'r> {
    /// An attribute, which may be empty.
    fn found(&self, attribute: &Attribute) -> Option<&'r [u8]> {
        self.early.attributes.bytes(attribute).or_else(|| self.late.attributes.bytes(attribute))
    }

    fn attribute(&self, attribute: &Attribute) -> Option<&'r [u8]> {
        self.found(attribute).filter(|value| !value.is_empty())
    }

    fn is_unreadable(&self, attribute: &Attribute) -> bool {
        self.early.attributes.is_unreadable(attribute) || self.late.attributes.is_unreadable(attribute)
    }

    /// Those that were decided on, which a provider may have edited.
    fn headers(&self) -> Headers<'r> {
        if self.early.request_headers.is_empty() { self.late.request_headers } else { self.early.request_headers }
    }

    fn header(&self, name: &[u8]) -> Option<&'r [u8]> {
        self.headers().first(name)
    }

    /// The trace that the client says the request belongs to, by W3C's header or by those of B3.
    pub(super) fn trace_id(&self) -> Option<&'r [u8]> {
        let part = |name: &[u8], number: usize| self.header(name)?.split(|byte| *byte == b'-').nth(number);
        let found = part(b"traceparent", 1).or_else(|| self.header(b"x-b3-traceid")).or_else(|| part(b"b3", 0))?;
        let is_id = matches!(found.len(), 16 | 32) && found.iter().all(u8::is_ascii_hexdigit);
        is_id.then_some(found)
    }
}

impl Writer {
    #[inline(never)]
    pub(super) fn new(origin: &Origin, plugin: &str, protocol: Protocol, included: Included, places: Places) -> Self {
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
        if protocol == Protocol::Tcp {
            fixed.text("protocol", b"tcp", NAME);
        }
        Self { plugin: plugin.into(), origin: fixed, protocol, included, places }
    }

    pub(super) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// What is read for a record, besides the request headers.
    pub(super) fn demand(&self) -> SortedSet<Attribute> {
        let Places { direct_address, peer_uri_sans } = &self.places;
        let metadata = (self.protocol == Protocol::Http).then_some(Attribute::DynamicMetadata);
        ATTRIBUTES.into_iter().chain(metadata).chain(direct_address.clone()).chain(peer_uri_sans.clone()).collect()
    }

    /// Whether the request headers are read for a record of `facts`, which do not have them.
    pub(super) fn reads_headers(&self, facts: &Facts<'_>) -> bool {
        self.protocol == Protocol::Http && facts.request_headers.is_empty()
    }

    /// The record of an event, of which a share is recorded. It has an id, a number, and the number of the first record of the
    /// same request.
    #[inline(never)]
    pub(super) fn write(
        &self,
        event: &Event<'_>,
        share: Share,
        (id, number, first): (&str, u64, u64),
        request: &Request<'_>,
    ) -> String {
        let mut record = JsonObject::new();
        record.number("schema", SCHEMA);
        record.text("id", id.as_bytes(), SHORT);
        record.number("sequence", number);
        if first != number {
            record.number("same_request_as", first);
        }
        record.time("time", request.now.wall_nanos);
        record.append(&self.origin);
        write_decision(&mut record, event);
        if let Some(code) = event.response_code.filter(|_| self.protocol == Protocol::Http) {
            record.number("response_code", code.into());
        }
        if let Some(share) = share.of_some() {
            record.raw("sample", &share);
        }
        self.write_peer(&mut record, request);
        if self.protocol == Protocol::Http {
            self.write_request(&mut record, request);
        }
        record.finish()
    }

    /// Who asks, and of whom.
    #[inline(never)]
    fn write_peer(&self, record: &mut JsonObject, request: &Request<'_>) {
        let Places { direct_address, peer_uri_sans } = &self.places;
        let mut text = |name: &str, value: Option<&[u8]>, limit: usize| {
            if let Some(value) = value {
                record.text(name, value, limit);
            }
        };
        text("source", request.attribute(&Attribute::SourceAddress), SHORT);
        text("direct", direct_address.as_ref().and_then(|direct| request.attribute(direct)), SHORT);
        text("destination", request.attribute(&Attribute::DestinationAddress), SHORT);
        let state = request.found(&Attribute::PeerPrincipal);
        let first = request.attribute(&Attribute::PeerUriSan).filter(|_| state.is_none());
        let all = peer_uri_sans.as_ref().filter(|_| state.is_none());
        let sans = all.and_then(|all| request.attribute(all));
        text("principal", state.filter(|name| !name.is_empty()).or(first), IDENTITY);
        text("uri_sans", sans.filter(|sans| Some(*sans) != first), PATH);
        text("sni", request.attribute(&Attribute::RequestedServerName), NAME);
        let mtls = request.attribute(&Attribute::ConnectionMtls);
        if let Some(mtls) = mtls {
            record.flag("mtls", mtls == [1]);
        }
        // Policies do not know the peer either then: names are missing that should be there.
        let mut is_unknown = request.is_unreadable(&Attribute::PeerPrincipal);
        if state.is_none() {
            is_unknown |= request.is_unreadable(&Attribute::PeerUriSan);
            is_unknown |= all.is_some_and(|all| request.is_unreadable(all) || (first.is_some() && sans.is_none()));
        }
        let is_nameless = request.is_unreadable(&Attribute::RequestedServerName);
        let unreadable = [("principal", is_unknown), ("sni", is_nameless)].into_iter().filter(|(_, is)| *is);
        record.texts("unreadable", unreadable.map(|(name, _)| name.as_bytes()), SHORT);
    }

    /// What is asked.
    #[inline(never)]
    fn write_request(&self, record: &mut JsonObject, request: &Request<'_>) {
        let claims = self.write_jwt(record, request);
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
                let values = request.headers().all(named.name.as_bytes());
                named.write(object, values.take(VALUES).collect());
            }
        });
        record.object("claims", |object| {
            for named in &self.included.claims {
                if let Some(texts) = claims.and_then(|claims| named.texts(claims)) {
                    named.write(object, texts);
                }
            }
        });
    }

    /// Whether there is a valid JWT, and whose. Returns its claims; what cannot be read is not in the record.
    fn write_jwt<'r>(&self, record: &mut JsonObject, request: &Request<'r>) -> Option<StructView<'r>> {
        let metadata = MetadataView::new(request.attribute(&Attribute::DynamicMetadata).unwrap_or_default());
        let is_unreadable = request.is_unreadable(&Attribute::DynamicMetadata);
        let claims = claims(metadata).ok().filter(|_| !is_unreadable)?;
        record.flag("jwt", claims.is_some());
        let claims = claims?;
        match (claims.get("iss"), claims.get("sub")) {
            (Ok(Some(ValueView::Text(issuer))), Ok(Some(ValueView::Text(subject)))) => {
                let shown = |name: &str, value| if self.included.masks_claim(name) { MASK } else { value };
                let (issuer, subject) = (shown("iss", issuer), shown("sub", subject));
                record.text("request_principal", &[issuer, b"/", subject].concat(), IDENTITY);
                // Where the issuer ends cannot be seen there.
                if subject.contains(&b'/') {
                    record.text("request_subject", subject, IDENTITY);
                }
            }
            (Ok(_), Ok(_)) => record.null("request_principal"),
            (Err(_), _) | (_, Err(_)) => {}
        }
        Some(claims)
    }
}

/// What was decided.
#[inline(never)]
fn write_decision(record: &mut JsonObject, event: &Event<'_>) {
    let Event { decision, mode, response_code: _, failure, alone } = event;
    record.text("decision", decision.word().as_bytes(), SHORT);
    record.text("mode", mode.word().as_bytes(), SHORT);
    record.text("reason", decision.reason.word().as_bytes(), SHORT);
    if let Some(rule) = decision.rule {
        record.text("policy", rule.full_name().as_bytes(), NAME);
        record.number("rule", rule.index.into());
    }
    if let Some(failure) = failure {
        record.text("failure", failure.as_bytes(), SHORT);
    }
    let named = |alone: &ShadowDecision<'_>| {
        let index = alone.decision.rule.map(|rule| format!("[{}]", rule.index)).unwrap_or_default();
        alone.full_name() + &index
    };
    let alone: Vec<String> = alone.iter().take(ALONE).map(named).collect();
    record.texts("alone", alone.iter().map(String::as_bytes), NAME);
}

impl Named {
    fn write(&self, object: &mut JsonObject, mut values: Vec<&[u8]>) {
        if values.is_empty() {
            return object.null(&self.name);
        }
        if self.is_masked {
            values = vec![MASK];
        }
        object.texts(&self.name, values, VALUE);
    }

    /// The claim, if it is a string, or its strings if it is a list; nothing if the JWT does not have it. `None` if it is
    /// something else.
    fn texts<'c>(&self, claims: StructView<'c>) -> Option<Vec<&'c [u8]>> {
        match claims.at(self.path.iter().map(|name| &**name)) {
            Ok(None) => Some(Vec::new()),
            Ok(Some(ValueView::Text(text))) => Some(vec![text]),
            Ok(Some(ValueView::List(list))) => {
                let texts = list.items().filter_map(|item| match item {
                    Ok(ValueView::Text(text)) => Some(text),
                    _ => None,
                });
                Some(texts.take(VALUES).collect()).filter(|texts: &Vec<_>| !texts.is_empty())
            }
            _ => None,
        }
    }
}
