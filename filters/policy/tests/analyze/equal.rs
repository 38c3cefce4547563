//! The comparison.

use crate::brute::{World, plain};
use crate::claims::Metadata;
use crate::generator::Random;
use crate::naive::{self, Request};
use crate::policies::{EXPRESSION, changed, places, policies};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use weir_model::{Node, Struct, StructValue};
use weir_policy::{Analysis, Budget, CelOutcome, ExampleRequest, Explainer, Protocol, RuleId, RuleVerdict, Why};

/// `WEIR_ANALYZE_PAIRS` tries more.
const PAIRS: u64 = 1000;

pub(crate) fn explainer(policies: &[Value]) -> Explainer {
    let document = json!({
        "schema": 1, "name": "t", "policies": policies,
        "workload": {"namespace": "ns", "labels": {}, "directAddress": {"filterState": "direct"}},
    });
    Explainer::compile(document.to_string().as_bytes(), &Node::default())
        .unwrap_or_else(|problems| panic!("{problems}\n{document}"))
}

fn json_of(value: &StructValue) -> Value {
    match value {
        StructValue::Text(text) => json!(text),
        StructValue::List(items) => items.iter().map(json_of).collect(),
        StructValue::Map(Struct(fields)) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), json_of(value))).collect::<Map<_, _>>())
        }
        _ => Value::Null,
    }
}

/// The example as the obvious evaluator takes it.
fn request(example: &ExampleRequest) -> Request {
    let bytes = |text: &String| text.clone().into_bytes();
    let mut headers: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (name, value) in [(":method", &example.method), (":path", &example.path), (":authority", &example.host)] {
        headers.extend(value.as_ref().map(|value| (name.as_bytes().to_vec(), bytes(value))));
    }
    headers.extend(example.headers.iter().map(|(name, value)| (bytes(name), bytes(value))));
    let mut metadata = json!({});
    if let Some(Struct(claims)) = &example.claims {
        let claims: Map<String, Value> = claims.iter().map(|(name, value)| (name.clone(), json_of(value))).collect();
        metadata["envoy.filters.http.jwt_authn"] = json!({"payload": claims});
    }
    for (filter, Struct(fields)) in &example.metadata {
        metadata[filter] = Value::Object(fields.iter().map(|(name, value)| (name.clone(), json_of(value))).collect());
    }
    for (text, outcome) in &example.expressions {
        assert_eq!(text, EXPRESSION[0]);
        let word: &[u8] = match outcome {
            CelOutcome::True => b"true",
            CelOutcome::False => b"false",
            CelOutcome::Error => b"error",
        };
        headers.push((b"cel".to_vec(), word.to_vec()));
    }
    let plain = plain();
    let socket =
        |address: std::net::IpAddr, port: u16| std::net::SocketAddr::new(address, port).to_string().into_bytes();
    let destination = example.destination_ip.unwrap_or([192, 0, 2, 1].into());
    assert!(example.principals.len() < 2, "{example:?}");
    Request {
        headers,
        san: example.principals.first().map(bytes),
        remote: example.source_ip.map(|address| socket(address, 1)).or(plain.remote),
        destination: Some(socket(destination, example.port.unwrap_or(80))),
        direct: example.direct_ip.map(|address| address.to_string().into_bytes()).or(plain.direct),
        server_name: example.server_name.as_ref().map(bytes),
        metadata: Metadata::Known(metadata),
    }
}

fn id(rule: &RuleId) -> String {
    format!("ns[{}]-policy[{}]-rule[{}]", rule.namespace, rule.policy, rule.index)
}

