//! What the files say of a workload's pods: the labels in the pod template of its Deployment, StatefulSet or other object.
//! Labels of the command line or of `weir.yaml` that differ from them select other pods, or leave out policies that are for
//! these.

use super::plan::Plan;
use super::workload::{Known, Labels};
use crate::diagnostic::Diagnostic;
use crate::input;
use crate::object::Object;
use crate::tree::{Origin, Tree};
use serde_json::Value;

/// What the diagnostics can be recognised by.
const ID: &str = "labels";

/// The kinds whose pods have the labels of their template, and the groups of their APIs. What others make of theirs is not known.
const KINDS: [(&str, &str); 5] =
    [("Deployment", "apps"), ("StatefulSet", "apps"), ("DaemonSet", "apps"), ("ReplicaSet", "apps"), ("Job", "batch")];

/// Where an object has the labels of its pods.
const LABELS: &str = "/spec/template/metadata/labels";

/// Where it has their annotations.
const ANNOTATIONS: &str = "/spec/template/metadata/annotations";

/// An object that makes pods.
#[derive(Clone, Debug)]
pub(crate) struct Pods {
    origin: Origin,
    /// Kind, namespace and name.
    shown: String,
    namespace: Option<String>,
    name: String,
    labels: Labels,
    annotations: Labels,
    /// Whether the pods have the labels of the template.
    pub(crate) is_certain: bool,
    /// Whether `kustomize build` changes them, or may.
    is_changed: bool,
}

impl Pods {
    /// The object that a tree is, if it has a pod template; one that names no namespace is in that of its tree, else in
    /// `namespace`.
    pub(crate) fn of(tree: &Tree, namespace: Option<&str>) -> Option<Self> {
        let mut object = Object::of(&tree.value)?;
        let is_certain = KINDS.iter().any(|(kind, group)| object.kind == *kind && object.is_of(group));
        let labels = read(tree.value.pointer(LABELS)?)?;
        let annotations = tree.value.pointer(ANNOTATIONS).and_then(read).unwrap_or_default();
        let given = Some(object.namespace.clone()).filter(|own| !own.is_empty());
        let namespace = given.or_else(|| tree.namespace.as_deref().or(namespace).map(str::to_owned));
        object.namespace = namespace.clone().unwrap_or_default();
        let origin = tree.origin.in_object(&tree.value, Some(&object.namespace));
        let is_changed = tree.is_relabelled;
        let shown = object.shown();
        Some(Self { origin, shown, namespace, name: object.name, labels, annotations, is_certain, is_changed })
    }

    /// Those that make the pods of a workload: they are called after it, and are in its namespace or say of none.
    pub(crate) fn find<'p>(all: &'p [Self], namespace: &str, name: &str) -> Vec<&'p Self> {
        all.iter().filter(|pods| pods.is_certain && pods.is_in(namespace) && pods.name == name).collect()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is in a namespace, or says of none.
    pub(crate) fn is_in(&self, namespace: &str) -> bool {
        self.namespace.as_deref().is_none_or(|own| own == namespace)
    }

    pub(crate) fn annotations(&self) -> &Labels {
        &self.annotations
    }

    pub(crate) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The namespace, if it is known.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Kind, namespace and name of the object that makes them.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether a selector asks for a label that these pods have with another value.
    fn contradicts(&self, selector: &Labels) -> bool {
        selector.iter().any(|(key, value)| self.labels.get(key).is_some_and(|own| own != value))
    }

    fn is_selected(&self, selector: &Labels) -> bool {
        !selector.is_empty() && selector.iter().all(|(key, value)| self.labels.get(key) == Some(value))
    }
}

/// The labels that all of these have.
///
/// # Errors
/// Why they are not all labels of the pods.
pub(crate) fn labels(found: &[&Pods]) -> Result<Labels, String> {
    let Some((first, more)) = found.split_first() else { return Ok(Labels::new()) };
    if let Some(other) = more.iter().find(|other| other.labels != first.labels) {
        let [one, other] = [first, other].map(|pods| format!("{} at {}", pods.shown, pods.origin.place()));
        return Err(format!("{one} and {other} differ in them"));
    }
    match found.iter().find(|pods| pods.is_changed) {
        Some(pods) => {
            Err(format!("the Kustomization of {} may change them: run `kustomize build` first", pods.origin.file()))
        }
        None => Ok(first.labels.clone()),
    }
}

