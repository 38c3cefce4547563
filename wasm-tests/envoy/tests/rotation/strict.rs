//! Before mutual TLS is required, metrics and `weir replay --strict` say who still calls in plain text. Those are
//! whom the listener then refuses; all others pass.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use weir_launch::wait_until;
use weir_scenario::{Client, Direction, Fields, Metrics, Node, Proxy as Listener, Request, Tls, Value as Number};
use weir_test_envoy::{Booted, Discovery, Plugin, Proxy, Setup, module};
use weir_testing::Rows;

use crate::Outcome;
use crate::mesh::{access_log, document};

const OWN: &str = "spiffe://old.example/ns/shop/sa/cart";
const PATIENCE: Duration = Duration::from_secs(20);
/// `{WORKLOAD_NAME: legacy, NAMESPACE: web}`, as peers describe themselves.
const LEGACY: &str = "ChkKDVdPUktMT0FEX05BTUUSCBoGbGVnYWN5ChIKCU5BTUVTUEFDRRIFGgN3ZWI=";

/// Who calls: an address, an identity or none, a path, what it says of itself, and how often.
type Calls = (&'static str, Option<&'static str>, &'static str, Option<&'static str>, usize);

const CALLS: [Calls; 5] = [
    ("127.0.1.1", Some("spiffe://old.example/ns/web/sa/front"), "/cart", None, 4),
    ("127.0.1.2", None, "/cart", Some(LEGACY), 3),
    ("127.0.1.2", None, "/cart/reports", Some(LEGACY), 2),
    ("127.0.1.3", None, "/cart", None, 1),
    ("127.0.1.4", Some("spiffe://old.example/ns/ops/sa/admin"), "/cart/reports", None, 2),
];

/// Sends one request from the address of its caller.
fn send(proxy: &mut Proxy, (address, identity, path, header, _): Calls) -> Outcome<Option<u16>> {
    let request = Request {
        path: path.into(),
        client: identity.map_or(Client::Plain, |identity| Client::Identity(identity.to_owned())),
        headers: Fields(header.iter().map(|text| ("x-envoy-peer-metadata".into(), (*text).into())).collect()),
        ..Request::default()
    };
    Ok(proxy.dialer(&request)?.from(address.parse()?).connect(&request)?.send(&request).status)
}

fn weir(arguments: &[&str]) -> Outcome<String> {
    let output = Command::new(module("policy")?.with_file_name("weir")).arg("replay").args(arguments).output()?;
    if matches!(output.status.code(), Some(0 | 1)) {
        return Ok(String::from_utf8(output.stdout)?);
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
}

/// How many requests of workloads came in which way, by source workload and `connection_security_policy`.
fn counted(metrics: &Metrics) -> Vec<(String, String, f64)> {
    let own = |name: &str, labels: &std::collections::BTreeMap<String, String>| {
        name == "istio_requests_total" && labels.get("destination_workload").is_some_and(|own| own == "cart")
    };
    let mut counts: Vec<(String, String, f64)> = Vec::new();
    for sample in metrics.0.iter().filter(|sample| own(&sample.name, &sample.labels)) {
        let label = |name: &str| sample.labels.get(name).cloned().unwrap_or_default();
        let Number::Number(value) = sample.value else { continue };
        let (source, security) = (label("source_workload"), label("connection_security_policy"));
        match counts.iter_mut().find(|(known, by, _)| (known, by) == (&source, &security)) {
            Some((_, _, count)) => *count += value,
            None => counts.push((source, security, value)),
        }
    }
    counts.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    counts
}

#[test]
fn who_calls_in_plain_text_is_named_before_that_is_refused() -> Outcome {
    let mut rows = Rows::default();
    let folder = tempfile::Builder::new().prefix("weir-strict-").tempdir()?;
    let log = folder.path().join("access.log");
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    // Nothing is refused by policy here: in the way of plain text is TLS alone.
    let mut document = document("old.example", &[]);
    document["policy"]["policies"] = json!([]);
    document["telemetry"]["peerMetadata"] = json!({"trust": "always"});
    let mut policies = document["policy"].clone();
    policies["schema"] = json!(1);
    policies["name"] = json!("cart");
    fs::write(file("policies.json"), policies.to_string())?;
    let printed = weir(&["--config", &file("policies.json"), "--print-format", "envoy"])?;
    let printed: Value = serde_yaml_ng::from_str(&printed)?;
    let fields = printed[0]["typed_config"]["log_format"]["json_format"].clone();

    let metadata = json!({"NAMESPACE": "shop", "WORKLOAD_NAME": "cart", "LABELS": {"app": "cart"}});
    let node = Node { metadata: metadata.as_object().cloned().unwrap_or_default(), ..Node::default() };
    let tls = Tls::Permissive(OWN.to_owned());
    let plugin = Plugin {
        name: "suite".to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module: module("suite")?,
        configuration: document.to_string(),
    };
    let setup = Setup {
        plugins: vec![plugin],
        proxy: Listener { node, tls, direction: Direction::Inbound, ..Listener::default() },
        access_logs: vec![access_log(&log, &fields)],
        discovery: Discovery::Both,
        ..Setup::default()
    };
    let mut proxy = match Proxy::start(setup)? {
        Booted::Ready(proxy) => proxy,
        Booted::Refused(log) => return Err(log.into()),
    };
    let mut sent = 0;
    for calls in CALLS {
        for _ in 0..calls.4 {
            rows.check(format!("permissive: {calls:?}"), send(&mut proxy, calls)?, Some(200));
            sent += 1;
        }
    }
    let text = |text: &str| text.to_owned();
    let expected = vec![
        (text("legacy"), text("none"), 5.0),
        (text("unknown"), text("mutual_tls"), 6.0),
        (text("unknown"), text("none"), 1.0),
    ];
    let settled = wait_until(PATIENCE, || proxy.metrics().ok().map(|all| counted(&all)).filter(|all| *all == expected));
    rows.check("the metrics", settled.map_or_else(|| proxy.metrics().map(|all| counted(&all)), Ok)?, expected);

    let lines = || fs::read_to_string(&log).ok().filter(|text| text.lines().count() == sent && text.ends_with('\n'));
    wait_until(PATIENCE, lines).ok_or("the log is not whole")?;
    let report: Value = serde_json::from_str(&weir(&["--strict", &file("access.log"), "--output", "json"])?)?;
    let strict = &report["strict"];
    rows.check("with mutual TLS", (&strict["mutualTls"], &strict["unknown"]), (&json!(6), &json!(0)));
    let callers = strict["callers"].as_array().into_iter().flatten();
    let named: Vec<(Value, Value)> =
        callers.map(|caller| (caller["caller"].clone(), caller["paths"].clone())).collect();
    let expected = [("127.0.1.2", json!({"/cart": 3, "/cart/reports": 2})), ("127.0.1.3", json!({"/cart": 1}))];
    rows.check("who is named", named.clone(), expected.map(|(caller, paths)| (json!(caller), paths)).to_vec());

    proxy.change_listener(|setup| setup.proxy.tls = Tls::Mtls(OWN.to_owned()))?;
    for calls in CALLS {
        let is_named = named.iter().any(|(caller, paths)| caller == calls.0 && paths.get(calls.2).is_some());
        let status = send(&mut proxy, calls)?;
        rows.check(format!("strict: {calls:?}"), status, if is_named { None } else { Some(200) });
    }
    rows.check("traps", proxy.vm_failures()?, 0);
    proxy.stop()?;
    Ok(())
}
