//! `weir render`: manifests for one workload, from the files that policies and limits are kept in.
//!
//! The same files give the same bytes on every machine. Manifests go to standard output, everything else that is to be known to
//! standard error.

pub(crate) mod all;
mod code;
mod composition;
mod document;
mod failure;
mod form;
mod identity;
mod native;
mod options;
mod peer;
mod places;
mod plan;
mod pods;
mod prune;
pub(crate) mod schema;
mod size;
mod sources;
pub(crate) mod tcp;
mod workload;
mod yaml;

pub(crate) use form::Form;
pub(crate) use options::Render;
pub(crate) use plan::{MANAGED_BY, MANAGER, Plan, Wanted};
pub(crate) use pods::{Pods, labels as pods_labels, read as read_labels};
pub(crate) use prune::prune;
#[cfg(test)]
pub(crate) use size::compressed;
pub(crate) use sources::{Policy, Sources};
pub(crate) use workload::{GATEWAY_NAME, Known, Labels, Proxy, Workload, labels};
pub(crate) use yaml::document as yaml_document;

use crate::check::{self, Others};
use crate::compile::{Module, Part as Section};
use crate::diagnostic::Diagnostic;
use crate::documents::{Contents, Found};
use crate::render::document::Document;
use crate::render::failure::Failure as OnFailure;
use crate::render::peer::Peer;
use crate::render::places::Places;
use crate::render::workload::Direction;
use crate::tree::Files;
use crate::{Failure, input, manifest, print};
use serde_json::Value;
use std::collections::BTreeSet;
use weir_config::Mode;
use weir_model::Problem;
use weir_policy::Protocol;

/// What the listeners of one direction run.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) direction: Direction,
    pub(crate) document: Value,
    pub(crate) failure: OnFailure,
    /// Whether the listener's own filter is made for a document that enforces a policy. `--mode off` leaves it as it is, so that only the document changes: a
    /// listener that changed would drain, and lose what is in flight.
    pub(crate) enforces_in_listener: bool,
}

/// What is rendered for one workload.
#[derive(Debug)]
pub(crate) struct Rendered {
    /// The objects, or the one tree of a form that has no objects.
    pub(crate) trees: Vec<Value>,
    /// What an operator should know who applies them, in sentences.
    pub(crate) notes: Vec<String>,
    /// What is doubtful, as lines with their places.
    pub(crate) warnings: Vec<String>,
    /// The annotation that pods lack, as lines of YAML.
    pub(crate) annotation: Option<String>,
}

/// Renders what the options say, and prints it.
pub(crate) fn render(options: &Render) -> Result<(), Failure> {
    if let Some(folder) = &options.all {
        return match options.config.as_slice() {
            [config] => all::write(folder, config),
            _ => Err(Failure::Use("--all takes one file with --config: a `weir.yaml`".to_owned())),
        };
    }
    let wanted = options.wanted().map_err(|problems| Failure::Use(problems.join("\n")))?;
    let plan = Plan::of(&wanted).map_err(|problems| Failure::Use(problems.join("\n")))?;
    let refused = |problems: Vec<String>| Failure::No(format!("nothing is rendered:\n{}", problems.join("\n")));
    let files = Files::read(&options.config)?;
    files.notes.iter().for_each(|line| note!("{line}"));
    let sources = Sources::of(files.trees, options.namespace.as_deref()).map_err(refused)?;
    let Rendered { trees, notes, warnings, annotation } = manifests(&plan, &sources).map_err(refused)?;
    warnings.iter().for_each(|line| note!("{line}"));
    notes.iter().for_each(|note| note!("weir: {note}"));
    annotation.iter().for_each(|lines| note!("{lines}"));
    let text = text(&plan, &trees);
    print::whole(text.trim_end())
}

/// The file for rendered trees, with the line that tells what made it.
pub(crate) fn text(plan: &Plan, trees: &[Value]) -> String {
    let directions = plan.directions.iter().map(|direction| direction.word()).collect::<Vec<_>>().join(" and ");
    let Plan { form, module, workload, .. } = plan;
    let about = format!(
        "# Rendered by `weir render {form}`: {}.wasm for the {} {}, {directions}.\n",
        module.word(),
        workload.proxy.word(),
        workload.id()
    );
    about + &yaml::stream(trees)
}