/// Those that make the pods that a plan's manifests are for. By its selector, manifests are for the pods of others too.
fn made<'p>(plan: &Plan, all: &'p [Pods]) -> Vec<&'p Pods> {
    let workload = &plan.workload;
    let named = Pods::find(all, &workload.namespace, &workload.name);
    let fitting: Vec<&Pods> = named.iter().copied().filter(|pods| !pods.contradicts(&workload.selector)).collect();
    let mut found = if fitting.is_empty() { named } else { fitting };
    if !found.is_empty() && plan.form.is_istios() {
        let is_other = |pods: &&Pods| pods.is_certain && pods.name != workload.name && pods.is_in(&workload.namespace);
        found.extend(all.iter().filter(is_other).filter(|pods| pods.is_selected(&workload.selector)));
    }
    found
}

/// Labels or annotations as an object has them.
pub(crate) fn read(value: &Value) -> Option<Labels> {
    let fields = value.as_object()?.iter();
    Some(fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect())
}

/// The plan with the labels of the workload's pods, if the files have them and no others are given. What is given and differs
/// from them is added to `warnings`, and what is taken to `notes`. Where objects differ in labels, each pod decides.
///
/// # Errors
/// Why the labels are not known, where there is no pod that could decide.
pub(crate) fn placed(
    plan: &Plan,
    pods: &[Pods],
    notes: &mut Vec<String>,
    warnings: &mut Vec<String>,
) -> Result<Plan, Vec<String>> {
    let all = made(plan, pods);
    let mut plan = plan.clone();
    let workload = &mut plan.workload;
    // A waypoint has pods of its own, and the files have those of the workloads behind it.
    let Some(found) = all.first().filter(|_| workload.target.is_none()) else { return Ok(plan) };
    let mut warn = |key: &str, message: String| {
        let path = input::field("$.spec.template.metadata.labels", key);
        warnings.push(found.origin.line(Diagnostic::warning(ID, path, message)));
    };
    for (key, value) in &workload.selector {
        match found.labels.get(key) {
            Some(own) if own == value => {}
            Some(own) => warn(key, format!("the pods have `{key}={own}`, and `{key}={value}` is selected: not these")),
            None => warn(key, format!("`{key}={value}` is selected, and the pods have no such label: not these")),
        }
    }
    if matches!(workload.known, Known::Given | Known::Complete) {
        let given = workload.labels.iter().filter(|(key, _)| !workload.selector.contains_key(*key));
        for (key, value) in given {
            match found.labels.get(key) {
                Some(own) if own == value => {}
                Some(own) => {
                    warn(key, format!("the pods have `{key}={own}`, and the labels that are given `{key}={value}`"))
                }
                None if is_added(key) => {}
                None => {
                    warn(key, format!("the pods have no `{key}={value}`, which is among the labels that are given"))
                }
            }
        }
        for (key, own) in found.labels.iter().filter(|(key, _)| !workload.labels.contains_key(*key)) {
            let lost = "policies that ask for it are left out";
            warn(key, format!("the pods have `{key}={own}`, which is not among the labels that are given: {lost}"));
        }
        return Ok(plan);
    }
    let (mut labels, differ) = match self::labels(&all) {
        Ok(labels) => (labels, None),
        Err(problem) => {
            let is_common =
                |(key, value): &(&String, &String)| all.iter().all(|pods| pods.labels.get(*key) == Some(*value));
            let common = found.labels.iter().filter(is_common).map(|(key, value)| (key.clone(), value.clone()));
            let is_changed = all.iter().any(|pods| pods.is_changed);
            (if is_changed { Labels::new() } else { common.collect() }, Some(problem))
        }
    };
    labels.extend(workload.selector.clone());
    if let Some(problem) = differ {
        let message = format!("the labels of {} are not known: {problem}", workload.id());
        if !plan.form.is_istios() {
            return Err(vec![format!("{message}; or give --labels (in `weir.yaml`: `labels`)")]);
        }
        notes.push(message);
        workload.labels = labels;
        return Ok(plan);
    }
    if labels != workload.labels {
        notes.push(format!("the labels of {} are those of {} in {}", workload.id(), found.shown, found.origin.file()));
    }
    let workload = &mut plan.workload;
    workload.labels = labels;
    workload.known = if plan.form.is_istios() { Known::Template } else { Known::Complete };
    Ok(plan)
}

/// Whether a label is of those that Istio or Kubernetes add to pods, which no template has.
pub(crate) fn is_added(key: &str) -> bool {
    match key.split_once('/') {
        Some((domain, _)) => {
            let kubernetes = ["apps", "batch", "statefulset", "topology"];
            domain == "istio.io"
                || domain.ends_with(".istio.io")
                || domain.strip_suffix(".kubernetes.io").is_some_and(|name| kubernetes.contains(&name))
        }
        None => ["pod-template-hash", "controller-revision-hash", "pod-template-generation"].contains(&key),
    }
}

#[cfg(test)]
mod tests;
