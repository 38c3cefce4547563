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
}

impl Pods {
    /// The object that a tree is, if it has a pod template; one that names no namespace is in that of its tree, else in
    /// `namespace`.
    pub(crate) fn of(tree: &Tree, namespace: Option<&str>) -> Option<Self> {
        let mut object = Object::of(&tree.value)?;
        let labels = read(tree.value.pointer(LABELS)?)?;
        let annotations = tree.value.pointer(ANNOTATIONS).and_then(read).unwrap_or_default();
        let given = Some(object.namespace.clone()).filter(|own| !own.is_empty());
        let namespace = given.or_else(|| tree.namespace.as_deref().or(namespace).map(str::to_owned));
        object.namespace = namespace.clone().unwrap_or_default();
        let origin = tree.origin.in_object(&tree.value, Some(&object.namespace));
        Some(Self { origin, shown: object.shown(), namespace, name: object.name, labels, annotations })
    }

    /// The first that makes the pods of a workload: it is called after it, and is in its namespace or says of none.
    pub(crate) fn find<'p>(all: &'p [Self], namespace: &str, name: &str) -> Option<&'p Self> {
        all.iter().find(|pods| pods.name == name && pods.is_in(namespace))
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
}

/// Labels or annotations as an object has them.
pub(crate) fn read(value: &Value) -> Option<Labels> {
    let fields = value.as_object()?.iter();
    Some(fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect())
}

/// The plan with the labels of the workload's pods, if the files have them and no others are given. What is given and differs
/// from them is added to `warnings`, and what is taken to `notes`.
pub(crate) fn placed(plan: &Plan, pods: &[Pods], notes: &mut Vec<String>, warnings: &mut Vec<String>) -> Plan {
    let mut plan = plan.clone();
    let workload = &mut plan.workload;
    // A waypoint has pods of its own, and the files have those of the workloads behind it.
    let found = Pods::find(pods, &workload.namespace, &workload.name).filter(|_| workload.target.is_none());
    let Some(found) = found else { return plan };
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
    if workload.known == Known::Given {
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
        return plan;
    }
    let mut labels = found.labels.clone();
    labels.extend(workload.selector.clone());
    if labels != workload.labels {
        notes.push(format!("the labels of {} are those of {} in {}", workload.id(), found.shown, found.origin.file()));
    }
    let workload = &mut plan.workload;
    workload.labels = labels;
    workload.known = if plan.form.is_istios() { Known::Template } else { Known::Given };
    plan
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
