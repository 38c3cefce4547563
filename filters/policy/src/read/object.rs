//! A Kubernetes object: its metadata, its spec, and lists of such objects.
//!
//! Metadata and scope are read first. Only an object that is for this workload, or that may be, is read further: what
//! policies of others say is no concern of this proxy.

use super::rule;
use super::values::Context;
use crate::object::{Action, Object, Rule, Scope, Target};
use crate::workload::{Workload, text_map};
use std::collections::BTreeSet;
use weir_config::{Cursor, Fields, Value};

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
pub(super) struct Selection<'w, 'v> {
    workload: &'w Workload,
    /// Namespace and name of every object, selected or not: no cluster holds two of one name, so one of them is stale.
    names: BTreeSet<(&'v str, &'v str)>,
    pub(super) objects: Vec<Object>,
}

impl<'w, 'v> Selection<'w, 'v> {
    /// Nothing yet.
    pub(super) fn of(workload: &'w Workload) -> Self {
        Self { workload, names: BTreeSet::new(), objects: Vec::new() }
    }

    /// Reads an AuthorizationPolicy or a List of them.
    pub(super) fn read(&mut self, at: &Cursor<'v>) {
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

    /// Reads the object at `at`; `None` also if it is for others.
    fn object(&mut self, at: &Cursor<'v>, mut fields: Fields<'v>) -> Option<Object> {
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
        let (namespace, name) = metadata.as_ref().map_or((None, None), |known| (known.namespace, known.name));
        if let (Some(namespace), Some(name)) = (namespace, name)
            && !self.names.insert((namespace, name))
        {
            at.problem::<()>(format!("policy `{namespace}/{name}` is given twice"));
        }
        // Whom a damaged object is for is not known, so it counts as one that may be for this workload.
        let selected = namespace.filter(|_| is_sound).and_then(|own| self.workload.is_selected(own, &scope, at));
        if selected == Some(false) {
            if let Some(mut spec) = spec {
                // The names of its fields are checked all the same: one may be a misspelt part of the scope.
                spec.ignore(&["action", "provider", "rules"]);
                spec.finish();
            }
            return None;
        }
        let dry_run = metadata.and_then(|known| known.dry_run);
        let dry_run = dry_run.and_then(|at| at.word(&BOOLEANS)).unwrap_or(false);
        let (action, rules) = match spec {
            Some(fields) => self.spec(fields, namespace.unwrap_or_default(), name.unwrap_or_default(), dry_run)?,
            None => (Action::Allow, Vec::new()),
        };
        selected?;
        Some(Object { namespace: namespace?.to_owned(), name: name?.to_owned(), dry_run, action, rules })
    }

    /// Reads what is left of a spec after its scope.
    fn spec(&self, mut fields: Fields<'v>, namespace: &str, name: &str, dry_run: bool) -> Option<(Action, Vec<Rule>)> {
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
            fields.at().problem::<()>("a DENY policy without rules never matches; `rules: [{}]` matches everything");
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

fn metadata<'v>(at: &Cursor<'v>) -> Option<Metadata<'v>> {
    let entries = at.map()?;
    let given = |value: &&Cursor<'v>| value.value() != &Value::Null;
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

fn scope(fields: &mut Fields<'_>) -> Scope {
    let selector = fields.take("selector");
    let single = fields.take("targetRef");
    let several = fields.take("targetRefs");
    let targets: Vec<Cursor<'_>> = match &several {
        Some(list) => list.list().unwrap_or_default().into_iter().chain(single.clone()).collect(),
        None => single.clone().into_iter().collect(),
    };
    if single.is_some() && several.is_some() {
        fields.at().problem::<()>("`targetRef` and `targetRefs` exclude each other");
    }
    if targets.is_empty() {
        return Scope::Labels(selector.map(|at| labels(&at)).unwrap_or_default());
    }
    if let Some(selector) = selector {
        selector.problem::<()>("`selector` and `targetRefs` exclude each other");
    }
    Scope::Targets(targets.iter().filter_map(target).collect())
}

fn labels(at: &Cursor<'_>) -> std::collections::BTreeMap<String, String> {
    let Some(mut fields) = at.object() else { return Default::default() };
    let labels = fields.take("matchLabels").map(|at| {
        for (key, value) in at.map().unwrap_or_default() {
            if key.is_empty() {
                value.problem::<()>("a label key must not be empty");
            }
            if key.contains('*') || value.string().is_some_and(|text| text.contains('*')) {
                value.problem::<()>("labels are compared as they are: `*` is not supported");
            }
        }
        text_map(&at)
    });
    fields.finish();
    labels.unwrap_or_default()
}

/// What a target is and its name.
fn target(at: &Cursor<'_>) -> Option<(Target, String)> {
    let mut fields = at.object()?;
    let group = fields.take("group").and_then(|at| at.string()).unwrap_or_default();
    let kind = fields.require("kind").and_then(|at| at.text());
    let name = fields.require("name").and_then(|at| at.text());
    if let Some(namespace) = fields.take("namespace").filter(|at| at.string() != Some("")) {
        namespace.problem::<()>("a target is in the policy's own namespace");
    }
    fields.finish();
    let target = match (group, kind?) {
        ("gateway.networking.k8s.io", "Gateway") => Target::Gateway,
        ("gateway.networking.k8s.io", "GatewayClass") => Target::GatewayClass,
        ("gateway.networking.k8s.io", "HTTPRoute") => Target::HttpRoute,
        ("networking.istio.io", "Gateway") => Target::IstioGateway,
        ("" | "core", "Service") | ("networking.istio.io", "ServiceEntry") => Target::Service,
        (group, kind) => return at.problem(format!("a policy cannot target kind `{kind}` of group `{group}`")),
    };
    Some((target, name?.to_owned()))
}
