//! `weir analyze` on a real Envoy: the requests that it gives as examples are sent, and Envoy's own RBAC decides them as it
//! says. Rules that never decide, and sets that are equivalent, are claims about all requests: of those each random request
//! is tried.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Mutex;

use serde_json::{Value, json};
use weir_scenario::{Addresses, Bytes, Client, Fields, Protocol, Record, Request, Response};

use crate::claims;
use crate::istio;
use crate::policies::policies;
use crate::random::Random;
use crate::replay::{document, run_weir};
use crate::world::{self, Kind};
use crate::{in_pairs, requests};

/// Pairs of random policy sets, and random requests to each.
const PAIRS: usize = 12;
const EACH: usize = 60;

/// The address of the client of this test, which no PROXY protocol header changes.
const DIRECT: &str = "127.0.0.1";

/// What was met.
#[derive(Debug, Default)]
struct Met {
    sent: usize,
    unsendable: usize,
    refused: usize,
    differences: usize,
    equivalent: usize,
    never: usize,
    unknown: usize,
}

/// A request with what it is to be decided as: whether it passes, and the rule that refuses it.
struct Expected {
    request: Value,
    allow: bool,
    rule: Option<String>,
}

/// Changes a rule or two; what comes out may mean the same.
fn changed(random: &mut Random, policies: &[Value]) -> Vec<Value> {
    let mut changed = policies.to_vec();
    let place = random.below(changed.len());
    let Some(rules) = changed[place]["spec"]["rules"].as_array_mut() else { return changed };
    match random.below(4) {
        0 => rules.reverse(),
        1 if rules.len() > 1 => drop(rules.remove(random.below(rules.len()))),
        2 => rules.extend(rules.first().cloned()),
        _ => {}
    }
    changed
}

fn text<'v>(value: &'v Value, path: &str) -> Option<&'v str> {
    value.pointer(path).and_then(Value::as_str)
}

