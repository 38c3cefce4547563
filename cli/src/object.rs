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

/// The objects of a list, as `UnstructuredJSONScheme` of `k8s.io/apimachinery` takes it for kubectl: a list is what has a kind and
/// `items`, and of what kind its items are that say neither kind nor API, its own kind tells.
pub(crate) fn take_items(list: &mut Value) -> Option<Vec<Value>> {
    let text = |name| list.get(name).and_then(Value::as_str).map(str::to_owned);
    let (kind, api) = (text("kind")?, text("apiVersion"));
    let items = list.get_mut("items").filter(|items| items.is_array()).map(Value::take)?;
    let Value::Array(mut items) = items else { return None };
    let kind = kind.strip_suffix("List").unwrap_or(&kind);
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        let is_said = |name: &&str| item.get(*name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        // Items of `kind: List` have to say it.
        if !kind.is_empty() && !["kind", "apiVersion"].iter().any(is_said) {
            item.insert("kind".to_owned(), kind.into());
            item.extend(api.as_ref().map(|api| ("apiVersion".to_owned(), api.as_str().into())));
        }
    }
    Some(items)
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

    /// Whether kind or API are left to a template, and so it may become an AuthorizationPolicy.
    pub(crate) fn is_templated_policy(&self) -> bool {
        let group = self.group.as_deref().unwrap_or_default();
        let is_open = |text: &str| text.contains("{{");
        let may_be_istios = group == "security.istio.io" || is_open(group) || is_open(&self.version);
        (is_open(&self.kind) && may_be_istios)
            || (self.kind == "AuthorizationPolicy" && may_be_istios && group != "security.istio.io")
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
