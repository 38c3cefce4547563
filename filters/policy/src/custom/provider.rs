//! A provider as Istio's MeshConfig has it under `extensionProviders`, checked.
//!
//! Semantics: `MeshConfig.ExtensionProvider` of Istio's API, and `pilot/pkg/security/authz/builder/extauthz.go`, which makes
//! Envoy's ext_authz filter of it.

use super::format::Format;
use weir_config::units::parse_duration;
use weir_config::{Cursor, Fields, Value};
use weir_matching::Pattern;
use weir_model::{SortedMap, is_header_name};

/// The providers that CUSTOM policies may name.
pub(crate) type Providers = SortedMap<Box<str>, Provider>;

/// A service that is asked about requests.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    /// The cluster of Envoy's that leads there.
    pub(crate) cluster: String,
    pub(crate) timeout_millis: u32,
    /// Whether requests pass that it could not be asked about.
    pub(crate) fail_open: bool,
    /// What they are answered with otherwise.
    pub(crate) status_on_error: u16,
    pub(crate) protocol: Protocol,
}

/// How it is asked.
#[derive(Clone, Debug)]
pub(crate) enum Protocol {
    /// By `envoy.service.auth.v3.Authorization`.
    Grpc {
        /// `:authority`.
        authority: String,
    },
    /// By a request of the same method and path, without a body.
    Http(Box<HttpProvider>),
}

/// What of the request goes to an HTTP provider, and what of its answer goes on.
#[derive(Clone, Debug)]
pub(crate) struct HttpProvider {
    /// Stands before the path.
    pub(crate) path_prefix: Vec<u8>,
    /// Request headers that are sent besides `authorization`.
    pub(crate) included: Box<[Pattern]>,
    /// Headers that are added, by name in lower case.
    pub(crate) additional: Vec<(Vec<u8>, Format)>,
    /// Headers of the answer that the upstream gets if the provider allows the request.
    pub(crate) to_upstream: Box<[Pattern]>,
    /// Headers of the answer that the client gets if it does not. None: all.
    pub(crate) on_deny: Box<[Pattern]>,
    /// Headers of the answer that the client gets if it does.
    pub(crate) on_allow: Box<[Pattern]>,
}

impl Provider {
    pub(crate) fn is_grpc(&self) -> bool {
        matches!(self.protocol, Protocol::Grpc { .. })
    }

    /// Whether its answers can change responses: those of a gRPC provider may at any time.
    pub(crate) fn may_edit_responses(&self) -> bool {
        match &self.protocol {
            Protocol::Grpc { .. } => true,
            Protocol::Http(http) => !http.on_allow.is_empty(),
        }
    }
}

/// Ten minutes, Istio's default.
const TIMEOUT_MILLIS: u32 = 600_000;

/// The most that a host takes as a timeout.
const LONGEST_MILLIS: u64 = i32::MAX as u64;

/// Istio's own default.
const FORBIDDEN: u16 = 403;

/// Why a body is not sent.
const NO_BODY: &str = "this filter decides on the headers, before there is a body, so a provider cannot be sent one; leave it \
                       out, or keep this provider with Envoy's own ext_authz filter";

/// Reads the field `providers`: a map by name, or the list of MeshConfig, of which those of other kinds are passed over.
#[inline(never)]
pub(crate) fn read(at: &Cursor<'_>) -> Providers {
    let mut providers = Providers::default();
    let mut add = |name: &str, provider: Option<Provider>, at: &Cursor<'_>| {
        if !is_provider_name(name) {
            at.problem::<()>("a provider's name is 1 to 63 lower case letters, digits and `-`, and no `-` at its ends");
        }
        if let Some(provider) = provider
            && providers.insert(name.into(), provider).is_some()
        {
            at.problem::<()>(format!("provider `{name}` is given twice"));
        }
    };
    if let Value::Array(_) = at.value() {
        for at in at.list().unwrap_or_default() {
            let Value::Object(entries) = at.value() else {
                at.object();
                continue;
            };
            if !entries.iter().any(|(key, _)| matches!(&**key, "envoyExtAuthzGrpc" | "envoyExtAuthzHttp")) {
                continue;
            }
            let Some(mut fields) = at.object() else { continue };
            let name = fields.require("name").and_then(|at| at.text());
            let provider = provider(fields);
            name.into_iter().for_each(|name| add(name, provider.clone(), &at));
        }
        return providers;
    }
    for (name, at) in at.map().unwrap_or_default() {
        add(name, at.object().and_then(provider), &at);
    }
    providers
}

/// Whether Istio takes a name for that of a provider.
pub(crate) fn is_provider_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('-') && !name.ends_with('-')
}

#[inline(never)]
fn provider(mut fields: Fields<'_>) -> Option<Provider> {
    let at = *fields.cursor();
    let cluster = fields.take("cluster").and_then(|at| at.text()).map(str::to_owned);
    let (grpc, http) = (fields.take("envoyExtAuthzGrpc"), fields.take("envoyExtAuthzHttp"));
    fields.finish();
    match (grpc, http) {
        (Some(at), None) => service(&at, cluster, false),
        (None, Some(at)) => service(&at, cluster, true),
        _ => at.problem("a provider has either `envoyExtAuthzGrpc` or `envoyExtAuthzHttp`"),
    }
}

