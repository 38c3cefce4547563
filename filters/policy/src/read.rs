//! Reading a policy document and the Kubernetes objects in it.

mod object;
mod rule;
mod values;

use crate::object::Object;
use crate::workload::Workload;
use weir_config::{Fields, Mode};
use weir_model::Node;

/// A document as written.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) mode: Mode,
    pub(crate) workload: Workload,
    /// The objects that apply to this workload.
    pub(crate) objects: Vec<Object>,
}

/// Reads a policy document of which `schema`, `name` and `mode` are read already.
pub(crate) fn document(mut fields: Fields<'_>, mode: Option<Mode>, node: &Node) -> Option<Document> {
    let at = fields.at().clone();
    if mode == Some(Mode::Observe) {
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
    let mut selection = object::Selection::of(&workload);
    for item in fields.take("policies").and_then(|at| at.list()).unwrap_or_default() {
        selection.read(&item);
    }
    let objects = selection.objects;
    fields.finish();
    Some(Document { mode: mode?, workload, objects })
}

#[cfg(test)]
mod tests;
