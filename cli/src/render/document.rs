//! The Weir document of a workload: the operator's documents and objects in one, with the workload written into it, and of
//! that what runs in one direction.

mod policies;

use super::places::Places;
use super::plan::{Plan, Sections};
use super::sources::{Sources, module_of};
use super::workload::{Direction, Proxy, Workload};
use crate::compile::Module;
use crate::diagnostic::count;
use crate::input;
use crate::tree::Tree;
use serde_json::{Map, Value, json};
use weir_config::Mode;
use weir_policy::Protocol;

/// Sections of a suite's document, and the modules whose documents they are.
pub(crate) const SECTIONS: [(&str, Module); 3] =
    [("policy", Module::Policy), ("rateLimit", Module::RateLimit), ("telemetry", Module::Telemetry)];

/// Fields of a document that no section has, or that stand for all sections.
const WHOLE: [&str; 5] = ["schema", "name", "listener", "mode", "accessLogState"];

/// The prefix of Weir's metrics beside those of Istio itself, so that nothing is counted twice.
const BESIDE_ISTIO: &str = "weir_istio_";

/// The prefix of Istio's own metrics, and the default of Weir's.
const ISTIO: &str = "istio_";

/// A document for both directions of a workload's proxies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    whole: Map<String, Value>,
    sections: Map<String, Value>,
    /// What an operator should know who applies it.
    pub(crate) notes: Vec<String>,
    /// Where its parts are from.
    pub(crate) places: Places,
}

/// The document of the plan's workload, of everything that the sources have for it.
///
/// # Errors
/// Every problem, with its file.
pub(crate) fn compose(plan: &Plan, sources: &Sources) -> Result<Document, Vec<String>> {
    let mut composer = Composer { plan, document: Document::default(), problems: Vec::new() };
    for tree in &sources.documents {
        composer.merge(tree);
    }
    composer.limits(sources);
    composer.policies(sources);
    composer.finish(sources)
}

impl Document {
    /// The document for the listeners of one direction, in the form of the module. `None` if nothing of it runs there.
    pub(crate) fn of(&self, plan: &Plan, direction: Direction) -> Option<Value> {
        let mut sections = self.sections.clone();
        if is_inert(&plan.workload, direction) {
            sections.remove("policy");
        }
        for (name, section) in SECTIONS {
            // Limits and metrics are about requests.
            let is_decided = plan.protocol == Protocol::Http || section == Module::Policy;
            if !is_decided || !plan.runs(section, direction) {
                sections.remove(name);
            }
        }
        if sections.is_empty() {
            return None;
        }
        let mut whole = self.whole.clone();
        if plan.form.tells_direction() {
            whole.insert("listener".to_owned(), json!(direction.word()));
        }
        match SECTIONS.iter().find(|(_, module)| *module == plan.module) {
            Some((name, _)) => whole.extend(sections.remove(*name)?.as_object().cloned().unwrap_or_default()),
            None => whole.extend(sections),
        }
        Some(Value::Object(whole))
    }

    /// Whether it counts in place of Istio, or beside it.
    pub(crate) fn has_telemetry(&self) -> bool {
        self.sections.contains_key("telemetry")
    }

    /// The policies that are for the workload.
    pub(crate) fn policies(&self) -> Option<&Vec<Value>> {
        self.sections.get("policy")?.get("policies")?.as_array()
    }

    /// The `workload` of its policy, for filter state that policies read.
    pub(crate) fn workload_mut(&mut self) -> Option<&mut Map<String, Value>> {
        self.sections.get_mut("policy")?.get_mut("workload")?.as_object_mut()
    }
}

/// The name of a document that has none. It labels metrics, so that of connections is another one.
fn default_name(plan: &Plan) -> String {
    const MOST: usize = 63;
    let of_connections = format!("{}-tcp", plan.workload.name);
    match plan.protocol {
        Protocol::Tcp if of_connections.len() <= MOST => of_connections,
        Protocol::Http | Protocol::Tcp => plan.workload.name.clone(),
    }
}

/// Policies are for what comes in: on a sidecar's outbound listeners they do nothing.
fn is_inert(workload: &Workload, direction: Direction) -> bool {
    workload.proxy == Proxy::Sidecar && direction == Direction::Outbound
}

