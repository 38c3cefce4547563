//! Which proxies an object is for: the rules that istiod has in `pilot/pkg/model/policyattachment.go`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::ApplyError;
use crate::object::Object;
use crate::proxy::{Proxy, ProxyKind};

/// The label that says of which Gateway of the Gateway API a proxy is an instance.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// What an object says about the proxies that it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    /// Labels; absent where the object has no selector.
    selector: Option<BTreeMap<String, String>>,
    references: Vec<Reference>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Reference {
    group: String,
    kind: String,
    name: String,
    namespace: String,
}

impl Target {
    /// Reads the labels at `selector/labels` of the spec, `targetRefs`, and the one `targetRef` that stands for them if
    /// they are absent.
    pub(crate) fn read(object: &Object, selector: &str, labels: &str) -> Result<Self, ApplyError> {
        let selector = match object.spec(selector) {
            Value::Null => None,
            given => Some(read_labels(object, selector, given.get(labels).unwrap_or(&Value::Null))?),
        };
        let mut references = Vec::new();
        for reference in object.spec("targetRefs").as_array().into_iter().flatten() {
            references.push(Reference::read(reference));
        }
        if references.is_empty() && object.spec("targetRef").is_object() {
            references.push(Reference::read(object.spec("targetRef")));
        }
        Ok(Self { selector, references })
    }

    /// Whether an object of that namespace is for the proxy. `services` are those that a waypoint serves.
    pub(crate) fn attaches(&self, namespace: &str, proxy: &Proxy, services: &[(String, String)]) -> bool {
        let selected = self.selector.iter().flatten().all(|(label, value)| proxy.labels.get(label) == Some(value));
        let Some(gateway) = proxy.labels.get(GATEWAY_NAME) else {
            return self.references.is_empty() && selected;
        };
        let waypoint = proxy.kind == ProxyKind::Waypoint;
        if self.references.is_empty() {
            return !waypoint && selected;
        }
        self.references.iter().any(|reference| {
            let of_service = waypoint
                && reference.is("", "Service")
                && services.iter().any(|(ns, name)| *name == reference.name && ns == namespace);
            let of_class = waypoint
                && namespace == proxy.root_namespace
                && reference.is("gateway.networking.k8s.io", "GatewayClass")
                && reference.name == "istio-waypoint";
            let of_gateway = namespace == proxy.namespace
                && (reference.namespace.is_empty() || reference.namespace == proxy.namespace)
                && reference.is("gateway.networking.k8s.io", "Gateway")
                && reference.name == *gateway;
            of_service || of_class || of_gateway
        })
    }
}

impl Reference {
    fn read(reference: &Value) -> Self {
        let text = |field: &str| reference.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { group: text("group"), kind: text("kind"), name: text("name"), namespace: text("namespace") }
    }

    /// The core group is written as the empty text or as `core`.
    fn is(&self, group: &str, kind: &str) -> bool {
        let own = if self.group == "core" { "" } else { &self.group };
        own == group && self.kind == kind
    }
}

fn read_labels(object: &Object, path: &str, labels: &Value) -> Result<BTreeMap<String, String>, ApplyError> {
    let mut read = BTreeMap::new();
    for (label, value) in labels.as_object().into_iter().flatten() {
        let value =
            value.as_str().ok_or_else(|| object.shape(&format!("spec.{path}"), "labels whose values are text"))?;
        read.insert(label.clone(), value.to_owned());
    }
    Ok(read)
}
