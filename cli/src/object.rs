//! A Kubernetes object: what it is and what it is called.

use serde_json::Value;

/// What every Kubernetes object says of itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Object {
    /// The group of its API; `None` where the object has no `apiVersion`.
    pub(crate) group: Option<String>,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Object {
    /// The object that `value` is; `None` if it has no kind.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        let kind = value.get("kind")?.as_str()?.to_owned();
        let api = value.get("apiVersion").and_then(Value::as_str);
        let (group, version) = match api.map(|api| api.rsplit_once('/').unwrap_or(("", api))) {
            Some((group, version)) => (Some(group.to_owned()), version.to_owned()),
            None => (None, String::new()),
        };
        let text = |name: &str| value.pointer(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Self { group, version, kind, namespace: text("/metadata/namespace"), name: text("/metadata/name") })
    }

    /// Whether it is of that group, or says of none.
    pub(crate) fn is_of(&self, group: &str) -> bool {
        self.group.as_deref().is_none_or(|own| own == group)
    }

    /// Kind, namespace and name, as far as there are any.
    pub(crate) fn shown(&self) -> String {
        let Self { kind, namespace, name, .. } = self;
        match (namespace.as_str(), name.as_str()) {
            ("", "") => kind.clone(),
            ("", name) => format!("{kind} {name}"),
            (namespace, "") => format!("{kind} {namespace}/?"),
            (namespace, name) => format!("{kind} {namespace}/{name}"),
        }
    }

    /// Kind and group as `kubectl` names a resource, for counting what is passed over.
    pub(crate) fn class(&self) -> String {
        match self.group.as_deref() {
            None | Some("" | "apps" | "batch") => self.kind.clone(),
            Some(group) => format!("{}.{group}", self.kind),
        }
    }
}
