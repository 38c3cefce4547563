//! Other people's tables of AuthorizationPolicy: decisions, validation, path templates, trust domain aliases.
//!
//! The files are not part of the project (`weir_testing` says where they are). Where they are absent, nothing is compared
//! and the test says so. What cannot be run is skipped with its reason.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod metadata;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use weir_matching::Template;
use weir_model::{Attribute, Attributes, Facts, Filter, Headers, Node, PairsBuilder, Problems, TcpFilter};
use weir_policy::{Policy, TcpPolicy, TrustDomains};
use weir_testing::{Outcome, Score, read};

fn rows<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

const DIRECT: &str = "direct";

fn document(workload: &Value, policies: &Value) -> Vec<u8> {
    json!({"schema": 1, "name": "conformance", "workload": workload, "policies": policies}).to_string().into_bytes()
}

/// The filter that a row is for.
enum Compiled {
    Http(Policy),
    Tcp(TcpPolicy),
}

fn decide(policy: &mut Compiled, request: &Value, own_address: &str) -> bool {
    let mut headers = PairsBuilder::default();
    for (name, key) in [(":method", "method"), (":path", "path"), (":authority", "host")] {
        headers.push(name.as_bytes(), text(request, key).as_bytes());
    }
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        headers.push(name.as_bytes(), value.as_bytes());
    }
    let (source, direct) = (&request["src"], text(&request["src"], "ip"));
    let remote = request["remote_ip"].as_str().unwrap_or(direct);
    let mut attributes = Attributes::default();
    attributes.set(&Attribute::SourceAddress, format!("{remote}:40000").as_bytes());
    attributes.set(&Attribute::DestinationAddress, format!("{own_address}:{}", request["dst_port"]).as_bytes());
    attributes.set(&Attribute::FilterState(DIRECT.into()), direct.as_bytes());
    attributes.set_bool(&Attribute::ConnectionMtls, source["mtls"].as_bool().unwrap());
    if !text(source, "principal").is_empty() {
        attributes.set(&Attribute::PeerUriSan, format!("spiffe://{}", text(source, "principal")).as_bytes());
    }
    attributes.set(&Attribute::RequestedServerName, text(request, "sni").as_bytes());
    if request["jwt_claims"].is_object() {
        let jwt = json!({"envoy.filters.http.jwt_authn": {"payload": request["jwt_claims"]}});
        attributes.set(&Attribute::DynamicMetadata, &metadata::encode(&jwt));
    }
    let bytes = headers.finish();
    let none = Headers::default();
    let facts = Facts {
        request_headers: Headers::new(&bytes),
        response_headers: none,
        response_trailers: none,
        attributes: &attributes,
    };
    match policy {
        Compiled::Http(policy) => policy.decide(&facts).enforced.allow,
        Compiled::Tcp(policy) => policy.decide(&Facts { request_headers: none, ..facts }).enforced.allow,
    }
}

/// The policies of a group, compiled for its workload, as the filter of requests and as that of connections.
fn compiled(group: &Value) -> [Result<Compiled, Outcome>; 2] {
    let mut workload = json!({
        "namespace": group["workload"]["namespace"], "labels": group["workload"]["labels"], "proxy": "sidecar",
        "directAddress": {"filterState": DIRECT},
    });
    if group["root_namespace"].is_string() {
        workload["rootNamespace"] = group["root_namespace"].clone();
    }
    let document = document(&workload, &group["policies"]);
    let refused = |problems: Problems| Outcome::Failed(problems.to_string());
    let http = Policy::compile(&document, &Node::default()).map(Compiled::Http);
    let tcp = TcpPolicy::compile(&document, &Node::default()).map(Compiled::Tcp);
    [http, tcp].map(|compiled| compiled.map_err(refused))
}

#[test]
fn third_party_decisions() {
    let Some(file) = read::<Value>("istio-authz-decisions.yaml") else { return };
    let mut score = Score::new("istio-authz-decisions.yaml");
    for group in rows(&file, "groups") {
        let [mut http, mut tcp] = compiled(group);
        for request in rows(group, "requests") {
            let policy = if text(request, "proto") == "tcp" { &mut tcp } else { &mut http };
            score.row(format!("{} {request}", text(group, "id")), || match policy {
                Err(outcome) => outcome.clone(),
                Ok(policy) => {
                    let allow = decide(policy, request, text(&group["workload"], "ip"));
                    Outcome::equal(if allow { "allow" } else { "deny" }, text(request, "expect"))
                }
            });
        }
    }
    score.end();
}

/// The group and kind names that the table writes as references.
fn resolved(spec: &Value) -> Value {
    let names = [
        ("@gvk.KubernetesGateway.Group", "gateway.networking.k8s.io"),
        ("@gvk.KubernetesGateway.Kind", "Gateway"),
        ("@gvk.Service.Group", ""),
        ("@gvk.Service.Kind", "Service"),
    ];
    let text = names.iter().fold(spec.to_string(), |text, (name, value)| text.replace(name, value));
    serde_json::from_str(&text).unwrap()
}

