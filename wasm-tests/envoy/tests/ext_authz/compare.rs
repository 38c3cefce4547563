//! Row by row: a request that says what the server answers, and what both proxies make of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use weir_scenario::{Bytes, Client, Fields, Protocol, Proxy as Listener, Request, Tls};
use weir_test_envoy::{Booted, Plugin, Proxy, Server, Setup, module};
use weir_testing::Rows;
use weir_world::{Check, ExtAuthz};

use crate::native;

/// The cluster of the server, as Istio names it.
const CLUSTER: &str = "outbound|9000||check.auth.svc.cluster.local";

/// What one proxy made of a request.
#[derive(Clone, Debug, Default, PartialEq)]
struct Outcome {
    /// What the server was asked, in words.
    asked: Vec<String>,
    /// What the upstream saw.
    seen: Option<(Bytes, BTreeMap<String, Vec<String>>)>,
    status: Option<u16>,
    headers: BTreeMap<String, Vec<String>>,
    body: String,
    details: String,
    metadata: String,
}

/// A pair takes the room of two proxies, so there is one at a time.
pub(crate) static ALONE: Mutex<()> = Mutex::new(());

/// Two proxies in front of one server.
struct Pair {
    _alone: MutexGuard<'static, ()>,
    server: ExtAuthz,
    weir: Box<Proxy>,
    native: Box<Proxy>,
}

fn policies() -> Vec<Value> {
    let policy = |name: &str, spec: Value| json!({"kind": "AuthorizationPolicy", "metadata": {"name": name, "namespace": "shop"}, "spec": spec});
    let when =
        |header: &str, value: &str| json!({"when": [{"key": format!("request.headers[{header}]"), "values": [value]}]});
    vec![
        policy(
            "ask",
            json!({
                "action": "CUSTOM",
                "provider": {"name": "authz"},
                "rules": [{"to": [{"operation": {"notPaths": ["/public*"]}}]}],
            }),
        ),
        policy("no-eve", json!({"action": "DENY", "rules": [when("x-user", "eve")]})),
        policy("no-secrets", json!({"action": "DENY", "rules": [{"to": [{"operation": {"paths": ["/secret"]}}]}]})),
        policy(
            "anybody",
            json!({"rules": [when("x-user", "*"), {"to": [{"operation": {"paths": ["/public*", "/secret"]}}]}]}),
        ),
    ]
}

pub(crate) fn plugin(name: &str, mode: &str, provider: &Value, policies: &[Value]) -> Plugin {
    let document = json!({
        "schema": 1,
        "name": "authz",
        "mode": mode,
        "workload": {"namespace": "shop", "labels": {}, "directAddress": {"filterState": "direct"}},
        "providers": {"authz": provider},
        "policies": policies,
    });
    let document = match name {
        "suite" => {
            let mut section = document.clone();
            let fields = section.as_object_mut().unwrap();
            ["schema", "name", "mode"].iter().for_each(|name| drop(fields.remove(*name)));
            json!({"schema": 1, "name": "authz", "mode": mode, "policy": section})
        }
        _ => document,
    };
    Plugin {
        name: name.to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module: module(name).unwrap(),
        configuration: document.to_string(),
    }
}

pub(crate) fn started(setup: Setup) -> Box<Proxy> {
    match Proxy::start(setup).unwrap() {
        Booted::Ready(proxy) => proxy,
        Booted::Refused(log) => panic!("{log}"),
    }
}

pub(crate) fn servers(server: &ExtAuthz, provider: &Value) -> BTreeMap<String, Server> {
    let http2 = provider["envoyExtAuthzGrpc"].is_object();
    [(CLUSTER.to_owned(), Server { address: server.address(), http2 })].into()
}

impl Pair {
    fn new(provider: &Value, tls: bool) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let server = ExtAuthz::start().unwrap();
        let setup = |plugins: Vec<Plugin>, native: Vec<Value>| {
            let tls = if tls { Tls::Mtls("spiffe://td/ns/shop/sa/cart".to_owned()) } else { Tls::None };
            let filter_state = [("direct".to_owned(), weir_scenario::FilterStateValue::DirectAddress)].into();
            let proxy = Listener { tls, filter_state, ..Listener::default() };
            started(Setup { plugins, native, proxy, servers: servers(&server, provider), ..Setup::default() })
        };
        let native = native::filters(&policies(), "authz", provider);
        Self {
            _alone: alone,
            weir: setup(vec![plugin("suite", "enforce", provider, &policies())], Vec::new()),
            native: setup(Vec::new(), native),
            server,
        }
    }

    fn outcomes(&mut self, request: &Request) -> (Outcome, Outcome) {
        (outcome(&self.server, &mut self.weir, request), outcome(&self.server, &mut self.native, request))
    }
}

