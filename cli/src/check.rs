//! What is wrong with a document, or doubtful, where it stands: what the cores say of it, and what the plugin and the routes
//! around it make of it.

mod audit;
mod loading;

use crate::compile::{Module, Part, RulesTried};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::documents::{Contents, Found, Share};
use crate::field::field;
use crate::filter_state::{Fate, Writer, fate};
use crate::plugin::{Listeners, Plugin, Strategy, Until};
use crate::routes::PathOption;
use crate::{lint, packed};
use serde_json::{Value, json};
use weir_config::Mode;
use weir_policy::Protocol;

/// Warnings of the cores about what cannot but go wrong: a rule that holds for requests it does not match, or that asks a
/// provider which is not there.
const MISFIRES: [&str; 3] = ["direct-address-unknown", "provider-unknown", "several-providers"];

/// A route option that is on in another file.
#[derive(Clone, Debug)]
pub(crate) struct Elsewhere {
    pub(crate) file: String,
    pub(crate) option: PathOption,
}

/// What the other files of the same call have that bears on a document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Others {
    pub(crate) options: Vec<Elsewhere>,
    pub(crate) writers: Vec<Writer>,
    pub(crate) parts: Parts,
}

/// Parts of rate limit documents, of which a document is put together, in all files of the call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts {
    pub(crate) limits: bool,
    pub(crate) actions: bool,
}

impl Found {
    /// Whether it is, or is for, a document that is put together of several files.
    pub(crate) fn joins(&self, others: &Others) -> bool {
        match self.share {
            Share::Limits | Share::Actions => true,
            Share::Policy => false,
            Share::Whole => self.plugin.is_none() && (others.parts.limits || others.parts.actions),
        }
    }
}

/// A document with limits, if those are in another file.
fn completed(document: &Value, module: Module, others: &Others) -> Option<Value> {
    let mut document = document.clone();
    let section = match module {
        Module::RateLimit => &mut document,
        Module::Suite => document.get_mut("rateLimit")?,
        Module::Policy | Module::Telemetry => return None,
    };
    let fields = section.as_object_mut().filter(|_| others.parts.limits)?;
    let local = fields.entry("local").or_insert_with(|| json!({}));
    local.as_object_mut()?.entry("config").or_insert_with(|| json!({"domain": "validate"}));
    Some(document)
}

/// What there is to say of a document.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Of a document that has a problem none.
    pub(crate) rules: RulesTried,
}

