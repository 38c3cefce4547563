//! A Kubernetes object: its metadata, its spec, and lists of such objects.
//!
//! Metadata and scope are read first. Only an object that is for this workload, or that may be, is read further: what
//! policies of others say does not concern this proxy.

use super::quarantine::{self, Known, OnInvalid};
use super::rule;
use super::scope::{Scope, scope};
use super::shadow::Shadow;
use super::values::Context;
use crate::config::object::{Action, Object, Rule};
use crate::config::workload::Workload;
use weir_config::{Cursor, Fields, Value};
use weir_matching::Names;

/// Istio's annotation for policies on trial.
const DRY_RUN: &str = "istio.io/dry-run";

/// The words that Istio reads as a boolean (Go's `strconv.ParseBool`).
const BOOLEANS: [(&str, bool); 12] = [
    ("true", true),
    ("false", false),
    ("True", true),
    ("False", false),
    ("TRUE", true),
    ("FALSE", false),
    ("t", true),
    ("f", false),
    ("T", true),
    ("F", false),
    ("1", true),
    ("0", false),
];

/// The objects of a document that are for a workload.
pub(super) struct Selection<'w> {
    workload: &'w Workload,
    /// Namespace and name of every object, selected or not: no cluster holds two of one name, so one of them is stale.
    names: Names,
    /// The first policy that a waypoint passes over because it names no target, and how many there are.
    without_target: Option<(String, usize)>,
    /// Policies by name that are not in force.
    shadow: Shadow<'w>,
    /// Objects for others are read in full too, for what is wrong with them.
    pub(super) reads_all: bool,
    /// Problems of objects are set aside.
    pub(super) quarantines: bool,
    /// How many objects there are, and how many are for the workload, where the workload is known.
    pub(super) count: usize,
    pub(super) selected: usize,
    pub(super) objects: Vec<Object>,
}

impl<'w> Selection<'w> {
    /// Nothing yet.
    pub(super) fn new(workload: &'w Workload, shadow: Shadow<'w>) -> Self {
        Self {
            workload,
            names: Names::default(),
            without_target: None,
            shadow,
            reads_all: false,
            quarantines: false,
            count: 0,
            selected: 0,
            objects: Vec::new(),
        }
    }

    /// Reads an AuthorizationPolicy or a List of them.
    pub(super) fn read(&mut self, at: &Cursor<'_>) {
        let Some(mut fields) = at.object() else { return };
        fields.ignore(&["apiVersion", "status"]);
        let kind = fields.require("kind").and_then(|at| {
            at.word(&[("AuthorizationPolicy", false), ("List", true), ("AuthorizationPolicyList", true)])
        });
        match kind {
            Some(true) => {
                fields.ignore(&["metadata"]);
                for item in fields.require("items").and_then(|at| at.list()).unwrap_or_default() {
                    self.read(&item);
                }
                fields.finish();
            }
            Some(false) => {
                let object = self.object(at, fields);
                self.objects.extend(object);
            }
            None => {}
        }
    }

    /// All objects that are for the workload. A warning at `at` says which were passed over.
    pub(super) fn finish(self, at: &Cursor<'_>) -> Vec<Object> {
        if let Some((first, count)) = self.without_target {
            let message = format!(
                "a waypoint takes policies by `targetRefs` only, as in Istio: {count} with a selector, or for a whole namespace, \
                 have no effect here (the first is `{first}`)"
            );
            at.warning("waypoint-selector", message);
        }
        if !self.names.is_empty() {
            self.shadow.finish();
        }
        self.objects
    }

    /// Whether there was an object of that name before; from now on there is.
    fn is_repeated(&mut self, namespace: &str, name: &str) -> bool {
        let before = self.names.len();
        let length = namespace.len().to_le_bytes();
        self.names.intern(&[&length, namespace.as_bytes(), name.as_bytes()].concat());
        self.names.len() == before
    }

    /// Counts an object that is read in full, also where it is for another workload. It counts as selected where that is not
    /// known: what cannot be known is said when it is loaded.
    fn add_to_counts(&mut self, namespace: &str, scope: &Scope) {
        self.count += 1;
        self.selected += usize::from(self.workload.selects(namespace, scope) != Some(false));
    }

