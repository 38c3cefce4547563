//! The shipped modules and the probe of the shell over random streams, connections, answers and configurations: none may
//! trap. `make fuzz` runs it.
//!
//! `WEIR_FUZZ_SECONDS` says for how long. Each round has a seed of its own, which a failure names: `WEIR_FUZZ_SEED` begins
//! with that round. A coverage-guided fuzzer would see the host and not the module in it, so the choices are made here.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "it runs until its time is over")]

#[path = "../../../../filters/policy/tests/generator/random.rs"]
mod random;
mod shell;

use random::Random;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use weir_scenario::{Direction, Node, Proxy as Listener};
use weir_test_host::{Connection, HeaderMap, Http, Incoming, PluginSpec, Proxy, Settings, TlsInfo};

const PATIENCE: Duration = Duration::from_secs(5);

/// Modules and what they are configured with.
const MODULES: [&str; 9] = [
    "policy",
    "policy-audit",
    "rate-limit",
    "rate-limit-lean",
    "telemetry",
    "telemetry-response",
    "suite",
    "suite-lean",
    "suite-audit",
];

const NAMES: [&str; 14] = [
    ":method",
    ":path",
    ":authority",
    ":scheme",
    "host",
    "x-user",
    "x-org",
    "user-agent",
    "content-type",
    "x-envoy-peer-metadata",
    "x-envoy-peer-metadata-id",
    "x-forwarded-for",
    "te",
    "grpc-status",
];

const PARTS: [&str; 24] = [
    "GET",
    "/admin/1",
    "/a/b;c=d/b/e",
    "?q=a%2",
    "#",
    "//",
    "cart.shop",
    ":80",
    "spiffe://td1/ns/shop/sa/cart",
    "spiffe://",
    "/ns/",
    "/sa/",
    ",",
    "10.1.2.3:80",
    "::ffff:10.0.0.1",
    "[2001:db8::1%eth0]:1",
    "application/grpc",
    "application/grpc-web+proto",
    "CgYKA2FwcBIA",
    "====",
    "*",
    "-9223372036854775809",
    "anna",
    "xb",
];

/// Keys of filter state that some filter reads.
const STATES: [&str; 6] = [
    "io.istio.peer_principal",
    "io.istio.local_principal",
    "downstream_peer",
    "upstream_peer",
    "weir.direct_address",
    "weir.peer_uri_sans",
];

#[test]
#[ignore = "make fuzz"]
fn no_stream_and_no_configuration_traps() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seconds = number("WEIR_FUZZ_SECONDS").unwrap_or(60);
    let began = Instant::now();
    let first = number("WEIR_FUZZ_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        now.as_secs() * 1_000_000
    });
    let mut streams = 0;
    let mut seed = first;
    while seed == first || began.elapsed() < Duration::from_secs(seconds) {
        streams += match seed % 4 {
            0 => shell::streams(seed),
            1 => shell::connections(seed),
            _ => round(seed),
        };
        seed += 1;
    }
    println!("{} rounds from WEIR_FUZZ_SEED={first}, {streams} streams and connections, no trap", seed - first);
}

/// One proxy and its streams.
fn round(seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let module = random.pick(&MODULES);
    let listener = Listener {
        node: node(&mut random),
        workers: 2,
        direction: [Direction::Unspecified, Direction::Inbound, Direction::Outbound][random.below(3)],
        ..Listener::default()
    };
    let settings = Settings { proxy: listener, ..Settings::default() };
    let plugin = plugin(module, document(module));
    let (proxy, applied) = Proxy::builder().settings(settings).plugin(plugin).try_build().unwrap();
    let log = || log(&proxy);
    applied.unwrap_or_else(|e| panic!("WEIR_FUZZ_SEED={seed} {module}: {e}\n{}", log()));
    let mut streams = 0;
    for step in 1..2 + random.below(60) {
        let what = match random.below(12) {
            0 => {
                let mut configuration = damaged(document(module), &mut random);
                // None is the one before.
                configuration.resize(configuration.len() + step, b' ');
                let said = String::from_utf8_lossy(&configuration).into_owned();
                // Refused or not, the module must live.
                let _ = proxy.reconfigure(vec![plugin_of(module, configuration)]);
                said
            }
            1 => {
                let millis = [1, 50, 1_000, 60_000, 86_400_000][random.below(5)];
                proxy.advance(Duration::from_millis(millis)).unwrap();
                format!("{millis} ms")
            }
            _ => {
                let incoming = incoming(&mut random);
                let said = format!("{incoming:?}");
                send(&proxy, incoming, &mut random);
                streams += 1;
                said
            }
        };
        assert_eq!(proxy.vm_failures(), 0, "WEIR_FUZZ_SEED={seed} {module} after {what}\n{}", log());
    }
    streams
}

/// What was logged.
fn log(proxy: &Proxy) -> String {
    proxy.log().into_iter().map(|line| format!("[{}] {}\n", line.level, line.text)).collect()
}

fn send(proxy: &Proxy, incoming: Incoming, random: &mut Random) {
    let worker = random.below(2);
    if random.chance(85) {
        proxy.http_stream(worker, incoming, PATIENCE).unwrap();
        return;
    }
    // The client goes away.
    let body = incoming.body.clone();
    let stream = proxy.open(worker, incoming, false).unwrap();
    if random.chance(50) {
        proxy.send(worker, stream, body, false).unwrap();
    }
    proxy.abort(worker, stream).unwrap();
}

