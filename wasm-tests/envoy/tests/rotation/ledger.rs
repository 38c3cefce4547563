//! What was sent, compared with what both sidecars have logged and what Weir has counted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use weir_launch::wait_until;
use weir_scenario::{Metrics, Sample, Value as Number};
use weir_testing::Rows;

use crate::Outcome;
use crate::callers::{CALLERS, Caller, Sent};
use crate::mesh::Mesh;

/// How long logs and counters may be behind.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many requests that are wrong are shown.
const SHOWN: usize = 10;

/// Finds the first few of what is wrong, and how much is wrong in all.
#[derive(Default)]
struct Wrong {
    count: usize,
    shown: Vec<String>,
}

impl Wrong {
    fn check<T: PartialEq + std::fmt::Debug>(&mut self, what: impl FnOnce() -> String, found: T, expected: T) {
        if found != expected {
            self.count += 1;
            if self.shown.len() < SHOWN {
                self.shown.push(format!("{}: {found:?} instead of {expected:?}", what()));
            }
        }
    }
}

/// What Weir is to have counted: labels and their values, and how often.
type Expected<const N: usize> = BTreeMap<[(&'static str, String); N], f64>;

/// Checks every request: its status against its certificate, what Envoy's own log says of the peer against that, Weir's rule
/// against the peer, and Weir's counters against all of them.
pub(crate) fn check(rows: &mut Rows, mesh: &Mesh, sent: &[Sent]) -> Outcome {
    let workload = lines(&mesh.log("workload"), sent.len())?;
    let through = sent.iter().filter(|one| one.caller.is_none()).count();
    let callers = lines(&mesh.log("callers"), through)?;
    rows.check("requests in the log of the workload", workload.len(), sent.len());
    rows.check("requests in the log of the callers' sidecar", callers.len(), through);

    let mut wrong = Wrong::default();
    let (mut requests, mut decisions) = (Expected::<3>::new(), Expected::<3>::new());
    for one in sent {
        let id = || one.id.clone();
        let Some(line) = workload.get(&one.id) else {
            wrong.check(id, "not logged", "logged");
            continue;
        };
        let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
        // Who the request is from, as the client that presented the certificate knows.
        let presented = match one.caller {
            Some(caller) => caller.san.to_owned(),
            None => callers.get(&one.id).and_then(|line| line["own"].as_str()).unwrap_or("-").to_owned(),
        };
        let Some(caller) = CALLERS.iter().find(|caller| caller.san == presented) else {
            wrong.check(id, presented.as_str(), "a caller");
            continue;
        };
        wrong.check(|| format!("{}: status for {presented}", one.id), one.status, Some(caller.status));
        wrong.check(|| format!("{}: peer of Envoy", one.id), text("peer"), presented);
        wrong.check(|| format!("{}: decision of {}", one.id, caller.san), text("decision"), caller.decision.to_owned());
        if one.caller.is_some() {
            wrong.check(|| format!("{}: the workload", one.id), Some(text("own")), one.server.clone());
        }
        let count = |name: &'static str, value: &str| (name, value.to_owned());
        let own = text("own");
        let labels = [
            count("source_principal", caller.san),
            count("destination_principal", &own),
            count("response_code", &caller.status.to_string()),
        ];
        *requests.entry(labels).or_default() += 1.0;
        *decisions.entry(decided(caller)).or_default() += 1.0;
    }
    rows.check(format!("{} checks of requests failed: {:#?}", wrong.count, wrong.shown), wrong.count, 0);
    for caller in &CALLERS {
        let count = workload.values().filter(|line| line["peer"] == caller.san).count();
        rows.check(format!("{} requests of {}", count, caller.san), count > 10, true);
    }
    counted(rows, mesh, &[("istio_requests_total", requests), ("weir_policy_decisions_total", decisions)])
}

/// The labels of the decision on a caller.
fn decided(caller: &Caller) -> [(&'static str, String); 3] {
    let (decision, rule) = caller.decision.split_once(' ').unwrap_or_default();
    let (policy, index) = rule.trim_end_matches(']').split_once('[').unwrap_or(("-", "-"));
    [("decision", decision.to_owned()), ("authz_policy", policy.to_owned()), ("authz_rule", index.to_owned())]
}

/// Waits until the sums of all counters are what they are to be. All series of a metric are looked at, so that none has a
/// request too many.
fn counted(rows: &mut Rows, mesh: &Mesh, expected: &[(&str, Expected<3>)]) -> Outcome {
    let found = |metrics: &Metrics, name: &str, labels: &Expected<3>| {
        let names = labels.keys().next().map(|labels| labels.each_ref().map(|(name, _)| *name)).unwrap_or_default();
        let mut sums = Expected::<3>::new();
        for sample in metrics.0.iter().filter(|sample| sample.name == name) {
            let label = |name: &'static str| (name, sample.labels.get(name).cloned().unwrap_or_default());
            *sums.entry(names.map(label)).or_default() += value(sample);
        }
        // Names of series are made before there is anything in them.
        sums.retain(|_, sum| *sum > 0.0);
        sums
    };
    let all = |metrics: &Metrics| expected.iter().all(|(name, sums)| found(metrics, name, sums) == *sums);
    let metrics = wait_until(PATIENCE, || mesh.proxy.metrics().ok().filter(all));
    let metrics = metrics.map_or_else(|| mesh.proxy.metrics(), Ok)?;
    for (name, sums) in expected {
        rows.check(*name, found(&metrics, name, sums), sums.clone());
    }
    Ok(())
}

fn value(sample: &Sample) -> f64 {
    match sample.value {
        Number::Number(number) => number,
        Number::Histogram { .. } => 0.0,
    }
}

/// The lines of a log by the ids of their requests, once there are so many.
fn lines(log: &Path, wanted: usize) -> Outcome<BTreeMap<String, Value>> {
    let read = || {
        let text = fs::read_to_string(log).ok()?;
        (text.lines().count() >= wanted && text.ends_with('\n')).then_some(text)
    };
    let text = wait_until(PATIENCE, read).map_or_else(|| fs::read_to_string(log), Ok)?;
    let mut lines = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line)?;
        let id = line["id"].as_str().unwrap_or_default().to_owned();
        if lines.insert(id.clone(), line).is_some() {
            return Err(format!("{}: request {id} is there twice", log.display()).into());
        }
    }
    Ok(lines)
}
