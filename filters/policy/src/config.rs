//! Reading a policy document and the Kubernetes objects in it.

pub(crate) mod audit;
mod labels;
pub(crate) mod object;
pub(crate) mod packed;
mod rule;
mod scope;
mod selection;
pub(crate) mod trust_domain;
mod values;
pub(crate) mod workload;
pub(crate) mod written;

use crate::config::audit::AuditSettings;
use crate::config::object::{Action, Field, Object};
use crate::config::workload::Workload;
use weir_config::{Common, Fields, Mode};
use weir_matching::Names;
use weir_model::{Node, ProxyKind};

/// The most headers by name that rules can look at: what rules look at is numbered with 16 bits. Of more, some would never
/// match.
pub(crate) const HEADERS: usize = 65_523;

/// A document as written.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) common: Common,
    pub(crate) workload: Workload,
    /// The objects that apply to this workload.
    pub(crate) objects: Vec<Object>,
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
    let at = fields.cursor().clone();
    if common.mode == Mode::Observe {
        at.problem::<()>("mode `observe` is not supported for policy; use `shadow` or `enforce`");
    }
    if let Some(at) = fields.take("onInvalid")
        && at.word(&[("refuse", false), ("quarantine", true)]) == Some(true)
    {
        at.problem::<()>("`quarantine` is not supported; only `refuse` is");
    }
    let mut workload = Workload::of(node);
    if let Some(at) = fields.take("workload") {
        workload.read(&at);
    }
    let audit = fields.take("audit").and_then(|at| AuditSettings::read(&at, node, workload.namespace()));
    let mut selection = match reading {
        Reading::Workload => selection::Selection::of(&workload),
        Reading::All => selection::Selection::of_all(&workload),
    };
    for item in fields.take("policies").and_then(|at| at.list()).unwrap_or_default() {
        selection.read(&item);
    }
    if let Some(at) = fields.take("policiesGzip")
        && let Some(unpacked) = packed::read(&at)
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
    let mut headers = Names::default();
    for clause in objects.iter().filter(|object| object.action != Action::Audit).flat_map(Object::clauses) {
        if let Field::Header(name) = &clause.field {
            headers.intern(name.as_bytes());
        }
    }
    if headers.len() > HEADERS && reading == Reading::Workload {
        at.problem::<()>(format!("rules look at more than {HEADERS} headers by name"));
    }
    fields.finish();
    Some(Document { common, workload, objects, audit })
}

/// Whether a peer passes that a rule on a name behind its first one would refuse.
#[inline(never)]
fn escapes_by_second_name(object: &Object) -> bool {
    let escapes = match object.action {
        Action::Deny => false,
        Action::Allow => true,
        Action::Audit => return false,
    };
    !object.dry_run && object.clauses().any(|clause| clause.field.is_identity() && clause.negated == escapes)
}

#[cfg(test)]
mod tests;