fn plugin(module: &str, configuration: String) -> PluginSpec {
    plugin_of(module, configuration.into_bytes())
}

fn plugin_of(module: &str, configuration: Vec<u8>) -> PluginSpec {
    let dist = std::env::var_os("WEIR_DIST").map_or_else(|| root().join("dist"), PathBuf::from);
    let code = std::fs::read(dist.join(format!("{module}.wasm"))).unwrap();
    PluginSpec::new(module, code, configuration)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a module is configured with: the documents of the fuzz targets.
fn document(module: &str) -> String {
    let read = |name: &str| {
        let path = root().join("wasm-tests/fuzz/documents").join(format!("{name}.json"));
        std::fs::read_to_string(path).unwrap()
    };
    match module.trim_end_matches("-lean").trim_end_matches("-response").trim_end_matches("-audit") {
        "suite" => {
            let section = |name: &str| {
                let mut document: serde_json::Value = serde_json::from_str(&read(name)).unwrap();
                document.as_object_mut().unwrap().retain(|key, _| key != "schema" && key != "name");
                document
            };
            let [policy, rate_limit, telemetry] = ["policy", "rate-limit", "telemetry"].map(section);
            serde_json::json!({"schema": 1, "name": "cart", "policy": policy, "rateLimit": rate_limit, "telemetry": telemetry})
                .to_string()
        }
        module => read(module),
    }
}

/// Some bytes changed, left out or repeated.
fn damaged(document: String, random: &mut Random) -> Vec<u8> {
    let mut bytes = document.into_bytes();
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len().max(1));
        match random.below(5) {
            0 => bytes[at] = byte(random),
            1 => drop(bytes.drain(at..(at + random.below(20)).min(bytes.len()))),
            2 => bytes.truncate(at + 1),
            3 => {
                let copied = bytes[at..(at + random.below(200)).min(bytes.len())].to_vec();
                bytes.splice(at..at, copied);
            }
            _ => drop(bytes.splice(at..at, b"[".repeat(random.below(300)))),
        }
        bytes.push(b' ');
    }
    bytes
}

fn byte(random: &mut Random) -> u8 {
    u8::try_from(random.below(256)).unwrap()
}

fn node(random: &mut Random) -> Node {
    let id = random.pick(&[
        "weir-test",
        "sidecar~10.0.0.1~cart.shop~shop.svc.cluster.local",
        "router~10.0.0.1~edge.shop~shop.svc.cluster.local",
        "waypoint~10.0.0.1~waypoint.shop~shop.svc.cluster.local",
    ]);
    let mut node = Node { id: id.to_owned(), ..Node::default() };
    if random.chance(50) {
        node.metadata.insert("ISTIO_VERSION".to_owned(), "1.31.0".into());
    }
    node
}

/// Bytes that may mean something, or not.
fn text(random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..random.below(5) {
        match random.below(8) {
            0 => text.extend((0..random.below(8)).map(|_| byte(random))),
            1 => text.extend(std::iter::repeat_n(byte(random), [1, 300, 9_000][random.below(3)])),
            _ => text.extend_from_slice(random.pick(&PARTS).as_bytes()),
        }
    }
    text
}

fn incoming(random: &mut Random) -> Incoming {
    let mut headers = HeaderMap::default();
    for (name, usual) in [(":method", "GET"), (":path", "/a/b/b/c?q=ab"), (":authority", "cart.shop")] {
        match random.below(8) {
            0 => {}
            1 | 2 => headers.add(name.as_bytes(), &text(random)),
            _ => headers.add(name.as_bytes(), usual.as_bytes()),
        }
    }
    let many = [0, 3, 8, 90][random.below(4)];
    for _ in 0..many {
        let name = if random.chance(75) { random.pick(&NAMES).into() } else { text(random) };
        headers.add(&name, &text(random));
    }
    let mut incoming = Incoming {
        headers,
        http: [Http::V10, Http::V11, Http::V2][random.below(3)],
        connection: connection(random),
        ..Incoming::default()
    };
    if random.chance(30) {
        incoming.body = vec![byte(random); random.below(3_000)];
    }
    if random.chance(20) {
        incoming.trailers = Some(HeaderMap::new([(text(random), text(random))]));
    }
    for state in STATES {
        if random.chance(25) {
            incoming.filter_state.insert(state.into(), text(random));
        }
    }
    incoming
}

fn connection(random: &mut Random) -> Connection {
    let mut string = || String::from_utf8_lossy(&text(random)).into_owned();
    let (uri, dns, subject, local, sni, odd) = (string(), string(), string(), string(), string(), string());
    let tls = TlsInfo {
        peer_presented: random.chance(50),
        peer_uri_sans: vec![uri],
        peer_dns_sans: vec![dns],
        peer_subject: subject,
        local_uri_sans: vec![local],
        sni,
        version: "TLSv1.3".to_owned(),
    };
    let mut connection = Connection { tls: random.chance(50).then_some(tls), ..Connection::default() };
    match random.below(6) {
        0 => connection.source = odd,
        1 => connection.destination = odd,
        _ => {}
    }
    connection
}