fn outcome(server: &ExtAuthz, proxy: &mut Proxy, request: &Request) -> Outcome {
    server.forget();
    let response = proxy.send(request).unwrap();
    let record = proxy.record().unwrap();
    let seen = response.seen.map(|seen| (seen.path, by_name(&seen.headers, &["x-request-id"])));
    Outcome {
        asked: server.checks().iter().flat_map(|check| asked(check, proxy.address().port())).collect(),
        seen,
        status: response.status,
        headers: by_name(&response.headers, &["date", "x-envoy-upstream-service-time"]),
        body: response.body.to_string(),
        details: record.details.to_string(),
        metadata: timeless(record.authz_metadata.as_slice()),
    }
}

/// Metadata without how long the check took.
fn timeless(metadata: &[u8]) -> String {
    let Ok(mut tree) = serde_json::from_slice::<Value>(metadata) else {
        return String::from_utf8_lossy(metadata).into_owned();
    };
    tree.as_object_mut().unwrap().entry("ext_authz_duration").and_modify(|millis| {
        assert!(millis.as_u64().unwrap() < 60_000);
        *millis = Value::Null;
    });
    tree.to_string()
}

fn by_name(fields: &Fields, but: &[&str]) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &fields.0 {
        if !but.contains(&name.to_string().as_str()) {
            all.entry(name.to_string()).or_default().push(value.to_string());
        }
    }
    all
}

/// What a check says, a line for each field. What no two checks have in common is left out: the client's port, the time, ids.
fn asked(check: &Check, own_port: u16) -> Vec<String> {
    let mut lines = Vec::new();
    let call = match check {
        Check::Grpc(check, call) => {
            let mut check = check.clone();
            let attributes = check.attributes.as_mut().unwrap();
            for (peer, is_port) in [(&mut attributes.source, false), (&mut attributes.destination, true)] {
                let socket = peer.as_mut().unwrap().address.as_mut().unwrap().socket_address.as_mut().unwrap();
                assert_eq!(socket.port == Some(own_port.into()), is_port, "{socket:?}");
                socket.port = None;
            }
            let request = attributes.request.as_mut().unwrap();
            let age = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
                - request.time.take().unwrap().seconds;
            assert!((0..60).contains(&age), "{age}");
            let http = request.http.as_mut().unwrap();
            assert!(!http.id.is_empty());
            http.id.clear();
            let headers = std::mem::take(&mut http.headers).into_iter();
            lines.extend(
                headers
                    .filter(|pair| pair.key != "x-request-id")
                    .map(|pair| format!("header {}: {}", pair.key, pair.value)),
            );
            lines.push(format!("{check:?}"));
            call
        }
        Check::Http(call) => call,
    };
    lines.push(format!("{} {} {:?}", call.method, call.path, call.authority));
    let text = |(name, value): &(String, Vec<u8>)| format!("call {name}: {}", String::from_utf8_lossy(value));
    lines.extend(call.headers.iter().map(text));
    lines.sort();
    lines
}

/// What Envoy's gRPC client adds to a call of its own filter's, and not to one of a Wasm filter, by how the line begins.
const ADDED: &str = "call x-forwarded-for: ";

fn compare(rows: &mut Rows, title: &str, (weir, mut native): (Outcome, Outcome)) {
    native.asked.retain(|line| !line.starts_with(ADDED));
    rows.check(title, weir, native);
}

fn request(kind: &str, says: &str, more: &[(&str, &str)]) -> Request {
    let mut request = Request { path: format!("/items/{kind}?b=2&a=1").as_str().into(), ..Request::default() };
    request.headers.0.push(("x-authz".into(), says.into()));
    for (name, value) in more {
        match *name {
            ":path" => request.path = (*value).into(),
            name => request.headers.0.push((name.into(), (*value).into())),
        }
    }
    request
}

const ANN: (&str, &str) = ("x-user", "ann");

