//! Whether the deployed plugins are where the policies of a cluster are: a policy is for every workload that it selects, and
//! without a plugin at one of them its removal opens that workload.

use crate::render::{GATEWAY_NAME, Known, Labels, Pods, Policy, Proxy, Workload, prune, read_labels};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The label that Istio gives the pods of what it manages by the Gateway API, and its value for a waypoint.
const MANAGED: &str = "gateway.istio.io/managed";
const WAYPOINT: &str = "istio.io-mesh-controller";

/// What says in a pod template, or of a namespace, whether pods get a sidecar.
const INJECT: &str = "sidecar.istio.io/inject";
const ENABLED: &str = "istio-injection";
const REVISION: &str = "istio.io/rev";

/// The label of a namespace or of pods whose connections ztunnel takes.
const DATAPLANE: &str = "istio.io/dataplane-mode";
const AMBIENT: &str = "ambient";

/// Who enforces policies at the pods of a namespace that say nothing of it themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dataplane {
    Sidecars,
    Ambient,
    Nothing,
}

/// The most workloads that one line names.
const NAMED: usize = 5;

/// Where a deployed plugin is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// That of the object which loads it; `None` if it has none.
    pub(super) namespace: Option<String>,
    /// The labels that it selects pods by; `None` if it is by a target that the input does not resolve.
    pub(super) selected: Option<Labels>,
    pub(super) root: String,
}

/// The workloads of a cluster, as far as the input has them.
pub(super) struct Workloads<'p> {
    /// Each with whether its pods have a proxy.
    pods: Vec<(&'p Pods, bool)>,
}

impl Place {
    /// Whether it is at all pods of a namespace with those labels; of the mesh, if the namespace is its root.
    fn holds(&self, namespace: &str, labels: &Labels) -> bool {
        let is_near = self.namespace.as_deref().is_none_or(|own| own == namespace || own == self.root);
        let selected = self.selected.as_ref();
        is_near && selected.is_some_and(|own| own.iter().all(|(key, value)| labels.get(key) == Some(value)))
    }
}

impl<'p> Workloads<'p> {
    /// Those of the input. Namespaces among the objects say which have a proxy, as Istio's defaults are; without them every
    /// namespace is taken to.
    pub(super) fn of(pods: &'p [Pods], objects: &[Value]) -> Self {
        let namespaces: BTreeMap<&str, Dataplane> = objects
            .iter()
            .filter(|object| object.get("kind").is_some_and(|kind| kind == "Namespace"))
            .filter_map(|object| {
                let label = |name: &str| object.pointer("/metadata/labels")?.get(name)?.as_str();
                let dataplane = match (label(ENABLED), label(REVISION), label(DATAPLANE)) {
                    (_, _, Some(AMBIENT)) => Dataplane::Ambient,
                    (Some("enabled"), _, _) | (None, Some(_), _) => Dataplane::Sidecars,
                    _ => Dataplane::Nothing,
                };
                Some((object.pointer("/metadata/name")?.as_str()?, dataplane))
            })
            .collect();
        let has_proxy = |pods: &Pods| {
            let label = |name: &str| pods.labels().get(name).map(String::as_str);
            let around = pods.namespace().and_then(|name| namespaces.get(name)).copied();
            match (label(INJECT), label(DATAPLANE), around.unwrap_or(Dataplane::Sidecars)) {
                (Some("true"), _, _) | (_, Some(AMBIENT), _) | (_, None, Dataplane::Ambient) => true,
                (Some(_), _, _) => false,
                (None, _, Dataplane::Sidecars) => true,
                (None, _, Dataplane::Ambient | Dataplane::Nothing) => is_gateway(pods.labels()),
            }
        };
        Self { pods: pods.iter().map(|pods| (pods, has_proxy(pods))).collect() }
    }

