//! Which functions could panic: those that an export reaches and that call a function which never returns. A trap in a
//! filter is an outage for every stream of its worker, so their number may only fall.
//!
//! What never returns is read from the code, not from names: `core::panicking`, the helpers that end in it (`unwrap_failed`,
//! failures of slices and of `RefCell`s), and what ends in those. Failures of the allocator alone are named and left out: no
//! code survives a VM without memory, and every growth of a vector could meet one.

use std::collections::{BTreeMap, BTreeSet};
use walrus::ir::{
    Block, Br, BrIf, BrTable, Call, Instr, InstrSeqId, RefFunc, Return, ReturnCall, Visitor, dfs_in_order,
};
use walrus::{ElementItems, ExportItem, FunctionId, FunctionKind, LocalFunction, Module};

/// What a function calls or names.
#[derive(Default)]
struct Callees(BTreeSet<FunctionId>);

impl Visitor<'_> for Callees {
    fn visit_call(&mut self, call: &Call) {
        self.0.insert(call.func);
    }

    fn visit_return_call(&mut self, call: &ReturnCall) {
        self.0.insert(call.func);
    }

    fn visit_ref_func(&mut self, function: &RefFunc) {
        self.0.insert(function.func);
    }
}

/// Whether a function can be left other than by its end.
struct Leaves {
    entry: InstrSeqId,
    leaves: bool,
}

impl Visitor<'_> for Leaves {
    fn visit_return(&mut self, _: &Return) {
        self.leaves = true;
    }

    fn visit_return_call(&mut self, _: &ReturnCall) {
        self.leaves = true;
    }

    fn visit_br(&mut self, branch: &Br) {
        self.leaves |= branch.block == self.entry;
    }

    fn visit_br_if(&mut self, branch: &BrIf) {
        self.leaves |= branch.block == self.entry;
    }

    fn visit_br_table(&mut self, branch: &BrTable) {
        self.leaves |= branch.default == self.entry || branch.blocks.contains(&self.entry);
    }
}

/// Whether `function` never returns, if those in `never` do not.
fn never_returns(function: &LocalFunction, never: &BTreeSet<FunctionId>) -> bool {
    let mut leaves = Leaves { entry: function.entry_block(), leaves: false };
    dfs_in_order(&mut leaves, function, function.entry_block());
    !leaves.leaves && ends(function, function.entry_block(), never)
}

/// Whether a sequence of instructions, once entered, cannot be left by its end.
fn ends(function: &LocalFunction, sequence: InstrSeqId, never: &BTreeSet<FunctionId>) -> bool {
    function.block(sequence).instrs.iter().any(|(instruction, _)| match instruction {
        Instr::Unreachable(_) => true,
        Instr::Call(call) => never.contains(&call.func),
        // A block that a branch leaves goes on behind it.
        Instr::Block(Block { seq }) => {
            let mut leaves = Leaves { entry: *seq, leaves: false };
            dfs_in_order(&mut leaves, function, *seq);
            !leaves.leaves && ends(function, *seq, never)
        }
        _ => false,
    })
}

/// The names of those functions, sorted; one name may stand for several.
pub(crate) fn callers(module: &Module) -> Vec<String> {
    let mut calls: BTreeMap<FunctionId, BTreeSet<FunctionId>> = BTreeMap::new();
    let mut locals: BTreeMap<FunctionId, &LocalFunction> = BTreeMap::new();
    for function in module.funcs.iter() {
        if let FunctionKind::Local(local) = &function.kind {
            let mut callees = Callees::default();
            dfs_in_order(&mut callees, local, local.entry_block());
            calls.insert(function.id(), callees.0);
            locals.insert(function.id(), local);
        }
    }
    let exported = module.exports.iter().filter_map(|export| match export.item {
        ExportItem::Function(id) => Some(id),
        _ => None,
    });
    // Any indirect call may call a function in a table.
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
    let mut never = BTreeSet::new();
    let allocator = |id: FunctionId| {
        let name = module.funcs.get(id).name.as_deref().unwrap_or_default();
        name.contains("raw_vec::") || name.contains("alloc_error") || name.contains("rust_oom")
    };
    loop {
        let found = locals
            .iter()
            .filter(|(id, local)| !allocator(**id) && !never.contains(*id) && never_returns(local, &never));
        let found: Vec<FunctionId> = found.map(|(id, _)| *id).collect();
        if found.is_empty() {
            break;
        }
        never.extend(found);
    }
    let mut names: Vec<String> = calls
        .iter()
        .filter(|(caller, callees)| reached.contains(caller) && !never.contains(caller) && !never.is_disjoint(callees))
        .map(|(caller, _)| module.funcs.get(*caller).name.clone().unwrap_or_default())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::callers;
    use walrus::Module;

    #[test]
    fn callers_of_what_never_returns_are_counted_and_those_functions_are_not() {
        let module = r#"(module
          (func $panic_fmt (param i32) unreachable)
          (func $unwrap_failed (call $panic_fmt (i32.const 1)) unreachable)
          (func $in_a_block (block (call $unwrap_failed)) (call $panic_fmt (i32.const 2)))
          (func $returns_early (param i32)
            (block (br_if 0 (local.get 0)) (return)) (call $panic_fmt (i32.const 3)) unreachable)
          (func $branches_out (param i32) (block (br_if 1 (local.get 0))) (call $unwrap_failed) unreachable)
          (func $checks (param i32) (block (br_if 0 (local.get 0)) (call $unwrap_failed) unreachable))
          (func $forgotten (param i32) (block (br_if 0 (local.get 0)) (call $panic_fmt (i32.const 4)) unreachable))
          (func $alloc::raw_vec::handle_error (param i32) unreachable)
          (func $grows (param i32) (block (br_if 0 (local.get 0)) (call $alloc::raw_vec::handle_error (i32.const 5))))
          (func $sound (param i32) (call $checks (local.get 0)))
          (func $catches (param i32) (block (br_if 0 (local.get 0)) (call $in_a_block) unreachable))
          (export "a" (func $returns_early)) (export "b" (func $branches_out)) (export "c" (func $sound))
          (export "d" (func $catches)) (export "e" (func $grows)))"#;
        let module = Module::from_buffer(&wat::parse_str(module).unwrap()).unwrap();
        assert_eq!(callers(&module), ["branches_out", "catches", "checks", "returns_early"]);
    }
}