struct Composer<'p> {
    plan: &'p Plan,
    document: Document,
    problems: Vec<String>,
}

impl Composer<'_> {
    /// Adds what a Weir document has for the module.
    fn merge(&mut self, tree: &Tree) {
        let Value::Object(fields) = &tree.value else { return };
        let module = module_of(&tree.value, self.plan.module);
        let (whole, inner): (Map<_, _>, Map<_, _>) =
            fields.clone().into_iter().partition(|(name, _)| WHOLE.contains(&name.as_str()));
        let alone = SECTIONS.iter().find(|(_, of)| *of == module).map(|(name, _)| *name);
        let sections: Map<String, Value> = match alone {
            Some(name) => Map::from_iter([(name.to_owned(), Value::Object(inner))]),
            None => inner,
        };
        let is_own = module == self.plan.module;
        for (name, mut section) in sections {
            let path = if alone.is_some() { "$".to_owned() } else { input::field("$", &name) };
            // A field that is not a section is a problem that the module's own reader names.
            let of = SECTIONS.iter().find(|(known, _)| *known == name).map(|(_, of)| *of);
            if !of.is_none_or(|of| self.wants(of)) {
                let note = format!("{}: `{name}` is left out, which the module does not have", tree.origin.file());
                self.document.notes.push(note);
                continue;
            }
            // A section keeps the mode of the document that it was in.
            if !is_own && let Some(own) = section.as_object_mut() {
                for field in ["mode", "accessLogState"] {
                    if let Some(value) = whole.get(field) {
                        own.entry(field).or_insert(value.clone());
                    }
                }
            }
            if self.document.sections.insert(name.clone(), section).is_some() {
                self.problems.push(tree.origin.error(&path, format!("`{name}` is in another document too")));
            }
            self.document.places.add(input::field("$", &name), tree.origin.inside(&path));
        }
        for (name, value) in whole {
            let belongs = ["schema", "name"].contains(&name.as_str()) || (is_own && name != "listener");
            if belongs && self.document.whole.get(&name).is_some_and(|before| *before != value) {
                let problem = format!("`{name}` differs from that of another document");
                self.problems.push(tree.origin.error(&input::field("$", &name), problem));
            } else if belongs {
                self.document.places.add(input::field("$", &name), tree.origin.inside(&input::field("$", &name)));
                self.document.whole.insert(name, value);
            }
        }
    }

    fn wants(&self, section: Module) -> bool {
        self.plan.module == Module::Suite || self.plan.module == section
    }

    fn section(&mut self, name: &str) -> Option<&mut Map<String, Value>> {
        self.document.sections.entry(name).or_insert_with(|| json!({})).as_object_mut()
    }

    /// Adds the limits of an envoyproxy/ratelimit configuration, and the actions that reach them.
    fn limits(&mut self, sources: &Sources) {
        if sources.limits.is_empty() && sources.actions.is_empty() {
            return;
        }
        if !self.wants(Module::RateLimit) {
            self.document.notes.push("limits are left out, which the module does not have".to_owned());
            return;
        }
        for Tree { value: config, origin, .. } in &sources.limits {
            let local = self.section("rateLimit").and_then(|section| {
                let local = section.entry("local").or_insert_with(|| json!({}));
                local.as_object_mut()
            });
            if local.and_then(|local| local.insert("config".to_owned(), config.clone())).is_some() {
                let problem = "limits are in another file too, and a document has one configuration";
                self.problems.push(origin.error("$", problem));
            }
            self.document.places.add("$.rateLimit.local.config".to_owned(), origin.clone());
        }
        for actions in &sources.actions {
            self.actions(actions);
        }
    }

    fn actions(&mut self, actions: &Tree) {
        for (name, value) in actions.value.as_object().into_iter().flatten() {
            let origin = actions.origin.inside(&input::field("$", name));
            let before = self.section("rateLimit").and_then(|section| section.insert(name.clone(), value.clone()));
            if before.is_some() {
                self.problems.push(origin.error("$", format!("`{name}` is in another file too")));
            }
            self.document.places.add(input::field("$.rateLimit", name), origin);
        }
    }

    /// Names sections that are asked for by name and that no file has.
    fn missing_sections(&mut self) {
        let plan = self.plan;
        let Sections { inbound, outbound, modes } = &plan.sections;
        let both = [(inbound, "sections"), (outbound, "outbound")];
        for (name, section) in SECTIONS {
            if !self.wants(section) || self.document.sections.contains_key(name) {
                continue;
            }
            let hint = match section {
                Module::Policy => "the files have no AuthorizationPolicy for the workload",
                Module::RateLimit => "the files have no limits",
                Module::Telemetry | Module::Suite => "no document has it: write `telemetry: {}`",
            };
            let asks = |list: &&Option<Vec<Module>>| list.as_ref().is_some_and(|list| list.contains(&section));
            if let Some((_, field)) = both.iter().find(|(list, _)| asks(list)) {
                self.problems.push(format!("`{field}` asks for `{name}`, and {hint}"));
            } else if modes.iter().any(|(of, _)| *of == section) {
                self.document.notes.push(format!("`modes` has `{name}`, and {hint}"));
            }
        }
    }

    /// Connections are decided by policies alone.
    fn of_connections(&mut self) {
        if self.plan.protocol == Protocol::Http {
            return;
        }
        for (name, _) in SECTIONS.iter().filter(|(_, section)| *section != Module::Policy) {
            if self.document.sections.contains_key(*name) {
                self.document
                    .notes
                    .push(format!("`{name}` is left out: it is about requests, and not about connections"));
            }
        }
        if !self.document.sections.contains_key("policy") && self.problems.is_empty() {
            self.problems.push("the files have no AuthorizationPolicy for the workload's connections".to_owned());
        }
    }

    /// Adds what every document has, and what was asked for.
    fn finish(mut self, sources: &Sources) -> Result<Document, Vec<String>> {
        if self.plan.module == Module::Telemetry {
            self.section("telemetry");
        }
        self.missing_sections();
        self.of_connections();
        if self.document.sections.is_empty() && self.problems.is_empty() {
            self.problems.push("the files have nothing for the module to do".to_owned());
        }
        let Document { whole, sections, .. } = &mut self.document;
        whole.entry("schema").or_insert_with(|| json!(weir_config::SCHEMA));
        whole.entry("name").or_insert_with(|| json!(default_name(self.plan)));
        for fields in std::iter::once(&mut *whole).chain(sections.values_mut().filter_map(Value::as_object_mut)) {
            match self.plan.mode {
                Some(_) => drop(fields.remove("mode")),
                // What YAML 1.1 made of `off`.
                None if fields.get("mode") == Some(&json!(false)) => {
                    fields.insert("mode".to_owned(), json!(Mode::Off.word()));
                }
                None => {}
            }
        }
        if let Some(mode) = self.plan.mode {
            whole.insert("mode".to_owned(), json!(mode.word()));
        }
        for (section, mode) in &self.plan.sections.modes {
            let name = SECTIONS.iter().find(|(_, of)| of == section).map(|(name, _)| *name);
            if let Some(fields) = name.and_then(|name| sections.get_mut(name)?.as_object_mut()) {
                fields.insert("mode".to_owned(), json!(mode.word()));
            }
        }
        match (sections.get_mut("telemetry").and_then(Value::as_object_mut), self.plan.replaces_native) {
            (None, true) => {
                self.problems
                    .push("--replace-native without `telemetry` in the document: nothing would count".to_owned());
            }
            (Some(section), true) if section.get("metricPrefix").is_some_and(|prefix| prefix != ISTIO) => {
                self.problems.push(format!(
                    "--replace-native needs Istio's names: leave out `metricPrefix`, which is then `{ISTIO}`"
                ))
            }
            (Some(section), false) if self.plan.form.is_istios() => {
                section.entry("metricPrefix").or_insert_with(|| json!(BESIDE_ISTIO));
            }
            _ => {}
        }
        if sources.others > 0 {
            let others = count(sources.others, "other object is", "other objects are");
            self.document.notes.push(format!("{others} passed over"));
        }
        if sources.foreign > 0 {
            let one = "document that is neither Weir's nor an object is";
            let foreign = count(sources.foreign, one, "documents that are neither Weir's nor objects are");
            self.document.notes.push(format!("{foreign} passed over"));
        }
        if self.problems.is_empty() { Ok(self.document) } else { Err(self.problems) }
    }
}

#[cfg(test)]
mod tests;
