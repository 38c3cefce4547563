//! `envoy.type.v3.HttpStatus`, as far as a refusal can use it.

use weir_config::proto_json::required;
use weir_config::{Cursor, Value};

/// Reads `{code: NAME or number}`. Numbers below 400 become 429, as in Envoy; names below 400 are not known here.
pub(crate) fn status(at: &Cursor<'_>) -> Option<u16> {
    let mut fields = at.object()?;
    let code = required(&mut fields, "code", "code").and_then(|at| match at.value() {
        Value::String(_) => at.word(&NAMES),
        _ => at.integer(100, 599).and_then(|code| u16::try_from(code).ok()),
    });
    fields.finish();
    code.map(|code| if code < 400 { 429 } else { code })
}

const NAMES: [(&str, u16); 37] = [
    ("BadRequest", 400),
    ("Unauthorized", 401),
    ("PaymentRequired", 402),
    ("Forbidden", 403),
    ("NotFound", 404),
    ("MethodNotAllowed", 405),
    ("NotAcceptable", 406),
    ("ProxyAuthenticationRequired", 407),
    ("RequestTimeout", 408),
    ("Conflict", 409),
    ("Gone", 410),
    ("LengthRequired", 411),
    ("PreconditionFailed", 412),
    ("PayloadTooLarge", 413),
    ("URITooLong", 414),
    ("UnsupportedMediaType", 415),
    ("RangeNotSatisfiable", 416),
    ("ExpectationFailed", 417),
    ("MisdirectedRequest", 421),
    ("UnprocessableEntity", 422),
    ("Locked", 423),
    ("FailedDependency", 424),
    ("UpgradeRequired", 426),
    ("PreconditionRequired", 428),
    ("TooManyRequests", 429),
    ("RequestHeaderFieldsTooLarge", 431),
    ("InternalServerError", 500),
    ("NotImplemented", 501),
    ("BadGateway", 502),
    ("ServiceUnavailable", 503),
    ("GatewayTimeout", 504),
    ("HTTPVersionNotSupported", 505),
    ("VariantAlsoNegotiates", 506),
    ("InsufficientStorage", 507),
    ("LoopDetected", 508),
    ("NotExtended", 510),
    ("NetworkAuthenticationRequired", 511),
];
