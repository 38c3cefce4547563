//! Discovery over files: Envoy watches a directory and reads its file again when something is moved into it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use weir_scenario::Failure;

use crate::bootstrap::{self, ServerTls};
use crate::filters::{Discovery, OnFailure, Plugin, Setup};

/// Writes every discovery file of a setup.
pub(crate) fn write_all(setup: &Setup, tls: Option<&ServerTls>, dir: &Path) -> Result<(), Failure> {
    match setup.discovery {
        Discovery::None => Ok(()),
        Discovery::Filters => setup.plugins.iter().try_for_each(|plugin| write_filter(plugin, setup.on_failure, dir)),
        Discovery::Listener => write_listener(setup, tls, dir),
        Discovery::Both => {
            setup.plugins.iter().try_for_each(|plugin| write_filter(plugin, setup.on_failure, dir))?;
            write_listener(setup, tls, dir)
        }
    }
}

/// Writes the file of one filter.
pub(crate) fn write_filter(plugin: &Plugin, on_failure: OnFailure, dir: &Path) -> Result<(), Failure> {
    let resource = json!({
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        "name": plugin.name,
        "typed_config": bootstrap::wasm(plugin, on_failure),
    });
    write(&bootstrap::filter_file(dir, &plugin.name), resource)
}

/// Writes the file of the listener.
pub(crate) fn write_listener(setup: &Setup, tls: Option<&ServerTls>, dir: &Path) -> Result<(), Failure> {
    let mut resource = bootstrap::listener(setup, tls, dir);
    if let Some(fields) = resource.as_object_mut() {
        fields.insert("@type".to_owned(), json!("type.googleapis.com/envoy.config.listener.v3.Listener"));
    }
    write(&bootstrap::listener_file(dir), resource)
}

/// Writes beside the watched directory and moves the file into it, so that Envoy never reads half of it.
fn write(file: &Path, resource: Value) -> Result<(), Failure> {
    let failed = |error| Failure(format!("{}: {error}", file.display()));
    let watched = file.parent().unwrap_or(file);
    fs::create_dir_all(watched).map_err(failed)?;
    let next = watched.with_extension("next");
    fs::write(&next, json!({"resources": [resource]}).to_string()).map_err(failed)?;
    fs::rename(&next, file).map_err(failed)
}
