//! The indexed filter decides as the obvious evaluator does, on random policies and requests, hostile bytes included.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test fails by panicking")]

#[path = "oracle/claims.rs"]
mod claims;
#[path = "oracle/connections.rs"]
mod connections;
#[path = "oracle/explained.rs"]
mod explained;
#[path = "oracle/expressions.rs"]
mod expressions;
mod generator;
mod metadata;
#[path = "oracle/naive.rs"]
mod naive;
#[path = "oracle/providers.rs"]
mod providers;
#[path = "oracle/quarantine.rs"]
mod quarantine;
#[path = "oracle/requests.rs"]
mod requests;
#[path = "oracle/verdicts.rs"]
mod verdicts;

use claims::Metadata;
use generator::Random;
use naive::{Answer, Request};
use requests::request;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use weir_model::{Attribute, Attributes, Facts, Filter, Headers, Node, PairsBuilder};
use weir_policy::{Decision, Policy, Reason};
use weir_testing::Rows;

/// `WEIR_ORACLE_SETS` runs more.
const POLICY_SETS: u64 = 600;
const REQUESTS: u64 = 50;

fn answer(decision: &Decision<'_>) -> Answer {
    let rule = decision.rule.map(|rule| format!("ns[{}]-policy[{}]-rule[{}]", rule.namespace, rule.policy, rule.index));
    Answer { allow: decision.allow, rule, unknown: decision.reason == Reason::Unknown }
}

/// Hands a request over as the shell does.
fn with_facts<T>(request: &Request, then: impl FnOnce(&Facts<'_>) -> T) -> T {
    let mut pairs = PairsBuilder::default();
    for (name, value) in &request.headers {
        pairs.push(name, value);
    }
    let mut attributes = Attributes::default();
    let mut set = |attribute: Attribute, value: &Option<Vec<u8>>| {
        if let Some(value) = value {
            attributes.set(&attribute, value);
        }
    };
    set(Attribute::PeerUriSan, &request.san);
    set(Attribute::SourceAddress, &request.remote);
    set(Attribute::DestinationAddress, &request.destination);
    set(Attribute::FilterState("direct".into()), &request.direct);
    set(Attribute::RequestedServerName, &request.server_name);
    match &request.metadata {
        Metadata::Known(filters) => attributes.set(&Attribute::DynamicMetadata, &metadata::encode(filters)),
        Metadata::Unreadable => attributes.set_unreadable(&Attribute::DynamicMetadata),
    }
    let (bytes, none) = (pairs.finish(), Headers::default());
    then(&Facts {
        request_headers: Headers::new(&bytes),
        response_headers: none,
        response_trailers: none,
        attributes: &attributes,
    })
}

/// What the filter says: of the policies in force, of those under dry run together and each alone, of AUDIT policies.
type All = ((Answer, Option<Answer>), Vec<(String, Answer)>, Option<Answer>);

fn decide(policy: &mut Policy, request: &Request) -> All {
    with_facts(request, |facts| {
        let decisions = policy.decide(facts);
        let together = (answer(&decisions.enforced), decisions.shadow.as_ref().map(answer));
        let alone = decisions.alone().map(|alone| (alone.name.to_owned(), answer(&alone.decision)));
        (together, alone.collect(), decisions.audit.as_ref().map(answer))
    })
}

/// Random policies and the document that has them.
fn document(random: &mut Random) -> (Vec<Value>, Vec<u8>) {
    let policies = generator::policies(random);
    let document = json!({
        "schema": 1, "name": "t", "policies": policies,
        "workload": {"namespace": "ns", "labels": {}, "directAddress": {"filterState": "direct"}},
    });
    (policies, document.to_string().into_bytes())
}

#[test]
fn indexed_equals_naive() {
    let mut seen: BTreeMap<(bool, bool, bool), usize> = BTreeMap::new();
    let mut others: BTreeMap<(&str, bool, bool, bool, bool), usize> = BTreeMap::new();
    let sets = std::env::var("WEIR_ORACLE_SETS").ok().and_then(|text| text.parse().ok()).unwrap_or(POLICY_SETS);
    for seed in 0..sets {
        let mut random = Random::new(seed);
        let (policies, document) = document(&mut random);
        let mut policy = Policy::compile(&document, &Node::default())
            .unwrap_or_else(|problems| panic!("seed {seed}: {problems}\n{}", String::from_utf8_lossy(&document)));
        for number in 0..REQUESTS {
            let request = request(&mut random);
            let together = naive::decide(&policies, &request);
            let expected = (together, naive::alone(&policies, &request), naive::audit(&policies, &request));
            let found = decide(&mut policy, &request);
            assert_eq!(found, expected, "seed {seed}, request {number}: {request:?}\n{policies:?}");
            let ((enforced, _), alone, audit) = found;
            *seen.entry((enforced.allow, enforced.rule.is_some(), enforced.unknown)).or_default() += 1;
            let several = alone.len() > 1;
            for (what, answer) in
                alone.iter().map(|(_, answer)| ("alone", answer)).chain(audit.iter().map(|a| ("audit", a)))
            {
                let kind = (what, several && what == "alone", answer.allow, answer.rule.is_some(), answer.unknown);
                *others.entry(kind).or_default() += 1;
            }
        }
    }
    // Each kind of decision was met often enough to mean something.
    let mut rows = Rows::default();
    for (allow, rule, unknown) in
        [(true, true, false), (false, true, false), (false, true, true), (false, false, false), (true, false, false)]
    {
        let kind = (allow, rule, unknown);
        rows.check(format!("{kind:?} in {seen:?}"), seen.get(&kind).copied().unwrap_or(0) > 500, true);
    }
    // A DENY policy alone, an ALLOW policy alone, by itself and beside others, and AUDIT policies.
    for (what, several, allow, rule, unknown) in [
        ("alone", false, true, true, false),
        ("alone", false, false, true, false),
        ("alone", false, true, false, false),
        ("alone", false, false, false, false),
        ("alone", true, true, true, false),
        ("alone", true, false, true, false),
        ("alone", true, false, true, true),
        ("alone", true, true, false, false),
        ("alone", true, false, false, false),
        ("audit", false, true, true, false),
        ("audit", false, true, true, true),
        ("audit", false, true, false, false),
    ] {
        let kind = (what, several, allow, rule, unknown);
        rows.check(format!("{kind:?} in {others:?}"), others.get(&kind).copied().unwrap_or(0) > 100, true);
    }
}
