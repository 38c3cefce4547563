//! Matchers of dynamic metadata: the claims of a JWT, and what other filters have found (the generators that Istio calls
//! extended: they make one matcher of all values).

use serde_json::{Value, json};

use super::matcher::{Side, string};

const JWT_FILTER: &str = "envoy.filters.http.jwt_authn";

/// The matcher of the values of a condition on metadata; `None` for any other condition.
pub(super) fn matcher(side: Side, key: &str, values: &[String]) -> Option<Value> {
    Some(match key {
        "request.auth.principal" => {
            let mut all: Vec<Value> = values.iter().map(|value| request_principal(side, value)).collect();
            if all.len() == 1 { all.remove(0) } else { side.any(all) }
        }
        "request.auth.audiences" => claim(&["aud"], values),
        "request.auth.presenter" => claim(&["azp"], values),
        _ if key.starts_with("request.auth.claims") => claim(&names(&key["request.auth.claims".len()..]), values),
        _ => other_filter(key.strip_prefix("experimental.")?, values),
    })
}

/// `requestPrincipalGenerator`
fn request_principal(side: Side, value: &str) -> Value {
    let present = || json!({"safeRegex": {"regex": ".+"}});
    let exact = |text: &str| json!({"exact": text});
    let (issuer, subject) = value.rsplit_once('/').unwrap_or((value, ""));
    let found = value.contains('/');
    let (issuer, subject) = if value == "*" {
        (present(), present())
    } else if let Some(rest) = value.strip_prefix('*') {
        match issuer.strip_prefix('*') {
            _ if !found => (present(), json!({"suffix": rest})),
            Some("") => (present(), exact(subject)),
            ending => (json!({"suffix": ending.unwrap_or(issuer)}), exact(subject)),
        }
    } else if let Some(rest) = value.strip_suffix('*') {
        match subject.strip_suffix('*') {
            _ if !found => (json!({"prefix": rest}), present()),
            Some("") => (exact(issuer), present()),
            beginning => (exact(issuer), json!({"prefix": beginning.unwrap_or(subject)})),
        }
    } else {
        (exact(issuer), exact(subject))
    };
    let of = |name: &str, matcher: Value| at(JWT_FILTER, &["payload", name], &json!({"stringMatch": matcher}));
    side.all(vec![of("iss", issuer), of("sub", subject)])
}

/// `MetadataListValueMatcherForJWTClaims`: a string, or a list that has one.
fn claim(names: &[&str], values: &[String]) -> Value {
    let value = or(values.iter().map(|value| json!({"stringMatch": string(value, "")})).collect());
    let path: Vec<&str> = ["payload"].iter().chain(names).copied().collect();
    at(JWT_FILTER, &path, &json!({"orMatch": {"valueMatchers": [one_of(&value), value]}}))
}

/// `envoyFilterGenerator`
fn other_filter(key: &str, values: &[String]) -> Value {
    let (filter, name) = key.strip_suffix(']').unwrap_or(key).split_once('[').unwrap();
    let value = |value: &String| match value.strip_prefix('[') {
        Some(_) if value.ends_with(']') => one_of(&json!({"stringMatch": string(value.trim_matches(['[', ']']), "")})),
        _ => json!({"stringMatch": string(value, "")}),
    };
    at(filter, &[name], &or(values.iter().map(value).collect()))
}

/// `extractNameInNestedBrackets`
fn names(brackets: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = brackets;
    while let Some(after) = rest.strip_prefix('[') {
        match after.find(['[', ']']) {
            Some(end) if after[end..].starts_with(']') => {
                names.push(&after[..end]);
                rest = &after[end + 1..];
            }
            _ => break,
        }
    }
    if rest.is_empty() { names } else { vec![&brackets[1..brackets.len() - 1]] }
}

fn at(filter: &str, path: &[&str], value: &Value) -> Value {
    let path: Vec<Value> = path.iter().map(|key| json!({"key": key})).collect();
    json!({"metadata": {"filter": filter, "path": path, "value": value}})
}

fn one_of(value: &Value) -> Value {
    json!({"listMatch": {"oneOf": value}})
}

/// `OrMatcher`
fn or(mut matchers: Vec<Value>) -> Value {
    if matchers.len() == 1 { matchers.remove(0) } else { json!({"orMatch": {"valueMatchers": matchers}}) }
}
