//! Documents compiled by the very cores that the filters run.

mod proxies;

use crate::packed;
use proxies::is_placed;

use clap::ValueEnum;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use weir_config::{Mode, SCHEMA};
use weir_model::{Filter, Node, Problem, Problems, TcpFilter, Warning};
use weir_policy::{Protocol, Reading, Review};

/// A module, and so the schema of its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Module {
    Policy,
    RateLimit,
    Telemetry,
    Suite,
}

/// What is around a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The plugin that it configures.
    Plugin,
    /// Nothing: any proxy may get it.
    Alone,
    /// Nothing, and it was made for one policy: the policy alone matters.
    Policy,
}

/// What the cores say of a document, each thing once.
#[derive(Debug, Default)]
pub(crate) struct Compiled {
    pub(crate) problems: Vec<Problem>,
    /// What is well formed and cannot do what its author means.
    pub(crate) warnings: Vec<Warning>,
    pub(crate) rules: RulesTried,
}

/// The rules of policies, and which of them every request is checked against.
#[derive(Clone, Debug, Default)]
pub(crate) struct RulesTried {
    pub(crate) all: usize,
    /// Each as `NAMESPACE/POLICY[INDEX]`.
    pub(crate) always: Vec<String>,
}

/// A section of a document that decides requests, or the whole document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) module: Module,
    /// JSON path of it in the document.
    pub(crate) path: &'static str,
    pub(crate) value: &'a Value,
    pub(crate) mode: &'a str,
}

impl Part<'_> {
    /// Whether it can refuse a request by its rules or limits.
    pub(crate) fn refuses(&self) -> bool {
        self.module != Module::Telemetry && self.mode == "enforce"
    }

    /// Whether it can refuse a request by a policy.
    pub(crate) fn enforces_policy(&self) -> bool {
        let list = self.value.get("policies").and_then(Value::as_array);
        let has_policies = list.is_some_and(|list| !list.is_empty()) || self.value.get("policiesGzip").is_some();
        self.module == Module::Policy && self.refuses() && has_policies
    }
}

