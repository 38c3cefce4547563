//! The files of `envoy-configs/compose` that need no container to be checked. `make test-docker` runs all of them.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use weir_testing::Rows;

fn envoy_configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../envoy-configs")
}

fn read(file: &str) -> String {
    fs::read_to_string(envoy_configs().join(file)).unwrap()
}

/// What differs between the bootstrap for this machine and that for the containers.
const ADDRESSES: [(&str, &str); 5] = [
    (
        "admin:\n  address: {socket_address: {address: 127.0.0.1,",
        "admin:\n  address: {socket_address: {address: 0.0.0.0,",
    ),
    (
        "    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}",
        "    address: {socket_address: {address: 0.0.0.0, port_value: 10000}}",
    ),
    ("filename: dist/suite.wasm", "filename: /weir/suite.wasm"),
    ("    connect_timeout: 1s\n", "    type: STRICT_DNS\n    dns_lookup_family: V4_ONLY\n    connect_timeout: 1s\n"),
    (
        "endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 18080}}}",
        "endpoint: {address: {socket_address: {address: app, port_value: 8080}}}",
    ),
];

const HEAD: &str = "\
# The bootstrap of ../envoy.yaml, with the addresses of the containers of compose.yaml. Do not edit both: change ../envoy.yaml,
# and write this file with `WEIR_COMPOSE=write cargo test -p weir --test compose`.
";

/// One bootstrap serves both, so that the second cannot fall behind.
#[test]
fn the_bootstrap_for_containers_differs_in_its_addresses_only() {
    let text = read("envoy.yaml");
    let body = text.split_once("admin:\n").map(|(_, rest)| format!("admin:\n{rest}")).unwrap();
    let mut rows = Rows::default();
    let expected = ADDRESSES.iter().fold(body, |text, (here, there)| {
        rows.check(format!("places of {here}"), text.matches(here).count(), 1);
        text.replace(here, there)
    });
    let expected = format!("{HEAD}{expected}");
    let path = envoy_configs().join("compose/envoy.yaml");
    if std::env::var("WEIR_COMPOSE").is_ok_and(|value| value == "write") {
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap();
    rows.check("compose/envoy.yaml is current", found == expected, true);
}

/// Grafana is started by few, and says nothing of a panel whose data source or place is wrong.
#[test]
fn the_dashboard_has_a_place_and_a_source_for_every_panel() {
    let dashboard: Value = serde_json::from_str(&read("compose/grafana/weir.json")).unwrap();
    let sources: Value = serde_yaml_ng::from_str(&read("compose/grafana/datasources.yaml")).unwrap();
    let source = &sources["datasources"][0];
    let mut rows = Rows::default();
    let mut places = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        let place = (panel["gridPos"]["y"].as_u64(), panel["gridPos"]["x"].as_u64());
        rows.check(format!("{title}: a place of its own"), places.insert(place), true);
        rows.check(format!("{title}: an id of its own"), ids.insert(panel["id"].as_u64()), true);
        rows.check(format!("{title}: width"), panel["gridPos"]["x"].as_u64() <= Some(12), true);
        let targets = panel["targets"].as_array().unwrap();
        rows.check(format!("{title}: has queries"), targets.is_empty(), false);
        for target in targets {
            rows.check(format!("{title}: source"), &target["datasource"]["uid"], &source["uid"]);
        }
    }
    // What compose.yaml mounts is where the provisioning looks for it.
    let compose: Value = serde_yaml_ng::from_str(&read("compose/compose.yaml")).unwrap();
    let providers: Value = serde_yaml_ng::from_str(&read("compose/grafana/dashboards.yaml")).unwrap();
    let folder = providers["providers"][0]["options"]["path"].as_str().unwrap();
    let grafana = &compose["services"]["grafana"];
    let mount = format!("./grafana/weir.json:{folder}/weir.json:ro");
    let mounts = grafana["volumes"].as_array().unwrap();
    rows.check("the dashboard is mounted", mounts.iter().any(|found| found == mount.as_str()), true);
    let home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].as_str();
    rows.check("the first page", home, Some(format!("{folder}/weir.json").as_str()));
    // Prometheus is asked at the name and port that the containers have for it.
    rows.check("address of the source", source["url"].as_str(), Some("http://prometheus:9090"));
    rows.check("service", compose["services"]["prometheus"].is_object(), true);
}

/// Ports are those of this machine alone, and every file that is mounted is there.
#[test]
fn the_project_is_reached_from_this_machine_only() {
    let compose: Value = serde_yaml_ng::from_str::<serde_yaml_ng::Value>(&read("compose/compose.yaml"))
        .map(|mut value| {
            value.apply_merge().unwrap();
            serde_json::to_value(value).unwrap()
        })
        .unwrap();
    let mut rows = Rows::default();
    let mut mounted = BTreeSet::new();
    for (name, service) in compose["services"].as_object().unwrap() {
        let texts = |field: &str| -> Vec<String> {
            let list = service[field].as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().map(|entry| entry.as_str().unwrap().to_owned()).collect()
        };
        for port in texts("ports") {
            rows.check(format!("{name}: {port} is on loopback"), port.starts_with("127.0.0.1:$"), true);
        }
        for volume in texts("volumes").iter().filter(|volume| volume.starts_with("./")) {
            let file = volume.split(':').next().unwrap();
            rows.check(format!("{name}: {file}"), envoy_configs().join("compose").join(file).is_file(), true);
            mounted.insert(file.replacen("./", "compose/", 1));
        }
    }
    // Those that no container has are `compose/README.md` and `compose/compose.yaml` itself.
    let files = [
        "compose/app.yaml",
        "compose/envoy.yaml",
        "compose/grafana/dashboards.yaml",
        "compose/grafana/datasources.yaml",
        "compose/grafana/weir.json",
        "compose/prometheus.yml",
    ];
    rows.check("what is mounted", mounted.iter().map(String::as_str).collect::<Vec<_>>(), files);
}
