//! Reading a policy document and the Kubernetes objects in it.

pub(crate) mod audit;
pub(crate) mod cel;
pub(crate) mod http_only;
mod labels;
pub(crate) mod object;
pub(crate) mod packed;
mod quarantine;
mod rule;
mod scope;
mod selection;
mod shadow;
pub(crate) mod trust_domain;
mod values;
pub(crate) mod workload;
pub(crate) mod written;

use crate::compiled::dimension::Dynamic;
use crate::compiled::metadata_tree::MetadataTree;
use crate::config::audit::AuditSettings;
use crate::config::object::{Action, Field, Object};
use crate::config::shadow::Shadow;
use crate::config::workload::Workload;
use crate::custom::provider::{self, Providers};
use crate::fraction::Fraction;
use weir_config::{Common, Cursor, Fields};
use weir_matching::Names;
use weir_model::{Node, ProxyKind};

/// The most headers, claims and keys of metadata by name that rules can look at: what rules look at is numbered with 16 bits.
/// Of more, some would never match.
pub(crate) const NAMES: usize = 65_523;

/// A document as written.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) common: Common,
    /// The requests whose refusals are enforced in mode `enforce`.
    pub(crate) share: Fraction,
    pub(crate) workload: Workload,
    /// The objects that apply to this workload.
    pub(crate) objects: Vec<Object>,
    /// Problems of policies are set aside.
    pub(crate) quarantines: bool,
    /// How many problems of the objects were set aside.
    pub(crate) quarantined: usize,
    pub(crate) providers: Providers,
    pub(crate) audit: Option<AuditSettings>,
}

/// Whose policies are read in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Those for the workload.
    Workload,
    /// All, for what is wrong with them.
    All,
}

/// Reads a policy document of which the common fields are read already.
#[inline(never)]
pub(crate) fn document(mut fields: Fields<'_>, common: Common, node: &Node, reading: Reading) -> Option<Document> {
    let at = *fields.cursor();
    let on_invalid = fields.take("onInvalid").and_then(|at| at.word(&[("refuse", false), ("quarantine", true)]));
    let shadow = fields.take("shadow").map(|at| Shadow::read(&at)).unwrap_or_default();
    let share = fields.take("enforcePercent").and_then(|at| Fraction::read(&at)).unwrap_or(Fraction::ALL);
    let mut workload = Workload::of(node);
    if let Some(at) = fields.take("workload") {
        workload.read(&at);
    }
    let providers = fields.take("providers").map(|at| provider::read(&at)).unwrap_or_default();
    let audit = fields.take("audit").and_then(|at| AuditSettings::read(&at, node, &workload));
    let mut selection = selection::Selection::new(&workload, shadow);
    selection.reads_all = reading == Reading::All;
    let quarantines = on_invalid == Some(true);
    selection.quarantines = quarantines;
    for item in fields.take("policies").and_then(|at| at.list()).unwrap_or_default() {
        selection.read(&item);
    }
    if let Some(at) = fields.take("policiesGzip")
        && let Some(text) = packed::text(&at)
        && let Some(unpacked) = packed::list(&at, &text)
    {
        for item in at.with(&unpacked).list().unwrap_or_default() {
            selection.read(&item);
        }
    }
    if selection.count > 0 && selection.selected == 0 {
        let message = format!(
            "none of its {} policies is for the workload that the document names: it decides nothing; compare `workload` \
             with their namespaces, selectors and targets",
            selection.count
        );
        at.warning("selects-nothing", message);
    }
    let objects = selection.finish(&at);
    // Certificates of Istio's own authority, which those two see, have one. A gateway takes others.
    let is_of_mesh = matches!(workload.proxy, Some(ProxyKind::Sidecar | ProxyKind::Waypoint));
    if !is_of_mesh && workload.peer_uri_sans.is_none() && objects.iter().any(escapes_by_second_name) {
        let message = "rules refuse peers by identity, and Envoy shows a Wasm filter the first URI SAN of a certificate only: \
                       a peer is not refused for another one; give `workload.peerUriSans` if certificates can have several";
        at.warning("one-uri-san", message);
    }
    if reading == Reading::Workload {
        let expressions = cel::count(&at, objects.iter().flat_map(Object::clauses));
        if count_names(&objects).saturating_add(expressions) > NAMES {
            at.problem::<()>(format!("rules look at more than {NAMES} headers, claims and keys of metadata by name"));
        }
    }
    fields.finish();
    let quarantined = at.problems().saturating_sub(at.refusals());
    let document = Document { common, share, workload, objects, quarantines, quarantined, providers, audit };
    warn_of_providers(&at, &document, reading);
    Some(document)
}

/// How many headers, claims and keys of metadata the rules look at.
#[inline(never)]
fn count_names(objects: &[Object]) -> usize {
    let (mut headers, mut metadata, mut named) = (Names::default(), MetadataTree::default(), 0);
    for clause in objects.iter().flat_map(Object::clauses) {
        if let Field::Header(name) = &clause.field {
            headers.intern(name.as_bytes());
        } else if let Some(value) = Dynamic::named(&clause.field) {
            named += usize::from(metadata.insert(&value));
        }
    }
    headers.len().saturating_add(named)
}

/// Says where CUSTOM policies refuse what they match, because there is not one provider that they name, and where a provider
/// gets another address than from Envoy's own filter.
#[inline(never)]
fn warn_of_providers(at: &Cursor<'_>, document: &Document, reading: Reading) {
    let Document { workload, objects, providers, .. } = document;
    let mut names: Vec<&str> = objects.iter().filter_map(|object| object.provider.as_deref()).collect();
    weir_matching::sort(&mut names);
    names.dedup();
    if let [first, second, ..] = names.as_slice()
        && reading == Reading::Workload
    {
        let message = format!(
            "CUSTOM policies for this workload name several providers, such as `{first}` and `{second}`: what they match is \
             refused, as in Istio unless PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS is set"
        );
        at.warning("several-providers", message);
    }
    for name in names {
        match providers.get(name) {
            None => {
                let message = format!(
                    "provider `{name}` is not among `providers`: what CUSTOM policies match is refused, as in Istio; give it as \
                     `providers.{name}`, as it is under `extensionProviders` in Istio's MeshConfig"
                );
                at.warning("provider-unknown", message);
            }
            Some(provider) if provider.is_grpc() && workload.direct_address.is_none() => {
                let message = format!(
                    "provider `{name}` gets the address of the client as `source`, where Envoy's own filter gives that of the \
                     direct peer; they differ where X-Forwarded-For is trusted; give `workload.directAddress` for the same"
                );
                at.warning("provider-source-address", message);
            }
            Some(_) => {}
        }
    }
}

/// Whether a peer passes that a rule on a name behind its first one would refuse.
#[inline(never)]
fn escapes_by_second_name(object: &Object) -> bool {
    let escapes = match object.action {
        Action::Deny => false,
        Action::Allow => true,
        // Neither refuses by identity.
        Action::Audit | Action::Custom => return false,
    };
    !object.dry_run && object.clauses().any(|clause| clause.field.is_identity() && clause.negated == escapes)
}

#[cfg(test)]
mod tests;