/// The manifests of a plan.
///
/// # Errors
/// Every reason why none are rendered.
pub(crate) fn manifests(plan: &Plan, sources: &Sources) -> Result<Rendered, Vec<String>> {
    let Composed { plan, document, peer, mut notes, mut warnings } = composed(plan, sources)?;
    let plan = &plan;
    let mut parts = Vec::new();
    let written = switched_on(plan, sources)?;
    for direction in &plan.directions {
        match document.of(plan, *direction) {
            Some(document) => {
                let enforces = enforces_policy(plan, &document);
                let failure = OnFailure::of(enforces, plan.code.is_pulled());
                let written = written.as_ref().and_then(|(plan, written)| written.of(plan, *direction));
                let enforces_in_listener = written.map_or(enforces, |written| enforces_policy(plan, &written));
                parts.push(Part { direction: *direction, document, failure, enforces_in_listener });
            }
            None => notes.push(format!(
                "nothing runs {}: policies are for inbound requests, and do nothing on a sidecar's outbound listeners",
                direction.word()
            )),
        }
    }
    if parts.is_empty() {
        return Err(notes);
    }
    let mut trees = bounded(plan, &parts, &peer, &mut notes)?;
    for part in &parts {
        notes.push(format!("{}: {}", part.direction.word(), part.failure.reason(plan.form, part.enforces_in_listener)));
    }
    let mut annotation = None;
    if plan.form.is_istios() {
        let needed = native::labels_note(plan, &sources.pods).map_err(|problem| vec![problem])?;
        annotation = needed.map(|(note, lines)| {
            notes.push(note);
            lines
        });
    }
    notes.extend(advice(plan, &document, &parts));
    notes.extend(tcp_note(plan, &document, sources));
    trees.extend(plan.replaces_native.then(|| native::telemetry(plan)));
    notes.extend(native::waypoint_note(plan));
    let mut problems = problems(plan, &trees, &document.places, &mut warnings);
    if plan.form == Form::EnvoyGateway {
        problems.extend(parts.iter().flat_map(|part| refused(plan, &part.document, &document.places)));
    }
    if problems.is_empty() { Ok(Rendered { trees, notes, warnings, annotation }) } else { Err(once(problems)) }
}

/// Where everything is turned off: the plan and the document without that.
fn switched_on(plan: &Plan, sources: &Sources) -> Result<Option<(Plan, Document)>, Vec<String>> {
    if plan.mode != Some(Mode::Off) {
        return Ok(None);
    }
    let plan = Plan { mode: None, ..plan.clone() };
    let document = document::compose(&plan, sources)?;
    Ok(Some((plan, document)))
}

/// A plan and its document.
struct Composed {
    /// With the labels of the files.
    plan: Plan,
    document: Document,
    peer: Peer,
    notes: Vec<String>,
    warnings: Vec<String>,
}

fn composed(plan: &Plan, sources: &Sources) -> Result<Composed, Vec<String>> {
    let (mut notes, mut warnings) = (Vec::new(), Vec::new());
    let plan = pods::placed(plan, &sources.pods, &mut notes, &mut warnings)?;
    // What makes rendering impossible may be what the warnings are about.
    let mut document = document::compose(&plan, sources)
        .map_err(|problems| problems.into_iter().chain(warnings.clone()).collect::<Vec<_>>())?;
    let peer = Peer::of(&plan, &mut document)?;
    notes.append(&mut document.notes);
    Ok(Composed { plan, document, peer, notes, warnings })
}