/// The request as a client sends it; the error is why it cannot be sent here.
fn sendable(request: &Value, kind: Kind, port: u16) -> Result<Request, &'static str> {
    let Some(path) = text(request, "/path") else { return Err("CONNECT") };
    let is_normal = !["//", "/.", "\\", "%", " "].iter().any(|odd| path.contains(odd)) && path.is_ascii();
    if !is_normal {
        return Err("a path that Envoy normalizes");
    }
    if kind.parameters() && path.contains(';') {
        return Err("parameters that routes leave out");
    }
    let mut headers: Vec<(Bytes, Bytes)> = Vec::new();
    let mut is_padded = false;
    for (name, values) in request["headers"].as_object().into_iter().flatten() {
        let values = values.as_array().cloned().unwrap_or_else(|| vec![values.clone()]);
        for value in values.iter().filter_map(Value::as_str) {
            is_padded |= value.trim() != value;
            headers.push((name.as_str().into(), value.into()));
        }
    }
    let mut client = Client::Plain;
    let principals = match &request["source"]["principal"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(several) => several.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    if kind.filter_state() {
        match principals.as_slice() {
            [] => {}
            [one] => headers.push((world::PEER_HEADER.into(), one.as_str().into())),
            _ => return Err("several names in filter state"),
        }
    } else if !principals.is_empty() {
        client = Client::Names { uris: principals.clone(), dns: Vec::new() };
    }
    let sni = text(request, "/sni").unwrap_or_default().to_owned();
    if sni.is_empty() != (client == Client::Plain) {
        return Err("a client of this test asks for a server name exactly if it has a certificate");
    }
    let jwt = request.pointer("/jwt/claims").and_then(Value::as_object).cloned();
    if let Some(claims) = &jwt {
        let is_text = |name: &str| claims.get(name).is_none_or(Value::is_string);
        if !is_text("iss") || !is_text("sub") {
            return Err("registered claims are texts");
        }
    }
    if let Some(filters) = request["metadata"].as_object() {
        let values: Vec<&Value> = filters.values().flat_map(|fields| fields.as_object().unwrap().values()).collect();
        let [value] = values.as_slice() else { return Err("several values of another filter") };
        headers.push((claims::HEADER.into(), Bytes(claims::encoded(value)).base64().as_str().into()));
    }
    let address = |path: &str| text(request, path).map(|text| text.parse::<IpAddr>().unwrap());
    let (source, destination) = (address("/source/ip"), address("/destination/ip"));
    let is_v6 = source.or(destination).is_some_and(|address| address.is_ipv6());
    let other = |last: u16| -> IpAddr {
        if is_v6 { [0xfd00, 0, 0, 0, 0, 0, 0, last].into() } else { [192, 0, 2, last as u8].into() }
    };
    let (source, destination) = (source.unwrap_or(other(9)), destination.unwrap_or(other(2)));
    if source.is_ipv4() != destination.is_ipv4() {
        return Err("no connection is between two families");
    }
    let own = request["destination"]["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(port);
    let addresses =
        Some(Addresses { source: SocketAddr::new(source, 40_000), destination: SocketAddr::new(destination, own) });
    let method = text(request, "/method").unwrap_or("GET").to_owned();
    let authority = text(request, "/host").unwrap_or_default();
    let is_known = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"].contains(&method.as_str());
    let protocol = if is_padded || !is_known { Protocol::H2 } else { Protocol::H1 };
    if protocol == Protocol::H2 && authority.is_empty() {
        return Err("HTTP/2 without an authority");
    }
    if method == "HEAD" || method.is_empty() {
        return Err("no body");
    }
    Ok(Request {
        protocol,
        method,
        path: path.into(),
        authority: authority.into(),
        headers: Fields(headers),
        client,
        sni,
        jwt,
        addresses,
        ..Request::default()
    })
}

/// What Envoy's RBAC decided: whether the request passed, and the rule that refused it. `None` if it was not asked.
fn decided(response: &Response, record: Option<&Record>) -> Option<(bool, Option<String>)> {
    let details = String::from_utf8_lossy(&record?.details.0).into_owned();
    let id = details.strip_prefix("rbac_access_denied_matched_policy[").and_then(|rest| rest.strip_suffix(']'));
    match (response.status?, id) {
        (200, None) => Some((true, None)),
        (403, Some("none")) => Some((false, None)),
        (403, Some(id)) => Some((false, Some(istio::name(id)?))),
        _ => None,
    }
}

/// Requests that the report of a document has, with what it says of them.
fn expected(report: &Value, is_old: bool) -> Vec<Expected> {
    let side = if is_old { "old" } else { "new" };
    let mut all: Vec<Expected> = Vec::new();
    for found in report["differences"]["found"].as_array().unwrap() {
        let allow = found[side]["decision"] == "allow";
        let rule = text(&found[side], "/rule").filter(|_| !allow).map(str::to_owned);
        all.push(Expected { request: found["request"].clone(), allow, rule });
    }
    let examples = report["examples"].as_array().unwrap().iter().filter(|example| example["enforced"] == true);
    for example in examples.filter(|_| !is_old) {
        let allow = example["action"] == "ALLOW";
        let rule = text(example, "/rule").filter(|_| !allow).map(str::to_owned);
        all.push(Expected { request: example["request"].clone(), allow, rule });
    }
    all
}

/// Those of which the decision does not hang on the address of the direct peer, which is this machine's.
fn from_here(all: Vec<Expected>, folder: &Path, document: &str) -> Vec<Expected> {
    let mut lines = String::new();
    let mut all = all;
    for Expected { request, .. } in &mut all {
        if request["source"]["directIp"].is_string() {
            request["source"]["directIp"] = DIRECT.into();
        }
        lines += &request.to_string();
        lines.push('\n');
    }
    fs::write(folder.join("requests.jsonl"), lines).unwrap();
    let (_, answers) = run_weir(folder, "explain", &[document, "--requests", "requests.jsonl"]).unwrap();
    let answers = answers.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let is_same = |expected: &Expected, answer: &Value| {
        let rule = text(answer, "/policy").map(|policy| format!("{policy}[{}]", answer["rule"]));
        let allow = answer["decision"] == "allow";
        allow == expected.allow && (allow || rule == expected.rule)
    };
    all.into_iter().zip(answers).filter(|(expected, answer)| is_same(expected, answer)).map(|(kept, _)| kept).collect()
}

/// Sends examples and random requests to a proxy with one set of policies; the decisions of the random ones.
fn sent(
    setup: weir_test_envoy::Setup,
    examples: &[Expected],
    random: &[Request],
    (kind, port): (Kind, u16),
    met: &Mutex<Met>,
) -> Vec<Option<(bool, Option<String>)>> {
    let mut made: Vec<(Request, &Expected)> = Vec::new();
    for expected in examples {
        match sendable(&expected.request, kind, port) {
            Ok(request) => made.push((request, expected)),
            Err(_) => met.lock().unwrap().unsendable += 1,
        }
    }
    let all: Vec<Request> = made.iter().map(|(request, _)| request.clone()).chain(random.iter().cloned()).collect();
    let mut proxy = match weir_test_envoy::Proxy::start(setup).unwrap() {
        weir_test_envoy::Booted::Ready(proxy) => proxy,
        weir_test_envoy::Booted::Refused(log) => panic!("{log}"),
    };
    let answers = proxy.send_all(&all).unwrap();
    proxy.stop().unwrap();
    for ((request, expected), (response, record)) in made.iter().zip(&answers) {
        let found = decided(response, record.as_ref());
        // What the codec or the connection manager refuses, no filter sees.
        let Some((allow, rule)) = found else {
            met.lock().unwrap().unsendable += 1;
            continue;
        };
        assert_eq!((allow, &rule), (expected.allow, &expected.rule), "{kind:?} {} {request:?}", expected.request);
        let mut met = met.lock().unwrap();
        met.sent += 1;
        met.refused += usize::from(!allow);
    }
    answers.iter().skip(made.len()).map(|(response, record)| decided(response, record.as_ref())).collect()
}

#[test]
fn examples_of_an_analysis_are_decided_so_by_envoy() {
    let met = Mutex::new(Met::default());
    in_pairs(PAIRS, |number| {
        let kind = Kind::ALL[number % Kind::ALL.len()];
        let mut random = Random::new(40_000 + number as u64);
        let port = weir_launch::free_port().unwrap();
        let domains = world::bundle(&mut random);
        let mut old = policies(&mut random, kind, port);
        while old.is_empty() {
            old = policies(&mut random, kind, port);
        }
        let new = changed(&mut random, &old);
        let workload = world::workload(kind, &domains);
        let folder = tempfile::Builder::new().prefix("weir-analyze-").tempdir().unwrap();
        for (file, set) in [("old.json", &old), ("new.json", &new)] {
            fs::write(folder.path().join(file), document(&workload, set).to_string()).unwrap();
        }
        let arguments = ["new.json", "--against", "old.json", "--examples", "--output", "json", "--budget", "60s"];
        let (_, report) = run_weir(folder.path(), "analyze", &arguments).unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        let report = &report["workloads"][0];
        let requests: Vec<Request> = (0..EACH).map(|_| requests::request(&mut random, kind)).collect();
        let answers = [("old.json", &old, true), ("new.json", &new, false)].map(|(file, set, is_old)| {
            let examples = from_here(expected(report, is_old), folder.path(), file);
            let mut setup = world::setup(kind, &workload, domains.clone(), set, (port, world::PEER_HEADER));
            setup.proxy.proxy_protocol = true;
            sent(setup, &examples, &requests, (kind, port), &met)
        });
        let [of_old, of_new] = &answers;
        let mut met = met.lock().unwrap();
        if report["differences"]["equivalent"] == json!(true) {
            met.equivalent += 1;
            for (request, (old, new)) in requests.iter().zip(of_old.iter().zip(of_new)) {
                let allow = |decided: &Option<(bool, Option<String>)>| decided.as_ref().map(|(allow, _)| *allow);
                assert_eq!(allow(old), allow(new), "{request:?}\n{}\n{}", json!(old), json!(new));
            }
        } else {
            met.differences += report["differences"]["found"].as_array().unwrap().len();
        }
        let never: BTreeSet<&str> =
            report["neverDecide"].as_array().unwrap().iter().filter_map(|rule| text(rule, "/rule")).collect();
        met.never += never.len();
        met.unknown += report["unknown"].as_array().unwrap().len();
        for (_, rule) in of_new.iter().flatten() {
            assert!(!rule.as_deref().is_some_and(|rule| never.contains(rule)), "{rule:?} {never:?}");
        }
        Ok(Default::default())
    });
    let met = met.into_inner().unwrap();
    eprintln!("{met:?}");
    assert!(met.sent > 3 * PAIRS && met.refused > PAIRS / 2, "{met:?}");
    assert!(met.unsendable < met.sent && met.unknown * 10 <= met.sent, "{met:?}");
    assert!(met.equivalent > 0 && met.differences > 0 && met.never > 0, "{met:?}");
}
