//! The AuthorizationPolicies in a cluster, compared with those in the documents of the plugins that are deployed beside them:
//! what Istio's RBAC and Weir have in common, and what only one of them has.

use super::compare::{self, Sides};
use super::coverage::{Place, Workloads};
use super::{SHOWN, flat};
use crate::Failure;
use crate::compile::{Module, Part};
use crate::documents::{Contents, Found};
use crate::manifest::ROOT_NAMESPACE;
use crate::plugin::Root;
use crate::render::{GATEWAY_NAME, Known, Labels, Policy, Proxy, Sources, Workload, all, prune, tcp};
use crate::tree::Tree;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What the two sides of a comparison are called.
const SIDES: Sides = Sides { left: "in the cluster", right: "in the document" };

/// Where a proxy selects its pods, by the kind of its object.
const SELECTORS: [&str; 2] = ["/spec/workloadSelector/labels", "/spec/selector/matchLabels"];

/// Compares each deployed document with the policies that are for its workload, and where they are with where the policies are.
pub(super) fn diff(trees: Vec<Tree>) -> Result<(), Failure> {
    let objects = flat(trees.iter().map(|tree| tree.value.clone()));
    let cluster = Sources::of(trees, None).map_err(|found| Failure::No(found.join("\n")))?;
    let mut tally = Tally::default();
    let mut places: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    for object in &objects {
        let name = all::identity(object);
        for found in Contents::of(object).found {
            if let Some(deployed) = Deployed::of(&found, object) {
                tally.plugins += 1;
                for policy in deployed.iter().flat_map(|deployed| &deployed.policies) {
                    places.entry(policy.name.clone()).or_default().extend(deployed.iter().map(|own| own.place.clone()));
                }
                tally.add(&name, deployed.and_then(|deployed| deployed.differences(&cluster)))?;
            }
        }
    }
    let workloads = Workloads::of(&cluster.pods, &objects);
    for policy in cluster.policies.iter().filter(|policy| !is_custom(policy)) {
        let places: Vec<&Place> = places.get(&policy.name).into_iter().flatten().collect();
        // One that no plugin has is a difference already, or is not for the workloads of any.
        if let Some(beyond) = workloads.beyond(policy, &places).filter(|_| !places.is_empty()) {
            tally.differing += 1;
            say!("AuthorizationPolicy {} {beyond}", policy.name)?;
        }
    }
    if tally.same > 0 {
        note!(
            "weir: in Istio these policies guard TCP streams too, and the filter of requests decides HTTP alone: where a workload \
             has TCP ports, render for `--protocol tcp` too, or keep them in the cluster"
        );
    }
    match tally {
        Tally { plugins: 0, .. } => Err(Failure::No("no plugin of Weir with policies is deployed".to_owned())),
        Tally { differing: 0, same, plugins } => say!("{same} policies of {plugins} plugins are as in the cluster"),
        Tally { differing, same, .. } => {
            Err(Failure::No(format!("{differing} differences; {same} policies are as in the cluster")))
        }
    }
}

/// What was found so far.
#[derive(Default)]
struct Tally {
    plugins: usize,
    differing: usize,
    same: usize,
}

impl Tally {
    fn add(&mut self, plugin: &str, found: Result<Comparison, Vec<String>>) -> Result<(), Failure> {
        let found = found.unwrap_or_else(|problems| Comparison {
            differing: vec![problems.into_iter().map(|problem| format!("cannot be compared: {problem}")).collect()],
            ..Comparison::default()
        });
        for note in found.notes {
            note!("weir: {plugin}: {note}");
        }
        for lines in &found.differing {
            for line in lines.iter().take(SHOWN) {
                say!("{plugin}: {line}")?;
            }
            if let Some(more) = lines.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                say!("{plugin}: and {more} more")?;
            }
        }
        self.differing += found.differing.len();
        self.same += found.same;
        Ok(())
    }
}

/// What came of one plugin.
#[derive(Debug, Default)]
struct Comparison {
    /// The lines of each policy that differs.
    differing: Vec<Vec<String>>,
    same: usize,
    notes: Vec<String>,
}