#[test]
fn grpc_is_as_envoy_s_own() {
    let provider =
        json!({"envoyExtAuthzGrpc": {"service": "auth/check.auth.svc.cluster.local", "port": 9000, "timeout": "0.4s"}});
    let mut pair = Pair::new(&provider, false);
    let mut rows = Rows::default();
    let cases: [(&str, &[(&str, &str)]); 45] = [
        ("allow", &[ANN]),
        ("allow", &[("x-user", "eve")]),
        ("allow", &[]),
        ("allow", &[(":path", "/public/a")]),
        ("allow", &[(":path", "/secret"), ANN]),
        ("header x-user=ann", &[]),
        ("header x-user=ann", &[("x-user", "eve")]),
        ("header x-user=eve", &[ANN]),
        ("header+ x-user=eve", &[ANN]),
        ("header? x-user=eve", &[ANN]),
        ("header? x-user=ann", &[]),
        ("header! x-user=eve", &[ANN]),
        ("header! x-user=ann", &[]),
        ("append x-user=eve", &[ANN, ("x-other", "a")]),
        ("append x-user=ann", &[]),
        ("append x-list=c", &[ANN, ("x-list", "a"), ("x-list", "b")]),
        ("noappend x-list=c", &[ANN, ("x-list", "a"), ("x-list", "b")]),
        ("header X-Upper=a;header x-upper=b", &[ANN]),
        ("remove x-user", &[ANN]),
        ("remove X-List;remove :path;remove host", &[ANN, ("x-list", "a")]),
        ("query c=3;query a=9;unquery b", &[ANN]),
        ("query c=3", &[ANN, (":path", "/plain")]),
        ("response x-res=1;response+ x-res2=2;response? content-length=9;response! x-none=1", &[ANN]),
        ("deny 401;header x-why=because;header content-type=application/json;body {\"a\":1}", &[ANN]),
        ("deny 0;body no", &[ANN]),
        ("deny 403;header+ set-cookie=a;header+ set-cookie=b;append x-app=1;header? x-abs=1", &[ANN]),
        ("deny 302;header location=/login", &[ANN]),
        ("error 502;header x-why=because;body oops", &[ANN]),
        ("header host=b.example", &[ANN]),
        ("append host=b.example", &[ANN]),
        ("header :authority=b.example", &[ANN]),
        ("append x-user=eve;header x-user=ann", &[]),
        ("append x-list=b;header x-list=c", &[ANN, ("x-list", "a")]),
        ("deny 999;body no", &[ANN]),
        ("error 999;body no", &[ANN]),
        ("metadata user=ann;metadata b=\"\\", &[ANN]),
        ("metadata user=ann;older user=eve", &[ANN]),
        ("metadata user=ann;deny 403", &[ANN]),
        ("metadata user=ann;error 502", &[ANN]),
        ("grpc 7", &[ANN]),
        ("garbage", &[ANN]),
        ("reset", &[ANN]),
        ("delay 2000", &[ANN]),
        ("allow", &[ANN, ("x-list", "a"), ("x-list", "b"), ("x-envoy-auth-partial-body", "true")]),
        ("allow", &[ANN, ("x-envoy-downstream-service-cluster", "web"), ("content-type", "application/grpc")]),
    ];
    for (says, more) in cases {
        let title = format!("{says} {more:?}");
        let outcomes = pair.outcomes(&request("grpc", says, more));
        compare(&mut rows, &title, outcomes);
    }
    // Bytes that are not UTF-8, and HTTP/2.
    let mut odd = request("grpc", "allow", &[ANN]);
    odd.headers.0.push(("x-odd".into(), Bytes(b"caf\xe9 \xe2\x82".to_vec())));
    odd.protocol = Protocol::H2;
    let outcomes = pair.outcomes(&odd);
    compare(&mut rows, "odd bytes", outcomes);
}

#[test]
fn peers_are_named_as_envoy_names_them() {
    let provider = json!({"envoyExtAuthzGrpc": {"service": "auth/check.auth.svc.cluster.local", "port": 9000}});
    let mut pair = Pair::new(&provider, true);
    let mut rows = Rows::default();
    for client in [
        Client::Identity("spiffe://td/ns/a/sa/b".to_owned()),
        Client::Identities(vec!["spiffe://td/ns/c/sa/d".to_owned(), "spiffe://td/ns/a/sa/b".to_owned()]),
        Client::Names { uris: Vec::new(), dns: vec!["web.example".to_owned()] },
    ] {
        let title = format!("{client:?}");
        let outcomes = pair.outcomes(&Request { client, ..request("tls", "allow", &[ANN]) });
        compare(&mut rows, &title, outcomes);
    }
}

