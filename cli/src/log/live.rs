//! What was decided when a line was written, by its response code details.
//!
//! A policy that was asked has refused the request, or has let it pass on to the router. What another filter answered says
//! nothing of the policies: they may not have been asked.

use super::Record;
use super::header::Known;
use std::borrow::Cow;

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Live<'r> {
    /// The request passed the policies.
    Allowed,
    /// A policy refused it: Envoy's name of the rule, if the line has it.
    Denied(Cow<'r, str>),
    /// It was answered before policies were asked.
    Before(&'r str),
    /// Something else answered it, or the line does not say who.
    Unsaid(&'r str),
}

/// Beginnings of details of the router, which comes last, and of what it leads to.
const ROUTED: [&str; 16] = [
    "via_upstream",
    "route_not_found",
    "cluster_not_found",
    "no_healthy_upstream",
    "direct_response",
    "upstream_",
    "response_timeout",
    "per_try_timeout",
    "maintenance_mode",
    "response_payload_too_large",
    "internal_redirect",
    "request_payload_exceeded_retry_buffer_limit",
    "redirect",
    "filter_chain_not_found",
    "drop_overload",
    "unconditional_drop_overload",
];

/// Beginnings of details of what stands before policies: the codec, the connection manager, the JWT filter, and in Istio
/// ext_authz, which action CUSTOM asks.
const BEFORE: [&str; 24] = [
    "jwt_authn_access_denied",
    "ext_authz_",
    "http1.",
    "http2.",
    "http3.",
    "missing_host",
    "missing_path",
    "missing_method",
    "missing_required_headers",
    "absolute_path_rejected",
    "path_normalization",
    "low_version",
    "request_headers_",
    "request_header_",
    "request_path_",
    "request_payload_exceeded_limit",
    "overload",
    "rejecting_because_detection_failed",
    "invalid_",
    "bad_request",
    "codec_error",
    "path_with_escaped_slashes",
    "uhv.",
    "duplicate_",
];

impl<'r> Live<'r> {
    pub(super) fn of(record: &'r Record<'_>) -> Self {
        let text = |known: &'r Known<'_>| known.value().and_then(|value| std::str::from_utf8(value).ok());
        if let Some(decision) = text(&record.decision) {
            return recorded(record, decision);
        }
        let Some(details) = text(&record.details) else {
            return match record.upstream_host.value() {
                Some(_) => Self::Allowed,
                None => Self::Unsaid("the log has no response code details"),
            };
        };
        let begins = |known: &[&str]| known.iter().any(|begin| details.starts_with(begin));
        match details.strip_prefix("rbac_access_denied") {
            Some(rest) => {
                let rule = rest.strip_prefix("_matched_policy[").and_then(|rest| rest.strip_suffix(']'));
                Self::Denied(rule.map_or(Cow::Borrowed(details), named))
            }
            None if record.upstream_host.value().is_some() || begins(&ROUTED) => Self::Allowed,
            None if begins(&BEFORE) => Self::Before(kind(details)),
            None => Self::Unsaid(kind(details)),
        }
    }

    /// Whether the request passed, where that is known.
    pub(crate) fn allow(&self) -> Option<bool> {
        match self {
            Self::Allowed => Some(true),
            Self::Denied(_) => Some(false),
            Self::Before(_) | Self::Unsaid(_) => None,
        }
    }
}

/// What an audit record says.
fn recorded<'r>(record: &'r Record<'_>, decision: &str) -> Live<'r> {
    let text = |known: &'r Known<'_>| known.value().and_then(|value| std::str::from_utf8(value).ok());
    let is_enforced = text(&record.mode).is_none_or(|mode| mode == "enforced");
    match (decision, is_enforced) {
        // As where Envoy's own filter asks, which is ahead of policies.
        ("deny", true) if text(&record.reason) == Some("provider") => Live::Before("ext_authz_denied"),
        ("deny", true) if text(&record.reason) == Some("error") => Live::Before("ext_authz_error"),
        ("deny", true) => Live::Denied(match (text(&record.policy), text(&record.rule)) {
            (Some(policy), Some(rule)) => Cow::Owned(format!("{policy}[{rule}]")),
            (Some(policy), None) => Cow::Borrowed(policy),
            (None, _) => Cow::Borrowed("none"),
        }),
        ("allow", true) => Live::Allowed,
        _ => Live::Unsaid("the record is of a decision that is not enforced"),
    }
}

/// The kind of details, which may have words of the request at their end.
fn kind(details: &str) -> &str {
    details.split(['{', '[', ':']).next().unwrap_or(details)
}

/// Envoy's name of a rule, as rules are written here.
fn named(id: &str) -> Cow<'_, str> {
    let parts = || {
        let (namespace, rest) = id.strip_prefix("ns[")?.split_once("]-policy[")?;
        let (policy, rule) = rest.split_once("]-rule[")?;
        Some(format!("{namespace}/{policy}[{}]", rule.strip_suffix(']')?))
    };
    parts().map_or(Cow::Borrowed(id), Cow::Owned)
}

#[cfg(test)]
mod tests;
