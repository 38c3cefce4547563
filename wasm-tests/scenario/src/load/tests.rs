//! What the loader takes and refuses.

use super::load_text;
use serde_yaml_ng::Value;
use std::fs;
use std::path::Path;
use weir_testing::Rows;

/// A whole scenario of which one line is replaced.
fn with(line: &str) -> String {
    format!(
        "name: a\ndescription: b\nfilters: [{{module: policy, config: {{schema: 1}}}}]\n{line}\nsteps:\n- {{request: {{}}, expect: {{status: 200}}}}\n"
    )
}

#[test]
fn takes() {
    let cases = [
        "",
        "worlds: {envoy: no clock}",
        "proxy: {workers: 2, tls: {mtls: spiffe://a/ns/b/sa/c}, pathNormalization: {escapedSlashes: unescapeAndForward}}",
        "proxy: {tls: none, direction: outbound}",
        "window: {length: 1h, room: 10s}",
        "start: accepted",
        "start: {refused: [unknown field]}",
        "world: {routes: [{prefix: /, to: {cluster: a}}], clusters: {a: {behaviour: hang}}}",
        "world: {routes: [{prefix: /, to: {directResponse: {status: 204}}}]}",
        "world: {routes: [{connect: true, to: {cluster: a}}], clusters: {a: {behaviour: {tunnel: {status: 200}}}}}",
        "world: {routes: [{prefix: /, internalRedirects: 2, to: {directResponse: {status: 204}}}]}",
        "proxy: {upgrades: [websocket, CONNECT], accessLogFlushInterval: 100ms, grpcWeb: true}",
        "proxy: {jwtAuthn: true, dynamicMetadata: {envoy.filters.http.x: {tier: gold, list: [a]}}}",
        "world: {clusters: {a: {http2: true, behaviour: {answer: {trailers: {grpc-status: 0}}}}}, routes: []}",
    ];
    let mut rows = Rows::default();
    for line in cases {
        rows.check(line, load_text(&with(line)).map(drop), Ok(()));
    }
}

#[test]
fn refuses() {
    let cases = [
        ("surprise: 1", "unknown field `surprise`"),
        ("proxy: {worker: 1}", "unknown field `worker`"),
        ("proxy: {workers: 0}", "at least 1"),
        ("world: {routes: [{prefix: /, to: {cluster: b}}]}", "cluster `b`"),
        ("world: {routes: [{prefix: /, to: {}}]}", "`cluster` and `directResponse`"),
        ("world: {routes: [{to: {directResponse: {status: 204}}}]}", "has a `prefix` or is for `connect`"),
        ("world: {routes: [{prefix: /, connect: true, to: {directResponse: {status: 204}}}]}", "or is for `connect`"),
        ("world: {clusters: {a: {behaviour: {answer: {}, tunnel: {}}}}, routes: []}", "expected one of `answer`"),
        ("world: {clusters: {a: {behaviour: {answer: {trailers: {a: b}}}}}, routes: []}", "needs `http2`"),
        ("window: {length: 1y, room: 1s}", "not a length of time"),
    ];
    let mut rows = Rows::default();
    for (line, wanted) in cases {
        rows.contains(line, &load_text(&with(line)).err().unwrap_or_default(), wanted);
    }
}

#[test]
fn refuses_steps() {
    let cases = [
        ("{}", "a step is one of"),
        ("{advance: 1s, logs: {contain: [a]}}", "a step is one of"),
        ("{request: {}}", "needs an `expect`"),
        ("{request: {}, expect: {}}", "something is expected"),
        ("{request: {}, repeat: 0, expect: {status: 200}}", "at least once"),
        ("{advance: 1s, wallClock: +1h}", "a step is one of"),
        ("{wallClock: 1h}", "is not an offset such as"),
        ("{wallClock: +1x}", "is not a length of time"),
        ("{advance: 1s, expect: {status: 200}}", "belong to a `request`"),
        ("{request: {headers: {a: b}, colour: red}, expect: {status: 200}}", "unknown field `colour`"),
        ("{request: {}, expect: {state: 200}}", "unknown field `state`"),
        ("{request: {protocol: raw}, expect: {status: 200}}", "`raw`"),
        ("{request: {raw: x}, expect: {status: 200}}", "`raw`"),
        ("{request: {protocol: h2, tunnel: x}, expect: {status: 200}}", "`tunnel` is for"),
        ("{request: {worker: 1}, expect: {status: 200}}", "`worker`"),
        ("{request: {client: {identity: spiffe://a}}, expect: {status: 200}}", "`proxy.tls`"),
        ("{request: {jwt: {sub: a}}, expect: {status: 200}}", "`proxy.jwtAuthn`"),
        ("{counters: [{name: a}]}", "checks nothing"),
        ("{histograms: []}", "checks nothing"),
        ("{logs: {}}", "checks nothing"),
    ];
    let mut rows = Rows::default();
    for (step, wanted) in cases {
        let text = format!("name: a\ndescription: b\nfilters: []\nsteps:\n- {step}\n");
        rows.contains(step, &load_text(&text).err().unwrap_or_default(), wanted);
    }
}

#[test]
fn every_scenario_of_the_project_loads() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let scenarios = super::load_dir(&dir).unwrap_or_else(|e| panic!("{e}"));
    assert!(scenarios.len() >= 45, "{}", scenarios.len());
}

/// The expressions of conditions in CEL in a part of a document.
fn expressions(value: &Value, found: &mut Vec<String>) {
    if value.get("key").and_then(Value::as_str) == Some("cel") {
        let lists = ["values", "notValues"].into_iter().filter_map(|name| value.get(name)?.as_sequence());
        found.extend(lists.flatten().filter_map(Value::as_str).map(str::to_owned));
    }
    match value {
        Value::Sequence(items) => items.iter().for_each(|item| expressions(item, found)),
        Value::Mapping(fields) => fields.values().for_each(|field| expressions(field, found)),
        _ => {}
    }
}

/// What `docs/cel.md` shows runs in the scenarios, word for word.
#[test]
fn every_expression_of_the_page_is_in_a_scenario() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut run = Vec::new();
    for entry in fs::read_dir(workspace.join("wasm-tests/scenarios")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("policy-cel-") {
            let scenario: Value = serde_yaml_ng::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            expressions(&scenario, &mut run);
        }
    }
    let page = fs::read_to_string(workspace.join("docs/cel.md")).unwrap();
    let section = page.split("## What Istio cannot say").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")).skip(1);
    let mut shown: Vec<String> = rows
        .map(|row| row.rsplit(" | ").next().unwrap().trim_end_matches(" |").trim_matches('`').replace("\\|", "|"))
        .collect();
    assert!(shown.len() >= 8, "{shown:?}");
    let mut blocks = Vec::new();
    for block in page.split("```yaml\n").skip(1) {
        expressions(&serde_yaml_ng::from_str(block.split("\n```").next().unwrap()).unwrap(), &mut blocks);
    }
    assert!(!blocks.is_empty());
    shown.append(&mut blocks);
    let mut rows = Rows::default();
    for expression in shown {
        rows.check(&expression, run.contains(&expression), true);
    }
}
