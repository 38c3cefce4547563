//! The modules inside this binary.

/// Name of a module file and its bytes; empty bytes mean that the binary was built before the module.
const MODULES: [(&str, &[u8]); 9] = [
    ("policy.wasm", include_bytes!(concat!(env!("OUT_DIR"), "/policy.wasm"))),
    ("policy-audit.wasm", include_bytes!(concat!(env!("OUT_DIR"), "/policy-audit.wasm"))),
    ("rate-limit.wasm", include_bytes!(concat!(env!("OUT_DIR"), "/rate-limit.wasm"))),
    ("rate-limit-lean.wasm", include_bytes!(concat!(env!("OUT_DIR"), "/rate-limit-lean.wasm"))),
    ("telemetry.wasm", include_bytes!(concat!(env!("OUT_DIR"), "/telemetry.wasm"))),
    ("telemetry-response.wasm", include_bytes!(concat!(env!("OUT_DIR"), "/telemetry-response.wasm"))),
    ("suite.wasm", include_bytes!(concat!(env!("OUT_DIR"), "/suite.wasm"))),
    ("suite-lean.wasm", include_bytes!(concat!(env!("OUT_DIR"), "/suite-lean.wasm"))),
    ("suite-audit.wasm", include_bytes!(concat!(env!("OUT_DIR"), "/suite-audit.wasm"))),
];

/// The modules' names, as `weir pack --module` takes them.
pub(crate) const NAMES: [&str; MODULES.len()] = [
    "policy",
    "policy-audit",
    "rate-limit",
    "rate-limit-lean",
    "telemetry",
    "telemetry-response",
    "suite",
    "suite-lean",
    "suite-audit",
];

/// The module with that file name, if it is inside.
pub(crate) fn find(file_name: &str) -> Option<&'static [u8]> {
    MODULES.iter().find(|(name, bytes)| *name == file_name && !bytes.is_empty()).map(|(_, bytes)| *bytes)
}
