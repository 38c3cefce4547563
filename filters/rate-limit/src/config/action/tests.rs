use super::items;
use crate::cases;
use crate::demand::demand_of;
use crate::descriptor::Descriptors;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_config::{Cursor, Value, read_document};
use weir_model::{Attribute, Attributes, Demand, Facts, Headers, Node, PairsBuilder, Problems};
use weir_testing::{Outcome, Rows, Score};

fn node() -> Node {
    Node { cluster: "service_cluster".to_owned(), ..Node::default() }
}

fn read(document: &[u8]) -> Result<Vec<super::Item>, Problems> {
    read_document(document, |at| Some(items(&at, &node())))
}

struct Request<'r> {
    headers: &'r [(&'r str, &'r str)],
    remote: &'r str,
    cluster: &'r str,
}

/// The descriptors as text: entries joined with `,`, each `key=value`.
fn describe(items: &[super::Item], request: &Request<'_>) -> Vec<String> {
    let mut pairs = PairsBuilder::default();
    for (name, value) in request.headers {
        pairs.push(name.as_bytes(), value.as_bytes());
    }
    let bytes = pairs.finish();
    let mut attributes = Attributes::default();
    attributes.set(&Attribute::SourceAddress, request.remote.as_bytes());
    if !request.cluster.is_empty() {
        attributes.set(&Attribute::ClusterName, request.cluster.as_bytes());
    }
    let facts = Facts {
        request_headers: Headers::new(&bytes),
        response_headers: Headers::default(),
        response_trailers: Headers::default(),
        attributes: &attributes,
    };
    let mut out = Descriptors::default();
    let mut scratch = Vec::new();
    for item in items {
        item.describe(&facts, &mut out, &mut scratch);
    }
    let texts = out.iter().map(|descriptor| {
        let entries = out.entries(descriptor).iter().map(|entry| {
            let (key, value) = out.pair(entry);
            format!("{}={}", String::from_utf8_lossy(key), String::from_utf8_lossy(value))
        });
        entries.collect::<Vec<_>>().join(",")
    });
    texts.collect()
}

/// The descriptors that a row's actions give for its request.
fn described(row: &serde_yaml_ng::Value, items: &[super::Item]) -> Vec<String> {
    let request = &row["request"];
    let sent = request["headers"].as_mapping().into_iter().flatten();
    let sent: Vec<(&str, String)> = sent.map(|(key, value)| (key.as_str().unwrap(), cases::text(value))).collect();
    let mut headers: Vec<(&str, &str)> = sent.iter().map(|(key, value)| (*key, value.as_str())).collect();
    headers.extend(request["path"].as_str().map(|path| (":path", path)));
    let remote = match request["remote"].as_str() {
        None => "10.0.0.1:1234".to_owned(),
        Some("pipe") => "/var/run/pipe".to_owned(),
        Some(ip) => format!("[{ip}]:1234"),
    };
    describe(items, &Request { headers: &headers, remote: &remote, cluster: "fake_cluster" })
}

#[test]
fn third_party_actions() {
    let Some(table) = cases::table("envoy-rls-actions.yaml") else { return };
    let mut score = Score::new("envoy-rls-actions.yaml actions");
    for row in cases::rows(&table, "actions") {
        score.row(row["name"].as_str().unwrap_or_default(), || {
            let document = serde_json::to_string(&[serde_json::json!({"actions": row["actions"]})]).unwrap();
            let items = match read(document.as_bytes()) {
                Ok(items) => items,
                Err(problems) if problems.to_string().contains("metadata is not supported") => {
                    return Outcome::skip("metadata is not supported");
                }
                Err(problems) => return Outcome::Failed(problems.to_string()),
            };
            let expected: Vec<String> = row["expect"].as_sequence().map_or_else(Vec::new, |entries| {
                let text = |entry: &serde_yaml_ng::Value| {
                    format!("{}={}", entry["key"].as_str().unwrap(), entry["value"].as_str().unwrap())
                };
                vec![entries.iter().map(text).collect::<Vec<_>>().join(",")]
            });
            Outcome::equal(described(&row, &items), expected)
        });
    }
    score.end();
}

