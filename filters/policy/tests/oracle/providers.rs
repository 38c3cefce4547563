//! What is said of requests that a provider is asked about, which nothing that is recorded can decide.

use super::generator::Random;
use super::naive::{self, Request};
use super::{document, requests, with_facts};
use serde_json::{Value, json};
use weir_model::Node;
use weir_policy::{Explainer, Knowledge, Missing, Reason, RequestField};

const POLICY_SETS: u64 = 40;
const REQUESTS: usize = 20;

/// A CUSTOM policy on what comes by POST, with that provider.
fn asks(provider: &str) -> Value {
    let rule = json!({"to": [{"operation": {"methods": ["POST"]}}]});
    let spec = json!({"action": "CUSTOM", "provider": {"name": provider}, "rules": [rule]});
    json!({"kind": "AuthorizationPolicy", "metadata": {"name": "ask", "namespace": "ns"}, "spec": spec})
}

fn is_post(request: &Request) -> bool {
    request.headers.iter().find(|(name, _)| name == b":method").is_some_and(|(_, value)| value == b"POST")
}

/// The document with that CUSTOM policy, and a provider whose `failOpen` is as given.
fn explainer(text: &[u8], provider: &str, fail_open: bool) -> Explainer {
    let mut whole: Value = serde_json::from_slice(text).unwrap();
    whole["policies"].as_array_mut().unwrap().push(asks(provider));
    let service = json!({"service": "opa.auth.svc.cluster.local", "port": 9191, "failOpen": fail_open});
    whole["providers"] = json!({"opa": {"envoyExtAuthzGrpc": service}});
    Explainer::compile(whole.to_string().as_bytes(), &Node::default()).unwrap()
}

/// Answer and verdict hang on the provider where the CUSTOM rule matches or may match, and are those of the other policies
/// where it does not; without the provider that the policy names, the request is refused.
#[test]
fn a_request_that_is_asked_about_hangs_on_the_provider() {
    let provider = RequestField::Provider("opa".into());
    let (mut asked, mut not) = (0, 0);
    for seed in 0..POLICY_SETS {
        let mut random = Random::new(seed);
        let (policies, text) = document(&mut random);
        let mut served = explainer(&text, "opa", false);
        let mut unserved = explainer(&text, "other", false);
        for _ in 0..REQUESTS {
            let request = requests::request(&mut random);
            let is_post = is_post(&request);
            let expected = naive::decide(&policies, &request).0;
            with_facts(&request, |facts| {
                for known in [Knowledge::Whole, Knowledge::Nothing] {
                    let is_whole = known == Knowledge::Whole;
                    let knowledge = |field: &RequestField| match field {
                        RequestField::Method => known,
                        _ => Knowledge::Whole,
                    };
                    let missing = served.known(knowledge);
                    let missing = if is_whole { Missing::default() } else { missing };
                    let answer = served.answers(facts, &missing).enforced;
                    let (allow, reason, fields) = (answer.allow, answer.reason, answer.missing.clone());
                    let set = served.missing_set(knowledge);
                    let verdict = served.verdict(facts, set);
                    let found = served.verdict_of(verdict).cloned().unwrap();
                    assert_eq!((found.allow, found.reason), (allow, reason), "seed {seed}: {request:?}");
                    if is_post || !is_whole {
                        asked += 1;
                        assert_eq!((allow, reason), (None, Reason::Provider), "seed {seed}: {request:?}");
                        assert_eq!(fields.contains(&RequestField::Method), !is_whole, "seed {seed}: {request:?}");
                        assert!(fields.contains(&provider), "seed {seed}: {request:?}");
                        let hangs_on = served.hangs_on(verdict);
                        assert!(
                            hangs_on.contains(&("ns/ask".to_owned(), provider.clone())),
                            "seed {seed}: {hangs_on:?}"
                        );
                    } else {
                        not += 1;
                        assert_eq!(allow, Some(expected.allow), "seed {seed}: {request:?}");
                    }
                }
                let answer = unserved.answers(facts, &Missing::default()).enforced;
                if is_post {
                    assert_eq!((answer.allow, answer.reason), (Some(false), Reason::Error), "seed {seed}: {request:?}");
                } else {
                    assert_eq!(answer.allow, Some(expected.allow), "seed {seed}: {request:?}");
                }
            });
        }
    }
    assert!(asked > 200 && not > 200, "{asked} {not}");
}

/// Open verdicts of two sets of policies follow from the same only if the provider is the same, with all that is configured.
#[test]
fn open_verdicts_of_other_providers_differ() {
    let mut seen = 0;
    for seed in 0..POLICY_SETS {
        let mut random = Random::new(seed);
        let (_, text) = document(&mut random);
        let mut explainers = [false, false, true].map(|fail_open| explainer(&text, "opa", fail_open));
        for _ in 0..REQUESTS {
            let request = requests::request(&mut random);
            let [first, same, open] = explainers.each_mut().map(|explainer| {
                let set = explainer.missing_set(|_| Knowledge::Whole);
                let verdict = with_facts(&request, |facts| explainer.verdict(facts, set));
                explainer.verdict_of(verdict).cloned().unwrap()
            });
            assert_eq!(first, same, "seed {seed}: {request:?}");
            if is_post(&request) {
                seen += 1;
                assert_ne!(first.follows_from, open.follows_from, "seed {seed}: {request:?}");
            } else {
                assert_eq!(first, open, "seed {seed}: {request:?}");
            }
        }
    }
    assert!(seen > 50, "{seen}");
}
