//! Verdicts on very many requests: those of answers, and what open verdicts of two sets of policies have in common.

use super::explained::{explainer, other, rules};
use super::generator::Random;
use super::naive::{self, Request};
use super::{document, requests, with_facts};
use serde_json::{Value, json};
use weir_model::Node;
use weir_policy::{Explainer, Knowledge, Missing, RequestField};

const POLICY_SETS: u64 = 50;
const REQUESTS: usize = 14;

/// A verdict is the answer, whether the request is seen for the first time or not, and the rules that never matched are those
/// that no request matches.
#[test]
fn verdicts_are_the_answers() {
    let mut unmatched = 0;
    for seed in 0..POLICY_SETS {
        let mut random = Random::new(seed);
        let (policies, mut explainer) = explainer(&mut random);
        let requests: Vec<Request> = (0..REQUESTS).map(|_| requests::request(&mut random)).collect();
        let set = explainer.missing_set(|_| Knowledge::Whole);
        for request in requests.iter().chain(&requests) {
            with_facts(request, |facts| {
                let verdict = explainer.verdict(facts, set);
                let found = explainer.verdict_of(verdict).cloned().unwrap();
                let rule = explainer.rule_of(verdict).map(|rule| (rule.policy.to_owned(), rule.index));
                let answer = explainer.answers(facts, &Missing::default()).enforced;
                let expected = answer.rule.map(|rule| (rule.policy.to_owned(), rule.index));
                assert_eq!((found.allow, found.reason, rule), (answer.allow, answer.reason, expected));
            });
        }
        for (rule, _) in explainer.unmatched() {
            unmatched += 1;
            let policy = policies.iter().find(|policy| {
                (&policy["metadata"]["name"], &policy["metadata"]["namespace"])
                    == (&rule.policy.into(), &rule.namespace.into())
            });
            let written = &rules(policy.unwrap())[rule.index as usize];
            assert!(requests.iter().all(|request| naive::rule_matches(written, request) != Some(true)), "{written}");
        }
    }
    assert!(unmatched > 20, "{unmatched}");
}

/// The same policies under other names, in another order, and without some of their rules or with one more.
fn changed(policies: &[Value], random: &mut Random) -> Vec<Value> {
    let mut changed = policies.to_vec();
    changed.reverse();
    for (number, policy) in changed.iter_mut().enumerate() {
        policy["metadata"]["name"] = json!(format!("q{number}"));
        let rules = policy["spec"]["rules"].as_array_mut();
        if let Some(rules) = rules.filter(|rules| rules.len() > 1 && random.chance(40)) {
            rules.pop();
        }
    }
    if random.chance(50) {
        let rule = json!({"to": [{"operation": {"methods": ["NONE"]}}]});
        let metadata = json!({"name": "more", "namespace": "ns"});
        let spec = json!({"action": "DENY", "rules": [rule]});
        changed.push(json!({"kind": "AuthorizationPolicy", "metadata": metadata, "spec": spec}));
    }
    changed
}

/// Where the open verdicts of two sets of policies follow from the same, both decide the request alike for every value of what is missing.
#[test]
fn open_verdicts_that_follow_from_the_same_are_alike() {
    let fields = [RequestField::Path, RequestField::Header("x".into()), RequestField::Principal, RequestField::Claims];
    let (mut alike, mut not) = (0, 0);
    for seed in 0..4 * POLICY_SETS {
        let mut random = Random::new(seed);
        let (policies, text) = document(&mut random);
        let mut whole: Value = serde_json::from_slice(&text).unwrap();
        let second = changed(&policies, &mut random);
        whole["policies"] = json!(second);
        let mut explainers =
            [text, whole.to_string().into_bytes()].map(|text| Explainer::compile(&text, &Node::default()).unwrap());
        for number in 0..REQUESTS {
            let request = requests::request(&mut random);
            let field = &fields[number % fields.len()];
            let follows_from = explainers.each_mut().map(|explainer| {
                let set = explainer
                    .missing_set(|asked| if field.covers(asked) { Knowledge::Nothing } else { Knowledge::Whole });
                let verdict = with_facts(&request, |facts| explainer.verdict(facts, set));
                let verdict = explainer.verdict_of(verdict).cloned().unwrap();
                verdict.allow.is_none().then_some(verdict.follows_from)
            });
            let [Some(first), Some(other_first)] = follows_from else { continue };
            if first != other_first {
                not += 1;
                continue;
            }
            alike += 1;
            for _ in 0..10 {
                let request = other(field, &request, &mut random);
                let answers = [&policies, &second].map(|policies| naive::decide(policies, &request).0.allow);
                assert_eq!(answers[0], answers[1], "seed {seed}: {field} {request:?}\n{policies:?}\n{second:?}");
            }
        }
    }
    assert!(alike > 50 && not > 20, "{alike} {not}");
}
