//! Headers of which a request has one value.

/// Those that Envoy keeps one value of, joined by commas as they come (`INLINE_REQ_STRING_HEADERS` and
/// `INLINE_REQ_RESP_STRING_HEADERS` of its `header_map.h`), and the scheme.
const SINGLE: [&str; 20] = [
    ":scheme",
    "connection",
    "content-type",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-request-id",
    "x-client-trace-id",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-original-path",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "te",
    "user-agent",
    "x-envoy-downstream-service-cluster",
];

/// Whether Envoy keeps one value of a header, by its name in lower case: it joins several with commas.
///
/// ```
/// assert!(weir_policy::is_single_header("user-agent") && !weir_policy::is_single_header("x-role"));
/// ```
pub fn is_single_header(name: &str) -> bool {
    SINGLE.contains(&name)
}
