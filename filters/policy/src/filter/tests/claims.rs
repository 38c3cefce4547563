//! Claims of JWTs and other filters' metadata.

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_config::Value;

/// Dynamic metadata from JSON, as Envoy serialises it.
fn attributes(json: &str) -> Attributes {
    let read = |at: Cursor<'_>| match structure(at.value()) {
        StructValue::Map(filters) => Some(filters),
        _ => None,
    };
    let filters = read_document(json.as_bytes(), read).unwrap();
    let filters = filters.0.iter().map(|(name, fields)| (name.as_str(), fields.as_map().unwrap()));
    let mut attributes = Attributes::default();
    attributes.set(&Attribute::DynamicMetadata, &weir_proto::encode_metadata(filters));
    attributes
}

fn structure(value: &Value) -> StructValue {
    match value {
        Value::Null => StructValue::Null,
        Value::Bool(bool) => StructValue::Bool(*bool),
        Value::Number(_) => StructValue::Number(1.0),
        Value::String(text) => StructValue::Text(text.to_string()),
        Value::Array(items) => StructValue::List(items.iter().map(structure).collect()),
        Value::Object(fields) => {
            StructValue::Map(fields.iter().map(|(key, value)| (key.to_string(), structure(value))).collect())
        }
    }
}

/// The claims of a JWT where Envoy's filter leaves them.
fn jwt(claims: &str) -> Attributes {
    attributes(&format!(r#"{{"envoy.filters.http.jwt_authn":{{"payload":{claims},"header":{{"iss":"no"}}}}}}"#))
}

/// What an ALLOW policy with this rule and a DENY policy with it say: `allow`, `deny`, or `unknown` where both refuse and
/// name what they do not know.
fn outcome(rule: &str, attributes: &Attributes) -> String {
    let of = |action: &str| {
        let spec = format!(r#"{{"action":"{action}","rules":[{rule}]}}"#);
        let mut policy = policy("", &[("p", "", &spec)]).unwrap();
        match run(&mut policy, &GET, attributes).0 {
            Verdict::Reply(reply) => reply.details,
            _ => "pass".to_owned(),
        }
    };
    match (of("ALLOW").as_str(), of("DENY").as_str()) {
        ("pass", deny) if deny.ends_with("rule[0]]") => "yes".to_owned(),
        (allow, "pass") if allow.ends_with("[none]") => "no".to_owned(),
        (allow, deny) => format!("{allow} | {deny}"),
    }
}

const TOKEN: &str = r#"{
    "iss": "https://issuer.example", "sub": "ann", "azp": "app", "aud": ["web", "api"], "scope": ["read", "write"],
    "group": "staff", "level": 1, "admin": true, "none": null, "nested": {"role": "editor", "more": {"list": ["x", 1, ""]}},
    "empty": "", "dotted.name": "d", "[good]": "g", "lines": "a\nb"
}"#;

#[test]
fn claims_match_as_istio_and_envoy_match_them() {
    let mut rows = Rows::default();
    let when = |key: &str, values: &str| format!(r#"{{"when":[{{"key":"{key}",{values}}}]}}"#);
    for (key, values, expected) in [
        ("request.auth.claims[group]", r#""values":["staff"]"#, "yes"),
        ("request.auth.claims[group]", r#""values":["guests","staff"]"#, "yes"),
        ("request.auth.claims[group]", r#""values":["Staff"]"#, "no"),
        ("request.auth.claims[group]", r#""values":["st*"]"#, "yes"),
        ("request.auth.claims[group]", r#""values":["*ff"]"#, "yes"),
        ("request.auth.claims[group]", r#""values":["*"]"#, "yes"),
        ("request.auth.claims[group]", r#""notValues":["staff"]"#, "no"),
        ("request.auth.claims[group]", r#""notValues":["guests"]"#, "yes"),
        ("request.auth.claims[group]", r#""values":["st*"],"notValues":["staff"]"#, "no"),
        ("request.auth.claims[empty]", r#""values":["*"]"#, "no"),
        ("request.auth.claims[scope]", r#""values":["write"]"#, "yes"),
        ("request.auth.claims[scope]", r#""values":["read write"]"#, "no"),
        ("request.auth.claims[scope]", r#""notValues":["write"]"#, "no"),
        ("request.auth.claims[level]", r#""values":["1"]"#, "no"),
        ("request.auth.claims[level]", r#""values":["*"]"#, "no"),
        ("request.auth.claims[admin]", r#""values":["true"]"#, "no"),
        ("request.auth.claims[none]", r#""values":["null"]"#, "no"),
        ("request.auth.claims[none]", r#""notValues":["null"]"#, "yes"),
        ("request.auth.claims[nested]", r#""values":["*"]"#, "no"),
        ("request.auth.claims[nested][role]", r#""values":["editor"]"#, "yes"),
        ("request.auth.claims[nested][more][list]", r#""values":["x"]"#, "yes"),
        ("request.auth.claims[nested][more][list]", r#""values":["1"]"#, "no"),
        ("request.auth.claims[nested.role]", r#""values":["editor"]"#, "no"),
        ("request.auth.claims[dotted.name]", r#""values":["d"]"#, "yes"),
        ("request.auth.claims[[good]]", r#""values":["g"]"#, "yes"),
        ("request.auth.claims[absent]", r#""values":["*"]"#, "no"),
        ("request.auth.claims[absent]", r#""notValues":["*"]"#, "yes"),
        ("request.auth.audiences", r#""values":["api"]"#, "yes"),
        ("request.auth.audiences", r#""values":["ap"]"#, "no"),
        ("request.auth.presenter", r#""values":["app"]"#, "yes"),
        ("request.auth.principal", r#""values":["https://issuer.example/ann"]"#, "yes"),
        ("request.auth.principal", r#""notValues":["https://issuer.example/ann"]"#, "no"),
        ("request.auth.principal", r#""values":["https://issuer.example/*"]"#, "yes"),
        ("request.auth.principal", r#""values":["https://other.example/*","*/ann"]"#, "yes"),
        ("request.auth.principal", r#""values":["no/ann"]"#, "no"),
    ] {
        rows.check(format!("{key} {values}"), outcome(&when(key, values), &jwt(TOKEN)), expected.to_owned());
    }
    let source = |fields: &str| format!(r#"{{"from":[{{"source":{{{fields}}}}}]}}"#);
    for (fields, expected) in [
        (r#""requestPrincipals":["*"]"#, "yes"),
        (r#""notRequestPrincipals":["*"]"#, "no"),
        (r#""requestPrincipals":["*"],"notRequestPrincipals":["*/bob"]"#, "yes"),
        (r#""requestPrincipals":["*"],"notRequestPrincipals":["*/ann"]"#, "no"),
        (r#""requestPrincipals":["https://issuer.example/bob"]"#, "no"),
    ] {
        rows.check(fields, outcome(&source(fields), &jwt(TOKEN)), expected.to_owned());
    }
}

#[test]
fn without_a_valid_jwt_nothing_is_claimed() {
    let mut rows = Rows::default();
    let rules = [
        (r#"{"from":[{"source":{"requestPrincipals":["*"]}}]}"#, "no"),
        (r#"{"from":[{"source":{"notRequestPrincipals":["*"]}}]}"#, "yes"),
        (r#"{"when":[{"key":"request.auth.claims[group]","values":["*"]}]}"#, "no"),
        (r#"{"when":[{"key":"request.auth.claims[group]","notValues":["*"]}]}"#, "yes"),
    ];
    for (name, attributes) in [
        ("no metadata", Attributes::default()),
        ("metadata of others", attributes(r#"{"other":{"payload":{"iss":"i","sub":"s","group":"g"}}}"#)),
        ("no payload", attributes(r#"{"envoy.filters.http.jwt_authn":{"iss":"i","sub":"s","group":"g"}}"#)),
        ("a payload that is a text", jwt(r#""{}""#)),
        ("claims that are no strings", jwt(r#"{"iss":1,"sub":["s"],"group":{"group":"g"}}"#)),
        ("an issuer alone", jwt(r#"{"iss":"i"}"#)),
        ("a subject alone", jwt(r#"{"sub":"s"}"#)),
        ("both empty", jwt(r#"{"iss":"","sub":""}"#)),
    ] {
        for (rule, expected) in rules {
            rows.check(format!("{name}: {rule}"), outcome(rule, &attributes), expected.to_owned());
        }
    }
}

#[test]
fn what_cannot_be_read_fails_closed() {
    let mut rows = Rows::default();
    let mut unreadable = Attributes::default();
    unreadable.set_unreadable(&Attribute::DynamicMetadata);
    let mut damaged = Attributes::default();
    damaged.set(&Attribute::DynamicMetadata, &[0x0a, 0x05, 0x0a]);
    let zero = jwt("{\"iss\":\"i\",\"sub\":\"a\\u0000b\"}");
    let principal = r#"{"from":[{"source":{"requestPrincipals":["i/ann"]}}]}"#;
    let claim = r#"{"when":[{"key":"request.auth.claims[lines]","values":["*"]}]}"#;
    let not_claim = r#"{"when":[{"key":"request.auth.claims[lines]","notValues":["x"]}]}"#;
    let metadata = r#"{"when":[{"key":"experimental.envoy.filters.a[b]","values":["x"]}]}"#;
    for (name, rule, attributes, unknown) in [
        ("unreadable", principal, &unreadable, "request-principal"),
        ("unreadable", claim, &unreadable, "claim"),
        ("unreadable", not_claim, &unreadable, "claim"),
        ("unreadable", metadata, &unreadable, "metadata"),
        ("damaged", principal, &damaged, "request-principal"),
        ("damaged", metadata, &damaged, "metadata"),
        ("a control character in the principal", principal, &zero, "request-principal"),
        ("a line feed in the claim", claim, &jwt(TOKEN), "claim"),
    ] {
        let outcome = outcome(rule, attributes);
        rows.check(format!("{name}: {outcome}"), outcome.matches(unknown).count(), 2);
    }
}

#[test]
fn metadata_of_other_filters() {
    let found = attributes(
        r#"{"envoy.filters.a.b":{"k":"value","list":["x","y"],"n":1,"k][m":"odd"},"envoy.filters.c":{"k":"c"}}"#,
    );
    let mut rows = Rows::default();
    for (key, values, expected) in [
        ("envoy.filters.a.b[k]", r#""values":["value"]"#, "yes"),
        ("envoy.filters.a.b[k]", r#""values":["val*"]"#, "yes"),
        ("envoy.filters.a.b[k]", r#""values":["[value]"]"#, "no"),
        ("envoy.filters.a.b[k]", r#""notValues":["value"]"#, "no"),
        ("envoy.filters.a.b[list]", r#""values":["[y]"]"#, "yes"),
        ("envoy.filters.a.b[list]", r#""values":["y"]"#, "no"),
        ("envoy.filters.a.b[list]", r#""values":["y","[x]"]"#, "yes"),
        ("envoy.filters.a.b[n]", r#""values":["*"]"#, "no"),
        ("envoy.filters.a.b[k][m]", r#""values":["odd"]"#, "yes"),
        ("envoy.filters.c[k]", r#""values":["c"]"#, "yes"),
        ("envoy.filters.d[k]", r#""values":["*"]"#, "no"),
        ("envoy.filters.d[k]", r#""notValues":["*"]"#, "yes"),
    ] {
        let rule = format!(r#"{{"when":[{{"key":"experimental.{key}",{values}}}]}}"#);
        rows.check(format!("{key} {values}"), outcome(&rule, &found), expected.to_owned());
    }
}