    /// What a policy is for, and no plugin that has it is at. `None` if there is nothing such, or its removal opens nothing.
    pub(super) fn beyond(&self, policy: &Policy, places: &[&Place]) -> Option<String> {
        let labels = guarded(policy)?;
        let namespace = policy.name.split('/').next().unwrap_or_default();
        let is_root = places.iter().any(|place| place.root == namespace);
        let known: Vec<_> =
            self.pods.iter().filter(|(pods, _)| is_root || pods.namespace() == Some(namespace)).collect();
        if known.is_empty() {
            if places.iter().any(|place| place.holds(namespace, &labels)) {
                return None;
            }
            let of = if is_root { "of the mesh".to_owned() } else { format!("of {namespace}") };
            let with = labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
            let with = if with.is_empty() { String::new() } else { format!(" with {with}") };
            return Some(format!(
                "is for all workloads {of}{with}, and the plugins that have it are at some of them: give the Deployments too, and \
                 those without it are named"
            ));
        }
        let root = places.first().map_or(namespace, |place| place.root.as_str());
        let is_open = |pods: &&Pods| {
            let own = pods.namespace().unwrap_or(namespace);
            is_for(policy, pods, own, root) && !places.iter().any(|place| place.holds(own, pods.labels()))
        };
        let with_proxy = known.into_iter().filter(|(_, has_proxy)| *has_proxy).map(|(pods, _)| *pods);
        let open: BTreeSet<&str> = with_proxy.filter(is_open).map(Pods::shown).collect();
        let more = open.len().saturating_sub(NAMED);
        let mut names: Vec<String> = open.into_iter().take(NAMED).map(str::to_owned).collect();
        names.extend((more > 0).then(|| format!("{more} more")));
        (!names.is_empty()).then(|| format!("is for {} too, where no plugin of Weir has it", names.join(", ")))
    }
}

/// The labels of the pods that a policy guards: `None` if its removal opens nothing, or the input does not show what it is for.
fn guarded(policy: &Policy) -> Option<Labels> {
    let spec = |name: &str| policy.object.pointer(&format!("/spec/{name}"));
    let annotation = policy.object.pointer("/metadata/annotations/istio.io~1dry-run").and_then(Value::as_str);
    // The words that Go's `strconv.ParseBool` reads as true.
    let is_dry = annotation.is_some_and(|word| ["1", "t", "T", "true", "TRUE", "True"].contains(&word));
    if is_dry || spec("action").is_some_and(|action| action == "AUDIT") {
        return None;
    }
    if let Some(target) = spec("targetRef").or_else(|| spec("targetRefs")?.get(0)) {
        let name = target.get("name")?.as_str()?.to_owned();
        let is_gateway = target.get("kind").is_some_and(|kind| kind == "Gateway");
        return is_gateway.then(|| Labels::from([(GATEWAY_NAME.to_owned(), name)]));
    }
    Some(spec("selector").and_then(|selector| read_labels(selector.get("matchLabels")?)).unwrap_or_default())
}

fn is_gateway(labels: &Labels) -> bool {
    labels.contains_key(GATEWAY_NAME)
}

/// Whether a policy is for pods, or may be.
fn is_for(policy: &Policy, pods: &Pods, namespace: &str, root: &str) -> bool {
    let labels = pods.labels().clone();
    let proxy = match labels.get(MANAGED) {
        Some(word) if word == WAYPOINT => Proxy::Waypoint,
        _ if is_gateway(&labels) => Proxy::Gateway,
        _ => Proxy::Sidecar,
    };
    let section = json!({"namespace": namespace, "proxy": proxy.word(), "rootNamespace": root});
    let workload = Workload {
        namespace: namespace.to_owned(),
        name: String::new(),
        selector: Labels::new(),
        labels,
        known: Known::Template,
        proxy,
        target: None,
    };
    prune(std::slice::from_ref(policy), &workload, &section).is_ok_and(|pruned| !pruned.kept.is_empty())
}