    /// Reads the object at `at`; `None` also if it is for others.
    fn object(&mut self, at: &Cursor<'_>, mut fields: Fields<'_>) -> Option<Object> {
        let start = at.problems();
        at.set_aside(self.quarantines);
        let metadata = fields.require("metadata").and_then(|at| metadata(&at)).unwrap_or_default();
        let spec = fields.take("spec");
        fields.finish();
        let before = at.problems();
        let has_spec = spec.is_some();
        let mut spec = spec.and_then(|at| at.object());
        // An object without a spec is an ALLOW policy without rules.
        let scope = spec.as_mut().map_or_else(|| Scope::Labels(Default::default()), scope);
        at.set_aside(false);
        let is_sound = at.problems() == if self.quarantines { start } else { before };
        let Metadata { namespace, name, .. } = metadata;
        if let (Some(namespace), Some(name)) = (namespace, name)
            && self.is_repeated(namespace, name)
        {
            at.problem::<()>(format!("policy `{namespace}/{name}` is given twice"));
        }
        let in_shadow = namespace.zip(name).is_some_and(|(namespace, name)| self.shadow.has(namespace, name));
        // Whom a damaged object is for is not known, so it counts as one that may be for this workload.
        let selected = match namespace.filter(|_| is_sound) {
            Some(own) if self.reads_all => {
                self.add_to_counts(own, &scope);
                Some(true)
            }
            Some(own) => self.workload.is_selected(own, &scope, self.quarantines, at),
            None => None,
        };
        if selected == Some(false) {
            self.pass_over(&scope, namespace, name, spec);
            return None;
        }
        if !self.quarantines && (has_spec && spec.is_none()) {
            return None;
        }
        at.set_aside(self.quarantines);
        let annotated = metadata.dry_run.as_ref().map(|at| at.word(&BOOLEANS));
        let is_readable = annotated != Some(None);
        let annotated = annotated.flatten().unwrap_or(false);
        let read = match spec {
            Some(fields) => self.spec(fields, &metadata, annotated, in_shadow),
            // The spec itself may be what cannot be read.
            None if !is_sound => ReadSpec { action: None, provider: None, rules: Vec::new(), sound: false },
            None => ReadSpec { action: Some(Action::Allow), provider: None, rules: Vec::new(), sound: true },
        };
        at.set_aside(false);
        let ReadSpec { action, provider, rules, sound } = read;
        let dry_run = (annotated || in_shadow) && action != Some(Action::Audit);
        if self.quarantines {
            let sound = sound && is_sound && is_readable && selected.is_some();
            return Some(quarantine::object(Known { namespace, name, dry_run, sound }, (action, provider), rules));
        }
        selected?;
        Some(Object {
            namespace: namespace?.to_owned(),
            name: name?.to_owned(),
            dry_run,
            action: action?,
            provider,
            rules,
        })
    }

    /// Passes over an object for others.
    fn pass_over(&mut self, scope: &Scope, namespace: Option<&str>, name: Option<&str>, spec: Option<Fields<'_>>) {
        if let (Scope::Labels(_), Some(namespace), Some(name)) = (scope, namespace, name)
            && self.workload.needs_targets(namespace)
        {
            let first = || (format!("{namespace}/{name}"), 0);
            self.without_target.get_or_insert_with(first).1 += 1;
        }
        if let Some(mut spec) = spec {
            // The names of its fields are checked all the same: one may be a misspelt part of the scope.
            spec.ignore(&["action", "provider", "rules"]);
            spec.finish();
        }
    }

    /// Reads what is left of a spec after its scope.
    #[inline(never)]
    fn spec(&self, mut fields: Fields<'_>, metadata: &Metadata<'_>, annotated: bool, in_shadow: bool) -> ReadSpec {
        let (namespace, name) = (metadata.namespace.unwrap_or_default(), metadata.name.unwrap_or_default());
        let cursor = *fields.cursor();
        let Acting { action, provider, place } = self.action(&mut fields, namespace, name, annotated);
        let rules = fields.take("rules");
        let is_empty = rules.as_ref().is_none_or(|at| at.value() == &Value::Array(Vec::new()));
        let refuses = match action {
            Some(Action::Deny) => Some("DENY"),
            Some(Action::Custom) => Some("CUSTOM"),
            Some(Action::Allow | Action::Audit) | None => None,
        };
        if is_empty && let Some(word) = refuses {
            let message = format!("a {word} policy without rules never matches; `rules: [{{}}]` matches everything");
            cursor.problem::<()>(message);
        }
        let policy = format!("{namespace}/{name}");
        let on_invalid = OnInvalid::of(self.quarantines, action);
        let context = Context {
            namespace,
            trust: &self.workload.trust,
            policy: &policy,
            custom: action == Some(Action::Custom),
            denies: action == Some(Action::Deny),
            direct_address_unknown: match (&self.workload.direct_address, action) {
                (Some(_), _) => None,
                (None, Some(Action::Custom | Action::Deny | Action::Allow)) if !annotated && !in_shadow => {
                    Some("direct-address-unknown")
                }
                (None, _) => Some("dry-run-direct-address-unknown"),
            },
            on_invalid,
        };
        let has_rules = rules.is_some();
        let mut read = Vec::new();
        let mut is_list = true;
        if let Some(at) = rules {
            let items = at.list();
            is_list = items.is_some();
            for (item, index) in items.unwrap_or_default().iter().zip(0u32..) {
                read.extend(rule::rule(item, index, &context));
            }
        }
        let before = cursor.problems();
        fields.finish();
        let sound = cursor.problems() == before;
        // A field of another name may be the rules, or the action.
        if on_invalid.widens() && (!is_list || (!sound && !has_rules)) {
            read.push(quarantine::everything());
        }
        let is_known = sound || place.is_some() || !self.quarantines;
        ReadSpec { action: action.filter(|_| is_known), provider, rules: read, sound }
    }

