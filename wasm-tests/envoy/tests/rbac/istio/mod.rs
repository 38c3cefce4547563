//! What Istio makes of AuthorizationPolicies: the RBAC filters that istiod sends to a proxy, in protobuf JSON.
//!
//! A model of `pilot/pkg/security/authz` in its own words, function by function, so that each can be held against its
//! original: [`filters`] is the builder, [`rule`] the model of one rule, [`matcher`] and [`metadata`] the generators of
//! matchers, and [`trust_domain`] the expansion of aliases. Test `golden` compares the whole with Istio's own golden files.

mod matcher;
mod metadata;
mod rule;
mod trust_domain;

use serde_json::{Map, Value, json};
pub(crate) use trust_domain::Bundle;

/// What istiod knows of the workload.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Its trust domain and the aliases.
    pub(crate) bundle: Bundle,
    /// Whether the peer is the filter state that a waypoint and an HBONE listener set, rather than the certificate.
    pub(crate) filter_state: bool,
    /// Whether the filters are those of a chain that is not HTTP (`BuildTCP`).
    pub(crate) tcp: bool,
}

/// The filters in the order of the chain. Each policy is for the workload.
pub(crate) fn filters(policies: &[Value], options: &Options) -> Vec<Value> {
    ["AUDIT", "DENY", "ALLOW"].into_iter().filter_map(|action| filter(policies, action, options)).collect()
}

/// The name by which Weir calls the rule that has this id.
pub(crate) fn name(id: &str) -> Option<String> {
    let inner = |label: &str| id.split_once(&format!("{label}["))?.1.split(']').next();
    Some(format!("{}/{}[{}]", inner("ns")?, inner("policy")?, inner("rule")?))
}

fn filter(policies: &[Value], action: &str, options: &Options) -> Option<Value> {
    let (mut enforced, mut shadow) = (None::<Map<String, Value>>, None::<Map<String, Value>>);
    for policy in policies.iter().filter(|policy| policy["spec"]["action"].as_str().unwrap_or("ALLOW") == action) {
        let dry = policy["metadata"]["annotations"]["istio.io/dry-run"].as_str();
        // Go's `strconv.ParseBool`
        let dry = matches!(dry, Some("1" | "t" | "T" | "true" | "TRUE" | "True"));
        let out = if dry { &mut shadow } else { &mut enforced }.get_or_insert_default();
        let text = |field: &str| policy["metadata"][field].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        let id = |index: usize| format!("ns[{namespace}]-policy[{name}]-rule[{index}]");
        let rules = list(&policy["spec"]["rules"]);
        if rules.is_empty() {
            let never = json!({
                "permissions": [{"notRule": {"any": true}}],
                "principals": [{"notId": {"any": true}}],
            });
            out.insert(id(0), never);
        }
        for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| !rule.is_null()) {
            // A rule that cannot be made is skipped.
            if let Some(made) = rule::policy(rule, action, &namespace, options) {
                out.insert(id(index), made);
            }
        }
    }
    if enforced.is_none() && shadow.is_none() {
        return None;
    }
    let rules = |policies: Map<String, Value>| {
        let mut rules = Map::new();
        if !policies.is_empty() {
            rules.insert("policies".to_owned(), policies.into());
        }
        match action {
            "ALLOW" => {}
            "AUDIT" => drop(rules.insert("action".to_owned(), "LOG".into())),
            action => drop(rules.insert("action".to_owned(), action.into())),
        }
        Value::Object(rules)
    };
    let kind = if options.tcp { "network" } else { "http" };
    let mut config = json!({"@type": format!("type.googleapis.com/envoy.extensions.filters.{kind}.rbac.v3.RBAC")});
    if options.tcp {
        config["statPrefix"] = "tcp.".into();
    }
    if let Some(enforced) = enforced {
        config["rules"] = rules(enforced);
    }
    // `shadowRuleStatPrefix` reads the action of rules that may be absent, which Go calls ALLOW.
    let counted_as = if shadow.is_some() { action } else { "ALLOW" };
    if counted_as != "AUDIT" {
        config["shadowRulesStatPrefix"] = format!("istio_dry_run_{}_", counted_as.to_lowercase()).into();
    }
    if let Some(shadow) = shadow {
        config["shadowRules"] = rules(shadow);
    }
    Some(json!({"name": format!("envoy.filters.{kind}.rbac"), "typedConfig": config}))
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
