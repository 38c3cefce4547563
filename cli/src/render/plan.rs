//! What is to be rendered, checked: every option fits the form and the workload.

use super::code::{Code, code};
use super::form::Form;
use super::schema::Istio;
use super::workload::{Direction, Known, Labels, Proxy, Target, Workload};
use crate::compile::Module;
use crate::names;
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use weir_config::Mode;
use weir_policy::Protocol;

/// The label of every rendered object, and its value.
pub(crate) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub(crate) const MANAGER: &str = "weir";

/// What is to be rendered for one workload.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) form: Form,
    pub(crate) module: Module,
    pub(crate) workload: Workload,
    pub(crate) directions: Vec<Direction>,
    /// What is decided.
    pub(crate) protocol: Protocol,
    /// The ports of connections, where a form needs them.
    pub(crate) ports: Vec<u16>,
    pub(crate) code: Code,
    pub(crate) phase: Phase,
    pub(crate) priority: i32,
    /// The Istio lines whose schemas the objects must fit.
    pub(crate) istio: Vec<Istio>,
    pub(crate) envoy: EnvoyLine,
    /// The mode that all sections get.
    pub(crate) mode: Option<Mode>,
    pub(crate) sections: Sections,
    /// Whether the files may have policies, and none for the workload.
    pub(crate) allows_no_policies: bool,
    /// Fields of the policy's `workload` that hold for the whole mesh.
    pub(crate) mesh: Map<String, Value>,
    /// Istio's own metrics are turned off.
    pub(crate) replaces_native: bool,
    /// Only the filters, for a bootstrap of the operator's.
    pub(crate) is_snippet: bool,
}

/// Which sections run where, and in which mode, where it is not as the documents say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sections {
    /// Those that run for requests that come in, and on all listeners of a gateway or waypoint.
    pub(crate) inbound: Option<Vec<Module>>,
    /// Those that run on a sidecar's outbound listeners.
    pub(crate) outbound: Option<Vec<Module>>,
    pub(crate) modes: Vec<(Module, Mode)>,
}

/// Where Istio puts a WasmPlugin among its own filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Phase {
    #[value(name = "AUTHN")]
    Authn,
    #[value(name = "AUTHZ")]
    Authz,
    #[value(name = "STATS")]
    Stats,
}

impl Phase {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Authn => "AUTHN",
            Self::Authz => "AUTHZ",
            Self::Stats => "STATS",
        }
    }
}

/// A line of Envoy releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum EnvoyLine {
    #[value(name = "1.36")]
    V1_36,
    #[value(name = "1.37")]
    V1_37,
    #[value(name = "1.38")]
    V1_38,
    #[value(name = "1.39")]
    V1_39,
    #[value(name = "1.40")]
    V1_40,
}

/// The options as they are given, on the command line or in a file.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) form: Form,
    pub(crate) module: Module,
    /// `NAMESPACE/NAME`.
    pub(crate) workload: String,
    pub(crate) selector: Labels,
    pub(crate) labels: Option<Labels>,
    pub(crate) proxy: Proxy,
    pub(crate) target: Option<String>,
    pub(crate) protocol: Protocol,
    pub(crate) ports: Vec<u16>,
    pub(crate) directions: Option<Vec<Direction>>,
    pub(crate) image: Option<String>,
    pub(crate) sha256: Option<String>,
    pub(crate) module_file: Option<String>,
    pub(crate) pull_secret: Option<String>,
    pub(crate) phase: Option<Phase>,
    pub(crate) priority: Option<i32>,
    pub(crate) istio: Option<Istio>,
    pub(crate) envoy: Option<EnvoyLine>,
    pub(crate) mode: Option<Mode>,
    pub(crate) sections: Sections,
    pub(crate) allows_no_policies: bool,
    pub(crate) mesh: Map<String, Value>,
    pub(crate) replaces_native: bool,
    pub(crate) is_snippet: bool,
}

impl Wanted {
    /// A module for a workload in a form, and nothing else asked for.
    pub(crate) fn new(form: Form, module: Module, workload: &str, proxy: Proxy) -> Self {
        Self {
            form,
            module,
            workload: workload.to_owned(),
            selector: Labels::new(),
            labels: None,
            proxy,
            target: None,
            protocol: Protocol::Http,
            ports: Vec::new(),
            directions: None,
            image: None,
            sha256: None,
            module_file: None,
            pull_secret: None,
            phase: None,
            priority: None,
            istio: None,
            envoy: None,
            mode: None,
            sections: Sections::default(),
            allows_no_policies: false,
            mesh: Map::new(),
            replaces_native: false,
            is_snippet: false,
        }
    }
}