#[test]
fn every_action_gives_its_entry_or_nothing() {
    let request = Request {
        headers: &[(":path", "/p?q=%41&q=b"), (":authority", "h"), ("x-a", "1"), ("x-b", "")],
        remote: "10.1.2.3:80",
        cluster: "",
    };
    let rows = [
        (r#"[{"request_headers":{"header_name":"X-A","descriptor_key":"a"}}]"#, &["a=1"] as &[_]),
        (r#"[{"requestHeaders":{"headerName":"x-a","descriptorKey":"a"}}]"#, &["a=1"]),
        (r#"[{"request_headers":{"header_name":"x-b","descriptor_key":"b"}}]"#, &["b="]),
        (r#"[{"request_headers":{"header_name":"Host","descriptor_key":"h"}}]"#, &["h=h"]),
        (r#"[{"request_headers":{"header_name":"x-c","descriptor_key":"c"}},{"remote_address":{}}]"#, &[]),
        (
            r#"[{"request_headers":{"header_name":"x-c","descriptor_key":"c","skip_if_absent":true}},{"remote_address":{}}]"#,
            &["remote_address=10.1.2.3"],
        ),
        (r#"[{"destination_cluster":{}}]"#, &[]),
        (r#"[{"generic_key":{"descriptor_value":"v"}}]"#, &["generic_key=v"]),
        (r#"[{"query_parameters":{"query_parameter_name":"q","descriptor_key":"k"}}]"#, &["k=A"]),
        (r#"[{"masked_remote_address":{}}]"#, &["masked_remote_address=10.1.2.3/32"]),
        (r#"[{"masked_remote_address":{"v4_prefix_mask_len":0}}]"#, &["masked_remote_address=0.0.0.0/0"]),
        (
            r#"[{"remote_address_match":{"descriptor_value":"v","address_matcher":{"ranges":[{"address_prefix":"10.0.0.0","prefix_len":8}]}}}]"#,
            &["remote_address_match=v"],
        ),
        (
            r#"[{"remote_address_match":{"descriptor_value":"v","address_matcher":{"ranges":[{"address_prefix":"10.0.0.0","prefix_len":8}],"invert_match":true}}}]"#,
            &[],
        ),
        (
            r#"[{"header_value_match":{"descriptor_value":"v","headers":[{"name":"x-a","range_match":{"start":"0","end":2}}]}}]"#,
            &["header_match=v"],
        ),
    ];
    let mut table = Rows::default();
    for (actions, expected) in rows {
        let document = format!(r#"[{{"actions":{actions}}}]"#);
        let items = read(document.as_bytes()).unwrap_or_else(|problems| panic!("{document}: {problems}"));
        table.check(actions, describe(&items, &request), expected);
    }
}

#[test]
fn problems_name_their_place() {
    let rows = [
        (r#"[{"actions":[]}]"#, "$[0].actions: must not be empty"),
        (r#"[{}]"#, "$[0]: `actions` is missing"),
        (r#"[{"actions":[{}]}]"#, "$[0].actions[0]: expected exactly one action"),
        (r#"[{"actions":[{"remote_address":{"x":1}}]}]"#, "$[0].actions[0].remote_address.x: unknown field"),
        (r#"[{"actions":[{"remote_addres":{}}]}]"#, "unknown field; did you mean `remote_address`?"),
        (r#"[{"actions":[{"extension":{}}]}]"#, "extensions are not supported"),
        (r#"[{"actions":[{"metadata":{}}]}]"#, "metadata is not supported"),
        (r#"[{"actions":[{"dynamicMetadata":{}}]}]"#, "metadata is not supported"),
        (r#"[{"actions":[{"remote_address":{}}],"stage":1}]"#, "$[0].stage: only stage 0 is handled"),
        (r#"[{"actions":[{"remote_address":{}}],"disable_key":"k"}]"#, "runtime keys"),
        (r#"[{"actions":[{"remote_address":{}}],"hits_addend":{"format":"%X%"}}]"#, "$[0].hits_addend.format"),
        (r#"[{"actions":[{"remote_address":{}}],"hits_addend":{"number":1000000001}}]"#, "$[0].hits_addend.number"),
        (
            r#"[{"actions":[{"header_value_match":{"descriptor_value":"v","headers":[{"name":"a","safe_regex_match":{}}]}}]}]"#,
            "regular expressions are not supported",
        ),
        (
            r#"[{"actions":[{"header_value_match":{"descriptor_value":"v","headers":[{"name":"a","string_match":{}}]}}]}]"#,
            "expected exactly one of `exact`",
        ),
        (
            r#"[{"actions":[{"remote_address_match":{"descriptor_value":"v","address_matcher":{"ranges":[{"address_prefix":"10.0.0.0","prefix_len":33}]}}}]}]"#,
            "ranges[0]: `10.0.0.0/33` is not a range of addresses",
        ),
    ];
    let mut table = Rows::default();
    for (document, expected) in rows {
        let problems = read(document.as_bytes()).unwrap_err().to_string();
        table.contains(document, &problems, expected);
    }
}

#[test]
fn each_action_demands_only_what_it_reads() {
    let rows = [
        (r#"{"generic_key":{"descriptor_value":"v"}}"#, false, None),
        (r#"{"source_cluster":{}}"#, false, None),
        (r#"{"destination_cluster":{}}"#, false, Some(Attribute::ClusterName)),
        (r#"{"remote_address":{}}"#, false, Some(Attribute::SourceAddress)),
        (r#"{"masked_remote_address":{}}"#, false, Some(Attribute::SourceAddress)),
        (r#"{"request_headers":{"header_name":"a","descriptor_key":"a"}}"#, true, None),
        (r#"{"query_parameters":{"query_parameter_name":"a","descriptor_key":"a"}}"#, true, None),
    ];
    let mut table = Rows::default();
    for (action, headers, attribute) in rows {
        let mut demand = Demand::default();
        read(format!(r#"[{{"actions":[{action}]}}]"#).as_bytes())
            .unwrap()
            .iter()
            .for_each(|item| demand_of(item, &mut demand));
        let found = (demand.request_headers, demand.attributes.into_iter().next());
        table.check(action, found, (headers, attribute));
    }
}

#[test]
fn third_party_hits() {
    let Some(table) = cases::table("envoy-rls-actions.yaml") else { return };
    let mut score = Score::new("envoy-rls-actions.yaml hits_addend");
    for row in cases::rows(&table, "hits_addend") {
        score.row(row["name"].as_str().unwrap_or_default(), || {
            let item = serde_json::json!([{"actions": [{"remote_address": {}}], "hits_addend": row["hits_addend"]}]);
            match (read(item.to_string().as_bytes()), row["expect"].as_str()) {
                (found, Some("config error")) => Outcome::of(found.is_err(), || "accepted".to_owned()),
                (Err(problems), _) if problems.to_string().contains("a format is not supported") => {
                    Outcome::skip("a format is not supported")
                }
                (Err(problems), _) => Outcome::Failed(problems.to_string()),
                (Ok(items), _) => Outcome::equal(Some(items[0].hits), row["expect"].as_u64()),
            }
        });
    }
    score.end();
}

#[test]
fn any_value_reads_without_harm() {
    let values = [Value::Null, Value::Bool(true), Value::String("".into()), Value::Array(vec![Value::Null])];
    let diagnostics = weir_config::Diagnostics::default();
    for value in &values {
        items(&Cursor::root(value, &diagnostics), &node());
    }
    assert!(!diagnostics.is_empty());
}
