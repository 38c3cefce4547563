//! Istio's own expectations of its stats filter, where their files are at hand.

use super::*;
use std::collections::BTreeMap;
use std::path::Path;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::{Outcome, Score};

/// Renders the part of Go's template language that the files use: `if`, `else if`, `else`, `end` on lines of their own,
/// and `.Vars.X` and `.Ports.X` as values. What is not set is empty.
fn render(text: &str, vars: &BTreeMap<&str, &str>) -> String {
    let value = |name: &str| vars.get(name.rsplit('.').next().unwrap_or_default().trim()).copied().unwrap_or_default();
    let mut out = String::new();
    // Per open `if`: whether its current branch is taken, and whether one was.
    let mut open: Vec<(bool, bool)> = Vec::new();
    for line in text.lines() {
        let directive = line.trim().strip_prefix("{{-").and_then(|rest| rest.strip_suffix("}}")).map(str::trim);
        match directive.map(|words| words.split_whitespace().collect::<Vec<_>>()).as_deref() {
            Some(["if", name]) => {
                let holds = !value(name).is_empty();
                open.push((holds, holds));
            }
            Some(["else", "if", name]) => {
                let top = open.last_mut().expect("an open if");
                *top = (!top.1 && !value(name).is_empty(), top.1 || !value(name).is_empty());
            }
            Some(["else"]) => {
                let top = open.last_mut().expect("an open if");
                *top = (!top.1, true);
            }
            Some(["end"]) => {
                open.pop().expect("an open if");
            }
            _ if open.iter().any(|(taken, _)| !taken) => {}
            _ => {
                let mut rest = line;
                while let Some((before, after)) = rest.split_once("{{") {
                    let (name, tail) = after.split_once("}}").expect("a closed expression");
                    out.push_str(before);
                    out.push_str(value(name));
                    rest = tail;
                }
                out.push_str(rest);
                out.push('\n');
            }
        }
    }
    out
}

fn node(folder: &Path, side: &str) -> Node {
    let text = std::fs::read_to_string(folder.join(format!("{side}_node_metadata.json.tmpl"))).expect("a template");
    let metadata = json_struct(&format!("{{{}}}", render(&text, &BTreeMap::new())));
    Node { id: format!("sidecar~{side}"), cluster: side.to_owned(), metadata, ..Node::default() }
}

fn expected(folder: &Path, file: &str, vars: &BTreeMap<&str, &str>) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder.join("metric").join(format!("{file}.yaml.tmpl"))).expect("a template");
    let family: serde_yaml_ng::Value = serde_yaml_ng::from_str(&render(&text, vars)).expect("YAML");
    assert_eq!(family["name"].as_str(), Some(TOTAL));
    let labels = family["metric"][0]["label"].as_sequence().expect("labels");
    let pair = |label: &serde_yaml_ng::Value| {
        let value = &label["value"];
        let text = value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()));
        (label["name"].as_str().expect("a name").to_owned(), text.expect("a value"))
    };
    labels.iter().map(pair).collect()
}

#[test]
fn third_party_labels() {
    let Some(folder) = weir_testing::find("istio-proxy-stats") else { return };
    let mut score = Score::new("istio-proxy-stats");
    let (client, server) = (node(&folder, "client"), node(&folder, "server"));
    let mut gateway = client.clone();
    gateway.id = "router~client".to_owned();
    let peer = |node: &Node| base64(&struct_bytes(&node.metadata));
    let services = |namespace: &str| {
        metadata(&format!(
            r#"{{"services": [{{"host": "server.default.svc.cluster.local", "name": "server", "namespace": "{namespace}"}}]}}"#
        ))
    };
    let base = Streamed::default().bytes(Attribute::RequestHost, "127.0.0.1:8080").int(Attribute::ResponseCode, 200);
    let inbound = base.clone().int(Attribute::ListenerDirection, 1);
    let base = base.int(Attribute::ListenerDirection, 2);
    let outbound = base.clone().bytes(Attribute::UpstreamPeerMetadata, peer(&server));
    let inbound = inbound.header("x-envoy-peer-metadata", peer(&client));
    let known =
        |streamed: &Streamed, namespace: &str| streamed.clone().bytes(Attribute::ClusterMetadata, services(namespace));
    let grpc = |streamed: Streamed| {
        streamed.bytes(Attribute::RequestContentType, "application/grpc").int(Attribute::ResponseGrpcStatus, 7)
    };
    let endpoint = known(&base, "default").bytes(
        Attribute::UpstreamHostMetadata,
        metadata(r#"{"workload": "ratings-v1;default;ratings;version-1;server-cluster"}"#),
    );
    let failed = known(&inbound, "default").int(Attribute::ResponseCode, 503);
    let (plain, status) = (BTreeMap::from([("ClientPort", "8080")]), BTreeMap::from([("GrpcResponseStatus", "7")]));
    let code = BTreeMap::from([("ResponseCode", "503")]);
    for (file, vars, reporter, node, streamed) in [
        ("client_request_total", &plain, "source", &client, known(&outbound, "default")),
        ("client_request_total", &status, "source", &client, grpc(known(&outbound, "default"))),
        ("client_request_total_cluster_metadata_precedence", &plain, "source", &client, known(&outbound, "server")),
        ("client_request_total_endpoint_labels", &plain, "source", &client, endpoint),
        ("client_disable_host_header_fallback", &plain, "source", &gateway, outbound.clone()),
        ("host_header_fallback", &plain, "source", &client, outbound.clone()),
        ("server_request_total", &plain, "destination", &server, known(&inbound, "default")),
        ("server_request_total", &status, "destination", &server, grpc(known(&inbound, "default"))),
        ("server_request_total", &code, "destination", &server, failed),
        ("server_disable_host_header_fallback", &plain, "destination", &server, inbound.clone()),
    ] {
        score.row(format!("{file} {vars:?}"), || {
            if !folder.join("metric").join(format!("{file}.yaml.tmpl")).exists() {
                return Outcome::skip("the file is absent");
            }
            let settings = format!(r#", "reporter": "{reporter}", "peerMetadata": {{"trust": "always"}}"#);
            Outcome::equal(labels_of(&settings, node, &streamed), expected(&folder, file, vars))
        });
    }
    score.end();
}
