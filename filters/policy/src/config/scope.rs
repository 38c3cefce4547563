//! Which workloads a policy is for: its selector or its targets.

use super::labels;
use weir_config::{Cursor, Fields};
use weir_model::SortedMap;

/// Which proxies a policy is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Workloads with all of these labels.
    Labels(SortedMap<String, String>),
    /// What `targetRef(s)` names; one is enough.
    Targets(Vec<(Target, String)>),
}

/// A kind of thing that a policy can target by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A Gateway of the Kubernetes Gateway API.
    Gateway,
    GatewayClass,
    /// A Gateway of `networking.istio.io`.
    IstioGateway,
    HttpRoute,
    /// A Service or a ServiceEntry.
    Service,
}

/// Takes the scope out of a spec.
#[inline(never)]
pub(super) fn scope(fields: &mut Fields<'_>) -> Scope {
    let selector = fields.take("selector");
    let single = fields.take("targetRef");
    let several = fields.take("targetRefs");
    let targets: Vec<Cursor<'_>> = match &several {
        Some(list) => list.list().unwrap_or_default().into_iter().chain(single).collect(),
        None => single.into_iter().collect(),
    };
    if single.is_some() && several.is_some() {
        fields.cursor().problem::<()>("`targetRef` and `targetRefs` exclude each other");
    }
    if targets.is_empty() {
        return Scope::Labels(selector.map(|at| selector_labels(&at)).unwrap_or_default());
    }
    if let Some(selector) = selector {
        selector.problem::<()>("`selector` and `targetRefs` exclude each other");
    }
    Scope::Targets(targets.iter().filter_map(target).collect())
}

#[inline(never)]
fn selector_labels(at: &Cursor<'_>) -> SortedMap<String, String> {
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
        labels::read(&at)
    });
    fields.finish();
    labels.unwrap_or_default()
}

/// What a target is and its name.
#[inline(never)]
fn target(at: &Cursor<'_>) -> Option<(Target, String)> {
    let mut fields = at.object()?;
    let group = fields.take("group").and_then(|at| at.string()).unwrap_or_default();
    let kind = fields.require("kind").and_then(|at| at.text());
    let name = fields.require("name").and_then(|at| at.text());
    if let Some(namespace) = fields.take("namespace").filter(|at| at.string() != Some("")) {
        namespace.problem::<()>("a target is in the policy's own namespace");
    }
    fields.finish();
    let target = match (group, kind?) {
        ("gateway.networking.k8s.io", "Gateway") => Target::Gateway,
        ("gateway.networking.k8s.io", "GatewayClass") => Target::GatewayClass,
        ("gateway.networking.k8s.io", "HTTPRoute") => Target::HttpRoute,
        ("networking.istio.io", "Gateway") => Target::IstioGateway,
        ("" | "core", "Service") | ("networking.istio.io", "ServiceEntry") => Target::Service,
        (group, kind) => return at.problem(format!("a policy cannot target kind `{kind}` of group `{group}`")),
    };
    Some((target, name?.to_owned()))
}
