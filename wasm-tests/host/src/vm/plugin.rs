//! A plugin as Envoy's `PluginConfig` describes one.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What happens to streams that begin when the plugin's VM is dead.
///
/// With every policy, the stream whose callback killed the VM is answered 503 with details `wasm_fail_stream`, and so is
/// each stream in flight when its next frame comes to the plugin. Only [`PluginSpec::fail_open`] lets them pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailurePolicy {
    /// They are answered with the same 503.
    #[default]
    FailClosed,
    /// They pass as if the plugin were not there.
    FailOpen,
    /// As closed, but a stream that begins after the back-off gets a new VM.
    FailReload,
}

/// One Wasm filter.
#[derive(Clone, Debug)]
pub struct PluginSpec {
    /// `name`
    pub name: String,
    /// `root_id`
    pub root_id: String,
    /// `vm_config.vm_id`: the namespace of shared data.
    pub vm_id: String,
    /// `vm_config.configuration`
    pub vm_config: Vec<u8>,
    /// `configuration`
    pub configuration: Vec<u8>,
    /// `vm_config.code`: Wasm, or the text format.
    pub module: Arc<[u8]>,
    /// `failure_policy`
    pub failure_policy: FailurePolicy,
    /// `fail_open`, which is older than `failure_policy`: all streams of a dead VM pass, the one that killed it included.
    /// Envoy refuses a plugin with both.
    pub fail_open: bool,
    /// `vm_config.environment_variables.key_values`
    pub environment: BTreeMap<String, String>,
}

impl PluginSpec {
    /// A plugin with a module and a configuration, everything else as Envoy has it by default.
    #[must_use]
    pub fn new(name: &str, module: impl Into<Arc<[u8]>>, configuration: impl Into<Vec<u8>>) -> Self {
        PluginSpec {
            name: name.to_owned(),
            root_id: String::new(),
            vm_id: String::new(),
            vm_config: Vec::new(),
            configuration: configuration.into(),
            module: module.into(),
            failure_policy: FailurePolicy::default(),
            fail_open: false,
            environment: BTreeMap::new(),
        }
    }

    /// What decides whether two plugins share a VM.
    pub(crate) fn vm_key(&self) -> VmKey {
        (self.vm_id.clone(), self.vm_config.clone(), self.environment.clone(), Arc::clone(&self.module))
    }

    /// What decides whether two plugins share a root context.
    pub(crate) fn same_plugin(&self, other: &PluginSpec) -> bool {
        self.name == other.name
            && self.root_id == other.root_id
            && self.configuration == other.configuration
            && self.vm_key() == other.vm_key()
    }

    /// `wasm log NAME ROOT_ID VM_ID`, without what is empty.
    pub(crate) fn log_prefix(&self) -> String {
        let parts = [&self.name, &self.root_id, &self.vm_id];
        parts.into_iter().filter(|part| !part.is_empty()).fold("wasm log".to_owned(), |text, part| text + " " + part)
    }
}

/// `vm_id`, VM configuration, environment and code.
pub(crate) type VmKey = (String, Vec<u8>, BTreeMap<String, String>, Arc<[u8]>);
