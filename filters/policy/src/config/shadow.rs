//! The field `shadow`: more policies that are not in force, besides those under Istio's dry run.

use std::cell::Cell;
use weir_config::Cursor;

/// Policies by name.
#[derive(Debug, Default)]
pub(super) struct Shadow<'v> {
    named: Vec<Named<'v>>,
}

/// One entry, `NAMESPACE/NAME` or `NAMESPACE/*`.
#[derive(Debug)]
struct Named<'v> {
    at: Cursor<'v>,
    namespace: &'v str,
    /// `None` for all policies of the namespace.
    name: Option<&'v str>,
    /// Whether there is such a policy, for this workload or another.
    met: Cell<bool>,
}

impl<'v> Shadow<'v> {
    #[inline(never)]
    pub(super) fn read(at: &Cursor<'v>) -> Self {
        let named = at.each(|at| {
            let text = at.text()?;
            let wrong = "a policy is written `NAMESPACE/NAME`, all of a namespace `NAMESPACE/*`";
            let Some((namespace, name)) = text.split_once('/') else { return at.problem(wrong) };
            let name = (name != "*").then_some(name);
            let is_plain = |part: &str| !part.is_empty() && !part.contains(['*', '/']);
            if !is_plain(namespace) || !name.is_none_or(is_plain) {
                return at.problem(wrong);
            }
            Some(Named { at, namespace, name, met: Cell::new(false) })
        });
        Self { named }
    }

    /// Whether a policy of that name is among them.
    pub(super) fn has(&self, namespace: &str, name: &str) -> bool {
        let mut found = false;
        for named in &self.named {
            if named.namespace == namespace && named.name.is_none_or(|wanted| wanted == name) {
                named.met.set(true);
                found = true;
            }
        }
        found
    }

    /// Where that very policy is named.
    pub(super) fn place(&self, namespace: &str, name: &str) -> Option<&Cursor<'v>> {
        let is_it = |named: &&Named<'_>| named.namespace == namespace && named.name == Some(name);
        self.named.iter().find(is_it).map(|named| &named.at)
    }

    /// Warns of entries that no policy met.
    pub(super) fn finish(&self) {
        for Named { at, .. } in self.named.iter().filter(|named| !named.met.get()) {
            at.warning("shadow-matches-nothing", "the document has no policy of that name: compare it with `metadata`");
        }
    }
}
