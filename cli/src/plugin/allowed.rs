//! What a plugin may ask of Envoy, where that is restricted.

use crate::capabilities;
use crate::compile::Module;
use crate::field::{field, spelling};
use serde_json::Value;
use weir_policy::Protocol;

/// A list of capabilities that is not empty, and its path: what is not in it, Envoy does not let the module do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) path: String,
    names: Vec<String>,
}

impl Allowed {
    pub(super) fn of(value: &Value, path: &str) -> Option<Self> {
        let vm = spelling(value, "vm_config");
        let inner = vm.as_ref().and_then(|vm| Some((value.get(vm)?, format!("{path}.{vm}"))));
        [Some((value, path.to_owned())), inner].into_iter().flatten().find_map(|(holder, path)| {
            let name = spelling(holder, "capability_restriction_config")?;
            let list =
                field(holder.get(&name)?, "allowed_capabilities")?.as_object().filter(|list| !list.is_empty())?;
            Some(Self { path: format!("{path}.{name}"), names: list.keys().cloned().collect() })
        })
    }

    /// What it lacks of what a module needs.
    pub(crate) fn missing(&self, module: Module, protocol: Protocol) -> Vec<&'static str> {
        let mut missing = capabilities::essential(module, protocol);
        missing.retain(|needed| !self.names.iter().any(|name| name == needed));
        missing
    }
}
