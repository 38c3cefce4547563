//! The list of capabilities that `weir render` writes is that of the built modules. Needs `make build`.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasmparser::{Parser, Payload};
use weir_testing::Rows;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// What a module imports, and the callbacks that it exports: those that Envoy looks for by a capability's name
/// (`WasmBase::registerCallbacks` and `getFunctions` of proxy-wasm-cpp-host). Memory is asked for without one.
fn capabilities(module: &str) -> BTreeSet<String> {
    let bytes = fs::read(workspace().join("dist").join(module)).unwrap();
    let mut found = BTreeSet::new();
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.unwrap() {
            Payload::ImportSection(imports) => {
                found.extend(imports.into_imports().map(|import| import.unwrap().name.to_owned()));
            }
            Payload::ExportSection(exports) => {
                let names = exports.into_iter().map(|export| export.unwrap().name.to_owned());
                found.extend(names.filter(|name| name.starts_with("proxy_on_") && name != "proxy_on_memory_allocate"));
            }
            _ => {}
        }
    }
    found
}

/// What the filter of a rendered snippet may do.
fn allowed(module: &str) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let document =
        "schema: 1\nname: t\npolicy: {}\nrateLimit: {local: {config: {domain: d, descriptors: []}}}\ntelemetry: {}\n";
    fs::write(folder.path().join("t.yaml"), document).unwrap();
    let arguments =
        ["render", "envoy", "--snippet", "--module", module, "--config", "t.yaml", "--workload", "shop/cart"];
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .current_dir(folder.path())
        .args(arguments)
        .args(["--proxy", "sidecar", "--module-file", "/m.wasm", "--direction", "inbound"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let filters: Value = serde_yaml_ng::from_slice(&output.stdout).unwrap();
    let list = filters.pointer("/0/typed_config/config/vm_config/capability_restriction_config/allowed_capabilities");
    list.unwrap().as_object().unwrap().keys().cloned().collect()
}

#[test]
fn a_module_may_do_what_it_or_a_variant_of_it_does_and_no_more() {
    let mut rows = Rows::default();
    for (module, variants) in [
        ("policy", &["policy.wasm", "policy-audit.wasm"][..]),
        ("rate-limit", &["rate-limit.wasm", "rate-limit-lean.wasm"]),
        ("telemetry", &["telemetry.wasm", "telemetry-response.wasm"]),
        ("suite", &["suite.wasm", "suite-lean.wasm", "suite-audit.wasm"]),
    ] {
        let needed: BTreeSet<String> = variants.iter().flat_map(|variant| capabilities(variant)).collect();
        rows.check(module, allowed(module), needed);
    }
}
