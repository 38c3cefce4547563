//! `weir replay` on what a real Envoy has recorded: traffic under policies that Envoy's own RBAC enforces, in Istio's default
//! text, in its default JSON, and in the format that `weir replay` prints for these policies. Replayed against the same
//! policies nothing may change, and how many requests can be decided is printed for each format.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use weir_launch::wait_until;
use weir_scenario::Request;
use weir_test_envoy::{Booted, Proxy, Setup, module};
use weir_testing::read;

use crate::policies::policies;
use crate::random::Random;
use crate::real::{self, both_protocols};
use crate::world::{self, Kind};
use crate::{in_pairs, requests};

/// Istio's default formats (`pilot/pkg/model/telemetry_logging.go`).
const TEXT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% \
    %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" \
    %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \
    \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% \
    %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";
const JSON: [(&str, &str); 23] = [
    ("start_time", "%START_TIME%"),
    ("route_name", "%ROUTE_NAME%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    ("connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("duration", "%DURATION%"),
    ("upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"),
    ("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("authority", "%REQ(:AUTHORITY)%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"),
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("requested_server_name", "%REQUESTED_SERVER_NAME%"),
    ("upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
];

const FORMATS: [&str; 3] = ["Istio's text", "Istio's JSON", "as printed"];

/// Sets of random policies, and requests to each.
const SETS: usize = 12;
const EACH: usize = 200;

/// How long Envoy may take to write what it has.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came of the lines of a format.
#[derive(Clone, Debug, Default)]
struct Share {
    compared: u64,
    undecidable: u64,
    changed: u64,
    broken: u64,
    /// Undecidable lines by what is missing, and the policies that ask for it.
    missing: BTreeMap<String, u64>,
    policies: BTreeMap<String, u64>,
    shown: Vec<String>,
}

impl Share {
    fn add(&mut self, report: &Value, name: &str) {
        let number = |path: &str| report.pointer(path).and_then(Value::as_u64).unwrap();
        self.compared += number("/compared");
        self.undecidable += number("/undecidable/count");
        self.changed += number("/changed/count");
        self.broken += number("/broken/count");
        for missing in report["undecidable"]["missing"].as_array().unwrap() {
            let count = missing["count"].as_u64().unwrap();
            *self.missing.entry(missing["field"].as_str().unwrap().to_owned()).or_default() += count;
            for (policy, count) in missing["policies"].as_object().unwrap() {
                *self.policies.entry(format!("{name} {policy}")).or_default() += count.as_u64().unwrap();
            }
        }
        for change in report["changes"].as_array().unwrap().iter().take(2) {
            self.shown.push(format!("{name}: {change}"));
        }
        let broken = report["broken"]["examples"].as_array().unwrap().iter().take(2);
        self.shown.extend(broken.map(|line| format!("{name}: {line}")));
    }

    fn decidable(&self) -> f64 {
        100.0 * (self.compared - self.undecidable) as f64 / self.compared as f64
    }
}

/// What `weir replay` prints, and whether something changes. The error is why it cannot say.
fn weir(folder: &Path, arguments: &[&str]) -> Result<(bool, String), String> {
    run_weir(folder, "replay", arguments)
}

/// The same of another command.
pub(crate) fn run_weir(folder: &Path, command: &str, arguments: &[&str]) -> Result<(bool, String), String> {
    let weir = module("policy").unwrap().with_file_name("weir");
    let output = Command::new(&weir).current_dir(folder).arg(command).args(arguments).output().unwrap();
    match output.status.code() {
        Some(code @ (0 | 1)) => Ok((code == 1, String::from_utf8(output.stdout).unwrap())),
        _ => Err([output.stderr, output.stdout].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()),
    }
}

fn logger(file: &Path, format: Value) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": file,
            "log_format": format,
        },
    })
}

