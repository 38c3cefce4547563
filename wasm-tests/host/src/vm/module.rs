//! Modules: compiled once per process and content, checked for what Envoy demands of them before anything runs.

use crate::process::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use wasmtime::{Config, Engine, Module, ValType};

/// The ABI versions that Envoy knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Abi {
    V0_1_0,
    V0_2_0,
    V0_2_1,
}

/// A module that can be started.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) module: Module,
    pub(crate) abi: Abi,
}

/// Callbacks with the number of their parameters (contexts included) and whether they return a word.
pub(crate) const CALLBACKS: [(&str, usize, bool); 28] = [
    ("proxy_on_context_create", 2, false),
    ("proxy_on_vm_start", 2, true),
    ("proxy_on_configure", 2, true),
    ("proxy_validate_configuration", 2, true),
    ("proxy_on_tick", 1, false),
    ("proxy_on_new_connection", 1, true),
    ("proxy_on_downstream_data", 3, true),
    ("proxy_on_upstream_data", 3, true),
    ("proxy_on_downstream_connection_close", 2, false),
    ("proxy_on_upstream_connection_close", 2, false),
    ("proxy_on_request_body", 3, true),
    ("proxy_on_request_trailers", 2, true),
    ("proxy_on_request_metadata", 2, true),
    ("proxy_on_response_body", 3, true),
    ("proxy_on_response_trailers", 2, true),
    ("proxy_on_response_metadata", 2, true),
    ("proxy_on_http_call_response", 5, false),
    ("proxy_on_grpc_receive", 3, false),
    ("proxy_on_grpc_close", 3, false),
    ("proxy_on_grpc_receive_initial_metadata", 3, false),
    ("proxy_on_grpc_receive_trailing_metadata", 3, false),
    ("proxy_on_queue_ready", 2, false),
    ("proxy_on_foreign_function", 3, false),
    ("proxy_on_done", 1, true),
    ("proxy_on_log", 1, false),
    ("proxy_on_delete", 1, false),
    ("malloc", 1, true),
    ("proxy_on_memory_allocate", 1, true),
];

/// One engine for the process: modules are compiled for it once.
pub(crate) fn engine() -> Result<&'static Engine, String> {
    static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
    let make = || {
        let mut config = Config::new();
        config.consume_fuel(true);
        Engine::new(&config).map_err(|e| e.to_string())
    };
    ENGINE.get_or_init(make).as_ref().map_err(Clone::clone)
}

/// Compiles a module, or takes it from those compiled before, and checks its exports.
///
/// # Errors
/// What Envoy would refuse it for.
pub(crate) fn load(code: &Arc<[u8]>) -> Result<Loaded, String> {
    static CACHE: OnceLock<Mutex<HashMap<Arc<[u8]>, Loaded>>> = OnceLock::new();
    let mut cache = lock(CACHE.get_or_init(Mutex::default));
    if let Some(loaded) = cache.get(code) {
        return Ok(loaded.clone());
    }
    let module = Module::new(engine()?, code).map_err(|e| format!("Failed to load Wasm code: {e:#}"))?;
    let abi = version(&module).ok_or("Missing or unknown Proxy-Wasm ABI version")?;
    signatures(&module, abi)?;
    let loaded = Loaded { module, abi };
    cache.insert(Arc::clone(code), loaded.clone());
    Ok(loaded)
}

fn version(module: &Module) -> Option<Abi> {
    module.exports().find_map(|export| match export.name() {
        "proxy_abi_version_0_1_0" => Some(Abi::V0_1_0),
        "proxy_abi_version_0_2_0" => Some(Abi::V0_2_0),
        "proxy_abi_version_0_2_1" => Some(Abi::V0_2_1),
        _ => None,
    })
}

/// An exported callback must have the type that the host calls it with.
fn signatures(module: &Module, abi: Abi) -> Result<(), String> {
    // The headers callbacks of version 0.1.0 have no argument for the stream's end.
    let headers = if abi == Abi::V0_1_0 { 2 } else { 3 };
    let versioned = [("proxy_on_request_headers", headers, true), ("proxy_on_response_headers", headers, true)];
    for (name, parameters, returns) in CALLBACKS.into_iter().chain(versioned) {
        let Some(export) = module.get_export(name) else { continue };
        let Some(ty) = export.func().cloned() else { continue };
        let words = |mut types: Box<dyn Iterator<Item = ValType> + '_>| types.all(|ty| matches!(ty, ValType::I32));
        let fits = ty.params().len() == parameters
            && ty.results().len() == usize::from(returns)
            && words(Box::new(ty.params()))
            && words(Box::new(ty.results()));
        if !fits {
            return Err(format!("Bad function signature for: {name}"));
        }
    }
    Ok(())
}