/// Checks `found`, which is in `file`, read as a document of `module`.
pub(crate) fn check(found: &Found, module: Module, file: &Contents, others: &Others) -> Checked {
    let mut diagnostics = Diagnostics::default();
    let location = |path: &str| found.location(path);
    let joins = found.joins(others);
    let completed = if joins { completed(&found.document, module, others) } else { None };
    let document = completed.as_ref().unwrap_or(&found.document);
    let protocol = found.plugin.as_ref().map(Plugin::protocol).unwrap_or_default();
    let compiled = module.compile(protocol, document, found.node.as_ref(), found.standing());
    let is_sound = compiled.problems.is_empty();
    for problem in compiled.problems {
        diagnostics.error(location(&problem.path), problem.message);
    }
    for warning in compiled.warnings {
        let mut diagnostic = Diagnostic::warning(warning.id, location(&warning.path), warning.message);
        // What a policy of its own lacks may be in the document that it is going to stand in.
        if MISFIRES.contains(&warning.id) && found.is_whole() {
            diagnostic.severity = Severity::Error;
        }
        diagnostics.0.push(diagnostic);
    }
    let parts = module.parts(&found.document);
    if module == Module::Suite && parts.is_empty() && found.document.is_object() {
        let message = "the document does nothing: add `policy`, `rateLimit` or `telemetry`";
        diagnostics.warning("does-nothing", found.path.as_str(), message);
    }
    let policy = parts.iter().find(|part| part.module == Module::Policy);
    // What is wrong with it is among the problems.
    let packed = policy.and_then(|part| packed::policies(part.value)?.ok());
    let mut doubtful = Diagnostics::default();
    for part in parts.iter().filter(|part| is_sound && part.mode != "off") {
        if let Some(message) = idle(part).filter(|_| !joins || part.module != Module::RateLimit) {
            diagnostics.warning("does-nothing", location(part.path), message);
        }
    }
    // A mistake can make other values look doubtful, so it is mended first.
    for part in parts.iter().filter(|_| is_sound) {
        match part.module {
            Module::Policy => {
                lint::policies(part.value.get("policies"), &format!("{}.policies", part.path), &mut doubtful);
                lint::policies(packed.as_ref(), &format!("{}.policiesGzip", part.path), &mut doubtful);
                if !found.is_whole() {
                    lint::native(part.value.get("policies"), &format!("{}.policies", part.path), &mut doubtful);
                }
            }
            Module::RateLimit => {
                lint::apply(part.value, part.path, &mut doubtful);
                // What is in other files may be what it lacks: all are looked at together.
                if !joins {
                    lint::limits(part.value, part.path, &mut doubtful);
                }
            }
            Module::Telemetry | Module::Suite => {}
        }
    }
    let placed = doubtful.0.into_iter().map(|one| Diagnostic { path: location(&one.path), ..one });
    diagnostics.0.extend(placed);
    if let Some(plugin) = &found.plugin {
        loading::check(plugin, &mut diagnostics);
        strategy(plugin, &parts, file, &mut diagnostics);
        responses(found, plugin, &parts, &mut diagnostics);
        ends(found, plugin, &parts, &mut diagnostics);
        listener(found, plugin, &mut diagnostics);
        if let Some(allowed) = &plugin.allowed
            && let missing = allowed.missing(module, protocol)
            && !missing.is_empty()
        {
            let missing = missing.join("`, `");
            let message = format!("requests would pass undecided: allow `{missing}` too, or leave the list out");
            diagnostics.error(allowed.path.as_str(), message);
        }
        audit::delivery(found, &parts, file, &mut diagnostics);
        filter_state(found, plugin, &parts, (&file.writers, &others.writers), &mut diagnostics);
    }
    if protocol == Protocol::Http {
        path_parameters(found, (&parts, packed.as_ref()), file, &others.options, &mut diagnostics);
    }
    Checked { diagnostics: diagnostics.0, rules: if is_sound { compiled.rules } else { RulesTried::default() } }
}

