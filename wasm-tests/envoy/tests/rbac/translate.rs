//! What Istio makes of an AuthorizationPolicy (`pilot/pkg/security/authz`): two RBAC filters, the refusing one first.

use serde_json::{Map, Value, json};

/// The filters for these policies; those under dry run make none.
pub(crate) fn filters(policies: &[Value]) -> Vec<Value> {
    ["DENY", "ALLOW"].into_iter().filter_map(|action| filter(policies, action)).collect()
}

/// The name by which Weir calls the rule that has this id.
pub(crate) fn name(id: &str) -> String {
    let inner = |label: &str| {
        let (_, rest) = id.split_once(&format!("{label}[")).unwrap();
        rest.split(']').next().unwrap().to_owned()
    };
    format!("{}/{}[{}]", inner("ns"), inner("policy"), inner("rule"))
}

fn filter(policies: &[Value], action: &str) -> Option<Value> {
    let mut rules = Map::new();
    let mut any = false;
    for policy in policies.iter().filter(|policy| policy["spec"]["action"] == action) {
        if policy["metadata"]["annotations"]["istio.io/dry-run"] == "true" {
            continue;
        }
        any = true;
        let name = policy["metadata"]["name"].as_str().unwrap();
        for (index, rule) in list(&policy["spec"]["rules"]).iter().enumerate() {
            rules.insert(format!("ns[ns]-policy[{name}]-rule[{index}]"), translated(rule));
        }
    }
    any.then(|| {
        json!({
            "name": "envoy.filters.http.rbac",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
                "rules": {"action": action, "policies": rules},
            },
        })
    })
}

/// What a request is, and who sends it.
#[derive(Default)]
struct Parts {
    permissions: Vec<Value>,
    principals: Vec<Value>,
}

fn translated(rule: &Value) -> Value {
    let mut when = Parts::default();
    for condition in list(&rule["when"]) {
        when.add(condition["key"].as_str().unwrap(), &condition["values"], &condition["notValues"]);
    }
    let each = |outer: &str, inner: &str, fields: &[&str]| -> Vec<Parts> {
        let mut all: Vec<Parts> = list(&rule[outer])
            .iter()
            .map(|item| {
                let mut parts = Parts::default();
                for field in fields {
                    let (first, rest) = field.split_at(1);
                    let not = format!("not{}{rest}", first.to_uppercase());
                    parts.add(field, &item[inner][*field], &item[inner][&not]);
                }
                parts
            })
            .collect();
        if all.is_empty() {
            all.push(Parts::default());
        }
        all
    };
    let sources = each("from", "source", &["principals", "namespaces", "trustDomains", "ipBlocks", "remoteIpBlocks"]);
    let operations = each("to", "operation", &["hosts", "ports", "methods", "paths"]);
    let all = |own: Vec<Value>, common: &[Value], kind: &str, list: &str| match own.is_empty() && common.is_empty() {
        true => json!({"any": true}),
        false => json!({kind: {list: own.into_iter().chain(common.iter().cloned()).collect::<Vec<_>>()}}),
    };
    let permissions =
        operations.into_iter().map(|parts| all(parts.permissions, &when.permissions, "and_rules", "rules"));
    let principals = sources.into_iter().map(|parts| all(parts.principals, &when.principals, "and_ids", "ids"));
    json!({
        "permissions": permissions.collect::<Vec<_>>(),
        "principals": principals.collect::<Vec<_>>(),
    })
}

impl Parts {
    fn add(&mut self, key: &str, values: &Value, not: &Value) {
        for (values, negated) in [(values, false), (not, true)] {
            if values.is_null() {
                continue;
            }
            let all: Vec<(bool, Value)> = list(values).iter().map(|value| one(key, value.as_str().unwrap())).collect();
            let permission = all.first().is_some_and(|(permission, _)| *permission);
            let all: Vec<Value> = all.into_iter().map(|(_, value)| value).collect();
            let (out, either, list, not) = match permission {
                true => (&mut self.permissions, "or_rules", "rules", "not_rule"),
                false => (&mut self.principals, "or_ids", "ids", "not_id"),
            };
            let found = json!({either: {list: all}});
            out.push(if negated { json!({not: found}) } else { found });
        }
    }
}

/// The matcher of one value, and whether it is a permission.
fn one(key: &str, value: &str) -> (bool, Value) {
    match key {
        "hosts" => (true, header(":authority", value, true)),
        "methods" => (true, header(":method", value, false)),
        "paths" if value.contains("{*") => (true, template(value)),
        "paths" => (true, json!({"url_path": {"path": string(value, "", false)}})),
        "ports" | "destination.port" => (true, json!({"destination_port": value.parse::<u16>().unwrap()})),
        "destination.ip" => (true, json!({"destination_ip": range(value)})),
        "connection.sni" => (true, json!({"requested_server_name": string(value, "", false)})),
        "ipBlocks" | "source.ip" => (false, json!({"direct_remote_ip": range(value)})),
        "remoteIpBlocks" | "remote.ip" => (false, json!({"remote_ip": range(value)})),
        "principals" | "source.principal" => (false, peer(&string(value, "spiffe://", false))),
        "namespaces" => (false, peer(&regex(&format!(".*/ns/{}/.*", glob(value, ".*"))))),
        "trustDomains" if value == "*" => (false, peer(&regex("spiffe://[^/]*/.+"))),
        "trustDomains" => (false, peer(&regex(&format!("spiffe://{}/.+", glob(value, "[^/]*"))))),
        "source.serviceAccount" => {
            let (namespace, account) = value.split_once('/').unwrap_or(("ns", value));
            (false, peer(&regex(&format!("spiffe://.+/ns/{namespace}/(.+/)?sa/{account}(/.+)?"))))
        }
        _ => {
            let name = key.strip_prefix("request.headers[").and_then(|rest| rest.strip_suffix(']')).unwrap();
            (false, header(name, value, false))
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn header(name: &str, value: &str, ignore_case: bool) -> Value {
    match value {
        "*" => json!({"header": {"name": name, "present_match": true}}),
        value => json!({"header": {"name": name, "string_match": string(value, "", ignore_case)}}),
    }
}

fn string(value: &str, before: &str, ignore_case: bool) -> Value {
    let mut matcher = if value == "*" {
        return regex(".+");
    } else if let Some(suffix) = value.strip_prefix('*') {
        json!({"suffix": suffix})
    } else if let Some(prefix) = value.strip_suffix('*') {
        json!({"prefix": format!("{before}{prefix}")})
    } else {
        json!({"exact": format!("{before}{value}")})
    };
    if ignore_case {
        matcher["ignore_case"] = json!(true);
    }
    matcher
}

fn regex(text: &str) -> Value {
    json!({"safe_regex": {"regex": text}})
}

/// The words of the generator have nothing else to quote.
fn glob(value: &str, any: &str) -> String {
    value.replace('*', any)
}

fn peer(name: &Value) -> Value {
    json!({"authenticated": {"principal_name": name}})
}

fn template(value: &str) -> Value {
    json!({"uri_template": {
        "name": "uri-template",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
            "path_template": value.replace("{*}", "*").replace("{**}", "**"),
        },
    }})
}

fn range(value: &str) -> Value {
    let (address, bits) = value.split_once('/').unwrap_or((value, if value.contains(':') { "128" } else { "32" }));
    json!({"address_prefix": address, "prefix_len": bits.parse::<u32>().unwrap()})
}
