//! Values of policies that no request has. A `*` begins or ends a value; if it does both, the first one counts. Anywhere else it
//! stands for itself (Istio's `pilot/pkg/security/authz/matcher`).

use super::items;
use crate::diagnostic::Diagnostics;
use serde_json::Value;

const NEVER: &str = "never-matches";

/// What is wrong with one value, if no request can have it.
type Check = fn(&str) -> Option<&'static str>;

const OPERATION: [(&str, Check); 6] = [
    ("paths", path),
    ("notPaths", path),
    ("hosts", host),
    ("notHosts", host),
    ("methods", method),
    ("notMethods", method),
];

const SOURCE: [(&str, Check); 8] = [
    ("principals", principal),
    ("notPrincipals", principal),
    ("namespaces", identity),
    ("notNamespaces", identity),
    ("serviceAccounts", identity),
    ("notServiceAccounts", identity),
    ("trustDomains", identity),
    ("notTrustDomains", identity),
];

/// Keys of conditions. Names of headers are compared without their case.
const KEYS: [(&str, Check); 9] = [
    ("source.principal", principal),
    ("source.namespace", identity),
    ("source.serviceAccount", identity),
    ("source.trustDomain", identity),
    ("connection.sni", server_name),
    ("request.headers[host]", host),
    ("request.headers[:authority]", host),
    ("request.headers[:method]", method),
    ("request.headers[:path]", target),
];

/// Looks at an `operation`, which is at `path`.
pub(super) fn operation(operation: Option<&Value>, path: &str, diagnostics: &mut Diagnostics) {
    fields(operation, &OPERATION, path, diagnostics);
}

/// Looks at a `source`.
pub(super) fn source(source: Option<&Value>, path: &str, diagnostics: &mut Diagnostics) {
    fields(source, &SOURCE, path, diagnostics);
}

/// Looks at an item of `when`.
pub(super) fn condition(condition: &Value, path: &str, diagnostics: &mut Diagnostics) {
    let Some(key) = condition.get("key").and_then(Value::as_str) else { return };
    if let Some(why) = header_key(key) {
        return diagnostics.warning(NEVER, format!("{path}.key"), format!("`{key}` {why}"));
    }
    if let Some((_, check)) = KEYS.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)) {
        fields(Some(condition), &[("values", *check), ("notValues", *check)], path, diagnostics);
    }
}

fn fields(object: Option<&Value>, checks: &[(&str, Check)], path: &str, diagnostics: &mut Diagnostics) {
    for (field, check) in checks {
        for (at, value) in items(object.and_then(|object| object.get(*field))).iter().enumerate() {
            let Some(text) = value.as_str() else { continue };
            if let Some(why) = check(text) {
                diagnostics.warning(NEVER, format!("{path}.{field}[{at}]"), format!("`{text}` {why}"));
            }
        }
    }
}

/// What of a value stands for itself.
fn literal(text: &str) -> &str {
    text.strip_prefix('*').or(text.strip_suffix('*')).unwrap_or(text)
}

/// Why a `*` in what stands for itself does not do what its author means.
fn star(text: &str) -> Option<&'static str> {
    if !literal(text).contains('*') {
        return None;
    }
    Some(match text.strip_prefix('*').and_then(|text| text.strip_suffix('*')) {
        Some(inner) if !inner.contains('*') => {
            "begins and ends with `*`: the first one counts, and the last one stands for itself"
        }
        _ => "has `*` in the middle, where it stands for itself",
    })
}

fn has_space(text: &str) -> bool {
    text.contains(char::is_whitespace)
}

