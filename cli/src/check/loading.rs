//! Whether Envoy runs a module as the kind of filter that its root id names.

use crate::compile::Module;
use crate::diagnostic::Diagnostics;
use crate::plugin::{Plugin, Root};

/// Whether Envoy runs the module at all.
pub(super) fn check(plugin: &Plugin, diagnostics: &mut Diagnostics) {
    match (&plugin.root, &plugin.not_http) {
        (Root::Tcp, Some(_)) if plugin.is_network => connections(plugin, diagnostics),
        (Root::Tcp, _) => {
            let message = "root id `weir.tcp` is for connections: load the module as a network filter (`type: NETWORK`, in Envoy \
                           `envoy.filters.network.wasm`), or write `weir`";
            diagnostics.error(plugin.root_path.as_str(), message);
        }
        (_, Some((path, kind))) => {
            let instead =
                if plugin.is_network { "; for policies on connections write the root id `weir.tcp`" } else { "" };
            let message =
                format!("{kind} cannot run the module, which is an HTTP filter: no request would be decided{instead}");
            diagnostics.error(path.as_str(), message);
        }
        (_, None) => {}
    }
    for path in &plugin.unknown {
        if plugin.is_object {
            let message = "unknown field of Envoy's: istiod drops it in silence";
            diagnostics.warning("unknown-field", path.as_str(), message);
        } else {
            diagnostics.error(path.as_str(), "unknown field: Envoy refuses its configuration");
        }
    }
    if let Some(path) = &plugin.other_digest {
        let message = "this is not the digest in the image's address: none is loaded, unless that one is of an index, and this \
                       one of its image for linux/amd64; write the digest of the image manifest in both places, or remove one";
        diagnostics.warning("other-digest", path.as_str(), message);
    }
    if let Root::Unknown(id) = &plugin.root {
        diagnostics.error(plugin.root_path.as_str(), format!("root id `{id}` is unknown: remove it, or write `weir`"));
    }
}

/// Whether the module has a filter of connections.
fn connections(plugin: &Plugin, diagnostics: &mut Diagnostics) {
    if let Some(module @ (Module::RateLimit | Module::Telemetry)) = plugin.module {
        let message = format!("{}.wasm has no filter of connections: load policy.wasm or suite.wasm", module.word());
        diagnostics.error(plugin.root_path.as_str(), message);
    }
}
