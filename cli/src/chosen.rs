//! The workload that a command is for, and the labels of its pods: from options, or from the files.

use crate::object::take_items;
use crate::render::{Labels, Pods, labels, pods_labels, read_labels};
use crate::tree::Tree;
use crate::{Failure, names};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What options say of the workload that a command is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chosen<'o> {
    /// `NAMESPACE/NAME`.
    pub(crate) workload: Option<&'o str>,
    /// The labels of its pods.
    pub(crate) labels: &'o [String],
    /// The namespace of objects that name none.
    pub(crate) namespace: Option<&'o str>,
}

impl Chosen<'_> {
    /// Namespace and name of the workload, and the labels of its pods, which go to standard error too.
    ///
    /// # Errors
    /// If the options do not say which of several it is, or cannot be read.
    pub(crate) fn workload(&self, trees: &[Tree]) -> Result<(String, Labels), Failure> {
        let (id, labels) = workload(self, trees)?;
        let shown: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        note!(
            "weir: {id} with {}",
            if shown.is_empty() { "no labels".to_owned() } else { format!("the labels {}", shown.join(", ")) }
        );
        Ok((id, labels))
    }
}

fn workload(options: &Chosen<'_>, trees: &[Tree]) -> Result<(String, Labels), Failure> {
    let objects = objects(trees);
    let Some(id) = options.workload else {
        let pods: Vec<Pods> = objects.iter().filter_map(|tree| Pods::of(tree, options.namespace)).collect();
        return only_workload(&objects, &pods, options.namespace.unwrap_or("default"));
    };
    let (namespace, name) = names::workload(id).map_err(|problem| Failure::Use(format!("--workload: {problem}")))?;
    let given = labels(options.labels).map_err(|problem| Failure::Use(format!("--labels: {problem}")))?;
    let own = match given.is_empty() {
        false => given,
        true => {
            let pods: Vec<Pods> = objects.iter().filter_map(|tree| Pods::of(tree, None)).collect();
            let found = Pods::find(&pods, namespace, name);
            let known = pods_labels(&found).map_err(|problem| {
                Failure::No(format!("the labels of {id} are not known: {problem}; or give --labels"))
            })?;
            if found.is_empty() { [("app".to_owned(), name.to_owned())].into() } else { known }
        }
    };
    Ok((id.to_owned(), own))
}

/// Every object with its namespace, those of lists included.
fn objects(trees: &[Tree]) -> Vec<Tree> {
    let mut found = Vec::new();
    for tree in trees {
        match take_items(&mut tree.value.clone()) {
            Some(items) => {
                let items: Vec<Tree> = items.into_iter().map(|item| tree.item("$.items", item)).collect();
                found.extend(objects(&items));
            }
            None => found.push(tree.clone()),
        }
    }
    found
}

fn text<'v>(object: &'v Value, pointer: &str) -> Option<&'v str> {
    object.pointer(pointer)?.as_str()
}

fn has(labels: &Labels, (key, value): (&String, &String)) -> bool {
    labels.get(key) == Some(value)
}

/// The only workload that policies are for: the one whose object in the files has the labels that they ask for, else one with
/// the labels that they ask for.
fn only_workload(objects: &[Tree], pods: &[Pods], default: &str) -> Result<(String, Labels), Failure> {
    let policies = objects.iter().filter(|tree| text(&tree.value, "/kind") == Some("AuthorizationPolicy"));
    let namespace = |tree: &Tree| {
        let own = text(&tree.value, "/metadata/namespace").map(str::to_owned);
        own.or_else(|| tree.namespace.clone())
    };
    let policies_without_namespace = policies.clone().any(|policy| namespace(policy).is_none());
    let mut found: BTreeSet<(String, Labels)> = BTreeSet::new();
    for policy in policies {
        let selector = policy.value.pointer("/spec/selector/matchLabels").and_then(read_labels).unwrap_or_default();
        found.insert((namespace(policy).unwrap_or_else(|| default.to_owned()), selector));
    }
    if policies_without_namespace && found.iter().any(|(namespace, _)| namespace == "default") {
        note!("weir: objects without a namespace are taken as of `default`: give another with --namespace");
    }
    let namespaces: BTreeSet<&String> = found.iter().map(|(namespace, _)| namespace).collect();
    let selected: Vec<&Labels> = found.iter().map(|(_, labels)| labels).filter(|labels| !labels.is_empty()).collect();
    let has_all = |labels: &Labels| selected.iter().all(|asked| asked.iter().all(|label| has(labels, label)));
    if let (Some(namespace), 1) = (namespaces.first(), namespaces.len()) {
        let mut ours = pods.iter().filter(|pods| pods.is_in(namespace) && has_all(pods.labels()));
        if let (Some(only), None) = (ours.next(), ours.next()) {
            return Ok((format!("{namespace}/{}", only.name()), only.labels().clone()));
        }
    }
    // Pods that the narrowest selector selects are those that all policies are for.
    let narrowest = selected.iter().find(|labels| has_all(labels));
    let (labels, namespace) = match (narrowest, selected.is_empty()) {
        (Some(labels), _) => ((*labels).clone(), namespaces.first()),
        (None, true) => (BTreeMap::new(), namespaces.first()),
        (None, false) => (BTreeMap::new(), None),
    };
    let name = labels.values().next().cloned().unwrap_or_else(|| "workload".to_owned());
    match namespace {
        Some(namespace) if namespaces.len() == 1 => Ok((format!("{namespace}/{name}"), labels)),
        None if found.is_empty() => Ok((format!("{default}/{name}"), labels)),
        _ => {
            let shown = |(namespace, labels): &(String, Labels)| {
                let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!(
                    "  {namespace}: {}",
                    if labels.is_empty() { "every workload".to_owned() } else { labels.join(", ") }
                )
            };
            let list: Vec<String> = found.iter().map(shown).collect();
            Err(Failure::Use(format!(
                "the policies are for several workloads: choose one with --workload NAMESPACE/NAME\n{}",
                list.join("\n")
            )))
        }
    }
}

#[cfg(test)]
mod tests;
