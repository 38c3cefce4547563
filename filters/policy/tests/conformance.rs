//! Other people's tables of AuthorizationPolicy: decisions, validation, path templates, trust domain aliases.
//!
//! The files are read where they are (`WEIR_CASES`, or `shared/cases` beside the workspace) and are no part of the
//! project; where they are not there, nothing is compared and the test says so. What cannot be run is counted with its
//! reason.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use weir_matching::Template;
use weir_model::{Attribute, Attributes, Facts, Filter, Headers, Node, PairsBuilder};
use weir_policy::{Policy, TrustDomains};

/// What became of the rows of one file.
#[derive(Default)]
struct Score {
    passed: usize,
    failed: Vec<String>,
    skipped: BTreeMap<&'static str, usize>,
}

impl Score {
    fn check(&mut self, right: bool, what: impl Fn() -> String) {
        if right {
            self.passed += 1;
        } else {
            self.failed.push(what());
        }
    }

    fn skip(&mut self, reason: &'static str) {
        *self.skipped.entry(reason).or_default() += 1;
    }

    fn end(self, file: &str) {
        println!("{file}: {} passed, {} failed, skipped {:?}", self.passed, self.failed.len(), self.skipped);
        assert!(self.failed.is_empty(), "{file}:\n{}", self.failed.join("\n"));
        assert!(self.passed > 0, "{file}: no row was run");
    }
}

fn cases(file: &str) -> Option<Value> {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases");
    let path = std::env::var_os("WEIR_CASES").map_or_else(default, PathBuf::from).join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("{file}: not here, nothing run");
        return None;
    };
    Some(serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

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

/// Why this build does not take a document that Istio takes.
fn unsupported(problems: &str) -> Option<&'static str> {
    let known =
        [("JWT claims", "needs JWT claims"), ("`CUSTOM`", "action CUSTOM"), ("dynamic metadata", "dynamic metadata")];
    known.iter().find(|(mark, _)| problems.contains(mark)).map(|(_, reason)| *reason)
}

fn decide(policy: &mut Policy, request: &Value, own_address: &str) -> bool {
    let mut headers = PairsBuilder::default();
    for (name, key) in [(":method", "method"), (":path", "path"), (":authority", "host")] {
        headers.push(name.as_bytes(), text(request, key).as_bytes());
    }
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        headers.push(name.as_bytes(), value.as_str().unwrap().as_bytes());
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
    let bytes = headers.finish();
    let none = Headers::default();
    let facts = Facts {
        request_headers: Headers::new(&bytes),
        response_headers: none,
        response_trailers: none,
        attributes: &attributes,
    };
    policy.decide(&facts).enforced.allow
}

#[test]
fn decisions() {
    let Some(file) = cases("istio-authz-decisions.yaml") else { return };
    let mut score = Score::default();
    for group in rows(&file, "groups") {
        let mut workload = json!({
            "namespace": group["workload"]["namespace"], "labels": group["workload"]["labels"], "proxy": "sidecar",
            "directAddress": {"filterState": DIRECT},
        });
        if group["root_namespace"].is_string() {
            workload["rootNamespace"] = group["root_namespace"].clone();
        }
        let mut policy = match Policy::compile(&document(&workload, &group["policies"]), &Node::default()) {
            Ok(policy) => policy,
            Err(problems) => {
                let problems = problems.to_string();
                match unsupported(&problems) {
                    Some(reason) => rows(group, "requests").iter().for_each(|_| score.skip(reason)),
                    None => score.failed.push(format!("{}: {problems}", text(group, "id"))),
                }
                continue;
            }
        };
        for request in rows(group, "requests") {
            if text(request, "proto") == "tcp" {
                score.skip("TCP");
                continue;
            }
            let allow = decide(&mut policy, request, text(&group["workload"], "ip"));
            let expected = text(request, "expect") == "allow";
            score.check(allow == expected, || format!("{}: {request}", text(group, "id")));
        }
    }
    score.end("istio-authz-decisions.yaml");
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

fn judge(score: &mut Score, valid: bool, found: Option<String>, what: impl Fn() -> String) {
    match (valid, &found) {
        (_, Some(found)) if unsupported(found).is_some() => score.skip(unsupported(found).unwrap()),
        (valid, found) => score.check(valid == found.is_none(), || format!("{}: valid {valid}, {found:?}", what())),
    }
}

#[test]
fn validation() {
    let Some(file) = cases("istio-authz-validation.yaml") else { return };
    let mut score = Score::default();
    for row in rows(&file, "policies") {
        let found = problems(&row["annotations"], &row["spec"]);
        judge(&mut score, row["valid"].as_bool().unwrap(), found, || text(row, "name").to_owned());
    }
    for row in rows(&file, "when_attributes") {
        let spec = json!({"rules": [{"when": [{"key": row["key"], "values": row["values"]}]}]});
        judge(&mut score, row["valid"].as_bool().unwrap(), problems(&Value::Null, &spec), || row.to_string());
    }
    for row in rows(&file, "path_templates") {
        let spec = json!({"rules": [{"to": [{"operation": {"paths": row["paths"]}}]}]});
        judge(&mut score, row["valid"].as_bool().unwrap(), problems(&Value::Null, &spec), || row.to_string());
    }
    for row in rows(&file, "template_literals") {
        let segment = text(row, "segment");
        if segment.contains('/') {
            score.skip("a slash makes two segments");
            continue;
        }
        let parsed = Template::parse(&format!("/{{*}}/{segment}/x"));
        score.check(parsed.is_ok() == row["valid_literal"].as_bool().unwrap(), || format!("{row} {parsed:?}"));
    }
    score.end("istio-authz-validation.yaml");
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
fn templates() {
    let Some(file) = cases("envoy-uri-template.yaml") else { return };
    let mut score = Score::default();
    for row in rows(&file, "matches") {
        match istio_spelling(text(row, "template")).map(|template| Template::parse(&template)) {
            Some(Ok(template)) => {
                let found = template.matches(text(row, "path").as_bytes());
                score.check(found == row["expect"].as_bool().unwrap(), || row.to_string());
            }
            _ => score.skip("an operator that does not fill its segment: Envoy has it, Istio does not"),
        }
    }
    for (key, valid) in [("valid", true), ("invalid", false)] {
        for row in rows(&file, key) {
            let template = istio_spelling(row.as_str().unwrap()).unwrap();
            score.check(Template::parse(&template).is_ok() == valid, || format!("{row} {key}"));
        }
    }
    score.end("envoy-uri-template.yaml");
}

#[test]
fn trust_domain_aliases() {
    let Some(file) = cases("istio-trust-domain-aliases.yaml") else { return };
    let mut score = Score::default();
    for row in rows(&file, "cases") {
        let aliases: Vec<&str> = rows(row, "aliases").iter().filter_map(Value::as_str).collect();
        let domains = TrustDomains::new(text(row, "trust_domain"), &aliases);
        let principals = rows(row, "principals").iter().filter_map(Value::as_str);
        let expanded: Vec<String> = principals.flat_map(|principal| domains.expand(principal)).collect();
        score.check(json!(expanded) == row["expanded"], || format!("{}: {expanded:?}", text(row, "name")));
    }
    score.end("istio-trust-domain-aliases.yaml");
}
