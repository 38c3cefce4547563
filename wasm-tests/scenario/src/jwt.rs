//! JWTs as clients send them: signed with HMAC and SHA-256, by a key that every proxy with `jwtAuthn` has.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Map, Value, json};

const KEY: &[u8] = b"a key that every proxy of the tests has";
/// What Istio splits at spaces, in Envoy's `space_delimited_claims`.
pub const SPACE_DELIMITED: [&str; 2] = ["permission", "scope"];

/// The key set that a proxy checks JWTs by (RFC 7517).
#[must_use]
pub fn key_set() -> Value {
    json!({"keys": [{"kty": "oct", "alg": "HS256", "kid": "tests", "k": URL_SAFE_NO_PAD.encode(KEY)}]})
}

/// A JWT with these claims (RFC 7519).
///
/// ```
/// let claims = serde_json::json!({"iss": "issuer", "sub": "ann"});
/// let token = weir_scenario::jwt::signed(claims.as_object().ok_or("claims are an object")?);
/// assert_eq!(token.split('.').count(), 3);
/// # Ok::<(), &str>(())
/// ```
#[must_use]
pub fn signed(claims: &Map<String, Value>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"alg": "HS256", "kid": "tests", "typ": "JWT"});
    let content = format!("{}.{}", part(&header), part(&Value::Object(claims.clone())));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY), content.as_bytes());
    format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The dynamic metadata that the JWT filter makes of claims, under its own name.
#[must_use]
pub fn metadata(claims: &Map<String, Value>) -> Map<String, Value> {
    let mut payload = claims.clone();
    for claim in SPACE_DELIMITED {
        if let Some(Value::String(text)) = payload.get(claim) {
            let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
            payload.insert(claim.to_owned(), json!(words));
        }
    }
    Map::from_iter([("payload".to_owned(), Value::Object(payload))])
}