/// The document that decides about a workload's requests.
#[derive(Debug)]
pub(crate) struct Deciding {
    pub(crate) document: Value,
    /// Where its parts are from.
    pub(crate) places: Places,
    pub(crate) notes: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

/// What `manifests` would put before the requests that policies are for.
///
/// # Errors
/// Every reason why there is none.
pub(crate) fn deciding(plan: &Plan, sources: &Sources) -> Result<Deciding, Vec<String>> {
    let Composed { plan, document, notes, warnings, .. } = composed(plan, sources)?;
    let direction = if plan.workload.proxy == Proxy::Gateway { Direction::Outbound } else { Direction::Inbound };
    let places = document.places.clone();
    let document = document.of(&plan, direction).unwrap_or_default();
    Ok(Deciding { document, places, notes, warnings })
}

/// Whether a document can refuse requests by a policy.
fn enforces_policy(plan: &Plan, document: &Value) -> bool {
    plan.module.parts(document).iter().any(Section::enforces_policy)
}

/// The trees of a form, with compressed policies where an object would be too large, and their sizes.
fn bounded(plan: &Plan, parts: &[Part], peer: &Peer, notes: &mut Vec<String>) -> Result<Vec<Value>, Vec<String>> {
    let one = |problem| vec![problem];
    let mut trees = trees(plan, parts, peer).map_err(one)?;
    let is_large =
        |trees: &[Value], limit: usize| plan.form.is_object() && trees.iter().any(|tree| size::bytes(tree) > limit);
    if is_large(&trees, size::COMPRESSED_FROM) {
        let compress = |part: &Part| Ok(Part { document: size::compressed(&part.document)?, ..part.clone() });
        let parts = parts.iter().map(compress).collect::<Result<Vec<_>, String>>().map_err(one)?;
        trees = self::trees(plan, &parts, peer).map_err(one)?;
        let limit = size::COMPRESSED_FROM;
        notes.push(format!("an object has more than {limit} bytes: its policies are compressed as `policiesGzip`"));
    }
    if is_large(&trees, size::MOST) {
        return Err(vec![format!(
            "an object has more than {} bytes, and Kubernetes takes no larger one: form {} is a file without that bound, and a \
             narrower --selector or --labels leaves policies out",
            size::MOST,
            Form::Envoy
        )]);
    }
    for tree in &trees {
        let kind = tree.get("kind").and_then(Value::as_str).unwrap_or("configuration");
        let name = tree.pointer("/metadata/name").and_then(Value::as_str).unwrap_or(&plan.workload.name);
        notes.push(format!("{kind} {name}: {} bytes", size::bytes(tree)));
    }
    if is_large(&trees, size::COMPRESSED_FROM) {
        notes.push(
            "apply it with `kubectl apply --server-side`: else kubectl keeps a second copy in an annotation, for which it is \
             too large"
                .to_owned(),
        );
    }
    Ok(trees)
}

fn trees(plan: &Plan, parts: &[Part], peer: &Peer) -> Result<Vec<Value>, String> {
    Ok(match plan.form {
        Form::Envoy => form::envoy::render(plan, parts, peer)?,
        Form::EnvoyFilter => form::envoyfilter::render(plan, parts, peer),
        Form::WasmPlugin => form::wasmplugin::render(plan, parts, peer),
        Form::TrafficExtension => form::trafficextension::render(plan, parts, peer),
        Form::EnvoyGateway => form::envoy_gateway::render(plan, parts),
    })
}

/// What else is to be done or known.
fn advice(plan: &Plan, document: &Document, parts: &[Part]) -> Vec<String> {
    let mut notes = Vec::new();
    let observes = |part: &Part| part.document.get("mode") == Some(&Value::from(Mode::Observe.word()));
    if plan.module == Module::Policy && parts.iter().any(observes) && !plan.code.is_of("policy-observe") {
        notes.push(
            "mode `observe` takes the variant `policy-observe.wasm`, which Envoy calls at the end of a stream (`weir pack --module \
             policy-observe`): any other of policy refuses the configuration"
                .to_owned(),
        );
    }
    if plan.form == Form::Envoy && !plan.is_snippet && parts.iter().any(|part| identity::is_asked_for(&part.document)) {
        notes.push(
            "policies name identities, and the listeners of this bootstrap have no TLS, so no request has one: their ALLOW rules \
             match none, and `not` fields all; add a `transport_socket` that asks for client certificates, or use --snippet"
                .to_owned(),
        );
    }
    if matches!(plan.form, Form::WasmPlugin | Form::TrafficExtension) {
        notes.push(
            "Istio gives all such plugins of a proxy one space of shared data, and those of the same code one VM: a trap ends \
             both directions, and another plugin could write limits' counts"
                .to_owned(),
        );
    }
    if plan.form == Form::EnvoyGateway {
        notes.push(
            "Envoy itself fetches the module from Envoy Gateway, which Envoy warns of as unstable: try it under load before you \
             rely on it"
                .to_owned(),
        );
        notes.push(
            "Envoy Gateway attaches one EnvoyExtensionPolicy to a target, and one for a route or a listener takes the place of the \
             Gateway's there: that of another team too, unless it is a route's with `mergeType` and without `wasm`"
                .to_owned(),
        );
        notes.push(
            "for labels in metrics give the EnvoyProxy's bootstrap the `stats_tags` of envoy-configs/envoy.yaml"
                .to_owned(),
        );
    }
    if plan.form.is_istios() && document.has_telemetry() && !plan.replaces_native {
        notes.push("Istio goes on counting beside Weir; --replace-native turns off what Weir counts too".to_owned());
    }
    notes
}

/// What the policies guard in Istio, and this filter does not.
fn tcp_note(plan: &Plan, document: &Document, sources: &Sources) -> Option<String> {
    let Workload { namespace, labels, .. } = &plan.workload;
    let is_concerned = plan.form.is_istios() && plan.protocol == Protocol::Http;
    let policies = document.policies().filter(|policies| is_concerned && !policies.is_empty())?;
    let reasons = tcp::reasons(policies.iter(), &sources.services, namespace, labels)?;
    Some(format!(
        "in Istio these policies guard TCP streams too, and this is the filter of requests: render for `--protocol tcp` too, or \
         keep them in the cluster, or TCP is open ({reasons})"
    ))
}

/// What the module itself would refuse, for a form whose documents `weir validate` does not look for.
fn refused(plan: &Plan, document: &Value, places: &Places) -> Vec<String> {
    let problems = plan.module.compile_for(plan.protocol, document).problems.into_iter();
    let line = |problem: Problem| {
        let diagnostic = Diagnostic::error(problem.path.as_str(), problem.message);
        let line = places.line(plan.module, &problem.path, &diagnostic);
        line.unwrap_or_else(|| format!("{}: {}", diagnostic.path, diagnostic.message))
    };
    problems.map(line).collect()
}

/// What the schemas and `weir validate` have against the trees. What is said of a part of the operator's files is said of its
/// place there.
fn problems(plan: &Plan, trees: &[Value], places: &Places, warnings: &mut Vec<String>) -> Vec<String> {
    let mut problems = Vec::new();
    for tree in trees {
        let name = tree.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        for line in &plan.istio {
            let found = schema::problems(tree, *line);
            problems.extend(found.into_iter().map(|problem| format!("{name}, Istio {}: {problem}", line.name())));
        }
        if plan.form == Form::EnvoyGateway {
            problems.extend(schema::gateway_problems(tree).into_iter().map(|problem| format!("{name}: {problem}")));
        }
    }
    let contents = Contents::of_all(trees);
    let mut say = |diagnostic: &Diagnostic, found: Option<&Found>| {
        let inner = found.and_then(|found| diagnostic.path.strip_prefix(&found.path));
        let line = inner.and_then(|inner| places.line(plan.module, &format!("${inner}"), diagnostic));
        let line = line.unwrap_or_else(|| diagnostic.line("the rendered manifest"));
        if diagnostic.is_error() { problems.push(line) } else { warnings.push(line) }
    };
    contents.diagnostics.iter().for_each(|diagnostic| say(diagnostic, None));
    let root = plan.mesh.get("rootNamespace").and_then(Value::as_str);
    for (path, plugins) in contents.with_plugins() {
        let index = (0..trees.len()).find(|index| input::root(*index, trees.len()) == path);
        let tree = index.and_then(|index| trees.get(index));
        let known = manifest::Known { root_namespace: root, is_for_one: true };
        let checked = tree.map(|tree| manifest::check(tree, path, &plugins, known));
        checked.iter().flatten().for_each(|diagnostic| say(diagnostic, None));
    }
    for found in &contents.found {
        let checked = check::check(found, plan.module, &contents, &Others::default());
        checked.diagnostics.iter().for_each(|diagnostic| say(diagnostic, Some(found)));
    }
    *warnings = once(std::mem::take(warnings));
    problems
}

/// Each line once: both directions of a workload have the same documents.
fn once(mut lines: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    lines
}

#[cfg(test)]
mod tests;