/// The problems of one object on a Gateway that it is for, by selector or target; others would not read it in full.
fn problems(annotations: &Value, spec: &Value) -> Option<String> {
    let selector = spec.pointer("/selector/matchLabels").and_then(Value::as_object).into_iter().flatten();
    let mut labels: BTreeMap<&str, &Value> = selector.map(|(name, value)| (name.as_str(), value)).collect();
    let target = rows(spec, "targetRefs").first().unwrap_or(&spec["targetRef"]);
    if target["name"].is_string() {
        labels.insert("gateway.networking.k8s.io/gateway-name", &target["name"]);
    }
    let workload = json!({"namespace": "ns", "labels": labels, "proxy": "gateway"});
    let metadata = json!({"name": "p", "namespace": "ns", "annotations": annotations});
    let object = json!({"kind": "AuthorizationPolicy", "metadata": metadata, "spec": resolved(spec)});
    Policy::compile(&document(&workload, &json!([object])), &Node::default()).err().map(|found| found.to_string())
}

fn outcome(row: &Value, found: Option<String>) -> Outcome {
    Outcome::of(row["valid"] == found.is_none(), || format!("problems: {found:?}"))
}

#[test]
fn third_party_validation() {
    let Some(file) = read::<Value>("istio-authz-validation.yaml") else { return };
    let mut score = Score::new("istio-authz-validation.yaml policies");
    for row in rows(&file, "policies") {
        score.row(text(row, "name"), || outcome(row, problems(&row["annotations"], &row["spec"])));
    }
    score.end();
}

#[test]
fn third_party_conditions() {
    let Some(file) = read::<Value>("istio-authz-validation.yaml") else { return };
    let mut score = Score::new("istio-authz-validation.yaml when_attributes");
    for row in rows(&file, "when_attributes") {
        let spec = json!({"rules": [{"when": [{"key": row["key"], "values": row["values"]}]}]});
        score.row(row, || outcome(row, problems(&Value::Null, &spec)));
    }
    score.end();
}

#[test]
fn third_party_path_templates() {
    let Some(file) = read::<Value>("istio-authz-validation.yaml") else { return };
    let mut score = Score::new("istio-authz-validation.yaml path_templates");
    for row in rows(&file, "path_templates") {
        let spec = json!({"rules": [{"to": [{"operation": {"paths": row["paths"]}}]}]});
        score.row(row, || outcome(row, problems(&Value::Null, &spec)));
    }
    score.end();
}

#[test]
fn third_party_template_literals() {
    let Some(file) = read::<Value>("istio-authz-validation.yaml") else { return };
    let mut score = Score::new("istio-authz-validation.yaml template_literals");
    for row in rows(&file, "template_literals") {
        let segment = text(row, "segment");
        score.row(row, || {
            if segment.contains('/') {
                return Outcome::skip("a slash makes two segments");
            }
            let parsed = Template::parse(&format!("/{{*}}/{segment}/x"));
            Outcome::of(row["valid_literal"] == parsed.is_ok(), || format!("{parsed:?}"))
        });
    }
    score.end();
}

/// Envoy's spelling of a template in Istio's; `None` if Istio has none.
fn istio_spelling(template: &str) -> Option<String> {
    let segments = template.split('/').map(|segment| {
        let variable = segment.strip_prefix('{').and_then(|inner| inner.strip_suffix('}'));
        let operator = match variable {
            Some(inner) => inner.split_once('=').map_or("*", |(_, operator)| operator),
            None => segment,
        };
        match operator {
            "*" => Some("{*}".to_owned()),
            "**" => Some("{**}".to_owned()),
            _ if variable.is_some() => None,
            literal => Some(literal.to_owned()),
        }
    });
    Some(segments.collect::<Option<Vec<_>>>()?.join("/"))
}

#[test]
fn third_party_templates() {
    let Some(file) = read::<Value>("envoy-uri-template.yaml") else { return };
    let mut score = Score::new("envoy-uri-template.yaml");
    for row in rows(&file, "matches") {
        score.row(row, || match istio_spelling(text(row, "template")).map(|template| Template::parse(&template)) {
            Some(Ok(template)) => Outcome::equal(template.matches(text(row, "path").as_bytes()), row["expect"].clone()),
            _ => Outcome::skip("an operator that does not fill its segment: Envoy has it, Istio does not"),
        });
    }
    for (key, valid) in [("valid", true), ("invalid", false)] {
        for row in rows(&file, key) {
            score.row(format!("{key} {row}"), || {
                let template = istio_spelling(row.as_str().unwrap()).unwrap();
                Outcome::equal(Template::parse(&template).is_ok(), valid)
            });
        }
    }
    score.end();
}

#[test]
fn third_party_trust_domain_aliases() {
    let Some(file) = read::<Value>("istio-trust-domain-aliases.yaml") else { return };
    let mut score = Score::new("istio-trust-domain-aliases.yaml");
    for row in rows(&file, "cases") {
        score.row(text(row, "name"), || {
            let aliases: Vec<&str> = rows(row, "aliases").iter().filter_map(Value::as_str).collect();
            let domains = TrustDomains::new(text(row, "trust_domain"), &aliases);
            let principals = rows(row, "principals").iter().filter_map(Value::as_str);
            let expanded: Vec<String> = principals.flat_map(|principal| domains.expand(principal)).collect();
            Outcome::equal(json!(expanded), row["expanded"].clone())
        });
    }
    score.end();
}
