//! The policies of a workload, and its `policy.workload`: which of the files' policies are for it, and what is to be known of the
//! others.

use super::{Composer, is_inert};
use crate::compile::Module;
use crate::diagnostic::count;
use crate::manifest::ROOT_NAMESPACE;
use crate::render::plan::Plan;
use crate::render::prune::{Pruned, none_is_for, prune, reason};
use crate::render::sources::{Policy, Sources};
use crate::render::workload::Known;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The most policies that one note names.
const NAMED: usize = 5;

impl Composer<'_> {
    /// Writes the workload, and adds the policies that are for it.
    pub(super) fn policies(&mut self, sources: &Sources) {
        if !self.wants(Module::Policy) {
            if !sources.policies.is_empty() {
                self.document.notes.push("policies are left out, which the module does not have".to_owned());
            }
            return;
        }
        let Plan { workload, directions, .. } = self.plan;
        let mut inward = directions.iter().filter(|direction| !is_inert(workload, **direction)).peekable();
        if inward.peek().is_some() && !inward.any(|direction| self.plan.runs(Module::Policy, *direction)) {
            if !sources.policies.is_empty() {
                let note = "policies are left out: `policy` runs on none of the listeners that are rendered";
                self.document.notes.push(note.to_owned());
            }
            return;
        }
        let is_given = self.document.sections.contains_key("policy");
        if sources.policies.is_empty() && !is_given {
            return;
        }
        let workload = &self.plan.workload;
        let Some(section) = self.section("policy") else { return };
        let mut own = section.remove("workload").unwrap_or_else(|| json!({}));
        let Some(fields) = own.as_object_mut() else {
            self.problems.push("`workload` is not an object".to_owned());
            return;
        };
        for (name, value) in &self.plan.mesh {
            fields.entry(name).or_insert_with(|| value.clone());
        }
        for (name, value) in [("namespace", json!(workload.namespace)), ("proxy", json!(workload.proxy.word()))] {
            let before = fields.insert(name.to_owned(), value.clone());
            if let Some(before) = before.filter(|before| *before != value) {
                self.problems.push(format!("`workload.{name}` is {before} in a document, and {value} is rendered for"));
            }
        }
        match prune(&sources.policies, workload, &own) {
            Ok(pruned) => {
                let root = own.get("rootNamespace").and_then(Value::as_str).unwrap_or(ROOT_NAMESPACE);
                let others = self.left_out(&pruned, sources, root);
                if pruned.kept.is_empty() && !sources.policies.is_empty() {
                    self.without_policies(sources, others, is_given, own);
                } else {
                    self.document.notes.extend(others);
                    self.keep(pruned, sources.policies.len(), own);
                }
            }
            Err(found) => self.problems.extend(found),
        }
    }

    /// Without a policy every request is allowed. Where the files have policies, that is asked for, or the workload is mistyped.
    fn without_policies(&mut self, sources: &Sources, others: Option<String>, is_given: bool, workload: Value) {
        let plan = self.plan;
        let none = none_is_for(&sources.policies, &plan.workload);
        let runs = plan
            .directions
            .iter()
            .any(|direction| plan.runs(Module::Policy, *direction) && !is_inert(&plan.workload, *direction));
        if runs && !plan.allows_no_policies {
            let hint = "mend the workload or its labels, leave these policies out, or say so with --allow-no-policies";
            let others = others.map(|others| format!("; {others}")).unwrap_or_default();
            self.problems.push(format!("{none}, so every request would pass{others}: {hint}"));
            return;
        }
        self.document.notes.push(none);
        self.document.notes.extend(others);
        let is_alone = self.document.sections.len() == 1;
        if is_given || is_alone {
            self.keep(Pruned::default(), 0, workload);
        } else {
            self.document.sections.remove("policy");
        }
    }

    /// Names policies of the namespaces that count for the workload and are for others: wrong labels would leave out its own.
    fn left_out(&self, pruned: &Pruned<'_>, sources: &Sources, root: &str) -> Option<String> {
        let workload = &self.plan.workload;
        let kept: BTreeSet<&str> = pruned.kept.iter().map(|policy| policy.name.as_str()).collect();
        let is_near = |policy: &&Policy| {
            let namespace = policy.name.split('/').next().unwrap_or_default();
            let is_said = kept.contains(policy.name.as_str()) || pruned.without_target.contains(&policy.name);
            [workload.namespace.as_str(), root].contains(&namespace) && !is_said
        };
        let left: Vec<&Policy> = sources.policies.iter().filter(is_near).collect();
        if left.is_empty() {
            return None;
        }
        let said = |policy: &&Policy| format!("`{}` ({})", policy.name, reason(policy, workload));
        let mut named: Vec<String> = left.iter().take(NAMED).map(said).collect();
        named.extend(left.len().checked_sub(NAMED).filter(|more| *more > 0).map(|more| format!("{more} more")));
        let labels: Vec<String> = workload.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Some(format!(
            "left out, as for other workloads: {}; the labels of {} are {}",
            named.join(", "),
            workload.id(),
            if labels.is_empty() { "none".to_owned() } else { labels.join(", ") }
        ))
    }

    fn keep(&mut self, pruned: Pruned<'_>, all: usize, mut workload: Value) {
        let Pruned { kept, undecided, without_target } = pruned;
        let id = self.plan.workload.id();
        if all > 0 {
            let own = &self.plan.workload.namespace;
            let is_own = |policy: &&Policy| policy.name.split_once('/').is_some_and(|(namespace, _)| namespace == own);
            let none = if kept.iter().any(is_own) { String::new() } else { format!(", none of namespace {own}") };
            self.document.notes.push(format!(
                "{} of {} for {id}{none}",
                kept.len(),
                count(all, "AuthorizationPolicy is", "AuthorizationPolicies are")
            ));
        }
        if let Some((first, keys)) = undecided.first() {
            let keys = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            let source = match self.plan.workload.known {
                Known::Template => "the pod template",
                Known::Given => "what is given of their labels",
                _ => "--selector",
            };
            self.document.notes.push(format!(
                "{} of them are kept though {source} does not tell whether they are for it, and each pod decides (`{first}` \
                 asks for {keys}): give all labels of the pods with --labels to decide it now",
                undecided.len()
            ));
        }
        if let Some(first) = without_target.first() {
            self.document.notes.push(format!(
                "a waypoint takes policies by `targetRefs` only, as in Istio: {} others are left out, `{first}` first",
                without_target.len()
            ));
        }
        // Labels that are written hide those of the pod, which have to decide here.
        if let (Some(fields), true) = (workload.as_object_mut(), undecided.is_empty()) {
            fields.insert("labels".to_owned(), json!(self.plan.workload.labels));
        }
        self.document.places.set_policies(kept.iter().map(|policy| policy.origin.clone()).collect());
        let policies: Vec<&Value> = kept.iter().map(|policy| &policy.object).collect();
        if let Some(section) = self.section("policy") {
            section.insert("workload".to_owned(), workload);
            section.insert("policies".to_owned(), json!(policies));
        }
    }
}
