//! Connections: the filter decides as the obvious evaluator does on what Istio leaves of the policies. What it leaves is
//! written here once more, over the objects as they are written.

use super::generator::{self, Random};
use super::naive::{self, Answer, Request};
use super::requests::request;
use super::{answer, with_facts};
use serde_json::{Map, Value, json};
use weir_model::{Facts, Headers, Node, TcpFilter};
use weir_policy::TcpPolicy;
use weir_testing::Rows;

const POLICY_SETS: u64 = 300;
const CONNECTIONS: u64 = 40;

fn is_http_only(name: &str) -> bool {
    let fields = ["hosts", "methods", "paths", "requestPrincipals"];
    fields.iter().any(|field| name == *field || name.to_lowercase() == format!("not{}", field.to_lowercase()))
        || name.starts_with("request.")
}

/// A rule without what only a request has, and whether it has lost anything.
fn left_of(rule: &Value) -> (Value, bool) {
    let mut lost = false;
    let mut kept = Map::new();
    for (part, items) in rule.as_object().unwrap() {
        let mut left = Vec::new();
        for item in items.as_array().unwrap() {
            if let Some(key) = item["key"].as_str() {
                if is_http_only(key) {
                    lost = true;
                } else {
                    left.push(item.clone());
                }
                continue;
            }
            let (inner, fields) = item.as_object().unwrap().iter().next().unwrap();
            let all = fields.as_object().unwrap();
            let some: Map<String, Value> = all
                .iter()
                .filter(|(name, _)| !is_http_only(name))
                .map(|(name, of)| (name.clone(), of.clone()))
                .collect();
            lost |= some.len() < all.len();
            left.push(json!({inner: some}));
        }
        kept.insert(part.clone(), left.into());
    }
    (kept.into(), lost)
}

/// What is left of policies. A rule that is skipped keeps its place, and has no source that could match.
fn of_connections(policies: &[Value]) -> Vec<Value> {
    let mut policies = policies.to_vec();
    for policy in &mut policies {
        let allows = policy["spec"]["action"] == "ALLOW";
        for rule in policy["spec"]["rules"].as_array_mut().unwrap() {
            *rule = match left_of(rule) {
                (_, true) if allows => json!({"from": []}),
                (left, _) => left,
            };
        }
    }
    policies
}

fn decide(policy: &mut TcpPolicy, request: &Request) -> (Answer, Option<Answer>) {
    with_facts(request, |facts| {
        let decisions = policy.decide(&Facts { request_headers: Headers::default(), ..*facts });
        (answer(&decisions.enforced), decisions.shadow.as_ref().map(answer))
    })
}

#[test]
fn connections_are_decided_by_what_is_left() {
    let (mut refused, mut all) = (0u64, 0u64);
    for seed in 0..POLICY_SETS {
        let mut random = Random::new(seed + 90_000);
        let policies = generator::policies(&mut random);
        let document = json!({
            "schema": 1, "name": "t", "policies": policies,
            "workload": {"namespace": "ns", "labels": {}, "directAddress": {"filterState": "direct"}},
        });
        let compiled = TcpPolicy::compile(document.to_string().as_bytes(), &Node::default());
        let mut policy = compiled.unwrap_or_else(|problems| panic!("seed {seed}: {problems}\n{document}"));
        let left = of_connections(&policies);
        for number in 0..CONNECTIONS {
            let request = request(&mut random);
            let (expected, found) = (naive::decide(&left, &request), decide(&mut policy, &request));
            assert_eq!(found, expected, "seed {seed}, connection {number}: {request:?}\n{policies:?}");
            all += 1;
            refused += u64::from(!found.0.allow);
        }
    }
    let mut rows = Rows::default();
    rows.check(format!("{refused} of {all} are refused"), (all / 20..all - all / 20).contains(&refused), true);
}
