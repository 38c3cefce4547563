//! A Kubernetes object: its metadata, its spec, and lists of such objects.
//!
//! Metadata and scope are read first. Only an object that is for this workload, or that may be, is read further: what
//! policies of others say does not concern this proxy.

use super::rule;
use super::scope::{Scope, scope};
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
    /// Objects for others are read in full too, for what is wrong with them.
    reads_all: bool,
    /// How many objects there are, and how many are for the workload, where the workload is known.
    pub(super) count: usize,
    pub(super) selected: usize,
    pub(super) objects: Vec<Object>,
}

impl<'w> Selection<'w> {
    /// Nothing yet.
    pub(super) fn of(workload: &'w Workload) -> Self {
        Self {
            workload,
            names: Names::default(),
            without_target: None,
            reads_all: false,
            count: 0,
            selected: 0,
            objects: Vec::new(),
        }
    }

    /// The same, and every object is read in full.
    pub(super) fn of_all(workload: &'w Workload) -> Self {
        Self { reads_all: true, ..Self::of(workload) }
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
        let metadata = fields.require("metadata").and_then(|at| metadata(&at));
        let spec = fields.take("spec");
        fields.finish();
        let before = at.problems();
        let mut spec = match spec {
            Some(at) => Some(at.object()?),
            None => None,
        };
        // An object without a spec is an ALLOW policy without rules.
        let scope = spec.as_mut().map_or_else(|| Scope::Labels(Default::default()), scope);
        let is_sound = at.problems() == before;
        let (namespace, name) = metadata.as_ref().map_or((None, None), |metadata| (metadata.namespace, metadata.name));
        if let (Some(namespace), Some(name)) = (namespace, name)
            && self.is_repeated(namespace, name)
        {
            at.problem::<()>(format!("policy `{namespace}/{name}` is given twice"));
        }
        // Whom a damaged object is for is not known, so it counts as one that may be for this workload.
        let selected = match namespace.filter(|_| is_sound) {
            Some(own) if self.reads_all => {
                self.add_to_counts(own, &scope);
                Some(true)
            }
            Some(own) => self.workload.is_selected(own, &scope, at),
            None => None,
        };
        if selected == Some(false) {
            if let (Scope::Labels(_), Some(namespace), Some(name)) = (&scope, namespace, name)
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
            return None;
        }
        let dry_run = metadata.and_then(|metadata| metadata.dry_run);
        let dry_run = dry_run.and_then(|at| at.word(&BOOLEANS)).unwrap_or(false);
        let (action, rules) = match spec {
            Some(fields) => self.spec(fields, namespace.unwrap_or_default(), name.unwrap_or_default(), dry_run)?,
            None => (Action::Allow, Vec::new()),
        };
        selected?;
        Some(Object { namespace: namespace?.to_owned(), name: name?.to_owned(), dry_run, action, rules })
    }

    /// Reads what is left of a spec after its scope.
    #[inline(never)]
    fn spec(&self, mut fields: Fields<'_>, namespace: &str, name: &str, dry_run: bool) -> Option<(Action, Vec<Rule>)> {
        let words = [
            ("ALLOW", Some(Action::Allow)),
            ("DENY", Some(Action::Deny)),
            ("AUDIT", Some(Action::Audit)),
            ("CUSTOM", None),
        ];
        let place = fields.take("action");
        let word = match &place {
            Some(at) => at.word(&words),
            None => Some(Some(Action::Allow)),
        };
        let provider = fields.take("provider");
        let action = match (word, place) {
            (Some(Some(Action::Audit)), Some(at)) if dry_run => at.problem("an AUDIT policy cannot be under dry run"),
            (Some(None), Some(at)) => at.problem("action `CUSTOM` is not supported; use Envoy's own ext_authz filter"),
            (word, _) => {
                if let (Some(provider), Some(_)) = (provider, word) {
                    provider.problem::<()>("a provider is for action `CUSTOM` only");
                }
                word.flatten()
            }
        };
        let rules = fields.take("rules");
        let is_empty = rules.as_ref().is_none_or(|at| at.value() == &Value::Array(Vec::new()));
        if is_empty && action == Some(Action::Deny) {
            fields
                .cursor()
                .problem::<()>("a DENY policy without rules never matches; `rules: [{}]` matches everything");
        }
        let policy = format!("{namespace}/{name}");
        let context = Context {
            namespace,
            trust: &self.workload.trust,
            policy: &policy,
            direct_address_unknown: match (&self.workload.direct_address, action, dry_run) {
                (Some(_), ..) | (None, Some(Action::Audit), _) => None,
                (None, _, true) => Some("dry-run-direct-address-unknown"),
                (None, _, false) => Some("direct-address-unknown"),
            },
        };
        let rules = rules.map(|at| at.each(|item| rule::rule(&item, &context))).unwrap_or_default();
        fields.finish();
        Some((action?, rules))
    }
}

/// What policies take from `metadata`; the rest belongs to Kubernetes.
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
