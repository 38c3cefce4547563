//! Policies as people write them: `real-policies.yaml` of the case files (`weir_testing` says where they are). It is not
//! part of the project, and where it is absent the test says so.

use std::panic::catch_unwind;
use std::sync::Mutex;

use serde_json::Value;
use weir_scenario::{Fields, Protocol, Request};
use weir_testing::{Outcome, Score, read};

use crate::compare::{Tally, compare};
use crate::in_pairs;
use crate::world::{self, Kind};

/// The request header in which the file gives a peer.
pub(crate) const PEER_HEADER: &str = "x-lab-principal";

pub(crate) const FILE: &str = "real-policies.yaml";

#[test]
fn third_party_policies() {
    let Some(rows) = read::<Vec<Value>>(FILE) else { return };
    let score = Mutex::new(Score::new(FILE));
    let (tally, _) = in_pairs(rows.len(), |number| {
        let row = &rows[number];
        let name = row["id"].as_str().unwrap_or_default();
        let (tally, outcome) = match catch_unwind(|| try_row(row)) {
            Ok(Ok(tally)) => {
                let outcome = Outcome::of(tally.differences() == 0, || tally.to_string());
                (tally, outcome)
            }
            Ok(Err(outcome)) => (Tally::default(), outcome),
            Err(_) => (Tally::default(), Outcome::Failed("it panicked; the test's output says how".to_owned())),
        };
        score.lock().unwrap().add(name, outcome);
        Ok(tally)
    });
    eprintln!("{tally}");
    score.into_inner().unwrap().end();
}

/// The row in a proxy; the error is what it means that Weir refuses its policies.
fn try_row(row: &Value) -> Result<Tally, Outcome> {
    let name = row["id"].as_str().unwrap_or_default();
    let policies = row["policies"].as_array().unwrap();
    let kind = if row["filterStatePrincipal"] == true { Kind::Hbone } else { Kind::Sidecar };
    let domains = vec!["cluster.local".to_owned()];
    let mut workload = world::workload(kind, &domains);
    for field in ["namespace", "labels"] {
        workload[field] = row["workload"][field].clone();
    }
    let proxy = world::start(kind, &workload, domains, policies, (0, PEER_HEADER)).map_err(|log| refused(&log))?;
    let requests: Vec<Request> = row["requests"].as_array().unwrap().iter().flat_map(both_protocols).collect();
    Ok(compare(name, policies, proxy, &requests))
}

/// Reasons for which Weir refuses a policy: part of the log, and the reason.
const REFUSED: [(&str, &str); 1] =
    [("service accounts exclude principals", "Istio refuses service accounts beside principals, too")];

/// What it means that Weir refuses the row's policies.
fn refused(log: &str) -> Outcome {
    let known = REFUSED.iter().find(|(mark, _)| log.contains(mark));
    known.map_or_else(|| Outcome::Failed(format!("refused: {log}")), |(_, reason)| Outcome::skip(*reason))
}

pub(crate) fn both_protocols(row: &Value) -> [Request; 2] {
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