fn path(text: &str) -> Option<&'static str> {
    if text.contains("://") {
        return Some("matches no path, which begins with `/` and has no scheme or host: write what is behind the host");
    }
    if text.contains(['?', '#']) {
        return Some("matches no path: the query and the fragment are not part of it; cut it at `?` or `#`");
    }
    // Templates are read more strictly, by the filter itself.
    if text.contains('{') {
        return None;
    }
    if has_space(text) {
        return Some("has a space, which no path has: remove it, or write `%20` as clients do");
    }
    if [".*", "[^", "\\", "(?", "|"].iter().any(|part| text.contains(part)) {
        return Some(
            "is not a regular expression: every character but one `*` at the beginning or the end stands for itself; \
                     a template has `{*}` for one segment and `{**}` for several",
        );
    }
    match star(text) {
        Some(why) if why.starts_with("has") => Some(
            "has `*` in the middle, where it stands for itself: write `{*}` for one segment, or `{**}` for several",
        ),
        None if !text.starts_with(['/', '*']) && !text.is_empty() => {
            Some("matches no path, which begins with `/` (or `*` where it is a suffix)")
        }
        why => why,
    }
}

/// A path with its query.
fn target(text: &str) -> Option<&'static str> {
    has_space(text).then_some("has a space, which no path has: remove it, or write `%20` as clients do")
}

fn host(text: &str) -> Option<&'static str> {
    if text.contains('/') {
        return Some("matches no host, which has no scheme and no path");
    }
    if has_space(text) {
        return Some("has a space, which no host has: remove it");
    }
    match text.strip_prefix('*').and_then(|text| text.strip_suffix(":*")) {
        Some(inner) if !inner.contains('*') => Some(
            "begins with `*`, so the `*` for the port stands for itself: write a value for each port, such as `*.example.com:8080`",
        ),
        _ => star(text),
    }
}

fn server_name(text: &str) -> Option<&'static str> {
    has_space(text).then_some("has a space, which no server name has: remove it")
}

fn method(text: &str) -> Option<&'static str> {
    let words = text.split([',', ';', '|', '/', ' ', '\t', '\n']).filter(|word| !word.is_empty());
    if words.count() > 1 {
        return Some("is compared as one method: write each method as an item of its own");
    }
    if has_space(text) {
        return Some("has a space, which no method has: remove it");
    }
    let is_usual = ["get", "head", "post", "put", "patch", "delete", "options", "trace", "connect"]
        .iter()
        .any(|usual| text.eq_ignore_ascii_case(usual));
    if is_usual && text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Some("matches no request, as methods are compared with their case: write it in capitals");
    }
    star(text)
}

fn principal(text: &str) -> Option<&'static str> {
    if literal(text).starts_with("spiffe://") {
        return Some("matches no peer: Istio writes principals without `spiffe://`");
    }
    if let Some(why) = identity(text) {
        return Some(why);
    }
    // A trust domain with `*` is replaced by those of the mesh that fit, if an account is named.
    let account = text.split_once('/').filter(|(domain, account)| {
        let is_pattern = domain.len() > 1 && (domain.starts_with('*') || domain.ends_with('*'));
        is_pattern && !literal(domain).contains('*') && account.split('/').count() == 4
    });
    match account {
        Some((_, account)) => account.strip_suffix('*').unwrap_or(account).contains('*').then_some(STAR_IN_PRINCIPAL),
        None => star(text).map(|_| STAR_IN_PRINCIPAL),
    }
}

const STAR_IN_PRINCIPAL: &str = "matches no peer: one `*` may begin or end a principal, and any other stands for itself; to \
                                 name a namespace or an account of any trust domain, use `namespaces` or `serviceAccounts`";

/// Part of a SPIFFE id.
fn identity(text: &str) -> Option<&'static str> {
    has_space(text).then_some("has a space, which no peer's identity has: remove it")
}

fn header_key(key: &str) -> Option<&'static str> {
    let name = key.strip_prefix("request.headers[")?.strip_suffix(']')?;
    if name.starts_with(['"', '\'']) {
        return Some("names a header with quotes: write `request.headers[name]`");
    }
    has_space(name).then_some("names a header with a space, which none has: remove it")
}