impl Plan {
    /// The plan for what is wanted.
    ///
    /// # Errors
    /// Everything that does not fit, with what does.
    pub(crate) fn of(wanted: &Wanted) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut check = |fits: bool, problem: String| {
            if !fits {
                problems.push(problem);
            }
        };
        let Wanted { form, module, proxy, .. } = *wanted;
        check(form.serves(proxy), format!("form {form} is not for a {}", proxy.word()));
        check(
            wanted.phase.is_none() || form.has_phase(),
            format!("--phase is not for form {form}, which stands right before Envoy's router or where you put it"),
        );
        check(wanted.priority.is_none() || form.has_priority(), format!("--priority is not for form {form}"));
        check(wanted.istio.is_none() || form.is_istios(), format!("--istio is not for form {form}"));
        check(
            wanted.envoy.is_none() || form == Form::Envoy,
            format!("--envoy is for form envoy alone: the Envoy of form {form} comes with its control plane"),
        );
        check(!wanted.is_snippet || form == Form::Envoy, format!("--snippet is not for form {form}"));
        check(
            !wanted.replaces_native || (form.is_istios() && matches!(module, Module::Telemetry | Module::Suite)),
            "--replace-native is for telemetry and the suite in Istio's forms".to_owned(),
        );
        connections(wanted, &mut check);
        let lines = form.lines();
        let istio = match wanted.istio {
            Some(line) => {
                let known = lines.iter().map(|line| line.name()).collect::<Vec<_>>().join(", ");
                check(
                    !form.is_istios() || lines.contains(&line),
                    format!("Istio {} has no form {form}: it is in {known}", line.name()),
                );
                vec![line]
            }
            None => lines.to_vec(),
        };
        let workload = workload(wanted, &mut problems);
        let code = code(wanted, &mut problems);
        let (Some(workload), Some(code)) = (workload, code) else { return Err(problems) };
        let directions = directions(wanted, &workload, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            form,
            module,
            workload,
            directions,
            protocol: wanted.protocol,
            ports: wanted.ports.clone(),
            code,
            phase: wanted.phase.unwrap_or(default_phase(module)),
            priority: wanted.priority.unwrap_or(form.default_priority(module)),
            istio,
            envoy: wanted.envoy.unwrap_or(EnvoyLine::V1_40),
            mode: wanted.mode,
            sections: wanted.sections.clone(),
            allows_no_policies: wanted.allows_no_policies,
            mesh: wanted.mesh.clone(),
            replaces_native: wanted.replaces_native,
            is_snippet: wanted.is_snippet,
        })
    }

    /// Name of what is rendered for the workload: one for each module and protocol, so that a chain of several does not collide.
    pub(crate) fn name(&self) -> String {
        let of = if self.protocol == Protocol::Tcp { "-tcp" } else { "" };
        format!("weir-{}{of}-{}", self.module.word(), self.workload.name)
    }

    /// Whether a section runs on the listeners of a direction.
    pub(crate) fn runs(&self, section: Module, direction: Direction) -> bool {
        let Sections { inbound, outbound, .. } = &self.sections;
        let is_sidecars = self.workload.proxy == Proxy::Sidecar && direction == Direction::Outbound;
        let chosen = if is_sidecars { outbound } else { inbound };
        chosen.as_ref().is_none_or(|chosen| chosen.contains(&section))
    }

    /// `metadata` of an object of that name. The label tells objects of this tool from others, so that `weir diff` finds those
    /// that nothing describes any more.
    pub(crate) fn metadata(&self, name: &str) -> Value {
        json!({"name": name, "namespace": self.workload.namespace, "labels": {MANAGED_BY: MANAGER}})
    }

    /// The order of its EnvoyFilter among others; of one that only goes with the module itself, Istio's default.
    pub(crate) fn envoyfilter_priority(&self) -> i32 {
        if self.form == Form::EnvoyFilter { self.priority } else { 0 }
    }

    /// The VM that both directions share, so that a worker has one, and the budget of series is one for the workload. Limits
    /// count each direction alone.
    pub(crate) fn vm_id(&self) -> String {
        format!("weir.{}.{}", self.workload.namespace, self.workload.name)
    }
}