/// A document that is deployed for a workload.
struct Deployed {
    workload: Workload,
    /// `workload` of the document, with what the object around it says.
    section: Value,
    /// Whether the document names the pods' labels, so that no others count in the proxy.
    names_labels: bool,
    policies: Vec<Policy>,
    /// Where the plugin is, and the mode of its policies.
    place: Place,
    mode: String,
}

impl Deployed {
    /// The one that was found in an object; `None` if it has no policies, or is for the outbound listeners of a sidecar, where
    /// they do nothing.
    fn of(found: &Found, object: &Value) -> Option<Result<Self, Vec<String>>> {
        let plugin = found.plugin.as_ref().filter(|plugin| plugin.root == Root::Http)?;
        let module = plugin.module.unwrap_or_else(|| Module::of(&found.document));
        let parts = module.parts(&found.document);
        let part = parts.into_iter().find(|part| part.module == Module::Policy)?;
        let mut section = part.value.get("workload").cloned().unwrap_or_else(|| json!({}));
        let fields = section.as_object_mut()?;
        let proxy = proxy(fields, object);
        fields.entry("proxy").or_insert_with(|| json!(proxy.word()));
        if proxy == Proxy::Sidecar && found.document.get("listener").is_some_and(|word| word == "outbound") {
            return None;
        }
        Some(Self::read(&part, section, proxy, object))
    }

    fn read(part: &Part<'_>, mut section: Value, proxy: Proxy, object: &Value) -> Result<Self, Vec<String>> {
        let text = |tree: &Value, pointer: &str| tree.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let root = text(&section, "/rootNamespace").unwrap_or_else(|| ROOT_NAMESPACE.to_owned());
        // An object of the root namespace may be for workloads of any.
        let around =
            text(object, "/metadata/namespace").filter(|namespace| *namespace != root || proxy != Proxy::Sidecar);
        let own = text(object, "/metadata/namespace");
        let place = Place { namespace: own, selected: reached(object), root };
        let Some(namespace) = text(&section, "/namespace").or(around) else {
            return Err(vec!["the document does not say `workload.namespace`".to_owned()]);
        };
        let own = section.get("labels").and_then(Value::as_object).cloned();
        let names_labels = own.is_some();
        let labels = labels(own.unwrap_or_else(|| selected(object)));
        if let Some(fields) = section.as_object_mut() {
            fields.insert("namespace".to_owned(), json!(namespace));
        }
        // A document gives the same policies in each of its forms.
        let mut document = part.value.clone();
        if let Some(fields) = document.as_object_mut() {
            fields.insert("schema".to_owned(), json!(weir_config::SCHEMA));
        }
        let policies = Sources::of(vec![Tree::named("the document", document)], None)?.policies;
        let workload = Workload {
            namespace,
            name: String::new(),
            selector: Labels::new(),
            labels,
            known: Known::Selector,
            proxy,
            target: None,
        };
        Ok(Self { workload, section, names_labels, policies, place, mode: part.mode.to_owned() })
    }

