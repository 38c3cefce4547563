//! Which policies are for the workload. The policy core decides it, as it does in the proxy, so that no pod carries the rules
//! of others and none loses a rule of its own.

use super::pods;
use super::sources::Policy;
use super::workload::{GATEWAY_NAME, Labels, Proxy, Workload};
use crate::diagnostic::count;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use weir_model::{Filter, Node};

/// The policies of a workload.
#[derive(Debug, Default)]
pub(crate) struct Pruned<'p> {
    /// Those that are for it, or may be.
    pub(crate) kept: Vec<&'p Policy>,
    /// Of those that may be: the name, and the labels that would decide it and are not known.
    pub(crate) undecided: Vec<(String, Vec<String>)>,
    /// Those that a waypoint passes over because they name no target.
    pub(crate) without_target: Vec<String>,
}

/// The policies that are for the workload whose `workload` section this is.
///
/// # Errors
/// For each policy of which that cannot be said, its file, its name and why.
pub(crate) fn prune<'p>(
    policies: &'p [Policy],
    workload: &Workload,
    section: &Value,
) -> Result<Pruned<'p>, Vec<String>> {
    let (mut pruned, mut problems) = (Pruned::default(), Vec::new());
    for policy in policies {
        match belongs(policy, section, &workload.labels) {
            Ok(Answer { selected: true, .. }) => pruned.kept.push(policy),
            Ok(Answer { has_no_target: true, .. }) => pruned.without_target.push(policy.name.clone()),
            Ok(_) => {
                for unknown in unknown_labels(policy, workload) {
                    let assumed: Labels = workload.labels.clone().into_iter().chain(unknown.clone()).collect();
                    match belongs(policy, section, &assumed) {
                        Ok(Answer { selected: true, .. }) => {
                            pruned.kept.push(policy);
                            pruned.undecided.push((policy.name.clone(), unknown.into_keys().collect()));
                            break;
                        }
                        Ok(_) => {}
                        Err(found) => problems.extend(found),
                    }
                }
            }
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(pruned) } else { Err(problems) }
}

/// What the core says of one policy.
struct Answer {
    selected: bool,
    has_no_target: bool,
}

/// Whether the core selects the policy: it compiles one with the same scope and one rule.
fn belongs(policy: &Policy, section: &Value, labels: &Labels) -> Result<Answer, Vec<String>> {
    let mut section = section.clone();
    if let Some(fields) = section.as_object_mut() {
        fields.insert("labels".to_owned(), json!(labels));
    }
    let mut spec = json!({"action": "DENY", "rules": [{}]});
    let written = policy.object.get("spec").and_then(Value::as_object);
    if let Some(fields) = spec.as_object_mut() {
        for name in ["selector", "targetRef", "targetRefs"] {
            if let Some(scope) = written.and_then(|written| written.get(name)) {
                fields.insert(name.to_owned(), scope.clone());
            }
        }
    }
    let object = json!({"kind": "AuthorizationPolicy", "metadata": policy.object.get("metadata"), "spec": spec});
    let document = json!({"schema": 1, "name": "selection", "workload": section, "policies": [object]});
    match weir_policy::Policy::compile(document.to_string().as_bytes(), &Node::default()) {
        Ok(compiled) => Ok(Answer {
            selected: compiled.rules().0 > 0,
            has_no_target: compiled.warnings().iter().any(|warning| warning.id == "waypoint-selector"),
        }),
        Err(problems) => {
            let say = |problem: &weir_model::Problem| {
                let path = problem.path.strip_prefix("$.policies[0]").unwrap_or("");
                policy.origin.error(&format!("${path}"), problem.message.as_str())
            };
            Err(problems.0.iter().map(say).collect())
        }
    }
}

/// The sets of labels of which any would make the policy one for the workload, as far as its pods may have them beside those
/// that are known: the labels of its selector, or what Kubernetes' controllers name the pods of each of its gateways with.
fn unknown_labels(policy: &Policy, workload: &Workload) -> Vec<Labels> {
    let is_unknown = |key: &String| !workload.labels.contains_key(key) && workload.known.may_have(key);
    let unknown = |labels: Labels| labels.into_iter().filter(|(key, _)| is_unknown(key)).collect::<Labels>();
    let gateways = targets(policy).filter(|target| target.get("kind").and_then(Value::as_str) == Some("Gateway"));
    let names = gateways.filter_map(|target| target.get("name").and_then(Value::as_str));
    let names = names.filter(|_| workload.proxy != Proxy::Sidecar);
    let by_gateway = names.map(|name| Labels::from([(GATEWAY_NAME.to_owned(), name.to_owned())]));
    let sets = std::iter::once(asked(policy)).chain(by_gateway).map(unknown);
    sets.filter(|labels| !labels.is_empty()).collect()
}

/// What a policy is for by name.
fn targets(policy: &Policy) -> impl Iterator<Item = &Value> {
    let spec = |name: &str| policy.object.pointer(&format!("/spec/{name}"));
    let several = spec("targetRefs").and_then(Value::as_array).into_iter().flatten();
    spec("targetRef").into_iter().chain(several)
}

/// The labels that a policy asks for.
fn asked(policy: &Policy) -> Labels {
    policy.object.pointer("/spec/selector/matchLabels").and_then(pods::read).unwrap_or_default()
}

/// Says that no policy is for a workload, and which namespaces they are of.
pub(crate) fn none_is_for(policies: &[Policy], workload: &Workload) -> String {
    let mut namespaces: BTreeMap<&str, usize> = BTreeMap::new();
    for policy in policies {
        *namespaces.entry(policy.name.split('/').next().unwrap_or_default()).or_default() += 1;
    }
    let list: Vec<String> = namespaces.iter().map(|(namespace, number)| format!("`{namespace}` ({number})")).collect();
    let all = count(policies.len(), "AuthorizationPolicy", "AuthorizationPolicies");
    format!("none of {all} is for {}: they are of the namespaces {}", workload.id(), list.join(", "))
}

/// Why a policy is not for a workload: the labels that it asks for and the pods have not, or what else it is for.
pub(crate) fn reason(policy: &Policy, workload: &Workload) -> String {
    let labels: Vec<String> = asked(policy)
        .iter()
        .filter(|(key, value)| workload.labels.get(*key) != Some(value))
        .map(|(key, value)| format!("`{key}={value}`"))
        .collect();
    let target = targets(policy).next();
    let text = |name| target.and_then(|target| target.get(name)?.as_str()).unwrap_or_default();
    match (labels.is_empty(), target) {
        (false, _) => format!("asks for {}", labels.join(", ")),
        (true, Some(_)) => format!("is for {} `{}`", text("kind"), text("name")),
        (true, None) => format!("is not for a {}", workload.proxy.word()),
    }
}

#[cfg(test)]
mod tests;