/// Why a part does nothing, if it does.
fn idle(part: &Part<'_>) -> Option<&'static str> {
    let has =
        |pointer: &str| part.value.pointer(pointer).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    match part.module {
        Module::Policy if !has("/policies") && part.value.get("policiesGzip").is_none() => {
            Some("there are no `policies`, so every request is allowed")
        }
        Module::RateLimit if !has("/local/config/descriptors") => {
            Some("there are no `descriptors` in `local.config`, so nothing is limited")
        }
        _ => None,
    }
}

/// Whether what happens on failure is what the mode asks for.
fn strategy(plugin: &Plugin, parts: &[Part<'_>], file: &Contents, diagnostics: &mut Diagnostics) {
    let written = &plugin.strategy;
    let [open, closed, reload] = written.words;
    if plugin.two_strategies {
        diagnostics
            .error(written.path.as_str(), "Envoy refuses `failure_policy` beside `fail_open`: remove `fail_open`");
        return;
    }
    let Some(strategy) = written.strategy else {
        let value = written.value.as_deref().unwrap_or_default();
        diagnostics.error(written.path.as_str(), format!("`{value}` is not one of `{open}`, `{closed}`, `{reload}`"));
        return;
    };
    let modes = ["enforce", "shadow", "observe", "off"];
    if parts.is_empty() || parts.iter().any(|part| !modes.contains(&part.mode)) {
        return;
    }
    let policy = parts.iter().any(Part::enforces_policy);
    let shown = written.shown();
    // With a file there is nothing to pull, and a new VM is better than none.
    let mends_itself = strategy == Strategy::Reload && plugin.is_local;
    if !parts.iter().any(Part::refuses) && strategy != Strategy::Open && !mends_itself {
        let message = format!(
            "{shown} refuses requests when a VM dies or the module cannot be loaded, but the document refuses none: write \
             `{open}` until it does"
        );
        diagnostics.warning("refuses-on-failure", written.path.as_str(), message);
    }
    if policy && strategy == Strategy::Open {
        let message = format!(
            "{shown} lets every request past the policy when a VM dies or the module cannot be loaded: write `{reload}` \
             with `mode: enforce`"
        );
        diagnostics.warning("passes-on-failure", written.path.as_str(), message);
    }
    let discovery = file.discoveries.iter().find(|discovery| Some(&discovery.name) == plugin.name.as_ref());
    match discovery.map(|discovery| (&discovery.until, &discovery.path)) {
        Some((Until::Other(path), _)) if policy => {
            let message = "requests pass without a policy until the module is loaded and its configuration accepted: remove \
                           it with `mode: enforce`";
            diagnostics.warning("passes-until-loaded", path.as_str(), message);
        }
        Some((Until::Refusing, path)) if !parts.iter().any(Part::refuses) => {
            let message = "every request is refused until the module is loaded and its configuration accepted, but the \
                           document refuses none: add a `default_config`, such as an RBAC filter without rules";
            diagnostics.warning("refuses-on-failure", path.as_str(), message);
        }
        _ => {}
    }
}

/// Whether the listener that the document names is one that the plugin is loaded for, and the only one.
fn listener(found: &Found, plugin: &Plugin, diagnostics: &mut Diagnostics) {
    let named = found.document.get("listener").and_then(Value::as_str);
    let (Some(named), Some(listeners)) = (named, &plugin.listeners) else { return };
    let Listeners { path, shown, inbound, outbound } = listeners;
    let (own, other) = if named == "inbound" { (*inbound, *outbound) } else { (*outbound, *inbound) };
    let location = format!("{}.listener", found.path);
    match (own, other) {
        (false, true) => diagnostics.error(location, format!("`{named}`, but {shown} at {path} loads it for the other direction")),
        (true, true) => diagnostics.warning(
            "both-directions",
            location,
            format!("`{named}`, but {shown} at {path} loads it for sidecars' listeners of both directions: leave `listener` out"),
        ),
        _ => {}
    }
}

/// Whether the module is called for the responses that the document reads, or adds headers to.
fn responses(found: &Found, plugin: &Plugin, parts: &[Part<'_>], diagnostics: &mut Diagnostics) {
    for part in parts.iter().filter(|part| plugin.misses_responses && part.mode != "off") {
        let text = |pointer| part.value.pointer(pointer).and_then(Value::as_str);
        let (field, lost) = match part.module {
            Module::Telemetry if text("/peerMetadata/readAt") == Some("response") => {
                ("peerMetadata.readAt", "peers stay unknown: load `telemetry-response.wasm` or `suite.wasm`")
            }
            Module::RateLimit if quota_headers(part.value) => (
                "enable_x_ratelimit_headers",
                "passing requests get no `x-ratelimit` headers: load `rate-limit.wasm` or `suite.wasm`",
            ),
            _ => continue,
        };
        let within = part.path.strip_prefix('$').unwrap_or(part.path);
        let message = format!("Envoy does not call this module for responses, so {lost}");
        diagnostics.warning("not-called-for-responses", format!("{}{within}.{field}", found.path), message);
    }
}

/// Whether the module is called for the ends of streams where the document works with them: without that it refuses it.
fn ends(found: &Found, plugin: &Plugin, parts: &[Part<'_>], diagnostics: &mut Diagnostics) {
    let observes = |part: &Part<'_>| part.module == Module::Policy && part.mode == Mode::Observe.word();
    if plugin.misses_ends && parts.iter().any(observes) {
        let message = "mode `observe` of policies compares decisions at the end of a stream, and Envoy does not call this module for \
                       that, so it refuses the configuration: load `policy-observe.wasm` or `suite.wasm`";
        diagnostics.error(format!("{}.mode", found.path), message);
    }
}

fn quota_headers(document: &Value) -> bool {
    let option = field(document, "enable_x_ratelimit_headers").and_then(Value::as_str);
    option.is_some_and(|option| option != "OFF")
}

/// Whether somebody writes the filter state that the document reads.
fn filter_state(
    found: &Found,
    plugin: &Plugin,
    parts: &[Part<'_>],
    (here, elsewhere): (&[Writer], &[Writer]),
    diagnostics: &mut Diagnostics,
) {
    let kind = if plugin.protocol() == Protocol::Tcp { "network" } else { "http" };
    for part in parts.iter().filter(|part| part.module == Module::Policy && part.mode != "off") {
        for name in ["directAddress", "peerUriSans"] {
            let key = part.value.pointer(&format!("/workload/{name}/filterState")).and_then(Value::as_str);
            let Some(key) = key else { continue };
            let within = part.path.strip_prefix('$').unwrap_or(part.path);
            let location = format!("{}{within}.workload.{name}.filterState", found.path);
            let says = format!(
                "until one does, its value is unknown, and policies that read it refuse: put \
                 `envoy.filters.{kind}.set_filter_state` with `object_key: {key}` before this filter"
            );
            match fate(key, plugin, here) {
                Fate::Written => {}
                Fate::Unwritten(None) => {
                    diagnostics.error(location, format!("no filter before this one writes `{key}`; {says}"))
                }
                Fate::Unwritten(Some(late)) => {
                    diagnostics.error(location, format!("{late} writes `{key}` after this filter has read it; {says}"));
                }
                Fate::Unseen if !plugin.has_whole_chain && elsewhere.iter().any(|writer| writer.writes(key)) => {}
                Fate::Unseen => diagnostics.warning(
                    "filter-state-unseen",
                    location,
                    format!("no file shows a filter that writes `{key}`; {says}"),
                ),
            }
        }
    }
}

/// Whether paths are compared as the routes compare them.
fn path_parameters(
    found: &Found,
    (parts, packed): (&[Part<'_>], Option<&Value>),
    file: &Contents,
    elsewhere: &[Elsewhere],
    diagnostics: &mut Diagnostics,
) {
    let concerned = || file.path_options.iter().filter(|option| option.concerns(found.plugin.as_ref()));
    let on = concerned().find(|option| option.on);
    let off = concerned().find(|option| !option.on);
    let other = elsewhere.iter().find(|one| one.option.concerns(None));
    for part in parts.iter().filter(|part| part.mode != "off") {
        let Some(field) = PathField::of(part, packed) else { continue };
        let location = if found.is_whole() {
            format!("{}{}", found.path, field.path.strip_prefix('$').unwrap_or(&field.path))
        } else {
            found.path.clone()
        };
        let says = "makes Envoy ignore path parameters such as `;a=b`, but this document compares them, so `/admin;a=b` does \
                    not match `/admin`: write `ignorePathParameters: true`";
        match (field.value, on, off, other) {
            (Some(true), None, Some(option), _) => diagnostics.warning(
                "path-parameters",
                location,
                format!(
                    "this document ignores path parameters (`;a=b`) that Envoy compares in the routes at {}",
                    option.path
                ),
            ),
            (Some(true), ..) => {}
            (_, Some(option), ..) if found.is_whole() => diagnostics.error(location, format!("{} {says}", option.path)),
            (_, Some(option), ..) => {
                diagnostics.warning("path-parameters", location, format!("{} {says}", option.path))
            }
            (_, None, _, Some(Elsewhere { file, option })) => {
                diagnostics.warning("path-parameters", location, format!("{} of `{file}` {says}", option.path));
            }
            (_, None, _, None) => {}
        }
    }
}

/// `ignorePathParameters` of a part that compares paths.
struct PathField {
    /// Where it is or should be.
    path: String,
    value: Option<bool>,
}

impl PathField {
    fn of(part: &Part<'_>, packed: Option<&Value>) -> Option<Self> {
        let (holder, rules) = match part.module {
            Module::Policy => (".workload", [part.value.get("policies"), packed]),
            Module::RateLimit => ("", [part.value.get("apply"), None]),
            Module::Telemetry | Module::Suite => return None,
        };
        let value = part.value.pointer(&format!("{}/ignorePathParameters", holder.replace('.', "/")));
        let path = format!("{}{holder}.ignorePathParameters", part.path);
        rules.into_iter().flatten().any(compares_paths).then(|| Self { path, value: value.and_then(Value::as_bool) })
    }
}

/// Whether there is a list of paths anywhere in `rules`.
fn compares_paths(rules: &Value) -> bool {
    match rules {
        Value::Object(fields) => fields.iter().any(|(name, value)| match name.as_str() {
            "paths" | "notPaths" => value.is_array(),
            _ => compares_paths(value),
        }),
        Value::Array(items) => items.iter().any(compares_paths),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
