//! Functions whose code is the same, byte for byte: generic code compiled for types that look alike to WebAssembly makes
//! many of them, and the linker keeps them all.

use crate::vtables::NEVER_CALLED;
use std::collections::{BTreeMap, HashMap};
use walrus::ir::{Call, RefFunc, ReturnCall, VisitorMut, dfs_pre_order_mut};
use walrus::{ElementItems, ExportItem, FunctionId, FunctionKind, Module, TypeId};

/// Number of the code section.
const CODE: u8 = 10;

/// Keeps one of each set of functions of the same type and code, until none is left to drop: merging two makes their
/// callers alike. A backtrace then names the one that was kept.
///
/// # Errors
/// If the code cannot be read back.
pub(crate) fn identical(mut module: Module) -> Result<Module, String> {
    let mut before = usize::MAX;
    loop {
        let bytes = module.emit_wasm();
        module = Module::from_buffer(&bytes).map_err(|error| format!("it cannot be read back: {error}"))?;
        let kept = kept(&module, &bytes).ok_or("its code section cannot be read")?;
        // A function with other references stays; without this check the loop would find it again for ever.
        if kept.is_empty() || module.funcs.iter().count() >= before {
            return Ok(module);
        }
        before = module.funcs.iter().count();
        redirect(&mut module, kept);
        walrus::passes::gc::run(&mut module);
    }
}

/// For every function to drop, its replacement. `None` if `bytes` are not the code of `module`.
fn kept(module: &Module, bytes: &[u8]) -> Option<BTreeMap<FunctionId, FunctionId>> {
    let mut bodies = bodies(bytes)?.into_iter();
    let mut first: HashMap<(TypeId, &[u8]), FunctionId> = HashMap::new();
    let mut kept = BTreeMap::new();
    for function in module.funcs.iter().filter(|function| !matches!(function.kind, FunctionKind::Import(_))) {
        // Only `unreachable`, as some of the standard library's are: a backtrace must not take one for the other.
        if function.name.as_deref() == Some(NEVER_CALLED) {
            bodies.next()?;
            continue;
        }
        let stands = *first.entry((function.ty(), bodies.next()?)).or_insert(function.id());
        if stands != function.id() {
            kept.insert(function.id(), stands);
        }
    }
    bodies.next().is_none().then_some(kept)
}

/// The functions' code, in the order of their indices.
fn bodies(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut rest = bytes.get(8..)?;
    while let Some((id, after)) = rest.split_first() {
        let (section, after) = sized(after)?;
        rest = after;
        if *id == CODE {
            let (count, mut section) = number(section)?;
            let mut bodies = Vec::new();
            for _ in 0..count {
                let (body, after) = sized(section)?;
                bodies.push(body);
                section = after;
            }
            return Some(bodies);
        }
    }
    Some(Vec::new())
}

/// A length with its bytes, and the rest.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(bytes)?;
    rest.split_at_checked(length)
}

/// An unsigned LEB128 number, and the rest.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

struct Redirect(BTreeMap<FunctionId, FunctionId>);

impl Redirect {
    fn apply(&self, function: &mut FunctionId) {
        if let Some(stands) = self.0.get(function) {
            *function = *stands;
        }
    }
}

impl VisitorMut for Redirect {
    fn visit_call_mut(&mut self, call: &mut Call) {
        self.apply(&mut call.func);
    }

    fn visit_return_call_mut(&mut self, call: &mut ReturnCall) {
        self.apply(&mut call.func);
    }

    fn visit_ref_func_mut(&mut self, function: &mut RefFunc) {
        self.apply(&mut function.func);
    }
}

fn redirect(module: &mut Module, kept: BTreeMap<FunctionId, FunctionId>) {
    let mut redirect = Redirect(kept);
    for (_, function) in module.funcs.iter_local_mut() {
        let entry = function.entry_block();
        dfs_pre_order_mut(&mut redirect, function, entry);
    }
    for element in module.elements.iter_mut() {
        if let ElementItems::Functions(functions) = &mut element.items {
            functions.iter_mut().for_each(|function| redirect.apply(function));
        }
    }
    for export in module.exports.iter_mut() {
        if let ExportItem::Function(function) = &mut export.item {
            redirect.apply(function);
        }
    }
    if let Some(start) = &mut module.start {
        redirect.apply(start);
    }
}

#[cfg(test)]
mod tests {
    use super::{identical, number};
    use walrus::{ElementItems, ElementKind, FunctionBuilder, FunctionId, Module, ValType};

    fn constant(module: &mut Module, value: i32) -> FunctionId {
        let mut function = FunctionBuilder::new(&mut module.types, &[], &[ValType::I32]);
        function.func_body().i32_const(value);
        function.finish(Vec::new(), &mut module.funcs)
    }

    fn caller(module: &mut Module, callee: FunctionId) -> FunctionId {
        let mut function = FunctionBuilder::new(&mut module.types, &[], &[ValType::I32]);
        function.func_body().call(callee);
        function.finish(Vec::new(), &mut module.funcs)
    }

    /// How many functions and exports remain of a module with a function for each constant, and a caller of each that is
    /// exported and in a table.
    fn left(constants: [i32; 3]) -> (usize, usize) {
        let mut module = Module::default();
        let mut tabled = Vec::new();
        for (value, name) in constants.into_iter().zip(["a", "b", "c"]) {
            let callee = constant(&mut module, value);
            let caller = caller(&mut module, callee);
            module.exports.add(name, caller);
            tabled.push(caller);
        }
        module.elements.add(ElementKind::Passive, ElementItems::Functions(tabled));
        let module = identical(module).expect("a module");
        (module.funcs.iter().count(), module.exports.iter().count())
    }

    #[test]
    fn twins_and_their_callers_become_one() {
        assert_eq!(left([1, 1, 1]), (2, 3));
        assert_eq!(left([1, 2, 1]), (4, 3));
        assert_eq!(left([1, 2, 3]), (6, 3));
    }

    #[test]
    fn what_is_never_called_stays_apart() {
        let mut module = Module::default();
        for name in ["abort", super::NEVER_CALLED, "exit"] {
            let mut function = FunctionBuilder::new(&mut module.types, &[], &[]);
            function.name(name.to_owned()).func_body().unreachable();
            let function = function.finish(Vec::new(), &mut module.funcs);
            module.exports.add(name, function);
        }
        let module = identical(module).expect("a module");
        let names: Vec<_> = module.funcs.iter().filter_map(|function| function.name.clone()).collect();
        assert_eq!(names, ["abort", super::NEVER_CALLED]);
    }

    #[test]
    fn numbers_are_leb128() {
        assert_eq!(number(&[0x7f, 9]), Some((127, &[9][..])));
        assert_eq!(number(&[0xe5, 0x8e, 0x26]), Some((624_485, &[][..])));
        assert_eq!(number(&[0x80, 0x80]), None);
        assert_eq!(number(&[0x80; 6]), None);
    }
}
