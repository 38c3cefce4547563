//! A Kubernetes object: its metadata, its spec, and lists of such objects.

use super::rule;
use crate::TrustDomains;
use crate::object::{Action, Object, Scope};
use crate::workload::text_map;
use weir_config::{At, Fields, Value};

/// Istio's annotation for policies on trial.
const DRY_RUN: &str = "istio.io/dry-run";

/// Reads an AuthorizationPolicy or a List of them, and hands each over with its place.
pub(super) fn objects(at: &At<'_>, trust: &TrustDomains, found: &mut dyn FnMut(&At<'_>, Object)) {
    let Some(mut fields) = at.object() else { return };
    fields.ignore(&["apiVersion", "status"]);
    let kind = fields
        .require("kind")
        .and_then(|at| at.word(&[("AuthorizationPolicy", false), ("List", true), ("AuthorizationPolicyList", true)]));
    match kind {
        Some(true) => {
            fields.ignore(&["metadata"]);
            for item in fields.require("items").and_then(|at| at.list()).unwrap_or_default() {
                objects(&item, trust, found);
            }
            fields.finish();
        }
        Some(false) => {
            if let Some(object) = object(fields, trust) {
                found(at, object);
            }
        }
        None => {}
    }
}

/// What policies take from `metadata`; the rest belongs to Kubernetes.
struct Metadata {
    namespace: Option<String>,
    name: Option<String>,
    dry_run: bool,
}

fn object(mut fields: Fields<'_>, trust: &TrustDomains) -> Option<Object> {
    let metadata = fields.require("metadata").and_then(|at| metadata(&at));
    let namespace = metadata.as_ref().and_then(|known| known.namespace.as_deref()).unwrap_or_default();
    let dry_run = metadata.as_ref().is_some_and(|known| known.dry_run);
    let spec = match fields.take("spec") {
        Some(at) => spec(&at, namespace, dry_run, trust),
        // An object without a spec is an ALLOW policy without rules.
        None => Some((Action::Allow, Scope::Labels(Default::default()), Vec::new())),
    };
    fields.finish();
    let (Metadata { namespace, name, dry_run }, (action, scope, rules)) = (metadata?, spec?);
    Some(Object { namespace: namespace?, name: name?, dry_run, action, scope, rules })
}

fn metadata(at: &At<'_>) -> Option<Metadata> {
    let entries = at.map()?;
    let given = |value: &&At<'_>| value.value() != &Value::Null;
    let field = |name: &str| entries.iter().find(|(key, _)| *key == name).map(|(_, value)| value).filter(given);
    let text = |name: &str| match field(name) {
        Some(value) => value.text().map(str::to_owned),
        None => at.problem(format!("`{name}` is missing")),
    };
    let (namespace, name) = (text("namespace"), text("name"));
    let annotations = field("annotations").and_then(At::map).unwrap_or_default();
    let dry_run = annotations.iter().find(|(key, _)| *key == DRY_RUN).map(|(_, value)| value);
    let dry_run = dry_run.and_then(|value| value.word(&[("true", true), ("false", false)]));
    Some(Metadata { namespace, name, dry_run: dry_run.unwrap_or(false) })
}

fn spec(
    at: &At<'_>,
    namespace: &str,
    dry_run: bool,
    trust: &TrustDomains,
) -> Option<(Action, Scope, Vec<crate::object::Rule>)> {
    let mut fields = at.object()?;
    let action = match fields.take("action") {
        Some(at) => at
            .word(&[
                ("ALLOW", Some(Action::Allow)),
                ("DENY", Some(Action::Deny)),
                ("AUDIT", Some(Action::Audit)),
                ("CUSTOM", None),
            ])
            .and_then(|action| match action {
                Some(Action::Audit) if dry_run => at.problem("an AUDIT policy cannot be under dry run"),
                Some(action) => Some(action),
                None => at.problem("action `CUSTOM` is not supported; use Envoy's own ext_authz filter"),
            }),
        None => Some(Action::Allow),
    };
    if let Some(provider) = fields.take("provider") {
        provider.problem::<()>("a provider is for action `CUSTOM` only");
    }
    let scope = scope(&mut fields);
    let rules = fields.take("rules");
    let is_empty = rules.as_ref().is_none_or(|at| at.value() == &Value::Array(Vec::new()));
    if is_empty && action == Some(Action::Deny) {
        at.problem::<()>("a DENY policy without rules never matches; `rules: [{}]` matches everything");
    }
    let rules = rules.map(|at| at.each(|item| rule::rule(&item, namespace, trust))).unwrap_or_default();
    fields.finish();
    Some((action?, scope, rules))
}

fn scope(fields: &mut Fields<'_>) -> Scope {
    let selector = fields.take("selector");
    let single = fields.take("targetRef");
    let several = fields.take("targetRefs");
    let targets: Vec<At<'_>> = match &several {
        Some(list) => list.list().unwrap_or_default().into_iter().chain(single.clone()).collect(),
        None => single.clone().into_iter().collect(),
    };
    if single.is_some() && several.is_some() {
        fields.at().problem::<()>("`targetRef` and `targetRefs` exclude each other");
    }
    if targets.is_empty() {
        return Scope::Labels(selector.map(|at| labels(&at)).unwrap_or_default());
    }
    if let Some(selector) = selector {
        selector.problem::<()>("`selector` and `targetRefs` exclude each other");
    }
    let gateways: Vec<String> = targets.iter().filter_map(target).collect();
    if gateways.is_empty() { Scope::Others } else { Scope::Gateways(gateways) }
}

fn labels(at: &At<'_>) -> std::collections::BTreeMap<String, String> {
    let Some(mut fields) = at.object() else { return Default::default() };
    let labels = fields.take("matchLabels").map(|at| {
        for (key, value) in at.map().unwrap_or_default() {
            if key.is_empty() {
                value.problem::<()>("a label key must not be empty");
            }
            if key.contains('*') || value.string().is_some_and(|text| text.contains('*')) {
                value.problem::<()>("labels are compared as they are: `*` is not supported");
            }
        }
        text_map(&at)
    });
    fields.finish();
    labels.unwrap_or_default()
}

/// The name of the Gateway that a target is; `None` for other kinds.
fn target(at: &At<'_>) -> Option<String> {
    let mut fields = at.object()?;
    let group = fields.take("group").and_then(|at| at.string()).unwrap_or_default();
    let kind = fields.require("kind").and_then(|at| at.text());
    let name = fields.require("name").and_then(|at| at.text());
    if let Some(namespace) = fields.take("namespace").filter(|at| at.string() != Some("")) {
        namespace.problem::<()>("a target is in the policy's own namespace");
    }
    fields.finish();
    match (group, kind?) {
        ("gateway.networking.k8s.io", "Gateway") => Some(name?.to_owned()),
        ("gateway.networking.k8s.io", "GatewayClass") => None,
        ("" | "core", "Service") | ("networking.istio.io", "ServiceEntry") => None,
        (group, kind) => at.problem(format!("a policy cannot target kind `{kind}` of group `{group}`")),
    }
}