#[test]
fn http_is_as_envoy_s_own() {
    let provider = json!({"envoyExtAuthzHttp": {
        "service": "check.auth.svc.cluster.local",
        "port": 9000,
        "timeout": "0.4s",
        "statusOnError": "503",
        "pathPrefix": "/check",
        "includeRequestHeadersInCheck": ["x-authz", "X-Ask*", "*-asked", "cookie"],
        "includeAdditionalHeadersInCheck": {
            "X-Proto": "%REQ(:SCHEME)%", "x-original": "%REQ(:AUTHORITY)%%REQ(:PATH)%", "x-ask-fixed": "100%%",
            "x-none": "%REQ(x-absent)%", "x-cut": "%REQ(x-user?x-other):2%",
        },
        "headersToUpstreamOnAllow": ["x-user", "x-up-*", "host"],
        "headersToDownstreamOnDeny": ["x-why", "set-cookie"],
        "headersToDownstreamOnAllow": ["set-cookie", "x-down-*"],
    }});
    let mut pair = Pair::new(&provider, false);
    let mut rows = Rows::default();
    let cases: [(&str, &[(&str, &str)]); 24] = [
        ("allow", &[ANN]),
        ("allow", &[("x-user", "eve")]),
        ("allow", &[(":path", "/public/a")]),
        (
            "allow",
            &[ANN, ("x-ask-1", "a"), ("x-ask-1", "b"), ("y-asked", "c"), ("x-other", "d"), ("authorization", "t")],
        ),
        ("allow", &[ANN, ("cookie", "a=1"), ("cookie", "b=2"), ("x-ask-fixed", "mine")]),
        ("header x-user=ann", &[]),
        ("header x-user=ann", &[("x-user", "eve"), ("x-user", "eve2")]),
        ("header x-user=eve", &[ANN]),
        ("header x-user=bob;header x-user=eve;header x-up-a=1;header x-not=2", &[ANN]),
        ("remove x-user, x-ask-1;remove :path", &[ANN, ("x-ask-1", "a")]),
        ("header set-cookie=a;header set-cookie=b;header x-down-c=d;header x-why=no", &[ANN]),
        ("deny 401;header x-why=because;header www-authenticate=Basic;header x-not=1;body no", &[ANN]),
        ("deny 302;header location=/login;header set-cookie=a;header set-cookie=b", &[ANN]),
        ("deny 404;header content-type=application/json;body {}", &[ANN]),
        ("header host=b.example", &[ANN]),
        ("http 600;body no", &[ANN]),
        ("http 201;header x-user=eve", &[ANN]),
        ("http 204", &[ANN]),
        ("http 500;body oops", &[ANN]),
        ("http 503", &[ANN]),
        ("http 429", &[ANN]),
        ("reset", &[ANN]),
        ("delay 2000", &[ANN]),
        ("allow", &[ANN, ("content-type", "application/grpc")]),
    ];
    for (says, more) in cases {
        let title = format!("{says} {more:?}");
        let outcomes = pair.outcomes(&request("http", says, more));
        compare(&mut rows, &title, outcomes);
    }
    // Here they differ: Envoy sanitises what an HTTP server is asked as if it were a message, and Weir sends what upstreams get.
    let mut odd = request("http", "allow", &[ANN]);
    odd.headers.0.push(("x-ask-odd".into(), Bytes(b"caf\xe9".to_vec())));
    let (mut weir, native) = pair.outcomes(&odd);
    for line in &mut weir.asked {
        *line = line.replace("x-ask-odd: caf\u{fffd}", "x-ask-odd: caf!");
    }
    compare(&mut rows, "odd bytes", (weir, native));
}

#[test]
fn all_headers_of_a_refusal_pass_where_none_is_named() {
    let provider = json!({"envoyExtAuthzHttp": {
        "service": "check.auth.svc.cluster.local", "port": 9000, "includeRequestHeadersInCheck": ["x-authz"], "failOpen": true,
    }});
    let mut pair = Pair::new(&provider, false);
    let mut rows = Rows::default();
    for says in ["deny 403;header x-any=1;header set-cookie=a;body no", "allow;header x-user=eve", "http 500", "reset"]
    {
        let outcomes = pair.outcomes(&request("open", says, &[ANN]));
        compare(&mut rows, says, outcomes);
    }
}
