//! `weir validate`: compiles documents with the very cores that the filters run.

use crate::Failure;
use clap::ValueEnum;
use serde_json::Value;
use std::path::{Path, PathBuf};
use weir_model::{Filter, Node, Problems, Struct, StructValue};

/// A module, and so the schema of its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Module {
    Policy,
    RateLimit,
    Telemetry,
    Suite,
}

impl Module {
    /// The module whose fields `document` has.
    fn of(document: &Value) -> Self {
        let has = |names: &[&str]| names.iter().any(|name| document.get(name).is_some());
        if has(&["policy", "rateLimit", "telemetry"]) {
            Self::Suite
        } else if has(&["rate_limits", "local", "global", "apply", "virtual_hosts"]) {
            Self::RateLimit
        } else if has(&["policies", "workload", "providers", "shadow", "audit"]) {
            Self::Policy
        } else {
            Self::Telemetry
        }
    }

    /// Compiles `document` as the module would on a proxy of namespace `default` without labels.
    fn compile(self, document: &[u8]) -> Result<(), Problems> {
        let namespace = ("NAMESPACE".to_owned(), StructValue::Text("default".to_owned()));
        let labels = ("LABELS".to_owned(), StructValue::Map(Struct::new()));
        let node = Node { metadata: [namespace, labels].into(), ..Node::default() };
        match self {
            Self::Policy => weir_policy::Policy::compile(document, &node).map(drop),
            Self::RateLimit => weir_rate_limit::RateLimit::compile(document, &node).map(drop),
            Self::Telemetry => weir_telemetry::Telemetry::compile(document, &node).map(drop),
            Self::Suite => weir_suite::Suite::compile(document, &node).map(drop),
        }
    }
}

/// Reads a YAML or JSON file.
pub(crate) fn read(path: &Path) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Use(format!("`{}` cannot be read: {error}", path.display())))?;
    serde_yaml_ng::from_str(&text).map_err(|error| Failure::No(format!("`{}` is not YAML: {error}", path.display())))
}

/// Validates files; prints one line per problem, and one per file that is fine.
pub(crate) fn validate(files: &[PathBuf], module: Option<Module>) -> Result<(), Failure> {
    let mut bad = 0;
    for path in files {
        let document = read(path)?;
        let module = module.unwrap_or_else(|| Module::of(&document));
        match module.compile(document.to_string().as_bytes()) {
            Ok(()) => println!("{}: a valid {module:?} document", path.display()),
            Err(problems) => {
                bad += 1;
                for problem in &problems.0 {
                    println!("{}: {problem}", path.display());
                }
            }
        }
    }
    if bad == 0 { Ok(()) } else { Err(Failure::No(format!("{bad} of {} documents cannot be used", files.len()))) }
}
