//! Explanations say of every rule and clause what the obvious evaluator says, and what is missing of a request changes no
//! answer that is given all the same.

use super::claims::{JWT_FILTER, Metadata};
use super::generator::Random;
use super::naive::{self, Request};
use super::{document, requests, with_facts};
use serde_json::Value;
use std::collections::BTreeMap;
use weir_model::Node;
use weir_policy::{Answer, Explainer, Knowledge, Missing, Outcome, RequestField, RuleOutcome};

const POLICY_SETS: u64 = 50;
const REQUESTS: usize = 14;

fn outcome(known: Option<bool>) -> Outcome {
    match known {
        None => Outcome::Unknown,
        Some(true) => Outcome::Yes,
        Some(false) => Outcome::No,
    }
}

/// The rule of a policy as written.
pub(super) fn rules(policy: &Value) -> &[Value] {
    policy["spec"]["rules"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Compares every clause of a rule, and counts those of each outcome.
fn check(explained: &RuleOutcome<'_>, rule: &Value, request: &Request, seen: &mut BTreeMap<String, usize>) {
    assert_eq!(explained.outcome, outcome(naive::rule_matches(rule, request)), "{rule} {explained:?} {request:?}");
    let mut of_part: BTreeMap<&str, usize> = BTreeMap::new();
    for part in &explained.parts {
        let place = of_part.entry(part.name).or_default();
        for (item, number) in part.items.iter().zip(0..) {
            let written = match part.name {
                "from" => &rule["from"][number]["source"],
                "to" => &rule["to"][number]["operation"],
                _ => &rule["when"][*place],
            };
            let fields = written.as_object().unwrap().values().filter(|values| values.is_array());
            assert_eq!(item.clauses.len(), fields.count(), "{written}");
            for clause in &item.clauses {
                let (key, name) = match part.name {
                    "when" => (if clause.negated { "notValues" } else { "values" }, clause.field.to_owned()),
                    _ if clause.negated => {
                        let name = clause.field.strip_prefix("not").unwrap();
                        (clause.field, name[..1].to_lowercase() + &name[1..])
                    }
                    _ => (clause.field, clause.field.to_owned()),
                };
                assert_eq!(serde_json::to_value(clause.values).unwrap(), written[key], "{written}");
                let holds = naive::test(&name, &written[key], request).map(|found| found != clause.negated);
                assert_eq!(clause.outcome, outcome(holds), "{clause:?} {request:?}");
                assert_eq!(clause.unknown.is_some(), holds.is_none(), "{clause:?}");
                *seen.entry(format!("{:?}", clause.outcome)).or_default() += 1;
            }
        }
        *place += 1;
    }
}

pub(super) fn explainer(random: &mut Random) -> (Vec<Value>, Explainer) {
    let (policies, document) = document(random);
    (policies, Explainer::compile(&document, &Node::default()).unwrap())
}

#[test]
fn every_clause_says_what_the_obvious_evaluator_says() {
    let mut seen = BTreeMap::new();
    for seed in 0..POLICY_SETS {
        let mut random = Random::new(seed);
        let (policies, mut explainer) = explainer(&mut random);
        for _ in 0..REQUESTS {
            let request = requests::request(&mut random);
            with_facts(&request, |facts| {
                let explanation = explainer.explain(facts, &Missing::default());
                let (enforced, _) = naive::decide(&policies, &request);
                assert_eq!(explanation.answers.enforced.allow, Some(enforced.allow));
                assert_eq!(explanation.policies.len(), policies.len());
                for (explained, written) in explanation.policies.iter().zip(&policies) {
                    assert_eq!(explained.rules.len(), rules(written).len());
                    for (explained, rule) in explained.rules.iter().zip(rules(written)) {
                        check(explained, rule, &request, &mut seen);
                    }
                }
                // Of policies under dry run, each alone.
                for shadow in explanation.answers.shadow.iter().filter(|shadow| shadow.policy.is_some()) {
                    let (_, name) = shadow.policy.unwrap();
                    let alone: Vec<Value> =
                        policies.iter().filter(|policy| policy["metadata"]["name"] == name).cloned().collect();
                    let (_, expected) = naive::decide(&alone, &request);
                    assert_eq!(shadow.answer.allow, expected.map(|answer| answer.allow), "{name}");
                }
            });
        }
    }
    for outcome in ["Yes", "No", "Unknown"] {
        assert!(seen.get(outcome).is_some_and(|count| *count > 300), "{seen:?}");
    }
}

/// What may be missing, and the request with another value of it.
pub(super) fn other(field: &RequestField, request: &Request, random: &mut Random) -> Request {
    let mut other = request.clone();
    let donor = requests::request(random);
    let is_of = |name: &[u8]| match field {
        RequestField::Path => name == b":path",
        RequestField::Header(header) => name == header.as_bytes(),
        _ => false,
    };
    match field {
        RequestField::Principal => other.san = donor.san,
        RequestField::DirectAddress => other.direct = donor.direct,
        RequestField::RemoteAddress => other.remote = donor.remote,
        RequestField::ServerName => other.server_name = donor.server_name,
        RequestField::Claims => {
            if let (Metadata::Known(own), Metadata::Known(mut new)) = (&mut other.metadata, donor.metadata) {
                own[JWT_FILTER] = new[JWT_FILTER].take();
                own.as_object_mut().unwrap().retain(|_, filter| !filter.is_null());
            }
        }
        _ => {
            other.headers.retain(|(name, _)| !is_of(name));
            other.headers.extend(donor.headers.into_iter().filter(|(name, _)| is_of(name)));
        }
    }
    other
}

#[test]
fn what_is_missing_changes_no_answer_that_is_given() {
    let fields = [
        RequestField::Path,
        RequestField::Header("x".into()),
        RequestField::Principal,
        RequestField::DirectAddress,
        RequestField::RemoteAddress,
        RequestField::ServerName,
        RequestField::Claims,
    ];
    let (mut given, mut undecided, mut differ) = (0, 0, 0);
    for seed in 0..POLICY_SETS {
        let mut random = Random::new(seed);
        let (policies, mut explainer) = explainer(&mut random);
        for number in 0..REQUESTS {
            let request = requests::request(&mut random);
            let field = fields[number % fields.len()].clone();
            let missing = explainer.missing(|asked| field.covers(asked));
            let (allow, names) = with_facts(&request, |facts| {
                let Answer { allow, missing, .. } = explainer.answers(facts, &missing).enforced;
                (allow, missing)
            });
            let expected: Vec<bool> = (0..20)
                .map(|_| naive::decide(&policies, &other(&field, &request, &mut random)).0.allow)
                .chain([naive::decide(&policies, &request).0.allow])
                .collect();
            match allow {
                Some(allow) => {
                    given += 1;
                    assert_eq!(expected, vec![allow; expected.len()], "seed {seed}: {field} {request:?}\n{policies:?}");
                }
                None => {
                    undecided += 1;
                    assert!(!names.is_empty() && names.iter().all(|name| field.covers(name)), "{names:?}");
                    differ += usize::from(expected.contains(&true) && expected.contains(&false));
                }
            }
        }
    }
    // Both are met, and where the answer is left open it mostly hangs on it.
    assert!(given > 200 && undecided > 30 && differ * 2 > undecided, "{given} {undecided} {differ}");
}

/// A header of which only some values are known, or of which some may not be there: an answer that is given is that of the
/// request as it is.
#[test]
fn what_is_known_in_part_changes_no_answer_that_is_given() {
    let header = RequestField::Header("x".into());
    let (mut given, mut undecided) = (BTreeMap::<bool, usize>::new(), 0);
    for seed in 0..4 * POLICY_SETS {
        let mut random = Random::new(seed);
        let (policies, mut explainer) = explainer(&mut random);
        for number in 0..REQUESTS {
            let mut request = requests::request(&mut random);
            request.headers.push((b"x".to_vec(), b"1".to_vec()));
            request.headers.push((b"x".to_vec(), b"2".to_vec()));
            // What is handed over has fewer values than the request, or more.
            let mut shown = request.clone();
            let knowledge = match number % 2 {
                0 => Knowledge::AtLeast,
                _ => Knowledge::AtMost,
            };
            let less = if knowledge == Knowledge::AtLeast { &mut shown } else { &mut request };
            let mut is_first = true;
            less.headers.retain(|(name, _)| name != b"x" || std::mem::take(&mut is_first));
            let of = |field: &RequestField| if *field == header { knowledge } else { Knowledge::Whole };
            let missing = explainer.known(of);
            let set = explainer.missing_set(of);
            let (allow, verdict) = with_facts(&shown, |facts| {
                let verdict = explainer.verdict(facts, set);
                (explainer.answers(facts, &missing).enforced.allow, verdict)
            });
            assert_eq!(explainer.verdict_of(verdict).map(|verdict| verdict.allow), Some(allow));
            match allow {
                Some(allow) => {
                    *given.entry(knowledge == Knowledge::AtLeast).or_default() += 1;
                    let expected = naive::decide(&policies, &request).0.allow;
                    assert_eq!(expected, allow, "seed {seed}: {knowledge:?} {request:?}\n{policies:?}");
                }
                None => {
                    undecided += 1;
                    assert_eq!(
                        explainer.hangs_on(verdict).first().map(|(_, field)| field.clone()),
                        Some(header.clone())
                    );
                }
            }
        }
    }
    assert!(given.values().all(|count| *count > 500) && given.len() == 2 && undecided > 20, "{given:?} {undecided}");
}
