//! Which EnvoyExtensionPolicies Envoy Gateway runs where several are for one request: one for each target, and around a route
//! only that of the narrowest scope (`internal/gatewayapi/envoyextensionpolicy.go` of Envoy Gateway).

use crate::diagnostic::Diagnostic;
use crate::object::Object;
use serde_json::Value;

/// The kind that is attached.
pub(crate) const POLICY: &str = "EnvoyExtensionPolicy";

/// The kinds of routes, which say below which Gateways they are.
pub(crate) const ROUTES: [&str; 2] = ["HTTPRoute", "GRPCRoute"];

/// An object with what it says of itself.
pub(crate) struct Attached<'a> {
    pub(crate) object: &'a Object,
    pub(crate) value: &'a Value,
    /// Its JSON path, and its place as people read it.
    pub(crate) path: &'a str,
    pub(crate) place: String,
    /// Whether it loads a plugin of Weir.
    pub(crate) is_ours: bool,
}

/// What a policy is attached to. A selector names no object.
struct Target<'a> {
    path: String,
    kind: &'a str,
    name: Option<&'a str>,
    section: Option<&'a str>,
}

/// What is said of policies with one target or with one above the other, each with the number of the policy that it is about.
pub(crate) fn diagnostics(policies: &[Attached<'_>], routes: &[Attached<'_>]) -> Vec<(usize, Diagnostic)> {
    let mut found = Vec::new();
    for (number, policy) in policies.iter().enumerate() {
        for (earlier, other) in policies.iter().enumerate() {
            if earlier == number || !(policy.is_ours || other.is_ours) {
                continue;
            }
            let (shown, place) = (other.object.shown(), &other.place);
            let same = || same_target(policy, other);
            if let Some(path) = (earlier < number).then(same).flatten() {
                let message = format!(
                    "{shown} at {place} has the same target, and Envoy Gateway attaches one: the younger is refused as \
                     `Conflicted`, and nothing of it runs; write all entries into one"
                );
                found.push((number, Diagnostic::error(path, message)));
            }
            if let Some((path, may_merge)) = replacing(policy, other, routes) {
                let message = format!(
                    "in this scope the policy replaces {shown} at {place}, of which nothing runs there: {}",
                    match may_merge {
                        true => "write `mergeType: StrategicMerge`, or the entries of that one into this one too",
                        false => "write the entries of that one into this one too",
                    }
                );
                found.push((number, Diagnostic::warning("replaces-policy", path, message)));
            }
        }
    }
    found
}

/// The path of the target of `policy` that `other` has too.
fn same_target(policy: &Attached<'_>, other: &Attached<'_>) -> Option<String> {
    let is_same = |one: &Target<'_>, two: &Target<'_>| {
        one.name.is_some() && (one.kind, one.name, one.section) == (two.kind, two.name, two.section)
    };
    let others = targets(other);
    let is_near = policy.object.namespace == other.object.namespace;
    let target = targets(policy).into_iter().find(|one| is_near && others.iter().any(|two| is_same(one, two)))?;
    Some(target.path)
}

/// The path of the target of `policy` in whose scope `other` has no effect, and whether a merge would keep it.
fn replacing(policy: &Attached<'_>, other: &Attached<'_>, routes: &[Attached<'_>]) -> Option<(String, bool)> {
    // Lists are replaced as a whole by a merge, so the parent's entries stay only where the route's policy has none.
    if policy.value.pointer("/spec/mergeType").is_some() && !has_entries(policy) {
        return None;
    }
    let others = targets(other);
    let is_near = policy.object.namespace == other.object.namespace;
    let is_narrower = |one: &Target<'_>, two: &Target<'_>| match (two.kind, two.section) {
        ("Gateway", None) if one.kind == "Gateway" => is_near && one.name == two.name && one.section.is_some(),
        ("Gateway", None) if one.kind == "ListenerSet" => true,
        ("Gateway" | "ListenerSet", _) => ROUTES.contains(&one.kind) && may_be_below(policy, one, other, two, routes),
        (kind, None) if ROUTES.contains(&kind) => {
            is_near && (one.kind, one.name) == (kind, two.name) && one.section.is_some()
        }
        _ => false,
    };
    let target = targets(policy).into_iter().find(|one| others.iter().any(|two| is_narrower(one, two)))?;
    Some((target.path, ROUTES.contains(&target.kind) && !has_entries(policy)))
}

/// Whether the route that is the target of `policy` can be one of the Gateway that is the target of `other`. A route that no
/// file has may be one of any.
fn may_be_below(
    policy: &Attached<'_>,
    route: &Target<'_>,
    other: &Attached<'_>,
    gateway: &Target<'_>,
    routes: &[Attached<'_>],
) -> bool {
    let is_it = |one: &&Attached<'_>| {
        let Object { kind, namespace, name, .. } = one.object;
        kind == route.kind && *namespace == policy.object.namespace && Some(name.as_str()) == route.name
    };
    let Some(route) = routes.iter().find(is_it) else { return true };
    let parents = route.value.pointer("/spec/parentRefs").and_then(Value::as_array);
    parents.into_iter().flatten().any(|parent| {
        let text = |name: &str| parent.get(name).and_then(Value::as_str);
        let kind = text("kind").unwrap_or("Gateway");
        let namespace = text("namespace").unwrap_or(route.object.namespace.as_str());
        let is_other = kind == gateway.kind
            && text("name") == gateway.name
            && namespace == other.object.namespace
            && (gateway.section.is_none() || text("sectionName").is_none_or(|name| Some(name) == gateway.section));
        // A ListenerSet may be one of any Gateway.
        is_other || (kind == "ListenerSet" && gateway.kind == "Gateway")
    })
}

fn has_entries(policy: &Attached<'_>) -> bool {
    policy.value.pointer("/spec/wasm").and_then(Value::as_array).is_some_and(|entries| !entries.is_empty())
}

fn targets<'a>(policy: &Attached<'a>) -> Vec<Target<'a>> {
    let spec = format!("{}.spec", policy.path);
    let of = |path: String, value: &'a Value| {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        Some(Target { path, kind: text("kind")?, name: text("name"), section: text("sectionName") })
    };
    let list = |name: &str| {
        let items = policy.value.pointer(&format!("/spec/{name}")).and_then(Value::as_array);
        let items = items.into_iter().flatten().enumerate();
        items.filter_map(|(index, value)| of(format!("{spec}.{name}[{index}]"), value)).collect::<Vec<_>>()
    };
    let one = policy.value.pointer("/spec/targetRef").and_then(|value| of(format!("{spec}.targetRef"), value));
    one.into_iter().chain(list("targetRefs")).chain(list("targetSelectors")).collect()
}