/// Sends the requests to a proxy that writes all three logs, and replays each against the same policies.
fn replayed(
    name: &str,
    setup: Setup,
    document: &Value,
    requests: &[Request],
    shares: &Mutex<[Share; 3]>,
) -> Result<(), String> {
    let folder = tempfile::Builder::new().prefix("weir-replay-").tempdir().unwrap();
    fs::write(folder.path().join("policies.json"), document.to_string()).unwrap();
    let (_, printed) = weir(folder.path(), &["--config", "policies.json", "--print-format", "envoy"])?;
    let printed: Value = serde_yaml_ng::from_str(&printed).unwrap();
    let own = printed[0]["typed_config"]["log_format"].clone();
    let json: serde_json::Map<String, Value> =
        JSON.iter().map(|(name, operator)| ((*name).to_owned(), json!(operator))).collect();
    let formats = [json!({"text_format_source": {"inline_string": TEXT}}), json!({"json_format": json}), own];
    let files = ["text.log", "json.log", "own.log"].map(|file| folder.path().join(file));
    let access_logs = files.iter().zip(formats).map(|(file, format)| logger(file, format)).collect();
    let mut proxy = match Proxy::start(Setup { access_logs, ..setup }).unwrap() {
        Booted::Ready(proxy) => proxy,
        Booted::Refused(log) => return Err(log),
    };
    let answers = proxy.send_all(requests).unwrap();
    let due = answers.iter().filter(|(_, record)| record.is_some()).count();
    let lines = |file: &Path| fs::read(file).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
    let written = wait_until(PATIENCE, || files.iter().all(|file| lines(file) >= due).then_some(()));
    assert!(written.is_some(), "{name}: Envoy has not written its logs");
    proxy.stop().unwrap();
    for (place, file) in files.iter().enumerate() {
        let file = file.to_str().unwrap();
        let (changes, report) = weir(folder.path(), &["--config", "policies.json", "--output", "json", file]).unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(changes, report["changed"]["count"] != 0, "{report}");
        shares.lock().unwrap()[place].add(&report, name);
        // Against itself a set of policies has no change, also where the log lacks something.
        let same = ["--config", "policies.json", "--against", "policies.json", "--output", "json", file];
        let report: Value = serde_json::from_str(&weir(folder.path(), &same).unwrap().1).unwrap();
        for count in ["/changed/count", "/answeredOtherwise/count", "/undecidable/count"] {
            assert_eq!(report.pointer(count), Some(&json!(0)), "{count} {report}");
        }
    }
    Ok(())
}

/// Prints the shares, and checks what must hold of them.
fn published(title: &str, shares: &[Share; 3]) {
    for (format, share) in FORMATS.iter().zip(shares) {
        eprintln!(
            "{title}, {format}: {} requests, {:.1} % decidable, {} otherwise, {} broken lines; missing {:?}",
            share.compared,
            share.decidable(),
            share.changed,
            share.broken,
            share.missing
        );
        assert_eq!(share.changed, 0, "{:#?}", share.shown);
    }
    let [text, _, own] = shares;
    assert!(own.decidable() >= 99.0, "{:?} {:#?}", own.missing, own.policies);
    assert_eq!(own.broken, 0, "{:#?}", own.shown);
    // What the text lacks is named with the policies that ask for it.
    eprintln!("{title}, {}: asked by {:?}", FORMATS[0], text.policies.iter().take(8).collect::<Vec<_>>());
    assert!(text.undecidable > 0 && !text.policies.is_empty(), "{text:?}");
}

pub(crate) fn document(workload: &Value, policies: &[Value]) -> Value {
    json!({"schema": 1, "name": "replay", "workload": workload, "policies": policies})
}

#[test]
fn recorded_requests_are_decided_as_they_were() {
    let shares = Mutex::new(<[Share; 3]>::default());
    in_pairs(SETS, |number| {
        let kind = Kind::ALL[number % Kind::ALL.len()];
        let mut random = Random::new(9_000 + number as u64);
        let port = weir_launch::free_port().unwrap();
        let domains = world::bundle(&mut random);
        let mut set = policies(&mut random, kind, port);
        while set.is_empty() {
            set = policies(&mut random, kind, port);
        }
        let workload = world::workload(kind, &domains);
        let setup = world::setup(kind, &workload, domains, &set, (port, world::PEER_HEADER));
        let requests: Vec<Request> = (0..EACH).map(|_| requests::request(&mut random, kind)).collect();
        replayed(&format!("{kind:?} {number}"), setup, &document(&workload, &set), &requests, &shares).unwrap();
        Ok(Default::default())
    });
    published("random policies", &shares.into_inner().unwrap());
}

#[test]
fn third_party_traffic_is_decided_as_it_was() {
    let Some(rows) = read::<Vec<Value>>(real::FILE) else { return };
    let shares = Mutex::new(<[Share; 3]>::default());
    let (_, skipped) = in_pairs(rows.len(), |number| {
        let row = &rows[number];
        let name = row["id"].as_str().unwrap_or_default();
        let set = row["policies"].as_array().unwrap();
        let kind = if row["filterStatePrincipal"] == true { Kind::Hbone } else { Kind::Sidecar };
        let domains = vec!["cluster.local".to_owned()];
        let mut workload = world::workload(kind, &domains);
        for field in ["namespace", "labels"] {
            workload[field] = row["workload"][field].clone();
        }
        let setup = world::setup(kind, &workload, domains, set, (0, real::PEER_HEADER));
        let requests: Vec<Request> = row["requests"].as_array().unwrap().iter().flat_map(both_protocols).collect();
        let document = document(&workload, set);
        replayed(name, setup, &document, &requests, &shares).map(|()| Default::default())
    });
    // Those that the filter refuses to load; where its decisions are compared each has its reason.
    eprintln!("real policies: {} of {} sets are not loaded", skipped.len(), rows.len());
    assert!(skipped.len() * 10 < rows.len(), "{skipped:#?}");
    published("real policies", &shares.into_inner().unwrap());
}