/// Reads `envoyExtAuthzGrpc` or `envoyExtAuthzHttp`.
#[inline(never)]
fn service(at: &Cursor<'_>, cluster: Option<String>, is_http: bool) -> Option<Provider> {
    let mut fields = at.object()?;
    let host = fields.require("service").and_then(|at| service_host(&at));
    let port = fields.require("port").and_then(|at| port(&at));
    let timeout_millis = match fields.take("timeout") {
        Some(at) => millis(&at),
        None => Some(TIMEOUT_MILLIS),
    };
    let fail_open = fields.take("failOpen").and_then(|at| at.bool()).unwrap_or(false);
    let status_on_error = match fields.take("statusOnError") {
        Some(at) => status(&at),
        None => Some(FORBIDDEN),
    };
    if let Some(at) = fields.take("clearRouteCache")
        && at.bool() == Some(false)
    {
        at.warning("route-chosen-again", "Envoy chooses the route again where a Wasm filter edits a request's headers");
    }
    fields.take("includeRequestBodyInCheck").and_then(|at| at.problem::<()>(NO_BODY));
    let protocol = if is_http {
        Some(Protocol::Http(Box::new(http(&mut fields))))
    } else {
        host.map(|host| Protocol::Grpc { authority: host.to_owned() })
    };
    fields.finish();
    let cluster = cluster.or_else(|| Some(format!("outbound|{}||{}", port?, host?)));
    Some(Provider {
        cluster: cluster?,
        timeout_millis: timeout_millis?,
        fail_open,
        status_on_error: status_on_error?,
        protocol: protocol?,
    })
}

fn http(fields: &mut Fields<'_>) -> HttpProvider {
    let path_prefix = fields.take("pathPrefix").and_then(|at| path_prefix(&at)).unwrap_or_default();
    // The older name counts only where the newer one says nothing.
    let included = fields.take("includeRequestHeadersInCheck").map(|at| patterns(&at)).unwrap_or_default();
    let older = fields.take("includeHeadersInCheck").map(|at| patterns(&at)).unwrap_or_default();
    let additional = fields.take("includeAdditionalHeadersInCheck");
    let mut list = |name| fields.take(name).map(|at| patterns(&at)).unwrap_or_default();
    HttpProvider {
        path_prefix,
        included: if included.is_empty() { older } else { included },
        additional: additional.map(|at| additional_headers(&at)).unwrap_or_default(),
        to_upstream: list("headersToUpstreamOnAllow"),
        on_deny: list("headersToDownstreamOnDeny"),
        on_allow: list("headersToDownstreamOnAllow"),
    }
}

/// The host of `[NAMESPACE/]HOST`.
#[inline(never)]
fn service_host<'v>(at: &Cursor<'v>) -> Option<&'v str> {
    let text = at.text()?;
    let host = text.split_once('/').map_or(text, |(_, host)| host);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    if host.is_empty() || !host.bytes().all(plain) {
        return at.problem(format!("`{text}` is not a service; write `HOST` or `NAMESPACE/HOST`"));
    }
    Some(host)
}

/// A number, which Istio takes as text too.
fn port(at: &Cursor<'_>) -> Option<u64> {
    match at.value() {
        Value::String(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            let port = text.parse().ok().filter(|port| (1..=65_535).contains(port));
            port.or_else(|| at.problem("expected a whole number from 1 to 65535"))
        }
        _ => at.integer(1, 65_535),
    }
}

/// A duration such as `0.5s`, `250ms` or `1m30s`, in milliseconds. What is less than one is one.
#[inline(never)]
fn millis(at: &Cursor<'_>) -> Option<u32> {
    let text = at.text()?;
    let Some(timeout) = parse_duration(text) else {
        return at.problem(format!("`{text}` is not a duration such as `0.5s` or `250ms`"));
    };
    match u32::try_from(timeout.as_nanos().div_ceil(1_000_000)) {
        Ok(millis) if millis > 0 && u64::from(millis) <= LONGEST_MILLIS => Some(millis),
        _ => at.problem("a timeout is more than zero and less than 25 days: a request must not wait for ever"),
    }
}

/// A status that Envoy knows, as text.
#[inline(never)]
fn status(at: &Cursor<'_>) -> Option<u16> {
    let text = at.text()?;
    match text.parse::<u16>() {
        Ok(status) if is_known_status(status) && !text.starts_with('+') => Some(status),
        _ => at.problem(format!("`{text}` is not an HTTP status that Envoy knows, such as `503`")),
    }
}

/// `envoy.type.v3.StatusCode`.
fn is_known_status(status: u16) -> bool {
    matches!(status, 100 | 200..=208 | 226 | 300..=305 | 307 | 308 | 400..=417 | 421..=424 | 426 | 428 | 429 | 431)
        || matches!(status, 500..=508 | 510 | 511)
}

#[inline(never)]
fn path_prefix(at: &Cursor<'_>) -> Option<Vec<u8>> {
    let text = at.text()?;
    if !text.starts_with('/') || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return at.problem("a path prefix begins with `/`, and has no white space and nothing outside ASCII");
    }
    Some(text.as_bytes().to_vec())
}

/// Names of headers, or how they begin or end, ignoring case.
#[inline(never)]
fn patterns(at: &Cursor<'_>) -> Box<[Pattern]> {
    let patterns = at.each(|item| match item.text()? {
        "*" => item.problem("`*` alone is not supported, as in Istio: say how the names begin or end"),
        text => Some(Pattern::parse_lower(text)),
    });
    patterns.into()
}

#[inline(never)]
fn additional_headers(at: &Cursor<'_>) -> Vec<(Vec<u8>, Format)> {
    let mut headers = Vec::new();
    for (name, at) in at.map().unwrap_or_default() {
        let lower = name.to_ascii_lowercase().into_bytes();
        if !is_header_name(&lower) || lower.starts_with(b":") || lower == b"host" {
            at.problem::<()>(format!("`{name}` is not a header that can be added"));
        } else if let Some(format) = at.string().and_then(|text| Format::parse(&at, text)) {
            headers.push((lower, format));
        }
    }
    // Istio sorts them by name as it is written, which decides nothing unless two differ in case.
    headers
}

#[cfg(test)]
mod tests;