    /// How its policies differ from those of the cluster.
    fn differences(&self, cluster: &Sources) -> Result<Comparison, Vec<String>> {
        // They stay Istio's unless the document takes over what asks a provider.
        let is_left = |policy: &Policy| is_custom(policy) && !self.policies.iter().any(is_custom);
        let (custom, native): (Vec<_>, Vec<_>) = cluster.policies.iter().cloned().partition(is_left);
        let of_cluster = prune(&native, &self.workload, &self.section)?;
        let of_document = prune(&self.policies, &self.workload, &self.section)?;
        let customs = prune(&custom, &self.workload, &self.section)?;
        let mut comparison = Comparison::default();
        if self.mode != "enforce" {
            let mode = &self.mode;
            comparison.differing.push(vec![format!(
                "its policies have `mode: {mode}` and refuse nothing: those in the cluster alone do"
            )]);
        }
        let Workload { namespace, labels, .. } = &self.workload;
        let objects = of_cluster.kept.iter().map(|policy| &policy.object);
        if let Some(reasons) = tcp::reasons(objects, &cluster.services, namespace, labels) {
            comparison.notes.push(format!("its policies in the cluster guard TCP too: {reasons}"));
        }
        for policy in customs.kept {
            comparison
                .notes
                .push(format!("AuthorizationPolicy {} has action CUSTOM, which stays Istio's", policy.name));
        }
        let all: BTreeMap<&str, &Policy> = native.iter().map(|policy| (policy.name.as_str(), policy)).collect();
        let own: BTreeMap<&str, &Policy> = self.policies.iter().map(|policy| (policy.name.as_str(), policy)).collect();
        for policy in of_cluster.kept.iter().filter(|policy| !own.contains_key(policy.name.as_str())) {
            let keys = of_cluster.undecided.iter().find(|(name, _)| *name == policy.name).map(|(_, keys)| keys);
            match keys.filter(|_| self.names_labels) {
                Some(keys) => comparison.notes.push(format!(
                    "AuthorizationPolicy {} may be for some of its pods: the document's labels do not tell `{}`",
                    policy.name,
                    keys.join("`, `")
                )),
                None => comparison.differing.push(vec![format!(
                    "AuthorizationPolicy {} is {}, and not {}",
                    policy.name, SIDES.left, SIDES.right
                )]),
            }
        }
        let is_kept = |name: &str| of_cluster.kept.iter().chain(&of_document.kept).any(|policy| policy.name == name);
        for (name, policy) in own.into_iter().filter(|(name, _)| is_kept(name)) {
            let lines = match all.get(name) {
                None => vec![format!("AuthorizationPolicy {name} is {}, and not {}", SIDES.right, SIDES.left)],
                Some(live) => {
                    let found = compare::differences(&plain(live), &plain(policy), SIDES);
                    found.iter().map(|difference| format!("AuthorizationPolicy {name}: {difference}")).collect()
                }
            };
            if lines.is_empty() {
                comparison.same += 1;
            } else {
                comparison.differing.push(lines);
            }
        }
        Ok(comparison)
    }
}

/// What of a policy decides. Its versions are the same, and so are an action that is not written and ALLOW.
fn plain(policy: &Policy) -> Value {
    let mut object = policy.object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("apiVersion");
        let spec = fields.entry("spec").or_insert_with(|| json!({}));
        if let Some(spec) =
            spec.as_object_mut().filter(|spec| spec.get("action").is_some_and(|action| action == "ALLOW"))
        {
            spec.remove("action");
        }
    }
    object
}

fn is_custom(policy: &Policy) -> bool {
    policy.object.pointer("/spec/action").is_some_and(|action| action == "CUSTOM")
}

/// What the document says it is for; else what the object around it shows.
fn proxy(section: &Map<String, Value>, object: &Value) -> Proxy {
    match section.get("proxy").and_then(Value::as_str) {
        Some("sidecar") => Proxy::Sidecar,
        Some("gateway") => Proxy::Gateway,
        Some("waypoint") => Proxy::Waypoint,
        _ if object.pointer("/spec/targetRefs").is_some() || patches_gateways(object) => Proxy::Gateway,
        _ => Proxy::Sidecar,
    }
}

/// Whether it is an EnvoyFilter for the listeners of gateways.
fn patches_gateways(object: &Value) -> bool {
    let patches = object.pointer("/spec/configPatches").and_then(Value::as_array).into_iter().flatten();
    patches.filter_map(|patch| patch.pointer("/match/context")).any(|context| context == "GATEWAY")
}

/// The labels that an object selects pods by; those of a Gateway's pods, if it names one.
fn selected(object: &Value) -> Map<String, Value> {
    let written = SELECTORS.iter().find_map(|pointer| object.pointer(pointer)?.as_object());
    let mut labels = written.cloned().unwrap_or_default();
    let targets = object.pointer("/spec/targetRefs").and_then(Value::as_array).into_iter().flatten();
    let gateway = targets.filter(|target| target.get("kind").is_some_and(|kind| kind == "Gateway"));
    if let Some(name) = gateway.filter_map(|target| target.get("name")).next() {
        labels.insert(GATEWAY_NAME.to_owned(), name.clone());
    }
    labels
}

/// The labels of the pods that an object reaches. A target that is not a Gateway does not show them.
fn reached(object: &Value) -> Option<Labels> {
    let selected = labels(selected(object));
    (object.pointer("/spec/targetRefs").is_none() || selected.contains_key(GATEWAY_NAME)).then_some(selected)
}

fn labels(written: Map<String, Value>) -> Labels {
    written.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect()
}
