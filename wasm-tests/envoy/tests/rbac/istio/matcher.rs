//! The matcher of one value (`pilot/pkg/security/authz/matcher` and `model/generator.go`).

use serde_json::{Value, json};

/// Which half of an RBAC policy a matcher belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What the request is.
    Permission,
    /// Who sends it.
    Principal,
}

impl Side {
    pub(super) fn all(self, matchers: Vec<Value>) -> Value {
        match self {
            Self::Permission => json!({"andRules": {"rules": matchers}}),
            Self::Principal => json!({"andIds": {"ids": matchers}}),
        }
    }

    pub(super) fn any(self, matchers: Vec<Value>) -> Value {
        match self {
            Self::Permission => json!({"orRules": {"rules": matchers}}),
            Self::Principal => json!({"orIds": {"ids": matchers}}),
        }
    }

    pub(super) fn not(self, matcher: &Value) -> Value {
        match self {
            Self::Permission => json!({"notRule": matcher}),
            Self::Principal => json!({"notId": matcher}),
        }
    }
}

/// The half that a condition belongs to.
pub(super) fn side(key: &str) -> Side {
    match key {
        "destination.ip" | "destination.port" | "connection.sni" => Side::Permission,
        _ if key.starts_with("experimental.") => Side::Permission,
        _ => Side::Principal,
    }
}

/// The matcher of one value of a condition, or of the operation's field of that name.
pub(super) fn one(key: &str, value: &str, namespace: &str, filter_state: bool) -> Value {
    let peer = |name: Value| match filter_state {
        false => json!({"authenticated": {"principalName": name}}),
        true => json!({"filterState": {"key": "io.istio.peer_principal", "stringMatch": name}}),
    };
    match key {
        "hosts" => json!({"header": header(":authority", value, true)}),
        "methods" => json!({"header": header(":method", value, false)}),
        "paths" if value.contains("{*}") || value.contains("{**}") => template(value),
        "paths" => json!({"urlPath": {"path": string(value, "")}}),
        "destination.port" => json!({"destinationPort": value.parse::<u16>().unwrap()}),
        "destination.ip" => json!({"destinationIp": range(value)}),
        "connection.sni" => json!({"requestedServerName": string(value, "")}),
        "source.ip" => json!({"directRemoteIp": range(value)}),
        "remote.ip" => json!({"remoteIp": range(value)}),
        "source.principal" => peer(string(value, "spiffe://")),
        "source.namespace" => {
            let parts: Vec<_> = value.split('*').map(quoted).collect();
            peer(regex(format!(".*/ns/{}/.*", parts.join(".*"))))
        }
        "source.serviceAccount" => {
            let (namespace, account) = value.split_once('/').unwrap_or((namespace, value));
            let (namespace, account) = (quoted(namespace), quoted(account));
            peer(regex(format!("spiffe://.+/ns/{namespace}/(.+/|)sa/{account}(/.+)?")))
        }
        "source.trustDomain" => peer(match value.split_once('*') {
            Some(("", "")) => json!({"prefix": "spiffe://"}),
            None => json!({"prefix": format!("spiffe://{value}/")}),
            Some((before, after)) => regex(format!("spiffe://{}[^/]*{}/.*", quoted(before), quoted(after))),
        }),
        _ => {
            let name = key.strip_prefix("request.headers[").and_then(|rest| rest.strip_suffix(']'));
            let name = name.unwrap_or_else(|| panic!("no condition `{key}` is known"));
            json!({"header": header(name, value, false)})
        }
    }
}

/// `HeaderMatcher`, and `HostMatcher` where case is ignored.
fn header(name: &str, value: &str, ignore_case: bool) -> Value {
    if value == "*" {
        return json!({"name": name, "presentMatch": true});
    }
    let mut matcher = if let Some(suffix) = value.strip_prefix('*') {
        json!({"suffix": suffix})
    } else if let Some(prefix) = value.strip_suffix('*') {
        json!({"prefix": prefix})
    } else {
        json!({"exact": value})
    };
    if ignore_case {
        matcher["ignoreCase"] = true.into();
    }
    json!({"name": name, "stringMatch": matcher})
}

/// `StringMatcherWithPrefix`
pub(super) fn string(value: &str, before: &str) -> Value {
    if value == "*" {
        regex(".+".to_owned())
    } else if let Some(suffix) = value.strip_prefix('*') {
        match before {
            "" => json!({"suffix": suffix}),
            before => regex(format!("{before}.*{}", quoted(suffix))),
        }
    } else if let Some(prefix) = value.strip_suffix('*') {
        json!({"prefix": format!("{before}{prefix}")})
    } else {
        json!({"exact": format!("{before}{value}")})
    }
}

fn regex(text: String) -> Value {
    json!({"safeRegex": {"regex": text}})
}

/// Go's `regexp.QuoteMeta`.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

fn template(value: &str) -> Value {
    json!({"uriTemplate": {
        "name": "uri-template",
        "typedConfig": {
            "@type": "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
            "pathTemplate": value.replace("{*}", "*").replace("{**}", "**"),
        },
    }})
}

fn range(value: &str) -> Value {
    let (address, bits) = value.split_once('/').unwrap_or((value, if value.contains(':') { "128" } else { "32" }));
    json!({"addressPrefix": address, "prefixLen": bits.parse::<u32>().unwrap()})
}