/// What the policies decide, and by which rule, as [`crate::brute::Set`] says it of a request of its world.
fn decided(policies: &[Value], request: &Request) -> (bool, Option<String>) {
    let mut rules = Vec::new();
    for policy in policies {
        let allows = policy["spec"]["action"] == "ALLOW";
        for (index, rule) in policy["spec"]["rules"].as_array().unwrap().iter().enumerate() {
            let id = format!("ns[ns]-policy[{}]-rule[{index}]", policy["metadata"]["name"].as_str().unwrap());
            let asks = rule["when"].as_array().into_iter().flatten().any(|condition| condition["key"] == "cel");
            rules.push((allows, asks, id, rule));
        }
    }
    rules.sort_by_key(|(allows, asks, id, _)| (*allows, *asks, id.clone()));
    let failing = |request: &Request| {
        let mut request = request.clone();
        request.headers.retain(|(name, _)| name != b"cel");
        request.headers.push((b"cel".to_vec(), b"error".to_vec()));
        request
    };
    let may_match = |rule: &Value| naive::rule_matches(rule, &failing(request)) != Some(false);
    let has_allow = policies.iter().any(|policy| policy["spec"]["action"] == "ALLOW");
    let may_pass = !has_allow || rules.iter().any(|(allows, _, _, rule)| *allows && may_match(rule));
    let found = rules.iter().find(|(allows, asks, _, rule)| {
        (*allows || may_pass || !asks) && naive::rule_matches(rule, request).unwrap_or(!allows)
    });
    match found {
        Some((allows, _, id, _)) => (*allows, Some(id.clone())),
        None => (!has_allow, None),
    }
}