impl Module {
    /// The word of the command line, and the stem of the module's file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::RateLimit => "rate-limit",
            Self::Telemetry => "telemetry",
            Self::Suite => "suite",
        }
    }

    /// The module whose fields `document` has.
    pub(crate) fn of(document: &Value) -> Self {
        let has = |names: &[&str]| names.iter().any(|name| document.get(name).is_some());
        if has(&["rate_limits", "local", "global", "apply", "virtual_hosts"]) {
            Self::RateLimit
        } else if has(&["policies", "policiesGzip", "workload", "providers", "shadow", "audit"]) {
            Self::Policy
        } else if has(&["metricPrefix", "reporter", "cardinality", "peerMetadata"]) {
            Self::Telemetry
        } else {
            Self::Suite
        }
    }

    /// The module of that file or image: `dist/suite.wasm`, `oci://registry.example.com/weir/suite:0.1.0`.
    pub(crate) fn named(source: &str) -> Option<Self> {
        match stem(source) {
            "policy" | "policy-observe" => Some(Self::Policy),
            "rate-limit" | "rate-limit-lean" => Some(Self::RateLimit),
            "telemetry" | "telemetry-response" => Some(Self::Telemetry),
            "suite" | "suite-lean" => Some(Self::Suite),
            _ => None,
        }
    }

    /// Whether the module of that file or image is known to have no callback for response headers.
    pub(crate) fn misses_responses(source: &str) -> bool {
        matches!(stem(source), "policy" | "policy-observe" | "telemetry" | "rate-limit-lean" | "suite-lean")
    }

    /// Whether the module of that file or image is known to have no callback for the ends of streams.
    pub(crate) fn misses_ends(source: &str) -> bool {
        matches!(stem(source), "policy" | "rate-limit" | "rate-limit-lean")
    }

    /// The parts that `document` has, with the mode of each; one that is not a mode is kept as written.
    pub(crate) fn parts(self, document: &Value) -> Vec<Part<'_>> {
        let mode = mode(document).unwrap_or(Mode::default().word());
        if self != Self::Suite {
            return vec![Part { module: self, path: "$", value: document, mode }];
        }
        let sections = [
            (Self::Policy, "policy", "$.policy"),
            (Self::RateLimit, "rateLimit", "$.rateLimit"),
            (Self::Telemetry, "telemetry", "$.telemetry"),
        ];
        let part = |(module, name, path)| {
            let value: &Value = document.get(name)?;
            Some(Part { module, path, value, mode: self::mode(value).unwrap_or(mode) })
        };
        sections.into_iter().filter_map(part).collect()
    }

    /// What the cores say of a document. Each of its policies is read in full, also those for other workloads. The document is compiled as
    /// the module would, on the proxy of the bootstrap around it, or on a sidecar where there is none. A document that stands
    /// alone may also go to an Envoy without Istio, which is warned of more.
    pub(crate) fn compile(
        self,
        protocol: Protocol,
        document: &Value,
        own: Option<&Node>,
        standing: Standing,
    ) -> Compiled {
        let section = document.get("policy").unwrap_or(document);
        let packed = packed::policies(section).and_then(Result::ok);
        let listed = proxies::policies(section, packed.as_ref());
        let sidecar = || proxies::sidecar(&listed);
        // Each with whether the kind of proxy is unknown.
        let nodes: Vec<(Node, bool)> = match own {
            _ if standing == Standing::Policy => Vec::new(),
            Some(own) => vec![(own.clone(), false)],
            None => {
                let mut nodes = vec![(sidecar(), false)];
                nodes.extend((standing == Standing::Alone).then(|| (Node { id: String::new(), ..sidecar() }, true)));
                nodes.extend(proxies::gateways(&listed).into_iter().map(|gateway| (gateway, false)));
                nodes
            }
        };
        let mut compiled = Compiled::default();
        let policies = self.policies(document);
        if standing != Standing::Policy {
            // Policies are read apart: an index of ten thousand rules is not needed to know what is wrong with them.
            let bytes = self.without_policies(document).to_string().into_bytes();
            for (node, is_unknown) in &nodes {
                compiled.add(self.warnings(protocol, &bytes, node), *is_unknown);
            }
        }
        let Some((text, prefix)) = policies else { return compiled };
        let is_placed = own.is_some() || is_placed(self.section(document));
        let mut read = |node: &Node, reading, is_unknown| {
            let found = weir_policy::review(protocol, text.as_bytes(), node, reading).map(|review| {
                let Review { warnings, rules, always_tried } = review;
                // Of a workload that is known its own rules count, of others all.
                if is_placed == (reading == Reading::Workload) && rules > compiled.rules.all {
                    compiled.rules = RulesTried { all: rules, always: always_tried };
                }
                warnings
            });
            let mut found = located(found, prefix);
            if let (Ok(warnings), Reading::All, true) = (&mut found, reading, is_placed) {
                // What is doubtful in policies for others does not matter to this workload.
                warnings.retain(|warning| warning.id == "selects-nothing");
            }
            compiled.add(found, is_unknown);
        };
        // What a proxy of an unknown kind is warned of is among what it is warned of where all is read.
        for (node, is_unknown) in nodes.iter().filter(|(_, is_unknown)| is_placed || !is_unknown) {
            read(node, Reading::Workload, *is_unknown);
        }
        read(
            &own.cloned().unwrap_or_else(|| Node { id: "sidecar~".to_owned(), ..Node::default() }),
            Reading::All,
            false,
        );
        if standing == Standing::Alone && !is_placed {
            read(&Node::default(), Reading::All, true);
        }
        compiled
    }

    /// The section of a document that has the policies.
    fn section(self, document: &Value) -> &Value {
        document.get("policy").filter(|_| self == Self::Suite).unwrap_or(document)
    }

    /// The document without the policies in it.
    fn without_policies(self, document: &Value) -> Value {
        let without = |value: &Value| match value {
            Value::Object(fields) => {
                let kept = fields.iter().filter(|(name, _)| !["policies", "policiesGzip"].contains(&name.as_str()));
                Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            other => other.clone(),
        };
        match (self, document) {
            (Self::Policy, _) => without(document),
            (Self::Suite, Value::Object(fields)) => {
                let field = |(name, value): (&String, &Value)| {
                    (name.clone(), if name == "policy" { without(value) } else { value.clone() })
                };
                Value::Object(fields.iter().map(field).collect())
            }
            _ => document.clone(),
        }
    }

    /// The policy section of a document as the text of a document, and what its paths begin with in the whole.
    fn policies(self, document: &Value) -> Option<(String, &'static str)> {
        match self {
            Self::Policy => Some((document.to_string(), "$")),
            Self::Suite => {
                let mut fields: BTreeMap<&str, &Value> =
                    document.get("policy")?.as_object()?.iter().map(|(name, value)| (name.as_str(), value)).collect();
                let (schema, name) = (Value::from(SCHEMA), Value::from("validate"));
                fields.extend([("schema", &schema), ("name", &name)]);
                Some((serde_json::to_string(&fields).ok()?, "$.policy"))
            }
            Self::RateLimit | Self::Telemetry => None,
        }
    }

    /// Compiles `document`, which says itself what its workload is.
    pub(crate) fn compile_for(self, protocol: Protocol, document: &Value) -> Compiled {
        match self.warnings(protocol, document.to_string().as_bytes(), &Node::default()) {
            Ok(warnings) => Compiled { warnings, ..Compiled::default() },
            Err(found) => Compiled { problems: found.0, ..Compiled::default() },
        }
    }

    fn warnings(self, protocol: Protocol, document: &[u8], node: &Node) -> Result<Vec<Warning>, Problems> {
        match (self, protocol) {
            (Self::Policy, Protocol::Http) => warnings_of::<weir_policy::Policy>(document, node),
            (Self::Policy, Protocol::Tcp) => warnings_of_connections::<weir_policy::TcpPolicy>(document, node),
            // They have no filter of connections, which is said of the plugin.
            (Self::RateLimit, _) => warnings_of::<weir_rate_limit::RateLimit>(document, node),
            (Self::Telemetry, _) => warnings_of::<weir_telemetry::Telemetry>(document, node),
            (Self::Suite, Protocol::Http) => warnings_of::<weir_suite::Suite>(document, node),
            (Self::Suite, Protocol::Tcp) => warnings_of_connections::<weir_suite::TcpSuite>(document, node),
        }
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Policy => "policy",
            Self::RateLimit => "rate limit",
            Self::Telemetry => "telemetry",
            Self::Suite => "suite",
        })
    }
}

