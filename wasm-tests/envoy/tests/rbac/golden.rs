//! The model of Istio against Istio's own golden files, where they are: `WEIR_ISTIO_GOLDEN` names a folder with
//! `pilot/pkg/security/authz/builder/testdata/http` of istio/istio.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::istio::{self, Bundle, Options};

/// Golden inputs, the outputs they belong to, and the trust domains.
const CASES: &[(&str, &[&str], &[&str])] = &[
    ("allow-empty-rule", &["allow-empty-rule-out"], &[]),
    ("allow-full-rule", &["allow-full-rule-out"], &[]),
    ("allow-nil-rule", &["allow-nil-rule-out"], &[]),
    ("allow-path", &["allow-path-out"], &[]),
    ("audit-full-rule", &["audit-full-rule-out"], &[]),
    ("deny-and-allow", &["deny-and-allow-out1", "deny-and-allow-out2"], &[]),
    ("deny-empty-rule", &["deny-empty-rule-out"], &[]),
    ("dry-run-allow-and-deny", &["dry-run-allow-and-deny-out1", "dry-run-allow-and-deny-out2"], &[]),
    ("dry-run-allow", &["dry-run-allow-out"], &[]),
    ("dry-run-mix", &["dry-run-mix-out"], &[]),
    ("multiple-policies", &["multiple-policies-out"], &[]),
    ("single-policy", &["single-policy-out"], &[]),
    ("simple-policy-td-aliases", &["simple-policy-td-aliases-out"], &["td1", "cluster.local"]),
    (
        "simple-policy-multiple-td-aliases",
        &["simple-policy-multiple-td-aliases-out"],
        &["td1", "cluster.local", "some-td"],
    ),
    ("simple-policy-principal-with-wildcard", &["simple-policy-principal-with-wildcard-out"], &["td1", "foobar"]),
    ("td-aliases-source-principal", &["td-aliases-source-principal-out"], &["new-td", "old-td", "some-trustdomain"]),
    ("trust-domains", &["trust-domains-out"], &[]),
];

#[test]
fn the_model_makes_what_istio_makes() {
    let Some(folder) = std::env::var_os("WEIR_ISTIO_GOLDEN") else {
        eprintln!("WEIR_ISTIO_GOLDEN is not set: the model is not compared with Istio's golden files");
        return;
    };
    let read = |name: &str| -> Vec<Value> {
        let path = Path::new(&folder).join(format!("{name}.yaml"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.split("\n---").map(|document| serde_yaml_ng::from_str(document).unwrap()).collect()
    };
    let mut failed = Vec::new();
    for (input, outputs, domains) in CASES {
        let mut policies = read(&format!("{input}-in"));
        policies.retain(|policy: &Value| !policy.is_null());
        let bundle = Bundle(domains.iter().map(|&domain| domain.to_owned()).collect());
        let made = istio::filters(&policies, &Options { bundle, ..Options::default() });
        let expected: Vec<Value> = outputs.iter().flat_map(|name| read(name)).collect();
        if made != expected {
            let show = |all: &[Value]| serde_yaml_ng::to_string(all).unwrap();
            failed.push(format!("{input}:\nmade {}\nexpected {}", show(&made), show(&expected)));
        }
    }
    eprintln!("{} of {} golden files are made", CASES.len() - failed.len(), CASES.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