/// What was met, for the test to mean something.
#[derive(Debug, Default)]
struct Met(BTreeMap<&'static str, usize>);

impl Met {
    fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

#[test]
fn an_analysis_says_what_trying_every_request_says() {
    let pairs = std::env::var("WEIR_ANALYZE_PAIRS").ok().and_then(|text| text.parse().ok()).unwrap_or(PAIRS);
    let first = std::env::var("WEIR_ANALYZE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut met = Met::default();
    for seed in first..first + pairs {
        let mut random = Random::new(seed);
        let places = places(&mut random);
        let old = policies(&mut random, &places);
        let new = changed(&mut random, &old, &places);
        let world = World::new(&places);
        let context = format!("seed {seed}, {places:?}\nold {}\nnew {}", json!(old), json!(new));
        let mut never = || false;
        let mut budget = Budget::new(&mut never);
        let mut analysis = Analysis::against(Protocol::Http, explainer(&new), explainer(&old));
        of_rules(&mut analysis, &world, &new, &mut budget, &mut met, &context);
        of_differences(&mut analysis, &world, (&old, &new), &mut budget, &mut met, &context);
    }
    eprintln!("{met:?}");
    for (what, least) in [
        ("decides", pairs),
        ("with an expression", pairs / 4),
        ("contradiction", pairs / 20),
        ("covered by one", pairs / 20),
        ("covered by several", pairs / 50),
        ("equivalent", pairs / 10),
        ("different", pairs / 4),
        ("matches all", pairs / 50),
        ("refuses all", pairs / 50),
    ] {
        let count = met.0.get(what).copied().unwrap_or(0);
        assert!(count as u64 >= least, "{what}: {count} of {pairs}: {met:?}");
    }
    // What is found is nearly always in the world too: it is rich enough to find what an analysis would miss.
    let [outside, found] = ["only outside of the world", "decides"].map(|what| met.0.get(what).copied().unwrap_or(0));
    assert!(outside * 20 < found, "{met:?}");
}

fn of_rules(
    analysis: &mut Analysis,
    world: &World,
    policies: &[Value],
    budget: &mut Budget<'_>,
    met: &mut Met,
    context: &str,
) {
    let set = world.set(policies);
    let (mut deciding, mut passes, mut refused) = (BTreeSet::new(), false, false);
    let names: Vec<&str> = policies.iter().map(|policy| policy["metadata"]["name"].as_str().unwrap()).collect();
    let mut unmatched: BTreeSet<&str> = BTreeSet::new();
    world.each(|request| {
        let (allow, rule) = set.decide(request);
        deciding.extend(rule);
        passes |= allow;
        refused |= !allow;
        unmatched.extend(names.iter().filter(|name| !set.policy_matches(name, request)));
    });
    let deciding: BTreeSet<String> = deciding.into_iter().map(|rule| set.id(rule).to_owned()).collect();
    let rules = analysis.rules(budget);
    for meaning in &rules {
        let id = id(&meaning.rule);
        match &meaning.verdict {
            RuleVerdict::Decides(example) => {
                let (_, rule) = decided(policies, &request(example));
                assert_eq!(rule.as_deref(), Some(id.as_str()), "{example:?}\n{context}");
                met.count("decides");
                if !example.expressions.is_empty() {
                    met.count("with an expression");
                }
                if !deciding.contains(&id) {
                    met.count("only outside of the world");
                }
            }
            RuleVerdict::Never(why) => {
                assert!(!deciding.contains(&id), "{id}: {why:?}\n{context}");
                met.count(match why {
                    Why::Contradiction(_) => "contradiction",
                    Why::Covered(by) if by.len() == 1 => "covered by one",
                    Why::Covered(_) => "covered by several",
                    Why::Unreadable => "unreadable",
                });
            }
            RuleVerdict::Unknown => panic!("{id}: unknown\n{context}"),
        }
    }
    for policy in analysis.policies(&rules, budget) {
        let matches_all = policy.matches_all.unwrap();
        assert!(!matches_all || !unmatched.contains(policy.name.as_str()), "{}\n{context}", policy.name);
        if matches_all {
            met.count("matches all");
        }
    }
    let everybody = analysis.everybody(budget);
    for (found, expected, in_world) in [(everybody.passes, true, passes), (everybody.refused, false, refused)] {
        match found.unwrap() {
            Some(example) => {
                assert_eq!(decided(policies, &request(&example)).0, expected, "{example:?}\n{context}");
            }
            None => {
                assert!(!in_world, "none passes or is refused ({expected})\n{context}");
                met.count(if expected { "refuses all" } else { "allows all" });
            }
        }
    }
}

fn of_differences(
    analysis: &mut Analysis,
    world: &World,
    (old, new): (&[Value], &[Value]),
    budget: &mut Budget<'_>,
    met: &mut Met,
    context: &str,
) {
    let differences = analysis.differences(budget);
    assert!(differences.unknown.is_empty() && !differences.unmatched_unknown, "{differences:?}\n{context}");
    let mut named: BTreeSet<(bool, String)> = BTreeSet::new();
    for difference in &differences.found {
        let request = request(&difference.request);
        let mut allow = [false, false];
        for (side, (policies, said)) in [(old, &difference.old), (new, &difference.new)].into_iter().enumerate() {
            let (is_allowed, rule) = decided(policies, &request);
            assert_eq!(rule, said.by.as_ref().map(id), "{difference:?}\n{context}");
            assert_eq!(is_allowed, said.effect == weir_policy::Effect::Allow, "{difference:?}\n{context}");
            allow[side] = is_allowed;
            named.extend(rule.map(|rule| (side == 1, rule)));
        }
        assert_ne!(allow[0], allow[1], "{difference:?}\n{context}");
    }
    let sets = [world.set(old), world.set(new)];
    let mut missed = None;
    world.each(|request| {
        let answers = [&sets[0], &sets[1]].map(|set| set.decide(request));
        if answers[0].0 != answers[1].0 {
            let rules = [0, 1].map(|side| answers[side].1.map(|rule| sets[side].id(rule).to_owned()));
            // The rule that refuses, or where none does, the one that allows.
            let refusing = usize::from(!answers[1].0);
            let side = if rules[refusing].is_some() { refusing } else { 1 - refusing };
            let is_named = rules[side].as_ref().is_none_or(|rule| named.contains(&(side == 1, rule.clone())));
            if !is_named || differences.found.is_empty() {
                missed.get_or_insert((request.to_vec(), rules));
            }
        }
    });
    assert_eq!(missed, None, "{differences:?}\n{context}");
    met.count(if differences.are_equivalent() == Some(true) { "equivalent" } else { "different" });
}