/// The name of a file or image without what is around it.
pub(crate) fn stem(source: &str) -> &str {
    let file = source.rsplit('/').next().unwrap_or(source);
    let name = file.split(['@', ':']).next().unwrap_or(file);
    name.strip_suffix(".wasm").unwrap_or(name)
}

fn warnings_of<F: Filter>(document: &[u8], node: &Node) -> Result<Vec<Warning>, Problems> {
    F::compile(document, node).map(|filter| filter.warnings().to_vec())
}

fn warnings_of_connections<T: TcpFilter>(document: &[u8], node: &Node) -> Result<Vec<Warning>, Problems> {
    T::compile(document, node).map(|filter| filter.warnings().to_vec())
}

/// The mode that is written; `off` without quotes is `false` in YAML.
fn mode(value: &Value) -> Option<&str> {
    match value.get("mode")? {
        Value::Bool(false) => Some(Mode::Off.word()),
        mode => mode.as_str(),
    }
}

/// The same of a section.
fn located(result: Result<Vec<Warning>, Problems>, prefix: &str) -> Result<Vec<Warning>, Problems> {
    let located = |path: &str| format!("{prefix}{}", path.strip_prefix('$').unwrap_or(path));
    match result {
        Ok(warnings) => Ok(warnings.into_iter().map(|one| Warning { path: located(&one.path), ..one }).collect()),
        Err(problems) => {
            let problems = problems.0.into_iter();
            Err(Problems(problems.map(|one| Problem { path: located(&one.path), ..one }).collect()))
        }
    }
}

impl Compiled {
    /// Adds what one reading found, each thing once. A reading for a proxy of an unknown kind is asked for warnings only: its
    /// problems are that it does not know the kind, which the document would then have to say.
    fn add(&mut self, found: Result<Vec<Warning>, Problems>, is_unknown: bool) {
        match found {
            Ok(warnings) => {
                for one in warnings {
                    if !self.warnings.contains(&one) {
                        self.warnings.push(one);
                    }
                }
            }
            Err(_) if is_unknown => {}
            Err(problems) => {
                for one in problems.0 {
                    if !self.problems.contains(&one) {
                        self.problems.push(one);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
