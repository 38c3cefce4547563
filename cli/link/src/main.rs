//! `weir-link IN.wasm OUT.wasm --for MODULE`: the step after linking.
//!
//! The SDK exports every callback of the ABI, and Envoy enters the VM for each that is exported: about 1,700
//! instructions a time, for every body chunk of every stream. So the exports that a module does not use are dropped,
//! and with them the code that only they reached; so are the SDK's methods that are never called, and all but one of
//! functions whose code is the same. The `name` section stays, shortened: Envoy's backtraces need it.
//!
//! One build can become several modules that differ in their exports; the code of each learns which it has.
//!
//! What cannot ship is refused here: exports that are not what the filter needs, an import that Envoy does not offer on
//! every supported line, a missing part of the ABI, a module above [`SIZE_LIMIT`], a function above [`FUNCTION_LIMIT`], a
//! module that is not valid.
//! `weir-link --panics FILE.wasm` counts the functions, reachable from an export, that call a function which never
//! returns.

mod exports;
mod imports;
mod merge;
mod names;
mod panics;
mod vtables;

use std::path::Path;
use std::process::ExitCode;
use walrus::Module;

/// The largest module that ships, in bytes: Envoy compiles all of it at start, on every proxy.
const SIZE_LIMIT: usize = 800_000;

/// The largest function that ships, in bytes. V8 compiles several functions at once and needs megabytes for one of 20,000
/// bytes; Envoy's allocator keeps that memory. Mark what makes a function large `#[inline(never)]`.
const FUNCTION_LIMIT: usize = 6_000;

const USAGE: &str = "usage: weir-link IN.wasm OUT.wasm --for MODULE | weir-link --panics [--list] FILE.wasm";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["--panics", file] => count_panics(Path::new(file), false),
        ["--panics", "--list", file] => count_panics(Path::new(file), true),
        [from, to, "--for", module] => link(Path::new(from), Path::new(to), module),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("weir-link: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read(path: &Path) -> Result<Module, String> {
    Module::from_file(path).map_err(|error| format!("`{}` is not a module: {error}", path.display()))
}

fn link(from: &Path, to: &Path, name: &str) -> Result<String, String> {
    let keep = exports::of(name).ok_or_else(|| format!("`{name}` is not a module of this workspace"))?;
    let mut module = read(from)?;
    exports::replace(&mut module);
    exports::strip(&mut module, &keep)?;
    exports::check(&mut module, &keep).map_err(|error| format!("`{name}`: {error}"))?;
    exports::answer_imports(&mut module, &keep)?;
    vtables::prune(&mut module)?;
    walrus::passes::gc::run(&mut module);
    let mut module = merge::identical(module)?;
    imports::check(&module)?;
    names::shorten(&mut module);
    let bytes = module.emit_wasm();
    if bytes.len() > SIZE_LIMIT {
        return Err(format!("`{name}` has {} bytes, more than the {SIZE_LIMIT} that may ship", bytes.len()));
    }
    // Reading a module validates it.
    let module =
        Module::from_buffer(&bytes).map_err(|error| format!("`{name}` would not be a valid module: {error}"))?;
    check_functions(&module).map_err(|error| format!("`{name}`: {error}"))?;
    // Rewriting an unchanged file would cause everything that depends on it to be built again.
    if std::fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(summary(name, bytes.len(), keep.len()));
    }
    std::fs::write(to, &bytes).map_err(|error| format!("`{}` cannot be written: {error}", to.display()))?;
    Ok(summary(name, bytes.len(), keep.len()))
}

/// Refuses a module with a function above [`FUNCTION_LIMIT`]. The module is one that was read.
fn check_functions(module: &Module) -> Result<(), String> {
    let sizes = module.funcs.iter_local().filter_map(|(id, local)| Some((local.original_range.as_ref()?.len(), id)));
    match sizes.max_by_key(|(size, _)| *size) {
        Some((size, id)) if size > FUNCTION_LIMIT => {
            let name = module.funcs.get(id).name.as_deref().unwrap_or("without a name");
            Err(format!("the function `{name}` has {size} bytes, more than the {FUNCTION_LIMIT} that may ship"))
        }
        _ => Ok(()),
    }
}

fn summary(name: &str, bytes: usize, exports: usize) -> String {
    format!("  {name:<16} {bytes:>8} bytes, {exports} exports")
}

fn count_panics(file: &Path, list: bool) -> Result<String, String> {
    let callers = panics::callers(&read(file)?);
    Ok(if list { callers.join("\n") } else { callers.len().to_string() })
}

#[cfg(test)]
mod tests {
    use super::{FUNCTION_LIMIT, check_functions};
    use walrus::Module;

    #[test]
    fn a_large_function_is_refused() {
        let of = |adds: usize| {
            let body = "i32.const 1 i32.add ".repeat(adds);
            let text = format!("(module (func $small) (func $large (result i32) i32.const 0 {body}))");
            Module::from_buffer(&wat::parse_str(text).expect("the text is a module")).expect("the module is valid")
        };
        // Three bytes each, and a few for the rest.
        assert_eq!(check_functions(&of(FUNCTION_LIMIT / 3 - 10)), Ok(()));
        let refused = check_functions(&of(FUNCTION_LIMIT / 3 + 1)).expect_err("the function is too large");
        assert!(refused.starts_with("the function `large` has "), "{refused}");
    }
}
