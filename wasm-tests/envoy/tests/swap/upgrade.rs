//! From the modules of 0.1.0 to those of today and back, through extension config discovery under load: no request is lost,
//! both decide the same by the document of then, and what stays and what begins again is measured. What each refuses of the
//! other's syntax is in `docs/upgrading.md`, with the words.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use weir_scenario::{Failure, Fields, Metrics, Node, Payload, Proxy as Listener, Request, Span, Value as Number};
use weir_test_envoy::{Booted, Discovery, Plugin, Proxy, Setup, module, workspace};
use weir_testing::Rows;

use crate::{End, Outcome, get, load, none_lost};

/// A module of 0.1.0, unpacked into a folder.
fn old(stem: &str, folder: &Path) -> Result<Plugin, Box<dyn std::error::Error>> {
    let fixtures = workspace().join("wasm-tests/fixtures/0.1.0");
    let mut bytes = Vec::new();
    GzDecoder::new(&*fs::read(fixtures.join(format!("{stem}.wasm.gz")))?).read_to_end(&mut bytes)?;
    let hash = Sha256::digest(&bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let sums = fs::read_to_string(fixtures.join("SHA256SUMS"))?;
    assert!(sums.contains(&format!("{hash}  {stem}.wasm\n")), "{stem}.wasm has {hash}");
    let file = folder.join(format!("{stem}.wasm"));
    fs::write(&file, bytes)?;
    Ok(Plugin {
        name: stem.to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module: file,
        configuration: fs::read_to_string(fixtures.join(format!("{stem}.json")))?,
    })
}

/// The plugin with fields of its document set, at pointers.
fn with(plugin: &Plugin, changes: &[(&str, Value)]) -> Result<Plugin, Box<dyn std::error::Error>> {
    let mut document: Value = serde_json::from_str(&plugin.configuration)?;
    for (pointer, value) in changes {
        let (parent, field) = pointer.rsplit_once('/').ok_or("no pointer")?;
        let parent = document.pointer_mut(parent).and_then(Value::as_object_mut).ok_or("no such object")?;
        parent.insert((*field).to_owned(), value.clone());
    }
    Ok(Plugin { configuration: document.to_string(), ..plugin.clone() })
}

fn start(plugin: &Plugin) -> Result<Box<Proxy>, Failure> {
    let metadata = json!({"NAMESPACE": "shop", "WORKLOAD_NAME": "cart", "LABELS": {"app": "cart"}});
    let node = Node { metadata: metadata.as_object().cloned().unwrap_or_default(), ..Node::default() };
    let setup = Setup {
        plugins: vec![plugin.clone()],
        proxy: Listener { node, workers: 2, use_remote_address: true, ..Listener::default() },
        discovery: Discovery::Filters,
        ..Setup::default()
    };
    match Proxy::start(setup)? {
        Booted::Ready(proxy) => Ok(proxy),
        Booted::Refused(log) => Err(Failure(log)),
    }
}

fn request(method: &str, path: &str, header: (&str, &str)) -> Request {
    let headers = if header.0.is_empty() { Vec::new() } else { vec![(header.0.into(), header.1.into())] };
    // gRPC is what has a body, too.
    let body = if header.0 == "content-type" { Payload::Size(5) } else { Payload::None };
    Request { method: method.to_owned(), headers: Fields(headers), body, ..get(path) }
}

/// What is decided of a handful of requests, of a user that no request was of before: a line for each.
fn transcript(proxy: &mut Proxy, user: &str) -> Result<Vec<String>, Failure> {
    let tried = [
        ("GET", "/cart", ("x-user", user)),
        ("GET", "/cart", ("x-user", user)),
        ("GET", "/cart", ("x-user", user)),
        ("GET", "/cart", ("", "")),
        ("GET", "/cart/closed", ("", "")),
        ("POST", "/cart/closed", ("", "")),
        ("DELETE", "/cart", ("", "")),
        ("GET", "/cart/trial", ("", "")),
        ("GET", "/team/a", ("x-team", "redder")),
        ("GET", "/team/a/b", ("x-team", "red")),
        ("GET", "/team/a", ("x-team", "blue")),
        ("GET", "/cart/burst", ("", "")),
        ("POST", "/cart", ("content-type", "application/grpc")),
    ];
    let requests = tried.map(|(method, path, header)| request(method, path, header));
    let mut lines = Vec::new();
    for ((method, path, header), (response, record)) in tried.into_iter().zip(proxy.send_all(&requests)?) {
        let record = record.ok_or_else(|| Failure(format!("{method} {path} has no record")))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        // In 0.1.0 filter state had every decision, today those that refuse; the wait depends on the moment.
        let state =
            |bytes: &[u8]| Some(text(bytes)).filter(|state| state.contains("deny") || state.contains("over_limit"));
        let limit =
            state(&record.rate_limit.0).map(|state| state.split(" retry=").next().unwrap_or_default().to_owned());
        let names = response.headers.0.iter().map(|(name, _)| text(&name.0));
        let names: Vec<_> = names.filter(|name| name.starts_with("x-ratelimit") || name == "retry-after").collect();
        let body = text(&response.body.0);
        lines.push(format!(
            "{method} {path} {}: {:?} `{body}` {} {} {:?} {limit:?} {names:?}",
            header.0,
            response.status,
            text(&record.details.0),
            text(&record.flags.0),
            state(&record.policy.0),
        ));
    }
    Ok(lines)
}

/// The sum of the series of a metric that have a label.
fn sum(metrics: &Metrics, name: &str, label: (&str, &str)) -> f64 {
    let of = |labels: &BTreeMap<String, String>| labels.get(label.0).is_some_and(|value| value == label.1);
    let found = metrics.0.iter().filter(|sample| sample.name == name && of(&sample.labels));
    found.map(|sample| if let Number::Number(value) = sample.value { value } else { 0.0 }).sum()
}

/// A counter that the requests of one transcript raise, and the load does not: its name, a label, and by how much.
type Counted = (&'static str, (&'static str, &'static str), f64);

const POLICY: Counted = ("weir_policy_decisions_total", ("decision", "deny"), 5.0);
const LIMITS: Counted = ("weir_ratelimit_requests_total", ("decision", "over_limit"), 1.0);
const STREAMS: Counted = ("weir_istio_requests_total", ("request_protocol", "grpc"), 1.0);

/// Swaps the module while clients send what passes.
fn swap(rows: &mut Rows, title: &str, proxy: &mut Proxy, plugin: &Plugin) -> Outcome {
    // A busy machine takes a while to make the VMs of another module.
    let passing = Request { timeout: Some(Span(Duration::from_secs(30))), ..get("/cart/load") };
    let dialer = proxy.dialer(&passing)?;
    let ended = AtomicBool::new(false);
    thread::scope(|scope| -> Outcome {
        let loads = [0, 1].map(|_| scope.spawn(|| load(&dialer, &passing, &ended)));
        {
            let _end = End(&ended);
            let change = proxy.swap(vec![plugin.clone()], Some(&passing))?;
            rows.check(format!("{title}: taken"), change.refused, None);
            none_lost(&change.during);
        }
        for load in loads {
            let load = load.join().map_err(|_| "a load ended badly")??;
            rows.check(format!("{title}: {} requests", load.len()), load.len() > 20, true);
            none_lost(&load);
        }
        Ok(())
    })
}

/// Up and down again. `limited` says whether the document has limits.
fn up_and_down(stem: &str, counted: &[Counted], limited: bool) -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut rows = Rows::default();
    let old = old(stem, folder.path())?;
    let new = Plugin { module: module(stem)?, ..old.clone() };
    let mut proxy = start(&old)?;
    let first = transcript(&mut proxy, "before")?;
    rows.check(format!("{stem}: {first:#?}"), first.iter().any(|line| line.contains("Some(200)")), true);
    let metrics = proxy.metrics()?;
    for (name, label, expected) in counted {
        rows.check(format!("{stem}: {name}{label:?}"), sum(&metrics, name, *label), *expected);
    }
    // Of a limit of two, one is used up by each version.
    let kept = |proxy: &mut Proxy| Ok::<_, Failure>(proxy.send(&request("GET", "/cart", ("x-kept", "it")))?.status);
    let over = Some(if limited { 429 } else { 200 });
    rows.check(format!("{stem}: a count of 0.1.0"), kept(&mut proxy)?, Some(200));
    for (title, plugin, counts) in [("upgraded", &new, &[Some(200), over][..]), ("rolled back", &old, &[over])] {
        let title = format!("{stem}, {title}");
        swap(&mut rows, &title, &mut proxy, plugin)?;
        rows.check(format!("{title}: the same decisions"), transcript(&mut proxy, &title)?, first.clone());
        let metrics = proxy.metrics()?;
        for (name, label, expected) in counted {
            // One transcript: the counters of the VM before are gone.
            rows.check(format!("{title}: {name}{label:?} begins again"), sum(&metrics, name, *label), *expected);
            let restarted = sum(&metrics, "weir_ratelimit_restarted_cells_total", ("weir_plugin", "cart"));
            rows.check(format!("{title}: cells that were not read"), restarted, 0.0);
        }
        for expected in counts {
            rows.check(format!("{title}: counts of limits stay"), kept(&mut proxy)?, *expected);
        }
    }
    rows.check(format!("{stem}: traps"), proxy.vm_failures()?, 0);
    proxy.stop()?;
    Ok(())
}

#[test]
fn policy_is_upgraded_and_rolled_back() -> Outcome {
    up_and_down("policy", &[POLICY], false)
}

#[test]
fn rate_limit_is_upgraded_and_rolled_back() -> Outcome {
    up_and_down("rate-limit", &[LIMITS], true)
}

#[test]
fn telemetry_is_upgraded_and_rolled_back() -> Outcome {
    up_and_down("telemetry", &[STREAMS], false)
}

#[test]
fn suite_is_upgraded_and_rolled_back() -> Outcome {
    up_and_down("suite", &[POLICY, LIMITS, STREAMS], true)
}

/// A field that a version does not know is refused with its path, and the running configuration stays.
#[test]
fn what_a_version_does_not_know_is_refused_and_the_running_one_stays() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut rows = Rows::default();
    let old = old("suite", folder.path())?;
    let new = Plugin { module: module("suite")?, ..old.clone() };
    let mut proxy = start(&new)?;
    let unknown = |field: &str| format!("{field}: unknown field");
    let schema = "$.schema: expected `1`";
    for (title, plugin, changes, expected) in [
        ("a newer schema", &new, &[("/schema", json!(2))][..], &[schema.to_owned()][..]),
        ("an older schema", &new, &[("/schema", json!(0))], &[schema.to_owned()]),
        ("a newer schema, 0.1.0", &old, &[("/schema", json!(2))], &[schema.to_owned()]),
        (
            "fields since 0.1.0",
            &old,
            &[
                ("/listener", json!("inbound")),
                ("/accessLogState", json!("always")),
                ("/policy/policiesGzip", json!("")),
                ("/mode", json!(false)),
            ],
            &[
                unknown("$.listener"),
                unknown("$.accessLogState"),
                unknown("$.policy.policiesGzip"),
                "$.mode: expected a string, found a boolean".to_owned(),
            ],
        ),
    ] {
        let change = proxy.swap(vec![with(plugin, changes)?], Some(&get("/cart")))?;
        none_lost(&change.during);
        let report = change.refused.ok_or(format!("{title} was taken"))?;
        for words in expected {
            rows.contains(title, &report, words);
        }
        rows.check(title, proxy.send(&get("/cart/closed"))?.status, Some(403));
    }
    proxy.stop()?;
    Ok(())
}
