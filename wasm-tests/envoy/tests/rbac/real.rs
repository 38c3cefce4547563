//! Policies as people write them: `real-policies.yaml` in the folder `CASES`, by default `../shared/cases` beside the
//! workspace. It is no part of the project, and where it is absent the test says so.

use std::path::PathBuf;

use serde_json::Value;
use weir_scenario::{Fields, Protocol, Request};
use weir_test_envoy::workspace;

use crate::compare::{Tally, compare};
use crate::in_pairs;
use crate::world::{self, Kind};

/// The request header in which the file gives a peer.
const PEER_HEADER: &str = "x-lab-principal";

#[test]
fn real_policies_are_decided_alike() {
    let folder = std::env::var_os("CASES").map_or_else(|| workspace().join("../shared/cases"), PathBuf::from);
    let file = folder.join("real-policies.yaml");
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!("{} is absent: no policies of others are tried", file.display());
        return;
    };
    let rows: Vec<Value> = serde_yaml_ng::from_str(&text).unwrap();
    let (tally, skipped) = in_pairs(rows.len(), |number| try_row(&rows[number]));
    eprintln!("{} policy sets of others, {} skipped; {tally}", rows.len(), skipped.len());
    skipped.iter().for_each(|skipped| eprintln!("skipped {skipped}"));
    assert_eq!(tally.differences(), 0, "{tally}");
}

/// The row in a proxy; the error is why Weir refuses its policies.
fn try_row(row: &Value) -> Result<Tally, String> {
    let name = row["id"].as_str().unwrap_or_default();
    let policies = row["policies"].as_array().unwrap();
    let kind = if row["filterStatePrincipal"] == true { Kind::Hbone } else { Kind::Sidecar };
    let domains = vec!["cluster.local".to_owned()];
    let mut workload = world::workload(kind, &domains);
    for field in ["namespace", "labels"] {
        workload[field] = row["workload"][field].clone();
    }
    let proxy = world::start(kind, &workload, domains, policies, (0, PEER_HEADER))
        .map_err(|log| format!("{name}: {}", log.lines().next().unwrap_or_default()))?;
    let requests: Vec<Request> = row["requests"].as_array().unwrap().iter().flat_map(both_protocols).collect();
    Ok(compare(name, policies, proxy, &requests))
}

fn both_protocols(row: &Value) -> [Request; 2] {
    let text = |field: &str| row[field].as_str().unwrap_or_default();
    let field = |pair: &Value| {
        let part = |index: usize| pair[index].as_str().unwrap_or_default();
        (part(0).into(), part(1).into())
    };
    let headers: Vec<_> = row["h"].as_array().unwrap().iter().map(field).collect();
    [Protocol::H1, Protocol::H2].map(|protocol| Request {
        protocol,
        method: text("m").to_owned(),
        path: text("p").into(),
        authority: text("host").into(),
        headers: Fields(headers.clone()),
        ..Request::default()
    })
}