/// Whether connections can be decided in the form.
fn connections(wanted: &Wanted, check: &mut impl FnMut(bool, String)) {
    let Wanted { form, module, proxy, .. } = *wanted;
    if wanted.protocol == Protocol::Http {
        return check(wanted.ports.is_empty(), "--port is for --protocol tcp".to_owned());
    }
    let module_fits = matches!(module, Module::Policy | Module::Suite);
    check(
        module_fits,
        format!("{}.wasm has no filter of connections: --protocol tcp is for policy and suite", module.word()),
    );
    check(form != Form::EnvoyGateway, format!("form {form} loads HTTP filters alone, so it has no --protocol tcp"));
    check(
        proxy != Proxy::Waypoint,
        "--protocol tcp is not for a waypoint: whose connections it takes, and so which policies are for them, is not known \
         here"
            .to_owned(),
    );
    check(!wanted.replaces_native, "--replace-native is about requests, and not for --protocol tcp".to_owned());
    let needs_ports = matches!(form, Form::WasmPlugin | Form::TrafficExtension);
    check(
        !needs_ports || !wanted.ports.is_empty(),
        format!(
            "--port is missing: in form {form} Istio loads a filter of connections before HTTP too, where rules about requests \
             would be skipped; name the pods' ports that are not HTTP, or use form {}, which is for TCP chains alone",
            Form::EnvoyFilter
        ),
    );
    check(
        needs_ports || wanted.ports.is_empty(),
        format!("--port is not for form {form}, which is for TCP chains alone"),
    );
}

/// Where a module stands unless it is said: policies where both Istio's JWT filter has been and Istio's own RBAC has not; the
/// others where refused requests do not come any more.
fn default_phase(module: Module) -> Phase {
    match module {
        Module::Policy | Module::Suite => Phase::Authz,
        Module::RateLimit | Module::Telemetry => Phase::Stats,
    }
}

fn workload(wanted: &Wanted, problems: &mut Vec<String>) -> Option<Workload> {
    let (namespace, name) = match names::workload(&wanted.workload) {
        Ok(id) => id,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let target = wanted.target.as_deref().map(Target::parse).transpose();
    let target = target.map_err(|problem| problems.push(format!("--target-ref {problem}"))).ok()?;
    if let Some(target) = &target
        && !wanted.form.takes(target, wanted.proxy)
    {
        problems.push(format!(
            "form {} for a {} takes no target of kind {}",
            wanted.form,
            wanted.proxy.word(),
            target.kind
        ));
    }
    if target.is_none() && wanted.form == Form::EnvoyGateway {
        problems.push("--target-ref is missing: Gateway/NAME, HTTPRoute/NAME or GRPCRoute/NAME".to_owned());
    } else if target.is_none() && wanted.proxy == Proxy::Waypoint {
        problems.push("a waypoint is selected by --target-ref Gateway/NAME, as Istio takes nothing else".to_owned());
    }
    let mut selector = wanted.selector.clone();
    if target.is_none() && selector.is_empty() && wanted.form.is_istios() {
        problems.push("--selector is missing: without it every proxy of the namespace would be selected".to_owned());
    }
    if let Some(target) = target.as_ref().filter(|target| target.is_gateway()) {
        selector.insert(super::workload::GATEWAY_NAME.to_owned(), target.name.clone());
    }
    let mut labels = wanted.labels.clone().unwrap_or_default();
    for (key, value) in &selector {
        let before = labels.insert(key.clone(), value.clone());
        if let Some(before) = before.filter(|before| before != value) {
            problems.push(format!("--labels has `{key}={before}`, and `{key}={value}` is selected"));
        }
    }
    let known = match wanted.labels {
        Some(_) if wanted.form.is_istios() => Known::Given,
        Some(_) => Known::Complete,
        None if wanted.form.is_istios() => Known::Selector,
        None => Known::Written,
    };
    Some(Workload {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        selector,
        labels,
        known,
        proxy: wanted.proxy,
        target,
    })
}

fn directions(wanted: &Wanted, workload: &Workload, problems: &mut Vec<String>) -> Vec<Direction> {
    let there_are = workload.directions();
    let Some(asked) = &wanted.directions else {
        return match wanted.module {
            Module::Telemetry if !wanted.is_snippet => there_are.to_vec(),
            _ => there_are.iter().take(1).copied().collect(),
        };
    };
    for direction in asked.iter().filter(|direction| !there_are.contains(direction)) {
        let only = there_are.first().map_or("", |direction| direction.word());
        problems.push(format!("a {} has {only} listeners only, none {}", workload.proxy.word(), direction.word()));
    }
    if wanted.is_snippet && asked.len() > 1 {
        problems.push("a snippet is for one listener: render one for each --direction".to_owned());
    }
    asked.clone()
}

#[cfg(test)]
mod tests;
