//! Which workloads are analyzed, and where the policies are in the files.

use super::report::OfWorkload;
use crate::Failure;
use crate::diagnostic::Diagnostic;
use crate::documents::is_document;
use crate::explain::Whose;
use crate::input::Source;
use crate::object::{Object, take_items};
use crate::render::Pods;
use crate::tree::{Files, Origin, Tree};
use crate::validate::Line;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use weir_policy::RuleId;

/// The workloads that are asked for: the one that the options name, or all whose objects are in the files. With none of both
/// the files say for which one they are.
pub(super) fn workloads(sources: &[Source], options: &Whose) -> Result<Vec<Whose>, Failure> {
    let one = |workload: Option<String>| Whose {
        workload,
        labels: options.labels.clone(),
        proxy: options.proxy,
        namespace: options.namespace.clone(),
        allow_no_policies: options.allow_no_policies,
    };
    let trees = trees(sources)?;
    if options.workload.is_some() || trees.iter().any(|tree| is_document(&tree.value)) {
        return Ok(vec![one(options.workload.clone())]);
    }
    let pods = objects(&trees).into_iter().filter_map(|tree| Pods::of(&tree, options.namespace.as_deref()));
    let named: BTreeSet<String> = pods
        .filter(|pods| pods.is_certain)
        .filter_map(|pods| Some(format!("{}/{}", pods.namespace()?, pods.name())))
        .collect();
    match named.len() {
        // With one, other objects may have the labels that policies ask for.
        0 | 1 => Ok(vec![one(None)]),
        // No policy may be for some of them.
        _ => Ok(named.into_iter().map(|id| Whose { allow_no_policies: true, ..one(Some(id)) }).collect()),
    }
}

fn trees(sources: &[Source]) -> Result<Vec<Tree>, Failure> {
    let copies = sources.iter().map(|source| Rc::new(Source::new(&source.name, source.text.clone())));
    Ok(Files::of(copies.collect())?.trees)
}

/// Every object, those of lists and of Weir documents included.
fn objects(trees: &[Tree]) -> Vec<Tree> {
    let mut found = Vec::new();
    for tree in trees {
        let inside = |path: &str, items: Vec<Value>| -> Vec<Tree> {
            let item = |(number, value): (usize, Value)| tree.item(&format!("{path}[{number}]"), value);
            items.into_iter().enumerate().map(item).collect()
        };
        let of_document = |path: &str| match tree.value.pointer(&path.trim_start_matches('$').replace('.', "/")) {
            Some(Value::Array(items)) => inside(path, items.clone()),
            _ => Vec::new(),
        };
        if let Some(items) = take_items(&mut tree.value.clone()) {
            found.extend(objects(&inside("$.items", items)));
        } else if is_document(&tree.value) {
            found.extend(objects(&of_document("$.policies")));
            found.extend(objects(&of_document("$.policy.policies")));
        } else {
            found.push(tree.clone());
        }
    }
    found
}

/// Where each policy is.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// By namespace, if the object or its file says it, and name; whether it has targets.
    policies: BTreeMap<(Option<String>, String), (Origin, bool)>,
}

impl Places {
    pub(super) fn of(sources: &[Source]) -> Result<Self, Failure> {
        let mut places = Self::default();
        for tree in objects(&trees(sources)?) {
            let Some(object) = Object::of(&tree.value).filter(|object| object.kind == "AuthorizationPolicy") else {
                continue;
            };
            let own = Some(object.namespace.clone()).filter(|own| !own.is_empty());
            let namespace = own.or_else(|| tree.namespace.clone());
            let has_targets =
                ["targetRef", "targetRefs"].iter().any(|name| tree.value.pointer(&format!("/spec/{name}")).is_some());
            let origin = tree.origin.in_object(&tree.value, namespace.as_deref());
            places.policies.insert((namespace, object.name), (origin, has_targets));
        }
        Ok(places)
    }

    fn origin(&self, namespace: &str, name: &str) -> Option<&Origin> {
        let known = self.policies.get(&(Some(namespace.to_owned()), name.to_owned()));
        known.or_else(|| self.policies.get(&(None, name.to_owned()))).map(|(origin, _)| origin)
    }

    /// `FILE:LINE:COLUMN` of a rule, if it is known.
    pub(super) fn rule(&self, rule: &RuleId) -> Option<String> {
        let origin = self.origin(&rule.namespace, &rule.policy)?;
        Some(origin.inside(&format!("$.spec.rules[{}]", rule.index)).place())
    }

    /// What is said of a rule, with its place.
    pub(super) fn line(&self, rule: &RuleId, id: &'static str, message: String) -> Option<Line> {
        let path = format!("$.spec.rules[{}]", rule.index);
        Some(self.origin(&rule.namespace, &rule.policy)?.finding(Diagnostic::warning(id, path, message)))
    }

    /// What is said of a policy, with its place.
    pub(super) fn line_of_policy(&self, policy: &str, id: &'static str, message: String) -> Option<Line> {
        let (namespace, name) = policy.split_once('/')?;
        Some(self.origin(namespace, name)?.finding(Diagnostic::warning(id, "$", message)))
    }

    /// Policies, as `NS/NAME`, that are for none of these workloads. Of targets, such as Gateways, it is not said.
    pub(super) fn unused(&self, of: &[OfWorkload]) -> BTreeSet<String> {
        let is_used = |namespace: &Option<String>, name: &String| {
            let is_it = |(known, other): (&str, &str)| {
                other == name && namespace.as_ref().is_none_or(|namespace| *namespace == known)
            };
            of.iter().flat_map(|of| of.policies.iter()).any(|policy| is_it((&policy.namespace, &policy.name)))
        };
        let policies = self.policies.iter().filter(|(_, (_, has_targets))| !has_targets);
        policies
            .filter(|((namespace, name), _)| !is_used(namespace, name))
            .map(|((namespace, name), _)| format!("{}/{name}", namespace.as_deref().unwrap_or_default()))
            .collect()
    }
}
