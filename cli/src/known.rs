//! Configuration that operators keep beside Weir's, which says what Weir could do and is in a form that it does not take.
//! Each is named for what it is, with the next step.

use crate::diagnostic::Diagnostic;
use crate::field::field;
use crate::object::Object;
use serde_json::Value;

const ID: &str = "not-taken";

const LIMITS: &str = "write the limits as `rateLimit.local.config` of a document, in the words of envoyproxy/ratelimit, and \
                      what they count as `rateLimit.rate_limits`";

/// The note on an object of a kind that is known and not taken.
pub(crate) fn object(object: &Object, value: &Value, path: &str) -> Option<Diagnostic> {
    let group = object.group.as_deref().unwrap_or_default();
    let has = |pointer: &str| value.pointer(pointer).is_some();
    let message = match (group, object.kind.as_str()) {
        ("telemetry.istio.io", "Telemetry") if has("/spec/metrics") => {
            "the metrics of Istio's Telemetry are not taken: write `telemetry: {}` in a document for Istio's standard metrics; what the \
             object overrides has no place there yet"
                .to_owned()
        }
        ("gateway.envoyproxy.io", "BackendTrafficPolicy") if has("/spec/rateLimit") => {
            format!("Envoy Gateway's rate limits are not taken: {LIMITS}")
        }
        ("gateway.envoyproxy.io", "SecurityPolicy") if has("/spec/authorization") => {
            "Envoy Gateway's SecurityPolicy is not taken: write its rules as AuthorizationPolicies".to_owned()
        }
        ("kuadrant.io", "RateLimitPolicy" | "TokenRateLimitPolicy") | ("limitador.kuadrant.io", "Limitador") => {
            format!("Kuadrant's limits are not taken: {LIMITS}")
        }
        ("kuadrant.io", "AuthPolicy") => {
            "Kuadrant's AuthPolicy is not taken: write its rules as AuthorizationPolicies".to_owned()
        }
        ("rbac.istio.io", "ServiceRole" | "ServiceRoleBinding" | "RbacConfig" | "ClusterRbacConfig") => {
            "Istio has not read this since 1.6: write its rules as an AuthorizationPolicy".to_owned()
        }
        ("config.istio.io", _) => "this configured Istio's Mixer, which Istio has not had since 1.8: policies become \
                                   AuthorizationPolicies, quotas become `rateLimit`, and metrics become `telemetry` of a \
                                   document"
            .to_owned(),
        _ => return None,
    };
    Some(Diagnostic::note(ID, path, message))
}

/// The note on what an EnvoyFilter or a bootstrap has of Envoy's own rate limits.
pub(crate) fn native_limits(value: &Value, path: &str) -> Option<Diagnostic> {
    // In a TypedStruct the type of the extension is its `type_url`.
    let types = [value.get("@type"), field(value, "type_url")];
    let name = types.into_iter().flatten().find_map(|kind| match kind.as_str()?.rsplit('/').next()? {
        "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit" => Some("LocalRateLimit"),
        "envoy.extensions.filters.http.ratelimit.v3.RateLimit" => Some("RateLimit"),
        _ => None,
    })?;
    Some(Diagnostic::note(ID, path, format!("Envoy's own {name} is not taken: {LIMITS}")))
}

/// The note on limits, or what they count, in a ConfigMap.
pub(crate) fn in_config_map(path: &str) -> Diagnostic {
    Diagnostic::note(ID, path, "`weir render` and `weir run` read no ConfigMaps: give them this as a file of its own")
}

/// The note on a file without a kind that is not Weir's: limits of another service.
pub(crate) fn file(value: &Value, path: &str) -> Option<Diagnostic> {
    let is_limit = |item: &Value| ["namespace", "max_value", "seconds"].iter().all(|name| item.get(name).is_some());
    let items = value.as_array().filter(|items| !items.is_empty())?;
    items.iter().all(is_limit).then(|| Diagnostic::note(ID, path, format!("limits of Limitador: {LIMITS}")))
}