    /// Reads the action, which may be left out, and the provider of a CUSTOM policy.
    fn action<'v>(&self, fields: &mut Fields<'v>, namespace: &str, name: &str, annotated: bool) -> Acting<'v> {
        let words =
            [("ALLOW", Action::Allow), ("DENY", Action::Deny), ("AUDIT", Action::Audit), ("CUSTOM", Action::Custom)];
        let place = fields.take("action");
        let word = match &place {
            Some(at) => at.word(&words),
            None => Some(Action::Allow),
        };
        let given = fields.take("provider");
        let mut provider = None;
        let action = match (word, &place) {
            (Some(Action::Audit), Some(at)) if annotated => {
                at.problem::<()>("an AUDIT policy cannot be under dry run");
                Some(Action::Audit)
            }
            (Some(Action::Custom), place) => {
                if let Some(at) = place
                    && annotated
                {
                    at.problem::<()>("a CUSTOM policy cannot be under dry run");
                }
                provider = match given {
                    Some(at) => provider_name(&at),
                    None => fields
                        .cursor()
                        .problem("`provider` is missing: a CUSTOM policy names the provider that it asks"),
                };
                Some(Action::Custom)
            }
            (word, _) => match (given, word) {
                (Some(provider), Some(action)) => {
                    provider.problem::<()>("a provider is for action `CUSTOM` only");
                    Some(action).filter(|_| !self.quarantines)
                }
                (_, word) => word,
            },
        };
        if let Some(word) = match action {
            Some(Action::Audit) => Some("an AUDIT policy, which refuses nothing"),
            Some(Action::Custom) => Some("a CUSTOM policy, which asks its provider"),
            Some(Action::Deny | Action::Allow) | None => None,
        } && let Some(at) = self.shadow.place(namespace, name)
        {
            // What the document itself says is never set aside.
            at.set_aside(false);
            at.problem::<()>(format!("this is {word}: it cannot be in `shadow`"));
            at.set_aside(self.quarantines);
        }
        Acting { action, provider, place }
    }
}

/// What a policy does, and where that stands.
struct Acting<'v> {
    /// `None` if it cannot be known.
    action: Option<Action>,
    /// The provider that a CUSTOM policy asks.
    provider: Option<Box<str>>,
    place: Option<Cursor<'v>>,
}

fn provider_name(at: &Cursor<'_>) -> Option<Box<str>> {
    let mut fields = at.object()?;
    let name = fields.require("name").and_then(|at| at.text()).map(Box::from);
    fields.finish();
    name
}

/// What was read of a spec after its scope.
struct ReadSpec {
    /// `None` if it cannot be known.
    action: Option<Action>,
    provider: Option<Box<str>>,
    rules: Vec<Rule>,
    /// All of its fields are known.
    sound: bool,
}

/// What policies take from `metadata`; the rest belongs to Kubernetes.
#[derive(Default)]
struct Metadata<'v> {
    namespace: Option<&'v str>,
    name: Option<&'v str>,
    dry_run: Option<Cursor<'v>>,
}

#[inline(never)]
fn metadata<'v>(at: &Cursor<'v>) -> Option<Metadata<'v>> {
    let entries = at.map()?;
    let given = |value: &&Cursor<'_>| value.value() != &Value::Null;
    let field = |name: &str| entries.iter().find(|(key, _)| *key == name).map(|(_, value)| value).filter(given);
    let text = |name: &str| match field(name) {
        Some(value) => value.text(),
        None => at.problem(format!("`{name}` is missing")),
    };
    let (namespace, name) = (text("namespace"), text("name"));
    let annotations = field("annotations").and_then(Cursor::map).unwrap_or_default();
    let dry_run = annotations.into_iter().find(|(key, _)| *key == DRY_RUN).map(|(_, value)| value);
    Some(Metadata { namespace, name, dry_run })
}
