//! Which functions could panic: those that call `core::panicking` and that an export reaches. A trap in a filter is an
//! outage for every stream of its worker, so their number may only fall.

use std::collections::{BTreeMap, BTreeSet};
use walrus::ir::{Call, RefFunc, Visitor, dfs_in_order};
use walrus::{ElementItems, ExportItem, FunctionId, FunctionKind, Module};

#[derive(Default)]
struct Callees(BTreeSet<FunctionId>);

impl Visitor<'_> for Callees {
    fn visit_call(&mut self, call: &Call) {
        self.0.insert(call.func);
    }

    fn visit_ref_func(&mut self, function: &RefFunc) {
        self.0.insert(function.func);
    }
}

/// The names of those functions, sorted; one name may stand for several.
pub(crate) fn callers(module: &Module) -> Vec<String> {
    let mut calls: BTreeMap<FunctionId, BTreeSet<FunctionId>> = BTreeMap::new();
    for function in module.funcs.iter() {
        if let FunctionKind::Local(local) = &function.kind {
            let mut callees = Callees::default();
            dfs_in_order(&mut callees, local, local.entry_block());
            calls.insert(function.id(), callees.0);
        }
    }
    let exported = module.exports.iter().filter_map(|export| match export.item {
        ExportItem::Function(id) => Some(id),
        _ => None,
    });
    // What a table holds may be called by whoever calls through it.
    let tabled = module.elements.iter().flat_map(|element| match &element.items {
        ElementItems::Functions(ids) => ids.clone(),
        ElementItems::Expressions(..) => Vec::new(),
    });
    let mut reached = BTreeSet::new();
    let mut next: Vec<FunctionId> = exported.chain(tabled).collect();
    while let Some(id) = next.pop() {
        if reached.insert(id) {
            next.extend(calls.get(&id).into_iter().flatten());
        }
    }
    let name = |id: FunctionId| module.funcs.get(id).name.clone().unwrap_or_default();
    let panics = |id: &FunctionId| name(*id).contains("panicking");
    let mut names: Vec<String> = calls
        .iter()
        .filter(|(caller, callees)| reached.contains(caller) && !panics(caller) && callees.iter().any(panics))
        .map(|(caller, _)| name(*caller))
        .collect();
    names.sort();
    names
}
